
/*
 * Copyright (C) the ngx_pki authors
 *
 * What libcurl is told of a call: everything that it would otherwise take from
 * the environment, from files or from the answer is fixed here.
 */


#include "ngx_pki_https_transfer.h"


#define ngx_pki_https_option(easy, option, value)                            \
    (curl_easy_setopt(easy, option, value) == CURLE_OK)


#define NGX_PKI_HTTPS_CONNECT_TIMEOUT  3000


typedef struct {
    CURLoption                  option;
    long                        value;
} ngx_pki_https_option_t;


static ngx_int_t ngx_pki_https_option_fixed(CURL *easy);
static ngx_int_t ngx_pki_https_option_trust(ngx_pki_https_t *https,
    CURL *easy);
static ngx_int_t ngx_pki_https_option_proxy(ngx_pki_https_transfer_t *t);
static ngx_int_t ngx_pki_https_option_limits(ngx_pki_https_call_t *call,
    CURL *easy);
static ngx_int_t ngx_pki_https_option_method(ngx_pki_https_transfer_t *t,
    char *method);
static ngx_int_t ngx_pki_https_option_request(ngx_pki_https_transfer_t *t);
static size_t ngx_pki_https_option_size(ngx_pki_https_transfer_t *t);
static struct curl_slist *ngx_pki_https_option_headers(
    ngx_pki_https_call_t *call, struct curl_slist *list, u_char **p);
static char *ngx_pki_https_option_resolve(ngx_pki_https_name_t *name,
    u_char **p);


