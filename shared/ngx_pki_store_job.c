
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_store_job.h"
#include "ngx_pki_record.h"


/*
 * A connection may be lost just when a command is sent; a job that may be
 * repeated is sent again if that shows within this time (milliseconds).
 */

#define NGX_PKI_STORE_REPEAT  500


static void ngx_pki_store_push(ngx_pki_store_job_t *job, u_char *data,
    size_t len);
static ngx_uint_t ngx_pki_store_repeats(ngx_pki_store_job_t *job);
static void ngx_pki_store_posted_handler(ngx_event_t *ev);


void
ngx_pki_store_start(ngx_pki_store_job_t *job, const char *action)
{
    ngx_pki_op_action(job->op, action);

    job->result = NGX_PKI_STORE_UNAVAILABLE;
    job->elapsed = 0;
    job->started = ngx_current_msec;
    job->tries = 0;
    job->repeatable = 0;
}


void
ngx_pki_store_command(ngx_pki_store_job_t *job, const char *name,
    ngx_uint_t max)
{
    ngx_memzero(&job->command, sizeof(ngx_pki_redis_command_t));

    job->argv = ngx_palloc(job->op->pool, (max + 1) * sizeof(ngx_str_t));

    ngx_pki_store_text(job, name);
}


void
ngx_pki_store_eval(ngx_pki_store_job_t *job, ngx_pki_script_e script,
    ngx_uint_t keys, ngx_uint_t max)
{
    ngx_memzero(&job->command, sizeof(ngx_pki_redis_command_t));

    job->command.script = ngx_pki_store_script(script);
    job->argv = ngx_palloc(job->op->pool, (1 + max) * sizeof(ngx_str_t));

    ngx_pki_store_number(job, keys);
}


void
ngx_pki_store_key(ngx_pki_store_job_t *job, const char *name, ngx_str_t *rest)
{
    size_t      len;
    u_char     *p, *key;
    ngx_str_t  *prefix;

    prefix = &job->store->prefix;
    len = prefix->len + ngx_strlen(name) + (rest != NULL ? rest->len : 0);

    key = ngx_pnalloc(job->op->pool, len);
    if (key == NULL) {
        job->argv = NULL;
        return;
    }

    p = ngx_cpymem(key, prefix->data, prefix->len);
    p = ngx_cpymem(p, name, ngx_strlen(name));

    if (rest != NULL) {
        ngx_memcpy(p, rest->data, rest->len);
    }

    ngx_pki_store_push(job, key, len);
}


void
ngx_pki_store_arg(ngx_pki_store_job_t *job, ngx_str_t *arg)
{
    ngx_pki_store_push(job, arg->data, arg->len);
}


void
ngx_pki_store_text(ngx_pki_store_job_t *job, const char *text)
{
    ngx_pki_store_push(job, (u_char *) text, ngx_strlen(text));
}


void
ngx_pki_store_number(ngx_pki_store_job_t *job, uint64_t number)
{
    u_char  *p;

    p = ngx_pnalloc(job->op->pool, NGX_INT64_LEN);
    if (p == NULL) {
        job->argv = NULL;
        return;
    }

    ngx_pki_store_push(job, p, ngx_sprintf(p, "%uL", number) - p);
}


/* argv is NULL once an allocation has failed; ngx_pki_store_send() sees it */

static void
ngx_pki_store_push(ngx_pki_store_job_t *job, u_char *data, size_t len)
{
    ngx_str_t  *arg;

    if (job->argv == NULL) {
        return;
    }

    arg = &job->argv[job->command.argc++];

    arg->data = data;
    arg->len = len;
}


void
ngx_pki_store_send(ngx_pki_store_job_t *job, ngx_pki_redis_pt handler)
{
    ngx_pki_redis_command_t  *cmd;

    if (job->argv == NULL) {
        ngx_pki_store_defer(job, NGX_PKI_STORE_UNAVAILABLE);
        return;
    }

    cmd = &job->command;

    cmd->argv = job->argv;
    cmd->handler = handler;
    cmd->data = job;
    cmd->log = job->op->log;

    job->tries++;

    ngx_pki_redis_send(job->store->redis, cmd);
}


ngx_int_t
ngx_pki_store_answer(ngx_pki_store_job_t *job, int type)
{
    ngx_int_t  rc;

    rc = ngx_pki_store_check(job, type);

    if (rc == NGX_ERROR) {
        ngx_pki_store_done(job, NGX_PKI_STORE_UNAVAILABLE);
    }

    return rc;
}


