
/*
 * Copyright (C) the ngx_pki authors
 *
 * CRLs in Redis, for whoever builds them: one node at a time, under a lock
 * whose token every script that writes must still find.
 */


#include "ngx_pki_store_crl.h"


/* entries asked for at a time */
#define NGX_PKI_STORE_CRL_COUNT    1000

/* seconds: of parts until they are published, and when they are replaced */
#define NGX_PKI_STORE_CRL_PUT      600
#define NGX_PKI_STORE_CRL_OLD      60

/* arguments of the script that publishes, at most */
#define NGX_PKI_STORE_CRL_ARGS     25

/* octets of what is malformed in a message */
#define NGX_PKI_STORE_CRL_EXCERPT  64


static void ngx_pki_store_crl_meta_handler(ngx_pki_redis_command_t *cmd);
static void ngx_pki_store_crl_scan_handler(ngx_pki_redis_command_t *cmd);
static ngx_int_t ngx_pki_store_crl_cursor(ngx_pki_store_job_t *job,
    redisReply *reply);
static ngx_int_t ngx_pki_store_crl_entries(ngx_pki_store_job_t *job,
    redisReply *reply);
static ngx_int_t ngx_pki_store_crl_entry(ngx_pki_store_job_t *job,
    redisReply *name, redisReply *value);
static void ngx_pki_store_crl_prune_args(ngx_pki_store_job_t *job,
    ngx_pki_crl_entry_t *entry);
static void ngx_pki_store_crl_lock_key(ngx_pki_store_job_t *job);
static ngx_uint_t ngx_pki_store_crl_is_stale(ngx_pki_store_job_t *job);
static void ngx_pki_store_crl_args(ngx_pki_store_job_t *job);
static void ngx_pki_store_crl_values(ngx_pki_store_job_t *job);
static void ngx_pki_store_crl_publish_handler(ngx_pki_redis_command_t *cmd);


#define ngx_pki_store_crl_hash(job)                                          \
    ((job)->released ? "released" : "revoked:0")


void
ngx_pki_store_crl_meta(ngx_pki_store_job_t *job)
{
    ngx_pki_store_start(job, "looking at a CRL");

    job->repeatable = 1;

    ngx_pki_store_eval(job, NGX_PKI_SCRIPT_CRL_META, 3,
                       3 + NGX_PKI_STORE_CRL_FIELDS);
    ngx_pki_store_crl_key(job, job->list);
    ngx_pki_store_key(job, "ca", NULL);
    ngx_pki_store_key(job, "restoring", NULL);
    ngx_pki_store_crl_fields(job);

    ngx_pki_store_send(job, ngx_pki_store_crl_meta_handler);
}


static void
ngx_pki_store_crl_meta_handler(ngx_pki_redis_command_t *cmd)
{
    ngx_int_t             rc;
    uint64_t              seq, restoring;
    redisReply           *reply;
    ngx_pki_store_job_t  *job;

    job = cmd->data;
    reply = cmd->reply;

    if (ngx_pki_store_answer(job, REDIS_REPLY_ARRAY) != NGX_OK) {
        return;
    }

    rc = NGX_ERROR;
    seq = 0;

    if (reply->elements == NGX_PKI_STORE_CRL_FIELDS + 2
        && ngx_pki_store_reply_number(
                     reply->element[NGX_PKI_STORE_CRL_FIELDS], &seq) == NGX_OK
        && ngx_pki_store_reply_number(
                     reply->element[NGX_PKI_STORE_CRL_FIELDS + 1], &restoring)
           == NGX_OK)
    {
        job->restoring = restoring;
        rc = ngx_pki_store_crl_decode(job, reply);
    }

    if (rc == NGX_DECLINED) {
        ngx_pki_store_done(job, NGX_PKI_STORE_NOT_FOUND);
        return;
    }

    if (rc != NGX_OK) {
        ngx_pki_store_malformed(job, "crl");
        return;
    }

    /* if changes are counted anew, its number says nothing */

    if (job->meta.seq > seq) {
        job->meta.seq = 0;
    }

    ngx_pki_store_done(job, NGX_PKI_STORE_OK);
}


