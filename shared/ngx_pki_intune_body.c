
/*
 * Copyright (C) the ngx_pki authors
 *
 * What is sent to Intune.  Transaction, description and names come from
 * clients: all of it is escaped by jansson, what is no UTF-8 is replaced.
 */


#include "ngx_pki_intune_json.h"
#include "ngx_pki_json.h"

#include <nginx.h>


#define NGX_PKI_INTUNE_CALLER                                                \
    "ngx_http_pki_module nginx/" NGINX_VERSION


static void ngx_pki_intune_body_cleanse(json_t *value);
static json_t *ngx_pki_intune_body_request(ngx_pki_intune_call_t *call);
static json_t *ngx_pki_intune_body_success(ngx_pki_intune_call_t *call);
static json_t *ngx_pki_intune_body_failure(ngx_pki_intune_call_t *call);
static json_t *ngx_pki_intune_body_download(ngx_pki_intune_call_t *call);
static json_t *ngx_pki_intune_body_upload(ngx_pki_intune_call_t *call);
static ngx_int_t ngx_pki_intune_body_result(json_t *results,
    ngx_pki_intune_revocation_t *revocation);
static ngx_int_t ngx_pki_intune_body_csr(json_t *object,
    ngx_pki_intune_call_t *call);
static ngx_int_t ngx_pki_intune_body_thumbprint(json_t *object,
    ngx_str_t *der);
static ngx_int_t ngx_pki_intune_body_serial(json_t *object,
    ngx_str_t *serial);
static ngx_int_t ngx_pki_intune_body_time(json_t *object, time_t time);
static ngx_int_t ngx_pki_intune_body_caller(json_t *object);
static void ngx_pki_intune_body_cut(ngx_str_t *text);


typedef json_t *(*ngx_pki_intune_body_pt)(ngx_pki_intune_call_t *call);


/* by ngx_pki_intune_call_e: the one member of the body, and what it is */

static struct {
    const char               *name;
    ngx_pki_intune_body_pt    make;
} ngx_pki_intune_bodies[] = {
    { "request", ngx_pki_intune_body_request },
    { "notification", ngx_pki_intune_body_success },
    { "notification", ngx_pki_intune_body_failure },
    { "downloadParameters", ngx_pki_intune_body_download },
    { "results", ngx_pki_intune_body_upload }
};


