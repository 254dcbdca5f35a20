
/*
 * Copyright (C) the ngx_pki authors
 *
 * OCSP responses, CRLs and certificates of authorities over HTTP.
 */


#ifndef _NGX_HTTP_OCSP_RESPONDER_MODULE_H_INCLUDED_
#define _NGX_HTTP_OCSP_RESPONDER_MODULE_H_INCLUDED_


#include "ngx_http_pki_module.h"
#include "ngx_ocsp_answer.h"
#include "ngx_ocsp_trust.h"
#include "ngx_crl_builder.h"
#include "ngx_pki_crl_cache.h"


#define NGX_HTTP_PKI_CERTIFICATE_DER  0
#define NGX_HTTP_PKI_CERTIFICATE_PEM  1
#define NGX_HTTP_PKI_CERTIFICATE_P7C  2


/* the CRLs of an authority, for all its locations */

typedef struct {
    ngx_crl_builder_t          builder;
    ngx_pki_crl_cache_t       *cache;
    unsigned                   shard:1;      /* a location serves them */
    unsigned                   delta:1;
} ngx_http_crl_t;


typedef struct {
    ngx_array_t                signers;      /* of ngx_ocsp_signer_t * */
    ngx_array_t                crls;         /* of ngx_http_crl_t * */
} ngx_http_ocsp_main_conf_t;


typedef struct {
    /* "ocsp_responder": NULL if it is not here */
    ngx_array_t               *authorities;  /* of ngx_str_t, names */
    ngx_array_t               *signers;      /* of ngx_ocsp_signer_t * */
    ngx_ocsp_signer_spec_t     signer;
    ngx_ocsp_policy_t          policy;
    ngx_ocsp_trust_t           trust;        /* of signed requests */
    ngx_flag_t                 error_status;
    ngx_int_t                  max_requests;

    /* "crl": empty if it is not here */
    ngx_str_t                  crl_authority;
    ngx_http_crl_t            *crl;
    ngx_uint_t                 crl_list;     /* NGX_PKI_CRL_FULL, ... */
    ngx_http_complex_value_t  *crl_shard;    /* NULL: crl_list is constant */
    ngx_uint_t                 crl_pem;
    ngx_crl_builder_spec_t     crl_spec;

    /* "pki_certificate": empty if it is not here */
    ngx_str_t                  certificate_authority;
    ngx_pki_authority_t       *certificate;
    ngx_uint_t                 certificate_format;
    ngx_uint_t                 certificate_chain;
} ngx_http_ocsp_loc_conf_t;


/* The content handlers of locations with "ocsp_responder", "crl" and
 * "pki_certificate". */
ngx_int_t ngx_http_ocsp_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_crl_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_pki_certificate_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_OCSP_RESPONDER_MODULE_H_INCLUDED_ */
