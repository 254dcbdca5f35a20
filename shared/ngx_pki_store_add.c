
/*
 * Copyright (C) the ngx_pki authors
 *
 * The step that records a certificate, with all that comes and goes with it.
 */


#include "ngx_pki_store_job.h"


#define NGX_PKI_STORE_ADD_KEYS                                               \
    (sizeof(ngx_pki_store_add_keys) / sizeof(ngx_pki_store_add_keys[0]))

#define ngx_pki_store_add_field(job, offset)                                 \
    ((ngx_str_t *) ((u_char *) (job) + (offset)))


/* a key that a certificate does not always need */

typedef struct {
    const char                *name;         /* in the script */
    const char                *key;
    size_t                     rest;         /* in a job; 0: nothing */
    size_t                     wanted;       /* in a job: if not empty */
} ngx_pki_store_add_key_t;


static ngx_int_t ngx_pki_store_add_notice(ngx_pki_store_job_t *job,
    ngx_str_t *fields);
static void ngx_pki_store_add_start(ngx_pki_store_job_t *job,
    ngx_uint_t more);
static void ngx_pki_store_add_handler(ngx_pki_redis_command_t *cmd);
static void ngx_pki_store_added(ngx_pki_store_job_t *job, redisReply *number);


static ngx_pki_store_add_key_t  ngx_pki_store_add_keys[] = {

    { "txn", "txn:",
      offsetof(ngx_pki_store_job_t, transaction_key),
      offsetof(ngx_pki_store_job_t, transaction_key) },

    { "pending", "pending:",
      offsetof(ngx_pki_store_job_t, pending.id),
      offsetof(ngx_pki_store_job_t, pending.id) },

    { "index", "pending",
      0,
      offsetof(ngx_pki_store_job_t, pending.id) },

    { "renewed", "cert:",
      offsetof(ngx_pki_store_job_t, renewed),
      offsetof(ngx_pki_store_job_t, renewed) },

    { "challenge", "challenge:",
      offsetof(ngx_pki_store_job_t, challenge),
      offsetof(ngx_pki_store_job_t, challenge) },

    { "unused", "challenges:",
      offsetof(ngx_pki_store_job_t, one_time.by),
      offsetof(ngx_pki_store_job_t, challenge) },

    { "outbox", "outbox",
      0,
      offsetof(ngx_pki_store_job_t, notice.kind) },

    { NULL, NULL, 0, 0 }
};


void
ngx_pki_store_add(ngx_pki_store_job_t *job)
{
    ngx_int_t  i, n, m;
    ngx_str_t  fields[NGX_PKI_RECORD_FIELDS], notice[NGX_PKI_NOTICE_FIELDS];

    ngx_pki_store_start(job, "recording a certificate");

    job->repeatable = 1;
    job->status.epoch = job->store->slot->epoch;
    job->record.status = NGX_PKI_STATUS_GOOD;
    job->record.version = 0;

    n = ngx_pki_record_encode(job->op->pool, &job->record, fields);
    m = ngx_pki_store_add_notice(job, notice);

    if (n == NGX_ERROR || m == NGX_ERROR || job->record.der.len == 0
        || ngx_pki_serial_parse(&job->record.serial, &job->serial) != NGX_OK)
    {
        ngx_pki_store_defer(job, NGX_PKI_STORE_UNAVAILABLE);
        return;
    }

    ngx_pki_store_add_start(job, 1 + m + n);

    ngx_pki_store_number(job, m);

    for (i = 0; i < m; i++) {
        ngx_pki_store_arg(job, &notice[i]);
    }

    for (i = 0; i < n; i++) {
        ngx_pki_store_arg(job, &fields[i]);
    }

    job->command.durable = 1;

    ngx_pki_store_send(job, ngx_pki_store_add_handler);
}


/* as the fields of an entry; 0: none */

