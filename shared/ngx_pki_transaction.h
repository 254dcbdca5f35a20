
/*
 * Copyright (C) the ngx_pki authors
 *
 * The name under which the certificate of a request is found again.
 */


#ifndef _NGX_PKI_TRANSACTION_H_INCLUDED_
#define _NGX_PKI_TRANSACTION_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_issue.h"


/*
 * Hashes what makes a request: authority, profile, source, transaction, key,
 * subject, every requested extension and validity, so that a retry leads to
 * the same certificate and a changed request does not.  "key" is hex of
 * SHA-256, in the operation's pool.  NGX_ERROR: out of memory.
 */
ngx_int_t ngx_pki_transaction_key(ngx_pki_issue_t *issue, ngx_str_t *key);


#endif /* _NGX_PKI_TRANSACTION_H_INCLUDED_ */
