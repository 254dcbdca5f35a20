
/*
 * Copyright (C) the ngx_pki authors
 *
 * PreferredSignatureAlgorithms, RFC 6960, 4.4.7.
 */


#ifndef _NGX_OCSP_PREFERRED_H_INCLUDED_
#define _NGX_OCSP_PREFERRED_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_der.h"
#include "ngx_ocsp_responder.h"


typedef struct {
    ngx_str_t                  signature;    /* OID, content */
    ngx_str_t                  curve;        /* OID, content; empty: any */
} ngx_ocsp_preferred_t;


/*
 * Reads the next PreferredSignatureAlgorithm of the list; pure.  NGX_DONE: the
 * list is at its end, NGX_ERROR: it is malformed.
 */
ngx_int_t ngx_ocsp_preferred_next(ngx_pki_der_t *list,
    ngx_ocsp_preferred_t *preferred);

/* Whether signatures of this responder are of that kind. */
ngx_uint_t ngx_ocsp_preferred_fits(ngx_ocsp_preferred_t *preferred,
    ngx_ocsp_responder_t *responder);


#endif /* _NGX_OCSP_PREFERRED_H_INCLUDED_ */
