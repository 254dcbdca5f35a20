
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_redis_connection.h"


#define NGX_PKI_REDIS_POOL_SIZE     4096
#define NGX_PKI_REDIS_MAX_WAITING   16384

/* milliseconds between two messages about the same trouble */
#define NGX_PKI_REDIS_REPORT_PAUSE  60000


static void ngx_pki_redis_wake(ngx_pki_redis_t *redis);
static ngx_pki_redis_connection_t *ngx_pki_redis_pick(ngx_pki_redis_t *redis,
    ngx_pki_redis_command_t *cmd);
static ngx_uint_t ngx_pki_redis_batch_is_allowed(ngx_pki_redis_t *redis,
    ngx_pki_redis_connection_t *rc);
static void ngx_pki_redis_give(ngx_pki_redis_t *redis,
    ngx_pki_redis_connection_t *rc, ngx_pki_redis_command_t *cmd);
static void ngx_pki_redis_refuse(ngx_pki_redis_t *redis,
    ngx_pki_redis_command_t *cmd, const char *text);
static void ngx_pki_redis_arm(ngx_pki_redis_t *redis, ngx_msec_t deadline);
static void ngx_pki_redis_timer_handler(ngx_event_t *ev);
static void ngx_pki_redis_expire_sent(ngx_pki_redis_t *redis);
static void ngx_pki_redis_expire_waiting(ngx_pki_redis_t *redis,
    ngx_queue_t *late);
static ngx_uint_t ngx_pki_redis_queue_is_late(ngx_queue_t *queue);
static void ngx_pki_redis_arm_queue(ngx_pki_redis_t *redis,
    ngx_queue_t *queue);


