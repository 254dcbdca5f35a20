
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_ocsp_file.h"
#include "ngx_ocsp_certify.h"
#include "ngx_pki_ca.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>


/* who is told only when the last answer has failed is told too late */

#define NGX_OCSP_FILE_WARNING   (7 * 24 * 60 * 60)

#define NGX_OCSP_FILE_RSA_BITS  2048


static ngx_int_t ngx_ocsp_file_load_certificate(ngx_conf_t *cf,
    ngx_ocsp_file_t *file);
static X509 *ngx_ocsp_file_read(ngx_conf_t *cf, ngx_ocsp_file_t *file);
static ngx_int_t ngx_ocsp_file_load_key(ngx_conf_t *cf,
    ngx_ocsp_file_t *file);
static const char *ngx_ocsp_file_check(ngx_ocsp_file_t *file,
    ngx_pki_authority_t *a);
static const char *ngx_ocsp_file_check_key(ngx_ocsp_file_t *file);
static const char *ngx_ocsp_file_check_usage(X509 *x509);
static void ngx_ocsp_file_warn(ngx_conf_t *cf, ngx_ocsp_file_t *file,
    time_t validity);
static void ngx_ocsp_file_cleanup(void *data);


ngx_int_t
ngx_ocsp_file_load(ngx_conf_t *cf, ngx_ocsp_file_t *file,
    ngx_pki_authority_t *a, time_t validity)
{
    const char  *error;

    if (ngx_ocsp_file_load_certificate(cf, file) != NGX_OK
        || ngx_ocsp_file_load_key(cf, file) != NGX_OK)
    {
        return NGX_ERROR;
    }

    error = ngx_ocsp_file_check(file, a);

    ERR_clear_error();

    if (error != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"ocsp_signer file\" of authority \"%V\": the "
                           "certificate \"%V\" %s",
                           &a->name, &file->certificate_file, error);
        return NGX_ERROR;
    }

    ngx_ocsp_file_warn(cf, file, validity);

    return NGX_OK;
}


const char *
ngx_ocsp_file_issuer(ngx_ocsp_file_t *file, ngx_pki_authority_t *a)
{
    const char  *error;

    error = NULL;

    if (X509_NAME_cmp(X509_get_issuer_name(file->x509),
                      X509_get_subject_name(a->certificate))
        != 0)
    {
        error = "has another issuer: only one that the authority itself has "
                "issued speaks for it";

    } else if (X509_verify(file->x509, X509_get0_pubkey(a->certificate)) != 1)
    {
        error = "is not signed by the key of the authority: only one that the "
                "authority itself has issued speaks for it";
    }

    ERR_clear_error();

    return error;
}


ngx_ocsp_responder_t *
ngx_ocsp_file_responder(ngx_ocsp_file_t *file, ngx_log_t *log)
{
    ngx_ocsp_responder_t  *responder;

    responder = ngx_ocsp_certify_create(log);
    if (responder == NULL) {
        return NULL;
    }

    if (ngx_ocsp_certify(responder, file->key, file->x509, &file->der)
        != NGX_OK)
    {
        ngx_destroy_pool(responder->pool);
        return NULL;
    }

    responder->not_before = file->not_before;
    responder->not_after = file->not_after;
    responder->renew_at = file->not_after;

    return responder;
}


static ngx_int_t
ngx_ocsp_file_load_certificate(ngx_conf_t *cf, ngx_ocsp_file_t *file)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    file->x509 = ngx_ocsp_file_read(cf, file);
    if (file->x509 == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_ocsp_file_cleanup;
    cln->data = file->x509;

    file->not_before = ngx_pki_ca_time(X509_get0_notBefore(file->x509));
    file->not_after = ngx_pki_ca_time(X509_get0_notAfter(file->x509));

    return ngx_pki_ca_der(cf->pool, file->x509, &file->der);
}


