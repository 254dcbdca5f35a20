
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_key.h"
#include "ngx_pki_md.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/core_names.h>


/* RSA of 3072 bits takes more than a millisecond */

#define NGX_PKI_KEY_SLOW_BITS  3072

/* of no signature */

#define NGX_PKI_KEY_PSS_NEVER  ((ngx_uint_t) -1)


typedef struct {
    ngx_str_t                  name;
    int                        nid;
    ngx_uint_t                 bits;
} ngx_pki_key_curve_t;


typedef struct {
    ngx_pki_key_type_e         type;
    int                        md;
    ngx_uint_t                 pss;
    ngx_str_t                  identifier;
} ngx_pki_key_algorithm_t;


static void ngx_pki_key_start(ngx_pki_key_job_t *job);
static ngx_int_t ngx_pki_key_verify_init(EVP_PKEY *pkey,
    ngx_pki_key_ctx_t *kc, const EVP_MD *md, ngx_uint_t pss);
static const ngx_pki_key_curve_t *ngx_pki_key_curve(ngx_str_t *name);


static const ngx_pki_key_curve_t  ngx_pki_key_curves[] = {
    { ngx_string("P-256"), NID_X9_62_prime256v1, 256 },
    { ngx_string("P-384"), NID_secp384r1, 384 },
    { ngx_string("P-521"), NID_secp521r1, 521 }
};


/*
 * RSASSA-PSS-params (RFC 4055, 3.1): SHA-2 by its last arc, MGF1 with the same,
 * a salt as long as the digest
 */

#define ngx_pki_key_pss(arc, salt)                                           \
    ngx_string("\x30\x41\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"          \
               "\x30\x34\xa0\x0f\x30\x0d"                                    \
               "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02" arc "\x05\x00"      \
               "\xa1\x1c\x30\x1a\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08"  \
               "\x30\x0d"                                                    \
               "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02" arc "\x05\x00"      \
               "\xa2\x03\x02\x01" salt)


/* parameters: NULL for RSA (RFC 4055, 5), absent for ECDSA (RFC 5758, 3.2) */

static ngx_pki_key_algorithm_t  ngx_pki_key_algorithms[] = {

    { NGX_PKI_KEY_RSA, NID_sha256, 0,
      ngx_string("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"
                 "\x05\x00") },

    { NGX_PKI_KEY_RSA, NID_sha384, 0,
      ngx_string("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c"
                 "\x05\x00") },

    { NGX_PKI_KEY_RSA, NID_sha512, 0,
      ngx_string("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d"
                 "\x05\x00") },

    { NGX_PKI_KEY_RSA, NID_sha256, 1, ngx_pki_key_pss("\x01", "\x20") },

    { NGX_PKI_KEY_RSA, NID_sha384, 1, ngx_pki_key_pss("\x02", "\x30") },

    { NGX_PKI_KEY_RSA, NID_sha512, 1, ngx_pki_key_pss("\x03", "\x40") },

    { NGX_PKI_KEY_EC, NID_sha256, 0,
      ngx_string("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02") },

    { NGX_PKI_KEY_EC, NID_sha384, 0,
      ngx_string("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03") },

    { NGX_PKI_KEY_EC, NID_sha512, 0,
      ngx_string("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04") }
};


