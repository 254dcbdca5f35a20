
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_http_pki_conf.h"
#include "ngx_pki_ra.h"


#define NGX_HTTP_PKI_ZONE_SIZE       (32 * 1024 * 1024)
#define NGX_HTTP_PKI_ZONE_MIN        (1024 * 1024)
#define NGX_HTTP_PKI_ZONE_AUTHORITY  (128 * 1024)
#define NGX_HTTP_PKI_PASSWORD_LEN    4096


static char *ngx_http_pki_redis_param(ngx_conf_t *cf,
    ngx_pki_redis_conf_t *rcf, ngx_str_t *param);
static ngx_int_t ngx_http_pki_init_resolver(ngx_conf_t *cf,
    ngx_http_pki_main_conf_t *pmcf);
static ngx_int_t ngx_http_pki_read_password(ngx_conf_t *cf,
    ngx_http_pki_main_conf_t *pmcf);
static ngx_int_t ngx_http_pki_init_redis_ssl(ngx_conf_t *cf,
    ngx_http_pki_main_conf_t *pmcf);
static ngx_ssl_t *ngx_http_pki_create_ssl(ngx_conf_t *cf);


char *
ngx_http_pki_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_main_conf_t *pmcf = conf;

    u_char     *colon;
    ssize_t     size;
    ngx_str_t  *value, name, s;

    value = cf->args->elts;

    if (pmcf->zone != NULL) {
        return "is duplicate";
    }

    if (!ngx_http_pki_param(&value[1], "zone=", &name)) {
        return "must have \"zone=name:size\"";
    }

    colon = ngx_strlchr(name.data, name.data + name.len, ':');

    if (colon == NULL || colon == name.data) {
        return "must have a name and a size, \"zone=pki:32m\"";
    }

    s.data = colon + 1;
    s.len = name.data + name.len - s.data;
    name.len = colon - name.data;

    size = ngx_parse_size(&s);

    if (size == NGX_ERROR) {
        return "has an invalid size, \"zone=pki:32m\" would be right";
    }

    if (size < NGX_HTTP_PKI_ZONE_MIN) {
        return "is too small, \"1m\" is the least";
    }

    pmcf->zone = ngx_pki_zone_add(cf, &name, size, &ngx_http_pki_module);

    return pmcf->zone != NULL ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_http_pki_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_main_conf_t *pmcf = conf;

    char        *rv;
    ngx_str_t   *value;
    ngx_uint_t   i;
    const char  *error;

    value = cf->args->elts;

    if (pmcf->redis.url.len != 0) {
        return "is duplicate";
    }

    error = ngx_pki_redis_parse_url(cf->pool, &value[1], &pmcf->redis);

    if (error != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid url in \"pki_redis\": %s; right would be "
                           "\"redis://127.0.0.1:6379/0\"", error);
        return NGX_CONF_ERROR;
    }

    ngx_str_set(&pmcf->redis.prefix, "pki:");
    pmcf->redis.timeout = 2000;
    pmcf->redis.connections = 4;
    pmcf->redis.wait_timeout = 1000;

    for (i = 2; i < cf->args->nelts; i++) {

        rv = ngx_http_pki_redis_param(cf, &pmcf->redis, &value[i]);

        if (rv != NGX_CONF_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in \"pki_redis\": "
                               "%s", &value[i], rv);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_pki_redis_param(ngx_conf_t *cf, ngx_pki_redis_conf_t *rcf,
    ngx_str_t *param)
{
    size_t      i;
    ngx_int_t   n;
    ngx_str_t   v;

    if (ngx_http_pki_param(param, "prefix=", &v)) {

        /* braces would move the hash tag of a cluster */

        for (i = 0; i < v.len; i++) {
            if (v.data[i] <= ' ' || v.data[i] > '~' || v.data[i] == '{'
                || v.data[i] == '}')
            {
                return "a prefix has no blanks and no braces";
            }
        }

        rcf->prefix = v;
        return NGX_CONF_OK;
    }

    if (ngx_http_pki_param(param, "timeout=", &v)
        || ngx_http_pki_param(param, "wait_timeout=", &v))
    {
        n = ngx_parse_time(&v, 0);

        if (n == NGX_ERROR || n == 0) {
            return "a time such as \"2s\" or \"500ms\" would be right";
        }

        if (param->data[0] == 't') {
            rcf->timeout = n;

        } else {
            rcf->wait_timeout = n;
        }

        return NGX_CONF_OK;
    }

    if (ngx_http_pki_param(param, "connections=", &v)) {
        n = ngx_atoi(v.data, v.len);

        if (n < 1 || n > 64) {
            return "1 to 64 connections of a worker are possible";
        }

        rcf->connections = n;
        return NGX_CONF_OK;
    }

    if (ngx_http_pki_param(param, "wait=", &v)) {
        n = ngx_atoi(v.data, v.len);

        if (n < 0 || n > 16) {
            return "0 to 16 replicas can be waited for";
        }

        rcf->wait = n;
        return NGX_CONF_OK;
    }

    return "\"prefix=\", \"timeout=\", \"connections=\", \"wait=\" and "
           "\"wait_timeout=\" are known";
}


char *
ngx_http_pki_authority_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_main_conf_t *pmcf = conf;

    return ngx_pki_authority_block(cf, &pmcf->authorities);
}


