
/*
 * Copyright (C) the ngx_pki authors
 *
 * PKIOperation: from a pkiMessage to a CertRep.  Everything cheap comes before
 * the private operations, of which a certificate costs three: open the
 * envelope, sign the certificate, sign the answer.
 */


#include "ngx_http_scep_operation.h"


#define NGX_HTTP_SCEP_TIMEOUT  30000


static ngx_http_scep_operation_t *ngx_http_scep_operation_create(
    ngx_http_request_t *r, ngx_pki_op_t *op);
static void ngx_http_scep_operation_begin(void *data);
static ngx_int_t ngx_http_scep_operation_check(ngx_http_scep_operation_t *so);
static ngx_int_t ngx_http_scep_operation_decode(
    ngx_http_scep_operation_t *so);
static ngx_uint_t ngx_http_scep_operation_unwraps(
    ngx_http_scep_operation_t *so);
static ngx_int_t ngx_http_scep_operation_check_type(
    ngx_http_scep_operation_t *so);
static ngx_int_t ngx_http_scep_operation_check_envelope(
    ngx_http_scep_operation_t *so);
static void ngx_http_scep_operation_decrypt(ngx_http_scep_operation_t *so);
static void ngx_http_scep_operation_decrypt_handler(ngx_pki_key_job_t *job);
static void ngx_http_scep_operation_request(void *data);
static ngx_int_t ngx_http_scep_operation_open(ngx_http_scep_operation_t *so,
    ngx_str_t *unwrapped);
static void ngx_http_scep_operation_set_message(ngx_http_request_t *r,
    ngx_scep_message_t *m);
static void ngx_http_scep_operation_expire(ngx_pki_op_t *op);
static void ngx_http_scep_operation_cleanup(void *data);



static ngx_str_t  ngx_http_scep_text_busy =
    ngx_string("too many requests at a time\n");
static ngx_str_t  ngx_http_scep_text_later =
    ngx_string("try again later\n");


