
/*
 * Copyright (C) the ngx_pki authors
 *
 * Where the paths below a location lead.
 */


#include "ngx_http_certificate_master_api.h"
#include "ngx_http_certificate_master_query.h"


#define NGX_HTTP_CERTIFICATE_MASTER_READ     (NGX_HTTP_GET|NGX_HTTP_HEAD)


typedef struct {
    ngx_str_t                           name;
    ngx_http_certificate_master_what_e  all;
    ngx_http_certificate_master_what_e  one;
} ngx_http_certificate_master_collection_t;


static ngx_int_t ngx_http_certificate_master_name(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call,
    ngx_http_certificate_master_what_e what, ngx_str_t *name);
static ngx_int_t ngx_http_certificate_master_path(ngx_http_request_t *r,
    ngx_http_certificate_master_conf_t *conf,
    ngx_http_certificate_master_what_e *what, ngx_str_t *name,
    ngx_str_t *suffix);
static ngx_http_certificate_master_collection_t *
    ngx_http_certificate_master_find_collection(u_char **pos, u_char *last);
static ngx_http_certificate_master_route_t *
    ngx_http_certificate_master_find_route(ngx_str_t *suffix,
    ngx_http_certificate_master_what_e what, ngx_uint_t method,
    ngx_uint_t *methods);


static ngx_http_certificate_master_collection_t
    ngx_http_certificate_master_collections[] =
{
    { ngx_string("api/certificates"),
      NGX_HTTP_CERTIFICATE_MASTER_CERTIFICATES,
      NGX_HTTP_CERTIFICATE_MASTER_CERTIFICATE },

    { ngx_string("api/pending"),
      NGX_HTTP_CERTIFICATE_MASTER_PENDING,
      NGX_HTTP_CERTIFICATE_MASTER_PENDING_ONE },

    { ngx_string("api/challenges"),
      NGX_HTTP_CERTIFICATE_MASTER_CHALLENGES,
      NGX_HTTP_CERTIFICATE_MASTER_NOTHING },

    { ngx_null_string, 0, 0 }
};


