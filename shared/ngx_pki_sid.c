
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_sid.h"
#include "ngx_pki_der.h"


#define NGX_PKI_SID_NUMBERS  4       /* that follow the prefix */
#define NGX_PKI_SID_DIGITS   10      /* of a number of 32 bits */
#define NGX_PKI_SID_MAX      4294967295

/* szOID_NTDS_OBJECTSID */

#define NGX_PKI_SID_OID      "\x2b\x06\x01\x04\x01\x82\x37\x19\x02\x01"


static ngx_int_t ngx_pki_sid_check(ngx_str_t *sid);
static ngx_uint_t ngx_pki_sid_number(u_char **pos, u_char *last);


static ngx_str_t  ngx_pki_sid_prefix_domain = ngx_string("S-1-5-21");
static ngx_str_t  ngx_pki_sid_prefix_entra = ngx_string("S-1-12-1");


/* SEQUENCE { [0] { OID, [0] { OCTET STRING } } }: GeneralNames */

ngx_int_t
ngx_pki_sid_extension(ngx_str_t *value, ngx_str_t *sid)
{
    ngx_str_t      oid;
    ngx_pki_der_t  der, names, name, other;

    ngx_pki_der_init(&der, value);

    if (ngx_pki_der_enter(&der, NGX_PKI_DER_SEQUENCE, &names) != NGX_OK
        || !ngx_pki_der_end(&der)
        || ngx_pki_der_enter(&names, ngx_pki_der_explicit(0), &name) != NGX_OK
        || !ngx_pki_der_end(&names)
        || ngx_pki_der_get(&name, NGX_PKI_DER_OID, &oid) != NGX_OK
        || !ngx_pki_str_eq(&oid, NGX_PKI_SID_OID)
        || ngx_pki_der_enter(&name, ngx_pki_der_explicit(0), &other) != NGX_OK
        || !ngx_pki_der_end(&name)
        || ngx_pki_der_get(&other, NGX_PKI_DER_OCTET_STRING, sid) != NGX_OK
        || !ngx_pki_der_end(&other))
    {
        return NGX_DECLINED;
    }

    return ngx_pki_sid_check(sid);
}


ngx_int_t
ngx_pki_sid_uri(ngx_str_t *uri, ngx_str_t *sid)
{
    static ngx_str_t  prefix =
                            ngx_string("tag:microsoft.com,2022-09-14:sid:");

    if (uri->len < prefix.len
        || ngx_memcmp(uri->data, prefix.data, prefix.len) != 0)
    {
        return NGX_DECLINED;
    }

    sid->data = uri->data + prefix.len;
    sid->len = uri->len - prefix.len;

    return ngx_pki_sid_check(sid);
}


static ngx_int_t
ngx_pki_sid_check(ngx_str_t *sid)
{
    u_char      *p, *last;
    size_t       len;
    ngx_uint_t   n;

    /* either prefix has this length */

    len = ngx_pki_sid_prefix_domain.len;

    if (sid->len < len
        || (ngx_memcmp(sid->data, ngx_pki_sid_prefix_domain.data, len) != 0
            && ngx_memcmp(sid->data, ngx_pki_sid_prefix_entra.data, len) != 0))
    {
        return NGX_DECLINED;
    }

    p = sid->data + len;
    last = sid->data + sid->len;

    for (n = 0; n < NGX_PKI_SID_NUMBERS; n++) {
        if (!ngx_pki_sid_number(&p, last)) {
            return NGX_DECLINED;
        }
    }

    return (p == last) ? NGX_OK : NGX_DECLINED;
}


/* "-" and a number of 32 bits in its only form */

static ngx_uint_t
ngx_pki_sid_number(u_char **pos, u_char *last)
{
    u_char    *p, *start;
    uint64_t   n;

    p = *pos;

    if (p == last || *p++ != '-') {
        return 0;
    }

    n = 0;

    for (start = p; p < last && *p >= '0' && *p <= '9'; p++) {

        if (p - start == NGX_PKI_SID_DIGITS) {
            return 0;
        }

        n = n * 10 + (*p - '0');
    }

    *pos = p;

    return p != start
           && (*start != '0' || p - start == 1)
           && n <= NGX_PKI_SID_MAX;
}
