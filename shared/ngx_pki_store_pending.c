
/*
 * Copyright (C) the ngx_pki authors
 *
 * Requests that wait for a decision: a hash each, which expires, and an index
 * of those that are not decided.  What approves one is the script that adds
 * its certificate.  The cursor of a list is "<score>-<id>", as in
 * ngx_pki_store_list.c.
 */


#include "ngx_pki_store_job.h"


/* of an authority; of those who need no challenge there may be many */

#define NGX_PKI_STORE_MAX_PENDING  10000

#define NGX_PKI_STORE_MAX_REQUESTS  250


static void ngx_pki_store_pend_handler(ngx_pki_redis_command_t *cmd);
static void ngx_pki_store_pend_known(ngx_pki_store_job_t *job,
    ngx_str_t *word, redisReply *serial);
static void ngx_pki_store_pending_get_handler(ngx_pki_redis_command_t *cmd);
static void ngx_pki_store_pending_reject_handler(
    ngx_pki_redis_command_t *cmd);
static ngx_int_t ngx_pki_store_pending_decode(ngx_pki_store_job_t *job,
    redisReply *reply);
static void ngx_pki_store_pending_list_handler(ngx_pki_redis_command_t *cmd);
static ngx_int_t ngx_pki_store_pending_start(ngx_str_t *cursor,
    ngx_str_t *score, ngx_str_t *id);
static ngx_int_t ngx_pki_store_pending_page(ngx_pki_store_job_t *job,
    redisReply *reply);
static ngx_int_t ngx_pki_store_pending_cursor(ngx_pki_store_job_t *job,
    redisReply *score, ngx_str_t *id);
static void ngx_pki_store_requests_send(ngx_pki_store_job_t *job);
static void ngx_pki_store_requests_handler(ngx_pki_redis_command_t *cmd);
static ngx_int_t ngx_pki_store_requests_decode(ngx_pki_store_job_t *job,
    redisReply *reply);
static ngx_int_t ngx_pki_store_request_decode(ngx_pki_store_job_t *job,
    redisReply *values, ngx_pki_pending_t *pending);


void
ngx_pki_store_pend(ngx_pki_store_job_t *job)
{
    ngx_int_t           i, n;
    ngx_str_t           fields[NGX_PKI_PENDING_FIELDS];
    ngx_pki_pending_t  *pending;

    ngx_pki_store_start(job, "keeping a request for a decision");

    job->repeatable = 1;

    pending = &job->pending;
    n = ngx_pki_pending_encode(job->op->pool, pending, fields);

    if (n == NGX_ERROR || pending->csr.len == 0 || pending->key.len == 0) {
        ngx_pki_store_defer(job, NGX_PKI_STORE_UNAVAILABLE);
        return;
    }

    ngx_pki_store_eval(job, NGX_PKI_SCRIPT_PEND, 3, 8 + n);

    ngx_pki_store_key(job, "pending", NULL);
    ngx_pki_store_key(job, "pending:", &pending->id);
    ngx_pki_store_key(job, "pending:of:", &pending->requester);

    ngx_pki_store_arg(job, &pending->id);
    ngx_pki_store_arg(job, &pending->key);
    ngx_pki_store_number(job, NGX_PKI_STORE_MAX_PENDING);
    ngx_pki_store_number(job, pending->ttl);
    ngx_pki_store_number(job, pending->share);

    for (i = 0; i < n; i++) {
        ngx_pki_store_arg(job, &fields[i]);
    }

    job->command.durable = 1;

    ngx_pki_store_send(job, ngx_pki_store_pend_handler);
}


