
/*
 * Copyright (C) the ngx_pki authors
 *
 * What Intune and Graph answer, and what is sent to Intune of what clients
 * say.  The first octet chooses.  No token goes to a host that is none of ours,
 * a code has letters and digits, what we write is JSON that says what we were
 * told.
 */


#include "fuzz.h"
#include "ngx_pki_intune_json.h"
#include "ngx_pki_json.h"
#include "ngx_pki_record.h"


static void fuzz_code(ngx_pool_t *pool, ngx_str_t *text);
static void fuzz_error(ngx_pool_t *pool, ngx_str_t *text);
static void fuzz_words(ngx_str_t *words);
static void fuzz_list(ngx_pool_t *pool, ngx_str_t *text);
static void fuzz_uri(ngx_pool_t *pool, ngx_str_t *text);
static void fuzz_revocations(ngx_pool_t *pool, ngx_str_t *text);
static void fuzz_serial(ngx_str_t *text);
static void fuzz_body(ngx_pool_t *pool, ngx_str_t *text,
    ngx_pki_intune_call_e kind);


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

    case 'l':
        fuzz_list(pool, &text);
        break;

    case 'u':
        fuzz_uri(pool, &text);
        break;

    case 'r':
        fuzz_revocations(pool, &text);
        break;

    case 's':
        fuzz_serial(&text);
        break;

    case 'v':
        fuzz_body(pool, &text, NGX_PKI_INTUNE_VALIDATE);
        break;

    case 'n':
        fuzz_body(pool, &text, NGX_PKI_INTUNE_SUCCESS);
        break;

    case 'f':
        fuzz_body(pool, &text, NGX_PKI_INTUNE_FAILURE);
        break;

    case 'e':
        fuzz_error(pool, &text);
        break;

    case 'p':
        (void) ngx_pki_intune_json_uploaded(pool, &text);
        break;

    default:
        fuzz_code(pool, &text);
    }

    fuzz_done(pool);

    return 0;
}


static void
fuzz_code(ngx_pool_t *pool, ngx_str_t *text)
{
    u_char      c;
    size_t      i;
    ngx_str_t   code, words;

    if (ngx_pki_intune_json_code(pool, text, &code, &words) != NULL) {

        if (code.len != 0) {
            abort();
        }

        return;
    }

    if (code.len == 0 || code.len > NGX_PKI_INTUNE_MAX_CODE) {
        abort();
    }

    for (i = 0; i < code.len; i++) {
        c = code.data[i];

        if (c >= 0x80 || !isalnum(c)) {
            abort();
        }
    }

    fuzz_words(&words);
}


static void
fuzz_error(ngx_pool_t *pool, ngx_str_t *text)
{
    ngx_str_t  words;

    if (ngx_pki_intune_json_error(pool, text, &words) != NGX_OK) {
        abort();
    }

    fuzz_words(&words);
}


/* one line, with no word as long as a challenge */

static void
fuzz_words(ngx_str_t *words)
{
    u_char  c;
    size_t  i, word;

    if (words->len > NGX_PKI_INTUNE_MAX_WORDS) {
        abort();
    }

    for (i = 0, word = 0; i < words->len; i++) {
        c = words->data[i];
        word = (c == ' ') ? 0 : word + 1;

        if (c < ' ' || c > '~' || word > NGX_PKI_INTUNE_MAX_WORD) {
            abort();
        }
    }
}


static void
fuzz_list(ngx_pool_t *pool, ngx_str_t *text)
{
    ngx_str_t   uri[NGX_PKI_INTUNE_SERVICES], next;
    ngx_uint_t  i;

    ngx_memzero(uri, sizeof(uri));

    (void) ngx_pki_intune_json_list(pool, text, uri, &next);

    for (i = 0; i < NGX_PKI_INTUNE_SERVICES; i++) {
        if (uri[i].len != 0) {
            fuzz_uri(pool, &uri[i]);
        }
    }
}


