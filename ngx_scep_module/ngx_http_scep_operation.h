
/*
 * Copyright (C) the ngx_pki authors
 *
 * A PKIOperation in work: what its two halves share.
 */


#ifndef _NGX_HTTP_SCEP_OPERATION_H_INCLUDED_
#define _NGX_HTTP_SCEP_OPERATION_H_INCLUDED_


#include "ngx_http_scep_module.h"
#include "ngx_pki_csr.h"
#include "ngx_pki_crl_cache.h"
#include "ngx_pki_issue.h"
#include "ngx_pki_ra.h"
#include "ngx_scep_reply.h"


/* lies in the pool of its operation */

typedef struct {
    ngx_pki_op_t               *op;
    ngx_http_scep_main_conf_t  *smcf;
    ngx_http_scep_loc_conf_t   *slcf;

    ngx_scep_message_t          message;
    ngx_scep_signer_t           signer;

    /* who opens the envelope and signs the answer; a reference */
    ngx_pki_recipient_t        *identity;
    ngx_scep_certificate_t      certificate;
    ngx_scep_recipient_t       *recipient;
    ngx_scep_digest_e           oaep;        /* NGX_SCEP_DIGESTS: PKCS#1 */
    ngx_scep_cipher_e           cipher;

    ngx_str_t                   plaintext;   /* of the envelope: a secret */
    ngx_pki_csr_t               csr;
    unsigned                    proven:1;    /* its signature was looked at */
    ngx_pki_issue_t             issue;

    /* of GetCRL: which certificate it is about, the CRL, who waits for it */
    ngx_pki_serial_t            serial;
    ngx_pki_crl_waiter_t        waiter;
    ngx_http_cleanup_t         *cln;         /* of the request, meanwhile */
    ngx_pki_op_pt               expire;      /* of the operation, before */

    ngx_scep_reply_t            reply;
    ngx_pki_key_job_t           job;
    u_char                      digest[EVP_MAX_MD_SIZE];
} ngx_http_scep_operation_t;


/*
 * Checks what was in the envelope: NGX_OK: it may be issued; NGX_DECLINED and
 * so->message says why not; NGX_ERROR.
 */
ngx_int_t ngx_http_scep_request(ngx_http_scep_operation_t *so);

/* After a refusal that came before the request's signature was looked at. */
void ngx_http_scep_request_equalize(ngx_http_scep_operation_t *so);

/*
 * Goes on with a GetCRL whose envelope was opened, or was not, as "rc" says
 * (NGX_OK, NGX_DECLINED, NGX_ERROR), up to its end.
 */
void ngx_http_scep_crl(ngx_http_scep_operation_t *so, ngx_int_t rc);

/*
 * The ends.  Each answers the client, if it is still there, and destroys the
 * operation, now or when the answer is signed: to be called last.
 */

/* With the certificate of so->issue. */
void ngx_http_scep_reply_success(ngx_http_scep_operation_t *so);

/* The cipher of the envelope of a SUCCESS. */
ngx_scep_cipher_e ngx_http_scep_reply_cipher(ngx_http_scep_operation_t *so);

/* With a SUCCESS that has this ContentInfo in its envelope. */
void ngx_http_scep_reply_content(ngx_http_scep_operation_t *so,
    ngx_str_t *content);

/* With a FAILURE; the reason is logged by the caller. */
void ngx_http_scep_reply_failure(ngx_http_scep_operation_t *so,
    ngx_scep_fail_info_e fail_info);

/* As so->message says: with a FAILURE, or by HTTP if its transaction is not
 * known. */
void ngx_http_scep_reply_refuse(ngx_http_scep_operation_t *so);

/* With 503: something here does not work. */
void ngx_http_scep_reply_error(ngx_http_scep_operation_t *so);

/* With 503; the reason is logged by the caller. */
void ngx_http_scep_reply_unavailable(ngx_http_scep_operation_t *so);


#endif /* _NGX_HTTP_SCEP_OPERATION_H_INCLUDED_ */
