
/*
 * Copyright (C) the ngx_pki authors
 *
 * Signed answers: sets of eight ways, all answers about a certificate in one
 * set.  Written under the mutex, read without it: the number of a way, its
 * seq, is odd while there is nothing to read and has changed when there is
 * something else, so a reader looks at it before and after.  A worker that is
 * killed leaves it odd.
 */


#include "ngx_pki_zone_sh.h"


/* octets of an answer that fit into one way */

#define NGX_PKI_ZONE_WAY_DATA  (NGX_PKI_ZONE_WAY - sizeof(ngx_pki_zone_way_t))

#if (NGX_PKI_ZONE_REPLY_MAX > 1032)
#error "an answer must fit into two ways"
#endif


/* the less the sooner it is given up */

typedef enum {
    NGX_PKI_ZONE_WAY_FREE = 0,
    NGX_PKI_ZONE_WAY_PAST,                   /* its next_update */
    NGX_PKI_ZONE_WAY_UNUSED,
    NGX_PKI_ZONE_WAY_USED
} ngx_pki_zone_way_e;


static ngx_int_t ngx_pki_zone_reply_read(ngx_pki_zone_replies_t *replies,
    ngx_pki_zone_set_t *set, ngx_uint_t i, ngx_pki_zone_slot_t *slot,
    ngx_pki_zone_reply_t *reply);
static ngx_uint_t ngx_pki_zone_reply_true(ngx_pki_zone_sh_t *sh,
    ngx_pki_zone_slot_t *slot, ngx_pki_zone_reply_t *reply, uint64_t hash);
static void ngx_pki_zone_reply_enter(ngx_pki_zone_replies_t *replies,
    ngx_pki_zone_slot_t *slot, ngx_pki_zone_reply_t *reply, uint64_t hash);
static void ngx_pki_zone_reply_write(ngx_pki_zone_replies_t *replies,
    ngx_pki_zone_set_t *set, ngx_uint_t i, ngx_pki_zone_slot_t *slot,
    ngx_pki_zone_reply_t *reply);
static ngx_uint_t ngx_pki_zone_way_victim(ngx_pki_zone_replies_t *replies,
    ngx_pki_zone_set_t *set, ngx_uint_t width);
static ngx_pki_zone_way_e ngx_pki_zone_way_state(
    ngx_pki_zone_replies_t *replies, ngx_pki_zone_set_t *set, ngx_uint_t i);
static ngx_uint_t ngx_pki_zone_way_holder(ngx_pki_zone_set_t *set,
    ngx_uint_t i);
static ngx_uint_t ngx_pki_zone_way_live(ngx_pki_zone_set_t *set, ngx_uint_t i);
static void ngx_pki_zone_way_drop(ngx_pki_zone_replies_t *replies,
    ngx_pki_zone_set_t *set, ngx_uint_t i);
static ngx_pki_zone_way_t *ngx_pki_zone_way(ngx_pki_zone_replies_t *replies,
    ngx_pki_zone_set_t *set, ngx_uint_t i);
static ngx_pki_zone_set_t *ngx_pki_zone_reply_set(
    ngx_pki_zone_replies_t *replies, uint64_t hash);
static uint64_t ngx_pki_zone_reply_tag(ngx_pki_zone_reply_t *reply,
    uint64_t hash);


void
ngx_pki_zone_replies_init(ngx_pki_zone_replies_t *replies, void *memory,
    size_t size)
{
    size_t  n;

    n = size / (sizeof(ngx_pki_zone_set_t)
                + NGX_PKI_ZONE_WAYS * NGX_PKI_ZONE_WAY);
    n = ngx_min(n, NGX_MAX_UINT32_VALUE);

    replies->size = (uint32_t) n;
    replies->sets = memory;
    replies->ways = (u_char *) (replies->sets + n);

    /* ways are written before they are found, their pages come later */

    ngx_memzero(replies->sets, n * sizeof(ngx_pki_zone_set_t));
}


ngx_int_t
ngx_pki_zone_reply_get(ngx_pki_zone_t *zone, ngx_pki_zone_slot_t *slot,
    ngx_pki_zone_reply_t *reply)
{
    uint64_t                 hash, tag;
    ngx_uint_t               i;
    ngx_pki_zone_sh_t       *sh;
    ngx_pki_zone_set_t      *set;

    sh = zone->sh;

    hash = ngx_pki_zone_hash(sh, slot->index, &reply->serial);
    tag = ngx_pki_zone_reply_tag(reply, hash);
    set = ngx_pki_zone_reply_set(&sh->replies, hash);

    for (i = 0; i < NGX_PKI_ZONE_WAYS; i++) {

        if (set->tag[i] == tag
            && ngx_pki_zone_reply_read(&sh->replies, set, i, slot, reply)
               == NGX_OK)
        {
            break;
        }
    }

    if (i == NGX_PKI_ZONE_WAYS) {
        return NGX_DECLINED;
    }

    if (reply->status.epoch != slot->epoch
        && reply->status.status != NGX_PKI_STATUS_REVOKED)
    {
        return NGX_DECLINED;
    }

    /* the line is shared by all workers as long as nobody writes to it */

    if (!set->referenced[i]) {
        set->referenced[i] = 1;
    }

    return NGX_OK;
}


