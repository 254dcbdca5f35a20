
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_http_certificate_master_query.h"
#include "ngx_pki_json.h"


#define NGX_HTTP_CERTIFICATE_MASTER_ARGS_MAX    4096
#define NGX_HTTP_CERTIFICATE_MASTER_VALUE_MAX   1024


typedef struct {
    ngx_str_t                  name;
    size_t                     offset;
} ngx_http_certificate_master_param_t;


static ngx_int_t ngx_http_certificate_master_param(ngx_pool_t *pool,
    ngx_str_t *name, ngx_str_t *value,
    ngx_http_certificate_master_query_t *query);
static ngx_int_t ngx_http_certificate_master_unescape(ngx_pool_t *pool,
    ngx_str_t *in, ngx_str_t *out);
static ngx_int_t ngx_http_certificate_master_is_text(ngx_str_t *text);
static ngx_int_t ngx_http_certificate_master_check(ngx_pool_t *pool,
    ngx_http_certificate_master_query_t *query);
static ngx_uint_t ngx_http_certificate_master_is_status(ngx_str_t *name);
static ngx_uint_t ngx_http_certificate_master_contains(ngx_str_t *text,
    ngx_str_t *word);
static ngx_uint_t ngx_http_certificate_master_equal(ngx_str_t *filter,
    ngx_str_t *value);