const char *
ngx_pki_key_parse_spec(ngx_str_t *text, ngx_pki_key_spec_t *spec)
{
    u_char                     *colon;
    ngx_int_t                   bits;
    ngx_str_t                   kind, size;
    const ngx_pki_key_curve_t  *curve;

    ngx_memzero(spec, sizeof(ngx_pki_key_spec_t));

    kind = *text;
    ngx_str_null(&size);

    colon = ngx_strlchr(text->data, text->data + text->len, ':');

    if (colon != NULL) {
        kind.len = colon - text->data;
        size.data = colon + 1;
        size.len = text->data + text->len - size.data;
    }

    if (ngx_pki_str_eq(&kind, "rsa-hsm") || ngx_pki_str_eq(&kind, "ec-hsm")) {
        spec->hsm = 1;
        kind.len -= sizeof("-hsm") - 1;
    }

    if (ngx_pki_str_eq(&kind, "rsa")) {
        bits = ngx_atoi(size.data, size.len);

        if (bits != 2048 && bits != 3072 && bits != 4096) {
            return "an RSA key has 2048, 3072 or 4096 bits, as \"rsa:3072\"";
        }

        spec->type = NGX_PKI_KEY_RSA;
        spec->bits = bits;

        return NULL;
    }

    if (ngx_pki_str_eq(&kind, "ec")) {
        curve = ngx_pki_key_curve(&size);

        if (curve == NULL) {
            return "a curve is P-256, P-384 or P-521, as \"ec:P-256\"";
        }

        spec->type = NGX_PKI_KEY_EC;
        spec->bits = curve->bits;
        spec->nid = curve->nid;

        return NULL;
    }

    return "a key is \"rsa:2048\", \"rsa:3072\", \"rsa:4096\", \"ec:P-256\", "
           "\"ec:P-384\" or \"ec:P-521\"";
}


void
ngx_pki_key_print_spec(ngx_pki_key_spec_t *spec, ngx_str_t *out)
{
    u_char                     *p;
    ngx_uint_t                  i;
    const ngx_pki_key_curve_t  *curve;

    p = out->data;
    curve = ngx_pki_key_curves;

    switch (spec->type) {

    case NGX_PKI_KEY_RSA:
        p = ngx_sprintf(p, "rsa%s:%ui", spec->hsm ? "-hsm" : "", spec->bits);
        break;

    case NGX_PKI_KEY_EC:

        for (i = 0; i < sizeof(ngx_pki_key_curves)
                        / sizeof(ngx_pki_key_curves[0]); i++)
        {
            if (curve[i].nid == spec->nid) {
                p = ngx_sprintf(p, "ec%s:%V", spec->hsm ? "-hsm" : "",
                                &curve[i].name);
            }
        }

        break;

    case NGX_PKI_KEY_ED25519:
        p = ngx_cpymem(p, "ed25519", sizeof("ed25519") - 1);
        break;
    }

    out->len = p - out->data;
}


ngx_uint_t
ngx_pki_key_is_slow(ngx_pki_key_spec_t *spec)
{
    return spec->type == NGX_PKI_KEY_RSA && spec->bits >= NGX_PKI_KEY_SLOW_BITS;
}


ngx_int_t
ngx_pki_key_describe(EVP_PKEY *pkey, ngx_pki_key_spec_t *spec)
{
    char        group[64];
    size_t      len;
    ngx_uint_t  i;

    ngx_memzero(spec, sizeof(ngx_pki_key_spec_t));

    spec->bits = EVP_PKEY_get_bits(pkey);

    switch (EVP_PKEY_get_base_id(pkey)) {

    case EVP_PKEY_RSA:
        spec->type = NGX_PKI_KEY_RSA;
        return NGX_OK;

    case EVP_PKEY_ED25519:
        spec->type = NGX_PKI_KEY_ED25519;
        return NGX_OK;

    case EVP_PKEY_EC:
        if (EVP_PKEY_get_group_name(pkey, group, sizeof(group), &len) != 1) {
            ERR_clear_error();
            return NGX_ERROR;
        }

        spec->type = NGX_PKI_KEY_EC;
        spec->nid = OBJ_sn2nid(group);

        for (i = 0; i < sizeof(ngx_pki_key_curves)
                        / sizeof(ngx_pki_key_curves[0]); i++)
        {
            if (ngx_pki_key_curves[i].nid == spec->nid) {
                return NGX_OK;
            }
        }

        return NGX_ERROR;

    default:
        return NGX_ERROR;
    }
}


