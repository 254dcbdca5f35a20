
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_vault_json.h"
#include "ngx_pki_base64.h"
#include "ngx_pki_json.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>


/* how much of what a vault says is kept */

#define NGX_PKI_VAULT_MAX_CODE        64
#define NGX_PKI_VAULT_MAX_MESSAGE     256
#define NGX_PKI_VAULT_MAX_INNER       8

#define NGX_PKI_VAULT_MAX_OPERATIONS  16
#define NGX_PKI_VAULT_MAX_OPERATION   32

/* octets: a modulus of 4096 bits, and a zero before it */

#define NGX_PKI_VAULT_MAX_NUMBER      513

/* octets: nobody takes a longer one, and it makes a check slow */

#define NGX_PKI_VAULT_MAX_EXPONENT    8

/* octets: the coordinates of P-521 */

#define NGX_PKI_VAULT_MAX_COORDINATE  66


static const char *ngx_pki_vault_bundle_key(ngx_pool_t *pool, json_t *key,
    ngx_pki_vault_bundle_t *bundle);
static const char *ngx_pki_vault_bundle_attributes(json_t *attributes,
    ngx_pki_vault_bundle_t *bundle);
static const char *ngx_pki_vault_bundle_time(json_t *attributes,
    const char *name, time_t *time);
static const char *ngx_pki_vault_bundle_operations(ngx_pool_t *pool,
    json_t *key, ngx_str_t *operations);
static EVP_PKEY *ngx_pki_vault_bundle_rsa(ngx_pool_t *pool, json_t *key);
static EVP_PKEY *ngx_pki_vault_bundle_ec(ngx_pool_t *pool, json_t *key);
static EVP_PKEY *ngx_pki_vault_bundle_import(const char *type,
    OSSL_PARAM_BLD *params);
static ngx_int_t ngx_pki_vault_json_octets(ngx_pool_t *pool, json_t *object,
    const char *name, size_t max, ngx_str_t *octets);
static ngx_int_t ngx_pki_vault_json_base64url(ngx_pool_t *pool,
    ngx_str_t *text, ngx_str_t *octets);
static ngx_str_t ngx_pki_vault_json_text(ngx_pool_t *pool, json_t *object,
    const char *name, size_t max);
static const char *ngx_pki_vault_json_curve(int nid);
static void ngx_pki_vault_json_cleanup(void *data);


const char *
ngx_pki_vault_bundle_decode(ngx_pool_t *pool, ngx_str_t *text,
    ngx_pki_vault_bundle_t *bundle)
{
    json_t      *root, *key;
    const char  *error;

    ngx_memzero(bundle, sizeof(ngx_pki_vault_bundle_t));

    root = ngx_pki_json_parse(pool, text, NGX_PKI_HTTPS_MAX_ANSWER, &error);

    if (root == NULL) {
        return error;
    }

    key = json_object_get(root, "key");

    if (!json_is_object(key)) {
        return "it has no \"key\"";
    }

    error = ngx_pki_vault_bundle_key(pool, key, bundle);

    if (error != NULL) {
        return error;
    }

    error = ngx_pki_vault_bundle_operations(pool, key, &bundle->operations);

    if (error != NULL) {
        return error;
    }

    return ngx_pki_vault_bundle_attributes(json_object_get(root, "attributes"),
                                           bundle);
}


static const char *
ngx_pki_vault_bundle_key(ngx_pool_t *pool, json_t *key,
    ngx_pki_vault_bundle_t *bundle)
{
    ngx_str_t            kty;
    ngx_uint_t           hsm;
    ngx_pool_cleanup_t  *cln;

    if (ngx_pki_json_get(key, "kid", &bundle->kid) != NGX_OK
        || ngx_pki_json_get(key, "kty", &kty) != NGX_OK)
    {
        return "its \"key\" has no \"kid\" or \"kty\"";
    }

    hsm = ngx_pki_str_eq(&kty, "RSA-HSM") || ngx_pki_str_eq(&kty, "EC-HSM");

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL) {
        return "out of memory";
    }

    if (ngx_pki_str_eq(&kty, "RSA") || ngx_pki_str_eq(&kty, "RSA-HSM")) {
        bundle->public_key = ngx_pki_vault_bundle_rsa(pool, key);

    } else if (ngx_pki_str_eq(&kty, "EC") || ngx_pki_str_eq(&kty, "EC-HSM")) {
        bundle->public_key = ngx_pki_vault_bundle_ec(pool, key);
    }

    cln->handler = ngx_pki_vault_json_cleanup;
    cln->data = bundle->public_key;

    if (bundle->public_key == NULL
        || ngx_pki_key_describe(bundle->public_key, &bundle->spec) != NGX_OK
        || (bundle->spec.type == NGX_PKI_KEY_RSA
            && bundle->spec.bits != 2048
            && bundle->spec.bits != 3072
            && bundle->spec.bits != 4096))
    {
        return "its \"key\" is neither RSA of 2048, 3072 or 4096 bits nor EC "
               "on P-256, P-384 or P-521";
    }

    bundle->spec.hsm = hsm;

    return NULL;
}


