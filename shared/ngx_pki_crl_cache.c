
/*
 * Copyright (C) the ngx_pki authors
 *
 * Which CRLs are loaded when.
 */


#include "ngx_pki_crl_cache.h"
#include "ngx_pki_crl_item.h"
#include "ngx_pki_free.h"


#define NGX_PKI_CRL_CACHE_TICK   100         /* msec */

/* loading was in vain: msec until that is tried again, by itself later, but
 * sooner if Redis failed a new worker */

#define NGX_PKI_CRL_CACHE_HOLD   1000
#define NGX_PKI_CRL_CACHE_SOON   200
#define NGX_PKI_CRL_CACHE_AGAIN  10000


/* one an authority, in the cycle's pool */

struct ngx_pki_crl_cache_s {
    ngx_pki_authority_t       *authority;
    ngx_pool_t                *pool;

    /* in a worker */
    ngx_pki_crl_item_t        *items[NGX_PKI_CRL_LISTS];
    ngx_pki_crl_wait_t         wait;
    time_t                     told_at;      /* that too many do */
    ngx_event_t                timer;        /* cancelable */
    ngx_msec_t                 since;        /* it was started */
    ngx_uint_t                 next;         /* to be looked at */
    unsigned                   ahead:1;      /* one is being loaded */
    unsigned                   started:1;
};


static void ngx_pki_crl_cache_cleanup(void *data);
static void ngx_pki_crl_cache_timer_handler(ngx_event_t *ev);
static void ngx_pki_crl_cache_last(ngx_pki_crl_cache_t *cache);
static void ngx_pki_crl_cache_settle(ngx_pki_crl_cache_t *cache);
static void ngx_pki_crl_cache_ahead(ngx_pki_crl_cache_t *cache);
static void ngx_pki_crl_cache_ahead_handler(ngx_pki_crl_item_t *item);
static ngx_uint_t ngx_pki_crl_cache_wants(ngx_pki_crl_cache_t *cache,
    ngx_uint_t list);
static ngx_uint_t ngx_pki_crl_cache_is_up(ngx_pki_crl_cache_t *cache);
static ngx_uint_t ngx_pki_crl_cache_is_settled(ngx_pki_crl_cache_t *cache,
    ngx_pki_crl_want_t *want);
static void ngx_pki_crl_cache_tell(ngx_pki_crl_cache_t *cache);
static ngx_pki_crl_item_t *ngx_pki_crl_cache_item(ngx_pki_crl_cache_t *cache,
    ngx_uint_t list);


ngx_pki_crl_cache_t *
ngx_pki_crl_cache_add(ngx_conf_t *cf, ngx_pki_authority_t *a)
{
    ngx_pool_cleanup_t   *cln;
    ngx_pki_crl_cache_t  *cache;

    if (a->crls != NULL) {
        return a->crls;
    }

    cache = ngx_pcalloc(cf->pool, sizeof(ngx_pki_crl_cache_t));
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (cache == NULL || cln == NULL) {
        return NULL;
    }

    cache->authority = a;
    cache->pool = cf->pool;

    ngx_pki_crl_wait_init(&cache->wait);

    cln->handler = ngx_pki_crl_cache_cleanup;
    cln->data = cache;

    a->crls = cache;

    return cache;
}


static void
ngx_pki_crl_cache_cleanup(void *data)
{
    ngx_pki_crl_cache_stop(data);
}


void
ngx_pki_crl_cache_start(ngx_pki_crl_cache_t *cache, ngx_log_t *log)
{
    cache->started = 1;
    cache->since = ngx_current_msec;

    cache->timer.handler = ngx_pki_crl_cache_timer_handler;
    cache->timer.data = cache;
    cache->timer.log = log;
    cache->timer.cancelable = 1;

    ngx_add_timer(&cache->timer, 1);
}


ngx_uint_t
ngx_pki_crl_cache_is_started(ngx_pki_crl_cache_t *cache)
{
    return cache->started;
}


void
ngx_pki_crl_cache_stop(ngx_pki_crl_cache_t *cache)
{
    ngx_uint_t           i;
    ngx_pki_crl_item_t  *item;

    cache->started = 0;

    if (cache->timer.timer_set) {
        ngx_del_timer(&cache->timer);
    }

    ngx_pki_crl_wait_stop(&cache->wait);

    for (i = 0; i < NGX_PKI_CRL_LISTS; i++) {
        item = cache->items[i];

        if (item != NULL) {
            ngx_pki_crl_item_stop(item);
        }
    }
}


