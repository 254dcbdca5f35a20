
/*
 * Copyright (C) the ngx_pki authors
 *
 * The extensions of Entra: of which tenant a certificate is, and of which
 * device, as the certificates say that Microsoft's own services issue.
 */


#include "ngx_pki_profile_rules.h"
#include "ngx_pki_device.h"


#define NGX_PKI_PROFILE_GUID_LEN  16

/* 1.2.840.113556.5.14, 1.2.840.113556.1.5.284.2 */

#define NGX_PKI_PROFILE_OID_TENANT  "\x2a\x86\x48\x86\xf7\x14\x05\x0e"
#define NGX_PKI_PROFILE_OID_DEVICE                                           \
    "\x2a\x86\x48\x86\xf7\x14\x01\x05\x82\x1c\x02"


static ngx_int_t ngx_pki_profile_guid(ngx_str_t *text, u_char *guid);
static void ngx_pki_profile_write_guid(ngx_pki_der_writer_t *w,
    ngx_str_t *oid, u_char *guid);


static ngx_str_t  ngx_pki_profile_oid_tenant =
    ngx_string(NGX_PKI_PROFILE_OID_TENANT);
static ngx_str_t  ngx_pki_profile_oid_device =
    ngx_string(NGX_PKI_PROFILE_OID_DEVICE);


/* in the order of a GUID's octets in memory: three numbers come reversed */

static u_char  ngx_pki_profile_guid_order[NGX_PKI_PROFILE_GUID_LEN] = {
    6, 4, 2, 0, 11, 9, 16, 14, 19, 21, 24, 26, 28, 30, 32, 34
};


char *
ngx_pki_profile_set_entra_extensions(ngx_conf_t *cf, ngx_pki_profile_t *p)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    p->tenant = ngx_pnalloc(cf->pool, NGX_PKI_PROFILE_GUID_LEN);
    if (p->tenant == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_pki_profile_guid(&value[1], p->tenant) != NGX_OK) {
        return ngx_pki_profile_invalid(cf, &value[1], "is not the id of a "
                                       "tenant, as \"11111111-2222-3333-4444-"
                                       "555555555555\"");
    }

    if (ngx_pki_profile_has(p, &ngx_pki_profile_oid_tenant)
        || ngx_pki_profile_has(p, &ngx_pki_profile_oid_device))
    {
        return "has extensions that are there already";
    }

    return NGX_CONF_OK;
}


ngx_uint_t
ngx_pki_profile_is_entra(ngx_str_t *oid)
{
    return ngx_pki_str_eq(oid, NGX_PKI_PROFILE_OID_TENANT)
           || ngx_pki_str_eq(oid, NGX_PKI_PROFILE_OID_DEVICE);
}


ngx_int_t
ngx_pki_profile_apply_entra(ngx_pki_profile_t *profile, ngx_pool_t *pool,
    ngx_pki_csr_t *csr, ngx_pki_template_t *t)
{
    u_char                guid[NGX_PKI_PROFILE_GUID_LEN];
    ngx_str_t             device, user;
    ngx_pki_der_writer_t  w;

    if (profile->tenant == NULL) {
        return NGX_OK;
    }

    if (ngx_pki_device_find(pool, NGX_PKI_DEVICE_INTUNE, csr, t, &device,
                            &user)
        != NGX_OK
        || ngx_pki_der_writer_init(&w, pool, t->extensions.len + 128)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_pki_der_raw(&w, &t->extensions);
    ngx_pki_profile_write_guid(&w, &ngx_pki_profile_oid_tenant,
                               profile->tenant);

    if (device.len != 0 && ngx_pki_profile_guid(&device, guid) == NGX_OK) {
        ngx_pki_profile_write_guid(&w, &ngx_pki_profile_oid_device, guid);
    }

    return ngx_pki_der_finish(&w, &t->extensions);
}


static ngx_int_t
ngx_pki_profile_guid(ngx_str_t *text, u_char *guid)
{
    ngx_int_t   octet;
    ngx_uint_t  i;

    if (!ngx_pki_device_is_guid(text)) {
        return NGX_DECLINED;
    }

    for (i = 0; i < NGX_PKI_PROFILE_GUID_LEN; i++) {
        octet = ngx_hextoi(text->data + ngx_pki_profile_guid_order[i], 2);
        guid[i] = (u_char) octet;
    }

    return NGX_OK;
}


static void
ngx_pki_profile_write_guid(ngx_pki_der_writer_t *w, ngx_str_t *oid,
    u_char *guid)
{
    size_t     extension, octets;
    ngx_str_t  value;

    value.data = guid;
    value.len = NGX_PKI_PROFILE_GUID_LEN;

    extension = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(w, NGX_PKI_DER_OID, oid);

    octets = ngx_pki_der_begin(w, NGX_PKI_DER_OCTET_STRING);
    ngx_pki_der_put(w, NGX_PKI_DER_OCTET_STRING, &value);

    ngx_pki_der_close(w, octets);
    ngx_pki_der_close(w, extension);
}
