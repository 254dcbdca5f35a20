
/*
 * Copyright (C) the ngx_pki authors
 *
 * The record of a certificate: the only truth about it.
 */


#ifndef _NGX_PKI_RECORD_H_INCLUDED_
#define _NGX_PKI_RECORD_H_INCLUDED_


#include "ngx_pki.h"


typedef struct {
    ngx_str_t                  serial;       /* lower-case hex */
    ngx_str_t                  der;
    ngx_str_t                  subject;      /* RFC 4514 */
    ngx_str_t                  sans;         /* "DNS:a, IP:b", may be empty */
    ngx_str_t                  profile;
    ngx_str_t                  source;       /* scep, enroll, api, ... */
    ngx_str_t                  requester;
    ngx_str_t                  device;
    ngx_str_t                  user;
    ngx_str_t                  transaction;  /* text, as the client sent it */
    ngx_str_t                  renewed;      /* serial of what it renews */
    ngx_str_t                  vouched;      /* by which kind of challenge */
    ngx_str_t                  withheld;     /* until whom is told; empty: it
                                              * may be given out */
    ngx_str_t                  revoked_by;
    time_t                     issued_at;
    time_t                     not_before;
    time_t                     not_after;
    time_t                     revoked_at;
    ngx_int_t                  reason;
    ngx_pki_status_e           status;
    uint64_t                   version;
} ngx_pki_record_t;


/*
 * Decodes a hash of Redis: name, value, name, value, ...  Pure.  Fields that
 * are not known are ignored; strings point into the input.  NGX_ERROR if a
 * field that must be there is missing or malformed.
 */
ngx_int_t ngx_pki_record_decode(ngx_str_t *fields, ngx_uint_t n,
    ngx_pki_record_t *record);

/*
 * Encodes it the same way into "fields" (NGX_PKI_RECORD_FIELDS at least);
 * numbers are printed to "pool".  Returns how many, or NGX_ERROR.
 */
#define NGX_PKI_RECORD_FIELDS  48
ngx_int_t ngx_pki_record_encode(ngx_pool_t *pool, ngx_pki_record_t *record,
    ngx_str_t *fields);

/* The names of the fields in order, "der" first; NULL after the last one. */
ngx_str_t *ngx_pki_record_name(ngx_uint_t i);

/* The names: "good", "hold", "revoked"; "keyCompromise", ... (RFC 5280). */
ngx_str_t *ngx_pki_status_name(ngx_pki_status_e status);
ngx_str_t *ngx_pki_reason_name(ngx_int_t reason);
ngx_int_t ngx_pki_status_parse(ngx_str_t *name, ngx_pki_status_e *status);
ngx_int_t ngx_pki_reason_parse(ngx_str_t *name, ngx_int_t *reason);

/*
 * Whether status, reason and time go together: NGX_ERROR for a status that
 * contradicts itself, which must never be taken for good.
 */
ngx_int_t ngx_pki_status_check(ngx_pki_status_e status, ngx_int_t reason,
    time_t revoked_at);

/*
 * Numbers as Redis holds them: decimal digits, no sign, no leading zero, at
 * most "max".  Times are seconds up to the year 9999; a reason is its code.
 */
#define NGX_PKI_NUMBER_MAX  (((uint64_t) 1 << 53) - 1)   /* exact in Lua */

ngx_int_t ngx_pki_number_parse(ngx_str_t *text, uint64_t max,
    uint64_t *number);
ngx_int_t ngx_pki_time_parse(ngx_str_t *text, time_t *t);
ngx_int_t ngx_pki_reason_decode(ngx_str_t *text, ngx_int_t *reason);

/* Lower-case hex of a serial to octets and back; "out" has room for 40. */
ngx_int_t ngx_pki_serial_parse(ngx_str_t *hex, ngx_pki_serial_t *serial);
size_t ngx_pki_serial_print(u_char *out, ngx_pki_serial_t *serial);


#endif /* _NGX_PKI_RECORD_H_INCLUDED_ */
