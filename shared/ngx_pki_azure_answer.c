
/*
 * Copyright (C) the ngx_pki authors
 *
 * Three dialects.  Entra: {"access_token","expires_in":3599,"token_type"}.
 * IMDS and Arc: the same with strings, "expires_on" and "client_id" besides.
 * App Service: no "expires_in", "expires_on" is epoch seconds or ISO 8601.
 */


#include "ngx_pki_azure_answer.h"
#include "ngx_pki_json.h"


/* a token is good for a day; what is longer must not overflow anything */

#define NGX_PKI_AZURE_MAX_LIFETIME  (30 * 24 * 60 * 60)

#define NGX_PKI_AZURE_MAX_WORDS     160


static const char *ngx_pki_azure_answer_lifetime(json_t *object, time_t now,
    time_t *lifetime);
static ngx_int_t ngx_pki_azure_answer_number(json_t *value, int64_t *n);
static ngx_int_t ngx_pki_azure_answer_time(ngx_str_t *text, int64_t *t);
static ngx_int_t ngx_pki_azure_answer_zone(u_char *p, u_char *last,
    int64_t *offset);
static ngx_int_t ngx_pki_azure_answer_digits(u_char **p, u_char *last,
    ngx_uint_t n, ngx_int_t max, int64_t *value);
static ngx_uint_t ngx_pki_azure_answer_visible(ngx_str_t *text);
static void ngx_pki_azure_answer_words(json_t *object, ngx_str_t *code,
    ngx_str_t *words);
static ngx_int_t ngx_pki_azure_answer_aadsts(json_t *object);
static u_char *ngx_pki_azure_answer_line(u_char *p, u_char *last,
    ngx_str_t *text);


const char *
ngx_pki_azure_answer_token(ngx_pool_t *pool, ngx_str_t *text, time_t now,
    ngx_pki_azure_answer_t *answer)
{
    json_t      *object;
    ngx_int_t    rc;
    ngx_str_t    type;
    const char  *error;

    ngx_memzero(answer, sizeof(ngx_pki_azure_answer_t));

    error = NULL;
    object = ngx_pki_json_parse(pool, text, NGX_PKI_JSON_MAX_SIZE, &error);

    if (object == NULL) {
        return error;
    }

    /* of an array there is none */

    if (ngx_pki_json_get(object, "access_token", &answer->token) != NGX_OK
        || answer->token.len == 0)
    {
        return "an answer without a token";
    }

    rc = ngx_pki_json_get(object, "token_type", &type);

    if (answer->token.len > NGX_PKI_AZURE_MAX_TOKEN
        || !ngx_pki_azure_answer_visible(&answer->token))
    {
        error = "a token that cannot be sent in a header";

    } else if (rc == NGX_ERROR
               || (rc == NGX_OK
                   && (type.len != 6
                       || ngx_strncasecmp(type.data, (u_char *) "Bearer", 6)
                          != 0)))
    {
        error = "a token that is not a bearer token";

    } else if (ngx_pki_json_get(object, "client_id", &answer->client_id)
               == NGX_ERROR)
    {
        error = "a \"client_id\" that is not a string";

    } else {
        error = ngx_pki_azure_answer_lifetime(object, now, &answer->lifetime);
    }

    if (error != NULL) {
        ngx_pki_azure_answer_cleanse(answer);
    }

    return error;
}


void
ngx_pki_azure_answer_cleanse(ngx_pki_azure_answer_t *answer)
{
    ngx_explicit_memzero(answer->token.data, answer->token.len);
    ngx_str_null(&answer->token);
}


/* a duration where there is one: it does not depend on our wall clock */

