
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_http_challenge_mint.h"


#define NGX_HTTP_CHALLENGE_TIMEOUT  10000    /* milliseconds */


static ngx_http_challenge_mint_t *ngx_http_challenge_mint_create(
    ngx_pki_op_t *op, ngx_http_challenge_mint_t *spec);
static ngx_int_t ngx_http_challenge_mint_copy(ngx_http_challenge_mint_t *mint);
static ngx_int_t ngx_http_challenge_mint_secret(
    ngx_http_challenge_mint_t *mint);
static ngx_int_t ngx_http_challenge_mint_keep(ngx_pool_t *pool,
    ngx_str_t *secret);
static void ngx_http_challenge_mint_cleanup(void *data);
static void ngx_http_challenge_mint_start(ngx_http_challenge_mint_t *mint);
static void ngx_http_challenge_mint_handler(ngx_pki_store_job_t *store);
static void ngx_http_challenge_mint_log(ngx_http_challenge_mint_t *mint);
static void ngx_http_challenge_mint_audit(ngx_http_challenge_mint_t *mint);
static ngx_int_t ngx_http_challenge_mint_set(ngx_http_request_t *r,
    ngx_http_challenge_mint_t *mint);
static void ngx_http_challenge_mint_expire(ngx_pki_op_t *op);
static ngx_int_t ngx_http_challenge_mint_body(ngx_http_request_t *r,
    ngx_http_challenge_mint_t *mint, ngx_str_t *body);