static ngx_pki_https_option_t  ngx_pki_https_options[] = {

    { CURLOPT_NOSIGNAL, 1L },
    { CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
    { CURLOPT_FOLLOWLOCATION, 0L },
    { CURLOPT_NETRC, CURL_NETRC_IGNORED },
    { CURLOPT_PATH_AS_IS, 1L },
    { CURLOPT_MAXFILESIZE, NGX_PKI_HTTPS_MAX_ANSWER },
    { CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L },

    /* addresses are fresh, or stale on purpose: see ngx_pki_https_name.c */

    { CURLOPT_DNS_CACHE_TIMEOUT, -1L },

    { CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
    { CURLOPT_SSL_VERIFYPEER, 1L },
    { CURLOPT_SSL_VERIFYHOST, 2L },
    { CURLOPT_PROXY_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
    { CURLOPT_PROXY_SSL_VERIFYPEER, 1L },
    { CURLOPT_PROXY_SSL_VERIFYHOST, 2L },

    /* Azure's load balancer forgets a connection after 240 s */

    { CURLOPT_TCP_NODELAY, 1L },
    { CURLOPT_TCP_KEEPALIVE, 1L },
    { CURLOPT_TCP_KEEPIDLE, 30L },
    { CURLOPT_TCP_KEEPINTVL, 5L },
    { CURLOPT_MAXAGE_CONN, 100L },
    { CURLOPT_MAXLIFETIME_CONN, 600L }
};


ngx_int_t
ngx_pki_https_option_set(ngx_pki_https_transfer_t *t)
{
    CURL                  *easy;
    ngx_pki_https_call_t  *call;

    easy = t->easy;
    call = t->call;

    if (ngx_pki_https_option_fixed(easy) != NGX_OK
        || ngx_pki_https_socket_options(t->https, easy) != NGX_OK
        || ngx_pki_https_option_trust(t->https, easy) != NGX_OK
        || ngx_pki_https_option_proxy(t) != NGX_OK
        || ngx_pki_https_option_limits(call, easy) != NGX_OK
        || ngx_pki_https_option_request(t) != NGX_OK
        || !ngx_pki_https_option(easy, CURLOPT_PROTOCOLS_STR,
                                 call->peer->url->tls ? "https" : "http")
        || !ngx_pki_https_option(easy, CURLOPT_FRESH_CONNECT,
                                 (long) call->fresh)
        || !ngx_pki_https_option(easy, CURLOPT_ERRORBUFFER, t->error)
        || !ngx_pki_https_option(easy, CURLOPT_PRIVATE, t))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_pki_https_option_reset(ngx_pki_https_transfer_t *t)
{
    curl_easy_reset(t->easy);

    /* a list that it has not come to use stays in its sight */
    (void) curl_easy_setopt(t->easy, CURLOPT_RESOLVE, NULL);

    if (t->block != NULL) {
        OPENSSL_cleanse(t->block, t->block_len);
        ngx_free(t->block);
        t->block = NULL;
    }
}


static ngx_int_t
ngx_pki_https_option_fixed(CURL *easy)
{
    ngx_uint_t               i, n;
    ngx_pki_https_option_t  *option;

    n = sizeof(ngx_pki_https_options) / sizeof(ngx_pki_https_option_t);

    for (i = 0; i < n; i++) {
        option = &ngx_pki_https_options[i];

        if (!ngx_pki_https_option(easy, option->option, option->value)) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* a default directory would be trusted besides the file */

static ngx_int_t
ngx_pki_https_option_trust(ngx_pki_https_t *https, CURL *easy)
{
    if (https->cainfo == NULL) {
        return NGX_OK;
    }

    if (!ngx_pki_https_option(easy, CURLOPT_CAINFO, https->cainfo)
        || !ngx_pki_https_option(easy, CURLOPT_CAPATH, NULL)
        || !ngx_pki_https_option(easy, CURLOPT_PROXY_CAINFO, https->cainfo)
        || !ngx_pki_https_option(easy, CURLOPT_PROXY_CAPATH, NULL))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* an empty string: not that of the environment either */

static ngx_int_t
ngx_pki_https_option_proxy(ngx_pki_https_transfer_t *t)
{
    ngx_pki_url_t  *proxy;

    proxy = &t->https->proxy_url;

    if (!ngx_pki_https_option(t->easy, CURLOPT_PROXY,
                              (t->name == &t->https->proxy) ? proxy->text.data
                                                      : (u_char *) "")
        || !ngx_pki_https_option(t->easy, CURLOPT_NOPROXY, ""))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_pki_https_option_limits(ngx_pki_https_call_t *call, CURL *easy)
{
    ngx_msec_int_t  rest;

    rest = (ngx_msec_int_t) (call->timer.timer.key - ngx_current_msec);
    rest = ngx_max(rest, 1);

    if (!ngx_pki_https_option(easy, CURLOPT_TIMEOUT_MS, (long) rest)
        || !ngx_pki_https_option(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   (long) ngx_min(rest, NGX_PKI_HTTPS_CONNECT_TIMEOUT)))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_pki_https_option_method(ngx_pki_https_transfer_t *t, char *method)
{
    ngx_str_t  *body;

    body = &t->call->body;

    if (ngx_strcmp(method, "GET") == 0 && body->len == 0) {
        return ngx_pki_https_option(t->easy, CURLOPT_HTTPGET, 1L) ? NGX_OK
                                                                  : NGX_ERROR;
    }

    /* the body is not copied */

    if (!ngx_pki_https_option(t->easy, CURLOPT_POST, 1L)
        || !ngx_pki_https_option(t->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                                 (curl_off_t) body->len)
        || !ngx_pki_https_option(t->easy, CURLOPT_POSTFIELDS,
                                 body->len ? body->data : (u_char *) "")
        || !ngx_pki_https_option(t->easy, CURLOPT_CUSTOMREQUEST, method))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * URL, method, header and addresses in one piece of memory, which libcurl only
 * reads; its lists are public so that there is one copy to cleanse.
 */

static ngx_int_t
ngx_pki_https_option_request(ngx_pki_https_transfer_t *t)
{
    char                  *url, *method, *resolve;
    u_char                *p;
    struct curl_slist     *headers;
    ngx_pki_https_call_t  *call;

    call = t->call;

    t->block_len = ngx_pki_https_option_size(t);

    t->block = ngx_calloc(t->block_len, t->https->log);
    if (t->block == NULL) {
        return NGX_ERROR;
    }

    p = (u_char *) &t->block[call->nheaders + 2];

    url = (char *) p;
    p = ngx_sprintf(p, "%V%V%Z", &call->peer->url->text, &call->path);

    method = (char *) p;
    p = ngx_sprintf(p, "%V%Z", &call->method);

    headers = ngx_pki_https_option_headers(call, &t->block[1], &p);
    resolve = ngx_pki_https_option_resolve(t->name, &p);

    if (resolve != NULL) {
        t->block[0].data = resolve;

        if (!ngx_pki_https_option(t->easy, CURLOPT_RESOLVE, &t->block[0])) {
            return NGX_ERROR;
        }
    }

    if (!ngx_pki_https_option(t->easy, CURLOPT_URL, url)
        || !ngx_pki_https_option(t->easy, CURLOPT_HTTPHEADER, headers))
    {
        return NGX_ERROR;
    }

    return ngx_pki_https_option_method(t, method);
}


static size_t
ngx_pki_https_option_size(ngx_pki_https_transfer_t *t)
{
    size_t                 len;
    ngx_uint_t             i;
    ngx_pki_https_call_t  *call;

    call = t->call;

    len = (call->nheaders + 2) * sizeof(struct curl_slist)
          + call->peer->url->text.len + call->path.len + 1
          + call->method.len + 1
          + sizeof("+:65535:") + t->name->url->host.len
          + t->name->addresses.len;

    for (i = 0; i < call->nheaders; i++) {
        len += call->headers[i].len + 1;
    }

    return len;
}


/* no "Expect: 100-continue": it would only cost a turn */

static struct curl_slist *
ngx_pki_https_option_headers(ngx_pki_https_call_t *call,
    struct curl_slist *list, u_char **p)
{
    ngx_uint_t  i;

    list[0].data = (char *) "Expect:";

    for (i = 0; i < call->nheaders; i++) {
        list[i].next = &list[i + 1];
        list[i + 1].data = (char *) *p;

        *p = ngx_sprintf(*p, "%V%Z", &call->headers[i]);
    }

    return list;
}


/*
 * Set with each call: an entry with "+" may be replaced, and nothing is looked
 * up where there is one.  NULL: the host is an address.
 */

static char *
ngx_pki_https_option_resolve(ngx_pki_https_name_t *name, u_char **p)
{
    u_char  *start;

    if (name->addresses.len == 0) {
        return NULL;
    }

    start = *p;

    *p = ngx_sprintf(start, "+%V:%ui:%V%Z", &name->url->host,
                     (ngx_uint_t) name->url->port, &name->addresses);

    return (char *) start;
}
