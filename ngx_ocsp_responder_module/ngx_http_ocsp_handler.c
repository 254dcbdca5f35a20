
/*
 * Copyright (C) the ngx_pki authors
 *
 * OCSP over HTTP, RFC 6960, appendix A, and RFC 5019.
 */


#include "ngx_http_ocsp_responder_module.h"
#include "ngx_http_ocsp_headers.h"
#include "ngx_ocsp_uri.h"


#define NGX_HTTP_OCSP_BODY_MAX    16384
#define NGX_HTTP_OCSP_TIMEOUT     5000
#define NGX_HTTP_OCSP_SERIAL_MAX  64     /* octets, in a variable */


static void ngx_http_ocsp_body_handler(ngx_http_request_t *r,
    ngx_str_t *body);
static ngx_int_t ngx_http_ocsp_get(ngx_http_request_t *r, ngx_str_t *der,
    ngx_ocsp_request_t *request);
static ngx_int_t ngx_http_ocsp_repair(ngx_http_request_t *r, ngx_str_t *text,
    ngx_str_t *der, ngx_ocsp_request_t *request);
static ngx_int_t ngx_http_ocsp_greet(ngx_http_request_t *r);
static void ngx_http_ocsp_start(ngx_http_request_t *r, ngx_str_t *der);
static void ngx_http_ocsp_expire(ngx_pki_op_t *op);
static void ngx_http_ocsp_answer_handler(ngx_ocsp_answer_t *answer);
static ngx_int_t ngx_http_ocsp_send(ngx_http_request_t *r,
    ngx_ocsp_answer_t *answer);
static ngx_int_t ngx_http_ocsp_cache_headers(ngx_http_request_t *r,
    ngx_ocsp_answer_t *answer);
static void ngx_http_ocsp_variables(ngx_http_request_t *r,
    ngx_ocsp_answer_t *answer);
static void ngx_http_ocsp_status_variables(ngx_http_request_t *r,
    ngx_http_pki_ctx_t *ctx, ngx_ocsp_single_t *single);
static ngx_int_t ngx_http_ocsp_error(ngx_http_request_t *r,
    ngx_ocsp_response_status_e status);


static ngx_str_t  ngx_http_ocsp_type =
    ngx_string("application/ocsp-response");


ngx_int_t
ngx_http_ocsp_handler(ngx_http_request_t *r)
{
    ngx_str_t  allow;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_POST))) {
        ngx_str_set(&allow, "GET, HEAD, POST");
        return ngx_http_ocsp_headers_not_allowed(r, &allow);
    }

    return ngx_http_pki_read_body(r, NGX_HTTP_OCSP_BODY_MAX,
                                  ngx_http_ocsp_body_handler);
}


static void
ngx_http_ocsp_body_handler(ngx_http_request_t *r, ngx_str_t *body)
{
    ngx_int_t                  rc;
    ngx_str_t                  der;
    ngx_ocsp_request_t         request;
    ngx_http_ocsp_loc_conf_t  *olcf;

    if (r->method == NGX_HTTP_POST) {
        olcf = ngx_http_get_module_loc_conf(r, ngx_http_ocsp_responder_module);

        der = *body;
        rc = ngx_ocsp_request_decode(r->pool, &der, olcf->max_requests,
                                     &request);

    } else {
        rc = ngx_http_ocsp_get(r, &der, &request);
    }

    switch (rc) {

    case NGX_OK:
        ngx_http_ocsp_start(r, &der);
        return;

    case NGX_DONE:
        rc = ngx_http_ocsp_greet(r);
        break;

    case NGX_DECLINED:
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "malformed OCSP request: %s", request.error);

        rc = ngx_http_ocsp_error(r, NGX_OCSP_MALFORMED_REQUEST);
        break;

    default:
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
        break;
    }

    ngx_http_finalize_request(r, rc);
}


/* NGX_DONE: there is nothing behind the location's name */

