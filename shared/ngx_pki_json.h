
/*
 * Copyright (C) the ngx_pki authors
 *
 * JSON: thin helpers over jansson, for input that nobody vouches for.
 */


#ifndef _NGX_PKI_JSON_H_INCLUDED_
#define _NGX_PKI_JSON_H_INCLUDED_


#include "ngx_pki.h"
#include <jansson.h>


#define NGX_PKI_JSON_MAX_SIZE   (1024 * 1024)
#define NGX_PKI_JSON_MAX_DEPTH  32


/*
 * Parses an object or array; pure.  Refuses duplicate names, invalid UTF-8,
 * trailing octets, more than "max" octets (at most NGX_PKI_JSON_MAX_SIZE) or
 * levels (NGX_PKI_JSON_MAX_DEPTH).  Freed with "pool".  NULL: "error", which
 * may be NULL, is what is wrong (static memory).
 */
json_t *ngx_pki_json_parse(ngx_pool_t *pool, ngx_str_t *text, size_t max,
    const char **error);

/* The same, for who looks for NUL in each string that matters. */
json_t *ngx_pki_json_parse_nul(ngx_pool_t *pool, ngx_str_t *text, size_t max,
    const char **error);

/* Hands a value over to a pool, which releases it even if this fails; a NULL
 * "value" passes through.  NULL: out of memory. */
json_t *ngx_pki_json_own(ngx_pool_t *pool, json_t *value);

/*
 * A member of an object that must be a string: NGX_OK, NGX_DECLINED (there is
 * no such member), NGX_ERROR (it is no string).  "value" points into it.
 */
ngx_int_t ngx_pki_json_get(json_t *object, const char *name,
    ngx_str_t *value);

/* The first member whose name is not among "names" (ends with NULL), or
 * NULL: all are. */
const char *ngx_pki_json_unknown(json_t *object, const char **names);

/*
 * Adds a member: a string (octets that are not UTF-8 become U+FFFD), or a
 * time as RFC 3339 UTC.  A NULL "value" is null.  NGX_ERROR: out of memory.
 */
ngx_int_t ngx_pki_json_set(json_t *object, const char *name,
    ngx_str_t *value);
ngx_int_t ngx_pki_json_set_time(json_t *object, const char *name,
    time_t *value);

/* Prints a value, without blanks, into a pool. */
ngx_int_t ngx_pki_json_dump(ngx_pool_t *pool, json_t *value, ngx_str_t *out);

/* The length of a whole UTF-8 sequence at "p" (RFC 3629), 0: there is none. */
size_t ngx_pki_json_utf8(u_char *p, u_char *last);


#endif /* _NGX_PKI_JSON_H_INCLUDED_ */
