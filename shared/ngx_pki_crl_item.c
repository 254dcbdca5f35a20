
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_crl_item.h"
#include "ngx_pki_free.h"


#define NGX_PKI_CRL_ITEM_USE   600000        /* msec, in use since asked for */
#define NGX_PKI_CRL_ITEM_SLOW  200           /* msec that are waited */


static ngx_atomic_uint_t ngx_pki_crl_item_number(ngx_pki_crl_item_t *item);
static ngx_uint_t ngx_pki_crl_item_is_behind(ngx_pki_crl_item_t *item);
static ngx_uint_t ngx_pki_crl_item_wanted(ngx_pki_crl_load_t *load);
static void ngx_pki_crl_item_see(ngx_pki_crl_item_t *item);
static void ngx_pki_crl_item_release(ngx_pki_crl_item_t *item);
static void ngx_pki_crl_item_load_handler(ngx_pki_crl_load_t *load);
static ngx_uint_t ngx_pki_crl_item_tries_again(ngx_pki_crl_item_t *item);
static void ngx_pki_crl_item_loaded(ngx_pki_crl_item_t *item);
static void ngx_pki_crl_item_tell(ngx_pki_crl_item_t *item);
static void ngx_pki_crl_item_pem_handler(ngx_pki_crl_pem_t *pem);
static void ngx_pki_crl_item_replace(ngx_pki_crl_item_t *item,
    ngx_pki_crl_copy_t *copy);
static void ngx_pki_crl_item_drop(ngx_pki_crl_copy_t **copy);


ngx_pki_crl_item_t *
ngx_pki_crl_item_create(ngx_pool_t *pool, ngx_pki_authority_t *a,
    ngx_pki_crl_wait_t *wait, ngx_uint_t list, ngx_msec_t since)
{
    ngx_pki_crl_item_t  *item;

    item = ngx_pcalloc(pool, sizeof(ngx_pki_crl_item_t));
    if (item == NULL) {
        return NULL;
    }

    item->authority = a;
    item->list = list;
    item->since = since;
    item->wait = wait;

    ngx_queue_init(&item->waiting);
    ngx_queue_init(&item->waiting_pem);

    item->load.authority = a;
    item->load.list = list;
    item->load.wanted = ngx_pki_crl_item_wanted;
    item->load.handler = ngx_pki_crl_item_load_handler;
    item->load.data = item;

    item->pem.handler = ngx_pki_crl_item_pem_handler;
    item->pem.data = item;

    return item;
}


void
ngx_pki_crl_item_stop(ngx_pki_crl_item_t *item)
{
    ngx_pki_crl_pem_stop(&item->pem);
    ngx_pki_crl_item_drop(&item->copy);
    ngx_pki_crl_item_drop(&item->old);
}


ngx_uint_t
ngx_pki_crl_item_is_valid(ngx_pki_crl_item_t *item)
{
    return item->copy != NULL && item->copy->next_update > ngx_time();
}


/*
 * In a gap of the log there may have been newer ones, of which only a builder
 * would tell all workers: what was seen before does not count.
 */

ngx_uint_t
ngx_pki_crl_item_is_fresh(ngx_pki_crl_item_t *item)
{
    return ngx_pki_crl_item_is_valid(item)
           && item->epoch == item->authority->store.slot->epoch
           && item->copy->number >= item->seen.number
           && item->copy->number >= ngx_pki_crl_item_number(item);
}


ngx_uint_t
ngx_pki_crl_item_is_seen(ngx_pki_crl_item_t *item)
{
    return item->seen.next_update > ngx_time()
           && item->epoch == item->authority->store.slot->epoch
           && item->seen.number >= ngx_pki_crl_item_number(item);
}


ngx_uint_t
ngx_pki_crl_item_is_slow(ngx_pki_crl_item_t *item)
{
    return item->loading
           && item->load.meta.size > NGX_PKI_CRL_ITEM_SMALL
           && ngx_current_msec - item->load_at > NGX_PKI_CRL_ITEM_SLOW
           && ngx_pki_crl_item_is_valid(item);
}


static ngx_atomic_uint_t
ngx_pki_crl_item_number(ngx_pki_crl_item_t *item)
{
    return item->authority->store.crl->number[item->list];
}


/* a question for each request would change nothing so soon */

ngx_uint_t
ngx_pki_crl_item_is_held(ngx_pki_crl_item_t *item, ngx_msec_t time)
{
    return item->failed
           && item->known == ngx_pki_crl_item_number(item)
           && ngx_current_msec - item->failed_at < time;
}


/*
 * The old workers, which had one, do not come back: whoever asks behind a
 * reload waits for a Redis that is slow just then.
 */

ngx_uint_t
ngx_pki_crl_item_is_patient(ngx_pki_crl_item_t *item)
{
    return item->load.unanswered && item->copy == NULL && !ngx_exiting
           && ngx_current_msec - item->since < NGX_PKI_CRL_ITEM_YOUNG;
}


