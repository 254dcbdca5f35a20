
/*
 * Copyright (C) the ngx_pki authors
 *
 * Whoever renews has shown a certificate, and neither a challenge nor anything
 * else that would speak for another name.
 */


#include "ngx_pki_renewal.h"
#include "ngx_pki_der.h"
#include "ngx_pki_usage.h"


static ngx_uint_t ngx_pki_renewal_has_names(ngx_str_t *sans, ngx_str_t *old);
static ngx_uint_t ngx_pki_renewal_has_name(ngx_str_t *name, ngx_str_t *old);
static void ngx_pki_renewal_next_name(ngx_str_t *sans, ngx_str_t *name);
static ngx_uint_t ngx_pki_renewal_has_extensions(ngx_str_t *der,
    ngx_pki_csr_t *csr, ngx_pki_template_t *t);
static ngx_uint_t ngx_pki_renewal_is_copied(ngx_pki_csr_t *csr,
    ngx_pki_extension_t *e);
static ngx_int_t ngx_pki_renewal_find(ngx_str_t *der, ngx_str_t *oid,
    ngx_pki_extension_t *e);
static ngx_int_t ngx_pki_renewal_enter(ngx_str_t *der, ngx_pki_der_t *list);
static ngx_int_t ngx_pki_renewal_next(ngx_pki_der_t *list,
    ngx_pki_extension_t *e);
static ngx_uint_t ngx_pki_renewal_str_eq(ngx_str_t *a, ngx_str_t *b);


static ngx_str_t  ngx_pki_renewal_key_usage = ngx_string("\x55\x1d\x0f");


/* what is in them is looked at elsewhere: the profile, the names */

static ngx_str_t  ngx_pki_renewal_checked[] = {
    ngx_string("\x55\x1d\x0f"),              /* keyUsage */
    ngx_string("\x55\x1d\x25"),              /* extKeyUsage */
    ngx_string("\x55\x1d\x11"),              /* subjectAltName */
    ngx_null_string
};


ngx_uint_t
ngx_pki_renewal_may_sign(ngx_str_t *der)
{
    ngx_int_t            rc;
    ngx_uint_t           bits;
    ngx_pki_extension_t  e;

    rc = ngx_pki_renewal_find(der, &ngx_pki_renewal_key_usage, &e);

    if (rc == NGX_DECLINED) {
        return 1;
    }

    return rc == NGX_OK
           && ngx_pki_usage_decode(&e.value, &bits) == NGX_OK
           && (bits & NGX_PKI_USAGE_DIGITAL_SIGNATURE);
}


