
/*
 * Copyright (C) the ngx_pki authors
 *
 * The calls about one certificate: show, revoke, release.
 */


#include "ngx_http_certificate_master_api.h"
#include "ngx_http_certificate_master_query.h"


typedef struct ngx_http_certificate_master_job_s
    ngx_http_certificate_master_job_t;

typedef ngx_int_t (*ngx_http_certificate_master_answer_pt)(
    ngx_http_request_t *r, ngx_pki_authority_t *authority,
    ngx_pki_record_t *record);


/* what the calls differ in; "done" and "conflict" are of changes only */

typedef struct {
    void                     (*start)(ngx_pki_store_job_t *job);
    ngx_http_certificate_master_answer_pt  answer;
    const char                *action;
    const char                *done;
    const char                *conflict;
    ngx_uint_t                 whole;        /* gives the certificate out */
} ngx_http_certificate_master_verb_t;


/* in the pool of its operation, which outlives the request */

struct ngx_http_certificate_master_job_s {
    ngx_pki_op_t              *op;
    ngx_http_certificate_master_verb_t  *verb;
    ngx_array_t               *authorities;
    ngx_uint_t                 n;            /* the one that is asked */
    ngx_str_t                  serial;
    ngx_str_t                  user;
    ngx_int_t                  reason;
    ngx_msec_t                 elapsed;
};


static void ngx_http_certificate_master_start(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call,
    ngx_http_certificate_master_verb_t *verb, ngx_int_t reason);
static ngx_int_t ngx_http_certificate_master_next(
    ngx_http_certificate_master_job_t *job);
static void ngx_http_certificate_master_store_handler(
    ngx_pki_store_job_t *store);
static void ngx_http_certificate_master_done(
    ngx_http_certificate_master_job_t *job, ngx_pki_store_job_t *store);
static void ngx_http_certificate_master_log(
    ngx_http_certificate_master_job_t *job, ngx_pki_store_job_t *store);
static ngx_int_t ngx_http_certificate_master_answer(ngx_http_request_t *r,
    ngx_http_certificate_master_job_t *job, ngx_pki_store_job_t *store);
static ngx_int_t ngx_http_certificate_master_answer_item(
    ngx_http_request_t *r, ngx_pki_authority_t *authority,
    ngx_pki_record_t *record);
static ngx_int_t ngx_http_certificate_master_answer_pem(
    ngx_http_request_t *r, ngx_pki_authority_t *authority,
    ngx_pki_record_t *record);
static ngx_int_t ngx_http_certificate_master_answer_der(
    ngx_http_request_t *r, ngx_pki_authority_t *authority,
    ngx_pki_record_t *record);
static ngx_int_t ngx_http_certificate_master_answer_chain(
    ngx_http_request_t *r, ngx_pki_authority_t *authority,
    ngx_pki_record_t *record);
static void ngx_http_certificate_master_expire(ngx_pki_op_t *op);


static ngx_http_certificate_master_verb_t
    ngx_http_certificate_master_verb_get =
{
    ngx_pki_store_get,
    ngx_http_certificate_master_answer_item,
    "reading a record", NULL, NULL, 0
};


static ngx_http_certificate_master_verb_t
    ngx_http_certificate_master_verb_pem =
{
    ngx_pki_store_get,
    ngx_http_certificate_master_answer_pem,
    "reading a record", NULL, NULL, 1
};


static ngx_http_certificate_master_verb_t
    ngx_http_certificate_master_verb_der =
{
    ngx_pki_store_get,
    ngx_http_certificate_master_answer_der,
    "reading a record", NULL, NULL, 1
};


static ngx_http_certificate_master_verb_t
    ngx_http_certificate_master_verb_chain =
{
    ngx_pki_store_get,
    ngx_http_certificate_master_answer_chain,
    "reading a record", NULL, NULL, 1
};


static ngx_http_certificate_master_verb_t
    ngx_http_certificate_master_verb_revoke =
{
    ngx_pki_store_revoke,
    ngx_http_certificate_master_answer_item,
    "revoking a certificate", "revoked",
    "the certificate is revoked or held already", 0
};


static ngx_http_certificate_master_verb_t
    ngx_http_certificate_master_verb_release =
{
    ngx_pki_store_release,
    ngx_http_certificate_master_answer_item,
    "releasing a certificate", "released",
    "the certificate is not on hold", 0
};


void
ngx_http_certificate_master_get(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call)
{
    ngx_http_certificate_master_start(r, call,
                                      &ngx_http_certificate_master_verb_get,
                                      0);
}