ngx_uint_t
ngx_pki_crl_item_is_used(ngx_pki_crl_item_t *item)
{
    return item->asked
           && ngx_current_msec - item->asked_at < NGX_PKI_CRL_ITEM_USE;
}


ngx_uint_t
ngx_pki_crl_item_is_old(ngx_pki_crl_item_t *item)
{
    time_t  begin, end;

    if (item->copy == NULL) {
        return 1;
    }

    begin = item->copy->this_update;
    end = item->copy->next_update;

    return ngx_time() - begin > (end - begin) / 2;
}


void
ngx_pki_crl_item_use(ngx_pki_crl_item_t *item)
{
    item->asked = 1;
    item->asked_at = ngx_current_msec;
}


ngx_int_t
ngx_pki_crl_item_wait(ngx_pki_crl_item_t *item, ngx_uint_t settled,
    ngx_pki_crl_waiter_t *waiter)
{
    ngx_int_t     rc;
    ngx_queue_t  *queue;

    queue = waiter->want.pem ? &item->waiting_pem : &item->waiting;

    if (ngx_pki_crl_wait_add(item->wait, queue, waiter) != NGX_OK) {
        return NGX_BUSY;
    }

    /* goes on although he may not have the patience */

    if (waiter->want.max == 0) {
        ngx_pki_crl_item_use(item);
    }

    rc = NGX_OK;

    if (settled) {
        if (item->pem.copy == NULL) {
            rc = ngx_pki_crl_pem_start(&item->pem, item->copy);
        }

    } else if (!item->loading && !ngx_pki_crl_item_is_patient(item)) {
        rc = ngx_pki_crl_item_load(item);
    }

    if (rc != NGX_OK) {
        ngx_pki_crl_wait_wake_one(item->wait, waiter);
    }

    return NGX_OK;
}


ngx_int_t
ngx_pki_crl_item_load(ngx_pki_crl_item_t *item)
{
    item->known = ngx_pki_crl_item_number(item);
    item->load_epoch = item->authority->store.slot->epoch;
    item->load_at = ngx_current_msec;

    if (ngx_pki_crl_load(&item->load) != NGX_OK) {
        return NGX_ERROR;
    }

    item->loading = 1;

    return NGX_OK;
}


static ngx_uint_t
ngx_pki_crl_item_wanted(ngx_pki_crl_load_t *load)
{
    ngx_pki_crl_item_t  *item;

    item = load->data;

    ngx_pki_crl_item_see(item);

    if (ngx_pki_crl_item_is_behind(item)) {
        return 0;
    }

    ngx_pki_crl_item_release(item);

    if (ngx_pki_crl_item_is_awaited(item)) {

        if (ngx_pki_crl_item_is_slow(item)) {
            ngx_pki_crl_item_settle(item);
        }

        return 1;
    }

    return !ngx_exiting
           && (ngx_pki_crl_item_is_used(item)
               || (item->ended != NULL
                   && (load->meta.size <= NGX_PKI_CRL_PART
                       || ngx_pki_crl_item_is_old(item))));
}


/* the builder of this worker may have told of a newer one meanwhile */

static void
ngx_pki_crl_item_see(ngx_pki_crl_item_t *item)
{
    if (item->load_epoch == item->epoch
        && item->load.meta.number < item->seen.number)
    {
        return;
    }

    item->seen = item->load.meta;
    item->epoch = item->load_epoch;
}


/* those for whom it is too large are told at once */

static void
ngx_pki_crl_item_release(ngx_pki_crl_item_t *item)
{
    ngx_queue_t           *q, *next;
    ngx_pki_crl_waiter_t  *waiter;

    for (q = ngx_queue_head(&item->waiting);
         q != ngx_queue_sentinel(&item->waiting);
         q = next)
    {
        next = ngx_queue_next(q);
        waiter = ngx_queue_data(q, ngx_pki_crl_waiter_t, queue);

        if (waiter->want.max != 0 && item->load.meta.size > waiter->want.max) {
            ngx_pki_crl_wait_wake_one(item->wait, waiter);
        }
    }
}


ngx_uint_t
ngx_pki_crl_item_is_awaited(ngx_pki_crl_item_t *item)
{
    return !ngx_queue_empty(&item->waiting)
           || !ngx_queue_empty(&item->waiting_pem);
}


ngx_uint_t
ngx_pki_crl_item_is_stranded(ngx_pki_crl_item_t *item)
{
    return item->copy == NULL && !item->loading
           && ngx_pki_crl_item_is_awaited(item);
}


/* never back to an older one, whatever happened to Redis */

static ngx_uint_t
ngx_pki_crl_item_is_behind(ngx_pki_crl_item_t *item)
{
    uint64_t  number;

    number = item->load.meta.number;

    return number < item->known
           || (item->copy != NULL && number <= item->copy->number);
}


