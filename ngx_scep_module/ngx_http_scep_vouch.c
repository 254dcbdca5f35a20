
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_http_scep_vouch.h"
#include "ngx_pki_name.h"


#define NGX_HTTP_SCEP_VOUCH_MAX_SUBJECT  256  /* in a line of the error log */


static ngx_int_t ngx_http_scep_vouch_subject(ngx_http_scep_operation_t *so);
static ngx_pki_device_rule_e ngx_http_scep_vouch_rule(
    ngx_http_scep_operation_t *so);
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
ngx_http_scep_vouch_name(ngx_http_scep_operation_t *so)
{
    ngx_str_t            user;
    ngx_http_request_t  *r;
    ngx_http_pki_ctx_t  *ctx;

    if (ngx_http_scep_vouch_subject(so) != NGX_OK) {
        ngx_str_null(&so->subject);
    }

    if (ngx_pki_device_find(so->op->pool, ngx_http_scep_vouch_rule(so),
                            &so->csr, NULL, &so->device, &user)
        != NGX_OK)
    {
        ngx_str_null(&so->device);
    }

    r = ngx_http_pki_op_request(so->op);
    ctx = (r != NULL) ? ngx_http_pki_get_ctx(r) : NULL;

    if (ctx != NULL) {
        ngx_http_pki_set(r, &ctx->subject, &so->subject);
        ngx_http_pki_set(r, &ctx->device, &so->device);
    }
}


static ngx_int_t
ngx_http_scep_vouch_subject(ngx_http_scep_operation_t *so)
{
    const char   *error;
    ngx_array_t   attributes;

    if (ngx_pki_name_decode(so->op->pool, &so->csr.subject, &attributes,
                            &error)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_pki_name_text(so->op->pool, &attributes, &so->subject);
}


/* what Intune ordered has its names, whoever vouches for it here */

static ngx_pki_device_rule_e
ngx_http_scep_vouch_rule(ngx_http_scep_operation_t *so)
{
    ngx_scep_challenge_t  *challenge;

    challenge = so->slcf->challenge;

    return (challenge->vouchers[NGX_SCEP_VOUCHER_INTUNE] != NULL)
           ? NGX_PKI_DEVICE_INTUNE : so->slcf->device_rule;
}


void
ngx_http_scep_vouch(ngx_http_scep_operation_t *so)
{
    /* a renewal is vouched for by its signer, but Intune may have ordered it */

    so->voucher = so->renewal ? NGX_SCEP_VOUCHER_INTUNE : 0;
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

    so->asked_at = ngx_pki_op_clock();

    ngx_http_scep_vouchers[so->voucher]->ask(so, conf[so->voucher]);
}


void
ngx_http_scep_vouched(ngx_http_scep_operation_t *so,
    ngx_http_scep_vouch_result_e result, ngx_str_t *code, ngx_str_t *text)
{
    ngx_http_scep_vouch_end(so);
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
            so->asked_at = ngx_pki_op_clock();

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


void
ngx_http_scep_withdraw(ngx_http_scep_operation_t *so,
    ngx_http_scep_vouch_result_e result, ngx_str_t *code)
{
    ngx_http_scep_vouch_end(so);

    ngx_http_scep_vouch_set(so, (result == NGX_HTTP_SCEP_VOUCH_REFUSED)
                                ? NGX_SCEP_CHALLENGE_WRONG
                                : NGX_SCEP_CHALLENGE_UNAVAILABLE, code);

    ngx_http_scep_reply_failure(so, NGX_SCEP_BAD_REQUEST);
}


/* one line: who says no, why, to whom; transaction and client follow */

static void
ngx_http_scep_vouch_log(ngx_http_scep_operation_t *so,
    ngx_http_scep_vouch_result_e result, ngx_str_t *code, ngx_str_t *text)
{
    ngx_str_t    who;
    ngx_uint_t   level;
    const char  *what, *kind;

    if (result == NGX_HTTP_SCEP_VOUCH_ACCEPTED) {
        return;
    }

    if (result == NGX_HTTP_SCEP_VOUCH_REFUSED) {
        level = NGX_LOG_INFO;
        what = "refuses the request";

    } else {
        level = NGX_LOG_ERR;
        what = "cannot be asked about the request";
    }

    kind = (so->device.len != 0) ? "device" : "subject";
    who = (so->device.len != 0) ? so->device : so->subject;

    /* in whole characters of UTF-8 */

    if (who.len > NGX_HTTP_SCEP_VOUCH_MAX_SUBJECT) {
        who.len = NGX_HTTP_SCEP_VOUCH_MAX_SUBJECT;

        while (who.len != 0 && (who.data[who.len] & 0xc0) == 0x80) {
            who.len--;
        }
    }

    ngx_log_error(level, so->op->log, 0, "%V %s%s%V%s%V, %s \"%V\"",
                  &ngx_http_scep_vouchers[so->voucher]->name, what,
                  code->len != 0 ? ": " : "", code,
                  text->len != 0 ? ": " : "", text, kind, &who);
}


void
ngx_http_scep_vouch_end(ngx_http_scep_operation_t *so)
{
    ngx_http_request_t  *r;
    ngx_http_pki_ctx_t  *ctx;

    if (so->asked_at == 0) {
        return;
    }

    so->asked += ngx_pki_op_clock() - so->asked_at;
    so->asked_at = 0;

    r = ngx_http_pki_op_request(so->op);
    ctx = (r != NULL) ? ngx_http_pki_get_ctx(r) : NULL;

    if (ctx != NULL) {
        ngx_http_pki_set_time(r, &ctx->scep_challenge_time, so->asked);
    }
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
