
/*
 * Copyright (C) the ngx_pki authors
 *
 * redis://[user@]host[:port][/db], rediss://..., redis+unix:/path[?db=n].
 */


#include "ngx_pki_redis.h"
#include <ngx_sha1.h>


#define NGX_PKI_REDIS_PORT      6379
#define NGX_PKI_REDIS_MAX_DB    65535

/* RFC 1035, 2.3.4 */
#define NGX_PKI_REDIS_MAX_HOST  253


static const char *ngx_pki_redis_url_unix(ngx_pool_t *pool, ngx_str_t *rest,
    ngx_pki_redis_conf_t *conf);
static const char *ngx_pki_redis_url_network(ngx_pool_t *pool,
    ngx_str_t *rest, ngx_pki_redis_conf_t *conf);
static const char *ngx_pki_redis_url_user(ngx_pool_t *pool, ngx_str_t *rest,
    ngx_pki_redis_conf_t *conf);
static const char *ngx_pki_redis_url_host(ngx_pool_t *pool, ngx_str_t *rest,
    ngx_pki_redis_conf_t *conf);
static const char *ngx_pki_redis_url_port(ngx_str_t *rest,
    ngx_pki_redis_conf_t *conf);
static const char *ngx_pki_redis_url_db(ngx_str_t *rest,
    ngx_pki_redis_conf_t *conf);
static const char *ngx_pki_redis_url_address(ngx_pool_t *pool,
    ngx_pki_redis_conf_t *conf, ngx_uint_t bracketed);
static ngx_uint_t ngx_pki_redis_url_is_name(ngx_str_t *host);
static ngx_uint_t ngx_pki_redis_url_prefix(ngx_str_t *url, const char *prefix,
    ngx_str_t *rest);
static ngx_int_t ngx_pki_redis_url_copy(ngx_pool_t *pool, ngx_str_t *dst,
    ngx_str_t *src);


const char *
ngx_pki_redis_parse_url(ngx_pool_t *pool, ngx_str_t *url,
    ngx_pki_redis_conf_t *conf)
{
    size_t     i;
    ngx_str_t  rest;

    for (i = 0; i < url->len; i++) {
        if (url->data[i] < 0x20 || url->data[i] == 0x7f) {
            return "the URL has a control character";
        }
    }

    if (ngx_pki_redis_url_copy(pool, &conf->url, url) != NGX_OK) {
        return "out of memory";
    }

    conf->db = 0;
    conf->port = 0;
    conf->tls = 0;
    conf->local = 0;
    conf->resolve = 0;

    if (ngx_pki_redis_url_prefix(url, "redis+unix:", &rest)) {
        return ngx_pki_redis_url_unix(pool, &rest, conf);
    }

    if (ngx_pki_redis_url_prefix(url, "rediss://", &rest)) {
        conf->tls = 1;
        return ngx_pki_redis_url_network(pool, &rest, conf);
    }

    if (ngx_pki_redis_url_prefix(url, "redis://", &rest)) {
        return ngx_pki_redis_url_network(pool, &rest, conf);
    }

    return "the URL must begin with \"redis://\", \"rediss://\" "
           "or \"redis+unix:/\"";
}


ngx_int_t
ngx_pki_redis_script_init(ngx_pki_redis_script_t *script)
{
    u_char      digest[20];
    ngx_sha1_t  sha1;

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, script->text.data, script->text.len);
    ngx_sha1_final(digest, &sha1);

    (void) ngx_hex_dump(script->sha1, digest, sizeof(digest));

    return NGX_OK;
}


