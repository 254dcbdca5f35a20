
/*
 * Copyright (C) the ngx_pki authors
 *
 * The decoder of a pkiMessage, RFC 8894, 3.  Pure: octets and a pool in, a
 * structure of slices out; no cryptography, no request.
 */


#ifndef _NGX_SCEP_MESSAGE_H_INCLUDED_
#define _NGX_SCEP_MESSAGE_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_scep_cms.h"


#define NGX_SCEP_MAX_MESSAGE       65536
#define NGX_SCEP_MAX_CERTIFICATES  10
#define NGX_SCEP_MAX_RECIPIENTS    5
#define NGX_SCEP_MAX_TRANSACTION   128
#define NGX_SCEP_MAX_NONCE         64


/* messageType, RFC 8894, 3.2.1.2 */

typedef enum {
    NGX_SCEP_UNKNOWN = 0,
    NGX_SCEP_RENEWAL_REQ = 17,
    NGX_SCEP_PKCS_REQ = 19,
    NGX_SCEP_CERT_POLL = 20,
    NGX_SCEP_GET_CERT = 21,
    NGX_SCEP_GET_CRL = 22
} ngx_scep_type_e;


/* failInfo, RFC 8894, 3.2.1.4 */

typedef enum {
    NGX_SCEP_BAD_ALG = 0,
    NGX_SCEP_BAD_MESSAGE_CHECK,
    NGX_SCEP_BAD_REQUEST,
    NGX_SCEP_BAD_TIME,
    NGX_SCEP_BAD_CERT_ID
} ngx_scep_fail_info_e;


/* a KeyTransRecipientInfo */

typedef struct {
    ngx_scep_id_t              id;
    ngx_str_t                  hash;         /* OID, OAEP; empty: PKCS#1 v1.5 */
    ngx_str_t                  mgf1;         /* OID, of MGF1's hash */
    ngx_str_t                  encrypted_key;
} ngx_scep_recipient_t;


typedef struct {
    /* what is known even if the rest is refused; empty: not known */
    ngx_str_t                  transaction;  /* PrintableString octets only */
    ngx_str_t                  nonce;        /* senderNonce */
    ngx_scep_type_e            type;

    ngx_str_t                  content;      /* eContent: what is digested */
    ngx_str_t                  attributes;   /* signedAttrs, whole, tag [0] */
    ngx_str_t                  digest;       /* the attribute messageDigest */
    ngx_str_t                  digest_oid;
    ngx_str_t                  signature_oid;
    ngx_str_t                  signature_params;  /* whole, or empty */
    ngx_str_t                  signature;
    ngx_scep_id_t              sid;
    ngx_scep_certificate_t     signer;
    ngx_str_t                  signer_der;   /* its certificate, whole */

    ngx_scep_recipient_t       recipients[NGX_SCEP_MAX_RECIPIENTS];
    ngx_uint_t                 nrecipients;
    ngx_str_t                  cipher_oid;
    ngx_str_t                  iv;
    ngx_str_t                  encrypted;

    /* why it is refused: for the log, and for the client */
    const char                *error;
    ngx_scep_fail_info_e       fail_info;
} ngx_scep_message_t;


/*
 * Decodes BER of at most NGX_SCEP_MAX_MESSAGE octets; slices lie in "pool".
 * NGX_DECLINED: message->error and fail_info say why; if message->transaction
 * is known, the answer can be a CertRep.  NGX_ERROR: out of memory.
 */
ngx_int_t ngx_scep_message_decode(ngx_pool_t *pool, ngx_str_t *body,
    ngx_scep_message_t *message);

/*
 * Decodes message->content: the EnvelopedData; called by the above.
 * NGX_DECLINED and NGX_ERROR as there.
 */
ngx_int_t ngx_scep_message_envelope(ngx_pool_t *pool,
    ngx_scep_message_t *message);

/* Notes why the message is refused, unless that is known; NGX_DECLINED. */
ngx_int_t ngx_scep_message_refuse(ngx_scep_message_t *message,
    ngx_scep_fail_info_e fail_info, const char *error);


#endif /* _NGX_SCEP_MESSAGE_H_INCLUDED_ */
