
/*
 * Copyright (C) the ngx_pki authors
 *
 * Keys that OpenSSL holds: from a file, from OSSL_STORE, in memory.
 */


#include "ngx_pki_key.h"
#include "ngx_pki_file.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/store.h>


/* what sets this use of a private key apart from all others */

#define NGX_PKI_KEY_DERIVE_INFO      "ngx_pki sealing key"

/* octets of a private EC key, P-521 being the largest */

#define NGX_PKI_KEY_DERIVE_MAX_LEN   66


typedef struct {
    EVP_PKEY                  *pkey;
    ngx_str_t                  uri;          /* of OSSL_STORE */

    /* for the event loop; threads make their own */
    ngx_pki_key_ctx_t          sign;
    ngx_pki_key_ctx_t          decrypt;
    ngx_pki_key_ctx_t          verify;
} ngx_pki_key_file_t;


static ngx_pki_key_t *ngx_pki_key_file_new(ngx_pool_t *pool, EVP_PKEY *pkey,
    ngx_str_t *name, ngx_str_t *error);
static EVP_PKEY *ngx_pki_key_file_read(ngx_pool_t *pool, ngx_str_t *path,
    ngx_str_t *error);
static EVP_PKEY *ngx_pki_key_store_open(ngx_str_t *uri);
static ngx_int_t ngx_pki_key_store_start(ngx_pki_key_t *key, ngx_log_t *log);
static void ngx_pki_key_file_run(ngx_pki_key_job_t *job);
static void ngx_pki_key_file_turn_handler(void *data);
static ngx_int_t ngx_pki_key_file_compute_once(ngx_pki_key_job_t *job);
static ngx_int_t ngx_pki_key_file_compute(ngx_pki_key_job_t *job,
    EVP_PKEY_CTX *ctx);
static EVP_PKEY_CTX *ngx_pki_key_file_ctx(ngx_pki_key_file_t *kf,
    ngx_pki_key_operation_e operation, const EVP_MD *md, ngx_uint_t pss);
static EVP_PKEY_CTX *ngx_pki_key_file_ctx_new(ngx_pki_key_file_t *kf,
    ngx_pki_key_operation_e operation, const EVP_MD *md, const EVP_MD *mgf1,
    ngx_uint_t pss);
static ngx_int_t ngx_pki_key_file_sign_init(EVP_PKEY_CTX *ctx,
    const EVP_MD *md, ngx_uint_t pss);
static ngx_int_t ngx_pki_key_file_decrypt_init(EVP_PKEY_CTX *ctx,
    const EVP_MD *md, const EVP_MD *mgf1);
static void ngx_pki_key_file_finish(ngx_pki_key_job_t *job, ngx_int_t rc);
static void ngx_pki_key_file_forget(ngx_pki_key_file_t *kf);
static ngx_int_t ngx_pki_key_hkdf(u_char *secret, size_t secret_len,
    ngx_str_t *salt, u_char *out, size_t len);
static int ngx_pki_key_no_password(char *buf, int size, int rwflag,
    void *data);
static void ngx_pki_key_cleanup(void *data);

#if (NGX_THREADS)
static ngx_int_t ngx_pki_key_thread_post(ngx_pki_key_job_t *job);
static void ngx_pki_key_thread_handler(void *data, ngx_log_t *log);
static void ngx_pki_key_thread_event_handler(ngx_event_t *ev);
#endif


ngx_pki_key_t *
ngx_pki_key_file_load(ngx_pool_t *pool, ngx_str_t *path, ngx_str_t *error)
{
    EVP_PKEY  *pkey;

    pkey = ngx_pki_key_file_read(pool, path, error);
    if (pkey == NULL) {
        return NULL;
    }

    return ngx_pki_key_file_new(pool, pkey, path, error);
}


