
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_crl_set_job.h"


/* segments of the full CRL's list, of the released ones, and of a shard */

#define NGX_CRL_SET_SEGMENTS           16384
#define NGX_CRL_SET_SEGMENTS_RELEASED  256
#define NGX_CRL_SET_SEGMENTS_SHARD     64

/* segments freed at a time */

#define NGX_CRL_SET_REAP  256

/* milliseconds after which it prunes by itself, other nodes may build */

#define NGX_CRL_SET_PRUNE  600000


static ngx_int_t ngx_crl_set_start(ngx_crl_set_t *set);
static void ngx_crl_set_timer_handler(ngx_event_t *ev);
static ngx_uint_t ngx_crl_set_shards(ngx_crl_set_t *set);
static ngx_uint_t ngx_crl_set_is_broken(ngx_crl_set_job_t *job);
static ngx_uint_t ngx_crl_set_may_load(ngx_crl_set_job_t *job);
static void ngx_crl_set_begin(ngx_crl_set_job_t *job);
static ngx_int_t ngx_crl_set_make(ngx_crl_set_t *set, ngx_uint_t list);
static void ngx_crl_set_free(ngx_crl_set_t *set, ngx_uint_t list);
static void ngx_crl_set_reaper_handler(ngx_event_t *ev);
static void ngx_crl_set_limit(ngx_crl_filter_t *filter,
    ngx_crl_state_t *state);


ngx_uint_t
ngx_crl_set_tick(ngx_crl_set_t *set)
{
    ngx_pki_store_t    *store;
    ngx_crl_set_job_t  *job;

    store = &set->authority->store;

    if (set->frozen) {
        return 1;
    }

    job = set->loader;

    if (store->slot == NULL || !ngx_pki_zone_leads(store->zone)
        || (job != NULL && job->quitting))
    {
        ngx_crl_set_quit(set);
        return 0;
    }

    /* entries are not moved from list to list: they are read anew */

    if (set->shards != 0 && ngx_crl_set_shards(set) > set->shards
        && !job->again)
    {
        ngx_crl_set_discard(set);
    }

    if (set->state == NGX_CRL_SET_EMPTY && ngx_crl_set_start(set) != NGX_OK) {
        return 0;
    }

    job = set->loader;

    if (ngx_crl_set_is_broken(job)) {
        ngx_crl_set_again(job);
    }

    if (set->state == NGX_CRL_SET_WAITING && ngx_crl_set_may_load(job)) {
        ngx_crl_set_begin(job);
    }

    if (set->state != NGX_CRL_SET_READY) {
        return 0;
    }

    if (job->step == NULL && job->task == NULL
        && (job->prune
            || ngx_current_msec - job->pruned_at >= NGX_CRL_SET_PRUNE))
    {
        ngx_crl_set_prune_begin(job);
    }

    return 1;
}


static ngx_int_t
ngx_crl_set_start(ngx_crl_set_t *set)
{
    ngx_pki_store_t    *store;
    ngx_crl_set_job_t  *job;

    job = ngx_calloc(sizeof(ngx_crl_set_job_t), set->log);
    if (job == NULL) {
        return NGX_ERROR;
    }

    job->set = set;
    job->gained = ngx_current_msec;
    job->retry_at = ngx_current_msec;
    job->pruned_at = ngx_current_msec;

    job->timer.handler = ngx_crl_set_timer_handler;
    job->timer.data = job;
    job->timer.log = set->log;
    job->timer.cancelable = 1;

    store = &set->authority->store;

    store->listener = ngx_crl_set_listener;
    store->listener_data = set;

    set->loader = job;
    set->state = NGX_CRL_SET_WAITING;

    return NGX_OK;
}


/* for a prune the lists must not be frozen; there are no other steps then */

