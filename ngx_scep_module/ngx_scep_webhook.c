
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_scep_webhook.h"
#include "ngx_pki_json.h"
#include "ngx_pki_name.h"
#include "ngx_pki_oid.h"
#include "ngx_pki_san.h"

#include <openssl/hmac.h>
#include <openssl/sha.h>


#define NGX_SCEP_WEBHOOK_OID_SAN  "\x55\x1d\x11"


/* an attribute of a subject; a list unless it is there once at most */

typedef struct {
    ngx_str_t                  oid;
    const char                *name;
    ngx_uint_t                 single;
} ngx_scep_webhook_attribute_t;


typedef struct {
    const char                *list;
    const char                *type;
} ngx_scep_webhook_san_t;


static ngx_int_t ngx_scep_webhook_head(ngx_pool_t *pool, time_t now,
    ngx_str_t *name, ngx_str_t *transaction, ngx_str_t *text);
static ngx_int_t ngx_scep_webhook_request(ngx_pool_t *pool,
    ngx_pki_csr_t *csr, ngx_str_t *text);
static ngx_int_t ngx_scep_webhook_key(ngx_pool_t *pool, ngx_pki_csr_t *csr,
    json_t *request);
static ngx_int_t ngx_scep_webhook_subject(ngx_pool_t *pool,
    ngx_pki_csr_t *csr, json_t *request);
static ngx_int_t ngx_scep_webhook_attribute(ngx_pool_t *pool, json_t *subject,
    ngx_pki_name_attribute_t *a);
static ngx_scep_webhook_attribute_t *ngx_scep_webhook_find(ngx_str_t *oid);
static ngx_int_t ngx_scep_webhook_extra(ngx_pool_t *pool, json_t *subject,
    ngx_str_t *oid, ngx_str_t *value);
static ngx_int_t ngx_scep_webhook_extensions(ngx_pool_t *pool,
    ngx_pki_csr_t *csr, json_t *request);
static ngx_int_t ngx_scep_webhook_extension(ngx_pool_t *pool,
    ngx_pki_extension_t *e, json_t *request);
static ngx_int_t ngx_scep_webhook_sans(ngx_pool_t *pool, ngx_str_t *value,
    json_t *request);
static json_t *ngx_scep_webhook_list(json_t *object, const char *name);
static json_t *ngx_scep_webhook_item(json_t *list);
static ngx_int_t ngx_scep_webhook_push(json_t *list, ngx_str_t *value);
static ngx_int_t ngx_scep_webhook_base64(ngx_pool_t *pool, json_t *object,
    const char *name, ngx_str_t *octets);
static ngx_int_t ngx_scep_webhook_join(ngx_pool_t *pool, ngx_str_t *head,
    ngx_pki_csr_t *csr, ngx_str_t *request, ngx_str_t *body);
static void ngx_scep_webhook_code(json_t *object,
    ngx_scep_webhook_answer_t *answer);


static ngx_scep_webhook_attribute_t  ngx_scep_webhook_attributes[] = {
    { ngx_string("\x55\x04\x03"), "commonName", 1 },
    { ngx_string("\x55\x04\x05"), "serialNumber", 1 },
    { ngx_string("\x55\x04\x06"), "country", 0 },
    { ngx_string("\x55\x04\x07"), "locality", 0 },
    { ngx_string("\x55\x04\x08"), "province", 0 },
    { ngx_string("\x55\x04\x09"), "streetAddress", 0 },
    { ngx_string("\x55\x04\x0a"), "organization", 0 },
    { ngx_string("\x55\x04\x0b"), "organizationalUnit", 0 },
    { ngx_string("\x55\x04\x11"), "postalCode", 0 },
    { ngx_null_string, NULL, 0 }
};


/* by ngx_pki_san_type_e */

static ngx_scep_webhook_san_t  ngx_scep_webhook_san_types[] = {
    { "dnsNames", "dns" },
    { "ipAddresses", "ip" },
    { "emailAddresses", "email" },
    { "uris", "uri" },
    { NULL, "userPrincipalName" }
};


