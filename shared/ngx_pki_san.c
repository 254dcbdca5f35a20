
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_san.h"
#include "ngx_pki_der.h"
#include "ngx_pki_string.h"


#define NGX_PKI_SAN_MAX_DNS    253
#define NGX_PKI_SAN_MAX_LABEL  63
#define NGX_PKI_SAN_MAX_EMAIL  320
#define NGX_PKI_SAN_MAX_URI    2048
#define NGX_PKI_SAN_MAX_UPN    1024

#define NGX_PKI_SAN_OID_UPN    "\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x03"


typedef struct {
    ngx_str_t                  name;         /* in the configuration */
    ngx_str_t                  label;        /* in text */
    ngx_uint_t                 tag;
    const char              *(*check)(ngx_str_t *value);
} ngx_pki_san_kind_t;


static ngx_int_t ngx_pki_san_decode_name(ngx_pool_t *pool, ngx_uint_t tag,
    ngx_str_t *content, ngx_pki_san_t *san, const char **error);
static ngx_int_t ngx_pki_san_decode_upn(ngx_str_t *content, ngx_str_t *upn);
static ngx_int_t ngx_pki_san_set(ngx_pool_t *pool, ngx_pki_san_t *san,
    const char **error);
static ngx_int_t ngx_pki_san_print_ip(ngx_pool_t *pool, ngx_pki_san_t *san);
static void ngx_pki_san_encode_upn(ngx_pki_der_writer_t *w, ngx_str_t *upn);
static const char *ngx_pki_san_check_dns(ngx_str_t *value);
static const char *ngx_pki_san_check_label(u_char *p, size_t len);
static const char *ngx_pki_san_check_ip(ngx_str_t *value);
static const char *ngx_pki_san_check_email(ngx_str_t *value);
static const char *ngx_pki_san_check_uri(ngx_str_t *value);
static const char *ngx_pki_san_check_upn(ngx_str_t *value);
static ngx_uint_t ngx_pki_san_is_graphic(ngx_str_t *value);
static ngx_int_t ngx_pki_san_parse_ip(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *ip);


/* in the order of ngx_pki_san_type_e; tags of GeneralName */

static ngx_pki_san_kind_t  ngx_pki_san_kinds[] = {

    { ngx_string("dns"), ngx_string("DNS:"), ngx_pki_der_context(2),
      ngx_pki_san_check_dns },

    { ngx_string("ip"), ngx_string("IP:"), ngx_pki_der_context(7),
      ngx_pki_san_check_ip },

    { ngx_string("email"), ngx_string("email:"), ngx_pki_der_context(1),
      ngx_pki_san_check_email },

    { ngx_string("uri"), ngx_string("URI:"), ngx_pki_der_context(6),
      ngx_pki_san_check_uri },

    { ngx_string("upn"), ngx_string("UPN:"), ngx_pki_der_explicit(0),
      ngx_pki_san_check_upn }
};


