
/*
 * Copyright (C) the ngx_pki authors
 *
 * The subject alternative names: as requested, fixed, or none.
 */


#include "ngx_pki_profile_rules.h"
#include "ngx_pki_sid.h"


static ngx_int_t ngx_pki_profile_filter_sans(ngx_pki_profile_t *profile,
    ngx_pool_t *pool, ngx_array_t *requested, ngx_pki_template_t *t,
    ngx_array_t *sans);
static ngx_int_t ngx_pki_profile_filter_sid(ngx_pki_profile_t *profile,
    ngx_pool_t *pool, ngx_pki_san_t *san, ngx_pki_template_t *t);
static const char *ngx_pki_profile_san_hint(ngx_pki_san_t *san);
static ngx_uint_t ngx_pki_profile_allows_san(ngx_pki_profile_t *profile,
    ngx_pki_san_t *san);


ngx_int_t
ngx_pki_profile_apply_sans(ngx_pki_profile_t *profile, ngx_pool_t *pool,
    ngx_str_t *value, ngx_pki_template_t *t, ngx_array_t *sans)
{
    ngx_int_t     rc;
    const char   *error;
    ngx_array_t   requested;

    if (profile->san == NGX_PKI_PROFILE_SAN_FIXED) {
        *sans = profile->sans;
        return NGX_OK;
    }

    if (ngx_array_init(sans, pool, 4, sizeof(ngx_pki_san_t)) != NGX_OK) {
        return NGX_ERROR;
    }

    if (profile->san == NGX_PKI_PROFILE_SAN_NONE || value == NULL) {
        return NGX_OK;
    }

    rc = ngx_pki_san_decode(pool, value, &requested, &error);

    if (rc == NGX_DECLINED) {
        return ngx_pki_profile_refuse(pool, t, "the requested subject "
                                      "alternative name %s", error);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_pki_profile_filter_sans(profile, pool, &requested, t, sans);
}


static ngx_int_t
ngx_pki_profile_filter_sans(ngx_pki_profile_t *profile, ngx_pool_t *pool,
    ngx_array_t *requested, ngx_pki_template_t *t, ngx_array_t *sans)
{
    ngx_int_t       rc;
    ngx_uint_t      i;
    ngx_pki_san_t  *san, *copy;

    san = requested->elts;

    for (i = 0; i < requested->nelts; i++) {

        if (ngx_pki_san_is_sid(&san[i])) {
            rc = ngx_pki_profile_filter_sid(profile, pool, &san[i], t);

            if (rc == NGX_ABORT) {
                continue;
            }

            if (rc != NGX_OK) {
                return rc;
            }

        } else if (!ngx_pki_profile_allows_san(profile, &san[i])) {
            return ngx_pki_profile_refuse(pool, t, "subject alternative name "
                                          "\"%V\" is not allowed%s",
                                          &san[i].text,
                                          ngx_pki_profile_san_hint(&san[i]));
        }

        copy = ngx_array_push(sans);
        if (copy == NULL) {
            return NGX_ERROR;
        }

        *copy = san[i];
    }

    return NGX_OK;
}


/* NGX_ABORT: it is left out */

static ngx_int_t
ngx_pki_profile_filter_sid(ngx_pki_profile_t *profile, ngx_pool_t *pool,
    ngx_pki_san_t *san, ngx_pki_template_t *t)
{
    ngx_str_t  sid;

    if (profile->sid == NGX_PKI_PROFILE_SID_OFF) {
        t->sid_dropped = 1;
        return NGX_ABORT;
    }

    if (ngx_pki_sid_uri(&san->text, &sid) != NGX_OK) {
        return ngx_pki_profile_refuse(pool, t, "the requested security "
                                      "identifier \"%V\" is malformed",
                                      &san->text);
    }

    if (t->sid.len != 0
        && (t->sid.len != sid.len
            || ngx_memcmp(t->sid.data, sid.data, sid.len) != 0))
    {
        return ngx_pki_profile_refuse(pool, t, "the request has two security "
                                      "identifiers, \"%V\" and \"%V\"",
                                      &t->sid, &sid);
    }

    t->sid = sid;
    t->sid_named = 1;

    return NGX_OK;
}


static const char *
ngx_pki_profile_san_hint(ngx_pki_san_t *san)
{
    if (ngx_pki_san_is_wildcard(san)) {
        return ", a wildcard needs \"allow_san dns\"";
    }

    if (san->type == NGX_PKI_SAN_UPN) {
        return ", a user principal name needs \"allow_san upn\"";
    }

    return "";
}


/*
 * Where nothing is said of names all are allowed but wildcards and user
 * principal names, by which a directory would log their bearer on; otherwise
 * a name has to match a regex of its kind.
 */

static ngx_uint_t
ngx_pki_profile_allows_san(ngx_pki_profile_t *profile, ngx_pki_san_t *san)
{
#if (NGX_PCRE)

    ngx_uint_t                i;
    ngx_pki_profile_regex_t  *allowed;

    allowed = profile->allow_san.elts;

    for (i = 0; i < profile->allow_san.nelts; i++) {

        if (allowed[i].type == san->type
            && ngx_regex_exec(allowed[i].regex, &san->text, NULL, 0) >= 0)
        {
            return 1;
        }
    }

    if (i != 0) {
        return 0;
    }

#endif

    return !ngx_pki_san_is_wildcard(san) && san->type != NGX_PKI_SAN_UPN;
}
