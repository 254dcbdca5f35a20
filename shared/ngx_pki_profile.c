
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_profile_rules.h"
#include "ngx_pki_spki.h"
#include "ngx_pki_usage.h"


#define NGX_PKI_PROFILE_VALIDITY     (365 * 24 * 60 * 60)
#define NGX_PKI_PROFILE_BACKDATE     (24 * 60 * 60)
#define NGX_PKI_PROFILE_REFUSAL_LEN  512

#define NGX_PKI_PROFILE_USAGES                                               \
    (NGX_PKI_USAGE_DIGITAL_SIGNATURE|NGX_PKI_USAGE_KEY_ENCIPHERMENT)


/* "default" and every profile that is not listed: what is requested */

typedef struct {
    ngx_str_t                  name;
    ngx_uint_t                 key_usage;
    ngx_str_t                  extended_key_usage[2];
} ngx_pki_profile_builtin_t;


static ngx_int_t ngx_pki_profile_init(ngx_pool_t *pool, ngx_pki_profile_t *p);
static ngx_int_t ngx_pki_profile_init_usages(ngx_pki_profile_t *p);
static ngx_int_t ngx_pki_profile_init_keys(ngx_pki_profile_t *p);
static ngx_uint_t ngx_pki_profile_allows_key(ngx_pki_profile_t *profile,
    ngx_pki_key_spec_t *key);
static ngx_int_t ngx_pki_profile_check_rsa(ngx_pki_csr_t *csr,
    ngx_str_t *refusal);
static ngx_int_t ngx_pki_profile_apply_validity(ngx_pki_profile_t *profile,
    ngx_pool_t *pool, ngx_pki_csr_t *csr, time_t now, time_t ca_not_before,
    time_t ca_not_after, ngx_pki_template_t *t);


static ngx_pki_profile_builtin_t  ngx_pki_profile_builtins[] = {

    { ngx_string("default"), 0, { ngx_null_string, ngx_null_string } },

    { ngx_string("device"), NGX_PKI_PROFILE_USAGES,
      { ngx_string("clientAuth"), ngx_null_string } },

    { ngx_string("user"), NGX_PKI_PROFILE_USAGES,
      { ngx_string("clientAuth"), ngx_string("emailProtection") } },

    { ngx_string("server"), NGX_PKI_PROFILE_USAGES,
      { ngx_string("serverAuth"), ngx_null_string } },

    { ngx_null_string, 0, { ngx_null_string, ngx_null_string } }
};


static ngx_pki_profile_key_t  ngx_pki_profile_keys[] = {
    { NGX_PKI_KEY_RSA, 2048, 4096 },
    { NGX_PKI_KEY_EC, 256, 256 },
    { NGX_PKI_KEY_EC, 384, 384 },
    { NGX_PKI_KEY_EC, 521, 521 },
    { NGX_PKI_KEY_ED25519, 256, 256 }
};


