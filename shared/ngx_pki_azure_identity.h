
/*
 * Copyright (C) the ngx_pki authors
 *
 * The inside of an Azure identity, for ngx_pki_azure*.c and what asks for its
 * tokens: ngx_pki_vault_request.c, ngx_pki_intune*.c.
 */


#ifndef _NGX_PKI_AZURE_IDENTITY_H_INCLUDED_
#define _NGX_PKI_AZURE_IDENTITY_H_INCLUDED_


#include "ngx_pki_azure.h"
#include "ngx_pki_azure_answer.h"
#include "ngx_pki_op.h"


#define NGX_PKI_AZURE_MAX_SECRET     4096
#define NGX_PKI_AZURE_UUID_LEN       36
#define NGX_PKI_AZURE_MAX_ASSERTION  (16 * 1024)

/* milliseconds that one call may take */
#define NGX_PKI_AZURE_CALL_TIMEOUT   5000


typedef enum {
    NGX_PKI_AZURE_NONE = 0,
    NGX_PKI_AZURE_AUTO,                      /* becomes any other one */
    NGX_PKI_AZURE_MANAGED,                   /* becomes one of the last 3 */
    NGX_PKI_AZURE_SECRET,
    NGX_PKI_AZURE_CERTIFICATE,
    NGX_PKI_AZURE_FEDERATED,
    NGX_PKI_AZURE_APP_SERVICE,
    NGX_PKI_AZURE_ARC,
    NGX_PKI_AZURE_IMDS
} ngx_pki_azure_kind_e;


#define ngx_pki_azure_is_managed(identity)                                   \
    ((identity)->kind >= NGX_PKI_AZURE_APP_SERVICE)


/* in the cycle's pool; what a worker adds is below */

struct ngx_pki_azure_identity_s {
    ngx_str_t                  name;
    ngx_str_t                  tenant;
    ngx_str_t                  client_id;
    ngx_pki_azure_kind_e       kind;         /* as configured, then as found */

    ngx_str_t                  secret_file;
    ngx_str_t                  certificate_file;
    ngx_str_t                  key_file;
    ngx_str_t                  federated_file;
    ngx_str_t                  authority_host;
    ngx_str_t                  endpoint;     /* of a managed identity */

    /* where Graph and Intune are in this cloud; empty, NULL: in the public
     * one */
    ngx_str_t                  graph_host;
    ngx_str_t                  intune_resource;
    ngx_array_t               *intune_hosts; /* ngx_str_t; ".example": any
                                              * that ends so */

    /* the client secret, or the header of App Service; cleansed with the
     * cycle */
    ngx_str_t                  secret;
    EVP_PKEY                  *key;          /* of the certificate */
    ngx_str_t                  thumbprint;   /* x5t#S256, base64url */

    ngx_pki_url_t              url;          /* of who gives tokens */
    ngx_str_t                  path;
    u_char                     digest[32];   /* of all of the above */

    unsigned                   automatic:1;  /* was "auto" */
    unsigned                   probe:1;      /* perhaps there is no IMDS */

    /* of the worker */
    ngx_pki_https_peer_t      *peer;
    ngx_pki_zone_t            *zone;
    ngx_log_t                 *log;
    ngx_array_t                caches;       /* ngx_pki_azure_cache_t * */
    unsigned                   probed:1;     /* somebody answers there */
};


typedef struct ngx_pki_azure_fetch_s  ngx_pki_azure_fetch_t;

typedef void (*ngx_pki_azure_fetch_pt)(ngx_pki_azure_fetch_t *fetch);


/* asking once for a token, with repetitions; lies in an operation of its own */

struct ngx_pki_azure_fetch_s {
    ngx_pki_op_t              *op;
    ngx_pki_azure_identity_t  *identity;
    ngx_str_t                  resource;

    /* called before each wait of "delay" milliseconds, then at the end; what
     * lies in the fetch is gone when "done" returns */
    ngx_pki_azure_fetch_pt     again;
    ngx_pki_azure_fetch_pt     done;
    void                      *data;

    ngx_int_t                  rc;           /* NGX_OK; NGX_ERROR; NGX_ABORT:
                                              * the worker quits */
    ngx_pki_azure_answer_t     answer;
    ngx_str_t                  error;        /* has room for MAX_ERROR octets */
    ngx_msec_t                 delay;

