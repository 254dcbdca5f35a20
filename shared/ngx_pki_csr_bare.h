
/*
 * Copyright (C) the ngx_pki authors
 *
 * A request as it may be kept: without its challenge, a secret.
 */


#ifndef _NGX_PKI_CSR_BARE_H_INCLUDED_
#define _NGX_PKI_CSR_BARE_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_csr.h"


/*
 * Encodes subject, key, requested extensions and validity of a request as a
 * PKCS#10 with an empty signature, which decodes to the same and verifies
 * never.  Pure; in "pool".  NGX_ERROR: out of memory.
 */
ngx_int_t ngx_pki_csr_bare(ngx_pool_t *pool, ngx_pki_csr_t *csr,
    ngx_str_t *der);


#endif /* _NGX_PKI_CSR_BARE_H_INCLUDED_ */
