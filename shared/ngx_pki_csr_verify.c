
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_csr.h"
#include "ngx_pki_pss.h"
#include "ngx_pki_public_key.h"


typedef struct {
    ngx_str_t                  oid;
    ngx_pki_key_type_e         type;
    int                        md;           /* NID; of PSS: parameters say */
    unsigned                   pss:1;
} ngx_pki_csr_algorithm_t;


typedef struct {
    const EVP_MD              *md;           /* NULL: of the key itself */
    ngx_uint_t                 pss;
    ngx_uint_t                 salt;
} ngx_pki_csr_signature_t;


static ngx_int_t ngx_pki_csr_signature(ngx_pki_csr_t *csr,
    ngx_pki_csr_signature_t *s);
static ngx_int_t ngx_pki_csr_pss_params(ngx_str_t *params,
    ngx_pki_csr_signature_t *s);
static int ngx_pki_csr_check_signature(ngx_pki_csr_t *csr,
    ngx_pki_csr_signature_t *s, EVP_PKEY *pkey, EVP_MD_CTX *ctx);


/*
 * SHA-1 is good enough here, where the signature only shows that the client
 * has the key of what it sent itself, and old clients know nothing else.
 */

static ngx_pki_csr_algorithm_t  ngx_pki_csr_algorithms[] = {

    { ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"),
      NGX_PKI_KEY_RSA, NID_sha256, 0 },
    { ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c"),
      NGX_PKI_KEY_RSA, NID_sha384, 0 },
    { ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d"),
      NGX_PKI_KEY_RSA, NID_sha512, 0 },
    { ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05"),
      NGX_PKI_KEY_RSA, NID_sha1, 0 },
    { ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"),
      NGX_PKI_KEY_RSA, NID_undef, 1 },

    { ngx_string("\x2a\x86\x48\xce\x3d\x04\x03\x02"),
      NGX_PKI_KEY_EC, NID_sha256, 0 },
    { ngx_string("\x2a\x86\x48\xce\x3d\x04\x03\x03"),
      NGX_PKI_KEY_EC, NID_sha384, 0 },
    { ngx_string("\x2a\x86\x48\xce\x3d\x04\x03\x04"),
      NGX_PKI_KEY_EC, NID_sha512, 0 },
    { ngx_string("\x2a\x86\x48\xce\x3d\x04\x01"),
      NGX_PKI_KEY_EC, NID_sha1, 0 },

    { ngx_string("\x2b\x65\x70"), NGX_PKI_KEY_ED25519, NID_undef, 0 },

    { ngx_null_string, 0, 0, 0 }
};


ngx_int_t
ngx_pki_csr_verify(ngx_pki_csr_t *csr)
{
    int                       rc;
    EVP_PKEY                 *pkey;
    EVP_MD_CTX               *ctx;
    ngx_pki_spki_t            spki;
    ngx_pki_csr_signature_t   signature;

    if (ngx_pki_csr_signature(csr, &signature) != NGX_OK
        || ngx_pki_spki_decode(&csr->spki, &spki) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    pkey = csr->pkey;

    if (pkey == NULL) {
        pkey = ngx_pki_public_key(&spki);

    } else {
        (void) EVP_PKEY_up_ref(pkey);
    }

    ctx = EVP_MD_CTX_new();

    rc = 0;

    if (pkey != NULL && ctx != NULL) {
        rc = ngx_pki_csr_check_signature(csr, &signature, pkey, ctx);
    }

    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    ERR_clear_error();

    return rc == 1 ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_pki_csr_signature(ngx_pki_csr_t *csr, ngx_pki_csr_signature_t *s)
{
    ngx_str_t                *params;
    ngx_pki_csr_algorithm_t  *a;

    params = &csr->signature_params;

    for (a = ngx_pki_csr_algorithms; a->oid.len != 0; a++) {

        if (a->oid.len == csr->signature_oid.len
            && ngx_memcmp(a->oid.data, csr->signature_oid.data, a->oid.len)
               == 0)
        {
            break;
        }
    }

    if (a->oid.len == 0 || a->type != csr->key.type) {
        return NGX_DECLINED;
    }

    ngx_memzero(s, sizeof(ngx_pki_csr_signature_t));

    if (a->pss) {
        return ngx_pki_csr_pss_params(params, s);
    }

    /* RFC 4055, 5 wants NULL with RSA; absent is seen, too */

    if (params->len != 0
        && !(a->type == NGX_PKI_KEY_RSA && ngx_pki_str_eq(params, "\x05\x00")))
    {
        return NGX_DECLINED;
    }

    if (a->md == NID_undef) {
        return NGX_OK;
    }

    s->md = EVP_get_digestbynid(a->md);

    return s->md != NULL ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_pki_csr_pss_params(ngx_str_t *params, ngx_pki_csr_signature_t *s)
{
    ngx_pki_pss_t  pss;

    if (ngx_pki_pss_decode(params, &pss) != NGX_OK) {
        return NGX_DECLINED;
    }

    s->pss = 1;
    s->salt = pss.salt;
    s->md = EVP_get_digestbynid(pss.md);

    return s->md != NULL ? NGX_OK : NGX_DECLINED;
}


static int
ngx_pki_csr_check_signature(ngx_pki_csr_t *csr, ngx_pki_csr_signature_t *s,
    EVP_PKEY *pkey, EVP_MD_CTX *ctx)
{
    EVP_PKEY_CTX  *pctx;

    if (EVP_DigestVerifyInit(ctx, &pctx, s->md, NULL, pkey) != 1) {
        return 0;
    }

    if (s->pss && ngx_pki_pss_set(pctx, (int) s->salt) != NGX_OK) {
        return 0;
    }

    return EVP_DigestVerify(ctx, csr->signature.data, csr->signature.len,
                            csr->info.data, csr->info.len);
}
