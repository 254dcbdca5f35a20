
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_device.h"
#include "ngx_pki_der.h"
#include "ngx_pki_name.h"
#include "ngx_pki_san.h"


#define NGX_PKI_DEVICE_GUID_LEN     36
#define NGX_PKI_DEVICE_MAX_JAMF_ID  10       /* digits */

#define NGX_PKI_DEVICE_INTUNE_URI   "IntuneDeviceId://"
#define NGX_PKI_DEVICE_OID_SAN      "\x55\x1d\x11"


/* what an OU says of a certificate that Jamf Pro has asked for */

typedef struct {
    ngx_str_t                  name;
    ngx_str_t                  kind;
    ngx_uint_t                 user;         /* it is a user's on one */
} ngx_pki_device_marker_t;


/* what is said, if it is said once: which of several to take is a trap */

typedef struct {
    ngx_str_t                  text;
    ngx_uint_t                 several;
} ngx_pki_device_said_t;


static ngx_int_t ngx_pki_device_names(ngx_pool_t *pool, ngx_pki_csr_t *csr,
    ngx_pki_template_t *t, ngx_array_t *attributes, ngx_array_t *sans);
static ngx_int_t ngx_pki_device_requested(ngx_pki_csr_t *csr,
    ngx_str_t *value);
static ngx_int_t ngx_pki_device_written(ngx_pki_template_t *t,
    ngx_str_t *value);
static ngx_int_t ngx_pki_device_intune(ngx_pool_t *pool,
    ngx_array_t *attributes, ngx_array_t *sans, ngx_str_t *device);
static void ngx_pki_device_uris(ngx_array_t *sans,
    ngx_pki_device_said_t *said);
static ngx_int_t ngx_pki_device_jamf(ngx_pool_t *pool,
    ngx_array_t *attributes, ngx_array_t *sans, ngx_str_t *device,
    ngx_str_t *user);
static ngx_pki_device_marker_t *ngx_pki_device_marker(ngx_str_t *name);
static ngx_uint_t ngx_pki_device_is_marker(ngx_str_t *name);
static ngx_uint_t ngx_pki_device_is_jamf_id(ngx_str_t *text);
static void ngx_pki_device_attributes(ngx_array_t *attributes, ngx_str_t *oid,
    ngx_uint_t (*is)(ngx_str_t *text), ngx_pki_device_said_t *said);
static void ngx_pki_device_user(ngx_array_t *sans, ngx_pki_san_type_e type,
    ngx_str_t *user);
static void ngx_pki_device_say(ngx_pki_device_said_t *said, ngx_str_t *text);


static ngx_str_t  ngx_pki_device_oid_cn = ngx_string(NGX_PKI_NAME_OID_CN);
static ngx_str_t  ngx_pki_device_oid_ou = ngx_string(NGX_PKI_NAME_OID_OU);

static ngx_pki_device_marker_t  ngx_pki_device_markers[] = {
    { ngx_string("computers"), ngx_string("computers"), 0 },
    { ngx_string("devices"), ngx_string("devices"), 0 },
    { ngx_string("users-on-computers"), ngx_string("computers"), 1 },
    { ngx_string("users-on-devices"), ngx_string("devices"), 1 },
    { ngx_null_string, ngx_null_string, 0 }
};


ngx_int_t
ngx_pki_device_find(ngx_pool_t *pool, ngx_pki_device_rule_e rule,
    ngx_pki_csr_t *csr, ngx_pki_template_t *t, ngx_str_t *device,
    ngx_str_t *user)
{
    ngx_int_t    rc;
    ngx_array_t  attributes, sans;

    ngx_str_null(device);
    ngx_str_null(user);

    if (rule == NGX_PKI_DEVICE_OFF) {
        return NGX_OK;
    }

    rc = ngx_pki_device_names(pool, csr, t, &attributes, &sans);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : NGX_ERROR;
    }

    if (rule == NGX_PKI_DEVICE_JAMF) {
        return ngx_pki_device_jamf(pool, &attributes, &sans, device, user);
    }

    ngx_pki_device_user(&sans, NGX_PKI_SAN_UPN, user);

    return ngx_pki_device_intune(pool, &attributes, &sans, device);
}


/* 8-4-4-4-12 digits; all zeros is what a variable without a value makes */

