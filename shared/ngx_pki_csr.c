
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_csr.h"
#include "ngx_pki_base64.h"
#include "ngx_pki_csr_validity.h"
#include "ngx_pki_der.h"
#include "ngx_pki_spki.h"
#include "ngx_pki_string.h"


#define NGX_PKI_CSR_MAX             65536
#define NGX_PKI_CSR_PEM_MAX         (2 * NGX_PKI_CSR_MAX)
#define NGX_PKI_CSR_MAX_ATTRIBUTES  32
#define NGX_PKI_CSR_MAX_EXTENSIONS  32

/* challengePassword (PKCS#9), extensionRequest (PKCS#9, and Microsoft's) */

#define NGX_PKI_CSR_OID_CHALLENGE                                            \
    "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07"
#define NGX_PKI_CSR_OID_KEY_ID         "\x55\x1d\x0e"
#define NGX_PKI_CSR_OID_EXTENSIONS                                           \
    "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e"
#define NGX_PKI_CSR_OID_MS_EXTENSIONS                                        \
    "\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x0e"


static ngx_int_t ngx_pki_csr_fail(ngx_pki_csr_t *csr, const char *error);
static ngx_int_t ngx_pki_csr_decode_info(ngx_pool_t *pool, ngx_pki_csr_t *csr);
static ngx_int_t ngx_pki_csr_decode_key(ngx_pki_csr_t *csr);
static ngx_int_t ngx_pki_csr_decode_attributes(ngx_pool_t *pool,
    ngx_pki_csr_t *csr, ngx_pki_der_t *der);
static ngx_int_t ngx_pki_csr_decode_attribute(ngx_pool_t *pool,
    ngx_pki_csr_t *csr, ngx_str_t *oid, ngx_pki_der_t *values);
static ngx_int_t ngx_pki_csr_decode_challenge(ngx_pool_t *pool,
    ngx_pki_csr_t *csr, ngx_pki_der_t *values);
static ngx_int_t ngx_pki_csr_decode_extensions(ngx_pki_csr_t *csr,
    ngx_pki_der_t *values);
static ngx_int_t ngx_pki_csr_decode_extension(ngx_pki_csr_t *csr,
    ngx_pki_der_t *der);
static ngx_pki_extension_t *ngx_pki_csr_find_extension(ngx_pki_csr_t *csr,
    ngx_str_t *oid);
static u_char *ngx_pki_csr_find_armor(ngx_str_t *text, const char *verb,
    ngx_str_t *line);
static ngx_int_t ngx_pki_csr_unarmor_body(ngx_pool_t *pool, u_char *p,
    u_char *last, ngx_str_t *der);


ngx_int_t
ngx_pki_csr_decode(ngx_pool_t *pool, ngx_str_t *der, ngx_pki_csr_t *csr)
{
    ngx_pki_der_t  outer, inner;

    ngx_memzero(csr, sizeof(ngx_pki_csr_t));

    if (der->len > NGX_PKI_CSR_MAX) {
        return ngx_pki_csr_fail(csr, "it is over 64 KB");
    }

    if (ngx_array_init(&csr->extensions, pool, 8, sizeof(ngx_pki_extension_t))
        != NGX_OK)
    {
        return ngx_pki_csr_fail(csr, "out of memory");
    }

    csr->der = *der;

    ngx_pki_der_init(&outer, der);

    if (ngx_pki_der_enter(&outer, NGX_PKI_DER_SEQUENCE, &inner) != NGX_OK
        || ngx_pki_der_get_whole(&inner, NGX_PKI_DER_SEQUENCE, &csr->info)
           != NGX_OK
        || ngx_pki_der_get_algorithm(&inner, &csr->signature_oid,
                                     &csr->signature_params)
           != NGX_OK
        || ngx_pki_der_get_bits(&inner, &csr->signature) != NGX_OK
        || !ngx_pki_der_end(&inner))
    {
        return ngx_pki_csr_fail(csr, "it is not a PKCS#10 request in DER");
    }

    if (!ngx_pki_der_end(&outer)) {
        return ngx_pki_csr_fail(csr, "octets follow its end");
    }

    return ngx_pki_csr_decode_info(pool, csr);
}


