
/*
 * Copyright (C) the ngx_pki authors
 *
 * Authorities at configuration time: key, certificate, octets made in advance.
 */


#include "ngx_pki_authority.h"
#include "ngx_pki_ca.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>


static ngx_int_t ngx_pki_authority_link_one(ngx_conf_t *cf,
    ngx_array_t *authorities, ngx_pki_authority_t *a);
static ngx_int_t ngx_pki_authority_load_key(ngx_conf_t *cf,
    ngx_pki_authority_t *a);
static void ngx_pki_authority_check_mode(ngx_conf_t *cf,
    ngx_pki_authority_t *a);
static ngx_int_t ngx_pki_authority_create_key(ngx_conf_t *cf,
    ngx_pki_authority_t *a);
static ngx_int_t ngx_pki_authority_load_certificate(ngx_conf_t *cf,
    ngx_pki_authority_t *a);
static ngx_int_t ngx_pki_authority_load_chain(ngx_conf_t *cf,
    ngx_pki_authority_t *a);
static ngx_int_t ngx_pki_authority_make_certificate(ngx_conf_t *cf,
    ngx_pki_authority_t *a);
static X509 *ngx_pki_authority_read_certificate(BIO *bio);
static ngx_int_t ngx_pki_authority_exists(ngx_str_t *path);


ngx_pki_authority_t *
ngx_pki_authority_find(ngx_array_t *authorities, ngx_str_t *name)
{
    ngx_uint_t             i;
    ngx_pki_authority_t  **a;

    a = authorities->elts;

    for (i = 0; i < authorities->nelts; i++) {
        if (a[i]->name.len == name->len
            && ngx_memcmp(a[i]->name.data, name->data, name->len) == 0)
        {
            return a[i];
        }
    }

    return NULL;
}