char *
ngx_http_pki_profile_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_main_conf_t *pmcf = conf;

    return ngx_pki_profile_block(cf, &pmcf->profiles);
}


ngx_pki_authority_t *
ngx_http_pki_authority(ngx_conf_t *cf, ngx_str_t *name, const char *directive)
{
    ngx_pki_authority_t       *a;
    ngx_http_pki_main_conf_t  *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_pki_module);

    a = ngx_pki_authority_find(&pmcf->authorities, name);

    if (a == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown authority \"%V\" in \"%s\": there is no "
                           "such \"pki_authority\"", name, directive);
    }

    return a;
}


ngx_pki_profile_t *
ngx_http_pki_profile(ngx_conf_t *cf, ngx_str_t *name, const char *directive)
{
    ngx_pki_profile_t         *profile;
    ngx_http_pki_main_conf_t  *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_pki_module);

    profile = ngx_pki_profile_find(&pmcf->profiles, name);

    if (profile == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown profile \"%V\" in \"%s\": there is no "
                           "such \"pki_profile\", and built in are "
                           "\"device\", \"user\", \"server\" and "
                           "\"default\"", name, directive);
    }

    return profile;
}


ngx_uint_t
ngx_http_pki_param(ngx_str_t *param, const char *name, ngx_str_t *value)
{
    size_t  len;

    len = ngx_strlen(name);

    if (param->len < len || ngx_strncmp(param->data, name, len) != 0) {
        return 0;
    }

    value->data = param->data + len;
    value->len = param->len - len;

    return 1;
}


