
/*
 * Copyright (C) the ngx_pki authors
 *
 * The block of pki_profile.
 */


#include "ngx_pki_profile_rules.h"
#include "ngx_pki_oid.h"
#include "ngx_pki_usage.h"


#define NGX_PKI_PROFILE_NAME_LEN      64
#define NGX_PKI_PROFILE_MAX_VALIDITY  (100 * 365 * 24 * 60 * 60LL)
#define NGX_PKI_PROFILE_MAX_BACKDATE  (30 * 24 * 60 * 60)
#define NGX_PKI_PROFILE_ANY           1000


typedef struct {
    ngx_str_t                  name;
    ngx_uint_t                 min;          /* of parameters */
    ngx_uint_t                 max;
    ngx_uint_t                 several;      /* may be written several times */
    char                    *(*set)(ngx_conf_t *cf, ngx_pki_profile_t *p);
} ngx_pki_profile_directive_t;


static ngx_uint_t ngx_pki_profile_is_name(ngx_str_t *name);
static char *ngx_pki_profile_directive(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf);
static char *ngx_pki_profile_set_validity(ngx_conf_t *cf,
    ngx_pki_profile_t *p);
static char *ngx_pki_profile_set_backdate(ngx_conf_t *cf,
    ngx_pki_profile_t *p);
static char *ngx_pki_profile_set_key_usage(ngx_conf_t *cf,
    ngx_pki_profile_t *p);
static char *ngx_pki_profile_set_extended_key_usage(ngx_conf_t *cf,
    ngx_pki_profile_t *p);
static char *ngx_pki_profile_set_subject(ngx_conf_t *cf, ngx_pki_profile_t *p);
static char *ngx_pki_profile_set_san(ngx_conf_t *cf, ngx_pki_profile_t *p);
static char *ngx_pki_profile_set_copy_extension(ngx_conf_t *cf,
    ngx_pki_profile_t *p);
static char *ngx_pki_profile_set_extension(ngx_conf_t *cf,
    ngx_pki_profile_t *p);
static char *ngx_pki_profile_parse_oid(ngx_conf_t *cf, ngx_pki_profile_t *p,
    ngx_uint_t copy, ngx_str_t *oid);
static ngx_int_t ngx_pki_profile_parse_der(ngx_pool_t *pool, ngx_str_t *hex,
    ngx_str_t *der);
static char *ngx_pki_profile_set_sid(ngx_conf_t *cf, ngx_pki_profile_t *p);
static char *ngx_pki_profile_set_distribution_point(ngx_conf_t *cf,
    ngx_pki_profile_t *p);


static ngx_pki_profile_directive_t  ngx_pki_profile_directives[] = {

    { ngx_string("validity"), 1, 1, 0, ngx_pki_profile_set_validity },

    { ngx_string("backdate"), 1, 1, 0, ngx_pki_profile_set_backdate },

    { ngx_string("key_usage"), 1, NGX_PKI_PROFILE_ANY, 0,
      ngx_pki_profile_set_key_usage },

    { ngx_string("extended_key_usage"), 1, NGX_PKI_PROFILE_ANY, 0,
      ngx_pki_profile_set_extended_key_usage },

    { ngx_string("subject"), 1, 1, 0, ngx_pki_profile_set_subject },

    { ngx_string("san"), 1, NGX_PKI_PROFILE_ANY, 0, ngx_pki_profile_set_san },

    { ngx_string("allow_key"), 1, NGX_PKI_PROFILE_ANY, 0,
      ngx_pki_profile_set_allow_key },

    { ngx_string("allow_subject"), 1, 1, 1,
      ngx_pki_profile_set_allow_subject },

    { ngx_string("allow_san"), 2, 2, 1, ngx_pki_profile_set_allow_san },

    { ngx_string("copy_extension"), 1, 1, 1,
      ngx_pki_profile_set_copy_extension },

    { ngx_string("extension"), 2, 3, 1, ngx_pki_profile_set_extension },

    { ngx_string("sid"), 1, 1, 0, ngx_pki_profile_set_sid },

    { ngx_string("entra_extensions"), 1, 1, 0,
      ngx_pki_profile_set_entra_extensions },

    { ngx_string("distribution_point"), 1, 1, 0,
      ngx_pki_profile_set_distribution_point },

    { ngx_null_string, 0, 0, 0, NULL }
};