ngx_pki_key_t *
ngx_pki_key_store_load(ngx_pool_t *pool, ngx_str_t *uri, ngx_str_t *error)
{
    EVP_PKEY            *pkey;
    ngx_pki_key_t       *key;
    ngx_pki_key_file_t  *kf;

    pkey = ngx_pki_key_store_open(uri);

    if (pkey == NULL) {
        ngx_pki_file_error(pool, error, "OSSL_STORE gives no private key for",
                           uri, 0);
        return NULL;
    }

    key = ngx_pki_key_file_new(pool, pkey, uri, error);

    if (key != NULL) {
        kf = key->data;
        kf->uri = *uri;

        key->slow = 1;
        key->start = ngx_pki_key_store_start;
    }

    return key;
}


ngx_pki_key_t *
ngx_pki_key_memory(ngx_pool_t *pool, EVP_PKEY *pkey, ngx_str_t *name)
{
    ngx_str_t       error;
    ngx_pki_key_t  *key;

    key = ngx_pki_key_file_new(pool, pkey, name, &error);

    if (key != NULL) {
        key->unchecked = (key->spec.type == NGX_PKI_KEY_EC);
    }

    return key;
}


static ngx_pki_key_t *
ngx_pki_key_file_new(ngx_pool_t *pool, EVP_PKEY *pkey, ngx_str_t *name,
    ngx_str_t *error)
{
    ngx_pki_key_t       *key;
    ngx_pki_key_file_t  *kf;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(pool, sizeof(ngx_pki_key_file_t));

    if (cln == NULL) {
        EVP_PKEY_free(pkey);
        ngx_str_set(error, "out of memory");
        return NULL;
    }

    kf = cln->data;
    ngx_memzero(kf, sizeof(ngx_pki_key_file_t));
    kf->pkey = pkey;

    cln->handler = ngx_pki_key_cleanup;

    key = ngx_pcalloc(pool, sizeof(ngx_pki_key_t));
    if (key == NULL) {
        ngx_str_set(error, "out of memory");
        return NULL;
    }

    if (ngx_pki_key_describe(pkey, &key->spec) != NGX_OK
        || key->spec.type == NGX_PKI_KEY_ED25519)
    {
        ngx_pki_file_error(pool, error,
                           "neither RSA nor EC on P-256, P-384 or P-521:",
                           name, 0);
        return NULL;
    }

    key->name = *name;
    key->public_key = pkey;
    key->slow = ngx_pki_key_is_slow(&key->spec);
    key->run = ngx_pki_key_file_run;
    key->data = kf;
    key->verify = &kf->verify;

    return key;
}


static EVP_PKEY *
ngx_pki_key_file_read(ngx_pool_t *pool, ngx_str_t *path, ngx_str_t *error)
{
    BIO       *bio;
    EVP_PKEY  *pkey;

    bio = BIO_new_file((char *) path->data, "rb");

    if (bio == NULL) {
        ngx_pki_file_error(pool, error, "cannot open", path, ngx_errno);
        return NULL;
    }

    pkey = PEM_read_bio_PrivateKey(bio, NULL, ngx_pki_key_no_password, NULL);

    if (pkey == NULL && BIO_seek(bio, 0) == 0) {
        pkey = d2i_PrivateKey_bio(bio, NULL);
    }

    BIO_free(bio);

    if (pkey == NULL) {
        ngx_pki_file_error(pool, error,
                           "no private key without a password in", path, 0);
    }

    ERR_clear_error();

    return pkey;
}


static EVP_PKEY *
ngx_pki_key_store_open(ngx_str_t *uri)
{
    EVP_PKEY         *pkey;
    OSSL_STORE_CTX   *ctx;
    OSSL_STORE_INFO  *info;

    pkey = NULL;

    ctx = OSSL_STORE_open((char *) uri->data, NULL, NULL, NULL, NULL);

    if (ctx == NULL) {
        ERR_clear_error();
        return NULL;
    }

    (void) OSSL_STORE_expect(ctx, OSSL_STORE_INFO_PKEY);

    while (pkey == NULL && !OSSL_STORE_eof(ctx)) {
        info = OSSL_STORE_load(ctx);

        if (info == NULL) {
            continue;
        }

        pkey = OSSL_STORE_INFO_get1_PKEY(info);
        OSSL_STORE_INFO_free(info);
    }

    (void) OSSL_STORE_close(ctx);
    ERR_clear_error();

    return pkey;
}