static void
ngx_pki_store_pend_handler(ngx_pki_redis_command_t *cmd)
{
    ngx_str_t             word;
    redisReply           *reply;
    ngx_pki_store_job_t  *job;

    job = cmd->data;
    reply = cmd->reply;

    if (ngx_pki_store_answer(job, REDIS_REPLY_ARRAY) != NGX_OK) {
        return;
    }

    if (reply->elements != 2
        || ngx_pki_store_reply_string(reply->element[0], &word) != NGX_OK)
    {
        ngx_pki_store_malformed(job, "answer");
        return;
    }

    if (ngx_pki_str_eq(&word, "new")) {
        ngx_pki_store_done(job, NGX_PKI_STORE_OK);

    } else if (ngx_pki_str_eq(&word, "other")) {
        ngx_pki_store_done(job, NGX_PKI_STORE_CONFLICT);

    } else if (ngx_pki_str_eq(&word, "full")) {
        ngx_pki_store_done(job, NGX_PKI_STORE_FULL);

    } else if (ngx_pki_str_eq(&word, "share")) {
        ngx_pki_store_done(job, NGX_PKI_STORE_SHARE);

    } else {
        ngx_pki_store_pend_known(job, &word, reply->element[1]);
    }
}


static void
ngx_pki_store_pend_known(ngx_pki_store_job_t *job, ngx_str_t *word,
    redisReply *serial)
{
    ngx_pki_pending_t  *pending;

    pending = &job->pending;

    if (ngx_pki_pending_state_parse(word, &pending->state) != NGX_OK
        || ngx_pki_store_reply_copy(job, serial, &pending->serial) != NGX_OK
        || (pending->state == NGX_PKI_PENDING_APPROVED
            && ngx_pki_serial_parse(&pending->serial, &job->serial)
               != NGX_OK))
    {
        ngx_pki_store_malformed(job, "request that waits");
        return;
    }

    ngx_pki_store_done(job, NGX_PKI_STORE_EXISTS);
}


void
ngx_pki_store_pending_get(ngx_pki_store_job_t *job)
{
    ngx_pki_store_start(job, "looking for a request");

    job->repeatable = 1;

    ngx_pki_store_eval(job, NGX_PKI_SCRIPT_PENDING, 1, 1);
    ngx_pki_store_key(job, "pending:", &job->pending.id);

    job->command.durable = 1;

    ngx_pki_store_send(job, ngx_pki_store_pending_get_handler);
}


static void
ngx_pki_store_pending_get_handler(ngx_pki_redis_command_t *cmd)
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

    if (ngx_pki_store_pending_decode(job, cmd->reply) != NGX_OK) {
        ngx_pki_store_malformed(job, "request that waits");
        return;
    }

    ngx_pki_store_done(job, NGX_PKI_STORE_OK);
}


void
ngx_pki_store_pending_reject(ngx_pki_store_job_t *job)
{
    ngx_pki_store_start(job, "rejecting a request");

    job->repeatable = 1;

    ngx_pki_store_eval(job, NGX_PKI_SCRIPT_REJECT, 2, 6);

    ngx_pki_store_key(job, "pending", NULL);
    ngx_pki_store_key(job, "pending:", &job->pending.id);

    ngx_pki_store_arg(job, &job->pending.id);
    ngx_pki_store_arg(job, &job->pending.key);
    ngx_pki_store_number(job, ngx_time());
    ngx_pki_store_arg(job, &job->by);

    job->command.durable = 1;

    ngx_pki_store_send(job, ngx_pki_store_pending_reject_handler);
}


static void
ngx_pki_store_pending_reject_handler(ngx_pki_redis_command_t *cmd)
{
    ngx_str_t             word;
    redisReply           *reply;
    ngx_pki_store_job_t  *job;

    job = cmd->data;
    reply = cmd->reply;

    if (ngx_pki_store_answer(job, REDIS_REPLY_ARRAY) != NGX_OK) {
        return;
    }

    if (reply->elements == 0
        || ngx_pki_store_reply_string(reply->element[0], &word) != NGX_OK)
    {
        ngx_pki_store_malformed(job, "answer");
        return;
    }

    if (ngx_pki_str_eq(&word, "none")) {
        ngx_pki_store_done(job, NGX_PKI_STORE_NOT_FOUND);
        return;
    }

    if (reply->elements != 2
        || ngx_pki_store_pending_decode(job, reply->element[1]) != NGX_OK)
    {
        ngx_pki_store_malformed(job, "request that waits");
        return;
    }

    ngx_pki_store_done(job, job->pending.state == NGX_PKI_PENDING_REJECTED
                            ? NGX_PKI_STORE_OK : NGX_PKI_STORE_CONFLICT);
}


