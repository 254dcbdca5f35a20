
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_csr_validity.h"
#include "ngx_pki_string.h"


/* no certificate lives as long; the product of both fits in any time_t */

#define NGX_PKI_CSR_VALIDITY_MAX  (60 * 365 * 24 * 60 * 60)


typedef struct {
    ngx_str_t                  name;
    time_t                     seconds;
} ngx_pki_csr_period_t;


static ngx_int_t ngx_pki_csr_validity_pair(ngx_pool_t *pool, ngx_str_t *pair,
    ngx_str_t *name, ngx_str_t *value);
static ngx_int_t ngx_pki_csr_validity_text(ngx_pool_t *pool,
    ngx_pki_der_t *der, ngx_str_t *text);
static void ngx_pki_csr_validity_keep(ngx_pki_csr_validity_t *v,
    ngx_str_t *field, ngx_str_t *pair);
static time_t ngx_pki_csr_validity_period(ngx_str_t *name);
static time_t ngx_pki_csr_validity_seconds(ngx_str_t *period,
    ngx_str_t *units);
static ngx_uint_t ngx_pki_csr_validity_is(ngx_str_t *text, ngx_str_t *name);


ngx_str_t  ngx_pki_csr_validity_oid =
    ngx_string("\x2b\x06\x01\x04\x01\x82\x37\x0d\x02\x01");

static ngx_str_t  ngx_pki_csr_validity_names[] = {
    ngx_string("ValidityPeriod"),
    ngx_string("ValidityPeriodUnits")
};


/* of those whose length differs the shortest: it must not last longer */

static ngx_pki_csr_period_t  ngx_pki_csr_periods[] = {
    { ngx_string("Seconds"), 1 },
    { ngx_string("Minutes"), 60 },
    { ngx_string("Hours"), 60 * 60 },
    { ngx_string("Days"), 24 * 60 * 60 },
    { ngx_string("Weeks"), 7 * 24 * 60 * 60 },
    { ngx_string("Months"), 28 * 24 * 60 * 60 },
    { ngx_string("Years"), 365 * 24 * 60 * 60 },
    { ngx_null_string, 0 }
};


ngx_int_t
ngx_pki_csr_validity_add(ngx_pool_t *pool, ngx_pki_csr_validity_t *v,
    ngx_pki_der_t *values)
{
    ngx_int_t   rc;
    ngx_str_t   content, pair, name, value;
    ngx_uint_t  tag;

    while (!ngx_pki_der_end(values)) {

        if (ngx_pki_der_any(values, &tag, &content, &pair) != NGX_OK) {
            return NGX_DECLINED;
        }

        rc = ngx_pki_csr_validity_pair(pool, &pair, &name, &value);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc != NGX_OK) {
            continue;
        }

        if (ngx_pki_csr_validity_is(&name, &ngx_pki_csr_validity_names[0])) {
            ngx_pki_csr_validity_keep(v, &v->period, &pair);
        }

        if (ngx_pki_csr_validity_is(&name, &ngx_pki_csr_validity_names[1])) {
            ngx_pki_csr_validity_keep(v, &v->units, &pair);
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_pki_csr_validity_finish(ngx_pool_t *pool, ngx_pki_csr_validity_t *v)
{
    ngx_str_t  name, period, units;

    if (v->period.len == 0 && v->units.len == 0) {
        return NGX_OK;
    }

    if (v->seconds == NGX_PKI_CSR_VALIDITY_UNKNOWN
        || v->period.len == 0 || v->units.len == 0)
    {
        v->seconds = NGX_PKI_CSR_VALIDITY_UNKNOWN;
        return NGX_OK;
    }

    if (ngx_pki_csr_validity_pair(pool, &v->period, &name, &period) != NGX_OK
        || ngx_pki_csr_validity_pair(pool, &v->units, &name, &units) != NGX_OK)
    {
        return NGX_ERROR;
    }

    v->seconds = ngx_pki_csr_validity_seconds(&period, &units);

    return NGX_OK;
}


/* NGX_DECLINED: it is no pair of strings */

static ngx_int_t
ngx_pki_csr_validity_pair(ngx_pool_t *pool, ngx_str_t *pair, ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_int_t      rc;
    ngx_pki_der_t  der, inner;

    ngx_pki_der_init(&der, pair);

    if (ngx_pki_der_enter(&der, NGX_PKI_DER_SEQUENCE, &inner) != NGX_OK) {
        return NGX_DECLINED;
    }

    rc = ngx_pki_csr_validity_text(pool, &inner, name);

    if (rc == NGX_OK) {
        rc = ngx_pki_csr_validity_text(pool, &inner, value);
    }

    if (rc == NGX_OK && !ngx_pki_der_end(&inner)) {
        return NGX_DECLINED;
    }

    return rc;
}


static ngx_int_t
ngx_pki_csr_validity_text(ngx_pool_t *pool, ngx_pki_der_t *der,
    ngx_str_t *text)
{
    ngx_str_t   content;
    ngx_uint_t  tag;

    if (ngx_pki_der_any(der, &tag, &content, NULL) != NGX_OK) {
        return NGX_DECLINED;
    }

    return ngx_pki_string_utf8(pool, tag, &content, text);
}


static void
ngx_pki_csr_validity_keep(ngx_pki_csr_validity_t *v, ngx_str_t *field,
    ngx_str_t *pair)
{
    if (field->len != 0) {
        v->seconds = NGX_PKI_CSR_VALIDITY_UNKNOWN;
        return;
    }

    *field = *pair;
}


static time_t
ngx_pki_csr_validity_seconds(ngx_str_t *period, ngx_str_t *units)
{
    time_t     seconds;
    ngx_int_t  n;

    seconds = ngx_pki_csr_validity_period(period);
    n = ngx_atoi(units->data, units->len);

    if (seconds == 0 || n <= 0) {
        return NGX_PKI_CSR_VALIDITY_UNKNOWN;
    }

    if (n > NGX_PKI_CSR_VALIDITY_MAX / seconds) {
        return NGX_PKI_CSR_VALIDITY_MAX;
    }

    return n * seconds;
}


static time_t
ngx_pki_csr_validity_period(ngx_str_t *name)
{
    ngx_pki_csr_period_t  *p;

    for (p = ngx_pki_csr_periods; p->seconds != 0; p++) {
        if (ngx_pki_csr_validity_is(name, &p->name)) {
            break;
        }
    }

    return p->seconds;
}


static ngx_uint_t
ngx_pki_csr_validity_is(ngx_str_t *text, ngx_str_t *name)
{
    return text->len == name->len
           && ngx_strncasecmp(text->data, name->data, name->len) == 0;
}
