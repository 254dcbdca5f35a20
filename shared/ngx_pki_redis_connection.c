
/*
 * Copyright (C) the ngx_pki authors
 *
 * The life of a connection: resolve, connect, TLS, up, closed, again.
 */


#include "ngx_pki_redis_connection.h"


#define NGX_PKI_REDIS_MIN_BACKOFF  50
#define NGX_PKI_REDIS_MAX_BACKOFF  2000


static void ngx_pki_redis_connection_timer_handler(ngx_event_t *ev);
static void ngx_pki_redis_connection_resolve(ngx_pki_redis_connection_t *rc);
static void ngx_pki_redis_connection_resolve_handler(ngx_resolver_ctx_t *ctx);
static void ngx_pki_redis_connection_connect(ngx_pki_redis_connection_t *rc);
static ngx_int_t ngx_pki_redis_connection_peer(ngx_pki_redis_connection_t *rc);
static void ngx_pki_redis_connection_handler(ngx_event_t *ev);
static ngx_err_t ngx_pki_redis_connection_test(ngx_connection_t *c);
static void ngx_pki_redis_connection_established(
    ngx_pki_redis_connection_t *rc);
static void ngx_pki_redis_connection_tls(ngx_pki_redis_connection_t *rc);
static void ngx_pki_redis_connection_tls_handler(ngx_connection_t *c);
static const char *ngx_pki_redis_connection_tls_verify(ngx_connection_t *c,
    ngx_pki_redis_conf_t *conf);
static ngx_uint_t ngx_pki_redis_connection_is_literal(
    ngx_pki_redis_conf_t *conf);
static void ngx_pki_redis_connection_retry(ngx_pki_redis_connection_t *rc);
static u_char *ngx_pki_redis_connection_log_error(ngx_log_t *log, u_char *buf,
    size_t len);


void
ngx_pki_redis_connection_init(ngx_pki_redis_connection_t *rc,
    ngx_pki_redis_t *redis)
{
    rc->redis = redis;
    rc->backoff = NGX_PKI_REDIS_MIN_BACKOFF;

    ngx_queue_init(&rc->pending);
    ngx_queue_init(&rc->held);

    rc->log = *redis->log;
    rc->log.handler = ngx_pki_redis_connection_log_error;
    rc->log.data = rc;
    rc->log.action = NULL;

    rc->timer.handler = ngx_pki_redis_connection_timer_handler;
    rc->timer.data = rc;
    rc->timer.log = &rc->log;
    rc->timer.cancelable = 1;

    ngx_add_timer(&rc->timer, 0);
}


void
ngx_pki_redis_connection_up(ngx_pki_redis_connection_t *rc)
{
    ngx_pki_redis_t  *redis;

    redis = rc->redis;

    ngx_del_timer(&rc->timer);

    redis->connected++;
    rc->state = NGX_PKI_REDIS_UP;
    rc->backoff = NGX_PKI_REDIS_MIN_BACKOFF;
    rc->log.action = NULL;
    rc->log.log_level = redis->log->log_level;
    rc->peer.connection->idle = 1;

    ngx_pki_redis_set_error(redis, 0, "no connection was free in time");

    if (redis->down) {
        redis->down = 0;
        ngx_log_error(NGX_LOG_NOTICE, &rc->log, 0, "redis: connected again");
    }

    if (ngx_exiting && redis->nwaiting == 0) {
        ngx_pki_redis_connection_close(rc);
    }
}


void
ngx_pki_redis_connection_fail(ngx_pki_redis_connection_t *rc, ngx_err_t err,
    const char *text)
{
    ngx_pki_redis_set_error(rc->redis, err, text);

    rc->log.log_level = rc->redis->log->log_level;

    ngx_pki_redis_report(rc->redis, &rc->log);
    ngx_pki_redis_connection_close(rc);
}


