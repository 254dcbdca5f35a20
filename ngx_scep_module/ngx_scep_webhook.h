
/*
 * Copyright (C) the ngx_pki authors
 *
 * The question to a webhook whether a request may be issued, and its answer:
 * the JSON of step-ca's SCEPCHALLENGE webhooks.
 */


#ifndef _NGX_SCEP_WEBHOOK_H_INCLUDED_
#define _NGX_SCEP_WEBHOOK_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_csr.h"


#define NGX_SCEP_WEBHOOK_MAX_ANSWER     65536
#define NGX_SCEP_WEBHOOK_MAX_CODE       64
#define NGX_SCEP_WEBHOOK_SIGNATURE_LEN  64   /* HMAC-SHA256 in hex */


typedef struct {
    ngx_uint_t                 allow;
    ngx_str_t                  code;         /* letters, digits, "-_."; may be
                                              * empty */
} ngx_scep_webhook_answer_t;


/*
 * The body of the question, with the challenge in it: the caller cleanses it.
 * "name" is who asks.  Pure.  NGX_DECLINED: no certificate can have such a
 * subject.  NGX_ERROR: out of memory.
 */
ngx_int_t ngx_scep_webhook_encode(ngx_pool_t *pool, time_t now,
    ngx_str_t *name, ngx_str_t *transaction, ngx_pki_csr_t *csr,
    ngx_str_t *body);

/*
 * Signs it: prints NGX_SCEP_WEBHOOK_SIGNATURE_LEN octets.  NGX_ERROR: OpenSSL
 * failed.
 */
ngx_int_t ngx_scep_webhook_sign(ngx_str_t *secret, ngx_str_t *body,
    u_char *signature);

/*
 * Takes an answer apart: only "allow": true allows.  Pure.  NULL, or what is
 * wrong with it (static memory).
 */
const char *ngx_scep_webhook_decode(ngx_pool_t *pool, ngx_str_t *text,
    ngx_scep_webhook_answer_t *answer);


#endif /* _NGX_SCEP_WEBHOOK_H_INCLUDED_ */
