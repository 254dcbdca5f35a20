
/*
 * Copyright (C) the ngx_pki authors
 *
 * Registration authorities at configuration time: "ra", and its files.
 */


#include "ngx_pki_ra_job.h"
#include "ngx_pki_ca.h"

#include <openssl/pem.h>


/* the current one, the one before it, the authority itself */

#define NGX_PKI_RA_RECIPIENTS  3


static const char *ngx_pki_ra_parse_file(ngx_conf_t *cf,
    ngx_pki_authority_t *a, ngx_str_t *value);
static const char *ngx_pki_ra_parse_vault(ngx_conf_t *cf,
    ngx_pki_authority_t *a, ngx_str_t *value);
static ngx_int_t ngx_pki_ra_create(ngx_conf_t *cf, ngx_pki_authority_t *a);
static ngx_int_t ngx_pki_ra_load_file(ngx_conf_t *cf, ngx_pki_authority_t *a);
static X509 *ngx_pki_ra_load_certificate(ngx_conf_t *cf,
    ngx_pki_authority_t *a);
static ngx_int_t ngx_pki_ra_load_key(ngx_conf_t *cf, ngx_pki_authority_t *a,
    ngx_pki_recipient_t *recipient);
static ngx_int_t ngx_pki_ra_check_file(ngx_conf_t *cf, ngx_pki_authority_t *a,
    ngx_pki_recipient_t *recipient);
static void ngx_pki_ra_warn(ngx_conf_t *cf, ngx_pki_authority_t *a,
    ngx_pki_recipient_t *recipient);
static void ngx_pki_ra_cleanup(void *data);


const char *
ngx_pki_ra_parse(ngx_conf_t *cf, ngx_pki_authority_t *a)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (a->ra_set) {
        return "is duplicate";
    }

    a->ra_set = 1;

    if (ngx_strncmp(value[1].data, "keyvault:", 9) == 0) {
        return ngx_pki_ra_parse_vault(cf, a, &value[1]);
    }

    if (cf->args->nelts > 2) {
        return "takes one parameter";
    }

    if (ngx_pki_str_eq(&value[1], "off")) {
        a->ra_mode = NGX_PKI_RA_OFF;
        return NGX_CONF_OK;
    }

    if (ngx_pki_str_eq(&value[1], "auto")) {
        a->ra_mode = NGX_PKI_RA_AUTO;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value[1].data, "file:", 5) == 0) {
        return ngx_pki_ra_parse_file(cf, a, &value[1]);
    }

    return "is neither \"off\", \"auto\", \"file:certificate,key\" nor "
           "\"keyvault:URL\"";
}


