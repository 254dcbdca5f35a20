
/*
 * Copyright (C) the ngx_pki authors
 *
 * Renewal: what a certificate may do for the one that takes its place.
 */


#ifndef _NGX_PKI_RENEWAL_H_INCLUDED_
#define _NGX_PKI_RENEWAL_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_csr.h"
#include "ngx_pki_profile.h"
#include "ngx_pki_record.h"


/*
 * Whether the key of a certificate (DER) may sign requests: it has no key
 * usages, or digitalSignature among them (RFC 5280, 4.2.1.3).  Pure.
 */
ngx_uint_t ngx_pki_renewal_may_sign(ngx_str_t *der);

/*
 * Whether a certificate says nothing of anybody but whom "record" is about:
 * the same subject, no subject alternative name and no extension copied from
 * the request that is not in there.  Pure.  NGX_DECLINED and "error".
 */
ngx_int_t ngx_pki_renewal_check(ngx_pki_record_t *record, ngx_pki_csr_t *csr,
    ngx_pki_template_t *t, ngx_str_t *error);


#endif /* _NGX_PKI_RENEWAL_H_INCLUDED_ */