void
ngx_pki_redis_connection_close(ngx_pki_redis_connection_t *rc)
{
    ngx_queue_t       lost;
    ngx_pki_redis_t  *redis;

    redis = rc->redis;

    ngx_queue_init(&lost);

    ngx_pki_redis_stream_drain(rc, &lost);
    ngx_pki_redis_connection_release(rc);
    ngx_pki_redis_connection_retry(rc);

    /* handlers run last: they may send */

    ngx_pki_redis_finish_lost(redis, &lost);
    ngx_pki_redis_dispatch(redis);
}


void
ngx_pki_redis_connection_release(ngx_pki_redis_connection_t *rc)
{
    ngx_pool_t        *pool;
    ngx_connection_t  *c;

    if (rc->timer.timer_set) {
        ngx_del_timer(&rc->timer);
    }

    if (rc->resolving != NULL) {
        ngx_resolve_name_done(rc->resolving);
        rc->resolving = NULL;
    }

    c = rc->peer.connection;

    if (c != NULL) {
        if (c->ssl != NULL) {
            /* neither wait for the peer nor finish a record for it */
            c->ssl->no_wait_shutdown = 1;
            c->error = 1;
            (void) ngx_ssl_shutdown(c);
        }

        pool = c->pool;

        ngx_close_connection(c);

        if (pool != NULL) {
            ngx_destroy_pool(pool);
        }

        rc->peer.connection = NULL;
    }

    if (rc->reader != NULL) {
        redisReaderFree(rc->reader);
        rc->reader = NULL;
    }

    ngx_pki_redis_format_free(&rc->out);

    rc->state = NGX_PKI_REDIS_CLOSED;
    rc->received = 0;
    rc->sent = 0;
    rc->greetings = 0;
    rc->wait_len = 0;
    rc->batch = 0;
    rc->blocked = 0;
    rc->leaving = 0;
}


static void
ngx_pki_redis_connection_timer_handler(ngx_event_t *ev)
{
    ngx_pki_redis_connection_t  *rc;

    rc = ev->data;

    if (rc->state != NGX_PKI_REDIS_CLOSED) {
        ngx_pki_redis_connection_fail(rc, NGX_ETIMEDOUT, "connecting failed");
        return;
    }

    if (ngx_pki_redis_is_quiet(rc->redis)) {
        /* what nginx itself would say of it */
        rc->log.log_level = NGX_LOG_ALERT;
    }

    if (rc->redis->conf->resolve) {
        ngx_pki_redis_connection_resolve(rc);
        return;
    }

    ngx_pki_redis_connection_connect(rc);
}


static void
ngx_pki_redis_connection_resolve(ngx_pki_redis_connection_t *rc)
{
    ngx_resolver_ctx_t    *ctx;
    ngx_pki_redis_conf_t  *conf;

    conf = rc->redis->conf;

    ctx = ngx_resolve_start(conf->resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        ngx_pki_redis_connection_fail(rc, 0, "no resolver");
        return;
    }

    ctx->name = conf->host;
    ctx->handler = ngx_pki_redis_connection_resolve_handler;
    ctx->data = rc;
    ctx->timeout = conf->resolver_timeout;
    ctx->cancelable = 1;

    rc->state = NGX_PKI_REDIS_RESOLVING;
    rc->resolving = ctx;
    rc->log.action = "resolving";

    /* may call the handler */

    if (ngx_resolve_name(ctx) != NGX_OK) {
        rc->resolving = NULL;
        ngx_pki_redis_connection_fail(rc, 0, "the resolver failed");
    }
}


