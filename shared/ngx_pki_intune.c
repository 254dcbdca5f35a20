
/*
 * Copyright (C) the ngx_pki authors
 *
 * Intune of an identity: what is known when the configuration is read, and
 * what a worker adds.
 */


#include "ngx_pki_intune_call.h"


#define NGX_PKI_INTUNE_GRAPH_CONNECTIONS  2

#define NGX_PKI_INTUNE_GRAPH     "https://graph.microsoft.com"
#define NGX_PKI_INTUNE_RESOURCE  "https://api.manage.microsoft.com/"
#define NGX_PKI_INTUNE_HOST      ".manage.microsoft.com"


static ngx_int_t ngx_pki_intune_identity(ngx_conf_t *cf,
    ngx_pki_intune_t *intune, ngx_array_t *identities);
static ngx_pki_intune_t *ngx_pki_intune_find(ngx_pki_intune_t **intune,
    ngx_uint_t n, ngx_pki_azure_identity_t *identity);
static ngx_int_t ngx_pki_intune_hosts(ngx_conf_t *cf,
    ngx_pki_intune_t *intune);
static ngx_int_t ngx_pki_intune_graph(ngx_conf_t *cf,
    ngx_pki_intune_t *intune);
static ngx_int_t ngx_pki_intune_list_name(ngx_conf_t *cf,
    ngx_pki_intune_t *intune);
static void ngx_pki_intune_cleanup(void *data);


ngx_pki_intune_t *
ngx_pki_intune_add(ngx_conf_t *cf, ngx_array_t *intunes, ngx_str_t *identity)
{
    ngx_uint_t          i;
    ngx_pki_intune_t   *intune, **ip;

    ip = intunes->elts;

    for (i = 0; i < intunes->nelts; i++) {
        if (ip[i]->name.len == identity->len
            && ngx_memcmp(ip[i]->name.data, identity->data, identity->len)
               == 0)
        {
            return ip[i];
        }
    }

    intune = ngx_pcalloc(cf->pool, sizeof(ngx_pki_intune_t));
    ip = ngx_array_push(intunes);

    if (intune == NULL || ip == NULL) {
        return NULL;
    }

    intune->name = *identity;
    intune->file = cf->conf_file->file.name.data;
    intune->line = cf->conf_file->line;
    intune->one = intune;

    *ip = intune;

    return intune;
}


/* an identity may be named in one place, and be the only one in another */

ngx_int_t
ngx_pki_intune_init(ngx_conf_t *cf, ngx_array_t *intunes,
    ngx_array_t *identities, ngx_str_t *name)
{
    ngx_uint_t          i, n;
    ngx_pki_intune_t  **intune;

    intune = intunes->elts;
    n = 0;

    for (i = 0; i < intunes->nelts; i++) {

        if (ngx_pki_intune_identity(cf, intune[i], identities) != NGX_OK) {
            return NGX_ERROR;
        }

        intune[i]->one = ngx_pki_intune_find(intune, n, intune[i]->identity);

        if (intune[i]->one != NULL) {
            continue;
        }

        intune[i]->one = intune[i];

        if (ngx_pki_intune_hosts(cf, intune[i]) != NGX_OK
            || ngx_pki_intune_graph(cf, intune[i]) != NGX_OK
            || ngx_pki_intune_list_name(cf, intune[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }

        intune[n++] = intune[i];

        /* whatever Graph is, it tells names */

        ngx_str_set(name, "of Intune");
    }

    intunes->nelts = n;

    return NGX_OK;
}


static ngx_int_t
ngx_pki_intune_identity(ngx_conf_t *cf, ngx_pki_intune_t *intune,
    ngx_array_t *identities)
{
    intune->identity = ngx_pki_azure_identity_find(cf, identities,
                                                   &intune->name);

    if (intune->identity != NULL) {
        return NGX_OK;
    }

    if (intune->name.len == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "intune: there are several identities, say which one "
                      "by \"identity=\" in %s:%ui",
                      intune->file, intune->line);
        return NGX_ERROR;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "intune: unknown identity \"%V\": there is no such "
                  "\"pki_azure_identity\" in %s:%ui",
                  &intune->name, intune->file, intune->line);

    return NGX_ERROR;
}


static ngx_pki_intune_t *
ngx_pki_intune_find(ngx_pki_intune_t **intune, ngx_uint_t n,
    ngx_pki_azure_identity_t *identity)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        if (intune[i]->identity == identity) {
            return intune[i];
        }
    }

    return NULL;
}