static const char *
ngx_pki_vault_bundle_attributes(json_t *attributes,
    ngx_pki_vault_bundle_t *bundle)
{
    json_t      *enabled;
    const char  *error;

    bundle->enabled = 1;

    if (attributes == NULL) {
        return NULL;
    }

    if (!json_is_object(attributes)) {
        return "its \"attributes\" are no object";
    }

    enabled = json_object_get(attributes, "enabled");

    if (enabled != NULL) {
        if (!json_is_boolean(enabled)) {
            return "its \"enabled\" is neither true nor false";
        }

        bundle->enabled = json_is_true(enabled);
    }

    error = ngx_pki_vault_bundle_time(attributes, "nbf", &bundle->not_before);

    if (error != NULL) {
        return error;
    }

    return ngx_pki_vault_bundle_time(attributes, "exp", &bundle->expires);
}


static const char *
ngx_pki_vault_bundle_time(json_t *attributes, const char *name, time_t *time)
{
    json_t  *value;

    value = json_object_get(attributes, name);

    if (value == NULL || json_is_null(value)) {
        return NULL;
    }

    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        return "its \"nbf\" or \"exp\" is no time";
    }

    *time = (time_t) json_integer_value(value);

    return NULL;
}


static const char *
ngx_pki_vault_bundle_operations(ngx_pool_t *pool, json_t *key,
    ngx_str_t *operations)
{
    size_t      i, n, len;
    u_char     *p;
    json_t     *list, *item;
    ngx_str_t   operation;

    list = json_object_get(key, "key_ops");

    if (list == NULL) {
        return NULL;
    }

    n = json_array_size(list);

    if (!json_is_array(list) || n > NGX_PKI_VAULT_MAX_OPERATIONS) {
        return "its \"key_ops\" are no list";
    }

    p = ngx_pnalloc(pool, n * (NGX_PKI_VAULT_MAX_OPERATION + 1) + 1);
    if (p == NULL) {
        return "out of memory";
    }

    operations->data = p;

    for (i = 0; i < n; i++) {
        item = json_array_get(list, i);

        if (!json_is_string(item)) {
            return "its \"key_ops\" are no strings";
        }

        len = json_string_length(item);
        operation.data = (u_char *) json_string_value(item);
        operation.len = len;

        if (len == 0 || len > NGX_PKI_VAULT_MAX_OPERATION
            || ngx_pki_vault_clean(pool, &operation, len).len != len
            || ngx_strlchr(operation.data, operation.data + len, ',') != NULL)
        {
            return "its \"key_ops\" are no words";
        }

        if (i != 0) {
            *p++ = ',';
        }

        p = ngx_cpymem(p, operation.data, len);
    }

    operations->len = p - operations->data;

    return NULL;
}


static EVP_PKEY *
ngx_pki_vault_bundle_rsa(ngx_pool_t *pool, json_t *key)
{
    BIGNUM          *n, *e;
    EVP_PKEY        *pkey;
    ngx_str_t        modulus, exponent;
    OSSL_PARAM_BLD  *params;

    if (ngx_pki_vault_json_octets(pool, key, "n", NGX_PKI_VAULT_MAX_NUMBER,
                                  &modulus)
        != NGX_OK
        || ngx_pki_vault_json_octets(pool, key, "e",
                                     NGX_PKI_VAULT_MAX_EXPONENT, &exponent)
           != NGX_OK)
    {
        return NULL;
    }

    pkey = NULL;

    n = BN_bin2bn(modulus.data, (int) modulus.len, NULL);
    e = BN_bin2bn(exponent.data, (int) exponent.len, NULL);
    params = OSSL_PARAM_BLD_new();

    if (n != NULL && e != NULL && params != NULL
        && BN_is_odd(n) && BN_is_odd(e) && !BN_is_one(e)
        && OSSL_PARAM_BLD_push_BN(params, OSSL_PKEY_PARAM_RSA_N, n) == 1
        && OSSL_PARAM_BLD_push_BN(params, OSSL_PKEY_PARAM_RSA_E, e) == 1)
    {
        pkey = ngx_pki_vault_bundle_import("RSA", params);
    }

    OSSL_PARAM_BLD_free(params);
    BN_free(n);
    BN_free(e);
    ERR_clear_error();

    return pkey;
}


