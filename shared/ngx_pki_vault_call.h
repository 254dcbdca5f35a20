
/*
 * Copyright (C) the ngx_pki authors
 *
 * A vault as a worker knows it, and a call on its way; for ngx_pki_vault*.c
 * only.
 *
 *     trouble? --> token --> limit --> connection --> send --> status --> done
 *                    ^                                           |
 *                    +------------------ retry ------------------+
 */


#ifndef _NGX_PKI_VAULT_CALL_H_INCLUDED_
#define _NGX_PKI_VAULT_CALL_H_INCLUDED_


#include "ngx_pki_vault_answer.h"
#include "ngx_pki_vault_limit.h"
#include "ngx_pki_vault_trouble.h"


/* what the workers share of a vault; lies in the zone */

typedef struct {
    ngx_pki_vault_limit_t      limit;
    ngx_pki_https_counters_t   counters;
    ngx_pki_vault_outcomes_t   outcomes;
} ngx_pki_vault_shared_t;


/*
 * "waiting" are calls for which no connection is free: they wait here and not
 * in the HTTPS client, whose time limit would run from then on.
 */

struct ngx_pki_vault_s {
    ngx_queue_t                queue;        /* of the worker's vaults */
    ngx_str_t                  name;         /* as in messages */
    ngx_pki_url_t             *url;
    ngx_pki_https_t           *https;
    ngx_pki_https_peer_t      *peer;
    ngx_pki_zone_t            *zone;
    ngx_pki_vault_shared_t    *shared;

    ngx_queue_t                waiting;      /* of ngx_pki_vault_way_t */
    ngx_uint_t                 active;
};


enum {
    NGX_PKI_VAULT_AUTHORIZATION = 0,
    NGX_PKI_VAULT_CLIENT_REQUEST_ID,
    NGX_PKI_VAULT_ACCEPT,
    NGX_PKI_VAULT_CONTENT_TYPE,
    NGX_PKI_VAULT_HEADERS
};


/* what a failure tells of the calls to come */

enum {
    NGX_PKI_VAULT_NO_TROUBLE = 0,
    NGX_PKI_VAULT_PASSING,                   /* they may succeed */
    NGX_PKI_VAULT_LASTING                    /* they need not be made */
};


/* a call on its way, in the pool of its operation */

typedef struct {
    ngx_pki_vault_call_t      *call;
    ngx_pki_vault_t           *vault;
    ngx_msec_t                 deadline;

    ngx_str_t                  path;
    ngx_str_t                  body;
    ngx_str_t                  headers[NGX_PKI_VAULT_HEADERS];
    ngx_str_t                  client_request_id;
    ngx_str_t                  request_id;   /* the vault's */

    ngx_pki_azure_token_t      token;
    ngx_pki_https_call_t       https;

    /* for whatever it waits; not cancelable */
    ngx_event_t                timer;
    ngx_queue_t                queue;

    ngx_uint_t                 retries;      /* all of them */
    ngx_uint_t                 repeats;      /* of what was unavailable */
    ngx_uint_t                 unauthorized; /* 401s */
    ngx_uint_t                 generation;   /* of the token in use */
    ngx_uint_t                 refused;      /* that of one to be renewed */
    unsigned                   renewed:1;    /* the token, after 401s */
    unsigned                   fresh:1;      /* the next one: connection */
    const char                *wrong;        /* with the last 200 */
    ngx_str_t                  words;        /* what went wrong last */
} ngx_pki_vault_way_t;


/* Prepares path, body and headers but for the token; NGX_ERROR: out of memory
 * or of random octets. */
ngx_int_t ngx_pki_vault_request_init(ngx_pki_vault_way_t *way);

/* Sets the header that carries the token, and cleanses it again. */
ngx_int_t ngx_pki_vault_request_authorize(ngx_pki_vault_way_t *way,
    ngx_str_t *token);
void ngx_pki_vault_request_cleanse(ngx_pki_vault_way_t *way);

/* What becomes of a call whose way->https has ended: a retry, or its end. */
void ngx_pki_vault_status(ngx_pki_vault_way_t *way);

/* For how long a call may wait and still have time for a try. */
ngx_msec_t ngx_pki_vault_call_spare(ngx_pki_vault_way_t *way);

/* Ways for a call to go on: another try after a pause; its end with a failure,
 * told of by way->words, which ngx_pki_vault_call_words() sets; its end. */
void ngx_pki_vault_call_retry(ngx_pki_vault_way_t *way, ngx_msec_t pause);
void ngx_pki_vault_call_words(ngx_pki_vault_way_t *way, const char *prefix,
    ngx_str_t *text);
void ngx_pki_vault_call_fail(ngx_pki_vault_way_t *way,
    ngx_pki_vault_result_e result, ngx_uint_t trouble);
void ngx_pki_vault_call_done(ngx_pki_vault_way_t *way,
    ngx_pki_vault_result_e result);

/* Logs how a call ended (by way->words), keeps what that tells of the key, sets
 * call->error. */
void ngx_pki_vault_report(ngx_pki_vault_way_t *way,
    ngx_pki_vault_result_e result, ngx_uint_t trouble);
void ngx_pki_vault_report_blocked(ngx_pki_vault_way_t *way);
void ngx_pki_vault_report_success(ngx_pki_vault_way_t *way);


#endif /* _NGX_PKI_VAULT_CALL_H_INCLUDED_ */