static void
ngx_crl_set_timer_handler(ngx_event_t *ev)
{
    ngx_crl_set_pt      step;
    ngx_crl_set_job_t  *job;

    job = ev->data;

    if (ngx_exiting && !job->quitting) {
        return;
    }

    if (job->set->frozen) {
        ngx_add_timer(ev, NGX_CRL_SET_PAUSE);
        return;
    }

    step = job->step;
    job->step = NULL;

    step(job);
}


void
ngx_crl_set_stop(ngx_crl_set_t *set)
{
    ngx_crl_set_discard(set);

    while (ngx_crl_list_reap(&set->discarded, NGX_MAX_UINT32_VALUE)) {
        /* void */
    }

    if (set->reaper.timer_set) {
        ngx_del_timer(&set->reaper);
    }
}


void
ngx_crl_set_discard(ngx_crl_set_t *set)
{
    ngx_uint_t          i;
    ngx_pki_store_t    *store;
    ngx_crl_set_job_t  *job;

    job = set->loader;

    if (job == NULL) {
        return;
    }

    store = &set->authority->store;
    store->listener = NULL;

    ngx_crl_set_cancel(job);
    ngx_crl_set_unkeep(job);

    for (i = 0; i < NGX_PKI_CRL_LISTS; i++) {
        ngx_crl_set_free(set, i);
    }

    if (job->line != NULL) {
        ngx_free(job->line);
    }

    ngx_free(job);

    set->loader = NULL;
    set->state = NGX_CRL_SET_EMPTY;
    set->shards = 0;
    set->frozen = 0;
}


static ngx_uint_t
ngx_crl_set_shards(ngx_crl_set_t *set)
{
    ngx_uint_t  shards;

    shards = set->authority->store.crl->shards;
    shards = ngx_max(shards, set->shards_here);
    shards = ngx_min(shards, NGX_PKI_CRL_SHARDS_MAX);

    return ngx_max(shards, 1);
}


/*
 * The log has had a gap; or it was applied by another worker meanwhile, which
 * had the lease unnoticed while this one stood still.
 */

static ngx_uint_t
ngx_crl_set_is_broken(ngx_crl_set_job_t *job)
{
    ngx_crl_set_t        *set;
    ngx_pki_zone_slot_t  *slot;

    set = job->set;
    slot = set->authority->store.slot;

    return set->state > NGX_CRL_SET_WAITING
           && (set->epoch != slot->epoch || job->applied != slot->applied);
}


void
ngx_crl_set_again(ngx_crl_set_job_t *job)
{
    ngx_uint_t        i, n;
    ngx_crl_set_t    *set;
    ngx_crl_state_t  *state;

    set = job->set;

    ngx_crl_set_cancel(job);

    n = ngx_crl_set_lists(set);

    for (i = 0; i < n; i++) {
        state = set->crl[i];

        /* Redis may have older ones */

        ngx_memzero(&state->meta, sizeof(ngx_pki_crl_meta_t));
        state->changed = 0;

        ngx_crl_list_mark(state->entries);
    }

    ngx_crl_set_keep(job);

    job->broken = 0;
    job->waiting = 0;
    job->retry_at = ngx_current_msec;

    set->state = NGX_CRL_SET_WAITING;
}


/*
 * The follower of this worker must have looked at the log: until then what the
 * zone knows of it may be of another Redis.
 */

static ngx_uint_t
ngx_crl_set_may_load(ngx_crl_set_job_t *job)
{
    ngx_pki_zone_slot_t  *slot;

    slot = job->set->authority->store.slot;

    return slot->synced.wall != 0
           && (ngx_msec_int_t) (slot->synced.monotonic - job->gained) > 0
           && (ngx_msec_int_t) (ngx_current_msec - job->retry_at) >= 0
           && !slot->restoring
           && !ngx_crl_set_is_kept(job);
}


/*
 * What was released is not kept: a release that Redis has lost is none any
 * more.
 */

