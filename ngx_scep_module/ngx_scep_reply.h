
/*
 * Copyright (C) the ngx_pki authors
 *
 * The answer: CertRep, RFC 8894, 3.3.2.  Made in two steps, as the signature
 * comes from a key that may be elsewhere.
 */


#ifndef _NGX_SCEP_REPLY_H_INCLUDED_
#define _NGX_SCEP_REPLY_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_scep_message.h"
#include "ngx_scep_verify.h"


/* pkiStatus, RFC 8894, 3.2.1.3 */

typedef enum {
    NGX_SCEP_SUCCESS = 0,
    NGX_SCEP_FAILURE = 2,
    NGX_SCEP_PENDING = 3
} ngx_scep_status_e;


typedef struct {
    ngx_scep_message_t        *request;
    ngx_scep_status_e          status;
    ngx_scep_fail_info_e       fail_info;    /* of a failure */
    ngx_str_t                  envelope;     /* of a success: a ContentInfo */

    ngx_scep_digest_e          digest;
    EVP_MD                    *md;           /* of it */

    /* who signs */
    ngx_scep_certificate_t    *signer;
    ngx_str_t                 *certificate;  /* DER */

    ngx_str_t                  attributes;   /* SET OF, as it is signed */
} ngx_scep_reply_t;


/*
 * Fills reply->attributes from what is set above it, and hashes them to "out"
 * (EVP_MAX_MD_SIZE octets): "digest" is to be signed.  NGX_ERROR: out of
 * memory, or OpenSSL failed.
 */
ngx_int_t ngx_scep_reply_prepare(ngx_pool_t *pool, ngx_scep_reply_t *reply,
    u_char *out, ngx_str_t *digest);

/* Puts the signature in: the whole CertRep.  NGX_ERROR: out of memory. */
ngx_int_t ngx_scep_reply_finish(ngx_pool_t *pool, ngx_scep_reply_t *reply,
    ngx_str_t *signature, ngx_str_t *out);


#endif /* _NGX_SCEP_REPLY_H_INCLUDED_ */
