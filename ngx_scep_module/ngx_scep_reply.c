
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_scep_reply.h"
#include "ngx_scep_signed.h"


#define NGX_SCEP_NONCE_LEN     16
#define NGX_SCEP_CERT_REP      "3"           /* messageType */


static ngx_int_t ngx_scep_reply_nonces(ngx_scep_reply_t *reply,
    ngx_scep_attrs_t *attrs);
static void ngx_scep_reply_status(ngx_scep_reply_t *reply,
    ngx_scep_attrs_t *attrs);
static void ngx_scep_reply_add_digit(ngx_scep_attrs_t *attrs, ngx_str_t *oid,
    ngx_uint_t value);


static ngx_str_t  ngx_scep_attr_message_type =
    ngx_string("\x60\x86\x48\x01\x86\xf8\x45\x01\x09\x02");
static ngx_str_t  ngx_scep_attr_status =
    ngx_string("\x60\x86\x48\x01\x86\xf8\x45\x01\x09\x03");
static ngx_str_t  ngx_scep_attr_fail_info =
    ngx_string("\x60\x86\x48\x01\x86\xf8\x45\x01\x09\x04");
static ngx_str_t  ngx_scep_attr_sender_nonce =
    ngx_string("\x60\x86\x48\x01\x86\xf8\x45\x01\x09\x05");
static ngx_str_t  ngx_scep_attr_recipient_nonce =
    ngx_string("\x60\x86\x48\x01\x86\xf8\x45\x01\x09\x06");
static ngx_str_t  ngx_scep_attr_transaction =
    ngx_string("\x60\x86\x48\x01\x86\xf8\x45\x01\x09\x07");


ngx_int_t
ngx_scep_reply_prepare(ngx_pool_t *pool, ngx_scep_reply_t *reply, u_char *out,
    ngx_str_t *digest)
{
    ngx_str_t         type;
    ngx_scep_attrs_t  attrs;

    /* of nothing, if there is no content (RFC 8894, 3.3.2.2) */

    if (ngx_scep_attrs_init(&attrs, pool, reply->md, &reply->envelope)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_scep_attrs_add(&attrs, &ngx_scep_attr_transaction,
                       NGX_PKI_DER_PRINTABLE_STRING,
                       &reply->request->transaction);

    ngx_str_set(&type, NGX_SCEP_CERT_REP);
    ngx_scep_attrs_add(&attrs, &ngx_scep_attr_message_type,
                       NGX_PKI_DER_PRINTABLE_STRING, &type);

    ngx_scep_reply_status(reply, &attrs);

    if (ngx_scep_reply_nonces(reply, &attrs) != NGX_OK
        || ngx_scep_attrs_set(&attrs, &reply->attributes) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_scep_digest(reply->md, &reply->attributes, out, digest);
}


static ngx_int_t
ngx_scep_reply_nonces(ngx_scep_reply_t *reply, ngx_scep_attrs_t *attrs)
{
    u_char     buf[NGX_SCEP_NONCE_LEN];
    ngx_str_t  nonce;

    if (RAND_bytes(buf, sizeof(buf)) != 1) {
        ERR_clear_error();
        return NGX_ERROR;
    }

    nonce.len = sizeof(buf);
    nonce.data = buf;

    ngx_scep_attrs_add(attrs, &ngx_scep_attr_sender_nonce,
                       NGX_PKI_DER_OCTET_STRING, &nonce);

    if (reply->request->nonce.len != 0) {
        ngx_scep_attrs_add(attrs, &ngx_scep_attr_recipient_nonce,
                           NGX_PKI_DER_OCTET_STRING, &reply->request->nonce);
    }

    return NGX_OK;
}


static void
ngx_scep_reply_status(ngx_scep_reply_t *reply, ngx_scep_attrs_t *attrs)
{
    ngx_scep_reply_add_digit(attrs, &ngx_scep_attr_status, reply->status);

    if (reply->status == NGX_SCEP_FAILURE) {
        ngx_scep_reply_add_digit(attrs, &ngx_scep_attr_fail_info,
                                 reply->fail_info);
    }
}


static void
ngx_scep_reply_add_digit(ngx_scep_attrs_t *attrs, ngx_str_t *oid,
    ngx_uint_t value)
{
    u_char     digit;
    ngx_str_t  text;

    digit = (u_char) ('0' + value);

    text.len = 1;
    text.data = &digit;

    ngx_scep_attrs_add(attrs, oid, NGX_PKI_DER_PRINTABLE_STRING, &text);
}


/*
 * A failure has no envelope (RFC 8894, 3.3.2.2), that is an empty content: one
 * that is absent would make the signature a detached one, and certmonger finds
 * neither PENDING nor FAILURE then.
 */

ngx_int_t
ngx_scep_reply_finish(ngx_pool_t *pool, ngx_scep_reply_t *reply,
    ngx_str_t *signature, ngx_str_t *out)
{
    ngx_scep_signed_t  s;

    s.content = &reply->envelope;
    s.certificate = reply->certificate;
    s.signer = &reply->signer->id;
    s.digest = ngx_scep_digest_oid(reply->digest);
    s.algorithm = &ngx_scep_signed_rsa;
    s.attributes = &reply->attributes;
    s.signature = signature;

    return ngx_scep_signed(pool, &s, out);
}
