
/*
 * Copyright (C) the ngx_pki authors
 *
 * Signed OCSP requests, RFC 6960, 4.1.2: who signed one, and whether that is
 * somebody to believe.
 */


#ifndef _NGX_OCSP_REQUEST_SIGNATURE_H_INCLUDED_
#define _NGX_OCSP_REQUEST_SIGNATURE_H_INCLUDED_


#include "ngx_ocsp_request.h"
#include "ngx_ocsp_trust.h"


/* whose certificate may have been revoked since: that is not looked at here */

typedef struct {
    ngx_pki_authority_t       *authority;    /* issued it; NULL: none of ours */
    ngx_pki_serial_t           serial;
} ngx_ocsp_request_signer_t;


/*
 * Verifies req->signature, which must be there, at the time "now".
 * NGX_DECLINED: it is not good, logged; NGX_AGAIN: as above, but it may be by
 * an authority whose certificate is not known yet; NGX_ERROR: out of memory.
 */
ngx_int_t ngx_ocsp_request_verify(ngx_ocsp_request_t *req,
    ngx_ocsp_trust_t *trust, time_t now, ngx_log_t *log,
    ngx_ocsp_request_signer_t *signer);


#endif /* _NGX_OCSP_REQUEST_SIGNATURE_H_INCLUDED_ */
