
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_scep_verify.h"
#include "ngx_pki_md.h"
#include "ngx_pki_pss.h"
#include "ngx_pki_public_key.h"


#define NGX_SCEP_MIN_RSA_BITS  2048
#define NGX_SCEP_MAX_RSA_BITS  4096
#define NGX_SCEP_MIN_EXPONENT  3


typedef struct {
    const char                *name;
    ngx_str_t                  oid;
} ngx_scep_digest_name_t;


/* a signatureAlgorithm; NGX_SCEP_DIGESTS: that of digestAlgorithm */

typedef struct {
    ngx_str_t                  oid;
    ngx_pki_key_type_e         type;
    ngx_scep_digest_e          digest;
    unsigned                   pss:1;        /* the parameters say more */
} ngx_scep_algorithm_t;


typedef struct {
    EVP_PKEY                  *key;
    ngx_pki_key_ctx_t          verify;
} ngx_scep_verify_key_t;


static ngx_int_t ngx_scep_verify_algorithm(ngx_scep_digests_t *digests,
    ngx_scep_message_t *m, ngx_scep_signer_t *signer);
static ngx_int_t ngx_scep_verify_pss(EVP_MD *md, ngx_str_t *params,
    ngx_scep_signer_t *signer);
static ngx_int_t ngx_scep_verify_key(ngx_scep_message_t *m);
static ngx_int_t ngx_scep_verify_digest(EVP_MD *md, ngx_scep_message_t *m);
static ngx_int_t ngx_scep_verify_load(ngx_pool_t *pool,
    ngx_scep_digests_t *digests, ngx_scep_message_t *m,
    ngx_scep_signer_t *signer);
static ngx_int_t ngx_scep_verify_hash(EVP_MD *md, ngx_scep_message_t *m,
    u_char *out, ngx_str_t *digest);
static ngx_int_t ngx_scep_verify_signature(EVP_MD *md, ngx_scep_message_t *m,
    ngx_scep_signer_t *signer);
static ngx_uint_t ngx_scep_verify_name(ngx_str_t *name, X509 *x509);
static void ngx_scep_digests_cleanup(void *data);
static void ngx_scep_verify_cleanup(void *data);


static ngx_scep_digest_name_t  ngx_scep_digest_names[NGX_SCEP_DIGESTS] = {
    { "SHA2-256", ngx_string("\x60\x86\x48\x01\x65\x03\x04\x02\x01") },
    { "SHA2-384", ngx_string("\x60\x86\x48\x01\x65\x03\x04\x02\x02") },
    { "SHA2-512", ngx_string("\x60\x86\x48\x01\x65\x03\x04\x02\x03") },
    { "SHA1", ngx_string("\x2b\x0e\x03\x02\x1a") },
    { "MD5", ngx_string("\x2a\x86\x48\x86\xf7\x0d\x02\x05") }
};


static ngx_scep_algorithm_t  ngx_scep_algorithms[] = {

    /* rsaEncryption, RSASSA-PSS */

    { ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"),
      NGX_PKI_KEY_RSA, NGX_SCEP_DIGESTS, 0 },
    { ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"),
      NGX_PKI_KEY_RSA, NGX_SCEP_DIGESTS, 1 },

    /* sha256, sha384, sha512, sha1, md5WithRSAEncryption */

    { ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"),
      NGX_PKI_KEY_RSA, NGX_SCEP_SHA256, 0 },
    { ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c"),
      NGX_PKI_KEY_RSA, NGX_SCEP_SHA384, 0 },
    { ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d"),
      NGX_PKI_KEY_RSA, NGX_SCEP_SHA512, 0 },
    { ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05"),
      NGX_PKI_KEY_RSA, NGX_SCEP_SHA1, 0 },
    { ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04"),
      NGX_PKI_KEY_RSA, NGX_SCEP_MD5, 0 },

    /* ecdsa-with-SHA256, SHA384, SHA512, SHA1 */

    { ngx_string("\x2a\x86\x48\xce\x3d\x04\x03\x02"),
      NGX_PKI_KEY_EC, NGX_SCEP_SHA256, 0 },
    { ngx_string("\x2a\x86\x48\xce\x3d\x04\x03\x03"),
      NGX_PKI_KEY_EC, NGX_SCEP_SHA384, 0 },
    { ngx_string("\x2a\x86\x48\xce\x3d\x04\x03\x04"),
      NGX_PKI_KEY_EC, NGX_SCEP_SHA512, 0 },
    { ngx_string("\x2a\x86\x48\xce\x3d\x04\x01"),
      NGX_PKI_KEY_EC, NGX_SCEP_SHA1, 0 },

    { ngx_null_string, 0, NGX_SCEP_DIGESTS, 0 }
};