static ngx_http_certificate_master_route_t
    ngx_http_certificate_master_routes[] =
{
    { ngx_string(""), NGX_HTTP_CERTIFICATE_MASTER_CERTIFICATES,
      NGX_HTTP_CERTIFICATE_MASTER_READ,
      NGX_HTTP_CERTIFICATE_MASTER_READER,
      NGX_HTTP_CERTIFICATE_MASTER_BODY,
      ngx_http_certificate_master_list },

    { ngx_string(""), NGX_HTTP_CERTIFICATE_MASTER_CERTIFICATES,
      NGX_HTTP_POST,
      NGX_HTTP_CERTIFICATE_MASTER_ISSUE,
      NGX_HTTP_CERTIFICATE_MASTER_REQUEST,
      ngx_http_certificate_master_issue },

    { ngx_string(""), NGX_HTTP_CERTIFICATE_MASTER_CERTIFICATE,
      NGX_HTTP_CERTIFICATE_MASTER_READ,
      NGX_HTTP_CERTIFICATE_MASTER_READER,
      NGX_HTTP_CERTIFICATE_MASTER_BODY,
      ngx_http_certificate_master_get },

    { ngx_string(".pem"), NGX_HTTP_CERTIFICATE_MASTER_CERTIFICATE,
      NGX_HTTP_CERTIFICATE_MASTER_READ,
      NGX_HTTP_CERTIFICATE_MASTER_READER,
      NGX_HTTP_CERTIFICATE_MASTER_BODY,
      ngx_http_certificate_master_get_pem },

    { ngx_string(".der"), NGX_HTTP_CERTIFICATE_MASTER_CERTIFICATE,
      NGX_HTTP_CERTIFICATE_MASTER_READ,
      NGX_HTTP_CERTIFICATE_MASTER_READER,
      NGX_HTTP_CERTIFICATE_MASTER_BODY,
      ngx_http_certificate_master_get_der },

    { ngx_string("/chain"), NGX_HTTP_CERTIFICATE_MASTER_CERTIFICATE,
      NGX_HTTP_CERTIFICATE_MASTER_READ,
      NGX_HTTP_CERTIFICATE_MASTER_READER,
      NGX_HTTP_CERTIFICATE_MASTER_BODY,
      ngx_http_certificate_master_get_chain },

    { ngx_string("/revoke"), NGX_HTTP_CERTIFICATE_MASTER_CERTIFICATE,
      NGX_HTTP_POST,
      NGX_HTTP_CERTIFICATE_MASTER_REVOKE,
      NGX_HTTP_CERTIFICATE_MASTER_BODY,
      ngx_http_certificate_master_revoke },

    { ngx_string("/release"), NGX_HTTP_CERTIFICATE_MASTER_CERTIFICATE,
      NGX_HTTP_POST,
      NGX_HTTP_CERTIFICATE_MASTER_REVOKE,
      NGX_HTTP_CERTIFICATE_MASTER_BODY,
      ngx_http_certificate_master_release },

    { ngx_string(""), NGX_HTTP_CERTIFICATE_MASTER_PENDING,
      NGX_HTTP_CERTIFICATE_MASTER_READ,
      NGX_HTTP_CERTIFICATE_MASTER_READER|NGX_HTTP_CERTIFICATE_MASTER_APPROVE,
      NGX_HTTP_CERTIFICATE_MASTER_BODY,
      ngx_http_certificate_master_pending },

    { ngx_string(""), NGX_HTTP_CERTIFICATE_MASTER_PENDING_ONE,
      NGX_HTTP_CERTIFICATE_MASTER_READ,
      NGX_HTTP_CERTIFICATE_MASTER_READER|NGX_HTTP_CERTIFICATE_MASTER_APPROVE,
      NGX_HTTP_CERTIFICATE_MASTER_BODY,
      ngx_http_certificate_master_pending_get },

    { ngx_string("/approve"), NGX_HTTP_CERTIFICATE_MASTER_PENDING_ONE,
      NGX_HTTP_POST,
      NGX_HTTP_CERTIFICATE_MASTER_APPROVE,
      NGX_HTTP_CERTIFICATE_MASTER_BODY,
      ngx_http_certificate_master_approve },

    { ngx_string("/reject"), NGX_HTTP_CERTIFICATE_MASTER_PENDING_ONE,
      NGX_HTTP_POST,
      NGX_HTTP_CERTIFICATE_MASTER_APPROVE,
      NGX_HTTP_CERTIFICATE_MASTER_BODY,
      ngx_http_certificate_master_reject },

    { ngx_string(""), NGX_HTTP_CERTIFICATE_MASTER_CHALLENGES,
      NGX_HTTP_POST,
      NGX_HTTP_CERTIFICATE_MASTER_ISSUE,
      NGX_HTTP_CERTIFICATE_MASTER_BODY,
      ngx_http_certificate_master_challenge },

    { ngx_null_string, 0, 0, 0, 0, NULL }
};


ngx_int_t
ngx_http_certificate_master_route(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call,
    ngx_http_certificate_master_route_t **route)
{
    ngx_str_t                           name, suffix;
    ngx_uint_t                          methods;
    ngx_http_certificate_master_what_e  what;

    methods = 0;
    *route = NULL;

    if (ngx_http_certificate_master_path(r, call->conf, &what, &name, &suffix)
        == NGX_OK)
    {
        *route = ngx_http_certificate_master_find_route(&suffix, what,
                                                        r->method, &methods);
    }

    if (methods == 0) {
        return ngx_http_certificate_master_refuse(call, NGX_HTTP_NOT_FOUND,
                                                  "not_found",
                                                  "there is no such page");
    }

    if (*route == NULL) {
        call->allow = (methods == NGX_HTTP_POST) ? "POST"
                      : (methods & NGX_HTTP_POST) ? "GET, HEAD, POST"
                      : "GET, HEAD";

        return ngx_http_certificate_master_refuse(call, NGX_HTTP_NOT_ALLOWED,
                                                  "method_not_allowed",
                                                  "method is not allowed");
    }

    return ngx_http_certificate_master_name(r, call, what, &name);
}


