
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_crl_cache.h"
#include "ngx_pki_op.h"


#define NGX_CRL_CACHE_POOL_SIZE  1024
#define NGX_CRL_CACHE_DEADLINE   30000
#define NGX_CRL_CACHE_TICK       1000    /* msec */
#define NGX_CRL_CACHE_WAIT       100     /* msec, as long as there is none */
#define NGX_CRL_CACHE_SMALL      262144  /* octets: always loaded */


static void ngx_crl_cache_timer_handler(ngx_event_t *ev);
static ngx_uint_t ngx_crl_cache_is_fresh(ngx_crl_cache_t *cache);
static ngx_uint_t ngx_crl_cache_is_wanted(ngx_crl_cache_t *cache);
static ngx_int_t ngx_crl_cache_load(ngx_crl_cache_t *cache);
static void ngx_crl_cache_load_handler(ngx_pki_store_job_t *job);
static ngx_crl_copy_t *ngx_crl_cache_copy(ngx_crl_cache_t *cache,
    ngx_pki_store_job_t *job);
static void ngx_crl_cache_replace(ngx_crl_cache_t *cache,
    ngx_crl_copy_t *copy);


void
ngx_crl_cache_start(ngx_crl_cache_t *cache, ngx_log_t *log)
{
    ngx_queue_init(&cache->waiting);

    cache->timer.handler = ngx_crl_cache_timer_handler;
    cache->timer.data = cache;
    cache->timer.log = log;
    cache->timer.cancelable = 1;

    ngx_add_timer(&cache->timer, 1);
}


void
ngx_crl_cache_stop(ngx_crl_cache_t *cache)
{
    if (cache->timer.timer_set) {
        ngx_del_timer(&cache->timer);
    }

    ngx_crl_cache_replace(cache, NULL);
}


ngx_uint_t
ngx_crl_cache_is_current(ngx_crl_cache_t *cache)
{
    ngx_str_t         error;
    ngx_pki_store_t  *store;

    store = &cache->authority->store;

    return store->slot == NULL
           || cache->failed
           || ngx_crl_cache_is_fresh(cache)
           || !ngx_pki_redis_is_up(store->redis, &error);
}


