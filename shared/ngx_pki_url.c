
/*
 * Copyright (C) the ngx_pki authors
 *
 * http[s]://host[:port][/path][?query], RFC 3986, with no part that could be
 * read in two ways.
 */


#include "ngx_pki_url.h"


#define NGX_PKI_URL_MAX         4096

/* RFC 1035, 2.3.4 */
#define NGX_PKI_URL_MAX_HOST    253
#define NGX_PKI_URL_MAX_LABEL   63


static const char *ngx_pki_url_characters(ngx_str_t *text);
static const char *ngx_pki_url_scheme(ngx_str_t *rest, ngx_pki_url_t *url);
static const char *ngx_pki_url_authority(ngx_str_t *rest,
    ngx_str_t *authority);
static const char *ngx_pki_url_host(ngx_str_t *authority, ngx_str_t *host,
    ngx_pki_url_t *url);
static const char *ngx_pki_url_port(ngx_str_t *rest, ngx_pki_url_t *url);
static const char *ngx_pki_url_kind(ngx_pki_url_t *url);
static const char *ngx_pki_url_name(ngx_str_t *host);
static const char *ngx_pki_url_label(u_char *p, u_char *last);
static ngx_int_t ngx_pki_url_copy_host(ngx_pool_t *pool, ngx_str_t *host,
    ngx_pki_url_t *url);
static ngx_int_t ngx_pki_url_copy_path(ngx_pool_t *pool, ngx_str_t *rest,
    ngx_pki_url_t *url);
static ngx_int_t ngx_pki_url_write(ngx_pool_t *pool, ngx_pki_url_t *url);


const char *
ngx_pki_url_parse(ngx_pool_t *pool, ngx_str_t *text, ngx_pki_url_t *url)
{
    ngx_str_t    rest, authority, host;
    const char  *err;

    ngx_memzero(url, sizeof(ngx_pki_url_t));

    rest = *text;

    err = ngx_pki_url_characters(text);
    if (err != NULL) {
        return err;
    }

    err = ngx_pki_url_scheme(&rest, url);
    if (err != NULL) {
        return err;
    }

    err = ngx_pki_url_authority(&rest, &authority);
    if (err != NULL) {
        return err;
    }

    err = ngx_pki_url_host(&authority, &host, url);
    if (err != NULL) {
        return err;
    }

    err = ngx_pki_url_port(&authority, url);
    if (err != NULL) {
        return err;
    }

    if (ngx_pki_url_copy_host(pool, &host, url) != NGX_OK
        || ngx_pki_url_copy_path(pool, &rest, url) != NGX_OK
        || ngx_pki_url_write(pool, url) != NGX_OK)
    {
        return "out of memory";
    }

    return ngx_pki_url_kind(url);
}


ngx_uint_t
ngx_pki_url_is_loopback(ngx_pki_url_t *url)
{
    return ngx_pki_str_eq(&url->host, "localhost")
           || ngx_pki_str_eq(&url->host, "::1")
           || (!url->resolve && ngx_strncmp(url->host.data, "127.", 4) == 0);
}


u_char *
ngx_pki_url_escape(u_char *p, ngx_str_t *in)
{
    return (u_char *) ngx_escape_uri(p, in->data, in->len,
                                     NGX_ESCAPE_URI_COMPONENT);
}


/* RFC 3986, 2: what a URL is made of; "#" would begin a fragment */

static const char *
ngx_pki_url_characters(ngx_str_t *text)
{
    u_char   c, *p, *last;

    if (text->len > NGX_PKI_URL_MAX) {
        return "the URL is too long";
    }

    last = text->data + text->len;

    for (p = text->data; p < last; p++) {
        c = *p;

        if (c == '#') {
            return "a fragment does not belong into the URL";
        }

        if (c <= 0x20 || c >= 0x7f
            || ngx_strchr("\"<>\\^`{|}", c) != NULL)
        {
            return "the URL has an invalid character";
        }

        if (c == '%'
            && (last - p < 3 || ngx_hextoi(p + 1, 2) == NGX_ERROR))
        {
            return "the URL has an invalid \"%\"";
        }
    }

    return NULL;
}


static const char *
ngx_pki_url_scheme(ngx_str_t *rest, ngx_pki_url_t *url)
{
    size_t  len;

    len = sizeof("https://") - 1;

    if (rest->len >= len
        && ngx_strncasecmp(rest->data, (u_char *) "https://", len) == 0)
    {
        url->tls = 1;
        url->port = 443;

    } else {
        len = sizeof("http://") - 1;

        if (rest->len < len
            || ngx_strncasecmp(rest->data, (u_char *) "http://", len) != 0)
        {
            return "the URL must begin with \"https://\" or \"http://\"";
        }

        url->port = 80;
    }

    rest->data += len;
    rest->len -= len;

    return NULL;
}


/* cuts it off "rest"; what stays is empty or begins with "/" or "?" */

static const char *
ngx_pki_url_authority(ngx_str_t *rest, ngx_str_t *authority)
{
    u_char  *p, *last;

    last = rest->data + rest->len;

    for (p = rest->data; p < last && *p != '/' && *p != '?'; p++) {

        if (*p == '@') {
            return "user information does not belong into the URL";
        }
    }

    authority->data = rest->data;
    authority->len = p - rest->data;

    rest->data = p;
    rest->len = last - p;

    return NULL;
}


