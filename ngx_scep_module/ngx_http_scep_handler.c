
/*
 * Copyright (C) the ngx_pki authors
 *
 * From the request to its operation (RFC 8894, 4).
 */


#include "ngx_http_scep_ca.h"
#include "ngx_pki_ra.h"


/* as they stand in the URI; NULL data: not there */

typedef struct {
    ngx_str_t                  operation;
    ngx_str_t                  message;
    ngx_uint_t                 operations;   /* how many */
    ngx_uint_t                 messages;
} ngx_http_scep_args_t;


typedef struct {
    ngx_str_t                  name;
    ngx_int_t                (*handler)(ngx_http_request_t *r);
} ngx_http_scep_op_t;


static void ngx_http_scep_parse_args(ngx_http_request_t *r,
    ngx_http_scep_args_t *args);
static void ngx_http_scep_parse_arg(ngx_str_t *arg,
    ngx_http_scep_args_t *args);
static ngx_int_t ngx_http_scep_run(ngx_http_request_t *r,
    ngx_http_scep_op_t *op);
static ngx_int_t ngx_http_scep_pki_operation(ngx_http_request_t *r);
static void ngx_http_scep_body_handler(ngx_http_request_t *r,
    ngx_str_t *body);
static ngx_int_t ngx_http_scep_get_message(ngx_http_request_t *r,
    ngx_str_t *body);
static ngx_int_t ngx_http_scep_not_allowed(ngx_http_request_t *r,
    const char *allow);


static ngx_http_scep_op_t  ngx_http_scep_ops[] = {
    { ngx_string("PKIOperation"), ngx_http_scep_pki_operation },
    { ngx_string("GetCACaps"), ngx_http_scep_get_ca_caps },
    { ngx_string("GetCACert"), ngx_http_scep_get_ca_cert },
    { ngx_string("GetNextCACert"), ngx_http_scep_get_next_ca_cert },
    { ngx_null_string, NULL }
};


ngx_str_t  ngx_http_scep_type_text = ngx_string("text/plain");

static ngx_str_t  ngx_http_scep_no_store = ngx_string("no-store");
static ngx_str_t  ngx_http_scep_not_ready =
    ngx_string("the authority is not ready\n");


ngx_int_t
ngx_http_scep_handler(ngx_http_request_t *r)
{
    ngx_http_pki_ctx_t        *ctx;
    ngx_http_scep_op_t        *op;
    ngx_http_scep_args_t       args;
    ngx_http_scep_loc_conf_t  *slcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_POST))) {
        return ngx_http_scep_not_allowed(r, "GET, HEAD, POST");
    }

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_scep_module);

    ctx = ngx_http_pki_get_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->authority = slcf->authority->name;

    ngx_http_scep_parse_args(r, &args);

    if (args.operations > 1) {
        return ngx_http_scep_bad_request(r, "more than one operation");
    }

    /* many clients do not say what they post */

    if (args.operations == 0 && r->method == NGX_HTTP_POST) {
        ngx_str_set(&args.operation, "PKIOperation");
    }

    for (op = ngx_http_scep_ops; op->name.len != 0; op++) {
        if (ngx_scep_str_eq(&args.operation, &op->name)) {
            ctx->scep_operation = op->name;
            return ngx_http_scep_run(r, op);
        }
    }

    return ngx_http_scep_bad_request(r, "unknown operation");
}


static void
ngx_http_scep_parse_args(ngx_http_request_t *r, ngx_http_scep_args_t *args)
{
    u_char     *p, *last;
    ngx_str_t   arg;

    ngx_memzero(args, sizeof(ngx_http_scep_args_t));

    if (r->args.len == 0) {
        return;
    }

    p = r->args.data;
    last = p + r->args.len;

    while (p < last) {

        arg.data = p;

        while (p < last && *p != '&') {
            p++;
        }

        arg.len = p++ - arg.data;

        ngx_http_scep_parse_arg(&arg, args);
    }
}


static void
ngx_http_scep_parse_arg(ngx_str_t *arg, ngx_http_scep_args_t *args)
{
    u_char     *p;
    ngx_str_t   name, value;

    p = ngx_strlchr(arg->data, arg->data + arg->len, '=');

    if (p == NULL) {
        return;
    }

    name.data = arg->data;
    name.len = p - arg->data;
    value.data = p + 1;
    value.len = arg->len - name.len - 1;

    if (ngx_pki_str_eq(&name, "operation")) {
        args->operation = value;
        args->operations++;

    } else if (ngx_pki_str_eq(&name, "message")) {
        args->message = value;
        args->messages++;
    }
}


