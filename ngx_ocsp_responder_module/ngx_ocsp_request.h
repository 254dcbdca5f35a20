
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
} ngx_ocsp_cert_id_t;


typedef struct {
    ngx_array_t                ids;          /* of ngx_ocsp_cert_id_t */

    /* content of the nonce's extnValue, to be echoed; empty: none */
    ngx_str_t                  nonce;

    const char                *error;        /* why decoding failed */
} ngx_ocsp_request_t;


/*
 * Decodes strict DER; pure.  Strings point into "der".  NGX_DECLINED: it is
 * malformed, request->error says why; NGX_ERROR: out of memory.  A signature
 * and the requestor's name are ignored; more than "max" CertIDs are refused.
 */
ngx_int_t ngx_ocsp_request_decode(ngx_pool_t *pool, ngx_str_t *der,
    ngx_uint_t max, ngx_ocsp_request_t *request);


#endif /* _NGX_OCSP_REQUEST_H_INCLUDED_ */
