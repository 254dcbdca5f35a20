
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_record.h"


#define NGX_PKI_RECORD_TIME_MAX  253402300799ULL   /* the end of 9999 */


typedef enum {
    NGX_PKI_RECORD_TEXT = 0,
    NGX_PKI_RECORD_TIME,
    NGX_PKI_RECORD_STATUS,
    NGX_PKI_RECORD_REASON,
    NGX_PKI_RECORD_NUMBER
} ngx_pki_record_type_e;


typedef struct {
    ngx_str_t                  name;
    ngx_pki_record_type_e      type;
    size_t                     offset;
    ngx_uint_t                 required;
} ngx_pki_record_field_t;


static ngx_int_t ngx_pki_record_find(ngx_str_t *name, ngx_uint_t *index);
static ngx_int_t ngx_pki_record_check(ngx_pki_record_t *record,
    ngx_uint_t seen);
static ngx_int_t ngx_pki_record_decode_value(ngx_uint_t type, ngx_str_t *value,
    void *field);
static ngx_int_t ngx_pki_record_encode_value(ngx_pool_t *pool,
    ngx_pki_record_field_t *f, void *field, ngx_str_t *value);
static ngx_int_t ngx_pki_name_find(ngx_str_t *names, ngx_uint_t n,
    ngx_str_t *name);
static ngx_int_t ngx_pki_hex_digit(u_char c);


