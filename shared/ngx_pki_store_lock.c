
/*
 * Copyright (C) the ngx_pki authors
 *
 * Locks in Redis: one node at a time does a job.  A lock is a random token
 * that expires; what it guards is published only by a script that finds the
 * token still there.
 */


#include "ngx_pki_store_job.h"


#define NGX_PKI_STORE_TOKEN_LEN  16
#define NGX_PKI_STORE_LOCK_TIME  30000


static void ngx_pki_store_lock_handler(ngx_pki_redis_command_t *cmd);


void
ngx_pki_store_lock(ngx_pki_store_job_t *job)
{
    u_char  token[NGX_PKI_STORE_TOKEN_LEN];

    ngx_pki_store_start(job, "taking a lock");

    job->token.data = ngx_pnalloc(job->op->pool, 2 * NGX_PKI_STORE_TOKEN_LEN);

    if (job->token.data == NULL
        || RAND_bytes(token, NGX_PKI_STORE_TOKEN_LEN) != 1)
    {
        ERR_clear_error();
        ngx_pki_store_defer(job, NGX_PKI_STORE_UNAVAILABLE);
        return;
    }

    ngx_hex_dump(job->token.data, token, NGX_PKI_STORE_TOKEN_LEN);
    job->token.len = 2 * NGX_PKI_STORE_TOKEN_LEN;

    ngx_pki_store_command(job, "SET", 5);
    ngx_pki_store_key(job, "lock:", &job->lock);
    ngx_pki_store_arg(job, &job->token);
    ngx_pki_store_text(job, "NX");
    ngx_pki_store_text(job, "PX");
    ngx_pki_store_number(job, job->lock_time != 0 ? job->lock_time
                                                  : NGX_PKI_STORE_LOCK_TIME);

    ngx_pki_store_send(job, ngx_pki_store_lock_handler);
}


static void
ngx_pki_store_lock_handler(ngx_pki_redis_command_t *cmd)
{
    ngx_pki_store_job_t  *job;

    job = cmd->data;

    if (cmd->reply != NULL && cmd->reply->type == REDIS_REPLY_NIL) {
        ngx_pki_store_done(job, NGX_PKI_STORE_CONFLICT);
        return;
    }

    if (ngx_pki_store_answer(job, REDIS_REPLY_STATUS) != NGX_OK) {
        return;
    }

    ngx_pki_store_done(job, NGX_PKI_STORE_OK);
}


void
ngx_pki_store_unlock(ngx_pki_store_job_t *job)
{
    ngx_pki_store_start(job, "giving a lock back");

    ngx_pki_store_eval(job, NGX_PKI_SCRIPT_UNLOCK, 1, 2);
    ngx_pki_store_key(job, "lock:", &job->lock);
    ngx_pki_store_arg(job, &job->token);

    ngx_pki_store_send(job, ngx_pki_store_flag_handler);
}
