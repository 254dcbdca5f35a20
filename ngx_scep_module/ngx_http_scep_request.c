
/*
 * Copyright (C) the ngx_pki authors
 *
 * The request in an opened envelope: is it one, is it whole, may it be issued?
 */


#include "ngx_http_scep_vouch.h"


static ngx_uint_t ngx_http_scep_request_is_own(ngx_http_scep_operation_t *so);
static ngx_int_t ngx_http_scep_request_refuse(ngx_http_scep_operation_t *so,
    ngx_scep_fail_info_e fail_info, const char *error, ngx_str_t *detail);
static ngx_int_t ngx_http_scep_request_password(
    ngx_http_scep_operation_t *so);
static ngx_int_t ngx_http_scep_request_authorize(
    ngx_http_scep_operation_t *so);
static ngx_uint_t ngx_http_scep_request_is_ordered(
    ngx_http_scep_operation_t *so);
static ngx_uint_t ngx_http_scep_request_renews(
    ngx_http_scep_operation_t *so);


ngx_int_t
ngx_http_scep_request(ngx_http_scep_operation_t *so)
{
    ngx_str_t             text;
    ngx_scep_fail_info_e  fail_info;

    /* as if it could not be opened: a wrong key often leaves rubbish */

    if (ngx_pki_csr_decode(so->op->pool, &so->plaintext, &so->csr) != NGX_OK)
    {
        text.data = (u_char *) so->csr.error;
        text.len = ngx_strlen(so->csr.error);

        return ngx_http_scep_request_refuse(so, NGX_SCEP_BAD_MESSAGE_CHECK,
                                            "the envelope holds no request",
                                            &text);
    }

    ngx_str_null(&text);

    if (ngx_pki_profile_check_key(so->slcf->profile, &so->csr, &text)
        != NGX_OK)
    {
        fail_info = NGX_SCEP_BAD_MESSAGE_CHECK;

        /* the signer's own key says nothing new to the signer */

        if (ngx_scep_str_eq(&so->csr.public_key,
                            &so->message.signer.key.public_key))
        {
            fail_info = (so->csr.key.type == 0) ? NGX_SCEP_BAD_ALG
                                                : NGX_SCEP_BAD_REQUEST;
        }

        return ngx_http_scep_request_refuse(so, fail_info,
                                            "the key is not allowed", &text);
    }

    so->proven = 1;

    if (ngx_http_scep_request_is_own(so)) {
        so->csr.pkey = so->signer.key;
        so->csr.verify = so->signer.verify;
    }

    if (ngx_pki_csr_verify(&so->csr) != NGX_OK) {
        return ngx_scep_message_refuse(&so->message,
                                       NGX_SCEP_BAD_MESSAGE_CHECK,
                                       "the request's own signature is wrong");
    }

    if (ngx_http_scep_request_password(so) != NGX_OK) {
        return NGX_DECLINED;
    }

    return ngx_http_scep_request_authorize(so);
}


/*
 * Who signs without an RSA key needs a password for the answer, the challenge
 * (RFC 8894, 3.1), and must have made the request: somebody who signs a
 * captured one anew would get an answer to try passwords on.  Of a renewal,
 * the certificate that signs says whose it is.
 */

static ngx_int_t
ngx_http_scep_request_password(ngx_http_scep_operation_t *so)
{
    ngx_pki_spki_t  *key;

    key = &so->message.signer.key;

    if (key->key.type == NGX_PKI_KEY_RSA) {
        return NGX_OK;
    }

    if (so->csr.challenge.len == 0) {
        return ngx_scep_message_refuse(&so->message, NGX_SCEP_BAD_ALG,
                                       "a signer without an RSA key can be "
                                       "answered only with a challenge");
    }

    if (so->message.type != NGX_SCEP_RENEWAL_REQ
        && !ngx_scep_str_eq(&so->csr.public_key, &key->public_key))
    {
        return ngx_scep_message_refuse(&so->message, NGX_SCEP_BAD_ALG,
                                       "a signer without an RSA key can be "
                                       "answered only if it is the one who "
                                       "made the request");
    }

    return NGX_OK;
}


/* whether its key is the signer's */

