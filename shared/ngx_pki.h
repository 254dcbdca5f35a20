
/*
 * Copyright (C) the ngx_pki authors
 *
 * What every file of the project includes first.  Knows nothing of HTTP.
 */


#ifndef _NGX_PKI_H_INCLUDED_
#define _NGX_PKI_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>
#if (NGX_THREADS)
#include <ngx_thread_pool.h>
#endif

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/err.h>
#include <openssl/rand.h>

#include "ngx_pki_compat.h"


#define NGX_PKI_MAX_AUTHORITIES  64

/* a serial number: RFC 5280, 4.1.2.2 allows at most 20 octets */

#define NGX_PKI_SERIAL_LEN       20


/* the status of a certificate; values are kept in Redis as text */

typedef enum {
    NGX_PKI_STATUS_UNKNOWN = 0,     /* never issued */
    NGX_PKI_STATUS_GOOD,
    NGX_PKI_STATUS_HOLD,            /* revoked, reason certificateHold */
    NGX_PKI_STATUS_REVOKED
} ngx_pki_status_e;


/* CRLReason, RFC 5280, 5.3.1 */

#define NGX_PKI_REASON_UNSPECIFIED         0
#define NGX_PKI_REASON_KEY_COMPROMISE      1
#define NGX_PKI_REASON_CA_COMPROMISE       2
#define NGX_PKI_REASON_AFFILIATION         3
#define NGX_PKI_REASON_SUPERSEDED          4
#define NGX_PKI_REASON_CESSATION           5
#define NGX_PKI_REASON_HOLD                6
#define NGX_PKI_REASON_REMOVE_FROM_CRL     8
#define NGX_PKI_REASON_PRIVILEGE           9
#define NGX_PKI_REASON_AA_COMPROMISE      10


/*
 * A serial number as in the certificate: the content octets of its DER
 * INTEGER, at most NGX_PKI_SERIAL_LEN of them, compared byte by byte.
 */

typedef struct {
    u_char                     len;
    u_char                     data[NGX_PKI_SERIAL_LEN];
} ngx_pki_serial_t;


#define ngx_pki_str_eq(s, text)                                              \
    ((s)->len == sizeof(text) - 1                                            \
     && ngx_memcmp((s)->data, text, sizeof(text) - 1) == 0)


#endif /* _NGX_PKI_H_INCLUDED_ */
