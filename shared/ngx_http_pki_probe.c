
/*
 * Copyright (C) the ngx_pki authors
 *
 * The probe: 200 or 503, one line per dependency.
 */


#include "ngx_http_pki_conf.h"
#include "ngx_pki_crl_cache.h"
#include "ngx_pki_intune.h"
#include "ngx_pki_ra.h"


/* a node that has not heard of Redis for so long is not in step */

#define NGX_HTTP_PKI_PROBE_STALE  10


static ngx_int_t ngx_http_pki_probe_handler(ngx_http_request_t *r);
static size_t ngx_http_pki_probe_size(ngx_http_pki_main_conf_t *pmcf);
static u_char *ngx_http_pki_probe_redis(ngx_http_pki_main_conf_t *pmcf,
    u_char *p, u_char *last, ngx_uint_t *up);
static u_char *ngx_http_pki_probe_zone(ngx_http_pki_main_conf_t *pmcf,
    u_char *p, u_char *last);
static u_char *ngx_http_pki_probe_vaults(ngx_http_pki_main_conf_t *pmcf,
    u_char *p, u_char *last);
static u_char *ngx_http_pki_probe_intunes(ngx_http_pki_main_conf_t *pmcf,
    u_char *p, u_char *last);
static ngx_uint_t ngx_http_pki_probe_median(ngx_pki_https_counters_t *c);
static u_char *ngx_http_pki_probe_authority(ngx_pki_authority_t *a, u_char *p,
    u_char *last, ngx_uint_t *up);
static u_char *ngx_http_pki_probe_certificate(ngx_pki_authority_t *a,
    u_char *p, u_char *last);
static u_char *ngx_http_pki_probe_crl(ngx_pki_authority_t *a, u_char *p,
    u_char *last, ngx_uint_t *up);
static u_char *ngx_http_pki_probe_crl_ok(ngx_pki_authority_t *a, u_char *p,
    u_char *last, time_t ends);
static u_char *ngx_http_pki_probe_time(u_char *p, u_char *last,
    const char *text, time_t t);


