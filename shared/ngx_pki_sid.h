
/*
 * Copyright (C) the ngx_pki authors
 *
 * Security identifiers of Windows, as a certificate names an account by them
 * (KB5014754): a domain controller takes its bearer for that account.
 */


#ifndef _NGX_PKI_SID_H_INCLUDED_
#define _NGX_PKI_SID_H_INCLUDED_


#include "ngx_pki.h"


/*
 * The identifier in the value of Microsoft's extension 1.3.6.1.4.1.311.25.2, or
 * in a URI "tag:microsoft.com,2022-09-14:sid:S-1-5-21-...": points into it.
 * Pure.  NGX_DECLINED: malformed, or not that of an account of a domain
 * (S-1-5-21) or of Entra (S-1-12-1).
 */
ngx_int_t ngx_pki_sid_extension(ngx_str_t *value, ngx_str_t *sid);
ngx_int_t ngx_pki_sid_uri(ngx_str_t *uri, ngx_str_t *sid);


#endif /* _NGX_PKI_SID_H_INCLUDED_ */