ngx_int_t
ngx_pki_profile_builtin(ngx_conf_t *cf, ngx_array_t *profiles)
{
    ngx_pki_profile_t          **profile;
    ngx_pki_profile_builtin_t   *b;

    for (b = ngx_pki_profile_builtins; b->name.len != 0; b++) {

        if (ngx_pki_profile_find(profiles, &b->name) != NULL) {
            continue;
        }

        profile = ngx_array_push(profiles);
        if (profile == NULL) {
            return NGX_ERROR;
        }

        *profile = ngx_pki_profile_create(cf->pool, &b->name);

        if (*profile == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_pki_profile_t *
ngx_pki_profile_find(ngx_array_t *profiles, ngx_str_t *name)
{
    ngx_uint_t           i;
    ngx_pki_profile_t  **p;

    p = profiles->elts;

    for (i = 0; i < profiles->nelts; i++) {

        if (p[i]->name.len == name->len
            && ngx_strncmp(p[i]->name.data, name->data, name->len) == 0)
        {
            return p[i];
        }
    }

    return NULL;
}


ngx_str_t *
ngx_pki_profile_name(ngx_pki_profile_t *profile)
{
    return &profile->name;
}


ngx_uint_t
ngx_pki_profile_distribution_point(ngx_pki_profile_t *profile)
{
    return profile->distribution_point;
}


ngx_int_t
ngx_pki_profile_check_key(ngx_pki_profile_t *profile, ngx_pki_csr_t *csr,
    ngx_str_t *refusal)
{
    if (csr->key.type == 0) {
        ngx_str_set(refusal, "the key is not RSA, EC on P-256, P-384 or P-521,"
                             " or Ed25519");
        return NGX_DECLINED;
    }

    if (!ngx_pki_profile_allows_key(profile, &csr->key)) {
        ngx_str_set(refusal, "keys of this kind and size are not allowed");
        return NGX_DECLINED;
    }

    if (csr->key.type == NGX_PKI_KEY_RSA) {
        return ngx_pki_profile_check_rsa(csr, refusal);
    }

    return NGX_OK;
}


ngx_int_t
ngx_pki_profile_apply(ngx_pki_profile_t *profile, ngx_pool_t *pool,
    ngx_pki_csr_t *csr, time_t now, time_t ca_not_before, time_t ca_not_after,
    ngx_pki_template_t *t)
{
    ngx_int_t  rc;

    ngx_memzero(t, sizeof(ngx_pki_template_t));

    rc = ngx_pki_profile_apply_subject(profile, pool, csr, t);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_pki_profile_apply_validity(profile, pool, csr, now,
                                        ca_not_before, ca_not_after, t);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_pki_profile_apply_extensions(profile, pool, csr, t);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_pki_profile_apply_entra(profile, pool, csr, t);
}


ngx_pki_profile_t *
ngx_pki_profile_create(ngx_pool_t *pool, ngx_str_t *name)
{
    ngx_pki_profile_t  *p;

    p = ngx_pcalloc(pool, sizeof(ngx_pki_profile_t));
    if (p == NULL) {
        return NULL;
    }

    p->name = *name;
    p->validity = NGX_PKI_PROFILE_VALIDITY;
    p->backdate = NGX_PKI_PROFILE_BACKDATE;
    p->distribution_point = 1;

    if (ngx_pki_profile_init(pool, p) != NGX_OK
        || ngx_pki_profile_init_usages(p) != NGX_OK
        || ngx_pki_profile_init_keys(p) != NGX_OK)
    {
        return NULL;
    }

    return p;
}


ngx_int_t
ngx_pki_profile_refuse(ngx_pool_t *pool, ngx_pki_template_t *t,
    const char *fmt, ...)
{
    u_char   *p, *last;
    va_list   args;

    t->fail_info = NGX_PKI_FAIL_BAD_REQUEST;

    p = ngx_pnalloc(pool, NGX_PKI_PROFILE_REFUSAL_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    last = p + NGX_PKI_PROFILE_REFUSAL_LEN;

    t->refusal.data = p;

    va_start(args, fmt);
    p = ngx_vslprintf(p, last, fmt, args);
    va_end(args);

    /* what was cut off was perhaps cut in the middle of a character */

    if (p == last) {
        while (*--p & 0x80) {
            if (*p & 0x40) {
                break;
            }
        }
    }

    t->refusal.len = p - t->refusal.data;

    return NGX_DECLINED;
}


static ngx_int_t
ngx_pki_profile_init(ngx_pool_t *pool, ngx_pki_profile_t *p)
{
    if (ngx_array_init(&p->extended_key_usage, pool, 2, sizeof(ngx_str_t))
        != NGX_OK
        || ngx_array_init(&p->subject, pool, 1, sizeof(ngx_pki_profile_part_t))
           != NGX_OK
        || ngx_array_init(&p->sans, pool, 1, sizeof(ngx_pki_san_t)) != NGX_OK
        || ngx_array_init(&p->keys, pool, 5, sizeof(ngx_pki_profile_key_t))
           != NGX_OK
        || ngx_array_init(&p->copy, pool, 1, sizeof(ngx_str_t)) != NGX_OK
        || ngx_array_init(&p->extensions, pool, 1, sizeof(ngx_pki_extension_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

#if (NGX_PCRE)

    if (ngx_array_init(&p->allow_subject, pool, 1,
                       sizeof(ngx_pki_profile_regex_t))
        != NGX_OK
        || ngx_array_init(&p->allow_san, pool, 1,
                          sizeof(ngx_pki_profile_regex_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

#endif

    return NGX_OK;
}


static ngx_int_t
ngx_pki_profile_init_usages(ngx_pki_profile_t *p)
{
    ngx_str_t                  *oid, *name;
    ngx_uint_t                  i;
    ngx_pki_profile_builtin_t  *b;

    for (b = ngx_pki_profile_builtins; b->name.len != 0; b++) {

        if (b->name.len == p->name.len
            && ngx_strncmp(b->name.data, p->name.data, b->name.len) == 0)
        {
            break;
        }
    }

    p->key_usage = b->key_usage;

    for (i = 0; i < 2; i++) {
        name = &b->extended_key_usage[i];

        if (name->len == 0) {
            break;
        }

        oid = ngx_array_push(&p->extended_key_usage);
        if (oid == NULL) {
            return NGX_ERROR;
        }

        *oid = ngx_pki_usage_by_name(name)->oid;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_pki_profile_init_keys(ngx_pki_profile_t *p)
{
    ngx_uint_t              n;
    ngx_pki_profile_key_t  *key;

    n = sizeof(ngx_pki_profile_keys) / sizeof(ngx_pki_profile_key_t);

    key = ngx_array_push_n(&p->keys, n);
    if (key == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(key, ngx_pki_profile_keys, sizeof(ngx_pki_profile_keys));

    return NGX_OK;
}


static ngx_uint_t
ngx_pki_profile_allows_key(ngx_pki_profile_t *profile, ngx_pki_key_spec_t *key)
{
    ngx_uint_t              i;
    ngx_pki_profile_key_t  *allowed;

    allowed = profile->keys.elts;

    for (i = 0; i < profile->keys.nelts; i++) {

        if (allowed[i].type == key->type
            && allowed[i].min <= key->bits
            && allowed[i].max >= key->bits)
        {
            return 1;
        }
    }

    return 0;
}


/* NIST SP 800-56B, 6.4: odd numbers, a public exponent of some size */

static ngx_int_t
ngx_pki_profile_check_rsa(ngx_pki_csr_t *csr, ngx_str_t *refusal)
{
    ngx_str_t  *n;

    n = &csr->modulus;

    if (csr->exponent == 0) {
        ngx_str_set(refusal, "the public exponent is over 32 bits");
        return NGX_DECLINED;
    }

    if (csr->exponent < 3 || csr->exponent % 2 == 0) {
        ngx_str_set(refusal, "the public exponent is even or below 3");
        return NGX_DECLINED;
    }

    if (n->data[n->len - 1] % 2 == 0) {
        ngx_str_set(refusal, "the modulus is even");
        return NGX_DECLINED;
    }

    if (ngx_pki_spki_is_roca(n)) {
        ngx_str_set(refusal, "the key is of a library whose keys can be "
                             "broken (CVE-2017-15361)");
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_pki_profile_apply_validity(ngx_pki_profile_t *profile, ngx_pool_t *pool,
    ngx_pki_csr_t *csr, time_t now, time_t ca_not_before, time_t ca_not_after,
    ngx_pki_template_t *t)
{
    time_t  validity;

    if (now < ca_not_before || now >= ca_not_after) {
        return ngx_pki_profile_refuse(pool, t, "the certificate of the "
                                      "authority is not valid now");
    }

    /* who asks for a short life would not want a long one instead */

    if (csr->validity.seconds == NGX_PKI_CSR_VALIDITY_UNKNOWN) {
        return ngx_pki_profile_refuse(pool, t, "the requested validity is not "
                                      "understood");
    }

    validity = profile->validity;

    if (csr->validity.seconds != 0) {
        validity = ngx_min(validity, csr->validity.seconds);
    }

    t->not_before = ngx_max(now - profile->backdate, ca_not_before);
    t->not_after = ngx_min(now + validity, ca_not_after);

    return NGX_OK;
}
