
/*
 * Copyright (C) the ngx_pki authors
 *
 * The assertion by which a client certificate is shown to Entra: a JWT (RFC
 * 7519, RFC 7523) signed by PS256 (RFC 7518, 3.5) with the thumbprint x5t#S256
 * (RFC 7515, 4.1.8).
 */


#include "ngx_pki_azure_identity.h"

#include <openssl/pem.h>
#include <openssl/rsa.h>


#define NGX_PKI_AZURE_ASSERTION_LIFETIME  600
#define NGX_PKI_AZURE_ASSERTION_MIN_BITS  2048
#define NGX_PKI_AZURE_ASSERTION_MAX_BITS  8192


static X509 *ngx_pki_azure_assertion_certificate(
    ngx_pki_azure_identity_t *identity);
static EVP_PKEY *ngx_pki_azure_assertion_key(
    ngx_pki_azure_identity_t *identity);
static int ngx_pki_azure_assertion_no_password(char *buf, int size, int rwflag,
    void *data);
static const char *ngx_pki_azure_assertion_check(
    ngx_pki_azure_identity_t *identity, X509 *x509);
static ngx_int_t ngx_pki_azure_assertion_thumbprint(ngx_pool_t *pool,
    ngx_pki_azure_identity_t *identity, X509 *x509);
static void ngx_pki_azure_assertion_cleanup(void *data);
static ngx_int_t ngx_pki_azure_assertion_claims(
    ngx_pki_azure_identity_t *identity, ngx_pool_t *pool, ngx_str_t *claims);
static ngx_int_t ngx_pki_azure_assertion_sign(EVP_PKEY *key, ngx_str_t *input,
    ngx_str_t *signature);


ngx_int_t
ngx_pki_azure_assertion_load(ngx_conf_t *cf,
    ngx_pki_azure_identity_t *identity)
{
    X509                *x509;
    ngx_int_t            rc;
    const char          *error;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    x509 = ngx_pki_azure_assertion_certificate(identity);

    if (x509 == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "azure identity \"%V\": no certificate (PEM) in "
                           "\"%V\"",
                           &identity->name, &identity->certificate_file);
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    identity->key = ngx_pki_azure_assertion_key(identity);

    if (identity->key == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "azure identity \"%V\": no private key (PEM, "
                           "without a password) in \"%V\"",
                           &identity->name, &identity->key_file);
        goto done;
    }

    cln->handler = ngx_pki_azure_assertion_cleanup;
    cln->data = identity->key;

    ngx_pki_azure_check_mode(cf, identity, &identity->key_file);

    error = ngx_pki_azure_assertion_check(identity, x509);

    if (error != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "azure identity \"%V\": the key \"%V\" %s",
                           &identity->name, &identity->key_file, error);
        goto done;
    }

    if (X509_cmp_current_time(X509_get0_notAfter(x509)) < 0) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "azure identity \"%V\": certificate \"%V\" has "
                           "expired",
                           &identity->name, &identity->certificate_file);
    }

    rc = ngx_pki_azure_assertion_thumbprint(cf->pool, identity, x509);

done:

    X509_free(x509);
    ERR_clear_error();

    return rc;
}


static X509 *
ngx_pki_azure_assertion_certificate(ngx_pki_azure_identity_t *identity)
{
    BIO   *bio;
    X509  *x509;

    x509 = NULL;
    bio = BIO_new_file((char *) identity->certificate_file.data, "rb");

    if (bio != NULL) {
        x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        BIO_free(bio);
    }

    ERR_clear_error();

    return x509;
}


static EVP_PKEY *
ngx_pki_azure_assertion_key(ngx_pki_azure_identity_t *identity)
{
    BIO       *bio;
    EVP_PKEY  *key;

    key = NULL;
    bio = BIO_new_file((char *) identity->key_file.data, "rb");

    if (bio != NULL) {
        key = PEM_read_bio_PrivateKey(bio, NULL,
                                      ngx_pki_azure_assertion_no_password,
                                      NULL);
        BIO_free(bio);
    }

    ERR_clear_error();

    return key;
}


/* without it OpenSSL would ask at the terminal */

static int
ngx_pki_azure_assertion_no_password(char *buf, int size, int rwflag,
    void *data)
{
    return -1;
}


static const char *
ngx_pki_azure_assertion_check(ngx_pki_azure_identity_t *identity, X509 *x509)
{
    int  bits;

    if (EVP_PKEY_get_base_id(identity->key) != EVP_PKEY_RSA) {
        return "is not RSA, which Entra asks for";
    }

    bits = EVP_PKEY_get_bits(identity->key);

    if (bits < NGX_PKI_AZURE_ASSERTION_MIN_BITS
        || bits > NGX_PKI_AZURE_ASSERTION_MAX_BITS)
    {
        return "is not RSA of 2048 to 8192 bits";
    }

    if (X509_check_private_key(x509, identity->key) != 1) {
        return "does not belong to the certificate";
    }

    return NULL;
}


