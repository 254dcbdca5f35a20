
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_ocsp_trust.h"

#include <openssl/pem.h>


static ngx_int_t ngx_ocsp_trust_read(ngx_ocsp_trust_t *trust, BIO *bio);
static void ngx_ocsp_trust_cleanup(void *data);


ngx_int_t
ngx_ocsp_trust_load(ngx_conf_t *cf, ngx_ocsp_trust_t *trust, ngx_str_t *file)
{
    BIO                 *bio;
    ngx_int_t            rc;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    trust->certificates = sk_X509_new_null();
    if (trust->certificates == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_ocsp_trust_cleanup;
    cln->data = trust->certificates;

    bio = BIO_new_file((char *) file->data, "r");

    if (bio == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "cannot open trusted certificates \"%V\"", file);
        ERR_clear_error();
        return NGX_ERROR;
    }

    rc = ngx_ocsp_trust_read(trust, bio);

    BIO_free(bio);
    ERR_clear_error();

    if (rc != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no certificates, or broken ones, in \"%V\"", file);
    }

    return rc;
}


static ngx_int_t
ngx_ocsp_trust_read(ngx_ocsp_trust_t *trust, BIO *bio)
{
    X509           *x509;
    unsigned long   n;

    for ( ;; ) {
        x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);

        if (x509 == NULL) {
            break;
        }

        if (sk_X509_push(trust->certificates, x509) == 0) {
            X509_free(x509);
            return NGX_ERROR;
        }
    }

    /* the end of the file, nothing else */

    n = ERR_peek_last_error();

    if (ERR_GET_LIB(n) != ERR_LIB_PEM
        || ERR_GET_REASON(n) != PEM_R_NO_START_LINE
        || sk_X509_num(trust->certificates) == 0)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_ocsp_trust_cleanup(void *data)
{
    STACK_OF(X509)  *certificates = data;

    sk_X509_pop_free(certificates, X509_free);
}


STACK_OF(X509) *
ngx_ocsp_trust_gather(ngx_ocsp_trust_t *trust)
{
    ngx_uint_t             i;
    STACK_OF(X509)        *all;
    ngx_pki_authority_t  **a;

    all = (trust->certificates != NULL) ? sk_X509_dup(trust->certificates)
                                        : sk_X509_new_null();
    if (all == NULL) {
        return NULL;
    }

    a = trust->authorities->elts;

    for (i = 0; i < trust->authorities->nelts; i++) {

        if (a[i]->certificate != NULL
            && sk_X509_push(all, a[i]->certificate) == 0)
        {
            sk_X509_free(all);
            return NULL;
        }
    }

    return all;
}


ngx_pki_authority_t *
ngx_ocsp_trust_authority(ngx_ocsp_trust_t *trust, X509 *certificate)
{
    ngx_uint_t             i;
    ngx_pki_authority_t  **a;

    a = trust->authorities->elts;

    for (i = 0; i < trust->authorities->nelts; i++) {

        if (a[i]->certificate != NULL
            && X509_cmp(a[i]->certificate, certificate) == 0)
        {
            return a[i];
        }
    }

    return NULL;
}


ngx_uint_t
ngx_ocsp_trust_is_immature(ngx_ocsp_trust_t *trust)
{
    ngx_uint_t             i;
    ngx_pki_authority_t  **a;

    a = trust->authorities->elts;

    for (i = 0; i < trust->authorities->nelts; i++) {
        if (a[i]->certificate == NULL) {
            return 1;
        }
    }

    return 0;
}
