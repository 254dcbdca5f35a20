
/*
 * Copyright (C) the ngx_pki authors
 *
 * Each part is a command of its own: other commands pass in between, and no
 * turn of the event loop copies much more than one.
 */


#include "ngx_pki_crl_load.h"
#include "ngx_pki_free.h"


#define NGX_PKI_CRL_LOAD_DEADLINE  30000     /* msec */

/* a CRL may be replaced while it is loaded; its parts stay for a minute */
#define NGX_PKI_CRL_LOAD_TRIES     3


static ngx_int_t ngx_pki_crl_load_meta(ngx_pki_crl_load_t *load);
static ngx_pki_store_job_t *ngx_pki_crl_load_job(ngx_pki_crl_load_t *load,
    ngx_pki_store_pt handler);
static void ngx_pki_crl_load_meta_handler(ngx_pki_store_job_t *job);
static ngx_int_t ngx_pki_crl_load_take(ngx_pki_crl_load_t *load,
    ngx_pki_store_job_t *job);
static ngx_int_t ngx_pki_crl_load_part(ngx_pki_crl_load_t *load);
static void ngx_pki_crl_load_part_handler(ngx_pki_store_job_t *job);
static ngx_int_t ngx_pki_crl_load_again(ngx_pki_crl_load_t *load,
    ngx_log_t *log);
static ngx_int_t ngx_pki_crl_load_add(ngx_pki_crl_load_t *load,
    ngx_pki_store_job_t *job);
static void ngx_pki_crl_load_end(ngx_pki_crl_load_t *load,
    ngx_pki_store_job_t *job, ngx_int_t rc);


ngx_int_t
ngx_pki_crl_load(ngx_pki_crl_load_t *load)
{
    ngx_memzero(&load->meta, sizeof(ngx_pki_crl_meta_t));

    load->buffer = NULL;
    load->tries = 0;
    load->unanswered = 0;

    return ngx_pki_crl_load_meta(load);
}


static ngx_int_t
ngx_pki_crl_load_meta(ngx_pki_crl_load_t *load)
{
    ngx_pki_store_job_t  *job;

    job = ngx_pki_crl_load_job(load, ngx_pki_crl_load_meta_handler);
    if (job == NULL) {
        return NGX_ERROR;
    }

    load->tries++;

    ngx_pki_store_crl_load(job);

    return NGX_OK;
}


/* an operation for each command: what it received is not kept twice */

static ngx_pki_store_job_t *
ngx_pki_crl_load_job(ngx_pki_crl_load_t *load, ngx_pki_store_pt handler)
{
    ngx_pki_op_t         *op;
    ngx_pki_store_job_t  *job;

    op = ngx_pki_op_create(ngx_cycle->log);
    if (op == NULL) {
        return NULL;
    }

    op->authority = load->authority->name;

    job = ngx_pcalloc(op->pool, sizeof(ngx_pki_store_job_t));

    if (job == NULL) {
        ngx_pki_op_destroy(op);
        return NULL;
    }

    job->op = op;
    job->store = &load->authority->store;
    job->list = load->list;
    job->handler = handler;
    job->data = load;

    ngx_pki_op_deadline(op, NGX_PKI_CRL_LOAD_DEADLINE, NULL);

    return job;
}


static void
ngx_pki_crl_load_meta_handler(ngx_pki_store_job_t *job)
{
    ngx_int_t            rc;
    ngx_pki_crl_load_t  *load;

    load = job->data;

    switch (job->result) {

    case NGX_PKI_STORE_OK:
        load->meta = job->meta;
        rc = ngx_pki_crl_load_take(load, job);
        break;

    case NGX_PKI_STORE_NOT_FOUND:
        rc = NGX_DECLINED;
        break;

    default: /* NGX_PKI_STORE_UNAVAILABLE */
        load->unanswered = 1;
        rc = NGX_ERROR;
    }

    ngx_pki_crl_load_end(load, job, rc);
}


/* NGX_AGAIN: its parts are on their way */

