
/*
 * Copyright (C) the ngx_pki authors
 *
 * The question to a webhook, and its answer.  The first octet chooses: an
 * answer, or a request with the transaction (its length in the second octet)
 * before it.  Whatever the client sends, the question is one JSON object with
 * the same members, and the challenge is in it as it was.
 */


#include "fuzz.h"
#include "ngx_pki_json.h"
#include "ngx_scep_webhook.h"


static void fuzz_answer(ngx_pool_t *pool, ngx_str_t *text);
static void fuzz_question(ngx_pool_t *pool, ngx_str_t *text);
static void fuzz_members(ngx_pool_t *pool, ngx_str_t *body,
    ngx_pki_csr_t *csr);
static void fuzz_base64(ngx_pool_t *pool, json_t *object, const char *name,
    ngx_str_t *octets);


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

    if (data[0] == 'a') {
        fuzz_answer(pool, &text);

    } else {
        fuzz_question(pool, &text);
    }

    fuzz_done(pool);

    return 0;
}


static void
fuzz_answer(ngx_pool_t *pool, ngx_str_t *text)
{
    size_t                     i;
    const char                *error;
    ngx_scep_webhook_answer_t  answer;

    error = ngx_scep_webhook_decode(pool, text, &answer);

    if ((error != NULL && (answer.allow || answer.code.len != 0))
        || (answer.allow && answer.code.len != 0)
        || answer.code.len > NGX_SCEP_WEBHOOK_MAX_CODE)
    {
        abort();
    }

    for (i = 0; i < answer.code.len; i++) {
        if (!isalnum(answer.code.data[i])
            && strchr("-_.", answer.code.data[i]) == NULL)
        {
            abort();
        }
    }
}


static void
fuzz_question(ngx_pool_t *pool, ngx_str_t *text)
{
    u_char         signature[NGX_SCEP_WEBHOOK_SIGNATURE_LEN];
    size_t         i;
    ngx_str_t      der, body, transaction, name = ngx_string("scep");
    ngx_pki_csr_t  csr;

    if (text->len == 0) {
        return;
    }

    transaction.data = text->data + 1;
    transaction.len = ngx_min(text->data[0], text->len - 1);

    /* a PrintableString has no NUL, which the parser below refuses */

    for (i = 0; i < transaction.len; i++) {
        if (transaction.data[i] == '\0') {
            transaction.data[i] = '"';
        }
    }

    der.data = transaction.data + transaction.len;
    der.len = text->len - 1 - transaction.len;

    if (ngx_pki_csr_decode(pool, &der, &csr) != NGX_OK
        || ngx_scep_webhook_encode(pool, 1700000000, &name, &transaction,
                                   &csr, &body)
           != NGX_OK)
    {
        return;
    }

    fuzz_members(pool, &body, &csr);

    if (ngx_scep_webhook_sign(&name, &body, signature) != NGX_OK) {
        abort();
    }
}


static void
fuzz_members(ngx_pool_t *pool, ngx_str_t *body, ngx_pki_csr_t *csr)
{
    json_t     *question, *request;
    ngx_str_t   value;

    static const char  *names[] = {
        "timestamp", "provisionerName", "scepTransactionID", "scepChallenge",
        "x509CertificateRequest", NULL
    };

    static const char  *members[] = {
        "raw", "publicKey", "publicKeyAlgorithm", "subject", "rawSubject",
        "extensions", "dnsNames", "ipAddresses", "emailAddresses", "uris",
        "sans", NULL
    };

    question = ngx_pki_json_parse(pool, body, NGX_PKI_JSON_MAX_SIZE, NULL);

    if (question == NULL
        || ngx_pki_json_unknown(question, names) != NULL
        || json_object_size(question) != 5
        || ngx_pki_json_get(question, "scepChallenge", &value) != NGX_OK
        || value.len != csr->challenge.len
        || (value.len != 0
            && ngx_memcmp(value.data, csr->challenge.data, value.len) != 0))
    {
        abort();
    }

    request = json_object_get(question, "x509CertificateRequest");

    if (ngx_pki_json_unknown(request, members) != NULL) {
        abort();
    }

    fuzz_base64(pool, request, "raw", &csr->der);
    fuzz_base64(pool, request, "publicKey", &csr->spki);
    fuzz_base64(pool, request, "rawSubject", &csr->subject);
}


static void
fuzz_base64(ngx_pool_t *pool, json_t *object, const char *name,
    ngx_str_t *octets)
{
    ngx_str_t  text, value;

    if (ngx_pki_json_get(object, name, &text) != NGX_OK) {
        abort();
    }

    value.data = ngx_pnalloc(pool, ngx_base64_decoded_length(text.len));

    if (value.data == NULL
        || ngx_decode_base64(&value, &text) != NGX_OK
        || value.len != octets->len
        || ngx_memcmp(value.data, octets->data, value.len) != 0)
    {
        abort();
    }
}
