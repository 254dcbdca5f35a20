
/*
 * Copyright (C) the ngx_pki authors
 *
 * Azure identities: what they need is read when the configuration is, and
 * inherited by the workers.
 */


#include "ngx_pki_azure_identity.h"

#include <openssl/sha.h>


/* tokens are asked for by one worker at a time */

#define NGX_PKI_AZURE_CONNECTIONS  2


static ngx_int_t ngx_pki_azure_identity_load(ngx_conf_t *cf,
    ngx_pki_azure_identity_t *identity);
static ngx_int_t ngx_pki_azure_identity_secret(ngx_conf_t *cf,
    ngx_pki_azure_identity_t *identity);
static ngx_int_t ngx_pki_azure_identity_federated(ngx_conf_t *cf,
    ngx_pki_azure_identity_t *identity);
static ngx_int_t ngx_pki_azure_identity_digest(
    ngx_pki_azure_identity_t *identity);
static void ngx_pki_azure_identity_announce(
    ngx_pki_azure_identity_t *identity);


ngx_int_t
ngx_pki_azure_identity_init(ngx_conf_t *cf, ngx_pki_azure_identity_t *identity,
    ngx_uint_t *resolve)
{
    const char  *error;

    error = ngx_pki_azure_environment(cf, identity);

    if (error != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "azure identity \"%V\": %s",
                           &identity->name, error);
        return NGX_ERROR;
    }

    if (ngx_pki_azure_identity_load(cf, identity) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_pki_azure_identity_digest(identity) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "azure identity \"%V\": SHA-256 failed",
                           &identity->name);
        return NGX_ERROR;
    }

    *resolve = identity->url.resolve;

    return NGX_OK;
}


ngx_int_t
ngx_pki_azure_identity_start(ngx_pki_azure_identity_t *identity,
    ngx_pki_https_t *https, ngx_pki_zone_t *zone, ngx_log_t *log)
{
    if (identity->peer != NULL) {
        return NGX_OK;
    }

    if (ngx_array_init(&identity->caches, ngx_cycle->pool, 2, sizeof(void *))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    identity->zone = zone;
    identity->log = log;

    identity->peer = ngx_pki_https_peer(https, &identity->url,
                                        NGX_PKI_AZURE_CONNECTIONS, NULL);
    if (identity->peer == NULL) {
        return NGX_ERROR;
    }

    if (identity->automatic) {
        ngx_pki_azure_identity_announce(identity);
    }

    return NGX_OK;
}


ngx_str_t *
ngx_pki_azure_identity_name(ngx_pki_azure_identity_t *identity)
{
    return &identity->name;
}


static ngx_int_t
ngx_pki_azure_identity_load(ngx_conf_t *cf, ngx_pki_azure_identity_t *identity)
{
    switch (identity->kind) {

    case NGX_PKI_AZURE_SECRET:
        return ngx_pki_azure_identity_secret(cf, identity);

    case NGX_PKI_AZURE_CERTIFICATE:
        return ngx_pki_azure_assertion_load(cf, identity);

    case NGX_PKI_AZURE_FEDERATED:
        return ngx_pki_azure_identity_federated(cf, identity);

    default:
        return NGX_OK;
    }
}


void
ngx_pki_azure_check_mode(ngx_conf_t *cf, ngx_pki_azure_identity_t *identity,
    ngx_str_t *path)
{
    struct stat  sb;

    if (stat((char *) path->data, &sb) == 0 && (sb.st_mode & 077)) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "azure identity \"%V\": others than its owner may "
                           "use \"%V\", do \"chmod 600\"",
                           &identity->name, path);
    }
}


static ngx_int_t
ngx_pki_azure_identity_secret(ngx_conf_t *cf,
    ngx_pki_azure_identity_t *identity)
{
    ngx_str_t  error;

    if (identity->secret_file.len == 0) {
        /* that of the environment */
        return NGX_OK;
    }

    if (ngx_pki_azure_secret_read(cf->pool, &identity->secret_file,
                                  NGX_PKI_AZURE_MAX_SECRET, &identity->secret,
                                  &error)
        != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "azure identity \"%V\": %V",
                           &identity->name, &error);
        return NGX_ERROR;
    }

    ngx_pki_azure_check_mode(cf, identity, &identity->secret_file);

    return NGX_OK;
}


/* what is in it will have changed when it is needed */

static ngx_int_t
ngx_pki_azure_identity_federated(ngx_conf_t *cf,
    ngx_pki_azure_identity_t *identity)
{
    ngx_str_t  error, assertion;

    if (ngx_pki_azure_secret_read(cf->temp_pool, &identity->federated_file,
                                  NGX_PKI_AZURE_MAX_ASSERTION, &assertion,
                                  &error)
        != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "azure identity \"%V\": %V",
                           &identity->name, &error);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* whatever changes it makes another token of it */

static ngx_int_t
ngx_pki_azure_identity_digest(ngx_pki_azure_identity_t *identity)
{
    EVP_MD_CTX   *ctx;
    ngx_int_t     rc;
    ngx_uint_t    i;
    u_char        kind, secret[SHA256_DIGEST_LENGTH];

    ngx_str_t *fields[] = {
        &identity->tenant, &identity->client_id, &identity->federated_file,
        &identity->thumbprint, &identity->url.text, &identity->path
    };

    kind = (u_char) identity->kind;

    ctx = EVP_MD_CTX_new();
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (EVP_Digest(identity->secret.data, identity->secret.len, secret, NULL,
                   EVP_sha256(), NULL) != 1
        || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1
        || EVP_DigestUpdate(ctx, &kind, 1) != 1
        || EVP_DigestUpdate(ctx, secret, sizeof(secret)) != 1)
    {
        goto done;
    }

    /* a zero, which none of them has, ends each */

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (EVP_DigestUpdate(ctx, fields[i]->data, fields[i]->len) != 1
            || EVP_DigestUpdate(ctx, "", 1) != 1)
        {
            goto done;
        }
    }

    if (EVP_DigestFinal_ex(ctx, identity->digest, NULL) == 1) {
        rc = NGX_OK;
    }

done:

    ngx_explicit_memzero(secret, sizeof(secret));
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();

    return rc;
}


/* one line for all workers */

static void
ngx_pki_azure_identity_announce(ngx_pki_azure_identity_t *identity)
{
    ngx_str_t      name;
    ngx_atomic_t  *announced;
    u_char         buf[sizeof("azure auto ") - 1
                       + 2 * sizeof(identity->digest)];

    name.data = buf;
    name.len = sizeof(buf);

    (void) ngx_hex_dump(ngx_cpymem(buf, "azure auto ", 11), identity->digest,
                        sizeof(identity->digest));

    announced = ngx_pki_zone_cell(identity->zone, &name, sizeof(ngx_atomic_t));

    if (announced != NULL && ngx_atomic_cmp_set(announced, 0, 1)) {
        ngx_log_error(NGX_LOG_NOTICE, identity->log, 0,
                      "azure identity \"%V\": \"auto\" found %V at \"%V\"",
                      &identity->name, ngx_pki_azure_source_name(identity),
                      &identity->url.text);
    }
}
