
/*
 * Copyright (C) the ngx_pki authors
 *
 * Hashes and stream entries of Redis: name, value, name, value, ..., by a table
 * that says what is in them.
 */


#ifndef _NGX_PKI_FIELDS_H_INCLUDED_
#define _NGX_PKI_FIELDS_H_INCLUDED_


#include "ngx_pki.h"


typedef enum {
    NGX_PKI_FIELD_TEXT = 0,                  /* of an ngx_str_t */
    NGX_PKI_FIELD_TIME                       /* of a time_t */
} ngx_pki_field_type_e;


/* tables have 32 entries at most and end with an empty name */

typedef struct {
    ngx_str_t                  name;
    ngx_pki_field_type_e       type;
    size_t                     offset;       /* in the object */
    ngx_uint_t                 required;     /* and not empty, nor 0 */
} ngx_pki_field_t;


#define ngx_pki_field(object, name, type, required)                          \
    { ngx_string(#name), NGX_PKI_FIELD_##type, offsetof(object, name),       \
      required }

#define ngx_pki_null_field                                                   \
    { ngx_null_string, NGX_PKI_FIELD_TEXT, 0, 0 }


/*
 * Decodes into an object that is zeroed.  Pure.  Fields that are not in the
 * table are ignored; strings point into the input.  NGX_ERROR: one is missing,
 * twice or malformed.
 */
ngx_int_t ngx_pki_fields_decode(ngx_pki_field_t *table, ngx_str_t *fields,
    ngx_uint_t n, void *object);

/*
 * Encodes it the same way into "fields", but for what is empty, or 0; numbers
 * are printed to "pool".  Returns how many, or NGX_ERROR: out of memory.
 */
ngx_int_t ngx_pki_fields_encode(ngx_pki_field_t *table, ngx_pool_t *pool,
    void *object, ngx_str_t *fields);


#endif /* _NGX_PKI_FIELDS_H_INCLUDED_ */
