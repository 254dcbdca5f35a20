
/*
 * Copyright (C) the ngx_pki authors
 *
 * The subject: as requested, or made from a template.
 */


#include "ngx_pki_profile_rules.h"
#include "ngx_pki_name.h"


typedef struct {
    ngx_str_t                  name;
    ngx_str_t                  oid;
} ngx_pki_profile_variable_t;


static ngx_pki_profile_variable_t *ngx_pki_profile_variable(u_char **pos,
    u_char *last);
static ngx_int_t ngx_pki_profile_add_part(ngx_array_t *parts, u_char *start,
    u_char *end, ngx_str_t *oid);
static ngx_int_t ngx_pki_profile_expand(ngx_pool_t *pool, ngx_array_t *parts,
    ngx_array_t *attributes, ngx_str_t *text);
static ngx_str_t *ngx_pki_profile_part(ngx_pki_profile_part_t *part,
    ngx_array_t *attributes);
static ngx_str_t *ngx_pki_profile_requested(ngx_array_t *attributes,
    ngx_str_t *oid);
static ngx_int_t ngx_pki_profile_template(ngx_pki_profile_t *profile,
    ngx_pool_t *pool, ngx_array_t *attributes, ngx_pki_template_t *t);
static ngx_int_t ngx_pki_profile_check_subject(ngx_pki_profile_t *profile,
    ngx_pool_t *pool, ngx_pki_template_t *t);


static ngx_pki_profile_variable_t  ngx_pki_profile_variables[] = {
    { ngx_string("cn"), ngx_string(NGX_PKI_NAME_OID_CN) },
    { ngx_string("email"), ngx_string(NGX_PKI_NAME_OID_EMAIL) },
    { ngx_string("o"), ngx_string(NGX_PKI_NAME_OID_O) },
    { ngx_string("ou"), ngx_string(NGX_PKI_NAME_OID_OU) },
    { ngx_null_string, ngx_null_string }
};