static ngx_int_t
ngx_http_scep_run(ngx_http_request_t *r, ngx_http_scep_op_t *op)
{
    ngx_int_t                  rc;
    ngx_http_scep_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_scep_module);

    if (ngx_pki_authority_trouble(slcf->authority) == NULL) {

        if (ngx_pki_ra_recipients(slcf->authority)->nelts != 0) {
            return op->handler(r);
        }

        ngx_http_scep_complain(r, slcf->authority);
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_pki_unavailable(r, NGX_HTTP_SCEP_RETRY_AFTER,
                                    &ngx_http_scep_not_ready);
}


void
ngx_http_scep_complain(ngx_http_request_t *r, ngx_pki_authority_t *a)
{
    const char                *trouble;
    ngx_http_core_loc_conf_t  *clcf;

    trouble = ngx_pki_authority_scep_trouble(a);

    if (trouble == NULL) {
        return;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    ngx_log_error(NGX_LOG_ERR, clcf->error_log, 0,
                  "\"scep\" cannot use authority \"%V\": %s",
                  &a->name, trouble);
}


static ngx_int_t
ngx_http_scep_pki_operation(ngx_http_request_t *r)
{
    /* a HEAD must not do what a GET does here */

    if (r->method == NGX_HTTP_HEAD) {
        return ngx_http_scep_not_allowed(r, "GET, POST");
    }

    if (ngx_http_pki_add_header(r, "Cache-Control", &ngx_http_scep_no_store)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_pki_read_body(r, NGX_SCEP_MAX_MESSAGE,
                                  ngx_http_scep_body_handler);
}


static void
ngx_http_scep_body_handler(ngx_http_request_t *r, ngx_str_t *body)
{
    ngx_int_t  rc;

    if (r->method == NGX_HTTP_GET) {
        rc = ngx_http_scep_get_message(r, body);

        if (rc == NGX_ERROR) {
            ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
            return;
        }

        if (rc == NGX_DECLINED) {
            rc = ngx_http_scep_bad_request(r, "bad message parameter");
            ngx_http_finalize_request(r, rc);
            return;
        }
    }

    if (body->len == 0) {
        rc = ngx_http_scep_bad_request(r, "no message");
        ngx_http_finalize_request(r, rc);
        return;
    }

    ngx_http_scep_operation(r, body);
}


/* Base64 is taken from the URI as it came: nginx would decode "%2B" alone. */

static ngx_int_t
ngx_http_scep_get_message(ngx_http_request_t *r, ngx_str_t *body)
{
    ngx_http_scep_args_t  args;

    ngx_http_scep_parse_args(r, &args);

    if (args.messages != 1) {
        return NGX_DECLINED;
    }

    return ngx_pki_base64_uri_decode(r->pool, &args.message, body);
}


static ngx_int_t
ngx_http_scep_not_allowed(ngx_http_request_t *r, const char *allow)
{
    ngx_int_t  rc;
    ngx_str_t  value, text;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    value.data = (u_char *) allow;
    value.len = ngx_strlen(allow);

    if (ngx_http_pki_add_header(r, "Allow", &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_set(&text, "method not allowed\n");

    return ngx_http_pki_send(r, NGX_HTTP_NOT_ALLOWED,
                             &ngx_http_scep_type_text, &text);
}


ngx_int_t
ngx_http_scep_bad_request(ngx_http_request_t *r, const char *text)
{
    u_char                    *p;
    ngx_int_t                  rc;
    ngx_str_t                  body;
    ngx_http_core_loc_conf_t  *clcf;

    /* the log of the connection would add the URI, that is the message */

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    ngx_log_error(NGX_LOG_INFO, clcf->error_log, 0,
                  "scep request refused: %s, client: %V",
                  text, &r->connection->addr_text);

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    body.len = ngx_strlen(text) + 1;
    body.data = ngx_pnalloc(r->pool, body.len);

    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_cpymem(body.data, text, body.len - 1);
    *p = LF;

    return ngx_http_pki_send(r, NGX_HTTP_BAD_REQUEST,
                             &ngx_http_scep_type_text, &body);
}
