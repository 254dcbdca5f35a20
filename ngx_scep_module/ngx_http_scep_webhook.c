
/*
 * Copyright (C) the ngx_pki authors
 *
 * "scep_challenge webhook": a service of the operator is asked about each
 * request, and says yes or no.
 */


#include "ngx_http_scep_vouch.h"
#include "ngx_pki_azure_identity.h"
#include "ngx_scep_webhook.h"


#define NGX_HTTP_SCEP_WEBHOOK_CONNECTIONS  16     /* of a worker */
#define NGX_HTTP_SCEP_WEBHOOK_TIMEOUT      5000   /* of a try */
#define NGX_HTTP_SCEP_WEBHOOK_MAX_TIMEOUT  10000
#define NGX_HTTP_SCEP_WEBHOOK_DELAY        500    /* before the second */

#define NGX_HTTP_SCEP_WEBHOOK_MAX_ID       64
#define NGX_HTTP_SCEP_WEBHOOK_MAX_SECRET   1024   /* as base64 */
#define NGX_HTTP_SCEP_WEBHOOK_MIN_SECRET   16     /* octets */


typedef struct {
    ngx_pki_url_t                  url;
    ngx_str_t                      path;
    ngx_str_t                      id;       /* empty: the authority's name */
    ngx_str_t                      secret;   /* empty: nothing is signed */
    ngx_msec_t                     timeout;
    ngx_http_pki_main_conf_t      *pmcf;
} ngx_http_scep_webhook_conf_t;


/* in the pool of the operation */

typedef struct {
    ngx_http_scep_operation_t     *so;
    ngx_http_scep_webhook_conf_t  *conf;
    ngx_pki_https_call_t           call;
    ngx_str_t                      headers[3];
    ngx_event_t                    timer;
    ngx_uint_t                     repeated;
} ngx_http_scep_webhook_asking_t;


static char *ngx_http_scep_webhook_set(ngx_conf_t *cf, void **conf);
static char *ngx_http_scep_webhook_url(ngx_conf_t *cf,
    ngx_http_scep_webhook_conf_t *wcf, ngx_str_t *text);
static char *ngx_http_scep_webhook_param(ngx_conf_t *cf,
    ngx_http_scep_webhook_conf_t *wcf, ngx_str_t *param);
static ngx_int_t ngx_http_scep_webhook_timeout(ngx_str_t *value,
    ngx_msec_t *timeout);
static ngx_int_t ngx_http_scep_webhook_id(ngx_str_t *value, ngx_str_t *id);
static char *ngx_http_scep_webhook_secret(ngx_conf_t *cf,
    ngx_http_scep_webhook_conf_t *wcf, ngx_str_t *path);
static char *ngx_http_scep_webhook_base64(ngx_conf_t *cf, ngx_str_t *path,
    ngx_str_t *text, ngx_str_t *secret);
static void ngx_http_scep_webhook_ask(ngx_http_scep_operation_t *so,
    void *conf);
static ngx_int_t ngx_http_scep_webhook_prepare(
    ngx_http_scep_webhook_asking_t *asking);
static ngx_int_t ngx_http_scep_webhook_headers(
    ngx_http_scep_webhook_asking_t *asking);
static void ngx_http_scep_webhook_send(ngx_http_scep_webhook_asking_t *asking);
static void ngx_http_scep_webhook_timer_handler(ngx_event_t *ev);
static void ngx_http_scep_webhook_handler(ngx_pki_https_call_t *call);
static ngx_uint_t ngx_http_scep_webhook_may_pass(ngx_pki_https_call_t *call);
static void ngx_http_scep_webhook_answer(
    ngx_http_scep_webhook_asking_t *asking);
static void ngx_http_scep_webhook_trouble(
    ngx_http_scep_webhook_asking_t *asking, const char *error);
static void ngx_http_scep_webhook_done(ngx_http_scep_webhook_asking_t *asking,
    ngx_http_scep_vouch_result_e result, ngx_str_t *code, ngx_str_t *text);


ngx_http_scep_voucher_t  ngx_http_scep_webhook = {
    ngx_string("webhook"),
    ngx_http_scep_webhook_set,
    NULL,
    ngx_http_scep_webhook_ask,
    NULL,
    NULL
};


static ngx_str_t  ngx_http_scep_webhook_none = ngx_null_string;


