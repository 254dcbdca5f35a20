
/*
 * Copyright (C) the ngx_pki authors
 *
 * How each kind of identity asks for a token.
 */


#include "ngx_pki_azure_identity.h"


/* forms and headers: what is not escaped needs less than this */

#define NGX_PKI_AZURE_SOURCE_ROOM  512


typedef struct {
    ngx_str_t                  name;
    ngx_int_t                (*request)(ngx_pki_azure_fetch_t *fetch);
    const char                *version;      /* of a managed identity's API */
    const char                *header;
} ngx_pki_azure_source_t;


static ngx_int_t ngx_pki_azure_source_secret(ngx_pki_azure_fetch_t *fetch);
static ngx_int_t ngx_pki_azure_source_certificate(
    ngx_pki_azure_fetch_t *fetch);
static ngx_int_t ngx_pki_azure_source_federated(ngx_pki_azure_fetch_t *fetch);
static ngx_int_t ngx_pki_azure_source_entra(ngx_pki_azure_fetch_t *fetch,
    const char *name, ngx_str_t *credential);
static ngx_int_t ngx_pki_azure_source_managed(ngx_pki_azure_fetch_t *fetch);
static ngx_int_t ngx_pki_azure_source_path(ngx_pki_azure_fetch_t *fetch,
    const char *version);
static ngx_int_t ngx_pki_azure_source_header(ngx_pki_azure_fetch_t *fetch,
    const char *name, ngx_str_t *value);


#define NGX_PKI_AZURE_ASSERTION_FIELD                                        \
    "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3A"                   \
    "client-assertion-type%3Ajwt-bearer&client_assertion"


/* in the order of ngx_pki_azure_kind_e, from NGX_PKI_AZURE_SECRET on */

static ngx_pki_azure_source_t  ngx_pki_azure_sources[] = {

    { ngx_string("a client secret"), ngx_pki_azure_source_secret, NULL, NULL },

    { ngx_string("a client certificate"), ngx_pki_azure_source_certificate,
      NULL, NULL },

    { ngx_string("a workload identity"), ngx_pki_azure_source_federated,
      NULL, NULL },

    { ngx_string("the managed identity of App Service"),
      ngx_pki_azure_source_managed, "2019-08-01", "X-IDENTITY-HEADER: " },

    { ngx_string("the managed identity of Azure Arc"),
      ngx_pki_azure_source_managed, "2020-06-01", "Authorization: Basic " },

    { ngx_string("the managed identity of IMDS"),
      ngx_pki_azure_source_managed, "2018-02-01", NULL }
};


#define ngx_pki_azure_source(identity)                                       \
    (&ngx_pki_azure_sources[(identity)->kind - NGX_PKI_AZURE_SECRET])


ngx_str_t *
ngx_pki_azure_source_name(ngx_pki_azure_identity_t *identity)
{
    return &ngx_pki_azure_source(identity)->name;
}


ngx_int_t
ngx_pki_azure_source_request(ngx_pki_azure_fetch_t *fetch)
{
    fetch->call.headers = fetch->headers;
    fetch->call.nheaders = 0;

    return ngx_pki_azure_source(fetch->identity)->request(fetch);
}


static ngx_int_t
ngx_pki_azure_source_secret(ngx_pki_azure_fetch_t *fetch)
{
    return ngx_pki_azure_source_entra(fetch, "client_secret",
                                      &fetch->identity->secret);
}


static ngx_int_t
ngx_pki_azure_source_certificate(ngx_pki_azure_fetch_t *fetch)
{
    ngx_str_t  assertion;

    if (ngx_pki_azure_assertion(fetch->identity, fetch->op->pool, &assertion)
        != NGX_OK)
    {
        return ngx_pki_azure_fetch_text(fetch,
                                        "the assertion cannot be signed");
    }

    return ngx_pki_azure_source_entra(fetch, NGX_PKI_AZURE_ASSERTION_FIELD,
                                      &assertion);
}


/*
 * Kubernetes puts a new token into the file while the old one is still good, so
 * it is read each time.  Reading does not block: the file is small and lies in
 * a tmpfs.
 */

static ngx_int_t
ngx_pki_azure_source_federated(ngx_pki_azure_fetch_t *fetch)
{
    ngx_str_t  assertion, error;

    if (ngx_pki_azure_secret_read(fetch->op->pool,
                                  &fetch->identity->federated_file,
                                  NGX_PKI_AZURE_MAX_ASSERTION, &assertion,
                                  &error)
        != NGX_OK)
    {
        return ngx_pki_azure_fetch_error(fetch, &error);
    }

    if (!ngx_pki_azure_secret_visible(&assertion)) {
        return ngx_pki_azure_fetch_text(fetch, "no token is in the file of "
                                               "\"federated_token_file\"");
    }

    return ngx_pki_azure_source_entra(fetch, NGX_PKI_AZURE_ASSERTION_FIELD,
                                      &assertion);
}


