
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
#include "ngx_pki_turn.h"
#include "ngx_scep_reply.h"


typedef struct ngx_http_scep_operation_s  ngx_http_scep_operation_t;
typedef struct ngx_http_scep_voucher_s    ngx_http_scep_voucher_t;

typedef void (*ngx_http_scep_lookup_pt)(ngx_http_scep_operation_t *so,
    ngx_int_t rc);


/* lies in the pool of its operation */

struct ngx_http_scep_operation_s {
    ngx_pki_op_t               *op;
    ngx_http_scep_main_conf_t  *smcf;
    ngx_http_scep_loc_conf_t   *slcf;

    /* that of the location, or the one that follows it (RFC 8894, 4.7), if
     * the envelope is for that */
    ngx_pki_authority_t        *authority;

    /* the request's own, there as long as the client is */
    ngx_str_t                   body;
    ngx_pki_turn_t              turn;

    ngx_scep_message_t          message;
    ngx_scep_signer_t           signer;

    /* who opens the envelope and signs the answer; a reference */
    ngx_pki_recipient_t        *identity;
    ngx_scep_certificate_t      certificate;
    ngx_scep_recipient_t       *recipient;
    ngx_scep_digest_e           oaep;        /* NGX_SCEP_DIGESTS: PKCS#1 */
    ngx_scep_digest_e           mgf1;        /* of OAEP */
    ngx_scep_cipher_e           cipher;

    ngx_int_t                   opened;      /* NGX_OK: the envelope is */
    ngx_str_t                   plaintext;   /* of it: a secret */
    ngx_pki_csr_t               csr;
    unsigned                    proven:1;    /* its signature was looked at */
    unsigned                    renewal:1;   /* its signer vouches for it */
    unsigned                    ask:1;       /* somebody else has to */
    unsigned                    vouched:1;   /* and does */
    unsigned                    doubtful:1;  /* one of them could not say */
    ngx_uint_t                  voucher;     /* NGX_SCEP_VOUCHER_*: asked */
    ngx_msec_t                  asked_at;    /* 0: nobody is being asked */
    ngx_msec_t                  asked;       /* for so long, all of them */

    /* of the request, for logs */
    ngx_str_t                   subject;
    ngx_str_t                   device;
    ngx_pki_issue_pt            find_handler;  /* meanwhile */
    ngx_pki_store_job_t         store;       /* who signs, what is asked */
    ngx_pki_issue_t             issue;

    /* a certificate that is looked up: whose it says it is, its serial number
     * as hex, among whose it is looked for */
    ngx_str_t                   lookup_issuer;
    ngx_str_t                   lookup_serial;
    ngx_pki_authority_t        *lookup_authority;
    ngx_http_scep_lookup_pt     lookup_handler;
    ngx_http_scep_lookup_pt     signer_handler;

    /* of GetCRL and GetCert: which certificate it is about, and of which
     * authority; of GetCRL: the CRL, who waits for it; of GetCert: whether a
     * certificate of this authority, or of the one before it, asks */
    ngx_pki_serial_t            serial;
    ngx_pki_authority_t        *issuer;
    ngx_pki_crl_waiter_t        waiter;
    ngx_pki_crl_copy_t         *crl;         /* until it is in the answer */
    unsigned                    named:1;     /* it is about one of theirs */
    unsigned                    member:1;
    ngx_http_cleanup_t         *cln;         /* of the request, meanwhile */
    ngx_pki_op_pt               expire;      /* of the operation, before */

    ngx_scep_reply_t            reply;
    ngx_pki_key_job_t           job;
    u_char                      digest[EVP_MAX_MD_SIZE];
};


/*
 * find: so->identity and so->recipient are set, and so->authority to whom the
 * request goes: NGX_OK; NGX_DECLINED: it is for nobody here, so->message says
 * so; NGX_ERROR.  offered: so->identity is whom GetCACert offers.
 */
ngx_int_t ngx_http_scep_recipient_find(ngx_http_scep_operation_t *so);
ngx_int_t ngx_http_scep_recipient_offered(ngx_http_scep_operation_t *so);

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

/* The same with a GetCert, and with a CertPoll. */
void ngx_http_scep_cert(ngx_http_scep_operation_t *so, ngx_int_t rc);
void ngx_http_scep_poll(ngx_http_scep_operation_t *so, ngx_int_t rc);

/*
 * Whose certificate it would be that names this issuer (Name, octets):
 * so->authority, or the one before it; NULL: of neither.  Nothing is looked
 * up.  The second one: by the signer of the message.
 */
ngx_pki_authority_t *ngx_http_scep_lookup_issuer(
    ngx_http_scep_operation_t *so, ngx_str_t *issuer);
ngx_pki_authority_t *ngx_http_scep_renewal_issuer(
    ngx_http_scep_operation_t *so);

/*
 * Looks for a certificate by its issuer and serial number, which are kept,
 * among those of so->authority and of the one before it.  Ends with the
 * handler: NGX_OK and so->store.record; NGX_DECLINED: neither has issued it;
 * NGX_ERROR: it cannot be looked up now, logged.
 */
void ngx_http_scep_lookup(ngx_http_scep_operation_t *so, ngx_str_t *issuer,
    ngx_pki_serial_t *serial, ngx_http_scep_lookup_pt handler);

/*
 * The same with the certificate that signs the message, which must be the
 * recorded one octet by octet: that proves who signs, for a name and a serial
 * number are anybody's.
 */
void ngx_http_scep_lookup_signer(ngx_http_scep_operation_t *so,
    ngx_http_scep_lookup_pt handler);

/*
 * Goes on with a request that its signer's certificate vouches for, up to its
 * end: it is issued if that is good.
 */
void ngx_http_scep_renewal(ngx_http_scep_operation_t *so);

/*
 * Issues so->csr, with so->issue.renewed if that is set, up to the end; if
 * so->ask is set somebody must vouch for it first, unless it is a retry.
 */
void ngx_http_scep_operation_issue(ngx_http_scep_operation_t *so);

/* Keeps so->csr for a decision, up to the end: PENDING, or FAILURE. */
void ngx_http_scep_pend(ngx_http_scep_operation_t *so);

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

/*
 * The two ways of that: the envelope for the key of the signer, or for a
 * password, which has derived its key; the challenge as that password, if the
 * signer has no RSA key.
 */
void ngx_http_scep_reply_seal(ngx_http_scep_operation_t *so,
    ngx_str_t *content, ngx_scep_password_t *password);
void ngx_http_scep_password(ngx_http_scep_operation_t *so,
    ngx_str_t *content);

/* With PENDING. */
void ngx_http_scep_reply_pending(ngx_http_scep_operation_t *so);

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
