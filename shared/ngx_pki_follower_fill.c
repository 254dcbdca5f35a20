
/*
 * Copyright (C) the ngx_pki authors
 *
 * All authorities in turn, a slice at a time, newest certificates first.
 *
 * Why no old status gets in.  A slice is what Redis said by the change "seq";
 * meanwhile the log may have been applied up to a later one, "applied", and the
 * zone takes nothing that is older than that.  It does not help to leave it to
 * the versions, which never let an older status replace a newer one: what was
 * applied may have been given up by a full table since, and then an old status
 * finds its place empty.  So this worker, the only one to apply the log,
 * remembers what the last changes were about.  A certificate that none of those
 * after "seq" was about still is, by "applied", as Redis said: it enters as of
 * that.  One that was among them is left out: the log has entered it, and if it
 * was given up the next question for it goes to Redis.  If more has happened
 * than is remembered the slice is read again.
 *
 * Whether the lease has been lost, or the log had a gap, is seen by the zone:
 * the one has moved slot->applied, the other the epoch.
 */


#include "ngx_pki_follower_fill.h"


/*
 * What Redis and this worker's event loop do at a stretch, a millisecond or
 * so, and the milliseconds in between; if Redis takes longer, so long.
 */

#define NGX_PKI_FILL_SLICE    256
#define NGX_PKI_FILL_PAUSE    3
#define NGX_PKI_FILL_RETRY    500

/* changes of the log that are remembered */

#define NGX_PKI_FILL_CHANGES  128

/* "<score>-<serial>" */

#define NGX_PKI_FILL_CURSOR   (NGX_TIME_T_LEN + 1 + 2 * NGX_PKI_SERIAL_LEN)


/* in the zone, for whoever leads next */

typedef struct {
    ngx_atomic_t               epoch;        /* whose statuses were read */
    ngx_atomic_t               total;        /* of certificates, then */
} ngx_pki_follower_filled_t;


struct ngx_pki_follower_walk_s {
    ngx_pki_store_t           *store;
    ngx_pki_follower_filled_t *filled;
    ngx_msec_t                 retry_at;     /* 0: it has not failed */

    ngx_uint_t                 epoch;        /* when it began; 0: it has not */
    ngx_msec_t                 begun;
    ngx_str_t                  cursor;       /* empty: the beginning */
    u_char                     cursor_text[NGX_PKI_FILL_CURSOR];

    ngx_uint_t                 entered;
    ngx_uint_t                 malformed;

    /* from "first" to "last", by their number modulo the size */
    uint64_t                   first;
    uint64_t                   last;
    ngx_pki_serial_t           changes[NGX_PKI_FILL_CHANGES];
};


struct ngx_pki_follower_fill_s {
    ngx_pki_zone_t            *zone;
    ngx_log_t                 *log;
    ngx_event_t                timer;        /* cancelable */

    ngx_pki_follower_walk_t   *walks;
    ngx_uint_t                 n;
    ngx_pki_follower_walk_t   *walk;         /* whose turn it is */
    ngx_pki_store_job_t       *job;

    ngx_uint_t                 evictions;    /* before it began */

    unsigned                   running:1;
    unsigned                   scarce:1;     /* there is not room for all */
    unsigned                   full:1;
    unsigned                   told:1;       /* that it is */
    unsigned                   reported:1;
};


static ngx_int_t ngx_pki_follower_walk_init(ngx_pki_follower_walk_t *walk,
    ngx_pool_t *pool, ngx_pki_store_t *store);
static void ngx_pki_follower_fill_timer_handler(ngx_event_t *ev);
static ngx_pki_follower_walk_t *ngx_pki_follower_fill_next(
    ngx_pki_follower_fill_t *fill);
static ngx_uint_t ngx_pki_follower_fill_waits(ngx_pki_follower_fill_t *fill);
static ngx_uint_t ngx_pki_follower_walk_is_due(ngx_pki_follower_walk_t *walk);
static void ngx_pki_follower_fill_begin(ngx_pki_follower_fill_t *fill,
    ngx_pki_follower_walk_t *walk);