/* until seq has been looked at again, anything may be what it is not */

static ngx_int_t
ngx_pki_zone_reply_read(ngx_pki_zone_replies_t *replies,
    ngx_pki_zone_set_t *set, ngx_uint_t i, ngx_pki_zone_slot_t *slot,
    ngx_pki_zone_reply_t *reply)
{
    size_t               len;
    uint32_t             seq;
    ngx_pki_zone_way_t  *way;

    way = ngx_pki_zone_way(replies, set, i);

    seq = set->seq[i];

    if (seq & 1) {
        return NGX_DECLINED;
    }

    ngx_pki_memory_barrier();

    len = set->len[i];

    if (len > ((i & 1) ? NGX_PKI_ZONE_WAY_DATA : NGX_PKI_ZONE_REPLY_MAX)
        || way->slot != slot->index
        || way->kind != reply->kind
        || !ngx_pki_zone_serial_eq(&way->serial, &reply->serial))
    {
        return NGX_DECLINED;
    }

    reply->status.status = (ngx_pki_status_e) way->status;
    reply->status.reason = way->reason;
    reply->status.revoked_at = (time_t) way->revoked_at;
    reply->status.not_after = (time_t) way->not_after;
    reply->status.version = way->version;
    reply->status.epoch = (ngx_uint_t) way->epoch;
    reply->this_update = (time_t) way->this_update;
    reply->next_update = (time_t) way->next_update;
    reply->refresh_at = (time_t) way->refresh_at;
    reply->len = len;

    ngx_memcpy(reply->etag, way->etag, sizeof(way->etag));
    ngx_memcpy(reply->data, way + 1, len);

    ngx_pki_memory_barrier();

    return (set->seq[i] == seq) ? NGX_OK : NGX_DECLINED;
}


