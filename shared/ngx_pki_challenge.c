
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_challenge.h"
#include "ngx_pki_fields.h"
#include "ngx_pki_md.h"


static ngx_int_t ngx_pki_challenge_limit(ngx_pki_challenge_t *challenge);
static ngx_uint_t ngx_pki_challenge_is_same(ngx_str_t *bound, ngx_str_t *is);
static ngx_uint_t ngx_pki_challenge_has_names(ngx_str_t *sans,
    ngx_str_t *among);
static ngx_uint_t ngx_pki_challenge_has_name(ngx_str_t *name,
    ngx_str_t *among);
static void ngx_pki_challenge_next_name(ngx_str_t *sans, ngx_str_t *name);


static ngx_pki_field_t  ngx_pki_challenge_fields[] = {
    ngx_pki_field(ngx_pki_challenge_t, scope, TEXT, 1),
    ngx_pki_field(ngx_pki_challenge_t, by, TEXT, 0),
    ngx_pki_field(ngx_pki_challenge_t, subject, TEXT, 0),
    ngx_pki_field(ngx_pki_challenge_t, sans, TEXT, 0),
    ngx_pki_field(ngx_pki_challenge_t, device, TEXT, 0),
    ngx_pki_field(ngx_pki_challenge_t, user, TEXT, 0),
    ngx_pki_field(ngx_pki_challenge_t, created, TIME, 1),
    ngx_pki_field(ngx_pki_challenge_t, expires, TIME, 1),
    ngx_pki_null_field
};


ngx_int_t
ngx_pki_challenge_hash(ngx_pool_t *pool, ngx_str_t *authority,
    ngx_str_t *scope, ngx_str_t *secret, ngx_str_t *hash)
{
    return ngx_pki_md_name(pool, authority, scope, secret, hash);
}


ngx_int_t
ngx_pki_challenge_decode(ngx_str_t *fields, ngx_uint_t n,
    ngx_pki_challenge_t *challenge)
{
    ngx_memzero(challenge, sizeof(ngx_pki_challenge_t));

    if (ngx_pki_fields_decode(ngx_pki_challenge_fields, fields, n, challenge)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_pki_challenge_limit(challenge);
}


ngx_int_t
ngx_pki_challenge_encode(ngx_pool_t *pool, ngx_pki_challenge_t *challenge,
    ngx_str_t *fields)
{
    if (ngx_pki_challenge_limit(challenge) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_pki_fields_encode(ngx_pki_challenge_fields, pool, challenge,
                                 fields);
}


static ngx_int_t
ngx_pki_challenge_limit(ngx_pki_challenge_t *challenge)
{
    if (challenge->scope.len == 0
        || challenge->scope.len > NGX_PKI_CHALLENGE_MAX_SCOPE
        || challenge->by.len > NGX_PKI_CHALLENGE_MAX_TEXT
        || challenge->subject.len > NGX_PKI_CHALLENGE_MAX_TEXT
        || challenge->sans.len > NGX_PKI_CHALLENGE_MAX_TEXT
        || challenge->device.len > NGX_PKI_CHALLENGE_MAX_TEXT
        || challenge->user.len > NGX_PKI_CHALLENGE_MAX_TEXT
        || challenge->created <= 0
        || challenge->expires <= challenge->created)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_pki_challenge_check(ngx_pki_challenge_t *challenge, ngx_str_t *subject,
    ngx_str_t *sans, ngx_str_t *device, ngx_str_t *user, ngx_str_t *error)
{
    ngx_str_t  *bound;

    bound = &challenge->subject;

    if (bound->len != 0
        && (bound->len != subject->len
            || ngx_memcmp(bound->data, subject->data, bound->len) != 0))
    {
        ngx_str_set(error, "the one-time challenge is for another subject");
        return NGX_DECLINED;
    }

    bound = &challenge->sans;

    if (bound->len != 0
        && (bound->len != sans->len
            || !ngx_pki_challenge_has_names(bound, sans)
            || !ngx_pki_challenge_has_names(sans, bound)))
    {
        ngx_str_set(error, "the one-time challenge is for other subject "
                           "alternative names");
        return NGX_DECLINED;
    }

    if (!ngx_pki_challenge_is_same(&challenge->device, device)) {
        ngx_str_set(error, "the one-time challenge is for another device");
        return NGX_DECLINED;
    }

    if (!ngx_pki_challenge_is_same(&challenge->user, user)) {
        ngx_str_set(error, "the one-time challenge is for another user");
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* GUIDs and user principal names are the same in any case of their letters */

static ngx_uint_t
ngx_pki_challenge_is_same(ngx_str_t *bound, ngx_str_t *is)
{
    return bound->len == 0
           || (bound->len == is->len
               && ngx_strncasecmp(bound->data, is->data, bound->len) == 0);
}


/* whether each of the names is also among the others, in any order */

static ngx_uint_t
ngx_pki_challenge_has_names(ngx_str_t *sans, ngx_str_t *among)
{
    ngx_str_t  rest, name;

    rest = *sans;

    while (rest.len != 0) {
        ngx_pki_challenge_next_name(&rest, &name);

        if (name.len != 0 && !ngx_pki_challenge_has_name(&name, among)) {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
ngx_pki_challenge_has_name(ngx_str_t *name, ngx_str_t *among)
{
    ngx_str_t  rest, other;

    rest = *among;

    while (rest.len != 0) {
        ngx_pki_challenge_next_name(&rest, &other);

        if (name->len == other.len
            && ngx_memcmp(name->data, other.data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* ngx_pki_san_text() puts ", " between two names, and no blank into one */

static void
ngx_pki_challenge_next_name(ngx_str_t *sans, ngx_str_t *name)
{
    u_char  *p, *last;

    last = sans->data + sans->len;
    p = ngx_strlchr(sans->data, last, ' ');

    name->data = sans->data;
    name->len = (p != NULL) ? (size_t) (p - sans->data) : sans->len;

    sans->data = (p != NULL) ? p + 1 : last;
    sans->len = last - sans->data;

    /* the comma belongs to the separator */

    if (p != NULL && name->len != 0 && name->data[name->len - 1] == ',') {
        name->len--;
    }
}