void
ngx_http_scep_operation(ngx_http_request_t *r, ngx_str_t *body)
{
    ngx_int_t                   rc;
    ngx_pki_op_t               *op;
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_scep_loc_conf_t   *slcf;
    ngx_http_scep_main_conf_t  *smcf;
    ngx_http_scep_operation_t  *so;

    smcf = ngx_http_get_module_main_conf(r, ngx_http_scep_module);
    slcf = ngx_http_get_module_loc_conf(r, ngx_http_scep_module);

    if (smcf->pending >= (ngx_uint_t) slcf->max_pending) {
        clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

        ngx_log_error(NGX_LOG_WARN, clcf->error_log, 0,
                      "%ui scep requests are in work, as \"scep_max_pending\" "
                      "allows, client: %V",
                      smcf->pending, &r->connection->addr_text);

        rc = ngx_http_pki_unavailable(r, NGX_HTTP_SCEP_RETRY_AFTER,
                                      &ngx_http_scep_text_busy);
        ngx_http_finalize_request(r, rc);
        return;
    }

    op = ngx_http_pki_op_create(r, NGX_HTTP_SCEP_TIMEOUT,
                                ngx_http_scep_operation_expire);
    if (op == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    so = ngx_http_scep_operation_create(r, op);

    if (so == NULL) {
        ngx_http_pki_op_finalize(op, NGX_HTTP_INTERNAL_SERVER_ERROR);
        ngx_pki_op_destroy(op);
        return;
    }

    so->body = *body;

    ngx_pki_turn_wait(&so->turn, ngx_http_scep_operation_begin, so);
}


/* Nothing has been made yet: it needs no end if nobody waits for it. */

static void
ngx_http_scep_operation_begin(void *data)
{
    ngx_http_scep_operation_t *so = data;

    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = ngx_http_pki_op_request(so->op);

    if (r == NULL) {
        ngx_log_error(NGX_LOG_INFO, so->op->log, 0,
                      "the client is gone before its turn");
        ngx_pki_op_destroy(so->op);
        return;
    }

    rc = ngx_http_scep_operation_check(so);

    if (so->message.transaction.len != 0) {
        ngx_http_scep_operation_set_message(r, &so->message);
    }

    switch (rc) {

    case NGX_OK:
        ngx_http_scep_operation_decrypt(so);
        break;

    case NGX_DECLINED:
        ngx_http_scep_reply_refuse(so);
        break;

    default: /* NGX_ERROR */
        ngx_http_scep_reply_error(so);
        break;
    }
}


static ngx_http_scep_operation_t *
ngx_http_scep_operation_create(ngx_http_request_t *r, ngx_pki_op_t *op)
{
    ngx_pool_cleanup_t         *cln;
    ngx_http_scep_operation_t  *so;

    cln = ngx_pool_cleanup_add(op->pool, sizeof(ngx_http_scep_operation_t));
    if (cln == NULL) {
        return NULL;
    }

    so = cln->data;
    ngx_memzero(so, sizeof(ngx_http_scep_operation_t));

    so->op = op;
    so->smcf = ngx_http_get_module_main_conf(r, ngx_http_scep_module);
    so->slcf = ngx_http_get_module_loc_conf(r, ngx_http_scep_module);
    so->authority = so->slcf->authority;
    so->smcf->pending++;

    cln->handler = ngx_http_scep_operation_cleanup;

    op->data = so;
    op->authority = so->slcf->authority->name;
    ngx_pki_op_action(op, "reading a scep request");

    return so;
}


/*
 * What costs no private operation.  NGX_OK; NGX_DECLINED: refused, the message
 * says why; NGX_ERROR.
 */

static ngx_int_t
ngx_http_scep_operation_check(ngx_http_scep_operation_t *so)
{
    ngx_int_t                  rc;
    ngx_http_scep_loc_conf_t  *slcf;

    slcf = so->slcf;

    rc = ngx_http_scep_operation_decode(so);

    if (rc != NGX_OK) {
        return rc;
    }

    so->signer.md5 = slcf->legacy & NGX_HTTP_SCEP_LEGACY_MD5;

    rc = ngx_scep_verify(so->op->pool, &so->smcf->digests, &so->message,
                         &so->signer);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_scep_recipient_find(so);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_scep_operation_check_envelope(so) != NGX_OK) {
        return NGX_DECLINED;
    }

    return ngx_http_scep_operation_check_type(so);
}


static ngx_int_t
ngx_http_scep_operation_decode(ngx_http_scep_operation_t *so)
{
    ngx_int_t  rc;

    /* who refuses what is for nobody */

    if (ngx_http_scep_recipient_offered(so) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_scep_message_decode(so->op->pool, &so->body, &so->message);

    so->op->transaction = so->message.transaction;

    return rc;
}


static ngx_int_t
ngx_http_scep_operation_check_envelope(ngx_http_scep_operation_t *so)
{
    ngx_scep_message_t  *m;

    m = &so->message;

    so->cipher = ngx_scep_cipher_find(&m->cipher_oid, &m->iv);

    if (so->cipher == NGX_SCEP_CIPHERS
        || (so->cipher == NGX_SCEP_DES_CBC
            && !(so->slcf->legacy & NGX_HTTP_SCEP_LEGACY_DES)))
    {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_ALG,
                                       "the content cipher is not allowed");
    }

    so->oaep = NGX_SCEP_DIGESTS;

    if (so->recipient->hash.len != 0) {
        so->oaep = ngx_scep_digest_find(&so->recipient->hash);
        so->mgf1 = ngx_scep_digest_find(&so->recipient->mgf1);

        if (!ngx_http_scep_operation_unwraps(so)) {
            return ngx_scep_message_refuse(m, NGX_SCEP_BAD_ALG,
                                           "the hash of RSAES-OAEP is not "
                                           "allowed");
        }
    }

    return NGX_OK;
}


/* a vault has RSAES-OAEP with SHA-1 and SHA-256, twice the same */