ngx_int_t
ngx_pki_authority_link(ngx_conf_t *cf, ngx_array_t *authorities)
{
    ngx_uint_t             i;
    ngx_pki_authority_t  **a;

    a = authorities->elts;

    for (i = 0; i < authorities->nelts; i++) {
        if (a[i]->previous_name.len != 0
            && ngx_pki_authority_link_one(cf, authorities, a[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* an authority follows one, and one follows it, so there are chains only */

static ngx_int_t
ngx_pki_authority_link_one(ngx_conf_t *cf, ngx_array_t *authorities,
    ngx_pki_authority_t *a)
{
    ngx_pki_authority_t  *p;

    p = ngx_pki_authority_find(authorities, &a->previous_name);

    if (p == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "authority \"%V\": \"previous\" names \"%V\", which "
                           "no \"pki_authority\" defines",
                           &a->name, &a->previous_name);
        return NGX_ERROR;
    }

    if (p->next != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "authorities \"%V\" and \"%V\" have the same "
                           "\"previous\": \"%V\"",
                           &p->next->name, &a->name, &p->name);
        return NGX_ERROR;
    }

    a->previous = p;
    p->next = a;

    for (/* void */; p != NULL; p = p->previous) {

        if (p == a) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "authority \"%V\" would follow itself by "
                               "\"previous\"", &a->name);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_pki_authority_load(ngx_conf_t *cf, ngx_pki_authority_t *a)
{
    if (ngx_pki_authority_load_key(cf, a) != NGX_OK) {
        return NGX_ERROR;
    }

    if (a->absent) {
        return NGX_OK;
    }

    if (ngx_pki_authority_load_certificate(cf, a) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_pki_authority_load_chain(cf, a);
}


const char *
ngx_pki_authority_scep_trouble(ngx_pki_authority_t *a)
{
    uint32_t            usage;
    ngx_pki_key_type_e  type;

    if (a->ra_mode != NGX_PKI_RA_OFF) {
        return NULL;
    }

    type = (a->certificate != NULL) ? a->key->spec.type : a->create.type;

    if (type == 0) {
        return NULL;
    }

    if (type != NGX_PKI_KEY_RSA) {
        return "its key is not RSA, and only an RSA key opens the envelopes "
               "of SCEP clients; \"ra auto\" makes one for that";
    }

    if (a->certificate == NULL) {
        return NULL;
    }

    usage = X509_get_key_usage(a->certificate);

    if (!(usage & X509v3_KU_DIGITAL_SIGNATURE)
        || !(usage & X509v3_KU_KEY_ENCIPHERMENT))
    {
        return "its certificate lacks the key usages digitalSignature and "
               "keyEncipherment, which SCEP clients look for";
    }

    return NULL;
}


static ngx_int_t
ngx_pki_authority_load_key(ngx_conf_t *cf, ngx_pki_authority_t *a)
{
    ngx_int_t  certificate;
    ngx_str_t  error;

    if (a->vault != NULL) {
        a->key = ngx_pki_key_vault(cf->pool, a->vault);
        return a->key != NULL ? NGX_OK : NGX_ERROR;
    }

    if (a->key_store) {
        a->key = ngx_pki_key_store_load(cf->pool, &a->key_path, &error);
        goto done;
    }

    /* another node may be making both now, the certificate last */

    certificate = ngx_pki_authority_exists(&a->certificate_file);

    if (ngx_pki_authority_exists(&a->key_path) == NGX_DECLINED) {

        if (a->create.type == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "authority \"%V\": there is no key \"%V\"; put "
                               "one there, or let it be made by \"create "
                               "rsa:3072;\"", &a->name, &a->key_path);
            return NGX_ERROR;
        }

        if (certificate == NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "authority \"%V\": there is a certificate "
                               "\"%V\" but not its key \"%V\"; no new key is "
                               "made for it", &a->name, &a->certificate_file,
                               &a->key_path);
            return NGX_ERROR;
        }

        /* "nginx -t" and "nginx -s" make nothing */

        if (ngx_test_config || ngx_process == NGX_PROCESS_SIGNALLER) {
            a->absent = 1;
            return NGX_OK;
        }

        if (ngx_pki_authority_create_key(cf, a) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    ngx_pki_authority_check_mode(cf, a);

    a->key = ngx_pki_key_file_load(cf->pool, &a->key_path, &error);

done:

    if (a->key == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "authority \"%V\": %V",
                           &a->name, &error);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_pki_authority_check_mode(ngx_conf_t *cf, ngx_pki_authority_t *a)
{
    struct stat  sb;

    if (stat((char *) a->key_path.data, &sb) == 0 && (sb.st_mode & 077)) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "authority \"%V\": others than its owner may use "
                           "the key \"%V\", do \"chmod 600\"",
                           &a->name, &a->key_path);
    }
}


static ngx_int_t
ngx_pki_authority_create_key(ngx_conf_t *cf, ngx_pki_authority_t *a)
{
    ngx_int_t  rc;
    ngx_str_t  error;

    rc = ngx_pki_key_file_create(cf->pool, &a->key_path, &a->create, &error);

    if (rc == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "authority \"%V\": %V", &a->name, &error);
        return NGX_ERROR;
    }

    if (rc == NGX_OK) {
        ngx_conf_log_error(NGX_LOG_NOTICE, cf, 0,
                           "authority \"%V\": made the key \"%V\"",
                           &a->name, &a->key_path);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_pki_authority_load_certificate(ngx_conf_t *cf, ngx_pki_authority_t *a)
{
    BIO         *bio;
    X509        *x509;
    ngx_int_t    rc;
    const char  *error;

    if (ngx_pki_authority_exists(&a->certificate_file) == NGX_DECLINED) {
        rc = ngx_pki_authority_make_certificate(cf, a);

        if (rc != NGX_OK) {
            return rc == NGX_DECLINED ? NGX_OK : NGX_ERROR;
        }
    }

    bio = BIO_new_file((char *) a->certificate_file.data, "rb");

    if (bio == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "authority \"%V\": cannot open certificate \"%V\"",
                           &a->name, &a->certificate_file);
        ERR_clear_error();
        return NGX_ERROR;
    }

    x509 = ngx_pki_authority_read_certificate(bio);

    BIO_free(bio);
    ERR_clear_error();

    if (x509 == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "authority \"%V\": no certificate in \"%V\"",
                           &a->name, &a->certificate_file);
        return NGX_ERROR;
    }

    error = ngx_pki_authority_take(a, cf->pool, x509);

    if (error != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "authority \"%V\": certificate \"%V\" %s",
                           &a->name, &a->certificate_file, error);
        return NGX_ERROR;
    }

    if (X509_cmp_current_time(X509_get0_notAfter(a->certificate)) < 0) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "authority \"%V\": certificate \"%V\" has expired",
                           &a->name, &a->certificate_file);
    }

    return NGX_OK;
}