    ngx_pki_https_call_t       call;
    ngx_str_t                  headers[2];
    ngx_event_t                timer;        /* cancelable: who waits for a
                                              * token keeps the worker */
    ngx_uint_t                 repeated;
    ngx_str_t                  arc_key;      /* what the challenge asked for */
    unsigned                   probing:1;
    unsigned                   failed:1;     /* for good, before it was sent */
};


/* ngx_pki_azure_environment.c: what "auto" and "managed_identity" become.
 * NULL, or what is wrong. */
const char *ngx_pki_azure_environment(ngx_conf_t *cf,
    ngx_pki_azure_identity_t *identity);

/* Whether "text" is an identifier of a tenant or of an application. */
ngx_uint_t ngx_pki_azure_is_id(ngx_str_t *text);

/* Warns if others than its owner may use the file of a secret. */
void ngx_pki_azure_check_mode(ngx_conf_t *cf,
    ngx_pki_azure_identity_t *identity, ngx_str_t *path);

/* Whether secrets may go to this URL: https, or not over a network. */
ngx_uint_t ngx_pki_azure_is_safe(ngx_pki_url_t *url);

/* What an identity asks, for messages: "Entra with a client secret". */
ngx_str_t *ngx_pki_azure_source_name(ngx_pki_azure_identity_t *identity);

/*
 * Fills fetch->call: method, path, headers, body.  NGX_ERROR: fetch->error is
 * why.
 */
ngx_int_t ngx_pki_azure_source_request(ngx_pki_azure_fetch_t *fetch);

/*
 * The answer to Arc's challenge: reads the file that it names to
 * fetch->arc_key.  NGX_ERROR: fetch->error is why.
 */
ngx_int_t ngx_pki_azure_arc_challenge(ngx_pki_azure_fetch_t *fetch,
    ngx_str_t *challenge);

/*
 * Starts asking; handlers are never called before it returns.  NULL: out of
 * memory.
 */
ngx_pki_azure_fetch_t *ngx_pki_azure_fetch_start(
    ngx_pki_azure_identity_t *identity, ngx_str_t *resource,
    ngx_uint_t background, ngx_log_t *log);

/* When the worker exits: frees it, calls no handler. */
void ngx_pki_azure_fetch_abort(ngx_pki_azure_fetch_t *fetch);

/* Set fetch->error, cut to its size; both return NGX_ERROR. */
ngx_int_t ngx_pki_azure_fetch_error(ngx_pki_azure_fetch_t *fetch,
    ngx_str_t *error);
ngx_int_t ngx_pki_azure_fetch_text(ngx_pki_azure_fetch_t *fetch,
    const char *text);

/*
 * The client certificate: loads it and its key into identity->thumbprint and
 * ->key; the error is logged.
 */
ngx_int_t ngx_pki_azure_assertion_load(ngx_conf_t *cf,
    ngx_pki_azure_identity_t *identity);

/* A signed assertion (RFC 7523), cleansed with the pool. */
ngx_int_t ngx_pki_azure_assertion(ngx_pki_azure_identity_t *identity,
    ngx_pool_t *pool, ngx_str_t *assertion);

/* Memory that is cleansed with its pool. */
u_char *ngx_pki_azure_secret_alloc(ngx_pool_t *pool, size_t size);

/* "Authorization: Bearer token", cleansed with the pool. */
ngx_int_t ngx_pki_azure_secret_bearer(ngx_pool_t *pool, ngx_str_t *token,
    ngx_str_t *header);

/*
 * Reads a whole small file, without blanks at its end: 1 to "max" octets.
 * NGX_ERROR: "error" is why, one line in "pool".
 */
ngx_int_t ngx_pki_azure_secret_read(ngx_pool_t *pool, ngx_str_t *path,
    size_t max, ngx_str_t *secret, ngx_str_t *error);

/* A random UUID as text; NGX_ERROR: no random octets. */
ngx_int_t ngx_pki_azure_uuid(u_char *buf);

/* Whether all octets may stand in a header: visible ASCII. */
ngx_uint_t ngx_pki_azure_secret_visible(ngx_str_t *secret);


#endif /* _NGX_PKI_AZURE_IDENTITY_H_INCLUDED_ */
