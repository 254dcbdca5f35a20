
/*
 * Copyright (C) the ngx_pki authors
 *
 * Variables: for access logs, maps, limits.  None holds a secret.
 */


#include "ngx_http_pki_conf.h"


typedef struct {
    ngx_str_t                  name;
    size_t                     offset;       /* in ngx_http_pki_ctx_t */
} ngx_http_pki_variable_t;


static ngx_int_t ngx_http_pki_get_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


static ngx_int_t ngx_http_pki_get_ocsp_serial(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


#define ngx_http_pki_variable(name, field)                                   \
    { ngx_string(name), offsetof(ngx_http_pki_ctx_t, field) }


static ngx_http_pki_variable_t  ngx_http_pki_variables[] = {
    ngx_http_pki_variable("pki_authority", authority),
    ngx_http_pki_variable("pki_serial", serial),
    ngx_http_pki_variable("pki_subject", subject),
    ngx_http_pki_variable("pki_profile", profile),
    ngx_http_pki_variable("pki_device", device),
    ngx_http_pki_variable("pki_sign_time", sign_time),
    ngx_http_pki_variable("pki_store_time", store_time),
    ngx_http_pki_variable("scep_operation", scep_operation),
    ngx_http_pki_variable("scep_message_type", scep_message_type),
    ngx_http_pki_variable("scep_transaction_id", scep_transaction_id),
    ngx_http_pki_variable("scep_status", scep_status),
    ngx_http_pki_variable("scep_fail_info", scep_fail_info),
    ngx_http_pki_variable("scep_challenge_result", scep_challenge_result),
    ngx_http_pki_variable("scep_challenge_by", scep_challenge_by),
    ngx_http_pki_variable("scep_challenge_code", scep_challenge_code),
    ngx_http_pki_variable("scep_challenge_time", scep_challenge_time),
    ngx_http_pki_variable("enroll_status", enroll_status),
    ngx_http_pki_variable("ocsp_status", ocsp_status),
    ngx_http_pki_variable("ocsp_reason", ocsp_reason),
    ngx_http_pki_variable("ocsp_cache", ocsp_cache),
    ngx_http_pki_variable("crl_number", crl_number),
    { ngx_null_string, 0 }
};


static ngx_str_t  ngx_http_pki_ocsp_serial = ngx_string("ocsp_serial");


ngx_int_t
ngx_http_pki_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t      *var;
    ngx_http_pki_variable_t  *v;

    for (v = ngx_http_pki_variables; v->name.len != 0; v++) {

        var = ngx_http_add_variable(cf, &v->name, NGX_HTTP_VAR_NOCACHEABLE);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = ngx_http_pki_get_variable;
        var->data = v->offset;
    }

    var = ngx_http_add_variable(cf, &ngx_http_pki_ocsp_serial,
                                NGX_HTTP_VAR_NOCACHEABLE);
    if (var == NULL) {
        return NGX_ERROR;
    }

    var->get_handler = ngx_http_pki_get_ocsp_serial;

    return NGX_OK;
}


static ngx_int_t
ngx_http_pki_get_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_str_t           *s;
    ngx_http_pki_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);

    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    s = (ngx_str_t *) ((char *) ctx + data);

    if (s->len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->len = s->len;
    v->data = s->data;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;

    return NGX_OK;
}


/* printed when it is asked for: most of those who ask OCSP want no log */

static ngx_int_t
ngx_http_pki_get_ocsp_serial(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_pki_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);

    if (ctx == NULL || ctx->ocsp_serial.len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = ngx_pnalloc(r->pool, 2 * ctx->ocsp_serial.len);
    if (v->data == NULL) {
        return NGX_ERROR;
    }

    v->len = ngx_hex_dump(v->data, ctx->ocsp_serial.data,
                          ctx->ocsp_serial.len)
             - v->data;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;

    return NGX_OK;
}