ngx_int_t
ngx_pki_csr_unarmor(ngx_pool_t *pool, ngx_str_t *text, ngx_str_t *der)
{
    u_char     *begin, *end, *p;
    ngx_str_t   line, rest;

    if (text->len > NGX_PKI_CSR_PEM_MAX) {
        return NGX_DECLINED;
    }

    if (text->len != 0 && text->data[0] == NGX_PKI_DER_SEQUENCE) {
        *der = *text;
        return NGX_OK;
    }

    begin = ngx_pki_csr_find_armor(text, "-----BEGIN ", &line);

    if (begin == NULL) {
        return NGX_DECLINED;
    }

    rest.data = line.data + line.len;
    rest.len = text->data + text->len - rest.data;

    end = ngx_pki_csr_find_armor(&rest, "-----END ", &line);

    if (end == NULL) {
        return NGX_DECLINED;
    }

    /* two requests in one text would be one too many */

    for (p = line.data + line.len; p < text->data + text->len; p++) {
        if (*p != ' ' && *p != '\t' && *p != '\r' && *p != '\n') {
            return NGX_DECLINED;
        }
    }

    return ngx_pki_csr_unarmor_body(pool, rest.data, end, der);
}


static ngx_int_t
ngx_pki_csr_fail(ngx_pki_csr_t *csr, const char *error)
{
    csr->error = error;

    return NGX_ERROR;
}


/* CertificationRequestInfo, RFC 2986, 4.1 */

static ngx_int_t
ngx_pki_csr_decode_info(ngx_pool_t *pool, ngx_pki_csr_t *csr)
{
    ngx_uint_t     version;
    ngx_pki_der_t  der, info, attributes;

    ngx_pki_der_init(&der, &csr->info);

    if (ngx_pki_der_enter(&der, NGX_PKI_DER_SEQUENCE, &info) != NGX_OK
        || ngx_pki_der_get_uint(&info, &version) != NGX_OK
        || version != 0)
    {
        return ngx_pki_csr_fail(csr, "its version is not 0");
    }

    if (ngx_pki_der_get_whole(&info, NGX_PKI_DER_SEQUENCE, &csr->subject)
        != NGX_OK)
    {
        return ngx_pki_csr_fail(csr, "its subject is malformed");
    }

    if (ngx_pki_der_get_whole(&info, NGX_PKI_DER_SEQUENCE, &csr->spki)
        != NGX_OK
        || ngx_pki_csr_decode_key(csr) != NGX_OK)
    {
        return ngx_pki_csr_fail(csr, "its public key is malformed");
    }

    /* some clients leave the attributes out where there are none */

    if (ngx_pki_der_end(&info)) {
        return NGX_OK;
    }

    if (ngx_pki_der_enter(&info, ngx_pki_der_explicit(0), &attributes)
        != NGX_OK
        || !ngx_pki_der_end(&info))
    {
        return ngx_pki_csr_fail(csr, "its attributes are malformed");
    }

    return ngx_pki_csr_decode_attributes(pool, csr, &attributes);
}


static ngx_int_t
ngx_pki_csr_decode_key(ngx_pki_csr_t *csr)
{
    ngx_pki_spki_t  spki;

    if (ngx_pki_spki_decode(&csr->spki, &spki) != NGX_OK) {
        return NGX_ERROR;
    }

    csr->public_key = spki.public_key;
    csr->key = spki.key;
    csr->exponent = spki.exponent;
    csr->modulus = spki.modulus;

    return NGX_OK;
}