ngx_int_t
ngx_pki_profile_compile_subject(ngx_pool_t *pool, ngx_str_t *text,
    ngx_array_t *parts, const char **error)
{
    u_char                      *p, *last, *start, *dollar;
    ngx_str_t                    sample, name;
    ngx_pki_profile_variable_t  *v;

    p = text->data;
    last = p + text->len;
    start = p;

    while ((dollar = ngx_strlchr(p, last, '$')) != NULL) {

        p = dollar + 1;
        v = ngx_pki_profile_variable(&p, last);

        if (v == NULL) {
            *error = "has a variable other than ${cn}, ${email}, ${o} and "
                     "${ou}";
            return NGX_DECLINED;
        }

        if (ngx_pki_profile_add_part(parts, start, dollar, NULL) != NGX_OK
            || ngx_pki_profile_add_part(parts, NULL, NULL, &v->oid) != NGX_OK)
        {
            return NGX_ERROR;
        }

        start = p;
    }

    if (ngx_pki_profile_add_part(parts, start, last, NULL) != NGX_OK
        || ngx_pki_profile_expand(pool, parts, NULL, &sample) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_pki_name_encode(pool, &sample, &name, error);
}


ngx_int_t
ngx_pki_profile_apply_subject(ngx_pki_profile_t *profile, ngx_pool_t *pool,
    ngx_pki_csr_t *csr, ngx_pki_template_t *t)
{
    ngx_int_t     rc;
    const char   *error;
    ngx_array_t   attributes;

    rc = ngx_pki_name_decode(pool, &csr->subject, &attributes, &error);

    if (rc == NGX_DECLINED) {
        return ngx_pki_profile_refuse(pool, t, "the requested subject %s",
                                      error);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    t->subject = csr->subject;

    if (profile->subject.nelts != 0) {

        rc = ngx_pki_profile_template(profile, pool, &attributes, t);
        if (rc != NGX_OK) {
            return rc;
        }

        rc = ngx_pki_name_decode(pool, &t->subject, &attributes, &error);
        if (rc != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_pki_name_text(pool, &attributes, &t->subject_text) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_pki_profile_check_subject(profile, pool, t);
}


/* "name" or "{name}", after the dollar sign */

static ngx_pki_profile_variable_t *
ngx_pki_profile_variable(u_char **pos, u_char *last)
{
    u_char                      *p, *start;
    size_t                       len;
    ngx_uint_t                   brace;
    ngx_pki_profile_variable_t  *v;

    p = *pos;
    brace = (p < last && *p == '{');

    if (brace) {
        p++;
    }

    for (start = p; p < last && *p >= 'a' && *p <= 'z'; p++) { /* void */ }

    len = p - start;

    if (brace && (p == last || *p++ != '}')) {
        return NULL;
    }

    *pos = p;

    for (v = ngx_pki_profile_variables; v->name.len != 0; v++) {
        if (v->name.len == len && ngx_memcmp(v->name.data, start, len) == 0) {
            return v;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_pki_profile_add_part(ngx_array_t *parts, u_char *start, u_char *end,
    ngx_str_t *oid)
{
    ngx_pki_profile_part_t  *part;

    part = ngx_array_push(parts);
    if (part == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(part, sizeof(ngx_pki_profile_part_t));

    if (oid != NULL) {
        part->oid = *oid;
        return NGX_OK;
    }

    part->text.data = start;
    part->text.len = end - start;

    return NGX_OK;
}


/*
 * Puts the attributes requested into the template, or "xx" for each of them if
 * "attributes" is NULL.  NGX_DECLINED: one is missing, or there several times.
 */

static ngx_int_t
ngx_pki_profile_expand(ngx_pool_t *pool, ngx_array_t *parts,
    ngx_array_t *attributes, ngx_str_t *text)
{
    size_t                   size;
    u_char                  *p;
    ngx_str_t               *value;
    ngx_uint_t               i;
    ngx_pki_profile_part_t  *part;

    part = parts->elts;

    for (size = 1, i = 0; i < parts->nelts; i++) {

        value = ngx_pki_profile_part(&part[i], attributes);
        if (value == NULL) {
            return NGX_DECLINED;
        }

        size += 2 * value->len;
    }

    p = ngx_pnalloc(pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = p;

    for (i = 0; i < parts->nelts; i++) {

        value = ngx_pki_profile_part(&part[i], attributes);

        p = (part[i].oid.len != 0) ? ngx_pki_name_escape(p, value)
                                   : ngx_cpymem(p, value->data, value->len);
    }

    text->len = p - text->data;

    return NGX_OK;
}


static ngx_str_t *
ngx_pki_profile_part(ngx_pki_profile_part_t *part, ngx_array_t *attributes)
{
    static ngx_str_t  sample = ngx_string("xx");

    if (part->oid.len == 0) {
        return &part->text;
    }

    if (attributes == NULL) {
        return &sample;
    }

    return ngx_pki_profile_requested(attributes, &part->oid);
}


/* the one attribute of this type; which of several to take is a trap */

static ngx_str_t *
ngx_pki_profile_requested(ngx_array_t *attributes, ngx_str_t *oid)
{
    ngx_str_t                 *value;
    ngx_uint_t                 i;
    ngx_pki_name_attribute_t  *a;

    value = NULL;
    a = attributes->elts;

    for (i = 0; i < attributes->nelts; i++) {

        if (a[i].oid.len != oid->len
            || ngx_memcmp(a[i].oid.data, oid->data, oid->len) != 0)
        {
            continue;
        }

        if (value != NULL) {
            return NULL;
        }

        value = &a[i].text;
    }

    return value;
}


static ngx_int_t
ngx_pki_profile_template(ngx_pki_profile_t *profile, ngx_pool_t *pool,
    ngx_array_t *attributes, ngx_pki_template_t *t)
{
    ngx_int_t    rc;
    ngx_str_t    text;
    const char  *error;

    rc = ngx_pki_profile_expand(pool, &profile->subject, attributes, &text);

    if (rc == NGX_DECLINED) {
        return ngx_pki_profile_refuse(pool, t, "the requested subject lacks "
                                      "an attribute of the profile's template,"
                                      " or has it several times");
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_pki_name_encode(pool, &text, &t->subject, &error);

    if (rc == NGX_DECLINED) {
        return ngx_pki_profile_refuse(pool, t, "the subject made from the "
                                      "profile's template %s", error);
    }

    return rc;
}


static ngx_int_t
ngx_pki_profile_check_subject(ngx_pki_profile_t *profile, ngx_pool_t *pool,
    ngx_pki_template_t *t)
{
#if (NGX_PCRE)

    ngx_uint_t                i;
    ngx_pki_profile_regex_t  *allowed;

    allowed = profile->allow_subject.elts;

    for (i = 0; i < profile->allow_subject.nelts; i++) {

        if (ngx_regex_exec(allowed[i].regex, &t->subject_text, NULL, 0) >= 0) {
            return NGX_OK;
        }
    }

    if (i != 0) {
        return ngx_pki_profile_refuse(pool, t, "subject \"%V\" is not allowed "
                                      "by \"allow_subject\"",
                                      &t->subject_text);
    }

#endif

    return NGX_OK;
}
