
/*
 * Copyright (C) the ngx_pki authors
 *
 * Whose a certificate is: the identifiers of a device and of a user that a
 * directory knows, taken from subject and subject alternative names.
 */


#ifndef _NGX_PKI_DEVICE_H_INCLUDED_
#define _NGX_PKI_DEVICE_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_csr.h"
#include "ngx_pki_profile.h"


typedef enum {
    NGX_PKI_DEVICE_OFF = 0,
    NGX_PKI_DEVICE_INTUNE,       /* CN=<guid>, IntuneDeviceId://<guid>, UPN */
    NGX_PKI_DEVICE_JAMF          /* CN=<id>,OU=computers|devices|... */
} ngx_pki_device_rule_e;


/*
 * What the certificate of this request says by the rule, if it is made from
 * this template, or (NULL) what the request says: strings in "pool" or in what
 * was given, empty if it says nothing, or several things.  Pure.  A GUID comes
 * in lower case, a computer or device of Jamf as "computers/12", "devices/12".
 * NGX_ERROR: out of memory.
 */
ngx_int_t ngx_pki_device_find(ngx_pool_t *pool, ngx_pki_device_rule_e rule,
    ngx_pki_csr_t *csr, ngx_pki_template_t *t, ngx_str_t *device,
    ngx_str_t *user);

/* Whether it is a GUID, of 36 characters, and not the one of zeros. */
ngx_uint_t ngx_pki_device_is_guid(ngx_str_t *text);


#endif /* _NGX_PKI_DEVICE_H_INCLUDED_ */
