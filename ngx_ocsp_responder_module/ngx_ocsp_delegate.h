
/*
 * Copyright (C) the ngx_pki authors
 *
 * The delegated responder: a key kept in memory and a certificate of the
 * authority that lets it sign OCSP responses (RFC 6960, 4.2.2.2).
 */


#ifndef _NGX_OCSP_DELEGATE_H_INCLUDED_
#define _NGX_OCSP_DELEGATE_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_key.h"
#include "ngx_pki_authority.h"
#include "ngx_pki_profile.h"
#include "ngx_ocsp_responder.h"


/* what a delegate is made by: one that was made otherwise is not used */

typedef struct {
    ngx_pki_key_spec_t         key;
    time_t                     validity;
} ngx_ocsp_delegate_spec_t;


/* Makes a private key; RSA takes a while.  NULL if OpenSSL fails. */
EVP_PKEY *ngx_ocsp_delegate_generate(ngx_pki_key_spec_t *spec);

/* What the certificate says, made at the time "now"; NGX_ERROR: no memory. */
ngx_int_t ngx_ocsp_delegate_template(ngx_pool_t *pool, ngx_pki_authority_t *a,
    ngx_ocsp_delegate_spec_t *spec, time_t now, ngx_pki_template_t *t);

/*
 * Packs key and certificate for the other workers.  The blob is a secret: the
 * caller cleanses it.  NGX_ERROR: out of memory.
 */
ngx_int_t ngx_ocsp_delegate_pack(ngx_pool_t *pool, ngx_pki_authority_t *a,
    ngx_ocsp_delegate_spec_t *spec, ngx_pki_template_t *t, time_t now,
    EVP_PKEY *pkey, ngx_str_t *certificate, ngx_str_t *blob);

/*
 * Unpacks a blob; the caller holds one reference.  NULL: it belongs to another
 * certificate of the authority, was made by other settings, or no memory.
 */
ngx_ocsp_responder_t *ngx_ocsp_delegate_unpack(ngx_pki_authority_t *a,
    ngx_ocsp_delegate_spec_t *spec, ngx_str_t *blob, ngx_log_t *log);


#endif /* _NGX_OCSP_DELEGATE_H_INCLUDED_ */
