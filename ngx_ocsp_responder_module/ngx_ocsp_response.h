
/*
 * Copyright (C) the ngx_pki authors
 *
 * OCSPResponse, RFC 6960, 4.2.
 */


#ifndef _NGX_OCSP_RESPONSE_H_INCLUDED_
#define _NGX_OCSP_RESPONSE_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_ocsp_responder.h"


/* OCSPResponseStatus */

typedef enum {
    NGX_OCSP_SUCCESSFUL = 0,
    NGX_OCSP_MALFORMED_REQUEST = 1,
    NGX_OCSP_INTERNAL_ERROR = 2,
    NGX_OCSP_TRY_LATER = 3,
    NGX_OCSP_SIG_REQUIRED = 5,
    NGX_OCSP_UNAUTHORIZED = 6
} ngx_ocsp_response_status_e;


typedef struct {
    ngx_str_t                  cert_id;      /* whole, as it was asked */
    ngx_str_t                  twin;         /* by another hash, or empty */
    ngx_pki_status_e           status;
    ngx_int_t                  reason;       /* of hold and revoked */
    time_t                     revoked_at;
    time_t                     this_update;
    time_t                     next_update;
    time_t                     archive_cutoff;  /* 0: none */
} ngx_ocsp_single_t;


typedef struct {
    ngx_ocsp_responder_t      *responder;
    ngx_uint_t                 by_name;      /* ResponderID; a flag */
    time_t                     produced_at;
    ngx_ocsp_single_t         *singles;
    ngx_uint_t                 n;
    ngx_str_t                  nonce;        /* extnValue; empty: none */

    /* a single says "revoked" of a certificate that was never issued */
    unsigned                   extended_revoke:1;
} ngx_ocsp_response_data_t;


/*
 * A response is made in three steps.  encode: the ResponseData, which is to be
 * signed.  seal: what of a BasicOCSPResponse stands before "certs", which is
 * the same for whoever asks and may be kept.  wrap: the response.  NGX_ERROR:
 * no memory.
 */
ngx_int_t ngx_ocsp_response_encode(ngx_pool_t *pool,
    ngx_ocsp_response_data_t *data, ngx_str_t *tbs);
ngx_int_t ngx_ocsp_response_seal(ngx_pool_t *pool, ngx_str_t *tbs,
    ngx_str_t *algorithm, ngx_str_t *signature, ngx_str_t *sealed);

/*
 * "sealed" has NGX_OCSP_RESPONSE_HEAD octets of room before it, and behind it
 * as many, and as many more as the certificate (which may be empty) has.
 */
void ngx_ocsp_response_wrap(ngx_str_t *sealed, ngx_str_t *certificate,
    ngx_str_t *response);

#define NGX_OCSP_RESPONSE_HEAD  64

/* The whole response of an error, and the name of a status; static memory. */
ngx_str_t *ngx_ocsp_response_error(ngx_ocsp_response_status_e status);
ngx_str_t *ngx_ocsp_response_name(ngx_ocsp_response_status_e status);


#endif /* _NGX_OCSP_RESPONSE_H_INCLUDED_ */
