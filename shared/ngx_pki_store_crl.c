
/*
 * Copyright (C) the ngx_pki authors
 *
 * The full CRL (shard 0) in Redis: one node at a time builds it, under a lock
 * whose token the publication must still hold.
 */


#include "ngx_pki_store_job.h"


static void ngx_pki_store_crl_load_handler(ngx_pki_redis_command_t *cmd);
static ngx_int_t ngx_pki_store_crl_decode(ngx_pki_store_job_t *job,
    redisReply *reply);
static void ngx_pki_store_crl_revoked_handler(ngx_pki_redis_command_t *cmd);
static ngx_int_t ngx_pki_store_crl_entries(ngx_pki_store_job_t *job,
    redisReply *reply);
static ngx_int_t ngx_pki_store_crl_entry(ngx_str_t *value,
    ngx_pki_record_t *record);


void
ngx_pki_store_crl_load(ngx_pki_store_job_t *job)
{
    ngx_pki_store_start(job, "loading the crl");

    job->repeatable = 1;

    ngx_pki_store_command(job, "HMGET", 6);
    ngx_pki_store_key(job, "crl:0", NULL);
    ngx_pki_store_text(job, "number");
    ngx_pki_store_text(job, "this_update");
    ngx_pki_store_text(job, "next_update");
    ngx_pki_store_text(job, "der");
    ngx_pki_store_text(job, "seq");

    ngx_pki_store_send(job, ngx_pki_store_crl_load_handler);
}


static void
ngx_pki_store_crl_load_handler(ngx_pki_redis_command_t *cmd)
{
    redisReply           *reply;
    ngx_pki_store_job_t  *job;

    job = cmd->data;
    reply = cmd->reply;

    if (ngx_pki_store_answer(job, REDIS_REPLY_ARRAY) != NGX_OK) {
        return;
    }

    if (reply->elements == 5 && reply->element[0]->type == REDIS_REPLY_NIL) {
        ngx_pki_store_done(job, NGX_PKI_STORE_NOT_FOUND);
        return;
    }

    if (ngx_pki_store_crl_decode(job, reply) != NGX_OK) {
        ngx_pki_store_malformed(job, "crl");
        return;
    }

    ngx_pki_store_done(job, NGX_PKI_STORE_OK);
}


static ngx_int_t
ngx_pki_store_crl_decode(ngx_pki_store_job_t *job, redisReply *reply)
{
    job->crl_seq = 0;

    if (reply->elements != 5
        || ngx_pki_store_reply_number(reply->element[0], &job->crl_number)
           != NGX_OK
        || ngx_pki_store_reply_time(reply->element[1], &job->this_update)
           != NGX_OK
        || ngx_pki_store_reply_time(reply->element[2], &job->next_update)
           != NGX_OK
        || (reply->element[4]->type != REDIS_REPLY_NIL
            && ngx_pki_store_reply_number(reply->element[4], &job->crl_seq)
               != NGX_OK))
    {
        return NGX_ERROR;
    }

    return ngx_pki_store_reply_copy(job, reply->element[3], &job->crl);
}


void
ngx_pki_store_crl_revoked(ngx_pki_store_job_t *job)
{
    ngx_pki_store_start(job, "reading what is revoked");

    job->repeatable = 1;
    job->status.epoch = job->store->slot->epoch;

    ngx_pki_store_eval(job, NGX_PKI_SCRIPT_CRL_REVOKED, 3, 3);
    ngx_pki_store_key(job, "ca", NULL);
    ngx_pki_store_key(job, "crl:0", NULL);
    ngx_pki_store_key(job, "revoked:0", NULL);

    ngx_pki_store_send(job, ngx_pki_store_crl_revoked_handler);
}