static char *
ngx_http_scep_webhook_set(ngx_conf_t *cf, void **conf)
{
    char                          *rv;
    ngx_str_t                     *value;
    ngx_uint_t                     i;
    ngx_http_scep_webhook_conf_t  *wcf;

    if (cf->args->nelts < 3) {
        return "needs a URL: \"webhook https://host/path\"";
    }

    wcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_scep_webhook_conf_t));
    if (wcf == NULL) {
        return NGX_CONF_ERROR;
    }

    wcf->pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_pki_module);

    value = cf->args->elts;

    rv = ngx_http_scep_webhook_url(cf, wcf, &value[2]);

    for (i = 3; i < cf->args->nelts && rv == NGX_CONF_OK; i++) {
        rv = ngx_http_scep_webhook_param(cf, wcf, &value[i]);
    }

    if (wcf->timeout == 0) {
        wcf->timeout = NGX_HTTP_SCEP_WEBHOOK_TIMEOUT;
    }

    *conf = wcf;

    return rv;
}


/* Challenges go there: never in the clear over a network. */

static char *
ngx_http_scep_webhook_url(ngx_conf_t *cf, ngx_http_scep_webhook_conf_t *wcf,
    ngx_str_t *text)
{
    const char  *error;

    error = ngx_pki_url_parse(cf->pool, text, &wcf->url);

    if (error == NULL
        && !wcf->url.tls
        && !ngx_pki_url_is_loopback(&wcf->url))
    {
        error = "it must be \"https://\": with \"http://\" it can only be an "
                "address of this machine, such as 127.0.0.1";
    }

    if (error != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URL \"%V\" in \"scep_challenge webhook\": "
                           "%s", text, error);
        return NGX_CONF_ERROR;
    }

    wcf->path = wcf->url.path;

    if (wcf->path.len == 0) {
        ngx_str_set(&wcf->path, "/");
    }

    wcf->pmcf->https_wanted = 1;

    if (wcf->url.resolve) {
        wcf->pmcf->https_names = wcf->url.host;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_scep_webhook_param(ngx_conf_t *cf, ngx_http_scep_webhook_conf_t *wcf,
    ngx_str_t *param)
{
    ngx_int_t  rc;
    ngx_str_t  v;

    rc = NGX_DECLINED;

    if (ngx_http_pki_param(param, "secret_file=", &v)) {

        if (v.len != 0 && wcf->secret.len == 0) {
            return ngx_http_scep_webhook_secret(cf, wcf, &v);
        }

    } else if (ngx_http_pki_param(param, "timeout=", &v)) {

        if (wcf->timeout == 0) {
            rc = ngx_http_scep_webhook_timeout(&v, &wcf->timeout);
        }

    } else if (ngx_http_pki_param(param, "id=", &v)) {

        if (wcf->id.len == 0) {
            rc = ngx_http_scep_webhook_id(&v, &wcf->id);
        }
    }

    if (rc == NGX_OK) {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" in \"scep_challenge "
                       "webhook\", it takes \"secret_file=file\", "
                       "\"timeout=5s\" (100ms to 10s) and \"id=name\" "
                       "(letters, digits and \"-_.\"), each once", param);

    return NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_scep_webhook_timeout(ngx_str_t *value, ngx_msec_t *timeout)
{
    ngx_int_t  n;

    n = ngx_parse_time(value, 0);

    if (n < 100 || n > NGX_HTTP_SCEP_WEBHOOK_MAX_TIMEOUT) {
        return NGX_DECLINED;
    }

    *timeout = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_scep_webhook_id(ngx_str_t *value, ngx_str_t *id)
{
    u_char  c, lower;
    size_t  i;

    if (value->len == 0 || value->len > NGX_HTTP_SCEP_WEBHOOK_MAX_ID) {
        return NGX_DECLINED;
    }

    for (i = 0; i < value->len; i++) {
        c = value->data[i];
        lower = (u_char) (c | 0x20);

        if ((lower < 'a' || lower > 'z') && (c < '0' || c > '9')
            && c != '-' && c != '_' && c != '.')
        {
            return NGX_DECLINED;
        }
    }

    *id = *value;

    return NGX_OK;
}


static char *
ngx_http_scep_webhook_secret(ngx_conf_t *cf, ngx_http_scep_webhook_conf_t *wcf,
    ngx_str_t *path)
{
    ngx_str_t        text, error;
    ngx_file_info_t  fi;

    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_pki_azure_secret_read(cf->temp_pool, path,
                                  NGX_HTTP_SCEP_WEBHOOK_MAX_SECRET, &text,
                                  &error)
        != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"secret_file\" in \"scep_challenge webhook\": %V",
                           &error);
        return NGX_CONF_ERROR;
    }

    if (ngx_file_info(path->data, &fi) != NGX_FILE_ERROR
        && (fi.st_mode & S_IROTH))
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "the secret in \"%V\" can be read by everybody",
                           path);
    }

    return ngx_http_scep_webhook_base64(cf, path, &text, &wcf->secret);
}


