
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_name.h"
#include "ngx_pki_der.h"
#include "ngx_pki_oid.h"
#include "ngx_pki_string.h"


#define NGX_PKI_NAME_MAX_ATTRIBUTES  32
#define NGX_PKI_NAME_MAX_CHARS       256


typedef struct {
    ngx_str_t                  keyword;
    ngx_str_t                  oid;
    ngx_uint_t                 tag;
} ngx_pki_name_type_t;


static ngx_int_t ngx_pki_name_decode_rdn(ngx_pool_t *pool, ngx_pki_der_t *der,
    ngx_uint_t rdn, ngx_array_t *attributes, const char **error);
static ngx_int_t ngx_pki_name_decode_attribute(ngx_pool_t *pool,
    ngx_pki_der_t *der, ngx_pki_name_attribute_t *a, const char **error);
static ngx_int_t ngx_pki_name_keyword(ngx_pool_t *pool,
    ngx_pki_name_attribute_t *a, ngx_str_t *keyword);
static u_char *ngx_pki_name_hex(u_char *p, ngx_str_t *value);
static ngx_int_t ngx_pki_name_parse_rdn(u_char **pos, u_char *last,
    ngx_pki_name_type_t **type, ngx_str_t *value, const char **error);
static ngx_pki_name_type_t *ngx_pki_name_type(u_char *p, size_t len);
static ngx_int_t ngx_pki_name_unescape(u_char **pos, u_char *last,
    ngx_str_t *value, const char **error);
static ngx_uint_t ngx_pki_name_is_special(u_char c);
static ngx_int_t ngx_pki_name_hex_pair(u_char *p, u_char *last);
static const char *ngx_pki_name_check(ngx_pki_name_type_t *type,
    ngx_str_t *value);
static ngx_int_t ngx_pki_name_write(ngx_pool_t *pool,
    ngx_pki_name_type_t **types, ngx_str_t *values, ngx_uint_t n,
    ngx_str_t *name);


/*
 * The names of RFC 4514, 3, and those that administrators know from OpenSSL;
 * the string types of RFC 5280, Appendix A.
 */

static ngx_pki_name_type_t  ngx_pki_name_types[] = {

    { ngx_string("CN"), ngx_string(NGX_PKI_NAME_OID_CN),
      NGX_PKI_DER_UTF8_STRING },
    { ngx_string("SN"), ngx_string("\x55\x04\x04"),
      NGX_PKI_DER_UTF8_STRING },
    { ngx_string("serialNumber"), ngx_string("\x55\x04\x05"),
      NGX_PKI_DER_PRINTABLE_STRING },
    { ngx_string("C"), ngx_string("\x55\x04\x06"),
      NGX_PKI_DER_PRINTABLE_STRING },
    { ngx_string("L"), ngx_string("\x55\x04\x07"),
      NGX_PKI_DER_UTF8_STRING },
    { ngx_string("ST"), ngx_string("\x55\x04\x08"),
      NGX_PKI_DER_UTF8_STRING },
    { ngx_string("STREET"), ngx_string("\x55\x04\x09"),
      NGX_PKI_DER_UTF8_STRING },
    { ngx_string("O"), ngx_string(NGX_PKI_NAME_OID_O),
      NGX_PKI_DER_UTF8_STRING },
    { ngx_string("OU"), ngx_string(NGX_PKI_NAME_OID_OU),
      NGX_PKI_DER_UTF8_STRING },
    { ngx_string("title"), ngx_string("\x55\x04\x0c"),
      NGX_PKI_DER_UTF8_STRING },
    { ngx_string("GN"), ngx_string("\x55\x04\x2a"),
      NGX_PKI_DER_UTF8_STRING },
    { ngx_string("initials"), ngx_string("\x55\x04\x2b"),
      NGX_PKI_DER_UTF8_STRING },
    { ngx_string("dnQualifier"), ngx_string("\x55\x04\x2e"),
      NGX_PKI_DER_PRINTABLE_STRING },
    { ngx_string("UID"),
      ngx_string("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01"),
      NGX_PKI_DER_UTF8_STRING },
    { ngx_string("DC"),
      ngx_string("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19"),
      NGX_PKI_DER_IA5_STRING },
    { ngx_string("emailAddress"), ngx_string(NGX_PKI_NAME_OID_EMAIL),
      NGX_PKI_DER_IA5_STRING },

    { ngx_null_string, ngx_null_string, 0 }
};