static ngx_uint_t
ngx_http_scep_operation_unwraps(ngx_http_scep_operation_t *so)
{
    if (so->identity->key->remote) {
        return so->oaep == so->mgf1
               && (so->oaep == NGX_SCEP_SHA1 || so->oaep == NGX_SCEP_SHA256);
    }

    return so->oaep != NGX_SCEP_DIGESTS && so->oaep != NGX_SCEP_MD5
           && so->mgf1 != NGX_SCEP_DIGESTS && so->mgf1 != NGX_SCEP_MD5;
}


/* No other type of message is worth a private operation. */

static ngx_int_t
ngx_http_scep_operation_check_type(ngx_http_scep_operation_t *so)
{
    const char  *error;

    error = NULL;

    switch (so->message.type) {

    case NGX_SCEP_PKCS_REQ:
        break;

    case NGX_SCEP_GET_CERT:
    case NGX_SCEP_GET_CRL:

        /* nor is there a password in it that could protect the answer */

        if (so->message.signer.key.key.type != NGX_PKI_KEY_RSA) {
            return ngx_scep_message_refuse(&so->message, NGX_SCEP_BAD_ALG,
                                           "GetCert or GetCRL by a signer "
                                           "without an RSA key");
        }

        break;

    case NGX_SCEP_RENEWAL_REQ:
        if (!so->slcf->policy.renewal) {
            error = "RenewalReq, but \"scep_renewal\" is off";
        }

        break;

    case NGX_SCEP_CERT_POLL:
        if (!so->slcf->policy.manual) {
            error = "CertPoll, but \"scep_approval\" is auto";
        }

        break;

    default:
        error = "the messageType is unknown";
        break;
    }

    if (error == NULL) {
        return NGX_OK;
    }

    return ngx_scep_message_refuse(&so->message, NGX_SCEP_BAD_REQUEST, error);
}


static void
ngx_http_scep_operation_decrypt(ngx_http_scep_operation_t *so)
{
    ngx_pki_key_job_t  *job;

    ngx_pki_op_action(so->op, "opening the envelope of a scep request");

    job = &so->job;
    ngx_memzero(job, sizeof(ngx_pki_key_job_t));

    job->op = so->op;
    job->key = so->identity->key;
    job->input = so->recipient->encrypted_key;
    job->handler = ngx_http_scep_operation_decrypt_handler;
    job->data = so;

    if (so->oaep != NGX_SCEP_DIGESTS) {
        job->md = so->smcf->digests.md[so->oaep];

        if (so->mgf1 != so->oaep) {
            job->mgf1 = so->smcf->digests.md[so->mgf1];
        }
    }

    ngx_pki_key_decrypt(job);
}


/*
 * A wrong padding of the key, a key of a wrong length, a wrong padding of the
 * content and a content that is no request take the same way and get the same
 * answer: the difference would open envelopes (RFC 3218, 2.3).
 */

static void
ngx_http_scep_operation_decrypt_handler(ngx_pki_key_job_t *job)
{
    ngx_int_t                   rc;
    ngx_str_t                   unwrapped;
    ngx_http_scep_operation_t  *so;

    so = job->data;

    if (job->rc == NGX_ERROR) {
        ngx_http_scep_reply_failure(so, NGX_SCEP_BAD_REQUEST);
        return;
    }

    unwrapped = job->output;

    if (job->rc != NGX_OK) {
        unwrapped.len = 0;
    }

    rc = ngx_http_scep_operation_open(so, &unwrapped);

    if (unwrapped.len != 0) {
        OPENSSL_cleanse(unwrapped.data, unwrapped.len);
    }

    ngx_pki_op_action(so->op, "checking a scep request");

    switch (so->message.type) {

    case NGX_SCEP_GET_CRL:
        ngx_http_scep_crl(so, rc);
        break;

    case NGX_SCEP_GET_CERT:
        ngx_http_scep_cert(so, rc);
        break;

    case NGX_SCEP_CERT_POLL:
        ngx_http_scep_poll(so, rc);
        break;

    default: /* PKCSReq, RenewalReq */
        so->opened = rc;
        ngx_pki_turn_wait(&so->turn, ngx_http_scep_operation_request, so);
        break;
    }
}


