
/*
 * Copyright (C) the ngx_pki authors
 *
 * A location with "scep_challenge_issue".
 */


#include "ngx_http_scep_module.h"
#include "ngx_http_certificate_master_api.h"
#include "ngx_http_challenge_mint.h"
#include "ngx_scep_challenge_bind.h"
#include "ngx_scep_challenge_page.h"


#define NGX_HTTP_CHALLENGE_BODY  65536


static ngx_int_t ngx_http_challenge_issue_authenticate(ngx_http_request_t *r,
    ngx_http_challenge_issue_conf_t *conf, ngx_str_t *user);
static ngx_int_t ngx_http_challenge_issue_deny(ngx_http_request_t *r,
    ngx_http_challenge_issue_conf_t *conf);
static void ngx_http_challenge_issue_body_handler(ngx_http_request_t *r,
    ngx_str_t *body);
static ngx_int_t ngx_http_challenge_issue_bind(ngx_http_request_t *r,
    ngx_http_challenge_issue_conf_t *conf, ngx_str_t *body,
    ngx_pki_challenge_t *challenge);
static ngx_int_t ngx_http_challenge_issue_bind_event(ngx_http_request_t *r,
    ngx_str_t *bind, ngx_str_t *body, ngx_str_t *subject);
static ngx_int_t ngx_http_challenge_issue_bind_json(ngx_http_request_t *r,
    ngx_str_t *body, ngx_pki_challenge_t *challenge);
static ngx_int_t ngx_http_challenge_issue_text(ngx_http_request_t *r,
    ngx_http_challenge_mint_t *mint);
static ngx_int_t ngx_http_challenge_issue_line(ngx_http_request_t *r,
    ngx_uint_t status, const char *text);
static ngx_int_t ngx_http_challenge_issue_page(ngx_http_request_t *r,
    ngx_http_challenge_mint_t *mint);
static ngx_int_t ngx_http_challenge_issue_send_page(ngx_http_request_t *r,
    ngx_uint_t status, ngx_scep_challenge_page_t *page);
static ngx_int_t ngx_http_challenge_issue_thumbprint(ngx_pool_t *pool,
    ngx_str_t *der, ngx_str_t *thumbprint);
static ngx_int_t ngx_http_challenge_issue_retry_after(ngx_http_request_t *r);


/* in the order of ngx_http_challenge_format_e */

static ngx_http_challenge_mint_pt  ngx_http_challenge_issue_answers[] = {
    ngx_http_challenge_issue_page,
    ngx_http_challenge_issue_text,
    ngx_http_challenge_mint_json
};


static ngx_str_t  ngx_http_challenge_issue_plain = ngx_string("text/plain");

/* nginx does not add a charset of its own to these */

static ngx_str_t  ngx_http_challenge_issue_utf8 =
    ngx_string("text/html; charset=utf-8");
static ngx_str_t  ngx_http_challenge_issue_utf16 =
    ngx_string("text/html; charset=utf-16");


ngx_int_t
ngx_http_challenge_issue_handler(ngx_http_request_t *r)
{
    ngx_int_t                         rc;
    ngx_str_t                         user;
    ngx_uint_t                        get;
    ngx_http_scep_loc_conf_t         *slcf;
    ngx_http_challenge_issue_conf_t  *conf;

    if (ngx_http_rest_init(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_scep_module);
    conf = &slcf->issue;

    /* a challenge is made by what makes it in the original, nothing else */

    get = (conf->format == NGX_HTTP_CHALLENGE_NDES);

    if (r->method != (get ? NGX_HTTP_GET : NGX_HTTP_POST)) {
        return ngx_http_rest_method(r, get ? "GET" : "POST");
    }

    rc = ngx_http_challenge_issue_authenticate(r, conf, &user);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc != NGX_OK || ngx_http_rest_cross_site(r)) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "one-time challenge refused: %s",
                      rc != NGX_OK ? "client is not authenticated"
                                   : "request comes from another site");
        return ngx_http_challenge_issue_deny(r, conf);
    }

    return ngx_http_pki_read_body(r, NGX_HTTP_CHALLENGE_BODY,
                                  ngx_http_challenge_issue_body_handler);
}


/* NGX_OK and who asks, NGX_DECLINED, or NGX_ERROR */

static ngx_int_t
ngx_http_challenge_issue_authenticate(ngx_http_request_t *r,
    ngx_http_challenge_issue_conf_t *conf, ngx_str_t *user)
{
    ngx_int_t  rc;

    rc = ngx_http_identity_user(r, &conf->identity, user);

    if (rc == NGX_DECLINED) {
        rc = ngx_http_identity_certificate(r, &conf->identity, user);
    }

    if (rc == NGX_OK
        && !ngx_scep_challenge_is_text(user, NGX_PKI_CHALLENGE_MAX_TEXT))
    {
        return NGX_DECLINED;
    }

    return rc;
}


