
/*
 * Copyright (C) the ngx_pki authors
 *
 * The calls about one request that waits: to look at it, and to decide:
 * approve, which issues its certificate at once, and reject.  It is looked up
 * in each authority; what is decided is told again.
 */


#include "ngx_http_certificate_master_api.h"
#include "ngx_pki_issue.h"


#define NGX_HTTP_CERTIFICATE_MASTER_APPROVAL  30000


typedef enum {
    NGX_HTTP_CERTIFICATE_MASTER_LOOK = 0,
    NGX_HTTP_CERTIFICATE_MASTER_TO_APPROVE,
    NGX_HTTP_CERTIFICATE_MASTER_TO_REJECT
} ngx_http_certificate_master_verb_e;


/* in the pool of its operation, which outlives the request */

typedef struct {
    ngx_pki_op_t              *op;
    ngx_array_t               *authorities;
    ngx_array_t               *profiles;
    ngx_uint_t                 n;            /* the authority that is asked */
    ngx_str_t                  id;           /* as people see it: both of */
    ngx_str_t                  request;
    ngx_str_t                  key;
    ngx_str_t                  user;

    ngx_pki_store_job_t        store;
    ngx_pki_csr_t              csr;
    ngx_pki_issue_t            issue;
    ngx_pki_record_t          *record;       /* what it has got */
    ngx_msec_t                 elapsed;      /* in the store */

    unsigned                   look:1;
    unsigned                   approve:1;
    unsigned                   refused:1;    /* by the profile */
} ngx_http_certificate_master_decision_t;


static void ngx_http_certificate_master_decide(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call,
    ngx_http_certificate_master_verb_e verb);
static ngx_int_t ngx_http_certificate_master_decision_init(
    ngx_http_request_t *r, ngx_http_certificate_master_decision_t *d,
    ngx_http_certificate_master_call_t *call);
static void ngx_http_certificate_master_decision_next(
    ngx_http_certificate_master_decision_t *d);
static void ngx_http_certificate_master_decision_handler(
    ngx_pki_store_job_t *store);
static void ngx_http_certificate_master_decision_found(
    ngx_http_certificate_master_decision_t *d);
static void ngx_http_certificate_master_decision_issue(
    ngx_http_certificate_master_decision_t *d);
static ngx_int_t ngx_http_certificate_master_decision_prepare(
    ngx_http_certificate_master_decision_t *d, ngx_str_t *error);
static void ngx_http_certificate_master_decision_refuse(
    ngx_http_certificate_master_decision_t *d, ngx_str_t *error);
static void ngx_http_certificate_master_decision_issue_handler(
    ngx_pki_issue_t *issue);
static void ngx_http_certificate_master_decision_get_handler(
    ngx_pki_store_job_t *store);
static void ngx_http_certificate_master_decision_done(
    ngx_http_certificate_master_decision_t *d, ngx_pki_store_result_e result);
static void ngx_http_certificate_master_decision_log(
    ngx_http_certificate_master_decision_t *d, ngx_pki_store_result_e result);
static ngx_int_t ngx_http_certificate_master_decision_answer(
    ngx_http_request_t *r, ngx_http_certificate_master_decision_t *d,
    ngx_pki_store_result_e result);
static ngx_int_t ngx_http_certificate_master_decision_json(
    ngx_http_request_t *r, ngx_http_certificate_master_decision_t *d);
static ngx_int_t ngx_http_certificate_master_decision_set(
    ngx_http_request_t *r, ngx_http_certificate_master_decision_t *d);
static void ngx_http_certificate_master_decision_expire(ngx_pki_op_t *op);


static ngx_str_t  ngx_http_certificate_master_scep = ngx_string("scep");


void
ngx_http_certificate_master_pending_get(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call)
{
    ngx_http_certificate_master_decide(r, call,
                                       NGX_HTTP_CERTIFICATE_MASTER_LOOK);
}


void
ngx_http_certificate_master_approve(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call)
{
    ngx_http_certificate_master_decide(r, call,
                                    NGX_HTTP_CERTIFICATE_MASTER_TO_APPROVE);
}


void
ngx_http_certificate_master_reject(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call)
{
    ngx_http_certificate_master_decide(r, call,
                                       NGX_HTTP_CERTIFICATE_MASTER_TO_REJECT);
}