char *
ngx_pki_profile_block(ngx_conf_t *cf, ngx_array_t *profiles)
{
    char                *rv;
    ngx_str_t           *value;
    ngx_conf_t           save;
    ngx_pki_profile_t   *p, **pp;

    value = cf->args->elts;

    if (!ngx_pki_profile_is_name(&value[1])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid profile name \"%V\": letters, digits, "
                           "\"-\" and \"_\" make a name, %d at most",
                           &value[1], NGX_PKI_PROFILE_NAME_LEN);
        return NGX_CONF_ERROR;
    }

    if (ngx_pki_profile_find(profiles, &value[1]) != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "profile \"%V\" is there already", &value[1]);
        return NGX_CONF_ERROR;
    }

    p = ngx_pki_profile_create(cf->pool, &value[1]);
    pp = ngx_array_push(profiles);

    if (p == NULL || pp == NULL) {
        return NGX_CONF_ERROR;
    }

    *pp = p;

    save = *cf;
    cf->handler = ngx_pki_profile_directive;
    cf->handler_conf = (char *) p;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    return rv;
}


char *
ngx_pki_profile_invalid(ngx_conf_t *cf, ngx_str_t *value, const char *why)
{
    ngx_str_t  *directive;

    directive = cf->args->elts;

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" of \"pki_profile\": \"%V\" %s",
                       directive, value, why);

    return NGX_CONF_ERROR;
}


static ngx_uint_t
ngx_pki_profile_is_name(ngx_str_t *name)
{
    u_char  c, lower;
    size_t  i;

    if (name->len == 0 || name->len > NGX_PKI_PROFILE_NAME_LEN) {
        return 0;
    }

    for (i = 0; i < name->len; i++) {
        c = name->data[i];
        lower = (u_char) (c | 0x20);

        if ((lower < 'a' || lower > 'z') && (c < '0' || c > '9')
            && c != '-' && c != '_')
        {
            return 0;
        }
    }

    return 1;
}


static char *
ngx_pki_profile_directive(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    char                         *rv;
    ngx_str_t                    *value;
    ngx_uint_t                    n, bit;
    ngx_pki_profile_t            *p;
    ngx_pki_profile_directive_t  *d;

    p = conf;
    value = cf->args->elts;
    n = cf->args->nelts - 1;
    bit = 1;

    for (d = ngx_pki_profile_directives; d->name.len != 0; d++, bit <<= 1) {

        if (d->name.len != value[0].len
            || ngx_strncmp(d->name.data, value[0].data, d->name.len) != 0)
        {
            continue;
        }

        if (n < d->min || n > d->max) {
            rv = "has an invalid number of parameters";

        } else if ((p->given & bit) && !d->several) {
            rv = "is duplicate";

        } else {
            p->given |= bit;
            rv = d->set(cf, p);
        }

        if (rv != NGX_CONF_OK && rv != NGX_CONF_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" of \"pki_profile\" %s", &value[0], rv);
            return NGX_CONF_ERROR;
        }

        return rv;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown directive \"%V\" in \"pki_profile\"",
                       &value[0]);

    return NGX_CONF_ERROR;
}


static char *
ngx_pki_profile_set_validity(ngx_conf_t *cf, ngx_pki_profile_t *p)
{
    ngx_int_t   time;
    ngx_str_t  *value;

    value = cf->args->elts;
    time = ngx_parse_time(&value[1], 1);

    if (time == NGX_ERROR || time == 0 || time > NGX_PKI_PROFILE_MAX_VALIDITY)
    {
        return ngx_pki_profile_invalid(cf, &value[1], "is not a time of 100 "
                                       "years at most, as \"365d\"");
    }

    p->validity = time;

    return NGX_CONF_OK;
}


static char *
ngx_pki_profile_set_backdate(ngx_conf_t *cf, ngx_pki_profile_t *p)
{
    ngx_int_t   time;
    ngx_str_t  *value;

    value = cf->args->elts;
    time = ngx_parse_time(&value[1], 1);

    if (time == NGX_ERROR || time > NGX_PKI_PROFILE_MAX_BACKDATE) {
        return ngx_pki_profile_invalid(cf, &value[1], "is not a time of 30 "
                                       "days at most, as \"24h\"");
    }

    p->backdate = time;

    return NGX_CONF_OK;
}


