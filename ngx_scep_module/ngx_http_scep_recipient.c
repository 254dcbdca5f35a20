
/*
 * Copyright (C) the ngx_pki authors
 *
 * Whom the envelope of a request is for: who opens it and signs the answer.
 */


#include "ngx_http_scep_operation.h"


static ngx_int_t ngx_http_scep_recipient_look(ngx_http_scep_operation_t *so,
    ngx_pki_authority_t *a);
static void ngx_http_scep_recipient_follow(ngx_http_scep_operation_t *so,
    ngx_pki_authority_t *next);
static ngx_int_t ngx_http_scep_recipient_take(ngx_http_scep_operation_t *so,
    ngx_pki_recipient_t *identity);


ngx_int_t
ngx_http_scep_recipient_offered(ngx_http_scep_operation_t *so)
{
    ngx_array_t           *recipients;
    ngx_pki_recipient_t  **identity;

    recipients = ngx_pki_ra_recipients(so->authority);
    identity = recipients->elts;

    if (recipients->nelts == 0) {
        return NGX_ERROR;
    }

    return ngx_http_scep_recipient_take(so, identity[0]);
}


/* Perhaps one that was offered some time ago, perhaps the next authority. */

ngx_int_t
ngx_http_scep_recipient_find(ngx_http_scep_operation_t *so)
{
    ngx_int_t             rc;
    ngx_pki_authority_t  *next;

    next = (so->slcf->next != NULL) ? so->authority->next : NULL;
    rc = ngx_http_scep_recipient_look(so, so->authority);

    if (rc == NGX_DECLINED
        && next != NULL
        && ngx_pki_authority_trouble(next) == NULL)
    {
        rc = ngx_http_scep_recipient_look(so, next);

        if (rc == NGX_OK) {
            ngx_http_scep_recipient_follow(so, next);
        }
    }

    if (rc != NGX_DECLINED) {
        return rc;
    }

    if (ngx_http_scep_recipient_offered(so) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_scep_message_refuse(&so->message, NGX_SCEP_BAD_CERT_ID,
                                   "the envelope is for another authority");
}


static ngx_int_t
ngx_http_scep_recipient_look(ngx_http_scep_operation_t *so,
    ngx_pki_authority_t *a)
{
    ngx_uint_t             i;
    ngx_array_t           *recipients;
    ngx_pki_recipient_t  **identity;

    recipients = ngx_pki_ra_recipients(a);
    identity = recipients->elts;

    for (i = 0; i < recipients->nelts; i++) {

        if (ngx_http_scep_recipient_take(so, identity[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        so->recipient = ngx_scep_verify_recipient(&so->message,
                                                  &so->certificate,
                                                  so->identity->certificate);

        if (so->recipient != NULL) {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


/* what is logged of the request is about that one then */

static void
ngx_http_scep_recipient_follow(ngx_http_scep_operation_t *so,
    ngx_pki_authority_t *next)
{
    ngx_http_request_t  *r;
    ngx_http_pki_ctx_t  *ctx;

    so->authority = next;
    so->op->authority = next->name;

    r = ngx_http_pki_op_request(so->op);
    ctx = (r != NULL) ? ngx_http_pki_get_ctx(r) : NULL;

    if (ctx != NULL) {
        ctx->authority = next->name;
    }
}


/* takes a reference, and the certificate to pieces */

static ngx_int_t
ngx_http_scep_recipient_take(ngx_http_scep_operation_t *so,
    ngx_pki_recipient_t *identity)
{
    if (identity == so->identity) {
        return NGX_OK;
    }

    if (ngx_scep_cms_certificate(&identity->der, &so->certificate) != NGX_OK) {
        ngx_log_error(NGX_LOG_ALERT, so->op->log, 0,
                      "the authority's own certificate is malformed");
        return NGX_ERROR;
    }

    ngx_pki_recipient_retain(identity);

    if (so->identity != NULL) {
        ngx_pki_recipient_release(so->identity);
    }

    so->identity = identity;

    return NGX_OK;
}
