
/*
 * Copyright (C) the ngx_pki authors
 *
 * A round: ask for the position of every log, compare it with the zone's,
 * then XREAD, again and again, for about a second; then the next round.  So a
 * Redis that was flushed or restored is noticed although nothing is read, and
 * a change is seen as soon as it is made.  After any trouble the next tick of
 * the timer begins a new round.
 */


#include "ngx_pki_follower_log.h"
#include "ngx_pki_store_job.h"


#define NGX_PKI_FOLLOWER_POOL_SIZE  4096
#define NGX_PKI_FOLLOWER_TICK       200      /* milliseconds, all of these */
#define NGX_PKI_FOLLOWER_ROUND      1000
#define NGX_PKI_FOLLOWER_BLOCK      1000
#define NGX_PKI_FOLLOWER_TIMEOUT    3000


struct ngx_pki_follower_s {
    ngx_pki_redis_conf_t      *conf;
    ngx_pki_zone_t            *zone;
    ngx_pool_t                *pool;         /* owns this structure, too */
    ngx_log_t                  log;

    ngx_pki_redis_t           *redis;        /* while it has the lease */
    ngx_event_t                timer;        /* cancelable */

    ngx_pki_follower_log_t    *logs;
    ngx_uint_t                 n;
    ngx_pki_follower_fill_t   *fill;

    ngx_pki_redis_command_t    command;      /* XREAD */
    ngx_str_t                 *argv;
    ngx_pki_zone_moment_t      asked;        /* when it was sent */

    ngx_uint_t                 waiting;      /* for answers */
    ngx_msec_t                 round;        /* when it began */
    unsigned                   failed:1;     /* this round */
    unsigned                   reported:1;
};


static void ngx_pki_follower_timer_handler(ngx_event_t *ev);
static void ngx_pki_follower_stop(ngx_pki_follower_t *follower);
static void ngx_pki_follower_round(ngx_pki_follower_t *follower);
static void ngx_pki_follower_ask_position(ngx_pki_follower_log_t *log);
static void ngx_pki_follower_position_handler(ngx_pki_redis_command_t *cmd);
static void ngx_pki_follower_read(ngx_pki_follower_t *follower);
static void ngx_pki_follower_read_handler(ngx_pki_redis_command_t *cmd);
static ngx_int_t ngx_pki_follower_process(ngx_pki_follower_t *follower,
    redisReply *reply);
static ngx_pki_follower_log_t *ngx_pki_follower_find(
    ngx_pki_follower_t *follower, redisReply *key);
static void ngx_pki_follower_synced(ngx_pki_follower_t *follower);
static ngx_uint_t ngx_pki_follower_answered(ngx_pki_follower_t *follower,
    ngx_pki_redis_command_t *cmd);


