
/*
 * Copyright (C) the ngx_pki authors
 *
 * OCSPRequest: what is accepted lies within the input, keeps the limits, and
 * every CertID is itself a request when it is wrapped as one.  A signature is
 * looked for; as nobody signs for the fuzzer, it is never found good.
 */


#include "fuzz.h"
#include "ngx_ocsp_request.h"
#include "ngx_ocsp_request_signature.h"
#include "ngx_pki_der.h"


#define FUZZ_MAX        10
#define FUZZ_PREFERRED  16


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
fuzz_whole(ngx_str_t *part, ngx_str_t *whole)
{
    ngx_str_t      content, again;
    ngx_uint_t     tag;
    ngx_pki_der_t  der;

    fuzz_within(part, whole);

    if (part->len == 0) {
        return;
    }

    ngx_pki_der_init(&der, part);

    if (ngx_pki_der_any(&der, &tag, &content, &again) != NGX_OK
        || again.len != part->len)
    {
        abort();
    }
}


static void
fuzz_preferred(ngx_str_t *preferred)
{
    ngx_str_t      oid, params;
    ngx_uint_t     n;
    ngx_pki_der_t  list, in;

    ngx_pki_der_init(&list, preferred);

    for (n = 0; !ngx_pki_der_end(&list); n++) {
        if (ngx_pki_der_enter(&list, NGX_PKI_DER_SEQUENCE, &in) != NGX_OK
            || ngx_pki_der_get_algorithm(&in, &oid, &params) != NGX_OK
            || n == FUZZ_PREFERRED)
        {
            abort();
        }
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
        || request.n != 1
        || request.ids != &request.first)
    {
        abort();
    }

    again = request.ids;

    if (again->hash != id->hash
        || again->bare != id->bare
        || again->serial.len != id->serial.len
        || ngx_memcmp(again->serial.data, id->serial.data, id->serial.len)
           != 0)
    {
        abort();
    }
}


static void
fuzz_signature(ngx_ocsp_request_t *request)
{
    ngx_array_t                authorities;
    ngx_ocsp_trust_t           trust;
    ngx_ocsp_request_signer_t  signer;

    ngx_memzero(&authorities, sizeof(ngx_array_t));
    ngx_memzero(&trust, sizeof(ngx_ocsp_trust_t));

    trust.authorities = &authorities;

    if (ngx_ocsp_request_verify(request, &trust, 1800000000, &fuzz_log,
                                &signer)
        == NGX_OK)
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

        if (request.n == 0 || request.n > FUZZ_MAX
            || (request.n == 1) != (request.ids == &request.first)
            || request.nonce.len > NGX_OCSP_NONCE_MAX + 3)
        {
            abort();
        }

        fuzz_within(&request.nonce, &der);
        fuzz_within(&request.preferred, &request.tbs);

        if (request.preferred.len != 0) {
            fuzz_preferred(&request.preferred);
        }

        fuzz_whole(&request.tbs, &der);
        fuzz_whole(&request.requestor, &request.tbs);
        fuzz_whole(&request.signature, &der);

        id = request.ids;

        for (i = 0; i < request.n; i++) {
            fuzz_whole(&id[i].whole, &request.tbs);
            fuzz_within(&id[i].name_hash, &id[i].whole);
            fuzz_within(&id[i].key_hash, &id[i].whole);
            fuzz_within(&id[i].serial, &id[i].whole);

            if (id[i].serial.len == 0 || id[i].hash > NGX_PKI_HASHES) {
                abort();
            }

            fuzz_again(pool, &id[i]);
        }

        if (request.signature.len != 0) {
            fuzz_signature(&request);
        }
    }

    fuzz_done(pool);

    return 0;
}