static ngx_int_t
ngx_pki_csr_decode_attributes(ngx_pool_t *pool, ngx_pki_csr_t *csr,
    ngx_pki_der_t *der)
{
    ngx_str_t      oid;
    ngx_uint_t     n;
    ngx_pki_der_t  attribute, values;

    for (n = 0; !ngx_pki_der_end(der); n++) {

        if (n == NGX_PKI_CSR_MAX_ATTRIBUTES) {
            return ngx_pki_csr_fail(csr, "it has too many attributes");
        }

        if (ngx_pki_der_enter(der, NGX_PKI_DER_SEQUENCE, &attribute) != NGX_OK
            || ngx_pki_der_get(&attribute, NGX_PKI_DER_OID, &oid) != NGX_OK
            || ngx_pki_der_enter(&attribute, NGX_PKI_DER_SET, &values)
               != NGX_OK
            || !ngx_pki_der_end(&attribute))
        {
            return ngx_pki_csr_fail(csr, "its attributes are malformed");
        }

        if (ngx_pki_csr_decode_attribute(pool, csr, &oid, &values) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_pki_csr_validity_finish(pool, &csr->validity) != NGX_OK) {
        return ngx_pki_csr_fail(csr, "out of memory");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_pki_csr_decode_attribute(ngx_pool_t *pool, ngx_pki_csr_t *csr,
    ngx_str_t *oid, ngx_pki_der_t *values)
{
    ngx_str_t   content;
    ngx_uint_t  tag;

    if (ngx_pki_str_eq(oid, NGX_PKI_CSR_OID_CHALLENGE)) {
        return ngx_pki_csr_decode_challenge(pool, csr, values);
    }

    if (ngx_pki_str_eq(oid, NGX_PKI_CSR_OID_EXTENSIONS)
        || ngx_pki_str_eq(oid, NGX_PKI_CSR_OID_MS_EXTENSIONS))
    {
        return ngx_pki_csr_decode_extensions(csr, values);
    }

    if (oid->len == ngx_pki_csr_validity_oid.len
        && ngx_memcmp(oid->data, ngx_pki_csr_validity_oid.data, oid->len) == 0)
    {
        if (ngx_pki_csr_validity_add(pool, &csr->validity, values) != NGX_OK) {
            return ngx_pki_csr_fail(csr, "its attributes are malformed");
        }

        return NGX_OK;
    }

    while (!ngx_pki_der_end(values)) {
        if (ngx_pki_der_any(values, &tag, &content, NULL) != NGX_OK) {
            return ngx_pki_csr_fail(csr, "its attributes are malformed");
        }
    }

    return NGX_OK;
}


/* a renewal of Windows may carry one without value, or with a blank one */

static ngx_int_t
ngx_pki_csr_decode_challenge(ngx_pool_t *pool, ngx_pki_csr_t *csr,
    ngx_pki_der_t *values)
{
    size_t      i;
    ngx_int_t   rc;
    ngx_str_t   content, text;
    ngx_uint_t  tag;

    if (ngx_pki_der_end(values)) {
        return NGX_OK;
    }

    if (ngx_pki_der_any(values, &tag, &content, NULL) != NGX_OK
        || !ngx_pki_der_end(values))
    {
        return ngx_pki_csr_fail(csr, "its challenge password is malformed");
    }

    rc = ngx_pki_string_utf8(pool, tag, &content, &text);

    if (rc == NGX_ERROR) {
        return ngx_pki_csr_fail(csr, "out of memory");
    }

    if (rc != NGX_OK) {
        return ngx_pki_csr_fail(csr, "its challenge password is no text");
    }

    for (i = 0; i < text.len; i++) {

        if (text.data[i] == ' ') {
            continue;
        }

        if (csr->challenge.len != 0) {

            if (text.data != content.data) {
                OPENSSL_cleanse(text.data, text.len);
            }

            return ngx_pki_csr_fail(csr, "it has two challenge passwords");
        }

        csr->challenge = text;

        break;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_pki_csr_decode_extensions(ngx_pki_csr_t *csr, ngx_pki_der_t *values)
{
    ngx_pki_der_t  extensions;

    if (ngx_pki_der_enter(values, NGX_PKI_DER_SEQUENCE, &extensions) != NGX_OK
        || !ngx_pki_der_end(values))
    {
        return ngx_pki_csr_fail(csr, "its requested extensions are malformed");
    }

    while (!ngx_pki_der_end(&extensions)) {
        if (ngx_pki_csr_decode_extension(csr, &extensions) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* Extension, RFC 5280, 4.1; an explicit FALSE is not DER but often seen */

static ngx_int_t
ngx_pki_csr_decode_extension(ngx_pki_csr_t *csr, ngx_pki_der_t *der)
{
    ngx_pki_der_t         extension;
    ngx_pki_extension_t   e, *copy;

    e.critical = 0;

    if (ngx_pki_der_enter(der, NGX_PKI_DER_SEQUENCE, &extension) != NGX_OK
        || ngx_pki_der_get(&extension, NGX_PKI_DER_OID, &e.oid) != NGX_OK
        || (ngx_pki_der_peek(&extension) == NGX_PKI_DER_BOOLEAN
            && ngx_pki_der_get_boolean(&extension, &e.critical) != NGX_OK)
        || ngx_pki_der_get(&extension, NGX_PKI_DER_OCTET_STRING, &e.value)
           != NGX_OK
        || !ngx_pki_der_end(&extension))
    {
        return ngx_pki_csr_fail(csr, "its requested extensions are malformed");
    }

    if (ngx_pki_csr_find_extension(csr, &e.oid) != NULL) {
        return ngx_pki_csr_fail(csr, "it requests an extension twice");
    }

    /* whoever issues sets it; certmonger asks for another one each time */

    if (ngx_pki_str_eq(&e.oid, NGX_PKI_CSR_OID_KEY_ID)) {
        return NGX_OK;
    }

    if (csr->extensions.nelts == NGX_PKI_CSR_MAX_EXTENSIONS) {
        return ngx_pki_csr_fail(csr, "it requests too many extensions");
    }

    copy = ngx_array_push(&csr->extensions);
    if (copy == NULL) {
        return ngx_pki_csr_fail(csr, "out of memory");
    }

    *copy = e;

    return NGX_OK;
}


static ngx_pki_extension_t *
ngx_pki_csr_find_extension(ngx_pki_csr_t *csr, ngx_str_t *oid)
{
    ngx_uint_t            i;
    ngx_pki_extension_t  *e;

    e = csr->extensions.elts;

    for (i = 0; i < csr->extensions.nelts; i++) {
        if (e[i].oid.len == oid->len
            && ngx_memcmp(e[i].oid.data, oid->data, oid->len) == 0)
        {
            return &e[i];
        }
    }

    return NULL;
}


/*
 * The first line "-----BEGIN CERTIFICATE REQUEST-----", or the one that says
 * NEW CERTIFICATE REQUEST; returns where it starts.
 */

static u_char *
ngx_pki_csr_find_armor(ngx_str_t *text, const char *verb, ngx_str_t *line)
{
    size_t             n;
    u_char            *p, *last;
    ngx_uint_t         i;

    static ngx_str_t   labels[] = {
        ngx_string("CERTIFICATE REQUEST-----"),
        ngx_string("NEW CERTIFICATE REQUEST-----")
    };

    n = ngx_strlen(verb);
    last = text->data + text->len;

    for (p = text->data; (size_t) (last - p) >= n; p++) {

        if (ngx_memcmp(p, verb, n) != 0) {
            continue;
        }

        for (i = 0; i < 2; i++) {
            if ((size_t) (last - p) >= n + labels[i].len
                && ngx_memcmp(p + n, labels[i].data, labels[i].len) == 0)
            {
                line->data = p;
                line->len = n + labels[i].len;
                return p;
            }
        }
    }

    return NULL;
}


static ngx_int_t
ngx_pki_csr_unarmor_body(ngx_pool_t *pool, u_char *p, u_char *last,
    ngx_str_t *der)
{
    ngx_str_t  base64;

    base64.len = 0;
    base64.data = ngx_pnalloc(pool, last - p + 1);
    der->data = ngx_pnalloc(pool, ngx_base64_decoded_length(last - p + 3));

    if (base64.data == NULL || der->data == NULL) {
        return NGX_ERROR;
    }

    for ( /* void */ ; p < last; p++) {
        if (*p != ' ' && *p != '\t' && *p != '\r' && *p != '\n') {
            base64.data[base64.len++] = *p;
        }
    }

    if (base64.len == 0
        || ngx_pki_base64_trim(&base64) != NGX_OK
        || ngx_decode_base64(der, &base64) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}
