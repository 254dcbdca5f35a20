
/*
 * Copyright (C) the ngx_pki authors
 *
 * What the answers of the REST interfaces look like.
 */


#ifndef _NGX_HTTP_REST_H_INCLUDED_
#define _NGX_HTTP_REST_H_INCLUDED_


#include "ngx_http_pki_module.h"
#include "ngx_pki_json.h"


#define NGX_HTTP_REST_RETRY_AFTER  5


extern ngx_str_t  ngx_http_rest_type_json;
extern ngx_str_t  ngx_http_rest_type_pem;
extern ngx_str_t  ngx_http_rest_type_der;


/*
 * The headers that every answer carries, even one that nginx makes itself:
 * to be called first.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_rest_init(ngx_http_request_t *r);

/* The first header of the request with this lower-case name; NULL: none. */
ngx_str_t *ngx_http_rest_header(ngx_http_request_t *r, const char *name);

/* Whether a page of another site makes the browser send this request. */
ngx_uint_t ngx_http_rest_cross_site(ngx_http_request_t *r);

/*
 * Answers; each returns what to finalize the request with.  "type" is one of
 * the above.  error: {"error":{"code","message"}}, with Retry-After if the
 * status is 503.  method: 405, with what is allowed.
 */
ngx_int_t ngx_http_rest_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *type, ngx_str_t *body);
ngx_int_t ngx_http_rest_json(ngx_http_request_t *r, ngx_uint_t status,
    json_t *value);
ngx_int_t ngx_http_rest_error(ngx_http_request_t *r, ngx_uint_t status,
    const char *code, const char *message);
ngx_int_t ngx_http_rest_method(ngx_http_request_t *r, const char *allow);

/* PEM of a certificate, of a PKCS#10, or of a certificate and those that
 * certify it up to the root; NGX_ERROR: out of memory. */
ngx_int_t ngx_http_rest_pem(ngx_pool_t *pool, ngx_str_t *der, ngx_str_t *pem);
ngx_int_t ngx_http_rest_pem_csr(ngx_pool_t *pool, ngx_str_t *der,
    ngx_str_t *pem);
ngx_int_t ngx_http_rest_chain(ngx_pool_t *pool, ngx_str_t *der,
    ngx_pki_authority_t *authority, ngx_str_t *pem);


#endif /* _NGX_HTTP_REST_H_INCLUDED_ */
