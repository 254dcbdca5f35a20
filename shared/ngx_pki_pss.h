
/*
 * Copyright (C) the ngx_pki authors
 *
 * RSASSA-PSS in what comes from outside: its parameters, RFC 4055, 3.1.
 */


#ifndef _NGX_PKI_PSS_H_INCLUDED_
#define _NGX_PKI_PSS_H_INCLUDED_


#include "ngx_pki.h"


typedef struct {
    int                        md;           /* NID, of SHA-2 */
    ngx_uint_t                 salt;         /* octets */
} ngx_pki_pss_t;


/*
 * Decodes RSASSA-PSS-params, which is all that "params" holds.  Pure.
 * NGX_DECLINED: malformed, or not SHA-256, 384 or 512, the same in MGF1; the
 * default is SHA-1, which nobody who came as far as PSS has a reason to use.
 */
ngx_int_t ngx_pki_pss_decode(ngx_str_t *params, ngx_pki_pss_t *pss);


#endif /* _NGX_PKI_PSS_H_INCLUDED_ */