static ngx_int_t
ngx_pki_store_add_notice(ngx_pki_store_job_t *job, ngx_str_t *fields)
{
    ngx_pki_notice_t  *notice;

    notice = &job->notice;

    if (notice->kind.len == 0) {
        return 0;
    }

    notice->serial = job->record.serial;
    notice->created = job->record.issued_at;

    return ngx_pki_notice_encode(job->op->pool, notice, fields);
}


/* all up to the notice; "more" arguments follow */

static void
ngx_pki_store_add_start(ngx_pki_store_job_t *job, ngx_uint_t more)
{
    time_t                    ttl;
    ngx_uint_t                i, n;
    ngx_pki_store_add_key_t  *key, *keys[NGX_PKI_STORE_ADD_KEYS];

    ttl = ngx_min(job->transaction_ttl, job->record.not_after - ngx_time());

    if (job->pending.id.len != 0 || job->renewed.len != 0
        || job->challenge.len != 0)
    {
        ttl = ngx_max(ttl, 1);
    }

    if (ttl <= 0) {
        ttl = 0;
        ngx_str_null(&job->transaction_key);
    }

    n = 0;

    for (key = ngx_pki_store_add_keys; key->name != NULL; key++) {

        if (ngx_pki_store_add_field(job, key->wanted)->len != 0) {
            keys[n++] = key;
        }
    }

    ngx_pki_store_eval(job, NGX_PKI_SCRIPT_ADD, 5 + n, 11 + 2 * n + more);

    ngx_pki_store_key(job, "ca", NULL);
    ngx_pki_store_key(job, "cert:", &job->record.serial);
    ngx_pki_store_key(job, "issued", NULL);
    ngx_pki_store_key(job, "log", NULL);
    ngx_pki_store_key(job, "expires", NULL);

    for (i = 0; i < n; i++) {
        ngx_pki_store_key(job, keys[i]->key,
                          keys[i]->rest
                          ? ngx_pki_store_add_field(job, keys[i]->rest)
                          : NULL);
    }

    ngx_pki_store_arg(job, &job->record.serial);
    ngx_pki_store_number(job, job->record.issued_at);
    ngx_pki_store_number(job, job->record.not_after);
    ngx_pki_store_number(job, ttl);
    ngx_pki_store_arg(job, &job->pending.id);
    ngx_pki_store_arg(job, &job->by);

    for (i = 0; i < n; i++) {
        ngx_pki_store_text(job, keys[i]->name);
    }
}


static void
ngx_pki_store_add_handler(ngx_pki_redis_command_t *cmd)
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

    if (ngx_pki_str_eq(&word, "ok")) {
        ngx_pki_store_added(job, reply->element[1]);

    } else if (ngx_pki_str_eq(&word, "conflict")) {
        ngx_pki_store_done(job, NGX_PKI_STORE_CONFLICT);

    } else if (ngx_pki_str_eq(&word, "decided")) {
        ngx_pki_store_done(job, NGX_PKI_STORE_NOT_FOUND);

    } else if (ngx_pki_str_eq(&word, "revoked")) {
        ngx_pki_store_done(job, NGX_PKI_STORE_REVOKED);

    } else if (ngx_pki_str_eq(&word, "taken")) {
        ngx_pki_store_done(job, NGX_PKI_STORE_TAKEN);

    } else if (ngx_pki_str_eq(&word, "same")) {
        ngx_pki_store_found(job, reply->element[1], NGX_PKI_STORE_OK);

    } else {
        ngx_pki_store_found(job, reply->element[1], NGX_PKI_STORE_EXISTS);
    }
}


static void
ngx_pki_store_added(ngx_pki_store_job_t *job, redisReply *number)
{
    if (ngx_pki_store_reply_number(number, &job->record.version) != NGX_OK) {
        ngx_pki_store_malformed(job, "answer");
        return;
    }

    ngx_pki_store_enter(job);

    ngx_pki_store_done(job, NGX_PKI_STORE_OK);
}
