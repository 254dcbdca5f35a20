
/*
 * Copyright (C) the ngx_pki authors
 *
 * What Intune and Graph answer.  Nobody vouches for it: members are looked at
 * by their type, a name that comes twice is refused, nothing is guessed.
 */


#include "ngx_pki_intune_json.h"
#include "ngx_pki_json.h"


static ngx_int_t ngx_pki_intune_json_list_service(json_t *item,
    ngx_str_t *uri);
static ngx_uint_t ngx_pki_intune_json_host(ngx_str_t *host,
    ngx_array_t *hosts);
static ngx_uint_t ngx_pki_intune_json_is_code(ngx_str_t *code);
static ngx_int_t ngx_pki_intune_json_words(ngx_pool_t *pool, ngx_str_t *in,
    ngx_str_t *words);
static ngx_int_t ngx_pki_intune_json_revocation(json_t *item,
    ngx_pki_intune_revocation_t *revocation);


static ngx_str_t  ngx_pki_intune_json_services[] = {
    ngx_string("ScepRequestValidationFEService"),
    ngx_string("PkiConnectorFEService")
};


ngx_str_t *
ngx_pki_intune_json_service(ngx_pki_intune_service_e service)
{
    return &ngx_pki_intune_json_services[service];
}


const char *
ngx_pki_intune_json_list(ngx_pool_t *pool, ngx_str_t *text, ngx_str_t *uri,
    ngx_str_t *next)
{
    size_t       i;
    json_t      *object, *value;
    const char  *error;

    ngx_str_null(next);

    object = ngx_pki_json_parse(pool, text, NGX_PKI_HTTPS_MAX_ANSWER, &error);
    if (object == NULL) {
        return error;
    }

    value = json_object_get(object, "value");

    if (!json_is_array(value)) {
        return "no array \"value\"";
    }

    for (i = 0; i < json_array_size(value); i++) {
        if (ngx_pki_intune_json_list_service(json_array_get(value, i), uri)
            != NGX_OK)
        {
            return "a service without a name or a \"uri\"";
        }
    }

    if (ngx_pki_json_get(object, "@odata.nextLink", next) == NGX_ERROR) {
        return "\"@odata.nextLink\" is no string";
    }

    return NULL;
}


/* the graph of old called the name "serviceName" */

static ngx_int_t
ngx_pki_intune_json_list_service(json_t *item, ngx_str_t *uri)
{
    ngx_int_t    rc;
    ngx_str_t    name, value;
    ngx_uint_t   i;

    rc = ngx_pki_json_get(item, "providerName", &name);

    if (rc == NGX_DECLINED) {
        rc = ngx_pki_json_get(item, "serviceName", &name);
    }

    if (rc != NGX_OK || ngx_pki_json_get(item, "uri", &value) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_PKI_INTUNE_SERVICES; i++) {

        if (uri[i].len == 0
            && name.len == ngx_pki_intune_json_services[i].len
            && ngx_strncasecmp(name.data, ngx_pki_intune_json_services[i].data,
                               name.len)
               == 0)
        {
            uri[i] = value;
        }
    }

    return NGX_OK;
}


const char *
ngx_pki_intune_json_uri(ngx_pool_t *pool, ngx_str_t *text, ngx_array_t *hosts,
    ngx_pki_url_t *url)
{
    const char  *error;

    if (text->len > NGX_PKI_INTUNE_MAX_URI) {
        return "its URL is too long";
    }

    error = ngx_pki_url_parse(pool, text, url);

    if (error != NULL) {
        return error;
    }

    if (!url->tls) {
        return "its URL is not https";
    }

    if (!ngx_pki_intune_json_host(&url->host, hosts)) {
        return "its host is none of \"intune_host\"";
    }

    if (ngx_strlchr(url->path.data, url->path.data + url->path.len, '?')
        != NULL)
    {
        return "its URL has a query";
    }

    while (url->path.len != 0 && url->path.data[url->path.len - 1] == '/') {
        url->path.len--;
    }

    return NULL;
}


