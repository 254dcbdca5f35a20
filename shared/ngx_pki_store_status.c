
/*
 * Copyright (C) the ngx_pki authors
 *
 * The status of a certificate: from the zone, else from Redis into the zone.
 */


#include "ngx_pki_store_job.h"


/*
 * Random serial numbers are never in the zone.  So many that Redis does not
 * know may be looked up by one worker and authority at once, and one more each
 * millisecond; those in flight count, for what will be known of them is not
 * known yet.
 */

#define NGX_PKI_STORE_BUDGET       1000

/* an answer may have been overtaken by the log so many times */

#define NGX_PKI_STORE_MAX_TRIES    4

/*
 * A worker that has just started is not connected yet.  If another one has
 * heard of Redis within the last seconds it will be soon: some milliseconds.
 */

#define NGX_PKI_STORE_HEARD        3
#define NGX_PKI_STORE_CONNECT      150


static ngx_uint_t ngx_pki_store_status_known(ngx_pki_store_t *store,
    ngx_pki_serial_t *serial, ngx_pki_zone_status_t *status,
    time_t *known_at);
static ngx_uint_t ngx_pki_store_status_is_down(ngx_pki_store_t *store,
    ngx_str_t *error);
static ngx_uint_t ngx_pki_store_status_heard(ngx_pki_store_t *store);
static ngx_int_t ngx_pki_store_status_away(ngx_pki_store_t *store,
    ngx_pki_zone_status_t *status, ngx_str_t *error);
static ngx_uint_t ngx_pki_store_status_is_spent(ngx_pki_store_t *store);
static ngx_int_t ngx_pki_store_status_shed(ngx_pki_store_t *store);
static ngx_uint_t ngx_pki_store_status_tells(ngx_pki_store_t *store);
static void ngx_pki_store_status_ask(ngx_pki_store_job_t *job);
static void ngx_pki_store_status_handler(ngx_pki_redis_command_t *cmd);
static void ngx_pki_store_status_process(ngx_pki_store_job_t *job,
    redisReply *reply);
static void ngx_pki_store_status_missing(ngx_pki_store_job_t *job,
    uint64_t seq);
static void ngx_pki_store_status_again(ngx_pki_store_job_t *job);
static void ngx_pki_store_status_without(ngx_pki_store_job_t *job,
    ngx_pki_store_result_e result);
static void ngx_pki_store_status_done(ngx_pki_store_job_t *job,
    ngx_pki_store_result_e result);


void
ngx_pki_store_status(ngx_pki_store_job_t *job)
{
    ngx_pki_store_start(job, "looking up a status");

    switch (ngx_pki_store_status_peek(job->store, &job->serial, &job->status,
                                      &job->known_at))
    {
    case NGX_OK:
        ngx_pki_store_done(job, NGX_PKI_STORE_OK);
        break;

    case NGX_BUSY:
        ngx_pki_store_defer(job, NGX_PKI_STORE_UNAVAILABLE);
        break;

    default:
        job->store->lookups++;
        ngx_pki_store_status_ask(job);
        break;
    }
}


ngx_int_t
ngx_pki_store_status_peek(ngx_pki_store_t *store, ngx_pki_serial_t *serial,
    ngx_pki_zone_status_t *status, time_t *known_at)
{
    ngx_str_t  error;

    if (ngx_pki_store_status_known(store, serial, status, known_at)) {
        return NGX_OK;
    }

    if (ngx_pki_store_status_is_down(store, &error)) {
        return ngx_pki_store_status_away(store, status, &error);
    }

    if (ngx_pki_store_status_is_spent(store)) {
        return ngx_pki_store_status_shed(store);
    }

    return NGX_DECLINED;
}


/* before the follower has begun nothing keeps the zone up to date */

static ngx_uint_t
ngx_pki_store_status_known(ngx_pki_store_t *store, ngx_pki_serial_t *serial,
    ngx_pki_zone_status_t *status, time_t *known_at)
{
    ngx_int_t  rc;

    /* the moment first: the status is as new as that, or newer */

    *known_at = ngx_pki_zone_moment_time(&store->slot->synced);

    rc = ngx_pki_zone_lookup(store->zone, store->slot, serial, status);

    if (*known_at == 0) {
        status->status = NGX_PKI_STATUS_UNKNOWN;
        return 0;
    }

    return rc == NGX_OK;
}