static ngx_int_t
ngx_pki_crl_load_take(ngx_pki_crl_load_t *load, ngx_pki_store_job_t *job)
{
    size_t  size;

    size = load->meta.size;

    if (size == 0 || size > NGX_PKI_CRL_SIZE_MAX
        || (job->crl.len != size
            && (job->crl.len != 0 || size <= NGX_PKI_CRL_PART)))
    {
        ngx_log_error(NGX_LOG_ERR, job->op->log, 0,
                      "a CRL of %uz octets that has %uz of them in redis",
                      size, job->crl.len);
        return NGX_ERROR;
    }

    if (!load->wanted(load)) {
        return NGX_ABORT;
    }

    load->buffer = ngx_alloc(size, job->op->log);
    if (load->buffer == NULL) {
        return NGX_ERROR;
    }

    if (job->crl.len != 0) {
        ngx_memcpy(load->buffer, job->crl.data, size);
        return NGX_OK;
    }

    load->part = 0;

    return ngx_pki_crl_load_part(load);
}


static ngx_int_t
ngx_pki_crl_load_part(ngx_pki_crl_load_t *load)
{
    ngx_pki_store_job_t  *job;

    job = ngx_pki_crl_load_job(load, ngx_pki_crl_load_part_handler);
    if (job == NULL) {
        return NGX_ERROR;
    }

    job->meta = load->meta;
    job->part = load->part;

    ngx_pki_store_crl_part(job);

    return NGX_AGAIN;
}


static void
ngx_pki_crl_load_part_handler(ngx_pki_store_job_t *job)
{
    ngx_int_t            rc;
    ngx_pki_crl_load_t  *load;

    load = job->data;

    switch (job->result) {

    case NGX_PKI_STORE_OK:
        rc = ngx_pki_crl_load_add(load, job);
        break;

    case NGX_PKI_STORE_NOT_FOUND:
        rc = ngx_pki_crl_load_again(load, job->op->log);
        break;

    default: /* NGX_PKI_STORE_UNAVAILABLE */
        load->unanswered = 1;
        rc = NGX_ERROR;
    }

    ngx_pki_crl_load_end(load, job, rc);
}


/* NGX_AGAIN: the newer one is on its way */

static ngx_int_t
ngx_pki_crl_load_again(ngx_pki_crl_load_t *load, ngx_log_t *log)
{
    if (load->tries == NGX_PKI_CRL_LOAD_TRIES) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "redis lacks part %ui of CRL %uL", load->part,
                      load->meta.number);
        return NGX_ERROR;
    }

    ngx_pki_free_slowly(load->buffer, load->meta.size);
    load->buffer = NULL;

    return ngx_pki_crl_load_meta(load) == NGX_OK ? NGX_AGAIN : NGX_ERROR;
}


static ngx_int_t
ngx_pki_crl_load_add(ngx_pki_crl_load_t *load, ngx_pki_store_job_t *job)
{
    size_t  offset, len;

    offset = load->part * NGX_PKI_CRL_PART;
    len = ngx_min(load->meta.size - offset, NGX_PKI_CRL_PART);

    if (job->crl.len != len) {
        ngx_log_error(NGX_LOG_ERR, job->op->log, 0,
                      "part %ui of CRL %uL has %uz octets in redis, not %uz",
                      load->part, load->meta.number, job->crl.len, len);
        return NGX_ERROR;
    }

    ngx_memcpy(load->buffer + offset, job->crl.data, len);

    if (offset + len == load->meta.size) {
        return NGX_OK;
    }

    if (!load->wanted(load)) {
        return NGX_ABORT;
    }

    load->part++;

    return ngx_pki_crl_load_part(load);
}


static void
ngx_pki_crl_load_end(ngx_pki_crl_load_t *load, ngx_pki_store_job_t *job,
    ngx_int_t rc)
{
    ngx_pki_op_destroy(job->op);

    if (rc == NGX_AGAIN) {
        return;
    }

    if (rc != NGX_OK && load->buffer != NULL) {
        ngx_pki_free_slowly(load->buffer, load->meta.size);
        load->buffer = NULL;
    }

    load->rc = rc;
    load->handler(load);
}
