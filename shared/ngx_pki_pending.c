
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_pending.h"
#include "ngx_pki_md.h"
#include "ngx_pki_record.h"


typedef enum {
    NGX_PKI_PENDING_TEXT = 0,
    NGX_PKI_PENDING_TIME,
    NGX_PKI_PENDING_STATE
} ngx_pki_pending_type_e;


typedef struct {
    ngx_str_t                  name;
    ngx_pki_pending_type_e     type;
    size_t                     offset;
    ngx_uint_t                 required;
} ngx_pki_pending_field_t;


static ngx_int_t ngx_pki_pending_find(ngx_str_t *name, ngx_uint_t *index);
static ngx_int_t ngx_pki_pending_decode_value(ngx_pki_pending_field_t *f,
    ngx_str_t *value, void *field);
static ngx_int_t ngx_pki_pending_check(ngx_pki_pending_t *pending,
    ngx_uint_t seen);
static ngx_int_t ngx_pki_pending_encode_time(ngx_pool_t *pool, time_t t,
    ngx_str_t *value);


#define ngx_pki_pending_field(name, type, required)                          \
    { ngx_string(#name), NGX_PKI_PENDING_##type,                             \
      offsetof(ngx_pki_pending_t, name), required }

#define NGX_PKI_PENDING_NAMES                                                \
    (sizeof(ngx_pki_pending_fields) / sizeof(ngx_pki_pending_fields[0]))


/* lists leave out the first one: see NGX_PKI_PENDING_LISTED */

static ngx_pki_pending_field_t  ngx_pki_pending_fields[] = {

    ngx_pki_pending_field(csr, TEXT, 0),
    ngx_pki_pending_field(key, TEXT, 1),
    ngx_pki_pending_field(subject, TEXT, 0),
    ngx_pki_pending_field(sans, TEXT, 0),
    ngx_pki_pending_field(key_type, TEXT, 0),
    ngx_pki_pending_field(usages, TEXT, 0),
    ngx_pki_pending_field(profile, TEXT, 0),
    ngx_pki_pending_field(transaction, TEXT, 1),
    ngx_pki_pending_field(requester, TEXT, 0),
    ngx_pki_pending_field(received, TIME, 1),
    ngx_pki_pending_field(ttl, TIME, 1),
    ngx_pki_pending_field(state, STATE, 1),
    ngx_pki_pending_field(serial, TEXT, 0),
    ngx_pki_pending_field(decided_by, TEXT, 0),
    ngx_pki_pending_field(decided_at, TIME, 0)
};


static ngx_str_t  ngx_pki_pending_states[] = {
    ngx_string("pending"),
    ngx_string("approved"),
    ngx_string("rejected")
};

#define NGX_PKI_PENDING_STATES                                               \
    (sizeof(ngx_pki_pending_states) / sizeof(ngx_pki_pending_states[0]))


ngx_int_t
ngx_pki_pending_id(ngx_pool_t *pool, ngx_str_t *authority,
    ngx_str_t *transaction, ngx_str_t *key, ngx_str_t *id)
{
    return ngx_pki_md_name(pool, authority, transaction, key, id);
}


ngx_int_t
ngx_pki_pending_id_check(ngx_str_t *id)
{
    size_t  i;
    u_char  ch;

    if (id->len != NGX_PKI_PENDING_ID_LEN) {
        return NGX_ERROR;
    }

    for (i = 0; i < id->len; i++) {
        ch = id->data[i];

        if ((ch < '0' || ch > '9') && (ch < 'a' || ch > 'f')) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_pki_pending_handle_parse(ngx_str_t *text, ngx_str_t *id, ngx_str_t *key)
{
    if (text->len != NGX_PKI_PENDING_HANDLE_LEN) {
        return NGX_ERROR;
    }

    id->data = text->data;
    id->len = NGX_PKI_PENDING_ID_LEN;

    key->data = text->data + NGX_PKI_PENDING_ID_LEN;
    key->len = NGX_PKI_PENDING_ID_LEN;

    if (ngx_pki_pending_id_check(id) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_pki_pending_id_check(key);
}


ngx_int_t
ngx_pki_pending_decode(ngx_str_t *fields, ngx_uint_t n,
    ngx_pki_pending_t *pending)
{
    ngx_uint_t                i, index, seen;
    ngx_pki_pending_field_t  *f;

    ngx_memzero(pending, sizeof(ngx_pki_pending_t));

    if (n % 2 != 0) {
        return NGX_ERROR;
    }

    seen = 0;

    for (i = 0; i < n; i += 2) {

        if (ngx_pki_pending_find(&fields[i], &index) != NGX_OK) {
            continue;
        }

        if (seen & ((ngx_uint_t) 1 << index)) {
            return NGX_ERROR;
        }

        seen |= (ngx_uint_t) 1 << index;
        f = &ngx_pki_pending_fields[index];

        if (ngx_pki_pending_decode_value(f, &fields[i + 1],
                                         (u_char *) pending + f->offset)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_pki_pending_check(pending, seen);
}


static ngx_int_t
ngx_pki_pending_find(ngx_str_t *name, ngx_uint_t *index)
{
    ngx_uint_t  i;
    ngx_str_t  *known;

    for (i = 0; i < NGX_PKI_PENDING_NAMES; i++) {
        known = &ngx_pki_pending_fields[i].name;

        if (known->len == name->len
            && ngx_memcmp(known->data, name->data, name->len) == 0)
        {
            *index = i;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_pki_pending_decode_value(ngx_pki_pending_field_t *f, ngx_str_t *value,
    void *field)
{
    switch (f->type) {

    case NGX_PKI_PENDING_TIME:
        return ngx_pki_time_parse(value, field);

    case NGX_PKI_PENDING_STATE:
        return ngx_pki_pending_state_parse(value, field);

    default: /* NGX_PKI_PENDING_TEXT */
        *(ngx_str_t *) field = *value;
        return NGX_OK;
    }
}


/* what contradicts itself must not pass for decided, nor for open */

static ngx_int_t
ngx_pki_pending_check(ngx_pki_pending_t *pending, ngx_uint_t seen)
{
    ngx_uint_t        i;
    ngx_pki_serial_t  serial;

    for (i = 0; i < NGX_PKI_PENDING_NAMES; i++) {

        if (ngx_pki_pending_fields[i].required
            && !(seen & ((ngx_uint_t) 1 << i)))
        {
            return NGX_ERROR;
        }
    }

    if (ngx_pki_pending_id_check(&pending->key) != NGX_OK
        || pending->transaction.len == 0
        || pending->received == 0
        || pending->ttl == 0
        || (pending->state == NGX_PKI_PENDING_WAITS)
           != (pending->decided_at == 0))
    {
        return NGX_ERROR;
    }

    if (pending->state == NGX_PKI_PENDING_APPROVED) {
        return ngx_pki_serial_parse(&pending->serial, &serial);
    }

    return (pending->serial.len == 0) ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_pki_pending_encode(ngx_pool_t *pool, ngx_pki_pending_t *pending,
    ngx_str_t *fields)
{
    void                     *field;
    ngx_int_t                 n;
    ngx_str_t                 value;
    ngx_uint_t                i;
    ngx_pki_pending_field_t  *f;

    n = 0;

    for (i = 0; i < NGX_PKI_PENDING_NAMES; i++) {
        f = &ngx_pki_pending_fields[i];
        field = (u_char *) pending + f->offset;

        switch (f->type) {

        case NGX_PKI_PENDING_TIME:

            if (ngx_pki_pending_encode_time(pool, *(time_t *) field, &value)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            if (*(time_t *) field == 0) {
                value.len = 0;
            }

            break;

        case NGX_PKI_PENDING_STATE:
            value = *ngx_pki_pending_state_name(pending->state);
            break;

        default: /* NGX_PKI_PENDING_TEXT */
            value = *(ngx_str_t *) field;
            break;
        }

        if (value.len != 0) {
            fields[n++] = f->name;
            fields[n++] = value;
        }
    }

    return n;
}


static ngx_int_t
ngx_pki_pending_encode_time(ngx_pool_t *pool, time_t t, ngx_str_t *value)
{
    value->data = ngx_pnalloc(pool, NGX_TIME_T_LEN);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    value->len = ngx_sprintf(value->data, "%T", t) - value->data;

    return NGX_OK;
}


ngx_str_t *
ngx_pki_pending_name(ngx_uint_t i)
{
    return i < NGX_PKI_PENDING_NAMES ? &ngx_pki_pending_fields[i].name : NULL;
}


ngx_str_t *
ngx_pki_pending_state_name(ngx_pki_pending_state_e state)
{
    return &ngx_pki_pending_states[state];
}


ngx_int_t
ngx_pki_pending_state_parse(ngx_str_t *name, ngx_pki_pending_state_e *state)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_PKI_PENDING_STATES; i++) {

        if (ngx_pki_pending_states[i].len == name->len
            && ngx_memcmp(ngx_pki_pending_states[i].data, name->data,
                          name->len)
               == 0)
        {
            *state = (ngx_pki_pending_state_e) i;
            return NGX_OK;
        }
    }

    return NGX_ERROR;
}
