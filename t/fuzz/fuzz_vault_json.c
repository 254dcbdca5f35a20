
/*
 * Copyright (C) the ngx_pki authors
 *
 * What a key vault answers, and the URL of a key.  The first octet chooses.
 * Keys that are taken are of the kinds we support, values and codes are
 * bounded, a URL that is taken means the same when it is a "kid".
 */


#include "fuzz.h"
#include "ngx_pki_vault_answer.h"


#define FUZZ_MAX_WORDS  1024


static void fuzz_bundle(ngx_pool_t *pool, ngx_str_t *text);
static void fuzz_value(ngx_pool_t *pool, ngx_str_t *text);
static void fuzz_error(ngx_pool_t *pool, ngx_str_t *text);
static void fuzz_printable(ngx_str_t *text);
static void fuzz_url(ngx_pool_t *pool, ngx_str_t *text);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t    text;
    ngx_pool_t  *pool;

    if (size == 0) {
        return 0;
    }

    pool = fuzz_pool();

    text.len = size - 1;
    text.data = fuzz_copy(pool, data + 1, size - 1);

    switch (data[0]) {

    case 'k':
        fuzz_bundle(pool, &text);
        break;

    case 'v':
        fuzz_value(pool, &text);
        break;

    case 'u':
        fuzz_url(pool, &text);
        break;

    default:
        fuzz_error(pool, &text);
    }

    fuzz_done(pool);

    return 0;
}


static void
fuzz_bundle(ngx_pool_t *pool, ngx_str_t *text)
{
    ngx_pki_key_spec_t       spec;
    ngx_pki_vault_bundle_t   bundle;

    if (ngx_pki_vault_bundle_decode(pool, text, &bundle) != NULL) {
        return;
    }

    if (bundle.public_key == NULL
        || ngx_pki_key_describe(bundle.public_key, &spec) != NGX_OK
        || spec.type == NGX_PKI_KEY_ED25519
        || spec.bits > 4096
        || bundle.not_before < 0 || bundle.expires < 0)
    {
        abort();
    }

    fuzz_printable(&bundle.operations);
}


static void
fuzz_value(ngx_pool_t *pool, ngx_str_t *text)
{
    ngx_str_t               alg, out;
    ngx_pki_vault_value_t   value, again;

    if (ngx_pki_vault_value_decode(pool, text, &value) != NULL) {
        return;
    }

    /* base64url makes it longer, and we write what we read */

    if (value.value.len > text->len) {
        abort();
    }

    ngx_str_set(&alg, "RS256\",\"kid\":\"");

    if (ngx_pki_vault_value_encode(pool, &alg, &value.value, &out) != NGX_OK
        || ngx_pki_vault_value_decode(pool, &out, &again) != NULL
        || again.value.len != value.value.len
        || ngx_memcmp(again.value.data, value.value.data, again.value.len)
           != 0)
    {
        abort();
    }
}


static void
fuzz_error(ngx_pool_t *pool, ngx_str_t *text)
{
    ngx_str_t  words;

    if (ngx_pki_vault_answer_words(pool, 403, text, &words) != NGX_OK
        || words.len < sizeof("403 Forbidden") - 1
        || words.len > FUZZ_MAX_WORDS)
    {
        abort();
    }

    fuzz_printable(&words);
}


static void
fuzz_printable(ngx_str_t *text)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {
        if (text->data[i] < ' ' || text->data[i] > '~') {
            abort();
        }
    }
}


static void
fuzz_url(ngx_pool_t *pool, ngx_str_t *text)
{
    const char           *error;
    ngx_pki_vault_kid_t   kid;
    ngx_pki_vault_key_t   key;

    ngx_memzero(&key, sizeof(ngx_pki_vault_key_t));

    error = ngx_pki_vault_kid_decode(pool, text, &kid);

    if (ngx_pki_vault_parse(pool, text, &key) != NULL) {

        if (error == NULL) {
            abort();
        }

        return;
    }

    if (!key.url.tls || key.audience.len == 0
        || key.name.len < 1 || key.name.len > NGX_PKI_VAULT_NAME_LEN
        || (key.version.len != 0
            && key.version.len != NGX_PKI_VAULT_VERSION_LEN)
        || (error == NULL) != (key.version.len != 0))
    {
        abort();
    }

    if (error == NULL
        && (kid.host.len != key.url.host.len || kid.name.len != key.name.len))
    {
        abort();
    }
}
