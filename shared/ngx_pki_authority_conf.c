
/*
 * Copyright (C) the ngx_pki authors
 *
 * The block of pki_authority.
 */


#include "ngx_pki_authority.h"
#include "ngx_pki_md.h"
#include "ngx_pki_name.h"
#include "ngx_pki_ra.h"


#define NGX_PKI_AUTHORITY_VALIDITY  (10 * 365 * 24 * 60 * 60)


typedef struct ngx_pki_authority_directive_s  ngx_pki_authority_directive_t;

struct ngx_pki_authority_directive_s {
    ngx_str_t                  name;
    ngx_uint_t                 min;          /* of parameters */
    ngx_uint_t                 max;
    char                    *(*set)(ngx_conf_t *cf, ngx_pki_authority_t *a,
                                    ngx_pki_authority_directive_t *d);
    size_t                     offset;
};


static char *ngx_pki_authority_directive(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf);
static char *ngx_pki_authority_check(ngx_conf_t *cf, ngx_pki_authority_t *a);
static ngx_int_t ngx_pki_authority_check_create(ngx_conf_t *cf,
    ngx_pki_authority_t *a);
static ngx_int_t ngx_pki_authority_check_subject(ngx_conf_t *cf,
    ngx_pki_authority_t *a);
static char *ngx_pki_authority_set_text(ngx_conf_t *cf,
    ngx_pki_authority_t *a, ngx_pki_authority_directive_t *d);
static char *ngx_pki_authority_set_key(ngx_conf_t *cf, ngx_pki_authority_t *a,
    ngx_pki_authority_directive_t *d);
static char *ngx_pki_authority_set_certificate(ngx_conf_t *cf,
    ngx_pki_authority_t *a, ngx_pki_authority_directive_t *d);
static char *ngx_pki_authority_set_file(ngx_conf_t *cf, ngx_pki_authority_t *a,
    ngx_pki_authority_directive_t *d);
static char *ngx_pki_authority_set_create(ngx_conf_t *cf,
    ngx_pki_authority_t *a, ngx_pki_authority_directive_t *d);
static char *ngx_pki_authority_set_ra(ngx_conf_t *cf, ngx_pki_authority_t *a,
    ngx_pki_authority_directive_t *d);
static char *ngx_pki_authority_set_url(ngx_conf_t *cf, ngx_pki_authority_t *a,
    ngx_pki_authority_directive_t *d);
static char *ngx_pki_authority_set_digest(ngx_conf_t *cf,
    ngx_pki_authority_t *a, ngx_pki_authority_directive_t *d);
static char *ngx_pki_authority_set_previous(ngx_conf_t *cf,
    ngx_pki_authority_t *a, ngx_pki_authority_directive_t *d);
static char *ngx_pki_authority_unavailable(ngx_conf_t *cf,
    ngx_pki_authority_t *a, ngx_pki_authority_directive_t *d);
static ngx_int_t ngx_pki_authority_is_name(ngx_str_t *name);
static ngx_int_t ngx_pki_authority_urls(ngx_conf_t *cf,
    ngx_pki_authority_t *a);
static ngx_int_t ngx_pki_authority_append_url(ngx_conf_t *cf, ngx_str_t *url,
    ngx_str_t *base, const char *format, ngx_str_t *name);


static ngx_pki_authority_directive_t  ngx_pki_authority_directives[] = {

    { ngx_string("subject"), 1, 1, ngx_pki_authority_set_text,
      offsetof(ngx_pki_authority_t, subject) },

    { ngx_string("key"), 1, 3, ngx_pki_authority_set_key,
      offsetof(ngx_pki_authority_t, key_path) },

    { ngx_string("certificate"), 1, 2, ngx_pki_authority_set_certificate,
      offsetof(ngx_pki_authority_t, certificate_file) },

    { ngx_string("create"), 1, 2, ngx_pki_authority_set_create, 0 },

    { ngx_string("ra"), 1, 3, ngx_pki_authority_set_ra, 0 },

    { ngx_string("base_url"), 1, 1, ngx_pki_authority_set_url,
      offsetof(ngx_pki_authority_t, base_url) },

    { ngx_string("ocsp_url"), 1, 1, ngx_pki_authority_set_url,
      offsetof(ngx_pki_authority_t, ocsp_url) },

    { ngx_string("crl_url"), 1, 1, ngx_pki_authority_set_url,
      offsetof(ngx_pki_authority_t, crl_url) },

    { ngx_string("ca_url"), 1, 1, ngx_pki_authority_set_url,
      offsetof(ngx_pki_authority_t, ca_url) },

    { ngx_string("signature_digest"), 1, 2, ngx_pki_authority_set_digest, 0 },

    { ngx_string("csr"), 1, 1, ngx_pki_authority_set_file,
      offsetof(ngx_pki_authority_t, csr_file) },

    { ngx_string("previous"), 1, 1, ngx_pki_authority_set_previous,
      offsetof(ngx_pki_authority_t, previous_name) },

    { ngx_string("directory"), 1, 8, ngx_pki_authority_unavailable, 0 },

    { ngx_null_string, 0, 0, NULL, 0 }
};


