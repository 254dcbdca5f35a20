
/*
 * Copyright (C) the ngx_pki authors
 *
 * Notices that wait in a stream, in order.  The cursor of a list is the id
 * that the next page begins with.  That somebody tried to send one is a key of
 * its own, which goes with it, or is forgotten when it was given up long ago.
 */


#include "ngx_pki_store_job.h"


#define NGX_PKI_STORE_MAX_NOTICES  100
#define NGX_PKI_STORE_TRY_TTL      (8 * 24 * 60 * 60)


static void ngx_pki_store_outbox_handler(ngx_pki_redis_command_t *cmd);
static ngx_int_t ngx_pki_store_outbox_page(ngx_pki_store_job_t *job,
    redisReply *reply);
static ngx_int_t ngx_pki_store_outbox_notice(ngx_pki_store_job_t *job,
    redisReply *entry, ngx_pki_notice_t *notice);
static void ngx_pki_store_outbox_try_handler(ngx_pki_redis_command_t *cmd);
static void ngx_pki_store_outbox_done_handler(ngx_pki_redis_command_t *cmd);
static void ngx_pki_store_outbox_tidy_handler(ngx_pki_redis_command_t *cmd);


void
ngx_pki_store_outbox(ngx_pki_store_job_t *job)
{
    ngx_pki_store_start(job, "reading notices that wait");

    if (job->limit == 0 || job->limit > NGX_PKI_STORE_MAX_NOTICES) {
        job->limit = NGX_PKI_STORE_MAX_NOTICES;
    }

    job->repeatable = 1;

    ngx_pki_store_command(job, "XRANGE", 5);
    ngx_pki_store_key(job, "outbox", NULL);

    if (job->cursor.len != 0) {
        ngx_pki_store_arg(job, &job->cursor);

    } else {
        ngx_pki_store_text(job, "-");
    }

    ngx_pki_store_text(job, "+");
    ngx_pki_store_text(job, "COUNT");
    ngx_pki_store_number(job, job->limit + 1);

    ngx_pki_store_send(job, ngx_pki_store_outbox_handler);
}


static void
ngx_pki_store_outbox_handler(ngx_pki_redis_command_t *cmd)
{
    ngx_pki_store_job_t  *job;

    job = cmd->data;

    if (ngx_pki_store_answer(job, REDIS_REPLY_ARRAY) != NGX_OK) {
        return;
    }

    if (ngx_pki_store_outbox_page(job, cmd->reply) != NGX_OK) {
        ngx_pki_store_malformed(job, "list of notices");
        return;
    }

    ngx_pki_store_done(job, NGX_PKI_STORE_OK);
}


/* one more than fits was asked for: the next page begins with it */

static ngx_int_t
ngx_pki_store_outbox_page(ngx_pki_store_job_t *job, redisReply *reply)
{
    ngx_uint_t         i, n;
    redisReply        *entry;
    ngx_pki_notice_t  *notice;

    if (reply->elements > job->limit + 1) {
        return NGX_ERROR;
    }

    n = ngx_min(reply->elements, job->limit);

    job->notices = ngx_array_create(job->op->pool, n + 1,
                                    sizeof(ngx_pki_notice_t));
    if (job->notices == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        notice = ngx_array_push(job->notices);

        if (notice == NULL
            || ngx_pki_store_outbox_notice(job, reply->element[i], notice)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (reply->elements == n) {
        ngx_str_null(&job->cursor);
        return NGX_OK;
    }

    entry = reply->element[n];

    if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2) {
        return NGX_ERROR;
    }

    return ngx_pki_store_reply_copy(job, entry->element[0], &job->cursor);
}


/* one that is malformed must not hide all others */

static ngx_int_t
ngx_pki_store_outbox_notice(ngx_pki_store_job_t *job, redisReply *entry,
    ngx_pki_notice_t *notice)
{
    ngx_str_t  id, fields[2 * NGX_PKI_NOTICE_FIELDS];

    if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2
        || ngx_pki_store_reply_copy(job, entry->element[0], &id) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_pki_store_reply_fields(job, entry->element[1], fields,
                                   2 * NGX_PKI_NOTICE_FIELDS)
        != NGX_OK
        || ngx_pki_notice_decode(fields, entry->element[1]->elements, notice)
           != NGX_OK)
    {
        ngx_memzero(notice, sizeof(ngx_pki_notice_t));
    }

    notice->id = id;

    return NGX_OK;
}


void
ngx_pki_store_outbox_try(ngx_pki_store_job_t *job)
{
    ngx_pki_store_start(job, "keeping in mind that a notice is sent");

    ngx_pki_store_command(job, "SET", 5);
    ngx_pki_store_key(job, "outbox-try:", &job->notice.id);
    ngx_pki_store_text(job, "1");
    ngx_pki_store_text(job, "NX");
    ngx_pki_store_text(job, "EX");
    ngx_pki_store_number(job, NGX_PKI_STORE_TRY_TTL);

    job->command.durable = 1;

    ngx_pki_store_send(job, ngx_pki_store_outbox_try_handler);
}


static void
ngx_pki_store_outbox_try_handler(ngx_pki_redis_command_t *cmd)
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
ngx_pki_store_outbox_done(ngx_pki_store_job_t *job)
{
    ngx_pki_store_start(job, "taking a notice out");

    job->repeatable = 1;

    ngx_pki_store_command(job, "XDEL", 2);
    ngx_pki_store_key(job, "outbox", NULL);
    ngx_pki_store_arg(job, &job->notice.id);

    job->command.durable = 1;

    ngx_pki_store_send(job, ngx_pki_store_outbox_done_handler);
}


/* nor does it matter if somebody else has done so */

static void
ngx_pki_store_outbox_done_handler(ngx_pki_redis_command_t *cmd)
{
    ngx_pki_store_job_t  *job;

    job = cmd->data;

    if (ngx_pki_store_answer(job, REDIS_REPLY_INTEGER) != NGX_OK) {
        return;
    }

    ngx_pki_store_command(job, "DEL", 1);
    ngx_pki_store_key(job, "outbox-try:", &job->notice.id);

    ngx_pki_store_send(job, ngx_pki_store_outbox_tidy_handler);
}


static void
ngx_pki_store_outbox_tidy_handler(ngx_pki_redis_command_t *cmd)
{
    ngx_pki_store_job_t  *job;

    job = cmd->data;

    if (ngx_pki_store_answer(job, REDIS_REPLY_INTEGER) != NGX_OK) {
        return;
    }

    ngx_pki_store_done(job, NGX_PKI_STORE_OK);
}