static const char *
ngx_pki_azure_answer_lifetime(json_t *object, time_t now, time_t *lifetime)
{
    int64_t     n;
    json_t     *value;
    ngx_str_t   text;

    value = json_object_get(object, "expires_in");

    if (value != NULL) {

        if (ngx_pki_azure_answer_number(value, &n) != NGX_OK) {
            return "an \"expires_in\" that is not a number";
        }

    } else {
        value = json_object_get(object, "expires_on");

        if (value == NULL) {
            return "a token without \"expires_in\" and \"expires_on\"";
        }

        if (ngx_pki_azure_answer_number(value, &n) != NGX_OK
            && (ngx_pki_json_get(object, "expires_on", &text) != NGX_OK
                || ngx_pki_azure_answer_time(&text, &n) != NGX_OK))
        {
            return "an \"expires_on\" that is not a time";
        }

        n -= now;
    }

    if (n <= 0) {
        return "a token that has expired, or the clock is wrong";
    }

    *lifetime = ngx_min(n, NGX_PKI_AZURE_MAX_LIFETIME);

    return NULL;
}


/* 86399, or "86399" */

static ngx_int_t
ngx_pki_azure_answer_number(json_t *value, int64_t *n)
{
    u_char  *p, *last;

    if (json_is_integer(value)) {
        *n = json_integer_value(value);

        return (*n < 0) ? NGX_DECLINED : NGX_OK;
    }

    if (!json_is_string(value)) {
        return NGX_DECLINED;
    }

    p = (u_char *) json_string_value(value);
    last = p + json_string_length(value);

    if (p == last || last - p > 15) {
        return NGX_DECLINED;
    }

    for (*n = 0; p < last; p++) {
        if (*p < '0' || *p > '9') {
            return NGX_DECLINED;
        }

        *n = *n * 10 + (*p - '0');
    }

    return NGX_OK;
}


/* 2026-11-22T00:00:00, perhaps a fraction, "Z" or an offset such as +00:00 */

static ngx_int_t
ngx_pki_azure_answer_time(ngx_str_t *text, int64_t *t)
{
    u_char      *p, *last;
    int64_t      field[6], year, offset;
    ngx_uint_t   i;

    static const struct {
        ngx_uint_t  digits;
        ngx_int_t   max;
        u_char      end;
    } fields[] = {
        { 4, 9999, '-' }, { 2, 12, '-' }, { 2, 31, 'T' },
        { 2, 23, ':' }, { 2, 59, ':' }, { 2, 60, '\0' }
    };

    p = text->data;
    last = p + text->len;

    for (i = 0; i < 6; i++) {

        if (ngx_pki_azure_answer_digits(&p, last, fields[i].digits,
                                        fields[i].max, &field[i])
            != NGX_OK)
        {
            return NGX_DECLINED;
        }

        if (fields[i].end != '\0' && (p == last || *p++ != fields[i].end)) {
            return NGX_DECLINED;
        }
    }

    if (field[0] < 1970 || field[1] == 0 || field[2] == 0) {
        return NGX_DECLINED;
    }

    if (p < last && *p == '.') {
        for (p++; p < last && *p >= '0' && *p <= '9'; p++) { /* void */ }
    }

    if (ngx_pki_azure_answer_zone(p, last, &offset) != NGX_OK) {
        return NGX_DECLINED;
    }

    /* Gauss' formula, as in ngx_gmtime(): the year begins in March */

    year = field[0];
    field[1] -= 2;

    if (field[1] <= 0) {
        field[1] += 12;
        year--;
    }

    *t = (365 * year + year / 4 - year / 100 + year / 400
          + 367 * field[1] / 12 - 30 + field[2] - 1 - 719527 + 31 + 28)
         * 86400
         + field[3] * 3600 + field[4] * 60 + field[5] - offset;

    return NGX_OK;
}


