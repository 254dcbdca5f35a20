
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_http_rest_issue.h"
#include "ngx_pki_base64.h"


#define NGX_HTTP_REST_ISSUE_TIMEOUT  30000


static ngx_http_rest_issue_t *ngx_http_rest_issue_create(ngx_pki_op_t *op,
    ngx_http_rest_issue_t *spec);
static const char *ngx_http_rest_issue_decode(ngx_http_rest_issue_t *ri,
    ngx_uint_t *refused);
static ngx_int_t ngx_http_rest_issue_unarmor(ngx_pool_t *pool,
    ngx_str_t *text, ngx_str_t *der);
static void ngx_http_rest_issue_fail(ngx_http_rest_issue_t *ri,
    ngx_uint_t refused, const char *message);
static void ngx_http_rest_issue_find_handler(ngx_pki_issue_t *issue);
static void ngx_http_rest_issue_handler(ngx_pki_issue_t *issue);
static void ngx_http_rest_issue_log(ngx_http_rest_issue_t *ri);
static ngx_int_t ngx_http_rest_issue_answer(ngx_http_request_t *r,
    ngx_http_rest_issue_t *ri);
static ngx_int_t ngx_http_rest_issue_set(ngx_http_request_t *r,
    ngx_http_rest_issue_t *ri, const char *status);
static void ngx_http_rest_issue_expire(ngx_pki_op_t *op);


