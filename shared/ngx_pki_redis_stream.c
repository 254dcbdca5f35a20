
/*
 * Copyright (C) the ngx_pki authors
 *
 * What goes over an open connection: commands in batches, replies in order.
 */


#include "ngx_pki_redis_connection.h"


/* what a reply may take before it is whole */
#define NGX_PKI_REDIS_MAX_REPLY  (256 * 1024 * 1024)

/* TLS logs its own errors and leaves none behind */
#define ngx_pki_redis_stream_errno(c)                                        \
    (((c)->ssl == NULL) ? ngx_socket_errno : 0)


static ngx_int_t ngx_pki_redis_stream_greet(ngx_pki_redis_connection_t *rc);
static ngx_int_t ngx_pki_redis_stream_wait(ngx_pki_redis_connection_t *rc);
static void ngx_pki_redis_stream_write_handler(ngx_event_t *wev);
static ngx_int_t ngx_pki_redis_stream_write(ngx_pki_redis_connection_t *rc);
static void ngx_pki_redis_stream_pause(ngx_pki_redis_connection_t *rc,
    ngx_event_t *wev);
static void ngx_pki_redis_stream_read_handler(ngx_event_t *rev);
static const char *ngx_pki_redis_stream_broken(ngx_pki_redis_connection_t *rc);
static void ngx_pki_redis_stream_eof(ngx_pki_redis_connection_t *rc);
static ngx_int_t ngx_pki_redis_stream_feed(ngx_pki_redis_connection_t *rc,
    size_t size);
static ngx_int_t ngx_pki_redis_stream_reply(ngx_pki_redis_connection_t *rc,
    redisReply *reply);
static ngx_int_t ngx_pki_redis_stream_greeting(ngx_pki_redis_connection_t *rc,
    redisReply *reply);
static ngx_int_t ngx_pki_redis_stream_answer(ngx_pki_redis_connection_t *rc,
    redisReply *reply);
static void ngx_pki_redis_stream_error(ngx_pki_redis_connection_t *rc,
    ngx_pki_redis_command_t *cmd, redisReply *reply);
static void ngx_pki_redis_stream_acknowledge(ngx_pki_redis_connection_t *rc,
    redisReply *reply);
static ngx_uint_t ngx_pki_redis_stream_is_error(redisReply *reply,
    const char *code);
static ngx_pki_redis_command_t *ngx_pki_redis_stream_take(
    ngx_pki_redis_connection_t *rc, ngx_queue_t *q);


/* Redis answers so when it is not, or not any more, the one to talk to */

static const char *const  ngx_pki_redis_stream_leave[] = {
    "READONLY ",
    "LOADING ",
    "MASTERDOWN ",
    "NOAUTH ",
    NULL
};


void
ngx_pki_redis_stream_start(ngx_pki_redis_connection_t *rc)
{
    ngx_connection_t  *c;

    c = rc->peer.connection;

    rc->state = NGX_PKI_REDIS_GREETING;
    rc->reader = ngx_pki_redis_reader_create(&rc->functions);

    if (rc->reader == NULL || ngx_pki_redis_stream_greet(rc) != NGX_OK) {
        ngx_pki_redis_connection_fail(rc, 0, "out of memory");
        return;
    }

    c->read->handler = ngx_pki_redis_stream_read_handler;
    c->write->handler = ngx_pki_redis_stream_write_handler;

    /* Redis speaks first when it has too many clients */

    if (c->read->ready) {
        ngx_post_event(c->read, &ngx_posted_events);
    }

    ngx_pki_redis_stream_write_handler(c->write);
}


ngx_uint_t
ngx_pki_redis_stream_is_ready(ngx_pki_redis_connection_t *rc)
{
    /*
     * What is being written must not move: SSL_write() has to be repeated
     * with the same buffer.
     */

    return rc->state == NGX_PKI_REDIS_UP && !rc->blocked && !rc->leaving
           && rc->wait_len == 0;
}