static void
ngx_pki_crl_cache_timer_handler(ngx_event_t *ev)
{
    ngx_pki_crl_cache_t  *cache;

    cache = ev->data;

    if (ngx_exiting) {
        ngx_pki_crl_cache_last(cache);
        return;
    }

    ngx_pki_crl_cache_settle(cache);

    if (!cache->ahead) {
        cache->next = 0;
        ngx_pki_crl_cache_ahead(cache);
    }

    ngx_add_timer(ev, NGX_PKI_CRL_CACHE_TICK);
}


/* whoever waits for Redis to answer again gets one more try */

static void
ngx_pki_crl_cache_last(ngx_pki_crl_cache_t *cache)
{
    ngx_uint_t           i;
    ngx_pki_crl_item_t  *item;

    for (i = 0; i < NGX_PKI_CRL_LISTS; i++) {
        item = cache->items[i];

        if (item != NULL && ngx_pki_crl_item_is_stranded(item)
            && ngx_pki_crl_item_load(item) != NGX_OK)
        {
            ngx_pki_crl_item_settle(item);
        }
    }
}


/* whoever still waits when the patience ends is told */

static void
ngx_pki_crl_cache_settle(ngx_pki_crl_cache_t *cache)
{
    ngx_uint_t           i;
    ngx_pki_crl_item_t  *item;

    for (i = 0; i < NGX_PKI_CRL_LISTS; i++) {
        item = cache->items[i];

        if (item != NULL && ngx_pki_crl_item_is_stranded(item)
            && !ngx_pki_crl_item_is_patient(item))
        {
            ngx_pki_crl_item_settle(item);
        }
    }
}


/* one after the other, so that they leave room for other commands */

static void
ngx_pki_crl_cache_ahead(ngx_pki_crl_cache_t *cache)
{
    ngx_uint_t           list, lists;
    ngx_pki_crl_item_t  *item;

    if (!ngx_pki_crl_cache_is_up(cache)) {
        return;
    }

    lists = NGX_PKI_CRL_SHARD + cache->authority->store.crl->shards;
    lists = ngx_min(lists, NGX_PKI_CRL_LISTS);

    while (cache->next < lists) {
        list = cache->next++;

        if (!ngx_pki_crl_cache_wants(cache, list)) {
            continue;
        }

        item = ngx_pki_crl_cache_item(cache, list);

        if (item != NULL && ngx_pki_crl_item_load(item) == NGX_OK) {
            item->ended = ngx_pki_crl_cache_ahead_handler;
            cache->ahead = 1;
        }

        return;
    }
}


static void
ngx_pki_crl_cache_ahead_handler(ngx_pki_crl_item_t *item)
{
    ngx_pki_crl_cache_t  *cache;

    cache = item->authority->crls;
    cache->ahead = 0;

    if (!ngx_exiting) {
        ngx_pki_crl_cache_ahead(cache);
    }
}


/*
 * Before somebody asks: Redis may be away when he does.  One of each, but every
 * new one right away would be much for a large CRL that nobody asks for.
 * Whether there is a full CRL is worth a question; of the others the log and
 * the builder tell.
 */

static ngx_uint_t
ngx_pki_crl_cache_wants(ngx_pki_crl_cache_t *cache, ngx_uint_t list)
{
    ngx_pki_crl_item_t  *item;

    item = cache->items[list];

    if (cache->authority->store.crl->number[list] == 0
        && list != NGX_PKI_CRL_FULL
        && (item == NULL
            || (item->copy == NULL && !ngx_pki_crl_item_is_awaited(item))))
    {
        return 0;
    }

    if (item == NULL) {
        return 1;
    }

    if (item->loading || ngx_pki_crl_item_is_fresh(item)
        || ngx_pki_crl_item_is_held(item, ngx_pki_crl_item_is_patient(item)
                                          ? NGX_PKI_CRL_CACHE_SOON
                                          : NGX_PKI_CRL_CACHE_AGAIN))
    {
        return 0;
    }

    return item->seen.size <= NGX_PKI_CRL_ITEM_SMALL
           || ngx_pki_crl_item_is_used(item)
           || ngx_pki_crl_item_is_old(item);
}


static ngx_uint_t
ngx_pki_crl_cache_is_up(ngx_pki_crl_cache_t *cache)
{
    ngx_str_t         error;
    ngx_pki_store_t  *store;

    store = &cache->authority->store;

    return store->slot != NULL
           && store->crl != NULL
           && ngx_pki_redis_is_up(store->redis, &error);
}


ngx_uint_t
ngx_pki_crl_cache_is_current(ngx_pki_crl_cache_t *cache,
    ngx_pki_crl_want_t *want)
{
    ngx_pki_crl_copy_t  *copy;
    ngx_pki_crl_item_t  *item;

    if (!ngx_pki_crl_cache_is_settled(cache, want)) {
        return 0;
    }

    item = cache->items[want->list];

    if (!want->pem || item == NULL) {
        return 1;
    }

    copy = ngx_pki_crl_item_copy(item, want->pem);

    /* a large PEM takes a while to make, a small one is waited for */

    return copy == NULL
           || (copy->pem.len != 0
               && (copy == item->copy
                   || item->copy->der.len > NGX_PKI_CRL_ITEM_SMALL));
}