ngx_int_t
ngx_pki_renewal_check(ngx_pki_record_t *record, ngx_pki_csr_t *csr,
    ngx_pki_template_t *t, ngx_str_t *error)
{
    if (!ngx_pki_renewal_str_eq(&t->subject_text, &record->subject)) {
        ngx_str_set(error, "a renewal may not change the subject");
        return NGX_DECLINED;
    }

    if (!ngx_pki_renewal_has_names(&t->sans_text, &record->sans)) {
        ngx_str_set(error, "a renewal may not add a subject alternative name");
        return NGX_DECLINED;
    }

    if (!ngx_pki_renewal_has_extensions(&record->der, csr, t)) {
        ngx_str_set(error, "a renewal may not add or change an extension");
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_pki_renewal_has_names(ngx_str_t *sans, ngx_str_t *old)
{
    ngx_str_t  rest, name;

    rest = *sans;

    while (rest.len != 0) {

        ngx_pki_renewal_next_name(&rest, &name);

        if (!ngx_pki_renewal_has_name(&name, old)) {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
ngx_pki_renewal_has_name(ngx_str_t *name, ngx_str_t *old)
{
    ngx_str_t  rest, known;

    rest = *old;

    while (rest.len != 0) {

        ngx_pki_renewal_next_name(&rest, &known);

        if (ngx_pki_renewal_str_eq(name, &known)) {
            return 1;
        }
    }

    return 0;
}


/* ngx_pki_san_text() puts a blank between two names, and none into one */

static void
ngx_pki_renewal_next_name(ngx_str_t *sans, ngx_str_t *name)
{
    u_char  *p;

    p = ngx_strlchr(sans->data, sans->data + sans->len, ' ');

    if (p == NULL) {
        *name = *sans;
        sans->len = 0;
        return;
    }

    /* the comma belongs to the separator */

    name->data = sans->data;
    name->len = p - sans->data;

    if (name->len != 0 && p[-1] == ',') {
        name->len--;
    }

    sans->len -= p + 1 - sans->data;
    sans->data = p + 1;
}


/*
 * What the profile writes may change with the profile; what a client brings
 * along and the profile copies may name an account, too.
 */

static ngx_uint_t
ngx_pki_renewal_has_extensions(ngx_str_t *der, ngx_pki_csr_t *csr,
    ngx_pki_template_t *t)
{
    ngx_pki_der_t        list;
    ngx_pki_extension_t  e, old;

    ngx_pki_der_init(&list, &t->extensions);

    while (!ngx_pki_der_end(&list)) {

        if (ngx_pki_renewal_next(&list, &e) != NGX_OK) {
            return 0;
        }

        if (!ngx_pki_renewal_is_copied(csr, &e)) {
            continue;
        }

        if (ngx_pki_renewal_find(der, &e.oid, &old) != NGX_OK
            || e.critical != old.critical
            || !ngx_pki_renewal_str_eq(&e.value, &old.value))
        {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
ngx_pki_renewal_is_copied(ngx_pki_csr_t *csr, ngx_pki_extension_t *e)
{
    ngx_str_t            *oid;
    ngx_uint_t            i;
    ngx_pki_extension_t  *requested;

    for (oid = ngx_pki_renewal_checked; oid->len != 0; oid++) {
        if (ngx_pki_renewal_str_eq(oid, &e->oid)) {
            return 0;
        }
    }

    requested = csr->extensions.elts;

    for (i = 0; i < csr->extensions.nelts; i++) {

        if (ngx_pki_renewal_str_eq(&requested[i].oid, &e->oid)
            && ngx_pki_renewal_str_eq(&requested[i].value, &e->value))
        {
            return 1;
        }
    }

    return 0;
}


/* NGX_DECLINED: there is none of this OID; NGX_ERROR: it is malformed */

static ngx_int_t
ngx_pki_renewal_find(ngx_str_t *der, ngx_str_t *oid, ngx_pki_extension_t *e)
{
    ngx_int_t      rc;
    ngx_pki_der_t  list;

    rc = ngx_pki_renewal_enter(der, &list);

    if (rc != NGX_OK) {
        return rc;
    }

    while (!ngx_pki_der_end(&list)) {

        if (ngx_pki_renewal_next(&list, e) != NGX_OK) {
            return NGX_ERROR;
        }

        if (ngx_pki_renewal_str_eq(&e->oid, oid)) {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


/* enters the extensions of a certificate, which come last (RFC 5280, 4.1) */

static ngx_int_t
ngx_pki_renewal_enter(ngx_str_t *der, ngx_pki_der_t *list)
{
    ngx_str_t      content;
    ngx_uint_t     tag;
    ngx_pki_der_t  r, certificate, tbs, wrapper;

    ngx_pki_der_init(&r, der);

    if (ngx_pki_der_enter(&r, NGX_PKI_DER_SEQUENCE, &certificate) != NGX_OK
        || ngx_pki_der_enter(&certificate, NGX_PKI_DER_SEQUENCE, &tbs)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    while (ngx_pki_der_peek(&tbs) != ngx_pki_der_explicit(3)) {

        if (ngx_pki_der_end(&tbs)) {
            return NGX_DECLINED;
        }

        if (ngx_pki_der_any(&tbs, &tag, &content, NULL) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_pki_der_enter(&tbs, ngx_pki_der_explicit(3), &wrapper) != NGX_OK
        || ngx_pki_der_enter(&wrapper, NGX_PKI_DER_SEQUENCE, list) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_pki_renewal_next(ngx_pki_der_t *list, ngx_pki_extension_t *e)
{
    ngx_pki_der_t  r;

    e->critical = 0;

    if (ngx_pki_der_enter(list, NGX_PKI_DER_SEQUENCE, &r) != NGX_OK
        || ngx_pki_der_get(&r, NGX_PKI_DER_OID, &e->oid) != NGX_OK
        || (ngx_pki_der_peek(&r) == NGX_PKI_DER_BOOLEAN
            && ngx_pki_der_get_boolean(&r, &e->critical) != NGX_OK)
        || ngx_pki_der_get(&r, NGX_PKI_DER_OCTET_STRING, &e->value) != NGX_OK
        || !ngx_pki_der_end(&r))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_pki_renewal_str_eq(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len
           && (a->len == 0 || ngx_memcmp(a->data, b->data, a->len) == 0);
}