void
ngx_pki_zone_reply_put(ngx_pki_zone_t *zone, ngx_pki_zone_slot_t *slot,
    ngx_pki_zone_reply_t *reply)
{
    uint64_t            hash;
    ngx_pki_zone_sh_t  *sh;

    if (reply->len > NGX_PKI_ZONE_REPLY_MAX) {
        return;
    }

    sh = zone->sh;

    hash = ngx_pki_zone_hash(sh, slot->index, &reply->serial);

    ngx_shmtx_lock(&zone->shpool->mutex);

    if (ngx_pki_zone_reply_true(sh, slot, reply, hash)) {
        ngx_pki_zone_reply_enter(&sh->replies, slot, reply, hash);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


static ngx_uint_t
ngx_pki_zone_reply_true(ngx_pki_zone_sh_t *sh, ngx_pki_zone_slot_t *slot,
    ngx_pki_zone_reply_t *reply, uint64_t hash)
{
    ngx_pki_zone_entry_t  *entry;

    entry = ngx_pki_zone_find(sh, slot, &reply->serial, hash);

    if (entry == NULL || !ngx_pki_zone_same(entry, &reply->status)) {
        return 0;
    }

    return entry->status == NGX_PKI_STATUS_REVOKED
           || (reply->status.epoch == slot->epoch
               && ngx_pki_zone_current(slot, entry));
}


static void
ngx_pki_zone_reply_enter(ngx_pki_zone_replies_t *replies,
    ngx_pki_zone_slot_t *slot, ngx_pki_zone_reply_t *reply, uint64_t hash)
{
    uint64_t             tag;
    ngx_uint_t           i, width;
    ngx_pki_zone_set_t  *set;

    tag = ngx_pki_zone_reply_tag(reply, hash);
    set = ngx_pki_zone_reply_set(replies, hash);

    for (i = 0; i < NGX_PKI_ZONE_WAYS; i++) {
        if (set->tag[i] == tag) {
            ngx_pki_zone_way_drop(replies, set, i);
        }
    }

    width = (reply->len > NGX_PKI_ZONE_WAY_DATA) ? 2 : 1;

    i = ngx_pki_zone_way_victim(replies, set, width);

    ngx_pki_zone_way_drop(replies, set, ngx_pki_zone_way_holder(set, i));
    ngx_pki_zone_way_drop(replies, set, i);
    ngx_pki_zone_way_drop(replies, set, i + width - 1);

    ngx_pki_zone_reply_write(replies, set, i, slot, reply);

    replies->used++;
    set->tag[i] = tag;

    ngx_pki_memory_barrier();

    set->seq[i]++;
}


static void
ngx_pki_zone_reply_write(ngx_pki_zone_replies_t *replies,
    ngx_pki_zone_set_t *set, ngx_uint_t i, ngx_pki_zone_slot_t *slot,
    ngx_pki_zone_reply_t *reply)
{
    ngx_pki_zone_way_t  *way;

    way = ngx_pki_zone_way(replies, set, i);

    way->serial = reply->serial;
    way->slot = (u_char) slot->index;
    way->status = (u_char) reply->status.status;
    way->reason = (u_char) reply->status.reason;
    way->kind = reply->kind;
    way->version = reply->status.version;
    way->epoch = reply->status.epoch;
    way->revoked_at = reply->status.revoked_at;
    way->not_after = reply->status.not_after;
    way->this_update = reply->this_update;
    way->next_update = reply->next_update;
    way->refresh_at = reply->refresh_at;

    ngx_memcpy(way->etag, reply->etag, sizeof(way->etag));
    ngx_memcpy(way + 1, reply->data, reply->len);

    set->len[i] = (uint16_t) reply->len;
    set->referenced[i] = 0;
}


void
ngx_pki_zone_replies_drop(ngx_pki_zone_replies_t *replies,
    ngx_pki_zone_slot_t *slot, ngx_pki_serial_t *serial, uint64_t hash)
{
    ngx_uint_t           i;
    ngx_pki_zone_set_t  *set;
    ngx_pki_zone_way_t  *way;

    set = ngx_pki_zone_reply_set(replies, hash);

    for (i = 0; i < NGX_PKI_ZONE_WAYS; i++) {

        if (set->tag[i] == 0) {
            continue;
        }

        way = ngx_pki_zone_way(replies, set, i);

        if (way->slot == slot->index
            && ngx_pki_zone_serial_eq(&way->serial, serial))
        {
            ngx_pki_zone_way_drop(replies, set, i);
        }
    }
}


/* if all have been asked for, all begin anew */

static ngx_uint_t
ngx_pki_zone_way_victim(ngx_pki_zone_replies_t *replies,
    ngx_pki_zone_set_t *set, ngx_uint_t width)
{
    ngx_uint_t          i, n, victim;
    ngx_pki_zone_way_e  state, other, least;

    victim = 0;
    least = NGX_PKI_ZONE_WAY_USED + 1;

    for (n = 0; n < NGX_PKI_ZONE_WAYS; n += width) {

        i = (set->hand + n) % NGX_PKI_ZONE_WAYS / width * width;

        state = ngx_pki_zone_way_state(replies, set, i);
        other = ngx_pki_zone_way_state(replies, set, i + width - 1);
        state = ngx_max(state, other);

        if (state < least) {
            least = state;
            victim = i;
        }
    }

    if (least == NGX_PKI_ZONE_WAY_USED) {
        for (i = 0; i < NGX_PKI_ZONE_WAYS; i++) {
            set->referenced[i] = 0;
        }
    }

    set->hand = (u_char) ((victim + width) % NGX_PKI_ZONE_WAYS);

    return victim;
}


static ngx_pki_zone_way_e
ngx_pki_zone_way_state(ngx_pki_zone_replies_t *replies,
    ngx_pki_zone_set_t *set, ngx_uint_t i)
{
    i = ngx_pki_zone_way_holder(set, i);

    if (!ngx_pki_zone_way_live(set, i)) {
        return NGX_PKI_ZONE_WAY_FREE;
    }

    if (ngx_pki_zone_way(replies, set, i)->next_update <= ngx_time()) {
        return NGX_PKI_ZONE_WAY_PAST;
    }

    return set->referenced[i] ? NGX_PKI_ZONE_WAY_USED
                              : NGX_PKI_ZONE_WAY_UNUSED;
}


/* the way whose answer lies in this one */

static ngx_uint_t
ngx_pki_zone_way_holder(ngx_pki_zone_set_t *set, ngx_uint_t i)
{
    if ((i & 1) && set->len[i - 1] > NGX_PKI_ZONE_WAY_DATA
        && ngx_pki_zone_way_live(set, i - 1))
    {
        return i - 1;
    }

    return i;
}


static ngx_uint_t
ngx_pki_zone_way_live(ngx_pki_zone_set_t *set, ngx_uint_t i)
{
    return set->tag[i] != 0 && !(set->seq[i] & 1);
}


static void
ngx_pki_zone_way_drop(ngx_pki_zone_replies_t *replies,
    ngx_pki_zone_set_t *set, ngx_uint_t i)
{
    set->seq[i] |= 1;

    ngx_pki_memory_barrier();

    if (set->tag[i] != 0) {
        set->tag[i] = 0;
        replies->used--;
    }
}


static ngx_pki_zone_way_t *
ngx_pki_zone_way(ngx_pki_zone_replies_t *replies, ngx_pki_zone_set_t *set,
    ngx_uint_t i)
{
    size_t  n;

    n = (set - replies->sets) * NGX_PKI_ZONE_WAYS + i;

    return (ngx_pki_zone_way_t *) (replies->ways + n * NGX_PKI_ZONE_WAY);
}


static ngx_pki_zone_set_t *
ngx_pki_zone_reply_set(ngx_pki_zone_replies_t *replies, uint64_t hash)
{
    return &replies->sets[ngx_pki_zone_pick(hash, replies->size)];
}


/* 0 is that of a way without an answer */

static uint64_t
ngx_pki_zone_reply_tag(ngx_pki_zone_reply_t *reply, uint64_t hash)
{
    uint64_t  tag;

    tag = ngx_pki_zone_mix(hash ^ reply->kind);

    return tag ? tag : 1;
}