void
ngx_pki_store_crl_scan(ngx_pki_store_job_t *job)
{
    ngx_pki_store_start(job, "reading what is revoked");

    job->repeatable = 1;

    ngx_pki_store_command(job, "HSCAN", 4);
    ngx_pki_store_key(job, ngx_pki_store_crl_hash(job), NULL);

    if (job->cursor.len != 0) {
        ngx_pki_store_arg(job, &job->cursor);

    } else {
        ngx_pki_store_text(job, "0");
    }

    ngx_pki_store_text(job, "COUNT");
    ngx_pki_store_number(job, NGX_PKI_STORE_CRL_COUNT);

    ngx_pki_store_send(job, ngx_pki_store_crl_scan_handler);
}


static void
ngx_pki_store_crl_scan_handler(ngx_pki_redis_command_t *cmd)
{
    redisReply           *reply;
    ngx_pki_store_job_t  *job;

    job = cmd->data;
    reply = cmd->reply;

    if (ngx_pki_store_answer(job, REDIS_REPLY_ARRAY) != NGX_OK) {
        return;
    }

    /* a CRL that lacks one entry must not come to be */

    if (reply->elements != 2
        || ngx_pki_store_crl_entries(job, reply->element[1]) != NGX_OK
        || ngx_pki_store_crl_cursor(job, reply->element[0]) != NGX_OK)
    {
        ngx_pki_store_malformed(job, "list of revoked certificates");
        return;
    }

    ngx_pki_store_done(job, NGX_PKI_STORE_OK);
}


