
/*
 * Copyright (C) the ngx_pki authors
 *
 * Requests: bodies, operations on their behalf, answers.
 */


#include "ngx_http_pki_module.h"


#define NGX_HTTP_PKI_ETAG_OCTETS  16         /* of SHA-256 */


typedef struct {
    size_t                     max;
    ngx_http_pki_body_pt       handler;
} ngx_http_pki_body_t;


/* between a request and its operation; in the request's pool */

typedef struct {
    ngx_pki_op_t              *op;
} ngx_http_pki_link_t;


/* the context as other modules see it is its first member */

typedef struct {
    ngx_http_pki_ctx_t         variables;
    ngx_http_pki_body_t        body;
} ngx_http_pki_request_ctx_t;


static ngx_http_pki_request_ctx_t *ngx_http_pki_request_ctx(
    ngx_http_request_t *r);
static void ngx_http_pki_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_pki_collect_body(ngx_http_request_t *r, size_t max,
    ngx_str_t *body);
static ngx_int_t ngx_http_pki_too_large(ngx_http_request_t *r, off_t len);
static u_char *ngx_http_pki_collect_buf(ngx_buf_t *b, u_char *p,
    ngx_log_t *log);
static void ngx_http_pki_op_cleanup(void *data);
static ngx_table_elt_t *ngx_http_pki_push_header(ngx_http_request_t *r,
    const char *name, ngx_str_t *value);


ngx_http_pki_ctx_t *
ngx_http_pki_get_ctx(ngx_http_request_t *r)
{
    ngx_http_pki_request_ctx_t  *ctx;

    ctx = ngx_http_pki_request_ctx(r);

    return ctx != NULL ? &ctx->variables : NULL;
}


static ngx_http_pki_request_ctx_t *
ngx_http_pki_request_ctx(ngx_http_request_t *r)
{
    ngx_http_pki_request_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);

    if (ctx == NULL) {
        ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_pki_request_ctx_t));

        if (ctx != NULL) {
            ngx_http_set_ctx(r, ctx, ngx_http_pki_module);
        }
    }

    return ctx;
}


void
ngx_http_pki_set(ngx_http_request_t *r, ngx_str_t *field, ngx_str_t *value)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, value->len + 1);

    if (p == NULL) {
        return;
    }

    ngx_memcpy(p, value->data, value->len);

    field->len = value->len;
    field->data = p;
}


void
ngx_http_pki_set_time(ngx_http_request_t *r, ngx_str_t *field,
    ngx_msec_t elapsed)
{
    u_char  *p;

    if (elapsed == 0) {
        ngx_str_set(field, "0.000");
        return;
    }

    p = ngx_pnalloc(r->pool, NGX_TIME_T_LEN + sizeof(".000"));

    if (p == NULL) {
        return;
    }

    field->data = p;
    field->len = ngx_sprintf(p, "%T.%03M", (time_t) (elapsed / 1000),
                             elapsed % 1000)
                 - p;
}


