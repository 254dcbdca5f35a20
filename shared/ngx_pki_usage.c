
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_usage.h"
#include "ngx_pki_der.h"
#include "ngx_pki_oid.h"


#define NGX_PKI_USAGE_BEYOND  0x100

#define NGX_PKI_USAGE_KP      "\x2b\x06\x01\x05\x05\x07\x03"
#define NGX_PKI_USAGE_MS      "\x2b\x06\x01\x04\x01\x82\x37"


typedef struct {
    ngx_str_t                  name;
    ngx_uint_t                 bit;
} ngx_pki_usage_bit_t;


static ngx_int_t ngx_pki_usage_text_bits(ngx_str_t *value, u_char **out);
static ngx_int_t ngx_pki_usage_text_extended(ngx_pool_t *pool,
    ngx_str_t *value, u_char **out);


static ngx_pki_usage_bit_t  ngx_pki_usage_bits[] = {
    { ngx_string("digitalSignature"), NGX_PKI_USAGE_DIGITAL_SIGNATURE },
    { ngx_string("nonRepudiation"), NGX_PKI_USAGE_NON_REPUDIATION },
    { ngx_string("contentCommitment"), NGX_PKI_USAGE_NON_REPUDIATION },
    { ngx_string("keyEncipherment"), NGX_PKI_USAGE_KEY_ENCIPHERMENT },
    { ngx_string("dataEncipherment"), NGX_PKI_USAGE_DATA_ENCIPHERMENT },
    { ngx_string("keyAgreement"), NGX_PKI_USAGE_KEY_AGREEMENT },
    { ngx_null_string, 0 }
};


/* the names are those of OpenSSL */

static ngx_pki_usage_t  ngx_pki_usages[] = {

    { ngx_string("serverAuth"), ngx_string(NGX_PKI_USAGE_KP "\x01"),
      NGX_PKI_USAGE_REQUESTED },
    { ngx_string("clientAuth"), ngx_string(NGX_PKI_USAGE_KP "\x02"),
      NGX_PKI_USAGE_REQUESTED },
    { ngx_string("codeSigning"), ngx_string(NGX_PKI_USAGE_KP "\x03"),
      NGX_PKI_USAGE_CONFIGURED },
    { ngx_string("emailProtection"), ngx_string(NGX_PKI_USAGE_KP "\x04"),
      NGX_PKI_USAGE_REQUESTED },
    { ngx_string("ipsecEndSystem"), ngx_string(NGX_PKI_USAGE_KP "\x05"),
      NGX_PKI_USAGE_REQUESTED },
    { ngx_string("ipsecTunnel"), ngx_string(NGX_PKI_USAGE_KP "\x06"),
      NGX_PKI_USAGE_REQUESTED },
    { ngx_string("ipsecUser"), ngx_string(NGX_PKI_USAGE_KP "\x07"),
      NGX_PKI_USAGE_REQUESTED },
    { ngx_string("timeStamping"), ngx_string(NGX_PKI_USAGE_KP "\x08"),
      NGX_PKI_USAGE_CONFIGURED },
    { ngx_string("OCSPSigning"), ngx_string(NGX_PKI_USAGE_KP "\x09"),
      NGX_PKI_USAGE_NEVER },
    { ngx_string("ipsecIKE"), ngx_string(NGX_PKI_USAGE_KP "\x11"),
      NGX_PKI_USAGE_REQUESTED },
    { ngx_string("anyExtendedKeyUsage"), ngx_string("\x55\x1d\x25\x00"),
      NGX_PKI_USAGE_NEVER },
    { ngx_string("msSmartcardLogin"),
      ngx_string(NGX_PKI_USAGE_MS "\x14\x02\x02"), NGX_PKI_USAGE_CONFIGURED },
    { ngx_string("pkInitKDC"), ngx_string("\x2b\x06\x01\x05\x02\x03\x05"),
      NGX_PKI_USAGE_CONFIGURED },

    { ngx_null_string, ngx_null_string, 0 }
};


ngx_uint_t
ngx_pki_usage_bit(ngx_str_t *name)
{
    ngx_pki_usage_bit_t  *b;

    for (b = ngx_pki_usage_bits; b->bit != 0; b++) {

        if (b->name.len == name->len
            && ngx_memcmp(b->name.data, name->data, name->len) == 0)
        {
            break;
        }
    }

    return b->bit;
}


ngx_uint_t
ngx_pki_usage_of_key(ngx_pki_key_type_e type)
{
    ngx_uint_t  signing;

    signing = NGX_PKI_USAGE_DIGITAL_SIGNATURE|NGX_PKI_USAGE_NON_REPUDIATION;

    switch (type) {

    case NGX_PKI_KEY_RSA:
        return signing
               |NGX_PKI_USAGE_KEY_ENCIPHERMENT
               |NGX_PKI_USAGE_DATA_ENCIPHERMENT;

    case NGX_PKI_KEY_EC:
        return signing|NGX_PKI_USAGE_KEY_AGREEMENT;

    default:
        return signing;
    }
}


