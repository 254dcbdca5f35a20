
/*
 * Copyright (C) the ngx_pki authors
 *
 * The URI of an OCSP GET: the name of the location up to the first line feed
 * of the input, the URI behind it.  What is left lies within the URI; what is
 * decoded is one DER element, and as base64 at the end of a URI it is decoded
 * to the same octets.
 */


#include "fuzz.h"
#include "ngx_ocsp_uri.h"


static void
fuzz_again(ngx_pool_t *pool, ngx_str_t *der)
{
    ngx_str_t  uri, text, base64, again, name;

    ngx_str_set(&name, "/ocsp");

    uri.data = ngx_pnalloc(pool, sizeof("/ocsp/") - 1
                                 + ngx_base64_encoded_length(der->len));
    if (uri.data == NULL) {
        abort();
    }

    base64.data = ngx_cpymem(uri.data, "/ocsp/", sizeof("/ocsp/") - 1);
    ngx_encode_base64(&base64, der);
    uri.len = base64.data + base64.len - uri.data;

    if (ngx_ocsp_uri_strip(&uri, &name, &text) != NGX_OK
        || ngx_ocsp_uri_decode(pool, &text, 0, &again) != NGX_OK
        || again.len != der->len
        || ngx_memcmp(again.data, der->data, der->len) != 0)
    {
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char      *p;
    ngx_int_t    rc;
    ngx_str_t    name, uri, text, der;
    ngx_uint_t   n;
    ngx_pool_t  *pool;

    p = memchr(data, '\n', size);

    if (p == NULL) {
        return 0;
    }

    pool = fuzz_pool();

    name.len = p - data;
    name.data = fuzz_copy(pool, data, name.len);

    uri.len = size - name.len - 1;
    uri.data = fuzz_copy(pool, p + 1, uri.len);

    if (ngx_ocsp_uri_strip(&uri, &name, &text) == NGX_OK) {

        if (text.data < uri.data
            || text.data + text.len > uri.data + uri.len
            || (text.len != 0 && text.data[0] == '/'))
        {
            abort();
        }

        rc = NGX_OK;

        for (n = 0; text.len != 0 && rc != NGX_DONE; n++) {
            rc = ngx_ocsp_uri_decode(pool, &text, n, &der);

            if (rc == NGX_ERROR || n > 64) {
                abort();
            }

            if (rc == NGX_OK) {
                fuzz_again(pool, &der);
            }
        }
    }

    fuzz_done(pool);

    return 0;
}
