
/*
 * Copyright (C) the ngx_pki authors
 *
 * Digests of OpenSSL, fetched once: EVP_sha256() would be looked up anew at
 * every use.
 */


#ifndef _NGX_PKI_MD_H_INCLUDED_
#define _NGX_PKI_MD_H_INCLUDED_


#include "ngx_pki.h"


/*
 * The digest of this NID, SHA-1 or SHA-2; NULL: it is none of them.  To be
 * called in the event loop or at configuration time; it stays as long as the
 * process.  Leaves no error in OpenSSL's queue.
 */
const EVP_MD *ngx_pki_md(int nid);

/* Hashes "data" to "out", EVP_MAX_MD_SIZE octets; NGX_ERROR: it failed. */
ngx_int_t ngx_pki_md_digest(const EVP_MD *md, ngx_str_t *data, u_char *out,
    ngx_str_t *digest);

/*
 * Names a thing by three texts, such that no two others give the same: SHA-256
 * of each with its length in front, in hex, in "pool".  NGX_ERROR: out of
 * memory, or OpenSSL failed.
 */
#define NGX_PKI_MD_NAME_LEN  64
ngx_int_t ngx_pki_md_name(ngx_pool_t *pool, ngx_str_t *a, ngx_str_t *b,
    ngx_str_t *c, ngx_str_t *name);


#endif /* _NGX_PKI_MD_H_INCLUDED_ */
