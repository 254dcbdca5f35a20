
/*
 * Copyright (C) the ngx_pki authors
 *
 * The statuses of a page of certificates, newest first: their serial numbers
 * from the index, then what the records say, all of it as of one moment.
 */


#include "ngx_pki_store_job.h"


/* the number of the last change and that of all certificates come first */

#define NGX_PKI_STATUSES_HEAD    2
#define NGX_PKI_STATUSES_VALUES  5


static void ngx_pki_store_statuses_page_handler(ngx_pki_redis_command_t *cmd);
static void ngx_pki_store_statuses_send(ngx_pki_store_job_t *job);
static void ngx_pki_store_statuses_handler(ngx_pki_redis_command_t *cmd);
static ngx_int_t ngx_pki_store_statuses_decode(ngx_pki_store_job_t *job,
    redisReply *reply);
static ngx_int_t ngx_pki_store_statuses_add(ngx_pki_store_job_t *job,
    ngx_str_t *serial, redisReply *values);


void
ngx_pki_store_statuses(ngx_pki_store_job_t *job)
{
    ngx_pki_store_start(job, "reading statuses");

    ngx_pki_store_page(job, ngx_pki_store_statuses_page_handler);
}


static void
ngx_pki_store_statuses_page_handler(ngx_pki_redis_command_t *cmd)
{
    ngx_pki_store_job_t  *job;

    job = cmd->data;

    if (ngx_pki_store_answer(job, REDIS_REPLY_ARRAY) != NGX_OK) {
        return;
    }

    if (ngx_pki_store_page_decode(job, cmd->reply) != NGX_OK) {
        ngx_pki_store_malformed(job, "list");
        return;
    }

    ngx_pki_store_statuses_send(job);
}


static void
ngx_pki_store_statuses_send(ngx_pki_store_job_t *job)
{
    ngx_uint_t         i, n;
    ngx_pki_record_t  *record;

    record = job->records->elts;
    n = job->records->nelts;

    ngx_pki_store_eval(job, NGX_PKI_SCRIPT_STATUSES, n + 2, n + 2);

    ngx_pki_store_key(job, "ca", NULL);
    ngx_pki_store_key(job, "issued", NULL);

    for (i = 0; i < n; i++) {
        ngx_pki_store_key(job, "cert:", &record[i].serial);
    }

    job->status.epoch = job->store->slot->epoch;

    ngx_pki_store_send(job, ngx_pki_store_statuses_handler);
}


static void
ngx_pki_store_statuses_handler(ngx_pki_redis_command_t *cmd)
{
    ngx_pki_store_job_t  *job;

    job = cmd->data;

    if (ngx_pki_store_answer(job, REDIS_REPLY_ARRAY) != NGX_OK) {
        return;
    }

    if (ngx_pki_store_statuses_decode(job, cmd->reply) != NGX_OK) {
        ngx_pki_store_malformed(job, "statuses");
        return;
    }

    ngx_pki_store_done(job, NGX_PKI_STORE_OK);
}


static ngx_int_t
ngx_pki_store_statuses_decode(ngx_pki_store_job_t *job, redisReply *reply)
{
    uint64_t           total;
    ngx_uint_t         i, n;
    ngx_pki_record_t  *record;

    record = job->records->elts;
    n = job->records->nelts;

    if (reply->elements != n + NGX_PKI_STATUSES_HEAD
        || ngx_pki_store_reply_number(reply->element[0], &job->seq) != NGX_OK
        || ngx_pki_store_reply_number(reply->element[1], &total) != NGX_OK)
    {
        return NGX_ERROR;
    }

    job->total = (ngx_uint_t) total;

    job->statuses = ngx_array_create(job->op->pool, n + 1,
                                     sizeof(ngx_pki_store_status_t));
    if (job->statuses == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {

        if (ngx_pki_store_statuses_add(job, &record[i].serial,
                                  reply->element[i + NGX_PKI_STATUSES_HEAD])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* the index may name a record that is gone; a bad one must hide no other */

static ngx_int_t
ngx_pki_store_statuses_add(ngx_pki_store_job_t *job, ngx_str_t *serial,
    redisReply *values)
{
    ngx_pki_store_status_t  *s;

    if (values->type != REDIS_REPLY_ARRAY
        || values->elements != NGX_PKI_STATUSES_VALUES)
    {
        return NGX_ERROR;
    }

    if (values->element[0]->type == REDIS_REPLY_NIL) {
        return NGX_OK;
    }

    s = ngx_array_push(job->statuses);

    if (ngx_pki_serial_parse(serial, &s->serial) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_pki_store_status_decode(values->element, &s->status) != NGX_OK) {
        job->statuses->nelts--;
        job->malformed++;
        return NGX_OK;
    }

    s->status.epoch = job->status.epoch;

    return NGX_OK;
}
