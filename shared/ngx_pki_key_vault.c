
/*
 * Copyright (C) the ngx_pki authors
 *
 * Keys that never leave a vault: a job is a call.
 */


#include "ngx_pki_vault.h"

#include <openssl/ec.h>


/* octets: r and s of P-521, and what DER puts around them */

#define NGX_PKI_KEY_VAULT_MAX_EC  (2 * 66 + 16)


typedef struct {
    int                        md;
    int                        nid;          /* of the curve that belongs */
    ngx_str_t                  rs;
    ngx_str_t                  ps;
    ngx_str_t                  es;
} ngx_pki_key_vault_alg_t;


static void ngx_pki_key_vault_run(ngx_pki_key_job_t *job);
static void ngx_pki_key_vault_sign(ngx_pki_key_job_t *job,
    ngx_pki_vault_call_t *call);
static void ngx_pki_key_vault_unwrap(ngx_pki_key_job_t *job,
    ngx_pki_vault_call_t *call);
static ngx_int_t ngx_pki_key_vault_der(ngx_pool_t *pool, ngx_str_t *raw,
    ngx_str_t *der);
static void ngx_pki_key_vault_sign_handler(ngx_pki_vault_call_t *call);
static void ngx_pki_key_vault_unwrap_handler(ngx_pki_vault_call_t *call);
static ngx_str_t *ngx_pki_key_vault_trouble(ngx_pki_key_t *key);
static void ngx_pki_key_vault_cleanup(void *data);
static void ngx_pki_key_vault_cleanse(void *data);


static const ngx_pki_key_vault_alg_t  ngx_pki_key_vault_algs[] = {
    { NID_sha256, NID_X9_62_prime256v1, ngx_string("RS256"),
      ngx_string("PS256"), ngx_string("ES256") },
    { NID_sha384, NID_secp384r1, ngx_string("RS384"),
      ngx_string("PS384"), ngx_string("ES384") },
    { NID_sha512, NID_secp521r1, ngx_string("RS512"),
      ngx_string("PS512"), ngx_string("ES512") }
};


ngx_pki_key_t *
ngx_pki_key_vault(ngx_pool_t *pool, ngx_pki_vault_key_t *vk)
{
    ngx_pki_key_t  *key;

    key = ngx_pcalloc(pool, sizeof(ngx_pki_key_t));
    if (key == NULL) {
        return NULL;
    }

    key->name = vk->text;
    key->remote = 1;

    /* they are checked here, where a wrong one is asked for once more */

    key->unchecked = 1;

    key->trouble = ngx_pki_key_vault_trouble;
    key->run = ngx_pki_key_vault_run;
    key->data = vk;

    return key;
}


