
/*
 * Copyright (C) the ngx_pki authors
 *
 * How an authority whose key is in a vault comes to its key and certificate:
 * the key is looked at and its version pinned, or, by one worker of the whole
 * cluster, made together with a certificate or a request for one.
 */


#ifndef _NGX_PKI_BOOTSTRAP_H_INCLUDED_
#define _NGX_PKI_BOOTSTRAP_H_INCLUDED_


#include "ngx_pki_authority.h"


/* Makes a->bootstrap and starts the vault key; in a worker. */
ngx_int_t ngx_pki_bootstrap_start(ngx_pki_authority_t *a, ngx_log_t *log);

/*
 * Whether the vault has been asked, and its key is that of the certificate:
 * nothing is registered before.
 */
ngx_uint_t ngx_pki_bootstrap_checked(ngx_pki_authority_t *a);

/*
 * Asks the vault for the key, compares it with the certificate, pins its
 * version; or looks for a key, or makes one, then the certificate or the
 * request.  Both end with ngx_pki_authority_again(), and do nothing while one
 * of them is under way, or soon after one that failed.
 */
void ngx_pki_bootstrap_check(ngx_pki_authority_t *a, ngx_log_t *log);
void ngx_pki_bootstrap_make(ngx_pki_authority_t *a, ngx_log_t *log);

/* Pins the version that an URL of a key names ("{a}:ca", key); NGX_DECLINED:
 * it names another key.  NGX_ERROR: out of memory.  "pool" is for parsing. */
ngx_int_t ngx_pki_bootstrap_pin(ngx_pki_authority_t *a, ngx_pool_t *pool,
    ngx_str_t *key_id);

/* The URL of the key with its version, in "pool"; empty if not pinned. */
ngx_int_t ngx_pki_bootstrap_key_id(ngx_pki_authority_t *a, ngx_pool_t *pool,
    ngx_str_t *key_id);


#endif /* _NGX_PKI_BOOTSTRAP_H_INCLUDED_ */
