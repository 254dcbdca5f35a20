
/*
 * Copyright (C) the ngx_pki authors
 *
 * "scep_challenge intune": Intune made the challenge, for this very request,
 * and says whether it did.
 */


#include "ngx_http_scep_intune.h"
#include "ngx_pki_intune_revocation.h"


static char *ngx_http_scep_intune_set(ngx_conf_t *cf, void **conf);
static char *ngx_http_scep_intune_param(ngx_conf_t *cf,
    ngx_http_scep_intune_conf_t *icf, ngx_str_t *param);
static ngx_int_t ngx_http_scep_intune_flag(ngx_str_t *value,
    ngx_flag_t *flag);
static char *ngx_http_scep_intune_enable(ngx_conf_t *cf,
    ngx_http_scep_loc_conf_t *slcf, void *conf);
static void ngx_http_scep_intune_ask(ngx_http_scep_operation_t *so,
    void *conf);
static void ngx_http_scep_intune_ask_handler(ngx_pki_intune_call_t *call);
static void ngx_http_scep_intune_accept(ngx_http_scep_operation_t *so,
    ngx_http_scep_intune_conf_t *icf);


ngx_http_scep_voucher_t  ngx_http_scep_intune = {
    ngx_string("intune"),
    ngx_http_scep_intune_set,
    ngx_http_scep_intune_enable,
    ngx_http_scep_intune_ask,
    ngx_http_scep_intune_issued,
    ngx_http_scep_intune_failed
};


static char *
ngx_http_scep_intune_set(ngx_conf_t *cf, void **conf)
{
    char                         *rv;
    ngx_str_t                    *value;
    ngx_uint_t                    i;
    ngx_http_pki_main_conf_t     *pmcf;
    ngx_http_scep_intune_conf_t  *icf;

    icf = ngx_pcalloc(cf->pool, sizeof(ngx_http_scep_intune_conf_t));
    if (icf == NULL) {
        return NGX_CONF_ERROR;
    }

    icf->wait_success = NGX_CONF_UNSET;
    icf->revocation = NGX_CONF_UNSET;

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_http_scep_intune_param(cf, icf, &value[i]);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    ngx_conf_init_value(icf->wait_success, 1);
    ngx_conf_init_value(icf->revocation, 1);

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_pki_module);

    icf->intune = ngx_pki_intune_add(cf, &pmcf->intunes, &icf->identity);

    if (icf->intune == NULL) {
        return NGX_CONF_ERROR;
    }

    *conf = icf;

    return NGX_CONF_OK;
}


static char *
ngx_http_scep_intune_param(ngx_conf_t *cf, ngx_http_scep_intune_conf_t *icf,
    ngx_str_t *param)
{
    ngx_int_t  rc;
    ngx_str_t  v;

    rc = NGX_DECLINED;

    if (ngx_http_pki_param(param, "identity=", &v)) {

        if (v.len != 0 && icf->identity.len == 0) {
            icf->identity = v;
            rc = NGX_OK;
        }

    } else if (ngx_http_pki_param(param, "wait_success=", &v)) {
        rc = ngx_http_scep_intune_flag(&v, &icf->wait_success);

    } else if (ngx_http_pki_param(param, "revocation=", &v)) {
        rc = ngx_http_scep_intune_flag(&v, &icf->revocation);
    }

    if (rc == NGX_OK) {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" in \"scep_challenge "
                       "intune\", it takes \"identity=name\", "
                       "\"wait_success=on|off\" and \"revocation=on|off\", "
                       "each once", param);

    return NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_scep_intune_flag(ngx_str_t *value, ngx_flag_t *flag)
{
    if (*flag != NGX_CONF_UNSET) {
        return NGX_DECLINED;
    }

    if (ngx_pki_str_eq(value, "on")) {
        *flag = 1;
        return NGX_OK;
    }

    if (ngx_pki_str_eq(value, "off")) {
        *flag = 0;
        return NGX_OK;
    }

    return NGX_DECLINED;
}


static char *
ngx_http_scep_intune_enable(ngx_conf_t *cf, ngx_http_scep_loc_conf_t *slcf,
    void *conf)
{
    ngx_http_scep_intune_conf_t *icf = conf;

    ngx_pki_authority_t  *a;

    /* whoever follows it issues here as well */

    a = slcf->authority;
    a = (a->next != NULL) ? a->next : a;

    if (icf->revocation
        && ngx_pki_intune_revocation_add(cf, icf->intune, a) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_http_scep_intune_ctx_t *
ngx_http_scep_intune_create(ngx_http_scep_operation_t *so,
    ngx_http_scep_intune_conf_t *icf)
{
    ngx_http_scep_intune_ctx_t  *ctx;

    ctx = ngx_pcalloc(so->op->pool, sizeof(ngx_http_scep_intune_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    ctx->so = so;
    ctx->conf = icf;

    ctx->call.intune = icf->intune;
    ctx->call.op = so->op;
    ctx->call.data = ctx;
    ctx->call.transaction = so->message.transaction;
    ctx->call.csr = so->csr.der;

    return ctx;
}


/* Is it a request that Intune ordered? */

static void
ngx_http_scep_intune_ask(ngx_http_scep_operation_t *so, void *conf)
{
    ngx_str_t                    none;
    ngx_pki_intune_call_t       *call;
    ngx_http_scep_intune_ctx_t  *ctx;

    ngx_str_null(&none);

    ctx = ngx_http_scep_intune_create(so, conf);

    if (ctx == NULL) {
        ngx_http_scep_vouched(so, NGX_HTTP_SCEP_VOUCH_UNAVAILABLE, &none,
                              &none);
        return;
    }

    ngx_pki_op_action(so->op, "asking intune about a scep request");

    call = &ctx->call;

    call->kind = NGX_PKI_INTUNE_VALIDATE;
    call->handler = ngx_http_scep_intune_ask_handler;

    ngx_pki_intune_send(call);
}


static void
ngx_http_scep_intune_ask_handler(ngx_pki_intune_call_t *call)
{
    ngx_http_scep_operation_t     *so;
    ngx_http_scep_intune_ctx_t    *ctx;
    ngx_http_scep_vouch_result_e   result;

    ctx = call->data;
    so = ctx->so;

    switch (call->result) {

    case NGX_PKI_INTUNE_OK:
        ngx_http_scep_intune_accept(so, ctx->conf);
        result = NGX_HTTP_SCEP_VOUCH_ACCEPTED;
        break;

    case NGX_PKI_INTUNE_REFUSED:
        result = NGX_HTTP_SCEP_VOUCH_REFUSED;
        break;

    default: /* NGX_PKI_INTUNE_UNAVAILABLE */
        result = NGX_HTTP_SCEP_VOUCH_UNAVAILABLE;
        break;
    }

    ngx_http_scep_vouched(so, result, &call->code, &call->error);
}


/*
 * Whose it is, is said in Intune's manner, whatever "scep_device" says: Intune
 * has compared the names with its order.
 */

static void
ngx_http_scep_intune_accept(ngx_http_scep_operation_t *so,
    ngx_http_scep_intune_conf_t *icf)
{
    ngx_pki_notice_t  *notice;

    so->issue.device_rule = NGX_PKI_DEVICE_INTUNE;
    so->csr.names_only = 1;

    if (icf->wait_success) {
        so->issue.withheld = ngx_http_scep_intune.name;
        return;
    }

    notice = &so->issue.notice;

    notice->kind = ngx_http_scep_intune.name;
    notice->to = *ngx_pki_intune_name(icf->intune);
    notice->transaction = so->message.transaction;
    notice->csr = so->csr.der;
    notice->created = ngx_time();
}