ngx_int_t
ngx_pki_store_check(ngx_pki_store_job_t *job, int type)
{
    ngx_pki_redis_command_t  *cmd;

    cmd = &job->command;

    if (cmd->reply == NULL) {

        if (ngx_pki_store_repeats(job)) {
            job->tries++;
            ngx_pki_redis_send(job->store->redis, cmd);
            return NGX_AGAIN;
        }

        ngx_log_error(NGX_LOG_ERR, job->op->log, 0, "redis %s: %V",
                      cmd->refused ? "refused" : "failed", &cmd->error);
        return NGX_ERROR;
    }

    if (cmd->unacknowledged) {
        ngx_log_error(NGX_LOG_ERR, job->op->log, 0,
                      "too few redis replicas acknowledged");
        return NGX_ERROR;
    }

    if (cmd->reply->type != type) {
        ngx_log_error(NGX_LOG_ERR, job->op->log, 0,
                      "unexpected reply of redis, type %d",
                      cmd->reply->type);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_pki_store_repeats(ngx_pki_store_job_t *job)
{
    return job->repeatable
           && !job->command.refused
           && job->tries == 1
           && ngx_current_msec - job->started < NGX_PKI_STORE_REPEAT
           && !ngx_exiting && !ngx_terminate;
}


void
ngx_pki_store_done(ngx_pki_store_job_t *job, ngx_pki_store_result_e result)
{
    job->result = result;
    job->elapsed = ngx_current_msec - job->started;

    job->handler(job);
}


void
ngx_pki_store_defer(ngx_pki_store_job_t *job, ngx_pki_store_result_e result)
{
    job->result = result;

    ngx_memzero(&job->posted, sizeof(ngx_event_t));

    job->posted.handler = ngx_pki_store_posted_handler;
    job->posted.data = job;
    job->posted.log = job->op->log;

    ngx_post_event(&job->posted, &ngx_posted_events);
}


static void
ngx_pki_store_posted_handler(ngx_event_t *ev)
{
    ngx_pki_store_job_t  *job;

    job = ev->data;

    ngx_pki_store_done(job, job->result);
}


void
ngx_pki_store_flag_handler(ngx_pki_redis_command_t *cmd)
{
    ngx_pki_store_job_t  *job;

    job = cmd->data;

    if (ngx_pki_store_answer(job, REDIS_REPLY_INTEGER) != NGX_OK) {
        return;
    }

    ngx_pki_store_done(job, cmd->reply->integer != 0 ? NGX_PKI_STORE_OK
                                                     : NGX_PKI_STORE_CONFLICT);
}


void
ngx_pki_store_malformed(ngx_pki_store_job_t *job, const char *what)
{
    ngx_log_error(NGX_LOG_ERR, job->op->log, 0, "malformed %s from redis",
                  what);

    ngx_pki_store_done(job, NGX_PKI_STORE_UNAVAILABLE);
}


ngx_int_t
ngx_pki_store_reply_string(redisReply *reply, ngx_str_t *s)
{
    if (reply->type == REDIS_REPLY_NIL) {
        ngx_str_null(s);
        return NGX_DECLINED;
    }

    if (reply->type != REDIS_REPLY_STRING) {
        return NGX_ERROR;
    }

    s->data = (u_char *) reply->str;
    s->len = reply->len;

    return NGX_OK;
}


ngx_int_t
ngx_pki_store_reply_number(redisReply *reply, uint64_t *number)
{
    ngx_str_t  s;

    if (reply->type == REDIS_REPLY_INTEGER) {
        *number = (uint64_t) reply->integer;
        return reply->integer < 0 ? NGX_ERROR : NGX_OK;
    }

    if (ngx_pki_store_reply_string(reply, &s) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_pki_number_parse(&s, NGX_PKI_NUMBER_MAX, number);
}


ngx_int_t
ngx_pki_store_reply_time(redisReply *reply, time_t *t)
{
    ngx_str_t  s;

    if (ngx_pki_store_reply_string(reply, &s) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_pki_time_parse(&s, t);
}


ngx_int_t
ngx_pki_store_reply_copy(ngx_pki_store_job_t *job, redisReply *reply,
    ngx_str_t *s)
{
    ngx_str_t  text;

    if (ngx_pki_store_reply_string(reply, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_pki_op_copy(job->op, s, &text);
}


ngx_int_t
ngx_pki_store_reply_fields(ngx_pki_store_job_t *job, redisReply *reply,
    ngx_str_t *fields, ngx_uint_t max)
{
    ngx_uint_t  i;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements > max) {
        return NGX_ERROR;
    }

    for (i = 0; i < reply->elements; i++) {

        if (ngx_pki_store_reply_copy(job, reply->element[i], &fields[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