void
ngx_http_certificate_master_get_pem(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call)
{
    ngx_http_certificate_master_start(r, call,
                                      &ngx_http_certificate_master_verb_pem,
                                      0);
}


void
ngx_http_certificate_master_get_der(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call)
{
    ngx_http_certificate_master_start(r, call,
                                      &ngx_http_certificate_master_verb_der,
                                      0);
}


void
ngx_http_certificate_master_get_chain(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call)
{
    ngx_http_certificate_master_start(r, call,
                                      &ngx_http_certificate_master_verb_chain,
                                      0);
}


void
ngx_http_certificate_master_revoke(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call)
{
    json_t             *body;
    ngx_int_t           reason;
    ngx_str_t           text;
    static const char  *names[] = { "reason", NULL };

    body = ngx_http_certificate_master_parse(r, &call->body, names);
    if (body == NULL) {
        return;
    }

    reason = NGX_PKI_REASON_UNSPECIFIED;

    /* removeFromCRL is of delta CRLs: RFC 5280, 5.3.1 */

    if (ngx_pki_json_get(body, "reason", &text) == NGX_OK
        && (ngx_pki_reason_parse(&text, &reason) != NGX_OK
            || reason == NGX_PKI_REASON_REMOVE_FROM_CRL))
    {
        ngx_http_finalize_request(r,
                           ngx_http_rest_error(r, NGX_HTTP_BAD_REQUEST,
                                               "bad_request",
                                               "unknown revocation reason"));
        return;
    }

    ngx_http_certificate_master_start(r, call,
                                    &ngx_http_certificate_master_verb_revoke,
                                    reason);
}


void
ngx_http_certificate_master_release(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call)
{
    static const char  *names[] = { NULL };

    if (ngx_http_certificate_master_parse(r, &call->body, names) == NULL) {
        return;
    }

    ngx_http_certificate_master_start(r, call,
                                   &ngx_http_certificate_master_verb_release,
                                   0);
}


json_t *
ngx_http_certificate_master_parse(ngx_http_request_t *r, ngx_str_t *body,
    const char **names)
{
    json_t       *value;
    ngx_str_t     text;
    ngx_uint_t    i;
    const char   *error;

    static ngx_str_t  empty = ngx_string("{}");

    value = ngx_pki_json_parse(r->pool, (body->len != 0) ? body : &empty,
                               NGX_HTTP_CERTIFICATE_MASTER_REQUEST, &error);

    if (value != NULL && !json_is_object(value)) {
        error = "the body must be an object";
        value = NULL;
    }

    if (value != NULL && ngx_pki_json_unknown(value, names) != NULL) {
        error = "unknown member of the body";
        value = NULL;
    }

    for (i = 0; value != NULL && names[i] != NULL; i++) {
        if (ngx_pki_json_get(value, names[i], &text) == NGX_ERROR) {
            error = "members of the body must be strings";
            value = NULL;
        }
    }

    if (value == NULL) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "invalid body of a call: %s", error);

        ngx_http_finalize_request(r,
                                  ngx_http_rest_error(r, NGX_HTTP_BAD_REQUEST,
                                                      "bad_request", error));
    }

    return value;
}