static ngx_uint_t
ngx_pki_store_status_is_down(ngx_pki_store_t *store, ngx_str_t *error)
{
    return !ngx_pki_redis_is_up(store->redis, error)
           && !ngx_pki_store_status_heard(store);
}


static ngx_uint_t
ngx_pki_store_status_heard(ngx_pki_store_t *store)
{
    return ngx_time() - ngx_pki_zone_moment_time(&store->slot->synced)
           <= NGX_PKI_STORE_HEARD;
}


/* a certificate that was held before the log had a gap still is */

static ngx_int_t
ngx_pki_store_status_away(ngx_pki_store_t *store,
    ngx_pki_zone_status_t *status, ngx_str_t *error)
{
    ngx_str_t  name;

    if (status->status == NGX_PKI_STATUS_HOLD) {
        return NGX_OK;
    }

    if (ngx_pki_store_status_tells(store)) {
        name.data = store->slot->name;
        name.len = store->slot->name_len;

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "a status of authority \"%V\" is not known, and redis "
                      "is down: %V", &name, error);
    }

    return NGX_BUSY;
}


/* what was spent comes back, one a millisecond */

static ngx_uint_t
ngx_pki_store_status_is_spent(ngx_pki_store_t *store)
{
    ngx_msec_t  elapsed;

    elapsed = ngx_current_msec - store->spent_at;

    store->spent -= ngx_min(store->spent, elapsed);
    store->spent_at = ngx_current_msec;

    return store->spent + store->lookups >= NGX_PKI_STORE_BUDGET;
}


static ngx_int_t
ngx_pki_store_status_shed(ngx_pki_store_t *store)
{
    ngx_str_t  name;

    if (ngx_pki_store_status_tells(store)) {
        name.data = store->slot->name;
        name.len = store->slot->name_len;

        if (store->spent < NGX_PKI_STORE_BUDGET / 2) {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "authority \"%V\": %ui lookups wait for redis, "
                          "no more are made", &name, store->lookups);

        } else {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "authority \"%V\": too many unknown serial numbers,"
                          " more than %d a second are not looked up", &name,
                          NGX_PKI_STORE_BUDGET);
        }
    }

    return NGX_BUSY;
}


/* once a second is enough: clients decide how often it happens */

static ngx_uint_t
ngx_pki_store_status_tells(ngx_pki_store_t *store)
{
    if (store->shed_at == ngx_time()) {
        return 0;
    }

    store->shed_at = ngx_time();

    return 1;
}


static void
ngx_pki_store_status_ask(ngx_pki_store_job_t *job)
{
    u_char     hex[2 * NGX_PKI_SERIAL_LEN];
    ngx_str_t  serial, error;

    serial.data = hex;
    serial.len = ngx_pki_serial_print(hex, &job->serial);

    ngx_pki_store_eval(job, NGX_PKI_SCRIPT_STATUS, 2, 2);
    ngx_pki_store_key(job, "ca", NULL);
    ngx_pki_store_key(job, "cert:", &serial);

    job->repeatable = ngx_pki_redis_is_up(job->store->redis, &error);

    if (!job->repeatable) {
        job->command.timeout = NGX_PKI_STORE_CONNECT;
    }

    ngx_pki_zone_moment(&job->asked);

    /* without memory it ends without the handler */

    if (job->argv == NULL) {
        job->store->lookups--;
    }

    ngx_pki_store_send(job, ngx_pki_store_status_handler);
}


static void
ngx_pki_store_status_handler(ngx_pki_redis_command_t *cmd)
{
    ngx_int_t             rc;
    ngx_pki_store_job_t  *job;

    job = cmd->data;

    rc = ngx_pki_store_check(job, REDIS_REPLY_ARRAY);

    if (rc == NGX_OK) {
        ngx_pki_store_status_process(job, cmd->reply);

    } else if (rc == NGX_ERROR) {
        ngx_pki_store_status_without(job, NGX_PKI_STORE_UNAVAILABLE);
    }
}