static ngx_int_t
ngx_http_challenge_issue_deny(ngx_http_request_t *r,
    ngx_http_challenge_issue_conf_t *conf)
{
    ngx_scep_challenge_page_t  page;

    switch (conf->format) {

    case NGX_HTTP_CHALLENGE_NDES:
        ngx_memzero(&page, sizeof(ngx_scep_challenge_page_t));
        page.what = NGX_SCEP_CHALLENGE_PAGE_DENIED;

        return ngx_http_challenge_issue_send_page(r, NGX_HTTP_FORBIDDEN,
                                                  &page);

    case NGX_HTTP_CHALLENGE_TEXT:
        return ngx_http_challenge_issue_line(r, NGX_HTTP_FORBIDDEN,
                                             "authentication is required\n");

    default: /* NGX_HTTP_CHALLENGE_JSON */
        return ngx_http_rest_error(r, NGX_HTTP_FORBIDDEN, "forbidden",
                                   "authentication is required");
    }
}


static void
ngx_http_challenge_issue_body_handler(ngx_http_request_t *r, ngx_str_t *body)
{
    ngx_int_t                         rc;
    ngx_http_scep_loc_conf_t         *slcf;
    ngx_http_challenge_mint_t         spec;
    ngx_http_challenge_issue_conf_t  *conf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_scep_module);
    conf = &slcf->issue;

    ngx_memzero(&spec, sizeof(ngx_http_challenge_mint_t));

    rc = ngx_http_challenge_issue_authenticate(r, conf, &spec.challenge.by);

    if (rc != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    if (ngx_http_challenge_issue_bind(r, conf, body, &spec.challenge)
        != NGX_OK)
    {
        return;
    }

    spec.challenge.scope = conf->scope;
    spec.authority = conf->authority;
    spec.ttl = conf->ttl;
    spec.quota = conf->quota;
    spec.length = conf->length;
    spec.answer = ngx_http_challenge_issue_answers[conf->format];

    if (spec.authority->certificate == NULL) {
        spec.result = NGX_PKI_STORE_UNAVAILABLE;
        ngx_http_finalize_request(r, spec.answer(r, &spec));
        return;
    }

    ngx_http_challenge_mint(r, &spec);
}


/* NGX_OK, or the request is finalized */

static ngx_int_t
ngx_http_challenge_issue_bind(ngx_http_request_t *r,
    ngx_http_challenge_issue_conf_t *conf, ngx_str_t *body,
    ngx_pki_challenge_t *challenge)
{
    switch (conf->format) {

    case NGX_HTTP_CHALLENGE_NDES:
        return NGX_OK;

    case NGX_HTTP_CHALLENGE_TEXT:

        if (conf->bind.len == 0) {
            return NGX_OK;
        }

        return ngx_http_challenge_issue_bind_event(r, &conf->bind, body,
                                                   &challenge->subject);

    default: /* NGX_HTTP_CHALLENGE_JSON */
        return ngx_http_challenge_issue_bind_json(r, body, challenge);
    }
}


