
/*
 * Copyright (C) the ngx_pki authors
 *
 * Directives of what lies outside: Azure identities, key vaults, HTTPS.
 */


#include "ngx_http_pki_conf.h"


#define NGX_HTTP_PKI_VAULT_CONNECTIONS  8
#define NGX_HTTP_PKI_VAULT_RATE         140
#define NGX_HTTP_PKI_VAULT_TIMEOUT      5000
#define NGX_HTTP_PKI_VAULT_BUDGET       12000


static const char *ngx_http_pki_key_vault_param(ngx_pki_vault_conf_t *vcf,
    ngx_str_t *param);
static const char *ngx_http_pki_key_vault_time(ngx_str_t *value,
    ngx_msec_t *field);
static ngx_int_t ngx_http_pki_init_vault_key(ngx_conf_t *cf,
    ngx_http_pki_main_conf_t *pmcf, ngx_pki_authority_t *a,
    ngx_pki_vault_key_t *key);
static ngx_int_t ngx_http_pki_init_intunes(ngx_conf_t *cf,
    ngx_http_pki_main_conf_t *pmcf);
static ngx_int_t ngx_http_pki_init_trusted(ngx_conf_t *cf,
    ngx_http_pki_main_conf_t *pmcf);
static ngx_int_t ngx_http_pki_init_identities(ngx_conf_t *cf,
    ngx_http_pki_main_conf_t *pmcf);
static ngx_int_t ngx_http_pki_init_proxy(ngx_conf_t *cf,
    ngx_http_pki_main_conf_t *pmcf);
static ngx_int_t ngx_http_pki_init_https_resolver(ngx_conf_t *cf,
    ngx_http_pki_main_conf_t *pmcf);


char *
ngx_http_pki_azure_identity(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_main_conf_t *pmcf = conf;

    return ngx_pki_azure_identity_block(cf, &pmcf->identities);
}


char *
ngx_http_pki_key_vault(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_main_conf_t *pmcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;
    const char  *error;

    value = cf->args->elts;

    if (pmcf->key_vault) {
        return "is duplicate";
    }

    pmcf->key_vault = 1;

    for (i = 1; i < cf->args->nelts; i++) {

        error = ngx_http_pki_key_vault_param(&pmcf->vault, &value[i]);

        if (error != NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in "
                               "\"pki_key_vault\": %s", &value[i], error);
            return NGX_CONF_ERROR;
        }
    }

    if (pmcf->vault.budget < pmcf->vault.timeout) {
        return "has a \"budget\" for all attempts that is less than the "
               "\"timeout\" of one";
    }

    return NGX_CONF_OK;
}


static const char *
ngx_http_pki_key_vault_param(ngx_pki_vault_conf_t *vcf, ngx_str_t *param)
{
    ngx_int_t  n;
    ngx_str_t  v;

    if (ngx_http_pki_param(param, "connections=", &v)) {
        n = ngx_atoi(v.data, v.len);

        if (n < 1 || n > 64) {
            return "1 to 64 connections of a worker to a vault are possible";
        }

        vcf->connections = n;
        return NULL;
    }

    if (ngx_http_pki_param(param, "rate=", &v)) {
        n = ngx_atoi(v.data, v.len);

        if (n == NGX_ERROR || n > 100000) {
            return "operations a second, such as \"140\", or \"0\" for no "
                   "limit, would be right";
        }

        vcf->rate = n;
        return NULL;
    }

    if (ngx_http_pki_param(param, "timeout=", &v)) {
        return ngx_http_pki_key_vault_time(&v, &vcf->timeout);
    }

    if (ngx_http_pki_param(param, "budget=", &v)) {
        return ngx_http_pki_key_vault_time(&v, &vcf->budget);
    }

    return "\"connections=\", \"rate=\", \"timeout=\" and \"budget=\" are "
           "known";
}


static const char *
ngx_http_pki_key_vault_time(ngx_str_t *value, ngx_msec_t *field)
{
    ngx_int_t  n;

    n = ngx_parse_time(value, 0);

    if (n == NGX_ERROR || n < 100 || n > 60000) {
        return "a time from \"100ms\" to \"60s\" would be right";
    }

    *field = n;

    return NULL;
}


void
ngx_http_pki_create_azure(ngx_http_pki_main_conf_t *pmcf)
{
    pmcf->vault.connections = NGX_HTTP_PKI_VAULT_CONNECTIONS;
    pmcf->vault.rate = NGX_HTTP_PKI_VAULT_RATE;
    pmcf->vault.timeout = NGX_HTTP_PKI_VAULT_TIMEOUT;
    pmcf->vault.budget = NGX_HTTP_PKI_VAULT_BUDGET;
}