char *
ngx_pki_authority_block(ngx_conf_t *cf, ngx_array_t *authorities)
{
    char                  *rv;
    ngx_str_t             *value;
    ngx_conf_t             save;
    ngx_pki_authority_t   *a, **ap;

    value = cf->args->elts;

    if (ngx_pki_authority_is_name(&value[1]) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid authority name \"%V\": letters, digits, "
                           "\"-\" and \"_\" make a name, 64 at most",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    if (ngx_pki_authority_find(authorities, &value[1]) != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "authority \"%V\" is there already", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (authorities->nelts == NGX_PKI_MAX_AUTHORITIES) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "more than %d authorities",
                           NGX_PKI_MAX_AUTHORITIES);
        return NGX_CONF_ERROR;
    }

    a = ngx_pcalloc(cf->pool, sizeof(ngx_pki_authority_t));
    ap = ngx_array_push(authorities);

    if (a == NULL || ap == NULL) {
        return NGX_CONF_ERROR;
    }

    a->name = value[1];
    *ap = a;

    save = *cf;
    cf->handler = ngx_pki_authority_directive;
    cf->handler_conf = (char *) a;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_pki_authority_check(cf, a);
}


static char *
ngx_pki_authority_directive(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    char                           *rv;
    ngx_str_t                      *value;
    ngx_uint_t                      n;
    ngx_pki_authority_directive_t  *d;

    value = cf->args->elts;
    n = cf->args->nelts - 1;

    for (d = ngx_pki_authority_directives; d->name.len != 0; d++) {

        if (d->name.len != value[0].len
            || ngx_strncmp(d->name.data, value[0].data, d->name.len) != 0)
        {
            continue;
        }

        if (n < d->min || n > d->max) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid number of arguments in \"%V\" of "
                               "\"pki_authority\"", &value[0]);
            return NGX_CONF_ERROR;
        }

        rv = d->set(cf, conf, d);

        if (rv != NGX_CONF_OK && rv != NGX_CONF_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" of \"pki_authority\" %s",
                               &value[0], rv);
            return NGX_CONF_ERROR;
        }

        return rv;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown directive \"%V\" in \"pki_authority\"",
                       &value[0]);

    return NGX_CONF_ERROR;
}


