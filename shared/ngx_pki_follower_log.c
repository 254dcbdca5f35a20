
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_follower_log.h"
#include "ngx_pki_store_job.h"


#define NGX_PKI_FOLLOWER_FIELDS  64


static ngx_int_t ngx_pki_follower_log_key(ngx_pool_t *pool,
    ngx_pki_store_t *store, const char *name, ngx_str_t *key);
static void ngx_pki_follower_log_report(ngx_pki_follower_log_t *log);
static ngx_uint_t ngx_pki_follower_log_resumes(ngx_pki_follower_log_t *log,
    uint64_t seq, uint64_t found, uint64_t after);
static void ngx_pki_follower_log_reset(ngx_pki_follower_log_t *log,
    uint64_t seq, ngx_str_t *id);
static ngx_int_t ngx_pki_follower_log_entry(ngx_pki_follower_log_t *log,
    redisReply *reply);
static ngx_int_t ngx_pki_follower_log_decode(redisReply *reply,
    ngx_pki_log_entry_t *entry);
static void ngx_pki_follower_log_note(ngx_pki_store_t *store,
    ngx_pki_log_entry_t *entry);


ngx_int_t
ngx_pki_follower_log_init(ngx_pki_follower_log_t *log, ngx_pool_t *pool,
    ngx_pki_store_t *store, ngx_log_t *errors)
{
    log->store = store;
    log->log = errors;

    ngx_str_set(&log->argv[0], "3");

    if (ngx_pki_follower_log_key(pool, store, "ca", &log->argv[1])
        != NGX_OK
        || ngx_pki_follower_log_key(pool, store, "log", &log->key)
           != NGX_OK
        || ngx_pki_follower_log_key(pool, store, "crl:0",
                                    &log->argv[3])
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    log->argv[2] = log->key;

    return NGX_OK;
}


static ngx_int_t
ngx_pki_follower_log_key(ngx_pool_t *pool, ngx_pki_store_t *store,
    const char *name, ngx_str_t *key)
{
    key->len = store->prefix.len + ngx_strlen(name);

    key->data = ngx_pnalloc(pool, key->len);
    if (key->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(ngx_cpymem(key->data, store->prefix.data, store->prefix.len),
               name, ngx_strlen(name));

    return NGX_OK;
}


void
ngx_pki_follower_log_place(ngx_pki_follower_log_t *log)
{
    ngx_pki_zone_slot_t  *slot;

    slot = log->store->slot;

    if (slot->last_id_len == 0) {
        ngx_str_set(&log->id, "0-0");
        log->broken = 1;
        return;
    }

    log->id.len = ngx_min(slot->last_id_len, sizeof(log->id_text));
    log->id.data = log->id_text;

    ngx_memcpy(log->id_text, slot->last_id, log->id.len);
}


ngx_int_t
ngx_pki_follower_log_position(ngx_pki_follower_log_t *log, redisReply *reply)
{
    uint64_t              seq, found, after, crl_number;
    ngx_str_t             id;
    ngx_pki_zone_slot_t  *slot;

    slot = log->store->slot;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 5
        || ngx_pki_store_reply_number(reply->element[0], &seq) != NGX_OK
        || ngx_pki_store_reply_string(reply->element[1], &id) != NGX_OK
        || ngx_pki_log_id_check(&id) != NGX_OK
        || ngx_pki_store_reply_number(reply->element[2], &crl_number) != NGX_OK
        || ngx_pki_store_reply_number(reply->element[3], &found) != NGX_OK)
    {
        ngx_pki_follower_log_report(log);
        return NGX_ERROR;
    }

    /* an entry whose number is none cannot be the next one */

    if (ngx_pki_store_reply_number(reply->element[4], &after) != NGX_OK) {
        log->broken = 1;
        after = 0;
    }

    if (!ngx_pki_follower_log_resumes(log, seq, found, after)) {
        ngx_pki_follower_log_reset(log, seq, &id);
    }

    log->broken = 0;
    log->reported = 0;

    ngx_pki_crl_raise(&log->store->crl->number[NGX_PKI_CRL_FULL], crl_number);

    if (slot->applied == seq) {
        slot->synced = log->asked;
    }

    return NGX_OK;
}


static void
ngx_pki_follower_log_report(ngx_pki_follower_log_t *log)
{
    if (!log->reported) {
        log->reported = 1;

        ngx_log_error(NGX_LOG_ERR, log->log, 0,
                      "malformed position of \"%V\" from redis", &log->key);
    }
}


/*
 * Either nothing has happened since, or the next entry is the next change.  If
 * the entry that was applied last is gone, the log may have been trimmed past
 * it, or Redis has another history now.
 */

static ngx_uint_t
ngx_pki_follower_log_resumes(ngx_pki_follower_log_t *log, uint64_t seq,
    uint64_t found, uint64_t after)
{
    uint64_t  applied;

    applied = log->store->slot->applied;

    if (log->broken || !found) {
        return 0;
    }

    return (seq == applied && after == 0)
           || (seq > applied && after == applied + 1);
}


static void
ngx_pki_follower_log_reset(ngx_pki_follower_log_t *log, uint64_t seq,
    ngx_str_t *id)
{
    ngx_str_t             name;
    ngx_pki_zone_slot_t  *slot;

    slot = log->store->slot;

    name.len = slot->name_len;
    name.data = slot->name;

    if (seq < slot->applied) {
        ngx_log_error(NGX_LOG_ERR, log->log, 0,
                      "redis has lost changes of authority \"%V\": its last "
                      "one is %uL, it was %uL; what was revoked stays revoked",
                      &name, seq, slot->applied);

    } else if (slot->last_id_len != 0) {
        ngx_log_error(NGX_LOG_WARN, log->log, 0,
                      "gap in the change log of authority \"%V\" from %uL "
                      "to %uL, statuses are read anew",
                      &name, slot->applied, seq);
    }

    ngx_pki_zone_reset(log->store->zone, slot, seq, id);
}


ngx_int_t
ngx_pki_follower_log_entries(ngx_pki_follower_log_t *log, redisReply *reply)
{
    ngx_uint_t  i;

    if (reply->type != REDIS_REPLY_ARRAY) {
        return NGX_DECLINED;
    }

    log->behind = (reply->elements >= NGX_PKI_FOLLOWER_COUNT);

    for (i = 0; i < reply->elements; i++) {

        if (ngx_pki_follower_log_entry(log, reply->element[i]) != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


/* an entry that cannot be understood is skipped, and what is known with it */

static ngx_int_t
ngx_pki_follower_log_entry(ngx_pki_follower_log_t *log, redisReply *reply)
{
    ngx_str_t             id;
    ngx_pki_store_t      *store;
    ngx_pki_zone_slot_t  *slot;
    ngx_pki_log_entry_t   entry;

    store = log->store;
    slot = store->slot;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2
        || ngx_pki_store_reply_string(reply->element[0], &id) != NGX_OK
        || ngx_pki_log_id_check(&id) != NGX_OK
        || ngx_pki_follower_log_decode(reply->element[1], &entry) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, log->log, 0,
                      "malformed entry in \"%V\"", &log->key);
        log->broken = 1;
        return NGX_DECLINED;
    }

    if (entry.number != slot->applied + 1) {
        return NGX_DECLINED;
    }

    ngx_pki_zone_apply(store->zone, slot, &entry.serial, &entry.status, &id);

    ngx_pki_follower_fill_changed(log->walk, &entry.serial, entry.number);

    ngx_pki_follower_log_note(store, &entry);

    if (store->listener != NULL) {
        store->listener(store->listener_data, &entry);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_pki_follower_log_decode(redisReply *reply, ngx_pki_log_entry_t *entry)
{
    ngx_str_t   fields[NGX_PKI_FOLLOWER_FIELDS];
    ngx_uint_t  i;

    if (reply->type != REDIS_REPLY_ARRAY
        || reply->elements > NGX_PKI_FOLLOWER_FIELDS)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < reply->elements; i++) {

        if (ngx_pki_store_reply_string(reply->element[i], &fields[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_pki_log_entry_decode(fields, reply->elements, entry);
}


static void
ngx_pki_follower_log_note(ngx_pki_store_t *store, ngx_pki_log_entry_t *entry)
{
    switch (entry->type) {

    case NGX_PKI_LOG_ISSUED:
        break;

    case NGX_PKI_LOG_CRL:
        ngx_pki_crl_raise(&store->crl->number[entry->list], entry->crl.number);
        break;

    default:
        (void) ngx_atomic_fetch_add(&store->slot->revocations, 1);
        break;
    }
}
