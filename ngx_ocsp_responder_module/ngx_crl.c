
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_crl.h"
#include "ngx_ocsp_oid.h"
#include "ngx_pki_ca.h"
#include "ngx_pki_der.h"


#define NGX_CRL_VERSION     1                /* v2 */
#define NGX_CRL_HEADER_MAX  6                /* by ngx_pki_der_prepend() */
#define NGX_CRL_SIZE_MAX    0xf0000000       /* lengths have 4 octets */

/* "20260101000000Z", the UTCTime of which is without its century */

#define NGX_CRL_TIME_LEN    15
#define NGX_CRL_UTC_LEN     13

/* crlEntryExtensions: only a reasonCode, its last octet is the reason */

#define NGX_CRL_REASON                                                       \
    "\x30\x0c\x30\x0a\x06\x03" NGX_OCSP_OID_CRL_REASON "\x04\x03\x0a\x01"

/* onlyContainsUserCerts [1] TRUE */

#define NGX_CRL_ONLY_USERS  "\x81\x01\xff"


static u_char *ngx_crl_entry_time(u_char *p, time_t t);
static time_t ngx_crl_entry_parse_time(u_char *p);
static ngx_uint_t ngx_crl_digits(u_char *p);
static void ngx_crl_fields(ngx_pki_der_writer_t *w, ngx_crl_t *crl);
static void ngx_crl_extensions(ngx_pki_der_writer_t *w, ngx_crl_t *crl);
static void ngx_crl_number(ngx_pki_der_writer_t *w, const char *oid,
    ngx_uint_t critical, uint64_t number);
static void ngx_crl_point(ngx_pki_der_writer_t *w, ngx_str_t *url);
static void ngx_crl_freshest(ngx_pki_der_writer_t *w, ngx_str_t *url);
static size_t ngx_crl_begin(ngx_pki_der_writer_t *w, const char *oid,
    ngx_uint_t critical, size_t *value);
static ngx_int_t ngx_crl_head(ngx_pool_t *pool, ngx_str_t *fields,
    size_t entries_len, size_t tail_len, ngx_str_t *head);


u_char *
ngx_crl_entry_write(u_char *out, ngx_pki_crl_entry_t *entry)
{
    u_char  *p;

    p = out + 2;

    *p++ = NGX_PKI_DER_INTEGER;
    *p++ = entry->serial.len;
    p = ngx_cpymem(p, entry->serial.data, entry->serial.len);

    p = ngx_crl_entry_time(p, entry->revoked_at);

    if (entry->reason != NGX_PKI_REASON_UNSPECIFIED) {
        p = ngx_cpymem(p, NGX_CRL_REASON, sizeof(NGX_CRL_REASON) - 1);
        *p++ = (u_char) entry->reason;
    }

    out[0] = NGX_PKI_DER_SEQUENCE;
    out[1] = (u_char) (p - out - 2);

    return p;
}


/* UTCTime up to 2049, GeneralizedTime from 2050 on (RFC 5280, 5.1.2.6) */

static u_char *
ngx_crl_entry_time(u_char *p, time_t t)
{
    u_char  buf[NGX_CRL_TIME_LEN];

    (void) ngx_pki_der_time(buf, t);

    if (ngx_memcmp(buf, "2050", 4) < 0) {
        *p++ = NGX_PKI_DER_UTC_TIME;
        *p++ = NGX_CRL_UTC_LEN;

        return ngx_cpymem(p, buf + 2, NGX_CRL_UTC_LEN);
    }

    *p++ = NGX_PKI_DER_GENERALIZED_TIME;
    *p++ = NGX_CRL_TIME_LEN;

    return ngx_cpymem(p, buf, NGX_CRL_TIME_LEN);
}


void
ngx_crl_entry_read(u_char *p, ngx_pki_crl_entry_t *entry)
{
    u_char  *last;

    last = p + 2 + p[1];
    p += NGX_CRL_ENTRY_SERIAL;

    entry->serial.len = p[-1];
    ngx_memcpy(entry->serial.data, p, entry->serial.len);

    p += entry->serial.len;

    entry->revoked_at = ngx_crl_entry_parse_time(p);

    p += 2 + p[1];

    entry->reason = (p == last) ? NGX_PKI_REASON_UNSPECIFIED : last[-1];
}


