
/*
 * Copyright (C) the ngx_pki authors
 *
 * TBSCertList, RFC 5280, 5.1.
 */


#ifndef _NGX_CRL_H_INCLUDED_
#define _NGX_CRL_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_crl.h"


/* the longest entry: a serial of 20 octets, GeneralizedTime, a reason */

#define NGX_CRL_ENTRY_MAX     56

/* where the serial of an entry begins, its length is before it */

#define NGX_CRL_ENTRY_SERIAL  4


typedef struct {
    ngx_str_t                 *algorithm;    /* AlgorithmIdentifier, whole */
    ngx_str_t                 *issuer;       /* Name, whole */
    ngx_str_t                 *aki;          /* Extension, whole */
    uint64_t                   number;
    time_t                     this_update;
    time_t                     next_update;
    ngx_str_t                  shard_url;    /* of the IDP; empty: none */
    ngx_str_t                  delta_url;    /* freshestCRL; empty: none */
    uint64_t                   base;         /* of a delta; 0: complete */
} ngx_crl_t;


/*
 * Writes an entry of revokedCertificates, NGX_CRL_ENTRY_MAX at most; returns
 * its end.  reasonCode is left out if unspecified (5.3.1).
 */
u_char *ngx_crl_entry_write(u_char *out, ngx_pki_crl_entry_t *entry);

/* Reads what ngx_crl_entry_write() wrote: serial, reason and revoked_at. */
void ngx_crl_entry_read(u_char *p, ngx_pki_crl_entry_t *entry);

/*
 * What stands before and behind entries of "entries_len" octets (0: there are
 * none, and no list then, 5.1.2.6) in what is to be signed, in "pool": "head"
 * begins with the SEQUENCE of TBSCertList.  NGX_ERROR: out of memory, or more
 * than DER is read of, 4 GB.
 */
ngx_int_t ngx_crl_frame(ngx_pool_t *pool, ngx_crl_t *crl, size_t entries_len,
    ngx_str_t *head, ngx_str_t *tail);

/*
 * What stands before and behind a TBSCertList of "tbs_len" octets in the CRL.
 */
ngx_int_t ngx_crl_seal(ngx_pool_t *pool, ngx_crl_t *crl, size_t tbs_len,
    ngx_str_t *signature, ngx_str_t *head, ngx_str_t *tail);


#endif /* _NGX_CRL_H_INCLUDED_ */