ngx_uint_t
ngx_pki_device_is_guid(ngx_str_t *text)
{
    u_char      c;
    size_t      i;
    ngx_uint_t  digits;

    if (text->len != NGX_PKI_DEVICE_GUID_LEN) {
        return 0;
    }

    digits = 0;

    for (i = 0; i < text->len; i++) {
        c = text->data[i];

        if (i == 8 || i == 13 || i == 18 || i == 23) {

            if (c != '-') {
                return 0;
            }

            continue;
        }

        if (ngx_hextoi(&text->data[i], 1) == NGX_ERROR) {
            return 0;
        }

        digits |= (c != '0');
    }

    return digits;
}


/* NGX_DECLINED: they are malformed, as those of a request may be */

static ngx_int_t
ngx_pki_device_names(ngx_pool_t *pool, ngx_pki_csr_t *csr,
    ngx_pki_template_t *t, ngx_array_t *attributes, ngx_array_t *sans)
{
    ngx_int_t    rc;
    ngx_str_t    value, *subject;
    const char  *error;

    subject = (t != NULL) ? &t->subject : &csr->subject;

    rc = ngx_pki_name_decode(pool, subject, attributes, &error);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = (t != NULL) ? ngx_pki_device_written(t, &value)
                     : ngx_pki_device_requested(csr, &value);

    if (rc == NGX_OK) {
        return ngx_pki_san_decode(pool, &value, sans, &error);
    }

    return ngx_array_init(sans, pool, 1, sizeof(ngx_pki_san_t));
}


