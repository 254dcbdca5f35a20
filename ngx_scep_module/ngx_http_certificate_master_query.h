
/*
 * Copyright (C) the ngx_pki authors
 *
 * What a list of certificates is asked for: filters, limit, cursor.  Pure.
 */


#ifndef _NGX_HTTP_CERTIFICATE_MASTER_QUERY_H_INCLUDED_
#define _NGX_HTTP_CERTIFICATE_MASTER_QUERY_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_record.h"


#define NGX_HTTP_CERTIFICATE_MASTER_LIMIT      100
#define NGX_HTTP_CERTIFICATE_MASTER_LIMIT_MAX  1000


/*
 * Where a list goes on: after a record of an authority, in the words of its
 * store, or at its start.
 */

typedef struct {
    ngx_str_t                  authority;    /* empty: of the first one */
    ngx_str_t                  position;     /* empty: the start */
} ngx_http_certificate_master_cursor_t;


typedef struct {
    /* as given; empty: not given */
    ngx_str_t                  q;            /* lower case */
    ngx_str_t                  status;
    ngx_str_t                  profile;
    ngx_str_t                  source;
    ngx_str_t                  authority;
    ngx_str_t                  limit;
    ngx_str_t                  cursor;

    ngx_uint_t                 max;          /* of "limit" */
    ngx_http_certificate_master_cursor_t  start;

    const char                *error;        /* why parsing failed */
} ngx_http_certificate_master_query_t;


/*
 * Parses the arguments of the URI; strings lie in "pool" or in "args".
 * NGX_OK, NGX_DECLINED: query->error says why, NGX_ERROR: out of memory.
 */
ngx_int_t ngx_http_certificate_master_query_parse(ngx_pool_t *pool,
    ngx_str_t *args, ngx_http_certificate_master_query_t *query);

/* Whether a record is asked for, at the time "now". */
ngx_uint_t ngx_http_certificate_master_query_match(
    ngx_http_certificate_master_query_t *query, ngx_pki_record_t *record,
    time_t now);

/* Whether every record of the authorities is asked for. */
ngx_uint_t ngx_http_certificate_master_query_all(
    ngx_http_certificate_master_query_t *query);

/* The status as it is shown: that of the record, or "expired". */
ngx_str_t *ngx_http_certificate_master_status(ngx_pki_record_t *record,
    time_t now);

/* A cursor as text, base64url; NGX_ERROR: out of memory. */
ngx_int_t ngx_http_certificate_master_cursor_print(ngx_pool_t *pool,
    ngx_http_certificate_master_cursor_t *cursor, ngx_str_t *text);

/* And back: NGX_OK, NGX_DECLINED (it is none of ours), NGX_ERROR. */
ngx_int_t ngx_http_certificate_master_cursor_parse(ngx_pool_t *pool,
    ngx_str_t *text, ngx_http_certificate_master_cursor_t *cursor);

/* A serial number as people write it to how records have it, lower case:
 * NGX_OK, NGX_DECLINED (it is none), NGX_ERROR. */
ngx_int_t ngx_http_certificate_master_serial(ngx_pool_t *pool,
    ngx_str_t *text, ngx_str_t *serial);


#endif /* _NGX_HTTP_CERTIFICATE_MASTER_QUERY_H_INCLUDED_ */