static ngx_int_t
ngx_http_challenge_issue_bind_event(ngx_http_request_t *r, ngx_str_t *bind,
    ngx_str_t *body, ngx_str_t *subject)
{
    ngx_int_t                    rc;
    const char                  *error;
    ngx_scep_challenge_event_t   event;

    ngx_scep_challenge_event(r->pool, body, &event);

    rc = ngx_scep_challenge_template(r->pool, bind, &event, subject, &error);

    if (rc == NGX_OK) {
        return NGX_OK;
    }

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "one-time challenge refused: \"bind\" %s", error);

        rc = ngx_http_challenge_issue_line(r, NGX_HTTP_BAD_REQUEST,
                                   "this names no device to make one for\n");
    } else {
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_finalize_request(r, rc);

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_challenge_issue_bind_json(ngx_http_request_t *r, ngx_str_t *body,
    ngx_pki_challenge_t *challenge)
{
    json_t      *object;
    const char  *error;

    static const char  *names[] = { "subject", "sans", "device", "user",
                                    NULL };

    object = ngx_http_certificate_master_parse(r, body, names);
    if (object == NULL) {
        return NGX_DECLINED;
    }

    error = ngx_scep_challenge_bind(r->pool, object, challenge);

    if (error == NULL) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "invalid body of a call: %s", error);

    ngx_http_finalize_request(r,
                              ngx_http_rest_error(r, NGX_HTTP_BAD_REQUEST,
                                                  "bad_request", error));
    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_challenge_issue_text(ngx_http_request_t *r,
    ngx_http_challenge_mint_t *mint)
{
    ngx_str_t  body;

    switch (mint->result) {

    case NGX_PKI_STORE_OK:
        body.len = mint->secret.len;
        body.data = ngx_pstrdup(r->pool, &mint->secret);

        if (body.data == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_challenge_mint_send(r, NGX_HTTP_OK,
                                            &ngx_http_challenge_issue_plain,
                                            &body);

    case NGX_PKI_STORE_FULL:
        return ngx_http_challenge_issue_line(r, NGX_HTTP_TOO_MANY_REQUESTS,
                                   "too many challenges are not used yet\n");

    default: /* NGX_PKI_STORE_UNAVAILABLE */

        if (ngx_http_challenge_issue_retry_after(r) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_challenge_issue_line(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                             "try again later\n");
    }
}


static ngx_int_t
ngx_http_challenge_issue_line(ngx_http_request_t *r, ngx_uint_t status,
    const char *text)
{
    ngx_str_t  body;

    body.data = (u_char *) text;
    body.len = ngx_strlen(text);

    return ngx_http_rest_send(r, status, &ngx_http_challenge_issue_plain,
                              &body);
}


/* NDES says that its cache is full with the status 200, too */

static ngx_int_t
ngx_http_challenge_issue_page(ngx_http_request_t *r,
    ngx_http_challenge_mint_t *mint)
{
    ngx_uint_t                 status;
    ngx_scep_challenge_page_t  page;

    ngx_memzero(&page, sizeof(ngx_scep_challenge_page_t));

    status = NGX_HTTP_OK;

    switch (mint->result) {

    case NGX_PKI_STORE_OK:
        page.secret = mint->secret;
        page.ttl = mint->ttl;

        if (ngx_http_challenge_issue_thumbprint(r->pool,
                                                &mint->authority->der,
                                                &page.thumbprint)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        break;

    case NGX_PKI_STORE_FULL:
        page.what = NGX_SCEP_CHALLENGE_PAGE_FULL;
        break;

    default: /* NGX_PKI_STORE_UNAVAILABLE */
        page.what = NGX_SCEP_CHALLENGE_PAGE_UNAVAILABLE;
        status = NGX_HTTP_SERVICE_UNAVAILABLE;

        if (ngx_http_challenge_issue_retry_after(r) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        break;
    }

    return ngx_http_challenge_issue_send_page(r, status, &page);
}


static ngx_int_t
ngx_http_challenge_issue_send_page(ngx_http_request_t *r, ngx_uint_t status,
    ngx_scep_challenge_page_t *page)
{
    ngx_int_t  rc;
    ngx_str_t  charset, body;

    page->utf8 = (ngx_http_arg(r, (u_char *) "charset", 7, &charset) == NGX_OK
                  && charset.len == 5
                  && ngx_strncasecmp(charset.data, (u_char *) "utf-8", 5)
                     == 0);

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_scep_challenge_page(r->pool, page, &body) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_challenge_mint_send(r, status,
                                        page->utf8
                                        ? &ngx_http_challenge_issue_utf8
                                        : &ngx_http_challenge_issue_utf16,
                                        &body);
}


/*
 * That of NDES is MD5, which is what whoever compares it will have.  Where
 * OpenSSL has none (FIPS), nobody can compare with that.
 */

static ngx_int_t
ngx_http_challenge_issue_thumbprint(ngx_pool_t *pool, ngx_str_t *der,
    ngx_str_t *thumbprint)
{
    u_char        *p;
    unsigned int   len;

    p = ngx_pnalloc(pool, EVP_MAX_MD_SIZE);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (EVP_Digest(der->data, der->len, p, &len, EVP_md5(), NULL) != 1
        && EVP_Digest(der->data, der->len, p, &len, EVP_sha256(), NULL) != 1)
    {
        ERR_clear_error();
        return NGX_ERROR;
    }

    ERR_clear_error();

    thumbprint->data = p;
    thumbprint->len = len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_challenge_issue_retry_after(ngx_http_request_t *r)
{
    u_char     *p;
    ngx_str_t   seconds;

    p = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    seconds.data = p;
    seconds.len = ngx_sprintf(p, "%d", NGX_HTTP_REST_RETRY_AFTER) - p;

    return ngx_http_pki_add_header(r, "Retry-After", &seconds);
}