static ngx_int_t
ngx_pki_store_crl_cursor(ngx_pki_store_job_t *job, redisReply *reply)
{
    uint64_t   cursor;
    ngx_str_t  text;

    if (ngx_pki_store_reply_string(reply, &text) != NGX_OK
        || ngx_pki_number_parse(&text, UINT64_MAX, &cursor) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (cursor == 0) {
        ngx_str_set(&job->cursor, "");
        return NGX_OK;
    }

    return ngx_pki_op_copy(job->op, &job->cursor, &text);
}


static ngx_int_t
ngx_pki_store_crl_entries(ngx_pki_store_job_t *job, redisReply *reply)
{
    ngx_uint_t  i;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements % 2 != 0) {
        return NGX_ERROR;
    }

    if (job->entries == NULL) {
        job->entries = ngx_array_create(job->op->pool,
                                        NGX_PKI_STORE_CRL_COUNT + 1,
                                        sizeof(ngx_pki_crl_entry_t));
        if (job->entries == NULL) {
            return NGX_ERROR;
        }
    }

    job->entries->nelts = 0;

    for (i = 0; i < reply->elements; i += 2) {

        if (ngx_pki_store_crl_entry(job, reply->element[i],
                                    reply->element[i + 1])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_pki_store_crl_entry(ngx_pki_store_job_t *job, redisReply *name,
    redisReply *value)
{
    ngx_str_t             serial, text;
    ngx_pki_crl_entry_t  *entry;

    entry = ngx_array_push(job->entries);

    if (entry == NULL
        || ngx_pki_store_reply_string(name, &serial) != NGX_OK
        || ngx_pki_store_reply_string(value, &text) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_pki_crl_entry_decode(&serial, &text, entry) != NGX_OK
        || (entry->reason == NGX_PKI_CRL_REMOVED) != (job->released != 0))
    {
        ngx_log_error(NGX_LOG_ERR, job->op->log, 0,
                      "malformed entry \"%*s\" of \"%*s\" in \"%V%s\" of "
                      "redis, no CRL can be built",
                      ngx_min(text.len, NGX_PKI_STORE_CRL_EXCERPT), text.data,
                      ngx_min(serial.len, NGX_PKI_STORE_CRL_EXCERPT),
                      serial.data, &job->store->prefix,
                      ngx_pki_store_crl_hash(job));
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_pki_store_crl_prune(ngx_pki_store_job_t *job)
{
    ngx_uint_t            i;
    ngx_pki_crl_entry_t  *entries;

    ngx_pki_store_start(job, "forgetting what has expired");

    job->repeatable = 1;

    ngx_pki_store_eval(job, NGX_PKI_SCRIPT_CRL_PRUNE, 1,
                       1 + 3 * job->entries->nelts);
    ngx_pki_store_key(job, ngx_pki_store_crl_hash(job), NULL);

    entries = job->entries->elts;

    for (i = 0; i < job->entries->nelts; i++) {
        ngx_pki_store_crl_prune_args(job, &entries[i]);
    }

    ngx_pki_store_send(job, ngx_pki_store_flag_handler);
}


static void
ngx_pki_store_crl_prune_args(ngx_pki_store_job_t *job,
    ngx_pki_crl_entry_t *entry)
{
    u_char     *p;
    ngx_str_t   serial, what;

    p = ngx_pnalloc(job->op->pool, 2 * NGX_PKI_SERIAL_LEN + NGX_TIME_T_LEN
                                   + 1 + NGX_INT_T_LEN);
    if (p == NULL) {
        job->argv = NULL;
        return;
    }

    serial.data = p;
    serial.len = ngx_pki_serial_print(p, &entry->serial);

    what.data = p + serial.len;
    what.len = ngx_sprintf(what.data, "%T %i", entry->revoked_at,
                           entry->reason)
               - what.data;

    ngx_pki_store_arg(job, &serial);
    ngx_pki_store_arg(job, &what);
    ngx_pki_store_number(job, entry->seq);
}


void
ngx_pki_store_crl_put(ngx_pki_store_job_t *job)
{
    ngx_str_t  part;

    ngx_pki_store_start(job, "storing a part of a CRL");

    job->repeatable = 1;

    part.data = job->crl.data + (size_t) job->part * NGX_PKI_CRL_PART;
    part.len = ngx_pki_store_crl_part_len(job->crl.len, job->part);

    ngx_pki_store_eval(job, NGX_PKI_SCRIPT_CRL_PUT, 3, 8);

    ngx_pki_store_crl_lock_key(job);
    ngx_pki_store_crl_key(job, job->list);
    ngx_pki_store_crl_parts_key(job, job->meta.number);

    ngx_pki_store_arg(job, &job->token);
    ngx_pki_store_number(job, job->meta.number);
    ngx_pki_store_number(job, job->part);
    ngx_pki_store_arg(job, &part);
    ngx_pki_store_number(job, NGX_PKI_STORE_CRL_PUT);

    ngx_pki_store_send(job, ngx_pki_store_flag_handler);
}


void
ngx_pki_store_crl_publish(ngx_pki_store_job_t *job)
{
    ngx_uint_t  keys;

    ngx_pki_store_start(job, "publishing a CRL");

    if (ngx_pki_store_crl_is_stale(job)) {
        ngx_pki_store_defer(job, NGX_PKI_STORE_CONFLICT);
        return;
    }

    keys = (job->list < NGX_PKI_CRL_SHARD) ? 8 : 7;

    ngx_pki_store_eval(job, NGX_PKI_SCRIPT_CRL_PUBLISH, keys,
                       keys + NGX_PKI_STORE_CRL_ARGS);

    ngx_pki_store_key(job, "ca", NULL);
    ngx_pki_store_crl_lock_key(job);
    ngx_pki_store_crl_key(job, job->list);
    ngx_pki_store_key(job, "log", NULL);
    ngx_pki_store_crl_parts_key(job, job->old_number);
    ngx_pki_store_crl_parts_key(job, job->meta.number);
    ngx_pki_store_key(job, "restoring", NULL);

    if (keys == 8) {
        ngx_pki_store_crl_key(job, NGX_PKI_CRL_FULL + NGX_PKI_CRL_DELTA
                                   - job->list);
    }

    ngx_pki_store_crl_args(job);
    ngx_pki_store_crl_values(job);

    job->command.durable = 1;

    ngx_pki_store_send(job, ngx_pki_store_crl_publish_handler);
}


static void
ngx_pki_store_crl_lock_key(ngx_pki_store_job_t *job)
{
    ngx_pki_store_key(job, ngx_pki_crl_lock(job->list) ? "lock:crl-shards"
                                                       : "lock:crl",
                      NULL);
}


/* what was collected may lack what Redis has lost since or before */

static ngx_uint_t
ngx_pki_store_crl_is_stale(ngx_pki_store_job_t *job)
{
    ngx_pki_zone_slot_t  *slot;

    slot = job->store->slot;

    return slot->restoring || job->status.epoch != slot->epoch;
}


static void
ngx_pki_store_crl_args(ngx_pki_store_job_t *job)
{
    u_char      text[NGX_PKI_CRL_NAME_LEN];
    ngx_str_t   name, copy;

    name.data = text;
    name.len = ngx_pki_crl_name(text, job->list);

    if (ngx_pki_op_copy(job->op, &copy, &name) != NGX_OK) {
        job->argv = NULL;
        return;
    }

    ngx_pki_store_arg(job, &job->token);
    ngx_pki_store_number(job, job->meta.number);
    ngx_pki_store_number(job, job->old_number);
    ngx_pki_store_number(job, job->meta.this_update);
    ngx_pki_store_number(job, job->meta.next_update);
    ngx_pki_store_number(job, job->meta.seq);
    ngx_pki_store_number(job, job->store->slot->applied);
    ngx_pki_store_number(job, ngx_time());
    ngx_pki_store_arg(job, &copy);
    ngx_pki_store_number(job, NGX_PKI_STORE_CRL_OLD);
    ngx_pki_store_number(job, ngx_pki_store_crl_parts(job->crl.len));
}


static void
ngx_pki_store_crl_values(ngx_pki_store_job_t *job)
{
    ngx_pki_crl_meta_t  *meta;

    meta = &job->meta;
    meta->size = job->crl.len;

    ngx_pki_store_text(job, "size");
    ngx_pki_store_number(job, meta->size);

    if (job->list == NGX_PKI_CRL_FULL) {
        ngx_pki_store_text(job, "base_number");
        ngx_pki_store_number(job, meta->base_number);
        ngx_pki_store_text(job, "base_seq");
        ngx_pki_store_number(job, meta->base_seq);
        ngx_pki_store_text(job, "mark_number");
        ngx_pki_store_number(job, meta->mark_number);
        ngx_pki_store_text(job, "mark_seq");
        ngx_pki_store_number(job, meta->mark_seq);
        ngx_pki_store_text(job, "mark_time");
        ngx_pki_store_number(job, meta->mark_time);
    }

    if (ngx_pki_store_crl_parts(meta->size) == 0) {
        ngx_pki_store_text(job, "der");
        ngx_pki_store_arg(job, &job->crl);
    }
}


static void
ngx_pki_store_crl_publish_handler(ngx_pki_redis_command_t *cmd)
{
    ngx_pki_store_job_t  *job;

    job = cmd->data;

    if (ngx_pki_store_answer(job, REDIS_REPLY_INTEGER) != NGX_OK) {
        return;
    }

    if (cmd->reply->integer < 0) {
        ngx_pki_store_done(job, NGX_PKI_STORE_CONFLICT);
        return;
    }

    job->meta.seq = cmd->reply->integer;

    ngx_pki_store_done(job, NGX_PKI_STORE_OK);
}