static char *
ngx_pki_profile_set_key_usage(ngx_conf_t *cf, ngx_pki_profile_t *p)
{
    ngx_str_t   *value;
    ngx_uint_t   i, bit;

    value = cf->args->elts;
    p->key_usage = 0;

    if (cf->args->nelts == 2 && ngx_pki_str_eq(&value[1], "requested")) {
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        bit = ngx_pki_usage_bit(&value[i]);

        if (bit == 0) {
            return ngx_pki_profile_invalid(cf, &value[i], "is not one of "
                                           "digitalSignature, nonRepudiation, "
                                           "keyEncipherment, dataEncipherment "
                                           "and keyAgreement, nor is it "
                                           "\"requested\" alone");
        }

        p->key_usage |= bit;
    }

    return NGX_CONF_OK;
}


static char *
ngx_pki_profile_set_extended_key_usage(ngx_conf_t *cf, ngx_pki_profile_t *p)
{
    ngx_str_t        *value, *usage, oid;
    ngx_uint_t        i;
    ngx_pki_usage_t  *known;

    value = cf->args->elts;
    p->extended_key_usage.nelts = 0;

    if (cf->args->nelts == 2 && ngx_pki_str_eq(&value[1], "requested")) {
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        known = ngx_pki_usage_by_name(&value[i]);

        if (known != NULL) {
            oid = known->oid;

        } else if (ngx_pki_oid_parse(cf->pool, &value[i], &oid) != NGX_OK) {
            return ngx_pki_profile_invalid(cf, &value[i], "is neither the "
                                           "name of a usage, as "
                                           "\"clientAuth\", nor an OID, nor "
                                           "\"requested\" alone");
        }

        known = ngx_pki_usage_by_oid(&oid);

        if (known != NULL && known->policy == NGX_PKI_USAGE_NEVER) {
            return ngx_pki_profile_invalid(cf, &value[i], "would make every "
                                           "holder speak for the authority");
        }

        usage = ngx_array_push(&p->extended_key_usage);
        if (usage == NULL) {
            return NGX_CONF_ERROR;
        }

        *usage = oid;
    }

    return NGX_CONF_OK;
}