static char *
ngx_http_scep_webhook_base64(ngx_conf_t *cf, ngx_str_t *path, ngx_str_t *text,
    ngx_str_t *secret)
{
    secret->data = ngx_pki_azure_secret_alloc(cf->pool,
                                         ngx_base64_decoded_length(text->len));
    if (secret->data == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_pki_base64_trim(text) == NGX_OK
        && ngx_decode_base64(secret, text) == NGX_OK
        && secret->len >= NGX_HTTP_SCEP_WEBHOOK_MIN_SECRET)
    {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" is not a secret of at least %d octets in "
                       "base64, which \"openssl rand -base64 32\" would make",
                       path, NGX_HTTP_SCEP_WEBHOOK_MIN_SECRET);

    return NGX_CONF_ERROR;
}


static void
ngx_http_scep_webhook_ask(ngx_http_scep_operation_t *so, void *conf)
{
    ngx_int_t                        rc;
    ngx_str_t                        text;
    ngx_http_scep_webhook_asking_t  *asking;

    ngx_pki_op_action(so->op, "asking a webhook about a scep request");

    asking = ngx_pcalloc(so->op->pool, sizeof(ngx_http_scep_webhook_asking_t));

    if (asking == NULL) {
        rc = NGX_ERROR;

    } else {
        asking->so = so;
        asking->conf = conf;

        rc = ngx_http_scep_webhook_prepare(asking);
    }

    switch (rc) {

    case NGX_OK:
        ngx_http_scep_webhook_send(asking);
        return;

    case NGX_DECLINED:
        ngx_str_set(&text, "its subject is malformed");
        ngx_http_scep_vouched(so, NGX_HTTP_SCEP_VOUCH_REFUSED,
                              &ngx_http_scep_webhook_none, &text);
        return;

    default: /* NGX_ERROR */
        ngx_str_set(&text, "the question cannot be made");
        ngx_http_scep_vouched(so, NGX_HTTP_SCEP_VOUCH_UNAVAILABLE,
                              &ngx_http_scep_webhook_none, &text);
        return;
    }
}


