
/*
 * Copyright (C) the ngx_pki authors
 *
 * GetNextCACert (RFC 8894, 4.7): the certificates of the authority that
 * follows, signed by the one that clients trust already.  A signature is made
 * once and kept as long as what it signs is the same; whoever asks meanwhile
 * waits for it.
 */


#include "ngx_http_scep_ca.h"
#include "ngx_scep_signed.h"
#include "ngx_pki_ra.h"


#define NGX_HTTP_SCEP_NEXT_TIMEOUT  30000


struct ngx_http_scep_next_s {
    ngx_http_scep_main_conf_t  *smcf;
    ngx_pki_authority_t        *authority;   /* the one before, which signs */
    ngx_http_scep_next_t       *sibling;     /* of another authority */

    /* in a worker: what was signed, and all of the answer; one piece of memory
     * that "content" begins */
    ngx_str_t                   content;     /* empty: nothing was yet */
    ngx_str_t                   body;

    ngx_queue_t                 waiters;
    unsigned                    busy:1;      /* it is being signed */
};


/* lies in the pool of the operation of its request */

typedef struct {
    ngx_queue_t                 queue;
    ngx_pki_op_t               *op;
    ngx_http_scep_main_conf_t  *smcf;
} ngx_http_scep_next_waiter_t;


/* a signature in work, for all who wait; lies in the pool of its operation */

typedef struct {
    ngx_pki_op_t               *op;
    ngx_http_scep_next_t       *next;
    ngx_str_t                   content;
    ngx_str_t                   attributes;
    ngx_scep_digest_e           digest;
    u_char                      hash[EVP_MAX_MD_SIZE];
    ngx_pki_key_job_t           job;
} ngx_http_scep_next_sign_t;


static void ngx_http_scep_next_cleanup(void *data);
static ngx_int_t ngx_http_scep_next_none(ngx_http_request_t *r);
static ngx_int_t ngx_http_scep_next_answer(ngx_http_request_t *r,
    ngx_http_scep_next_t *next, ngx_str_t *content);
static ngx_int_t ngx_http_scep_next_wait(ngx_http_request_t *r,
    ngx_http_scep_next_t *next);
static void ngx_http_scep_next_waiter_cleanup(void *data);
static void ngx_http_scep_next_expire(ngx_pki_op_t *op);
static ngx_int_t ngx_http_scep_next_sign(ngx_http_scep_next_t *next,
    ngx_str_t *content, ngx_log_t *log);
static ngx_int_t ngx_http_scep_next_prepare(ngx_http_scep_next_sign_t *sign,
    ngx_str_t *content);
static ngx_scep_digest_e ngx_http_scep_next_digest(
    ngx_scep_digests_t *digests, const EVP_MD *md);
static void ngx_http_scep_next_sign_handler(ngx_pki_key_job_t *job);
static ngx_int_t ngx_http_scep_next_finish(ngx_http_scep_next_sign_t *sign);
static ngx_int_t ngx_http_scep_next_keep(ngx_http_scep_next_t *next,
    ngx_str_t *content, ngx_str_t *body);
static void ngx_http_scep_next_tell(ngx_http_scep_next_t *next, ngx_int_t rc);
static ngx_int_t ngx_http_scep_next_send(ngx_http_request_t *r,
    ngx_http_scep_next_t *next, ngx_int_t rc);


static ngx_str_t  ngx_http_scep_type_next =
    ngx_string("application/x-x509-next-ca-cert");

static ngx_str_t  ngx_http_scep_next_no_store = ngx_string("no-store");

static ngx_str_t  ngx_http_scep_text_none =
    ngx_string("no authority follows\n");
static ngx_str_t  ngx_http_scep_text_not_ready =
    ngx_string("the authority that follows is not ready\n");
static ngx_str_t  ngx_http_scep_text_later =
    ngx_string("try again later\n");