static void
ngx_crl_set_begin(ngx_crl_set_job_t *job)
{
    ngx_uint_t            i, n;
    ngx_crl_set_t        *set;
    ngx_pki_zone_slot_t  *slot;

    set = job->set;
    slot = set->authority->store.slot;

    ngx_crl_set_free(set, NGX_PKI_CRL_DELTA);

    if (!job->again) {
        set->shards = ngx_crl_set_shards(set);
    }

    n = ngx_crl_set_lists(set);

    for (i = 0; i < n; i++) {

        if (set->crl[i] == NULL && ngx_crl_set_make(set, i) != NGX_OK) {
            job->retry_at = ngx_current_msec + NGX_CRL_SET_RETRY;
            return;
        }
    }

    set->epoch = slot->epoch;
    set->state = NGX_CRL_SET_LOADING;

    job->begun = ngx_current_msec;
    job->first = slot->applied;
    job->applied = slot->applied;

    ngx_crl_set_load(job);
}


static ngx_int_t
ngx_crl_set_make(ngx_crl_set_t *set, ngx_uint_t list)
{
    ngx_uint_t        segments;
    ngx_crl_state_t  *state;

    switch (list) {

    case NGX_PKI_CRL_FULL:
        segments = NGX_CRL_SET_SEGMENTS;
        break;

    case NGX_PKI_CRL_DELTA:
        segments = NGX_CRL_SET_SEGMENTS_RELEASED;
        break;

    default:
        segments = NGX_CRL_SET_SEGMENTS_SHARD;
    }

    state = ngx_calloc(sizeof(ngx_crl_state_t), set->log);
    if (state == NULL) {
        return NGX_ERROR;
    }

    state->entries = ngx_crl_list_create(segments, set->log);

    if (state->entries == NULL) {
        ngx_free(state);
        return NGX_ERROR;
    }

    set->crl[list] = state;

    return NGX_OK;
}


static void
ngx_crl_set_free(ngx_crl_set_t *set, ngx_uint_t list)
{
    ngx_crl_state_t  *state;

    state = set->crl[list];

    if (state == NULL) {
        return;
    }

    ngx_crl_list_discard(&set->discarded, state->entries);
    ngx_free(state);

    set->crl[list] = NULL;

    if (!set->reaper.timer_set) {
        set->reaper.handler = ngx_crl_set_reaper_handler;
        set->reaper.data = set;
        set->reaper.log = set->log;
        set->reaper.cancelable = 1;

        ngx_add_timer(&set->reaper, NGX_CRL_SET_PAUSE);
    }
}


/* to free a million entries at once would take too long */

static void
ngx_crl_set_reaper_handler(ngx_event_t *ev)
{
    ngx_crl_set_t  *set;

    set = ev->data;

    if (ngx_crl_list_reap(&set->discarded, NGX_CRL_SET_REAP)) {
        ngx_add_timer(ev, NGX_CRL_SET_PAUSE);
    }
}


void
ngx_crl_set_ready(ngx_crl_set_job_t *job)
{
    ngx_uint_t            i, n, count;
    ngx_crl_set_t        *set;
    ngx_pki_authority_t  *a;

    set = job->set;
    a = set->authority;

    ngx_crl_set_unkeep(job);

    set->state = NGX_CRL_SET_READY;
    job->reported = 0;

    n = ngx_crl_set_lists(set);
    count = 0;

    for (i = 0; i < n; i++) {

        if (i != NGX_PKI_CRL_DELTA) {
            count += ngx_crl_list_count(set->crl[i]->entries);
        }
    }

    ngx_log_error(NGX_LOG_INFO, set->log, 0,
                  "authority \"%V\": %ui revoked certificates read, "
                  "%ui shards, in %M ms", &a->name, count,
                  n - NGX_PKI_CRL_SHARD, ngx_current_msec - job->begun);
}


uint64_t
ngx_crl_set_applied(ngx_crl_set_t *set)
{
    ngx_crl_set_job_t  *job;

    job = set->loader;

    return (job != NULL) ? job->applied : 0;
}