static void
ngx_http_certificate_master_decide(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call,
    ngx_http_certificate_master_verb_e verb)
{
    ngx_pki_op_t                            *op;
    ngx_http_certificate_master_decision_t  *d;

    static const char  *names[] = { NULL };

    if (ngx_http_certificate_master_parse(r, &call->body, names) == NULL) {
        return;
    }

    op = ngx_http_pki_op_create(r, NGX_HTTP_CERTIFICATE_MASTER_APPROVAL,
                                ngx_http_certificate_master_decision_expire);
    if (op == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    d = ngx_pcalloc(op->pool, sizeof(ngx_http_certificate_master_decision_t));

    if (d != NULL) {
        d->op = op;
        d->look = (verb == NGX_HTTP_CERTIFICATE_MASTER_LOOK);
        d->approve = (verb == NGX_HTTP_CERTIFICATE_MASTER_TO_APPROVE);
    }

    if (d == NULL
        || ngx_http_certificate_master_decision_init(r, d, call) != NGX_OK)
    {
        ngx_http_pki_op_finalize(op, NGX_HTTP_INTERNAL_SERVER_ERROR);
        ngx_pki_op_destroy(op);
        return;
    }

    ngx_http_certificate_master_decision_next(d);
}


static ngx_int_t
ngx_http_certificate_master_decision_init(ngx_http_request_t *r,
    ngx_http_certificate_master_decision_t *d,
    ngx_http_certificate_master_call_t *call)
{
    ngx_http_pki_main_conf_t  *pmcf;

    pmcf = ngx_http_get_module_main_conf(r, ngx_http_pki_module);

    d->authorities = call->conf->authorities;
    d->profiles = &pmcf->profiles;
    d->op->data = d;

    if (ngx_pki_op_copy(d->op, &d->id, &call->id) != NGX_OK
        || ngx_pki_pending_handle_parse(&d->id, &d->request, &d->key)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_pki_op_copy(d->op, &d->user, &call->user);
}


/* asks the store of the next authority */

static void
ngx_http_certificate_master_decision_next(
    ngx_http_certificate_master_decision_t *d)
{
    ngx_pki_store_job_t   *store;
    ngx_pki_authority_t  **authority;

    authority = d->authorities->elts;
    store = &d->store;

    ngx_memzero(store, sizeof(ngx_pki_store_job_t));

    d->op->authority = authority[d->n]->name;

    store->op = d->op;
    store->store = &authority[d->n]->store;
    store->pending.id = d->request;
    store->pending.key = d->key;
    store->by = d->user;
    store->handler = ngx_http_certificate_master_decision_handler;
    store->data = d;

    if (d->look || d->approve) {
        ngx_pki_store_pending_get(store);

    } else {
        ngx_pki_store_pending_reject(store);
    }
}


static void
ngx_http_certificate_master_decision_handler(ngx_pki_store_job_t *store)
{
    ngx_http_certificate_master_decision_t  *d;

    d = store->data;
    d->elapsed += store->elapsed;

    /* who decides has not seen another one that waits in its place now */

    if (store->result == NGX_PKI_STORE_OK
        && ngx_memcmp(store->pending.key.data, d->key.data, d->key.len) != 0)
    {
        store->result = NGX_PKI_STORE_NOT_FOUND;
    }

    /* goes on although the client may be gone: it asked for a change */

    if (store->result == NGX_PKI_STORE_NOT_FOUND
        && d->n + 1 < d->authorities->nelts)
    {
        d->n++;
        ngx_http_certificate_master_decision_next(d);
        return;
    }

    d->op->transaction = store->pending.transaction;

    if (d->approve && store->result == NGX_PKI_STORE_OK) {
        ngx_http_certificate_master_decision_found(d);
        return;
    }

    ngx_http_certificate_master_decision_done(d, store->result);
}


static void
ngx_http_certificate_master_decision_found(
    ngx_http_certificate_master_decision_t *d)
{
    ngx_pki_store_job_t  *store;

    store = &d->store;

    switch (store->pending.state) {

    case NGX_PKI_PENDING_APPROVED:
        store->record.serial = store->pending.serial;
        store->handler = ngx_http_certificate_master_decision_get_handler;

        ngx_pki_store_get(store);
        break;

    case NGX_PKI_PENDING_REJECTED:
        ngx_http_certificate_master_decision_done(d, NGX_PKI_STORE_CONFLICT);
        break;

    default: /* NGX_PKI_PENDING_WAITS */

        if (d->refused) {
            ngx_http_certificate_master_decision_done(d, NGX_PKI_STORE_OK);
            break;
        }

        ngx_http_certificate_master_decision_issue(d);
        break;
    }
}


/*
 * Under the names that the client's own request would have: whoever comes
 * first, there is one certificate of a transaction.
 */

static void
ngx_http_certificate_master_decision_issue(
    ngx_http_certificate_master_decision_t *d)
{
    ngx_str_t              error;
    ngx_pki_issue_t       *issue;
    ngx_pki_pending_t     *pending;
    ngx_pki_authority_t  **authority;

    if (ngx_http_certificate_master_decision_prepare(d, &error) != NGX_OK) {
        ngx_http_certificate_master_decision_refuse(d, &error);
        return;
    }

    ngx_pki_op_action(d->op, "issuing an approved certificate");

    pending = &d->store.pending;
    authority = d->authorities->elts;
    issue = &d->issue;

    issue->op = d->op;
    issue->authority = authority[d->n];
    issue->csr = &d->csr;
    issue->source = ngx_http_certificate_master_scep;
    issue->requester = pending->requester;
    issue->transaction = pending->transaction;
    issue->pending = d->request;
    issue->approver = d->user;
    issue->handler = ngx_http_certificate_master_decision_issue_handler;
    issue->data = d;

    ngx_pki_issue_start(issue);
}


static ngx_int_t
ngx_http_certificate_master_decision_prepare(
    ngx_http_certificate_master_decision_t *d, ngx_str_t *error)
{
    ngx_pki_pending_t  *pending;

    pending = &d->store.pending;

    if (ngx_pki_csr_decode(d->op->pool, &pending->csr, &d->csr) != NGX_OK) {
        ngx_str_set(error, "the request is malformed");
        return NGX_ERROR;
    }

    d->issue.profile = ngx_pki_profile_find(d->profiles, &pending->profile);

    if (d->issue.profile == NULL) {
        ngx_str_set(error, "its profile is not configured any more");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* goes on waiting */

static void
ngx_http_certificate_master_decision_refuse(
    ngx_http_certificate_master_decision_t *d, ngx_str_t *error)
{
    d->refused = 1;
    d->op->log->action = NULL;

    ngx_log_error(NGX_LOG_INFO, d->op->log, 0,
                  "request not approved by \"%V\": %V, id: %V",
                  &d->user, error, &d->id);

    ngx_http_certificate_master_decision_done(d, NGX_PKI_STORE_OK);
}


static void
ngx_http_certificate_master_decision_issue_handler(ngx_pki_issue_t *issue)
{
    ngx_http_certificate_master_decision_t  *d;

    d = issue->data;
    d->elapsed += issue->store_time;

    switch (issue->result) {

    case NGX_PKI_ISSUE_OK:
    case NGX_PKI_ISSUE_EXISTING:
        d->record = &issue->record;
        ngx_http_certificate_master_decision_done(d, NGX_PKI_STORE_OK);
        return;

    case NGX_PKI_ISSUE_REFUSED:
        d->refused = 1;
        d->op->log->action = NULL;

        ngx_log_error(NGX_LOG_INFO, d->op->log, 0,
                      "request not approved by \"%V\": %V, id: %V",
                      &d->user, &issue->error, &d->id);

        /* by the profile, or because somebody else has decided meanwhile */

        ngx_http_certificate_master_decision_next(d);
        return;

    default: /* NGX_PKI_ISSUE_UNAVAILABLE */
        ngx_http_certificate_master_decision_done(d,
                                                  NGX_PKI_STORE_UNAVAILABLE);
        return;
    }
}


/*
 * approved before, which is not to be said of what has been revoked since, or
 * is not to be given out yet
 */

static void
ngx_http_certificate_master_decision_get_handler(ngx_pki_store_job_t *store)
{
    ngx_http_certificate_master_decision_t  *d;

    d = store->data;
    d->elapsed += store->elapsed;

    if (store->result == NGX_PKI_STORE_OK) {
        d->record = &store->record;

        if (store->record.status != NGX_PKI_STATUS_GOOD
            || store->record.withheld.len != 0)
        {
            ngx_http_certificate_master_decision_done(d,
                                                      NGX_PKI_STORE_CONFLICT);
            return;
        }
    }

    ngx_http_certificate_master_decision_done(d, store->result);
}


static void
ngx_http_certificate_master_decision_done(
    ngx_http_certificate_master_decision_t *d, ngx_pki_store_result_e result)
{
    ngx_pki_op_t        *op;
    ngx_http_request_t  *r;

    op = d->op;

    if (!d->look) {
        ngx_http_certificate_master_decision_log(d, result);
    }

    r = ngx_http_pki_op_request(op);

    if (r != NULL) {
        ngx_http_pki_op_finalize(op,
                  ngx_http_certificate_master_decision_answer(r, d, result));
    }

    ngx_pki_op_destroy(op);
}


static void
ngx_http_certificate_master_decision_log(
    ngx_http_certificate_master_decision_t *d, ngx_pki_store_result_e result)
{
    ngx_log_t          *log;
    const char         *verb;
    ngx_pki_pending_t  *pending;

    log = d->op->log;
    log->action = NULL;

    pending = &d->store.pending;
    verb = d->approve ? "approved" : "rejected";

    switch (result) {

    case NGX_PKI_STORE_OK:

        if (d->record != NULL) {
            d->op->serial = d->record->serial;

        } else if (d->approve) {
            break;
        }

        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "request %s by \"%V\"%s, id: %V, subject: \"%V\"",
                      verb, &d->user,
                      d->issue.result == NGX_PKI_ISSUE_EXISTING
                          || d->record == &d->store.record ? " again" : "",
                      &d->id, &pending->subject);
        break;

    case NGX_PKI_STORE_NOT_FOUND:
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "request to be %s by \"%V\" does not exist, id: %V",
                      verb, &d->user, &d->id);
        break;

    case NGX_PKI_STORE_CONFLICT:
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "request not %s by \"%V\": it is %V already%s, "
                      "id: %V",
                      verb, &d->user,
                      ngx_pki_pending_state_name(pending->state),
                      d->record == NULL ? ""
                      : d->record->status == NGX_PKI_STATUS_GOOD
                      ? ", and its certificate withheld"
                      : ", and its certificate revoked",
                      &d->id);
        break;

    default: /* NGX_PKI_STORE_UNAVAILABLE */
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "request perhaps not %s by \"%V\", id: %V",
                      verb, &d->user, &d->id);
        break;
    }
}


