
/*
 * Copyright (C) the ngx_pki authors
 *
 * The table of statuses: a hash with chains over a fixed array of entries,
 * and a clock that finds the entry to give up when all are in use.  Losing
 * one is safe: the next question for it goes to Redis.
 */


#include "ngx_pki_zone_sh.h"


/* steps of the clock's hand for a new entry at most */

#define NGX_PKI_ZONE_SWEEP  1024

/* entries looked at under the lock when all are gone through */

#define NGX_PKI_ZONE_SLICE  1024


static void ngx_pki_zone_put(ngx_pki_zone_sh_t *sh, ngx_pki_zone_slot_t *slot,
    ngx_pki_serial_t *serial, ngx_pki_zone_status_t *status);
static ngx_uint_t ngx_pki_zone_replaces(ngx_pki_zone_slot_t *slot,
    ngx_pki_zone_entry_t *entry, ngx_pki_zone_status_t *status);
static ngx_uint_t ngx_pki_zone_spare(ngx_pki_zone_sh_t *sh,
    ngx_pki_zone_entry_t *entry);
static ngx_uint_t ngx_pki_zone_absent(ngx_pki_zone_slot_t *slot,
    ngx_pki_zone_entry_t *entry);
static void ngx_pki_zone_write(ngx_pki_zone_table_t *table, uint32_t n,
    ngx_pki_zone_slot_t *slot, ngx_pki_serial_t *serial,
    ngx_pki_zone_status_t *status);
static void ngx_pki_zone_settle(ngx_pki_zone_table_t *table);
static void ngx_pki_zone_read(ngx_pki_zone_entry_t *entry,
    ngx_pki_zone_status_t *status);
static void ngx_pki_zone_move(ngx_pki_zone_slot_t *slot, uint64_t applied,
    ngx_str_t *id);
static void ngx_pki_zone_insert(ngx_pki_zone_sh_t *sh,
    ngx_pki_zone_slot_t *slot, ngx_pki_serial_t *serial, uint64_t hash,
    ngx_pki_zone_status_t *status);
static uint32_t ngx_pki_zone_victim(ngx_pki_zone_sh_t *sh);
static void ngx_pki_zone_evict(ngx_pki_zone_sh_t *sh, uint32_t n);
static uint32_t *ngx_pki_zone_bucket(ngx_pki_zone_table_t *table,
    uint64_t hash);


void
ngx_pki_zone_table_init(ngx_pki_zone_table_t *table, void *memory, size_t size)
{
    size_t  n;

    n = size / (sizeof(ngx_pki_zone_entry_t) + sizeof(uint32_t));
    n = ngx_min(n, NGX_MAX_UINT32_VALUE - 1);

    table->size = (uint32_t) n;
    table->entries = memory;
    table->buckets = (uint32_t *) (table->entries + n);

    /* entries are written before they are linked, their pages come later */

    ngx_memzero(table->buckets, n * sizeof(uint32_t));
}


