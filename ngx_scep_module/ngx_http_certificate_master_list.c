
/*
 * Copyright (C) the ngx_pki authors
 *
 * The calls that list certificates, and requests that wait for a decision:
 * authority after authority, the newest first.  Filters are applied while pages
 * of records go by; a request looks at a bounded number of them and may answer
 * with fewer than asked for, or none, and a cursor.
 */


#include "ngx_http_certificate_master_api.h"
#include "ngx_http_certificate_master_query.h"


#define NGX_HTTP_CERTIFICATE_MASTER_PAGE  250
#define NGX_HTTP_CERTIFICATE_MASTER_SCAN  5000


/* in the pool of its operation */

typedef struct {
    ngx_pki_op_t              *op;
    ngx_array_t               *authorities;
    ngx_http_certificate_master_query_t  query;

    ngx_uint_t                 n;            /* the authority being read */
    ngx_uint_t                 last;         /* and where to stop */
    ngx_str_t                  position;     /* in its store */

    json_t                    *items;
    ngx_uint_t                 scanned;
    ngx_msec_t                 elapsed;
    unsigned                   pending:1;    /* requests, not certificates */
} ngx_http_certificate_master_list_t;


static void ngx_http_certificate_master_list_create(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call, ngx_uint_t pending);
static ngx_int_t ngx_http_certificate_master_list_start(
    ngx_http_certificate_master_list_t *list, ngx_str_t *args);
static ngx_int_t ngx_http_certificate_master_list_range(
    ngx_http_certificate_master_list_t *list);
static ngx_int_t ngx_http_certificate_master_list_find(
    ngx_array_t *authorities, ngx_str_t *name, ngx_uint_t *n);
static ngx_int_t ngx_http_certificate_master_list_read(
    ngx_http_certificate_master_list_t *list);
static void ngx_http_certificate_master_list_handler(
    ngx_pki_store_job_t *store);
static ngx_int_t ngx_http_certificate_master_list_page(
    ngx_http_certificate_master_list_t *list, ngx_pki_store_job_t *store);
static ngx_int_t ngx_http_certificate_master_list_records(
    ngx_http_certificate_master_list_t *list, ngx_pki_store_job_t *store,
    ngx_pki_record_t **stop);
static ngx_int_t ngx_http_certificate_master_list_requests(
    ngx_http_certificate_master_list_t *list, ngx_pki_store_job_t *store);
static ngx_int_t ngx_http_certificate_master_list_position(
    ngx_http_certificate_master_list_t *list, ngx_pki_record_t *record);
static void ngx_http_certificate_master_list_finish(
    ngx_http_certificate_master_list_t *list, ngx_int_t rc);
static ngx_int_t ngx_http_certificate_master_list_answer(
    ngx_http_request_t *r, ngx_http_certificate_master_list_t *list,
    ngx_int_t rc);
static ngx_int_t ngx_http_certificate_master_list_cursor(
    ngx_http_request_t *r, ngx_http_certificate_master_list_t *list,
    json_t *answer);
static void ngx_http_certificate_master_list_expire(ngx_pki_op_t *op);


void
ngx_http_certificate_master_list(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call)
{
    ngx_http_certificate_master_list_create(r, call, 0);
}


void
ngx_http_certificate_master_pending(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call)
{
    ngx_http_certificate_master_list_create(r, call, 1);
}