static ngx_int_t
ngx_http_ocsp_get(ngx_http_request_t *r, ngx_str_t *der,
    ngx_ocsp_request_t *request)
{
    ngx_int_t                  rc;
    ngx_str_t                  text;
    ngx_http_core_loc_conf_t  *clcf;
    ngx_http_ocsp_loc_conf_t  *olcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    olcf = ngx_http_get_module_loc_conf(r, ngx_http_ocsp_responder_module);

    /* a rewritten URI is there in its decoded form only */

    if (ngx_ocsp_uri_strip(&r->unparsed_uri, &clcf->name, &text) != NGX_OK
        && ngx_ocsp_uri_strip(&r->uri, &clcf->name, &text) != NGX_OK)
    {
        request->error = "the URI is not below the location";
        return NGX_DECLINED;
    }

    if (text.len == 0) {
        return NGX_DONE;
    }

    rc = ngx_ocsp_uri_decode(r->pool, &text, 0, der);

    if (rc == NGX_OK) {
        rc = ngx_ocsp_request_decode(r->pool, der, olcf->max_requests,
                                     request);

    } else {
        request->error = "the URI is not base64 of a DER SEQUENCE";
    }

    if (rc != NGX_DECLINED) {
        return rc;
    }

    return ngx_http_ocsp_repair(r, &text, der, request);
}


/*
 * A proxy on the way that decodes and merges slashes takes one character of
 * the base64 away.  Put back at the right place it gives a request for one of
 * our certificates; if it does so at two places nobody knows which was meant.
 */

static ngx_int_t
ngx_http_ocsp_repair(ngx_http_request_t *r, ngx_str_t *text, ngx_str_t *der,
    ngx_ocsp_request_t *request)
{
    ngx_int_t                  rc;
    ngx_str_t                  candidate;
    ngx_uint_t                 n;
    ngx_ocsp_request_t         repaired;
    ngx_http_ocsp_loc_conf_t  *olcf;

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_ocsp_responder_module);

    ngx_str_null(der);

    for (n = 1; /* void */; n++) {

        rc = ngx_ocsp_uri_decode(r->pool, text, n, &candidate);

        if (rc == NGX_DONE) {
            break;
        }

        if (rc == NGX_OK) {
            rc = ngx_ocsp_request_decode(r->pool, &candidate,
                                         olcf->max_requests, &repaired);
        }

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_DECLINED
            || ngx_ocsp_answer_signer(olcf->signers, repaired.ids.elts)
               == NULL)
        {
            continue;
        }

        if (der->len != 0
            && ngx_memcmp(der->data, candidate.data, der->len) != 0)
        {
            return NGX_DECLINED;
        }

        *der = candidate;
    }

    return (der->len == 0) ? NGX_DECLINED : NGX_OK;
}


static ngx_int_t
ngx_http_ocsp_greet(ngx_http_request_t *r)
{
    ngx_str_t  type, text;

    ngx_str_set(&type, "text/plain");
    ngx_str_set(&text, "OCSP responder\n");

    return ngx_http_pki_send(r, NGX_HTTP_OK, &type, &text);
}


static void
ngx_http_ocsp_start(ngx_http_request_t *r, ngx_str_t *der)
{
    ngx_str_t                  copy;
    ngx_pki_op_t              *op;
    ngx_ocsp_answer_t         *answer;
    ngx_http_ocsp_loc_conf_t  *olcf;

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_ocsp_responder_module);

    op = ngx_http_pki_op_create(r, NGX_HTTP_OCSP_TIMEOUT,
                                ngx_http_ocsp_expire);
    if (op == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    ngx_pki_op_action(op, "answering an OCSP request");

    answer = ngx_pcalloc(op->pool, sizeof(ngx_ocsp_answer_t));

    /* decoded again: what is pointed to must not go with the request */

    if (answer == NULL
        || ngx_pki_op_copy(op, &copy, der) != NGX_OK
        || ngx_ocsp_request_decode(op->pool, &copy, olcf->max_requests,
                                   &answer->request)
           != NGX_OK)
    {
        ngx_http_pki_op_finalize(op, NGX_HTTP_INTERNAL_SERVER_ERROR);
        ngx_pki_op_destroy(op);
        return;
    }

    if (!olcf->nonce) {
        ngx_str_null(&answer->request.nonce);
    }

    answer->op = op;
    answer->signers = olcf->signers;
    answer->policy = &olcf->policy;
    answer->handler = ngx_http_ocsp_answer_handler;

    ngx_ocsp_answer_start(answer);
}


static void
ngx_http_ocsp_expire(ngx_pki_op_t *op)
{
    ngx_http_request_t  *r;

    r = ngx_http_pki_op_request(op);

    ngx_http_pki_op_finalize(op, ngx_http_ocsp_error(r, NGX_OCSP_TRY_LATER));
}


