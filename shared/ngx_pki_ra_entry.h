
/*
 * Copyright (C) the ngx_pki authors
 *
 * What Redis keeps of a registration authority.
 */


#ifndef _NGX_PKI_RA_ENTRY_H_INCLUDED_
#define _NGX_PKI_RA_ENTRY_H_INCLUDED_


#include "ngx_pki.h"


/*
 * SEQUENCE { version INTEGER (1), madeAt UTF8String, certificate OCTET STRING,
 * keyUrl UTF8String, sealed OCTET STRING }, one of the last two empty
 */

typedef struct {
    time_t                     made_at;
    ngx_str_t                  certificate;  /* DER */
    ngx_str_t                  key_url;      /* of a vault, with version */
    ngx_str_t                  sealed;       /* see ngx_pki_seal.h */
} ngx_pki_ra_entry_t;


/* Decodes it; pure, points into "der".  NGX_ERROR: malformed. */
ngx_int_t ngx_pki_ra_entry_decode(ngx_str_t *der, ngx_pki_ra_entry_t *entry);

/* Encodes it; pure.  NGX_ERROR: out of memory. */
ngx_int_t ngx_pki_ra_entry_encode(ngx_pool_t *pool, ngx_pki_ra_entry_t *entry,
    ngx_str_t *der);


#endif /* _NGX_PKI_RA_ENTRY_H_INCLUDED_ */
