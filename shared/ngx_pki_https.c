
/*
 * Copyright (C) the ngx_pki authors
 *
 * The HTTPS client: its life, and that of a call.
 */


#include "ngx_pki_https_transfer.h"


static ngx_pki_https_t *ngx_pki_https_init(ngx_pki_https_conf_t *conf,
    ngx_log_t *log);
static ngx_int_t ngx_pki_https_init_trust(ngx_pki_https_t *https);
static ngx_int_t ngx_pki_https_init_proxy(ngx_pki_https_t *https);
static void ngx_pki_https_stop(ngx_pki_https_t *https);
static void ngx_pki_https_posted_handler(ngx_event_t *ev);
static void ngx_pki_https_close(ngx_pki_https_t *https);
static void ngx_pki_https_deliver(ngx_pki_https_t *https);
static void ngx_pki_https_timeout_handler(ngx_event_t *ev);
static const char *ngx_pki_https_refuse(ngx_pki_https_call_t *call);
static ngx_uint_t ngx_pki_https_is_clean(ngx_str_t *text, u_char first);
static void ngx_pki_https_count(ngx_pki_https_call_t *call);


ngx_pki_https_t *
ngx_pki_https_create(ngx_pki_https_conf_t *conf, ngx_log_t *log)
{
    ngx_pki_https_t  *https;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        ngx_log_error(NGX_LOG_EMERG, log, 0, "curl_global_init() failed");
        return NULL;
    }

    https = ngx_pki_https_init(conf, log);

    ERR_clear_error();

    if (https == NULL) {
        curl_global_cleanup();
    }

    return https;
}


void
ngx_pki_https_destroy(ngx_pki_https_t *https)
{
    ngx_queue_t           *q;
    ngx_pki_https_peer_t  *peer;

    for (q = ngx_queue_head(&https->peers);
         q != ngx_queue_sentinel(&https->peers);
         q = ngx_queue_next(q))
    {
        peer = ngx_queue_data(q, ngx_pki_https_peer_t, queue);

        ngx_pki_https_warm_stop(peer);
        ngx_pki_https_name_stop(&peer->name);
    }

    ngx_pki_https_name_stop(&https->proxy);
    ngx_pki_https_stop(https);

    curl_global_cleanup();
    ERR_clear_error();

    ngx_destroy_pool(https->pool);
}


void
ngx_pki_https_send(ngx_pki_https_call_t *call)
{
    const char  *err;

    call->transfer = NULL;
    call->status = 0;
    call->retry_after = -1;
    call->elapsed = 0;
    call->tls_error = 0;

    ngx_str_null(&call->answer);
    ngx_str_null(&call->challenge);
    ngx_str_null(&call->request_id);
    ngx_str_null(&call->error);

    ngx_memzero(&call->timer, sizeof(ngx_event_t));

    call->timer.handler = ngx_pki_https_timeout_handler;
    call->timer.data = call;
    call->timer.log = call->log;
    call->timer.cancelable = call->background;

    err = ngx_pki_https_refuse(call);

    if (err != NULL) {
        ngx_pki_https_error(call, "%s", err);
        ngx_pki_https_finish(call);
        return;
    }

    ngx_add_timer(&call->timer, call->timeout);

    ngx_pki_https_peer_add(call);
    ngx_pki_https_wake(call->peer->https);
}


void
ngx_pki_https_wake(ngx_pki_https_t *https)
{
    ngx_post_event(&https->posted, &ngx_posted_events);
}


void
ngx_pki_https_finish(ngx_pki_https_call_t *call)
{
    ngx_pki_https_t  *https;

    https = call->peer->https;

    if (call->timer.timer_set) {
        ngx_del_timer(&call->timer);
    }

    ngx_pki_https_count(call);

    ngx_queue_insert_tail(&https->done, &call->queue);
    ngx_pki_https_wake(https);
}


void ngx_cdecl
ngx_pki_https_error(ngx_pki_https_call_t *call, const char *fmt, ...)
{
    u_char   *p, text[NGX_MAX_ERROR_STR / 4];
    va_list   args;

    p = ngx_slprintf(text, text + sizeof(text), "\"%V\": ",
                     &call->peer->url->text);

    va_start(args, fmt);
    p = ngx_vslprintf(p, text + sizeof(text), fmt, args);
    va_end(args);

    call->error.len = p - text;
    call->error.data = ngx_pnalloc(call->pool, call->error.len + 1);

    if (call->error.data == NULL) {
        ngx_str_set(&call->error, "out of memory");
        return;
    }

    ngx_memcpy(call->error.data, text, call->error.len);
    call->error.data[call->error.len] = '\0';
}