static ngx_int_t
ngx_pki_device_requested(ngx_pki_csr_t *csr, ngx_str_t *value)
{
    ngx_uint_t            i;
    ngx_pki_extension_t  *e;

    e = csr->extensions.elts;

    for (i = 0; i < csr->extensions.nelts; i++) {

        if (ngx_pki_str_eq(&e[i].oid, NGX_PKI_DEVICE_OID_SAN)) {
            *value = e[i].value;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_pki_device_written(ngx_pki_template_t *t, ngx_str_t *value)
{
    ngx_str_t      oid;
    ngx_pki_der_t  list, der;

    ngx_pki_der_init(&list, &t->extensions);

    while (ngx_pki_der_enter(&list, NGX_PKI_DER_SEQUENCE, &der) == NGX_OK
           && ngx_pki_der_get(&der, NGX_PKI_DER_OID, &oid) == NGX_OK
           && ngx_pki_der_skip_optional(&der, NGX_PKI_DER_BOOLEAN) == NGX_OK
           && ngx_pki_der_get(&der, NGX_PKI_DER_OCTET_STRING, value) == NGX_OK)
    {
        if (ngx_pki_str_eq(&oid, NGX_PKI_DEVICE_OID_SAN)) {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


/*
 * A common name may be the identifier of the device in Intune or in Entra, the
 * URI is that of Intune: it goes first.
 */

static ngx_int_t
ngx_pki_device_intune(ngx_pool_t *pool, ngx_array_t *attributes,
    ngx_array_t *sans, ngx_str_t *device)
{
    ngx_pki_device_said_t  said;

    ngx_memzero(&said, sizeof(ngx_pki_device_said_t));

    ngx_pki_device_uris(sans, &said);

    if (said.text.len == 0) {
        ngx_pki_device_attributes(attributes, &ngx_pki_device_oid_cn,
                                  ngx_pki_device_is_guid, &said);
    }

    if (said.text.len == 0 || said.several) {
        return NGX_OK;
    }

    device->data = ngx_pnalloc(pool, said.text.len);
    if (device->data == NULL) {
        return NGX_ERROR;
    }

    ngx_strlow(device->data, said.text.data, said.text.len);
    device->len = said.text.len;

    return NGX_OK;
}


static void
ngx_pki_device_uris(ngx_array_t *sans, ngx_pki_device_said_t *said)
{
    ngx_str_t       text;
    ngx_uint_t      i;
    ngx_pki_san_t  *san;

    static ngx_str_t  prefix = ngx_string(NGX_PKI_DEVICE_INTUNE_URI);

    san = sans->elts;

    for (i = 0; i < sans->nelts; i++) {
        text = san[i].text;

        if (san[i].type != NGX_PKI_SAN_URI
            || text.len < prefix.len
            || ngx_strncasecmp(text.data, prefix.data, prefix.len) != 0)
        {
            continue;
        }

        text.data += prefix.len;
        text.len -= prefix.len;

        if (ngx_pki_device_is_guid(&text)) {
            ngx_pki_device_say(said, &text);
        }
    }
}


/* the device is what its users' certificates are bound to, too */

static ngx_int_t
ngx_pki_device_jamf(ngx_pool_t *pool, ngx_array_t *attributes,
    ngx_array_t *sans, ngx_str_t *device, ngx_str_t *user)
{
    u_char                   *p;
    ngx_pki_device_said_t     ou, id;
    ngx_pki_device_marker_t  *marker;

    ngx_memzero(&ou, sizeof(ngx_pki_device_said_t));
    ngx_memzero(&id, sizeof(ngx_pki_device_said_t));

    ngx_pki_device_attributes(attributes, &ngx_pki_device_oid_ou,
                              ngx_pki_device_is_marker, &ou);

    ngx_pki_device_attributes(attributes, &ngx_pki_device_oid_cn,
                              ngx_pki_device_is_jamf_id, &id);

    marker = ngx_pki_device_marker(&ou.text);

    if (marker == NULL || ou.several || id.text.len == 0 || id.several) {
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, marker->kind.len + 1 + id.text.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    device->data = p;
    device->len = ngx_sprintf(p, "%V/%V", &marker->kind, &id.text) - p;

    if (marker->user) {
        ngx_pki_device_user(sans, NGX_PKI_SAN_EMAIL, user);
    }

    return NGX_OK;
}


static ngx_pki_device_marker_t *
ngx_pki_device_marker(ngx_str_t *name)
{
    ngx_pki_device_marker_t  *m;

    for (m = ngx_pki_device_markers; m->name.len != 0; m++) {

        if (m->name.len == name->len
            && ngx_strncasecmp(m->name.data, name->data, name->len) == 0)
        {
            return m;
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_pki_device_is_marker(ngx_str_t *name)
{
    return ngx_pki_device_marker(name) != NULL;
}


/* the other common name is that of a profile: no such number */

static ngx_uint_t
ngx_pki_device_is_jamf_id(ngx_str_t *text)
{
    size_t  i;

    if (text->len > NGX_PKI_DEVICE_MAX_JAMF_ID || text->data[0] == '0') {
        return 0;
    }

    for (i = 0; i < text->len; i++) {
        if (text->data[i] < '0' || text->data[i] > '9') {
            return 0;
        }
    }

    return 1;
}


/* those of this type that are what is looked for */

static void
ngx_pki_device_attributes(ngx_array_t *attributes, ngx_str_t *oid,
    ngx_uint_t (*is)(ngx_str_t *text), ngx_pki_device_said_t *said)
{
    ngx_uint_t                 i;
    ngx_pki_name_attribute_t  *a;

    a = attributes->elts;

    for (i = 0; i < attributes->nelts; i++) {

        if (a[i].oid.len == oid->len
            && ngx_memcmp(a[i].oid.data, oid->data, oid->len) == 0
            && is(&a[i].text))
        {
            ngx_pki_device_say(said, &a[i].text);
        }
    }
}


static void
ngx_pki_device_user(ngx_array_t *sans, ngx_pki_san_type_e type,
    ngx_str_t *user)
{
    ngx_uint_t              i;
    ngx_pki_san_t          *san;
    ngx_pki_device_said_t   said;

    ngx_memzero(&said, sizeof(ngx_pki_device_said_t));

    san = sans->elts;

    for (i = 0; i < sans->nelts; i++) {
        if (san[i].type == type) {
            ngx_pki_device_say(&said, &san[i].text);
        }
    }

    if (!said.several) {
        *user = said.text;
    }
}


/* all of these identifiers are the same in either case */

static void
ngx_pki_device_say(ngx_pki_device_said_t *said, ngx_str_t *text)
{
    if (said->text.len == 0) {
        said->text = *text;
        return;
    }

    if (said->text.len != text->len
        || ngx_strncasecmp(said->text.data, text->data, text->len) != 0)
    {
        said->several = 1;
    }
}
