
/*
 * Copyright (C) the ngx_pki authors
 *
 * The HTTPS client: libcurl's multi-socket interface over level-triggered
 * nginx events, one multi handle a worker.  No thread, no blocking name
 * lookup: names are resolved by nginx.  Knows nothing of what is asked.
 */


#ifndef _NGX_PKI_HTTPS_H_INCLUDED_
#define _NGX_PKI_HTTPS_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_url.h"


#define NGX_PKI_HTTPS_MAX_ANSWER  (64 * 1024)
#define NGX_PKI_HTTPS_BUCKETS     16


typedef struct ngx_pki_https_s       ngx_pki_https_t;
typedef struct ngx_pki_https_peer_s  ngx_pki_https_peer_t;
typedef struct ngx_pki_https_call_s  ngx_pki_https_call_t;

typedef void (*ngx_pki_https_pt)(ngx_pki_https_call_t *call);


/* settings, in the cycle's pool */

typedef struct {
    ngx_str_t                  trusted_certificate;  /* empty: the system's */
    ngx_str_t                  proxy;                /* empty: none */
    ngx_resolver_t            *resolver;             /* NULL: none */
    ngx_msec_t                 resolver_timeout;
} ngx_pki_https_conf_t;


/*
 * What all workers count of a peer together; lies in the zone.  latency[i]
 * counts calls that were answered in less than 2^i milliseconds (and in no
 * less than 2^(i-1)), the last one all the slower ones.
 */

typedef struct {
    ngx_atomic_t               calls;        /* answered, whatever the status */
    ngx_atomic_t               failures;     /* without an answer */
    ngx_atomic_t               retries;      /* counted by the caller */
    ngx_atomic_t               connects;     /* TCP */
    ngx_atomic_t               handshakes;   /* TLS */
    ngx_atomic_t               latency[NGX_PKI_HTTPS_BUCKETS];
} ngx_pki_https_counters_t;


/*
 * A call.  It belongs to the caller (usually to an operation's pool) and must
 * stay, with all it points to, until its handler has been called.  The handler
 * is called exactly once, never from within ngx_pki_https_send(), and within
 * "timeout"; it may send further calls and free this one.
 */

struct ngx_pki_https_call_s {
    ngx_pki_https_peer_t      *peer;
    ngx_pool_t                *pool;         /* for the answer */
    ngx_log_t                 *log;

    ngx_str_t                  method;       /* "GET", "POST" */
    ngx_str_t                  path;         /* and query, encoded */
    ngx_str_t                 *headers;      /* "Name: value" */
    ngx_uint_t                 nheaders;
    ngx_str_t                  body;         /* empty with GET */

    ngx_msec_t                 timeout;      /* waiting for a connection and
                                              * all the rest; not 0 */
    unsigned                   fresh:1;      /* not over an old connection */
    unsigned                   direct:1;     /* not by the proxy */
    unsigned                   background:1; /* a quitting worker drops it */

    ngx_pki_https_pt           handler;
    void                      *data;

    /* the answer; in "pool", each string ends with a NUL behind its length */
    ngx_uint_t                 status;       /* 0: none, "error" says why */
    ngx_str_t                  answer;
    ngx_str_t                  challenge;    /* WWW-Authenticate */
    ngx_str_t                  request_id;   /* x-ms-request-id */
    ngx_msec_int_t             retry_after;  /* milliseconds, -1: not said */
    ngx_msec_t                 elapsed;      /* without waiting in a queue */
    ngx_str_t                  error;        /* one line, no secret */
    unsigned                   tls_error:1;  /* the peer is not who it should
                                              * be: no use to try again */

    /* of the client, not for the caller */
    ngx_queue_t                queue;
    void                      *transfer;
    ngx_event_t                timer;
    unsigned                   uncounted:1;  /* by the counters, but for its
                                              * connection */
};


/* At configuration time: whether libcurl has the OpenSSL that nginx has.
 * NGX_ERROR: logged. */
ngx_int_t ngx_pki_https_check_tls(ngx_log_t *log);

/* The library's own state; in the worker only, before all else. */
ngx_pki_https_t *ngx_pki_https_create(ngx_pki_https_conf_t *conf,
    ngx_log_t *log);

/* In exit_process: closes everything, calls no handler. */
void ngx_pki_https_destroy(ngx_pki_https_t *https);

/*
 * A peer: scheme, host, port of "url", which must stay.  At most "connections"
 * calls are under way at a time, further ones wait in order.  One for each
 * url->text; "counters" may be NULL.  NULL: out of memory.
 */
ngx_pki_https_peer_t *ngx_pki_https_peer(ngx_pki_https_t *https,
    ngx_pki_url_t *url, ngx_uint_t connections,
    ngx_pki_https_counters_t *counters);

/*
 * Keeps all connections of a peer open and ready from now on, by asking for
 * "path" over each whenever it has been idle for a while; any answer will do.
 */
void ngx_pki_https_warm(ngx_pki_https_peer_t *peer, ngx_str_t *path);

/* Starts a call; see above. */
void ngx_pki_https_send(ngx_pki_https_call_t *call);


#endif /* _NGX_PKI_HTTPS_H_INCLUDED_ */