ngx_int_t
ngx_pki_usage_decode(ngx_str_t *value, ngx_uint_t *bits)
{
    ngx_str_t      content;
    ngx_uint_t     i, unused;
    ngx_pki_der_t  der;

    ngx_pki_der_init(&der, value);

    if (ngx_pki_der_get(&der, NGX_PKI_DER_BIT_STRING, &content) != NGX_OK
        || !ngx_pki_der_end(&der)
        || content.len == 0
        || content.len > 3)
    {
        return NGX_DECLINED;
    }

    unused = content.data[0];

    if (unused > 7 || (content.len == 1 && unused != 0)) {
        return NGX_DECLINED;
    }

    *bits = 0;

    if (content.len == 1) {
        return NGX_OK;
    }

    if (content.data[content.len - 1] & ((1 << unused) - 1)) {
        return NGX_DECLINED;
    }

    *bits = content.data[1];

    for (i = 2; i < content.len; i++) {
        if (content.data[i] != 0) {
            *bits |= NGX_PKI_USAGE_BEYOND;
        }
    }

    return NGX_OK;
}


u_char *
ngx_pki_usage_encode(u_char *dst, ngx_uint_t bits)
{
    u_char  unused;

    /* trailing zero bits of a named bit list are left out (X.690, 11.2.2) */

    for (unused = 0; unused < 7 && !(bits & (1 << unused)); unused++) {
        /* void */
    }

    *dst++ = NGX_PKI_DER_BIT_STRING;
    *dst++ = 2;
    *dst++ = unused;
    *dst++ = (u_char) bits;

    return dst;
}


ngx_int_t
ngx_pki_usage_text(ngx_pool_t *pool, ngx_str_t *extensions, ngx_str_t *text)
{
    u_char         *p;
    ngx_int_t       rc;
    ngx_str_t       oid, value;
    ngx_pki_der_t   der, extension;

    static const u_char  usage[] = { 0x55, 0x1d, 0x0f };
    static const u_char  extended[] = { 0x55, 0x1d, 0x25 };

    /*
     * An octet of an OID makes four of text at most, of one with a name five;
     * the 13 of a key usage make 83.
     */

    p = ngx_pnalloc(pool, 8 * extensions->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = p;
    ngx_pki_der_init(&der, extensions);

    while (!ngx_pki_der_end(&der)) {

        if (ngx_pki_der_enter(&der, NGX_PKI_DER_SEQUENCE, &extension) != NGX_OK
            || ngx_pki_der_get(&extension, NGX_PKI_DER_OID, &oid) != NGX_OK
            || ngx_pki_der_skip_optional(&extension, NGX_PKI_DER_BOOLEAN)
               != NGX_OK
            || ngx_pki_der_get(&extension, NGX_PKI_DER_OCTET_STRING, &value)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        rc = NGX_OK;

        if (oid.len == sizeof(usage)
            && ngx_memcmp(oid.data, usage, sizeof(usage)) == 0)
        {
            rc = ngx_pki_usage_text_bits(&value, &p);

        } else if (oid.len == sizeof(extended)
                   && ngx_memcmp(oid.data, extended, sizeof(extended)) == 0)
        {
            rc = ngx_pki_usage_text_extended(pool, &value, &p);
        }

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }
    }

    /* without the last separator */

    text->len = (p != text->data) ? p - text->data - 2 : 0;

    return NGX_OK;
}


static ngx_int_t
ngx_pki_usage_text_bits(ngx_str_t *value, u_char **out)
{
    ngx_uint_t            bits;
    ngx_pki_usage_bit_t  *b;

    if (ngx_pki_usage_decode(value, &bits) != NGX_OK) {
        return NGX_ERROR;
    }

    /* of two names for one, the first */

    for (b = ngx_pki_usage_bits; b->bit != 0; b++) {

        if (bits & b->bit) {
            *out = ngx_sprintf(*out, "%V, ", &b->name);
            bits &= ~b->bit;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_pki_usage_text_extended(ngx_pool_t *pool, ngx_str_t *value, u_char **out)
{
    ngx_int_t         rc;
    ngx_str_t         oid, text;
    ngx_pki_der_t     der, oids;
    ngx_pki_usage_t  *u;

    ngx_pki_der_init(&der, value);

    if (ngx_pki_der_enter(&der, NGX_PKI_DER_SEQUENCE, &oids) != NGX_OK) {
        return NGX_ERROR;
    }

    while (!ngx_pki_der_end(&oids)) {

        if (ngx_pki_der_get(&oids, NGX_PKI_DER_OID, &oid) != NGX_OK) {
            return NGX_ERROR;
        }

        u = ngx_pki_usage_by_oid(&oid);

        if (u != NULL) {
            text = u->name;

        } else {
            rc = ngx_pki_oid_text(pool, &oid, &text);

            if (rc == NGX_ERROR) {
                return NGX_ERROR;
            }

            if (rc == NGX_DECLINED) {
                ngx_str_set(&text, "unknown");
            }
        }

        *out = ngx_sprintf(*out, "%V, ", &text);
    }

    return NGX_OK;
}


ngx_pki_usage_t *
ngx_pki_usage_by_name(ngx_str_t *name)
{
    ngx_pki_usage_t  *u;

    for (u = ngx_pki_usages; u->name.len != 0; u++) {

        if (u->name.len == name->len
            && ngx_memcmp(u->name.data, name->data, name->len) == 0)
        {
            return u;
        }
    }

    return NULL;
}


ngx_pki_usage_t *
ngx_pki_usage_by_oid(ngx_str_t *oid)
{
    ngx_pki_usage_t  *u;

    for (u = ngx_pki_usages; u->name.len != 0; u++) {

        if (u->oid.len == oid->len
            && ngx_memcmp(u->oid.data, oid->data, oid->len) == 0)
        {
            return u;
        }
    }

    return NULL;
}