/* coordinates have the length of the field, but for zeros in front */

static EVP_PKEY *
ngx_pki_vault_bundle_ec(ngx_pool_t *pool, json_t *key)
{
    size_t               len;
    u_char               point[1 + 2 * NGX_PKI_VAULT_MAX_COORDINATE];
    EVP_PKEY            *pkey;
    ngx_str_t            curve, text, x, y;
    OSSL_PARAM_BLD      *params;
    ngx_pki_key_spec_t   spec;
    u_char               buf[sizeof("ec:P-256") - 1];

    if (ngx_pki_json_get(key, "crv", &curve) != NGX_OK
        || curve.len != sizeof("P-256") - 1)
    {
        return NULL;
    }

    text.data = buf;
    text.len = ngx_sprintf(buf, "ec:%V", &curve) - buf;

    if (ngx_pki_key_parse_spec(&text, &spec) != NULL) {
        return NULL;
    }

    len = (spec.bits + 7) / 8;

    if (ngx_pki_vault_json_octets(pool, key, "x", len, &x) != NGX_OK
        || ngx_pki_vault_json_octets(pool, key, "y", len, &y) != NGX_OK)
    {
        return NULL;
    }

    ngx_memzero(point, sizeof(point));

    point[0] = POINT_CONVERSION_UNCOMPRESSED;
    ngx_memcpy(point + 1 + len - x.len, x.data, x.len);
    ngx_memcpy(point + 1 + 2 * len - y.len, y.data, y.len);

    pkey = NULL;
    params = OSSL_PARAM_BLD_new();

    if (params != NULL
        && OSSL_PARAM_BLD_push_utf8_string(params, OSSL_PKEY_PARAM_GROUP_NAME,
                                           OBJ_nid2sn(spec.nid), 0)
           == 1
        && OSSL_PARAM_BLD_push_octet_string(params, OSSL_PKEY_PARAM_PUB_KEY,
                                            point, 1 + 2 * len)
           == 1)
    {
        pkey = ngx_pki_vault_bundle_import("EC", params);
    }

    OSSL_PARAM_BLD_free(params);
    ERR_clear_error();

    return pkey;
}


static EVP_PKEY *
ngx_pki_vault_bundle_import(const char *type, OSSL_PARAM_BLD *params)
{
    EVP_PKEY      *pkey;
    OSSL_PARAM    *list;
    EVP_PKEY_CTX  *ctx;

    pkey = NULL;

    list = OSSL_PARAM_BLD_to_param(params);
    ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);

    if (list == NULL || ctx == NULL
        || EVP_PKEY_fromdata_init(ctx) != 1
        || EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, list) != 1)
    {
        pkey = NULL;
    }

    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(list);

    return pkey;
}


const char *
ngx_pki_vault_value_decode(ngx_pool_t *pool, ngx_str_t *text,
    ngx_pki_vault_value_t *value)
{
    json_t      *root;
    ngx_int_t    rc;
    ngx_str_t    base64;
    const char  *error;

    ngx_memzero(value, sizeof(ngx_pki_vault_value_t));

    root = ngx_pki_json_parse(pool, text, NGX_PKI_HTTPS_MAX_ANSWER, &error);

    if (root == NULL) {
        return error;
    }

    if (ngx_pki_json_get(root, "value", &base64) != NGX_OK) {
        return "it has no \"value\"";
    }

    rc = ngx_pki_vault_json_base64url(pool, &base64, &value->value);

    OPENSSL_cleanse(base64.data, base64.len);

    if (rc != NGX_OK) {
        return "its \"value\" is not base64url";
    }

    if (ngx_pki_json_get(root, "kid", &value->kid) != NGX_OK) {
        OPENSSL_cleanse(value->value.data, value->value.len);
        return "it has no \"kid\"";
    }

    return NULL;
}


void
ngx_pki_vault_error_decode(ngx_pool_t *pool, ngx_str_t *text,
    ngx_pki_vault_error_t *error)
{
    json_t      *root, *object;
    ngx_str_t    inner;
    ngx_uint_t   i;

    ngx_memzero(error, sizeof(ngx_pki_vault_error_t));

    root = ngx_pki_json_parse(pool, text, NGX_PKI_HTTPS_MAX_ANSWER, NULL);
    object = json_object_get(root, "error");

    if (!json_is_object(object)) {
        return;
    }

    error->code = ngx_pki_vault_json_text(pool, object, "code",
                                          NGX_PKI_VAULT_MAX_CODE);
    error->message = ngx_pki_vault_json_text(pool, object, "message",
                                             NGX_PKI_VAULT_MAX_MESSAGE);

    for (i = 0; i < NGX_PKI_VAULT_MAX_INNER; i++) {

        object = json_object_get(object, "innererror");

        if (!json_is_object(object)) {
            return;
        }

        inner = ngx_pki_vault_json_text(pool, object, "code",
                                        NGX_PKI_VAULT_MAX_CODE);
        if (inner.len != 0) {
            error->inner = inner;
        }
    }
}


