
/*
 * Copyright (C) the ngx_pki authors
 *
 * The second half of a PKIOperation: its answer.
 */


#include "ngx_http_scep_operation.h"


static void ngx_http_scep_reply_bad_request(ngx_http_scep_operation_t *so);
static void ngx_http_scep_reply_sign(ngx_http_scep_operation_t *so);
static void ngx_http_scep_reply_choose_digest(ngx_http_scep_operation_t *so);
static void ngx_http_scep_reply_sign_handler(ngx_pki_key_job_t *job);
static void ngx_http_scep_reply_done(ngx_http_scep_operation_t *so,
    ngx_int_t rc);


static ngx_str_t  ngx_http_scep_type_message =
    ngx_string("application/x-pki-message");

static ngx_str_t  ngx_http_scep_text_malformed =
    ngx_string("malformed message\n");
static ngx_str_t  ngx_http_scep_text_later =
    ngx_string("try again later\n");

static ngx_str_t  ngx_http_scep_fail_infos[] = {
    ngx_string("badAlg"),
    ngx_string("badMessageCheck"),
    ngx_string("badRequest"),
    ngx_string("badTime"),
    ngx_string("badCertId")
};


void
ngx_http_scep_reply_success(ngx_http_scep_operation_t *so)
{
    ngx_str_t         content;
    ngx_pki_op_t     *op;
    ngx_pki_issue_t  *issue;

    op = so->op;
    issue = &so->issue;

    op->serial = issue->record.serial;
    ngx_pki_op_action(op, "answering a scep request");

    ngx_log_error(NGX_LOG_NOTICE, op->log, 0,
                  "certificate %s, subject: \"%V\"",
                  issue->result == NGX_PKI_ISSUE_OK ? "issued"
                                                    : "given again",
                  &issue->record.subject);

    if (ngx_http_pki_op_request(op) == NULL) {
        ngx_log_error(NGX_LOG_INFO, op->log, 0,
                      "the client is gone, its retry gets the certificate");
        ngx_pki_op_destroy(op);
        return;
    }

    /* the certificate alone: RFC 8894, 3.3.2.1 */

    if (ngx_scep_cms_certs_only(op->pool, &issue->record.der, 1, &content)
        != NGX_OK)
    {
        ngx_http_scep_reply_error(so);
        return;
    }

    ngx_http_scep_reply_content(so, &content);
}


void
ngx_http_scep_reply_content(ngx_http_scep_operation_t *so, ngx_str_t *content)
{
    if (so->message.signer.key.key.type == NGX_PKI_KEY_RSA) {
        ngx_http_scep_reply_seal(so, content, NULL);
        return;
    }

    ngx_http_scep_password(so, content);
}


void
ngx_http_scep_reply_seal(ngx_http_scep_operation_t *so, ngx_str_t *content,
    ngx_scep_password_t *password)
{
    ngx_int_t        rc;
    ngx_scep_seal_t  seal;

    ngx_memzero(&seal, sizeof(ngx_scep_seal_t));

    seal.recipient = &so->message.signer;
    seal.key = so->signer.key;
    seal.ctx = so->signer.verify;
    seal.password = password;
    seal.cipher = ngx_http_scep_reply_cipher(so);

    if (so->oaep != NGX_SCEP_DIGESTS) {
        seal.oaep = so->smcf->digests.md[so->oaep];
        seal.oaep_oid = ngx_scep_digest_oid(so->oaep);
        seal.mgf1 = so->smcf->digests.md[so->mgf1];
        seal.mgf1_oid = ngx_scep_digest_oid(so->mgf1);
    }

    rc = ngx_scep_envelope_seal(so->op->pool, &so->smcf->ciphers, &seal,
                                content, &so->reply.envelope);

    if (password != NULL) {
        ngx_scep_password_cleanse(password);
    }

    if (rc != NGX_OK) {
        ngx_http_scep_reply_error(so);
        return;
    }

    so->reply.status = NGX_SCEP_SUCCESS;

    ngx_http_scep_reply_sign(so);
}


ngx_scep_cipher_e
ngx_http_scep_reply_cipher(ngx_http_scep_operation_t *so)
{
    ngx_uint_t  cipher;

    cipher = so->slcf->response_cipher;

    return (cipher == NGX_SCEP_CIPHERS) ? so->cipher : cipher;
}


/* Says no, in a CertRep if the message says what it belongs to. */

void
ngx_http_scep_reply_refuse(ngx_http_scep_operation_t *so)
{
    ngx_log_error(NGX_LOG_INFO, so->op->log, 0,
                  "scep request refused: %s", so->message.error);

    if (so->message.transaction.len == 0) {
        ngx_http_scep_reply_bad_request(so);
        return;
    }

    ngx_http_scep_reply_failure(so, so->message.fail_info);
}


void
ngx_http_scep_reply_pending(ngx_http_scep_operation_t *so)
{
    if (ngx_http_pki_op_request(so->op) == NULL) {
        ngx_pki_op_destroy(so->op);
        return;
    }

    so->reply.status = NGX_SCEP_PENDING;

    ngx_http_scep_reply_sign(so);
}