static ngx_int_t
ngx_http_certificate_master_decision_answer(ngx_http_request_t *r,
    ngx_http_certificate_master_decision_t *d, ngx_pki_store_result_e result)
{
    if (ngx_http_certificate_master_decision_set(r, d) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    switch (result) {

    case NGX_PKI_STORE_OK:

        if (d->refused && d->record == NULL) {
            return ngx_http_rest_error(r, NGX_HTTP_BAD_REQUEST, "refused",
                                       "the request is not allowed");
        }

        return ngx_http_certificate_master_decision_json(r, d);

    case NGX_PKI_STORE_NOT_FOUND:
        return ngx_http_rest_error(r, NGX_HTTP_NOT_FOUND, "not_found",
                                   "there is no such request");

    case NGX_PKI_STORE_CONFLICT:
        return ngx_http_rest_error(r, NGX_HTTP_CONFLICT, "conflict",
                                   d->record != NULL
                                   ? "its certificate is revoked, on hold or "
                                     "withheld"
                                   : d->approve
                                   ? "the request is rejected already"
                                   : "the request is approved already");

    default: /* NGX_PKI_STORE_UNAVAILABLE */
        return ngx_http_rest_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                   "unavailable", "try again later");
    }
}


static ngx_int_t
ngx_http_certificate_master_decision_json(ngx_http_request_t *r,
    ngx_http_certificate_master_decision_t *d)
{
    json_t               *item;
    ngx_str_t             pem, *csr;
    ngx_pki_authority_t  *authority;

    authority = ((ngx_pki_authority_t **) d->authorities->elts)[d->n];

    item = (d->record != NULL)
           ? ngx_http_certificate_master_item(authority, d->record)
           : ngx_http_certificate_master_pending_item(authority,
                                                      &d->store.pending);

    item = ngx_pki_json_own(r->pool, item);

    if (item == NULL || ngx_pki_json_set(item, "id", &d->id) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    csr = &d->store.pending.csr;

    if (d->look
        && (ngx_http_rest_pem_csr(r->pool, csr, &pem) != NGX_OK
            || ngx_pki_json_set(item, "csr", &pem) != NGX_OK))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (d->record != NULL
        && (ngx_http_rest_pem(r->pool, &d->record->der, &pem) != NGX_OK
            || ngx_pki_json_set(item, "certificate", &pem) != NGX_OK))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_rest_json(r, NGX_HTTP_OK, item);
}


/* what the variables of the request show */

static ngx_int_t
ngx_http_certificate_master_decision_set(ngx_http_request_t *r,
    ngx_http_certificate_master_decision_t *d)
{
    ngx_http_pki_ctx_t    *ctx;
    ngx_pki_authority_t  **authority;

    ctx = ngx_http_pki_get_ctx(r);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    authority = d->authorities->elts;

    ngx_http_pki_set_time(r, &ctx->sign_time, d->issue.sign_time);
    ngx_http_pki_set_time(r, &ctx->store_time, d->elapsed);

    if (d->record != NULL) {
        ngx_http_pki_set(r, &ctx->authority, &authority[d->n]->name);
        ngx_http_pki_set(r, &ctx->serial, &d->record->serial);
        ngx_http_pki_set(r, &ctx->subject, &d->record->subject);
        ngx_http_pki_set(r, &ctx->profile, &d->record->profile);
    }

    return NGX_OK;
}


/* the certificate is made all the same: the call can be repeated */

static void
ngx_http_certificate_master_decision_expire(ngx_pki_op_t *op)
{
    ngx_http_request_t  *r;

    r = ngx_http_pki_op_request(op);

    ngx_http_pki_op_finalize(op,
                 ngx_http_rest_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                     "unavailable", "try again later"));
}