ngx_pki_redis_t *
ngx_pki_redis_create(ngx_pki_redis_conf_t *conf, ngx_uint_t connections,
    ngx_log_t *log)
{
    ngx_uint_t        i;
    ngx_pool_t       *pool;
    ngx_pki_redis_t  *redis;

    pool = ngx_create_pool(NGX_PKI_REDIS_POOL_SIZE, log);
    if (pool == NULL) {
        return NULL;
    }

    redis = ngx_pcalloc(pool, sizeof(ngx_pki_redis_t));
    if (redis == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    redis->connections = ngx_pcalloc(pool, connections
                                         * sizeof(ngx_pki_redis_connection_t));
    if (redis->connections == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    redis->conf = conf;
    redis->pool = pool;
    redis->log = log;
    redis->nconnections = connections;

    ngx_queue_init(&redis->waiting);
    ngx_queue_init(&redis->failed);

    redis->timer.handler = ngx_pki_redis_timer_handler;
    redis->timer.data = redis;
    redis->timer.log = log;

    ngx_pki_redis_set_error(redis, 0, "not connected yet");

    for (i = 0; i < connections; i++) {
        ngx_pki_redis_connection_init(&redis->connections[i], redis);
    }

    return redis;
}


void
ngx_pki_redis_destroy(ngx_pki_redis_t *redis)
{
    ngx_uint_t  i;

    for (i = 0; i < redis->nconnections; i++) {
        ngx_pki_redis_connection_release(&redis->connections[i]);
    }

    if (redis->timer.timer_set) {
        ngx_del_timer(&redis->timer);
    }

    ngx_destroy_pool(redis->pool);
}


void
ngx_pki_redis_send(ngx_pki_redis_t *redis, ngx_pki_redis_command_t *cmd)
{
    ngx_msec_t  timeout;

    timeout = cmd->timeout ? cmd->timeout : redis->conf->timeout;

    if (ngx_pki_redis_is_durable(redis, cmd)) {
        timeout += redis->conf->wait_timeout;
    }

    cmd->deadline = ngx_current_msec + timeout;
    cmd->reply = NULL;
    cmd->refused = 0;
    cmd->unacknowledged = 0;
    cmd->whole = 0;

    ngx_str_null(&cmd->error);

    redis->ncommands++;

    if (!cmd->background) {
        redis->nforeground++;
        redis->timer.cancelable = 0;
    }

    if (ngx_exiting && cmd->background) {
        ngx_pki_redis_refuse(redis, cmd, "the worker is exiting");
        return;
    }

    ngx_pki_redis_arm(redis, cmd->deadline);
    ngx_pki_redis_place(redis, cmd);
}


ngx_uint_t
ngx_pki_redis_is_up(ngx_pki_redis_t *redis, ngx_str_t *error)
{
    ngx_uint_t  i;

    for (i = 0; i < redis->nconnections; i++) {
        if (redis->connections[i].state == NGX_PKI_REDIS_UP) {
            return 1;
        }
    }

    /* a worker that quits has closed those that were idle; it makes one again
     * for what it still has to do */

    if (ngx_exiting && redis->connected != 0 && !redis->down) {
        return 1;
    }

    *error = redis->error;

    return 0;
}


ngx_uint_t
ngx_pki_redis_connected(ngx_pki_redis_t *redis)
{
    return redis->connected;
}


void
ngx_pki_redis_place(ngx_pki_redis_t *redis, ngx_pki_redis_command_t *cmd)
{
    ngx_pki_redis_connection_t  *rc;

    rc = ngx_pki_redis_pick(redis, cmd);

    if (rc != NULL) {
        ngx_pki_redis_give(redis, rc, cmd);
        return;
    }

    if (redis->nwaiting >= NGX_PKI_REDIS_MAX_WAITING) {
        ngx_pki_redis_refuse(redis, cmd, "too many commands are waiting");
        return;
    }

    ngx_queue_insert_tail(&redis->waiting, &cmd->queue);
    redis->nwaiting++;

    ngx_pki_redis_wake(redis);
}


void
ngx_pki_redis_take_back(ngx_pki_redis_t *redis, ngx_pki_redis_command_t *cmd)
{
    ngx_queue_insert_head(&redis->waiting, &cmd->queue);
    redis->nwaiting++;
}


void
ngx_pki_redis_dispatch(ngx_pki_redis_t *redis)
{
    ngx_uint_t                   blocked;
    ngx_queue_t                 *q, *next;
    ngx_pki_redis_command_t     *cmd;
    ngx_pki_redis_connection_t  *rc;

    blocked = 0;

    for (q = ngx_queue_head(&redis->waiting);
         q != ngx_queue_sentinel(&redis->waiting);
         q = next)
    {
        next = ngx_queue_next(q);
        cmd = ngx_queue_data(q, ngx_pki_redis_command_t, queue);

        /* durable ones may have to wait while others can go */

        if (blocked && ngx_pki_redis_is_durable(redis, cmd)) {
            continue;
        }

        rc = ngx_pki_redis_pick(redis, cmd);

        if (rc == NULL) {
            if (!ngx_pki_redis_is_durable(redis, cmd)) {
                return;
            }

            blocked = 1;
            continue;
        }

        ngx_queue_remove(q);
        redis->nwaiting--;

        ngx_pki_redis_give(redis, rc, cmd);
    }
}


void
ngx_pki_redis_finish(ngx_pki_redis_t *redis, ngx_pki_redis_command_t *cmd,
    redisReply *reply)
{
    redis->ncommands--;

    if (!cmd->background) {
        redis->nforeground--;
    }

    redis->timer.cancelable = (redis->nforeground == 0);

    if (redis->ncommands == 0 && redis->timer.timer_set) {
        ngx_del_timer(&redis->timer);
    }

    cmd->handler(cmd);

    if (reply != NULL) {
        freeReplyObject(reply);
    }
}


void
ngx_pki_redis_finish_lost(ngx_pki_redis_t *redis, ngx_queue_t *lost)
{
    ngx_queue_t              *q;
    ngx_pki_redis_command_t  *cmd;

    while (!ngx_queue_empty(lost)) {
        q = ngx_queue_head(lost);
        ngx_queue_remove(q);

        cmd = ngx_queue_data(q, ngx_pki_redis_command_t, queue);

        if (cmd->error.len == 0) {
            cmd->error = redis->error;
        }

        ngx_pki_redis_finish(redis, cmd, NULL);
    }
}


void
ngx_pki_redis_set_error(ngx_pki_redis_t *redis, ngx_err_t err,
    const char *text)
{
    u_char  *p, *last, buf[NGX_MAX_ERROR_STR / 8];

    p = redis->error_text;
    last = p + sizeof(redis->error_text);

    if (err == 0) {
        p = ngx_slprintf(p, last, "%s", text);

    } else {
        *ngx_strerror(err, buf, sizeof(buf) - 1) = '\0';
        p = ngx_slprintf(p, last, "%s (%d: %s)", text, err, buf);
    }

    redis->error.data = redis->error_text;
    redis->error.len = p - redis->error_text;
}


void
ngx_pki_redis_report(ngx_pki_redis_t *redis, ngx_log_t *log)
{
    ngx_uint_t  level;

    if (ngx_pki_redis_is_quiet(redis)) {
        return;
    }

    level = redis->down ? NGX_LOG_WARN : NGX_LOG_ERR;

    redis->reported = ngx_current_msec;
    redis->logged = 1;
    redis->down = 1;

    ngx_log_error(level, log, 0, "redis: %V", &redis->error);
}


ngx_uint_t
ngx_pki_redis_is_quiet(ngx_pki_redis_t *redis)
{
    return redis->logged
           && ngx_current_msec - redis->reported < NGX_PKI_REDIS_REPORT_PAUSE;
}


/*
 * A quitting worker closes what is idle and connects no more, but for the
 * commands of work that it still has to finish.
 */

static void
ngx_pki_redis_wake(ngx_pki_redis_t *redis)
{
    ngx_uint_t                   i;
    ngx_pki_redis_connection_t  *rc;

    for (i = 0; i < redis->nconnections; i++) {
        rc = &redis->connections[i];

        if (rc->state != NGX_PKI_REDIS_CLOSED || rc->timer.timer_set) {
            return;
        }
    }

    ngx_add_timer(&redis->connections[0].timer, 0);
}


static ngx_pki_redis_connection_t *
ngx_pki_redis_pick(ngx_pki_redis_t *redis, ngx_pki_redis_command_t *cmd)
{
    ngx_uint_t                   i;
    ngx_pki_redis_connection_t  *rc, *best;

    best = NULL;

    for (i = 0; i < redis->nconnections; i++) {
        rc = &redis->connections[i];

        if (!ngx_pki_redis_stream_is_ready(rc)) {
            continue;
        }

        if (ngx_pki_redis_is_durable(redis, cmd)
            && !ngx_pki_redis_batch_is_allowed(redis, rc))
        {
            continue;
        }

        if (best == NULL || rc->ncommands < best->ncommands) {
            best = rc;
        }
    }

    return best;
}


/*
 * WAIT holds up all that follows on its connection, for as long as replicas
 * are slow; so one connection of several is kept free of it.
 */

static ngx_uint_t
ngx_pki_redis_batch_is_allowed(ngx_pki_redis_t *redis,
    ngx_pki_redis_connection_t *rc)
{
    ngx_uint_t                   i, up, busy;
    ngx_pki_redis_connection_t  *other;

    if (rc->batch) {
        return 1;
    }

    up = 0;
    busy = 0;

    for (i = 0; i < redis->nconnections; i++) {
        other = &redis->connections[i];

        if (other->state == NGX_PKI_REDIS_UP) {
            up++;

            if (other->batch || other->wait_len != 0) {
                busy++;
            }
        }
    }

    return up == 1 || busy + 1 < up;
}


static void
ngx_pki_redis_give(ngx_pki_redis_t *redis, ngx_pki_redis_connection_t *rc,
    ngx_pki_redis_command_t *cmd)
{
    if (ngx_pki_redis_stream_add(rc, cmd) != NGX_OK) {
        ngx_pki_redis_refuse(redis, cmd, "out of memory");
    }
}


/*
 * The timer tells it, for the caller is still at it.  What a quitting worker
 * refuses would be sent again and again; so it is told when it had failed.
 */

static void
ngx_pki_redis_refuse(ngx_pki_redis_t *redis, ngx_pki_redis_command_t *cmd,
    const char *text)
{
    cmd->error.data = (u_char *) text;
    cmd->error.len = ngx_strlen(text);

    if (!ngx_exiting || !cmd->background) {
        cmd->deadline = ngx_current_msec;
    }

    ngx_queue_insert_tail(&redis->failed, &cmd->queue);

    ngx_pki_redis_arm(redis, cmd->deadline);
}


static void
ngx_pki_redis_arm(ngx_pki_redis_t *redis, ngx_msec_t deadline)
{
    ngx_msec_int_t  delay;

    if (redis->timer.timer_set) {
        if ((ngx_msec_int_t) (deadline - redis->timer.timer.key) >= 0) {
            return;
        }

        ngx_del_timer(&redis->timer);
    }

    delay = (ngx_msec_int_t) (deadline - ngx_current_msec);

    ngx_add_timer(&redis->timer, (ngx_msec_t) ngx_max(delay, 0));
}


/*
 * The timer is not moved when a command is answered, only when an earlier
 * deadline comes, so it may find nothing late; then it looks for the next.
 */

static void
ngx_pki_redis_timer_handler(ngx_event_t *ev)
{
    ngx_uint_t        i;
    ngx_queue_t       late;
    ngx_pki_redis_t  *redis;

    redis = ev->data;

    ngx_pki_redis_expire_sent(redis);

    ngx_queue_init(&late);
    ngx_pki_redis_expire_waiting(redis, &late);

    /* armed first: handlers may send, or the last one ends the need */

    for (i = 0; i < redis->nconnections; i++) {
        ngx_pki_redis_arm_queue(redis, &redis->connections[i].pending);
        ngx_pki_redis_arm_queue(redis, &redis->connections[i].held);
    }

    ngx_pki_redis_arm_queue(redis, &redis->waiting);
    ngx_pki_redis_arm_queue(redis, &redis->failed);

    ngx_pki_redis_finish_lost(redis, &late);
}


/* RESP numbers no replies: without one of them the others have no owner */

static void
ngx_pki_redis_expire_sent(ngx_pki_redis_t *redis)
{
    ngx_uint_t                   i;
    ngx_pki_redis_connection_t  *rc;

    for (i = 0; i < redis->nconnections; i++) {
        rc = &redis->connections[i];

        if (ngx_pki_redis_queue_is_late(&rc->pending)
            || ngx_pki_redis_queue_is_late(&rc->held))
        {
            ngx_pki_redis_connection_fail(rc, 0, "no answer in time");
        }
    }
}


static void
ngx_pki_redis_expire_waiting(ngx_pki_redis_t *redis, ngx_queue_t *late)
{
    ngx_queue_t              *q, *next;
    ngx_pki_redis_command_t  *cmd;

    if (!ngx_queue_empty(&redis->failed)) {
        ngx_queue_add(late, &redis->failed);
        ngx_queue_init(&redis->failed);
    }

    for (q = ngx_queue_head(&redis->waiting);
         q != ngx_queue_sentinel(&redis->waiting);
         q = next)
    {
        next = ngx_queue_next(q);
        cmd = ngx_queue_data(q, ngx_pki_redis_command_t, queue);

        if (ngx_pki_redis_late(cmd->deadline)) {
            ngx_queue_remove(q);
            ngx_queue_insert_tail(late, q);
            redis->nwaiting--;
        }
    }
}


static ngx_uint_t
ngx_pki_redis_queue_is_late(ngx_queue_t *queue)
{
    ngx_queue_t              *q;
    ngx_pki_redis_command_t  *cmd;

    for (q = ngx_queue_head(queue);
         q != ngx_queue_sentinel(queue);
         q = ngx_queue_next(q))
    {
        cmd = ngx_queue_data(q, ngx_pki_redis_command_t, queue);

        if (ngx_pki_redis_late(cmd->deadline)) {
            return 1;
        }
    }

    return 0;
}


static void
ngx_pki_redis_arm_queue(ngx_pki_redis_t *redis, ngx_queue_t *queue)
{
    ngx_queue_t              *q;
    ngx_pki_redis_command_t  *cmd;

    for (q = ngx_queue_head(queue);
         q != ngx_queue_sentinel(queue);
         q = ngx_queue_next(q))
    {
        cmd = ngx_queue_data(q, ngx_pki_redis_command_t, queue);

        ngx_pki_redis_arm(redis, cmd->deadline);
    }
}
