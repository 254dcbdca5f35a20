
/*
 * Copyright (C) the ngx_pki authors
 *
 * What is sent to a vault.
 */


#include "ngx_pki_vault_call.h"
#include "ngx_pki_azure_identity.h"


static ngx_int_t ngx_pki_vault_request_path(ngx_pki_vault_way_t *way);
static ngx_int_t ngx_pki_vault_request_body(ngx_pki_vault_way_t *way);
static ngx_int_t ngx_pki_vault_request_id(ngx_pki_vault_way_t *way);


/* what follows the key in the path */

static const char  *ngx_pki_vault_request_verbs[] = {
    "", "/create", "/sign", "/unwrapkey"
};


ngx_int_t
ngx_pki_vault_request_init(ngx_pki_vault_way_t *way)
{
    ngx_str_set(&way->headers[NGX_PKI_VAULT_ACCEPT],
                "Accept: application/json");
    ngx_str_set(&way->headers[NGX_PKI_VAULT_CONTENT_TYPE],
                "Content-Type: application/json");

    if (ngx_pki_vault_request_path(way) != NGX_OK
        || ngx_pki_vault_request_body(way) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_pki_vault_request_id(way);
}


/* without a version only to find out which one is the current one */

static ngx_int_t
ngx_pki_vault_request_path(ngx_pki_vault_way_t *way)
{
    size_t                 size;
    u_char                *p;
    const char            *verb;
    ngx_pki_vault_key_t   *key;
    ngx_pki_vault_call_t  *call;

    call = way->call;
    key = call->key;

    verb = ngx_pki_vault_request_verbs[call->operation];

    size = sizeof("/keys//?api-version=") + key->name.len + key->version.len
           + ngx_strlen(verb) + 3 * key->api_version.len;

    p = ngx_pnalloc(call->op->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    way->path.data = p;

    p = ngx_sprintf(p, "/keys/%V", &key->name);

    if (key->version.len != 0 && call->operation != NGX_PKI_VAULT_CREATE) {
        p = ngx_sprintf(p, "/%V", &key->version);
    }

    p = ngx_sprintf(p, "%s?api-version=", verb);
    p = ngx_pki_url_escape(p, &key->api_version);

    way->path.len = p - way->path.data;

    return NGX_OK;
}


static ngx_int_t
ngx_pki_vault_request_body(ngx_pki_vault_way_t *way)
{
    ngx_pki_vault_call_t  *call;

    call = way->call;

    switch (call->operation) {

    case NGX_PKI_VAULT_GET:
        return NGX_OK;

    case NGX_PKI_VAULT_CREATE:
        return ngx_pki_vault_create_encode(call->op->pool, &call->spec,
                                           &call->key_ops, &way->body);

    default:
        return ngx_pki_vault_value_encode(call->op->pool, &call->alg,
                                          &call->input, &way->body);
    }
}


/* by which support finds the call */

static ngx_int_t
ngx_pki_vault_request_id(ngx_pki_vault_way_t *way)
{
    u_char      *p;
    ngx_str_t   *header;

    header = &way->headers[NGX_PKI_VAULT_CLIENT_REQUEST_ID];

    p = ngx_pnalloc(way->call->op->pool, sizeof("x-ms-client-request-id: ")
                                         + NGX_PKI_AZURE_UUID_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    header->data = p;

    p = ngx_sprintf(p, "x-ms-client-request-id: ");

    way->client_request_id.data = p;
    way->client_request_id.len = NGX_PKI_AZURE_UUID_LEN;

    header->len = p - header->data + NGX_PKI_AZURE_UUID_LEN;

    return ngx_pki_azure_uuid(p);
}


ngx_int_t
ngx_pki_vault_request_authorize(ngx_pki_vault_way_t *way, ngx_str_t *token)
{
    u_char     *p;
    size_t      size;
    ngx_str_t  *header;

    ngx_pki_vault_request_cleanse(way);

    header = &way->headers[NGX_PKI_VAULT_AUTHORIZATION];
    size = sizeof("Authorization: Bearer ") - 1 + token->len;

    p = ngx_pnalloc(way->call->op->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    header->data = p;
    header->len = size;

    p = ngx_cpymem(p, "Authorization: Bearer ",
                   sizeof("Authorization: Bearer ") - 1);
    ngx_memcpy(p, token->data, token->len);

    return NGX_OK;
}


void
ngx_pki_vault_request_cleanse(ngx_pki_vault_way_t *way)
{
    ngx_str_t  *header;

    header = &way->headers[NGX_PKI_VAULT_AUTHORIZATION];

    if (header->len != 0) {
        OPENSSL_cleanse(header->data, header->len);
        ngx_str_null(header);
    }
}