ngx_int_t
ngx_http_pki_init_azure(ngx_conf_t *cf, ngx_http_pki_main_conf_t *pmcf)
{
    ngx_uint_t             i;
    ngx_pki_authority_t  **a;

    a = pmcf->authorities.elts;

    for (i = 0; i < pmcf->authorities.nelts; i++) {

        if (ngx_http_pki_init_vault_key(cf, pmcf, a[i], a[i]->vault) != NGX_OK
            || ngx_http_pki_init_vault_key(cf, pmcf, a[i], a[i]->ra_vault)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (ngx_http_pki_init_intunes(cf, pmcf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (pmcf->https_wanted && ngx_pki_https_check_tls(cf->log) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_pki_init_trusted(cf, pmcf) != NGX_OK
        || ngx_http_pki_init_identities(cf, pmcf) != NGX_OK
        || ngx_http_pki_init_proxy(cf, pmcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_pki_init_https_resolver(cf, pmcf);
}


static ngx_int_t
ngx_http_pki_init_vault_key(ngx_conf_t *cf, ngx_http_pki_main_conf_t *pmcf,
    ngx_pki_authority_t *a, ngx_pki_vault_key_t *key)
{
    if (key == NULL) {
        return NGX_OK;
    }

    key->conf = &pmcf->vault;
    key->identity = ngx_pki_azure_identity_find(cf, &pmcf->identities,
                                                &key->identity_name);

    if (key->identity != NULL) {
        pmcf->https_wanted = 1;

        if (key->url.resolve && pmcf->https.proxy.len == 0) {
            pmcf->https_names = key->url.host;
        }

        return NGX_OK;
    }

    if (key->identity_name.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "authority \"%V\": there are several identities, "
                           "say which one by \"identity=\" in \"key\"",
                           &a->name);
        return NGX_ERROR;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "authority \"%V\": unknown identity \"%V\": there is no "
                       "such \"pki_azure_identity\"",
                       &a->name, &key->identity_name);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_pki_init_intunes(ngx_conf_t *cf, ngx_http_pki_main_conf_t *pmcf)
{
    ngx_str_t  name;

    ngx_str_null(&name);

    if (ngx_pki_intune_init(cf, &pmcf->intunes, &pmcf->identities, &name)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (pmcf->intunes.nelts != 0) {
        pmcf->https_wanted = 1;
    }

    if (name.len != 0 && pmcf->https.proxy.len == 0) {
        pmcf->https_names = name;
    }

    return NGX_OK;
}


/* libcurl would say it only when the first call fails */

static ngx_int_t
ngx_http_pki_init_trusted(ngx_conf_t *cf, ngx_http_pki_main_conf_t *pmcf)
{
    int          ok;
    ngx_str_t   *file;
    X509_STORE  *store;

    file = &pmcf->https.trusted_certificate;

    if (file->len == 0) {
        return NGX_OK;
    }

    if (ngx_conf_full_name(cf->cycle, file, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    store = X509_STORE_new();
    ok = (store != NULL && X509_STORE_load_file(store, (char *) file->data));

    X509_STORE_free(store);
    ERR_clear_error();

    if (!ok) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no certificates can be read from "
                           "\"pki_trusted_certificate\" \"%V\"", file);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_pki_init_identities(ngx_conf_t *cf, ngx_http_pki_main_conf_t *pmcf)
{
    ngx_uint_t                  i, resolve;
    ngx_pki_azure_identity_t  **identity;

    identity = pmcf->identities.elts;

    for (i = 0; i < pmcf->identities.nelts; i++) {
        resolve = 0;

        if (ngx_pki_azure_identity_init(cf, identity[i], &resolve) != NGX_OK) {
            return NGX_ERROR;
        }

        if (resolve && pmcf->https_wanted && pmcf->https.proxy.len == 0
            && pmcf->https_names.len == 0)
        {
            ngx_str_set(&pmcf->https_names, "of \"authority_host\"");
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_pki_init_proxy(ngx_conf_t *cf, ngx_http_pki_main_conf_t *pmcf)
{
    const char     *error;
    ngx_pki_url_t   url;

    if (pmcf->https.proxy.len == 0) {
        return NGX_OK;
    }

    error = ngx_pki_url_parse(cf->pool, &pmcf->https.proxy, &url);

    if (error == NULL && url.tls) {
        error = "it is reached by http";
    }

    if (error == NULL && url.path.len > 1) {
        error = "it has no path";
    }

    if (error != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"pki_proxy\" \"%V\": %s; right would be "
                           "\"http://192.0.2.1:3128\"",
                           &pmcf->https.proxy, error);
        return NGX_ERROR;
    }

    /* all other names are the proxy's to resolve */

    ngx_str_null(&pmcf->https_names);

    if (url.resolve) {
        pmcf->https_names = url.host;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_pki_init_https_resolver(ngx_conf_t *cf,
    ngx_http_pki_main_conf_t *pmcf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* without a directive nginx makes one that has nobody to ask */

    if (clcf->resolver != NULL && clcf->resolver->connections.nelts != 0) {
        pmcf->https.resolver = clcf->resolver;
        pmcf->https.resolver_timeout =
            (clcf->resolver_timeout == NGX_CONF_UNSET_MSEC)
            ? 5000 : clcf->resolver_timeout;

        return NGX_OK;
    }

    if (pmcf->https_names.len == 0) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "the host name %V needs a \"resolver\" at the http "
                       "level, such as \"resolver 127.0.0.53;\"",
                       &pmcf->https_names);

    return NGX_ERROR;
}


ngx_int_t
ngx_http_pki_start_azure(ngx_cycle_t *cycle, ngx_http_pki_main_conf_t *pmcf)
{
    ngx_uint_t                  i;
    ngx_pki_intune_t          **intune;
    ngx_pki_azure_identity_t  **identity;

    if (!pmcf->https_wanted) {
        return NGX_OK;
    }

    pmcf->client = ngx_pki_https_create(&pmcf->https, cycle->log);

    if (pmcf->client == NULL) {
        return NGX_ERROR;
    }

    identity = pmcf->identities.elts;

    for (i = 0; i < pmcf->identities.nelts; i++) {

        if (ngx_pki_azure_identity_start(identity[i], pmcf->client, pmcf->zone,
                                         cycle->log)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    intune = pmcf->intunes.elts;

    for (i = 0; i < pmcf->intunes.nelts; i++) {

        if (ngx_pki_intune_start(intune[i], pmcf->client, pmcf->zone,
                                 cycle->log)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