/* what it is about, if it is about one */

static ngx_int_t
ngx_http_certificate_master_name(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call,
    ngx_http_certificate_master_what_e what, ngx_str_t *name)
{
    ngx_int_t  rc;
    ngx_str_t  id, key;

    switch (what) {

    case NGX_HTTP_CERTIFICATE_MASTER_CERTIFICATE:
        rc = ngx_http_certificate_master_serial(r->pool, name, &call->serial);

        if (rc == NGX_DECLINED) {
            return ngx_http_certificate_master_refuse(call,
                                              NGX_HTTP_BAD_REQUEST,
                                              "bad_request",
                                              "malformed serial number");
        }

        return rc;

    case NGX_HTTP_CERTIFICATE_MASTER_PENDING_ONE:
        call->id = *name;

        if (ngx_pki_pending_handle_parse(name, &id, &key) != NGX_OK) {
            return ngx_http_certificate_master_refuse(call,
                                              NGX_HTTP_BAD_REQUEST,
                                              "bad_request", "malformed id");
        }

        return NGX_OK;

    default:
        return NGX_OK;
    }
}


/* takes the URI apart: NGX_DECLINED if it leads nowhere */

static ngx_int_t
ngx_http_certificate_master_path(ngx_http_request_t *r,
    ngx_http_certificate_master_conf_t *conf,
    ngx_http_certificate_master_what_e *what, ngx_str_t *name,
    ngx_str_t *suffix)
{
    size_t                                     len;
    u_char                                    *p, *last;
    ngx_http_certificate_master_collection_t  *collection;

    ngx_str_null(name);

    len = conf->prefix.len;

    if (r->uri.len < len
        || ngx_strncmp(r->uri.data, conf->prefix.data, len) != 0)
    {
        return NGX_DECLINED;
    }

    p = r->uri.data + len;
    last = r->uri.data + r->uri.len;

    if (len == 0 || conf->prefix.data[len - 1] != '/') {

        if (p == last || *p != '/') {
            return NGX_DECLINED;
        }

        p++;
    }

    collection = ngx_http_certificate_master_find_collection(&p, last);

    if (collection == NULL) {
        return NGX_DECLINED;
    }

    *what = collection->all;

    if (p < last) {
        name->data = ++p;

        while (p < last && *p != '/' && *p != '.') {
            p++;
        }

        name->len = p - name->data;

        if (name->len == 0) {
            return NGX_DECLINED;
        }

        *what = collection->one;
    }

    suffix->data = p;
    suffix->len = last - p;

    return NGX_OK;
}


/* moves "pos" behind its name, to a slash or the end; NULL: there is none */

static ngx_http_certificate_master_collection_t *
ngx_http_certificate_master_find_collection(u_char **pos, u_char *last)
{
    size_t                                     len;
    u_char                                    *p;
    ngx_http_certificate_master_collection_t  *collection;

    p = *pos;

    for (collection = ngx_http_certificate_master_collections;
         collection->name.len != 0;
         collection++)
    {
        len = collection->name.len;

        if ((size_t) (last - p) >= len
            && ngx_strncmp(p, collection->name.data, len) == 0
            && (p + len == last || p[len] == '/'))
        {
            *pos = p + len;
            return collection;
        }
    }

    return NULL;
}


/* NULL: this method is not; "methods" are what is, if anything */

static ngx_http_certificate_master_route_t *
ngx_http_certificate_master_find_route(ngx_str_t *suffix,
    ngx_http_certificate_master_what_e what, ngx_uint_t method,
    ngx_uint_t *methods)
{
    ngx_http_certificate_master_route_t  *route, *found;

    found = NULL;

    for (route = ngx_http_certificate_master_routes;
         route->handler != NULL;
         route++)
    {
        if (route->what != what
            || route->suffix.len != suffix->len
            || ngx_strncmp(route->suffix.data, suffix->data, suffix->len)
               != 0)
        {
            continue;
        }

        *methods |= route->methods;

        if (route->methods & method) {
            found = route;
        }
    }

    return found;
}
