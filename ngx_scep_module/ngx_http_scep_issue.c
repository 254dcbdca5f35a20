
/*
 * Copyright (C) the ngx_pki authors
 *
 * From a request that may be issued to the certificate: is it a retry, who
 * vouches for it, who must be told.
 */


#include "ngx_http_scep_vouch.h"


static void ngx_http_scep_issue_find_handler(ngx_pki_issue_t *issue);
static void ngx_http_scep_issue_handler(ngx_pki_issue_t *issue);
static void ngx_http_scep_issue_success(void *data);
static void ngx_http_scep_issue_set(ngx_http_request_t *r,
    ngx_http_scep_operation_t *so);


static ngx_str_t  ngx_http_scep_source = ngx_string("scep");


void
ngx_http_scep_operation_issue(ngx_http_scep_operation_t *so)
{
    ngx_pki_issue_t  *issue;

    ngx_pki_op_action(so->op, "issuing a certificate by scep");

    issue = &so->issue;

    issue->op = so->op;
    issue->authority = so->authority;
    issue->profile = so->slcf->profile;
    issue->csr = &so->csr;
    issue->source = ngx_http_scep_source;
    issue->requester = so->op->client;
    issue->transaction = so->message.transaction;
    issue->device_rule = so->slcf->device_rule;
    issue->handler = ngx_http_scep_issue_find_handler;
    issue->data = so;

    ngx_pki_issue_find(issue);
}


static void
ngx_http_scep_issue_find_handler(ngx_pki_issue_t *issue)
{
    ngx_http_scep_operation_t  *so;

    so = issue->data;
    issue->handler = ngx_http_scep_issue_handler;

    if (issue->result != NGX_PKI_ISSUE_OK) {
        ngx_http_scep_issue_handler(issue);
        return;
    }

    /* a renewal was approved when its signer's certificate was */

    if (so->slcf->policy.manual && !so->renewal) {
        ngx_http_scep_pend(so);
        return;
    }

    if (so->ask) {
        ngx_http_scep_vouch(so);
        return;
    }

    ngx_pki_issue_start(issue);
}


static void
ngx_http_scep_issue_handler(ngx_pki_issue_t *issue)
{
    ngx_http_request_t         *r;
    ngx_http_scep_operation_t  *so;

    so = issue->data;

    r = ngx_http_pki_op_request(so->op);

    if (r != NULL) {
        ngx_http_scep_issue_set(r, so);
    }

    switch (issue->result) {

    case NGX_PKI_ISSUE_OK:
    case NGX_PKI_ISSUE_EXISTING:
        ngx_http_scep_vouch_issued(so);
        return;

    case NGX_PKI_ISSUE_REFUSED:
        ngx_log_error(NGX_LOG_INFO, so->op->log, 0,
                      "certificate refused: %V", &issue->error);

        ngx_http_scep_vouch_failed(so);
        ngx_http_scep_reply_failure(so, issue->fail_info);
        return;

    default: /* NGX_PKI_ISSUE_UNAVAILABLE: logged where it happened */

        if (!issue->doubtful) {
            ngx_http_scep_vouch_failed(so);
        }

        ngx_http_scep_reply_failure(so, NGX_SCEP_BAD_REQUEST);
        return;
    }
}


void
ngx_http_scep_deliver(ngx_http_scep_operation_t *so)
{
    ngx_http_scep_vouch_end(so);

    ngx_pki_turn_wait(&so->turn, ngx_http_scep_issue_success, so);
}


/* Many answers of Redis come together, and each leads to an envelope. */

static void
ngx_http_scep_issue_success(void *data)
{
    ngx_http_scep_reply_success(data);
}


static void
ngx_http_scep_issue_set(ngx_http_request_t *r,
    ngx_http_scep_operation_t *so)
{
    ngx_pki_issue_t     *issue;
    ngx_http_pki_ctx_t  *ctx;

    ctx = ngx_http_pki_get_ctx(r);

    if (ctx == NULL) {
        return;
    }

    issue = &so->issue;

    ngx_http_pki_set(r, &ctx->profile,
                     ngx_pki_profile_name(so->slcf->profile));
    ngx_http_pki_set_time(r, &ctx->sign_time, issue->sign_time);
    ngx_http_pki_set_time(r, &ctx->store_time, issue->store_time);

    /* what is not issued keeps the names of the request */

    if (issue->record.subject.len != 0) {
        ngx_http_pki_set(r, &ctx->subject, &issue->record.subject);
        ngx_http_pki_set(r, &ctx->device, &issue->record.device);
    }

    if (issue->result == NGX_PKI_ISSUE_OK
        || issue->result == NGX_PKI_ISSUE_EXISTING)
    {
        ngx_http_pki_set(r, &ctx->serial, &issue->record.serial);
    }

    /* nobody was asked: it is not even known whether it is a retry */

    if (so->ask && ctx->scep_challenge_result.len == 0
        && issue->result == NGX_PKI_ISSUE_UNAVAILABLE)
    {
        ctx->scep_challenge_result =
                       *ngx_scep_challenge_name(NGX_SCEP_CHALLENGE_UNAVAILABLE);
    }
}
