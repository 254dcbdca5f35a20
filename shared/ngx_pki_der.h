
/*
 * Copyright (C) the ngx_pki authors
 *
 * A bounded reader and a growing writer of DER (X.690).  The reader accepts
 * nothing but DER: definite minimal lengths, low tag numbers.
 */


#ifndef _NGX_PKI_DER_H_INCLUDED_
#define _NGX_PKI_DER_H_INCLUDED_


#include "ngx_pki.h"


#define NGX_PKI_DER_BOOLEAN           0x01
#define NGX_PKI_DER_INTEGER           0x02
#define NGX_PKI_DER_BIT_STRING        0x03
#define NGX_PKI_DER_OCTET_STRING      0x04
#define NGX_PKI_DER_NULL              0x05
#define NGX_PKI_DER_OID               0x06
#define NGX_PKI_DER_ENUMERATED        0x0a
#define NGX_PKI_DER_UTF8_STRING       0x0c
#define NGX_PKI_DER_PRINTABLE_STRING  0x13
#define NGX_PKI_DER_T61_STRING        0x14
#define NGX_PKI_DER_IA5_STRING        0x16
#define NGX_PKI_DER_UTC_TIME          0x17
#define NGX_PKI_DER_GENERALIZED_TIME  0x18
#define NGX_PKI_DER_BMP_STRING        0x1e
#define NGX_PKI_DER_SEQUENCE          0x30
#define NGX_PKI_DER_SET               0x31

#define ngx_pki_der_context(n)        (0x80 | (n))      /* primitive */
#define ngx_pki_der_explicit(n)       (0xa0 | (n))      /* constructed */


/* a reader: the octets from pos up to last are still to be read */

typedef struct {
    u_char                    *pos;
    u_char                    *last;
} ngx_pki_der_t;


#define ngx_pki_der_init(der, str)                                           \
    (der)->pos = (str)->data;                                                \
    (der)->last = (str)->data + (str)->len

#define ngx_pki_der_end(der)  ((der)->pos == (der)->last)

/* the tag of the next element, 0 at the end */

#define ngx_pki_der_peek(der)                                                \
    ((der)->pos < (der)->last ? (ngx_uint_t) *(der)->pos : 0)


/*
 * All readers below point into the input, copy nothing, and return NGX_OK or
 * NGX_ERROR, which leaves "der" where it was.
 */

/* The next element, whatever its tag: "content" without, "whole" with header;
 * "whole" may be NULL. */
ngx_int_t ngx_pki_der_any(ngx_pki_der_t *der, ngx_uint_t *tag,
    ngx_str_t *content, ngx_str_t *whole);

/* The next element if it has this tag. */
ngx_int_t ngx_pki_der_get(ngx_pki_der_t *der, ngx_uint_t tag,
    ngx_str_t *content);

/* As above, header included. */
ngx_int_t ngx_pki_der_get_whole(ngx_pki_der_t *der, ngx_uint_t tag,
    ngx_str_t *whole);

/* Enters a constructed element: "inner" reads its content. */
ngx_int_t ngx_pki_der_enter(ngx_pki_der_t *der, ngx_uint_t tag,
    ngx_pki_der_t *inner);

/* Skips the next element if it has this tag: NGX_OK also if it has not. */
ngx_int_t ngx_pki_der_skip_optional(ngx_pki_der_t *der, ngx_uint_t tag);

/* An INTEGER of 0 .. 2^31 - 1. */
ngx_int_t ngx_pki_der_get_uint(ngx_pki_der_t *der, ngx_uint_t *value);

/* A BOOLEAN, 0x00 or 0xff. */
ngx_int_t ngx_pki_der_get_boolean(ngx_pki_der_t *der, ngx_uint_t *value);

/* A BIT STRING without unused bits: "bits" is its octets. */
ngx_int_t ngx_pki_der_get_bits(ngx_pki_der_t *der, ngx_str_t *bits);

/* An AlgorithmIdentifier: content of the OID; parameters whole, or empty. */
ngx_int_t ngx_pki_der_get_algorithm(ngx_pki_der_t *der, ngx_str_t *oid,
    ngx_str_t *params);


/*
 * A writer.  Errors are sticky: check once, with ngx_pki_der_finish().
 *
 *     mark = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
 *     ngx_pki_der_put(w, NGX_PKI_DER_OID, &oid);
 *     ngx_pki_der_close(w, mark);
 */

typedef struct {
    ngx_pool_t                *pool;
    u_char                    *start;
    u_char                    *pos;
    u_char                    *end;
    ngx_uint_t                 failed;
} ngx_pki_der_writer_t;


/* "size" is a hint; the buffer grows.  NGX_ERROR if out of memory. */
ngx_int_t ngx_pki_der_writer_init(ngx_pki_der_writer_t *w, ngx_pool_t *pool,
    size_t size);

/* Opens a constructed element (or any whose content is written next). */
size_t ngx_pki_der_begin(ngx_pki_der_writer_t *w, ngx_uint_t tag);

/* Closes the element opened last: fills in its length. */
void ngx_pki_der_close(ngx_pki_der_writer_t *w, size_t mark);

/* Appends octets that are DER already. */
void ngx_pki_der_raw(ngx_pki_der_writer_t *w, ngx_str_t *raw);

/* Appends octets from memory. */
void ngx_pki_der_bytes(ngx_pki_der_writer_t *w, const void *data, size_t len);

/* Appends a primitive element with this content. */
void ngx_pki_der_put(ngx_pki_der_writer_t *w, ngx_uint_t tag,
    ngx_str_t *content);

void ngx_pki_der_put_uint(ngx_pki_der_writer_t *w, ngx_uint_t value);
void ngx_pki_der_put_boolean(ngx_pki_der_writer_t *w, ngx_uint_t value);
void ngx_pki_der_put_null(ngx_pki_der_writer_t *w);

/* An INTEGER of unsigned big-endian octets; leading zeros are normalised. */
void ngx_pki_der_put_unsigned(ngx_pki_der_writer_t *w, ngx_str_t *magnitude);

/* A BIT STRING without unused bits. */
void ngx_pki_der_put_bits(ngx_pki_der_writer_t *w, ngx_str_t *bits);

/* UTCTime up to 2049, GeneralizedTime from 2050 on (RFC 5280, 4.1.2.5). */
void ngx_pki_der_put_time(ngx_pki_der_writer_t *w, time_t t);

/* GeneralizedTime, YYYYMMDDHHMMSSZ (RFC 6960, 4.2.2.1). */
void ngx_pki_der_put_generalized_time(ngx_pki_der_writer_t *w, time_t t);

/* What was written, in the writer's pool; NGX_ERROR if anything failed. */
ngx_int_t ngx_pki_der_finish(ngx_pki_der_writer_t *w, ngx_str_t *out);


/*
 * Writes the header of an element of "len" octets before "p", and returns
 * where it begins: 6 octets before "p" at most.
 */
u_char *ngx_pki_der_prepend(u_char *p, ngx_uint_t tag, size_t len);

/* Writes the calendar time of "t": 14 digits and a "Z". */
u_char *ngx_pki_der_time(u_char *p, time_t t);


#endif /* _NGX_PKI_DER_H_INCLUDED_ */