static X509 *
ngx_ocsp_file_read(ngx_conf_t *cf, ngx_ocsp_file_t *file)
{
    BIO   *bio;
    X509  *x509;

    bio = BIO_new_file((char *) file->certificate_file.data, "rb");

    if (bio == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "\"ocsp_signer file\": cannot open certificate "
                           "\"%V\"", &file->certificate_file);
        ERR_clear_error();
        return NULL;
    }

    x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    if (x509 == NULL && BIO_seek(bio, 0) == 0) {
        x509 = d2i_X509_bio(bio, NULL);
    }

    BIO_free(bio);
    ERR_clear_error();

    if (x509 == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"ocsp_signer file\": no certificate in \"%V\"",
                           &file->certificate_file);
    }

    return x509;
}


static ngx_int_t
ngx_ocsp_file_load_key(ngx_conf_t *cf, ngx_ocsp_file_t *file)
{
    ngx_str_t    error;
    struct stat  sb;

    file->key = ngx_pki_key_file_load(cf->pool, &file->key_file, &error);

    if (file->key == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"ocsp_signer file\": %V",
                           &error);
        return NGX_ERROR;
    }

    if (stat((char *) file->key_file.data, &sb) == 0 && (sb.st_mode & 077)) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"ocsp_signer file\": others than its owner may "
                           "use the key \"%V\", do \"chmod 600\"",
                           &file->key_file);
    }

    return NGX_OK;
}


static const char *
ngx_ocsp_file_check(ngx_ocsp_file_t *file, ngx_pki_authority_t *a)
{
    const char  *error;

    error = ngx_ocsp_file_check_key(file);

    if (error == NULL) {
        error = ngx_ocsp_file_check_usage(file->x509);
    }

    /* if it is not known yet a worker looks when it is */

    if (error == NULL && a->certificate != NULL) {
        error = ngx_ocsp_file_issuer(file, a);
    }

    if (error != NULL) {
        return error;
    }

    if (ngx_time() >= file->not_after) {
        return "has expired";
    }

    if (ngx_time() < file->not_before) {
        return "is not valid yet";
    }

    return NULL;
}


static const char *
ngx_ocsp_file_check_key(ngx_ocsp_file_t *file)
{
    EVP_PKEY            *pkey;
    ngx_pki_key_spec_t  *spec;

    pkey = X509_get0_pubkey(file->x509);
    spec = &file->key->spec;

    if (pkey == NULL || EVP_PKEY_eq(pkey, file->key->public_key) != 1) {
        return "does not belong to the key beside it";
    }

    if (spec->type == NGX_PKI_KEY_RSA && spec->bits < NGX_OCSP_FILE_RSA_BITS) {
        return "has an RSA key of less than 2048 bits";
    }

    return NULL;
}


/* RFC 6960, 4.2.2.2 */

static const char *
ngx_ocsp_file_check_usage(X509 *x509)
{
    uint32_t  flags;

    flags = X509_get_extension_flags(x509);

    if (flags & EXFLAG_INVALID) {
        return "has a malformed extension";
    }

    if (!(flags & EXFLAG_XKUSAGE)
        || !(X509_get_extended_key_usage(x509) & XKU_OCSP_SIGN))
    {
        return "lacks the extended key usage OCSPSigning, without which no "
               "client takes its word";
    }

    if ((flags & EXFLAG_KUSAGE)
        && !(X509_get_key_usage(x509) & X509v3_KU_DIGITAL_SIGNATURE))
    {
        return "has a key usage without digitalSignature";
    }

    return NULL;
}


static void
ngx_ocsp_file_warn(ngx_conf_t *cf, ngx_ocsp_file_t *file, time_t validity)
{
    time_t  left;

    left = file->not_after - ngx_time();

    if (left <= ngx_max(validity, NGX_OCSP_FILE_WARNING)) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"ocsp_signer file\": the certificate \"%V\" "
                           "expires in %T hours, and then nothing is answered",
                           &file->certificate_file, left / 3600);
    }

    if (X509_get_ext_by_NID(file->x509, NID_id_pkix_OCSP_noCheck, -1) < 0) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"ocsp_signer file\": the certificate \"%V\" "
                           "lacks id-pkix-ocsp-nocheck: clients may ask "
                           "whether it is good, and nobody can say",
                           &file->certificate_file);
    }
}


static void
ngx_ocsp_file_cleanup(void *data)
{
    X509_free(data);
}
