
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_notify.h"
#include "ngx_pki_name.h"


ngx_int_t
ngx_pki_notify_success(ngx_pki_intune_call_t *call, ngx_pki_authority_t *a,
    ngx_pki_record_t *record)
{
    call->kind = NGX_PKI_INTUNE_SUCCESS;

    call->certificate = record->der;
    call->serial = record->serial;
    call->not_after = record->not_after;
    call->configuration = record->profile;

    return ngx_pki_notify_issuer(call->op->pool, a, &call->issuer);
}


/*
 * From the certificate, not from the directive: a certificate that is there
 * may have no "subject" beside it, and revocation requests are looked for by
 * the very string that was reported.
 */

ngx_int_t
ngx_pki_notify_issuer(ngx_pool_t *pool, ngx_pki_authority_t *a,
    ngx_str_t *issuer)
{
    const char   *error;
    ngx_array_t   attributes;

    if (a->issuer.len == 0
        || ngx_pki_name_decode(pool, &a->issuer, &attributes, &error)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_pki_name_text(pool, &attributes, issuer);
}


/* Intune gives no reason, and nothing is known against the key. */

void
ngx_pki_notify_revoke(ngx_pki_store_job_t *job, ngx_str_t *serial)
{
    job->record.serial = *serial;
    job->reason = NGX_PKI_REASON_CESSATION;
    ngx_str_set(&job->by, NGX_PKI_NOTIFY_BY);

    ngx_pki_store_revoke(job);
}
