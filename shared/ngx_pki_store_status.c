
/*
 * Copyright (C) the ngx_pki authors
 *
 * The status of a certificate: from the zone, else from Redis into the zone.
 */


#include "ngx_pki_store_job.h"


/*
 * Questions to Redis of one worker and authority at a time: random serial
 * numbers are never in the zone and must not pile up.
 */

#define NGX_PKI_STORE_MAX_LOOKUPS  1024

/* an answer may have been overtaken by the log so many times */

#define NGX_PKI_STORE_MAX_TRIES    4

/*
 * A worker that has just started is not connected yet.  If another one has
 * heard of Redis within the last seconds it will be soon: some milliseconds.
 */

#define NGX_PKI_STORE_HEARD        3
#define NGX_PKI_STORE_CONNECT      150


static ngx_uint_t ngx_pki_store_status_known(ngx_pki_store_job_t *job);
static ngx_uint_t ngx_pki_store_status_is_down(ngx_pki_store_job_t *job,
    ngx_str_t *error);
static ngx_uint_t ngx_pki_store_status_heard(ngx_pki_store_t *store);
static void ngx_pki_store_status_away(ngx_pki_store_job_t *job,
    ngx_str_t *error);
static void ngx_pki_store_status_shed(ngx_pki_store_job_t *job);
static ngx_uint_t ngx_pki_store_status_tells(ngx_pki_store_t *store);
static void ngx_pki_store_status_ask(ngx_pki_store_job_t *job);
static void ngx_pki_store_status_handler(ngx_pki_redis_command_t *cmd);
static void ngx_pki_store_status_process(ngx_pki_store_job_t *job,
    redisReply *reply);
static ngx_int_t ngx_pki_store_status_decode(redisReply *reply,
    ngx_pki_zone_status_t *status);
static void ngx_pki_store_status_again(ngx_pki_store_job_t *job);
static void ngx_pki_store_status_without(ngx_pki_store_job_t *job,
    ngx_pki_store_result_e result);
static void ngx_pki_store_status_done(ngx_pki_store_job_t *job,
    ngx_pki_store_result_e result);


void
ngx_pki_store_status(ngx_pki_store_job_t *job)
{
    ngx_str_t  error;

    ngx_pki_store_start(job, "looking up a status");

    if (ngx_pki_store_status_known(job)) {
        ngx_pki_store_done(job, NGX_PKI_STORE_OK);
        return;
    }

    if (ngx_pki_store_status_is_down(job, &error)) {
        ngx_pki_store_status_away(job, &error);
        return;
    }

    if (job->store->lookups >= NGX_PKI_STORE_MAX_LOOKUPS) {
        ngx_pki_store_status_shed(job);
        return;
    }

    job->store->lookups++;

    ngx_pki_store_status_ask(job);
}


/* before the follower has begun nothing keeps the zone up to date */

static ngx_uint_t
ngx_pki_store_status_known(ngx_pki_store_job_t *job)
{
    time_t            known_at;
    ngx_int_t         rc;
    ngx_pki_store_t  *store;

    store = job->store;

    known_at = ngx_pki_zone_moment_time(&store->slot->synced);

    rc = ngx_pki_zone_lookup(store->zone, store->slot, &job->serial,
                             &job->status);

    if (known_at == 0) {
        job->status.status = NGX_PKI_STATUS_UNKNOWN;
        return 0;
    }

    job->known_at = known_at;

    return rc == NGX_OK;
}


static ngx_uint_t
ngx_pki_store_status_is_down(ngx_pki_store_job_t *job, ngx_str_t *error)
{
    return !ngx_pki_redis_is_up(job->store->redis, error)
           && !ngx_pki_store_status_heard(job->store);
}


static ngx_uint_t
ngx_pki_store_status_heard(ngx_pki_store_t *store)
{
    return ngx_time() - ngx_pki_zone_moment_time(&store->slot->synced)
           <= NGX_PKI_STORE_HEARD;
}


/* a certificate that was held before the log had a gap still is */

static void
ngx_pki_store_status_away(ngx_pki_store_job_t *job, ngx_str_t *error)
{
    if (job->status.status == NGX_PKI_STATUS_HOLD) {
        ngx_pki_store_done(job, NGX_PKI_STORE_OK);
        return;
    }

    if (ngx_pki_store_status_tells(job->store)) {
        ngx_log_error(NGX_LOG_ERR, job->op->log, 0, "redis is down: %V",
                      error);
    }

    ngx_pki_store_defer(job, NGX_PKI_STORE_UNAVAILABLE);
}


static void
ngx_pki_store_status_shed(ngx_pki_store_job_t *job)
{
    if (ngx_pki_store_status_tells(job->store)) {
        ngx_log_error(NGX_LOG_WARN, job->op->log, 0,
                      "more than %d lookups are waiting for redis",
                      NGX_PKI_STORE_MAX_LOOKUPS);
    }

    ngx_pki_store_defer(job, NGX_PKI_STORE_UNAVAILABLE);
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

        if (seq < store->slot->applied) {
            ngx_pki_store_status_again(job);
            return;
        }

        ngx_pki_store_status_without(job, NGX_PKI_STORE_NOT_FOUND);
        return;
    }

    if (ngx_pki_store_status_decode(reply, &status) != NGX_OK) {
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


static ngx_int_t
ngx_pki_store_status_decode(redisReply *reply, ngx_pki_zone_status_t *status)
{
    ngx_str_t     s;
    redisReply  **e;

    e = reply->element;

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
    if (ngx_pki_store_status_known(job)) {
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