ngx_http_scep_next_t *
ngx_http_scep_next_add(ngx_conf_t *cf, ngx_pki_authority_t *a)
{
    ngx_pool_cleanup_t         *cln;
    ngx_http_scep_next_t       *next;
    ngx_http_scep_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_scep_module);

    for (next = smcf->nexts; next != NULL; next = next->sibling) {
        if (next->authority == a) {
            return next;
        }
    }

    cln = ngx_pool_cleanup_add(cf->pool, sizeof(ngx_http_scep_next_t));
    if (cln == NULL) {
        return NULL;
    }

    next = cln->data;
    ngx_memzero(next, sizeof(ngx_http_scep_next_t));
    cln->handler = ngx_http_scep_next_cleanup;

    next->smcf = smcf;
    next->authority = a;
    next->sibling = smcf->nexts;
    smcf->nexts = next;

    ngx_queue_init(&next->waiters);

    return next;
}


static void
ngx_http_scep_next_cleanup(void *data)
{
    ngx_http_scep_next_t *next = data;

    if (next->content.len != 0) {
        ngx_free(next->content.data);
    }
}


ngx_uint_t
ngx_http_scep_next_ready(ngx_http_scep_next_t *next)
{
    ngx_pki_authority_t  *a;

    if (next == NULL) {
        return 0;
    }

    a = next->authority->next;

    return ngx_pki_authority_trouble(a) == NULL
           && ngx_pki_ra_recipients(a)->nelts != 0;
}


