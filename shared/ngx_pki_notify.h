
/*
 * Copyright (C) the ngx_pki authors
 *
 * What Intune is told of a certificate, and what becomes of one that it does
 * not take, or does not want any more.
 */


#ifndef _NGX_PKI_NOTIFY_H_INCLUDED_
#define _NGX_PKI_NOTIFY_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_authority.h"
#include "ngx_pki_intune.h"


/* "revoked_by" of such a certificate */
#define NGX_PKI_NOTIFY_BY  "intune"


/*
 * Fills in a call that tells of a certificate of "a", which must have its own:
 * all but transaction and request.  Strings are the record's, or in the pool of
 * call->op.  NGX_ERROR: out of memory.
 */
ngx_int_t ngx_pki_notify_success(ngx_pki_intune_call_t *call,
    ngx_pki_authority_t *a, ngx_pki_record_t *record);

/*
 * The name of an authority as Intune gets to know it, and gives it back: the
 * subject of its certificate by RFC 4514, in "pool".  NGX_ERROR: out of memory,
 * or there is no certificate yet.
 */
ngx_int_t ngx_pki_notify_issuer(ngx_pool_t *pool, ngx_pki_authority_t *a,
    ngx_str_t *issuer);

/*
 * Revokes the certificate with this serial number, as Intune wants it.  The
 * job's op, store, handler and data are set.
 */
void ngx_pki_notify_revoke(ngx_pki_store_job_t *job, ngx_str_t *serial);


#endif /* _NGX_PKI_NOTIFY_H_INCLUDED_ */
