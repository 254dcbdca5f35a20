
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_csr.h"
#include "ngx_pki_md.h"
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
    ngx_uint_t                 pss;          /* as of ngx_pki_key_verify() */
} ngx_pki_csr_signature_t;


static ngx_int_t ngx_pki_csr_signature(ngx_pki_csr_t *csr,
    ngx_pki_csr_signature_t *s);
static ngx_int_t ngx_pki_csr_pss_params(ngx_str_t *params,
    ngx_pki_csr_signature_t *s);
static EVP_PKEY *ngx_pki_csr_public_key(ngx_pki_csr_t *csr);
static ngx_int_t ngx_pki_csr_check(ngx_pki_csr_t *csr, EVP_PKEY *pkey,
    ngx_pki_csr_signature_t *s);
static ngx_int_t ngx_pki_csr_check_whole(ngx_pki_csr_t *csr, EVP_PKEY *pkey);


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
    EVP_PKEY                 *pkey;
    ngx_int_t                 rc;
    ngx_pki_csr_signature_t   signature;

    if (ngx_pki_csr_signature(csr, &signature) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (csr->pkey != NULL) {
        return ngx_pki_csr_check(csr, csr->pkey, &signature);
    }

    pkey = ngx_pki_csr_public_key(csr);

    if (pkey == NULL) {
        return NGX_DECLINED;
    }

    rc = ngx_pki_csr_check(csr, pkey, &signature);

    EVP_PKEY_free(pkey);

    return rc;
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

    s->md = ngx_pki_md(a->md);

    return s->md != NULL ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_pki_csr_pss_params(ngx_str_t *params, ngx_pki_csr_signature_t *s)
{
    ngx_pki_pss_t  pss;

    if (ngx_pki_pss_decode(params, &pss) != NGX_OK) {
        return NGX_DECLINED;
    }

    s->pss = ngx_pki_key_pss_salt(pss.salt);
    s->md = ngx_pki_md(pss.md);

    return s->md != NULL ? NGX_OK : NGX_DECLINED;
}


static EVP_PKEY *
ngx_pki_csr_public_key(ngx_pki_csr_t *csr)
{
    ngx_pki_spki_t  spki;

    if (ngx_pki_spki_decode(&csr->spki, &spki) != NGX_OK) {
        return NULL;
    }

    return ngx_pki_public_key(&spki, NULL);
}


static ngx_int_t
ngx_pki_csr_check(ngx_pki_csr_t *csr, EVP_PKEY *pkey,
    ngx_pki_csr_signature_t *s)
{
    u_char     buf[EVP_MAX_MD_SIZE];
    ngx_str_t  digest;

    if (s->md == NULL) {
        return ngx_pki_csr_check_whole(csr, pkey);
    }

    if (ngx_pki_md_digest(s->md, &csr->info, buf, &digest) != NGX_OK
        || ngx_pki_key_verify(pkey, csr->verify, s->md, s->pss, &digest,
                              &csr->signature)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* Ed25519 signs no digest: RFC 8032, 5.1 */

static ngx_int_t
ngx_pki_csr_check_whole(ngx_pki_csr_t *csr, EVP_PKEY *pkey)
{
    int          rc;
    EVP_MD_CTX  *ctx;

    ctx = EVP_MD_CTX_new();

    rc = ctx != NULL
         && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1
         && EVP_DigestVerify(ctx, csr->signature.data, csr->signature.len,
                             csr->info.data, csr->info.len)
            == 1;

    EVP_MD_CTX_free(ctx);
    ERR_clear_error();

    return rc ? NGX_OK : NGX_DECLINED;
}