ngx_int_t
ngx_pki_zone_lookup(ngx_pki_zone_t *zone, ngx_pki_zone_slot_t *slot,
    ngx_pki_serial_t *serial, ngx_pki_zone_status_t *status)
{
    uint64_t               hash;
    ngx_int_t              rc;
    ngx_pki_zone_entry_t  *entry;

    hash = ngx_pki_zone_hash(zone->sh, slot->index, serial);

    ngx_shmtx_lock(&zone->shpool->mutex);

    rc = NGX_DECLINED;
    status->epoch = slot->epoch;
    status->status = NGX_PKI_STATUS_UNKNOWN;

    entry = ngx_pki_zone_find(zone->sh, slot, serial, hash);

    if (entry != NULL && !ngx_pki_zone_absent(slot, entry)) {
        entry->referenced = 1;
        ngx_pki_zone_read(entry, status);

        /* a hold may have been released in the gap of the log */

        if (ngx_pki_zone_current(slot, entry)
            || entry->status == NGX_PKI_STATUS_REVOKED)
        {
            rc = NGX_OK;
        }
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return rc;
}


ngx_int_t
ngx_pki_zone_enter(ngx_pki_zone_t *zone, ngx_pki_zone_slot_t *slot,
    ngx_pki_serial_t *serial, ngx_pki_zone_status_t *status, uint64_t seq)
{
    ngx_int_t  rc;

    ngx_shmtx_lock(&zone->shpool->mutex);

    if (seq < slot->applied || status->epoch != slot->epoch) {
        rc = NGX_DECLINED;

    } else {
        ngx_pki_zone_put(zone->sh, slot, serial, status);
        rc = NGX_OK;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return rc;
}


void
ngx_pki_zone_apply(ngx_pki_zone_t *zone, ngx_pki_zone_slot_t *slot,
    ngx_pki_serial_t *serial, ngx_pki_zone_status_t *status, ngx_str_t *id)
{
    uint64_t  version;

    version = status->version;

    ngx_shmtx_lock(&zone->shpool->mutex);

    if (version == slot->applied + 1) {

        /* in this order: a worker killed in between has not applied it */

        if (serial->len != 0) {
            ngx_pki_zone_put(zone->sh, slot, serial, status);
        }

        ngx_pki_zone_move(slot, version, id);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


void
ngx_pki_zone_reset(ngx_pki_zone_t *zone, ngx_pki_zone_slot_t *slot,
    uint64_t applied, ngx_str_t *id)
{
    ngx_shmtx_lock(&zone->shpool->mutex);

    slot->epoch++;
    slot->revocations++;
    slot->restoring = 1;

    ngx_pki_zone_move(slot, applied, id);

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


ngx_int_t
ngx_pki_zone_revoked(ngx_pki_zone_t *zone, ngx_pki_zone_slot_t *slot,
    uint32_t *place, ngx_pki_zone_revoked_t *revoked, ngx_uint_t *n)
{
    uint32_t               i, last;
    ngx_int_t              rc;
    ngx_uint_t             found;
    ngx_pki_zone_entry_t  *entry;
    ngx_pki_zone_table_t  *table;

    found = 0;

    ngx_shmtx_lock(&zone->shpool->mutex);

    table = &((ngx_pki_zone_sh_t *) zone->sh)->table;

    ngx_pki_zone_settle(table);

    last = *place + ngx_min(table->used - *place, NGX_PKI_ZONE_SLICE);

    for (i = *place; i < last && found < *n; i++) {
        entry = &table->entries[i];

        if (entry->slot == slot->index
            && entry->status > NGX_PKI_STATUS_GOOD)
        {
            revoked[found].serial = entry->serial;

            ngx_pki_zone_read(entry, &revoked[found].status);
            revoked[found].status.epoch = slot->epoch;

            found++;
        }
    }

    rc = (i == table->used) ? NGX_DONE : NGX_AGAIN;

    ngx_shmtx_unlock(&zone->shpool->mutex);

    *place = i;
    *n = found;

    return rc;
}


void
ngx_pki_zone_restored(ngx_pki_zone_t *zone, ngx_pki_zone_slot_t *slot,
    ngx_uint_t epoch)
{
    ngx_shmtx_lock(&zone->shpool->mutex);

    if (slot->epoch == epoch) {
        slot->restoring = 0;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


ngx_pki_zone_entry_t *
ngx_pki_zone_find(ngx_pki_zone_sh_t *sh, ngx_pki_zone_slot_t *slot,
    ngx_pki_serial_t *serial, uint64_t hash)
{
    uint32_t               n;
    ngx_pki_zone_entry_t  *entry;
    ngx_pki_zone_table_t  *table;

    table = &sh->table;

    ngx_pki_zone_settle(table);

    n = *ngx_pki_zone_bucket(table, hash);

    while (n != 0) {
        entry = &table->entries[n - 1];

        if (entry->slot == slot->index
            && ngx_pki_zone_serial_eq(&entry->serial, serial))
        {
            return entry;
        }

        n = entry->next;
    }

    return NULL;
}


/* answers go before their status changes: a worker may be killed in between */

static void
ngx_pki_zone_put(ngx_pki_zone_sh_t *sh, ngx_pki_zone_slot_t *slot,
    ngx_pki_serial_t *serial, ngx_pki_zone_status_t *status)
{
    uint64_t               hash;
    ngx_pki_zone_entry_t  *entry;

    hash = ngx_pki_zone_hash(sh, slot->index, serial);
    entry = ngx_pki_zone_find(sh, slot, serial, hash);

    if (entry == NULL) {
        ngx_pki_zone_replies_drop(&sh->replies, slot, serial, hash);
        ngx_pki_zone_insert(sh, slot, serial, hash, status);
        return;
    }

    if (ngx_pki_zone_replaces(slot, entry, status)) {

        if (!ngx_pki_zone_same(entry, status)) {
            ngx_pki_zone_replies_drop(&sh->replies, slot, serial, hash);
        }

        ngx_pki_zone_write(&sh->table, entry - sh->table.entries, slot, serial,
                           status);
        return;
    }

    ngx_pki_zone_read(entry, status);
}


/*
 * Within an epoch the versions decide.  After a gap Redis may have lost
 * changes and count anew: what is worse than the entry counts whatever its
 * version, what is better only with a newer one.
 */

static ngx_uint_t
ngx_pki_zone_replaces(ngx_pki_zone_slot_t *slot, ngx_pki_zone_entry_t *entry,
    ngx_pki_zone_status_t *status)
{
    if (ngx_pki_zone_absent(slot, entry)) {
        return 1;
    }

    if (status->version != entry->version
        && ngx_pki_zone_current(slot, entry))
    {
        return status->version > entry->version;
    }

    return status->version > entry->version
           || (ngx_uint_t) status->status >= entry->status;
}


static ngx_uint_t
ngx_pki_zone_absent(ngx_pki_zone_slot_t *slot, ngx_pki_zone_entry_t *entry)
{
    return entry->status == NGX_PKI_STATUS_GOOD
           && !ngx_pki_zone_current(slot, entry);
}


/* a good one whose place is nobody's any more, or is of little use */

static ngx_uint_t
ngx_pki_zone_spare(ngx_pki_zone_sh_t *sh, ngx_pki_zone_entry_t *entry)
{
    return entry->status == NGX_PKI_STATUS_GOOD
           && (ngx_pki_zone_absent(sh->slots[entry->slot], entry)
               || entry->not_after < ngx_time());
}


ngx_uint_t
ngx_pki_zone_same(ngx_pki_zone_entry_t *entry, ngx_pki_zone_status_t *status)
{
    return entry->version == status->version
           && entry->status == (u_char) status->status
           && entry->reason == (u_char) status->reason
           && entry->revoked_at == status->revoked_at;
}


/* whoever looks first behind a worker that was killed in here ends its work */

static void
ngx_pki_zone_write(ngx_pki_zone_table_t *table, uint32_t n,
    ngx_pki_zone_slot_t *slot, ngx_pki_serial_t *serial,
    ngx_pki_zone_status_t *status)
{
    ngx_pki_zone_entry_t  *draft;

    draft = &table->draft;

    draft->serial = *serial;
    draft->slot = (u_char) slot->index;
    draft->status = (u_char) status->status;
    draft->reason = (u_char) status->reason;
    draft->next = table->entries[n].next;
    draft->epoch = slot->epoch & NGX_PKI_ZONE_EPOCH_MASK;
    draft->referenced = 1;
    draft->revoked_at = status->revoked_at;
    draft->not_after = status->not_after;
    draft->version = status->version;

    ngx_pki_memory_barrier();

    table->drafted = n + 1;

    ngx_pki_zone_settle(table);
}


static void
ngx_pki_zone_settle(ngx_pki_zone_table_t *table)
{
    if (table->drafted == 0) {
        return;
    }

    ngx_pki_memory_barrier();

    table->entries[table->drafted - 1] = table->draft;

    ngx_pki_memory_barrier();

    table->drafted = 0;
}


static void
ngx_pki_zone_read(ngx_pki_zone_entry_t *entry, ngx_pki_zone_status_t *status)
{
    status->status = (ngx_pki_status_e) entry->status;
    status->reason = entry->reason;
    status->revoked_at = (time_t) entry->revoked_at;
    status->not_after = (time_t) entry->not_after;
    status->version = entry->version;
}


static void
ngx_pki_zone_move(ngx_pki_zone_slot_t *slot, uint64_t applied, ngx_str_t *id)
{
    slot->applied = applied;
    slot->last_id_len = ngx_min(id->len, sizeof(slot->last_id));

    ngx_memcpy(slot->last_id, id->data, slot->last_id_len);
}


static void
ngx_pki_zone_insert(ngx_pki_zone_sh_t *sh, ngx_pki_zone_slot_t *slot,
    ngx_pki_serial_t *serial, uint64_t hash, ngx_pki_zone_status_t *status)
{
    uint32_t               n, *bucket;
    ngx_pki_zone_table_t  *table;

    table = &sh->table;

    if (table->used < table->size) {
        n = table->used++;

    } else {
        n = ngx_pki_zone_victim(sh);
        ngx_pki_zone_evict(sh, n);
    }

    ngx_pki_zone_write(table, n, slot, serial, status);

    bucket = ngx_pki_zone_bucket(table, hash);
    table->entries[n].next = *bucket;

    /* a worker may be killed here; nobody must find half an entry */

    ngx_pki_memory_barrier();

    *bucket = n + 1;
}


/*
 * A good entry that nobody asked for lately; else any good one that the hand
 * passed; a revoked or held one only if it saw no other.
 */

static uint32_t
ngx_pki_zone_victim(ngx_pki_zone_sh_t *sh)
{
    uint32_t               n, victim;
    ngx_uint_t             i, good;
    ngx_pki_zone_entry_t  *entry;
    ngx_pki_zone_table_t  *table;

    table = &sh->table;
    victim = table->hand;
    good = 0;

    for (i = 0; i < NGX_PKI_ZONE_SWEEP; i++) {

        n = table->hand++;

        if (table->hand == table->size) {
            table->hand = 0;
        }

        entry = &table->entries[n];

        if (entry->status == NGX_PKI_STATUS_GOOD) {

            if (!entry->referenced || ngx_pki_zone_spare(sh, entry)) {
                return n;
            }

            if (!good) {
                good = 1;
                victim = n;
            }
        }

        entry->referenced = 0;
    }

    return victim;
}


/* an entry in no chain is what a killed worker left */

static void
ngx_pki_zone_evict(ngx_pki_zone_sh_t *sh, uint32_t n)
{
    uint32_t              *link;
    ngx_pki_zone_entry_t  *entry;
    ngx_pki_zone_table_t  *table;

    table = &sh->table;
    entry = &table->entries[n];

    if (!ngx_pki_zone_spare(sh, entry)) {
        table->evictions++;
    }

    link = ngx_pki_zone_bucket(table, ngx_pki_zone_hash(sh, entry->slot,
                                                        &entry->serial));

    while (*link != 0) {

        if (*link == n + 1) {
            *link = entry->next;
            return;
        }

        link = &table->entries[*link - 1].next;
    }
}


static uint32_t *
ngx_pki_zone_bucket(ngx_pki_zone_table_t *table, uint64_t hash)
{
    return &table->buckets[ngx_pki_zone_pick(hash >> 32, table->size)];
}


uint64_t
ngx_pki_zone_hash(ngx_pki_zone_sh_t *sh, ngx_uint_t slot,
    ngx_pki_serial_t *serial)
{
    uint64_t  hash, word[3];

    ngx_memzero(word, sizeof(word));
    ngx_memcpy(word, serial->data, serial->len);

    hash = ngx_pki_zone_mix(sh->seed ^ (slot << 8 | serial->len));
    hash = ngx_pki_zone_mix(hash ^ word[0]);
    hash = ngx_pki_zone_mix(hash ^ word[1]);

    return ngx_pki_zone_mix(hash ^ word[2]);
}


/* the finalizer of MurmurHash3 */

uint64_t
ngx_pki_zone_mix(uint64_t n)
{
    n = (n ^ (n >> 33)) * 0xff51afd7ed558ccdULL;
    n = (n ^ (n >> 33)) * 0xc4ceb9fe1a85ec53ULL;

    return n ^ (n >> 33);
}