static void
ngx_http_ocsp_answer_handler(ngx_ocsp_answer_t *answer)
{
    ngx_pki_op_t        *op;
    ngx_http_request_t  *r;

    op = answer->op;
    r = ngx_http_pki_op_request(op);

    if (r != NULL) {
        ngx_http_pki_op_finalize(op, ngx_http_ocsp_send(r, answer));
    }

    ngx_pki_op_destroy(op);
}


static ngx_int_t
ngx_http_ocsp_send(ngx_http_request_t *r, ngx_ocsp_answer_t *answer)
{
    ngx_http_ocsp_variables(r, answer);

    if (answer->result != NGX_OCSP_SUCCESSFUL) {
        return ngx_http_ocsp_error(r, answer->result);
    }

    if (ngx_http_ocsp_cache_headers(r, answer) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_ocsp_headers_identity(r);

    return ngx_http_pki_send(r, NGX_HTTP_OK, &ngx_http_ocsp_type,
                             &answer->body);
}


/*
 * RFC 5019, 6.2.  Half of what is left of the validity, and a little less for
 * each client, so that they do not all come back at the same time.
 */

static ngx_int_t
ngx_http_ocsp_cache_headers(ngx_http_request_t *r, ngx_ocsp_answer_t *answer)
{
    time_t  left, max_age;

    if (r->method == NGX_HTTP_POST || answer->request.nonce.len != 0) {
        r->disable_not_modified = 1;
        return NGX_OK;
    }

    left = answer->next_update - answer->now;
    max_age = left / 2;
    max_age -= ngx_random() % (max_age / 8 + 1);

    return ngx_http_ocsp_headers_cache(r, max_age, answer->next_update,
                                       answer->this_update, NULL);
}


/* of several certificates the first is shown */

static void
ngx_http_ocsp_variables(ngx_http_request_t *r, ngx_ocsp_answer_t *answer)
{
    size_t               len;
    u_char               hex[2 * NGX_HTTP_OCSP_SERIAL_MAX];
    ngx_str_t            serial;
    ngx_ocsp_cert_id_t  *id;
    ngx_http_pki_ctx_t  *ctx;

    ctx = ngx_http_pki_get_ctx(r);
    if (ctx == NULL) {
        return;
    }

    id = answer->request.ids.elts;
    len = ngx_min(id->serial.len, NGX_HTTP_OCSP_SERIAL_MAX);

    serial.len = ngx_hex_dump(hex, id->serial.data, len) - hex;
    serial.data = hex;

    ngx_http_pki_set(r, &ctx->ocsp_serial, &serial);

    /* without memory nobody was found to sign */

    if (answer->signer != NULL) {
        ngx_http_pki_set(r, &ctx->authority,
                         &answer->signer->authority->name);
    }

    ngx_http_pki_set_time(r, &ctx->sign_time, answer->sign_time);
    ngx_http_pki_set_time(r, &ctx->store_time, answer->store_time);

    if (answer->result == NGX_OCSP_SUCCESSFUL) {
        ngx_http_ocsp_status_variables(r, ctx, answer->singles);
    }
}


/* as clients see it: a hold is a revocation with a reason of its own */

static void
ngx_http_ocsp_status_variables(ngx_http_request_t *r, ngx_http_pki_ctx_t *ctx,
    ngx_ocsp_single_t *single)
{
    ngx_str_t  *reason;

    switch (single->status) {

    case NGX_PKI_STATUS_GOOD:
        ngx_str_set(&ctx->ocsp_status, "good");
        break;

    case NGX_PKI_STATUS_HOLD:
    case NGX_PKI_STATUS_REVOKED:
        ngx_str_set(&ctx->ocsp_status, "revoked");

        reason = ngx_pki_reason_name(single->reason);

        if (reason != NULL) {
            ngx_http_pki_set(r, &ctx->ocsp_reason, reason);
        }

        break;

    case NGX_PKI_STATUS_UNKNOWN:
        ngx_str_set(&ctx->ocsp_status, "unknown");
        break;
    }
}


/* an error is a response like any other, but nobody may keep it */

static ngx_int_t
ngx_http_ocsp_error(ngx_http_request_t *r, ngx_ocsp_response_status_e status)
{
    ngx_http_pki_ctx_t  *ctx;

    ctx = ngx_http_pki_get_ctx(r);

    if (ctx == NULL || ngx_http_ocsp_headers_no_store(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->ocsp_status = *ngx_ocsp_response_name(status);

    ngx_http_ocsp_headers_identity(r);

    return ngx_http_pki_send(r, NGX_HTTP_OK, &ngx_http_ocsp_type,
                             ngx_ocsp_response_error(status));
}