ngx_int_t
ngx_http_pki_read_body(ngx_http_request_t *r, size_t max,
    ngx_http_pki_body_pt handler)
{
    ngx_int_t                    rc;
    ngx_http_pki_request_ctx_t  *ctx;

    if (r->headers_in.content_length_n > (off_t) max) {
        return ngx_http_pki_too_large(r, r->headers_in.content_length_n);
    }

    ctx = ngx_http_pki_request_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->body.max = max;
    ctx->body.handler = handler;

    rc = ngx_http_read_client_request_body(r, ngx_http_pki_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static void
ngx_http_pki_body_handler(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_str_t                    body;
    ngx_http_pki_request_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);

    rc = ngx_http_pki_collect_body(r, ctx->body.max, &body);

    if (rc != NGX_OK) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    ctx->body.handler(r, &body);
}


/* a body may lie in several buffers and partly in a file */

static ngx_int_t
ngx_http_pki_collect_body(ngx_http_request_t *r, size_t max, ngx_str_t *body)
{
    off_t         len;
    u_char       *p;
    ngx_chain_t  *cl;

    ngx_str_null(body);

    if (r->request_body == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    len = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        len += ngx_buf_size(cl->buf);
    }

    /* a chunked body does not say its length in advance */

    if (len > (off_t) max) {
        return ngx_http_pki_too_large(r, len);
    }

    cl = r->request_body->bufs;

    if (cl == NULL) {
        return NGX_OK;
    }

    if (cl->next == NULL && !cl->buf->in_file) {
        body->data = cl->buf->pos;
        body->len = cl->buf->last - cl->buf->pos;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, len + 1);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body->data = p;

    for (/* void */; cl; cl = cl->next) {
        p = ngx_http_pki_collect_buf(cl->buf, p, r->connection->log);

        if (p == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    body->len = p - body->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_pki_too_large(ngx_http_request_t *r, off_t len)
{
    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "body of %O octets is too large", len);

    return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
}


static u_char *
ngx_http_pki_collect_buf(ngx_buf_t *b, u_char *p, ngx_log_t *log)
{
    size_t   size;
    ssize_t  n;

    if (!b->in_file) {
        return ngx_cpymem(p, b->pos, b->last - b->pos);
    }

    size = b->file_last - b->file_pos;

    n = ngx_read_file(b->file, p, size, b->file_pos);

    if (n != (ssize_t) size) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "cannot read a buffered request body");
        return NULL;
    }

    return p + size;
}


ngx_pki_op_t *
ngx_http_pki_op_create(ngx_http_request_t *r, ngx_msec_t timeout,
    ngx_pki_op_pt expire)
{
    ngx_pki_op_t                *op;
    ngx_http_cleanup_t          *cln;
    ngx_http_pki_link_t         *link;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_pki_request_ctx_t  *ctx;

    ctx = ngx_http_pki_request_ctx(r);
    if (ctx == NULL) {
        return NULL;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    cln = ngx_http_cleanup_add(r, sizeof(ngx_http_pki_link_t));
    if (cln == NULL) {
        return NULL;
    }

    /* the log of the location belongs to the cycle, that of the connection
     * goes with the client */

    op = ngx_pki_op_create(clcf->error_log);
    if (op == NULL) {
        return NULL;
    }

    if (ngx_pki_op_copy(op, &op->client, &r->connection->addr_text)
        != NGX_OK)
    {
        ngx_pki_op_destroy(op);
        return NULL;
    }

    link = cln->data;
    link->op = op;

    cln->handler = ngx_http_pki_op_cleanup;

    op->request = r;
    op->link = link;

    ngx_pki_op_deadline(op, timeout, expire);

    /* whoever read the body holds a reference for its handler already */

    if (ctx->body.handler == NULL) {
        r->main->count++;
    }

    /* a client that goes away is noticed; one that sends on is read first */

    if (!r->discard_body) {
        r->read_event_handler = ngx_http_test_reading;
    }

    r->write_event_handler = ngx_http_request_empty_handler;

    return op;
}


ngx_http_request_t *
ngx_http_pki_op_request(ngx_pki_op_t *op)
{
    return op->request;
}


void
ngx_http_pki_op_finalize(ngx_pki_op_t *op, ngx_int_t rc)
{
    ngx_connection_t     *c;
    ngx_http_request_t   *r;
    ngx_http_pki_link_t  *link;

    r = op->request;

    if (r == NULL) {
        return;
    }

    link = op->link;
    link->op = NULL;

    op->request = NULL;
    op->link = NULL;

    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_http_finalize_request(r, rc);

    /*
     * What it posted, as to free a request whose client is gone, runs later:
     * perhaps it is the request's own handler that led here, and nginx needs
     * the request when that returns.
     */

    if (!c->destroyed) {
        ngx_post_event(c->write, &ngx_posted_events);
    }
}


static void
ngx_http_pki_op_cleanup(void *data)
{
    ngx_http_pki_link_t  *link = data;

    if (link->op != NULL) {
        link->op->request = NULL;
        link->op->link = NULL;
    }
}


ngx_int_t
ngx_http_pki_send(ngx_http_request_t *r, ngx_uint_t status, ngx_str_t *type,
    ngx_str_t *body)
{
    ngx_buf_t    *b;
    ngx_int_t     rc;
    ngx_chain_t   out;

    r->headers_out.status = status;
    r->headers_out.content_length_n = body->len;
    r->headers_out.content_type = *type;
    r->headers_out.content_type_len = type->len;
    r->headers_out.content_type_lowcase = NULL;

    if (r->method != NGX_HTTP_GET && r->method != NGX_HTTP_HEAD) {
        r->disable_not_modified = 1;
    }

    if (body->len == 0) {
        r->header_only = 1;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_create_temp_buf(r->pool, body->len);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last = ngx_cpymem(b->last, body->data, body->len);
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


ngx_int_t
ngx_http_pki_add_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    return ngx_http_pki_push_header(r, name, value) != NULL
           ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_pki_add_etag(ngx_http_request_t *r, ngx_str_t *body)
{
    ngx_str_t  etag;

    if (ngx_http_pki_etag(r->pool, body, &etag) != NGX_OK) {
        return NGX_ERROR;
    }

    r->headers_out.etag = ngx_http_pki_push_header(r, "ETag", &etag);

    return (r->headers_out.etag != NULL) ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_pki_etag(ngx_pool_t *pool, ngx_str_t *body, ngx_str_t *etag)
{
    u_char  *p, digest[EVP_MAX_MD_SIZE];

    if (EVP_Digest(body->data, body->len, digest, NULL, EVP_sha256(), NULL)
        != 1)
    {
        ERR_clear_error();
        return NGX_ERROR;
    }

    p = ngx_pnalloc(pool, 2 + 2 * NGX_HTTP_PKI_ETAG_OCTETS);
    if (p == NULL) {
        return NGX_ERROR;
    }

    etag->data = p;

    *p++ = '"';
    p = ngx_hex_dump(p, digest, NGX_HTTP_PKI_ETAG_OCTETS);
    *p++ = '"';

    etag->len = p - etag->data;

    return NGX_OK;
}


static ngx_table_elt_t *
ngx_http_pki_push_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NULL;
    }

#if (NGX_PKI_HEADER_LISTS)
    h->next = NULL;
#endif

    h->hash = 1;
    h->key.len = ngx_strlen(name);
    h->key.data = (u_char *) name;
    h->value = *value;

    return h;
}


ngx_int_t
ngx_http_pki_unavailable(ngx_http_request_t *r, ngx_uint_t seconds,
    ngx_str_t *text)
{
    u_char     *p;
    ngx_str_t   retry, type;

    p = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    retry.data = p;
    retry.len = ngx_sprintf(p, "%ui", seconds) - p;

    if (ngx_http_pki_add_header(r, "Retry-After", &retry) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_set(&type, "text/plain");

    return ngx_http_pki_send(r, NGX_HTTP_SERVICE_UNAVAILABLE, &type, text);
}