static void
ngx_pki_store_crl_revoked_handler(ngx_pki_redis_command_t *cmd)
{
    redisReply           *reply;
    ngx_pki_store_job_t  *job;

    job = cmd->data;
    reply = cmd->reply;

    if (ngx_pki_store_answer(job, REDIS_REPLY_ARRAY) != NGX_OK) {
        return;
    }

    /* a CRL that lacks one entry must not come to be */

    if (reply->elements != 3
        || ngx_pki_store_reply_number(reply->element[0], &job->crl_seq)
           != NGX_OK
        || ngx_pki_store_reply_number(reply->element[1], &job->crl_number)
           != NGX_OK
        || ngx_pki_store_crl_entries(job, reply->element[2]) != NGX_OK)
    {
        ngx_pki_store_malformed(job, "list of revoked certificates");
        return;
    }

    ngx_pki_store_done(job, NGX_PKI_STORE_OK);
}


static ngx_int_t
ngx_pki_store_crl_entries(ngx_pki_store_job_t *job, redisReply *reply)
{
    ngx_str_t          value;
    ngx_uint_t         i;
    ngx_pki_serial_t   serial;
    ngx_pki_record_t  *record;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements % 2 != 0) {
        return NGX_ERROR;
    }

    job->records = ngx_array_create(job->op->pool, reply->elements / 2 + 1,
                                    sizeof(ngx_pki_record_t));
    if (job->records == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < reply->elements; i += 2) {
        record = ngx_array_push(job->records);

        ngx_memzero(record, sizeof(ngx_pki_record_t));

        if (ngx_pki_store_reply_copy(job, reply->element[i], &record->serial)
            != NGX_OK
            || ngx_pki_serial_parse(&record->serial, &serial) != NGX_OK
            || ngx_pki_store_reply_string(reply->element[i + 1], &value)
               != NGX_OK
            || ngx_pki_store_crl_entry(&value, record) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* "<revoked_at> <reason>" */

static ngx_int_t
ngx_pki_store_crl_entry(ngx_str_t *value, ngx_pki_record_t *record)
{
    u_char     *p;
    ngx_str_t   at, reason;

    p = ngx_strlchr(value->data, value->data + value->len, ' ');

    if (p == NULL) {
        return NGX_ERROR;
    }

    at.data = value->data;
    at.len = p - value->data;

    reason.data = p + 1;
    reason.len = value->data + value->len - reason.data;

    if (ngx_pki_time_parse(&at, &record->revoked_at) != NGX_OK
        || ngx_pki_reason_decode(&reason, &record->reason) != NGX_OK)
    {
        return NGX_ERROR;
    }

    record->status = (record->reason == NGX_PKI_REASON_HOLD)
                     ? NGX_PKI_STATUS_HOLD : NGX_PKI_STATUS_REVOKED;

    return ngx_pki_status_check(record->status, record->reason,
                                record->revoked_at);
}


void
ngx_pki_store_crl_publish(ngx_pki_store_job_t *job)
{
    ngx_pki_zone_slot_t  *slot;

    ngx_pki_store_start(job, "publishing the crl");

    slot = job->store->slot;

    /* what was collected may lack what Redis has lost since or before */

    if (slot->restoring || job->status.epoch != slot->epoch) {
        ngx_pki_store_defer(job, NGX_PKI_STORE_CONFLICT);
        return;
    }

    ngx_pki_store_eval(job, NGX_PKI_SCRIPT_CRL_PUBLISH, 4, 12);

    ngx_pki_store_key(job, "ca", NULL);
    ngx_pki_store_key(job, "lock:crl", NULL);
    ngx_pki_store_key(job, "crl:0", NULL);
    ngx_pki_store_key(job, "log", NULL);

    ngx_pki_store_arg(job, &job->token);
    ngx_pki_store_number(job, job->crl_number);
    ngx_pki_store_number(job, job->this_update);
    ngx_pki_store_number(job, job->next_update);
    ngx_pki_store_arg(job, &job->crl);
    ngx_pki_store_number(job, ngx_time());
    ngx_pki_store_number(job, job->crl_seq);
    ngx_pki_store_number(job, slot->applied);

    job->command.durable = 1;

    ngx_pki_store_send(job, ngx_pki_store_flag_handler);
}
