
/*
 * Copyright (C) the ngx_pki authors
 *
 * OCSP over HTTP, RFC 6960, appendix A, and RFC 5019.
 */


#include "ngx_http_ocsp_responder_module.h"
#include "ngx_http_ocsp_headers.h"
#include "ngx_http_ocsp_send.h"
#include "ngx_ocsp_request_signature.h"
#include "ngx_ocsp_uri.h"
#include "ngx_ocsp_uri_memo.h"


#define NGX_HTTP_OCSP_BODY_MAX    16384
#define NGX_HTTP_OCSP_TIMEOUT     5000
#define NGX_HTTP_OCSP_RENEWAL     15000  /* in the background; milliseconds */


static void ngx_http_ocsp_body_handler(ngx_http_request_t *r,
    ngx_str_t *body);
static ngx_int_t ngx_http_ocsp_post(ngx_http_request_t *r, ngx_str_t *body);
static ngx_int_t ngx_http_ocsp_get(ngx_http_request_t *r);
static ngx_int_t ngx_http_ocsp_decode(ngx_http_request_t *r, ngx_str_t *text,
    ngx_str_t *der, ngx_ocsp_answer_t *answer);
static ngx_int_t ngx_http_ocsp_repair(ngx_http_request_t *r, ngx_str_t *text,
    ngx_str_t *der);
static ngx_int_t ngx_http_ocsp_greet(ngx_http_request_t *r);
static ngx_int_t ngx_http_ocsp_malformed(ngx_http_request_t *r,
    ngx_ocsp_request_t *request);
static ngx_ocsp_answer_t *ngx_http_ocsp_answer(ngx_http_request_t *r,
    ngx_pool_t *pool, ngx_log_t *log);
static ngx_int_t ngx_http_ocsp_process(ngx_http_request_t *r, ngx_str_t *der,
    ngx_ocsp_answer_t *answer);
static ngx_ocsp_response_status_e ngx_http_ocsp_check_signature(
    ngx_http_request_t *r, ngx_ocsp_answer_t *answer);
static ngx_uint_t ngx_http_ocsp_is_revoked(ngx_ocsp_request_signer_t *signer);
static ngx_int_t ngx_http_ocsp_start(ngx_http_request_t *r, ngx_str_t *der);
static ngx_int_t ngx_http_ocsp_start_answer(ngx_http_request_t *r,
    ngx_pki_op_t *op, ngx_str_t *der, ngx_ocsp_answer_pt handler);
static void ngx_http_ocsp_expire(ngx_pki_op_t *op);
static void ngx_http_ocsp_answer_handler(ngx_ocsp_answer_t *answer);
static void ngx_http_ocsp_renew(ngx_http_request_t *r, ngx_str_t *der);
static void ngx_http_ocsp_renew_handler(ngx_ocsp_answer_t *answer);


ngx_int_t
ngx_http_ocsp_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;
    ngx_str_t  allow;

    if (r->method == NGX_HTTP_POST) {
        return ngx_http_pki_read_body(r, NGX_HTTP_OCSP_BODY_MAX,
                                      ngx_http_ocsp_body_handler);
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        ngx_str_set(&allow, "GET, HEAD, POST");
        return ngx_http_ocsp_headers_not_allowed(r, &allow);
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_ocsp_get(r);
}


static void
ngx_http_ocsp_body_handler(ngx_http_request_t *r, ngx_str_t *body)
{
    ngx_int_t  rc;

    rc = ngx_http_ocsp_post(r, body);

    if (rc != NGX_DONE) {
        ngx_http_finalize_request(r, rc);
    }
}


/* NGX_DONE, here and below: an operation goes on */

static ngx_int_t
ngx_http_ocsp_post(ngx_http_request_t *r, ngx_str_t *body)
{
    ngx_int_t                  rc;
    ngx_ocsp_answer_t         *answer;
    ngx_http_ocsp_loc_conf_t  *olcf;

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_ocsp_responder_module);

    answer = ngx_http_ocsp_answer(r, r->pool, r->connection->log);
    if (answer == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_ocsp_request_decode(r->pool, body, olcf->max_requests,
                                 &answer->request);

    if (rc == NGX_DECLINED) {
        return ngx_http_ocsp_malformed(r, &answer->request);
    }

    if (rc != NGX_OK) {
        return ngx_http_ocsp_error(r, NGX_OCSP_INTERNAL_ERROR);
    }

    return ngx_http_ocsp_process(r, body, answer);
}