static time_t
ngx_crl_entry_parse_time(u_char *p)
{
    struct tm   tm;
    ngx_uint_t  year;

    if (*p == NGX_PKI_DER_GENERALIZED_TIME) {
        p += 2;
        year = ngx_crl_digits(p) * 100 + ngx_crl_digits(p + 2);
        p += 2;

    } else {
        p += 2;
        year = ngx_crl_digits(p);
        year += (year < 50) ? 2000 : 1900;
    }

    ngx_memzero(&tm, sizeof(struct tm));

    tm.tm_year = (int) year - 1900;
    tm.tm_mon = (int) ngx_crl_digits(p + 2) - 1;
    tm.tm_mday = (int) ngx_crl_digits(p + 4);
    tm.tm_hour = (int) ngx_crl_digits(p + 6);
    tm.tm_min = (int) ngx_crl_digits(p + 8);
    tm.tm_sec = (int) ngx_crl_digits(p + 10);

    return timegm(&tm);
}


static ngx_uint_t
ngx_crl_digits(u_char *p)
{
    return (p[0] - '0') * 10 + p[1] - '0';
}


ngx_int_t
ngx_crl_frame(ngx_pool_t *pool, ngx_crl_t *crl, size_t entries_len,
    ngx_str_t *head, ngx_str_t *tail)
{
    ngx_str_t             fields;
    ngx_pki_der_writer_t  f, e;

    if (entries_len > NGX_CRL_SIZE_MAX
        || ngx_pki_der_writer_init(&f, pool, 128 + crl->issuer->len) != NGX_OK
        || ngx_pki_der_writer_init(&e, pool, 256 + crl->aki->len
                                             + crl->shard_url.len
                                             + crl->delta_url.len)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_crl_fields(&f, crl);
    ngx_crl_extensions(&e, crl);

    if (ngx_pki_der_finish(&f, &fields) != NGX_OK
        || ngx_pki_der_finish(&e, tail) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_crl_head(pool, &fields, entries_len, tail->len, head);
}


static void
ngx_crl_fields(ngx_pki_der_writer_t *w, ngx_crl_t *crl)
{
    ngx_pki_der_put_uint(w, NGX_CRL_VERSION);
    ngx_pki_der_raw(w, crl->algorithm);
    ngx_pki_der_raw(w, crl->issuer);
    ngx_pki_der_put_time(w, crl->this_update);
    ngx_pki_der_put_time(w, crl->next_update);
}


static void
ngx_crl_extensions(ngx_pki_der_writer_t *w, ngx_crl_t *crl)
{
    size_t  outer, list;

    outer = ngx_pki_der_begin(w, ngx_pki_der_explicit(0));
    list = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);

    ngx_pki_der_raw(w, crl->aki);
    ngx_crl_number(w, NGX_OCSP_OID_CRL_NUMBER, 0, crl->number);

    if (crl->base != 0) {
        ngx_crl_number(w, NGX_OCSP_OID_CRL_DELTA, 1, crl->base);
    }

    if (crl->shard_url.len != 0) {
        ngx_crl_point(w, &crl->shard_url);
    }

    if (crl->delta_url.len != 0) {
        ngx_crl_freshest(w, &crl->delta_url);
    }

    ngx_pki_der_close(w, list);
    ngx_pki_der_close(w, outer);
}


/* CRLNumber, or the BaseCRLNumber of deltaCRLIndicator */

static void
ngx_crl_number(ngx_pki_der_writer_t *w, const char *oid, ngx_uint_t critical,
    uint64_t number)
{
    size_t     extension, value;
    u_char     octets[8];
    ngx_int_t  i;
    ngx_str_t  magnitude;

    for (i = sizeof(octets) - 1; i >= 0; i--) {
        octets[i] = (u_char) number;
        number >>= 8;
    }

    magnitude.len = sizeof(octets);
    magnitude.data = octets;

    extension = ngx_crl_begin(w, oid, critical, &value);

    ngx_pki_der_put_unsigned(w, &magnitude);

    ngx_pki_der_close(w, value);
    ngx_pki_der_close(w, extension);
}


/* IssuingDistributionPoint, RFC 5280, 5.2.5 */

static void
ngx_crl_point(ngx_pki_der_writer_t *w, ngx_str_t *url)
{
    size_t  extension, value, point;

    extension = ngx_crl_begin(w, NGX_OCSP_OID_CRL_POINT, 1, &value);
    point = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);

    ngx_pki_ca_put_point(w, url);
    ngx_pki_der_bytes(w, NGX_CRL_ONLY_USERS, sizeof(NGX_CRL_ONLY_USERS) - 1);

    ngx_pki_der_close(w, point);
    ngx_pki_der_close(w, value);
    ngx_pki_der_close(w, extension);
}