ngx_int_t
ngx_http_pki_init_redis(ngx_conf_t *cf, ngx_http_pki_main_conf_t *pmcf)
{
    if (pmcf->redis.url.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"pki_authority\" needs \"pki_redis\", where its "
                           "certificates are recorded");
        return NGX_ERROR;
    }

    if (pmcf->redis_user.len != 0) {
        pmcf->redis.user = pmcf->redis_user;
    }

    if (pmcf->redis_password_file.len != 0
        && ngx_http_pki_read_password(cf, pmcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (pmcf->redis.user.len != 0 && pmcf->redis.password.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"pki_redis_user\" needs "
                           "\"pki_redis_password_file\"");
        return NGX_ERROR;
    }

    if (ngx_http_pki_init_resolver(cf, pmcf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_pki_init_redis_ssl(cf, pmcf);
}


static ngx_int_t
ngx_http_pki_init_resolver(ngx_conf_t *cf, ngx_http_pki_main_conf_t *pmcf)
{
    ngx_http_core_loc_conf_t  *clcf;

    if (!pmcf->redis.resolve) {
        return NGX_OK;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* without a directive nginx makes one that has nobody to ask */

    if (clcf->resolver == NULL || clcf->resolver->connections.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"pki_redis\" has the host name \"%V\", which "
                           "needs a \"resolver\" at the http level",
                           &pmcf->redis.host);
        return NGX_ERROR;
    }

    pmcf->redis.resolver = clcf->resolver;

    pmcf->redis.resolver_timeout =
        (clcf->resolver_timeout == NGX_CONF_UNSET_MSEC)
        ? 5000 : clcf->resolver_timeout;

    return NGX_OK;
}


static ngx_int_t
ngx_http_pki_read_password(ngx_conf_t *cf, ngx_http_pki_main_conf_t *pmcf)
{
    u_char    *p;
    ssize_t    n;
    ngx_fd_t   fd;

    if (ngx_conf_full_name(cf->cycle, &pmcf->redis_password_file, 1)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(cf->pool, NGX_HTTP_PKI_PASSWORD_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    fd = ngx_open_file(pmcf->redis_password_file.data, NGX_FILE_RDONLY,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "cannot open \"%V\"", &pmcf->redis_password_file);
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, p, NGX_HTTP_PKI_PASSWORD_LEN);

    (void) ngx_close_file(fd);

    while (n > 0 && (p[n - 1] == LF || p[n - 1] == CR)) {
        n--;
    }

    if (n <= 0 || n == NGX_HTTP_PKI_PASSWORD_LEN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no password of 1 to %d octets in \"%V\"",
                           NGX_HTTP_PKI_PASSWORD_LEN - 1,
                           &pmcf->redis_password_file);
        return NGX_ERROR;
    }

    pmcf->redis.password.data = p;
    pmcf->redis.password.len = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_pki_init_redis_ssl(ngx_conf_t *cf, ngx_http_pki_main_conf_t *pmcf)
{
    ngx_str_t   none, *trusted;
    ngx_ssl_t  *ssl;

    if ((pmcf->redis_certificate.len != 0)
        != (pmcf->redis_certificate_key.len != 0))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"pki_redis_certificate\" and "
                           "\"pki_redis_certificate_key\" go together");
        return NGX_ERROR;
    }

    if (!pmcf->redis.tls) {

        if (pmcf->redis_trusted_certificate.len != 0
            || pmcf->redis_certificate.len != 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "certificates for redis are configured, but "
                               "\"pki_redis\" does not say \"rediss://\"");
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    ssl = ngx_http_pki_create_ssl(cf);
    if (ssl == NULL) {
        return NGX_ERROR;
    }

    trusted = &pmcf->redis_trusted_certificate;
    ngx_str_null(&none);

    if (trusted->len == 0) {

        if (SSL_CTX_set_default_verify_paths(ssl->ctx) != 1) {
            ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                          "SSL_CTX_set_default_verify_paths() failed");
            return NGX_ERROR;
        }

    } else if (ngx_ssl_trusted_certificate(cf, ssl, trusted, 5) != NGX_OK) {
        return NGX_ERROR;
    }

    if (pmcf->redis_certificate.len != 0
        && ngx_ssl_certificate(cf, ssl, &pmcf->redis_certificate,
                               &pmcf->redis_certificate_key, NULL)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    pmcf->redis.ssl = ssl;

    return NGX_OK;
}


static ngx_ssl_t *
ngx_http_pki_create_ssl(ngx_conf_t *cf)
{
    ngx_ssl_t           *ssl;
    ngx_pool_cleanup_t  *cln;

    ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (ssl == NULL || cln == NULL) {
        return NULL;
    }

    ssl->log = cf->log;

    if (ngx_ssl_create(ssl, NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3, NULL) != NGX_OK) {
        return NULL;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = ssl;

    return ssl;
}


ngx_int_t
ngx_http_pki_init_zone(ngx_conf_t *cf, ngx_http_pki_main_conf_t *pmcf)
{
    ngx_str_t   name;
    ngx_uint_t  n;

    if (pmcf->zone == NULL) {
        ngx_str_set(&name, "pki");

        pmcf->zone = ngx_pki_zone_add(cf, &name, NGX_HTTP_PKI_ZONE_SIZE,
                                      &ngx_http_pki_module);
        if (pmcf->zone == NULL) {
            return NGX_ERROR;
        }
    }

    /* a worker that finds no room would not start */

    n = pmcf->authorities.nelts;

    if (pmcf->zone->shm_zone->shm.size < n * NGX_HTTP_PKI_ZONE_AUTHORITY) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"pki_zone\" is too small for %ui authorities, "
                           "it needs %uzk", n,
                           n * NGX_HTTP_PKI_ZONE_AUTHORITY / 1024);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_pki_init_thread_pool(ngx_conf_t *cf, ngx_http_pki_main_conf_t *pmcf)
{
#if (NGX_THREADS)

    ngx_str_t             *name;
    ngx_uint_t             i, slow;
    ngx_pki_authority_t  **a;

    a = pmcf->authorities.elts;
    slow = 0;

    /* what "nginx -t" says of a key that is yet to be made holds later, too */

    for (i = 0; i < pmcf->authorities.nelts; i++) {
        slow |= a[i]->absent ? ngx_pki_key_is_slow(&a[i]->create)
                             : a[i]->key->slow;
        slow |= ngx_pki_ra_is_slow(a[i]);
    }

    name = pmcf->thread_pool_name.len != 0 ? &pmcf->thread_pool_name : NULL;

    if (!slow && name == NULL) {
        return NGX_OK;
    }

    pmcf->thread_pool = ngx_thread_pool_add(cf, name);

    if (pmcf->thread_pool == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < pmcf->authorities.nelts; i++) {
        if (!a[i]->absent) {
            a[i]->key->thread_pool = pmcf->thread_pool;
        }
    }

#else

    if (pmcf->thread_pool_name.len != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"pki_thread_pool\" needs an nginx that is built "
                           "with threads");
        return NGX_ERROR;
    }

#endif

    return NGX_OK;
}