static void
ngx_pki_redis_connection_resolve_handler(ngx_resolver_ctx_t *ctx)
{
    ngx_pki_redis_connection_t  *rc;

    rc = ctx->data;

    if (ctx->state != NGX_OK || ctx->naddrs == 0) {
        ngx_pki_redis_connection_fail(rc, 0,
                                      ngx_resolver_strerror(ctx->state));
        return;
    }

    /* nginx rotates the addresses */

    ngx_memcpy(&rc->sockaddr, ctx->addrs[0].sockaddr, ctx->addrs[0].socklen);
    ngx_inet_set_port(&rc->sockaddr.sockaddr, rc->redis->conf->port);

    rc->peer.socklen = ctx->addrs[0].socklen;

    ngx_resolve_name_done(ctx);
    rc->resolving = NULL;

    ngx_pki_redis_connection_connect(rc);
}


static void
ngx_pki_redis_connection_connect(ngx_pki_redis_connection_t *rc)
{
    ngx_int_t          status;
    ngx_connection_t  *c;

    rc->state = NGX_PKI_REDIS_CONNECTING;
    rc->log.action = "connecting";

    status = ngx_pki_redis_connection_peer(rc);

    if (status != NGX_OK && status != NGX_AGAIN) {
        ngx_pki_redis_connection_fail(rc, (status == NGX_DECLINED)
                                              ? ngx_socket_errno : 0,
                                      "connecting failed");
        return;
    }

    c = rc->peer.connection;

    c->data = rc;
    c->read->handler = ngx_pki_redis_connection_handler;
    c->write->handler = ngx_pki_redis_connection_handler;

    /* c->ssl lives there */

    c->pool = ngx_create_pool(256, c->log);

    if (c->pool == NULL || ngx_tcp_nodelay(c) != NGX_OK) {
        ngx_pki_redis_connection_fail(rc, 0, "connecting failed");
        return;
    }

    ngx_add_timer(&rc->timer, rc->redis->conf->timeout);

    if (status == NGX_OK) {
        ngx_pki_redis_connection_established(rc);
    }
}


static ngx_int_t
ngx_pki_redis_connection_peer(ngx_pki_redis_connection_t *rc)
{
    ngx_int_t               status;
    ngx_uint_t              level;
    ngx_pki_redis_conf_t   *conf;
    ngx_peer_connection_t  *pc;

    conf = rc->redis->conf;
    pc = &rc->peer;

    if (conf->resolve) {
        pc->sockaddr = &rc->sockaddr.sockaddr;

    } else {
        pc->sockaddr = conf->sockaddr;
        pc->socklen = conf->socklen;
    }

    pc->connection = NULL;
    pc->name = &conf->url;
    pc->get = ngx_event_get_peer;
    pc->log = &rc->log;
    pc->log_error = NGX_ERROR_INFO;
    pc->so_keepalive = 1;

    /* a failed connect() is reported here, not twice */

    level = rc->log.log_level;
    rc->log.log_level = NGX_LOG_ALERT;

    status = ngx_event_connect_peer(pc);

    rc->log.log_level = level;

    return status;
}


static void
ngx_pki_redis_connection_handler(ngx_event_t *ev)
{
    ngx_err_t                    err;
    ngx_connection_t            *c;
    ngx_pki_redis_connection_t  *rc;

    c = ev->data;
    rc = c->data;

    if (c->close) {
        ngx_pki_redis_set_error(rc->redis, 0, "the worker is exiting");
        ngx_pki_redis_connection_close(rc);
        return;
    }

    err = ngx_pki_redis_connection_test(c);

    if (err != 0) {
        ngx_pki_redis_connection_fail(rc, err, "connecting failed");
        return;
    }

    ngx_pki_redis_connection_established(rc);
}


static ngx_err_t
ngx_pki_redis_connection_test(ngx_connection_t *c)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);

    /*
     * BSDs and Linux return 0 and set a pending error in err,
     * Solaris returns -1 and sets errno
     */

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    return err;
}


static void
ngx_pki_redis_connection_established(ngx_pki_redis_connection_t *rc)
{
    if (rc->redis->conf->tls) {
        ngx_pki_redis_connection_tls(rc);
        return;
    }

    ngx_pki_redis_stream_start(rc);
}


