
/*
 * Copyright (C) the ngx_pki authors
 *
 * The call that makes a one-time challenge.
 */


#include "ngx_http_certificate_master_api.h"
#include "ngx_http_challenge_mint.h"
#include "ngx_scep_challenge_bind.h"


static const char *ngx_http_certificate_master_challenge_spec(
    ngx_http_request_t *r, ngx_http_certificate_master_call_t *call,
    json_t *body, ngx_http_challenge_mint_t *spec);
static const char *ngx_http_certificate_master_challenge_scope(
    ngx_http_request_t *r, json_t *body, ngx_str_t *scope);
static const char *ngx_http_certificate_master_challenge_ttl(json_t *body,
    time_t *ttl);


void
ngx_http_certificate_master_challenge(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call)
{
    json_t                     *body;
    const char                 *error;
    ngx_http_challenge_mint_t   spec;

    static const char  *names[] = { "authority", "profile", "scope", "ttl",
                                    "subject", "sans", "device", "user",
                                    NULL };

    body = ngx_http_certificate_master_parse(r, &call->body, names);
    if (body == NULL) {
        return;
    }

    ngx_memzero(&spec, sizeof(ngx_http_challenge_mint_t));

    error = ngx_http_certificate_master_challenge_spec(r, call, body, &spec);

    if (error != NULL) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "invalid body of a call: %s", error);

        ngx_http_finalize_request(r,
                                  ngx_http_rest_error(r, NGX_HTTP_BAD_REQUEST,
                                                      "bad_request", error));
        return;
    }

    ngx_http_challenge_mint(r, &spec);
}


static const char *
ngx_http_certificate_master_challenge_spec(ngx_http_request_t *r,
    ngx_http_certificate_master_call_t *call, json_t *body,
    ngx_http_challenge_mint_t *spec)
{
    const char  *error;

    spec->authority = ngx_http_certificate_master_authority(
                                              call->conf->authorities, body);

    if (spec->authority == NULL) {
        return "\"authority\" is missing or unknown";
    }

    if (!ngx_scep_challenge_is_text(&call->user, NGX_PKI_CHALLENGE_MAX_TEXT)) {
        return "the name of the user is too long or malformed";
    }

    error = ngx_http_certificate_master_challenge_scope(r, body,
                                                     &spec->challenge.scope);

    if (error == NULL) {
        error = ngx_http_certificate_master_challenge_ttl(body, &spec->ttl);
    }

    if (error == NULL) {
        error = ngx_scep_challenge_bind(r->pool, body, &spec->challenge);
    }

    spec->challenge.by = call->user;
    spec->quota = NGX_HTTP_CHALLENGE_QUOTA;
    spec->length = NGX_HTTP_CHALLENGE_LENGTH;
    spec->answer = ngx_http_challenge_mint_json;

    return error;
}


/* where it may be used: locations with "scep" have the name of their profile
 * for it, or another one */

static const char *
ngx_http_certificate_master_challenge_scope(ngx_http_request_t *r,
    json_t *body, ngx_str_t *scope)
{
    ngx_str_t                  profile;
    ngx_http_pki_main_conf_t  *pmcf;

    ngx_str_set(&profile, "default");

    if (ngx_pki_json_get(body, "scope", scope) == NGX_OK) {

        if (ngx_pki_json_get(body, "profile", &profile) == NGX_OK) {
            return "\"profile\" and \"scope\" exclude each other";
        }

        if (!ngx_scep_challenge_is_text(scope, NGX_PKI_CHALLENGE_MAX_SCOPE)) {
            return "\"scope\" is not a name of 1 to 64 octets";
        }

        return NULL;
    }

    (void) ngx_pki_json_get(body, "profile", &profile);

    pmcf = ngx_http_get_module_main_conf(r, ngx_http_pki_module);

    if (ngx_pki_profile_find(&pmcf->profiles, &profile) == NULL
        || profile.len > NGX_PKI_CHALLENGE_MAX_SCOPE)
    {
        return "\"profile\" is unknown";
    }

    *scope = profile;

    return NULL;
}


static const char *
ngx_http_certificate_master_challenge_ttl(json_t *body, time_t *ttl)
{
    ngx_str_t  text;

    *ttl = NGX_HTTP_CHALLENGE_TTL;

    if (ngx_pki_json_get(body, "ttl", &text) == NGX_OK) {
        *ttl = ngx_parse_time(&text, 1);
    }

    if (*ttl < 1 || *ttl > NGX_HTTP_CHALLENGE_MAX_TTL) {
        return "\"ttl\" is not a time from \"1s\" to \"365d\"";
    }

    return NULL;
}
