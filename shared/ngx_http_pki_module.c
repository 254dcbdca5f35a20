
/*
 * Copyright (C) the ngx_pki authors
 *
 * Directives and the life of a worker.
 */


#include "ngx_http_pki_module.h"
#include "ngx_http_pki_conf.h"
#include "ngx_pki_intune_revocation.h"
#include "ngx_pki_outbox.h"
#include "ngx_pki_ra.h"


static void *ngx_http_pki_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_pki_init_main_conf(ngx_conf_t *cf, void *conf);
static ngx_int_t ngx_http_pki_init_process(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_pki_init_authorities(ngx_cycle_t *cycle,
    ngx_http_pki_main_conf_t *pmcf);
static ngx_int_t ngx_http_pki_init_store(ngx_cycle_t *cycle,
    ngx_http_pki_main_conf_t *pmcf, ngx_pki_authority_t *a);
static ngx_pki_crl_zone_t *ngx_http_pki_crl_zone(ngx_pki_zone_t *zone,
    ngx_str_t *authority);
static void ngx_http_pki_exit_process(ngx_cycle_t *cycle);


static ngx_command_t  ngx_http_pki_commands[] = {

    { ngx_string("pki_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_pki_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pki_redis"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_pki_redis,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pki_redis_user"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_main_conf_t, redis_user),
      NULL },

    { ngx_string("pki_redis_password_file"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_main_conf_t, redis_password_file),
      NULL },

    { ngx_string("pki_redis_trusted_certificate"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_main_conf_t, redis_trusted_certificate),
      NULL },

    { ngx_string("pki_redis_certificate"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_main_conf_t, redis_certificate),
      NULL },

    { ngx_string("pki_redis_certificate_key"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_main_conf_t, redis_certificate_key),
      NULL },

    { ngx_string("pki_thread_pool"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_main_conf_t, thread_pool_name),
      NULL },

    { ngx_string("pki_trusted_certificate"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_main_conf_t, https.trusted_certificate),
      NULL },

    { ngx_string("pki_proxy"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_main_conf_t, https.proxy),
      NULL },

    { ngx_string("pki_azure_identity"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_pki_azure_identity,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pki_key_vault"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_pki_key_vault,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pki_authority"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_pki_authority_block,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pki_profile"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_pki_profile_block,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pki_probe"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_pki_probe,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_pki_module_ctx = {
    ngx_http_pki_add_variables,            /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_http_pki_create_main_conf,         /* create main configuration */
    ngx_http_pki_init_main_conf,           /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_pki_module = {
    NGX_MODULE_V1,
    &ngx_http_pki_module_ctx,              /* module context */
    ngx_http_pki_commands,                 /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_pki_init_process,             /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_pki_exit_process,             /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_http_pki_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_pki_main_conf_t  *pmcf;

    pmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_pki_main_conf_t));
    if (pmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&pmcf->authorities, cf->pool, 2,
                       sizeof(ngx_pki_authority_t *))
        != NGX_OK)
    {
        return NULL;
    }

    if (ngx_array_init(&pmcf->profiles, cf->pool, 8,
                       sizeof(ngx_pki_profile_t *))
        != NGX_OK)
    {
        return NULL;
    }

    if (ngx_array_init(&pmcf->identities, cf->pool, 2,
                       sizeof(ngx_pki_azure_identity_t *))
        != NGX_OK
        || ngx_array_init(&pmcf->intunes, cf->pool, 2,
                          sizeof(ngx_pki_intune_t *))
           != NGX_OK)
    {
        return NULL;
    }

    ngx_http_pki_create_azure(pmcf);

    return pmcf;
}


/*
 * The blocks are read, the locations not yet merged: other modules find
 * authorities and profiles complete in their merge functions.
 */

static char *
ngx_http_pki_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_pki_main_conf_t *pmcf = conf;

    ngx_uint_t             i;
    ngx_pki_authority_t  **a;

    if (pmcf->authorities.nelts == 0 && pmcf->redis.url.len == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_pki_authority_link(cf, &pmcf->authorities) != NGX_OK
        || ngx_http_pki_init_redis(cf, pmcf) != NGX_OK
        || ngx_http_pki_init_zone(cf, pmcf) != NGX_OK
        || ngx_pki_profile_builtin(cf, &pmcf->profiles) != NGX_OK
        || ngx_pki_store_init() != NGX_OK
        || ngx_http_pki_init_azure(cf, pmcf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    a = pmcf->authorities.elts;

    for (i = 0; i < pmcf->authorities.nelts; i++) {
        if (ngx_pki_authority_load(cf, a[i]) != NGX_OK
            || ngx_pki_ra_load(cf, a[i]) != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return ngx_http_pki_init_thread_pool(cf, pmcf) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_pki_init_process(ngx_cycle_t *cycle)
{
    ngx_http_pki_main_conf_t  *pmcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    pmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_pki_module);

    if (pmcf == NULL || pmcf->redis.url.len == 0) {
        return NGX_OK;
    }

    pmcf->connections = ngx_pki_redis_create(&pmcf->redis,
                                             pmcf->redis.connections,
                                             cycle->log);
    if (pmcf->connections == NULL
        || ngx_http_pki_start_azure(cycle, pmcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_pki_init_authorities(cycle, pmcf);
}


static ngx_int_t
ngx_http_pki_init_authorities(ngx_cycle_t *cycle,
    ngx_http_pki_main_conf_t *pmcf)
{
    ngx_uint_t             i, n;
    ngx_pki_store_t      **stores;
    ngx_pki_authority_t  **a;

    n = pmcf->authorities.nelts;

    if (n == 0) {
        return NGX_OK;
    }

    stores = ngx_palloc(cycle->pool, n * sizeof(ngx_pki_store_t *));
    if (stores == NULL) {
        return NGX_ERROR;
    }

    a = pmcf->authorities.elts;

    for (i = 0; i < n; i++) {

        if (ngx_http_pki_init_store(cycle, pmcf, a[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        if (pmcf->intunes.nelts != 0
            && ngx_pki_outbox_start(a[i], &pmcf->intunes, cycle->log)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_pki_intune_revocation_start(a[i], cycle->log);

        stores[i] = &a[i]->store;
    }

    pmcf->follower = ngx_pki_follower_create(&pmcf->redis, pmcf->zone, stores,
                                             n, cycle->log);

    return pmcf->follower != NULL ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_pki_init_store(ngx_cycle_t *cycle, ngx_http_pki_main_conf_t *pmcf,
    ngx_pki_authority_t *a)
{
    u_char           *p;
    size_t            len;
    ngx_pki_store_t  *store;

    store = &a->store;

    store->redis = pmcf->connections;
    store->zone = pmcf->zone;
    store->slot = ngx_pki_zone_slot(pmcf->zone, &a->name);
    store->crl = ngx_http_pki_crl_zone(pmcf->zone, &a->name);

    if (store->slot == NULL || store->crl == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "authority \"%V\": no room in \"pki_zone\"", &a->name);
        return NGX_ERROR;
    }

    len = pmcf->redis.prefix.len + a->name.len + sizeof("{}:") - 1;

    p = ngx_pnalloc(cycle->pool, len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_sprintf(p, "%V{%V}:%Z", &pmcf->redis.prefix, &a->name);

    store->prefix.len = len;
    store->prefix.data = p;

    a->https = pmcf->client;

    if (ngx_pki_authority_start(a, cycle->log) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_pki_ra_start(a, cycle->log);
}


static ngx_pki_crl_zone_t *
ngx_http_pki_crl_zone(ngx_pki_zone_t *zone, ngx_str_t *authority)
{
    u_char     text[sizeof("crl:") - 1 + NGX_PKI_ZONE_NAME_LEN];
    ngx_str_t  name;

    if (authority->len > NGX_PKI_ZONE_NAME_LEN) {
        return NULL;
    }

    name.data = text;
    name.len = ngx_sprintf(text, "crl:%V", authority) - text;

    return ngx_pki_zone_cell(zone, &name, sizeof(ngx_pki_crl_zone_t));
}


static void
ngx_http_pki_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                  i;
    ngx_pki_authority_t       **a;
    ngx_http_pki_main_conf_t   *pmcf;

    pmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_pki_module);

    if (pmcf == NULL || pmcf->connections == NULL) {
        return;
    }

    a = pmcf->authorities.elts;

    for (i = 0; i < pmcf->authorities.nelts; i++) {
        ngx_pki_intune_revocation_stop(a[i]);
        ngx_pki_outbox_stop(a[i]);
        ngx_pki_ra_stop(a[i]);
        ngx_pki_authority_stop(a[i]);
    }

    if (pmcf->client != NULL) {
        ngx_pki_https_destroy(pmcf->client);
    }

    if (pmcf->follower != NULL) {
        ngx_pki_follower_destroy(pmcf->follower);
    }

    ngx_pki_redis_destroy(pmcf->connections);
}