static void
ngx_pki_crl_item_load_handler(ngx_pki_crl_load_t *load)
{
    ngx_pki_crl_item_t   *item;
    ngx_pki_crl_item_pt   ended;

    item = load->data;

    ngx_pki_crl_item_loaded(item);

    item->loading = 0;

    /* who came after it began may have seen a newer one elsewhere since */

    if (ngx_pki_crl_item_number(item) > item->known
        && ngx_pki_crl_item_is_awaited(item)
        && ngx_pki_crl_item_load(item) == NGX_OK)
    {
        return;
    }

    if (ngx_pki_crl_item_tries_again(item)) {
        return;
    }

    ended = item->ended;
    item->ended = NULL;

    if (!ngx_pki_crl_item_is_patient(item)) {
        ngx_pki_crl_item_settle(item);
    }

    if (ended != NULL) {
        ended(item);
    }
}


/* once, in a worker that quits before it had a copy: nobody else tells them */

static ngx_uint_t
ngx_pki_crl_item_tries_again(ngx_pki_crl_item_t *item)
{
    if (!ngx_exiting
        || item->last
        || !item->load.unanswered
        || item->copy != NULL
        || !ngx_pki_crl_item_is_awaited(item))
    {
        return 0;
    }

    item->last = 1;

    return ngx_pki_crl_item_load(item) == NGX_OK;
}


static void
ngx_pki_crl_item_loaded(ngx_pki_crl_item_t *item)
{
    ngx_str_t            der;
    ngx_pki_crl_load_t  *load;
    ngx_pki_crl_copy_t  *copy;

    load = &item->load;

    /* one that was left because nobody needs it yet is no failure */

    item->failed = (load->rc != NGX_ABORT || ngx_pki_crl_item_is_behind(item));
    item->failed_at = ngx_current_msec;

    if (load->rc != NGX_OK) {
        return;
    }

    /* the builder of this worker may have put a newer one there */

    if (ngx_pki_crl_item_is_behind(item)) {
        ngx_pki_free_slowly(load->buffer, load->meta.size);
        return;
    }

    der.data = load->buffer;
    der.len = load->meta.size;

    copy = ngx_pki_crl_copy_create(&load->meta, load->buffer, &der);

    if (copy != NULL) {
        ngx_pki_crl_item_replace(item, copy);
        item->failed = 0;

        ngx_pki_crl_item_tell(item);
    }
}


/*
 * Whoever made it may have been killed before it told the others, and what this
 * worker serves must not be followed by an older one of another.
 */

static void
ngx_pki_crl_item_tell(ngx_pki_crl_item_t *item)
{
    uint64_t  number;

    number = item->copy->number;

    ngx_pki_crl_raise(&item->authority->store.crl->number[item->list], number);

    item->known = ngx_max(item->known, number);
}


static void
ngx_pki_crl_item_pem_handler(ngx_pki_crl_pem_t *pem)
{
    ngx_pki_crl_item_t  *item;

    item = pem->data;

    if (item->copy->pem.len != 0) {
        ngx_pki_crl_item_drop(&item->old);
    }

    if (!item->loading || ngx_pki_crl_item_is_slow(item)) {
        ngx_pki_crl_item_settle(item);
    }
}


void
ngx_pki_crl_item_settle(ngx_pki_crl_item_t *item)
{
    ngx_pki_crl_wait_wake(item->wait, &item->waiting);

    if (item->pem.copy != NULL) {
        return;
    }

    if ((item->old != NULL || !ngx_queue_empty(&item->waiting_pem))
        && ngx_pki_crl_item_is_valid(item) && item->copy->pem.len == 0
        && ngx_pki_crl_pem_start(&item->pem, item->copy) == NGX_OK)
    {
        return;
    }

    ngx_pki_crl_wait_wake(item->wait, &item->waiting_pem);
}


ngx_pki_crl_copy_t *
ngx_pki_crl_item_copy(ngx_pki_crl_item_t *item, ngx_uint_t pem)
{
    if (pem && item->old != NULL && item->old->next_update > ngx_time()) {
        return item->old;
    }

    return ngx_pki_crl_item_is_valid(item) ? item->copy : NULL;
}


void
ngx_pki_crl_item_put(ngx_pki_crl_item_t *item, ngx_pki_crl_meta_t *meta,
    ngx_pki_crl_copy_t *copy)
{
    item->seen = *meta;
    item->epoch = item->authority->store.slot->epoch;

    ngx_pki_crl_item_replace(item, copy);
    ngx_pki_crl_item_settle(item);
}


/* whoever was about to get the last one's PEM still does */

static void
ngx_pki_crl_item_replace(ngx_pki_crl_item_t *item, ngx_pki_crl_copy_t *copy)
{
    if (item->copy != NULL && item->copy->pem.len != 0) {
        ngx_pki_crl_item_drop(&item->old);

        item->old = item->copy;
        item->copy = NULL;
    }

    ngx_pki_crl_item_drop(&item->copy);

    item->copy = copy;
}


static void
ngx_pki_crl_item_drop(ngx_pki_crl_copy_t **copy)
{
    if (*copy != NULL) {
        ngx_pki_crl_copy_release(*copy);
        *copy = NULL;
    }
}