json_t *
ngx_http_certificate_master_pending_item(ngx_pki_authority_t *authority,
    ngx_pki_pending_t *pending)
{
    json_t     *item;
    time_t     *decided_at;
    ngx_str_t   id, *decided_by;
    u_char      buf[NGX_PKI_PENDING_HANDLE_LEN];

    item = json_object();
    if (item == NULL) {
        return NULL;
    }

    id.data = buf;
    id.len = ngx_snprintf(buf, sizeof(buf), "%V%V", &pending->id,
                          &pending->key)
             - buf;

    decided_at = NULL;
    decided_by = NULL;

    if (pending->state != NGX_PKI_PENDING_WAITS) {
        decided_at = &pending->decided_at;
        decided_by = &pending->decided_by;
    }

    if (ngx_pki_json_set(item, "id", &id) == NGX_OK
        && ngx_pki_json_set(item, "authority", &authority->name) == NGX_OK
        && ngx_pki_json_set(item, "transaction", &pending->transaction)
           == NGX_OK
        && ngx_pki_json_set(item, "subject", &pending->subject) == NGX_OK
        && ngx_pki_json_set(item, "sans", &pending->sans) == NGX_OK
        && ngx_pki_json_set(item, "key", &pending->key_type) == NGX_OK
        && ngx_pki_json_set(item, "usages", &pending->usages) == NGX_OK
        && ngx_pki_json_set(item, "profile", &pending->profile) == NGX_OK
        && ngx_pki_json_set(item, "requester", &pending->requester) == NGX_OK
        && ngx_pki_json_set_time(item, "received", &pending->received)
           == NGX_OK
        && ngx_pki_json_set(item, "state",
                            ngx_pki_pending_state_name(pending->state))
           == NGX_OK
        && ngx_pki_json_set_time(item, "decided_at", decided_at) == NGX_OK
        && ngx_pki_json_set(item, "decided_by", decided_by) == NGX_OK)
    {
        return item;
    }

    json_decref(item);

    return NULL;
}