ngx_int_t
ngx_http_scep_get_next_ca_cert(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_str_t                  content;
    ngx_uint_t                 pem;
    ngx_array_t               *certificates;
    ngx_http_scep_next_t      *next;
    ngx_http_scep_loc_conf_t  *slcf;

    if (ngx_http_scep_ca_format(r, &pem) != NGX_OK) {
        return ngx_http_scep_bad_request(r, "unknown format");
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_scep_module);
    next = slcf->next;

    if (next == NULL) {
        return ngx_http_scep_next_none(r);
    }

    if (!ngx_http_scep_next_ready(next)) {
        ngx_http_scep_complain(r, next->authority->next);

        return ngx_http_pki_unavailable(r, NGX_HTTP_SCEP_RETRY_AFTER,
                                        &ngx_http_scep_text_not_ready);
    }

    certificates = ngx_http_scep_ca_certificates(r->pool,
                                                 next->authority->next);
    if (certificates == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (pem) {
        return ngx_http_scep_ca_send_pem(r, certificates);
    }

    if (ngx_scep_cms_certs_only(r->pool, certificates->elts,
                                certificates->nelts, &content)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_scep_next_answer(r, next, &content);
}


/* one may follow tomorrow */

static ngx_int_t
ngx_http_scep_next_none(ngx_http_request_t *r)
{
    if (ngx_http_pki_add_header(r, "Cache-Control",
                                &ngx_http_scep_next_no_store)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_pki_send(r, NGX_HTTP_NOT_FOUND, &ngx_http_scep_type_text,
                             &ngx_http_scep_text_none);
}


static ngx_int_t
ngx_http_scep_next_answer(ngx_http_request_t *r, ngx_http_scep_next_t *next,
    ngx_str_t *content)
{
    ngx_int_t                  rc;
    ngx_http_core_loc_conf_t  *clcf;

    if (ngx_scep_str_eq(content, &next->content)) {
        return ngx_http_scep_ca_send(r, &ngx_http_scep_type_next, &next->body);
    }

    rc = ngx_http_scep_next_wait(r, next);

    if (rc != NGX_DONE || next->busy) {
        return rc;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (ngx_http_scep_next_sign(next, content, clcf->error_log) != NGX_OK) {
        ngx_http_scep_next_tell(next, NGX_ERROR);
    }

    return NGX_DONE;
}


/* NGX_DONE: it waits; the rest is what to finalize the request with */

static ngx_int_t
ngx_http_scep_next_wait(ngx_http_request_t *r, ngx_http_scep_next_t *next)
{
    ngx_pki_op_t                 *op;
    ngx_pool_cleanup_t           *cln;
    ngx_http_scep_loc_conf_t     *slcf;
    ngx_http_scep_next_waiter_t  *waiter;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_scep_module);

    if (next->smcf->pending >= (ngx_uint_t) slcf->max_pending) {
        return ngx_http_pki_unavailable(r, NGX_HTTP_SCEP_RETRY_AFTER,
                                        &ngx_http_scep_text_later);
    }

    op = ngx_http_pki_op_create(r, NGX_HTTP_SCEP_NEXT_TIMEOUT,
                                ngx_http_scep_next_expire);
    if (op == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln = ngx_pool_cleanup_add(op->pool, sizeof(ngx_http_scep_next_waiter_t));

    if (cln == NULL) {
        ngx_http_pki_op_finalize(op, NGX_HTTP_INTERNAL_SERVER_ERROR);
        ngx_pki_op_destroy(op);
        return NGX_DONE;
    }

    waiter = cln->data;
    cln->handler = ngx_http_scep_next_waiter_cleanup;

    op->authority = next->authority->name;
    ngx_pki_op_action(op, "answering GetNextCACert");

    waiter->op = op;
    waiter->smcf = next->smcf;
    waiter->smcf->pending++;

    ngx_queue_insert_tail(&next->waiters, &waiter->queue);

    return NGX_DONE;
}


static void
ngx_http_scep_next_waiter_cleanup(void *data)
{
    ngx_http_scep_next_waiter_t *waiter = data;

    waiter->smcf->pending--;
}


/* it stays in the queue until the signature is there, or is not */

static void
ngx_http_scep_next_expire(ngx_pki_op_t *op)
{
    ngx_int_t  rc;

    ngx_log_error(NGX_LOG_WARN, op->log, 0, "not answered in time");

    rc = ngx_http_pki_unavailable(ngx_http_pki_op_request(op),
                                  NGX_HTTP_SCEP_RETRY_AFTER,
                                  &ngx_http_scep_text_later);

    ngx_http_pki_op_finalize(op, rc);
}


/* NGX_ERROR: it could not be begun, and whoever waits is to be told */

static ngx_int_t
ngx_http_scep_next_sign(ngx_http_scep_next_t *next, ngx_str_t *content,
    ngx_log_t *log)
{
    ngx_pki_op_t               *op;
    ngx_http_scep_next_sign_t  *sign;

    op = ngx_pki_op_create(log);
    if (op == NULL) {
        return NGX_ERROR;
    }

    op->authority = next->authority->name;
    ngx_pki_op_action(op, "signing the certificates of the next authority");

    sign = ngx_pcalloc(op->pool, sizeof(ngx_http_scep_next_sign_t));

    if (sign == NULL) {
        ngx_pki_op_destroy(op);
        return NGX_ERROR;
    }

    sign->op = op;
    sign->next = next;

    if (ngx_http_scep_next_prepare(sign, content) != NGX_OK) {
        ngx_pki_op_destroy(op);
        return NGX_ERROR;
    }

    next->busy = 1;

    ngx_pki_key_sign(&sign->job);

    return NGX_OK;
}


static ngx_int_t
ngx_http_scep_next_prepare(ngx_http_scep_next_sign_t *sign,
    ngx_str_t *content)
{
    EVP_MD               *md;
    ngx_scep_attrs_t      attrs;
    ngx_pki_key_job_t    *job;
    ngx_scep_digests_t   *digests;
    ngx_pki_authority_t  *a;

    a = sign->next->authority;
    digests = &sign->next->smcf->digests;

    sign->digest = ngx_http_scep_next_digest(digests, a->md);
    md = digests->md[sign->digest];

    job = &sign->job;
    job->op = sign->op;
    job->key = a->key;
    job->md = md;
    job->handler = ngx_http_scep_next_sign_handler;
    job->data = sign;

    if (ngx_pki_op_copy(sign->op, &sign->content, content) != NGX_OK
        || ngx_scep_attrs_init(&attrs, sign->op->pool, md, content) != NGX_OK
        || ngx_scep_attrs_set(&attrs, &sign->attributes) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_scep_digest(md, &sign->attributes, sign->hash, &job->input);
}


/* that of "signature_digest" */

static ngx_scep_digest_e
ngx_http_scep_next_digest(ngx_scep_digests_t *digests, const EVP_MD *md)
{
    int         type;
    ngx_uint_t  i;

    type = EVP_MD_get_type(md);

    for (i = NGX_SCEP_SHA256; i < NGX_SCEP_SHA512; i++) {
        if (EVP_MD_get_type(digests->md[i]) == type) {
            break;
        }
    }

    return i;
}


static void
ngx_http_scep_next_sign_handler(ngx_pki_key_job_t *job)
{
    ngx_int_t                   rc;
    ngx_http_scep_next_t       *next;
    ngx_http_scep_next_sign_t  *sign;

    sign = job->data;
    next = sign->next;

    rc = (job->rc == NGX_OK) ? ngx_http_scep_next_finish(sign) : NGX_ERROR;

    ngx_pki_op_destroy(sign->op);

    next->busy = 0;

    ngx_http_scep_next_tell(next, rc);
}


static ngx_int_t
ngx_http_scep_next_finish(ngx_http_scep_next_sign_t *sign)
{
    ngx_str_t                body;
    ngx_scep_signed_t        s;
    ngx_pki_authority_t     *a;
    ngx_scep_certificate_t   certificate;

    a = sign->next->authority;

    if (ngx_scep_cms_certificate(&a->der, &certificate) != NGX_OK) {
        ngx_log_error(NGX_LOG_ALERT, sign->op->log, 0,
                      "the authority's own certificate is malformed");
        return NGX_ERROR;
    }

    s.content = &sign->content;
    s.certificate = &a->der;
    s.signer = &certificate.id;
    s.digest = ngx_scep_digest_oid(sign->digest);
    s.attributes = &sign->attributes;
    s.signature = &sign->job.output;
    s.algorithm = &ngx_scep_signed_rsa;

    if (a->key->spec.type != NGX_PKI_KEY_RSA) {
        s.algorithm = ngx_pki_key_algorithm(a->key->spec.type, sign->job.md,
                                            0);
    }

    if (s.algorithm == NULL
        || ngx_scep_signed(sign->op->pool, &s, &body) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_scep_next_keep(sign->next, &sign->content, &body);
}


static ngx_int_t
ngx_http_scep_next_keep(ngx_http_scep_next_t *next, ngx_str_t *content,
    ngx_str_t *body)
{
    u_char  *p;

    p = ngx_alloc(content->len + body->len, ngx_cycle->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_http_scep_next_cleanup(next);

    next->content.data = p;
    next->content.len = content->len;
    p = ngx_cpymem(p, content->data, content->len);

    next->body.data = p;
    next->body.len = body->len;
    ngx_memcpy(p, body->data, body->len);

    return NGX_OK;
}


static void
ngx_http_scep_next_tell(ngx_http_scep_next_t *next, ngx_int_t rc)
{
    ngx_queue_t                  *q, waiters;
    ngx_http_request_t           *r;
    ngx_http_scep_next_waiter_t  *waiter;

    ngx_queue_init(&waiters);

    if (!ngx_queue_empty(&next->waiters)) {
        ngx_queue_add(&waiters, &next->waiters);
        ngx_queue_init(&next->waiters);
    }

    while (!ngx_queue_empty(&waiters)) {

        q = ngx_queue_head(&waiters);
        ngx_queue_remove(q);

        waiter = ngx_queue_data(q, ngx_http_scep_next_waiter_t, queue);
        r = ngx_http_pki_op_request(waiter->op);

        if (r != NULL) {
            ngx_http_pki_op_finalize(waiter->op,
                                     ngx_http_scep_next_send(r, next, rc));
        }

        ngx_pki_op_destroy(waiter->op);
    }
}


static ngx_int_t
ngx_http_scep_next_send(ngx_http_request_t *r, ngx_http_scep_next_t *next,
    ngx_int_t rc)
{
    if (rc != NGX_OK) {
        return ngx_http_pki_unavailable(r, NGX_HTTP_SCEP_RETRY_AFTER,
                                        &ngx_http_scep_text_later);
    }

    return ngx_http_scep_ca_send(r, &ngx_http_scep_type_next, &next->body);
}
