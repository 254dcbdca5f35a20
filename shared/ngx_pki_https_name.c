
/*
 * Copyright (C) the ngx_pki authors
 *
 * Addresses of hosts, by nginx's resolver: libcurl would start a thread for
 * each name.
 */


#include "ngx_pki_https_transfer.h"


/* how long addresses are used while the name servers are not to be reached */
#define NGX_PKI_HTTPS_STALE        (600 * 1000)

/* how long nobody is asked again then */
#define NGX_PKI_HTTPS_PAUSE        1000

#define NGX_PKI_HTTPS_MAX_VALID    86400


static ngx_int_t ngx_pki_https_name_literal(ngx_pki_https_name_t *name);
static ngx_uint_t ngx_pki_https_name_is_usable(ngx_pki_https_name_t *name);
static void ngx_pki_https_name_resolve(ngx_pki_https_name_t *name);
static void ngx_pki_https_name_handler(ngx_resolver_ctx_t *ctx);
static void ngx_pki_https_name_store(ngx_pki_https_name_t *name,
    ngx_resolver_ctx_t *ctx);
static ngx_int_t ngx_pki_https_name_compare(const void *one, const void *two);
static void ngx_pki_https_name_choose(ngx_pki_https_name_t *name);
static ngx_str_t *ngx_pki_https_name_turn(ngx_pki_https_name_t *name,
    ngx_uint_t v6);
static void ngx_pki_https_name_fail(ngx_pki_https_name_t *name,
    const char *err);


void
ngx_pki_https_name_init(ngx_pki_https_name_t *name, ngx_pki_https_t *https,
    ngx_pki_url_t *url)
{
    name->https = https;
    name->url = url;
    name->turn = ngx_random();
}


void
ngx_pki_https_name_stop(ngx_pki_https_name_t *name)
{
    if (name->resolving != NULL) {
        ngx_resolve_name_done(name->resolving);
        name->resolving = NULL;
    }
}


ngx_int_t
ngx_pki_https_name_get(ngx_pki_https_name_t *name)
{
    if (!name->url->resolve) {
        return ngx_pki_https_name_literal(name);
    }

    if (name->nknown != 0
        && (ngx_msec_int_t) (name->valid - ngx_current_msec) > 0)
    {
        return NGX_OK;
    }

    if (name->resolving == NULL
        && (name->nknown == 0
            || (ngx_msec_int_t) (name->next - ngx_current_msec) <= 0))
    {
        ngx_pki_https_name_resolve(name);
    }

    return ngx_pki_https_name_is_usable(name) ? NGX_OK : NGX_AGAIN;
}


void
ngx_pki_https_name_connected(ngx_pki_https_name_t *name)
{
    name->nfailed = 0;
}


void
ngx_pki_https_name_failed(ngx_pki_https_name_t *name, ngx_uint_t turn)
{
    if (turn != name->turn || name->nknown == 0) {
        return;
    }

    name->turn++;

    if (++name->nfailed < name->nknown) {
        ngx_pki_https_name_choose(name);
        return;
    }

    name->nfailed = 0;
    name->nknown = 0;
    name->addresses.len = 0;
}


static ngx_int_t
ngx_pki_https_name_literal(ngx_pki_https_name_t *name)
{
    if (ngx_pki_str_eq(&name->url->host, "localhost")) {
        ngx_str_set(&name->addresses, "127.0.0.1");
    }

    return NGX_OK;
}


/*
 * Addresses that are no longer valid serve while they are asked for again: a
 * name server that is away does not stop what else works.
 */

static ngx_uint_t
ngx_pki_https_name_is_usable(ngx_pki_https_name_t *name)
{
    return name->nknown != 0
           && (ngx_msec_int_t) (name->valid + NGX_PKI_HTTPS_STALE
                                - ngx_current_msec) > 0;
}


static void
ngx_pki_https_name_resolve(ngx_pki_https_name_t *name)
{
    ngx_resolver_ctx_t    *ctx;
    ngx_pki_https_conf_t  *conf;

    conf = name->https->conf;

    if (conf->resolver == NULL) {
        ngx_pki_https_name_fail(name, "no resolver is configured");
        return;
    }

    ctx = ngx_resolve_start(conf->resolver, NULL);

    if (ctx == NULL) {
        ngx_pki_https_name_fail(name, "out of memory");
        return;
    }

    if (ctx == NGX_NO_RESOLVER) {
        ngx_pki_https_name_fail(name, "no resolver is configured");
        return;
    }

    /* cancelable: those who wait for it have timers of their own */

    ctx->name = name->url->host;
    ctx->handler = ngx_pki_https_name_handler;
    ctx->data = name;
    ctx->timeout = conf->resolver_timeout;
    ctx->cancelable = 1;

    name->resolving = ctx;

    /* may call the handler */

    if (ngx_resolve_name(ctx) != NGX_OK) {
        name->resolving = NULL;
        ngx_pki_https_name_fail(name, "the resolver failed");
    }
}