ngx_int_t
ngx_pki_key_spki(ngx_pool_t *pool, EVP_PKEY *pkey, ngx_str_t *spki)
{
    int      len;
    u_char  *p;

    p = NULL;
    len = i2d_PUBKEY(pkey, &p);

    if (len <= 0) {
        ERR_clear_error();
        return NGX_ERROR;
    }

    spki->len = len;
    spki->data = ngx_pnalloc(pool, len);

    if (spki->data != NULL) {
        ngx_memcpy(spki->data, p, len);
    }

    OPENSSL_free(p);

    return (spki->data == NULL) ? NGX_ERROR : NGX_OK;
}


void
ngx_pki_key_sign(ngx_pki_key_job_t *job)
{
    job->operation = NGX_PKI_KEY_SIGN;

    ngx_pki_key_start(job);
}


void
ngx_pki_key_decrypt(ngx_pki_key_job_t *job)
{
    job->operation = NGX_PKI_KEY_DECRYPT;

    ngx_pki_key_start(job);
}


static void
ngx_pki_key_start(ngx_pki_key_job_t *job)
{
    job->started = ngx_pki_op_clock();
    ngx_str_null(&job->output);

    job->key->run(job);
}


void
ngx_pki_key_done(ngx_pki_key_job_t *job, ngx_int_t rc)
{
    job->elapsed = ngx_pki_op_clock() - job->started;
    job->rc = rc;

    if (rc == NGX_OK && job->operation == NGX_PKI_KEY_SIGN
        && !job->key->unchecked)
    {
        job->rc = ngx_pki_key_check(job->key, job->md, job->pss, &job->input,
                                    &job->output, job->op->log);
    }

    job->handler(job);
}


ngx_uint_t
ngx_pki_key_signs(ngx_pki_key_t *key, const EVP_MD *md)
{
    return !key->remote || ngx_pki_key_takes(&key->spec, md);
}


ngx_uint_t
ngx_pki_key_takes(ngx_pki_key_spec_t *spec, const EVP_MD *md)
{
    int  nid;

    nid = EVP_MD_get_type(md);

    if (spec->type == NGX_PKI_KEY_RSA) {
        return nid == NID_sha256 || nid == NID_sha384 || nid == NID_sha512;
    }

    return nid == EVP_MD_get_type(ngx_pki_key_curve_md(spec));
}


const EVP_MD *
ngx_pki_key_curve_md(ngx_pki_key_spec_t *spec)
{
    if (spec->type == NGX_PKI_KEY_EC && spec->bits > 256) {
        return ngx_pki_md((spec->bits > 384) ? NID_sha512 : NID_sha384);
    }

    return ngx_pki_md(NID_sha256);
}


ngx_str_t *
ngx_pki_key_algorithm(ngx_pki_key_type_e type, const EVP_MD *md,
    ngx_uint_t pss)
{
    ngx_uint_t                i;
    ngx_pki_key_algorithm_t  *a;

    a = ngx_pki_key_algorithms;

    for (i = 0; i < sizeof(ngx_pki_key_algorithms)
                    / sizeof(ngx_pki_key_algorithms[0]); i++)
    {
        if (a[i].type == type && a[i].md == EVP_MD_get_type(md)
            && a[i].pss == pss)
        {
            return &a[i].identifier;
        }
    }

    return NULL;
}


ngx_int_t
ngx_pki_key_verify(EVP_PKEY *pkey, ngx_pki_key_ctx_t *kc, const EVP_MD *md,
    ngx_uint_t pss, ngx_str_t *digest, ngx_str_t *signature)
{
    ngx_int_t          rc;
    ngx_pki_key_ctx_t  once;

    if (kc == NULL) {
        ngx_memzero(&once, sizeof(ngx_pki_key_ctx_t));
        kc = &once;
    }

    rc = ngx_pki_key_ctx_fits(kc, md, pss)
         ? NGX_OK : ngx_pki_key_verify_init(pkey, kc, md, pss);

    if (rc == NGX_OK
        && EVP_PKEY_verify(kc->ctx, signature->data, signature->len,
                           digest->data, digest->len)
           != 1)
    {
        rc = NGX_DECLINED;
    }

    if (kc == &once) {
        EVP_PKEY_CTX_free(once.ctx);
    }

    ERR_clear_error();

    return rc;
}


