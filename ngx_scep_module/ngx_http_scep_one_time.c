
/*
 * Copyright (C) the ngx_pki authors
 *
 * One-time challenges: looked at before anything is signed, and used up by the
 * very step that records the certificate.  What fails in between costs none.
 */


#include "ngx_http_scep_vouch.h"
#include "ngx_http_challenge_scope.h"


#define NGX_HTTP_SCEP_ONE_TIME_TTL      3600
#define NGX_HTTP_SCEP_ONE_TIME_TTL_MIN  10


typedef struct {
    time_t                     ttl;
    ngx_str_t                  scope;        /* empty: the profile's name */
} ngx_http_scep_one_time_t;


static char *ngx_http_scep_one_time_set(ngx_conf_t *cf, void **conf);
static char *ngx_http_scep_one_time_ttl(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_scep_one_time_t *ot);
static char *ngx_http_scep_one_time_scope(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_scep_one_time_t *ot);
static char *ngx_http_scep_one_time_enable(ngx_conf_t *cf,
    ngx_http_scep_loc_conf_t *slcf, void *conf);
static ngx_str_t *ngx_http_scep_one_time_where(ngx_http_scep_one_time_t *ot,
    ngx_http_scep_loc_conf_t *slcf);
static void ngx_http_scep_one_time_ask(ngx_http_scep_operation_t *so,
    void *conf);
static void ngx_http_scep_one_time_handler(ngx_pki_store_job_t *job);
static void ngx_http_scep_one_time_found(ngx_http_scep_operation_t *so,
    ngx_pki_challenge_t *challenge);
static void ngx_http_scep_one_time_failed(ngx_http_scep_operation_t *so,
    void *conf);
static void ngx_http_scep_one_time_answer(ngx_http_scep_operation_t *so,
    ngx_http_scep_vouch_result_e result, const char *text);


ngx_http_scep_voucher_t  ngx_http_scep_one_time = {
    ngx_string("one_time"),
    ngx_http_scep_one_time_set,
    ngx_http_scep_one_time_enable,
    ngx_http_scep_one_time_ask,
    NULL,
    ngx_http_scep_one_time_failed
};


static char *
ngx_http_scep_one_time_set(ngx_conf_t *cf, void **conf)
{
    char                      *rv;
    ngx_str_t                 *value;
    ngx_uint_t                 i;
    ngx_http_scep_one_time_t  *ot;

    ot = ngx_pcalloc(cf->pool, sizeof(ngx_http_scep_one_time_t));
    if (ot == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "ttl=", 4) == 0 && ot->ttl == 0) {
            rv = ngx_http_scep_one_time_ttl(cf, &value[i], ot);

        } else if (ngx_strncmp(value[i].data, "scope=", 6) == 0
                   && ot->scope.len == 0)
        {
            rv = ngx_http_scep_one_time_scope(cf, &value[i], ot);

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in \"%V one_time\", "
                               "it takes \"ttl=\" and \"scope=\", each once",
                               &value[i], &value[0]);
            return NGX_CONF_ERROR;
        }

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (ot->ttl == 0) {
        ot->ttl = NGX_HTTP_SCEP_ONE_TIME_TTL;
    }

    *conf = ot;

    return NGX_CONF_OK;
}