void
ngx_http_rest_issue(ngx_http_request_t *r, ngx_http_rest_issue_t *spec)
{
    ngx_uint_t              refused;
    const char             *message;
    ngx_pki_op_t           *op;
    ngx_http_rest_issue_t  *ri;

    op = ngx_http_pki_op_create(r, NGX_HTTP_REST_ISSUE_TIMEOUT,
                                ngx_http_rest_issue_expire);
    if (op == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    ri = ngx_http_rest_issue_create(op, spec);

    if (ri == NULL) {
        ngx_http_pki_op_finalize(op, NGX_HTTP_INTERNAL_SERVER_ERROR);
        ngx_pki_op_destroy(op);
        return;
    }

    message = ngx_http_rest_issue_decode(ri, &refused);

    if (message != NULL) {
        ngx_http_rest_issue_fail(ri, refused, message);
        return;
    }

    ngx_pki_issue_find(&ri->issue);
}


static ngx_http_rest_issue_t *
ngx_http_rest_issue_create(ngx_pki_op_t *op, ngx_http_rest_issue_t *spec)
{
    ngx_pki_issue_t        *issue;
    ngx_http_rest_issue_t  *ri;

    ri = ngx_palloc(op->pool, sizeof(ngx_http_rest_issue_t));
    if (ri == NULL) {
        return NULL;
    }

    *ri = *spec;
    ri->op = op;
    op->data = ri;

    if (ngx_pki_op_copy(op, &ri->request, &spec->request) != NGX_OK
        || ngx_pki_op_copy(op, &ri->requester, &spec->requester) != NGX_OK)
    {
        return NULL;
    }

    op->authority = ri->authority->name;
    ngx_pki_op_action(op, "issuing a certificate");

    issue = &ri->issue;
    ngx_memzero(issue, sizeof(ngx_pki_issue_t));

    issue->op = op;
    issue->authority = ri->authority;
    issue->profile = ri->profile;
    issue->csr = &ri->csr;
    issue->source = ri->source;
    issue->requester = ri->requester;
    issue->handler = ngx_http_rest_issue_find_handler;
    issue->data = ri;

    return ri;
}


/*
 * Cheap things first: the key is known to be of a sane size before anything
 * is computed with it.  NULL, or what to tell the client.
 */

static const char *
ngx_http_rest_issue_decode(ngx_http_rest_issue_t *ri, ngx_uint_t *refused)
{
    ngx_str_t     der, refusal;
    ngx_pki_op_t  *op;

    op = ri->op;
    *refused = 0;

    if (ngx_http_rest_issue_unarmor(op->pool, &ri->request, &der) != NGX_OK) {
        ngx_log_error(NGX_LOG_INFO, op->log, 0,
                      "certificate request is neither DER nor PEM");
        return "the body is no PKCS#10 request";
    }

    if (ngx_pki_csr_decode(op->pool, &der, &ri->csr) != NGX_OK) {
        ngx_log_error(NGX_LOG_INFO, op->log, 0,
                      "malformed certificate request: %s", ri->csr.error);
        return "the body is no PKCS#10 request";
    }

    ngx_str_null(&refusal);

    if (ngx_pki_profile_check_key(ri->profile, &ri->csr, &refusal) != NGX_OK) {
        ngx_log_error(NGX_LOG_INFO, op->log, 0,
                      "certificate request refused: %V", &refusal);
        *refused = 1;
        return "this kind of key is not allowed";
    }

    if (ngx_pki_csr_verify(&ri->csr) != NGX_OK) {
        ngx_log_error(NGX_LOG_INFO, op->log, 0,
                      "signature of the certificate request is wrong");
        return "the signature of the request is wrong";
    }

    return NULL;
}


static ngx_int_t
ngx_http_rest_issue_unarmor(ngx_pool_t *pool, ngx_str_t *text, ngx_str_t *der)
{
    size_t     i;
    u_char     ch;
    ngx_str_t  base64;

    base64.len = 0;
    base64.data = ngx_pnalloc(pool, text->len + 1);
    der->data = ngx_pnalloc(pool, ngx_base64_decoded_length(text->len) + 3);

    if (base64.data == NULL || der->data == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < text->len; i++) {
        ch = text->data[i];

        if (ch != ' ' && ch != '\t' && ch != CR && ch != LF) {
            base64.data[base64.len++] = ch;
        }
    }

    /* the base64 of any SEQUENCE of more than 127 octets begins with "MI" */

    if (base64.len > 2 && ngx_strncmp(base64.data, "MI", 2) == 0) {

        if (ngx_pki_base64_trim(&base64) != NGX_OK) {
            return NGX_DECLINED;
        }

        return ngx_decode_base64(der, &base64);
    }

    return ngx_pki_csr_unarmor(pool, text, der);
}


static void
ngx_http_rest_issue_fail(ngx_http_rest_issue_t *ri, ngx_uint_t refused,
    const char *message)
{
    ngx_int_t            rc;
    ngx_pki_op_t        *op;
    ngx_http_request_t  *r;

    op = ri->op;
    r = ngx_http_pki_op_request(op);

    if (r != NULL) {
        rc = ngx_http_rest_issue_set(r, ri, "REFUSED");

        if (rc == NGX_OK) {
            rc = ngx_http_rest_error(r, NGX_HTTP_BAD_REQUEST,
                                     refused ? "refused" : "bad_request",
                                     message);
        }

        ngx_http_pki_op_finalize(op, rc);
    }

    ngx_pki_op_destroy(op);
}


static void
ngx_http_rest_issue_find_handler(ngx_pki_issue_t *issue)
{
    issue->handler = ngx_http_rest_issue_handler;

    if (issue->result != NGX_PKI_ISSUE_OK) {
        ngx_http_rest_issue_handler(issue);
        return;
    }

    ngx_pki_issue_start(issue);
}


static void
ngx_http_rest_issue_handler(ngx_pki_issue_t *issue)
{
    ngx_pki_op_t           *op;
    ngx_http_request_t     *r;
    ngx_http_rest_issue_t  *ri;

    ri = issue->data;
    op = ri->op;

    ngx_http_rest_issue_log(ri);

    r = ngx_http_pki_op_request(op);

    if (r != NULL) {
        ngx_http_pki_op_finalize(op, ngx_http_rest_issue_answer(r, ri));
    }

    ngx_pki_op_destroy(op);
}


static void
ngx_http_rest_issue_log(ngx_http_rest_issue_t *ri)
{
    ngx_pki_op_t     *op;
    ngx_pki_issue_t  *issue;

    op = ri->op;
    issue = &ri->issue;

    /* the last step is not what it is about */

    op->log->action = NULL;

    switch (issue->result) {

    case NGX_PKI_ISSUE_OK:
    case NGX_PKI_ISSUE_EXISTING:
        op->serial = issue->record.serial;
        ngx_log_error(NGX_LOG_NOTICE, op->log, 0,
                      "certificate %s by \"%V\", requester: \"%V\", "
                      "subject: \"%V\"",
                      issue->result == NGX_PKI_ISSUE_OK ? "issued"
                                                        : "given again",
                      &ri->source, &ri->requester, &issue->record.subject);
        break;

    case NGX_PKI_ISSUE_REFUSED:
        ngx_log_error(NGX_LOG_INFO, op->log, 0,
                      "certificate refused: %V, requester: \"%V\"",
                      &issue->error, &ri->requester);
        break;

    case NGX_PKI_ISSUE_UNAVAILABLE:
        /* logged where it happened */
        break;
    }
}


static ngx_int_t
ngx_http_rest_issue_answer(ngx_http_request_t *r, ngx_http_rest_issue_t *ri)
{
    const char  *status;

    switch (ri->issue.result) {

    case NGX_PKI_ISSUE_OK:
        status = "ISSUED";
        break;

    case NGX_PKI_ISSUE_EXISTING:
        status = "EXISTING";
        break;

    case NGX_PKI_ISSUE_REFUSED:
        status = "REFUSED";
        break;

    default: /* NGX_PKI_ISSUE_UNAVAILABLE */
        status = "UNAVAILABLE";
    }

    if (ngx_http_rest_issue_set(r, ri, status) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    switch (ri->issue.result) {

    case NGX_PKI_ISSUE_OK:
    case NGX_PKI_ISSUE_EXISTING:
        return ri->answer(r, ri);

    case NGX_PKI_ISSUE_REFUSED:
        return ngx_http_rest_error(r, NGX_HTTP_BAD_REQUEST, "refused",
                                   "the request is not allowed");

    default: /* NGX_PKI_ISSUE_UNAVAILABLE */
        return ngx_http_rest_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                   "unavailable", "try again later");
    }
}


ngx_int_t
ngx_http_rest_issue_json(ngx_http_request_t *r, ngx_http_rest_issue_t *ri)
{
    json_t            *value;
    ngx_str_t          pem, chain;
    ngx_pki_record_t  *record;

    record = &ri->issue.record;

    if (ngx_http_rest_pem(r->pool, &record->der, &pem) != NGX_OK
        || ngx_http_rest_chain(r->pool, NULL, ri->authority, &chain)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    value = ngx_pki_json_own(r->pool, json_object());

    if (value == NULL
        || ngx_pki_json_set(value, "serial", &record->serial) != NGX_OK
        || ngx_pki_json_set(value, "certificate", &pem) != NGX_OK
        || ngx_pki_json_set(value, "chain", &chain) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_rest_json(r, NGX_HTTP_CREATED, value);
}


/* what the variables of the request show */

static ngx_int_t
ngx_http_rest_issue_set(ngx_http_request_t *r, ngx_http_rest_issue_t *ri,
    const char *status)
{
    ngx_pki_issue_t     *issue;
    ngx_http_pki_ctx_t  *ctx;

    ctx = ngx_http_pki_get_ctx(r);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    issue = &ri->issue;

    ctx->enroll_status.data = (u_char *) status;
    ctx->enroll_status.len = ngx_strlen(status);

    ngx_http_pki_set(r, &ctx->authority, &ri->authority->name);
    ngx_http_pki_set(r, &ctx->profile, ngx_pki_profile_name(ri->profile));
    ngx_http_pki_set(r, &ctx->serial, &issue->record.serial);
    ngx_http_pki_set(r, &ctx->subject, &issue->record.subject);
    ngx_http_pki_set_time(r, &ctx->sign_time, issue->sign_time);
    ngx_http_pki_set_time(r, &ctx->store_time, issue->store_time);

    return NGX_OK;
}


static void
ngx_http_rest_issue_expire(ngx_pki_op_t *op)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = ngx_http_pki_op_request(op);

    rc = ngx_http_rest_issue_set(r, op->data, "UNAVAILABLE");

    if (rc == NGX_OK) {
        rc = ngx_http_rest_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                 "unavailable", "try again later");
    }

    /* the certificate is made all the same: the retry will find it */

    ngx_http_pki_op_finalize(op, rc);
}
