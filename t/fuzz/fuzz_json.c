
/*
 * Copyright (C) the ngx_pki authors
 *
 * What the REST interfaces read: JSON, strings of records on their way into
 * JSON, the query of a list and its cursor.  The first octet chooses.
 */


#include "fuzz.h"
#include "ngx_pki_json.h"
#include "ngx_http_certificate_master_query.h"


static void fuzz_parse(ngx_pool_t *pool, ngx_str_t *text);
static void fuzz_string(ngx_pool_t *pool, ngx_str_t *text);
static void fuzz_query(ngx_pool_t *pool, ngx_str_t *text);
static void fuzz_cursor(ngx_pool_t *pool, ngx_str_t *text);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t    text;
    ngx_pool_t  *pool;

    if (size == 0) {
        return 0;
    }

    pool = fuzz_pool();

    text.len = size - 1;
    text.data = fuzz_copy(pool, data + 1, size - 1);

    switch (data[0]) {

    case 's':
        fuzz_string(pool, &text);
        break;

    case 'q':
        fuzz_query(pool, &text);
        break;

    case 'c':
        fuzz_cursor(pool, &text);
        break;

    default:
        fuzz_parse(pool, &text);
    }

    fuzz_done(pool);

    return 0;
}


/* what was parsed and printed must parse again */

static void
fuzz_parse(ngx_pool_t *pool, ngx_str_t *text)
{
    json_t             *value;
    ngx_str_t           out, csr;
    const char         *error;
    static const char  *names[] = { "csr", "reason", NULL };

    error = NULL;
    value = ngx_pki_json_parse(pool, text, 65536, &error);

    if (value == NULL) {
        if (error == NULL) {
            abort();
        }

        return;
    }

    if (ngx_pki_json_dump(pool, value, &out) != NGX_OK
        || ngx_pki_json_parse(pool, &out, NGX_PKI_JSON_MAX_SIZE, NULL)
           == NULL)
    {
        abort();
    }

    (void) ngx_pki_json_get(value, "csr", &csr);
    (void) ngx_pki_json_unknown(value, names);
}


/* any octets become a string */

static void
fuzz_string(ngx_pool_t *pool, ngx_str_t *text)
{
    json_t     *value;
    time_t      t;
    ngx_str_t   out;

    value = ngx_pki_json_own(pool, json_object());
    t = text->len;

    if (value == NULL
        || ngx_pki_json_set(value, "s", text) != NGX_OK
        || ngx_pki_json_set_time(value, "t", &t) != NGX_OK
        || ngx_pki_json_dump(pool, value, &out) != NGX_OK)
    {
        abort();
    }

    if (ngx_pki_json_parse(pool, &out, NGX_PKI_JSON_MAX_SIZE, NULL) == NULL
        && ngx_strlchr(text->data, text->data + text->len, '\0') == NULL)
    {
        abort();
    }
}


static void
fuzz_query(ngx_pool_t *pool, ngx_str_t *text)
{
    ngx_int_t                             rc;
    ngx_pki_record_t                      record;
    ngx_http_certificate_master_query_t   query;

    rc = ngx_http_certificate_master_query_parse(pool, text, &query);

    if (rc != NGX_OK) {
        if (query.error == NULL) {
            abort();
        }

        return;
    }

    ngx_memzero(&record, sizeof(ngx_pki_record_t));

    record.status = NGX_PKI_STATUS_GOOD;
    record.subject = *text;

    if (query.max < 1 || query.max > NGX_HTTP_CERTIFICATE_MASTER_LIMIT_MAX) {
        abort();
    }

    if (ngx_http_certificate_master_query_all(&query)
        && !ngx_http_certificate_master_query_match(&query, &record, 1))
    {
        abort();
    }
}


/* a cursor that is accepted is printed as one that means the same */

static void
fuzz_cursor(ngx_pool_t *pool, ngx_str_t *text)
{
    ngx_str_t                             out, serial;
    ngx_http_certificate_master_cursor_t  cursor, again;

    (void) ngx_http_certificate_master_serial(pool, text, &serial);

    if (ngx_http_certificate_master_cursor_parse(pool, text, &cursor)
        != NGX_OK)
    {
        return;
    }

    if (ngx_http_certificate_master_cursor_print(pool, &cursor, &out)
        != NGX_OK
        || ngx_http_certificate_master_cursor_parse(pool, &out, &again)
           != NGX_OK
        || again.authority.len != cursor.authority.len
        || again.position.len != cursor.position.len)
    {
        abort();
    }
}