static const char *
ngx_pki_ra_parse_file(ngx_conf_t *cf, ngx_pki_authority_t *a,
    ngx_str_t *value)
{
    u_char     *comma;
    ngx_str_t   text;

    text.data = value->data + sizeof("file:") - 1;
    text.len = value->len - (sizeof("file:") - 1);

    comma = ngx_strlchr(text.data, text.data + text.len, ',');

    if (comma == NULL || comma == text.data
        || comma + 1 == text.data + text.len)
    {
        return "takes two files, as \"file:ra.pem,ra.key\"";
    }

    a->ra_mode = NGX_PKI_RA_FILE;

    a->ra_key_path.data = comma + 1;
    a->ra_key_path.len = text.data + text.len - (comma + 1);

    /* a name in the configuration ends with a NUL */

    *comma = '\0';

    a->ra_certificate_file.data = text.data;
    a->ra_certificate_file.len = comma - text.data;

    if (ngx_conf_full_name(cf->cycle, &a->ra_certificate_file, 1) != NGX_OK
        || ngx_conf_full_name(cf->cycle, &a->ra_key_path, 1) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static const char *
ngx_pki_ra_parse_vault(ngx_conf_t *cf, ngx_pki_authority_t *a,
    ngx_str_t *value)
{
    a->ra_mode = NGX_PKI_RA_VAULT;
    a->ra_vault = ngx_pki_authority_vault_key(cf, value, 2);

    return (a->ra_vault != NULL) ? NGX_CONF_OK : NGX_CONF_ERROR;
}


ngx_int_t
ngx_pki_ra_load(ngx_conf_t *cf, ngx_pki_authority_t *a)
{
    if (ngx_pki_ra_create(cf, a) != NGX_OK) {
        return NGX_ERROR;
    }

    if (a->ra_mode == NGX_PKI_RA_FILE) {
        return ngx_pki_ra_load_file(cf, a);
    }

    if (a->ra_mode == NGX_PKI_RA_AUTO
        && a->key_store && a->key->spec.type == NGX_PKI_KEY_EC)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "authority \"%V\": \"ra auto\" cannot seal the "
                           "RA's key, for an EC key of \"store:\" opens "
                           "nothing; \"ra file:ra.pem,ra.key\" goes with it",
                           &a->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* a key is made, or a large one used */

ngx_uint_t
ngx_pki_ra_is_slow(ngx_pki_authority_t *a)
{
    return a->ra_mode == NGX_PKI_RA_AUTO
           || (a->ra_mode == NGX_PKI_RA_FILE && a->ra->current->key->slow);
}


static ngx_int_t
ngx_pki_ra_create(ngx_conf_t *cf, ngx_pki_authority_t *a)
{
    a->ra = ngx_pcalloc(cf->pool, sizeof(ngx_pki_ra_t));

    if (a->ra == NULL
        || ngx_array_init(&a->ra->recipients, cf->pool, NGX_PKI_RA_RECIPIENTS,
                          sizeof(ngx_pki_recipient_t *))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    a->ra->authority = a;

    a->ra->self.count = 1;
    a->ra->self.ca = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_pki_ra_load_file(ngx_conf_t *cf, ngx_pki_authority_t *a)
{
    X509                 *x509;
    ngx_pki_recipient_t  *recipient;

    recipient = ngx_pcalloc(cf->pool, sizeof(ngx_pki_recipient_t));
    if (recipient == NULL) {
        return NGX_ERROR;
    }

    recipient->count = 1;

    x509 = ngx_pki_ra_load_certificate(cf, a);

    if (x509 == NULL
        || ngx_pki_ca_der(cf->pool, x509, &recipient->der) != NGX_OK
        || ngx_pki_recipient_set(recipient, x509) != NGX_OK
        || ngx_pki_ra_load_key(cf, a, recipient) != NGX_OK
        || ngx_pki_ra_check_file(cf, a, recipient) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_pki_ra_warn(cf, a, recipient);

    a->ra->current = recipient;

    return NGX_OK;
}


static X509 *
ngx_pki_ra_load_certificate(ngx_conf_t *cf, ngx_pki_authority_t *a)
{
    BIO                 *bio;
    X509                *x509;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    bio = BIO_new_file((char *) a->ra_certificate_file.data, "rb");

    if (bio == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "authority \"%V\": cannot open certificate \"%V\" "
                           "of \"ra\"", &a->name, &a->ra_certificate_file);
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
                           "authority \"%V\": no certificate in \"%V\" of "
                           "\"ra\"", &a->name, &a->ra_certificate_file);
        return NULL;
    }

    cln->handler = ngx_pki_ra_cleanup;
    cln->data = x509;

    return x509;
}


static ngx_int_t
ngx_pki_ra_load_key(ngx_conf_t *cf, ngx_pki_authority_t *a,
    ngx_pki_recipient_t *recipient)
{
    ngx_str_t    error;
    struct stat  sb;

    recipient->key = ngx_pki_key_file_load(cf->pool, &a->ra_key_path, &error);

    if (recipient->key == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "authority \"%V\", \"ra\": %V", &a->name, &error);
        return NGX_ERROR;
    }

    if (stat((char *) a->ra_key_path.data, &sb) == 0 && (sb.st_mode & 077)) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "authority \"%V\": others than its owner may use "
                           "the key \"%V\" of \"ra\", do \"chmod 600\"",
                           &a->name, &a->ra_key_path);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_pki_ra_check_file(ngx_conf_t *cf, ngx_pki_authority_t *a,
    ngx_pki_recipient_t *recipient)
{
    EVP_PKEY    *pkey;
    const char  *error;

    pkey = X509_get0_pubkey(recipient->certificate);
    error = ngx_pki_ra_check_key(pkey);

    if (error == NULL
        && EVP_PKEY_eq(pkey, recipient->key->public_key) != 1)
    {
        error = "does not belong to the key";
    }

    if (error == NULL) {
        error = ngx_pki_ra_check_usage(recipient->certificate);
    }

    ERR_clear_error();

    if (error == NULL) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "authority \"%V\": certificate \"%V\" of \"ra\" %s",
                       &a->name, &a->ra_certificate_file, error);

    return NGX_ERROR;
}


/* what some clients do without */

static void
ngx_pki_ra_warn(ngx_conf_t *cf, ngx_pki_authority_t *a,
    ngx_pki_recipient_t *recipient)
{
    const char  *warning;

    if (recipient->not_after <= ngx_time()) {
        warning = "has expired";

    } else if (a->certificate != NULL
               && !ngx_pki_ra_issued(a, recipient->certificate))
    {
        warning = "was not issued by the authority: most clients will not "
                  "trust it";

    } else if (!ngx_pki_ra_extended(recipient->certificate)) {
        warning = "has neither of the extended key usages Certificate Request "
                  "Agent (1.3.6.1.4.1.311.20.2.1) and serverAuth: Windows "
                  "will not take it";

    } else {
        return;
    }

    ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                       "authority \"%V\": certificate \"%V\" of \"ra\" %s",
                       &a->name, &a->ra_certificate_file, warning);
}


static void
ngx_pki_ra_cleanup(void *data)
{
    X509_free(data);
}