ngx_int_t
ngx_pki_intune_json_encode(ngx_pool_t *pool, ngx_pki_intune_call_t *call,
    ngx_str_t *body)
{
    json_t     *object, *value;
    ngx_int_t   rc;

    value = ngx_pki_intune_bodies[call->kind].make(call);

    if (value == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;
    object = json_object();

    /* releases "value" if it fails, accepts a NULL object */

    if (json_object_set_new(object, ngx_pki_intune_bodies[call->kind].name,
                            value)
        == 0)
    {
        rc = ngx_pki_json_dump(pool, object, body);
        ngx_pki_intune_body_cleanse(value);
    }

    json_decref(object);

    return rc;
}


/* the challenge is in it */

static void
ngx_pki_intune_body_cleanse(json_t *value)
{
    ngx_str_t  csr;

    if (ngx_pki_json_get(value, "certificateRequest", &csr) == NGX_OK) {
        ngx_explicit_memzero(csr.data, csr.len);
    }
}


static json_t *
ngx_pki_intune_body_request(ngx_pki_intune_call_t *call)
{
    json_t  *object;

    object = json_object();

    if (object == NULL
        || ngx_pki_json_set(object, "transactionId", &call->transaction)
           != NGX_OK
        || ngx_pki_intune_body_csr(object, call) != NGX_OK
        || ngx_pki_intune_body_caller(object) != NGX_OK)
    {
        json_decref(object);
        return NULL;
    }

    return object;
}


static json_t *
ngx_pki_intune_body_success(ngx_pki_intune_call_t *call)
{
    json_t  *object;

    object = ngx_pki_intune_body_request(call);

    if (object == NULL
        || ngx_pki_intune_body_thumbprint(object, &call->certificate)
           != NGX_OK
        || ngx_pki_intune_body_serial(object, &call->serial) != NGX_OK
        || ngx_pki_intune_body_time(object, call->not_after) != NGX_OK
        || ngx_pki_json_set(object, "issuingCertificateAuthority",
                            &call->issuer)
           != NGX_OK
        || ngx_pki_json_set(object, "caConfiguration",
                            call->configuration.len ? &call->configuration
                                                    : NULL)
           != NGX_OK
        || ngx_pki_json_set(object, "certificateAuthority", &call->issuer)
           != NGX_OK)
    {
        json_decref(object);
        return NULL;
    }

    return object;
}


static json_t *
ngx_pki_intune_body_failure(ngx_pki_intune_call_t *call)
{
    json_t     *object;
    ngx_str_t   description;

    description = call->description;
    ngx_pki_intune_body_cut(&description);

    object = ngx_pki_intune_body_request(call);

    if (object == NULL
        || json_object_set_new(object, "hResult", json_integer(call->hresult))
           != 0
        || ngx_pki_json_set(object, "errorDescription", &description)
           != NGX_OK)
    {
        json_decref(object);
        return NULL;
    }

    return object;
}


static json_t *
ngx_pki_intune_body_download(ngx_pki_intune_call_t *call)
{
    json_t  *object;

    object = json_object();

    if (object == NULL
        || json_object_set_new(object, "maxRequests", json_integer(call->max))
           != 0
        || ngx_pki_json_set(object, "issuerName",
                            call->issuer.len ? &call->issuer : NULL)
           != NGX_OK)
    {
        json_decref(object);
        return NULL;
    }

    return object;
}


static json_t *
ngx_pki_intune_body_upload(ngx_pki_intune_call_t *call)
{
    json_t                       *results;
    ngx_uint_t                    i;
    ngx_pki_intune_revocation_t  *revocation;

    results = json_array();
    revocation = call->revocations->elts;

    for (i = 0; i < call->revocations->nelts; i++) {
        if (ngx_pki_intune_body_result(results, &revocation[i]) != NGX_OK) {
            json_decref(results);
            return NULL;
        }
    }

    return results;
}


/* what has succeeded has no message and the code "None" */

static ngx_int_t
ngx_pki_intune_body_result(json_t *results,
    ngx_pki_intune_revocation_t *revocation)
{
    json_t      *object;
    ngx_str_t    none;
    ngx_uint_t   done;

    ngx_str_set(&none, "None");
    done = (revocation->error.len == 0);

    object = json_object();

    if (json_array_append_new(results, object) != 0
        || ngx_pki_json_set(object, "requestContext", &revocation->context)
           != NGX_OK
        || json_object_set_new(object, "succeeded", json_boolean(done)) != 0
        || ngx_pki_json_set(object, "errorCode",
                            done ? &none : &revocation->error)
           != NGX_OK
        || ngx_pki_json_set(object, "errorMessage",
                            done ? NULL : &revocation->message)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_pki_intune_body_csr(json_t *object, ngx_pki_intune_call_t *call)
{
    ngx_int_t  rc;
    ngx_str_t  base64;

    base64.data = ngx_alloc(ngx_base64_encoded_length(call->csr.len),
                            ngx_cycle->log);
    if (base64.data == NULL) {
        return NGX_ERROR;
    }

    ngx_encode_base64(&base64, &call->csr);

    rc = ngx_pki_json_set(object, "certificateRequest", &base64);

    ngx_explicit_memzero(base64.data, base64.len);
    ngx_free(base64.data);

    return rc;
}


static ngx_int_t
ngx_pki_intune_body_thumbprint(json_t *object, ngx_str_t *der)
{
    size_t        i;
    unsigned int  len;
    ngx_str_t     hex;
    u_char        digest[EVP_MAX_MD_SIZE], buf[2 * EVP_MAX_MD_SIZE];

    if (EVP_Digest(der->data, der->len, digest, &len, EVP_sha1(), NULL) != 1) {
        ERR_clear_error();
        return NGX_ERROR;
    }

    hex.data = buf;
    hex.len = ngx_hex_dump(buf, digest, len) - buf;

    for (i = 0; i < hex.len; i++) {
        buf[i] = ngx_toupper(buf[i]);
    }

    return ngx_pki_json_set(object, "certificateThumbprint", &hex);
}


static ngx_int_t
ngx_pki_intune_body_serial(json_t *object, ngx_str_t *serial)
{
    size_t     i;
    ngx_str_t  hex;
    u_char     buf[2 * NGX_PKI_SERIAL_LEN];

    hex.len = ngx_min(serial->len, sizeof(buf));
    hex.data = buf;

    for (i = 0; i < hex.len; i++) {
        buf[i] = ngx_toupper(serial->data[i]);
    }

    return ngx_pki_json_set(object, "certificateSerialNumber", &hex);
}


static ngx_int_t
ngx_pki_intune_body_time(json_t *object, time_t time)
{
    ngx_tm_t   tm;
    ngx_str_t  text;
    u_char     buf[sizeof("2026-01-01T00:00:00.000Z")];

    ngx_gmtime(time, &tm);

    text.data = buf;
    text.len = ngx_snprintf(buf, sizeof(buf),
                            "%4d-%02d-%02dT%02d:%02d:%02d.000Z",
                            tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                            tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec)
               - buf;

    return ngx_pki_json_set(object, "certificateExpirationDateUtc", &text);
}


static ngx_int_t
ngx_pki_intune_body_caller(json_t *object)
{
    ngx_str_t  caller;

    ngx_str_set(&caller, NGX_PKI_INTUNE_CALLER);

    return ngx_pki_json_set(object, "callerInfo", &caller);
}


/* between two characters, where it has such */

static void
ngx_pki_intune_body_cut(ngx_str_t *text)
{
    size_t  len;

    if (text->len <= NGX_PKI_INTUNE_MAX_DESCRIPTION) {
        return;
    }

    len = NGX_PKI_INTUNE_MAX_DESCRIPTION;

    while (len > 0 && (text->data[len] & 0xc0) == 0x80) {
        len--;
    }

    text->len = len ? len : NGX_PKI_INTUNE_MAX_DESCRIPTION;
}