ngx_int_t
ngx_scep_digests_init(ngx_pool_t *pool, ngx_scep_digests_t *digests,
    ngx_uint_t md5, const char **error)
{
    ngx_uint_t           i;
    ngx_pool_cleanup_t  *cln;

    ngx_memzero(digests, sizeof(ngx_scep_digests_t));

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL) {
        *error = "out of memory";
        return NGX_ERROR;
    }

    cln->handler = ngx_scep_digests_cleanup;
    cln->data = digests;

    for (i = 0; i < NGX_SCEP_DIGESTS; i++) {

        if (i == NGX_SCEP_MD5 && !md5) {
            continue;
        }

        digests->md[i] = EVP_MD_fetch(NULL, ngx_scep_digest_names[i].name,
                                      NULL);

        if (digests->md[i] == NULL) {
            ERR_clear_error();
            *error = ngx_scep_digest_names[i].name;
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_scep_digest_e
ngx_scep_digest_find(ngx_str_t *oid)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_SCEP_DIGESTS; i++) {
        if (ngx_scep_str_eq(oid, &ngx_scep_digest_names[i].oid)) {
            break;
        }
    }

    return i;
}


ngx_str_t *
ngx_scep_digest_oid(ngx_scep_digest_e digest)
{
    return &ngx_scep_digest_names[digest].oid;
}


ngx_int_t
ngx_scep_digest(EVP_MD *md, ngx_str_t *data, u_char *out, ngx_str_t *digest)
{
    return ngx_pki_md_digest(md, data, out, digest);
}


ngx_int_t
ngx_scep_verify(ngx_pool_t *pool, ngx_scep_digests_t *digests,
    ngx_scep_message_t *m, ngx_scep_signer_t *signer)
{
    EVP_MD     *md;
    ngx_int_t   rc;

    signer->key = NULL;
    signer->verify = NULL;

    if (ngx_scep_verify_algorithm(digests, m, signer) != NGX_OK
        || ngx_scep_verify_key(m) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    md = digests->md[signer->digest];

    rc = ngx_scep_verify_digest(md, m);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_scep_verify_load(pool, digests, m, signer);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_scep_verify_signature(md, m, signer);
}


static ngx_int_t
ngx_scep_verify_algorithm(ngx_scep_digests_t *digests, ngx_scep_message_t *m,
    ngx_scep_signer_t *signer)
{
    ngx_scep_algorithm_t  *a;

    signer->digest = ngx_scep_digest_find(&m->digest_oid);

    if (signer->digest == NGX_SCEP_DIGESTS
        || (signer->digest == NGX_SCEP_MD5 && !signer->md5)
        || digests->md[signer->digest] == NULL)
    {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_ALG,
                                       "the digest algorithm is not allowed");
    }

    for (a = ngx_scep_algorithms; a->oid.len != 0; a++) {
        if (ngx_scep_str_eq(&a->oid, &m->signature_oid)) {
            break;
        }
    }

    if (a->oid.len == 0
        || a->type != m->signer.key.key.type
        || (a->digest != NGX_SCEP_DIGESTS && a->digest != signer->digest))
    {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_ALG,
                                       "the signature algorithm is not "
                                       "allowed");
    }

    signer->pss = 0;

    if (a->pss
        && ngx_scep_verify_pss(digests->md[signer->digest],
                               &m->signature_params, signer)
           != NGX_OK)
    {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_ALG,
                                       "the parameters of RSASSA-PSS are not "
                                       "allowed");
    }

    return NGX_OK;
}


/* the hash must be that of digestAlgorithm: RFC 4056, 3 */

static ngx_int_t
ngx_scep_verify_pss(EVP_MD *md, ngx_str_t *params, ngx_scep_signer_t *signer)
{
    ngx_pki_pss_t  pss;

    if (ngx_pki_pss_decode(params, &pss) != NGX_OK
        || pss.md != EVP_MD_get_type(md))
    {
        return NGX_DECLINED;
    }

    signer->pss = ngx_pki_key_pss_salt(pss.salt);

    return NGX_OK;
}


/* Before any arithmetic: it grows with the key that the client chose. */