ngx_int_t
ngx_pki_san_decode(ngx_pool_t *pool, ngx_str_t *value, ngx_array_t *sans,
    const char **error)
{
    ngx_int_t       rc;
    ngx_str_t       content;
    ngx_uint_t      tag;
    ngx_pki_der_t   der, names;
    ngx_pki_san_t  *san;

    *error = "is malformed";

    if (ngx_array_init(sans, pool, 4, sizeof(ngx_pki_san_t)) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_pki_der_init(&der, value);

    if (ngx_pki_der_enter(&der, NGX_PKI_DER_SEQUENCE, &names) != NGX_OK
        || !ngx_pki_der_end(&der))
    {
        return NGX_DECLINED;
    }

    while (!ngx_pki_der_end(&names)) {

        if (ngx_pki_der_any(&names, &tag, &content, NULL) != NGX_OK) {
            return NGX_DECLINED;
        }

        if (sans->nelts == NGX_PKI_SAN_MAX) {
            *error = "has over 64 names";
            return NGX_DECLINED;
        }

        san = ngx_array_push(sans);
        if (san == NULL) {
            return NGX_ERROR;
        }

        rc = ngx_pki_san_decode_name(pool, tag, &content, san, error);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_pki_san_encode(ngx_pool_t *pool, ngx_array_t *sans, ngx_str_t *value)
{
    size_t                 mark;
    ngx_uint_t             i;
    ngx_pki_san_t         *san;
    ngx_pki_der_writer_t   w;

    if (ngx_pki_der_writer_init(&w, pool, 256) != NGX_OK) {
        return NGX_ERROR;
    }

    mark = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);

    san = sans->elts;

    for (i = 0; i < sans->nelts; i++) {

        if (san[i].type == NGX_PKI_SAN_UPN) {
            ngx_pki_san_encode_upn(&w, &san[i].value);
            continue;
        }

        ngx_pki_der_put(&w, ngx_pki_san_kinds[san[i].type].tag,
                        &san[i].value);
    }

    ngx_pki_der_close(&w, mark);

    return ngx_pki_der_finish(&w, value);
}


ngx_int_t
ngx_pki_san_text(ngx_pool_t *pool, ngx_array_t *sans, ngx_str_t *text)
{
    size_t          size;
    u_char         *p;
    ngx_str_t      *label;
    ngx_uint_t      i;
    ngx_pki_san_t  *san;

    san = sans->elts;
    size = 1;

    for (i = 0; i < sans->nelts; i++) {
        size += sizeof("email:, ") - 1 + san[i].text.len;
    }

    p = ngx_pnalloc(pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = p;

    /* no name has a blank in it: the separator is unmistakable */

    for (i = 0; i < sans->nelts; i++) {

        if (i != 0) {
            *p++ = ',';
            *p++ = ' ';
        }

        label = &ngx_pki_san_kinds[san[i].type].label;

        p = ngx_cpymem(p, label->data, label->len);
        p = ngx_cpymem(p, san[i].text.data, san[i].text.len);
    }

    text->len = p - text->data;

    return NGX_OK;
}


ngx_int_t
ngx_pki_san_parse(ngx_pool_t *pool, ngx_str_t *text, ngx_pki_san_t *san,
    const char **error)
{
    u_char     *colon;
    ngx_str_t   name, value;

    *error = "must start with \"dns:\", \"ip:\", \"email:\", \"uri:\" or "
             "\"upn:\"";

    colon = ngx_strlchr(text->data, text->data + text->len, ':');

    if (colon == NULL) {
        return NGX_DECLINED;
    }

    name.data = text->data;
    name.len = colon - text->data;

    value.data = colon + 1;
    value.len = text->data + text->len - value.data;

    san->type = ngx_pki_san_type(&name);
    san->value = value;

    if (san->type == NGX_PKI_SAN_TYPES) {
        return NGX_DECLINED;
    }

    if (san->type == NGX_PKI_SAN_IP
        && ngx_pki_san_parse_ip(pool, &value, &san->value) != NGX_OK)
    {
        *error = "is not an address";
        return NGX_DECLINED;
    }

    return ngx_pki_san_set(pool, san, error);
}


ngx_pki_san_type_e
ngx_pki_san_type(ngx_str_t *name)
{
    ngx_str_t   *n;
    ngx_uint_t   type;

    for (type = 0; type < NGX_PKI_SAN_TYPES; type++) {
        n = &ngx_pki_san_kinds[type].name;

        if (n->len == name->len
            && ngx_memcmp(n->data, name->data, n->len) == 0)
        {
            break;
        }
    }

    return type;
}


ngx_uint_t
ngx_pki_san_is_wildcard(ngx_pki_san_t *san)
{
    return san->type == NGX_PKI_SAN_DNS && san->value.data[0] == '*';
}


ngx_uint_t
ngx_pki_san_is_sid(ngx_pki_san_t *san)
{
    static ngx_str_t  prefix = ngx_string("tag:microsoft.com,");

    return san->type == NGX_PKI_SAN_URI
           && san->value.len >= prefix.len
           && ngx_strncasecmp(san->value.data, prefix.data, prefix.len) == 0;
}


static ngx_int_t
ngx_pki_san_decode_name(ngx_pool_t *pool, ngx_uint_t tag, ngx_str_t *content,
    ngx_pki_san_t *san, const char **error)
{
    ngx_uint_t  type;

    for (type = 0; type < NGX_PKI_SAN_TYPES; type++) {
        if (ngx_pki_san_kinds[type].tag == tag) {
            break;
        }
    }

    if (type == NGX_PKI_SAN_TYPES) {
        *error = "has a name that is not a DNS name, IP address, e-mail "
                 "address, URI or UPN";
        return NGX_DECLINED;
    }

    san->type = type;
    san->value = *content;

    if (type == NGX_PKI_SAN_UPN
        && ngx_pki_san_decode_upn(content, &san->value) != NGX_OK)
    {
        *error = "has an otherName that is not a UPN";
        return NGX_DECLINED;
    }

    return ngx_pki_san_set(pool, san, error);
}


/* AnotherName ::= SEQUENCE { type-id OID, value [0] EXPLICIT ANY } */

static ngx_int_t
ngx_pki_san_decode_upn(ngx_str_t *content, ngx_str_t *upn)
{
    ngx_str_t      oid;
    ngx_pki_der_t  der, value;

    ngx_pki_der_init(&der, content);

    if (ngx_pki_der_get(&der, NGX_PKI_DER_OID, &oid) != NGX_OK
        || !ngx_pki_str_eq(&oid, NGX_PKI_SAN_OID_UPN)
        || ngx_pki_der_enter(&der, ngx_pki_der_explicit(0), &value) != NGX_OK
        || !ngx_pki_der_end(&der)
        || ngx_pki_der_get(&value, NGX_PKI_DER_UTF8_STRING, upn) != NGX_OK
        || !ngx_pki_der_end(&value))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_pki_san_set(ngx_pool_t *pool, ngx_pki_san_t *san, const char **error)
{
    const char  *wrong;

    wrong = ngx_pki_san_kinds[san->type].check(&san->value);

    if (wrong != NULL) {
        *error = wrong;
        return NGX_DECLINED;
    }

    if (san->type == NGX_PKI_SAN_IP) {
        return ngx_pki_san_print_ip(pool, san);
    }

    san->text = san->value;

    return NGX_OK;
}


static ngx_int_t
ngx_pki_san_print_ip(ngx_pool_t *pool, ngx_pki_san_t *san)
{
    u_char  *p;

    p = ngx_pnalloc(pool, NGX_INET6_ADDRSTRLEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    san->text.data = p;

    san->text.len = ngx_inet_ntop(san->value.len == 4 ? AF_INET : AF_INET6,
                                  san->value.data, p, NGX_INET6_ADDRSTRLEN);

    return NGX_OK;
}


static void
ngx_pki_san_encode_upn(ngx_pki_der_writer_t *w, ngx_str_t *upn)
{
    size_t      name, value;
    ngx_str_t   oid = ngx_string(NGX_PKI_SAN_OID_UPN);

    name = ngx_pki_der_begin(w, ngx_pki_der_explicit(0));
    ngx_pki_der_put(w, NGX_PKI_DER_OID, &oid);

    value = ngx_pki_der_begin(w, ngx_pki_der_explicit(0));
    ngx_pki_der_put(w, NGX_PKI_DER_UTF8_STRING, upn);

    ngx_pki_der_close(w, value);
    ngx_pki_der_close(w, name);
}


/* a host name, perhaps "*." before at least two labels; "_" is in use */

static const char *
ngx_pki_san_check_dns(ngx_str_t *value)
{
    u_char      *p, *last, *dot;
    ngx_uint_t   labels, wildcard;
    const char  *error;

    if (value->len == 0 || value->len > NGX_PKI_SAN_MAX_DNS) {
        return "has an empty DNS name or one of over 253 characters";
    }

    p = value->data;
    last = p + value->len;

    wildcard = (value->len > 2 && p[0] == '*' && p[1] == '.');

    if (wildcard) {
        p += 2;
    }

    for (labels = 1; /* void */ ; labels++) {

        dot = ngx_strlchr(p, last, '.');

        error = ngx_pki_san_check_label(p, (dot ? dot : last) - p);

        if (error != NULL) {
            return error;
        }

        if (dot == NULL) {
            break;
        }

        p = dot + 1;
    }

    if (wildcard && labels < 2) {
        return "has a wildcard DNS name of a whole top-level domain";
    }

    return NULL;
}


static const char *
ngx_pki_san_check_label(u_char *p, size_t len)
{
    u_char  c;
    size_t  i;

    static const char  error[] = "has a malformed DNS name";

    if (len == 0
        || len > NGX_PKI_SAN_MAX_LABEL
        || p[0] == '-'
        || p[len - 1] == '-')
    {
        return error;
    }

    for (i = 0; i < len; i++) {
        c = p[i] | 0x20;

        if ((c < 'a' || c > 'z')
            && (p[i] < '0' || p[i] > '9')
            && p[i] != '-'
            && p[i] != '_')
        {
            return error;
        }
    }

    return NULL;
}


static const char *
ngx_pki_san_check_ip(ngx_str_t *value)
{
    if (value->len != 4 && value->len != 16) {
        return "has an IP address that is not of 4 or 16 octets";
    }

    return NULL;
}


static const char *
ngx_pki_san_check_email(ngx_str_t *value)
{
    u_char  *at, *last;

    last = value->data + value->len;
    at = ngx_strlchr(value->data, last, '@');

    if (value->len > NGX_PKI_SAN_MAX_EMAIL
        || !ngx_pki_san_is_graphic(value)
        || at == NULL
        || at == value->data
        || at + 1 == last
        || ngx_strlchr(at + 1, last, '@') != NULL)
    {
        return "has a malformed e-mail address";
    }

    return NULL;
}


static const char *
ngx_pki_san_check_uri(ngx_str_t *value)
{
    u_char  *p, *last;
    u_char   c;

    static const char  error[] = "has a malformed URI";

    if (value->len > NGX_PKI_SAN_MAX_URI || !ngx_pki_san_is_graphic(value)) {
        return error;
    }

    last = value->data + value->len;

    /* a scheme comes first (RFC 3986, 3.1) */

    for (p = value->data; p < last && *p != ':'; p++) {
        c = *p | 0x20;

        if (c >= 'a' && c <= 'z') {
            continue;
        }

        if (p == value->data
            || ((*p < '0' || *p > '9') && *p != '+' && *p != '-' && *p != '.'))
        {
            return error;
        }
    }

    if (p == value->data || last - p < 2) {
        return error;
    }

    return NULL;
}


static const char *
ngx_pki_san_check_upn(ngx_str_t *value)
{
    if (value->len == 0
        || value->len > NGX_PKI_SAN_MAX_UPN
        || ngx_pki_string_length(value) == NGX_ERROR
        || ngx_strlchr(value->data, value->data + value->len, ' ') != NULL)
    {
        return "has a malformed UPN";
    }

    return NULL;
}


/* printable ASCII without blanks: nothing that could break a line of text */

static ngx_uint_t
ngx_pki_san_is_graphic(ngx_str_t *value)
{
    size_t  i;

    for (i = 0; i < value->len; i++) {
        if (value->data[i] <= ' ' || value->data[i] > '~') {
            return 0;
        }
    }

    return value->len != 0;
}


static ngx_int_t
ngx_pki_san_parse_ip(ngx_pool_t *pool, ngx_str_t *text, ngx_str_t *ip)
{
    in_addr_t  addr;

    ip->data = ngx_pnalloc(pool, 16);
    if (ip->data == NULL) {
        return NGX_ERROR;
    }

    addr = ngx_inet_addr(text->data, text->len);

    if (addr != INADDR_NONE) {
        ip->len = sizeof(in_addr_t);
        ngx_memcpy(ip->data, &addr, sizeof(in_addr_t));
        return NGX_OK;
    }

    ip->len = 16;

#if (NGX_HAVE_INET6)
    return ngx_inet6_addr(text->data, text->len, ip->data);
#else
    return NGX_ERROR;
#endif
}
