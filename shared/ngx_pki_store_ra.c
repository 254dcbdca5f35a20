
/*
 * Copyright (C) the ngx_pki authors
 *
 * Registration authorities in Redis, "{a}:ra": the one that is offered, and
 * the one before it.  Entries are octets here, see ngx_pki_ra_entry.h.
 */


#include "ngx_pki_store_job.h"


static void ngx_pki_store_ra_load_handler(ngx_pki_redis_command_t *cmd);
static ngx_int_t ngx_pki_store_ra_entry(ngx_pki_store_job_t *job,
    redisReply *reply, ngx_str_t *entry);


void
ngx_pki_store_ra_load(ngx_pki_store_job_t *job)
{
    ngx_pki_store_start(job, "looking for the registration authority");

    job->repeatable = 1;

    ngx_pki_store_command(job, "HMGET", 3);
    ngx_pki_store_key(job, "ra", NULL);
    ngx_pki_store_text(job, "current");
    ngx_pki_store_text(job, "previous");

    ngx_pki_store_send(job, ngx_pki_store_ra_load_handler);
}


static void
ngx_pki_store_ra_load_handler(ngx_pki_redis_command_t *cmd)
{
    redisReply           *reply;
    ngx_pki_store_job_t  *job;

    job = cmd->data;
    reply = cmd->reply;

    if (ngx_pki_store_answer(job, REDIS_REPLY_ARRAY) != NGX_OK) {
        return;
    }

    if (reply->elements != 2
        || ngx_pki_store_ra_entry(job, reply->element[0], &job->ra) != NGX_OK
        || ngx_pki_store_ra_entry(job, reply->element[1], &job->ra_previous)
           != NGX_OK)
    {
        ngx_pki_store_malformed(job, "registration authority");
        return;
    }

    ngx_pki_store_done(job, NGX_PKI_STORE_OK);
}


static ngx_int_t
ngx_pki_store_ra_entry(ngx_pki_store_job_t *job, redisReply *reply,
    ngx_str_t *entry)
{
    if (reply->type == REDIS_REPLY_NIL) {
        ngx_str_null(entry);
        return NGX_OK;
    }

    return ngx_pki_store_reply_copy(job, reply, entry);
}


void
ngx_pki_store_ra_put(ngx_pki_store_job_t *job)
{
    ngx_pki_store_start(job, "publishing the registration authority");

    ngx_pki_store_eval(job, NGX_PKI_SCRIPT_RA_PUT, 2, 6);
    ngx_pki_store_key(job, "lock:ra", NULL);
    ngx_pki_store_key(job, "ra", NULL);
    ngx_pki_store_arg(job, &job->token);
    ngx_pki_store_arg(job, &job->ra);
    ngx_pki_store_arg(job, &job->ra_next);
    ngx_pki_store_text(job, job->ra_keep ? "keep" : "drop");

    job->command.durable = 1;

    ngx_pki_store_send(job, ngx_pki_store_flag_handler);
}
