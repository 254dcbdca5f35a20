
/*
 * Copyright (C) the ngx_pki authors
 *
 * OCSPRequest: what is accepted lies within the input, keeps the limits, and
 * every CertID is itself a request when it is wrapped as one.
 */


#include "fuzz.h"
#include "ngx_ocsp_request.h"
#include "ngx_pki_der.h"


#define FUZZ_MAX  10


static void
fuzz_within(ngx_str_t *part, ngx_str_t *whole)
{
    if (part->len != 0
        && (part->data < whole->data
            || part->data + part->len > whole->data + whole->len))
    {
        abort();
    }
}


static void
fuzz_again(ngx_pool_t *pool, ngx_ocsp_cert_id_t *id)
{
    size_t                marks[4];
    ngx_str_t             der;
    ngx_uint_t            i;
    ngx_ocsp_cert_id_t   *again;
    ngx_ocsp_request_t    request;
    ngx_pki_der_writer_t  w;

    (void) ngx_pki_der_writer_init(&w, pool, 64);

    for (i = 0; i < 4; i++) {
        marks[i] = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);
    }

    ngx_pki_der_raw(&w, &id->whole);

    while (i-- > 0) {
        ngx_pki_der_close(&w, marks[i]);
    }

    if (ngx_pki_der_finish(&w, &der) != NGX_OK
        || ngx_ocsp_request_decode(pool, &der, 1, &request) != NGX_OK
        || request.ids.nelts != 1)
    {
        abort();
    }

    again = request.ids.elts;

    if (again->hash != id->hash
        || again->serial.len != id->serial.len
        || ngx_memcmp(again->serial.data, id->serial.data, id->serial.len)
           != 0)
    {
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t            der;
    ngx_int_t            rc;
    ngx_uint_t           i;
    ngx_pool_t          *pool;
    ngx_ocsp_cert_id_t  *id;
    ngx_ocsp_request_t   request;

    pool = fuzz_pool();

    der.data = fuzz_copy(pool, data, size);
    der.len = size;

    rc = ngx_ocsp_request_decode(pool, &der, FUZZ_MAX, &request);

    if (rc == NGX_ERROR || (rc != NGX_OK && request.error == NULL)) {
        abort();
    }

    if (rc == NGX_OK) {

        if (request.ids.nelts == 0 || request.ids.nelts > FUZZ_MAX
            || request.nonce.len > NGX_OCSP_NONCE_MAX + 3)
        {
            abort();
        }

        fuzz_within(&request.nonce, &der);

        id = request.ids.elts;

        for (i = 0; i < request.ids.nelts; i++) {
            fuzz_within(&id[i].whole, &der);
            fuzz_within(&id[i].name_hash, &id[i].whole);
            fuzz_within(&id[i].key_hash, &id[i].whole);
            fuzz_within(&id[i].serial, &id[i].whole);

            if (id[i].serial.len == 0 || id[i].hash > NGX_PKI_HASHES) {
                abort();
            }

            fuzz_again(pool, &id[i]);
        }
    }

    fuzz_done(pool);

    return 0;
}
