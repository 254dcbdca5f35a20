
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
 * What the certificate of this request, with this template, says by the rule:
 * strings in "pool", empty if it says nothing.  Pure.  NGX_ERROR: out of
 * memory.
 */
ngx_int_t ngx_pki_device_find(ngx_pool_t *pool, ngx_pki_device_rule_e rule,
    ngx_pki_csr_t *csr, ngx_pki_template_t *t, ngx_str_t *device,
    ngx_str_t *user);


#endif /* _NGX_PKI_DEVICE_H_INCLUDED_ */