static ngx_int_t
ngx_pki_key_store_start(ngx_pki_key_t *key, ngx_log_t *log)
{
    EVP_PKEY            *pkey;
    ngx_pki_key_file_t  *kf;

    kf = key->data;

    pkey = ngx_pki_key_store_open(&kf->uri);

    if (pkey == NULL || EVP_PKEY_eq(pkey, key->public_key) != 1) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "OSSL_STORE does not give the key \"%V\" any more",
                      &key->name);
        EVP_PKEY_free(pkey);
        ERR_clear_error();
        return NGX_ERROR;
    }

    ngx_pki_key_file_forget(kf);
    EVP_PKEY_free(kf->pkey);

    kf->pkey = pkey;
    key->public_key = pkey;

    return NGX_OK;
}


static void
ngx_pki_key_file_run(ngx_pki_key_job_t *job)
{
    size_t  size;

    size = EVP_PKEY_get_size(job->key->public_key);

    job->output.data = ngx_pnalloc(job->op->pool, size);

    if (job->output.data == NULL) {
        ngx_pki_key_done(job, NGX_ERROR);
        return;
    }

    job->output.len = size;

#if (NGX_THREADS)

    if (job->key->slow && job->key->thread_pool != NULL) {

        if (ngx_pki_key_thread_post(job) != NGX_OK) {
            ngx_pki_key_done(job, NGX_ERROR);
        }

        return;
    }

#endif

    if (job->at_once) {
        ngx_pki_key_file_turn_handler(job);
        return;
    }

    ngx_pki_turn_wait(&job->turn, ngx_pki_key_file_turn_handler, job);
}


static void
ngx_pki_key_file_turn_handler(void *data)
{
    ngx_pki_key_job_t *job = data;

    ngx_int_t      rc;
    EVP_PKEY_CTX  *ctx;

    if (job->mgf1 != NULL) {
        rc = ngx_pki_key_file_compute_once(job);

    } else {
        ctx = ngx_pki_key_file_ctx(job->key->data, job->operation, job->md,
                                   job->pss);

        rc = ngx_pki_key_file_compute(job, ctx);
    }

    ngx_pki_key_file_finish(job, rc);
}


/* with a context of its own: perhaps in a thread, or what is seldom wanted */

static ngx_int_t
ngx_pki_key_file_compute_once(ngx_pki_key_job_t *job)
{
    ngx_int_t      rc;
    EVP_PKEY_CTX  *ctx;

    ctx = ngx_pki_key_file_ctx_new(job->key->data, job->operation, job->md,
                                   job->mgf1, job->pss);

    rc = ngx_pki_key_file_compute(job, ctx);

    EVP_PKEY_CTX_free(ctx);

    return rc;
}


/* perhaps in a thread: touches nothing but the job and the context */

static ngx_int_t
ngx_pki_key_file_compute(ngx_pki_key_job_t *job, EVP_PKEY_CTX *ctx)
{
    ngx_int_t  rc;

    if (ctx == NULL) {
        ERR_clear_error();
        return NGX_ERROR;
    }

    if (job->operation == NGX_PKI_KEY_SIGN) {
        rc = (EVP_PKEY_sign(ctx, job->output.data, &job->output.len,
                            job->input.data, job->input.len)
              == 1)
             ? NGX_OK : NGX_ERROR;

    } else {
        rc = (EVP_PKEY_decrypt(ctx, job->output.data, &job->output.len,
                               job->input.data, job->input.len)
              == 1)
             ? NGX_OK : NGX_DECLINED;
    }

    ERR_clear_error();

    return rc;
}