ngx_int_t
ngx_pki_redis_stream_add(ngx_pki_redis_connection_t *rc,
    ngx_pki_redis_command_t *cmd)
{
    size_t             before;
    ngx_str_t          head[2];
    ngx_uint_t         n;
    ngx_connection_t  *c;

    n = 0;

    if (cmd->script != NULL) {
        if (cmd->whole) {
            ngx_str_set(&head[0], "EVAL");
            head[1] = cmd->script->text;

        } else {
            ngx_str_set(&head[0], "EVALSHA");
            head[1].len = sizeof(cmd->script->sha1);
            head[1].data = cmd->script->sha1;
        }

        n = 2;
    }

    c = rc->peer.connection;
    before = rc->out.last - rc->out.pos;

    if (ngx_pki_redis_format(&rc->out, head, n, cmd->argv, cmd->argc, c->log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    cmd->out_len = rc->out.last - rc->out.pos - before;

    ngx_queue_insert_tail(&rc->pending, &cmd->queue);
    rc->ncommands++;

    if (!cmd->background) {
        rc->nforeground++;
        c->idle = 0;
    }

    if (ngx_pki_redis_is_durable(rc->redis, cmd)) {
        rc->batch = 1;
    }

    ngx_post_event(c->write, &ngx_posted_events);

    return NGX_OK;
}


void
ngx_pki_redis_stream_drain(ngx_pki_redis_connection_t *rc, ngx_queue_t *lost)
{
    size_t                    unsent;
    ngx_queue_t              *q;
    ngx_pki_redis_command_t  *cmd;

    unsent = rc->out.last - rc->out.pos;
    unsent -= ngx_min(unsent, rc->wait_len);

    while (!ngx_queue_empty(&rc->pending)) {
        q = ngx_queue_last(&rc->pending);
        cmd = ngx_queue_data(q, ngx_pki_redis_command_t, queue);

        if (cmd->out_len > unsent) {
            break;
        }

        unsent -= cmd->out_len;

        (void) ngx_pki_redis_stream_take(rc, q);
        ngx_pki_redis_take_back(rc->redis, cmd);
    }

    /* the primary may be gone together with what it has acknowledged */

    while (!ngx_queue_empty(&rc->held)) {
        cmd = ngx_pki_redis_stream_take(rc, ngx_queue_head(&rc->held));

        freeReplyObject(cmd->reply);
        cmd->reply = NULL;

        ngx_queue_insert_tail(lost, &cmd->queue);
    }

    while (!ngx_queue_empty(&rc->pending)) {
        cmd = ngx_pki_redis_stream_take(rc, ngx_queue_head(&rc->pending));
        ngx_queue_insert_tail(lost, &cmd->queue);
    }
}


static ngx_int_t
ngx_pki_redis_stream_greet(ngx_pki_redis_connection_t *rc)
{
    u_char                 buf[NGX_INT_T_LEN];
    ngx_str_t              words[3];
    ngx_uint_t             n;
    ngx_pki_redis_conf_t  *conf;

    conf = rc->redis->conf;
    rc->greetings = 1;

    if (conf->password.len != 0) {
        ngx_str_set(&words[0], "AUTH");
        n = 1;

        if (conf->user.len != 0) {
            words[n++] = conf->user;
        }

        words[n++] = conf->password;

        if (ngx_pki_redis_format(&rc->out, words, n, NULL, 0, &rc->log)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        rc->greetings++;
    }

    if (conf->db != 0) {
        ngx_str_set(&words[0], "SELECT");
        words[1].data = buf;
        words[1].len = ngx_sprintf(buf, "%ui", conf->db) - buf;

        if (ngx_pki_redis_format(&rc->out, words, 2, NULL, 0, &rc->log)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        rc->greetings++;
    }

    ngx_str_set(&words[0], "PING");

    return ngx_pki_redis_format(&rc->out, words, 1, NULL, 0, &rc->log);
}


static ngx_int_t
ngx_pki_redis_stream_wait(ngx_pki_redis_connection_t *rc)
{
    size_t                 before;
    u_char                 replicas[NGX_INT_T_LEN], timeout[NGX_INT_T_LEN];
    ngx_str_t              words[3];
    ngx_pki_redis_conf_t  *conf;

    conf = rc->redis->conf;

    ngx_str_set(&words[0], "WAIT");

    words[1].data = replicas;
    words[1].len = ngx_sprintf(replicas, "%ui", conf->wait) - replicas;

    words[2].data = timeout;
    words[2].len = ngx_sprintf(timeout, "%M", conf->wait_timeout) - timeout;

    before = rc->out.last - rc->out.pos;

    if (ngx_pki_redis_format(&rc->out, words, 3, NULL, 0, &rc->log) != NGX_OK) {
        return NGX_ERROR;
    }

    rc->wait_len = rc->out.last - rc->out.pos - before;
    rc->batch = 0;

    return NGX_OK;
}


static void
ngx_pki_redis_stream_write_handler(ngx_event_t *wev)
{
    ngx_connection_t            *c;
    ngx_pki_redis_connection_t  *rc;

    c = wev->data;
    rc = c->data;

    if (rc->batch && ngx_pki_redis_stream_wait(rc) != NGX_OK) {
        ngx_pki_redis_connection_fail(rc, 0, "out of memory");
        return;
    }

    if (ngx_pki_redis_stream_write(rc) != NGX_OK) {
        ngx_pki_redis_connection_fail(rc, ngx_pki_redis_stream_errno(c),
                                      "sending failed");
        return;
    }

    if (ngx_handle_write_event(wev, 0) != NGX_OK) {
        ngx_pki_redis_connection_fail(rc, 0, "event handling failed");
        return;
    }

    if (rc->state == NGX_PKI_REDIS_UP) {
        ngx_pki_redis_dispatch(rc->redis);
    }
}


static ngx_int_t
ngx_pki_redis_stream_write(ngx_pki_redis_connection_t *rc)
{
    size_t             size;
    ssize_t            n;
    ngx_buf_t         *out;
    ngx_connection_t  *c;

    c = rc->peer.connection;
    out = &rc->out;

    while (out->pos < out->last) {

        if (rc->sent >= NGX_PKI_REDIS_TURN) {
            ngx_pki_redis_stream_pause(rc, c->write);
            return NGX_OK;
        }

        size = out->last - out->pos;

        /*
         * One TLS record at a time: what is counted as unsent is then at most
         * a part of a record, of which the peer can make nothing.
         */

        if (c->ssl != NULL && size > NGX_SSL_BUFSIZE) {
            size = NGX_SSL_BUFSIZE;
        }

        n = c->send(c, out->pos, size);

        if (n == NGX_AGAIN) {
            rc->blocked = 1;
            return NGX_OK;
        }

        if (n < 1) {
            return NGX_ERROR;
        }

        out->pos += n;
        rc->sent += n;
    }

    rc->blocked = 0;

    out->pos = out->start;
    out->last = out->start;

    if (out->end - out->start > NGX_PKI_REDIS_BUFFER) {
        ngx_pki_redis_format_free(out);
    }

    return NGX_OK;
}


/* what is large goes on after the other events, as if the socket were full */

static void
ngx_pki_redis_stream_pause(ngx_pki_redis_connection_t *rc, ngx_event_t *wev)
{
    rc->sent = 0;
    rc->blocked = 1;

    ngx_post_event(wev, &ngx_posted_next_events);
}


static void
ngx_pki_redis_stream_read_handler(ngx_event_t *rev)
{
    size_t                       size;
    ssize_t                      n;
    ngx_connection_t            *c;
    ngx_pki_redis_t             *redis;
    ngx_pki_redis_connection_t  *rc;

    c = rev->data;
    rc = c->data;
    redis = rc->redis;

    if (c->close) {
        ngx_pki_redis_set_error(redis, 0, "the worker is exiting");
        ngx_pki_redis_connection_close(rc);
        return;
    }

    for (size = 0; size < NGX_PKI_REDIS_TURN; size += n) {
        n = c->recv(c, redis->buffer, NGX_PKI_REDIS_BUFFER);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == 0) {
            ngx_pki_redis_stream_eof(rc);
            return;
        }

        if (n < 0) {
            ngx_pki_redis_connection_fail(rc, ngx_pki_redis_stream_errno(c),
                                          ngx_pki_redis_stream_broken(rc));
            return;
        }

        if (ngx_pki_redis_stream_feed(rc, n) != NGX_OK) {
            return;
        }
    }

    if (size >= NGX_PKI_REDIS_TURN) {
        ngx_post_event(rev, &ngx_posted_next_events);
    }

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_pki_redis_connection_fail(rc, 0, "event handling failed");
        return;
    }

    ngx_pki_redis_dispatch(redis);
}


/* in TLS 1.3 a server looks at our certificate after the handshake */

static const char *
ngx_pki_redis_stream_broken(ngx_pki_redis_connection_t *rc)
{
    if (rc->peer.connection->ssl != NULL && rc->state != NGX_PKI_REDIS_UP) {
        return "TLS: the server does not accept the client certificate, or "
               "wants one";
    }

    return "receiving failed";
}


static void
ngx_pki_redis_stream_eof(ngx_pki_redis_connection_t *rc)
{
    if (rc->state == NGX_PKI_REDIS_UP && rc->ncommands == 0) {

        /* "timeout" of redis.conf, or a restart: no harm is done yet */

        ngx_pki_redis_set_error(rc->redis, 0, "Redis closed the connection");
        ngx_log_error(NGX_LOG_INFO, &rc->log, 0,
                      "redis: idle connection closed");
        ngx_pki_redis_connection_close(rc);
        return;
    }

    ngx_pki_redis_connection_fail(rc, 0, "Redis closed the connection");
}


/* NGX_ERROR: the connection is closed */

static ngx_int_t
ngx_pki_redis_stream_feed(ngx_pki_redis_connection_t *rc, size_t size)
{
    void  *reply;

    rc->received += size;

    if (redisReaderFeed(rc->reader, (char *) rc->redis->buffer, size)
        != REDIS_OK)
    {
        ngx_pki_redis_connection_fail(rc, 0, rc->reader->errstr);
        return NGX_ERROR;
    }

    for ( ;; ) {
        if (redisReaderGetReply(rc->reader, &reply) != REDIS_OK) {
            ngx_pki_redis_connection_fail(rc, 0, rc->reader->errstr);
            return NGX_ERROR;
        }

        if (reply == NULL) {
            break;
        }

        rc->received = 0;

        if (ngx_pki_redis_stream_reply(rc, reply) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (rc->received > NGX_PKI_REDIS_MAX_REPLY) {
        ngx_pki_redis_connection_fail(rc, 0, "too large a reply");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* NGX_ERROR: the connection is closed */

static ngx_int_t
ngx_pki_redis_stream_reply(ngx_pki_redis_connection_t *rc, redisReply *reply)
{
    if (rc->greetings != 0) {
        return ngx_pki_redis_stream_greeting(rc, reply);
    }

    if (!ngx_queue_empty(&rc->pending)) {
        return ngx_pki_redis_stream_answer(rc, reply);
    }

    if (rc->wait_len != 0) {
        ngx_pki_redis_stream_acknowledge(rc, reply);
        return NGX_OK;
    }

    freeReplyObject(reply);

    ngx_pki_redis_connection_fail(rc, 0, "unexpected reply");

    return NGX_ERROR;
}


static ngx_int_t
ngx_pki_redis_stream_greeting(ngx_pki_redis_connection_t *rc,
    redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        ngx_pki_redis_connection_fail(rc, 0, reply->str);
        freeReplyObject(reply);
        return NGX_ERROR;
    }

    freeReplyObject(reply);

    if (--rc->greetings != 0) {
        return NGX_OK;
    }

    /* the password has been sent */

    ngx_pki_redis_format_free(&rc->out);

    ngx_pki_redis_connection_up(rc);

    return (rc->state == NGX_PKI_REDIS_UP) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_pki_redis_stream_answer(ngx_pki_redis_connection_t *rc, redisReply *reply)
{
    ngx_queue_t              *q;
    ngx_pki_redis_t          *redis;
    ngx_pki_redis_command_t  *cmd;

    redis = rc->redis;

    q = ngx_queue_head(&rc->pending);
    cmd = ngx_queue_data(q, ngx_pki_redis_command_t, queue);

    if (reply->type == REDIS_REPLY_ERROR) {
        (void) ngx_pki_redis_stream_take(rc, q);
        ngx_pki_redis_stream_error(rc, cmd, reply);

    } else if (ngx_pki_redis_is_durable(redis, cmd)) {
        cmd->reply = reply;
        ngx_queue_remove(q);
        ngx_queue_insert_tail(&rc->held, q);

    } else {
        cmd->reply = reply;
        (void) ngx_pki_redis_stream_take(rc, q);
        ngx_pki_redis_finish(redis, cmd, reply);
    }

    if (rc->leaving && rc->ncommands == 0) {
        ngx_pki_redis_connection_close(rc);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_pki_redis_stream_error(ngx_pki_redis_connection_t *rc,
    ngx_pki_redis_command_t *cmd, redisReply *reply)
{
    ngx_uint_t  i;

    if (cmd->script != NULL && !cmd->whole
        && ngx_pki_redis_stream_is_error(reply, "NOSCRIPT "))
    {
        freeReplyObject(reply);

        cmd->whole = 1;
        ngx_pki_redis_place(rc->redis, cmd);

        return;
    }

    for (i = 0; ngx_pki_redis_stream_leave[i] != NULL; i++) {

        if (!rc->leaving
            && ngx_pki_redis_stream_is_error(reply,
                                             ngx_pki_redis_stream_leave[i]))
        {
            ngx_pki_redis_set_error(rc->redis, 0, reply->str);
            ngx_pki_redis_report(rc->redis, &rc->log);
            rc->leaving = 1;
        }
    }

    cmd->refused = 1;
    cmd->error.data = (u_char *) reply->str;
    cmd->error.len = reply->len;

    ngx_pki_redis_finish(rc->redis, cmd, reply);
}


static void
ngx_pki_redis_stream_acknowledge(ngx_pki_redis_connection_t *rc,
    redisReply *reply)
{
    ngx_uint_t                replicas;
    ngx_pki_redis_command_t  *cmd;

    replicas = 0;

    if (reply->type == REDIS_REPLY_INTEGER && reply->integer > 0) {
        replicas = reply->integer;
    }

    freeReplyObject(reply);

    rc->wait_len = 0;

    while (!ngx_queue_empty(&rc->held)) {
        cmd = ngx_pki_redis_stream_take(rc, ngx_queue_head(&rc->held));

        cmd->unacknowledged = (replicas < rc->redis->conf->wait);

        ngx_pki_redis_finish(rc->redis, cmd, cmd->reply);
    }
}


static ngx_uint_t
ngx_pki_redis_stream_is_error(redisReply *reply, const char *code)
{
    size_t  len;

    len = ngx_strlen(code);

    return reply->len >= len && ngx_memcmp(reply->str, code, len) == 0;
}


static ngx_pki_redis_command_t *
ngx_pki_redis_stream_take(ngx_pki_redis_connection_t *rc, ngx_queue_t *q)
{
    ngx_pki_redis_command_t  *cmd;

    cmd = ngx_queue_data(q, ngx_pki_redis_command_t, queue);

    ngx_queue_remove(q);
    rc->ncommands--;

    if (!cmd->background) {
        rc->nforeground--;
    }

    rc->peer.connection->idle = (rc->nforeground == 0);

    return cmd;
}
