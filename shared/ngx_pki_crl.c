
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_crl.h"
#include "ngx_pki_record.h"


static ngx_int_t ngx_pki_crl_entry_split(ngx_str_t *value, ngx_str_t *words);


static ngx_str_t  ngx_pki_crl_shard_prefix = ngx_string("shard-");


size_t
ngx_pki_crl_name(u_char *out, ngx_uint_t list)
{
    u_char  *p;

    switch (list) {

    case NGX_PKI_CRL_FULL:
        p = ngx_cpymem(out, "0", 1);
        break;

    case NGX_PKI_CRL_DELTA:
        p = ngx_cpymem(out, "delta", sizeof("delta") - 1);
        break;

    default:
        p = ngx_sprintf(out, "%V%02xi", &ngx_pki_crl_shard_prefix,
                        list - NGX_PKI_CRL_SHARD);
    }

    return p - out;
}


ngx_int_t
ngx_pki_crl_parse(ngx_str_t *name, ngx_uint_t *list)
{
    u_char      text[NGX_PKI_CRL_NAME_LEN];
    ngx_str_t   hex, *prefix;
    ngx_uint_t  shard;

    if (ngx_pki_str_eq(name, "0")) {
        *list = NGX_PKI_CRL_FULL;
        return NGX_OK;
    }

    if (ngx_pki_str_eq(name, "delta")) {
        *list = NGX_PKI_CRL_DELTA;
        return NGX_OK;
    }

    prefix = &ngx_pki_crl_shard_prefix;

    if (name->len <= prefix->len
        || ngx_memcmp(name->data, prefix->data, prefix->len) != 0)
    {
        return NGX_ERROR;
    }

    hex.data = name->data + prefix->len;
    hex.len = name->len - prefix->len;

    if (ngx_pki_crl_parse_shard(&hex, &shard) != NGX_OK) {
        return NGX_ERROR;
    }

    *list = NGX_PKI_CRL_SHARD + shard;

    /* a CRL has one name only */

    return (ngx_pki_crl_name(text, *list) == name->len
            && ngx_memcmp(text, name->data, name->len) == 0)
           ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_pki_crl_parse_shard(ngx_str_t *hex, ngx_uint_t *shard)
{
    ngx_int_t  n;

    if (hex->len > 4) {
        return NGX_ERROR;
    }

    n = ngx_hextoi(hex->data, hex->len);

    if (n == NGX_ERROR || n >= NGX_PKI_CRL_SHARDS_MAX) {
        return NGX_ERROR;
    }

    *shard = n;

    return NGX_OK;
}


ngx_int_t
ngx_pki_crl_shard(ngx_pki_serial_t *serial)
{
    u_char     *p;
    ngx_int_t   shard;

    if (serial->len != NGX_PKI_CRL_SERIAL_LEN) {
        return NGX_DECLINED;
    }

    p = &serial->data[NGX_PKI_CRL_SERIAL_LEN - 2];
    shard = p[0] << 8 | p[1];

    return (shard < NGX_PKI_CRL_SHARDS_MAX) ? shard : NGX_DECLINED;
}


size_t
ngx_pki_crl_url(u_char *out, ngx_str_t *url, ngx_uint_t list)
{
    size_t   len;
    u_char  *p;

    if (list == NGX_PKI_CRL_FULL) {
        ngx_memcpy(out, url->data, url->len);
        return url->len;
    }

    len = url->len;

    if (len >= sizeof(".crl") - 1
        && ngx_memcmp(url->data + len - 4, ".crl", sizeof(".crl") - 1) == 0)
    {
        len -= sizeof(".crl") - 1;
    }

    p = ngx_cpymem(out, url->data, len);

    if (list == NGX_PKI_CRL_DELTA) {
        p = ngx_cpymem(p, "-delta", sizeof("-delta") - 1);

    } else {
        p = ngx_sprintf(p, "-%02xi", list - NGX_PKI_CRL_SHARD);
    }

    p = ngx_cpymem(p, url->data + len, url->len - len);

    return p - out;
}


void
ngx_pki_crl_raise(ngx_atomic_t *value, uint64_t number)
{
    ngx_atomic_uint_t  known;

    do {
        known = *value;

        if (number <= known) {
            return;
        }

    } while (!ngx_atomic_cmp_set(value, known, number));
}


ngx_int_t
ngx_pki_crl_entry_decode(ngx_str_t *serial, ngx_str_t *value,
    ngx_pki_crl_entry_t *entry)
{
    ngx_int_t  n;
    ngx_str_t  words[4];

    ngx_memzero(entry, sizeof(ngx_pki_crl_entry_t));

    n = (value->len != 0) ? ngx_pki_crl_entry_split(value, words) : NGX_ERROR;

    if (n == NGX_ERROR
        || ngx_pki_serial_parse(serial, &entry->serial) != NGX_OK
        || ngx_pki_time_parse(&words[0], &entry->revoked_at) != NGX_OK
        || entry->revoked_at == 0)
    {
        return NGX_ERROR;
    }

    if (ngx_pki_str_eq(&words[1], "8")) {
        entry->reason = NGX_PKI_CRL_REMOVED;

    } else if (ngx_pki_reason_decode(&words[1], &entry->reason) != NGX_OK) {
        return NGX_ERROR;
    }

    if (n == 2) {
        return NGX_OK;
    }

    if (ngx_pki_time_parse(&words[2], &entry->not_after) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_pki_number_parse(&words[3], NGX_PKI_NUMBER_MAX, &entry->seq);
}


/* two words or four, one blank between them; NGX_ERROR: another number */

static ngx_int_t
ngx_pki_crl_entry_split(ngx_str_t *value, ngx_str_t *words)
{
    u_char     *p, *last;
    ngx_int_t   n;

    p = value->data;
    last = p + value->len;

    for (n = 0; n < 4; n++) {
        words[n].data = p;

        while (p < last && *p != ' ') {
            p++;
        }

        words[n].len = p - words[n].data;

        if (p == last) {
            return (n == 1 || n == 3) ? n + 1 : NGX_ERROR;
        }

        p++;
    }

    return NGX_ERROR;
}
