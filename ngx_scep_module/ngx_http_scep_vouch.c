
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_http_scep_vouch.h"


static void ngx_http_scep_vouch_next(ngx_http_scep_operation_t *so);
static void ngx_http_scep_vouch_refuse(ngx_http_scep_operation_t *so);
static void ngx_http_scep_vouch_again(ngx_pki_issue_t *issue);
static void ngx_http_scep_vouch_log(ngx_http_scep_operation_t *so,
    ngx_http_scep_vouch_result_e result, ngx_str_t *code, ngx_str_t *text);
static void ngx_http_scep_vouch_set(ngx_http_scep_operation_t *so,
    ngx_scep_challenge_result_e result, ngx_str_t *code);


/* in the order in which they are asked: the nearest first */

static ngx_http_scep_voucher_t  *ngx_http_scep_vouchers[] = {
    &ngx_http_scep_one_time,
    &ngx_http_scep_webhook,
    &ngx_http_scep_intune
};


ngx_http_scep_voucher_t *
ngx_http_scep_voucher(ngx_uint_t i)
{
    return ngx_http_scep_vouchers[i];
}


void
ngx_http_scep_vouch(ngx_http_scep_operation_t *so)
{
    so->voucher = 0;
    so->doubtful = 0;

    ngx_pki_op_action(so->op, "asking who vouches for a scep request");

    ngx_http_scep_vouch_next(so);
}


/* from so->voucher on */

static void
ngx_http_scep_vouch_next(ngx_http_scep_operation_t *so)
{
    void  **conf;

    conf = so->slcf->challenge->vouchers;

    while (so->voucher < NGX_SCEP_VOUCHERS && conf[so->voucher] == NULL) {
        so->voucher++;
    }

    if (so->voucher == NGX_SCEP_VOUCHERS) {
        ngx_http_scep_vouch_refuse(so);
        return;
    }

    ngx_http_scep_vouchers[so->voucher]->ask(so, conf[so->voucher]);
}


void
ngx_http_scep_vouched(ngx_http_scep_operation_t *so,
    ngx_http_scep_vouch_result_e result, ngx_str_t *code, ngx_str_t *text)
{
    ngx_http_scep_vouch_log(so, result, code, text);

    switch (result) {

    case NGX_HTTP_SCEP_VOUCH_ACCEPTED:
        ngx_http_scep_vouch_set(so, NGX_SCEP_CHALLENGE_ACCEPTED, code);

        so->vouched = 1;
        so->issue.vouched = ngx_http_scep_vouchers[so->voucher]->name;

        ngx_pki_issue_start(&so->issue);
        return;

    case NGX_HTTP_SCEP_VOUCH_UNAVAILABLE:
        so->doubtful = 1;
        ngx_http_scep_vouch_set(so, NGX_SCEP_CHALLENGE_UNAVAILABLE, code);
        break;

    default: /* NGX_HTTP_SCEP_VOUCH_REFUSED */

        if (!so->doubtful) {
            ngx_http_scep_vouch_set(so, NGX_SCEP_CHALLENGE_WRONG, code);
        }

        break;
    }

    so->voucher++;
    ngx_http_scep_vouch_next(so);
}


/*
 * The same request may have been sent twice at once, and the other one have
 * used the challenge up: then there is a certificate by now.
 */

static void
ngx_http_scep_vouch_refuse(ngx_http_scep_operation_t *so)
{
    so->find_handler = so->issue.handler;
    so->issue.handler = ngx_http_scep_vouch_again;

    ngx_pki_issue_find(&so->issue);
}


static void
ngx_http_scep_vouch_again(ngx_pki_issue_t *issue)
{
    ngx_http_scep_operation_t  *so;

    so = issue->data;
    issue->handler = so->find_handler;

    if (issue->result != NGX_PKI_ISSUE_OK) {
        issue->handler(issue);
        return;
    }

    ngx_http_scep_reply_failure(so, NGX_SCEP_BAD_REQUEST);
}


void
ngx_http_scep_vouch_issued(ngx_http_scep_operation_t *so)
{
    void       **conf;
    ngx_str_t   *withheld;
    ngx_uint_t   i;

    withheld = &so->issue.record.withheld;

    if (withheld->len == 0) {
        ngx_http_scep_deliver(so);
        return;
    }

    conf = so->slcf->challenge->vouchers;

    for (i = 0; i < NGX_SCEP_VOUCHERS; i++) {

        if (conf[i] != NULL
            && ngx_http_scep_vouchers[i]->issued != NULL
            && ngx_scep_str_eq(&ngx_http_scep_vouchers[i]->name, withheld))
        {
            so->voucher = i;
            ngx_http_scep_vouchers[i]->issued(so, conf[i]);
            return;
        }
    }

    ngx_log_error(NGX_LOG_ERR, so->op->log, 0,
                  "the certificate is withheld until \"%V\" is told of it, "
                  "which this location does not ask", withheld);

    ngx_http_scep_reply_failure(so, NGX_SCEP_BAD_REQUEST);
}


void
ngx_http_scep_vouch_failed(ngx_http_scep_operation_t *so)
{
    ngx_http_scep_voucher_t  *voucher;

    if (!so->vouched) {
        return;
    }

    so->vouched = 0;
    voucher = ngx_http_scep_vouchers[so->voucher];

    if (voucher->failed != NULL) {
        voucher->failed(so, so->slcf->challenge->vouchers[so->voucher]);
    }
}


static void
ngx_http_scep_vouch_log(ngx_http_scep_operation_t *so,
    ngx_http_scep_vouch_result_e result, ngx_str_t *code, ngx_str_t *text)
{
    ngx_uint_t   level;
    ngx_str_t   *name;
    const char  *what;

    if (result == NGX_HTTP_SCEP_VOUCH_ACCEPTED) {
        return;
    }

    name = &ngx_http_scep_vouchers[so->voucher]->name;

    if (result == NGX_HTTP_SCEP_VOUCH_REFUSED) {
        level = NGX_LOG_INFO;
        what = "refuses";

    } else {
        level = NGX_LOG_ERR;
        what = "cannot vouch for";
    }

    ngx_log_error(level, so->op->log, 0, "%V %s the request%s%V%s%V", name,
                  what, code->len != 0 ? ": " : "", code,
                  text->len != 0 ? ": " : "", text);
}


static void
ngx_http_scep_vouch_set(ngx_http_scep_operation_t *so,
    ngx_scep_challenge_result_e result, ngx_str_t *code)
{
    ngx_http_request_t  *r;
    ngx_http_pki_ctx_t  *ctx;

    r = ngx_http_pki_op_request(so->op);
    ctx = (r != NULL) ? ngx_http_pki_get_ctx(r) : NULL;

    if (ctx == NULL) {
        return;
    }

    ctx->scep_challenge_result = *ngx_scep_challenge_name(result);
    ctx->scep_challenge_by = ngx_http_scep_vouchers[so->voucher]->name;
    ngx_http_pki_set(r, &ctx->scep_challenge_code, code);
}