static void
ngx_http_certificate_master_start(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call,
    ngx_http_certificate_master_verb_t *verb, ngx_int_t reason)
{
    ngx_pki_op_t                       *op;
    ngx_http_certificate_master_job_t  *job;

    op = ngx_http_pki_op_create(r, NGX_HTTP_CERTIFICATE_MASTER_TIMEOUT,
                                ngx_http_certificate_master_expire);
    if (op == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    job = ngx_pcalloc(op->pool, sizeof(ngx_http_certificate_master_job_t));

    if (job == NULL
        || ngx_pki_op_copy(op, &job->serial, &call->serial) != NGX_OK
        || ngx_pki_op_copy(op, &job->user, &call->user) != NGX_OK)
    {
        ngx_http_pki_op_finalize(op, NGX_HTTP_INTERNAL_SERVER_ERROR);
        ngx_pki_op_destroy(op);
        return;
    }

    job->op = op;
    job->verb = verb;
    job->authorities = call->conf->authorities;
    job->reason = reason;

    op->data = job;
    op->serial = job->serial;
    ngx_pki_op_action(op, verb->action);

    if (ngx_http_certificate_master_next(job) != NGX_OK) {
        ngx_http_pki_op_finalize(op, NGX_HTTP_INTERNAL_SERVER_ERROR);
        ngx_pki_op_destroy(op);
    }
}


/* asks the store of the next authority */

static ngx_int_t
ngx_http_certificate_master_next(ngx_http_certificate_master_job_t *job)
{
    ngx_pki_store_job_t   *store;
    ngx_pki_authority_t  **authority;

    authority = job->authorities->elts;

    store = ngx_pcalloc(job->op->pool, sizeof(ngx_pki_store_job_t));
    if (store == NULL) {
        return NGX_ERROR;
    }

    job->op->authority = authority[job->n]->name;

    store->op = job->op;
    store->store = &authority[job->n]->store;
    store->record.serial = job->serial;
    store->reason = job->reason;
    store->by = job->user;
    store->handler = ngx_http_certificate_master_store_handler;
    store->data = job;

    job->verb->start(store);

    return NGX_OK;
}


static void
ngx_http_certificate_master_store_handler(ngx_pki_store_job_t *store)
{
    ngx_http_certificate_master_job_t  *job;

    job = store->data;
    job->elapsed += store->elapsed;

    /* goes on although the client may be gone: it asked for a change */

    if (store->result == NGX_PKI_STORE_NOT_FOUND
        && job->n + 1 < job->authorities->nelts)
    {
        job->n++;

        if (ngx_http_certificate_master_next(job) == NGX_OK) {
            return;
        }

        store->result = NGX_PKI_STORE_UNAVAILABLE;
    }

    ngx_http_certificate_master_done(job, store);
}


static void
ngx_http_certificate_master_done(ngx_http_certificate_master_job_t *job,
    ngx_pki_store_job_t *store)
{
    ngx_pki_op_t        *op;
    ngx_http_request_t  *r;

    op = job->op;

    if (job->verb->done != NULL) {
        ngx_http_certificate_master_log(job, store);
    }

    r = ngx_http_pki_op_request(op);

    if (r != NULL) {
        ngx_http_pki_op_finalize(op,
                          ngx_http_certificate_master_answer(r, job, store));
    }

    ngx_pki_op_destroy(op);
}


static void
ngx_http_certificate_master_log(ngx_http_certificate_master_job_t *job,
    ngx_pki_store_job_t *store)
{
    ngx_pki_op_t  *op;

    op = job->op;

    /* what was asked for is known; the context says the serial number */

    op->log->action = NULL;

    switch (store->result) {

    case NGX_PKI_STORE_OK:
        ngx_log_error(NGX_LOG_NOTICE, op->log, 0,
                      "certificate %s by \"%V\", now %V, reason: %V",
                      job->verb->done, &job->user,
                      ngx_pki_status_name(store->record.status),
                      ngx_pki_reason_name(job->reason));
        break;

    case NGX_PKI_STORE_NOT_FOUND:
        ngx_log_error(NGX_LOG_INFO, op->log, 0,
                      "certificate to be %s by \"%V\" does not exist",
                      job->verb->done, &job->user);
        break;

    case NGX_PKI_STORE_CONFLICT:
        ngx_log_error(NGX_LOG_INFO, op->log, 0,
                      "certificate not %s by \"%V\": %s",
                      job->verb->done, &job->user, job->verb->conflict);
        break;

    default:
        ngx_log_error(NGX_LOG_ERR, op->log, 0,
                      "certificate perhaps not %s by \"%V\"",
                      job->verb->done, &job->user);
        break;
    }
}


static ngx_int_t
ngx_http_certificate_master_answer(ngx_http_request_t *r,
    ngx_http_certificate_master_job_t *job, ngx_pki_store_job_t *store)
{
    ngx_http_pki_ctx_t    *ctx;
    ngx_pki_authority_t  **authority;

    ctx = ngx_http_pki_get_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    authority = job->authorities->elts;

    ngx_http_pki_set(r, &ctx->serial, &job->serial);
    ngx_http_pki_set_time(r, &ctx->store_time, job->elapsed);

    switch (store->result) {

    case NGX_PKI_STORE_OK:
        ngx_http_pki_set(r, &ctx->authority, &authority[job->n]->name);
        ngx_http_pki_set(r, &ctx->subject, &store->record.subject);
        ngx_http_pki_set(r, &ctx->profile, &store->record.profile);

        if (job->verb->whole && store->record.withheld.len != 0) {
            return ngx_http_rest_error(r, NGX_HTTP_CONFLICT, "conflict",
                                       "the certificate is withheld");
        }

        return job->verb->answer(r, authority[job->n], &store->record);

    case NGX_PKI_STORE_NOT_FOUND:
        return ngx_http_rest_error(r, NGX_HTTP_NOT_FOUND, "not_found",
                                   "there is no such certificate");

    case NGX_PKI_STORE_CONFLICT:
        return ngx_http_rest_error(r, NGX_HTTP_CONFLICT, "conflict",
                                   job->verb->conflict);

    default: /* NGX_PKI_STORE_UNAVAILABLE */
        return ngx_http_rest_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                   "unavailable", "try again later");
    }
}


