
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_spki.h"
#include "ngx_pki_der.h"

#include <openssl/obj_mac.h>


#define NGX_PKI_SPKI_OID_RSA      "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"
#define NGX_PKI_SPKI_OID_EC       "\x2a\x86\x48\xce\x3d\x02\x01"
#define NGX_PKI_SPKI_OID_ED25519  "\x2b\x65\x70"

#define NGX_PKI_SPKI_ED25519_LEN  32
#define NGX_PKI_SPKI_UNCOMPRESSED 0x04       /* SEC 1, 2.3.3 */


typedef struct {
    ngx_str_t                  oid;          /* the parameters, whole */
    int                        nid;
    ngx_uint_t                 bits;
} ngx_pki_spki_curve_t;


static void ngx_pki_spki_rsa(ngx_str_t *params, ngx_pki_spki_t *key);
static ngx_int_t ngx_pki_spki_positive(ngx_pki_der_t *der, ngx_str_t *value);
static void ngx_pki_spki_ec(ngx_str_t *params, ngx_pki_spki_t *key);
static void ngx_pki_spki_ed25519(ngx_str_t *params, ngx_pki_spki_t *key);


static ngx_pki_spki_curve_t  ngx_pki_spki_curves[] = {

    { ngx_string("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"),
      NID_X9_62_prime256v1, 256 },

    { ngx_string("\x06\x05\x2b\x81\x04\x00\x22"), NID_secp384r1, 384 },

    { ngx_string("\x06\x05\x2b\x81\x04\x00\x23"), NID_secp521r1, 521 },

    { ngx_null_string, 0, 0 }
};


/*
 * Primes of which 65537 generates a proper subgroup; a modulus of that library
 * lies in all of them, another one with a probability of 2^-28.
 */

static ngx_uint_t  ngx_pki_spki_primes[] = {
    11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157,
    0
};


ngx_int_t
ngx_pki_spki_decode(ngx_str_t *spki, ngx_pki_spki_t *key)
{
    ngx_str_t      oid, params;
    ngx_pki_der_t  der, inner;

    ngx_memzero(key, sizeof(ngx_pki_spki_t));

    ngx_pki_der_init(&der, spki);

    if (ngx_pki_der_enter(&der, NGX_PKI_DER_SEQUENCE, &inner) != NGX_OK
        || !ngx_pki_der_end(&der)
        || ngx_pki_der_get_algorithm(&inner, &oid, &params) != NGX_OK
        || ngx_pki_der_get_bits(&inner, &key->public_key) != NGX_OK
        || !ngx_pki_der_end(&inner))
    {
        return NGX_ERROR;
    }

    if (ngx_pki_str_eq(&oid, NGX_PKI_SPKI_OID_RSA)) {
        ngx_pki_spki_rsa(&params, key);

    } else if (ngx_pki_str_eq(&oid, NGX_PKI_SPKI_OID_EC)) {
        ngx_pki_spki_ec(&params, key);

    } else if (ngx_pki_str_eq(&oid, NGX_PKI_SPKI_OID_ED25519)) {
        ngx_pki_spki_ed25519(&params, key);
    }

    return NGX_OK;
}


ngx_uint_t
ngx_pki_spki_is_roca(ngx_str_t *modulus)
{
    size_t       i;
    ngx_uint_t   n, power, *prime;

    for (prime = ngx_pki_spki_primes; *prime != 0; prime++) {

        for (n = 0, i = 0; i < modulus->len; i++) {
            n = ((n << 8) | modulus->data[i]) % *prime;
        }

        power = 1;

        while (power != n) {
            power = power * 65537 % *prime;

            if (power == 1) {
                return 0;
            }
        }
    }

    return 1;
}


/* RSAPublicKey, RFC 8017, A.1.1 */

static void
ngx_pki_spki_rsa(ngx_str_t *params, ngx_pki_spki_t *key)
{
    size_t         i;
    u_char         high;
    ngx_str_t      modulus, exponent;
    ngx_uint_t     bits;
    ngx_pki_der_t  der, inner;

    if (!ngx_pki_str_eq(params, "\x05\x00")) {
        return;
    }

    ngx_pki_der_init(&der, &key->public_key);

    if (ngx_pki_der_enter(&der, NGX_PKI_DER_SEQUENCE, &inner) != NGX_OK
        || !ngx_pki_der_end(&der)
        || ngx_pki_spki_positive(&inner, &modulus) != NGX_OK
        || ngx_pki_spki_positive(&inner, &exponent) != NGX_OK
        || !ngx_pki_der_end(&inner))
    {
        return;
    }

    bits = 8 * (modulus.len - 1);

    for (high = modulus.data[0]; high != 0; high >>= 1) {
        bits++;
    }

    if (exponent.len <= 4) {
        for (i = 0; i < exponent.len; i++) {
            key->exponent = (key->exponent << 8) | exponent.data[i];
        }
    }

    key->key.type = NGX_PKI_KEY_RSA;
    key->key.bits = bits;
    key->modulus = modulus;
}


/* an INTEGER over zero, its leading zero octet taken off */

static ngx_int_t
ngx_pki_spki_positive(ngx_pki_der_t *der, ngx_str_t *value)
{
    if (ngx_pki_der_get(der, NGX_PKI_DER_INTEGER, value) != NGX_OK
        || value->len == 0
        || (value->data[0] & 0x80))
    {
        return NGX_ERROR;
    }

    if (value->data[0] != 0) {
        return NGX_OK;
    }

    value->data++;
    value->len--;

    if (value->len == 0 || !(value->data[0] & 0x80)) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_pki_spki_ec(ngx_str_t *params, ngx_pki_spki_t *key)
{
    ngx_pki_spki_curve_t  *curve;

    for (curve = ngx_pki_spki_curves; curve->bits != 0; curve++) {

        if (params->len != curve->oid.len
            || ngx_memcmp(params->data, curve->oid.data, params->len) != 0)
        {
            continue;
        }

        if (key->public_key.len != 1 + 2 * ((curve->bits + 7) / 8)
            || key->public_key.data[0] != NGX_PKI_SPKI_UNCOMPRESSED)
        {
            return;
        }

        key->key.type = NGX_PKI_KEY_EC;
        key->key.bits = curve->bits;
        key->key.nid = curve->nid;

        return;
    }
}


static void
ngx_pki_spki_ed25519(ngx_str_t *params, ngx_pki_spki_t *key)
{
    if (params->len == 0 && key->public_key.len == NGX_PKI_SPKI_ED25519_LEN) {
        key->key.type = NGX_PKI_KEY_ED25519;
        key->key.bits = 8 * NGX_PKI_SPKI_ED25519_LEN;
    }
}
