
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_json.h"


#define NGX_PKI_JSON_TIME_LEN  (sizeof("2026-01-01T00:00:00Z") - 1)


static json_t *ngx_pki_json_load(ngx_pool_t *pool, ngx_str_t *text, size_t max,
    size_t flags, const char **error);
static ngx_int_t ngx_pki_json_bounded(ngx_str_t *text);
static void ngx_pki_json_cleanup(void *data);
static json_t *ngx_pki_json_string(ngx_str_t *value);
static size_t ngx_pki_json_clean(u_char *out, ngx_str_t *in);


/* U+FFFD REPLACEMENT CHARACTER */

static u_char  ngx_pki_json_replacement[] = { 0xef, 0xbf, 0xbd };


json_t *
ngx_pki_json_parse(ngx_pool_t *pool, ngx_str_t *text, size_t max,
    const char **error)
{
    return ngx_pki_json_load(pool, text, max, JSON_REJECT_DUPLICATES, error);
}


json_t *
ngx_pki_json_parse_nul(ngx_pool_t *pool, ngx_str_t *text, size_t max,
    const char **error)
{
    return ngx_pki_json_load(pool, text, max,
                             JSON_REJECT_DUPLICATES|JSON_ALLOW_NUL, error);
}


static json_t *
ngx_pki_json_load(ngx_pool_t *pool, ngx_str_t *text, size_t max, size_t flags,
    const char **error)
{
    json_t        *value;
    const char    *reason;
    json_error_t   err;

    value = NULL;

    if (text->len > ngx_min(max, NGX_PKI_JSON_MAX_SIZE)) {
        reason = "JSON is too long";

    } else if (ngx_pki_json_bounded(text) != NGX_OK) {
        reason = "JSON is nested too deeply";

    } else {
        reason = "malformed JSON";
        value = json_loadb((char *) text->data, text->len, flags, &err);
        value = ngx_pki_json_own(pool, value);
    }

    if (value == NULL && error != NULL) {
        *error = reason;
    }

    return value;
}


json_t *
ngx_pki_json_own(ngx_pool_t *pool, json_t *value)
{
    ngx_pool_cleanup_t  *cln;

    if (value == NULL) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL) {
        json_decref(value);
        return NULL;
    }

    cln->handler = ngx_pki_json_cleanup;
    cln->data = value;

    return value;
}


ngx_int_t
ngx_pki_json_get(json_t *object, const char *name, ngx_str_t *value)
{
    json_t  *member;

    member = json_object_get(object, name);

    if (member == NULL) {
        return NGX_DECLINED;
    }

    if (!json_is_string(member)) {
        return NGX_ERROR;
    }

    value->data = (u_char *) json_string_value(member);
    value->len = json_string_length(member);

    return NGX_OK;
}


const char *
ngx_pki_json_unknown(json_t *object, const char **names)
{
    void         *iter;
    ngx_uint_t    i;
    const char   *name;

    for (iter = json_object_iter(object);
         iter != NULL;
         iter = json_object_iter_next(object, iter))
    {
        name = json_object_iter_key(iter);

        for (i = 0; names[i] != NULL; i++) {
            if (ngx_strcmp(name, names[i]) == 0) {
                break;
            }
        }

        if (names[i] == NULL) {
            return name;
        }
    }

    return NULL;
}