static ngx_int_t
ngx_http_certificate_master_answer_item(ngx_http_request_t *r,
    ngx_pki_authority_t *authority, ngx_pki_record_t *record)
{
    json_t  *item;

    item = ngx_pki_json_own(r->pool,
                            ngx_http_certificate_master_item(authority,
                                                             record));
    if (item == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_rest_json(r, NGX_HTTP_OK, item);
}


static ngx_int_t
ngx_http_certificate_master_answer_pem(ngx_http_request_t *r,
    ngx_pki_authority_t *authority, ngx_pki_record_t *record)
{
    ngx_str_t  pem;

    if (ngx_http_rest_pem(r->pool, &record->der, &pem) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_rest_send(r, NGX_HTTP_OK, &ngx_http_rest_type_pem, &pem);
}


static ngx_int_t
ngx_http_certificate_master_answer_der(ngx_http_request_t *r,
    ngx_pki_authority_t *authority, ngx_pki_record_t *record)
{
    return ngx_http_rest_send(r, NGX_HTTP_OK, &ngx_http_rest_type_der,
                              &record->der);
}


static ngx_int_t
ngx_http_certificate_master_answer_chain(ngx_http_request_t *r,
    ngx_pki_authority_t *authority, ngx_pki_record_t *record)
{
    ngx_str_t  pem;

    if (ngx_http_rest_chain(r->pool, &record->der, authority, &pem)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_rest_send(r, NGX_HTTP_OK, &ngx_http_rest_type_pem, &pem);
}


static void
ngx_http_certificate_master_expire(ngx_pki_op_t *op)
{
    ngx_http_request_t  *r;

    r = ngx_http_pki_op_request(op);

    ngx_http_pki_op_finalize(op,
                 ngx_http_rest_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                     "unavailable", "try again later"));
}


json_t *
ngx_http_certificate_master_item(ngx_pki_authority_t *authority,
    ngx_pki_record_t *record)
{
    json_t      *item;
    time_t      *revoked_at;
    ngx_str_t   *status, *reason, *revoked_by;

    item = json_object();
    if (item == NULL) {
        return NULL;
    }

    status = ngx_http_certificate_master_status(record, ngx_time());

    reason = NULL;
    revoked_at = NULL;
    revoked_by = NULL;

    if (record->status != NGX_PKI_STATUS_GOOD) {
        reason = ngx_pki_reason_name(record->reason);
        revoked_at = &record->revoked_at;
        revoked_by = &record->revoked_by;
    }

    if (ngx_pki_json_set(item, "serial", &record->serial) == NGX_OK
        && ngx_pki_json_set(item, "authority", &authority->name) == NGX_OK
        && ngx_pki_json_set(item, "subject", &record->subject) == NGX_OK
        && ngx_pki_json_set(item, "sans", &record->sans) == NGX_OK
        && ngx_pki_json_set_time(item, "not_before", &record->not_before)
           == NGX_OK
        && ngx_pki_json_set_time(item, "not_after", &record->not_after)
           == NGX_OK
        && ngx_pki_json_set(item, "status", status) == NGX_OK
        && ngx_pki_json_set(item, "reason", reason) == NGX_OK
        && ngx_pki_json_set_time(item, "revoked_at", revoked_at) == NGX_OK
        && ngx_pki_json_set(item, "revoked_by", revoked_by) == NGX_OK
        && ngx_pki_json_set(item, "profile", &record->profile) == NGX_OK
        && ngx_pki_json_set(item, "source", &record->source) == NGX_OK
        && ngx_pki_json_set(item, "requester", &record->requester) == NGX_OK
        && ngx_pki_json_set(item, "transaction", &record->transaction)
           == NGX_OK
        && (record->withheld.len == 0
            || ngx_pki_json_set(item, "withheld", &record->withheld)
               == NGX_OK))
    {
        return item;
    }

    json_decref(item);

    return NULL;
}