ngx_str_t
ngx_pki_vault_clean(ngx_pool_t *pool, ngx_str_t *text, size_t max)
{
    size_t     i;
    u_char     ch;
    ngx_str_t  out;

    out.len = 0;
    out.data = ngx_pnalloc(pool, ngx_min(text->len, max) + 1);

    if (out.data == NULL) {
        return out;
    }

    for (i = 0; i < text->len && out.len < max; i++) {
        ch = text->data[i];

        if (ch == CR || ch == LF) {
            break;
        }

        if (ch >= ' ' && ch < 0x7f) {
            out.data[out.len++] = ch;
        }
    }

    out.data[out.len] = '\0';

    return out;
}


ngx_int_t
ngx_pki_vault_create_encode(ngx_pool_t *pool, ngx_pki_key_spec_t *spec,
    ngx_str_t *key_ops, ngx_str_t *out)
{
    u_char  *p, *last;
    size_t   size;

    size = sizeof("{\"kty\":\"RSA-HSM\",\"key_size\":4096,\"key_ops\":}")
           + key_ops->len;

    p = ngx_pnalloc(pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    out->data = p;
    last = p + size;

    p = ngx_slprintf(p, last, "{\"kty\":\"%s%s\",",
                     spec->type == NGX_PKI_KEY_RSA ? "RSA" : "EC",
                     spec->hsm ? "-HSM" : "");

    if (spec->type == NGX_PKI_KEY_RSA) {
        p = ngx_slprintf(p, last, "\"key_size\":%ui,", spec->bits);

    } else {
        p = ngx_slprintf(p, last, "\"crv\":\"%s\",",
                         ngx_pki_vault_json_curve(spec->nid));
    }

    p = ngx_slprintf(p, last, "\"key_ops\":%V}", key_ops);

    out->len = p - out->data;

    return NGX_OK;
}


ngx_int_t
ngx_pki_vault_value_encode(ngx_pool_t *pool, ngx_str_t *alg,
    ngx_str_t *value, ngx_str_t *out)
{
    u_char     *p;
    ngx_str_t   base64;

    p = ngx_pnalloc(pool, sizeof("{\"alg\":\"\",\"value\":\"\"}") + alg->len
                          + ngx_base64_encoded_length(value->len));
    if (p == NULL) {
        return NGX_ERROR;
    }

    out->data = p;

    p = ngx_sprintf(p, "{\"alg\":\"%V\",\"value\":\"", alg);

    base64.data = p;
    ngx_encode_base64url(&base64, value);

    p = ngx_cpymem(p + base64.len, "\"}", 2);

    out->len = p - out->data;

    return NGX_OK;
}


/* a member that must be base64url of 1 to "max" octets */

static ngx_int_t
ngx_pki_vault_json_octets(ngx_pool_t *pool, json_t *object, const char *name,
    size_t max, ngx_str_t *octets)
{
    ngx_str_t  base64;

    if (ngx_pki_json_get(object, name, &base64) != NGX_OK
        || ngx_pki_vault_json_base64url(pool, &base64, octets) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return (octets->len >= 1 && octets->len <= max) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_pki_vault_json_base64url(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *octets)
{
    ngx_str_t  base64;

    base64 = *text;

    if (ngx_pki_base64_trim(&base64) != NGX_OK) {
        return NGX_ERROR;
    }

    octets->data = ngx_pnalloc(pool,
                               ngx_base64_decoded_length(base64.len) + 1);
    if (octets->data == NULL) {
        return NGX_ERROR;
    }

    return ngx_decode_base64url(octets, &base64);
}


static ngx_str_t
ngx_pki_vault_json_text(ngx_pool_t *pool, json_t *object, const char *name,
    size_t max)
{
    ngx_str_t  text;

    if (ngx_pki_json_get(object, name, &text) != NGX_OK) {
        ngx_str_null(&text);
        return text;
    }

    return ngx_pki_vault_clean(pool, &text, max);
}


static const char *
ngx_pki_vault_json_curve(int nid)
{
    switch (nid) {

    case NID_secp384r1:
        return "P-384";

    case NID_secp521r1:
        return "P-521";

    default:
        return "P-256";
    }
}


static void
ngx_pki_vault_json_cleanup(void *data)
{
    EVP_PKEY  *pkey = data;

    EVP_PKEY_free(pkey);
}