static ngx_int_t ngx_pki_follower_fill_send(ngx_pki_follower_fill_t *fill);
static void ngx_pki_follower_fill_handler(ngx_pki_store_job_t *job);
static ngx_int_t ngx_pki_follower_fill_enter(ngx_pki_follower_fill_t *fill,
    ngx_pki_store_job_t *job);
static ngx_uint_t ngx_pki_follower_walk_remembers(
    ngx_pki_follower_walk_t *walk, uint64_t seq, uint64_t applied);
static ngx_uint_t ngx_pki_follower_walk_has_changed(
    ngx_pki_follower_walk_t *walk, ngx_pki_serial_t *serial, uint64_t seq,
    uint64_t applied);
static ngx_uint_t ngx_pki_follower_fill_wants(ngx_pki_follower_fill_t *fill,
    ngx_pki_zone_status_t *status);
static void ngx_pki_follower_fill_measure(ngx_pki_follower_fill_t *fill);
static void ngx_pki_follower_fill_move(ngx_pki_follower_fill_t *fill,
    ngx_pki_store_job_t *job);
static void ngx_pki_follower_fill_judge(ngx_pki_follower_fill_t *fill);
static void ngx_pki_follower_fill_failed(ngx_pki_follower_fill_t *fill);
static void ngx_pki_follower_fill_end(ngx_pki_follower_fill_t *fill,
    ngx_pki_follower_walk_t *walk);


ngx_pki_follower_fill_t *
ngx_pki_follower_fill_create(ngx_pool_t *pool, ngx_pki_zone_t *zone,
    ngx_pki_store_t **stores, ngx_uint_t n, ngx_log_t *log)
{
    ngx_uint_t                i;
    ngx_pki_follower_fill_t  *fill;

    fill = ngx_pcalloc(pool, sizeof(ngx_pki_follower_fill_t));
    if (fill == NULL) {
        return NULL;
    }

    fill->zone = zone;
    fill->log = log;

    fill->timer.handler = ngx_pki_follower_fill_timer_handler;
    fill->timer.data = fill;
    fill->timer.log = log;
    fill->timer.cancelable = 1;

    fill->walks = ngx_pcalloc(pool, (n + 1)
                                    * sizeof(ngx_pki_follower_walk_t));
    if (fill->walks == NULL) {
        return NULL;
    }

    fill->n = n;
    fill->walk = fill->walks;

    for (i = 0; i < n; i++) {

        if (ngx_pki_follower_walk_init(&fill->walks[i], pool, stores[i])
            != NGX_OK)
        {
            return NULL;
        }
    }

    return fill;
}


/*
 * Which epoch's statuses have been read is noted in the zone, for after a
 * reload they still are there; if it has no room for that they are read again.
 */

static ngx_int_t
ngx_pki_follower_walk_init(ngx_pki_follower_walk_t *walk, ngx_pool_t *pool,
    ngx_pki_store_t *store)
{
    u_char     text[sizeof("fill:") - 1 + NGX_PKI_ZONE_NAME_LEN];
    ngx_str_t  name;

    walk->store = store;

    name.data = text;
    name.len = ngx_sprintf(text, "fill:%*s", store->slot->name_len,
                           store->slot->name)
               - text;

    walk->filled = ngx_pki_zone_cell(store->zone, &name,
                                     sizeof(ngx_pki_follower_filled_t));

    if (walk->filled == NULL) {
        walk->filled = ngx_pcalloc(pool, sizeof(ngx_pki_follower_filled_t));
    }

    return walk->filled == NULL ? NGX_ERROR : NGX_OK;
}


ngx_pki_follower_walk_t *
ngx_pki_follower_fill_walk(ngx_pki_follower_fill_t *fill, ngx_uint_t i)
{
    return &fill->walks[i];
}


void
ngx_pki_follower_fill_changed(ngx_pki_follower_walk_t *walk,
    ngx_pki_serial_t *serial, uint64_t version)
{
    if (version != walk->last + 1) {
        walk->first = version;
    }

    walk->changes[version % NGX_PKI_FILL_CHANGES] = *serial;
    walk->last = version;

    if (walk->last - walk->first >= NGX_PKI_FILL_CHANGES) {
        walk->first++;
    }
}


