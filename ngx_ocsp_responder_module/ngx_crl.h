
/*
 * Copyright (C) the ngx_pki authors
 *
 * TBSCertList, RFC 5280, 5.1.
 */


#ifndef _NGX_CRL_H_INCLUDED_
#define _NGX_CRL_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_record.h"


typedef struct {
    ngx_str_t                 *algorithm;    /* AlgorithmIdentifier, whole */
    ngx_str_t                 *issuer;       /* Name, whole */
    ngx_str_t                 *aki;          /* Extension, whole */
    uint64_t                   number;
    time_t                     this_update;
    time_t                     next_update;

    /* of ngx_pki_record_t: serial, revoked_at, reason */
    ngx_array_t               *revoked;
} ngx_crl_t;


/*
 * Encodes what is to be signed: a complete CRL, version 2.  NGX_DECLINED: a
 * serial number is none; NGX_ERROR: out of memory.
 */
ngx_int_t ngx_crl_encode(ngx_pool_t *pool, ngx_crl_t *crl, ngx_str_t *tbs);


#endif /* _NGX_CRL_H_INCLUDED_ */