ngx_int_t
ngx_crl_cache_wait(ngx_crl_cache_t *cache, ngx_crl_waiter_t *waiter)
{
    if (!cache->loading && ngx_crl_cache_load(cache) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_queue_insert_tail(&cache->waiting, &waiter->queue);

    return NGX_OK;
}


static void
ngx_crl_cache_timer_handler(ngx_event_t *ev)
{
    ngx_crl_cache_t  *cache;

    cache = ev->data;

    if (ngx_exiting) {
        return;
    }

    if (!cache->loading && ngx_crl_cache_is_wanted(cache)) {
        (void) ngx_crl_cache_load(cache);
    }

    ngx_add_timer(ev, (cache->copy != NULL) ? NGX_CRL_CACHE_TICK
                                            : NGX_CRL_CACHE_WAIT);
}


static ngx_uint_t
ngx_crl_cache_is_fresh(ngx_crl_cache_t *cache)
{
    ngx_crl_copy_t     *copy;
    ngx_atomic_uint_t   number;

    copy = cache->copy;
    number = cache->authority->store.slot->crl_number;

    return copy != NULL
           && copy->next_update > ngx_time()
           && (number == 0 || number == (ngx_atomic_uint_t) copy->number);
}


/*
 * Before somebody asks: Redis may be away when he does.  Every new one right
 * away would be much for a large CRL that nobody asks for.
 */

static ngx_uint_t
ngx_crl_cache_is_wanted(ngx_crl_cache_t *cache)
{
    ngx_str_t         error;
    ngx_crl_copy_t   *copy;
    ngx_pki_store_t  *store;

    store = &cache->authority->store;

    if (store->slot == NULL
        || (ngx_crl_cache_is_fresh(cache) && !cache->failed)
        || !ngx_pki_redis_is_up(store->redis, &error))
    {
        return 0;
    }

    copy = cache->copy;

    return copy == NULL
           || cache->failed
           || copy->der.len <= NGX_CRL_CACHE_SMALL
           || ngx_time() - copy->this_update
              > (copy->next_update - copy->this_update) / 2;
}


static ngx_int_t
ngx_crl_cache_load(ngx_crl_cache_t *cache)
{
    ngx_pki_op_t         *op;
    ngx_pki_store_job_t  *job;

    op = ngx_pki_op_create(cache->timer.log);
    if (op == NULL) {
        return NGX_ERROR;
    }

    op->authority = cache->authority->name;
    ngx_pki_op_action(op, "loading the CRL");

    job = ngx_pcalloc(op->pool, sizeof(ngx_pki_store_job_t));

    if (job == NULL) {
        ngx_pki_op_destroy(op);
        return NGX_ERROR;
    }

    job->op = op;
    job->store = &cache->authority->store;
    job->handler = ngx_crl_cache_load_handler;
    job->data = cache;

    ngx_pki_op_deadline(op, NGX_CRL_CACHE_DEADLINE, NULL);

    cache->loading = 1;
    cache->known = cache->authority->store.slot->crl_number;

    ngx_pki_store_crl_load(job);

    return NGX_OK;
}


ngx_crl_copy_t *
ngx_crl_cache_get(ngx_crl_cache_t *cache)
{
    ngx_crl_copy_t  *copy;

    copy = cache->copy;

    if (copy == NULL || copy->next_update <= ngx_time()) {
        return NULL;
    }

    copy->count++;

    return copy;
}


void
ngx_crl_cache_release(ngx_crl_copy_t *copy)
{
    if (--copy->count == 0) {
        ngx_destroy_pool(copy->pool);
    }
}


static void
ngx_crl_cache_load_handler(ngx_pki_store_job_t *job)
{
    ngx_queue_t       *q, waiting;
    ngx_crl_copy_t    *copy;
    ngx_crl_cache_t   *cache;
    ngx_crl_waiter_t  *waiter;

    cache = job->data;

    cache->loading = 0;
    cache->failed = (job->result == NGX_PKI_STORE_UNAVAILABLE);

    /* never back to an older one, whatever happened to Redis */

    if (job->result == NGX_PKI_STORE_OK
        && job->crl_number >= cache->known
        && (cache->copy == NULL || cache->copy->number <= job->crl_number))
    {
        copy = ngx_crl_cache_copy(cache, job);

        if (copy != NULL) {
            ngx_crl_cache_replace(cache, copy);
        }
    }

    ngx_pki_op_destroy(job->op);

    /* a waiter's handler may begin to wait anew */

    ngx_queue_init(&waiting);

    if (!ngx_queue_empty(&cache->waiting)) {
        ngx_queue_add(&waiting, &cache->waiting);
        ngx_queue_init(&cache->waiting);
    }

    while (!ngx_queue_empty(&waiting)) {
        q = ngx_queue_head(&waiting);
        ngx_queue_remove(q);

        waiter = ngx_queue_data(q, ngx_crl_waiter_t, queue);
        waiter->handler(waiter);
    }
}


static ngx_crl_copy_t *
ngx_crl_cache_copy(ngx_crl_cache_t *cache, ngx_pki_store_job_t *job)
{
    ngx_pool_t      *pool;
    ngx_crl_copy_t  *copy;

    pool = ngx_create_pool(NGX_CRL_CACHE_POOL_SIZE, cache->timer.log);
    if (pool == NULL) {
        return NULL;
    }

    copy = ngx_pcalloc(pool, sizeof(ngx_crl_copy_t));

    if (copy == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    copy->pool = pool;
    copy->count = 1;
    copy->number = job->crl_number;
    copy->this_update = job->this_update;
    copy->next_update = job->next_update;

    copy->der.len = job->crl.len;
    copy->der.data = ngx_pnalloc(pool, job->crl.len);

    if (copy->der.data == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    ngx_memcpy(copy->der.data, job->crl.data, job->crl.len);

    return copy;
}


static void
ngx_crl_cache_replace(ngx_crl_cache_t *cache, ngx_crl_copy_t *copy)
{
    if (cache->copy != NULL) {
        ngx_crl_cache_release(cache->copy);
    }

    cache->copy = copy;
}