static const char *
ngx_pki_url_host(ngx_str_t *authority, ngx_str_t *host, ngx_pki_url_t *url)
{
    u_char  *p, *last;

    p = authority->data;
    last = p + authority->len;

    if (p < last && *p == '[') {
        url->brackets = 1;
        host->data = p + 1;

        p = ngx_strlchr(p, last, ']');
        if (p == NULL) {
            return "\"]\" is missing in the URL";
        }

        host->len = p - host->data;
        p++;

    } else {
        host->data = p;

        while (p < last && *p != ':') {
            p++;
        }

        host->len = p - host->data;
    }

    if (host->len == 0 || host->len > NGX_PKI_URL_MAX_HOST) {
        return "invalid host in the URL";
    }

    authority->data = p;
    authority->len = last - p;

    return NULL;
}


static const char *
ngx_pki_url_port(ngx_str_t *rest, ngx_pki_url_t *url)
{
    ngx_int_t  port;

    if (rest->len == 0) {
        return NULL;
    }

    if (rest->data[0] != ':') {
        return "invalid host in the URL";
    }

    port = ngx_atoi(rest->data + 1, rest->len - 1);

    if (port < 1 || port > 65535) {
        return "invalid port in the URL";
    }

    url->port = (in_port_t) port;

    return NULL;
}


static const char *
ngx_pki_url_kind(ngx_pki_url_t *url)
{
#if (NGX_HAVE_INET6)
    u_char  addr[16];
#endif

    if (url->brackets) {
#if (NGX_HAVE_INET6)
        if (ngx_inet6_addr(url->host.data, url->host.len, addr) == NGX_OK) {
            return NULL;
        }
#endif
        return "invalid host in the URL";
    }

    if (ngx_inet_addr(url->host.data, url->host.len) != INADDR_NONE) {
        return NULL;
    }

    /* RFC 6761, 6.3: no question for a name server */

    url->resolve = !ngx_pki_str_eq(&url->host, "localhost");

    return ngx_pki_url_name(&url->host);
}


/*
 * A last label that is a number would make an address of the whole to some
 * readers ("127.1", "1.2.3.0x4") and a name to others.
 */

static const char *
ngx_pki_url_name(ngx_str_t *host)
{
    u_char      *p, *label, *last;
    const char  *err;

    label = host->data;
    last = host->data + host->len;

    for (p = label; p < last; p++) {

        if (*p != '.') {
            continue;
        }

        err = ngx_pki_url_label(label, p);
        if (err != NULL) {
            return err;
        }

        label = p + 1;
    }

    for (p = label; p < last && *p >= '0' && *p <= '9'; p++) { /* void */ }

    if (p == last || (*p == 'x' && p - label == 1 && *label == '0')) {
        return "invalid host in the URL";
    }

    return ngx_pki_url_label(label, last);
}


/* letters, digits, "-", "_" */

static const char *
ngx_pki_url_label(u_char *p, u_char *last)
{
    if (p == last || last - p > NGX_PKI_URL_MAX_LABEL || *p == '-') {
        return "invalid host in the URL";
    }

    for ( /* void */ ; p < last; p++) {

        if ((*p < 'a' || *p > 'z') && (*p < '0' || *p > '9')
            && *p != '-' && *p != '_')
        {
            return "invalid host in the URL";
        }
    }

    return NULL;
}


static ngx_int_t
ngx_pki_url_copy_host(ngx_pool_t *pool, ngx_str_t *host, ngx_pki_url_t *url)
{
    url->host.data = ngx_pnalloc(pool, host->len + 1);
    if (url->host.data == NULL) {
        return NGX_ERROR;
    }

    url->host.len = host->len;

    ngx_strlow(url->host.data, host->data, host->len);
    url->host.data[host->len] = '\0';

    return NGX_OK;
}


static ngx_int_t
ngx_pki_url_copy_path(ngx_pool_t *pool, ngx_str_t *rest, ngx_pki_url_t *url)
{
    u_char  *p;

    p = ngx_pnalloc(pool, rest->len + 2);
    if (p == NULL) {
        return NGX_ERROR;
    }

    url->path.data = p;

    if (rest->len != 0 && rest->data[0] == '?') {
        *p++ = '/';
    }

    p = ngx_cpymem(p, rest->data, rest->len);
    *p = '\0';

    url->path.len = p - url->path.data;

    return NGX_OK;
}


static ngx_int_t
ngx_pki_url_write(ngx_pool_t *pool, ngx_pki_url_t *url)
{
    u_char  *p;

    p = ngx_pnalloc(pool, sizeof("https://[]:65535") + url->host.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    url->text.data = p;

    p = ngx_sprintf(p, url->brackets ? "http%s://[%V]:%ui"
                                     : "http%s://%V:%ui",
                    url->tls ? "s" : "", &url->host, (ngx_uint_t) url->port);
    *p = '\0';

    url->text.len = p - url->text.data;

    return NGX_OK;
}
