
/*
 * Copyright (C) the ngx_pki authors
 *
 * Whom a location believes who asks: whoever has a certificate of one of its
 * authorities, or one whose chain ends in a certificate of a file.
 */


#ifndef _NGX_OCSP_TRUST_H_INCLUDED_
#define _NGX_OCSP_TRUST_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_authority.h"


/* in the cycle's pool */

typedef struct {
    ngx_array_t               *authorities;  /* of ngx_pki_authority_t * */
    STACK_OF(X509)            *certificates; /* of the file; NULL: none */
} ngx_ocsp_trust_t;


/*
 * Configuration time: reads trust->certificates, PEM, which cf->pool then
 * owns.  NGX_ERROR: logged.
 */
ngx_int_t ngx_ocsp_trust_load(ngx_conf_t *cf, ngx_ocsp_trust_t *trust,
    ngx_str_t *file);

/*
 * All certificates that are trusted now, to be freed by sk_X509_free().
 * NULL: out of memory.
 */
STACK_OF(X509) *ngx_ocsp_trust_gather(ngx_ocsp_trust_t *trust);

/* The authority whose certificate this is; NULL: none of these. */
ngx_pki_authority_t *ngx_ocsp_trust_authority(ngx_ocsp_trust_t *trust,
    X509 *certificate);

/* Whether there is an authority whose certificate is not known yet. */
ngx_uint_t ngx_ocsp_trust_is_immature(ngx_ocsp_trust_t *trust);


#endif /* _NGX_OCSP_TRUST_H_INCLUDED_ */