char *
ngx_http_pki_probe(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler != NULL) {
        return "is duplicate, or the location has another handler";
    }

    clcf->handler = ngx_http_pki_probe_handler;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_pki_probe_handler(ngx_http_request_t *r)
{
    u_char                     *p, *last;
    size_t                      size;
    ngx_int_t                   rc;
    ngx_str_t                   body, type, no_store;
    ngx_uint_t                  i, up;
    ngx_pki_authority_t       **a;
    ngx_http_pki_main_conf_t   *pmcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    pmcf = ngx_http_get_module_main_conf(r, ngx_http_pki_module);

    size = ngx_http_pki_probe_size(pmcf);

    p = ngx_pnalloc(r->pool, size);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body.data = p;
    last = p + size;
    up = 1;

    p = ngx_http_pki_probe_redis(pmcf, p, last, &up);

    a = pmcf->authorities.elts;

    for (i = 0; i < pmcf->authorities.nelts; i++) {
        p = ngx_http_pki_probe_authority(a[i], p, last, &up);
        p = ngx_http_pki_probe_certificate(a[i], p, last);
        p = ngx_http_pki_probe_crl(a[i], p, last, &up);
    }

    p = ngx_http_pki_probe_zone(pmcf, p, last);
    p = ngx_http_pki_probe_vaults(pmcf, p, last);
    p = ngx_http_pki_probe_intunes(pmcf, p, last);

    body.len = p - body.data;

    ngx_str_set(&type, "text/plain");
    ngx_str_set(&no_store, "no-store");

    if (ngx_http_pki_add_header(r, "Cache-Control", &no_store) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_pki_send(r, up ? NGX_HTTP_OK
                                   : NGX_HTTP_SERVICE_UNAVAILABLE,
                             &type, &body);
}


static size_t
ngx_http_pki_probe_size(ngx_http_pki_main_conf_t *pmcf)
{
    return NGX_MAX_ERROR_STR
           + pmcf->intunes.nelts * NGX_MAX_ERROR_STR
           + pmcf->authorities.nelts
             * (4 * NGX_PKI_ZONE_NAME_LEN + NGX_PKI_ZONE_TEXT_LEN
                + NGX_PKI_CRL_TEXT_LEN + 1024);
}


static u_char *
ngx_http_pki_probe_redis(ngx_http_pki_main_conf_t *pmcf, u_char *p,
    u_char *last, ngx_uint_t *up)
{
    ngx_str_t  error;

    if (pmcf->connections == NULL) {
        return ngx_slprintf(p, last, "redis: not configured\n");
    }

    ngx_str_null(&error);

    if (ngx_pki_redis_is_up(pmcf->connections, &error)) {
        return ngx_slprintf(p, last, "redis: ok\n");
    }

    *up = 0;

    return ngx_slprintf(p, last, "redis: down: %V\n", &error);
}


static u_char *
ngx_http_pki_probe_authority(ngx_pki_authority_t *a, u_char *p, u_char *last,
    ngx_uint_t *up)
{
    time_t       age, known_at;
    ngx_str_t   *trouble;
    const char  *error;

    trouble = ngx_pki_authority_trouble(a);

    if (trouble != NULL) {

        /* one that is still to come keeps no node from serving the others */

        if (a->certificate != NULL || a->previous == NULL || a->enrols) {
            *up = 0;
        }

        return ngx_slprintf(p, last, "authority %V: %V\n", &a->name, trouble);
    }

    known_at = ngx_pki_zone_moment_time(&a->store.slot->synced);

    if (known_at == 0) {
        *up = 0;
        return ngx_slprintf(p, last,
                            "authority %V: the change log is not followed "
                            "yet\n", &a->name);
    }

    age = ngx_time() - known_at;

    if (age > NGX_HTTP_PKI_PROBE_STALE) {
        *up = 0;
        return ngx_slprintf(p, last,
                            "authority %V: statuses are %T s old\n",
                            &a->name, age);
    }

    trouble = ngx_pki_authority_key_trouble(a);

    if (trouble == NULL) {
        trouble = ngx_pki_ra_trouble(a);
    }

    if (trouble != NULL) {
        *up = 0;
        return ngx_slprintf(p, last, "authority %V: %V\n", &a->name, trouble);
    }

    if (a->warning.len != 0) {
        return ngx_slprintf(p, last, "authority %V: ok, but the key %V\n",
                            &a->name, &a->warning);
    }

    error = a->scep ? ngx_pki_authority_scep_trouble(a) : NULL;

    if (error != NULL) {
        return ngx_slprintf(p, last, "authority %V: ok, but not for scep: %s\n",
                            &a->name, error);
    }

    return ngx_slprintf(p, last, "authority %V: ok\n", &a->name);
}


/* to compare with what a device shows; old ones show SHA-1 */

static u_char *
ngx_http_pki_probe_certificate(ngx_pki_authority_t *a, u_char *p, u_char *last)
{
    u_char     hex[2 * 32], digest[EVP_MAX_MD_SIZE];
    ngx_str_t  text;

    if (a->certificate == NULL) {
        return p;
    }

    text.data = hex;
    text.len = ngx_hex_dump(hex, a->fingerprint, 32) - hex;

    p = ngx_slprintf(p, last, "certificate %V: sha256 %V", &a->name, &text);

    if (EVP_Digest(a->der.data, a->der.len, digest, NULL, EVP_sha1(), NULL)
        == 1)
    {
        text.len = ngx_hex_dump(hex, digest, 20) - hex;
        p = ngx_slprintf(p, last, ", sha1 %V", &text);

    } else {
        ERR_clear_error();
    }

    p = ngx_http_pki_probe_time(p, last, ", ends at ", a->not_after);

    if (a->previous != NULL) {
        p = ngx_slprintf(p, last, ", follows %V", &a->previous->name);
    }

    return ngx_slprintf(p, last, "\n");
}


/* the last ones are served as long as they are valid */

static u_char *
ngx_http_pki_probe_crl(ngx_pki_authority_t *a, u_char *p, u_char *last,
    ngx_uint_t *up)
{
    u_char               text[NGX_PKI_CRL_TEXT_LEN];
    time_t               failing, ends;
    ngx_pki_crl_zone_t  *crl;

    crl = a->store.crl;

    if (crl == NULL || a->crls == NULL
        || !ngx_pki_crl_cache_is_started(a->crls))
    {
        return p;
    }

    ngx_pki_zone_lock(a->store.zone);

    failing = crl->failing;
    ends = crl->ends;
    ngx_memcpy(text, crl->text, NGX_PKI_CRL_TEXT_LEN);

    ngx_pki_zone_unlock(a->store.zone);

    if (failing == 0) {
        return ngx_http_pki_probe_crl_ok(a, p, last, ends);
    }

    p = ngx_slprintf(p, last, "crl %V: not renewed", &a->name);
    p = ngx_http_pki_probe_time(p, last, " since ", failing);

    text[NGX_PKI_CRL_TEXT_LEN - 1] = '\0';

    if (text[0] != '\0') {
        p = ngx_slprintf(p, last, ": %s", text);
    }

    if (ends != 0) {
        p = ngx_http_pki_probe_time(p, last, ", the first one ends at ", ends);
    }

    if (ends != 0 && ends <= ngx_time()) {
        *up = 0;
    }

    return ngx_slprintf(p, last, "\n");
}


/* the number is that of the full one, the time that of the first one to end */

static u_char *
ngx_http_pki_probe_crl_ok(ngx_pki_authority_t *a, u_char *p, u_char *last,
    time_t ends)
{
    ngx_atomic_uint_t  number;

    number = a->store.crl->number[NGX_PKI_CRL_FULL];

    p = ngx_slprintf(p, last, "crl %V: ok", &a->name);

    if (number != 0) {
        p = ngx_slprintf(p, last, ", number %uA", number);
    }

    if (ends != 0) {
        p = ngx_http_pki_probe_time(p, last, ", next update ", ends);
    }

    return ngx_slprintf(p, last, "\n");
}


static u_char *
ngx_http_pki_probe_time(u_char *p, u_char *last, const char *text, time_t t)
{
    ngx_tm_t  tm;

    ngx_gmtime(t, &tm);

    return ngx_slprintf(p, last, "%s%4d-%02d-%02dT%02d:%02d:%02dZ", text,
                        tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                        tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec);
}


/* without an authority there is nothing in it */

static u_char *
ngx_http_pki_probe_zone(ngx_http_pki_main_conf_t *pmcf, u_char *p,
    u_char *last)
{
    ngx_pki_zone_usage_t  usage;

    if (pmcf->authorities.nelts == 0) {
        return p;
    }

    ngx_pki_zone_usage(pmcf->zone, &usage);

    return ngx_slprintf(p, last,
                        "zone: ok, %ui of %ui statuses, %ui given up, "
                        "%ui of %ui answers\n",
                        usage.statuses, usage.statuses_max, usage.evictions,
                        usage.replies, usage.replies_max);
}


/* what the workers of this nginx have counted, once for each vault */

static u_char *
ngx_http_pki_probe_vaults(ngx_http_pki_main_conf_t *pmcf, u_char *p,
    u_char *last)
{
    ngx_uint_t                  i, j;
    ngx_pki_authority_t       **a;
    ngx_pki_https_counters_t   *c;

    a = pmcf->authorities.elts;

    for (i = 0; i < pmcf->authorities.nelts; i++) {

        if (a[i]->vault == NULL || a[i]->vault->vault == NULL) {
            continue;
        }

        for (j = 0; j < i; j++) {
            if (a[j]->vault != NULL
                && a[j]->vault->vault == a[i]->vault->vault)
            {
                break;
            }
        }

        if (j < i) {
            continue;
        }

        c = ngx_pki_vault_counters(a[i]->vault);

        p = ngx_slprintf(p, last,
                         "vault %V: %uA calls, half of them in less than "
                         "%ui ms, %uA unanswered, %uA retries, %uA "
                         "handshakes\n",
                         &a[i]->vault->url.text, c->calls,
                         ngx_http_pki_probe_median(c), c->failures,
                         c->retries, c->handshakes);
    }

    return p;
}


static u_char *
ngx_http_pki_probe_intunes(ngx_http_pki_main_conf_t *pmcf, u_char *p,
    u_char *last)
{
    ngx_uint_t          i;
    ngx_pki_intune_t  **intune;

    intune = pmcf->intunes.elts;

    for (i = 0; i < pmcf->intunes.nelts; i++) {
        p = ngx_pki_intune_describe(intune[i], p, last);
    }

    return p;
}


static ngx_uint_t
ngx_http_pki_probe_median(ngx_pki_https_counters_t *c)
{
    ngx_uint_t  i, n, half;

    half = (c->calls + 1) / 2;
    n = 0;

    for (i = 0; i < NGX_PKI_HTTPS_BUCKETS - 1; i++) {
        n += c->latency[i];

        if (n >= half) {
            break;
        }
    }

    return (ngx_uint_t) 1 << i;
}
