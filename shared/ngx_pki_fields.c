
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_fields.h"
#include "ngx_pki_record.h"


static ngx_int_t ngx_pki_fields_find(ngx_pki_field_t *table, ngx_str_t *name,
    ngx_uint_t *index);
static ngx_uint_t ngx_pki_fields_is_set(ngx_pki_field_t *f, void *object);


ngx_int_t
ngx_pki_fields_decode(ngx_pki_field_t *table, ngx_str_t *fields, ngx_uint_t n,
    void *object)
{
    void             *p;
    uint32_t          seen;
    ngx_uint_t        i, index;
    ngx_pki_field_t  *f;

    if (n % 2 != 0) {
        return NGX_ERROR;
    }

    seen = 0;

    for (i = 0; i < n; i += 2) {

        if (ngx_pki_fields_find(table, &fields[i], &index) != NGX_OK) {
            continue;
        }

        if (seen & ((uint32_t) 1 << index)) {
            return NGX_ERROR;
        }

        seen |= (uint32_t) 1 << index;

        f = &table[index];
        p = (u_char *) object + f->offset;

        if (f->type == NGX_PKI_FIELD_TEXT) {
            *(ngx_str_t *) p = fields[i + 1];

        } else if (ngx_pki_time_parse(&fields[i + 1], p) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    for (f = table; f->name.len != 0; f++) {

        if (f->required && !ngx_pki_fields_is_set(f, object)) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_pki_fields_find(ngx_pki_field_t *table, ngx_str_t *name,
    ngx_uint_t *index)
{
    ngx_uint_t  i;
    ngx_str_t  *known;

    for (i = 0; table[i].name.len != 0; i++) {
        known = &table[i].name;

        if (known->len == name->len
            && ngx_memcmp(known->data, name->data, name->len) == 0)
        {
            *index = i;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_pki_fields_is_set(ngx_pki_field_t *f, void *object)
{
    void  *p;

    p = (u_char *) object + f->offset;

    return (f->type == NGX_PKI_FIELD_TEXT) ? ((ngx_str_t *) p)->len != 0
                                           : *(time_t *) p != 0;
}


ngx_int_t
ngx_pki_fields_encode(ngx_pki_field_t *table, ngx_pool_t *pool, void *object,
    ngx_str_t *fields)
{
    void             *p;
    ngx_int_t         n;
    ngx_str_t        *value;
    ngx_pki_field_t  *f;

    n = 0;

    for (f = table; f->name.len != 0; f++) {

        if (!ngx_pki_fields_is_set(f, object)) {
            continue;
        }

        p = (u_char *) object + f->offset;

        fields[n++] = f->name;
        value = &fields[n++];

        if (f->type == NGX_PKI_FIELD_TEXT) {
            *value = *(ngx_str_t *) p;
            continue;
        }

        value->data = ngx_pnalloc(pool, NGX_TIME_T_LEN);
        if (value->data == NULL) {
            return NGX_ERROR;
        }

        value->len = ngx_sprintf(value->data, "%T", *(time_t *) p)
                     - value->data;
    }

    return n;
}