static ngx_uint_t
ngx_pki_intune_json_host(ngx_str_t *host, ngx_array_t *hosts)
{
    u_char      *end;
    ngx_str_t   *allowed;
    ngx_uint_t   i;

    allowed = hosts->elts;

    for (i = 0; i < hosts->nelts; i++) {

        if (allowed[i].data[0] != '.') {

            if (host->len == allowed[i].len
                && ngx_memcmp(host->data, allowed[i].data, host->len) == 0)
            {
                return 1;
            }

            continue;
        }

        if (host->len <= allowed[i].len) {
            continue;
        }

        end = host->data + host->len - allowed[i].len;

        if (ngx_memcmp(end, allowed[i].data, allowed[i].len) == 0) {
            return 1;
        }
    }

    return 0;
}


const char *
ngx_pki_intune_json_code(ngx_pool_t *pool, ngx_str_t *text, ngx_str_t *code,
    ngx_str_t *words)
{
    json_t      *object;
    ngx_str_t    description;
    const char  *error;

    ngx_str_null(code);
    ngx_str_null(words);

    object = ngx_pki_json_parse(pool, text, NGX_PKI_HTTPS_MAX_ANSWER, &error);
    if (object == NULL) {
        return error;
    }

    if (ngx_pki_json_get(object, "code", code) != NGX_OK) {
        return "no string \"code\"";
    }

    if (!ngx_pki_intune_json_is_code(code)) {
        ngx_str_null(code);
        return "a \"code\" that is none";
    }

    if (ngx_pki_json_get(object, "errorDescription", &description) == NGX_OK
        && ngx_pki_intune_json_words(pool, &description, words) != NGX_OK)
    {
        return "out of memory";
    }

    return NULL;
}


/* it goes to the access log as it is */

static ngx_uint_t
ngx_pki_intune_json_is_code(ngx_str_t *code)
{
    u_char  c;
    size_t  i;

    for (i = 0; i < code->len; i++) {
        c = code->data[i];

        if ((c < '0' || c > '9') && (c < 'a' || c > 'z')
            && (c < 'A' || c > 'Z'))
        {
            return 0;
        }
    }

    return code->len > 0 && code->len <= NGX_PKI_INTUNE_MAX_CODE;
}


/*
 * A challenge is one long word, which the description of what is wrong with it
 * could repeat.
 */

static ngx_int_t
ngx_pki_intune_json_words(ngx_pool_t *pool, ngx_str_t *in, ngx_str_t *words)
{
    u_char      *p, *last, *out, *word;
    ngx_uint_t   blank;

    words->data = ngx_pnalloc(pool, ngx_min(in->len, NGX_PKI_INTUNE_MAX_WORDS)
                                    + 1);
    if (words->data == NULL) {
        return NGX_ERROR;
    }

    p = in->data;
    last = p + in->len;
    out = words->data;

    while (p < last && out - words->data < NGX_PKI_INTUNE_MAX_WORDS) {

        word = p;
        blank = (*p <= ' ' || *p > '~');

        while (p < last && (*p <= ' ' || *p > '~') == blank) {
            p++;
        }

        if (blank) {
            *out++ = ' ';

        } else if (p - word <= NGX_PKI_INTUNE_MAX_WORD) {
            out = ngx_cpymem(out, word,
                             ngx_min(p - word, words->data
                                               + NGX_PKI_INTUNE_MAX_WORDS
                                               - out));
        }
    }

    words->len = out - words->data;

    return NGX_OK;
}


/*
 * {"error":{"code":"c","message":"words"}}; the words of Intune are JSON again,
 * {"_version":3,"Message":"words",...}
 */