static ngx_uint_t
ngx_pki_crl_cache_is_settled(ngx_pki_crl_cache_t *cache,
    ngx_pki_crl_want_t *want)
{
    ngx_pki_crl_item_t  *item;

    item = cache->items[want->list];

    if (!ngx_pki_crl_cache_is_up(cache)) {
        return !cache->started
               || cache->authority->store.slot == NULL
               || cache->authority->store.crl == NULL
               || (item != NULL && item->copy != NULL)
               || ngx_current_msec - cache->since >= NGX_PKI_CRL_ITEM_YOUNG;
    }

    if (want->max != 0
        && ngx_pki_crl_cache_size(cache, want->list) > want->max)
    {
        return 1;
    }

    return item != NULL
           && (ngx_pki_crl_item_is_fresh(item)
               || ngx_pki_crl_item_is_slow(item)
               || (ngx_pki_crl_item_is_held(item, NGX_PKI_CRL_CACHE_HOLD)
                   && !ngx_pki_crl_item_is_patient(item)));
}


ngx_int_t
ngx_pki_crl_cache_wait(ngx_pki_crl_cache_t *cache,
    ngx_pki_crl_waiter_t *waiter)
{
    ngx_int_t            rc;
    ngx_uint_t           settled;
    ngx_pki_crl_item_t  *item;

    item = ngx_pki_crl_cache_item(cache, waiter->want.list);
    if (item == NULL) {
        return NGX_ERROR;
    }

    settled = waiter->want.pem && item->copy != NULL
              && ngx_pki_crl_cache_is_settled(cache, &waiter->want);

    rc = ngx_pki_crl_item_wait(item, settled, waiter);

    if (rc == NGX_BUSY) {
        ngx_pki_crl_cache_tell(cache);
    }

    return rc;
}


/* once a second is enough: clients decide how often it happens */

static void
ngx_pki_crl_cache_tell(ngx_pki_crl_cache_t *cache)
{
    if (cache->told_at == ngx_time()) {
        return;
    }

    cache->told_at = ngx_time();

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "too many requests wait for CRLs of authority \"%V\"",
                  &cache->authority->name);
}


void
ngx_pki_crl_cache_leave(ngx_pki_crl_cache_t *cache,
    ngx_pki_crl_waiter_t *waiter)
{
    ngx_pki_crl_wait_wake_one(&cache->wait, waiter);
}


size_t
ngx_pki_crl_cache_size(ngx_pki_crl_cache_t *cache, ngx_uint_t list)
{
    ngx_pki_crl_item_t  *item;

    item = cache->items[list];

    return (item != NULL && ngx_pki_crl_item_is_seen(item)) ? item->seen.size
                                                            : 0;
}


ngx_pki_crl_copy_t *
ngx_pki_crl_cache_get(ngx_pki_crl_cache_t *cache, ngx_pki_crl_want_t *want)
{
    ngx_pki_crl_copy_t  *copy;
    ngx_pki_crl_item_t  *item;

    item = cache->items[want->list];

    if (item == NULL) {
        return NULL;
    }

    if (want->max == 0 || item->seen.size <= want->max) {
        ngx_pki_crl_item_use(item);
    }

    copy = ngx_pki_crl_item_copy(item, want->pem);

    if (copy == NULL || (want->max != 0 && copy->der.len > want->max)) {
        return NULL;
    }

    copy->count++;

    return copy;
}


void
ngx_pki_crl_cache_put(ngx_pki_crl_cache_t *cache, ngx_uint_t list,
    ngx_pki_crl_meta_t *meta, u_char *buffer, ngx_str_t *der)
{
    ngx_pki_crl_copy_t  *copy;
    ngx_pki_crl_item_t  *item;

    item = ngx_pki_crl_cache_item(cache, list);

    if (item == NULL
        || (item->copy != NULL && item->copy->number >= meta->number))
    {
        ngx_pki_free_slowly(buffer, der->data + der->len - buffer);
        return;
    }

    copy = ngx_pki_crl_copy_create(meta, buffer, der);

    if (copy != NULL) {
        ngx_pki_crl_item_put(item, meta, copy);
    }
}


static ngx_pki_crl_item_t *
ngx_pki_crl_cache_item(ngx_pki_crl_cache_t *cache, ngx_uint_t list)
{
    if (cache->items[list] == NULL) {
        cache->items[list] = ngx_pki_crl_item_create(cache->pool,
                                                     cache->authority,
                                                     &cache->wait, list,
                                                     cache->since);
    }

    return cache->items[list];
}