static ngx_int_t
ngx_http_ocsp_get(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_str_t                  text, der;
    ngx_ocsp_answer_t         *answer;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    answer = ngx_http_ocsp_answer(r, r->pool, r->connection->log);
    if (answer == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* a rewritten URI is there in its decoded form only */

    if (ngx_ocsp_uri_strip(&r->unparsed_uri, &clcf->name, &text) != NGX_OK
        && ngx_ocsp_uri_strip(&r->uri, &clcf->name, &text) != NGX_OK)
    {
        answer->request.error = "the URI is not below the location";
        return ngx_http_ocsp_malformed(r, &answer->request);
    }

    if (text.len == 0) {
        return ngx_http_ocsp_greet(r);
    }

    rc = ngx_http_ocsp_decode(r, &text, &der, answer);

    if (rc == NGX_DECLINED) {
        return ngx_http_ocsp_malformed(r, &answer->request);
    }

    if (rc != NGX_OK) {
        return ngx_http_ocsp_error(r, NGX_OCSP_INTERNAL_ERROR);
    }

    return ngx_http_ocsp_process(r, &der, answer);
}


static ngx_int_t
ngx_http_ocsp_decode(ngx_http_request_t *r, ngx_str_t *text, ngx_str_t *der,
    ngx_ocsp_answer_t *answer)
{
    ngx_int_t                  rc;
    const char                *error;
    ngx_http_ocsp_loc_conf_t  *olcf;

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_ocsp_responder_module);

    if (ngx_ocsp_uri_recall(text, der) == NGX_OK) {
        return ngx_ocsp_request_decode(r->pool, der, olcf->max_requests,
                                       &answer->request);
    }

    rc = ngx_ocsp_uri_decode(r->pool, text, 0, der);

    if (rc == NGX_OK) {
        rc = ngx_ocsp_request_decode(r->pool, der, olcf->max_requests,
                                     &answer->request);

    } else {
        answer->request.error = "the URI is not base64 of a DER SEQUENCE";
    }

    if (rc == NGX_OK) {
        ngx_ocsp_uri_remember(text, der);
    }

    if (rc != NGX_DECLINED) {
        return rc;
    }

    error = answer->request.error;

    rc = ngx_http_ocsp_repair(r, text, der);

    if (rc == NGX_OK) {
        rc = ngx_ocsp_request_decode(r->pool, der, olcf->max_requests,
                                     &answer->request);
    }

    answer->request.error = error;

    return rc;
}


/*
 * A proxy on the way that decodes and merges slashes takes one character of
 * the base64 away.  Put back at the right place it gives a request for one of
 * our certificates; if it does so at two places nobody knows which was meant.
 */

static ngx_int_t
ngx_http_ocsp_repair(ngx_http_request_t *r, ngx_str_t *text, ngx_str_t *der)
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
            || ngx_ocsp_answer_signer(olcf->signers, repaired.ids)
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


static ngx_int_t
ngx_http_ocsp_malformed(ngx_http_request_t *r, ngx_ocsp_request_t *request)
{
    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "malformed OCSP request: %s", request->error);

    return ngx_http_ocsp_error(r, NGX_OCSP_MALFORMED_REQUEST);
}


static ngx_ocsp_answer_t *
ngx_http_ocsp_answer(ngx_http_request_t *r, ngx_pool_t *pool, ngx_log_t *log)
{
    ngx_ocsp_answer_t         *answer;
    ngx_http_ocsp_loc_conf_t  *olcf;

    answer = ngx_palloc(pool, sizeof(ngx_ocsp_answer_t));
    if (answer == NULL) {
        return NULL;
    }

    ngx_ocsp_answer_zero(answer);

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_ocsp_responder_module);

    answer->pool = pool;
    answer->log = log;
    answer->signers = olcf->signers;
    answer->policy = &olcf->policy;

    return answer;
}


static ngx_int_t
ngx_http_ocsp_process(ngx_http_request_t *r, ngx_str_t *der,
    ngx_ocsp_answer_t *answer)
{
    ngx_ocsp_response_status_e  status;

    status = ngx_http_ocsp_check_signature(r, answer);

    if (status != NGX_OCSP_SUCCESSFUL) {
        return ngx_http_ocsp_error(r, status);
    }

    if (!answer->policy->nonce) {
        ngx_str_null(&answer->request.nonce);
    }

    if (ngx_ocsp_answer_at_once(answer) != NGX_OK) {
        return ngx_http_ocsp_start(r, der);
    }

    if (answer->cache == NGX_OCSP_CACHE_STALE) {
        ngx_http_ocsp_renew(r, der);
    }

    return ngx_http_ocsp_send(r, answer);
}