static ngx_int_t
ngx_pki_key_file_sign_init(EVP_PKEY_CTX *ctx, const EVP_MD *md, ngx_uint_t pss)
{
    if (EVP_PKEY_sign_init(ctx) != 1
        || EVP_PKEY_CTX_set_signature_md(ctx, md) != 1)
    {
        return NGX_ERROR;
    }

    return ngx_pki_key_set_pss(ctx, pss);
}


ngx_uint_t
ngx_pki_key_is_at_once(ngx_pki_key_t *key)
{
    return key->run == ngx_pki_key_file_run && !key->slow;
}


ngx_int_t
ngx_pki_key_sign_at_once(ngx_pki_key_t *key, const EVP_MD *md, ngx_uint_t pss,
    ngx_str_t *digest, ngx_str_t *signature, ngx_log_t *log)
{
    EVP_PKEY_CTX  *ctx;

    if (!ngx_pki_key_is_at_once(key)) {
        return NGX_DECLINED;
    }

    ctx = ngx_pki_key_file_ctx(key->data, NGX_PKI_KEY_SIGN, md, pss);

    signature->len = NGX_PKI_KEY_SIGNATURE_MAX;

    if (ctx == NULL
        || EVP_PKEY_sign(ctx, signature->data, &signature->len, digest->data,
                         digest->len)
           != 1)
    {
        ngx_ssl_error(NGX_LOG_ERR, log, 0, (char *) "key \"%V\" cannot sign",
                      &key->name);
        return NGX_ERROR;
    }

    if (key->unchecked) {
        return NGX_OK;
    }

    return ngx_pki_key_check(key, md, pss, digest, signature, log);
}


static EVP_PKEY_CTX *
ngx_pki_key_file_ctx(ngx_pki_key_file_t *kf, ngx_pki_key_operation_e operation,
    const EVP_MD *md, ngx_uint_t pss)
{
    ngx_pki_key_ctx_t  *kc;

    kc = (operation == NGX_PKI_KEY_SIGN) ? &kf->sign : &kf->decrypt;

    if (ngx_pki_key_ctx_fits(kc, md, pss)) {
        return kc->ctx;
    }

    return ngx_pki_key_ctx_set(kc, ngx_pki_key_file_ctx_new(kf, operation, md,
                                                            NULL, pss),
                               md, pss);
}


/* NULL: it failed, as OpenSSL's queue says */

static EVP_PKEY_CTX *
ngx_pki_key_file_ctx_new(ngx_pki_key_file_t *kf,
    ngx_pki_key_operation_e operation, const EVP_MD *md, const EVP_MD *mgf1,
    ngx_uint_t pss)
{
    ngx_int_t      rc;
    EVP_PKEY_CTX  *ctx;

    ctx = EVP_PKEY_CTX_new(kf->pkey, NULL);

    if (ctx == NULL) {
        return NULL;
    }

    rc = (operation == NGX_PKI_KEY_SIGN)
         ? ngx_pki_key_file_sign_init(ctx, md, pss)
         : ngx_pki_key_file_decrypt_init(ctx, md, mgf1);

    if (rc != NGX_OK) {
        EVP_PKEY_CTX_free(ctx);
        return NULL;
    }

    return ctx;
}


static ngx_int_t
ngx_pki_key_file_decrypt_init(EVP_PKEY_CTX *ctx, const EVP_MD *md,
    const EVP_MD *mgf1)
{
    if (EVP_PKEY_decrypt_init(ctx) != 1) {
        return NGX_ERROR;
    }

    if (md == NULL) {
        return (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1)
               ? NGX_OK : NGX_ERROR;
    }

    if (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) != 1
        || EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md) != 1
        || EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, mgf1 != NULL ? mgf1 : md) != 1)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_pki_key_file_finish(ngx_pki_key_job_t *job, ngx_int_t rc)
{
    if (rc == NGX_ERROR) {
        ngx_log_error(NGX_LOG_ERR, job->op->log, 0,
                      "key \"%V\" failed", &job->key->name);
    }

    if (rc != NGX_OK) {
        ngx_str_null(&job->output);
    }

    ngx_pki_key_done(job, rc);
}


