
/*
 * Copyright (C) the ngx_pki authors
 *
 * GetCert (RFC 8894, 4.5): a certificate by its issuer and serial number, for
 * whoever has a certificate of the authority, or the very key of that one.
 */


#include "ngx_http_scep_operation.h"


static ngx_int_t ngx_http_scep_cert_decode(ngx_http_scep_operation_t *so);
static void ngx_http_scep_cert_signer_handler(ngx_http_scep_operation_t *so,
    ngx_int_t rc);
static void ngx_http_scep_cert_handler(ngx_http_scep_operation_t *so,
    ngx_int_t rc);
static ngx_int_t ngx_http_scep_cert_check(ngx_http_scep_operation_t *so,
    ngx_int_t rc);
static ngx_uint_t ngx_http_scep_cert_is_own(ngx_http_scep_operation_t *so);


/*
 * Nothing within the envelope proves it whole, see ngx_http_scep_crl.c: what
 * is wrong there must not be told from a certificate that is not there, or
 * that this client may not have.  All of it gets one answer after the same
 * steps, the two questions to Redis included: where there is nothing to ask
 * for, it is asked for a serial number that nothing has.
 */

void
ngx_http_scep_cert(ngx_http_scep_operation_t *so, ngx_int_t rc)
{
    if (rc == NGX_OK) {
        rc = ngx_http_scep_cert_decode(so);
    }

    if (rc == NGX_ERROR) {
        ngx_http_scep_reply_error(so);
        return;
    }

    if (rc == NGX_OK) {
        so->named = 1;

    } else {
        so->issuer = so->authority;
        so->serial.len = 1;
        so->serial.data[0] = 0;
    }

    ngx_pki_op_action(so->op, "looking up a certificate for a scep request");

    ngx_http_scep_lookup_signer(so, ngx_http_scep_cert_signer_handler);
}


static ngx_int_t
ngx_http_scep_cert_decode(ngx_http_scep_operation_t *so)
{
    ngx_str_t  issuer;

    if (ngx_scep_cms_subject(&so->plaintext, &issuer, &so->serial) != NGX_OK)
    {
        return ngx_scep_message_refuse(&so->message, NGX_SCEP_BAD_CERT_ID,
                                       "the envelope names no certificate");
    }

    so->issuer = ngx_http_scep_lookup_issuer(so, &issuer);

    if (so->issuer == NULL) {
        return ngx_scep_message_refuse(&so->message, NGX_SCEP_BAD_CERT_ID,
                                       "the certificate is of another "
                                       "authority");
    }

    return NGX_OK;
}


/* whether who asks has a certificate that is good now */

static void
ngx_http_scep_cert_signer_handler(ngx_http_scep_operation_t *so, ngx_int_t rc)
{
    ngx_pki_record_t  *record;

    if (rc == NGX_ERROR) {
        ngx_http_scep_reply_failure(so, NGX_SCEP_BAD_REQUEST);
        return;
    }

    record = &so->store.record;

    so->member = (rc == NGX_OK
                  && record->status == NGX_PKI_STATUS_GOOD
                  && record->withheld.len == 0
                  && record->not_before <= ngx_time()
                  && record->not_after >= ngx_time());

    ngx_http_scep_lookup(so, &so->issuer->issuer, &so->serial,
                         ngx_http_scep_cert_handler);
}


static void
ngx_http_scep_cert_handler(ngx_http_scep_operation_t *so, ngx_int_t rc)
{
    ngx_str_t  content;

    if (rc == NGX_ERROR) {
        ngx_http_scep_reply_failure(so, NGX_SCEP_BAD_REQUEST);
        return;
    }

    if (ngx_http_scep_cert_check(so, rc) != NGX_OK) {
        so->message.fail_info = NGX_SCEP_BAD_CERT_ID;
        ngx_http_scep_reply_refuse(so);
        return;
    }

    so->op->serial = so->store.record.serial;

    if (ngx_scep_cms_certs_only(so->op->pool, &so->store.record.der, 1,
                                &content)
        != NGX_OK)
    {
        ngx_http_scep_reply_error(so);
        return;
    }

    ngx_http_scep_reply_content(so, &content);
}


static ngx_int_t
ngx_http_scep_cert_check(ngx_http_scep_operation_t *so, ngx_int_t rc)
{
    if (!so->named) {
        return NGX_DECLINED;
    }

    if (rc != NGX_OK) {
        return ngx_scep_message_refuse(&so->message, NGX_SCEP_BAD_CERT_ID,
                                       "there is no such certificate");
    }

    if (so->store.record.withheld.len != 0) {
        return ngx_scep_message_refuse(&so->message, NGX_SCEP_BAD_CERT_ID,
                                       "the certificate is withheld");
    }

    if (!so->member && !ngx_http_scep_cert_is_own(so)) {
        return ngx_scep_message_refuse(&so->message, NGX_SCEP_BAD_CERT_ID,
                                       "who asks for a certificate has none "
                                       "that is good, nor its key");
    }

    return NGX_OK;
}


/* The signer has proved to have the key, whatever its own certificate says. */

static ngx_uint_t
ngx_http_scep_cert_is_own(ngx_http_scep_operation_t *so)
{
    ngx_pki_spki_t          *key;
    ngx_scep_certificate_t   c;

    key = &so->message.signer.key;

    return ngx_scep_cms_certificate(&so->store.record.der, &c) == NGX_OK
           && c.key.key.type == key->key.type
           && c.key.key.nid == key->key.nid
           && ngx_scep_str_eq(&c.key.public_key, &key->public_key);
}