static char *
ngx_pki_authority_check(ngx_conf_t *cf, ngx_pki_authority_t *a)
{
    const char  *missing;

    missing = NULL;

    if (a->key_path.len == 0) {
        missing = "key";

    } else if (a->certificate_file.len == 0) {
        missing = "certificate";

    } else if ((a->create.type != 0 || a->csr_file.len != 0)
               && a->subject.len == 0)
    {
        missing = "subject";
    }

    if (missing != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "authority \"%V\" must have \"%s\"",
                           &a->name, missing);
        return NGX_CONF_ERROR;
    }

    if (ngx_pki_authority_check_create(cf, a) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (a->subject.len != 0 && ngx_pki_authority_check_subject(cf, a) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (a->create_validity == 0) {
        a->create_validity = NGX_PKI_AUTHORITY_VALIDITY;
    }

    if (ngx_pki_authority_urls(cf, a) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (a->ocsp_url.len == 0 && a->crl_url.len == 0) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "authority \"%V\" has no \"base_url\": nobody "
                           "will find from its certificates where to ask "
                           "whether they are revoked", &a->name);
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_pki_authority_check_create(ngx_conf_t *cf, ngx_pki_authority_t *a)
{
    const char  *error;

    error = NULL;

    if (a->create.type != 0 && a->key_store) {
        error = "\"create\" makes a key of \"file:\" or \"keyvault:\", not "
                "of \"store:\"";

    } else if (a->create.hsm && a->vault == NULL) {
        error = "only a key of \"keyvault:\" can be made in an HSM";

    } else if (a->csr_file.len != 0 && a->key_store) {
        error = "\"csr\" goes with a key of \"file:\" or \"keyvault:\"";
    }

    if (error == NULL) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "authority \"%V\": %s",
                       &a->name, error);

    return NGX_ERROR;
}


static ngx_int_t
ngx_pki_authority_check_subject(ngx_conf_t *cf, ngx_pki_authority_t *a)
{
    ngx_str_t    name;
    const char  *error;

    error = "out of memory";

    if (ngx_pki_name_encode(cf->temp_pool, &a->subject, &name, &error)
        == NGX_OK)
    {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "authority \"%V\": invalid subject \"%V\": %s; right "
                       "would be \"CN=Device CA,O=Example\"",
                       &a->name, &a->subject, error);

    return NGX_ERROR;
}


static char *
ngx_pki_authority_set_text(ngx_conf_t *cf, ngx_pki_authority_t *a,
    ngx_pki_authority_directive_t *d)
{
    ngx_str_t  *field, *value;

    field = (ngx_str_t *) ((char *) a + d->offset);
    value = cf->args->elts;

    if (field->data != NULL) {
        return "is duplicate";
    }

    if (value[1].len == 0) {
        return "is empty";
    }

    *field = value[1];

    return NGX_CONF_OK;
}


static char *
ngx_pki_authority_set_key(ngx_conf_t *cf, ngx_pki_authority_t *a,
    ngx_pki_authority_directive_t *d)
{
    return (char *) ngx_pki_authority_parse_key(cf, a);
}


static char *
ngx_pki_authority_set_file(ngx_conf_t *cf, ngx_pki_authority_t *a,
    ngx_pki_authority_directive_t *d)
{
    char       *rv;
    ngx_str_t  *field;

    rv = ngx_pki_authority_set_text(cf, a, d);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    field = (ngx_str_t *) ((char *) a + d->offset);

    return ngx_conf_full_name(cf->cycle, field, 1) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_pki_authority_set_certificate(ngx_conf_t *cf, ngx_pki_authority_t *a,
    ngx_pki_authority_directive_t *d)
{
    char       *rv;
    ngx_str_t  *value;

    value = cf->args->elts;

    rv = ngx_pki_authority_set_text(cf, a, d);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (ngx_conf_full_name(cf->cycle, &a->certificate_file, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    if (value[2].len <= 6 || ngx_strncmp(value[2].data, "chain=", 6) != 0) {
        return "takes a file and perhaps \"chain=file\"";
    }

    a->chain_file.data = value[2].data + 6;
    a->chain_file.len = value[2].len - 6;

    return ngx_conf_full_name(cf->cycle, &a->chain_file, 1) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_pki_authority_set_create(ngx_conf_t *cf, ngx_pki_authority_t *a,
    ngx_pki_authority_directive_t *d)
{
    ngx_str_t   *value, s;
    const char  *error;

    value = cf->args->elts;

    if (a->create.type != 0) {
        return "is duplicate";
    }

    error = ngx_pki_key_parse_spec(&value[1], &a->create);

    if (error != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid key \"%V\" in \"create\": %s",
                           &value[1], error);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    if (value[2].len <= 9 || ngx_strncmp(value[2].data, "validity=", 9) != 0) {
        return "takes a key and perhaps \"validity=time\"";
    }

    s.data = value[2].data + 9;
    s.len = value[2].len - 9;

    a->create_validity = ngx_parse_time(&s, 1);

    if (a->create_validity == (time_t) NGX_ERROR || a->create_validity <= 0) {
        return "has an invalid validity, \"10y\" or \"3650d\" would be right";
    }

    return NGX_CONF_OK;
}


static char *
ngx_pki_authority_set_ra(ngx_conf_t *cf, ngx_pki_authority_t *a,
    ngx_pki_authority_directive_t *d)
{
    return (char *) ngx_pki_ra_parse(cf, a);
}


static char *
ngx_pki_authority_set_url(ngx_conf_t *cf, ngx_pki_authority_t *a,
    ngx_pki_authority_directive_t *d)
{
    char        *rv;
    size_t       i;
    ngx_str_t   *url;

    rv = ngx_pki_authority_set_text(cf, a, d);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    url = (ngx_str_t *) ((char *) a + d->offset);

    if (ngx_strncmp(url->data, "http://", 7) != 0
        && ngx_strncmp(url->data, "https://", 8) != 0)
    {
        return "must start with \"http://\" or \"https://\"";
    }

    for (i = 0; i < url->len; i++) {
        if (url->data[i] <= ' ' || url->data[i] > '~') {
            return "has characters that a URL cannot have";
        }
    }

    while (url->len > 0 && url->data[url->len - 1] == '/') {
        url->len--;
    }

    return NGX_CONF_OK;
}


static char *
ngx_pki_authority_set_digest(ngx_conf_t *cf, ngx_pki_authority_t *a,
    ngx_pki_authority_directive_t *d)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (a->md != NULL) {
        return "is duplicate";
    }

    if (ngx_pki_str_eq(&value[1], "sha256")) {
        a->md = ngx_pki_md(NID_sha256);

    } else if (ngx_pki_str_eq(&value[1], "sha384")) {
        a->md = ngx_pki_md(NID_sha384);

    } else if (ngx_pki_str_eq(&value[1], "sha512")) {
        a->md = ngx_pki_md(NID_sha512);

    } else {
        return "is \"sha256\", \"sha384\" or \"sha512\"";
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    if (!ngx_pki_str_eq(&value[2], "pss")) {
        return "takes a digest and perhaps \"pss\"";
    }

    a->pss = 1;

    return NGX_CONF_OK;
}


static char *
ngx_pki_authority_set_previous(ngx_conf_t *cf, ngx_pki_authority_t *a,
    ngx_pki_authority_directive_t *d)
{
    char  *rv;

    rv = ngx_pki_authority_set_text(cf, a, d);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (a->previous_name.len == a->name.len
        && ngx_strncmp(a->previous_name.data, a->name.data, a->name.len) == 0)
    {
        return "names the authority itself";
    }

    return NGX_CONF_OK;
}


static char *
ngx_pki_authority_unavailable(ngx_conf_t *cf, ngx_pki_authority_t *a,
    ngx_pki_authority_directive_t *d)
{
    return "is not available in this version";
}


/* the name stands in URLs, in file names and in braces in Redis */

static ngx_int_t
ngx_pki_authority_is_name(ngx_str_t *name)
{
    u_char  c;
    size_t  i;

    if (name->len == 0 || name->len > NGX_PKI_ZONE_NAME_LEN) {
        return NGX_DECLINED;
    }

    for (i = 0; i < name->len; i++) {
        c = name->data[i];

        if ((c < '0' || c > '9') && (c < 'a' || c > 'z')
            && (c < 'A' || c > 'Z') && c != '-' && c != '_')
        {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_pki_authority_urls(ngx_conf_t *cf, ngx_pki_authority_t *a)
{
    if (a->base_url.len == 0) {
        return NGX_OK;
    }

    if (ngx_pki_authority_append_url(cf, &a->ocsp_url, &a->base_url,
                                     "%V/ocsp%Z", &a->name)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_pki_authority_append_url(cf, &a->crl_url, &a->base_url,
                                     "%V/crl/%V.crl%Z", &a->name)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_pki_authority_append_url(cf, &a->ca_url, &a->base_url,
                                        "%V/ca/%V.cer%Z", &a->name);
}


static ngx_int_t
ngx_pki_authority_append_url(ngx_conf_t *cf, ngx_str_t *url, ngx_str_t *base,
    const char *format, ngx_str_t *name)
{
    u_char  *p;

    if (url->len != 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(cf->pool, base->len + name->len + sizeof("/crl/.crl"));
    if (p == NULL) {
        return NGX_ERROR;
    }

    url->data = p;
    url->len = ngx_sprintf(p, format, base, name) - p - 1;

    return NGX_OK;
}
