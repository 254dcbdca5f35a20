
/*
 * Copyright (C) the ngx_pki authors
 *
 * URLs of services: what is accepted names one host and port, has no blank,
 * no control character and no user in it, and reads the same a second time.
 */


#include "fuzz.h"
#include "ngx_pki_url.h"


static void fuzz_check(ngx_pki_url_t *url);
static void fuzz_check_text(ngx_str_t *text);
static void fuzz_check_again(ngx_pool_t *pool, ngx_pki_url_t *url);
static void fuzz_check_escape(ngx_pool_t *pool, ngx_str_t *in);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t      text;
    ngx_pool_t    *pool;
    ngx_pki_url_t  url;

    pool = fuzz_pool();

    text.data = fuzz_copy(pool, data, size);
    text.len = size;

    if (ngx_pki_url_parse(pool, &text, &url) == NULL) {
        fuzz_check(&url);
        fuzz_check_again(pool, &url);
    }

    fuzz_check_escape(pool, &text);
    fuzz_done(pool);

    return 0;
}


static void
fuzz_check(ngx_pki_url_t *url)
{
    fuzz_check_text(&url->text);
    fuzz_check_text(&url->host);
    fuzz_check_text(&url->path);

    if (url->host.len == 0 || url->port == 0
        || (url->path.len != 0 && url->path.data[0] != '/')
        || ngx_strchr(url->text.data, '@') != NULL
        || (url->resolve && url->brackets)
        || (ngx_strchr(url->host.data, ':') != NULL) != url->brackets)
    {
        abort();
    }
}


static void
fuzz_check_text(ngx_str_t *text)
{
    size_t  i;

    if (text->data[text->len] != '\0') {
        abort();
    }

    for (i = 0; i < text->len; i++) {
        if (text->data[i] <= 0x20 || text->data[i] >= 0x7f) {
            abort();
        }
    }
}


static void
fuzz_check_again(ngx_pool_t *pool, ngx_pki_url_t *url)
{
    u_char         *p;
    ngx_str_t       text;
    ngx_pki_url_t   again;

    text.len = url->text.len + url->path.len;

    text.data = ngx_pnalloc(pool, text.len);
    if (text.data == NULL) {
        abort();
    }

    p = ngx_cpymem(text.data, url->text.data, url->text.len);
    ngx_memcpy(p, url->path.data, url->path.len);

    if (text.len > 4096) {
        return;
    }

    if (ngx_pki_url_parse(pool, &text, &again) != NULL
        || again.port != url->port || again.tls != url->tls
        || again.resolve != url->resolve || again.brackets != url->brackets
        || ngx_strcmp(again.text.data, url->text.data) != 0
        || ngx_strcmp(again.host.data, url->host.data) != 0
        || ngx_strcmp(again.path.data, url->path.data) != 0)
    {
        abort();
    }
}


static void
fuzz_check_escape(ngx_pool_t *pool, ngx_str_t *in)
{
    size_t   i, len;
    u_char  *p, *dst, *src;

    p = ngx_pnalloc(pool, 3 * in->len + 1);
    if (p == NULL) {
        abort();
    }

    len = ngx_pki_url_escape(p, in) - p;

    for (i = 0; i < len; i++) {
        if (!isalnum(p[i]) && ngx_strchr("-._~%", p[i]) == NULL) {
            abort();
        }
    }

    dst = p;
    src = p;

    ngx_unescape_uri(&dst, &src, len, 0);

    if ((size_t) (dst - p) != in->len
        || ngx_memcmp(p, in->data, in->len) != 0)
    {
        abort();
    }
}
