
/*
 * Copyright (C) the ngx_pki authors
 *
 * One-time challenges: a hash each, which expires, and for whoever has them
 * made an index of those that are not used.  What uses one is the script that
 * adds its certificate.
 */


#include "ngx_pki_store_job.h"


static void ngx_pki_store_challenge_put_handler(ngx_pki_redis_command_t *cmd);
static void ngx_pki_store_challenge_get_handler(ngx_pki_redis_command_t *cmd);
static ngx_int_t ngx_pki_store_challenge_decode(ngx_pki_store_job_t *job,
    redisReply *reply);


void
ngx_pki_store_challenge_put(ngx_pki_store_job_t *job)
{
    ngx_int_t             i, n;
    ngx_str_t             fields[NGX_PKI_CHALLENGE_FIELDS];
    ngx_pki_challenge_t  *challenge;

    ngx_pki_store_start(job, "keeping a one-time challenge");

    job->repeatable = 1;

    challenge = &job->one_time;
    n = ngx_pki_challenge_encode(job->op->pool, challenge, fields);

    if (n == NGX_ERROR || challenge->hash.len != NGX_PKI_CHALLENGE_HASH_LEN) {
        ngx_log_error(NGX_LOG_ALERT, job->op->log, 0,
                      "one-time challenge cannot be kept");
        ngx_pki_store_defer(job, NGX_PKI_STORE_UNAVAILABLE);
        return;
    }

    ngx_pki_store_eval(job, NGX_PKI_SCRIPT_CHALLENGE, 2, 5 + n);

    ngx_pki_store_key(job, "challenge:", &challenge->hash);
    ngx_pki_store_key(job, "challenges:", &challenge->by);

    ngx_pki_store_arg(job, &challenge->hash);
    ngx_pki_store_number(job, job->quota);
    ngx_pki_store_number(job, challenge->expires - challenge->created);

    for (i = 0; i < n; i++) {
        ngx_pki_store_arg(job, &fields[i]);
    }

    job->command.durable = 1;

    ngx_pki_store_send(job, ngx_pki_store_challenge_put_handler);
}


static void
ngx_pki_store_challenge_put_handler(ngx_pki_redis_command_t *cmd)
{
    ngx_str_t             word;
    ngx_pki_store_job_t  *job;

    job = cmd->data;

    if (ngx_pki_store_answer(job, REDIS_REPLY_STRING) != NGX_OK) {
        return;
    }

    (void) ngx_pki_store_reply_string(cmd->reply, &word);

    if (ngx_pki_str_eq(&word, "ok")) {
        ngx_pki_store_done(job, NGX_PKI_STORE_OK);

    } else if (ngx_pki_str_eq(&word, "full")) {
        ngx_pki_store_done(job, NGX_PKI_STORE_FULL);

    } else {
        ngx_pki_store_done(job, NGX_PKI_STORE_CONFLICT);
    }
}


void
ngx_pki_store_challenge_get(ngx_pki_store_job_t *job)
{
    ngx_pki_store_start(job, "looking for a one-time challenge");

    job->repeatable = 1;

    ngx_pki_store_command(job, "HGETALL", 1);
    ngx_pki_store_key(job, "challenge:", &job->one_time.hash);

    ngx_pki_store_send(job, ngx_pki_store_challenge_get_handler);
}


static void
ngx_pki_store_challenge_get_handler(ngx_pki_redis_command_t *cmd)
{
    ngx_pki_store_job_t  *job;

    job = cmd->data;

    if (ngx_pki_store_answer(job, REDIS_REPLY_ARRAY) != NGX_OK) {
        return;
    }

    if (cmd->reply->elements == 0) {
        ngx_pki_store_done(job, NGX_PKI_STORE_NOT_FOUND);
        return;
    }

    if (ngx_pki_store_challenge_decode(job, cmd->reply) != NGX_OK) {
        ngx_pki_store_malformed(job, "one-time challenge");
        return;
    }

    ngx_pki_store_done(job, NGX_PKI_STORE_OK);
}


/* into job->one_time, whose hash stays */

static ngx_int_t
ngx_pki_store_challenge_decode(ngx_pki_store_job_t *job, redisReply *reply)
{
    ngx_int_t  rc;
    ngx_str_t  hash, fields[2 * NGX_PKI_CHALLENGE_FIELDS];

    if (ngx_pki_store_reply_fields(job, reply, fields,
                                   2 * NGX_PKI_CHALLENGE_FIELDS)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    hash = job->one_time.hash;

    rc = ngx_pki_challenge_decode(fields, reply->elements, &job->one_time);

    job->one_time.hash = hash;

    return rc;
}