static char *
ngx_pki_profile_set_subject(ngx_conf_t *cf, ngx_pki_profile_t *p)
{
    ngx_int_t    rc;
    ngx_str_t   *value;
    const char  *error;

    value = cf->args->elts;

    if (ngx_pki_str_eq(&value[1], "requested")) {
        return NGX_CONF_OK;
    }

    rc = ngx_pki_profile_compile_subject(cf->pool, &value[1], &p->subject,
                                         &error);
    if (rc == NGX_DECLINED) {
        return ngx_pki_profile_invalid(cf, &value[1], error);
    }

    return rc == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_pki_profile_set_san(ngx_conf_t *cf, ngx_pki_profile_t *p)
{
    ngx_int_t       rc;
    ngx_str_t      *value;
    ngx_uint_t      i;
    const char     *error;
    ngx_pki_san_t  *san;

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_pki_str_eq(&value[1], "requested")) {
        return NGX_CONF_OK;
    }

    if (cf->args->nelts == 2 && ngx_pki_str_eq(&value[1], "none")) {
        p->san = NGX_PKI_PROFILE_SAN_NONE;
        return NGX_CONF_OK;
    }

    p->san = NGX_PKI_PROFILE_SAN_FIXED;

    for (i = 1; i < cf->args->nelts; i++) {

        if (i > NGX_PKI_SAN_MAX) {
            return "has over 64 names";
        }

        san = ngx_array_push(&p->sans);
        if (san == NULL) {
            return NGX_CONF_ERROR;
        }

        rc = ngx_pki_san_parse(cf->pool, &value[i], san, &error);

        if (rc == NGX_DECLINED) {
            return ngx_pki_profile_invalid(cf, &value[i], error);
        }

        if (rc != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_pki_profile_set_copy_extension(ngx_conf_t *cf, ngx_pki_profile_t *p)
{
    char       *rv;
    ngx_str_t  *copy, oid;

    rv = ngx_pki_profile_parse_oid(cf, p, 1, &oid);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    copy = ngx_array_push(&p->copy);
    if (copy == NULL) {
        return NGX_CONF_ERROR;
    }

    *copy = oid;

    return NGX_CONF_OK;
}


static char *
ngx_pki_profile_set_extension(ngx_conf_t *cf, ngx_pki_profile_t *p)
{
    char                 *rv;
    ngx_int_t             rc;
    ngx_str_t            *value, oid;
    ngx_pki_extension_t  *e;

    value = cf->args->elts;

    if (cf->args->nelts == 4 && !ngx_pki_str_eq(&value[3], "critical")) {
        return ngx_pki_profile_invalid(cf, &value[3], "is not \"critical\"");
    }

    rv = ngx_pki_profile_parse_oid(cf, p, 0, &oid);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    e = ngx_array_push(&p->extensions);
    if (e == NULL) {
        return NGX_CONF_ERROR;
    }

    e->oid = oid;
    e->critical = (cf->args->nelts == 4);

    rc = ngx_pki_profile_parse_der(cf->pool, &value[2], &e->value);

    if (rc == NGX_DECLINED) {
        return ngx_pki_profile_invalid(cf, &value[2], "is not one DER element "
                                       "in hex, as \"0500\" for NULL");
    }

    return rc == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* the OID of "copy_extension" or "extension", not known to either yet */

static char *
ngx_pki_profile_parse_oid(ngx_conf_t *cf, ngx_pki_profile_t *p,
    ngx_uint_t copy, ngx_str_t *oid)
{
    ngx_str_t   *value;
    const char  *error;

    value = cf->args->elts;
    error = NULL;

    if (ngx_pki_oid_parse(cf->pool, &value[1], oid) != NGX_OK) {
        error = "is not an OID, as \"1.3.6.1.4.1.311.21.7\"";

    } else if (!ngx_pki_profile_may_carry(oid, copy)) {
        error = copy ? "is an extension that no client may bring along"
                     : "is an extension that the authority or another "
                       "directive writes, or that only authorities have";

    } else if (ngx_pki_profile_has(p, oid)
               || (p->tenant != NULL && ngx_pki_profile_is_entra(oid)))
    {
        error = "is an extension that is there already";
    }

    return error ? ngx_pki_profile_invalid(cf, &value[1], error) : NGX_CONF_OK;
}


ngx_uint_t
ngx_pki_profile_has(ngx_pki_profile_t *p, ngx_str_t *oid)
{
    ngx_uint_t            i;
    ngx_pki_extension_t  *e;

    if (ngx_pki_profile_copies(p, oid)) {
        return 1;
    }

    e = p->extensions.elts;

    for (i = 0; i < p->extensions.nelts; i++) {

        if (e[i].oid.len == oid->len
            && ngx_memcmp(e[i].oid.data, oid->data, oid->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_pki_profile_parse_der(ngx_pool_t *pool, ngx_str_t *hex, ngx_str_t *der)
{
    size_t         i;
    ngx_int_t      octet;
    ngx_str_t      content;
    ngx_uint_t     tag;
    ngx_pki_der_t  reader;

    if (hex->len == 0 || hex->len % 2 != 0) {
        return NGX_DECLINED;
    }

    der->len = hex->len / 2;
    der->data = ngx_pnalloc(pool, der->len);

    if (der->data == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < der->len; i++) {

        octet = ngx_hextoi(hex->data + 2 * i, 2);

        if (octet == NGX_ERROR) {
            return NGX_DECLINED;
        }

        der->data[i] = (u_char) octet;
    }

    ngx_pki_der_init(&reader, der);

    if (ngx_pki_der_any(&reader, &tag, &content, NULL) != NGX_OK
        || !ngx_pki_der_end(&reader))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static char *
ngx_pki_profile_set_sid(ngx_conf_t *cf, ngx_pki_profile_t *p)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_pki_str_eq(&value[1], "off")) {
        return NGX_CONF_OK;
    }

    if (ngx_pki_str_eq(&value[1], "request")) {
        p->sid = NGX_PKI_PROFILE_SID_REQUEST;
        return NGX_CONF_OK;
    }

    if (ngx_pki_str_eq(&value[1], "directory")) {
        return ngx_pki_profile_invalid(cf, &value[1], "is not available in "
                                       "this version, \"off\" and "
                                       "\"request\" are: no directory is "
                                       "asked for security identifiers");
    }

    return ngx_pki_profile_invalid(cf, &value[1], "must be \"off\" or "
                                   "\"request\"");
}


static char *
ngx_pki_profile_set_distribution_point(ngx_conf_t *cf, ngx_pki_profile_t *p)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_pki_str_eq(&value[1], "on")) {
        p->distribution_point = 1;

    } else if (ngx_pki_str_eq(&value[1], "off")) {
        p->distribution_point = 0;

    } else {
        return ngx_pki_profile_invalid(cf, &value[1], "must be \"on\" or "
                                       "\"off\"");
    }

    return NGX_CONF_OK;
}
