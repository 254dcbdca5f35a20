
/*
 * Copyright (C) the ngx_pki authors
 *
 * The directives of a profile that say what may be asked for.
 */


#include "ngx_pki_profile_rules.h"


#define NGX_PKI_PROFILE_RSA_MIN  2048
#define NGX_PKI_PROFILE_RSA_MAX  8192


static ngx_int_t ngx_pki_profile_parse_key(ngx_str_t *text,
    ngx_array_t *keys);
static ngx_int_t ngx_pki_profile_parse_rsa(ngx_str_t *sizes,
    ngx_array_t *keys);
static ngx_int_t ngx_pki_profile_parse_curves(ngx_str_t *curves,
    ngx_array_t *keys);
static ngx_int_t ngx_pki_profile_add_key(ngx_array_t *keys,
    ngx_pki_key_type_e type, ngx_uint_t min, ngx_uint_t max);
#if (NGX_PCRE)
static char *ngx_pki_profile_add_regex(ngx_conf_t *cf, ngx_array_t *a,
    ngx_pki_san_type_e type, ngx_str_t *pattern);
#endif


char *
ngx_pki_profile_set_allow_key(ngx_conf_t *cf, ngx_pki_profile_t *p)
{
    ngx_int_t    rc;
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;
    p->keys.nelts = 0;

    for (i = 1; i < cf->args->nelts; i++) {

        rc = ngx_pki_profile_parse_key(&value[i], &p->keys);

        if (rc == NGX_ERROR) {
            return NGX_CONF_ERROR;
        }

        if (rc != NGX_OK) {
            return ngx_pki_profile_invalid(cf, &value[i], "is not of the kind "
                                           "\"rsa:2048-4096\" (2048 to 8192 "
                                           "bits), \"ec:P-256,P-384,P-521\" "
                                           "or \"ed25519\"");
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_pki_profile_set_allow_subject(ngx_conf_t *cf, ngx_pki_profile_t *p)
{
#if (NGX_PCRE)

    ngx_str_t  *value;

    value = cf->args->elts;

    return ngx_pki_profile_add_regex(cf, &p->allow_subject, 0, &value[1]);

#else

    return "requires the PCRE library, which this nginx was built without";

#endif
}


char *
ngx_pki_profile_set_allow_san(ngx_conf_t *cf, ngx_pki_profile_t *p)
{
#if (NGX_PCRE)

    ngx_str_t           *value;
    ngx_pki_san_type_e   type;

    value = cf->args->elts;
    type = ngx_pki_san_type(&value[1]);

    if (type == NGX_PKI_SAN_TYPES) {
        return ngx_pki_profile_invalid(cf, &value[1], "is not one of dns, ip, "
                                       "email, uri and upn");
    }

    return ngx_pki_profile_add_regex(cf, &p->allow_san, type, &value[2]);

#else

    return "requires the PCRE library, which this nginx was built without";

#endif
}


static ngx_int_t
ngx_pki_profile_parse_key(ngx_str_t *text, ngx_array_t *keys)
{
    u_char     *colon;
    ngx_str_t   kind, sizes;

    if (ngx_pki_str_eq(text, "ed25519")) {
        return ngx_pki_profile_add_key(keys, NGX_PKI_KEY_ED25519, 256, 256);
    }

    colon = ngx_strlchr(text->data, text->data + text->len, ':');

    if (colon == NULL) {
        return NGX_DECLINED;
    }

    kind.data = text->data;
    kind.len = colon - text->data;

    sizes.data = colon + 1;
    sizes.len = text->data + text->len - sizes.data;

    if (ngx_pki_str_eq(&kind, "rsa")) {
        return ngx_pki_profile_parse_rsa(&sizes, keys);
    }

    if (ngx_pki_str_eq(&kind, "ec")) {
        return ngx_pki_profile_parse_curves(&sizes, keys);
    }

    return NGX_DECLINED;
}


/* "2048-4096", or one size alone */

static ngx_int_t
ngx_pki_profile_parse_rsa(ngx_str_t *sizes, ngx_array_t *keys)
{
    u_char     *dash, *last;
    ngx_int_t   min, max;

    last = sizes->data + sizes->len;
    dash = ngx_strlchr(sizes->data, last, '-');

    if (dash == NULL) {
        min = ngx_atoi(sizes->data, sizes->len);
        max = min;

    } else {
        min = ngx_atoi(sizes->data, dash - sizes->data);
        max = ngx_atoi(dash + 1, last - dash - 1);
    }

    if (min < NGX_PKI_PROFILE_RSA_MIN
        || max < min
        || max > NGX_PKI_PROFILE_RSA_MAX)
    {
        return NGX_DECLINED;
    }

    return ngx_pki_profile_add_key(keys, NGX_PKI_KEY_RSA, min, max);
}


/* "P-256,P-384" */

static ngx_int_t
ngx_pki_profile_parse_curves(ngx_str_t *curves, ngx_array_t *keys)
{
    u_char      *p, *comma, *last;
    ngx_str_t    curve;
    ngx_uint_t   bits;

    p = curves->data;
    last = p + curves->len;

    for ( ;; ) {
        comma = ngx_strlchr(p, last, ',');

        curve.data = p;
        curve.len = (comma ? comma : last) - p;

        if (ngx_pki_str_eq(&curve, "P-256")) {
            bits = 256;

        } else if (ngx_pki_str_eq(&curve, "P-384")) {
            bits = 384;

        } else if (ngx_pki_str_eq(&curve, "P-521")) {
            bits = 521;

        } else {
            return NGX_DECLINED;
        }

        if (ngx_pki_profile_add_key(keys, NGX_PKI_KEY_EC, bits, bits)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (comma == NULL) {
            return NGX_OK;
        }

        p = comma + 1;
    }
}


static ngx_int_t
ngx_pki_profile_add_key(ngx_array_t *keys, ngx_pki_key_type_e type,
    ngx_uint_t min, ngx_uint_t max)
{
    ngx_pki_profile_key_t  *key;

    key = ngx_array_push(keys);
    if (key == NULL) {
        return NGX_ERROR;
    }

    key->type = type;
    key->min = min;
    key->max = max;

    return NGX_OK;
}


#if (NGX_PCRE)

static char *
ngx_pki_profile_add_regex(ngx_conf_t *cf, ngx_array_t *a,
    ngx_pki_san_type_e type, ngx_str_t *pattern)
{
    u_char                    errstr[NGX_MAX_CONF_ERRSTR];
    ngx_regex_compile_t       rc;
    ngx_pki_profile_regex_t  *regex;

    ngx_memzero(&rc, sizeof(ngx_regex_compile_t));

    rc.pattern = *pattern;
    rc.pool = cf->pool;
    rc.err.len = NGX_MAX_CONF_ERRSTR;
    rc.err.data = errstr;

    if (ngx_regex_compile(&rc) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%V", &rc.err);
        return NGX_CONF_ERROR;
    }

    regex = ngx_array_push(a);
    if (regex == NULL) {
        return NGX_CONF_ERROR;
    }

    regex->type = type;
    regex->regex = rc.regex;

    return NGX_CONF_OK;
}

#endif