#define ngx_http_certificate_master_slot(name)                               \
    { ngx_string(#name),                                                     \
      offsetof(ngx_http_certificate_master_query_t, name) }


static ngx_http_certificate_master_param_t
    ngx_http_certificate_master_params[] =
{
    ngx_http_certificate_master_slot(q),
    ngx_http_certificate_master_slot(status),
    ngx_http_certificate_master_slot(profile),
    ngx_http_certificate_master_slot(source),
    ngx_http_certificate_master_slot(authority),
    ngx_http_certificate_master_slot(limit),
    ngx_http_certificate_master_slot(cursor),
    { ngx_null_string, 0 }
};


static ngx_str_t  ngx_http_certificate_master_expired = ngx_string("expired");


ngx_int_t
ngx_http_certificate_master_query_parse(ngx_pool_t *pool, ngx_str_t *args,
    ngx_http_certificate_master_query_t *query)
{
    u_char     *p, *last, *end, *equal;
    ngx_int_t   rc;
    ngx_str_t   name, value;

    ngx_memzero(query, sizeof(ngx_http_certificate_master_query_t));

    if (args->len > NGX_HTTP_CERTIFICATE_MASTER_ARGS_MAX) {
        query->error = "the query is too long";
        return NGX_DECLINED;
    }

    last = args->data + args->len;

    for (p = args->data; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, '&');
        end = (end != NULL) ? end : last;

        if (p == end) {
            continue;
        }

        equal = ngx_strlchr(p, end, '=');
        equal = (equal != NULL) ? equal : end;

        name.data = p;
        name.len = equal - p;

        value.data = equal + (equal < end);
        value.len = end - value.data;

        rc = ngx_http_certificate_master_param(pool, &name, &value, query);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return ngx_http_certificate_master_check(pool, query);
}


static ngx_int_t
ngx_http_certificate_master_param(ngx_pool_t *pool, ngx_str_t *name,
    ngx_str_t *value, ngx_http_certificate_master_query_t *query)
{
    ngx_int_t                             rc;
    ngx_str_t                            *slot;
    ngx_http_certificate_master_param_t  *p;

    for (p = ngx_http_certificate_master_params; p->name.len != 0; p++) {
        if (p->name.len == name->len
            && ngx_strncmp(p->name.data, name->data, name->len) == 0)
        {
            break;
        }
    }

    if (p->name.len == 0) {
        query->error = "unknown parameter of the query";
        return NGX_DECLINED;
    }

    slot = (ngx_str_t *) ((char *) query + p->offset);

    if (slot->data != NULL) {
        query->error = "a parameter of the query is given twice";
        return NGX_DECLINED;
    }

    rc = ngx_http_certificate_master_unescape(pool, value, slot);

    if (rc == NGX_DECLINED) {
        query->error = "malformed parameter of the query";
    }

    return rc;
}


/* as HTML forms encode it: percent signs, "+" for a blank */

static ngx_int_t
ngx_http_certificate_master_unescape(ngx_pool_t *pool, ngx_str_t *in,
    ngx_str_t *out)
{
    u_char     *p;
    size_t      i;
    ngx_int_t   ch;

    if (in->len > NGX_HTTP_CERTIFICATE_MASTER_VALUE_MAX) {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(pool, in->len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    out->data = p;

    for (i = 0; i < in->len; i++) {

        switch (in->data[i]) {

        case '+':
            *p++ = ' ';
            break;

        case '%':
            if (in->len - i < 3) {
                return NGX_DECLINED;
            }

            ch = ngx_hextoi(&in->data[i + 1], 2);

            if (ch == NGX_ERROR) {
                return NGX_DECLINED;
            }

            *p++ = (u_char) ch;
            i += 2;
            break;

        default:
            *p++ = in->data[i];
        }
    }

    out->len = p - out->data;

    return ngx_http_certificate_master_is_text(out);
}


/* UTF-8 without control characters */

static ngx_int_t
ngx_http_certificate_master_is_text(ngx_str_t *text)
{
    u_char  *p, *last;
    size_t   len;

    last = text->data + text->len;

    for (p = text->data; p < last; p += len) {

        len = ngx_pki_json_utf8(p, last);

        if (len == 0 || *p < ' ' || *p == 0x7f) {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_certificate_master_check(ngx_pool_t *pool,
    ngx_http_certificate_master_query_t *query)
{
    ngx_int_t  n, rc;

    query->max = NGX_HTTP_CERTIFICATE_MASTER_LIMIT;

    if (query->limit.data != NULL) {
        n = ngx_atoi(query->limit.data, query->limit.len);

        if (n < 1 || n > NGX_HTTP_CERTIFICATE_MASTER_LIMIT_MAX) {
            query->error = "\"limit\" must be from 1 to 1000";
            return NGX_DECLINED;
        }

        query->max = n;
    }

    if (query->status.len != 0
        && !ngx_http_certificate_master_is_status(&query->status))
    {
        query->error = "\"status\" must be good, hold, revoked or expired";
        return NGX_DECLINED;
    }

    if (query->cursor.len != 0) {
        rc = ngx_http_certificate_master_cursor_parse(pool, &query->cursor,
                                                      &query->start);
        if (rc == NGX_DECLINED) {
            query->error = "invalid \"cursor\"";
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    ngx_strlow(query->q.data, query->q.data, query->q.len);

    return NGX_OK;
}


static ngx_uint_t
ngx_http_certificate_master_is_status(ngx_str_t *name)
{
    ngx_pki_status_e  status;

    if (ngx_pki_str_eq(name, "expired")) {
        return 1;
    }

    return ngx_pki_status_parse(name, &status) == NGX_OK
           && status != NGX_PKI_STATUS_UNKNOWN;
}


ngx_uint_t
ngx_http_certificate_master_query_match(
    ngx_http_certificate_master_query_t *query, ngx_pki_record_t *record,
    time_t now)
{
    ngx_str_t  *q;

    if (!ngx_http_certificate_master_equal(&query->profile, &record->profile)
        || !ngx_http_certificate_master_equal(&query->source,
                                              &record->source)
        || !ngx_http_certificate_master_equal(&query->status,
                            ngx_http_certificate_master_status(record, now)))
    {
        return 0;
    }

    q = &query->q;

    return ngx_http_certificate_master_contains(&record->subject, q)
           || ngx_http_certificate_master_contains(&record->sans, q)
           || ngx_http_certificate_master_contains(&record->serial, q)
           || ngx_http_certificate_master_contains(&record->requester, q);
}


ngx_uint_t
ngx_http_certificate_master_query_all(
    ngx_http_certificate_master_query_t *query)
{
    return query->q.len == 0 && query->status.len == 0
           && query->profile.len == 0 && query->source.len == 0;
}


/* "word" is in lower case and may be empty */

static ngx_uint_t
ngx_http_certificate_master_contains(ngx_str_t *text, ngx_str_t *word)
{
    u_char  *p, *last;
    size_t   i;

    if (word->len > text->len) {
        return 0;
    }

    last = text->data + text->len - word->len;

    for (p = text->data; p <= last; p++) {

        for (i = 0; i < word->len; i++) {
            if (ngx_tolower(p[i]) != word->data[i]) {
                break;
            }
        }

        if (i == word->len) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_certificate_master_equal(ngx_str_t *filter, ngx_str_t *value)
{
    return filter->len == 0
           || (filter->len == value->len
               && ngx_memcmp(filter->data, value->data, value->len) == 0);
}


ngx_str_t *
ngx_http_certificate_master_status(ngx_pki_record_t *record, time_t now)
{
    if (record->status == NGX_PKI_STATUS_GOOD && record->not_after < now) {
        return &ngx_http_certificate_master_expired;
    }

    return ngx_pki_status_name(record->status);
}


ngx_int_t
ngx_http_certificate_master_cursor_print(ngx_pool_t *pool,
    ngx_http_certificate_master_cursor_t *cursor, ngx_str_t *text)
{
    u_char     *p;
    size_t      len;
    ngx_str_t   plain;

    len = cursor->authority.len + 1 + cursor->position.len;

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    plain.data = p;
    plain.len = len;

    (void) ngx_snprintf(p, len, "%V\n%V", &cursor->authority,
                        &cursor->position);

    text->data = ngx_pnalloc(pool, ngx_base64_encoded_length(plain.len));
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    ngx_encode_base64url(text, &plain);

    return NGX_OK;
}


ngx_int_t
ngx_http_certificate_master_cursor_parse(ngx_pool_t *pool, ngx_str_t *text,
    ngx_http_certificate_master_cursor_t *cursor)
{
    u_char     *p, *last;
    ngx_str_t   plain;

    plain.data = ngx_pnalloc(pool, ngx_base64_decoded_length(text->len) + 3);
    if (plain.data == NULL) {
        return NGX_ERROR;
    }

    if (ngx_decode_base64url(&plain, text) != NGX_OK) {
        return NGX_DECLINED;
    }

    last = plain.data + plain.len;
    p = ngx_strlchr(plain.data, last, LF);

    if (p == NULL || p == plain.data) {
        return NGX_DECLINED;
    }

    cursor->authority.data = plain.data;
    cursor->authority.len = p - plain.data;

    cursor->position.data = p + 1;
    cursor->position.len = last - cursor->position.data;

    if (ngx_http_certificate_master_is_text(&cursor->authority) != NGX_OK) {
        return NGX_DECLINED;
    }

    return ngx_http_certificate_master_is_text(&cursor->position);
}


ngx_int_t
ngx_http_certificate_master_serial(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *serial)
{
    ngx_pki_serial_t  octets;

    if (text->len > 2 * NGX_PKI_SERIAL_LEN) {
        return NGX_DECLINED;
    }

    serial->data = ngx_pnalloc(pool, text->len + 1);
    if (serial->data == NULL) {
        return NGX_ERROR;
    }

    serial->len = text->len;
    ngx_strlow(serial->data, text->data, text->len);

    return (ngx_pki_serial_parse(serial, &octets) == NGX_OK) ? NGX_OK
                                                             : NGX_DECLINED;
}
