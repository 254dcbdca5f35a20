
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_vault_answer.h"


typedef struct {
    ngx_uint_t                 status;
    ngx_str_t                  text;
} ngx_pki_vault_reason_t;


static const char *ngx_pki_vault_answer_key(ngx_pki_vault_call_t *call,
    ngx_str_t *body);
static const char *ngx_pki_vault_answer_value(ngx_pki_vault_call_t *call,
    ngx_str_t *body);
static const char *ngx_pki_vault_answer_kid(ngx_pki_vault_call_t *call,
    ngx_str_t *text, ngx_pki_vault_kid_t *kid);
static ngx_uint_t ngx_pki_vault_answer_differ(ngx_str_t *one, ngx_str_t *two);
static ngx_str_t ngx_pki_vault_answer_codes(ngx_pool_t *pool,
    ngx_str_t *reason, ngx_pki_vault_error_t *error);


static ngx_pki_vault_reason_t  ngx_pki_vault_reasons[] = {
    { 400, ngx_string("Bad Request") },
    { 401, ngx_string("Unauthorized") },
    { 403, ngx_string("Forbidden") },
    { 404, ngx_string("Not Found") },
    { 408, ngx_string("Request Timeout") },
    { 409, ngx_string("Conflict") },
    { 429, ngx_string("Too Many Requests") },
    { 500, ngx_string("Internal Server Error") },
    { 502, ngx_string("Bad Gateway") },
    { 503, ngx_string("Service Unavailable") },
    { 504, ngx_string("Gateway Timeout") }
};


const char *
ngx_pki_vault_answer_take(ngx_pki_vault_call_t *call, ngx_str_t *body)
{
    const char  *error;

    switch (call->operation) {

    case NGX_PKI_VAULT_GET:
    case NGX_PKI_VAULT_CREATE:
        return ngx_pki_vault_answer_key(call, body);

    default:
        break;
    }

    error = ngx_pki_vault_answer_value(call, body);

    OPENSSL_cleanse(body->data, body->len);

    if (error == NULL && call->check != NULL) {
        error = call->check(call);
    }

    return error;
}


static const char *
ngx_pki_vault_answer_key(ngx_pki_vault_call_t *call, ngx_str_t *body)
{
    const char              *error;
    ngx_pki_vault_kid_t      kid;
    ngx_pki_vault_bundle_t   bundle;

    error = ngx_pki_vault_bundle_decode(call->op->pool, body, &bundle);

    if (error != NULL) {
        return error;
    }

    error = ngx_pki_vault_answer_kid(call, &bundle.kid, &kid);

    if (error != NULL) {
        return error;
    }

    call->version = kid.version;
    call->public_key = bundle.public_key;
    call->spec = bundle.spec;
    call->hsm = bundle.spec.hsm;
    call->enabled = bundle.enabled;
    call->key_operations = bundle.operations;
    call->not_before = bundle.not_before;
    call->expires = bundle.expires;

    return NULL;
}


static const char *
ngx_pki_vault_answer_value(ngx_pki_vault_call_t *call, ngx_str_t *body)
{
    const char             *error;
    ngx_pki_vault_kid_t     kid;
    ngx_pki_vault_value_t   value;

    error = ngx_pki_vault_value_decode(call->op->pool, body, &value);

    if (error != NULL) {
        return error;
    }

    call->output = value.value;

    return ngx_pki_vault_answer_kid(call, &value.kid, &kid);
}


/*
 * A "kid" of another vault, key or version: somebody stands between, or the key
 * has been replaced.  The port is not compared, a vault may not know of it.
 */

static const char *
ngx_pki_vault_answer_kid(ngx_pki_vault_call_t *call, ngx_str_t *text,
    ngx_pki_vault_kid_t *kid)
{
    const char           *error;
    ngx_pki_vault_key_t  *key;

    key = call->key;

    error = ngx_pki_vault_kid_decode(call->op->pool, text, kid);

    if (error != NULL) {
        return error;
    }

    if (ngx_pki_vault_answer_differ(&kid->host, &key->url.host)) {
        return "\"kid\" names another vault";
    }

    if (ngx_pki_vault_answer_differ(&kid->name, &key->name)) {
        return "\"kid\" names another key";
    }

    if (call->operation != NGX_PKI_VAULT_CREATE && key->version.len != 0
        && ngx_pki_vault_answer_differ(&kid->version, &key->version))
    {
        return "\"kid\" names another version of the key";
    }

    return NULL;
}


/* names in vaults do not tell capitals from small letters */

static ngx_uint_t
ngx_pki_vault_answer_differ(ngx_str_t *one, ngx_str_t *two)
{
    return one->len != two->len
           || ngx_strncasecmp(one->data, two->data, one->len) != 0;
}


ngx_pki_vault_result_e
ngx_pki_vault_answer_result(ngx_uint_t status)
{
    switch (status) {

    case 400:
        return NGX_PKI_VAULT_INVALID;

    case 401:
    case 403:
        return NGX_PKI_VAULT_REFUSED;

    case 404:
        return NGX_PKI_VAULT_NOT_FOUND;

    case 409:
        return NGX_PKI_VAULT_CONFLICT;

    default:
        return NGX_PKI_VAULT_UNAVAILABLE;
    }
}


ngx_int_t
ngx_pki_vault_answer_words(ngx_pool_t *pool, ngx_uint_t status,
    ngx_str_t *body, ngx_str_t *words)
{
    u_char                 *p, *last;
    size_t                  size;
    ngx_str_t               reason, codes;
    ngx_uint_t              i;
    ngx_pki_vault_error_t   error;

    ngx_str_null(&reason);

    for (i = 0; i < sizeof(ngx_pki_vault_reasons)
                    / sizeof(ngx_pki_vault_reasons[0]); i++)
    {
        if (ngx_pki_vault_reasons[i].status == status) {
            reason = ngx_pki_vault_reasons[i].text;
        }
    }

    ngx_pki_vault_error_decode(pool, body, &error);

    codes = ngx_pki_vault_answer_codes(pool, &reason, &error);

    if (status / 100 == 3) {
        ngx_str_set(&error.message, "it answers with a redirect");
    }

    size = NGX_INT_T_LEN + sizeof("  (): ") + reason.len + codes.len
           + error.message.len;

    p = ngx_pnalloc(pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    words->data = p;
    last = p + size;

    p = ngx_slprintf(p, last, "%ui", status);

    if (reason.len != 0) {
        p = ngx_slprintf(p, last, " %V", &reason);
    }

    if (codes.len != 0) {
        p = ngx_slprintf(p, last, " (%V)", &codes);
    }

    if (error.message.len != 0) {
        p = ngx_slprintf(p, last, ": %V", &error.message);
    }

    words->len = p - words->data;

    return NGX_OK;
}


/* both codes, but not one that repeats the status: "Forbidden" */

static ngx_str_t
ngx_pki_vault_answer_codes(ngx_pool_t *pool, ngx_str_t *reason,
    ngx_pki_vault_error_t *error)
{
    size_t     size;
    ngx_str_t  codes;

    if (error->code.len == 0
        || !ngx_pki_vault_answer_differ(&error->code, reason))
    {
        return error->inner;
    }

    if (error->inner.len == 0) {
        return error->code;
    }

    size = error->code.len + sizeof(", ") - 1 + error->inner.len;

    codes.data = ngx_pnalloc(pool, size);

    if (codes.data == NULL) {
        return error->inner;
    }

    codes.len = ngx_snprintf(codes.data, size, "%V, %V", &error->code,
                             &error->inner)
                - codes.data;

    return codes;
}