ngx_pki_follower_t *
ngx_pki_follower_create(ngx_pki_redis_conf_t *conf, ngx_pki_zone_t *zone,
    ngx_pki_store_t **stores, ngx_uint_t n, ngx_log_t *log)
{
    ngx_uint_t           i;
    ngx_pool_t          *pool;
    ngx_pki_follower_t  *follower;

    pool = ngx_create_pool(NGX_PKI_FOLLOWER_POOL_SIZE, log);
    if (pool == NULL) {
        return NULL;
    }

    follower = ngx_pcalloc(pool, sizeof(ngx_pki_follower_t));
    if (follower == NULL) {
        goto failed;
    }

    follower->pool = pool;
    follower->conf = conf;
    follower->zone = zone;
    follower->n = n;

    follower->log = *log;
    follower->log.action = "following the change log";

    follower->logs = ngx_pcalloc(pool, (n + 1)
                                       * sizeof(ngx_pki_follower_log_t));
    follower->argv = ngx_palloc(pool, (2 * n + 6) * sizeof(ngx_str_t));

    follower->fill = ngx_pki_follower_fill_create(pool, zone, stores, n,
                                                  &follower->log);

    if (follower->logs == NULL || follower->argv == NULL
        || follower->fill == NULL)
    {
        goto failed;
    }

    for (i = 0; i < n; i++) {
        follower->logs[i].follower = follower;

        if (ngx_pki_follower_log_init(&follower->logs[i], pool, stores[i],
                                      &follower->log)
            != NGX_OK)
        {
            goto failed;
        }

        ngx_pki_follower_restore_init(&follower->logs[i].restore, stores[i],
                                      &follower->log);

        follower->logs[i].walk = ngx_pki_follower_fill_walk(follower->fill,
                                                            i);
    }

    follower->timer.handler = ngx_pki_follower_timer_handler;
    follower->timer.data = follower;
    follower->timer.log = &follower->log;
    follower->timer.cancelable = 1;

    ngx_add_timer(&follower->timer, 0);

    return follower;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


void
ngx_pki_follower_destroy(ngx_pki_follower_t *follower)
{
    ngx_uint_t  i;

    if (follower->timer.timer_set) {
        ngx_del_timer(&follower->timer);
    }

    for (i = 0; i < follower->n; i++) {
        ngx_pki_follower_restore_stop(&follower->logs[i].restore);
    }

    ngx_pki_follower_fill_stop(follower->fill);

    ngx_pki_follower_stop(follower);

    ngx_destroy_pool(follower->pool);
}


/*
 * A quitting worker gives the lease back at once: the new workers are there
 * already and take it at their next tick.
 */

static void
ngx_pki_follower_timer_handler(ngx_event_t *ev)
{
    ngx_str_t            error;
    ngx_uint_t           i;
    ngx_pki_follower_t  *follower;

    follower = ev->data;

    if (ngx_exiting) {
        ngx_pki_follower_stop(follower);
        return;
    }

    ngx_add_timer(ev, NGX_PKI_FOLLOWER_TICK);

    if (!ngx_pki_zone_lead(follower->zone)) {
        ngx_pki_follower_stop(follower);
        return;
    }

    if (follower->n == 0) {
        return;
    }

    for (i = 0; i < follower->n; i++) {
        ngx_pki_follower_restore(&follower->logs[i].restore);
    }

    ngx_pki_follower_fill(follower->fill);

    if (follower->redis == NULL) {
        follower->redis = ngx_pki_redis_create(follower->conf, 1,
                                               &follower->log);
        if (follower->redis == NULL) {
            return;
        }
    }

    if (follower->waiting == 0 && ngx_pki_redis_is_up(follower->redis, &error))
    {
        ngx_pki_follower_round(follower);
    }
}


/* only from the timer and at exit: never from a handler of the connection */

static void
ngx_pki_follower_stop(ngx_pki_follower_t *follower)
{
    if (follower->redis != NULL) {
        ngx_pki_redis_destroy(follower->redis);

        follower->redis = NULL;
        follower->waiting = 0;
        follower->reported = 0;
    }

    ngx_pki_zone_resign(follower->zone);
}


static void
ngx_pki_follower_round(ngx_pki_follower_t *follower)
{
    ngx_uint_t  i;

    follower->round = ngx_current_msec;
    follower->failed = 0;
    follower->waiting = follower->n;

    for (i = 0; i < follower->n; i++) {
        ngx_pki_follower_ask_position(&follower->logs[i]);
    }
}


static void
ngx_pki_follower_ask_position(ngx_pki_follower_log_t *log)
{
    ngx_pki_follower_log_place(log);

    log->argv[4] = log->id;

    ngx_memzero(&log->command, sizeof(ngx_pki_redis_command_t));

    log->command.script = ngx_pki_store_script(NGX_PKI_SCRIPT_POSITION);
    log->command.argc = 5;
    log->command.argv = log->argv;
    log->command.background = 1;
    log->command.handler = ngx_pki_follower_position_handler;
    log->command.data = log;
    log->command.log = log->log;

    ngx_pki_zone_moment(&log->asked);

    ngx_pki_redis_send(log->follower->redis, &log->command);
}


static void
ngx_pki_follower_position_handler(ngx_pki_redis_command_t *cmd)
{
    ngx_pki_follower_t      *follower;
    ngx_pki_follower_log_t  *log;

    log = cmd->data;
    follower = log->follower;

    if (!ngx_pki_follower_answered(follower, cmd)
        || ngx_pki_follower_log_position(log, cmd->reply) != NGX_OK)
    {
        follower->failed = 1;
    }

    follower->waiting--;

    if (follower->waiting == 0 && !follower->failed) {
        ngx_pki_follower_read(follower);
    }
}


static void
ngx_pki_follower_read(ngx_pki_follower_t *follower)
{
    ngx_str_t               *argv;
    ngx_uint_t               i, n;
    ngx_pki_follower_log_t  *log;

    argv = follower->argv;
    n = follower->n;

    ngx_str_set(&argv[0], "XREAD");
    ngx_str_set(&argv[1], "COUNT");
    ngx_str_set(&argv[2], ngx_value(NGX_PKI_FOLLOWER_COUNT));
    ngx_str_set(&argv[3], "BLOCK");
    ngx_str_set(&argv[4], ngx_value(NGX_PKI_FOLLOWER_BLOCK));
    ngx_str_set(&argv[5], "STREAMS");

    for (i = 0; i < n; i++) {
        log = &follower->logs[i];

        ngx_pki_follower_log_place(log);

        argv[6 + i] = log->key;
        argv[6 + n + i] = log->id;
    }

    ngx_memzero(&follower->command, sizeof(ngx_pki_redis_command_t));

    follower->command.argc = 6 + 2 * n;
    follower->command.argv = argv;
    follower->command.timeout = NGX_PKI_FOLLOWER_TIMEOUT;
    follower->command.background = 1;
    follower->command.handler = ngx_pki_follower_read_handler;
    follower->command.data = follower;
    follower->command.log = &follower->log;

    follower->waiting = 1;
    ngx_pki_zone_moment(&follower->asked);

    ngx_pki_redis_send(follower->redis, &follower->command);
}


static void
ngx_pki_follower_read_handler(ngx_pki_redis_command_t *cmd)
{
    ngx_msec_t           elapsed;
    ngx_pki_follower_t  *follower;

    follower = cmd->data;

    follower->waiting = 0;

    if (!ngx_pki_follower_answered(follower, cmd)) {
        return;
    }

    elapsed = ngx_current_msec - follower->round;

    if (ngx_pki_follower_process(follower, cmd->reply) == NGX_OK) {

        if (elapsed < NGX_PKI_FOLLOWER_ROUND) {
            ngx_pki_follower_read(follower);
            return;
        }

    } else if (elapsed < NGX_PKI_FOLLOWER_TICK) {

        /* whatever is wrong, it must not keep the worker busy */

        return;
    }

    ngx_pki_follower_round(follower);
}


/* NGX_DECLINED: something does not fit; a new round is needed */

static ngx_int_t
ngx_pki_follower_process(ngx_pki_follower_t *follower, redisReply *reply)
{
    ngx_uint_t               i;
    redisReply              *stream;
    ngx_pki_follower_log_t  *log;

    for (i = 0; i < follower->n; i++) {
        follower->logs[i].behind = 0;
    }

    if (reply->type == REDIS_REPLY_NIL) {
        ngx_pki_follower_synced(follower);
        return NGX_OK;
    }

    if (reply->type != REDIS_REPLY_ARRAY) {
        return NGX_DECLINED;
    }

    for (i = 0; i < reply->elements; i++) {
        stream = reply->element[i];

        if (stream->type != REDIS_REPLY_ARRAY || stream->elements != 2) {
            return NGX_DECLINED;
        }

        log = ngx_pki_follower_find(follower, stream->element[0]);

        if (log == NULL
            || ngx_pki_follower_log_entries(log, stream->element[1]) != NGX_OK)
        {
            return NGX_DECLINED;
        }
    }

    ngx_pki_follower_synced(follower);

    return NGX_OK;
}


static ngx_pki_follower_log_t *
ngx_pki_follower_find(ngx_pki_follower_t *follower, redisReply *key)
{
    ngx_str_t                name;
    ngx_uint_t               i;
    ngx_pki_follower_log_t  *log;

    if (ngx_pki_store_reply_string(key, &name) != NGX_OK) {
        return NULL;
    }

    for (i = 0; i < follower->n; i++) {
        log = &follower->logs[i];

        if (log->key.len == name.len
            && ngx_memcmp(log->key.data, name.data, name.len) == 0)
        {
            return log;
        }
    }

    return NULL;
}


/*
 * Every log is known up to the moment when it was asked for, unless there may
 * be more than that; not up to now: after a sleep of the machine the answer
 * may be an old one.
 */

static void
ngx_pki_follower_synced(ngx_pki_follower_t *follower)
{
    ngx_uint_t               i;
    ngx_pki_follower_log_t  *log;

    for (i = 0; i < follower->n; i++) {
        log = &follower->logs[i];

        if (!log->behind) {
            log->store->slot->synced = follower->asked;
        }
    }

    if (follower->reported) {
        follower->reported = 0;

        ngx_log_error(NGX_LOG_NOTICE, &follower->log, 0,
                      "the change log is followed again");
    }
}


/* whether there is an answer, and it still is this worker's to use */

static ngx_uint_t
ngx_pki_follower_answered(ngx_pki_follower_t *follower,
    ngx_pki_redis_command_t *cmd)
{
    if (cmd->reply != NULL) {
        return !ngx_exiting && ngx_pki_zone_leads(follower->zone);
    }

    if (!follower->reported && !ngx_exiting) {
        follower->reported = 1;

        ngx_log_error(NGX_LOG_ERR, &follower->log, 0,
                      "cannot follow the change log, redis %s: %V",
                      cmd->refused ? "refused" : "failed", &cmd->error);
    }

    return 0;
}