#if (NGX_THREADS)

static ngx_int_t
ngx_pki_key_thread_post(ngx_pki_key_job_t *job)
{
    ngx_thread_task_t  *task;

    task = ngx_thread_task_alloc(job->op->pool, 0);
    if (task == NULL) {
        return NGX_ERROR;
    }

    task->ctx = job;
    task->handler = ngx_pki_key_thread_handler;
    task->event.handler = ngx_pki_key_thread_event_handler;
    task->event.data = job;

    return ngx_thread_task_post(job->key->thread_pool, task);
}


static void
ngx_pki_key_thread_handler(void *data, ngx_log_t *log)
{
    ngx_pki_key_job_t *job = data;

    job->rc = ngx_pki_key_file_compute_once(job);
}


static void
ngx_pki_key_thread_event_handler(ngx_event_t *ev)
{
    ngx_pki_key_job_t  *job;

    job = ev->data;

    ngx_pki_key_file_finish(job, job->rc);
}

#endif


ngx_int_t
ngx_pki_key_derive(ngx_pki_key_t *key, ngx_str_t *salt, u_char *out,
    size_t len)
{
    int                  n;
    BIGNUM              *d;
    u_char               secret[NGX_PKI_KEY_DERIVE_MAX_LEN];
    ngx_int_t            rc;
    ngx_pki_key_file_t  *kf;

    if (key->run != ngx_pki_key_file_run || key->spec.type != NGX_PKI_KEY_EC) {
        return NGX_DECLINED;
    }

    kf = key->data;

    if (kf->uri.len != 0) {
        return NGX_DECLINED;
    }

    n = (int) (key->spec.bits + 7) / 8;
    d = NULL;
    rc = NGX_ERROR;

    if (EVP_PKEY_get_bn_param(kf->pkey, OSSL_PKEY_PARAM_PRIV_KEY, &d) == 1
        && BN_bn2binpad(d, secret, n) == n)
    {
        rc = ngx_pki_key_hkdf(secret, n, salt, out, len);
    }

    BN_clear_free(d);
    OPENSSL_cleanse(secret, sizeof(secret));
    ERR_clear_error();

    return rc;
}


static ngx_int_t
ngx_pki_key_hkdf(u_char *secret, size_t secret_len, ngx_str_t *salt,
    u_char *out, size_t len)
{
    EVP_KDF      *kdf;
    ngx_int_t     rc;
    OSSL_PARAM    params[5];
    EVP_KDF_CTX  *ctx;

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
                                                 (char *) "SHA2-256", 0);
    params[1] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret,
                                                  secret_len);
    params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT,
                                                  salt->data, salt->len);
    params[3] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO,
                                        (char *) NGX_PKI_KEY_DERIVE_INFO,
                                        sizeof(NGX_PKI_KEY_DERIVE_INFO) - 1);
    params[4] = OSSL_PARAM_construct_end();

    kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    ctx = (kdf != NULL) ? EVP_KDF_CTX_new(kdf) : NULL;

    rc = (ctx != NULL && EVP_KDF_derive(ctx, out, len, params) == 1)
         ? NGX_OK : NGX_ERROR;

    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);

    return rc;
}


/* without it OpenSSL would ask for a password at the terminal */

static int
ngx_pki_key_no_password(char *buf, int size, int rwflag, void *data)
{
    return 0;
}


static void
ngx_pki_key_file_forget(ngx_pki_key_file_t *kf)
{
    (void) ngx_pki_key_ctx_set(&kf->sign, NULL, NULL, 0);
    (void) ngx_pki_key_ctx_set(&kf->decrypt, NULL, NULL, 0);
    (void) ngx_pki_key_ctx_set(&kf->verify, NULL, NULL, 0);
}


static void
ngx_pki_key_cleanup(void *data)
{
    ngx_pki_key_file_t  *kf = data;

    ngx_pki_key_file_forget(kf);
    EVP_PKEY_free(kf->pkey);
}