static ngx_int_t
ngx_scep_verify_key(ngx_scep_message_t *m)
{
    ngx_pki_spki_t  *key;

    key = &m->signer.key;

    if (key->key.type == NGX_PKI_KEY_RSA
        && (key->key.bits < NGX_SCEP_MIN_RSA_BITS
            || key->key.bits > NGX_SCEP_MAX_RSA_BITS
            || key->exponent < NGX_SCEP_MIN_EXPONENT))
    {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_REQUEST,
                                       "the signer's RSA key has not 2048 "
                                       "to 4096 bits or a huge exponent");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_scep_verify_digest(EVP_MD *md, ngx_scep_message_t *m)
{
    u_char     buf[EVP_MAX_MD_SIZE];
    ngx_str_t  digest;

    if (ngx_scep_digest(md, &m->content, buf, &digest) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!ngx_scep_str_eq(&digest, &m->digest)) {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_MESSAGE_CHECK,
                                       "the messageDigest is wrong");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_scep_verify_load(ngx_pool_t *pool, ngx_scep_digests_t *digests,
    ngx_scep_message_t *m, ngx_scep_signer_t *signer)
{
    ngx_pool_cleanup_t     *cln;
    ngx_scep_verify_key_t  *vk;

    cln = ngx_pool_cleanup_add(pool, sizeof(ngx_scep_verify_key_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    vk = cln->data;
    ngx_memzero(vk, sizeof(ngx_scep_verify_key_t));

    vk->key = ngx_pki_public_key(&m->signer.key, &digests->rsa);

    if (vk->key == NULL) {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_ALG,
                                       "the signer's key is unusable");
    }

    cln->handler = ngx_scep_verify_cleanup;

    signer->key = vk->key;
    signer->verify = &vk->verify;

    return NGX_OK;
}


static ngx_int_t
ngx_scep_verify_signature(EVP_MD *md, ngx_scep_message_t *m,
    ngx_scep_signer_t *signer)
{
    u_char     buf[EVP_MAX_MD_SIZE];
    ngx_int_t  rc;
    ngx_str_t  digest;

    if (ngx_scep_verify_hash(md, m, buf, &digest) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_pki_key_verify(signer->key, signer->verify, md, signer->pss,
                            &digest, &m->signature);

    if (rc == NGX_DECLINED) {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_MESSAGE_CHECK,
                                       "the signature is wrong");
    }

    return rc;
}


/* over the attributes as a SET OF, not as [0]: RFC 5652, 5.4 */

static ngx_int_t
ngx_scep_verify_hash(EVP_MD *md, ngx_scep_message_t *m, u_char *out,
    ngx_str_t *digest)
{
    int            rc;
    u_char         tag;
    EVP_MD_CTX    *ctx;
    unsigned int   len;

    ctx = EVP_MD_CTX_new();
    tag = NGX_PKI_DER_SET;
    len = 0;

    rc = ctx != NULL
         && EVP_DigestInit_ex(ctx, md, NULL) == 1
         && EVP_DigestUpdate(ctx, &tag, 1) == 1
         && EVP_DigestUpdate(ctx, m->attributes.data + 1,
                             m->attributes.len - 1)
            == 1
         && EVP_DigestFinal_ex(ctx, out, &len) == 1;

    EVP_MD_CTX_free(ctx);

    if (!rc) {
        ERR_clear_error();
        return NGX_ERROR;
    }

    digest->data = out;
    digest->len = len;

    return NGX_OK;
}


void
ngx_scep_verify_again(ngx_scep_digests_t *digests, ngx_scep_message_t *m,
    ngx_scep_signer_t *signer)
{
    (void) ngx_scep_verify_signature(digests->md[signer->digest], m, signer);
}


ngx_scep_recipient_t *
ngx_scep_verify_recipient(ngx_scep_message_t *m,
    ngx_scep_certificate_t *certificate, X509 *x509)
{
    ngx_uint_t             i;
    ngx_scep_recipient_t  *recipient;

    for (i = 0; i < m->nrecipients; i++) {

        recipient = &m->recipients[i];

        if (ngx_scep_cms_match(&recipient->id, certificate)) {
            return recipient;
        }

        if (recipient->id.key_id.len == 0
            && ngx_scep_str_eq(&recipient->id.serial, &certificate->id.serial)
            && ngx_scep_verify_name(&recipient->id.issuer, x509))
        {
            return recipient;
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_scep_verify_name(ngx_str_t *name, X509 *x509)
{
    X509_NAME     *decoded;
    ngx_uint_t     equal;
    const u_char  *p;

    p = name->data;
    decoded = d2i_X509_NAME(NULL, &p, (long) name->len);

    equal = (decoded != NULL
             && X509_NAME_cmp(decoded, X509_get_issuer_name(x509)) == 0);

    X509_NAME_free(decoded);
    ERR_clear_error();

    return equal;
}


static void
ngx_scep_digests_cleanup(void *data)
{
    ngx_scep_digests_t *digests = data;

    ngx_uint_t  i;

    for (i = 0; i < NGX_SCEP_DIGESTS; i++) {
        EVP_MD_free(digests->md[i]);
    }

    EVP_PKEY_CTX_free(digests->rsa);
}


static void
ngx_scep_verify_cleanup(void *data)
{
    ngx_scep_verify_key_t  *vk = data;

    EVP_PKEY_CTX_free(vk->verify.ctx);
    EVP_PKEY_free(vk->key);
}
