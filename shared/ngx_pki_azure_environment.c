
/*
 * Copyright (C) the ngx_pki authors
 *
 * What Azure's hosts say in the environment.  It is read in the master, when
 * the configuration is: nginx takes it away from its workers.
 *
 * The order of "auto" is that of DefaultAzureCredential in Microsoft's
 * libraries: environment, workload identity, managed identity; that of managed
 * identities is MSAL's.
 */


#include "ngx_pki_azure_identity.h"


#define NGX_PKI_AZURE_IMDS_URL   "http://169.254.169.254"
#define NGX_PKI_AZURE_IMDS_PATH  "/metadata/identity/oauth2/token"
#define NGX_PKI_AZURE_ARC_URL                                                \
    "http://127.0.0.1:40342/metadata/identity/oauth2/token"

/* Arc's agent, where its service does not tell the environment */
#define NGX_PKI_AZURE_ARC_AGENT  "/opt/azcmagent/bin/himds"


static ngx_pki_azure_kind_e ngx_pki_azure_environment_entra(
    ngx_pki_azure_identity_t *identity);
static const char *ngx_pki_azure_environment_managed(
    ngx_pki_azure_identity_t *identity);
static const char *ngx_pki_azure_environment_url(ngx_conf_t *cf,
    ngx_pki_azure_identity_t *identity);
static ngx_int_t ngx_pki_azure_environment_copy(ngx_pool_t *pool,
    ngx_pki_azure_identity_t *identity);
static ngx_uint_t ngx_pki_azure_environment_get(const char *name,
    ngx_str_t *value);
static void ngx_pki_azure_environment_default(const char *name,
    ngx_str_t *value);


const char *
ngx_pki_azure_environment(ngx_conf_t *cf, ngx_pki_azure_identity_t *identity)
{
    const char  *error;

    if (identity->kind == NGX_PKI_AZURE_AUTO) {
        identity->automatic = 1;

        ngx_pki_azure_environment_default("AZURE_TENANT_ID",
                                          &identity->tenant);
        ngx_pki_azure_environment_default("AZURE_CLIENT_ID",
                                          &identity->client_id);
        ngx_pki_azure_environment_default("AZURE_AUTHORITY_HOST",
                                          &identity->authority_host);

        identity->kind = ngx_pki_azure_environment_entra(identity);
    }

    if (identity->kind == NGX_PKI_AZURE_MANAGED) {
        error = ngx_pki_azure_environment_managed(identity);

        if (error != NULL) {
            return error;
        }
    }

    if (identity->tenant.len != 0 && !ngx_pki_azure_is_id(&identity->tenant)) {
        return "AZURE_TENANT_ID in the environment is not a tenant";
    }

    if (identity->client_id.len != 0
        && !ngx_pki_azure_is_id(&identity->client_id))
    {
        return "AZURE_CLIENT_ID in the environment is not an identifier";
    }

    /* the environment does not stay */

    if (ngx_pki_azure_environment_copy(cf->pool, identity) != NGX_OK) {
        return "out of memory";
    }

    return ngx_pki_azure_environment_url(cf, identity);
}


static ngx_pki_azure_kind_e
ngx_pki_azure_environment_entra(ngx_pki_azure_identity_t *identity)
{
    ngx_str_t  value;

    if (identity->tenant.len == 0 || identity->client_id.len == 0) {
        return NGX_PKI_AZURE_MANAGED;
    }

    if (ngx_pki_azure_environment_get("AZURE_CLIENT_SECRET", &value)) {
        identity->secret = value;
        return NGX_PKI_AZURE_SECRET;
    }

    /* one file, both in it */

    if (ngx_pki_azure_environment_get("AZURE_CLIENT_CERTIFICATE_PATH", &value))
    {
        identity->certificate_file = value;
        identity->key_file = value;
        return NGX_PKI_AZURE_CERTIFICATE;
    }

    if (ngx_pki_azure_environment_get("AZURE_FEDERATED_TOKEN_FILE", &value)) {
        identity->federated_file = value;
        return NGX_PKI_AZURE_FEDERATED;
    }

    return NGX_PKI_AZURE_MANAGED;
}