void
ngx_http_challenge_mint(ngx_http_request_t *r,
    ngx_http_challenge_mint_t *spec)
{
    ngx_pki_op_t               *op;
    ngx_http_challenge_mint_t  *mint;

    op = ngx_http_pki_op_create(r, NGX_HTTP_CHALLENGE_TIMEOUT,
                                ngx_http_challenge_mint_expire);
    if (op == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    mint = ngx_http_challenge_mint_create(op, spec);

    if (mint == NULL) {
        ngx_http_pki_op_finalize(op, NGX_HTTP_INTERNAL_SERVER_ERROR);
        ngx_pki_op_destroy(op);
        return;
    }

    ngx_http_challenge_mint_start(mint);
}


static ngx_http_challenge_mint_t *
ngx_http_challenge_mint_create(ngx_pki_op_t *op,
    ngx_http_challenge_mint_t *spec)
{
    ngx_http_challenge_mint_t  *mint;

    mint = ngx_palloc(op->pool, sizeof(ngx_http_challenge_mint_t));
    if (mint == NULL) {
        return NULL;
    }

    *mint = *spec;
    mint->op = op;
    mint->result = NGX_PKI_STORE_UNAVAILABLE;

    op->data = mint;
    op->authority = mint->authority->name;
    ngx_pki_op_action(op, "making a one-time challenge");

    mint->challenge.created = ngx_time();
    mint->challenge.expires = mint->challenge.created + mint->ttl;

    if (ngx_http_challenge_mint_copy(mint) != NGX_OK
        || ngx_http_challenge_mint_secret(mint) != NGX_OK
        || ngx_pki_challenge_hash(op->pool, &mint->authority->name,
                                  &mint->challenge.scope, &mint->secret,
                                  &mint->challenge.hash)
           != NGX_OK)
    {
        return NULL;
    }

    return mint;
}


static ngx_int_t
ngx_http_challenge_mint_copy(ngx_http_challenge_mint_t *mint)
{
    ngx_pki_op_t         *op;
    ngx_pki_challenge_t  *challenge;

    op = mint->op;
    challenge = &mint->challenge;

    if (ngx_pki_op_copy(op, &challenge->scope, &challenge->scope) != NGX_OK
        || ngx_pki_op_copy(op, &challenge->by, &challenge->by) != NGX_OK
        || ngx_pki_op_copy(op, &challenge->subject, &challenge->subject)
           != NGX_OK
        || ngx_pki_op_copy(op, &challenge->sans, &challenge->sans) != NGX_OK
        || ngx_pki_op_copy(op, &challenge->device, &challenge->device)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_pki_op_copy(op, &challenge->user, &challenge->user);
}


static ngx_int_t
ngx_http_challenge_mint_secret(ngx_http_challenge_mint_t *mint)
{
    u_char       ch;
    ngx_str_t   *secret;
    ngx_uint_t   i;

    static u_char  digits[] = "0123456789ABCDEF";

    secret = &mint->secret;

    secret->len = mint->length;
    secret->data = ngx_pnalloc(mint->op->pool, secret->len);

    if (secret->data == NULL
        || ngx_http_challenge_mint_keep(mint->op->pool, secret) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (RAND_priv_bytes(secret->data, (int) secret->len) != 1) {
        ngx_ssl_error(NGX_LOG_ERR, mint->op->log, 0,
                      "RAND_priv_bytes() failed");
        return NGX_ERROR;
    }

    for (i = 0; i < secret->len; i++) {
        ch = secret->data[i];
        secret->data[i] = digits[ch & 0xf];
    }

    return NGX_OK;
}


/* until its pool goes, and not a moment longer */

static ngx_int_t
ngx_http_challenge_mint_keep(ngx_pool_t *pool, ngx_str_t *secret)
{
    ngx_str_t           *kept;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(pool, sizeof(ngx_str_t));
    if (cln == NULL) {
        OPENSSL_cleanse(secret->data, secret->len);
        return NGX_ERROR;
    }

    kept = cln->data;
    *kept = *secret;

    cln->handler = ngx_http_challenge_mint_cleanup;

    return NGX_OK;
}


static void
ngx_http_challenge_mint_cleanup(void *data)
{
    ngx_str_t *secret = data;

    OPENSSL_cleanse(secret->data, secret->len);
}


static void
ngx_http_challenge_mint_start(ngx_http_challenge_mint_t *mint)
{
    ngx_pki_store_job_t  *store;

    store = &mint->store;

    ngx_memzero(store, sizeof(ngx_pki_store_job_t));

    store->op = mint->op;
    store->store = &mint->authority->store;
    store->one_time = mint->challenge;
    store->quota = mint->quota;
    store->handler = ngx_http_challenge_mint_handler;
    store->data = mint;

    ngx_pki_store_challenge_put(store);
}


static void
ngx_http_challenge_mint_handler(ngx_pki_store_job_t *store)
{
    ngx_int_t                   rc;
    ngx_pki_op_t               *op;
    ngx_http_request_t         *r;
    ngx_http_challenge_mint_t  *mint;

    mint = store->data;
    op = mint->op;

    ngx_http_challenge_mint_log(mint);

    r = ngx_http_pki_op_request(op);

    if (r != NULL) {

        if (store->result == NGX_PKI_STORE_OK
            || store->result == NGX_PKI_STORE_FULL)
        {
            mint->result = store->result;
        }

        rc = ngx_http_challenge_mint_set(r, mint);

        if (rc == NGX_OK) {
            rc = mint->answer(r, mint);
        }

        ngx_http_pki_op_finalize(op, rc);
    }

    ngx_pki_op_destroy(op);
}


static void
ngx_http_challenge_mint_log(ngx_http_challenge_mint_t *mint)
{
    ngx_log_t  *log;
    ngx_str_t  *by;

    log = mint->op->log;
    log->action = NULL;

    by = &mint->challenge.by;

    switch (mint->store.result) {

    case NGX_PKI_STORE_OK:
        ngx_http_challenge_mint_audit(mint);
        break;

    case NGX_PKI_STORE_FULL:
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "one-time challenge not made for \"%V\": %ui of them "
                      "are not used yet", by, mint->quota);
        break;

    case NGX_PKI_STORE_CONFLICT:
        ngx_log_error(NGX_LOG_ALERT, log, 0,
                      "one-time challenge not made for \"%V\": the same "
                      "random number came twice", by);
        break;

    default: /* NGX_PKI_STORE_UNAVAILABLE */
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "one-time challenge perhaps not made for \"%V\"", by);
        break;
    }
}


static void
ngx_http_challenge_mint_audit(ngx_http_challenge_mint_t *mint)
{
    ngx_pki_challenge_t  *c;

    c = &mint->challenge;

    ngx_log_error(NGX_LOG_NOTICE, mint->op->log, 0,
                  "one-time challenge made for \"%V\", scope: \"%V\", "
                  "seconds: %T%s%V%s%s%V%s%s%V%s%s%V%s",
                  &c->by, &c->scope, mint->ttl,
                  c->subject.len != 0 ? ", subject: \"" : "", &c->subject,
                  c->subject.len != 0 ? "\"" : "",
                  c->sans.len != 0 ? ", sans: \"" : "", &c->sans,
                  c->sans.len != 0 ? "\"" : "",
                  c->device.len != 0 ? ", device: \"" : "", &c->device,
                  c->device.len != 0 ? "\"" : "",
                  c->user.len != 0 ? ", user: \"" : "", &c->user,
                  c->user.len != 0 ? "\"" : "");
}


/* what the variables of the request show */

static ngx_int_t
ngx_http_challenge_mint_set(ngx_http_request_t *r,
    ngx_http_challenge_mint_t *mint)
{
    ngx_http_pki_ctx_t  *ctx;

    ctx = ngx_http_pki_get_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_pki_set(r, &ctx->authority, &mint->authority->name);
    ngx_http_pki_set(r, &ctx->subject, &mint->challenge.subject);
    ngx_http_pki_set(r, &ctx->device, &mint->challenge.device);
    ngx_http_pki_set_time(r, &ctx->store_time, mint->store.elapsed);

    return NGX_OK;
}


/* what is made nobody has: it expires */

static void
ngx_http_challenge_mint_expire(ngx_pki_op_t *op)
{
    ngx_http_request_t         *r;
    ngx_http_challenge_mint_t  *mint;

    mint = op->data;
    r = ngx_http_pki_op_request(op);

    ngx_http_pki_op_finalize(op, mint->answer(r, mint));
}


ngx_int_t
ngx_http_challenge_mint_json(ngx_http_request_t *r,
    ngx_http_challenge_mint_t *mint)
{
    ngx_str_t  body;

    switch (mint->result) {

    case NGX_PKI_STORE_OK:

        if (ngx_http_challenge_mint_body(r, mint, &body) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_challenge_mint_send(r, NGX_HTTP_CREATED,
                                            &ngx_http_rest_type_json, &body);

    case NGX_PKI_STORE_FULL:
        return ngx_http_rest_error(r, NGX_HTTP_TOO_MANY_REQUESTS, "quota",
                                   "too many challenges are not used yet");

    default: /* NGX_PKI_STORE_UNAVAILABLE */
        return ngx_http_rest_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                   "unavailable", "try again later");
    }
}


/* the secret is put in front of what jansson prints: it leaves no copies */

static ngx_int_t
ngx_http_challenge_mint_body(ngx_http_request_t *r,
    ngx_http_challenge_mint_t *mint, ngx_str_t *body)
{
    u_char     *p;
    json_t     *value;
    ngx_str_t   rest;

    value = ngx_pki_json_own(r->pool, json_object());

    if (value == NULL
        || ngx_pki_json_set_time(value, "expires", &mint->challenge.expires)
           != NGX_OK
        || ngx_pki_json_set(value, "authority", &mint->authority->name)
           != NGX_OK
        || ngx_pki_json_set(value, "scope", &mint->challenge.scope) != NGX_OK
        || ngx_pki_json_dump(r->pool, value, &rest) != NGX_OK)
    {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(r->pool, sizeof("{\"challenge\":\"\",") - 1
                             + mint->secret.len + rest.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    rest.data++;
    rest.len--;

    body->data = p;
    body->len = ngx_sprintf(p, "{\"challenge\":\"%V\",%V", &mint->secret,
                            &rest)
                - p;

    return NGX_OK;
}


ngx_int_t
ngx_http_challenge_mint_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *type, ngx_str_t *body)
{
    ngx_buf_t    *b;
    ngx_int_t     rc;
    ngx_chain_t   out;

    if (ngx_http_challenge_mint_keep(r->pool, body) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->pos = body->data;
    b->last = body->data + body->len;
    b->memory = 1;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    r->headers_out.status = status;
    r->headers_out.content_length_n = body->len;
    r->headers_out.content_type = *type;
    r->headers_out.content_type_len = type->len;
    r->headers_out.content_type_lowcase = NULL;
    r->disable_not_modified = 1;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, &out);
}
