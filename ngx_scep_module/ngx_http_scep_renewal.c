
/*
 * Copyright (C) the ngx_pki authors
 *
 * Renewal (RFC 8894, 3.3.1.2): the certificate that signs vouches for the
 * request, which needs no challenge then.  It must be one that this authority,
 * or the one before it, has recorded, as it is, and must still be good; what
 * the new one may say is checked where it is issued.
 */


#include "ngx_http_scep_operation.h"
#include "ngx_pki_renewal.h"


static void ngx_http_scep_renewal_handler(ngx_http_scep_operation_t *so,
    ngx_int_t rc);
static ngx_int_t ngx_http_scep_renewal_check(ngx_http_scep_operation_t *so);
static ngx_int_t ngx_http_scep_renewal_check_time(
    ngx_http_scep_operation_t *so);


ngx_pki_authority_t *
ngx_http_scep_renewal_issuer(ngx_http_scep_operation_t *so)
{
    return ngx_http_scep_lookup_issuer(so, &so->message.signer.id.issuer);
}


void
ngx_http_scep_renewal(ngx_http_scep_operation_t *so)
{
    ngx_pki_op_action(so->op, "checking who asks for a renewal");

    ngx_http_scep_lookup_signer(so, ngx_http_scep_renewal_handler);
}


static void
ngx_http_scep_renewal_handler(ngx_http_scep_operation_t *so, ngx_int_t rc)
{
    switch (rc) {

    case NGX_OK:
        rc = ngx_http_scep_renewal_check(so);
        break;

    case NGX_DECLINED:
        rc = ngx_scep_message_refuse(&so->message, NGX_SCEP_BAD_CERT_ID,
                                     "the certificate that signs is none of "
                                     "this authority");
        break;

    default: /* NGX_ERROR */
        ngx_http_scep_reply_failure(so, NGX_SCEP_BAD_REQUEST);
        return;
    }

    if (rc != NGX_OK) {
        ngx_http_scep_reply_refuse(so);
        return;
    }

    ngx_log_error(NGX_LOG_NOTICE, so->op->log, 0,
                  "renewal, asked for by certificate %V",
                  &so->store.record.serial);

    so->issue.renewed = &so->store.record;
    so->issue.renewed_of = so->lookup_authority;

    ngx_http_scep_operation_issue(so);
}


static ngx_int_t
ngx_http_scep_renewal_check(ngx_http_scep_operation_t *so)
{
    const char        *error;
    ngx_str_t         *profile;
    ngx_pki_record_t  *record;

    error = NULL;
    record = &so->store.record;
    profile = ngx_pki_profile_name(so->slcf->profile);

    if (record->status == NGX_PKI_STATUS_HOLD) {
        error = "the certificate that signs is on hold";

    } else if (record->status != NGX_PKI_STATUS_GOOD) {
        error = "the certificate that signs is revoked";

    } else if (record->withheld.len != 0) {
        error = "the certificate that signs is withheld";

    } else if (!ngx_scep_str_eq(&record->profile, profile)) {
        error = "the certificate that signs is of another profile";

    } else if (!ngx_pki_renewal_may_sign(&record->der)) {
        error = "the certificate that signs has not the key usage "
                "digitalSignature";
    }

    if (error != NULL) {
        return ngx_scep_message_refuse(&so->message, NGX_SCEP_BAD_CERT_ID,
                                       error);
    }

    return ngx_http_scep_renewal_check_time(so);
}


static ngx_int_t
ngx_http_scep_renewal_check_time(ngx_http_scep_operation_t *so)
{
    time_t                   now;
    const char              *error;
    ngx_pki_record_t        *record;
    ngx_http_scep_policy_t  *policy;

    now = ngx_time();
    error = NULL;
    record = &so->store.record;
    policy = &so->slcf->policy;

    if (now < record->not_before) {
        error = "the certificate that signs is not valid yet";

    } else if (now > record->not_after
               && now - record->not_after > policy->expired)
    {
        error = "the certificate that signs has expired";

    } else if (policy->within != 0
               && record->not_after - now > policy->within)
    {
        error = "it is too early to renew the certificate that signs";
    }

    if (error == NULL) {
        return NGX_OK;
    }

    return ngx_scep_message_refuse(&so->message, NGX_SCEP_BAD_TIME, error);
}
