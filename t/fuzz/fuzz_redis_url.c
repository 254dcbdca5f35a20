
/*
 * Copyright (C) the ngx_pki authors
 *
 * The URL of "pki_redis": what is accepted names one server completely, keeps
 * no password, and reads the same a second time.
 */


#include "fuzz.h"
#include "ngx_pki_redis.h"


static void fuzz_check(ngx_pki_redis_conf_t *conf, ngx_str_t *url);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t             url;
    ngx_pool_t           *pool;
    ngx_pki_redis_conf_t  conf, again;

    pool = fuzz_pool();

    url.data = fuzz_copy(pool, data, size);
    url.len = size;

    ngx_memzero(&conf, sizeof(ngx_pki_redis_conf_t));
    ngx_memzero(&again, sizeof(ngx_pki_redis_conf_t));

    if (ngx_pki_redis_parse_url(pool, &url, &conf) == NULL) {
        fuzz_check(&conf, &url);

        if (ngx_pki_redis_parse_url(pool, &conf.url, &again) != NULL
            || again.port != conf.port || again.db != conf.db
            || again.resolve != conf.resolve
            || again.host.len != conf.host.len
            || ngx_memcmp(again.host.data, conf.host.data, conf.host.len) != 0)
        {
            abort();
        }
    }

    fuzz_done(pool);

    return 0;
}


static void
fuzz_check(ngx_pki_redis_conf_t *conf, ngx_str_t *url)
{
    if (conf->url.len != url->len
        || conf->host.len == 0 || conf->host.data[conf->host.len] != '\0'
        || ngx_strlen(conf->host.data) != conf->host.len
        || conf->db > 65535 || conf->password.len != 0)
    {
        abort();
    }

    if (conf->user.len != 0
        && ngx_strlchr(conf->user.data, conf->user.data + conf->user.len, ':')
           != NULL)
    {
        abort();
    }

    if (conf->local) {
        if (conf->host.data[0] != '/' || conf->port != 0 || conf->tls
            || conf->resolve || conf->sockaddr->sa_family != AF_UNIX)
        {
            abort();
        }

        return;
    }

    if (conf->port == 0 || conf->resolve != (conf->sockaddr == NULL)) {
        abort();
    }

    if (conf->sockaddr != NULL
        && ngx_inet_get_port(conf->sockaddr) != conf->port)
    {
        abort();
    }
}