/* RFC 6749, 4.4; the scope is the resource and "/.default" */

static ngx_int_t
ngx_pki_azure_source_entra(ngx_pki_azure_fetch_t *fetch, const char *name,
    ngx_str_t *credential)
{
    u_char                    *p;
    size_t                     size;
    ngx_pki_https_call_t      *call;
    ngx_pki_azure_identity_t  *identity;

    call = &fetch->call;
    identity = fetch->identity;

    size = 3 * (identity->client_id.len + fetch->resource.len
                + credential->len)
           + NGX_PKI_AZURE_SOURCE_ROOM;

    p = ngx_pki_azure_secret_alloc(fetch->op->pool, size);
    if (p == NULL) {
        return ngx_pki_azure_fetch_text(fetch, "out of memory");
    }

    call->body.data = p;

    p = ngx_sprintf(p, "grant_type=client_credentials&client_id=");
    p = ngx_pki_url_escape(p, &identity->client_id);
    p = ngx_sprintf(p, "&scope=");
    p = ngx_pki_url_escape(p, &fetch->resource);
    p = ngx_sprintf(p, "%%2F.default&%s=", name);
    p = ngx_pki_url_escape(p, credential);
    *p = '\0';

    call->body.len = p - call->body.data;

    ngx_str_set(&call->method, "POST");
    call->path = identity->path;

    ngx_str_set(&fetch->headers[0],
                "Content-Type: application/x-www-form-urlencoded");
    ngx_str_set(&fetch->headers[1], "Accept: application/json");
    call->nheaders = 2;

    return NGX_OK;
}


static ngx_int_t
ngx_pki_azure_source_managed(ngx_pki_azure_fetch_t *fetch)
{
    ngx_str_t               *secret;
    ngx_pki_azure_source_t  *source;

    source = ngx_pki_azure_source(fetch->identity);

    ngx_str_set(&fetch->call.method, "GET");

    if (ngx_pki_azure_source_path(fetch, source->version) != NGX_OK) {
        return NGX_ERROR;
    }

    if (fetch->identity->kind == NGX_PKI_AZURE_APP_SERVICE) {
        return ngx_pki_azure_source_header(fetch, source->header,
                                           &fetch->identity->secret);
    }

    /* a request that somebody was tricked into does not have it */

    ngx_str_set(&fetch->headers[0], "Metadata: true");
    fetch->call.nheaders = 1;

    secret = &fetch->arc_key;

    if (secret->len != 0) {
        return ngx_pki_azure_source_header(fetch, source->header, secret);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_pki_azure_source_path(ngx_pki_azure_fetch_t *fetch, const char *version)
{
    u_char                    *p;
    size_t                     size;
    const char                *mark;
    ngx_pki_https_call_t      *call;
    ngx_pki_azure_identity_t  *identity;

    call = &fetch->call;
    identity = fetch->identity;

    size = identity->path.len
           + 3 * (identity->client_id.len + fetch->resource.len)
           + NGX_PKI_AZURE_SOURCE_ROOM;

    p = ngx_pnalloc(fetch->op->pool, size);
    if (p == NULL) {
        return ngx_pki_azure_fetch_text(fetch, "out of memory");
    }

    call->path.data = p;

    mark = ngx_strlchr(identity->path.data,
                       identity->path.data + identity->path.len, '?') != NULL
           ? "&" : "?";

    p = ngx_sprintf(p, "%V%sapi-version=%s&resource=", &identity->path, mark,
                    version);
    p = ngx_pki_url_escape(p, &fetch->resource);

    if (identity->client_id.len != 0) {
        p = ngx_sprintf(p, "&client_id=");
        p = ngx_pki_url_escape(p, &identity->client_id);
    }

    *p = '\0';

    call->path.len = p - call->path.data;

    return NGX_OK;
}


static ngx_int_t
ngx_pki_azure_source_header(ngx_pki_azure_fetch_t *fetch, const char *name,
    ngx_str_t *value)
{
    u_char     *p;
    ngx_str_t  *header;

    p = ngx_pki_azure_secret_alloc(fetch->op->pool,
                                   ngx_strlen(name) + value->len + 1);
    if (p == NULL) {
        return ngx_pki_azure_fetch_text(fetch, "out of memory");
    }

    header = &fetch->headers[fetch->call.nheaders++];

    header->data = p;
    header->len = ngx_sprintf(p, "%s%V%Z", name, value) - p - 1;

    return NGX_OK;
}