void
ngx_pki_follower_fill(ngx_pki_follower_fill_t *fill)
{
    ngx_uint_t  i;

    if (fill->running || ngx_pki_follower_fill_next(fill) == NULL) {
        return;
    }

    fill->running = 1;
    fill->reported = 0;

    for (i = 0; i < fill->n; i++) {
        fill->walks[i].epoch = 0;
        fill->walks[i].retry_at = 0;
    }

    ngx_add_timer(&fill->timer, NGX_PKI_FILL_PAUSE);
}


void
ngx_pki_follower_fill_stop(ngx_pki_follower_fill_t *fill)
{
    if (fill->timer.timer_set) {
        ngx_del_timer(&fill->timer);
    }
}


/* whoever gets the lease begins anew */

static void
ngx_pki_follower_fill_timer_handler(ngx_event_t *ev)
{
    ngx_pki_follower_fill_t  *fill;
    ngx_pki_follower_walk_t  *walk;

    fill = ev->data;

    walk = NULL;

    if (!ngx_exiting && ngx_pki_zone_leads(fill->zone)) {
        walk = ngx_pki_follower_fill_next(fill);
    }

    if (walk == NULL && ngx_pki_follower_fill_waits(fill)) {
        ngx_add_timer(ev, NGX_PKI_FILL_RETRY);
        return;
    }

    if (walk == NULL) {
        fill->running = 0;
        return;
    }

    fill->walk = walk;

    if (walk->epoch != walk->store->slot->epoch) {
        ngx_pki_follower_fill_begin(fill, walk);
    }

    if (ngx_pki_follower_fill_send(fill) != NGX_OK) {
        ngx_pki_follower_fill_failed(fill);
    }
}


static ngx_pki_follower_walk_t *
ngx_pki_follower_fill_next(ngx_pki_follower_fill_t *fill)
{
    ngx_uint_t                i, k;
    ngx_pki_follower_walk_t  *walk;

    k = fill->walk - fill->walks;

    for (i = 1; i <= fill->n; i++) {
        walk = &fill->walks[(k + i) % fill->n];

        if (ngx_pki_follower_walk_is_due(walk)
            && (walk->retry_at == 0
                || (ngx_msec_int_t) (walk->retry_at - ngx_current_msec) <= 0))
        {
            return walk;
        }
    }

    return NULL;
}


/* whether there is one that has failed and is to be tried again */

static ngx_uint_t
ngx_pki_follower_fill_waits(ngx_pki_follower_fill_t *fill)
{
    ngx_uint_t  i;

    if (ngx_exiting || !ngx_pki_zone_leads(fill->zone)) {
        return 0;
    }

    for (i = 0; i < fill->n; i++) {
        if (ngx_pki_follower_walk_is_due(&fill->walks[i])) {
            return 1;
        }
    }

    return 0;
}


/* what Redis has lost is told to it first; after a start that is nothing */

static ngx_uint_t
ngx_pki_follower_walk_is_due(ngx_pki_follower_walk_t *walk)
{
    ngx_pki_zone_slot_t  *slot;

    slot = walk->store->slot;

    return slot->synced.wall != 0
           && (!slot->restoring || slot->epoch == NGX_PKI_ZONE_FIRST_EPOCH)
           && walk->filled->epoch != slot->epoch;
}


static void
ngx_pki_follower_fill_begin(ngx_pki_follower_fill_t *fill,
    ngx_pki_follower_walk_t *walk)
{
    ngx_pki_zone_usage_t  usage;

    walk->epoch = walk->store->slot->epoch;
    walk->begun = ngx_current_msec;
    walk->cursor.len = 0;
    walk->entered = 0;
    walk->malformed = 0;

    ngx_pki_zone_usage(fill->zone, &usage);

    fill->evictions = usage.evictions;
    fill->full = 0;
    fill->told = 0;
}