static void
ngx_pki_redis_connection_tls(ngx_pki_redis_connection_t *rc)
{
    ngx_connection_t      *c;
    ngx_pki_redis_conf_t  *conf;

    c = rc->peer.connection;
    conf = rc->redis->conf;

    if (ngx_ssl_create_connection(conf->ssl, c, NGX_SSL_CLIENT) != NGX_OK) {
        ngx_pki_redis_connection_fail(rc, 0, "TLS: out of memory");
        return;
    }

    /* RFC 6066, 3: no address is sent as a server name */

    if (!ngx_pki_redis_connection_is_literal(conf)
        && SSL_set_tlsext_host_name(c->ssl->connection,
                                    (char *) conf->host.data)
           == 0)
    {
        ngx_ssl_error(NGX_LOG_ERR, c->log, 0,
                      "SSL_set_tlsext_host_name(\"%V\") failed", &conf->host);
        ngx_pki_redis_connection_fail(rc, 0, "TLS: out of memory");
        return;
    }

    if (ngx_ssl_handshake(c) == NGX_AGAIN) {
        c->ssl->handler = ngx_pki_redis_connection_tls_handler;
        return;
    }

    ngx_pki_redis_connection_tls_handler(c);
}


static void
ngx_pki_redis_connection_tls_handler(ngx_connection_t *c)
{
    u_char                       text[128];
    const char                  *err;
    ngx_pki_redis_connection_t  *rc;

    rc = c->data;

    err = ngx_pki_redis_connection_tls_verify(c, rc->redis->conf);

    if (err != NULL) {
        (void) ngx_snprintf(text, sizeof(text), "TLS: %s%Z", err);
        text[sizeof(text) - 1] = '\0';

        ngx_pki_redis_connection_fail(rc, 0, (char *) text);
        return;
    }

    ngx_pki_redis_stream_start(rc);
}


static const char *
ngx_pki_redis_connection_tls_verify(ngx_connection_t *c,
    ngx_pki_redis_conf_t *conf)
{
    int    ok;
    long   status;
    X509  *cert;

    status = SSL_get_verify_result(c->ssl->connection);

    if (status != X509_V_OK) {
        return X509_verify_cert_error_string(status);
    }

    if (!c->ssl->handshaked) {
        return "handshake failed";
    }

    /* the result is "ok" if there is no certificate at all */

    cert = SSL_get1_peer_certificate(c->ssl->connection);
    if (cert == NULL) {
        return "the server sent no certificate";
    }

    if (ngx_pki_redis_connection_is_literal(conf)) {
        ok = (X509_check_ip_asc(cert, (char *) conf->host.data, 0) == 1);

    } else {
        ok = (ngx_ssl_check_host(c, &conf->host) == NGX_OK);
    }

    X509_free(cert);

    return ok ? NULL : "the certificate is not for this host";
}


static ngx_uint_t
ngx_pki_redis_connection_is_literal(ngx_pki_redis_conf_t *conf)
{
    return !conf->resolve && !ngx_pki_str_eq(&conf->host, "localhost");
}


static void
ngx_pki_redis_connection_retry(ngx_pki_redis_connection_t *rc)
{
    ngx_msec_t  half;

    if (ngx_exiting && rc->redis->nwaiting == 0) {
        return;
    }

    half = rc->backoff / 2;

    ngx_add_timer(&rc->timer, half + (ngx_msec_t) ngx_random() % (half + 1));

    rc->backoff = ngx_min(2 * rc->backoff, NGX_PKI_REDIS_MAX_BACKOFF);
}


static u_char *
ngx_pki_redis_connection_log_error(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char                      *last;
    ngx_pki_redis_connection_t  *rc;

    rc = log->data;
    last = buf + len;

    if (log->action != NULL) {
        buf = ngx_slprintf(buf, last, " while %s", log->action);
    }

    return ngx_slprintf(buf, last, ", server: \"%V\"", &rc->redis->conf->url);
}