static ngx_int_t
ngx_http_scep_webhook_prepare(ngx_http_scep_webhook_asking_t *asking)
{
    ngx_int_t                      rc;
    ngx_pki_https_call_t          *call;
    ngx_http_scep_operation_t     *so;
    ngx_http_scep_webhook_conf_t  *wcf;

    so = asking->so;
    wcf = asking->conf;
    call = &asking->call;

    call->peer = ngx_pki_https_peer(wcf->pmcf->client, &wcf->url,
                                    NGX_HTTP_SCEP_WEBHOOK_CONNECTIONS, NULL);
    if (call->peer == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_scep_webhook_encode(so->op->pool, ngx_time(),
                                 &so->slcf->authority_name,
                                 &so->message.transaction, &so->csr,
                                 &call->body);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_str_set(&call->method, "POST");

    call->pool = so->op->pool;
    call->log = so->op->log;
    call->path = wcf->path;
    call->timeout = wcf->timeout;
    call->direct = !wcf->url.tls;
    call->handler = ngx_http_scep_webhook_handler;
    call->data = asking;

    asking->timer.handler = ngx_http_scep_webhook_timer_handler;
    asking->timer.data = asking;
    asking->timer.log = so->op->log;

    rc = ngx_http_scep_webhook_headers(asking);

    if (rc != NGX_OK) {
        OPENSSL_cleanse(call->body.data, call->body.len);
    }

    return rc;
}


static ngx_int_t
ngx_http_scep_webhook_headers(ngx_http_scep_webhook_asking_t *asking)
{
    u_char                        *p;
    ngx_str_t                     *header, *id;
    ngx_pki_https_call_t          *call;
    ngx_http_scep_webhook_conf_t  *wcf;

    static u_char  webhook[] = "X-Smallstep-Webhook-ID: ";
    static u_char  signature[] = "X-Smallstep-Signature: ";

    wcf = asking->conf;
    call = &asking->call;
    header = asking->headers;

    id = (wcf->id.len != 0) ? &wcf->id : &asking->so->slcf->authority_name;

    p = ngx_pnalloc(call->pool, sizeof(webhook) + id->len + sizeof(signature)
                                + NGX_SCEP_WEBHOOK_SIGNATURE_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&header[0], "Content-Type: application/json");

    header[1].data = p;
    p = ngx_sprintf(p, "%s%V", webhook, id);
    header[1].len = p - header[1].data;

    call->headers = header;
    call->nheaders = 2;

    if (wcf->secret.len == 0) {
        return NGX_OK;
    }

    header[2].data = p;
    p = ngx_cpymem(p, signature, sizeof(signature) - 1);
    header[2].len = sizeof(signature) - 1 + NGX_SCEP_WEBHOOK_SIGNATURE_LEN;

    call->nheaders = 3;

    return ngx_scep_webhook_sign(&wcf->secret, &call->body, p);
}


static void
ngx_http_scep_webhook_send(ngx_http_scep_webhook_asking_t *asking)
{
    ngx_pki_https_call_t  *call;

    call = &asking->call;

    call->status = 0;
    call->fresh = (asking->repeated != 0);
    ngx_str_null(&call->answer);

    ngx_pki_https_send(call);
}


static void
ngx_http_scep_webhook_timer_handler(ngx_event_t *ev)
{
    ngx_http_scep_webhook_send(ev->data);
}


static void
ngx_http_scep_webhook_handler(ngx_pki_https_call_t *call)
{
    ngx_http_scep_webhook_asking_t  *asking;

    asking = call->data;

    if (asking->repeated == 0 && ngx_http_scep_webhook_may_pass(call)) {
        asking->repeated = 1;

        /* a deadline: a worker that quits waits for it */

        ngx_add_timer(&asking->timer, NGX_HTTP_SCEP_WEBHOOK_DELAY);
        return;
    }

    if (call->status == 200) {
        ngx_http_scep_webhook_answer(asking);
        return;
    }

    ngx_http_scep_webhook_trouble(asking, NULL);
}


static ngx_uint_t
ngx_http_scep_webhook_may_pass(ngx_pki_https_call_t *call)
{
    return (call->status == 0) ? !call->tls_error : call->status >= 500;
}


static void
ngx_http_scep_webhook_answer(ngx_http_scep_webhook_asking_t *asking)
{
    const char                 *error;
    ngx_scep_webhook_answer_t   answer;

    error = ngx_scep_webhook_decode(asking->call.pool, &asking->call.answer,
                                    &answer);

    if (error != NULL) {
        ngx_http_scep_webhook_trouble(asking, error);
        return;
    }

    ngx_http_scep_webhook_done(asking, answer.allow
                                       ? NGX_HTTP_SCEP_VOUCH_ACCEPTED
                                       : NGX_HTTP_SCEP_VOUCH_REFUSED,
                               &answer.code, &ngx_http_scep_webhook_none);
}


/* The path of the URL is left out: a token may be in it. */

static void
ngx_http_scep_webhook_trouble(ngx_http_scep_webhook_asking_t *asking,
    const char *error)
{
    u_char                *p;
    size_t                 size;
    ngx_str_t              text, *url;
    ngx_pki_https_call_t  *call;

    call = &asking->call;
    url = &asking->conf->url.text;

    size = url->len + call->error.len + sizeof(" answers by status 65535 , ")
           + ((error != NULL) ? ngx_strlen(error) : 0);

    text.len = 0;
    text.data = ngx_pnalloc(call->pool, size);

    if (text.data != NULL) {
        p = text.data;

        if (call->status == 0) {
            p = ngx_slprintf(p, p + size, "%V: %V", url, &call->error);

        } else if (error != NULL) {
            p = ngx_slprintf(p, p + size, "%V answers by %s", url, error);

        } else {
            p = ngx_slprintf(p, p + size, "%V answers by status %ui", url,
                             call->status);
        }

        text.len = p - text.data;
    }

    ngx_http_scep_webhook_done(asking, NGX_HTTP_SCEP_VOUCH_UNAVAILABLE,
                               &ngx_http_scep_webhook_none, &text);
}


static void
ngx_http_scep_webhook_done(ngx_http_scep_webhook_asking_t *asking,
    ngx_http_scep_vouch_result_e result, ngx_str_t *code, ngx_str_t *text)
{
    OPENSSL_cleanse(asking->call.body.data, asking->call.body.len);

    ngx_http_scep_vouched(asking->so, result, code, text);
}