ngx_pki_intune_t *
ngx_pki_intune_one(ngx_pki_intune_t *intune)
{
    return intune->one;
}


static ngx_int_t
ngx_pki_intune_hosts(ngx_conf_t *cf, ngx_pki_intune_t *intune)
{
    ngx_str_t  *host;

    intune->resource = intune->identity->intune_resource;

    if (intune->resource.len == 0) {
        ngx_str_set(&intune->resource, NGX_PKI_INTUNE_RESOURCE);
    }

    intune->hosts = intune->identity->intune_hosts;

    if (intune->hosts != NULL) {
        return NGX_OK;
    }

    intune->hosts = ngx_array_create(cf->pool, 1, sizeof(ngx_str_t));
    if (intune->hosts == NULL) {
        return NGX_ERROR;
    }

    /* there is room for it */

    host = ngx_array_push(intune->hosts);
    ngx_str_set(host, NGX_PKI_INTUNE_HOST);

    return NGX_OK;
}


/* the resource of its tokens is its URL as it is written, without a path */

static ngx_int_t
ngx_pki_intune_graph(ngx_conf_t *cf, ngx_pki_intune_t *intune)
{
    ngx_str_t    text;
    const char  *error;

    text = intune->identity->graph_host;

    if (text.len == 0) {
        ngx_str_set(&text, NGX_PKI_INTUNE_GRAPH);
    }

    error = ngx_pki_url_parse(cf->pool, &text, &intune->graph);

    if (error != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URL \"%V\" of Graph: %s", &text, error);
        return NGX_ERROR;
    }

    intune->graph_resource.data = ngx_pnalloc(cf->pool,
                                              sizeof("https://")
                                              + intune->graph.host.len);
    if (intune->graph_resource.data == NULL) {
        return NGX_ERROR;
    }

    intune->graph_resource.len = ngx_sprintf(intune->graph_resource.data,
                                             "https://%V", &intune->graph.host)
                                 - intune->graph_resource.data;

    return NGX_OK;
}


/* a list is that of an identity, by this Graph, of these hosts */

static ngx_int_t
ngx_pki_intune_list_name(ngx_conf_t *cf, ngx_pki_intune_t *intune)
{
    u_char      *p;
    size_t       len;
    ngx_str_t   *host;
    ngx_uint_t   i;

    host = intune->hosts->elts;
    len = sizeof("intune services") + intune->graph.text.len + 1;

    for (i = 0; i < intune->hosts->nelts; i++) {
        len += host[i].len + 1;
    }

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    intune->list_name.data = p;

    p = ngx_sprintf(p, "intune services %V", &intune->graph.text);

    for (i = 0; i < intune->hosts->nelts; i++) {
        p = ngx_sprintf(p, " %V", &host[i]);
    }

    intune->list_name.len = p - intune->list_name.data;

    return NGX_OK;
}


ngx_int_t
ngx_pki_intune_start(ngx_pki_intune_t *intune, ngx_pki_https_t *https,
    ngx_pki_zone_t *zone, ngx_log_t *log)
{
    ngx_pool_cleanup_t  *cln;

    intune->https = https;
    intune->zone = zone;
    intune->log = log;

    intune->graph_peer = ngx_pki_https_peer(https, &intune->graph,
                                            NGX_PKI_INTUNE_GRAPH_CONNECTIONS,
                                            NULL);

    intune->cell = ngx_pki_azure_cell(intune->identity, &intune->list_name);

    cln = ngx_pool_cleanup_add(ngx_cycle->pool, 0);

    if (intune->graph_peer == NULL || intune->cell == NULL || cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_pki_intune_cleanup;
    cln->data = intune;

    return NGX_OK;
}


/* the HTTPS client has gone before, without calling anybody */

static void
ngx_pki_intune_cleanup(void *data)
{
    ngx_pki_intune_t  *intune = data;

    if (intune->discovery != NULL) {
        ngx_pki_intune_discovery_abort(intune->discovery);
    }
}


ngx_str_t *
ngx_pki_intune_name(ngx_pki_intune_t *intune)
{
    return intune->identity != NULL
           ? ngx_pki_azure_identity_name(intune->identity) : &intune->name;
}