static ngx_int_t
ngx_pki_follower_fill_send(ngx_pki_follower_fill_t *fill)
{
    ngx_pki_op_t             *op;
    ngx_pki_store_job_t      *job;
    ngx_pki_zone_slot_t      *slot;
    ngx_pki_follower_walk_t  *walk;

    walk = fill->walk;
    slot = walk->store->slot;

    op = ngx_pki_op_create(fill->log);
    if (op == NULL) {
        return NGX_ERROR;
    }

    op->authority.data = slot->name;
    op->authority.len = slot->name_len;

    /* it is tried again and again: one message, see below */

    op->log->log_level = NGX_LOG_CRIT;

    job = ngx_pcalloc(op->pool, sizeof(ngx_pki_store_job_t));

    if (job == NULL) {
        ngx_pki_op_destroy(op);
        return NGX_ERROR;
    }

    job->op = op;
    job->store = walk->store;
    job->cursor = walk->cursor;
    job->limit = NGX_PKI_FILL_SLICE;
    job->handler = ngx_pki_follower_fill_handler;
    job->data = fill;

    ngx_pki_store_statuses(job);

    return NGX_OK;
}


static void
ngx_pki_follower_fill_handler(ngx_pki_store_job_t *job)
{
    ngx_msec_t                elapsed;
    ngx_pki_store_result_e    result;
    ngx_pki_follower_fill_t  *fill;

    fill = job->data;
    result = job->result;
    elapsed = job->elapsed;

    if (result == NGX_PKI_STORE_OK
        && ngx_pki_follower_fill_enter(fill, job) == NGX_OK)
    {
        ngx_pki_follower_fill_move(fill, job);
    }

    ngx_pki_op_destroy(job->op);

    if (result != NGX_PKI_STORE_OK) {
        ngx_pki_follower_fill_failed(fill);
        return;
    }

    ngx_add_timer(&fill->timer, ngx_max(elapsed, NGX_PKI_FILL_PAUSE));
}


/* NGX_AGAIN: the slice is to be read again; see at the top */

static ngx_int_t
ngx_pki_follower_fill_enter(ngx_pki_follower_fill_t *fill,
    ngx_pki_store_job_t *job)
{
    uint64_t                  applied;
    ngx_uint_t                i, entered;
    ngx_pki_store_t          *store;
    ngx_pki_store_status_t   *s;
    ngx_pki_follower_walk_t  *walk;

    walk = fill->walk;
    store = walk->store;
    applied = store->slot->applied;

    if (!ngx_pki_follower_walk_remembers(walk, job->seq, applied)) {
        return NGX_AGAIN;
    }

    s = job->statuses->elts;
    entered = 0;

    for (i = 0; i < job->statuses->nelts; i++) {

        if (!ngx_pki_follower_fill_wants(fill, &s[i].status)
            || ngx_pki_follower_walk_has_changed(walk, &s[i].serial, job->seq,
                                                 applied))
        {
            continue;
        }

        if (ngx_pki_zone_enter(store->zone, store->slot, &s[i].serial,
                               &s[i].status, ngx_max(job->seq, applied))
            != NGX_OK)
        {
            return NGX_AGAIN;
        }

        entered++;
    }

    walk->entered += entered;

    ngx_pki_follower_fill_measure(fill);

    return NGX_OK;
}


static ngx_uint_t
ngx_pki_follower_walk_remembers(ngx_pki_follower_walk_t *walk, uint64_t seq,
    uint64_t applied)
{
    return seq >= applied
           || (applied == walk->last && seq + 1 >= walk->first);
}