/* two OpenSSLs in a process would share what is global by name only */

ngx_int_t
ngx_pki_https_check_tls(ngx_log_t *log)
{
    u_char                  wanted[64];
    curl_version_info_data  *info;

    (void) ngx_snprintf(wanted, sizeof(wanted), "OpenSSL/%s%Z",
                        OpenSSL_version(OPENSSL_VERSION_STRING));
    wanted[sizeof(wanted) - 1] = '\0';

    info = curl_version_info(CURLVERSION_NOW);

    if (info->ssl_version != NULL
        && ngx_strcmp(info->ssl_version, wanted) == 0)
    {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, log, 0,
                  "libcurl has another TLS library (\"%s\") than nginx "
                  "(\"%s\")",
                  info->ssl_version != NULL ? info->ssl_version : "none",
                  wanted);

    return NGX_ERROR;
}


static ngx_pki_https_t *
ngx_pki_https_init(ngx_pki_https_conf_t *conf, ngx_log_t *log)
{
    ngx_pool_t       *pool;
    ngx_pki_https_t  *https;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, log);
    if (pool == NULL) {
        return NULL;
    }

    https = ngx_pcalloc(pool, sizeof(ngx_pki_https_t));
    if (https == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    https->conf = conf;
    https->pool = pool;
    https->log = log;

    ngx_queue_init(&https->peers);
    ngx_queue_init(&https->sockets);
    ngx_queue_init(&https->transfers);
    ngx_queue_init(&https->idle);
    ngx_queue_init(&https->done);

    https->posted.handler = ngx_pki_https_posted_handler;
    https->posted.data = https;
    https->posted.log = log;

    https->multi = curl_multi_init();

    if (https->multi == NULL
        || ngx_pki_https_socket_init(https) != NGX_OK
        || ngx_pki_https_init_trust(https) != NGX_OK
        || ngx_pki_https_init_proxy(https) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "the HTTPS client could not be made");
        ngx_pki_https_stop(https);
        ngx_destroy_pool(pool);
        return NULL;
    }

    return https;
}


/*
 * A file of CAs is read once and kept by the multi handle; a directory would
 * be read anew, while the worker waits, for each connection.
 */

