
/*
 * Copyright (C) the ngx_pki authors
 *
 * Certification requests: PEM or DER, names, alternative names, and what the
 * profile "default" makes of them.
 */


#include "fuzz.h"
#include "ngx_pki_csr.h"
#include "ngx_pki_name.h"
#include "ngx_pki_oid.h"
#include "ngx_pki_profile_rules.h"
#include "ngx_pki_san.h"
#include "ngx_pki_string.h"
#include "ngx_pki_usage.h"


#define FUZZ_NOW    1700000000
#define FUZZ_LATER  4000000000LL


static void fuzz_subject(ngx_pool_t *pool, ngx_pki_csr_t *csr);
static void fuzz_extension(ngx_pool_t *pool, ngx_pki_extension_t *e);
static void fuzz_sans(ngx_pool_t *pool, ngx_str_t *value);
static void fuzz_profile(ngx_pool_t *pool, ngx_pki_csr_t *csr);
static void fuzz_line(ngx_str_t *text);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t             text, der;
    ngx_uint_t            i;
    ngx_pool_t           *pool;
    ngx_pki_csr_t         csr;
    ngx_pki_extension_t  *e;

    pool = fuzz_pool();

    text.data = fuzz_copy(pool, data, size);
    text.len = size;

    if (ngx_pki_csr_unarmor(pool, &text, &der) != NGX_OK
        || ngx_pki_csr_decode(pool, &der, &csr) != NGX_OK)
    {
        fuzz_done(pool);
        return 0;
    }

    fuzz_line(&csr.challenge);
    fuzz_subject(pool, &csr);

    e = csr.extensions.elts;

    for (i = 0; i < csr.extensions.nelts; i++) {
        fuzz_extension(pool, &e[i]);
    }

    fuzz_profile(pool, &csr);
    fuzz_done(pool);

    return 0;
}


/* what is printed can be read again, if all of its types have names */

static void
fuzz_subject(ngx_pool_t *pool, ngx_pki_csr_t *csr)
{
    ngx_str_t     text, again, name;
    const char   *error;
    ngx_array_t   attributes;

    if (ngx_pki_name_decode(pool, &csr->subject, &attributes, &error)
        != NGX_OK)
    {
        return;
    }

    if (ngx_pki_name_text(pool, &attributes, &text) != NGX_OK) {
        abort();
    }

    fuzz_line(&text);

    if (ngx_pki_name_encode(pool, &text, &name, &error) != NGX_OK) {
        return;
    }

    if (ngx_pki_name_decode(pool, &name, &attributes, &error) != NGX_OK
        || ngx_pki_name_text(pool, &attributes, &again) != NGX_OK
        || again.len != text.len
        || ngx_memcmp(again.data, text.data, text.len) != 0)
    {
        abort();
    }
}


static void
fuzz_extension(ngx_pool_t *pool, ngx_pki_extension_t *e)
{
    ngx_str_t   text, oid;
    ngx_uint_t  bits;

    if (ngx_pki_oid_text(pool, &e->oid, &text) == NGX_OK
        && ngx_pki_oid_parse(pool, &text, &oid) == NGX_OK
        && (oid.len != e->oid.len
            || ngx_memcmp(oid.data, e->oid.data, oid.len) != 0))
    {
        abort();
    }

    (void) ngx_pki_usage_decode(&e->value, &bits);

    fuzz_sans(pool, &e->value);
}


static void
fuzz_sans(ngx_pool_t *pool, ngx_str_t *value)
{
    ngx_str_t     text, der;
    const char   *error;
    ngx_array_t   sans, again;

    if (ngx_pki_san_decode(pool, value, &sans, &error) != NGX_OK) {
        return;
    }

    if (ngx_pki_san_text(pool, &sans, &text) != NGX_OK
        || ngx_pki_san_encode(pool, &sans, &der) != NGX_OK
        || ngx_pki_san_decode(pool, &der, &again, &error) != NGX_OK
        || again.nelts != sans.nelts)
    {
        abort();
    }

    fuzz_line(&text);
}


static void
fuzz_profile(ngx_pool_t *pool, ngx_pki_csr_t *csr)
{
    ngx_int_t           rc;
    ngx_str_t           name = ngx_string("default");
    ngx_str_t           refusal;
    ngx_pki_profile_t  *profile;
    ngx_pki_template_t  t;

    profile = ngx_pki_profile_create(pool, &name);
    if (profile == NULL) {
        abort();
    }

    (void) ngx_pki_profile_check_key(profile, csr, &refusal);

    rc = ngx_pki_profile_apply(profile, pool, csr, FUZZ_NOW, 0, FUZZ_LATER,
                               &t);
    if (rc == NGX_ERROR) {
        abort();
    }

    fuzz_line(rc == NGX_OK ? &t.subject_text : &t.refusal);
}


/* whatever goes into a log or a page is one line of UTF-8 */

static void
fuzz_line(ngx_str_t *text)
{
    if (ngx_pki_string_length(text) == NGX_ERROR) {
        abort();
    }
}
