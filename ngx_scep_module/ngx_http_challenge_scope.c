
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_http_challenge_scope.h"
#include "ngx_http_scep_module.h"


typedef struct {
    ngx_pki_authority_t       *authority;
    ngx_str_t                 *scope;        /* NULL: any */
    ngx_str_t                 *location;
    time_t                     ttl;
    unsigned                   made:1;       /* else taken */
} ngx_http_challenge_scope_t;


static ngx_int_t ngx_http_challenge_scope_add(ngx_conf_t *cf,
    ngx_http_challenge_scope_t *scope);
static void ngx_http_challenge_scope_check_made(ngx_conf_t *cf,
    ngx_array_t *scopes, ngx_http_challenge_scope_t *made);
static void ngx_http_challenge_scope_check_taken(ngx_conf_t *cf,
    ngx_array_t *scopes, ngx_http_challenge_scope_t *taken);
static ngx_uint_t ngx_http_challenge_scope_is(ngx_http_challenge_scope_t *one,
    ngx_http_challenge_scope_t *two);


ngx_int_t
ngx_http_challenge_scope_made(ngx_conf_t *cf, ngx_pki_authority_t *authority,
    ngx_str_t *scope, time_t ttl)
{
    ngx_http_challenge_scope_t  made;

    ngx_memzero(&made, sizeof(ngx_http_challenge_scope_t));

    made.authority = authority;
    made.scope = scope;
    made.ttl = ttl;
    made.made = 1;

    return ngx_http_challenge_scope_add(cf, &made);
}


ngx_int_t
ngx_http_challenge_scope_taken(ngx_conf_t *cf, ngx_pki_authority_t *authority,
    ngx_str_t *scope, time_t ttl)
{
    ngx_http_challenge_scope_t  taken;

    ngx_memzero(&taken, sizeof(ngx_http_challenge_scope_t));

    taken.authority = authority;
    taken.scope = scope;
    taken.ttl = ttl;

    return ngx_http_challenge_scope_add(cf, &taken);
}


static ngx_int_t
ngx_http_challenge_scope_add(ngx_conf_t *cf, ngx_http_challenge_scope_t *scope)
{
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_scep_main_conf_t   *smcf;
    ngx_http_challenge_scope_t  *s;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_scep_module);

    if (smcf->scopes == NULL) {
        smcf->scopes = ngx_array_create(cf->pool, 4,
                                        sizeof(ngx_http_challenge_scope_t));
        if (smcf->scopes == NULL) {
            return NGX_ERROR;
        }
    }

    s = ngx_array_push(smcf->scopes);
    if (s == NULL) {
        return NGX_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    *s = *scope;
    s->location = &clcf->name;

    return NGX_OK;
}


void
ngx_http_challenge_scope_check(ngx_conf_t *cf)
{
    ngx_uint_t                   i;
    ngx_http_scep_main_conf_t   *smcf;
    ngx_http_challenge_scope_t  *s;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_scep_module);

    if (smcf->scopes == NULL) {
        return;
    }

    s = smcf->scopes->elts;

    for (i = 0; i < smcf->scopes->nelts; i++) {

        if (s[i].made) {
            ngx_http_challenge_scope_check_made(cf, smcf->scopes, &s[i]);

        } else {
            ngx_http_challenge_scope_check_taken(cf, smcf->scopes, &s[i]);
        }
    }
}


/* where none of this authority is taken, another host may do that */

static void
ngx_http_challenge_scope_check_made(ngx_conf_t *cf, ngx_array_t *scopes,
    ngx_http_challenge_scope_t *made)
{
    time_t                       ttl;
    ngx_uint_t                   i, others;
    ngx_http_challenge_scope_t  *s;

    if (made->scope == NULL) {
        return;
    }

    s = scopes->elts;
    ttl = 0;
    others = 0;

    for (i = 0; i < scopes->nelts; i++) {

        if (s[i].made || s[i].authority != made->authority) {
            continue;
        }

        if (ngx_http_challenge_scope_is(&s[i], made)) {
            ttl = ngx_max(ttl, s[i].ttl);

        } else {
            others = 1;
        }
    }

    if (ttl == 0 && others) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"scep_challenge_issue\" in location \"%V\" makes "
                      "challenges of the scope \"%V\", which no location with "
                      "\"scep %V\" takes: set \"scep_profile\" or \"scope=\" "
                      "alike",
                      made->location, made->scope, &made->authority->name);

    } else if (ttl != 0 && made->ttl > ttl) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"scep_challenge_issue\" in location \"%V\" makes "
                      "challenges for %T s, \"scep_challenge one_time\" takes "
                      "those of the scope \"%V\" for %T s: set \"ttl=\" alike",
                      made->location, made->ttl, made->scope, ttl);
    }
}


/* another host may make them: nothing is wrong then */

static void
ngx_http_challenge_scope_check_taken(ngx_conf_t *cf, ngx_array_t *scopes,
    ngx_http_challenge_scope_t *taken)
{
    ngx_uint_t                   i;
    ngx_http_challenge_scope_t  *s;

    s = scopes->elts;

    for (i = 0; i < scopes->nelts; i++) {

        /* of one that was taken before it has been said, if it is so */

        if ((s[i].made || &s[i] < taken)
            && ngx_http_challenge_scope_is(&s[i], taken))
        {
            return;
        }
    }

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "\"scep_challenge one_time\" in location \"%V\" takes "
                  "challenges of the scope \"%V\", but nothing here makes "
                  "them: neither \"scep_challenge_issue %V\" of this scope "
                  "nor \"certificate_master %V\"",
                  taken->location, taken->scope, &taken->authority->name,
                  &taken->authority->name);
}


static ngx_uint_t
ngx_http_challenge_scope_is(ngx_http_challenge_scope_t *one,
    ngx_http_challenge_scope_t *two)
{
    if (one->authority != two->authority) {
        return 0;
    }

    return one->scope == NULL || two->scope == NULL
           || ngx_scep_str_eq(one->scope, two->scope);
}
