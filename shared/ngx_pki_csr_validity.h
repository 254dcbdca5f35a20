
/*
 * Copyright (C) the ngx_pki authors
 *
 * The validity that a request asks for: Microsoft's EnrollmentNameValuePair
 * ([MS-WCCE], 2.2.2.7.10) named "ValidityPeriod" and "ValidityPeriodUnits".
 */


#ifndef _NGX_PKI_CSR_VALIDITY_H_INCLUDED_
#define _NGX_PKI_CSR_VALIDITY_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_csr.h"
#include "ngx_pki_der.h"


/* the attribute, content octets */

extern ngx_str_t  ngx_pki_csr_validity_oid;


/*
 * Reads the values of such an attribute, of which there may be several; pairs
 * with other names mean nothing here.  Pure.  NGX_DECLINED: malformed.
 */
ngx_int_t ngx_pki_csr_validity_add(ngx_pool_t *pool,
    ngx_pki_csr_validity_t *v, ngx_pki_der_t *values);

/* After the last: what they come to, v->seconds.  NGX_ERROR: out of memory. */
ngx_int_t ngx_pki_csr_validity_finish(ngx_pool_t *pool,
    ngx_pki_csr_validity_t *v);


#endif /* _NGX_PKI_CSR_VALIDITY_H_INCLUDED_ */