ngx_int_t
ngx_pki_name_decode(ngx_pool_t *pool, ngx_str_t *name, ngx_array_t *attributes,
    const char **error)
{
    ngx_int_t      rc;
    ngx_uint_t     rdn;
    ngx_pki_der_t  der, rdns, set;

    *error = "is malformed";

    if (ngx_array_init(attributes, pool, 8, sizeof(ngx_pki_name_attribute_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_pki_der_init(&der, name);

    if (ngx_pki_der_enter(&der, NGX_PKI_DER_SEQUENCE, &rdns) != NGX_OK
        || !ngx_pki_der_end(&der))
    {
        return NGX_DECLINED;
    }

    for (rdn = 0; !ngx_pki_der_end(&rdns); rdn++) {

        if (ngx_pki_der_enter(&rdns, NGX_PKI_DER_SET, &set) != NGX_OK
            || ngx_pki_der_end(&set))
        {
            return NGX_DECLINED;
        }

        rc = ngx_pki_name_decode_rdn(pool, &set, rdn, attributes, error);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_pki_name_text(ngx_pool_t *pool, ngx_array_t *attributes, ngx_str_t *text)
{
    size_t                     size;
    u_char                    *p;
    ngx_uint_t                 i, n, rdn;
    ngx_str_t                  keywords[NGX_PKI_NAME_MAX_ATTRIBUTES];
    ngx_pki_name_attribute_t  *a;

    a = attributes->elts;
    n = attributes->nelts;
    size = 0;

    for (i = 0; i < n; i++) {
        if (ngx_pki_name_keyword(pool, &a[i], &keywords[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        size += keywords[i].len + sizeof("=#,") - 1
                + 2 * ngx_max(a[i].text.len, a[i].value.len);
    }

    p = ngx_pnalloc(pool, size + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = p;

    while (n > 0) {

        /* from the first attribute of the last RDN that is left */

        rdn = a[n - 1].rdn;

        for (i = n - 1; i > 0 && a[i - 1].rdn == rdn; i--) { /* void */ }

        n = i;

        for ( /* void */ ; i < attributes->nelts && a[i].rdn == rdn; i++) {

            if (p != text->data) {
                *p++ = (i == n) ? ',' : '+';
            }

            p = ngx_cpymem(p, keywords[i].data, keywords[i].len);
            *p++ = '=';

            p = (keywords[i].data[0] <= '9')
                ? ngx_pki_name_hex(p, &a[i].value)
                : ngx_pki_name_escape(p, &a[i].text);
        }
    }

    text->len = p - text->data;

    return NGX_OK;
}


ngx_int_t
ngx_pki_name_encode(ngx_pool_t *pool, ngx_str_t *text, ngx_str_t *name,
    const char **error)
{
    u_char               *p, *last;
    ngx_int_t             rc;
    ngx_str_t             copy, values[NGX_PKI_NAME_MAX_ATTRIBUTES];
    ngx_uint_t            n;
    ngx_pki_name_type_t  *types[NGX_PKI_NAME_MAX_ATTRIBUTES];

    /* values lose their escapes in place */

    copy.len = text->len;
    copy.data = ngx_pstrdup(pool, text);

    if (copy.data == NULL) {
        return NGX_ERROR;
    }

    p = copy.data;
    last = p + copy.len;

    for (n = 0; p < last; n++) {

        if (n == NGX_PKI_NAME_MAX_ATTRIBUTES) {
            *error = "has too many parts";
            return NGX_DECLINED;
        }

        rc = ngx_pki_name_parse_rdn(&p, last, &types[n], &values[n], error);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (n == 0) {
        *error = "is empty";
        return NGX_DECLINED;
    }

    return ngx_pki_name_write(pool, types, values, n, name);
}


u_char *
ngx_pki_name_escape(u_char *dst, ngx_str_t *value)
{
    size_t  i;
    u_char  c;

    for (i = 0; i < value->len; i++) {
        c = value->data[i];

        if (ngx_pki_name_is_special(c)
            || (c == '#' && i == 0)
            || (c == ' ' && (i == 0 || i == value->len - 1)))
        {
            *dst++ = '\\';
        }

        *dst++ = c;
    }

    return dst;
}


static ngx_int_t
ngx_pki_name_decode_rdn(ngx_pool_t *pool, ngx_pki_der_t *der, ngx_uint_t rdn,
    ngx_array_t *attributes, const char **error)
{
    ngx_int_t                  rc;
    ngx_pki_name_attribute_t  *a;

    while (!ngx_pki_der_end(der)) {

        if (attributes->nelts == NGX_PKI_NAME_MAX_ATTRIBUTES) {
            *error = "has too many attributes";
            return NGX_DECLINED;
        }

        a = ngx_array_push(attributes);
        if (a == NULL) {
            return NGX_ERROR;
        }

        a->rdn = rdn;

        rc = ngx_pki_name_decode_attribute(pool, der, a, error);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_pki_name_decode_attribute(ngx_pool_t *pool, ngx_pki_der_t *der,
    ngx_pki_name_attribute_t *a, const char **error)
{
    ngx_int_t      rc;
    ngx_str_t      content;
    ngx_uint_t     tag;
    ngx_pki_der_t  pair;

    if (ngx_pki_der_enter(der, NGX_PKI_DER_SEQUENCE, &pair) != NGX_OK
        || ngx_pki_der_get(&pair, NGX_PKI_DER_OID, &a->oid) != NGX_OK
        || ngx_pki_der_any(&pair, &tag, &content, &a->value) != NGX_OK
        || !ngx_pki_der_end(&pair))
    {
        return NGX_DECLINED;
    }

    if (content.len == 0) {
        *error = "has an empty attribute";
        return NGX_DECLINED;
    }

    rc = ngx_pki_string_utf8(pool, tag, &content, &a->text);

    if (rc == NGX_DECLINED) {
        *error = "has an attribute that is not plain text";
        return NGX_DECLINED;
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_pki_string_length(&a->text) > NGX_PKI_NAME_MAX_CHARS) {
        *error = "has an attribute of over 256 characters";
        return NGX_DECLINED;
    }

    rc = ngx_pki_name_keyword(pool, a, &content);

    if (rc == NGX_DECLINED) {
        *error = "has an attribute of a malformed type";
    }

    return rc;
}


/* the short name, or the dotted OID of a type that has none here */

static ngx_int_t
ngx_pki_name_keyword(ngx_pool_t *pool, ngx_pki_name_attribute_t *a,
    ngx_str_t *keyword)
{
    ngx_pki_name_type_t  *type;

    for (type = ngx_pki_name_types; type->tag != 0; type++) {

        if (type->oid.len == a->oid.len
            && ngx_memcmp(type->oid.data, a->oid.data, a->oid.len) == 0)
        {
            *keyword = type->keyword;
            return NGX_OK;
        }
    }

    return ngx_pki_oid_text(pool, &a->oid, keyword);
}


/* values of such types are printed as octets (RFC 4514, 2.4) */

static u_char *
ngx_pki_name_hex(u_char *p, ngx_str_t *value)
{
    *p++ = '#';

    return ngx_hex_dump(p, value->data, value->len);
}


static ngx_int_t
ngx_pki_name_parse_rdn(u_char **pos, u_char *last, ngx_pki_name_type_t **type,
    ngx_str_t *value, const char **error)
{
    u_char      *p, *start;
    const char  *wrong;

    for (p = *pos; p < last && *p == ' '; p++) { /* void */ }

    start = p;

    while (p < last && *p != '=') {
        p++;
    }

    if (p == last) {
        *error = "has a part that is not \"type=value\"";
        return NGX_DECLINED;
    }

    *type = ngx_pki_name_type(start, p - start);

    if (*type == NULL) {
        *error = "has a type other than CN, O, OU, C, ST, L, STREET, DC, UID, "
                 "SN, GN, title, initials, serialNumber, dnQualifier and "
                 "emailAddress";
        return NGX_DECLINED;
    }

    *pos = p + 1;

    if (ngx_pki_name_unescape(pos, last, value, error) != NGX_OK) {
        return NGX_DECLINED;
    }

    wrong = ngx_pki_name_check(*type, value);

    if (wrong != NULL) {
        *error = wrong;
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_pki_name_type_t *
ngx_pki_name_type(u_char *p, size_t len)
{
    ngx_pki_name_type_t  *type;

    for (type = ngx_pki_name_types; type->tag != 0; type++) {

        if (type->keyword.len == len
            && ngx_strncasecmp(type->keyword.data, p, len) == 0)
        {
            return type;
        }
    }

    return NULL;
}


/* up to the next comma; blanks around a value do not count (RFC 4514, 2.4) */

static ngx_int_t
ngx_pki_name_unescape(u_char **pos, u_char *last, ngx_str_t *value,
    const char **error)
{
    u_char     *p, *dst, *end;
    ngx_int_t   c;

    for (p = *pos; p < last && *p == ' '; p++) { /* void */ }

    value->data = p;
    dst = p;
    end = p;

    while (p < last && *p != ',') {

        if (*p != '\\') {

            if (ngx_pki_name_is_special(*p)
                || (*p == '#' && dst == value->data))
            {
                *error = "has a \"+\", \"#\" or another special character "
                         "that is not escaped by \"\\\"";
                return NGX_DECLINED;
            }

            *dst++ = *p;

            if (*p++ != ' ') {
                end = dst;
            }

            continue;
        }

        if (++p == last) {
            *error = "ends in a \"\\\"";
            return NGX_DECLINED;
        }

        c = ngx_pki_name_hex_pair(p, last);

        if (c == NGX_DECLINED) {
            *dst++ = *p++;

        } else {
            *dst++ = (u_char) c;
            p += 2;
        }

        end = dst;
    }

    value->len = end - value->data;

    if (p < last && ++p == last) {
        *error = "ends in a comma";
        return NGX_DECLINED;
    }

    *pos = p;

    return NGX_OK;
}


/* RFC 4514, 2.4 */

static ngx_uint_t
ngx_pki_name_is_special(u_char c)
{
    switch (c) {

    case '"':
    case '+':
    case ',':
    case ';':
    case '<':
    case '>':
    case '\\':
        return 1;

    default:
        return 0;
    }
}


static ngx_int_t
ngx_pki_name_hex_pair(u_char *p, u_char *last)
{
    ngx_int_t  c;

    if (last - p < 2) {
        return NGX_DECLINED;
    }

    c = ngx_hextoi(p, 2);

    return (c == NGX_ERROR) ? NGX_DECLINED : c;
}


static const char *
ngx_pki_name_check(ngx_pki_name_type_t *type, ngx_str_t *value)
{
    size_t     i;
    ngx_int_t  n;

    n = ngx_pki_string_length(value);

    if (n == NGX_ERROR) {
        return "has a value that is not plain UTF-8 text";
    }

    if (n == 0) {
        return "has an empty value";
    }

    if (n > NGX_PKI_NAME_MAX_CHARS) {
        return "has a value of over 256 characters";
    }

    if (type->tag == NGX_PKI_DER_UTF8_STRING) {
        return NULL;
    }

    for (i = 0; i < value->len; i++) {
        if (value->data[i] & 0x80) {
            return "has a value that has to be ASCII";
        }
    }

    if (ngx_pki_str_eq(&type->keyword, "C") && value->len != 2) {
        return "has a country that is not of two letters";
    }

    return NULL;
}


static ngx_int_t
ngx_pki_name_write(ngx_pool_t *pool, ngx_pki_name_type_t **types,
    ngx_str_t *values, ngx_uint_t n, ngx_str_t *name)
{
    size_t                rdns, set, pair;
    ngx_pki_der_writer_t  w;

    if (ngx_pki_der_writer_init(&w, pool, 256) != NGX_OK) {
        return NGX_ERROR;
    }

    rdns = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);

    while (n-- > 0) {
        set = ngx_pki_der_begin(&w, NGX_PKI_DER_SET);
        pair = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);

        ngx_pki_der_put(&w, NGX_PKI_DER_OID, &types[n]->oid);
        ngx_pki_der_put(&w, types[n]->tag, &values[n]);

        ngx_pki_der_close(&w, pair);
        ngx_pki_der_close(&w, set);
    }

    ngx_pki_der_close(&w, rdns);

    return ngx_pki_der_finish(&w, name);
}