static void
ngx_http_scep_operation_request(void *data)
{
    ngx_http_scep_operation_t *so = data;

    ngx_int_t  rc;

    rc = so->opened;

    if (rc == NGX_OK) {
        rc = ngx_http_scep_request(so);
    }

    if (rc == NGX_DECLINED && !so->proven) {
        ngx_http_scep_request_equalize(so);
    }

    switch (rc) {

    case NGX_OK:
        if (so->renewal) {
            ngx_http_scep_renewal(so);
            break;
        }

        ngx_http_scep_operation_issue(so);
        break;

    case NGX_DECLINED:
        ngx_http_scep_reply_refuse(so);
        break;

    default: /* NGX_ERROR */
        ngx_http_scep_reply_error(so);
        break;
    }
}


static ngx_int_t
ngx_http_scep_operation_open(ngx_http_scep_operation_t *so,
    ngx_str_t *unwrapped)
{
    u_char       key[NGX_SCEP_MAX_KEY_LEN];
    ngx_int_t    rc;
    ngx_str_t    secret;
    EVP_CIPHER  *cipher;

    cipher = so->smcf->ciphers.cipher[so->cipher];

    secret.len = sizeof(so->smcf->secret);
    secret.data = so->smcf->secret;

    rc = ngx_scep_envelope_key(&secret, &so->recipient->encrypted_key,
                               unwrapped, key,
                               EVP_CIPHER_get_key_length(cipher));
    if (rc == NGX_OK) {
        rc = ngx_scep_envelope_open(so->op->pool, cipher, &so->message, key,
                                    &so->plaintext);
    }

    OPENSSL_cleanse(key, sizeof(key));

    if (rc == NGX_DECLINED) {
        return ngx_scep_message_refuse(&so->message,
                                       NGX_SCEP_BAD_MESSAGE_CHECK,
                                       "the envelope cannot be opened");
    }

    return rc;
}


static void
ngx_http_scep_operation_set_message(ngx_http_request_t *r,
    ngx_scep_message_t *m)
{
    ngx_http_pki_ctx_t  *ctx;

    ctx = ngx_http_pki_get_ctx(r);

    if (ctx == NULL) {
        return;
    }

    /* PrintableString has no character that could do harm in a log */

    ngx_http_pki_set(r, &ctx->scep_transaction_id, &m->transaction);

    switch (m->type) {

    case NGX_SCEP_RENEWAL_REQ:
        ngx_str_set(&ctx->scep_message_type, "RenewalReq");
        break;

    case NGX_SCEP_PKCS_REQ:
        ngx_str_set(&ctx->scep_message_type, "PKCSReq");
        break;

    case NGX_SCEP_CERT_POLL:
        ngx_str_set(&ctx->scep_message_type, "CertPoll");
        break;

    case NGX_SCEP_GET_CERT:
        ngx_str_set(&ctx->scep_message_type, "GetCert");
        break;

    case NGX_SCEP_GET_CRL:
        ngx_str_set(&ctx->scep_message_type, "GetCRL");
        break;

    default:
        break;
    }
}


/* The work goes on: what it makes is recorded, and is there for the retry. */

static void
ngx_http_scep_operation_expire(ngx_pki_op_t *op)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    ngx_log_error(NGX_LOG_WARN, op->log, 0,
                  "scep request is not answered in time");

    r = ngx_http_pki_op_request(op);

    rc = ngx_http_pki_unavailable(r, NGX_HTTP_SCEP_RETRY_AFTER,
                                  &ngx_http_scep_text_later);

    ngx_http_pki_op_finalize(op, rc);
}


static void
ngx_http_scep_operation_cleanup(void *data)
{
    ngx_http_scep_operation_t *so = data;

    so->smcf->pending--;

    if (so->identity != NULL) {
        ngx_pki_recipient_release(so->identity);
    }

    if (so->plaintext.data != NULL) {
        OPENSSL_cleanse(so->plaintext.data, so->plaintext.len);
    }

    if (so->csr.challenge.len != 0) {
        OPENSSL_cleanse(so->csr.challenge.data, so->csr.challenge.len);
    }
}