static ngx_uint_t
ngx_pki_follower_walk_has_changed(ngx_pki_follower_walk_t *walk,
    ngx_pki_serial_t *serial, uint64_t seq, uint64_t applied)
{
    uint64_t           n;
    ngx_pki_serial_t  *changed;

    for (n = seq + 1; n <= applied; n++) {
        changed = &walk->changes[n % NGX_PKI_FILL_CHANGES];

        if (changed->len == serial->len
            && ngx_memcmp(changed->data, serial->data, serial->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/*
 * Where there is not room for all, that of a good one which has expired is the
 * first to be spared; when none is left, only what is revoked or held is worth
 * the place of another one.
 */

static ngx_uint_t
ngx_pki_follower_fill_wants(ngx_pki_follower_fill_t *fill,
    ngx_pki_zone_status_t *status)
{
    if (status->status != NGX_PKI_STATUS_GOOD) {
        return 1;
    }

    if (fill->scarce && status->not_after < ngx_time()) {
        return 0;
    }

    return !fill->full || !fill->scarce;
}


/* whether something had to give way */

static void
ngx_pki_follower_fill_measure(ngx_pki_follower_fill_t *fill)
{
    ngx_pki_zone_usage_t  usage;

    ngx_pki_zone_usage(fill->zone, &usage);

    if (usage.evictions != fill->evictions) {
        fill->full = 1;
    }
}


static void
ngx_pki_follower_fill_move(ngx_pki_follower_fill_t *fill,
    ngx_pki_store_job_t *job)
{
    ngx_pki_follower_walk_t  *walk;

    walk = fill->walk;

    walk->retry_at = 0;
    walk->filled->total = job->total;
    walk->malformed += job->malformed;

    ngx_pki_follower_fill_judge(fill);

    if (job->cursor.len == 0) {
        ngx_pki_follower_fill_end(fill, walk);
        return;
    }

    walk->cursor.data = walk->cursor_text;
    walk->cursor.len = ngx_min(job->cursor.len, NGX_PKI_FILL_CURSOR);

    ngx_memcpy(walk->cursor_text, job->cursor.data, walk->cursor.len);
}


static void
ngx_pki_follower_fill_judge(ngx_pki_follower_fill_t *fill)
{
    size_t                size;
    ngx_uint_t            i, total;
    ngx_shm_zone_t       *shm_zone;
    ngx_pki_zone_usage_t  usage;

    ngx_pki_zone_usage(fill->zone, &usage);

    total = 0;

    for (i = 0; i < fill->n; i++) {
        total += fill->walks[i].filled->total;
    }

    fill->scarce = (total > usage.statuses_max);

    if (!fill->full || !fill->scarce || fill->told) {
        return;
    }

    fill->told = 1;
    shm_zone = fill->zone->shm_zone;

    /* a tenth more, for those to come */

    size = (size_t) (1.1 * total / usage.statuses_max * shm_zone->shm.size);

    ngx_log_error(NGX_LOG_WARN, fill->log, 0,
                  "zone \"%V\" is too small: it has room for the statuses of "
                  "%ui certificates, there are %ui; a size of %uzm would do",
                  &shm_zone->shm.name, usage.statuses_max, total,
                  size / (1024 * 1024) + 1);
}


/* the same slice again, others meanwhile */

static void
ngx_pki_follower_fill_failed(ngx_pki_follower_fill_t *fill)
{
    ngx_str_t  name;

    if (!fill->reported) {
        fill->reported = 1;

        name.data = fill->walk->store->slot->name;
        name.len = fill->walk->store->slot->name_len;

        ngx_log_error(NGX_LOG_ERR, fill->log, 0,
                      "cannot read the statuses of authority \"%V\", "
                      "trying again", &name);
    }

    fill->walk->retry_at = ngx_current_msec + NGX_PKI_FILL_RETRY;

    ngx_add_timer(&fill->timer, NGX_PKI_FILL_PAUSE);
}


static void
ngx_pki_follower_fill_end(ngx_pki_follower_fill_t *fill,
    ngx_pki_follower_walk_t *walk)
{
    ngx_str_t  name;

    walk->filled->epoch = walk->epoch;

    name.data = walk->store->slot->name;
    name.len = walk->store->slot->name_len;

    ngx_log_error(NGX_LOG_NOTICE, fill->log, 0,
                  "authority \"%V\": %ui statuses of %ui certificates were "
                  "read in %M ms", &name, walk->entered,
                  (ngx_uint_t) walk->filled->total,
                  ngx_current_msec - walk->begun);

    if (walk->malformed != 0) {
        ngx_log_error(NGX_LOG_ERR, fill->log, 0,
                      "authority \"%V\": %ui records in redis are malformed, "
                      "their status is not told", &name, walk->malformed);
    }
}