static const char *
ngx_pki_azure_environment_managed(ngx_pki_azure_identity_t *identity)
{
    ngx_str_t    endpoint, header, arc;
    struct stat  sb;

    identity->kind = NGX_PKI_AZURE_IMDS;

    if (identity->endpoint.len != 0) {
        return NULL;
    }

    if (ngx_pki_azure_environment_get("IDENTITY_ENDPOINT", &endpoint)) {

        if (ngx_pki_azure_environment_get("IDENTITY_HEADER", &header)) {

            if (!ngx_pki_azure_secret_visible(&header)) {
                return "IDENTITY_HEADER in the environment is not the value "
                       "of a header";
            }

            identity->kind = NGX_PKI_AZURE_APP_SERVICE;
            identity->endpoint = endpoint;
            identity->secret = header;

            return NULL;
        }

        if (ngx_pki_azure_environment_get("IMDS_ENDPOINT", &arc)) {
            identity->kind = NGX_PKI_AZURE_ARC;
            identity->endpoint = endpoint;

            return NULL;
        }
    }

    /* where a proxy of a cluster or a test takes the place of IMDS */

    if (ngx_pki_azure_environment_get("AZURE_POD_IDENTITY_AUTHORITY_HOST",
                                      &identity->endpoint))
    {
        identity->probe = identity->automatic;
        return NULL;
    }

    if (stat(NGX_PKI_AZURE_ARC_AGENT, &sb) == 0) {
        identity->kind = NGX_PKI_AZURE_ARC;
        ngx_str_set(&identity->endpoint, NGX_PKI_AZURE_ARC_URL);

        return NULL;
    }

    /* "managed_identity" says that there is one */

    identity->probe = identity->automatic;

    return NULL;
}


/* where tokens are asked for: identity->url and ->path */

static const char *
ngx_pki_azure_environment_url(ngx_conf_t *cf,
    ngx_pki_azure_identity_t *identity)
{
    u_char         *p;
    ngx_str_t       text, path;
    const char     *error;
    ngx_pki_url_t  *url;

    url = &identity->url;

    if (ngx_pki_azure_is_managed(identity)) {
        text = identity->endpoint;

        if (text.len == 0) {
            ngx_str_set(&text, NGX_PKI_AZURE_IMDS_URL);
        }

    } else {
        text = identity->authority_host;

        if (text.len == 0) {
            ngx_str_set(&text, "https://login.microsoftonline.com");
        }
    }

    error = ngx_pki_url_parse(cf->pool, &text, url);

    if (error != NULL) {
        return error;
    }

    path = url->path;

    if (path.len > 1 && ngx_pki_azure_is_managed(identity)) {
        identity->path = path;
        return NULL;
    }

    if (ngx_pki_azure_is_managed(identity)) {
        ngx_str_set(&identity->path, NGX_PKI_AZURE_IMDS_PATH);
        return NULL;
    }

    if (path.len > 1 || !ngx_pki_azure_is_safe(url)) {
        return "AZURE_AUTHORITY_HOST in the environment is not \"https://\" "
               "and a host";
    }

    p = ngx_pnalloc(cf->pool, identity->tenant.len
                              + sizeof("//oauth2/v2.0/token"));
    if (p == NULL) {
        return "out of memory";
    }

    identity->path.data = p;
    identity->path.len = ngx_sprintf(p, "/%V/oauth2/v2.0/token%Z",
                                     &identity->tenant)
                         - p - 1;

    return NULL;
}


static ngx_int_t
ngx_pki_azure_environment_copy(ngx_pool_t *pool,
    ngx_pki_azure_identity_t *identity)
{
    u_char      *p;
    ngx_uint_t   i;

    ngx_str_t *fields[] = {
        &identity->tenant, &identity->client_id, &identity->authority_host,
        &identity->certificate_file, &identity->key_file,
        &identity->federated_file, &identity->endpoint, &identity->secret
    };

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {

        if (fields[i]->len == 0) {
            continue;
        }

        p = ngx_pki_azure_secret_alloc(pool, fields[i]->len + 1);
        if (p == NULL) {
            return NGX_ERROR;
        }

        (void) ngx_cpystrn(p, fields[i]->data, fields[i]->len + 1);
        fields[i]->data = p;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_pki_azure_environment_get(const char *name, ngx_str_t *value)
{
    char  *p;

    p = getenv(name);

    if (p == NULL || *p == '\0') {
        return 0;
    }

    value->data = (u_char *) p;
    value->len = ngx_strlen(p);

    return 1;
}


/* what the configuration says goes first */

static void
ngx_pki_azure_environment_default(const char *name, ngx_str_t *value)
{
    if (value->len == 0) {
        (void) ngx_pki_azure_environment_get(name, value);
    }
}
