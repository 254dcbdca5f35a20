
/*
 * Copyright (C) the ngx_pki authors
 *
 * How a key and its certificate become whoever signs answers.
 */


#ifndef _NGX_OCSP_CERTIFY_H_INCLUDED_
#define _NGX_OCSP_CERTIFY_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_authority.h"
#include "ngx_ocsp_responder.h"


/* An empty responder in a pool of its own, held once; NULL: no memory. */
ngx_ocsp_responder_t *ngx_ocsp_certify_create(ngx_log_t *log);

/*
 * Fills in all that follows from its certificate, x509 and DER, which answers
 * carry, and from "key", in memory that outlives the responder.  Its times are
 * the caller's.  NGX_ERROR: out of memory, or no algorithm goes with the key.
 */
ngx_int_t ngx_ocsp_certify(ngx_ocsp_responder_t *responder,
    ngx_pki_key_t *key, X509 *x509, ngx_str_t *der);

/*
 * The authority, whose certificate is known, for a responder: answers carry no
 * certificate (RFC 6960, 4.2.2.2).  NULL: out of memory.
 */
ngx_ocsp_responder_t *ngx_ocsp_certify_authority(ngx_pki_authority_t *a,
    ngx_log_t *log);


#endif /* _NGX_OCSP_CERTIFY_H_INCLUDED_ */