ngx_int_t
ngx_pki_key_vault_pin(ngx_pki_key_t *key, ngx_pool_t *pool,
    EVP_PKEY *public_key, ngx_str_t *version)
{
    u_char               *p;
    ngx_pki_key_spec_t    spec;
    ngx_pool_cleanup_t   *cln;
    ngx_pki_vault_key_t  *vk;

    vk = key->data;

    if (key->public_key != NULL
        && EVP_PKEY_eq(key->public_key, public_key) == 1
        && vk->version.len == version->len
        && ngx_strncmp(vk->version.data, version->data, version->len) == 0)
    {
        return NGX_OK;
    }

    ERR_clear_error();

    if (ngx_pki_key_describe(public_key, &spec) != NGX_OK
        || spec.type == NGX_PKI_KEY_ED25519)
    {
        return NGX_ERROR;
    }

    /* unless the vault has told, the heavier one is assumed */

    spec.hsm = (vk->weight == 0 || vk->hsm);

    p = ngx_pnalloc(pool, version->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(pool, 0);

    if (cln == NULL || EVP_PKEY_up_ref(public_key) != 1) {
        return NGX_ERROR;
    }

    cln->handler = ngx_pki_key_vault_cleanup;
    cln->data = public_key;

    if (version->len != 0) {
        ngx_memcpy(p, version->data, version->len);
    }

    vk->version.len = version->len;
    vk->version.data = p;
    vk->weight = ngx_pki_vault_weight(&spec);
    vk->hsm = spec.hsm;

    key->public_key = public_key;
    key->spec = spec;

    return NGX_OK;
}


static void
ngx_pki_key_vault_run(ngx_pki_key_job_t *job)
{
    ngx_pki_vault_key_t   *vk;
    ngx_pki_vault_call_t  *call;

    vk = job->key->data;

    if (job->key->public_key == NULL || vk->vault == NULL) {
        ngx_log_error(NGX_LOG_ERR, job->op->log, 0,
                      "key \"%V\" is not known yet", &job->key->name);
        ngx_pki_key_done(job, NGX_ERROR);
        return;
    }

    call = ngx_pcalloc(job->op->pool, sizeof(ngx_pki_vault_call_t));
    if (call == NULL) {
        ngx_pki_key_done(job, NGX_ERROR);
        return;
    }

    call->op = job->op;
    call->key = vk;
    call->input = job->input;
    call->data = job;

    if (job->operation == NGX_PKI_KEY_SIGN) {
        ngx_pki_key_vault_sign(job, call);

    } else {
        ngx_pki_key_vault_unwrap(job, call);
    }
}


static void
ngx_pki_key_vault_sign(ngx_pki_key_job_t *job, ngx_pki_vault_call_t *call)
{
    const ngx_str_t  *alg;

    alg = ngx_pki_key_vault_algorithm(&job->key->spec, job->md, job->pss);

    if (alg == NULL || job->input.len != (size_t) EVP_MD_get_size(job->md)) {
        ngx_log_error(NGX_LOG_ERR, job->op->log, 0,
                      "key \"%V\" cannot sign a digest of %uz octets by \"%s\"",
                      &job->key->name, job->input.len,
                      EVP_MD_get0_name(job->md));
        ngx_pki_key_done(job, NGX_ERROR);
        return;
    }

    call->operation = NGX_PKI_VAULT_SIGN;
    call->alg = *alg;
    call->check = ngx_pki_key_vault_check;
    call->handler = ngx_pki_key_vault_sign_handler;

    ngx_pki_vault_call(call);
}


/* a vault takes SHA-256, 384 and 512, and of them only a curve's own */

const ngx_str_t *
ngx_pki_key_vault_algorithm(ngx_pki_key_spec_t *spec, const EVP_MD *md,
    ngx_uint_t pss)
{
    int                             nid;
    ngx_uint_t                      i;
    const ngx_pki_key_vault_alg_t  *alg;

    nid = EVP_MD_get_type(md);

    for (i = 0; i < sizeof(ngx_pki_key_vault_algs)
                    / sizeof(ngx_pki_key_vault_algs[0]); i++)
    {
        alg = &ngx_pki_key_vault_algs[i];

        if (alg->md != nid) {
            continue;
        }

        if (spec->type == NGX_PKI_KEY_RSA) {
            return pss ? &alg->ps : &alg->rs;
        }

        return (alg->nid == spec->nid && !pss) ? &alg->es : NULL;
    }

    return NULL;
}


static void
ngx_pki_key_vault_unwrap(ngx_pki_key_job_t *job, ngx_pki_vault_call_t *call)
{
    size_t  size;

    size = EVP_PKEY_get_size(job->key->public_key);

    if (job->key->spec.type != NGX_PKI_KEY_RSA) {
        ngx_log_error(NGX_LOG_ERR, job->op->log, 0,
                      "key \"%V\" opens no envelopes, it is not RSA",
                      &job->key->name);
        ngx_pki_key_done(job, NGX_ERROR);
        return;
    }

    if (job->md == NULL) {
        ngx_str_set(&call->alg, "RSA1_5");

    } else if (EVP_MD_get_type(job->md) == NID_sha1) {
        ngx_str_set(&call->alg, "RSA-OAEP");

    } else if (EVP_MD_get_type(job->md) == NID_sha256) {
        ngx_str_set(&call->alg, "RSA-OAEP-256");

    } else {
        ngx_pki_key_done(job, NGX_DECLINED);
        return;
    }

    /* the vault's time is not spent on what anybody can see to be wrong */

    if (job->input.len != size) {
        ngx_pki_key_done(job, NGX_DECLINED);
        return;
    }

    call->operation = NGX_PKI_VAULT_UNWRAP;
    call->handler = ngx_pki_key_vault_unwrap_handler;

    ngx_pki_vault_call(call);
}


/* a wrong signature must never be released, wherever it came from */

const char *
ngx_pki_key_vault_check(ngx_pki_vault_call_t *call)
{
    size_t              size;
    ngx_int_t           rc;
    ngx_pki_key_t      *key;
    ngx_pki_key_job_t  *job;

    job = call->data;
    key = job->key;

    if (key->spec.type == NGX_PKI_KEY_RSA) {
        size = EVP_PKEY_get_size(key->public_key);

    } else {
        size = 2 * ((key->spec.bits + 7) / 8);
    }

    if (call->output.len != size) {
        return "the signature has a wrong length";
    }

    job->output = call->output;

    if (key->spec.type == NGX_PKI_KEY_EC
        && ngx_pki_key_vault_der(job->op->pool, &call->output, &job->output)
           != NGX_OK)
    {
        ngx_str_null(&job->output);
        return "the signature cannot be encoded";
    }

    rc = ngx_pki_key_verify(key->public_key, NULL, job->md, job->pss,
                            &job->input, &job->output);
    if (rc == NGX_OK) {
        return NULL;
    }

    ngx_str_null(&job->output);

    return (rc == NGX_DECLINED) ? "the public key does not verify the signature"
                                : "the signature cannot be verified";
}


/* RFC 7518, 3.4 and RFC 3279, 2.2.3: r and s of fixed length become DER */

static ngx_int_t
ngx_pki_key_vault_der(ngx_pool_t *pool, ngx_str_t *raw, ngx_str_t *der)
{
    int         len;
    BIGNUM     *r, *s;
    u_char     *p;
    ECDSA_SIG  *signature;

    p = ngx_pnalloc(pool, NGX_PKI_KEY_VAULT_MAX_EC);
    if (p == NULL) {
        return NGX_ERROR;
    }

    der->data = p;
    len = 0;

    r = BN_bin2bn(raw->data, (int) (raw->len / 2), NULL);
    s = BN_bin2bn(raw->data + raw->len / 2, (int) (raw->len / 2), NULL);
    signature = ECDSA_SIG_new();

    if (r != NULL && s != NULL && signature != NULL
        && ECDSA_SIG_set0(signature, r, s) == 1)
    {
        r = NULL;
        s = NULL;
        len = i2d_ECDSA_SIG(signature, NULL);
    }

    if (len > 0 && len <= NGX_PKI_KEY_VAULT_MAX_EC) {
        len = i2d_ECDSA_SIG(signature, &p);

    } else {
        len = 0;
    }

    ECDSA_SIG_free(signature);
    BN_free(r);
    BN_free(s);
    ERR_clear_error();

    der->len = (len > 0) ? len : 0;

    return (len > 0) ? NGX_OK : NGX_ERROR;
}


static void
ngx_pki_key_vault_sign_handler(ngx_pki_vault_call_t *call)
{
    ngx_pki_key_job_t  *job;

    job = call->data;

    if (call->result != NGX_PKI_VAULT_OK || job->output.len == 0) {
        ngx_str_null(&job->output);
        ngx_pki_key_done(job, NGX_ERROR);
        return;
    }

    /* by now job->output is the signature, verified */

    ngx_pki_key_done(job, NGX_OK);
}


static void
ngx_pki_key_vault_unwrap_handler(ngx_pki_vault_call_t *call)
{
    ngx_int_t            rc;
    ngx_pki_key_job_t   *job;
    ngx_pool_cleanup_t  *cln;

    job = call->data;

    switch (call->result) {

    case NGX_PKI_VAULT_OK:
        cln = ngx_pool_cleanup_add(job->op->pool, sizeof(ngx_str_t));

        if (cln == NULL) {
            OPENSSL_cleanse(call->output.data, call->output.len);
            rc = NGX_ERROR;
            break;
        }

        cln->handler = ngx_pki_key_vault_cleanse;
        *(ngx_str_t *) cln->data = call->output;

        job->output = call->output;
        rc = NGX_OK;
        break;

    case NGX_PKI_VAULT_INVALID:
        rc = NGX_DECLINED;
        break;

    default:
        rc = NGX_ERROR;
    }

    ngx_pki_key_done(job, rc);
}


static ngx_str_t *
ngx_pki_key_vault_trouble(ngx_pki_key_t *key)
{
    return ngx_pki_vault_trouble(key->data);
}


static void
ngx_pki_key_vault_cleanup(void *data)
{
    EVP_PKEY  *public_key = data;

    EVP_PKEY_free(public_key);
}


static void
ngx_pki_key_vault_cleanse(void *data)
{
    ngx_str_t  *secret = data;

    OPENSSL_cleanse(secret->data, secret->len);
}