static void
fuzz_uri(ngx_pool_t *pool, ngx_str_t *text)
{
    ngx_str_t      *host;
    ngx_array_t    *hosts;
    ngx_pki_url_t   url;

    static const char  end[] = ".manage.microsoft.com";

    hosts = ngx_array_create(pool, 2, sizeof(ngx_str_t));
    if (hosts == NULL) {
        abort();
    }

    host = ngx_array_push(hosts);
    ngx_str_set(host, ".manage.microsoft.com");

    host = ngx_array_push(hosts);
    ngx_str_set(host, "intune.example");

    if (ngx_pki_intune_json_uri(pool, text, hosts, &url) != NULL) {
        return;
    }

    if (!url.tls || text->len > NGX_PKI_INTUNE_MAX_URI
        || url.path.len > NGX_PKI_INTUNE_MAX_URI
        || memchr(url.path.data, '?', url.path.len) != NULL)
    {
        abort();
    }

    if (url.host.len == host->len
        && ngx_memcmp(url.host.data, host->data, host->len) == 0)
    {
        return;
    }

    if (url.host.len < sizeof(end)
        || ngx_memcmp(url.host.data + url.host.len - (sizeof(end) - 1), end,
                      sizeof(end) - 1)
           != 0)
    {
        abort();
    }
}


static void
fuzz_revocations(ngx_pool_t *pool, ngx_str_t *text)
{
    ngx_uint_t                    i, left_out;
    ngx_str_t                     body;
    ngx_array_t                  *found;
    ngx_pki_intune_call_t         call;
    ngx_pki_intune_revocation_t  *revocation;

    if (ngx_pki_intune_json_revocations(pool, text, 3, &found, &left_out)
        != NULL)
    {
        return;
    }

    if (found->nelts + left_out > 3) {
        abort();
    }

    revocation = found->elts;

    for (i = 0; i < found->nelts; i++) {

        if (revocation[i].context.len == 0) {
            abort();
        }

        fuzz_serial(&revocation[i].serial);

        if (i == 1) {
            ngx_str_set(&revocation[i].error, "CertificateNotFoundError");
        }
    }

    ngx_memzero(&call, sizeof(ngx_pki_intune_call_t));
    call.kind = NGX_PKI_INTUNE_UPLOAD;
    call.revocations = found;

    if (ngx_pki_intune_json_encode(pool, &call, &body) != NGX_OK
        || ngx_pki_json_parse(pool, &body, NGX_PKI_JSON_MAX_SIZE, NULL)
           == NULL)
    {
        abort();
    }
}


/* one that records could have */

static void
fuzz_serial(ngx_str_t *text)
{
    u_char            out[2 * NGX_PKI_SERIAL_LEN];
    ngx_str_t         hex;
    ngx_pki_serial_t  serial;

    hex.data = out;
    hex.len = ngx_pki_intune_json_serial(text, out);

    if (hex.len != 0
        && (ngx_pki_serial_parse(&hex, &serial) != NGX_OK
            || (serial.data[0] & 0x80)))
    {
        abort();
    }
}


/* whatever clients say, there is one member, and in it as many as we send */

static void
fuzz_body(ngx_pool_t *pool, ngx_str_t *text, ngx_pki_intune_call_e kind)
{
    json_t                 *object, *value;
    ngx_str_t               body;
    ngx_pki_intune_call_t   call;

    static const size_t  members[] = { 3, 9, 5 };

    ngx_memzero(&call, sizeof(ngx_pki_intune_call_t));

    call.kind = kind;
    call.transaction = *text;
    call.csr = *text;
    call.certificate = *text;
    call.serial = *text;
    call.issuer = *text;
    call.configuration = *text;
    call.description = *text;
    call.hresult = 2147549183;
    call.not_after = 1890000000;

    if (ngx_pki_intune_json_encode(pool, &call, &body) != NGX_OK) {
        abort();
    }

    /* ours takes no NUL, which transactions may have */

    object = json_loadb((char *) body.data, body.len,
                        JSON_REJECT_DUPLICATES|JSON_ALLOW_NUL, NULL);
    object = ngx_pki_json_own(pool, object);

    if (object == NULL) {
        abort();
    }

    value = json_object_get(object, kind == NGX_PKI_INTUNE_VALIDATE
                                    ? "request" : "notification");

    if (json_object_size(object) != 1
        || json_object_size(value) != members[kind]
        || json_string_length(json_object_get(value, "errorDescription"))
           > 3 * NGX_PKI_INTUNE_MAX_DESCRIPTION)
    {
        abort();
    }
}