ngx_uint_t
ngx_crl_set_lists(ngx_crl_set_t *set)
{
    switch (set->shards) {

    case 0:
        return 0;

    case 1:
        return NGX_PKI_CRL_SHARD;

    default:
        return NGX_PKI_CRL_SHARD + set->shards;
    }
}


ngx_uint_t
ngx_crl_set_home(ngx_crl_set_t *set, ngx_pki_serial_t *serial)
{
    ngx_int_t  shard;

    shard = ngx_pki_crl_shard(serial);

    if (shard < 0 || NGX_PKI_CRL_SHARD + shard
                     >= (ngx_int_t) ngx_crl_set_lists(set))
    {
        return NGX_PKI_CRL_FULL;
    }

    return NGX_PKI_CRL_SHARD + shard;
}


ngx_uint_t
ngx_crl_set_full(ngx_crl_set_t *set)
{
    return set->full
           || set->crl[NGX_PKI_CRL_FULL]->meta.next_update > ngx_time();
}


void
ngx_crl_set_touch(ngx_crl_state_t *state, uint64_t seq)
{
    if (seq <= state->changed) {
        return;
    }

    if (state->changed <= state->meta.seq) {
        state->changed_at = ngx_current_msec;
    }

    state->changed = seq;
}


/*
 * The log tells less of a CRL than Redis has: what is not told is as it was,
 * until it is read.
 */

void
ngx_crl_set_published(ngx_crl_set_t *set, ngx_uint_t list,
    ngx_pki_crl_meta_t *meta)
{
    ngx_crl_state_t     *state;
    ngx_pki_crl_meta_t   old;

    ngx_pki_crl_raise(&set->authority->store.crl->number[list], meta->number);

    state = set->crl[list];

    if (state == NULL || meta->number < state->meta.number
        || (meta->number == state->meta.number && meta->size == 0))
    {
        return;
    }

    old = state->meta;
    state->meta = *meta;

    if (meta->size == 0) {
        state->meta.size = old.size;
        state->meta.base_number = old.base_number;
        state->meta.base_seq = old.base_seq;
        state->meta.mark_number = old.mark_number;
        state->meta.mark_seq = old.mark_seq;
        state->meta.mark_time = old.mark_time;
    }

    /* what has come since begins to be gathered anew */

    if (meta->seq < state->changed) {
        state->changed_at = ngx_current_msec;
    }
}


/* a clock that is ahead somewhere does not make a certificate expire */

void
ngx_crl_set_filter(ngx_crl_set_t *set, ngx_uint_t list,
    ngx_crl_filter_t *filter)
{
    filter->after = 0;
    filter->expired = ngx_time();
    filter->listed = UINT64_MAX;

    if (list == NGX_PKI_CRL_DELTA) {
        filter->expired = 0;
        return;
    }

    ngx_crl_set_limit(filter, set->crl[list]);

    if (ngx_crl_set_full(set)) {
        ngx_crl_set_limit(filter, set->crl[NGX_PKI_CRL_FULL]);
    }
}


static void
ngx_crl_set_limit(ngx_crl_filter_t *filter, ngx_crl_state_t *state)
{
    ngx_pki_crl_meta_t  *meta;

    meta = &state->meta;

    if (meta->number == 0) {
        filter->expired = 0;
        return;
    }

    filter->expired = ngx_min(filter->expired, meta->this_update);
    filter->listed = ngx_min(filter->listed, meta->seq);
}


size_t
ngx_crl_set_size(ngx_crl_set_t *set, ngx_uint_t list)
{
    size_t            size;
    ngx_uint_t        i;
    ngx_crl_state_t  *state;

    size = 0;

    for (i = 0; i < NGX_PKI_CRL_LISTS; i++) {
        state = set->crl[i];

        if (state != NULL && state->entries != NULL
            && (list < NGX_PKI_CRL_SHARD || list == i))
        {
            size += ngx_crl_list_size(state->entries);
        }
    }

    return size;
}
