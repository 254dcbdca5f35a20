
/*
 * Copyright (C) the ngx_pki authors
 *
 * Intune as a worker knows it, and a call on its way; for ngx_pki_intune*.c
 * only.
 *
 *     list --> token --> send --> status --> done
 *      ^                            |
 *      +---------- retry -----------+
 */


#ifndef _NGX_PKI_INTUNE_CALL_H_INCLUDED_
#define _NGX_PKI_INTUNE_CALL_H_INCLUDED_


#include "ngx_pki_intune_json.h"
#include "ngx_pki_azure_cell.h"


/* milliseconds: of one try, and of a call where it does not say */

#define NGX_PKI_INTUNE_TIMEOUT    10000
#define NGX_PKI_INTUNE_BUDGET     15000

/* hosts that the services of one tenant have been at; a host is kept as long as
 * the worker lives */

#define NGX_PKI_INTUNE_MAX_PEERS  16

#define NGX_PKI_INTUNE_MAX_ERROR  512


typedef struct ngx_pki_intune_discovery_s  ngx_pki_intune_discovery_t;


typedef struct {
    ngx_pki_url_t              url;
    ngx_pki_https_peer_t      *peer;
} ngx_pki_intune_peer_t;


typedef struct {
    ngx_pki_https_peer_t      *peer;         /* NULL: not in the list */
    ngx_str_t                  path;
    u_char                     buf[NGX_PKI_INTUNE_MAX_URI];
} ngx_pki_intune_place_t;


/* in the cycle's pool */

struct ngx_pki_intune_s {
    ngx_str_t                  name;         /* of the identity */
    u_char                    *file;         /* where it is named first */
    ngx_uint_t                 line;
    ngx_pki_intune_t          *one;          /* of this identity: itself, or
                                              * the only one in use */
    ngx_pki_azure_identity_t  *identity;
    ngx_pki_url_t              graph;
    ngx_str_t                  graph_resource;
    ngx_str_t                  resource;
    ngx_array_t               *hosts;        /* of ngx_str_t */
    ngx_str_t                  list_name;    /* of the cell */

    /* of the worker */
    ngx_pki_https_t           *https;
    ngx_pki_https_peer_t      *graph_peer;
    ngx_pki_zone_t            *zone;
    ngx_log_t                 *log;
    ngx_pki_azure_cell_t      *cell;
    ngx_pki_intune_discovery_t  *discovery;  /* NULL: this worker asks not */

    ngx_uint_t                 generation;   /* of the list that this is, 0:
                                              * of none */
    ngx_pki_intune_place_t     places[NGX_PKI_INTUNE_SERVICES];
    ngx_pki_intune_peer_t     *peers[NGX_PKI_INTUNE_MAX_PEERS];
    ngx_uint_t                 npeers;
};


enum {
    NGX_PKI_INTUNE_AUTHORIZATION = 0,
    NGX_PKI_INTUNE_CLIENT_REQUEST_ID,
    NGX_PKI_INTUNE_ACCEPT,
    NGX_PKI_INTUNE_API_VERSION,
    NGX_PKI_INTUNE_CONTENT_TYPE,
    NGX_PKI_INTUNE_HEADERS
};


/* a call on its way, in the pool of its operation */

typedef struct {
    ngx_pki_intune_call_t     *call;
    ngx_pki_intune_t          *intune;
    ngx_msec_t                 started;
    ngx_msec_t                 deadline;

    ngx_str_t                  body;
    ngx_str_t                  headers[NGX_PKI_INTUNE_HEADERS];
    ngx_str_t                  client_request_id;

    ngx_pki_azure_token_t      token;
    ngx_pki_https_call_t       https;
    ngx_event_t                timer;

    ngx_uint_t                 repeats;
    ngx_uint_t                 list;         /* generation of that in use */
    ngx_uint_t                 stale;        /* that of one to do without */
    ngx_uint_t                 generation;   /* of the token in use */
    ngx_uint_t                 refused;      /* that of one to be renewed */
    unsigned                   renewed:1;    /* the token, after 401 or 403 */
    unsigned                   fresh:1;      /* the next one: connection */
} ngx_pki_intune_way_t;


/* "POST .../ScepActions/validateRequest": the last part, for messages. */
const char *ngx_pki_intune_call_name(ngx_pki_intune_call_e kind);

/* For how long a call may wait and still have time for a try. */
ngx_msec_t ngx_pki_intune_call_spare(ngx_pki_intune_way_t *way);

/* Ways for a call to go on: another try after a pause; its end. */
void ngx_pki_intune_call_retry(ngx_pki_intune_way_t *way, ngx_msec_t pause);
void ngx_pki_intune_call_fail(ngx_pki_intune_way_t *way, ngx_str_t *words);
void ngx_pki_intune_call_done(ngx_pki_intune_way_t *way,
    ngx_pki_intune_result_e result);

/* What becomes of a call whose way->https has ended. */
void ngx_pki_intune_status(ngx_pki_intune_way_t *way);

/*
 * Brings intune->places up to date.  "stale" is the generation of a list that
 * has led nowhere, 0: of none.  NGX_AGAIN: it is being asked for; NGX_ERROR:
 * "error" is why there is none, in "pool".
 */
ngx_int_t ngx_pki_intune_list_get(ngx_pki_intune_t *intune, ngx_pool_t *pool,
    ngx_uint_t stale, ngx_str_t *error);

/* A list has led nowhere: another one is asked for, unless there is one. */
void ngx_pki_intune_list_drop(ngx_pki_intune_t *intune, ngx_uint_t generation);

/* Asks Graph, if nobody does, on its own account; "stale" as above. */
void ngx_pki_intune_discovery_start(ngx_pki_intune_t *intune,
    ngx_uint_t stale, ngx_uint_t background);

/* When the worker exits: frees it. */
void ngx_pki_intune_discovery_abort(ngx_pki_intune_discovery_t *discovery);

/* Headers: a new client-request-id, which goes to "id" (may be NULL), too. */
ngx_int_t ngx_pki_intune_request_id(ngx_pool_t *pool, ngx_str_t *header,
    ngx_str_t *id);

/* "HTTP 503 Code: words" of an answer that is an error, one line in "pool". */
void ngx_pki_intune_words(ngx_pool_t *pool, ngx_pki_https_call_t *https,
    ngx_str_t *words);


#endif /* _NGX_PKI_INTUNE_CALL_H_INCLUDED_ */
