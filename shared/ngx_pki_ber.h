
/*
 * Copyright (C) the ngx_pki authors
 *
 * BER to DER: some SCEP clients send indefinite lengths and OCTET STRINGs in
 * segments.
 */


#ifndef _NGX_PKI_BER_H_INCLUDED_
#define _NGX_PKI_BER_H_INCLUDED_


#include "ngx_pki.h"


/*
 * Rewrites one BER element with definite, minimal lengths and its constructed
 * OCTET STRINGs (0x24) as primitive ones.  Contents of primitive elements stay
 * as they are.  Pure.  NGX_DECLINED: not one whole element, deeper than 32,
 * over 4096 elements, or trailing octets.  NGX_ERROR: out of memory.
 */
ngx_int_t ngx_pki_ber_to_der(ngx_pool_t *pool, ngx_str_t *ber, ngx_str_t *der);


#endif /* _NGX_PKI_BER_H_INCLUDED_ */