static ngx_int_t
ngx_pki_https_init_trust(ngx_pki_https_t *https)
{
    CURL       *easy;
    char       *file;
    ngx_str_t   name;

    name = https->conf->trusted_certificate;

    easy = curl_easy_init();
    if (easy == NULL) {
        return NGX_ERROR;
    }

    if (name.len == 0
        && curl_easy_getinfo(easy, CURLINFO_CAINFO, &file) == CURLE_OK
        && file != NULL)
    {
        name.len = ngx_strlen(file);
        name.data = (u_char *) file;
    }

    if (name.len != 0) {
        https->cainfo = ngx_pcalloc(https->pool, name.len + 1);

        if (https->cainfo != NULL) {
            ngx_memcpy(https->cainfo, name.data, name.len);
        }
    }

    curl_easy_cleanup(easy);

    return (name.len != 0 && https->cainfo == NULL) ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_pki_https_init_proxy(ngx_pki_https_t *https)
{
    ngx_str_t   *text;
    const char  *err;

    text = &https->conf->proxy;

    if (text->len == 0) {
        return NGX_OK;
    }

    err = ngx_pki_url_parse(https->pool, text, &https->proxy_url);

    if (err != NULL) {
        ngx_log_error(NGX_LOG_EMERG, https->log, 0, "proxy \"%V\": %s",
                      text, err);
        return NGX_ERROR;
    }

    ngx_pki_https_name_init(&https->proxy, https, &https->proxy_url);

    return NGX_OK;
}


static void
ngx_pki_https_stop(ngx_pki_https_t *https)
{
    ngx_queue_t               *q;
    ngx_pki_https_transfer_t  *t;

    while (!ngx_queue_empty(&https->transfers)) {
        q = ngx_queue_head(&https->transfers);
        t = ngx_queue_data(q, ngx_pki_https_transfer_t, queue);

        ngx_pki_https_transfer_stop(t);
    }

    while (!ngx_queue_empty(&https->idle)) {
        q = ngx_queue_head(&https->idle);
        t = ngx_queue_data(q, ngx_pki_https_transfer_t, queue);

        ngx_queue_remove(q);
        ngx_pki_https_transfer_free(t);
    }

    if (https->multi != NULL) {
        (void) curl_multi_cleanup(https->multi);
    }

    ngx_pki_https_socket_stop(https);

    if (https->posted.posted) {
        ngx_delete_posted_event(&https->posted);
    }
}


static void
ngx_pki_https_posted_handler(ngx_event_t *ev)
{
    ngx_queue_t      *q;
    ngx_pki_https_t  *https;

    https = ev->data;

    if (https->closing) {
        ngx_pki_https_close(https);
    }

    for (q = ngx_queue_head(&https->peers);
         q != ngx_queue_sentinel(&https->peers);
         q = ngx_queue_next(q))
    {
        ngx_pki_https_peer_dispatch(ngx_queue_data(q, ngx_pki_https_peer_t,
                                                   queue));
    }

    ngx_pki_https_deliver(https);
}


/* worker_shutdown_timeout is over */

static void
ngx_pki_https_close(ngx_pki_https_t *https)
{
    ngx_queue_t               *q;
    ngx_pki_https_call_t      *call;
    ngx_pki_https_transfer_t  *t;

    while (!ngx_queue_empty(&https->transfers)) {
        q = ngx_queue_head(&https->transfers);
        t = ngx_queue_data(q, ngx_pki_https_transfer_t, queue);
        call = t->call;

        ngx_pki_https_transfer_stop(t);

        ngx_pki_https_error(call, "the worker is shutting down");
        ngx_pki_https_finish(call);
    }

    for (q = ngx_queue_head(&https->peers);
         q != ngx_queue_sentinel(&https->peers);
         q = ngx_queue_next(q))
    {
        ngx_pki_https_peer_fail(ngx_queue_data(q, ngx_pki_https_peer_t, queue),
                                NULL, "the worker is shutting down");
    }
}


static void
ngx_pki_https_deliver(ngx_pki_https_t *https)
{
    ngx_queue_t           *q;
    ngx_pki_https_call_t  *call;

    while (!ngx_queue_empty(&https->done)) {
        q = ngx_queue_head(&https->done);
        call = ngx_queue_data(q, ngx_pki_https_call_t, queue);

        ngx_queue_remove(q);

        call->handler(call);
    }
}


/* the time limit of a call, whatever it waits for */

static void
ngx_pki_https_timeout_handler(ngx_event_t *ev)
{
    ngx_pki_https_call_t  *call;
    ngx_pki_https_name_t  *name;

    call = ev->data;

    if (call->transfer != NULL) {
        ngx_pki_https_transfer_expire(call);

    } else {
        ngx_queue_remove(&call->queue);

        name = ngx_pki_https_peer_name(call);

        if (name->resolving != NULL && name->nknown == 0) {
            ngx_pki_https_error(call, "host \"%V\" was not resolved in time",
                                &name->url->host);
        } else {
            ngx_pki_https_error(call, "no connection was free in time");
        }
    }

    ngx_pki_https_finish(call);
}


/* what would make something else of the request than the caller meant */

static const char *
ngx_pki_https_refuse(ngx_pki_https_call_t *call)
{
    ngx_uint_t  i;
    ngx_str_t  *header;

    if (call->method.len == 0 || !ngx_pki_https_is_clean(&call->method, 'A')) {
        return "invalid method";
    }

    if ((call->path.len != 0 && call->path.data[0] != '/')
        || !ngx_pki_https_is_clean(&call->path, 0x21))
    {
        return "invalid path";
    }

    for (i = 0; i < call->nheaders; i++) {
        header = &call->headers[i];

        if (!ngx_pki_https_is_clean(header, 0x20)
            || ngx_strlchr(header->data, header->data + header->len, ':')
               == NULL)
        {
            return "invalid header";
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_pki_https_is_clean(ngx_str_t *text, u_char first)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {
        if (text->data[i] < first || text->data[i] >= 0x7f) {
            return 0;
        }
    }

    return 1;
}


static void
ngx_pki_https_count(ngx_pki_https_call_t *call)
{
    ngx_uint_t                 i;
    ngx_pki_https_counters_t  *counters;

    counters = call->peer->counters;

    if (counters == NULL || call->uncounted) {
        return;
    }

    if (call->status == 0) {
        (void) ngx_atomic_fetch_add(&counters->failures, 1);
        return;
    }

    for (i = 0; i < NGX_PKI_HTTPS_BUCKETS - 1; i++) {
        if (call->elapsed < (ngx_msec_t) 1 << i) {
            break;
        }
    }

    (void) ngx_atomic_fetch_add(&counters->calls, 1);
    (void) ngx_atomic_fetch_add(&counters->latency[i], 1);
}