ngx_int_t
ngx_pki_intune_json_error(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *words)
{
    u_char     *p;
    json_t     *object;
    ngx_str_t   code, message, all;

    ngx_str_null(words);
    ngx_str_set(&code, "");
    ngx_str_set(&message, "");

    object = ngx_pki_json_parse(pool, text, NGX_PKI_HTTPS_MAX_ANSWER, NULL);
    object = json_object_get(object, "error");

    (void) ngx_pki_json_get(object, "code", &code);
    (void) ngx_pki_json_get(object, "message", &message);

    if (message.len != 0 && message.data[0] == '{') {
        object = ngx_pki_json_parse(pool, &message, message.len, NULL);

        (void) ngx_pki_json_get(object, "Message", &message);
    }

    if (code.len == 0 && message.len == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, code.len + 2 + message.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    all.data = p;
    all.len = ngx_sprintf(p, "%V%s%V", &code,
                          (code.len && message.len) ? ": " : "", &message)
              - p;

    return ngx_pki_intune_json_words(pool, &all, words);
}


/* one that cannot be answered comes in all pages, and must not hide others */

const char *
ngx_pki_intune_json_revocations(ngx_pool_t *pool, ngx_str_t *text,
    ngx_uint_t max, ngx_array_t **revocations, ngx_uint_t *left_out)
{
    size_t                        i;
    json_t                       *object, *value;
    const char                   *error;
    ngx_pki_intune_revocation_t   found, *revocation;

    *left_out = 0;

    object = ngx_pki_json_parse_nul(pool, text, NGX_PKI_HTTPS_MAX_ANSWER,
                                    &error);
    if (object == NULL) {
        return error;
    }

    value = json_object_get(object, "value");

    if (!json_is_array(value)) {
        return "no array \"value\"";
    }

    if (json_array_size(value) > max) {
        return "more requests than were asked for";
    }

    *revocations = ngx_array_create(pool, json_array_size(value) + 1,
                                    sizeof(ngx_pki_intune_revocation_t));
    if (*revocations == NULL) {
        return "out of memory";
    }

    for (i = 0; i < json_array_size(value); i++) {

        if (ngx_pki_intune_json_revocation(json_array_get(value, i), &found)
            != NGX_OK)
        {
            (*left_out)++;
            continue;
        }

        /* there is room for it */

        revocation = ngx_array_push(*revocations);
        *revocation = found;
    }

    return NULL;
}


/* one that makes no sense is answered so, as long as it can be answered */

static ngx_int_t
ngx_pki_intune_json_revocation(json_t *item,
    ngx_pki_intune_revocation_t *revocation)
{
    ngx_str_t  *context;

    ngx_memzero(revocation, sizeof(ngx_pki_intune_revocation_t));

    context = &revocation->context;

    if (ngx_pki_json_get(item, "requestContext", context) != NGX_OK
        || context->len == 0
        || ngx_strlchr(context->data, context->data + context->len, '\0')
           != NULL)
    {
        return NGX_ERROR;
    }

    (void) ngx_pki_json_get(item, "serialNumber", &revocation->serial);
    (void) ngx_pki_json_get(item, "issuerName", &revocation->issuer);

    return NGX_OK;
}


/* blanks, colons and zeros in front are a matter of taste (RFC 5280, 4.1.2.2:
 * positive, 20 octets) */

size_t
ngx_pki_intune_json_serial(ngx_str_t *text, u_char *out)
{
    u_char  c, hex[2 * NGX_PKI_SERIAL_LEN + 1], *p;
    size_t  i, len;

    p = hex;

    for (i = 0; i < text->len; i++) {
        c = ngx_tolower(text->data[i]);

        if (c == ' ' || c == ':' || (c == '0' && p == hex)) {
            continue;
        }

        if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) {
            return 0;
        }

        if (p == hex + sizeof(hex)) {
            return 0;
        }

        *p++ = c;
    }

    len = p - hex;

    if (len == 0) {
        return 0;
    }

    /* whole octets, the first bit of them no sign */

    i = (len & 1) ? 1 : ((hex[0] >= '8') ? 2 : 0);

    if (len + i > 2 * NGX_PKI_SERIAL_LEN) {
        return 0;
    }

    ngx_memset(out, '0', i);
    ngx_memcpy(out + i, hex, len);

    return len + i;
}


const char *
ngx_pki_intune_json_uploaded(ngx_pool_t *pool, ngx_str_t *text)
{
    json_t      *object, *value;
    ngx_str_t    string;
    const char  *error;

    object = ngx_pki_json_parse(pool, text, NGX_PKI_HTTPS_MAX_ANSWER, &error);
    if (object == NULL) {
        return error;
    }

    value = json_object_get(object, "value");

    if (json_is_true(value)) {
        return NULL;
    }

    if (ngx_pki_json_get(object, "value", &string) == NGX_OK
        && string.len == 4
        && ngx_strncasecmp(string.data, (u_char *) "true", 4) == 0)
    {
        return NULL;
    }

    return "the results were not taken";
}