static const char *
ngx_pki_redis_url_unix(ngx_pool_t *pool, ngx_str_t *rest,
    ngx_pki_redis_conf_t *conf)
{
    u_char              *p;
    ngx_str_t            path, query;
    struct sockaddr_un  *sun;

    path = *rest;

    p = ngx_strlchr(path.data, path.data + path.len, '?');

    if (p != NULL) {
        query.data = p + 1;
        query.len = path.data + path.len - query.data;
        path.len = p - path.data;

        if (!ngx_pki_redis_url_prefix(&query, "db=", &query)) {
            return "only \"db=number\" may follow \"?\" in the URL";
        }

        if (ngx_pki_redis_url_db(&query, conf) != NULL) {
            return "invalid database number in the URL";
        }
    }

    if (path.len < 2 || path.data[0] != '/') {
        return "the path of the socket must be absolute";
    }

    if (path.len >= sizeof(sun->sun_path)) {
        return "the path of the socket is too long";
    }

    sun = ngx_pcalloc(pool, sizeof(struct sockaddr_un));

    if (sun == NULL
        || ngx_pki_redis_url_copy(pool, &conf->host, &path) != NGX_OK)
    {
        return "out of memory";
    }

    sun->sun_family = AF_UNIX;
    ngx_memcpy(sun->sun_path, path.data, path.len);

    conf->local = 1;
    conf->sockaddr = (struct sockaddr *) sun;
    conf->socklen = sizeof(struct sockaddr_un);

    return NULL;
}


static const char *
ngx_pki_redis_url_network(ngx_pool_t *pool, ngx_str_t *rest,
    ngx_pki_redis_conf_t *conf)
{
    ngx_uint_t   bracketed;
    const char  *err;

    err = ngx_pki_redis_url_user(pool, rest, conf);
    if (err != NULL) {
        return err;
    }

    bracketed = (rest->len != 0 && rest->data[0] == '[');

    err = ngx_pki_redis_url_host(pool, rest, conf);
    if (err != NULL) {
        return err;
    }

    err = ngx_pki_redis_url_port(rest, conf);
    if (err != NULL) {
        return err;
    }

    /* "redis://host" and "redis://host/" mean the same */

    if (rest->len > 1) {
        rest->data++;
        rest->len--;

        err = ngx_pki_redis_url_db(rest, conf);
        if (err != NULL) {
            return err;
        }
    }

    return ngx_pki_redis_url_address(pool, conf, bracketed);
}


static const char *
ngx_pki_redis_url_user(ngx_pool_t *pool, ngx_str_t *rest,
    ngx_pki_redis_conf_t *conf)
{
    size_t     i, n;
    ngx_str_t  user;

    /* the last "@" counts, so that no part of a password passes for a host */

    n = rest->len;

    while (n != 0 && rest->data[n - 1] != '@') {
        n--;
    }

    if (n == 0) {
        return NULL;
    }

    user.data = rest->data;
    user.len = n - 1;

    for (i = 0; i < user.len; i++) {
        switch (user.data[i]) {

        case ':':
            return "a password does not belong into the URL, use "
                   "\"pki_redis_password_file\"";

        case '@':
        case '/':
        case '%':
        case ' ':
            return "invalid user in the URL, use \"pki_redis_user\"";
        }
    }

    if (user.len == 0) {
        return "empty user in the URL";
    }

    if (ngx_pki_redis_url_copy(pool, &conf->user, &user) != NGX_OK) {
        return "out of memory";
    }

    rest->data += n;
    rest->len -= n;

    return NULL;
}


static const char *
ngx_pki_redis_url_host(ngx_pool_t *pool, ngx_str_t *rest,
    ngx_pki_redis_conf_t *conf)
{
    u_char     *p, *last;
    ngx_str_t   host;

    p = rest->data;
    last = rest->data + rest->len;

    if (p < last && *p == '[') {
        host.data = p + 1;

        p = ngx_strlchr(p, last, ']');
        if (p == NULL) {
            return "\"]\" is missing in the URL";
        }

        host.len = p - host.data;
        p++;

    } else {
        host.data = p;

        while (p < last && *p != ':' && *p != '/') {
            p++;
        }

        host.len = p - host.data;
    }

    if (host.len == 0 || host.len > NGX_PKI_REDIS_MAX_HOST) {
        return "invalid host in the URL";
    }

    if (ngx_pki_redis_url_copy(pool, &conf->host, &host) != NGX_OK) {
        return "out of memory";
    }

    rest->data = p;
    rest->len = last - p;

    return NULL;
}