static ngx_int_t
ngx_pki_azure_assertion_thumbprint(ngx_pool_t *pool,
    ngx_pki_azure_identity_t *identity, X509 *x509)
{
    unsigned int  len;
    ngx_str_t     digest;
    u_char        buf[EVP_MAX_MD_SIZE];

    if (X509_digest(x509, EVP_sha256(), buf, &len) != 1) {
        return NGX_ERROR;
    }

    digest.data = buf;
    digest.len = len;

    identity->thumbprint.data = ngx_pnalloc(pool,
                                            ngx_base64_encoded_length(len));
    if (identity->thumbprint.data == NULL) {
        return NGX_ERROR;
    }

    ngx_encode_base64url(&identity->thumbprint, &digest);

    return NGX_OK;
}


static void
ngx_pki_azure_assertion_cleanup(void *data)
{
    EVP_PKEY_free(data);
}


/*
 * Signs in the event loop, even with a large key: once an hour, some
 * milliseconds.
 */

ngx_int_t
ngx_pki_azure_assertion(ngx_pki_azure_identity_t *identity, ngx_pool_t *pool,
    ngx_str_t *assertion)
{
    u_char     *p;
    size_t      size;
    ngx_str_t   header, claims, part, signature;
    u_char      buf[sizeof("{\"alg\":\"PS256\",\"typ\":\"JWT\",\"x5t#S256\":"
                           "\"\"}") + 64];
    u_char      sig[NGX_PKI_AZURE_ASSERTION_MAX_BITS / 8];

    header.data = buf;
    header.len = ngx_snprintf(buf, sizeof(buf),
                              "{\"alg\":\"PS256\",\"typ\":\"JWT\","
                              "\"x5t#S256\":\"%V\"}", &identity->thumbprint)
                 - buf;

    if (ngx_pki_azure_assertion_claims(identity, pool, &claims) != NGX_OK) {
        return NGX_ERROR;
    }

    size = ngx_base64_encoded_length(header.len) + 1
           + ngx_base64_encoded_length(claims.len) + 1
           + ngx_base64_encoded_length(sizeof(sig));

    p = ngx_pki_azure_secret_alloc(pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    assertion->data = p;

    part.data = p;
    ngx_encode_base64url(&part, &header);

    part.data += part.len;
    *part.data++ = '.';
    ngx_encode_base64url(&part, &claims);

    assertion->len = part.data + part.len - p;

    signature.data = sig;
    signature.len = sizeof(sig);

    if (ngx_pki_azure_assertion_sign(identity->key, assertion, &signature)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    part.data += part.len;
    *part.data++ = '.';
    ngx_encode_base64url(&part, &signature);

    assertion->len = part.data + part.len - p;

    return NGX_OK;
}


/* identifiers and URLs have nothing that JSON would escape */

static ngx_int_t
ngx_pki_azure_assertion_claims(ngx_pki_azure_identity_t *identity,
    ngx_pool_t *pool, ngx_str_t *claims)
{
    u_char         *p, *last, port[sizeof(":65535")];
    size_t          size;
    time_t          now;
    ngx_str_t       id;
    ngx_pki_url_t  *url;
    u_char          uuid[NGX_PKI_AZURE_UUID_LEN];

    id.data = uuid;
    id.len = sizeof(uuid);

    if (ngx_pki_azure_uuid(uuid) != NGX_OK) {
        return NGX_ERROR;
    }

    url = &identity->url;
    port[0] = '\0';

    /* the audience is the URL as everybody writes it */

    if (url->port != (url->tls ? 443 : 80)) {
        (void) ngx_sprintf(port, ":%ui%Z", (ngx_uint_t) url->port);
    }

    size = url->host.len + identity->path.len + 2 * identity->client_id.len
           + 3 * NGX_TIME_T_LEN + 256;

    p = ngx_pnalloc(pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    now = ngx_time();
    last = ngx_snprintf(p, size,
                        "{\"aud\":\"http%s://%s%V%s%s%V\",\"iss\":\"%V\","
                        "\"sub\":\"%V\",\"jti\":\"%V\",\"nbf\":%T,\"iat\":%T,"
                        "\"exp\":%T}",
                        url->tls ? "s" : "", url->brackets ? "[" : "",
                        &url->host, url->brackets ? "]" : "", port,
                        &identity->path, &identity->client_id,
                        &identity->client_id, &id, now, now,
                        now + NGX_PKI_AZURE_ASSERTION_LIFETIME);

    claims->data = p;
    claims->len = last - p;

    return NGX_OK;
}


static ngx_int_t
ngx_pki_azure_assertion_sign(EVP_PKEY *key, ngx_str_t *input,
    ngx_str_t *signature)
{
    size_t         len;
    ngx_int_t      rc;
    EVP_MD_CTX    *ctx;
    EVP_PKEY_CTX  *pctx;

    ctx = EVP_MD_CTX_new();
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;
    len = signature->len;

    if (EVP_DigestSignInit(ctx, &pctx, EVP_sha256(), NULL, key) == 1
        && EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1
        && EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) == 1
        && EVP_DigestSign(ctx, signature->data, &len, input->data, input->len)
           == 1)
    {
        signature->len = len;
        rc = NGX_OK;
    }

    EVP_MD_CTX_free(ctx);
    ERR_clear_error();

    return rc;
}
