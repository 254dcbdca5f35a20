
/*
 * Copyright (C) the ngx_pki authors
 *
 * Header lines of answers: what is kept has no control character, is not
 * longer than allowed, and nobody waits for more than a day.
 */


#include "fuzz.h"
#include "ngx_pki_https_header.h"


static void fuzz_check(ngx_str_t *text, size_t max);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char                  *p;
    size_t                   rest;
    ngx_str_t                line;
    ngx_pool_t              *pool;
    ngx_pki_https_header_t   header;

    pool = fuzz_pool();

    ngx_memzero(&header, sizeof(ngx_pki_https_header_t));
    header.retry_after = -1;

    for (rest = size; rest != 0; rest -= line.len) {
        p = memchr(data + size - rest, LF, rest);

        line.len = (p == NULL) ? rest : (size_t) (p + 1 - data) - size + rest;
        line.data = fuzz_copy(pool, data + size - rest, line.len);

        if (ngx_pki_https_header_line(pool, &line, &header) != NGX_OK) {
            abort();
        }
    }

    fuzz_check(&header.challenge, 4096);
    fuzz_check(&header.request_id, 128);

    if (header.retry_after < -1 || header.retry_after > 86400 * 1000) {
        abort();
    }

    fuzz_done(pool);

    return 0;
}


static void
fuzz_check(ngx_str_t *text, size_t max)
{
    size_t  i;

    if (text->len == 0) {
        return;
    }

    if (text->len > max || text->data[text->len] != '\0') {
        abort();
    }

    for (i = 0; i < text->len; i++) {
        if ((text->data[i] < 0x20 && text->data[i] != '\t')
            || text->data[i] == 0x7f)
        {
            abort();
        }
    }
}