static void
ngx_pki_https_name_handler(ngx_resolver_ctx_t *ctx)
{
    ngx_int_t              state;
    ngx_pki_https_name_t  *name;

    name = ctx->data;
    state = ctx->state;

    if (state == NGX_OK && ctx->naddrs != 0) {
        ngx_pki_https_name_store(name, ctx);
    }

    ngx_resolve_name_done(ctx);
    name->resolving = NULL;

    if (state != NGX_OK) {
        ngx_pki_https_name_fail(name, ngx_resolver_strerror(state));
        return;
    }

    if (!ngx_pki_https_name_is_usable(name)) {
        ngx_pki_https_name_fail(name, "it has no address");
        return;
    }

    ngx_pki_https_wake(name->https);
}


/* sorted: who has the turn keeps it when they are asked for again */

static void
ngx_pki_https_name_store(ngx_pki_https_name_t *name, ngx_resolver_ctx_t *ctx)
{
    u_char               *p;
    time_t                valid;
    ngx_uint_t            i;
    ngx_resolver_addr_t  *addr;

    name->nknown = ngx_min(ctx->naddrs, NGX_PKI_HTTPS_MAX_ADDRESSES);

    for (i = 0; i < name->nknown; i++) {
        addr = &ctx->addrs[i];
        p = name->text[i];

        if (addr->sockaddr->sa_family != AF_INET) {
            *p++ = '[';
        }

        p += ngx_sock_ntop(addr->sockaddr, addr->socklen, p,
                           NGX_SOCKADDR_STRLEN, 0);

        if (addr->sockaddr->sa_family != AF_INET) {
            *p++ = ']';
        }

        name->known[i].data = name->text[i];
        name->known[i].len = p - name->text[i];
    }

    ngx_sort(name->known, name->nknown, sizeof(ngx_str_t),
             ngx_pki_https_name_compare);

    ngx_pki_https_name_choose(name);

    /* the resolver speaks of the clock on the wall */

    valid = ngx_min(ctx->valid - ngx_time(), NGX_PKI_HTTPS_MAX_VALID);
    valid = ngx_max(valid, 1);

    name->valid = ngx_current_msec + (ngx_msec_t) valid * 1000;
    name->outage = 0;
}


static ngx_int_t
ngx_pki_https_name_compare(const void *one, const void *two)
{
    const ngx_str_t  *a, *b;

    a = one;
    b = two;

    return ngx_memn2cmp(a->data, b->data, a->len, b->len);
}


static void
ngx_pki_https_name_choose(ngx_pki_https_name_t *name)
{
    u_char     *p;
    ngx_str_t  *v4, *v6;

    v4 = ngx_pki_https_name_turn(name, 0);
    v6 = ngx_pki_https_name_turn(name, 1);

    p = name->chosen;

    if (v4 != NULL) {
        p = ngx_cpymem(p, v4->data, v4->len);
    }

    if (v4 != NULL && v6 != NULL) {
        *p++ = ',';
    }

    if (v6 != NULL) {
        p = ngx_cpymem(p, v6->data, v6->len);
    }

    name->addresses.data = name->chosen;
    name->addresses.len = p - name->chosen;
}


/* whose turn it is among those of a family */

static ngx_str_t *
ngx_pki_https_name_turn(ngx_pki_https_name_t *name, ngx_uint_t v6)
{
    ngx_uint_t  i, n;
    ngx_str_t  *family[NGX_PKI_HTTPS_MAX_ADDRESSES];

    n = 0;

    for (i = 0; i < name->nknown; i++) {
        if ((name->known[i].data[0] == '[') == v6) {
            family[n++] = &name->known[i];
        }
    }

    return (n == 0) ? NULL : family[name->turn % n];
}


static void
ngx_pki_https_name_fail(ngx_pki_https_name_t *name, const char *err)
{
    u_char                 text[NGX_MAX_ERROR_STR / 4];
    ngx_queue_t           *q;
    ngx_pki_https_t       *https;
    ngx_pki_https_peer_t  *peer;

    https = name->https;
    name->next = ngx_current_msec + NGX_PKI_HTTPS_PAUSE;

    if (ngx_pki_https_name_is_usable(name)) {

        if (!name->outage) {
            name->outage = 1;
            ngx_log_error(NGX_LOG_WARN, https->log, 0,
                          "host \"%V\" could not be resolved (%s), "
                          "its last addresses are used",
                          &name->url->host, err);
        }

        return;
    }

    /* what is too old counts no more: the next call asks at once */

    name->nknown = 0;
    name->addresses.len = 0;

    (void) ngx_snprintf(text, sizeof(text),
                        "host \"%V\" could not be resolved (%s)%Z",
                        &name->url->host, err);
    text[sizeof(text) - 1] = '\0';

    for (q = ngx_queue_head(&https->peers);
         q != ngx_queue_sentinel(&https->peers);
         q = ngx_queue_next(q))
    {
        peer = ngx_queue_data(q, ngx_pki_https_peer_t, queue);

        ngx_pki_https_peer_fail(peer, name, (char *) text);
    }
}