ngx_int_t
ngx_scep_webhook_encode(ngx_pool_t *pool, time_t now, ngx_str_t *name,
    ngx_str_t *transaction, ngx_pki_csr_t *csr, ngx_str_t *body)
{
    ngx_int_t  rc;
    ngx_str_t  head, request;

    rc = ngx_scep_webhook_request(pool, csr, &request);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_scep_webhook_head(pool, now, name, transaction, &head) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_scep_webhook_join(pool, &head, csr, &request, body);
}


static ngx_int_t
ngx_scep_webhook_head(ngx_pool_t *pool, time_t now, ngx_str_t *name,
    ngx_str_t *transaction, ngx_str_t *text)
{
    json_t  *head;

    head = ngx_pki_json_own(pool, json_object());

    if (head == NULL
        || ngx_pki_json_set_time(head, "timestamp", &now) != NGX_OK
        || ngx_pki_json_set(head, "provisionerName", name) != NGX_OK
        || ngx_pki_json_set(head, "scepTransactionID", transaction) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_pki_json_dump(pool, head, text);
}


/* all but "raw": the challenge is in that */

static ngx_int_t
ngx_scep_webhook_request(ngx_pool_t *pool, ngx_pki_csr_t *csr,
    ngx_str_t *text)
{
    json_t     *request;
    ngx_int_t   rc;

    request = ngx_pki_json_own(pool, json_object());

    if (request == NULL
        || ngx_scep_webhook_key(pool, csr, request) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_scep_webhook_subject(pool, csr, request);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_scep_webhook_extensions(pool, csr, request) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_pki_json_dump(pool, request, text);
}


static ngx_int_t
ngx_scep_webhook_key(ngx_pool_t *pool, ngx_pki_csr_t *csr, json_t *request)
{
    ngx_str_t  name;

    switch (csr->key.type) {

    case NGX_PKI_KEY_RSA:
        ngx_str_set(&name, "RSA");
        break;

    case NGX_PKI_KEY_EC:
        ngx_str_set(&name, "ECDSA");
        break;

    default: /* NGX_PKI_KEY_ED25519: others are refused before */
        ngx_str_set(&name, "Ed25519");
        break;
    }

    if (ngx_pki_json_set(request, "publicKeyAlgorithm", &name) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_scep_webhook_base64(pool, request, "publicKey", &csr->spki);
}


static ngx_int_t
ngx_scep_webhook_subject(ngx_pool_t *pool, ngx_pki_csr_t *csr, json_t *request)
{
    json_t                    *subject;
    ngx_int_t                  rc;
    ngx_uint_t                 i;
    const char                *error;
    ngx_array_t                attributes;
    ngx_pki_name_attribute_t  *a;

    rc = ngx_pki_name_decode(pool, &csr->subject, &attributes, &error);

    if (rc != NGX_OK) {
        return rc;
    }

    subject = json_object();

    if (json_object_set_new(request, "subject", subject) != 0) {
        return NGX_ERROR;
    }

    a = attributes.elts;

    for (i = 0; i < attributes.nelts; i++) {
        if (ngx_scep_webhook_attribute(pool, subject, &a[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return ngx_scep_webhook_base64(pool, request, "rawSubject",
                                   &csr->subject);
}


/* of several common names the last one counts, as in Go */

static ngx_int_t
ngx_scep_webhook_attribute(ngx_pool_t *pool, json_t *subject,
    ngx_pki_name_attribute_t *a)
{
    ngx_str_t                      before;
    ngx_scep_webhook_attribute_t  *known;

    known = ngx_scep_webhook_find(&a->oid);

    if (known == NULL) {
        return ngx_scep_webhook_extra(pool, subject, &a->oid, &a->text);
    }

    if (!known->single) {
        return ngx_scep_webhook_push(ngx_scep_webhook_list(subject,
                                                           known->name),
                                     &a->text);
    }

    if (ngx_pki_json_get(subject, known->name, &before) == NGX_OK
        && ngx_scep_webhook_extra(pool, subject, &a->oid, &before) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_pki_json_set(subject, known->name, &a->text);
}


static ngx_scep_webhook_attribute_t *
ngx_scep_webhook_find(ngx_str_t *oid)
{
    ngx_scep_webhook_attribute_t  *a;

    for (a = ngx_scep_webhook_attributes; a->name != NULL; a++) {

        if (a->oid.len == oid->len
            && ngx_memcmp(a->oid.data, oid->data, oid->len) == 0)
        {
            return a;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_scep_webhook_extra(ngx_pool_t *pool, json_t *subject, ngx_str_t *oid,
    ngx_str_t *value)
{
    json_t     *item;
    ngx_int_t   rc;
    ngx_str_t   text;

    rc = ngx_pki_oid_text(pool, oid, &text);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : NGX_ERROR;
    }

    item = ngx_scep_webhook_item(ngx_scep_webhook_list(subject, "extraNames"));

    if (item == NULL || ngx_pki_json_set(item, "type", &text) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_pki_json_set(item, "value", value);
}


static ngx_int_t
ngx_scep_webhook_extensions(ngx_pool_t *pool, ngx_pki_csr_t *csr,
    json_t *request)
{
    ngx_uint_t            i;
    ngx_pki_extension_t  *e;

    e = csr->extensions.elts;

    for (i = 0; i < csr->extensions.nelts; i++) {

        if (ngx_scep_webhook_extension(pool, &e[i], request) != NGX_OK) {
            return NGX_ERROR;
        }

        if (ngx_pki_str_eq(&e[i].oid, NGX_SCEP_WEBHOOK_OID_SAN)
            && ngx_scep_webhook_sans(pool, &e[i].value, request) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_scep_webhook_extension(ngx_pool_t *pool, ngx_pki_extension_t *e,
    json_t *request)
{
    json_t     *item;
    ngx_int_t   rc;
    ngx_str_t   text;

    rc = ngx_pki_oid_text(pool, &e->oid, &text);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : NGX_ERROR;
    }

    item = ngx_scep_webhook_item(ngx_scep_webhook_list(request,
                                                       "extensions"));

    if (item == NULL
        || ngx_pki_json_set(item, "id", &text) != NGX_OK
        || json_object_set_new(item, "critical", json_boolean(e->critical))
           != 0)
    {
        return NGX_ERROR;
    }

    return ngx_scep_webhook_base64(pool, item, "value", &e->value);
}


/* names of a kind that no certificate here can have are only in the raw */

static ngx_int_t
ngx_scep_webhook_sans(ngx_pool_t *pool, ngx_str_t *value, json_t *request)
{
    json_t                  *item;
    ngx_int_t                rc;
    ngx_str_t                type;
    ngx_uint_t               i;
    const char              *error;
    ngx_array_t              sans;
    ngx_pki_san_t           *san;
    ngx_scep_webhook_san_t  *kind;

    rc = ngx_pki_san_decode(pool, value, &sans, &error);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : NGX_ERROR;
    }

    san = sans.elts;

    for (i = 0; i < sans.nelts; i++) {

        kind = &ngx_scep_webhook_san_types[san[i].type];

        if (kind->list != NULL
            && ngx_scep_webhook_push(ngx_scep_webhook_list(request,
                                                           kind->list),
                                     &san[i].text)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        type.data = (u_char *) kind->type;
        type.len = ngx_strlen(kind->type);

        item = ngx_scep_webhook_item(ngx_scep_webhook_list(request, "sans"));

        if (item == NULL
            || ngx_pki_json_set(item, "type", &type) != NGX_OK
            || ngx_pki_json_set(item, "value", &san[i].text) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* the list of this name, made where there is none; NULL: out of memory */

static json_t *
ngx_scep_webhook_list(json_t *object, const char *name)
{
    json_t  *list;

    list = json_object_get(object, name);

    if (list != NULL) {
        return list;
    }

    list = json_array();

    return (json_object_set_new(object, name, list) == 0) ? list : NULL;
}


static json_t *
ngx_scep_webhook_item(json_t *list)
{
    json_t  *item;

    item = json_object();

    return (json_array_append_new(list, item) == 0) ? item : NULL;
}


static ngx_int_t
ngx_scep_webhook_push(json_t *list, ngx_str_t *value)
{
    json_t  *string;

    string = json_stringn((char *) value->data, value->len);

    return (json_array_append_new(list, string) == 0) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_scep_webhook_base64(ngx_pool_t *pool, json_t *object, const char *name,
    ngx_str_t *octets)
{
    ngx_str_t  text;

    text.data = ngx_pnalloc(pool, ngx_base64_encoded_length(octets->len));
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    ngx_encode_base64(&text, octets);

    return ngx_pki_json_set(object, name, &text);
}


/* What is secret is in the body and nowhere else: it can be cleansed. */

static ngx_int_t
ngx_scep_webhook_join(ngx_pool_t *pool, ngx_str_t *head, ngx_pki_csr_t *csr,
    ngx_str_t *request, ngx_str_t *body)
{
    u_char     *p;
    size_t      size;
    ngx_str_t   base64, *challenge;

    static u_char  before[] = ",\"scepChallenge\":\"";
    static u_char  between[] = "\",\"x509CertificateRequest\":{\"raw\":\"";

    challenge = &csr->challenge;

    size = head->len + sizeof(before) + challenge->len
           + ngx_escape_json(NULL, challenge->data, challenge->len)
           + sizeof(between) + ngx_base64_encoded_length(csr->der.len)
           + sizeof("\",") + request->len + sizeof("}");

    p = ngx_pnalloc(pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;

    /* without the brace that ends it */

    p = ngx_cpymem(p, head->data, head->len - 1);
    p = ngx_cpymem(p, before, sizeof(before) - 1);
    p = (u_char *) ngx_escape_json(p, challenge->data, challenge->len);
    p = ngx_cpymem(p, between, sizeof(between) - 1);

    base64.data = p;
    ngx_encode_base64(&base64, &csr->der);
    p += base64.len;

    *p++ = '"';
    *p++ = ',';

    /* without the brace that begins it */

    p = ngx_cpymem(p, request->data + 1, request->len - 1);
    *p++ = '}';

    body->len = p - body->data;

    return NGX_OK;
}


ngx_int_t
ngx_scep_webhook_sign(ngx_str_t *secret, ngx_str_t *body, u_char *signature)
{
    u_char  digest[SHA256_DIGEST_LENGTH];

    if (HMAC(EVP_sha256(), secret->data, secret->len, body->data, body->len,
             digest, NULL)
        == NULL)
    {
        ERR_clear_error();
        return NGX_ERROR;
    }

    ngx_hex_dump(signature, digest, sizeof(digest));

    return NGX_OK;
}


const char *
ngx_scep_webhook_decode(ngx_pool_t *pool, ngx_str_t *text,
    ngx_scep_webhook_answer_t *answer)
{
    json_t      *object, *allow;
    const char  *error;

    ngx_memzero(answer, sizeof(ngx_scep_webhook_answer_t));

    object = ngx_pki_json_parse(pool, text, NGX_SCEP_WEBHOOK_MAX_ANSWER,
                                &error);

    if (object == NULL) {
        return error;
    }

    allow = json_object_get(object, "allow");

    if (!json_is_boolean(allow)) {
        return "JSON without \"allow\" that is true or false";
    }

    answer->allow = json_is_true(allow);

    if (!answer->allow) {
        ngx_scep_webhook_code(object, answer);
    }

    return NULL;
}


/* "error": {"code": "..."}; any other word is not for a log */

static void
ngx_scep_webhook_code(json_t *object, ngx_scep_webhook_answer_t *answer)
{
    u_char      c, lower;
    size_t      i;
    ngx_str_t   code;

    if (ngx_pki_json_get(json_object_get(object, "error"), "code", &code)
        != NGX_OK
        || code.len > NGX_SCEP_WEBHOOK_MAX_CODE)
    {
        return;
    }

    for (i = 0; i < code.len; i++) {
        c = code.data[i];
        lower = (u_char) (c | 0x20);

        if ((lower < 'a' || lower > 'z') && (c < '0' || c > '9')
            && c != '-' && c != '_' && c != '.')
        {
            return;
        }
    }

    answer->code = code;
}