/* RFC 6960, 2.3: sigRequired, or unauthorized if it is not good */

static ngx_ocsp_response_status_e
ngx_http_ocsp_check_signature(ngx_http_request_t *r, ngx_ocsp_answer_t *answer)
{
    ngx_uint_t                  mode;
    ngx_ocsp_request_signer_t   signer;
    ngx_http_ocsp_loc_conf_t   *olcf;

    mode = answer->policy->signature;

    if (mode == NGX_OCSP_SIGNATURE_IGNORE) {
        return NGX_OCSP_SUCCESSFUL;
    }

    if (answer->request.signature.len == 0) {
        return (mode == NGX_OCSP_SIGNATURE_REQUIRE) ? NGX_OCSP_SIG_REQUIRED
                                                    : NGX_OCSP_SUCCESSFUL;
    }

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_ocsp_responder_module);

    switch (ngx_ocsp_request_verify(&answer->request, &olcf->trust,
                                    ngx_time(), r->connection->log, &signer))
    {

    case NGX_OK:
        if (!ngx_http_ocsp_is_revoked(&signer)) {
            return NGX_OCSP_SUCCESSFUL;
        }

        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "OCSP request signed with a certificate that is revoked "
                      "or held");

        return NGX_OCSP_UNAUTHORIZED;

    case NGX_DECLINED:
        return NGX_OCSP_UNAUTHORIZED;

    case NGX_AGAIN:
        return NGX_OCSP_TRY_LATER;

    default:
        return NGX_OCSP_INTERNAL_ERROR;
    }
}


/* as far as the zone knows: nobody is asked for the sake of who asks */

static ngx_uint_t
ngx_http_ocsp_is_revoked(ngx_ocsp_request_signer_t *signer)
{
    time_t                  known_at;
    ngx_pki_zone_status_t   status;

    return signer->authority != NULL
           && ngx_pki_store_status_peek(&signer->authority->store,
                                        &signer->serial, &status, &known_at)
              == NGX_OK
           && (status.status == NGX_PKI_STATUS_REVOKED
               || status.status == NGX_PKI_STATUS_HOLD);
}


static ngx_int_t
ngx_http_ocsp_start(ngx_http_request_t *r, ngx_str_t *der)
{
    ngx_pki_op_t  *op;

    op = ngx_http_pki_op_create(r, NGX_HTTP_OCSP_TIMEOUT,
                                ngx_http_ocsp_expire);
    if (op == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_ocsp_start_answer(r, op, der, ngx_http_ocsp_answer_handler)
        != NGX_OK)
    {
        ngx_http_pki_op_finalize(op, NGX_HTTP_INTERNAL_SERVER_ERROR);
        ngx_pki_op_destroy(op);
    }

    return NGX_DONE;
}


/* decoded again: what is pointed to must not go with the request */

static ngx_int_t
ngx_http_ocsp_start_answer(ngx_http_request_t *r, ngx_pki_op_t *op,
    ngx_str_t *der, ngx_ocsp_answer_pt handler)
{
    ngx_str_t                  copy;
    ngx_ocsp_answer_t         *answer;
    ngx_http_ocsp_loc_conf_t  *olcf;

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_ocsp_responder_module);

    ngx_pki_op_action(op, "answering an OCSP request");

    answer = ngx_http_ocsp_answer(r, op->pool, op->log);

    if (answer == NULL
        || ngx_pki_op_copy(op, &copy, der) != NGX_OK
        || ngx_ocsp_request_decode(op->pool, &copy, olcf->max_requests,
                                   &answer->request)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!olcf->policy.nonce) {
        ngx_str_null(&answer->request.nonce);
    }

    answer->op = op;
    answer->handler = handler;

    ngx_ocsp_answer_start(answer);

    return NGX_OK;
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


/* for those who ask next: whoever asked now has the old answer */

static void
ngx_http_ocsp_renew(ngx_http_request_t *r, ngx_str_t *der)
{
    ngx_pki_op_t              *op;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    op = ngx_pki_op_create(clcf->error_log);
    if (op == NULL) {
        return;
    }

    ngx_pki_op_deadline(op, NGX_HTTP_OCSP_RENEWAL, NULL);

    if (ngx_http_ocsp_start_answer(r, op, der, ngx_http_ocsp_renew_handler)
        != NGX_OK)
    {
        ngx_pki_op_destroy(op);
    }
}


static void
ngx_http_ocsp_renew_handler(ngx_ocsp_answer_t *answer)
{
    ngx_pki_op_destroy(answer->op);
}
