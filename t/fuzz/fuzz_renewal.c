
/*
 * Copyright (C) the ngx_pki authors
 *
 * What a renewal may say.  The input is four parts, each with its length in two
 * octets before it: the names of before, the names of now, the extensions of
 * now, which are all requested, and the certificate of before.  A name that is
 * let through is one of before.
 */


#include "fuzz.h"
#include "ngx_pki_renewal.h"
#include "ngx_pki_der.h"


static void fuzz_part(ngx_pool_t *pool, const uint8_t **data, size_t *size,
    ngx_str_t *part);
static void fuzz_request(ngx_pool_t *pool, ngx_str_t *extensions,
    ngx_pki_csr_t *csr);
static void fuzz_names(ngx_str_t *now, ngx_str_t *before);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t            error;
    ngx_pool_t          *pool;
    ngx_pki_csr_t        csr;
    ngx_pki_record_t     record;
    ngx_pki_template_t   t;

    pool = fuzz_pool();

    ngx_memzero(&csr, sizeof(ngx_pki_csr_t));
    ngx_memzero(&record, sizeof(ngx_pki_record_t));
    ngx_memzero(&t, sizeof(ngx_pki_template_t));

    fuzz_part(pool, &data, &size, &record.sans);
    fuzz_part(pool, &data, &size, &t.sans_text);
    fuzz_part(pool, &data, &size, &t.extensions);
    fuzz_part(pool, &data, &size, &record.der);

    fuzz_request(pool, &t.extensions, &csr);

    (void) ngx_pki_renewal_may_sign(&record.der);

    if (ngx_pki_renewal_check(&record, &csr, &t, &error) == NGX_OK) {
        fuzz_names(&t.sans_text, &record.sans);
    }

    t.sans_text = record.sans;
    t.extensions.len = 0;

    if (ngx_pki_renewal_check(&record, &csr, &t, &error) != NGX_OK) {
        abort();
    }

    fuzz_done(pool);

    return 0;
}


static void
fuzz_part(ngx_pool_t *pool, const uint8_t **data, size_t *size,
    ngx_str_t *part)
{
    size_t  len;

    len = 0;

    if (*size >= 2) {
        len = (size_t) (*data)[0] << 8 | (*data)[1];
        *data += 2;
        *size -= 2;
    }

    len = ngx_min(len, *size);

    part->data = fuzz_copy(pool, *data, len);
    part->len = len;

    *data += len;
    *size -= len;
}


static void
fuzz_request(ngx_pool_t *pool, ngx_str_t *extensions, ngx_pki_csr_t *csr)
{
    ngx_str_t             oid, value;
    ngx_pki_der_t         list, r;
    ngx_pki_extension_t  *e;

    if (ngx_array_init(&csr->extensions, pool, 4, sizeof(ngx_pki_extension_t))
        != NGX_OK)
    {
        abort();
    }

    ngx_pki_der_init(&list, extensions);

    while (ngx_pki_der_enter(&list, NGX_PKI_DER_SEQUENCE, &r) == NGX_OK
           && ngx_pki_der_get(&r, NGX_PKI_DER_OID, &oid) == NGX_OK
           && ngx_pki_der_skip_optional(&r, NGX_PKI_DER_BOOLEAN) == NGX_OK
           && ngx_pki_der_get(&r, NGX_PKI_DER_OCTET_STRING, &value) == NGX_OK)
    {
        e = ngx_array_push(&csr->extensions);
        if (e == NULL) {
            abort();
        }

        e->oid = oid;
        e->value = value;
        e->critical = 0;
    }
}


/* every "a" and "b" of "a, b" is between two separators of what was before */

static void
fuzz_names(ngx_str_t *now, ngx_str_t *before)
{
    size_t  i, start, end, len;

    for (start = 0; start < now->len; start = end + 1) {

        for (end = start; end < now->len && now->data[end] != ' '; end++) {
            /* void */
        }

        len = end - start;

        if (end < now->len && len != 0 && now->data[end - 1] == ',') {
            len--;
        }

        for (i = 0; i + len <= before->len; i++) {

            if ((i == 0 || before->data[i - 1] == ' ')
                && ngx_memcmp(before->data + i, now->data + start, len) == 0
                && (i + len == before->len || before->data[i + len] == ' '
                    || before->data[i + len] == ','))
            {
                break;
            }
        }

        if (i + len > before->len) {
            abort();
        }
    }
}
