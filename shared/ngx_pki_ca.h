
/*
 * Copyright (C) the ngx_pki authors
 *
 * The certificate of an authority itself: made, and taken to pieces.
 */


#ifndef _NGX_PKI_CA_H_INCLUDED_
#define _NGX_PKI_CA_H_INCLUDED_


#include "ngx_pki_authority.h"


/*
 * Makes the self-signed certificate of a->key and writes it to
 * a->certificate_file, unless one is there by then.  NGX_ERROR: logged.
 */
ngx_int_t ngx_pki_ca_create(ngx_conf_t *cf, ngx_pki_authority_t *a);

/* Fills everything in "a" that follows from a->certificate and a->der. */
ngx_int_t ngx_pki_ca_prepare(ngx_pool_t *pool, ngx_pki_authority_t *a);


#endif /* _NGX_PKI_CA_H_INCLUDED_ */