static ngx_uint_t
ngx_http_scep_request_is_own(ngx_http_scep_operation_t *so)
{
    ngx_pki_spki_t  *key;

    key = &so->message.signer.key;

    return so->csr.key.type == key->key.type
           && so->csr.key.nid == key->key.nid
           && ngx_scep_str_eq(&so->csr.public_key, &key->public_key);
}


/*
 * Until its own signature proves the request whole, everything wrong with it
 * looks the same to the client: somebody who changes bits of a captured
 * envelope and signs it anew would learn from a difference what is in there,
 * at last the challenge.  Verifying takes time; so does this.
 */

void
ngx_http_scep_request_equalize(ngx_http_scep_operation_t *so)
{
    ngx_scep_verify_again(&so->smcf->digests, &so->message, &so->signer);
}


static ngx_int_t
ngx_http_scep_request_refuse(ngx_http_scep_operation_t *so,
    ngx_scep_fail_info_e fail_info, const char *error, ngx_str_t *detail)
{
    u_char  *p;
    size_t   size;

    size = ngx_strlen(error) + detail->len + sizeof(": ");

    p = ngx_pnalloc(so->op->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_snprintf(p, size, "%s: %V%Z", error, detail);

    return ngx_scep_message_refuse(&so->message, fail_info, (char *) p);
}


static ngx_int_t
ngx_http_scep_request_authorize(ngx_http_scep_operation_t *so)
{
    ngx_http_request_t           *r;
    ngx_http_pki_ctx_t           *ctx;
    ngx_scep_challenge_result_e   result;

    ngx_http_scep_vouch_name(so);

    if (so->message.type == NGX_SCEP_RENEWAL_REQ) {
        so->renewal = 1;
        so->ask = ngx_http_scep_request_is_ordered(so);
        return NGX_OK;
    }

    result = ngx_scep_challenge_check(so->slcf->challenge,
                                      &so->csr.challenge);

    r = ngx_http_pki_op_request(so->op);

    if (r != NULL) {
        ctx = ngx_http_pki_get_ctx(r);

        if (ctx != NULL) {
            ctx->scep_challenge_result = *ngx_scep_challenge_name(result);

            if (result == NGX_SCEP_CHALLENGE_ACCEPTED) {
                ngx_str_set(&ctx->scep_challenge_by, "static");
            }
        }
    }

    switch (result) {

    case NGX_SCEP_CHALLENGE_ACCEPTED:
        ngx_str_set(&so->issue.vouched, "static");
        return NGX_OK;

    case NGX_SCEP_CHALLENGE_ASK:
        so->ask = 1;
        return NGX_OK;

    case NGX_SCEP_CHALLENGE_NONE:

        /* nobody has to decide again about what is only renewed */

        so->renewal = so->slcf->policy.manual
                      && ngx_http_scep_request_renews(so);
        return NGX_OK;

    case NGX_SCEP_CHALLENGE_MISSING:
        so->renewal = ngx_http_scep_request_renews(so);

        if (so->renewal) {
            return NGX_OK;
        }

        return ngx_scep_message_refuse(&so->message, NGX_SCEP_BAD_REQUEST,
                                       "there is no challenge");

    default: /* NGX_SCEP_CHALLENGE_WRONG */
        return ngx_scep_message_refuse(&so->message, NGX_SCEP_BAD_REQUEST,
                                       "the challenge is wrong");
    }
}


/*
 * Intune orders a renewal as it does a first certificate, and is told of it.  A
 * secret of a file is none of its challenges: clients may send one with what
 * needs none, and those with EC keys must.
 */

static ngx_uint_t
ngx_http_scep_request_is_ordered(ngx_http_scep_operation_t *so)
{
    return so->slcf->challenge->vouchers[NGX_SCEP_VOUCHER_INTUNE] != NULL
           && ngx_scep_challenge_check(so->slcf->challenge,
                                       &so->csr.challenge)
              == NGX_SCEP_CHALLENGE_ASK;
}


/* how clients renewed before there was RenewalReq */

static ngx_uint_t
ngx_http_scep_request_renews(ngx_http_scep_operation_t *so)
{
    return so->slcf->policy.renewal
           && so->csr.challenge.len == 0
           && ngx_http_scep_renewal_issuer(so) != NULL;
}
