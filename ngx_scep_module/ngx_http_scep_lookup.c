
/*
 * Copyright (C) the ngx_pki authors
 *
 * Certificates that have been issued: who signs a message, what a GetCert is
 * about.  Redis has the truth about them, but it may come back as it once was:
 * what the zone knows as revoked or held is not good.
 */


#include "ngx_http_scep_operation.h"


static void ngx_http_scep_lookup_in(ngx_http_scep_operation_t *so,
    ngx_pki_authority_t *a);
static void ngx_http_scep_lookup_store_handler(ngx_pki_store_job_t *job);
static void ngx_http_scep_lookup_zone(ngx_http_scep_operation_t *so);
static void ngx_http_scep_lookup_signer_handler(ngx_http_scep_operation_t *so,
    ngx_int_t rc);
static ngx_pki_authority_t *ngx_http_scep_lookup_match(
    ngx_http_scep_operation_t *so, ngx_pki_authority_t *a, ngx_str_t *issuer);


void
ngx_http_scep_lookup(ngx_http_scep_operation_t *so, ngx_str_t *issuer,
    ngx_pki_serial_t *serial, ngx_http_scep_lookup_pt handler)
{
    u_char  *p;

    p = ngx_pnalloc(so->op->pool, 2 * NGX_PKI_SERIAL_LEN);
    if (p == NULL) {
        handler(so, NGX_ERROR);
        return;
    }

    so->lookup_issuer = *issuer;
    so->lookup_serial.data = p;
    so->lookup_serial.len = ngx_pki_serial_print(p, serial);
    so->lookup_handler = handler;

    ngx_http_scep_lookup_in(so, so->authority);
}


/* from this authority on; two that follow each other may have one name */

static void
ngx_http_scep_lookup_in(ngx_http_scep_operation_t *so, ngx_pki_authority_t *a)
{
    ngx_pki_store_job_t  *job;

    a = ngx_http_scep_lookup_match(so, a, &so->lookup_issuer);

    if (a == NULL) {
        so->lookup_handler(so, NGX_DECLINED);
        return;
    }

    so->lookup_authority = a;

    job = &so->store;
    ngx_memzero(job, sizeof(ngx_pki_store_job_t));

    job->op = so->op;
    job->store = &a->store;
    job->record.serial = so->lookup_serial;
    job->handler = ngx_http_scep_lookup_store_handler;
    job->data = so;

    ngx_pki_store_get(job);
}


static void
ngx_http_scep_lookup_store_handler(ngx_pki_store_job_t *job)
{
    ngx_http_scep_operation_t  *so;

    so = job->data;

    switch (job->result) {

    case NGX_PKI_STORE_OK:
        ngx_http_scep_lookup_zone(so);
        so->lookup_handler(so, NGX_OK);
        return;

    case NGX_PKI_STORE_NOT_FOUND:
        ngx_http_scep_lookup_in(so, so->lookup_authority == so->authority
                                    ? so->authority->previous : NULL);
        return;

    default: /* NGX_PKI_STORE_UNAVAILABLE */
        so->lookup_handler(so, NGX_ERROR);
        return;
    }
}


static void
ngx_http_scep_lookup_zone(ngx_http_scep_operation_t *so)
{
    ngx_pki_store_t        *store;
    ngx_pki_zone_status_t   status;

    store = so->store.store;

    if (ngx_pki_zone_lookup(store->zone, store->slot, &so->store.serial,
                            &status)
        == NGX_OK
        && (status.status == NGX_PKI_STATUS_REVOKED
            || status.status == NGX_PKI_STATUS_HOLD))
    {
        so->store.record.status = status.status;
    }
}


void
ngx_http_scep_lookup_signer(ngx_http_scep_operation_t *so,
    ngx_http_scep_lookup_pt handler)
{
    ngx_scep_id_t     *id;
    ngx_pki_serial_t   serial;

    id = &so->message.signer.id;

    if (id->serial.len > NGX_PKI_SERIAL_LEN) {
        handler(so, NGX_DECLINED);
        return;
    }

    serial.len = (u_char) id->serial.len;
    ngx_memcpy(serial.data, id->serial.data, id->serial.len);

    so->signer_handler = handler;

    ngx_http_scep_lookup(so, &id->issuer, &serial,
                         ngx_http_scep_lookup_signer_handler);
}


static void
ngx_http_scep_lookup_signer_handler(ngx_http_scep_operation_t *so,
    ngx_int_t rc)
{
    if (rc == NGX_OK
        && !ngx_scep_str_eq(&so->store.record.der, &so->message.signer_der))
    {
        rc = NGX_DECLINED;
    }

    so->signer_handler(so, rc);
}


ngx_pki_authority_t *
ngx_http_scep_lookup_issuer(ngx_http_scep_operation_t *so, ngx_str_t *issuer)
{
    return ngx_http_scep_lookup_match(so, so->authority, issuer);
}


/*
 * Names are compared as octets: to compare them as RFC 5280, 7.1 says takes
 * time, which would tell of what was found in an envelope.
 */

static ngx_pki_authority_t *
ngx_http_scep_lookup_match(ngx_http_scep_operation_t *so,
    ngx_pki_authority_t *a, ngx_str_t *issuer)
{
    while (a != NULL) {

        /* the certificate of a key in a vault may not be known yet */

        if (a->issuer.len != 0 && ngx_scep_str_eq(&a->issuer, issuer)) {
            return a;
        }

        a = (a == so->authority) ? a->previous : NULL;
    }

    return NULL;
}