ngx_int_t
ngx_pki_json_set(json_t *object, const char *name, ngx_str_t *value)
{
    json_t  *member;

    member = (value != NULL) ? ngx_pki_json_string(value) : json_null();

    /* releases "member" if it fails, accepts a NULL one */

    if (json_object_set_new(object, name, member) != 0) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_pki_json_set_time(json_t *object, const char *name, time_t *value)
{
    ngx_tm_t   tm;
    ngx_str_t  text;
    u_char     buf[NGX_PKI_JSON_TIME_LEN];

    if (value == NULL) {
        return ngx_pki_json_set(object, name, NULL);
    }

    ngx_gmtime(*value, &tm);

    text.data = buf;
    text.len = ngx_snprintf(buf, NGX_PKI_JSON_TIME_LEN,
                            "%4d-%02d-%02dT%02d:%02d:%02dZ",
                            tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                            tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec)
               - buf;

    return ngx_pki_json_set(object, name, &text);
}


ngx_int_t
ngx_pki_json_dump(ngx_pool_t *pool, json_t *value, ngx_str_t *out)
{
    size_t  size;

    size = json_dumpb(value, NULL, 0, JSON_COMPACT);
    if (size == 0) {
        return NGX_ERROR;
    }

    out->data = ngx_pnalloc(pool, size);
    if (out->data == NULL) {
        return NGX_ERROR;
    }

    out->len = json_dumpb(value, (char *) out->data, size, JSON_COMPACT);

    return (out->len == size) ? NGX_OK : NGX_ERROR;
}


size_t
ngx_pki_json_utf8(u_char *p, u_char *last)
{
    size_t  i, len;
    u_char  low, high;

    if (p == last) {
        return 0;
    }

    if (*p < 0x80) {
        return 1;
    }

    /* RFC 3629, 4: the second octet excludes long forms and surrogates */

    low = 0x80;
    high = 0xbf;

    if (*p >= 0xc2 && *p <= 0xdf) {
        len = 2;

    } else if (*p >= 0xe0 && *p <= 0xef) {
        len = 3;
        low = (*p == 0xe0) ? 0xa0 : low;
        high = (*p == 0xed) ? 0x9f : high;

    } else if (*p >= 0xf0 && *p <= 0xf4) {
        len = 4;
        low = (*p == 0xf0) ? 0x90 : low;
        high = (*p == 0xf4) ? 0x8f : high;

    } else {
        return 0;
    }

    if ((size_t) (last - p) < len || p[1] < low || p[1] > high) {
        return 0;
    }

    for (i = 2; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }

    return len;
}


/* jansson's parser is recursive, and its own limit is 2048 levels */

static ngx_int_t
ngx_pki_json_bounded(ngx_str_t *text)
{
    size_t      i;
    ngx_uint_t  depth, quoted;

    depth = 0;
    quoted = 0;

    for (i = 0; i < text->len; i++) {

        if (quoted) {
            if (text->data[i] == '\\') {
                i++;

            } else if (text->data[i] == '"') {
                quoted = 0;
            }

            continue;
        }

        switch (text->data[i]) {

        case '"':
            quoted = 1;
            break;

        case '{':
        case '[':
            if (++depth > NGX_PKI_JSON_MAX_DEPTH) {
                return NGX_ERROR;
            }
            break;

        case '}':
        case ']':
            /* more closing than opening ones: the parser refuses that */
            if (depth > 0) {
                depth--;
            }
            break;
        }
    }

    return NGX_OK;
}


static void
ngx_pki_json_cleanup(void *data)
{
    json_t  *value = data;

    json_decref(value);
}


static json_t *
ngx_pki_json_string(ngx_str_t *value)
{
    u_char  *p;
    size_t   len;
    json_t  *string;

    if (value->len == 0) {
        return json_string("");
    }

    string = json_stringn((char *) value->data, value->len);

    if (string != NULL) {
        return string;
    }

    /* an octet becomes three at most */

    p = ngx_alloc(value->len * sizeof(ngx_pki_json_replacement),
                  ngx_cycle->log);
    if (p == NULL) {
        return NULL;
    }

    len = ngx_pki_json_clean(p, value);
    string = json_stringn((char *) p, len);

    ngx_free(p);

    return string;
}


static size_t
ngx_pki_json_clean(u_char *out, ngx_str_t *in)
{
    u_char  *p, *last, *start;
    size_t   len;

    start = out;
    last = in->data + in->len;

    for (p = in->data; p < last; /* void */) {

        len = ngx_pki_json_utf8(p, last);

        if (len != 0) {
            out = ngx_cpymem(out, p, len);
            p += len;
            continue;
        }

        out = ngx_cpymem(out, ngx_pki_json_replacement,
                         sizeof(ngx_pki_json_replacement));
        p++;
    }

    return out - start;
}
