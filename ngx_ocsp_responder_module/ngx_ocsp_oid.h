
/*
 * Copyright (C) the ngx_pki authors
 *
 * Object identifiers of OCSP and CRLs: content octets, as string literals.
 */


#ifndef _NGX_OCSP_OID_H_INCLUDED_
#define _NGX_OCSP_OID_H_INCLUDED_


/* id-pkix-ocsp: 1.3.6.1.5.5.7.48.1 (RFC 6960, 4.2.1) */

#define NGX_OCSP_OID                      "\x2b\x06\x01\x05\x05\x07\x30\x01"

#define NGX_OCSP_OID_BASIC                NGX_OCSP_OID "\x01"
#define NGX_OCSP_OID_NONCE                NGX_OCSP_OID "\x02"
#define NGX_OCSP_OID_RESPONSE             NGX_OCSP_OID "\x04"
#define NGX_OCSP_OID_NOCHECK              NGX_OCSP_OID "\x05"
#define NGX_OCSP_OID_ARCHIVE_CUTOFF       NGX_OCSP_OID "\x06"
#define NGX_OCSP_OID_SERVICE_LOCATOR      NGX_OCSP_OID "\x07"
#define NGX_OCSP_OID_PREFERRED_SIGNATURE  NGX_OCSP_OID "\x08"
#define NGX_OCSP_OID_EXTENDED_REVOKE      NGX_OCSP_OID "\x09"

#define NGX_OCSP_OID_SIGNING              "\x2b\x06\x01\x05\x05\x07\x03\x09"

#define NGX_OCSP_OID_SHA1                 "\x2b\x0e\x03\x02\x1a"
#define NGX_OCSP_OID_SHA2                 "\x60\x86\x48\x01\x65\x03\x04\x02"

#define NGX_OCSP_OID_COMMON_NAME          "\x55\x04\x03"
#define NGX_OCSP_OID_KEY_USAGE            "\x55\x1d\x0f"
#define NGX_OCSP_OID_CRL_NUMBER           "\x55\x1d\x14"
#define NGX_OCSP_OID_CRL_REASON           "\x55\x1d\x15"
#define NGX_OCSP_OID_CRL_DELTA            "\x55\x1d\x1b"
#define NGX_OCSP_OID_CRL_POINT            "\x55\x1d\x1c"
#define NGX_OCSP_OID_CRL_FRESHEST         "\x55\x1d\x2e"
#define NGX_OCSP_OID_EXTENDED_KEY_USAGE   "\x55\x1d\x25"


#endif /* _NGX_OCSP_OID_H_INCLUDED_ */