/* RFC 5280, 5.2.6: as in certificates, never critical */

static void
ngx_crl_freshest(ngx_pki_der_writer_t *w, ngx_str_t *url)
{
    size_t  extension, value;

    extension = ngx_crl_begin(w, NGX_OCSP_OID_CRL_FRESHEST, 0, &value);

    ngx_pki_ca_put_points(w, url);

    ngx_pki_der_close(w, value);
    ngx_pki_der_close(w, extension);
}


/* opens an Extension and its "value"; all OIDs of these have three octets */

static size_t
ngx_crl_begin(ngx_pki_der_writer_t *w, const char *oid, ngx_uint_t critical,
    size_t *value)
{
    size_t     extension;
    ngx_str_t  content;

    content.len = sizeof(NGX_OCSP_OID_CRL_NUMBER) - 1;
    content.data = (u_char *) oid;

    extension = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(w, NGX_PKI_DER_OID, &content);

    if (critical) {
        ngx_pki_der_put_boolean(w, 1);
    }

    *value = ngx_pki_der_begin(w, NGX_PKI_DER_OCTET_STRING);

    return extension;
}


/* SEQUENCE { fields, SEQUENCE { entries }, tail }: up to the entries */

static ngx_int_t
ngx_crl_head(ngx_pool_t *pool, ngx_str_t *fields, size_t entries_len,
    size_t tail_len, ngx_str_t *head)
{
    u_char  *p, *last, *list;

    p = ngx_pnalloc(pool, fields->len + 2 * NGX_CRL_HEADER_MAX);
    if (p == NULL) {
        return NGX_ERROR;
    }

    last = p + fields->len + 2 * NGX_CRL_HEADER_MAX;
    list = last;

    if (entries_len != 0) {
        list = ngx_pki_der_prepend(last, NGX_PKI_DER_SEQUENCE, entries_len);
    }

    p = list - fields->len;
    ngx_memcpy(p, fields->data, fields->len);

    p = ngx_pki_der_prepend(p, NGX_PKI_DER_SEQUENCE,
                            last - p + entries_len + tail_len);

    head->data = p;
    head->len = last - p;

    return NGX_OK;
}


ngx_int_t
ngx_crl_seal(ngx_pool_t *pool, ngx_crl_t *crl, size_t tbs_len,
    ngx_str_t *signature, ngx_str_t *head, ngx_str_t *tail)
{
    u_char                *p;
    ngx_pki_der_writer_t   w;

    p = ngx_pnalloc(pool, NGX_CRL_HEADER_MAX);

    if (p == NULL
        || ngx_pki_der_writer_init(&w, pool, crl->algorithm->len
                                             + signature->len + 16)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_pki_der_raw(&w, crl->algorithm);
    ngx_pki_der_put_bits(&w, signature);

    if (ngx_pki_der_finish(&w, tail) != NGX_OK) {
        return NGX_ERROR;
    }

    head->data = ngx_pki_der_prepend(p + NGX_CRL_HEADER_MAX,
                                     NGX_PKI_DER_SEQUENCE,
                                     tbs_len + tail->len);
    head->len = p + NGX_CRL_HEADER_MAX - head->data;

    return NGX_OK;
}
