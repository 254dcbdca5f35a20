
/*
 * Copyright (C) the ngx_pki authors
 *
 * OCSPRequest, RFC 6960, 4.1.
 */


#ifndef _NGX_OCSP_REQUEST_H_INCLUDED_
#define _NGX_OCSP_REQUEST_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_authority.h"


#define NGX_OCSP_NONCE_MAX  128


typedef struct {
    ngx_str_t                  whole;        /* the CertID, to be echoed */
    ngx_uint_t                 hash;         /* NGX_PKI_HASHES: unknown */
    ngx_str_t                  name_hash;
    ngx_str_t                  key_hash;
    ngx_str_t                  serial;       /* INTEGER content octets */
    unsigned                   bare:1;       /* its hash has no parameters */
} ngx_ocsp_cert_id_t;


typedef struct {
    ngx_ocsp_cert_id_t        *ids;
    ngx_uint_t                 n;
    ngx_ocsp_cert_id_t         first;        /* "ids", if there is one only */

    /* content of the nonce's extnValue, to be echoed; empty: none */
    ngx_str_t                  nonce;

    /* PreferredSignatureAlgorithms, the content of its SEQUENCE, well formed */
    ngx_str_t                  preferred;

    ngx_str_t                  tbs;          /* TBSRequest, whole */
    ngx_str_t                  requestor;    /* GeneralName, whole, or empty */
    ngx_str_t                  signature;    /* Signature, whole; empty: no */

    const char                *error;        /* why decoding failed */
} ngx_ocsp_request_t;


/*
 * Decodes strict DER; pure.  Strings point into "der"; nothing is allocated
 * unless there are several CertIDs, more than "max" are refused.  NGX_DECLINED:
 * it is malformed, request->error says why; NGX_ERROR: out of memory.  "req"
 * must stay where it is.
 */
ngx_int_t ngx_ocsp_request_decode(ngx_pool_t *pool, ngx_str_t *der,
    ngx_uint_t max, ngx_ocsp_request_t *request);

/*
 * The same for the most frequent form only, into a zeroed "req".  NGX_DECLINED:
 * it is of another form, or malformed.
 */
ngx_int_t ngx_ocsp_request_decode_plain(ngx_str_t *der,
    ngx_ocsp_request_t *req);


#endif /* _NGX_OCSP_REQUEST_H_INCLUDED_ */