/*
 * NGX_OK: there is one now.  NGX_DECLINED: it will come: at the first start,
 * from the key vault's bootstrap, or from an authority above.
 */

static ngx_int_t
ngx_pki_authority_make_certificate(ngx_conf_t *cf, ngx_pki_authority_t *a)
{
    if (a->vault != NULL) {
        return NGX_DECLINED;
    }

    if (a->create.type == 0 && a->csr_file.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "authority \"%V\": there is no certificate \"%V\"",
                           &a->name, &a->certificate_file);
        return NGX_ERROR;
    }

    if (ngx_test_config || ngx_process == NGX_PROCESS_SIGNALLER) {
        a->absent = (a->csr_file.len == 0);
        return NGX_DECLINED;
    }

    if (a->csr_file.len == 0) {
        return ngx_pki_ca_create(cf, a);
    }

    if (ngx_pki_authority_exists(&a->csr_file) == NGX_DECLINED
        && ngx_pki_ca_create(cf, a) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_DECLINED;
}


/* what follows in the file of "chain=": the issuers, upwards */

static ngx_int_t
ngx_pki_authority_load_chain(ngx_conf_t *cf, ngx_pki_authority_t *a)
{
    BIO        *bio;
    X509       *x509;
    ngx_int_t   rc;
    ngx_str_t  *der;

    if (ngx_array_init(&a->chain, cf->pool, 2, sizeof(ngx_str_t)) != NGX_OK) {
        return NGX_ERROR;
    }

    if (a->chain_file.len == 0) {
        return NGX_OK;
    }

    bio = BIO_new_file((char *) a->chain_file.data, "rb");

    if (bio == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "authority \"%V\": cannot open chain \"%V\"",
                           &a->name, &a->chain_file);
        ERR_clear_error();
        return NGX_ERROR;
    }

    rc = NGX_OK;

    while (rc == NGX_OK) {
        x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);

        if (x509 == NULL) {
            break;
        }

        der = ngx_array_push(&a->chain);

        rc = (der == NULL) ? NGX_ERROR
                           : ngx_pki_ca_der(cf->pool, x509, der);

        X509_free(x509);
    }

    BIO_free(bio);
    ERR_clear_error();

    if (rc == NGX_OK && a->chain.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "authority \"%V\": no certificate in chain \"%V\"",
                           &a->name, &a->chain_file);
        return NGX_ERROR;
    }

    return rc;
}


static X509 *
ngx_pki_authority_read_certificate(BIO *bio)
{
    X509  *x509;

    x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    if (x509 == NULL && BIO_seek(bio, 0) == 0) {
        x509 = d2i_X509_bio(bio, NULL);
    }

    return x509;
}


/* NGX_OK: there is something, perhaps not readable */

static ngx_int_t
ngx_pki_authority_exists(ngx_str_t *path)
{
    struct stat  sb;

    if (stat((char *) path->data, &sb) == -1 && ngx_errno == NGX_ENOENT) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}
