
/*
 * Copyright (C) the ngx_pki authors
 *
 * What anybody may know of an authority: GetCACaps, GetCACert, GetNextCACert
 * (RFC 8894, 3.5, 4.2, 4.7).
 */


#ifndef _NGX_HTTP_SCEP_CA_H_INCLUDED_
#define _NGX_HTTP_SCEP_CA_H_INCLUDED_


#include "ngx_http_scep_module.h"


/* The handlers of these operations; the authority of the location is ready. */
ngx_int_t ngx_http_scep_get_ca_caps(ngx_http_request_t *r);
ngx_int_t ngx_http_scep_get_ca_cert(ngx_http_request_t *r);
ngx_int_t ngx_http_scep_get_next_ca_cert(ngx_http_request_t *r);

/*
 * A location's authority that is about to be followed by another one, at
 * configuration time.  NULL: out of memory.
 */
ngx_http_scep_next_t *ngx_http_scep_next_add(ngx_conf_t *cf,
    ngx_pki_authority_t *a);

/* Whether GetNextCACert can be answered now; "next" may be NULL. */
ngx_uint_t ngx_http_scep_next_ready(ngx_http_scep_next_t *next);

/*
 * The certificates that an authority offers: that of its RA, if there is one,
 * its own, its chain (of ngx_str_t, in "pool").  NULL: out of memory.
 */
ngx_array_t *ngx_http_scep_ca_certificates(ngx_pool_t *pool,
    ngx_pki_authority_t *a);

/* Whether "format=pem" is asked for: NGX_OK and "pem"; NGX_DECLINED: there is
 * no such format. */
ngx_int_t ngx_http_scep_ca_format(ngx_http_request_t *r, ngx_uint_t *pem);

/* Answers with these certificates as PEM. */
ngx_int_t ngx_http_scep_ca_send_pem(ngx_http_request_t *r,
    ngx_array_t *certificates);

/* Answers; caches have to ask again whether it is still so. */
ngx_int_t ngx_http_scep_ca_send(ngx_http_request_t *r, ngx_str_t *type,
    ngx_str_t *body);


#endif /* _NGX_HTTP_SCEP_CA_H_INCLUDED_ */
