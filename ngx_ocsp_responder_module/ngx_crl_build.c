
/*
 * Copyright (C) the ngx_pki authors
 *
 * The CRL lies in one buffer, made for what there may be of entries: they are
 * copied to where they stay, head and tail of what is signed and of the whole
 * are put around them.
 */


#include "ngx_crl_build.h"
#include "ngx_pki_crl_cache.h"
#include "ngx_pki_free.h"


#define NGX_CRL_BUILD_SLICE  262144          /* octets */
#define NGX_CRL_BUILD_LOOK   32              /* what an entry takes of it */
#define NGX_CRL_BUILD_PAUSE  1               /* milliseconds, after each */

/*
 * Octets before and behind the entries, but for names and URLs: headers, times,
 * numbers, two AlgorithmIdentifiers, the signature.
 */

#define NGX_CRL_BUILD_ROOM   (1024 + NGX_PKI_KEY_SIGNATURE_MAX)

/* what is not used is given back from so much on */

#define NGX_CRL_BUILD_WASTE  65536


/* in the pool of the operation */

typedef struct {
    ngx_crl_build_t           *build;
    ngx_event_t                timer;        /* not cancelable */
    u_char                    *buffer;       /* by ngx_alloc() */
    u_char                    *entries;      /* in it */
    u_char                    *pos;          /* their end */
    u_char                    *last;         /* of the buffer */
    size_t                     room;         /* before and behind */

    /* what is copied now */
    ngx_uint_t                 source;       /* whose entries */
    ngx_crl_place_t            place;
    ngx_crl_filter_t           filter;
    ngx_uint_t                 epoch;

    ngx_crl_t                  crl;
    ngx_str_t                  tbs;
    EVP_MD_CTX                *md;
    size_t                     hashed;
    ngx_pki_key_job_t          sign;
    ngx_str_t                  der;
    ngx_pki_store_job_t        store;
} ngx_crl_build_job_t;


static ngx_int_t ngx_crl_build_create(ngx_crl_build_t *build);
static void ngx_crl_build_wait(ngx_crl_build_job_t *job,
    ngx_event_handler_pt handler);
static void ngx_crl_build_copy_handler(ngx_event_t *ev);
static void ngx_crl_build_copy(ngx_crl_build_t *build);
static ngx_int_t ngx_crl_build_copy_slice(ngx_crl_build_job_t *job,
    size_t *left);
static ngx_crl_list_t *ngx_crl_build_source(ngx_crl_build_job_t *job);
static void ngx_crl_build_encode(ngx_crl_build_job_t *job);
static ngx_int_t ngx_crl_build_frame(ngx_crl_build_job_t *job);
static void ngx_crl_build_fit(ngx_crl_build_job_t *job);
static ngx_int_t ngx_crl_build_wrap(ngx_crl_build_job_t *job, ngx_str_t *inner,
    ngx_str_t *head, ngx_str_t *tail, ngx_str_t *out);
static void ngx_crl_build_hash_handler(ngx_event_t *ev);
static void ngx_crl_build_hash(ngx_crl_build_job_t *job);
static void ngx_crl_build_sign(ngx_crl_build_job_t *job);
static void ngx_crl_build_sign_handler(ngx_pki_key_job_t *sign);
static ngx_int_t ngx_crl_build_seal(ngx_crl_build_job_t *job);
static void ngx_crl_build_put(ngx_crl_build_job_t *job);
static void ngx_crl_build_put_handler(ngx_pki_store_job_t *store);
static void ngx_crl_build_publish_handler(ngx_pki_store_job_t *store);
static void ngx_crl_build_done(ngx_crl_build_t *build, ngx_int_t rc);
static void ngx_crl_build_cleanup(void *data);


void
ngx_crl_build_start(ngx_crl_build_t *build)
{
    ngx_crl_build_t  *delta;

    ngx_pki_op_action(build->op, "building a crl");

    delta = build->delta;

    build->error = "out of memory";

    if (ngx_crl_build_create(build) != NGX_OK) {
        ngx_crl_build_done(build, NGX_ERROR);
        return;
    }

    if (delta != NULL) {
        delta->error = "out of memory";
        delta->rc = ngx_crl_build_create(delta);
    }

    ngx_crl_set_freeze(build->set);

    ngx_crl_build_copy(build);
}