static void
ngx_http_certificate_master_list_create(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call, ngx_uint_t pending)
{
    ngx_int_t                            rc;
    ngx_pki_op_t                        *op;
    ngx_http_certificate_master_list_t  *list;

    op = ngx_http_pki_op_create(r, NGX_HTTP_CERTIFICATE_MASTER_TIMEOUT,
                                ngx_http_certificate_master_list_expire);
    if (op == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    list = ngx_pcalloc(op->pool, sizeof(ngx_http_certificate_master_list_t));

    if (list == NULL) {
        ngx_http_pki_op_finalize(op, NGX_HTTP_INTERNAL_SERVER_ERROR);
        ngx_pki_op_destroy(op);
        return;
    }

    list->op = op;
    list->authorities = call->conf->authorities;
    list->pending = pending;
    op->data = list;

    ngx_pki_op_action(op, pending ? "listing requests"
                                  : "listing certificates");

    rc = ngx_http_certificate_master_list_start(list, &r->args);

    if (rc == NGX_OK) {
        rc = ngx_http_certificate_master_list_read(list);
    }

    if (rc != NGX_OK) {
        ngx_http_certificate_master_list_finish(list, rc);
    }
}


static ngx_int_t
ngx_http_certificate_master_list_start(
    ngx_http_certificate_master_list_t *list, ngx_str_t *args)
{
    ngx_int_t   rc;
    ngx_str_t   copy;
    ngx_pool_t *pool;

    pool = list->op->pool;

    if (ngx_pki_op_copy(list->op, &copy, args) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_certificate_master_query_parse(pool, &copy, &list->query);

    if (rc != NGX_OK) {
        return rc;
    }

    if (list->pending
        && !ngx_http_certificate_master_query_all(&list->query))
    {
        list->query.error = "requests are filtered by \"authority\" only";
        return NGX_DECLINED;
    }

    list->items = ngx_pki_json_own(pool, json_array());
    if (list->items == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_certificate_master_list_range(list);
}


/* which authorities are asked for, and where to begin */

static ngx_int_t
ngx_http_certificate_master_list_range(
    ngx_http_certificate_master_list_t *list)
{
    ngx_uint_t                            n;
    ngx_http_certificate_master_query_t  *query;

    query = &list->query;

    list->n = 0;
    list->last = list->authorities->nelts;

    if (query->authority.len != 0) {

        if (ngx_http_certificate_master_list_find(list->authorities,
                                                  &query->authority, &n)
            != NGX_OK)
        {
            query->error = "unknown \"authority\"";
            return NGX_DECLINED;
        }

        list->n = n;
        list->last = n + 1;
    }

    if (query->start.authority.len == 0) {
        return NGX_OK;
    }

    if (ngx_http_certificate_master_list_find(list->authorities,
                                              &query->start.authority, &n)
        != NGX_OK
        || n < list->n || n >= list->last)
    {
        query->error = "invalid \"cursor\"";
        return NGX_DECLINED;
    }

    list->n = n;
    list->position = query->start.position;

    return NGX_OK;
}


static ngx_int_t
ngx_http_certificate_master_list_find(ngx_array_t *authorities,
    ngx_str_t *name, ngx_uint_t *n)
{
    ngx_uint_t             i;
    ngx_pki_authority_t  **authority;

    authority = authorities->elts;

    for (i = 0; i < authorities->nelts; i++) {

        if (authority[i]->name.len == name->len
            && ngx_strncmp(authority[i]->name.data, name->data, name->len)
               == 0)
        {
            *n = i;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


/* a page has an operation of its own, so that its memory goes with it */

static ngx_int_t
ngx_http_certificate_master_list_read(
    ngx_http_certificate_master_list_t *list)
{
    ngx_pki_op_t          *op;
    ngx_uint_t             limit;
    ngx_pki_store_job_t   *store;
    ngx_pki_authority_t  **authority;

    op = ngx_pki_op_create(list->op->log);
    if (op == NULL) {
        return NGX_ERROR;
    }

    store = ngx_pcalloc(op->pool, sizeof(ngx_pki_store_job_t));
    if (store == NULL) {
        ngx_pki_op_destroy(op);
        return NGX_ERROR;
    }

    authority = list->authorities->elts;
    limit = NGX_HTTP_CERTIFICATE_MASTER_PAGE;

    if (ngx_http_certificate_master_query_all(&list->query)) {
        limit = ngx_min(limit,
                        list->query.max - json_array_size(list->items));
    }

    op->client = list->op->client;
    op->authority = authority[list->n]->name;

    store->op = op;
    store->store = &authority[list->n]->store;
    store->cursor = list->position;
    store->limit = limit;
    store->handler = ngx_http_certificate_master_list_handler;
    store->data = list;

    if (list->pending) {
        ngx_pki_store_pending_list(store);

    } else {
        ngx_pki_store_list(store);
    }

    return NGX_OK;
}


static void
ngx_http_certificate_master_list_handler(ngx_pki_store_job_t *store)
{
    ngx_int_t                            rc;
    ngx_http_certificate_master_list_t  *list;

    list = store->data;
    list->elapsed += store->elapsed;

    switch (store->result) {

    case NGX_PKI_STORE_OK:
        rc = ngx_http_certificate_master_list_page(list, store);
        break;

    case NGX_PKI_STORE_NOT_FOUND:
        list->query.error = "invalid \"cursor\"";
        rc = NGX_DECLINED;
        break;

    default:
        rc = NGX_BUSY;
        break;
    }

    ngx_pki_op_destroy(store->op);

    if (rc == NGX_AGAIN && ngx_http_pki_op_request(list->op) != NULL) {
        rc = ngx_http_certificate_master_list_read(list);

        if (rc == NGX_OK) {
            return;
        }
    }

    ngx_http_certificate_master_list_finish(list, rc);
}


/* NGX_AGAIN: there is more to read; NGX_DONE: enough; NGX_ERROR */

static ngx_int_t
ngx_http_certificate_master_list_page(
    ngx_http_certificate_master_list_t *list, ngx_pki_store_job_t *store)
{
    ngx_int_t          rc;
    ngx_pki_record_t  *stop;

    stop = NULL;

    rc = list->pending
         ? ngx_http_certificate_master_list_requests(list, store)
         : ngx_http_certificate_master_list_records(list, store, &stop);

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    if (stop != NULL) {
        if (ngx_http_certificate_master_list_position(list, stop) != NGX_OK) {
            return NGX_ERROR;
        }

        return NGX_DONE;
    }

    if (store->cursor.len != 0) {
        if (ngx_pki_op_copy(list->op, &list->position, &store->cursor)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

    } else {
        ngx_str_null(&list->position);
        list->n++;
    }

    if (list->n == list->last
        || json_array_size(list->items) >= list->query.max
        || list->scanned >= NGX_HTTP_CERTIFICATE_MASTER_SCAN)
    {
        return NGX_DONE;
    }

    return NGX_AGAIN;
}


/* "stop": the last record looked at, if the page is not looked at to its end */

static ngx_int_t
ngx_http_certificate_master_list_records(
    ngx_http_certificate_master_list_t *list, ngx_pki_store_job_t *store,
    ngx_pki_record_t **stop)
{
    json_t                *item;
    ngx_uint_t             i;
    ngx_pki_record_t      *record;
    ngx_pki_authority_t  **authority;

    authority = list->authorities->elts;
    record = store->records->elts;

    for (i = 0; i < store->records->nelts; i++) {

        if (json_array_size(list->items) >= list->query.max) {
            *stop = &record[i - 1];
            return NGX_OK;
        }

        list->scanned++;

        if (!ngx_http_certificate_master_query_match(&list->query, &record[i],
                                                     ngx_time()))
        {
            continue;
        }

        item = ngx_http_certificate_master_item(authority[list->n],
                                                &record[i]);

        /* refuses NULL, and releases the item if it fails */

        if (json_array_append_new(list->items, item) != 0) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_certificate_master_list_requests(
    ngx_http_certificate_master_list_t *list, ngx_pki_store_job_t *store)
{
    json_t                *item;
    ngx_uint_t             i;
    ngx_pki_pending_t     *pending;
    ngx_pki_authority_t  **authority;

    authority = list->authorities->elts;
    pending = store->requests->elts;

    for (i = 0; i < store->requests->nelts; i++) {
        item = ngx_http_certificate_master_pending_item(authority[list->n],
                                                        &pending[i]);

        if (json_array_append_new(list->items, item) != 0) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* a store's cursor is where its last record stands: see ngx_pki_store_list() */

static ngx_int_t
ngx_http_certificate_master_list_position(
    ngx_http_certificate_master_list_t *list, ngx_pki_record_t *record)
{
    u_char  *p;

    p = ngx_pnalloc(list->op->pool,
                    NGX_TIME_T_LEN + 1 + record->serial.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    list->position.data = p;
    list->position.len = ngx_sprintf(p, "%T-%V", record->issued_at,
                                     &record->serial)
                         - p;

    return NGX_OK;
}


static void
ngx_http_certificate_master_list_finish(
    ngx_http_certificate_master_list_t *list, ngx_int_t rc)
{
    ngx_pki_op_t        *op;
    ngx_http_request_t  *r;

    op = list->op;
    r = ngx_http_pki_op_request(op);

    if (r != NULL) {
        ngx_http_pki_op_finalize(op,
                         ngx_http_certificate_master_list_answer(r, list, rc));
    }

    ngx_pki_op_destroy(op);
}


static ngx_int_t
ngx_http_certificate_master_list_answer(ngx_http_request_t *r,
    ngx_http_certificate_master_list_t *list, ngx_int_t rc)
{
    json_t              *answer;
    ngx_http_pki_ctx_t  *ctx;

    ctx = ngx_http_pki_get_ctx(r);

    if (ctx != NULL) {
        ngx_http_pki_set_time(r, &ctx->store_time, list->elapsed);
    }

    switch (rc) {

    case NGX_DONE:
        break;

    case NGX_DECLINED:
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "invalid query of a list: %s", list->query.error);
        return ngx_http_rest_error(r, NGX_HTTP_BAD_REQUEST, "bad_request",
                                   list->query.error);

    case NGX_BUSY:
        return ngx_http_rest_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                   "unavailable", "try again later");

    default: /* NGX_ERROR */
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    answer = ngx_pki_json_own(r->pool, json_object());

    if (answer == NULL
        || json_object_set(answer, list->pending ? "pending" : "certificates",
                           list->items)
           != 0
        || ngx_http_certificate_master_list_cursor(r, list, answer) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_rest_json(r, NGX_HTTP_OK, answer);
}


static ngx_int_t
ngx_http_certificate_master_list_cursor(ngx_http_request_t *r,
    ngx_http_certificate_master_list_t *list, json_t *answer)
{
    ngx_str_t                              text;
    ngx_pki_authority_t                  **authority;
    ngx_http_certificate_master_cursor_t   cursor;

    if (list->n == list->last) {
        return ngx_pki_json_set(answer, "cursor", NULL);
    }

    authority = list->authorities->elts;

    cursor.authority = authority[list->n]->name;
    cursor.position = list->position;

    if (ngx_http_certificate_master_cursor_print(r->pool, &cursor, &text)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_pki_json_set(answer, "cursor", &text);
}


/* the page being read ends by itself, and then everything does */

static void
ngx_http_certificate_master_list_expire(ngx_pki_op_t *op)
{
    ngx_http_request_t  *r;

    r = ngx_http_pki_op_request(op);

    ngx_http_pki_op_finalize(op,
                   ngx_http_certificate_master_list_answer(r, op->data,
                                                           NGX_BUSY));
}
