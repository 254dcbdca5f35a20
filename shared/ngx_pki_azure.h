
/*
 * Copyright (C) the ngx_pki authors
 *
 * Azure identities: who this nginx is to Azure, and the access tokens that
 * prove it.  Tokens are shared by all workers in the zone, fetched by one of
 * them at a time, renewed in the background before they expire.
 */


#ifndef _NGX_PKI_AZURE_H_INCLUDED_
#define _NGX_PKI_AZURE_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_https.h"
#include "ngx_pki_zone.h"


typedef struct ngx_pki_azure_identity_s  ngx_pki_azure_identity_t;
typedef struct ngx_pki_azure_token_s     ngx_pki_azure_token_t;

typedef void (*ngx_pki_azure_token_pt)(ngx_pki_azure_token_t *token);


/*
 * One use of a token, in the pool of an operation.  The handler is called
 * exactly once, within "timeout", perhaps before ngx_pki_azure_token_get()
 * returns.
 */

struct ngx_pki_azure_token_s {
    ngx_pki_azure_identity_t  *identity;
    ngx_str_t                  resource;     /* "https://vault.azure.net": for
                                              * /.default and resource= */
    ngx_pool_t                *pool;
    ngx_log_t                 *log;
    ngx_msec_t                 timeout;

    /* in: the generation of a token that was refused (0: none); out: that of
     * this one */
    ngx_uint_t                 generation;

    ngx_int_t                  rc;           /* NGX_OK, NGX_ERROR */
    ngx_str_t                  token;        /* cleansed with the pool */
    ngx_str_t                  error;        /* one line, no secret */

    ngx_pki_azure_token_pt     handler;
    void                      *data;

    /* of the implementation */
    void                      *ctx;
    ngx_event_t                timer;
    ngx_queue_t                queue;
};


/*
 * Parses the block of pki_azure_identity and adds it to "identities" (of
 * ngx_pki_azure_identity_t *).  NGX_CONF_OK or NGX_CONF_ERROR, logged.
 */
char *ngx_pki_azure_identity_block(ngx_conf_t *cf, ngx_array_t *identities);

/*
 * The identity of that name.  An empty name: the only one there is, or if none
 * is configured an "auto" one, which is then added.  NULL: none, or no only
 * one.
 */
ngx_pki_azure_identity_t *ngx_pki_azure_identity_find(ngx_conf_t *cf,
    ngx_array_t *identities, ngx_str_t *name);

/* When all is read: reads secrets, keys, environment; whether a host name of
 * it needs a resolver goes to "resolve".  NGX_ERROR: logged. */
ngx_int_t ngx_pki_azure_identity_init(ngx_conf_t *cf,
    ngx_pki_azure_identity_t *identity, ngx_uint_t *resolve);

/* In a worker, before the first token. */
ngx_int_t ngx_pki_azure_identity_start(ngx_pki_azure_identity_t *identity,
    ngx_pki_https_t *https, ngx_pki_zone_t *zone, ngx_log_t *log);

ngx_str_t *ngx_pki_azure_identity_name(ngx_pki_azure_identity_t *identity);

/* Gets a token; see above. */
void ngx_pki_azure_token_get(ngx_pki_azure_token_t *token);


#endif /* _NGX_PKI_AZURE_H_INCLUDED_ */