#define ngx_pki_record_field(name, type, required)                           \
    { ngx_string(#name), NGX_PKI_RECORD_##type,                              \
      offsetof(ngx_pki_record_t, name), required }

#define NGX_PKI_RECORD_NAMES                                                 \
    (sizeof(ngx_pki_record_fields) / sizeof(ngx_pki_record_fields[0]))


/* "der" is the first one: the script that adds a record relies on it */

static ngx_pki_record_field_t  ngx_pki_record_fields[] = {

    ngx_pki_record_field(der, TEXT, 0),
    ngx_pki_record_field(subject, TEXT, 0),
    ngx_pki_record_field(sans, TEXT, 0),
    ngx_pki_record_field(not_before, TIME, 1),
    ngx_pki_record_field(not_after, TIME, 1),
    ngx_pki_record_field(profile, TEXT, 0),
    ngx_pki_record_field(source, TEXT, 0),
    ngx_pki_record_field(requester, TEXT, 0),
    ngx_pki_record_field(device, TEXT, 0),
    ngx_pki_record_field(user, TEXT, 0),
    ngx_pki_record_field(transaction, TEXT, 0),
    ngx_pki_record_field(renewed, TEXT, 0),
    ngx_pki_record_field(vouched, TEXT, 0),
    ngx_pki_record_field(withheld, TEXT, 0),
    ngx_pki_record_field(status, STATUS, 1),
    ngx_pki_record_field(revoked_at, TIME, 0),
    ngx_pki_record_field(reason, REASON, 0),
    ngx_pki_record_field(revoked_by, TEXT, 0),
    ngx_pki_record_field(issued_at, TIME, 1),
    ngx_pki_record_field(version, NUMBER, 1)
};


static ngx_str_t  ngx_pki_status_names[] = {
    ngx_string("unknown"),
    ngx_string("good"),
    ngx_string("hold"),
    ngx_string("revoked")
};

#define NGX_PKI_STATUSES                                                     \
    (sizeof(ngx_pki_status_names) / sizeof(ngx_pki_status_names[0]))


/* RFC 5280, 5.3.1; 7 is not used */

static ngx_str_t  ngx_pki_reason_names[] = {
    ngx_string("unspecified"),
    ngx_string("keyCompromise"),
    ngx_string("cACompromise"),
    ngx_string("affiliationChanged"),
    ngx_string("superseded"),
    ngx_string("cessationOfOperation"),
    ngx_string("certificateHold"),
    ngx_null_string,
    ngx_string("removeFromCRL"),
    ngx_string("privilegeWithdrawn"),
    ngx_string("aACompromise")
};

#define NGX_PKI_REASONS                                                      \
    (sizeof(ngx_pki_reason_names) / sizeof(ngx_pki_reason_names[0]))


ngx_int_t
ngx_pki_record_decode(ngx_str_t *fields, ngx_uint_t n,
    ngx_pki_record_t *record)
{
    ngx_uint_t               i, index, seen;
    ngx_pki_record_field_t  *f;

    ngx_memzero(record, sizeof(ngx_pki_record_t));

    if (n % 2 != 0) {
        return NGX_ERROR;
    }

    seen = 0;

    for (i = 0; i < n; i += 2) {

        if (ngx_pki_record_find(&fields[i], &index) != NGX_OK) {
            continue;
        }

        if (seen & ((ngx_uint_t) 1 << index)) {
            return NGX_ERROR;
        }

        seen |= (ngx_uint_t) 1 << index;
        f = &ngx_pki_record_fields[index];

        if (ngx_pki_record_decode_value(f->type, &fields[i + 1],
                                        (u_char *) record + f->offset)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_pki_record_check(record, seen);
}


ngx_int_t
ngx_pki_record_encode(ngx_pool_t *pool, ngx_pki_record_t *record,
    ngx_str_t *fields)
{
    ngx_int_t                n;
    ngx_str_t                value;
    ngx_uint_t               i;
    ngx_pki_record_field_t  *f;

    n = 0;

    for (i = 0; i < NGX_PKI_RECORD_NAMES; i++) {
        f = &ngx_pki_record_fields[i];

        if (ngx_pki_record_encode_value(pool, f,
                                        (u_char *) record + f->offset, &value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (value.len != 0) {
            fields[n++] = f->name;
            fields[n++] = value;
        }
    }

    return n;
}


ngx_str_t *
ngx_pki_record_name(ngx_uint_t i)
{
    return i < NGX_PKI_RECORD_NAMES ? &ngx_pki_record_fields[i].name : NULL;
}


ngx_str_t *
ngx_pki_status_name(ngx_pki_status_e status)
{
    if ((ngx_uint_t) status >= NGX_PKI_STATUSES) {
        status = NGX_PKI_STATUS_UNKNOWN;
    }

    return &ngx_pki_status_names[status];
}


ngx_str_t *
ngx_pki_reason_name(ngx_int_t reason)
{
    if (reason < 0 || reason >= (ngx_int_t) NGX_PKI_REASONS
        || ngx_pki_reason_names[reason].len == 0)
    {
        reason = NGX_PKI_REASON_UNSPECIFIED;
    }

    return &ngx_pki_reason_names[reason];
}


ngx_int_t
ngx_pki_status_parse(ngx_str_t *name, ngx_pki_status_e *status)
{
    ngx_int_t  i;

    i = ngx_pki_name_find(ngx_pki_status_names, NGX_PKI_STATUSES, name);

    /* nothing is recorded as unknown */

    if (i == NGX_ERROR || i == NGX_PKI_STATUS_UNKNOWN) {
        return NGX_ERROR;
    }

    *status = (ngx_pki_status_e) i;

    return NGX_OK;
}


ngx_int_t
ngx_pki_reason_parse(ngx_str_t *name, ngx_int_t *reason)
{
    ngx_int_t  i;

    i = ngx_pki_name_find(ngx_pki_reason_names, NGX_PKI_REASONS, name);

    if (i == NGX_ERROR) {
        return NGX_ERROR;
    }

    *reason = i;

    return NGX_OK;
}


ngx_int_t
ngx_pki_reason_decode(ngx_str_t *text, ngx_int_t *reason)
{
    uint64_t  number;

    if (ngx_pki_number_parse(text, NGX_PKI_REASONS - 1, &number) != NGX_OK
        || ngx_pki_reason_names[number].len == 0)
    {
        return NGX_ERROR;
    }

    *reason = (ngx_int_t) number;

    return NGX_OK;
}


ngx_int_t
ngx_pki_status_check(ngx_pki_status_e status, ngx_int_t reason,
    time_t revoked_at)
{
    switch (status) {

    case NGX_PKI_STATUS_GOOD:
        return (revoked_at == 0 && reason == 0) ? NGX_OK : NGX_ERROR;

    case NGX_PKI_STATUS_HOLD:
        return (revoked_at != 0 && reason == NGX_PKI_REASON_HOLD) ? NGX_OK
                                                                  : NGX_ERROR;

    case NGX_PKI_STATUS_REVOKED:
        return (revoked_at != 0 && reason != NGX_PKI_REASON_HOLD
                && reason != NGX_PKI_REASON_REMOVE_FROM_CRL) ? NGX_OK
                                                             : NGX_ERROR;

    default:
        return NGX_ERROR;
    }
}


ngx_int_t
ngx_pki_number_parse(ngx_str_t *text, uint64_t max, uint64_t *number)
{
    size_t    i;
    u_char    digit;
    uint64_t  n;

    if (text->len == 0 || (text->len > 1 && text->data[0] == '0')) {
        return NGX_ERROR;
    }

    n = 0;

    for (i = 0; i < text->len; i++) {

        if (text->data[i] < '0' || text->data[i] > '9') {
            return NGX_ERROR;
        }

        digit = text->data[i] - '0';

        if (digit > max || n > (max - digit) / 10) {
            return NGX_ERROR;
        }

        n = n * 10 + digit;
    }

    *number = n;

    return NGX_OK;
}


ngx_int_t
ngx_pki_time_parse(ngx_str_t *text, time_t *t)
{
    uint64_t  n;

    if (ngx_pki_number_parse(text, NGX_PKI_RECORD_TIME_MAX, &n) != NGX_OK) {
        return NGX_ERROR;
    }

    *t = (time_t) n;

    return NGX_OK;
}


ngx_int_t
ngx_pki_serial_parse(ngx_str_t *hex, ngx_pki_serial_t *serial)
{
    size_t     i;
    ngx_int_t  high, low;

    if (hex->len == 0 || hex->len % 2 != 0
        || hex->len > 2 * NGX_PKI_SERIAL_LEN)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < hex->len; i += 2) {
        high = ngx_pki_hex_digit(hex->data[i]);
        low = ngx_pki_hex_digit(hex->data[i + 1]);

        if (high == NGX_ERROR || low == NGX_ERROR) {
            return NGX_ERROR;
        }

        serial->data[i / 2] = (u_char) (high << 4 | low);
    }

    serial->len = (u_char) (hex->len / 2);

    /* X.690, 8.3.2: no INTEGER of a certificate is longer than it must be */

    if (serial->len > 1
        && (serial->data[0] == 0 || serial->data[0] == 0xff)
        && ((serial->data[0] ^ serial->data[1]) & 0x80) == 0)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


size_t
ngx_pki_serial_print(u_char *out, ngx_pki_serial_t *serial)
{
    return ngx_hex_dump(out, serial->data, serial->len) - out;
}


static ngx_int_t
ngx_pki_record_find(ngx_str_t *name, ngx_uint_t *index)
{
    ngx_uint_t               i;
    ngx_pki_record_field_t  *f;

    for (i = 0; i < NGX_PKI_RECORD_NAMES; i++) {
        f = &ngx_pki_record_fields[i];

        if (f->name.len == name->len
            && ngx_memcmp(f->name.data, name->data, name->len) == 0)
        {
            *index = i;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


/* what is incomplete or contradicts itself must not pass for good */

static ngx_int_t
ngx_pki_record_check(ngx_pki_record_t *record, ngx_uint_t seen)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_PKI_RECORD_NAMES; i++) {

        if (ngx_pki_record_fields[i].required
            && !(seen & ((ngx_uint_t) 1 << i)))
        {
            return NGX_ERROR;
        }
    }

    return ngx_pki_status_check(record->status, record->reason,
                                record->revoked_at);
}


static ngx_int_t
ngx_pki_record_decode_value(ngx_uint_t type, ngx_str_t *value, void *field)
{
    switch (type) {

    case NGX_PKI_RECORD_TIME:
        return ngx_pki_time_parse(value, field);

    case NGX_PKI_RECORD_STATUS:
        return ngx_pki_status_parse(value, field);

    case NGX_PKI_RECORD_REASON:
        return ngx_pki_reason_decode(value, field);

    case NGX_PKI_RECORD_NUMBER:
        return ngx_pki_number_parse(value, NGX_PKI_NUMBER_MAX, field);

    default: /* NGX_PKI_RECORD_TEXT */
        *(ngx_str_t *) field = *value;
        return NGX_OK;
    }
}


static ngx_int_t
ngx_pki_record_encode_value(ngx_pool_t *pool, ngx_pki_record_field_t *f,
    void *field, ngx_str_t *value)
{
    uint64_t  number;

    switch (f->type) {

    case NGX_PKI_RECORD_TIME:
        number = *(time_t *) field;
        break;

    case NGX_PKI_RECORD_STATUS:
        *value = *ngx_pki_status_name(*(ngx_pki_status_e *) field);
        return NGX_OK;

    case NGX_PKI_RECORD_REASON:
        number = *(ngx_int_t *) field;
        break;

    case NGX_PKI_RECORD_NUMBER:
        number = *(uint64_t *) field;
        break;

    default: /* NGX_PKI_RECORD_TEXT */
        *value = *(ngx_str_t *) field;
        return NGX_OK;
    }

    if (number == 0 && !f->required) {
        ngx_str_null(value);
        return NGX_OK;
    }

    value->data = ngx_pnalloc(pool, NGX_INT64_LEN);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    value->len = ngx_sprintf(value->data, "%uL", number) - value->data;

    return NGX_OK;
}


static ngx_int_t
ngx_pki_name_find(ngx_str_t *names, ngx_uint_t n, ngx_str_t *name)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {

        if (names[i].len == name->len && name->len != 0
            && ngx_memcmp(names[i].data, name->data, name->len) == 0)
        {
            return i;
        }
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_pki_hex_digit(u_char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }

    return NGX_ERROR;
}
