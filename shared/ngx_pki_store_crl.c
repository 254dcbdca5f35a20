
/*
 * Copyright (C) the ngx_pki authors
 *
 * CRLs in Redis, for whoever serves them.
 */


#include "ngx_pki_store_crl.h"


static void ngx_pki_store_crl_load_handler(ngx_pki_redis_command_t *cmd);
static ngx_int_t ngx_pki_store_crl_der(ngx_pki_store_job_t *job,
    redisReply *reply);
static ngx_int_t ngx_pki_store_crl_optional(redisReply *reply,
    uint64_t *number);
static void ngx_pki_store_crl_part_handler(ngx_pki_redis_command_t *cmd);


void
ngx_pki_store_crl_key(ngx_pki_store_job_t *job, ngx_uint_t list)
{
    u_char     text[NGX_PKI_CRL_NAME_LEN];
    ngx_str_t  name;

    name.data = text;
    name.len = ngx_pki_crl_name(text, list);

    ngx_pki_store_key(job, "crl:", &name);
}


void
ngx_pki_store_crl_parts_key(ngx_pki_store_job_t *job, uint64_t number)
{
    u_char      text[NGX_PKI_CRL_NAME_LEN + 1 + NGX_INT64_LEN];
    size_t      len;
    ngx_str_t   name;

    len = ngx_pki_crl_name(text, job->list);

    name.data = text;
    name.len = ngx_sprintf(text + len, ":%uL", number) - text;

    ngx_pki_store_key(job, "crl:", &name);
}


void
ngx_pki_store_crl_load(ngx_pki_store_job_t *job)
{
    ngx_pki_store_start(job, "loading a CRL");

    job->repeatable = 1;

    ngx_pki_store_command(job, "HMGET", 2 + NGX_PKI_STORE_CRL_FIELDS);
    ngx_pki_store_crl_key(job, job->list);
    ngx_pki_store_crl_fields(job);
    ngx_pki_store_text(job, "der");

    ngx_pki_store_send(job, ngx_pki_store_crl_load_handler);
}


void
ngx_pki_store_crl_fields(ngx_pki_store_job_t *job)
{
    ngx_pki_store_text(job, "size");
    ngx_pki_store_text(job, "number");
    ngx_pki_store_text(job, "this_update");
    ngx_pki_store_text(job, "next_update");
    ngx_pki_store_text(job, "seq");
    ngx_pki_store_text(job, "base_number");
    ngx_pki_store_text(job, "base_seq");
    ngx_pki_store_text(job, "mark_number");
    ngx_pki_store_text(job, "mark_seq");
    ngx_pki_store_text(job, "mark_time");
}


static void
ngx_pki_store_crl_load_handler(ngx_pki_redis_command_t *cmd)
{
    ngx_int_t             rc;
    redisReply           *reply;
    ngx_pki_store_job_t  *job;

    job = cmd->data;
    reply = cmd->reply;

    if (ngx_pki_store_answer(job, REDIS_REPLY_ARRAY) != NGX_OK) {
        return;
    }

    rc = (reply->elements == NGX_PKI_STORE_CRL_FIELDS + 1)
         ? ngx_pki_store_crl_decode(job, reply) : NGX_ERROR;

    if (rc == NGX_DECLINED) {
        ngx_pki_store_done(job, NGX_PKI_STORE_NOT_FOUND);
        return;
    }

    if (rc != NGX_OK
        || ngx_pki_store_crl_der(job, reply->element[NGX_PKI_STORE_CRL_FIELDS])
           != NGX_OK)
    {
        ngx_pki_store_malformed(job, "crl");
        return;
    }

    ngx_pki_store_done(job, NGX_PKI_STORE_OK);
}


/* older versions wrote no size, and large ones in one piece, too */

static ngx_int_t
ngx_pki_store_crl_der(ngx_pki_store_job_t *job, redisReply *reply)
{
    if (reply->type == REDIS_REPLY_NIL) {
        ngx_str_null(&job->crl);
        return ngx_pki_store_crl_parts(job->meta.size) != 0 ? NGX_OK
                                                            : NGX_ERROR;
    }

    if (ngx_pki_store_reply_copy(job, reply, &job->crl) != NGX_OK) {
        return NGX_ERROR;
    }

    job->meta.size = job->crl.len;

    return (job->crl.len != 0) ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_pki_store_crl_decode(ngx_pki_store_job_t *job, redisReply *reply)
{
    uint64_t             size, mark_time;
    redisReply         **value;
    ngx_pki_crl_meta_t  *meta;

    value = reply->element;
    meta = &job->meta;

    ngx_memzero(meta, sizeof(ngx_pki_crl_meta_t));

    if (value[1]->type == REDIS_REPLY_NIL) {
        return NGX_DECLINED;
    }

    if (ngx_pki_store_crl_optional(value[0], &size) != NGX_OK
        || size > NGX_PKI_CRL_SIZE_MAX
        || ngx_pki_store_reply_number(value[1], &meta->number) != NGX_OK
        || meta->number == 0
        || ngx_pki_store_reply_time(value[2], &meta->this_update) != NGX_OK
        || ngx_pki_store_reply_time(value[3], &meta->next_update) != NGX_OK
        || ngx_pki_store_crl_optional(value[4], &meta->seq) != NGX_OK
        || ngx_pki_store_crl_optional(value[5], &meta->base_number) != NGX_OK
        || ngx_pki_store_crl_optional(value[6], &meta->base_seq) != NGX_OK
        || ngx_pki_store_crl_optional(value[7], &meta->mark_number) != NGX_OK
        || ngx_pki_store_crl_optional(value[8], &meta->mark_seq) != NGX_OK
        || ngx_pki_store_crl_optional(value[9], &mark_time) != NGX_OK)
    {
        return NGX_ERROR;
    }

    meta->size = (size_t) size;
    meta->mark_time = (time_t) mark_time;

    return NGX_OK;
}


/* of the full CRL alone, or not written by older versions */

static ngx_int_t
ngx_pki_store_crl_optional(redisReply *reply, uint64_t *number)
{
    if (reply->type == REDIS_REPLY_NIL) {
        *number = 0;
        return NGX_OK;
    }

    return ngx_pki_store_reply_number(reply, number);
}


void
ngx_pki_store_crl_part(ngx_pki_store_job_t *job)
{
    ngx_pki_store_start(job, "loading a part of a CRL");

    job->repeatable = 1;

    ngx_pki_store_command(job, "HGET", 2);
    ngx_pki_store_crl_parts_key(job, job->meta.number);
    ngx_pki_store_number(job, job->part);

    ngx_pki_store_send(job, ngx_pki_store_crl_part_handler);
}


static void
ngx_pki_store_crl_part_handler(ngx_pki_redis_command_t *cmd)
{
    ngx_pki_store_job_t  *job;

    job = cmd->data;

    if (cmd->reply != NULL && cmd->reply->type == REDIS_REPLY_NIL) {
        ngx_pki_store_done(job, NGX_PKI_STORE_NOT_FOUND);
        return;
    }

    if (ngx_pki_store_answer(job, REDIS_REPLY_STRING) != NGX_OK) {
        return;
    }

    if (job->part >= ngx_pki_store_crl_parts(job->meta.size)
        || cmd->reply->len
           != ngx_pki_store_crl_part_len(job->meta.size, job->part)
        || ngx_pki_store_reply_copy(job, cmd->reply, &job->crl) != NGX_OK)
    {
        ngx_pki_store_malformed(job, "part of a crl");
        return;
    }

    ngx_pki_store_done(job, NGX_PKI_STORE_OK);
}
