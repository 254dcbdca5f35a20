
/*
 * Copyright (C) the ngx_pki authors
 *
 * Whose a certificate would be: devices and users by either rule, from the
 * request and from what a profile makes of it; and the accounts of a directory
 * that it names, with a profile that lets them through.
 */


#include "fuzz.h"
#include "ngx_pki_device.h"
#include "ngx_pki_profile_rules.h"
#include "ngx_pki_sid.h"


#define FUZZ_NOW    1700000000
#define FUZZ_LATER  4000000000LL


static void fuzz_find(ngx_pool_t *pool, ngx_pki_csr_t *csr,
    ngx_pki_template_t *t);
static void fuzz_jamf(ngx_str_t *device);
static void fuzz_profile(ngx_pool_t *pool, ngx_pki_csr_t *csr);
static void fuzz_sid(ngx_str_t *sid);
static void fuzz_once(ngx_str_t *extensions);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t             der, sid;
    ngx_uint_t            i;
    ngx_pool_t           *pool;
    ngx_pki_csr_t         csr;
    ngx_pki_extension_t  *e;

    pool = fuzz_pool();

    der.data = fuzz_copy(pool, data, size);
    der.len = size;

    if (ngx_pki_sid_uri(&der, &sid) == NGX_OK
        || ngx_pki_sid_extension(&der, &sid) == NGX_OK)
    {
        fuzz_sid(&sid);
    }

    if (ngx_pki_csr_decode(pool, &der, &csr) != NGX_OK) {
        fuzz_done(pool);
        return 0;
    }

    e = csr.extensions.elts;

    for (i = 0; i < csr.extensions.nelts; i++) {
        if (ngx_pki_sid_extension(&e[i].value, &sid) == NGX_OK) {
            fuzz_sid(&sid);
        }
    }

    fuzz_find(pool, &csr, NULL);
    fuzz_profile(pool, &csr);
    fuzz_done(pool);

    return 0;
}


static void
fuzz_find(ngx_pool_t *pool, ngx_pki_csr_t *csr, ngx_pki_template_t *t)
{
    size_t     i;
    ngx_str_t  device, user;

    if (ngx_pki_device_find(pool, NGX_PKI_DEVICE_OFF, csr, t, &device, &user)
        != NGX_OK
        || device.len != 0 || user.len != 0)
    {
        abort();
    }

    if (ngx_pki_device_find(pool, NGX_PKI_DEVICE_INTUNE, csr, t, &device,
                            &user)
        != NGX_OK)
    {
        abort();
    }

    if (device.len != 0 && !ngx_pki_device_is_guid(&device)) {
        abort();
    }

    for (i = 0; i < device.len; i++) {
        if (device.data[i] >= 'A' && device.data[i] <= 'Z') {
            abort();
        }
    }

    if (ngx_pki_device_find(pool, NGX_PKI_DEVICE_JAMF, csr, t, &device, &user)
        != NGX_OK
        || (device.len == 0 && user.len != 0))
    {
        abort();
    }

    if (device.len != 0) {
        fuzz_jamf(&device);
    }
}


static void
fuzz_jamf(ngx_str_t *device)
{
    u_char  *slash;

    slash = ngx_strlchr(device->data, device->data + device->len, '/');

    if (slash == NULL
        || (ngx_strncmp(device->data, "computers/", 10) != 0
            && ngx_strncmp(device->data, "devices/", 8) != 0)
        || ngx_atoi(slash + 1, device->data + device->len - slash - 1) <= 0)
    {
        abort();
    }
}


/* a profile that lets through what it can */

static void
fuzz_profile(ngx_pool_t *pool, ngx_pki_csr_t *csr)
{
    ngx_str_t            name = ngx_string("default");
    ngx_uint_t           i;
    ngx_pki_profile_t   *profile;
    ngx_pki_template_t   t;

    static u_char        tenant[16] = { 1, 2, 3 };

    profile = ngx_pki_profile_create(pool, &name);
    if (profile == NULL) {
        abort();
    }

    for (i = 0; i < 3; i++) {

        profile->sid = (i != 0) ? NGX_PKI_PROFILE_SID_REQUEST
                                : NGX_PKI_PROFILE_SID_OFF;
        profile->tenant = (i != 0) ? tenant : NULL;
        csr->names_only = (i == 2);

        if (ngx_pki_profile_apply(profile, pool, csr, FUZZ_NOW, FUZZ_NOW,
                                  FUZZ_LATER, &t)
            != NGX_OK)
        {
            continue;
        }

        fuzz_once(&t.extensions);
        fuzz_find(pool, csr, &t);

        if (t.sid.len == 0) {
            continue;
        }

        fuzz_sid(&t.sid);

        if (i == 0 || (i == 2 && !t.sid_named)) {
            abort();
        }
    }
}


static void
fuzz_sid(ngx_str_t *sid)
{
    size_t  i;

    if (sid->len < sizeof("S-1-5-21-1-1-1-1") - 1
        || sid->len > sizeof("S-1-5-21") - 1 + 4 * 11)
    {
        abort();
    }

    for (i = 1; i < sid->len; i++) {
        if (sid->data[i] != '-'
            && (sid->data[i] < '0' || sid->data[i] > '9'))
        {
            abort();
        }
    }
}


/* no extension is there twice (RFC 5280, 4.2) */

static void
fuzz_once(ngx_str_t *extensions)
{
    ngx_str_t      oid, other;
    ngx_pki_der_t  list, rest, e;

    ngx_pki_der_init(&list, extensions);

    while (!ngx_pki_der_end(&list)) {

        if (ngx_pki_der_enter(&list, NGX_PKI_DER_SEQUENCE, &e) != NGX_OK
            || ngx_pki_der_get(&e, NGX_PKI_DER_OID, &oid) != NGX_OK)
        {
            abort();
        }

        rest = list;

        while (!ngx_pki_der_end(&rest)) {

            if (ngx_pki_der_enter(&rest, NGX_PKI_DER_SEQUENCE, &e) != NGX_OK
                || ngx_pki_der_get(&e, NGX_PKI_DER_OID, &other) != NGX_OK
                || (oid.len == other.len
                    && ngx_memcmp(oid.data, other.data, oid.len) == 0))
            {
                abort();
            }
        }
    }
}