/* into job->pending, whose id stays */

static ngx_int_t
ngx_pki_store_pending_decode(ngx_pki_store_job_t *job, redisReply *reply)
{
    ngx_int_t  rc;
    ngx_str_t  id, fields[2 * NGX_PKI_PENDING_FIELDS];

    if (ngx_pki_store_reply_fields(job, reply, fields,
                                   2 * NGX_PKI_PENDING_FIELDS)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    id = job->pending.id;

    rc = ngx_pki_pending_decode(fields, reply->elements, &job->pending);

    job->pending.id = id;

    return rc;
}


void
ngx_pki_store_pending_list(ngx_pki_store_job_t *job)
{
    ngx_str_t  score, id;

    ngx_pki_store_start(job, "listing requests that wait");

    if (job->limit == 0 || job->limit > NGX_PKI_STORE_MAX_REQUESTS) {
        job->limit = NGX_PKI_STORE_MAX_REQUESTS;
    }

    if (job->cursor.len != 0
        && ngx_pki_store_pending_start(&job->cursor, &score, &id) != NGX_OK)
    {
        ngx_pki_store_defer(job, NGX_PKI_STORE_NOT_FOUND);
        return;
    }

    job->repeatable = 1;

    ngx_pki_store_eval(job, NGX_PKI_SCRIPT_PENDING_PAGE, 1, 4);
    ngx_pki_store_key(job, "pending", NULL);
    ngx_pki_store_number(job, job->limit);

    if (job->cursor.len != 0) {
        ngx_pki_store_arg(job, &score);
        ngx_pki_store_arg(job, &id);
    }

    ngx_pki_store_send(job, ngx_pki_store_pending_list_handler);
}


static ngx_int_t
ngx_pki_store_pending_start(ngx_str_t *cursor, ngx_str_t *score,
    ngx_str_t *id)
{
    time_t   t;
    u_char  *p;

    p = ngx_strlchr(cursor->data, cursor->data + cursor->len, '-');

    if (p == NULL) {
        return NGX_ERROR;
    }

    score->data = cursor->data;
    score->len = p - cursor->data;

    id->data = p + 1;
    id->len = cursor->data + cursor->len - id->data;

    if (ngx_pki_time_parse(score, &t) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_pki_pending_id_check(id);
}


static void
ngx_pki_store_pending_list_handler(ngx_pki_redis_command_t *cmd)
{
    ngx_pki_store_job_t  *job;

    job = cmd->data;

    if (ngx_pki_store_answer(job, REDIS_REPLY_ARRAY) != NGX_OK) {
        return;
    }

    if (ngx_pki_store_pending_page(job, cmd->reply) != NGX_OK) {
        ngx_pki_store_malformed(job, "list");
        return;
    }

    if (job->requests->nelts == 0) {
        ngx_pki_store_done(job, NGX_PKI_STORE_OK);
        return;
    }

    ngx_pki_store_requests_send(job);
}


/* one more than fits was asked for: if it is there, there is a next page */

static ngx_int_t
ngx_pki_store_pending_page(ngx_pki_store_job_t *job, redisReply *reply)
{
    ngx_uint_t          i, n;
    ngx_pki_pending_t  *pending;

    if (reply->elements % 2 != 0 || reply->elements / 2 > job->limit + 1) {
        return NGX_ERROR;
    }

    n = ngx_min(reply->elements / 2, job->limit);

    job->requests = ngx_array_create(job->op->pool, n + 1,
                                     sizeof(ngx_pki_pending_t));
    if (job->requests == NULL) {
        return NGX_ERROR;
    }

    pending = NULL;

    for (i = 0; i < n; i++) {
        pending = ngx_array_push(job->requests);

        if (ngx_pki_store_reply_copy(job, reply->element[2 * i],
                                     &pending->id)
            != NGX_OK
            || ngx_pki_pending_id_check(&pending->id) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (reply->elements / 2 <= job->limit) {
        ngx_str_null(&job->cursor);
        return NGX_OK;
    }

    return ngx_pki_store_pending_cursor(job, reply->element[2 * n - 1],
                                        &pending->id);
}


static ngx_int_t
ngx_pki_store_pending_cursor(ngx_pki_store_job_t *job, redisReply *score,
    ngx_str_t *id)
{
    time_t  t;

    if (ngx_pki_store_reply_time(score, &t) != NGX_OK) {
        return NGX_ERROR;
    }

    job->cursor.data = ngx_pnalloc(job->op->pool,
                                   NGX_TIME_T_LEN + 1 + id->len);
    if (job->cursor.data == NULL) {
        return NGX_ERROR;
    }

    job->cursor.len = ngx_sprintf(job->cursor.data, "%T-%V", t, id)
                      - job->cursor.data;

    return NGX_OK;
}


static void
ngx_pki_store_requests_send(ngx_pki_store_job_t *job)
{
    ngx_str_t          *name;
    ngx_uint_t          i, n;
    ngx_pki_pending_t  *pending;

    pending = job->requests->elts;
    n = job->requests->nelts;

    ngx_pki_store_eval(job, NGX_PKI_SCRIPT_RECORDS, n,
                       n + NGX_PKI_PENDING_FIELDS);

    for (i = 0; i < n; i++) {
        ngx_pki_store_key(job, "pending:", &pending[i].id);
    }

    for (i = NGX_PKI_PENDING_LISTED; /* void */ ; i++) {
        name = ngx_pki_pending_name(i);

        if (name == NULL) {
            break;
        }

        ngx_pki_store_arg(job, name);
    }

    ngx_pki_store_send(job, ngx_pki_store_requests_handler);
}


static void
ngx_pki_store_requests_handler(ngx_pki_redis_command_t *cmd)
{
    ngx_pki_store_job_t  *job;

    job = cmd->data;

    if (ngx_pki_store_answer(job, REDIS_REPLY_ARRAY) != NGX_OK) {
        return;
    }

    if (ngx_pki_store_requests_decode(job, cmd->reply) != NGX_OK) {
        ngx_pki_store_malformed(job, "request that waits");
        return;
    }

    ngx_pki_store_done(job, NGX_PKI_STORE_OK);
}


/* the index may still name one that is gone, or decided just now */

static ngx_int_t
ngx_pki_store_requests_decode(ngx_pki_store_job_t *job, redisReply *reply)
{
    ngx_int_t           rc;
    ngx_uint_t          i, n;
    ngx_pki_pending_t  *pending;

    if (reply->elements != job->requests->nelts) {
        return NGX_ERROR;
    }

    pending = job->requests->elts;
    n = 0;

    for (i = 0; i < reply->elements; i++) {
        rc = ngx_pki_store_request_decode(job, reply->element[i],
                                          &pending[i]);
        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_OK && pending[i].state == NGX_PKI_PENDING_WAITS) {
            pending[n++] = pending[i];
        }
    }

    job->requests->nelts = n;

    return NGX_OK;
}


static ngx_int_t
ngx_pki_store_request_decode(ngx_pki_store_job_t *job, redisReply *values,
    ngx_pki_pending_t *pending)
{
    ngx_str_t   id, *name, fields[NGX_PKI_PENDING_FIELDS];
    ngx_uint_t  i, n;

    if (values->type != REDIS_REPLY_ARRAY) {
        return NGX_ERROR;
    }

    n = 0;

    for (i = 0; i < values->elements; i++) {
        name = ngx_pki_pending_name(i + NGX_PKI_PENDING_LISTED);

        if (name == NULL) {
            return NGX_ERROR;
        }

        if (values->element[i]->type == REDIS_REPLY_NIL) {
            continue;
        }

        fields[n] = *name;

        if (ngx_pki_store_reply_copy(job, values->element[i], &fields[n + 1])
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        n += 2;
    }

    if (n == 0) {
        return NGX_DECLINED;
    }

    id = pending->id;

    /* one bad record must not hide all others */

    if (ngx_pki_pending_decode(fields, n, pending) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, job->op->log, 0,
                      "malformed request \"%V\" in redis", &id);
        return NGX_DECLINED;
    }

    pending->id = id;

    return NGX_OK;
}