static const char *
ngx_pki_redis_url_port(ngx_str_t *rest, ngx_pki_redis_conf_t *conf)
{
    u_char     *p, *last;
    ngx_int_t   port;

    conf->port = NGX_PKI_REDIS_PORT;

    if (rest->len == 0 || rest->data[0] == '/') {
        return NULL;
    }

    if (rest->data[0] != ':') {
        return "invalid host in the URL";
    }

    p = rest->data + 1;
    last = rest->data + rest->len;

    rest->data = p;

    while (p < last && *p != '/') {
        p++;
    }

    port = ngx_atoi(rest->data, p - rest->data);

    if (port < 1 || port > 65535) {
        return "invalid port in the URL";
    }

    conf->port = (in_port_t) port;

    rest->data = p;
    rest->len = last - p;

    return NULL;
}


static const char *
ngx_pki_redis_url_db(ngx_str_t *rest, ngx_pki_redis_conf_t *conf)
{
    ngx_int_t  db;

    db = ngx_atoi(rest->data, rest->len);

    if (db == NGX_ERROR || db > NGX_PKI_REDIS_MAX_DB) {
        return "invalid database number in the URL";
    }

    conf->db = db;

    return NULL;
}


static const char *
ngx_pki_redis_url_address(ngx_pool_t *pool, ngx_pki_redis_conf_t *conf,
    ngx_uint_t bracketed)
{
    ngx_int_t   rc;
    ngx_str_t   text;
    ngx_addr_t  addr;

    text = conf->host;

    if (ngx_pki_str_eq(&text, "localhost")) {
        ngx_str_set(&text, "127.0.0.1");
    }

    rc = ngx_parse_addr(pool, &addr, text.data, text.len);

    if (rc == NGX_ERROR) {
        return "out of memory";
    }

    if (rc == NGX_DECLINED) {
        if (bracketed || !ngx_pki_redis_url_is_name(&text)) {
            return "invalid host in the URL";
        }

        conf->resolve = 1;
        conf->sockaddr = NULL;
        conf->socklen = 0;

        return NULL;
    }

    if (bracketed != (addr.sockaddr->sa_family != AF_INET)) {
        return "invalid host in the URL";
    }

    ngx_inet_set_port(addr.sockaddr, conf->port);

    conf->sockaddr = addr.sockaddr;
    conf->socklen = addr.socklen;

    return NULL;
}


/* letters, digits, "-", "_" in labels; the last label is not a number */

static ngx_uint_t
ngx_pki_redis_url_is_name(ngx_str_t *host)
{
    u_char      c;
    size_t      i, start;
    ngx_uint_t  letters;

    start = 0;
    letters = 0;

    for (i = 0; i < host->len; i++) {
        c = host->data[i];

        if (c == '.') {
            if (i == start) {
                return 0;
            }

            start = i + 1;
            letters = 0;
            continue;
        }

        if (c >= '0' && c <= '9') {
            continue;
        }

        letters = 1;
        c |= 0x20;

        if ((c < 'a' || c > 'z') && host->data[i] != '-'
            && host->data[i] != '_')
        {
            return 0;
        }
    }

    return letters;
}


static ngx_uint_t
ngx_pki_redis_url_prefix(ngx_str_t *url, const char *prefix, ngx_str_t *rest)
{
    size_t  len;

    len = ngx_strlen(prefix);

    if (url->len < len || ngx_memcmp(url->data, prefix, len) != 0) {
        return 0;
    }

    rest->len = url->len - len;
    rest->data = url->data + len;

    return 1;
}


/* OpenSSL wants a NUL behind the host */

static ngx_int_t
ngx_pki_redis_url_copy(ngx_pool_t *pool, ngx_str_t *dst, ngx_str_t *src)
{
    u_char  *p;

    p = ngx_pnalloc(pool, src->len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, src->data, src->len);
    p[src->len] = '\0';

    dst->len = src->len;
    dst->data = p;

    return NGX_OK;
}
