
/*
 * Copyright (C) the ngx_pki authors
 *
 * What Azure's token endpoints answer.
 */


#include "fuzz.h"
#include "ngx_pki_azure_answer.h"


static void fuzz_token(ngx_pool_t *pool, ngx_str_t *text);
static void fuzz_error(ngx_pool_t *pool, ngx_str_t *text);
static void fuzz_visible(ngx_str_t *text, u_char first);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t    text;
    ngx_pool_t  *pool;

    pool = fuzz_pool();

    text.len = size;
    text.data = fuzz_copy(pool, data, size);

    fuzz_error(pool, &text);
    fuzz_token(pool, &text);

    fuzz_done(pool);

    return 0;
}


/* what is taken for a token can be sent in a header, and used for a while */

static void
fuzz_token(ngx_pool_t *pool, ngx_str_t *text)
{
    const char              *error;
    ngx_pki_azure_answer_t   answer;

    error = ngx_pki_azure_answer_token(pool, text, 1763805600, &answer);

    if (error != NULL) {
        if (answer.token.len != 0) {
            abort();
        }

        return;
    }

    if (answer.token.len == 0 || answer.token.len > NGX_PKI_AZURE_MAX_TOKEN
        || answer.lifetime <= 0 || answer.lifetime > 366 * 86400)
    {
        abort();
    }

    fuzz_visible(&answer.token, '!');

    ngx_pki_azure_answer_cleanse(&answer);
}


/* what is logged is one line */

static void
fuzz_error(ngx_pool_t *pool, ngx_str_t *text)
{
    ngx_str_t  error;

    error.data = ngx_pnalloc(pool, NGX_PKI_AZURE_MAX_ERROR);

    if (error.data == NULL) {
        abort();
    }

    ngx_pki_azure_answer_error(pool, 400, text, &error);

    if (error.len == 0 || error.len > NGX_PKI_AZURE_MAX_ERROR) {
        abort();
    }

    fuzz_visible(&error, ' ');
}


static void
fuzz_visible(ngx_str_t *text, u_char first)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {
        if (text->data[i] < first || text->data[i] > '~') {
            abort();
        }
    }
}