static ngx_int_t
ngx_crl_build_create(ngx_crl_build_t *build)
{
    size_t                size;
    ngx_pool_cleanup_t   *cln;
    ngx_crl_build_job_t  *job;
    ngx_pki_authority_t  *a;

    a = build->set->authority;

    cln = ngx_pool_cleanup_add(build->op->pool, sizeof(ngx_crl_build_job_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    job = cln->data;
    ngx_memzero(job, sizeof(ngx_crl_build_job_t));

    cln->handler = ngx_crl_build_cleanup;

    build->job = job;
    build->count = 0;
    build->meta.seq = ngx_crl_set_applied(build->set);

    job->build = build;
    job->epoch = build->set->epoch;

    ngx_crl_set_filter(build->set, build->list, &job->filter);
    job->filter.after = build->base_seq;

    job->source = (build->list >= NGX_PKI_CRL_SHARD) ? build->list
                                                     : NGX_PKI_CRL_FULL;

    job->crl.algorithm = ngx_pki_key_algorithm(a->key->spec.type, a->md,
                                               a->pss);
    job->crl.issuer = &a->issuer;
    job->crl.aki = &a->aki;
    job->crl.number = build->meta.number;
    job->crl.this_update = build->meta.this_update;
    job->crl.next_update = build->meta.next_update;
    job->crl.shard_url = build->shard_url;
    job->crl.delta_url = build->delta_url;
    job->crl.base = build->base;

    if (job->crl.algorithm == NULL) {
        ngx_log_error(NGX_LOG_ALERT, build->op->log, 0,
                      "key \"%V\" has no signature algorithm", &a->key->name);
        return NGX_ERROR;
    }

    job->room = NGX_CRL_BUILD_ROOM + a->issuer.len + a->aki.len
                + build->shard_url.len + build->delta_url.len;

    size = ngx_crl_set_size(build->set, build->list) + NGX_CRL_ENTRY_MAX
           + 2 * job->room;

    /* nobody would read it */

    if (size > NGX_PKI_CRL_SIZE_MAX && build->base == 0) {
        build->error = "it would be too large";
        return NGX_ERROR;
    }

    job->buffer = ngx_alloc(size, build->op->log);
    if (job->buffer == NULL) {
        return NGX_ERROR;
    }

    job->entries = job->buffer + job->room;
    job->pos = job->entries;
    job->last = job->buffer + size;

    return NGX_OK;
}


static void
ngx_crl_build_wait(ngx_crl_build_job_t *job, ngx_event_handler_pt handler)
{
    job->timer.handler = handler;
    job->timer.data = job;
    job->timer.log = job->build->op->log;

    ngx_add_timer(&job->timer, NGX_CRL_BUILD_PAUSE);
}


static void
ngx_crl_build_copy_handler(ngx_event_t *ev)
{
    ngx_crl_build_job_t  *job;

    job = ev->data;

    ngx_crl_build_copy(job->build);
}


/* a slice; at the end of all of them the set is changed again */

static void
ngx_crl_build_copy(ngx_crl_build_t *build)
{
    size_t                left;
    ngx_int_t             rc;
    ngx_crl_build_t      *delta;

    left = NGX_CRL_BUILD_SLICE;
    delta = build->delta;

    rc = ngx_crl_build_copy_slice(build->job, &left);

    if (rc == NGX_OK && delta != NULL && delta->rc == NGX_OK) {
        delta->rc = ngx_crl_build_copy_slice(delta->job, &left);

        if (delta->rc == NGX_AGAIN) {
            delta->rc = NGX_OK;
            rc = NGX_AGAIN;
        }
    }

    if (rc == NGX_AGAIN) {
        ngx_crl_build_wait(build->job, ngx_crl_build_copy_handler);
        return;
    }

    ngx_crl_set_thaw(build->set);

    if (rc != NGX_OK) {
        ngx_crl_build_done(build, NGX_ERROR);
        return;
    }

    ngx_crl_build_encode(build->job);
}


/* NGX_AGAIN: there is more */

static ngx_int_t
ngx_crl_build_copy_slice(ngx_crl_build_job_t *job, size_t *left)
{
    size_t           n;
    u_char          *end, *p;
    ngx_crl_list_t  *list;

    for ( ;; ) {
        list = ngx_crl_build_source(job);

        if (list == NULL) {
            return NGX_OK;
        }

        if (*left < NGX_CRL_ENTRY_MAX) {
            return NGX_AGAIN;
        }

        n = job->last - job->room - job->pos;
        end = job->pos + ngx_min(*left, n);

        p = ngx_crl_list_copy(list, &job->place, &job->filter, job->pos, end,
                              &job->build->count);

        *left -= p - job->pos;
        job->pos = p;

        if (ngx_crl_list_is_end(list, &job->place)) {

            /* to look at what is left out takes its time, too */

            n = (ngx_crl_list_count(list) + 1) * NGX_CRL_BUILD_LOOK;
            *left -= ngx_min(*left, n);

            job->source++;
            ngx_memzero(&job->place, sizeof(ngx_crl_place_t));
            continue;
        }

        if (job->last - job->room - p < NGX_CRL_ENTRY_MAX) {
            ngx_log_error(NGX_LOG_ALERT, job->build->op->log, 0,
                          "a crl has more entries than there are");
            return NGX_ERROR;
        }

        return NGX_AGAIN;
    }
}


/*
 * The next list that has entries for it: of a shard there is one.  The full
 * CRL has all but what was released, of which only the delta tells.
 */

static ngx_crl_list_t *
ngx_crl_build_source(ngx_crl_build_job_t *job)
{
    ngx_uint_t        list;
    ngx_crl_state_t  *state;

    list = job->build->list;

    for ( /* void */ ; job->source < NGX_PKI_CRL_LISTS; job->source++) {

        if (list >= NGX_PKI_CRL_SHARD && job->source != list) {
            break;
        }

        if (list == NGX_PKI_CRL_FULL && job->source == NGX_PKI_CRL_DELTA) {
            continue;
        }

        state = job->build->set->crl[job->source];

        if (state != NULL && state->entries != NULL) {
            return state->entries;
        }
    }

    return NULL;
}


static void
ngx_crl_build_encode(ngx_crl_build_job_t *job)
{
    ngx_pki_authority_t  *a;

    a = job->build->set->authority;

    job->md = EVP_MD_CTX_new();

    if (job->md == NULL
        || EVP_DigestInit_ex(job->md, a->md, NULL) != 1
        || ngx_crl_build_frame(job) != NGX_OK)
    {
        ERR_clear_error();
        ngx_crl_build_done(job->build, NGX_ERROR);
        return;
    }

    ngx_crl_build_hash(job);
}


static ngx_int_t
ngx_crl_build_frame(ngx_crl_build_job_t *job)
{
    ngx_str_t  entries, head, tail;

    ngx_crl_build_fit(job);

    entries.data = job->entries;
    entries.len = job->pos - job->entries;

    if (ngx_crl_frame(job->build->op->pool, &job->crl, entries.len, &head,
                      &tail)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_crl_build_wrap(job, &entries, &head, &tail, &job->tbs);
}


/* a delta was given room for all there is; what is not touched costs nothing */

static void
ngx_crl_build_fit(ngx_crl_build_job_t *job)
{
    size_t   size, len;
    u_char  *p;

    len = job->pos - job->entries;
    size = len + 2 * job->room;

    if (len > NGX_CRL_BUILD_SLICE
        || (size_t) (job->last - job->buffer) - size < NGX_CRL_BUILD_WASTE)
    {
        return;
    }

    p = ngx_alloc(size, job->build->op->log);
    if (p == NULL) {
        return;
    }

    ngx_memcpy(p + job->room, job->entries, len);

    ngx_pki_free_slowly(job->buffer, job->last - job->buffer);

    job->buffer = p;
    job->entries = p + job->room;
    job->pos = job->entries + len;
    job->last = p + size;
}


/* puts "head" before and "tail" behind what is there already */

static ngx_int_t
ngx_crl_build_wrap(ngx_crl_build_job_t *job, ngx_str_t *inner,
    ngx_str_t *head, ngx_str_t *tail, ngx_str_t *out)
{
    u_char  *end;

    end = inner->data + inner->len;

    if (head->len > (size_t) (inner->data - job->buffer)
        || tail->len > (size_t) (job->last - end))
    {
        ngx_log_error(NGX_LOG_ALERT, job->build->op->log, 0,
                      "no room for %uz and %uz octets around a crl",
                      head->len, tail->len);
        return NGX_ERROR;
    }

    out->data = inner->data - head->len;
    out->len = head->len + inner->len + tail->len;

    ngx_memcpy(out->data, head->data, head->len);
    ngx_memcpy(end, tail->data, tail->len);

    return NGX_OK;
}


static void
ngx_crl_build_hash_handler(ngx_event_t *ev)
{
    ngx_crl_build_hash(ev->data);
}


static void
ngx_crl_build_hash(ngx_crl_build_job_t *job)
{
    size_t  n;

    n = ngx_min(job->tbs.len - job->hashed, NGX_CRL_BUILD_SLICE);

    if (EVP_DigestUpdate(job->md, job->tbs.data + job->hashed, n) != 1) {
        ERR_clear_error();
        ngx_crl_build_done(job->build, NGX_ERROR);
        return;
    }

    job->hashed += n;

    if (job->hashed < job->tbs.len) {
        ngx_crl_build_wait(job, ngx_crl_build_hash_handler);
        return;
    }

    ngx_crl_build_sign(job);
}


static void
ngx_crl_build_sign(ngx_crl_build_job_t *job)
{
    u_char               *digest;
    unsigned int          len;
    ngx_pki_authority_t  *a;

    a = job->build->set->authority;

    digest = ngx_pnalloc(job->build->op->pool, EVP_MAX_MD_SIZE);

    if (digest == NULL
        || EVP_DigestFinal_ex(job->md, digest, &len) != 1)
    {
        ERR_clear_error();
        ngx_crl_build_done(job->build, NGX_ERROR);
        return;
    }

    ngx_pki_op_action(job->build->op, "signing a crl");

    job->sign.op = job->build->op;
    job->sign.key = a->key;
    job->sign.md = a->md;
    job->sign.pss = a->pss;
    job->sign.input.data = digest;
    job->sign.input.len = len;
    job->sign.handler = ngx_crl_build_sign_handler;
    job->sign.data = job;

    ngx_pki_key_sign(&job->sign);
}


static void
ngx_crl_build_sign_handler(ngx_pki_key_job_t *sign)
{
    ngx_crl_build_job_t  *job;

    job = sign->data;

    job->build->error = "the key failed";

    if (sign->rc != NGX_OK || ngx_crl_build_seal(job) != NGX_OK) {
        ngx_crl_build_done(job->build, NGX_ERROR);
        return;
    }

    job->build->error = "redis failed";

    job->store.op = job->build->op;
    job->store.store = &job->build->set->authority->store;
    job->store.list = job->build->list;
    job->store.token = job->build->token;
    job->store.meta = job->build->meta;
    job->store.old_number = job->build->old_number;
    job->store.crl = job->der;
    job->store.status.epoch = job->epoch;
    job->store.data = job;

    ngx_crl_build_put(job);
}


static ngx_int_t
ngx_crl_build_seal(ngx_crl_build_job_t *job)
{
    ngx_str_t  head, tail;

    if (ngx_crl_seal(job->build->op->pool, &job->crl, job->tbs.len,
                     &job->sign.output, &head, &tail)
        != NGX_OK
        || ngx_crl_build_wrap(job, &job->tbs, &head, &tail, &job->der)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    job->build->meta.size = job->der.len;

    return NGX_OK;
}


/* a large one goes to Redis in parts first */

static void
ngx_crl_build_put(ngx_crl_build_job_t *job)
{
    ngx_pki_store_job_t  *store;

    store = &job->store;

    if (job->der.len > NGX_PKI_CRL_PART
        && store->part * NGX_PKI_CRL_PART < job->der.len)
    {
        store->handler = ngx_crl_build_put_handler;
        ngx_pki_store_crl_put(store);
        return;
    }

    store->handler = ngx_crl_build_publish_handler;

    ngx_pki_store_crl_publish(store);
}


static void
ngx_crl_build_put_handler(ngx_pki_store_job_t *store)
{
    ngx_crl_build_job_t  *job;

    job = store->data;

    if (store->result != NGX_PKI_STORE_OK) {
        ngx_crl_build_publish_handler(store);
        return;
    }

    store->part++;

    ngx_crl_build_put(job);
}


static void
ngx_crl_build_publish_handler(ngx_pki_store_job_t *store)
{
    ngx_crl_build_t      *build;
    ngx_crl_build_job_t  *job;
    ngx_pki_authority_t  *a;

    job = store->data;
    build = job->build;
    a = build->set->authority;

    switch (store->result) {

    case NGX_PKI_STORE_OK:
        build->meta.seq = store->meta.seq;

        if (a->crls != NULL) {
            ngx_pki_crl_cache_put(a->crls, build->list, &build->meta,
                                  job->buffer, &job->der);
            job->buffer = NULL;
        }

        ngx_crl_build_done(build, NGX_OK);
        return;

    case NGX_PKI_STORE_CONFLICT:
        ngx_crl_build_done(build, NGX_AGAIN);
        return;

    default:
        ngx_crl_build_done(build, NGX_ERROR);
        return;
    }
}


/*
 * The delta's turn is after the full one's, if that was published; it tells
 * of the same moment.
 */

static void
ngx_crl_build_done(ngx_crl_build_t *build, ngx_int_t rc)
{
    ngx_crl_build_t  *delta;

    delta = build->delta;
    build->rc = rc;

    /* the last one of the handlers may free all of this */

    build->handler(build);

    if (delta == NULL) {
        return;
    }

    if (rc != NGX_OK || delta->rc != NGX_OK) {
        delta->rc = NGX_ERROR;
        delta->handler(delta);
        return;
    }

    ngx_crl_build_encode(delta->job);
}


static void
ngx_crl_build_cleanup(void *data)
{
    ngx_crl_build_job_t  *job = data;

    if (job->timer.timer_set) {
        ngx_del_timer(&job->timer);
    }

    EVP_MD_CTX_free(job->md);

    if (job->buffer != NULL) {
        ngx_pki_free_slowly(job->buffer, job->last - job->buffer);
    }
}