static ngx_int_t
ngx_pki_azure_answer_zone(u_char *p, u_char *last, int64_t *offset)
{
    u_char   sign;
    int64_t  hours, minutes;

    if (p == last) {
        return NGX_DECLINED;
    }

    sign = *p++;

    if (sign == 'Z') {
        *offset = 0;

        return (p == last) ? NGX_OK : NGX_DECLINED;
    }

    if ((sign != '+' && sign != '-')
        || ngx_pki_azure_answer_digits(&p, last, 2, 23, &hours) != NGX_OK
        || p == last || *p++ != ':'
        || ngx_pki_azure_answer_digits(&p, last, 2, 59, &minutes) != NGX_OK
        || p != last)
    {
        return NGX_DECLINED;
    }

    *offset = hours * 3600 + minutes * 60;

    if (sign == '-') {
        *offset = -*offset;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_pki_azure_answer_digits(u_char **p, u_char *last, ngx_uint_t n,
    ngx_int_t max, int64_t *value)
{
    ngx_int_t  i;

    if ((ngx_uint_t) (last - *p) < n) {
        return NGX_DECLINED;
    }

    i = ngx_atoi(*p, n);

    if (i == NGX_ERROR || i > max) {
        return NGX_DECLINED;
    }

    *p += n;
    *value = i;

    return NGX_OK;
}


static ngx_uint_t
ngx_pki_azure_answer_visible(ngx_str_t *text)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {
        if (text->data[i] <= ' ' || text->data[i] > '~') {
            return 0;
        }
    }

    return 1;
}


void
ngx_pki_azure_answer_error(ngx_pool_t *pool, ngx_uint_t status,
    ngx_str_t *text, ngx_str_t *error)
{
    u_char     *p, *last;
    json_t     *object;
    ngx_int_t   aadsts;
    ngx_str_t   code, words, prefix;
    u_char      buf[sizeof("AADSTS: ") - 1 + NGX_INT_T_LEN];

    ngx_str_null(&code);
    ngx_str_null(&words);

    object = ngx_pki_json_parse(pool, text, NGX_PKI_JSON_MAX_SIZE, NULL);
    aadsts = ngx_pki_azure_answer_aadsts(object);

    ngx_pki_azure_answer_words(object, &code, &words);

    p = error->data;
    last = p + NGX_PKI_AZURE_MAX_ERROR;

    if (code.len != 0) {
        code.len = ngx_min(code.len, NGX_PKI_AZURE_MAX_WORDS / 4);
        p = ngx_pki_azure_answer_line(p, last, &code);
    }

    if (p == error->data) {
        p = ngx_slprintf(p, last, "HTTP %ui", status);
    }

    if (aadsts != 0) {
        p = ngx_slprintf(p, last, " (AADSTS%i)", aadsts);

        /* the words begin with the same number */

        prefix.data = buf;
        prefix.len = ngx_sprintf(buf, "AADSTS%i: ", aadsts) - buf;

        if (words.len > prefix.len
            && ngx_memcmp(words.data, prefix.data, prefix.len) == 0)
        {
            words.data += prefix.len;
            words.len -= prefix.len;
        }
    }

    if (words.len != 0) {
        words.len = ngx_min(words.len, NGX_PKI_AZURE_MAX_WORDS);

        p = ngx_slprintf(p, last, ": ");
        p = ngx_pki_azure_answer_line(p, last, &words);
    }

    error->len = p - error->data;
}


/*
 * {"error":"code","error_description":"words"}, {"error":{"code","message"}} or
 * {"statusCode","message"}
 */

static void
ngx_pki_azure_answer_words(json_t *object, ngx_str_t *code, ngx_str_t *words)
{
    json_t  *inner;

    inner = json_object_get(object, "error");

    if (json_is_object(inner)) {
        (void) ngx_pki_json_get(inner, "code", code);
        (void) ngx_pki_json_get(inner, "message", words);
        return;
    }

    (void) ngx_pki_json_get(object, "error", code);

    if (ngx_pki_json_get(object, "error_description", words) != NGX_OK) {
        (void) ngx_pki_json_get(object, "message", words);
    }
}


/* the first of "error_codes", 0: there is none */

static ngx_int_t
ngx_pki_azure_answer_aadsts(json_t *object)
{
    json_int_t   n;
    json_t      *codes;

    codes = json_object_get(object, "error_codes");
    n = json_integer_value(json_array_get(codes, 0));

    return (n > 0 && n <= 0x7fffffff) ? (ngx_int_t) n : 0;
}


/* the first line; what is not printable ASCII is left out */

static u_char *
ngx_pki_azure_answer_line(u_char *p, u_char *last, ngx_str_t *text)
{
    u_char  c;
    size_t  i;

    for (i = 0; i < text->len && p < last; i++) {
        c = text->data[i];

        if (c == CR || c == LF) {
            break;
        }

        if (c >= ' ' && c <= '~') {
            *p++ = c;
        }
    }

    return p;
}
