
/*
 * Copyright (C) the ngx_pki authors
 *
 * Notices: what somebody else must still be told of a certificate.  They wait
 * in the stream {a}:outbox, put there by the very step that records it.
 */


#ifndef _NGX_PKI_NOTICE_H_INCLUDED_
#define _NGX_PKI_NOTICE_H_INCLUDED_


#include "ngx_pki.h"


typedef struct {
    ngx_str_t                  id;           /* of the stream; out only */
    ngx_str_t                  serial;       /* out only: of the record */
    ngx_str_t                  kind;         /* "intune"; empty: none */
    ngx_str_t                  to;           /* the identity's name */
    ngx_str_t                  transaction;
    ngx_str_t                  csr;          /* DER */
    time_t                     created;
} ngx_pki_notice_t;


/*
 * Decodes the fields of an entry: name, value, name, value, ...  Pure; "id" is
 * not in it.  Fields that are not known are ignored; strings point into the
 * input.  NGX_ERROR: one is missing, twice or malformed.
 */
ngx_int_t ngx_pki_notice_decode(ngx_str_t *fields, ngx_uint_t n,
    ngx_pki_notice_t *notice);

/*
 * Encodes it the same way into "fields" (NGX_PKI_NOTICE_FIELDS at least);
 * numbers are printed to "pool".  Returns how many, or NGX_ERROR.
 */
#define NGX_PKI_NOTICE_FIELDS  12
ngx_int_t ngx_pki_notice_encode(ngx_pool_t *pool, ngx_pki_notice_t *notice,
    ngx_str_t *fields);


#endif /* _NGX_PKI_NOTICE_H_INCLUDED_ */