static void
ngx_pki_store_status_process(ngx_pki_store_job_t *job, redisReply *reply)
{
    uint64_t                seq;
    ngx_pki_store_t        *store;
    ngx_pki_zone_status_t   status;

    store = job->store;

    if (reply->elements != 6
        || ngx_pki_store_reply_number(reply->element[5], &seq) != NGX_OK)
    {
        store->lookups--;
        ngx_pki_store_malformed(job, "status");
        return;
    }

    if (reply->element[0]->type == REDIS_REPLY_NIL) {
        ngx_pki_store_status_missing(job, seq);
        return;
    }

    if (ngx_pki_store_status_decode(reply->element, &status) != NGX_OK) {
        store->lookups--;
        ngx_pki_store_malformed(job, "status");
        return;
    }

    status.epoch = job->status.epoch;

    if (ngx_pki_zone_enter(store->zone, store->slot, &job->serial, &status,
                           seq)
        != NGX_OK)
    {
        ngx_pki_store_status_again(job);
        return;
    }

    job->status = status;
    job->known_at = ngx_pki_zone_moment_time(&job->asked);

    ngx_pki_store_status_done(job, NGX_PKI_STORE_OK);
}


static void
ngx_pki_store_status_missing(ngx_pki_store_job_t *job, uint64_t seq)
{
    job->store->spent++;

    if (seq < job->store->slot->applied) {
        ngx_pki_store_status_again(job);
        return;
    }

    /* that there is none is known from this answer, not from the log */

    job->known_at = ngx_pki_zone_moment_time(&job->asked);

    ngx_pki_store_status_without(job, NGX_PKI_STORE_NOT_FOUND);
}


ngx_int_t
ngx_pki_store_status_decode(redisReply **e, ngx_pki_zone_status_t *status)
{
    ngx_str_t  s;

    ngx_memzero(status, sizeof(ngx_pki_zone_status_t));

    if (ngx_pki_store_reply_string(e[0], &s) != NGX_OK
        || ngx_pki_status_parse(&s, &status->status) != NGX_OK
        || ngx_pki_store_reply_time(e[3], &status->not_after) != NGX_OK
        || ngx_pki_store_reply_number(e[4], &status->version) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (e[1]->type != REDIS_REPLY_NIL
        && (ngx_pki_store_reply_string(e[1], &s) != NGX_OK
            || ngx_pki_reason_decode(&s, &status->reason) != NGX_OK))
    {
        return NGX_ERROR;
    }

    if (e[2]->type != REDIS_REPLY_NIL
        && ngx_pki_store_reply_time(e[2], &status->revoked_at) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_pki_status_check(status->status, status->reason,
                                status->revoked_at);
}


/* the log has overtaken the answer; perhaps it has brought the status */

static void
ngx_pki_store_status_again(ngx_pki_store_job_t *job)
{
    if (ngx_pki_store_status_known(job->store, &job->serial, &job->status,
                                   &job->known_at))
    {
        ngx_pki_store_status_done(job, NGX_PKI_STORE_OK);
        return;
    }

    if (job->tries >= NGX_PKI_STORE_MAX_TRIES) {
        ngx_log_error(NGX_LOG_ERR, job->op->log, 0,
                      "answers of redis are older than its change log");
        ngx_pki_store_status_without(job, NGX_PKI_STORE_UNAVAILABLE);
        return;
    }

    ngx_pki_store_status_ask(job);
}


/* Redis does not say; if the certificate was held once, it still is */

static void
ngx_pki_store_status_without(ngx_pki_store_job_t *job,
    ngx_pki_store_result_e result)
{
    if (job->status.status == NGX_PKI_STATUS_HOLD) {
        result = NGX_PKI_STORE_OK;
    }

    ngx_pki_store_status_done(job, result);
}


static void
ngx_pki_store_status_done(ngx_pki_store_job_t *job,
    ngx_pki_store_result_e result)
{
    job->store->lookups--;

    ngx_pki_store_done(job, result);
}