static ngx_int_t
ngx_pki_key_verify_init(EVP_PKEY *pkey, ngx_pki_key_ctx_t *kc,
    const EVP_MD *md, ngx_uint_t pss)
{
    EVP_PKEY_CTX  *ctx;

    ctx = ngx_pki_key_ctx_set(kc, EVP_PKEY_CTX_new(pkey, NULL), md, pss);

    if (ctx == NULL) {
        return NGX_ERROR;
    }

    /* what OpenSSL does not do, e.g. SHA-1 where a policy forbids it */

    if (EVP_PKEY_verify_init(ctx) != 1
        || EVP_PKEY_CTX_set_signature_md(ctx, md) != 1
        || ngx_pki_key_set_pss(ctx, pss) != NGX_OK)
    {
        (void) ngx_pki_key_ctx_set(kc, NULL, NULL, 0);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_pki_key_set_pss(EVP_PKEY_CTX *ctx, ngx_uint_t pss)
{
    int  salt;

    if (pss == 0) {
        return NGX_OK;
    }

    salt = (pss == 1) ? RSA_PSS_SALTLEN_DIGEST
                      : (int) (pss - ngx_pki_key_pss_salt(0));

    if (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) != 1
        || EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, salt) != 1)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static const ngx_pki_key_curve_t *
ngx_pki_key_curve(ngx_str_t *name)
{
    ngx_uint_t                  i;
    const ngx_pki_key_curve_t  *curve;

    curve = ngx_pki_key_curves;

    for (i = 0; i < sizeof(ngx_pki_key_curves)
                    / sizeof(ngx_pki_key_curves[0]); i++)
    {
        if (curve[i].name.len == name->len
            && ngx_strncasecmp(curve[i].name.data, name->data, name->len)
               == 0)
        {
            return &curve[i];
        }
    }

    return NULL;
}


ngx_int_t
ngx_pki_key_check(ngx_pki_key_t *key, const EVP_MD *md, ngx_uint_t pss,
    ngx_str_t *digest, ngx_str_t *signature, ngx_log_t *log)
{
    if (ngx_pki_key_verify(key->public_key, key->verify, md, pss, digest,
                           signature)
        == NGX_OK)
    {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_ERR, log, 0,
                  "key \"%V\" gave a signature that its public key does not "
                  "verify", &key->name);

    ngx_str_null(signature);

    return NGX_ERROR;
}


ngx_uint_t
ngx_pki_key_ctx_fits(ngx_pki_key_ctx_t *kc, const EVP_MD *md, ngx_uint_t pss)
{
    return kc->ctx != NULL
           && kc->md == (md != NULL ? EVP_MD_get_type(md) : NID_undef)
           && kc->pss == pss;
}


EVP_PKEY_CTX *
ngx_pki_key_ctx_set(ngx_pki_key_ctx_t *kc, EVP_PKEY_CTX *ctx, const EVP_MD *md,
    ngx_uint_t pss)
{
    EVP_PKEY_CTX_free(kc->ctx);

    kc->ctx = ctx;
    kc->md = (md != NULL) ? EVP_MD_get_type(md) : NID_undef;
    kc->pss = pss;

    return ctx;
}


EVP_PKEY_CTX *
ngx_pki_key_ctx_reuse(ngx_pki_key_ctx_t *kc, EVP_PKEY *pkey)
{
    EVP_PKEY_CTX  *ctx;

    ctx = kc->ctx;
    kc->ctx = NULL;

    if (ctx == NULL) {
        ctx = EVP_PKEY_CTX_new(pkey, NULL);
    }

    (void) ngx_pki_key_ctx_set(kc, ctx, NULL, NGX_PKI_KEY_PSS_NEVER);

    return ctx;
}
