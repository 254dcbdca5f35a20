
/*
 * Copyright (C) the ngx_pki authors
 *
 * The TBSCertificate: what an authority signs (RFC 5280, 4.1).
 */


#ifndef _NGX_PKI_TBS_H_INCLUDED_
#define _NGX_PKI_TBS_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_authority.h"
#include "ngx_pki_profile.h"


typedef struct {
    ngx_pki_serial_t           serial;       /* out */
    ngx_pki_template_t        *template;
    ngx_str_t                 *spki;
    ngx_str_t                 *public_key;   /* the content of its bits */
    ngx_str_t                 *aia;          /* NULL: none */
    ngx_str_t                 *cdp;
    ngx_str_t                  crl_url;      /* out, of the shard; empty: it
                                              * belongs to none */
} ngx_pki_tbs_t;


/*
 * Encodes it with a new random serial number, which "tbs" keeps, the key
 * identifiers, and what the authority has made in advance; with "cdp" and
 * a->crl_shards it has that of a shard by chance instead, see ngx_pki_crl.h.
 * NGX_ERROR: out of memory, of randomness, or no algorithm for the authority's
 * key and digest.
 */
ngx_int_t ngx_pki_tbs_encode(ngx_pool_t *pool, ngx_pki_authority_t *a,
    ngx_pki_tbs_t *tbs, ngx_str_t *out);


#endif /* _NGX_PKI_TBS_H_INCLUDED_ */