static char *
ngx_http_scep_one_time_ttl(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_scep_one_time_t *ot)
{
    ngx_str_t  text;

    text.data = value->data + 4;
    text.len = value->len - 4;

    ot->ttl = ngx_parse_time(&text, 1);

    if (ot->ttl == (time_t) NGX_ERROR
        || ot->ttl < NGX_HTTP_SCEP_ONE_TIME_TTL_MIN)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\", it must be a time of at "
                           "least %ds, as \"ttl=1h\"", value,
                           NGX_HTTP_SCEP_ONE_TIME_TTL_MIN);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_scep_one_time_scope(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_scep_one_time_t *ot)
{
    ot->scope.data = value->data + 6;
    ot->scope.len = value->len - 6;

    if (ot->scope.len == 0 || ot->scope.len > NGX_PKI_CHALLENGE_MAX_SCOPE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\", it must be a name of 1 "
                           "to %d octets, as \"scope=phones\"", value,
                           NGX_PKI_CHALLENGE_MAX_SCOPE);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_scep_one_time_enable(ngx_conf_t *cf, ngx_http_scep_loc_conf_t *slcf,
    void *conf)
{
    ngx_http_scep_one_time_t *ot = conf;

    if (ngx_http_challenge_scope_taken(cf, slcf->authority,
                                       ngx_http_scep_one_time_where(ot, slcf),
                                       ot->ttl)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_str_t *
ngx_http_scep_one_time_where(ngx_http_scep_one_time_t *ot,
    ngx_http_scep_loc_conf_t *slcf)
{
    return (ot->scope.len != 0) ? &ot->scope
                                : ngx_pki_profile_name(slcf->profile);
}


static void
ngx_http_scep_one_time_ask(ngx_http_scep_operation_t *so, void *conf)
{
    ngx_str_t            *scope;
    ngx_pki_store_job_t  *job;

    scope = ngx_http_scep_one_time_where(conf, so->slcf);

    job = ngx_pcalloc(so->op->pool, sizeof(ngx_pki_store_job_t));

    if (job == NULL
        || ngx_pki_challenge_hash(so->op->pool, &so->authority->name, scope,
                                  &so->csr.challenge, &job->one_time.hash)
           != NGX_OK)
    {
        ngx_http_scep_one_time_answer(so, NGX_HTTP_SCEP_VOUCH_UNAVAILABLE,
                                      "the challenge cannot be hashed");
        return;
    }

    job->op = so->op;
    job->store = &so->authority->store;
    job->handler = ngx_http_scep_one_time_handler;
    job->data = so;

    ngx_pki_store_challenge_get(job);
}


static void
ngx_http_scep_one_time_handler(ngx_pki_store_job_t *job)
{
    ngx_http_scep_operation_t  *so;

    so = job->data;

    switch (job->result) {

    case NGX_PKI_STORE_OK:
        ngx_http_scep_one_time_found(so, &job->one_time);
        return;

    case NGX_PKI_STORE_NOT_FOUND:
        ngx_http_scep_one_time_answer(so, NGX_HTTP_SCEP_VOUCH_REFUSED,
                                      "there is no such challenge here, it "
                                      "was used, or it has expired");
        return;

    default: /* NGX_PKI_STORE_UNAVAILABLE */
        ngx_http_scep_one_time_answer(so, NGX_HTTP_SCEP_VOUCH_UNAVAILABLE,
                                      "the challenge cannot be looked up");
        return;
    }
}


/* Where it is accepted may be stricter than where it was made. */

static void
ngx_http_scep_one_time_found(ngx_http_scep_operation_t *so,
    ngx_pki_challenge_t *challenge)
{
    time_t                     now;
    ngx_http_scep_one_time_t  *ot;

    now = ngx_time();
    ot = so->slcf->challenge->vouchers[NGX_SCEP_VOUCHER_ONE_TIME];

    if (now >= challenge->expires || now - challenge->created >= ot->ttl) {
        ngx_http_scep_one_time_answer(so, NGX_HTTP_SCEP_VOUCH_REFUSED,
                                      "the challenge is too old");
        return;
    }

    so->issue.challenge = challenge->hash;
    so->issue.binding = challenge;

    ngx_http_scep_one_time_answer(so, NGX_HTTP_SCEP_VOUCH_ACCEPTED, "");
}


/* It was good when it was looked up, but not for this certificate. */

static void
ngx_http_scep_one_time_failed(ngx_http_scep_operation_t *so, void *conf)
{
    ngx_http_request_t  *r;
    ngx_http_pki_ctx_t  *ctx;

    r = ngx_http_pki_op_request(so->op);
    ctx = (r != NULL) ? ngx_http_pki_get_ctx(r) : NULL;

    if (ctx != NULL && so->issue.challenged) {
        ctx->scep_challenge_result =
                             *ngx_scep_challenge_name(NGX_SCEP_CHALLENGE_WRONG);
    }
}


static void
ngx_http_scep_one_time_answer(ngx_http_scep_operation_t *so,
    ngx_http_scep_vouch_result_e result, const char *text)
{
    ngx_str_t  line;

    static ngx_str_t  none = ngx_null_string;

    line.data = (u_char *) text;
    line.len = ngx_strlen(text);

    ngx_http_scep_vouched(so, result, &none, &line);
}
