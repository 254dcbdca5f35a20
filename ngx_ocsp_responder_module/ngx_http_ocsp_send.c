
/*
 * Copyright (C) the ngx_pki authors
 *
 * Answers and errors of OCSP as HTTP responses, and what variables say of them.
 */


#include "ngx_http_ocsp_send.h"
#include "ngx_http_ocsp_headers.h"


#define NGX_HTTP_OCSP_RETRY       5      /* seconds */
#define NGX_HTTP_OCSP_SERIAL_MAX  64     /* octets, in a variable */


static ngx_int_t ngx_http_ocsp_send_body(ngx_http_request_t *r,
    ngx_ocsp_answer_t *answer);
static ngx_int_t ngx_http_ocsp_cache_headers(ngx_http_request_t *r,
    ngx_ocsp_answer_t *answer);
static void ngx_http_ocsp_variables(ngx_http_request_t *r,
    ngx_ocsp_answer_t *answer);
static void ngx_http_ocsp_status_variables(ngx_http_pki_ctx_t *ctx,
    ngx_ocsp_single_t *single);
static ngx_int_t ngx_http_ocsp_error_headers(ngx_http_request_t *r,
    ngx_ocsp_response_status_e status);


static ngx_str_t  ngx_http_ocsp_type =
    ngx_string("application/ocsp-response");


/* by ngx_ocsp_cache_e */

static ngx_str_t  ngx_http_ocsp_caches[] = {
    ngx_null_string,
    ngx_string("hit"),
    ngx_string("stale"),
    ngx_string("miss"),
    ngx_string("bypass")
};


/* "ocsp_error_status on", by ngx_ocsp_response_status_e */

static ngx_uint_t  ngx_http_ocsp_error_statuses[] = {
    NGX_HTTP_OK,
    NGX_HTTP_BAD_REQUEST,
    NGX_HTTP_INTERNAL_SERVER_ERROR,
    NGX_HTTP_SERVICE_UNAVAILABLE,
    NGX_HTTP_INTERNAL_SERVER_ERROR,
    NGX_HTTP_FORBIDDEN,
    NGX_HTTP_FORBIDDEN
};


ngx_int_t
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

    if (answer->op != NULL) {

        /* the operation ends before the last octet is sent */

        return ngx_http_pki_send(r, NGX_HTTP_OK, &ngx_http_ocsp_type,
                                 &answer->body);
    }

    return ngx_http_ocsp_send_body(r, answer);
}


static ngx_int_t
ngx_http_ocsp_send_body(ngx_http_request_t *r, ngx_ocsp_answer_t *answer)
{
    ngx_buf_t    *b;
    ngx_int_t     rc;
    ngx_chain_t   out;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = answer->body.len;
    r->headers_out.content_type = ngx_http_ocsp_type;
    r->headers_out.content_type_len = ngx_http_ocsp_type.len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->pos = answer->body.data;
    b->last = answer->body.data + answer->body.len;
    b->memory = 1;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


/*
 * RFC 5019, 6.2.  Until the answer is renewed, and a little longer, different
 * for each client, so that they do not all come back at once.
 */

static ngx_int_t
ngx_http_ocsp_cache_headers(ngx_http_request_t *r, ngx_ocsp_answer_t *answer)
{
    time_t     max_age, spread;
    u_char    *p, etag[sizeof(answer->etag) + 2];
    ngx_str_t  text;

    if (r->method == NGX_HTTP_POST || answer->request.nonce.len != 0) {
        r->disable_not_modified = 1;
        return NGX_OK;
    }

    max_age = answer->refresh_at - answer->now;
    spread = (answer->next_update - answer->refresh_at) / 16;

    if (max_age < 0) {
        max_age = 0;
        spread = (answer->next_update - answer->now) / 2;
    }

    max_age += ngx_random() % (spread + 1);

    etag[0] = '"';
    p = ngx_cpymem(etag + 1, answer->etag, sizeof(answer->etag));
    *p = '"';

    text.len = sizeof(etag);
    text.data = etag;

    /* a status may change within a second: only the tag tells (RFC 9110,
     * 8.8.2.2) */

    r->headers_in.if_modified_since = NULL;

    return ngx_http_ocsp_headers_cache(r, max_age, answer->next_update,
                                       answer->this_update, &text);
}


/* of several certificates the first is shown */

static void
ngx_http_ocsp_variables(ngx_http_request_t *r, ngx_ocsp_answer_t *answer)
{
    ngx_str_t           *serial;
    ngx_http_pki_ctx_t  *ctx;

    ctx = ngx_http_pki_get_ctx(r);
    if (ctx == NULL) {
        return;
    }

    serial = &answer->request.ids->serial;

    ctx->ocsp_serial.len = ngx_min(serial->len, NGX_HTTP_OCSP_SERIAL_MAX);
    ctx->ocsp_serial.data = ngx_pnalloc(r->pool, ctx->ocsp_serial.len);

    if (ctx->ocsp_serial.data == NULL) {
        ctx->ocsp_serial.len = 0;
        return;
    }

    ngx_memcpy(ctx->ocsp_serial.data, serial->data, ctx->ocsp_serial.len);

    /* without memory nobody was found to sign */

    if (answer->signer != NULL) {
        ctx->authority = answer->signer->authority->name;
    }

    ngx_http_pki_set_time(r, &ctx->sign_time, answer->sign_time);
    ngx_http_pki_set_time(r, &ctx->store_time, answer->store_time);

    if (answer->result == NGX_OCSP_SUCCESSFUL) {
        ctx->ocsp_cache = ngx_http_ocsp_caches[answer->cache];
        ngx_http_ocsp_status_variables(ctx, answer->singles);
    }
}


/* as clients see it: a hold is a revocation with a reason of its own */

static void
ngx_http_ocsp_status_variables(ngx_http_pki_ctx_t *ctx,
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
            ctx->ocsp_reason = *reason;
        }

        break;

    case NGX_PKI_STATUS_UNKNOWN:
        ngx_str_set(&ctx->ocsp_status, "unknown");
        break;
    }
}


/* an error is a response like any other, but nobody may keep it */

ngx_int_t
ngx_http_ocsp_error(ngx_http_request_t *r, ngx_ocsp_response_status_e status)
{
    ngx_uint_t                 http;
    ngx_http_pki_ctx_t        *ctx;
    ngx_http_ocsp_loc_conf_t  *olcf;

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_ocsp_responder_module);

    ctx = ngx_http_pki_get_ctx(r);

    if (ctx == NULL || ngx_http_ocsp_error_headers(r, status) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->ocsp_status = *ngx_ocsp_response_name(status);

    ngx_http_ocsp_headers_identity(r);

    http = olcf->error_status ? ngx_http_ocsp_error_statuses[status]
                              : NGX_HTTP_OK;

    return ngx_http_pki_send(r, http, &ngx_http_ocsp_type,
                             ngx_ocsp_response_error(status));
}


static ngx_int_t
ngx_http_ocsp_error_headers(ngx_http_request_t *r,
    ngx_ocsp_response_status_e status)
{
    ngx_str_t  retry;

    if (status == NGX_OCSP_TRY_LATER) {
        ngx_str_set(&retry, ngx_value(NGX_HTTP_OCSP_RETRY));

        if (ngx_http_pki_add_header(r, "Retry-After", &retry) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return ngx_http_ocsp_headers_no_store(r);
}