void
ngx_http_scep_reply_failure(ngx_http_scep_operation_t *so,
    ngx_scep_fail_info_e fail_info)
{
    if (ngx_http_pki_op_request(so->op) == NULL) {
        ngx_pki_op_destroy(so->op);
        return;
    }

    so->reply.status = NGX_SCEP_FAILURE;
    so->reply.fail_info = fail_info;

    ngx_http_scep_reply_sign(so);
}


static void
ngx_http_scep_reply_bad_request(ngx_http_scep_operation_t *so)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    rc = NGX_OK;
    r = ngx_http_pki_op_request(so->op);

    if (r != NULL) {
        rc = ngx_http_pki_send(r, NGX_HTTP_BAD_REQUEST,
                               &ngx_http_scep_type_text,
                               &ngx_http_scep_text_malformed);
    }

    ngx_http_scep_reply_done(so, rc);
}


static void
ngx_http_scep_reply_sign(ngx_http_scep_operation_t *so)
{
    ngx_scep_reply_t   *reply;
    ngx_pki_key_job_t  *job;

    ngx_pki_op_action(so->op, "signing a scep reply");

    ngx_http_scep_reply_choose_digest(so);

    reply = &so->reply;
    reply->request = &so->message;
    reply->signer = &so->certificate;
    reply->certificate = &so->identity->der;

    job = &so->job;
    ngx_memzero(job, sizeof(ngx_pki_key_job_t));

    if (ngx_scep_reply_prepare(so->op->pool, reply, so->digest, &job->input)
        != NGX_OK)
    {
        ngx_http_scep_reply_error(so);
        return;
    }

    job->op = so->op;
    job->key = so->identity->key;
    job->md = reply->md;
    job->handler = ngx_http_scep_reply_sign_handler;
    job->data = so;

    ngx_pki_key_sign(job);
}


/* that of the request, as far as it is allowed here and the key can do it */

static void
ngx_http_scep_reply_choose_digest(ngx_http_scep_operation_t *so)
{
    ngx_scep_digest_e  digest;

    digest = ngx_scep_digest_find(&so->message.digest_oid);

    if (digest == NGX_SCEP_DIGESTS
        || (digest == NGX_SCEP_MD5
            && !(so->slcf->legacy & NGX_HTTP_SCEP_LEGACY_MD5))
        || !ngx_pki_key_signs(so->identity->key, so->smcf->digests.md[digest]))
    {
        digest = NGX_SCEP_SHA256;
    }

    so->reply.digest = digest;
    so->reply.md = so->smcf->digests.md[digest];
}


static void
ngx_http_scep_reply_sign_handler(ngx_pki_key_job_t *job)
{
    ngx_int_t                   rc;
    ngx_str_t                   out;
    ngx_http_request_t         *r;
    ngx_http_pki_ctx_t         *ctx;
    ngx_http_scep_operation_t  *so;

    so = job->data;
    r = ngx_http_pki_op_request(so->op);

    if (r == NULL) {
        ngx_pki_op_destroy(so->op);
        return;
    }

    ctx = ngx_http_pki_get_ctx(r);

    if (job->rc != NGX_OK
        || ctx == NULL
        || ngx_scep_reply_finish(so->op->pool, &so->reply, &job->output, &out)
           != NGX_OK)
    {
        ngx_http_scep_reply_error(so);
        return;
    }

    switch (so->reply.status) {

    case NGX_SCEP_SUCCESS:
        ngx_str_set(&ctx->scep_status, "SUCCESS");
        break;

    case NGX_SCEP_PENDING:
        ngx_str_set(&ctx->scep_status, "PENDING");
        break;

    default: /* NGX_SCEP_FAILURE */
        ngx_str_set(&ctx->scep_status, "FAILURE");
        ctx->scep_fail_info = ngx_http_scep_fail_infos[so->reply.fail_info];
        break;
    }

    rc = ngx_http_pki_send(r, NGX_HTTP_OK, &ngx_http_scep_type_message, &out);

    ngx_http_scep_reply_done(so, rc);
}


/* No answer can be made now: the client's retry may have more luck. */

void
ngx_http_scep_reply_error(ngx_http_scep_operation_t *so)
{
    ngx_log_error(NGX_LOG_ERR, so->op->log, 0,
                  "scep request could not be answered");

    ngx_http_scep_reply_unavailable(so);
}


void
ngx_http_scep_reply_unavailable(ngx_http_scep_operation_t *so)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    rc = NGX_OK;
    r = ngx_http_pki_op_request(so->op);

    if (r != NULL) {
        rc = ngx_http_pki_unavailable(r, NGX_HTTP_SCEP_RETRY_AFTER,
                                      &ngx_http_scep_text_later);
    }

    ngx_http_scep_reply_done(so, rc);
}


static void
ngx_http_scep_reply_done(ngx_http_scep_operation_t *so, ngx_int_t rc)
{
    ngx_pki_op_t  *op;

    op = so->op;

    ngx_http_pki_op_finalize(op, rc);
    ngx_pki_op_destroy(op);
}
