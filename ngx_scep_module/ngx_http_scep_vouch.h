
/*
 * Copyright (C) the ngx_pki authors
 *
 * Vouchers: whoever must be asked whether a challenge is good.  Secrets of
 * files come first and ask nobody; then Redis, then others, one after the
 * other, until one accepts.
 */


#ifndef _NGX_HTTP_SCEP_VOUCH_H_INCLUDED_
#define _NGX_HTTP_SCEP_VOUCH_H_INCLUDED_


#include "ngx_http_scep_operation.h"


typedef enum {
    NGX_HTTP_SCEP_VOUCH_ACCEPTED = 0,
    NGX_HTTP_SCEP_VOUCH_REFUSED,
    NGX_HTTP_SCEP_VOUCH_UNAVAILABLE          /* it does not know */
} ngx_http_scep_vouch_result_e;


struct ngx_http_scep_voucher_s {
    ngx_str_t                  name;         /* in "scep_challenge" */

    /* the directive: makes *conf.  enable: of a location with "scep", when all
     * is read; NULL: nothing to do */
    char                    *(*set)(ngx_conf_t *cf, void **conf);
    char                    *(*enable)(ngx_conf_t *cf,
                                       ngx_http_scep_loc_conf_t *slcf,
                                       void *conf);

    /* asks about so->csr and ends with ngx_http_scep_vouched() */
    void                     (*ask)(ngx_http_scep_operation_t *so,
                                    void *conf);

    /* the certificate is recorded, the client has not got it yet: ends with
     * ngx_http_scep_deliver() or _withdraw().  NULL: nothing to do */
    void                     (*issued)(ngx_http_scep_operation_t *so,
                                       void *conf);

    /* nothing was issued though it had accepted; goes on by itself, with what
     * it copies from so.  NULL: nothing to do */
    void                     (*failed)(ngx_http_scep_operation_t *so,
                                       void *conf);
};


/* by NGX_SCEP_VOUCHER_* */
extern ngx_http_scep_voucher_t  ngx_http_scep_one_time;
extern ngx_http_scep_voucher_t  ngx_http_scep_webhook;
extern ngx_http_scep_voucher_t  ngx_http_scep_intune;


ngx_http_scep_voucher_t *ngx_http_scep_voucher(ngx_uint_t i);

/*
 * Whose request it is, for logs: so->subject, so->device and the variables.  It
 * has been proven whole, and says nothing of what will be issued.
 */
void ngx_http_scep_vouch_name(ngx_http_scep_operation_t *so);

/* Asks them all; then issues, or ends with a FAILURE. */
void ngx_http_scep_vouch(ngx_http_scep_operation_t *so);

/*
 * The answer of the one that was asked.  "code" is its own word, of letters and
 * digits, for the access log, in the pool of so; "text" is one line for the
 * error log without a secret.  Either may be empty.
 */
void ngx_http_scep_vouched(ngx_http_scep_operation_t *so,
    ngx_http_scep_vouch_result_e result, ngx_str_t *code, ngx_str_t *text);

/* After a certificate was issued, or found again; and after it was not. */
void ngx_http_scep_vouch_issued(ngx_http_scep_operation_t *so);
void ngx_http_scep_vouch_failed(ngx_http_scep_operation_t *so);

/* The one that was asked has answered: counts the time. */
void ngx_http_scep_vouch_end(ngx_http_scep_operation_t *so);

/* The client may have it. */
void ngx_http_scep_deliver(ngx_http_scep_operation_t *so);

/* The client may not have it, as whoever vouched for it says; logged. */
void ngx_http_scep_withdraw(ngx_http_scep_operation_t *so,
    ngx_http_scep_vouch_result_e result, ngx_str_t *code);


#endif /* _NGX_HTTP_SCEP_VOUCH_H_INCLUDED_ */
