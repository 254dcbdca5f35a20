
/*
 * Copyright (C) the ngx_pki authors
 *
 * Private to ngx_pki_https*.c.
 *
 * A call is in one queue at a time: of its peer, while it waits; of the client,
 * once it has ended.  In between it has a transfer.  Transfers are started and
 * handlers are called in a posted event only, whatever has happened; so nothing
 * here is entered twice.
 */


#ifndef _NGX_PKI_HTTPS_TRANSFER_H_INCLUDED_
#define _NGX_PKI_HTTPS_TRANSFER_H_INCLUDED_


#include "ngx_pki_https.h"
#include "ngx_pki_https_header.h"

#include <curl/curl.h>


#define NGX_PKI_HTTPS_MAX_ADDRESSES  8


typedef struct ngx_pki_https_name_s      ngx_pki_https_name_t;
typedef struct ngx_pki_https_transfer_s  ngx_pki_https_transfer_t;


/*
 * A host and its addresses.  libcurl is given one of each family: with more it
 * would, in some versions, wait for all its time when the first does not
 * answer.  So the next one is the next call's.
 */

struct ngx_pki_https_name_s {
    ngx_pki_https_t            *https;
    ngx_pki_url_t              *url;
    ngx_resolver_ctx_t         *resolving;

    ngx_str_t                   addresses;   /* "ip,[ip]"; empty: not known */
    ngx_uint_t                  turn;        /* which of those known */
    ngx_uint_t                  nfailed;     /* turns, one after the other */

    ngx_str_t                   known[NGX_PKI_HTTPS_MAX_ADDRESSES];
    ngx_uint_t                  nknown;
    ngx_msec_t                  valid;       /* until then, if they are */
    ngx_msec_t                  next;        /* not asked for before */

    unsigned                    outage:1;    /* logged */

    u_char                      text[NGX_PKI_HTTPS_MAX_ADDRESSES]
                                    [NGX_SOCKADDR_STRLEN + 2];
    u_char                      chosen[2 * (NGX_SOCKADDR_STRLEN + 2) + 1];
};


struct ngx_pki_https_peer_s {
    ngx_queue_t                 queue;       /* https->peers */
    ngx_pki_https_t            *https;
    ngx_pki_url_t              *url;
    ngx_pki_https_counters_t   *counters;
    ngx_pki_https_name_t        name;

    ngx_uint_t                  connections;
    ngx_uint_t                  nrunning;    /* transfers */

    ngx_queue_t                 waiting;     /* calls */
    ngx_queue_t                 background;  /* calls, after those */

    /* cancelable: keeps the connections warm */
    ngx_event_t                 timer;
    ngx_str_t                   path;
    unsigned                    outage:1;    /* logged */
};


/* an easy handle, and what it works with for one call after the other */

struct ngx_pki_https_transfer_s {
    ngx_queue_t                 queue;       /* all, or idle ones */
    ngx_pki_https_t            *https;
    CURL                       *easy;

    ngx_pki_https_call_t       *call;
    ngx_pki_https_name_t       *name;        /* where it connects to */
    ngx_uint_t                  turn;        /* name->turn then */
    ngx_msec_t                  started;

    /* URL, request header and addresses; cleansed, freed after each call */
    struct curl_slist          *block;
    size_t                      block_len;

    ngx_pki_https_header_t      header;
    size_t                      len;         /* of the answer */

    unsigned                    large:1;     /* the answer is larger */
    unsigned                    nomem:1;

    char                        error[CURL_ERROR_SIZE];
    u_char                      answer[NGX_PKI_HTTPS_MAX_ANSWER];
};


struct ngx_pki_https_s {
    ngx_pki_https_conf_t       *conf;
    ngx_pool_t                 *pool;        /* owns this structure, too */
    ngx_log_t                  *log;
    CURLM                      *multi;

    char                       *cainfo;      /* NULL: the directory of CAs */
    ngx_pki_url_t               proxy_url;
    ngx_pki_https_name_t        proxy;       /* url is NULL: none */

    ngx_queue_t                 peers;
    ngx_uint_t                  nconnections;  /* of all peers */

    ngx_queue_t                 sockets;
    ngx_queue_t                 transfers;   /* under way */
    ngx_queue_t                 idle;        /* transfers to be used again */
    ngx_uint_t                  nidle;
    ngx_queue_t                 done;        /* calls that have ended */

    ngx_event_t                 posted;

    /* libcurl's; cancelable if all transfers are background ones */
    ngx_event_t                 timer;
    ngx_uint_t                  nforeground; /* transfers */

    unsigned                    closing:1;   /* worker_shutdown_timeout */
};


/* ngx_pki_https.c */

/* Has the posted event start what can start and end what has ended. */
void ngx_pki_https_wake(ngx_pki_https_t *https);

/* Ends a call that is in no queue and has no transfer: the posted event will
 * call its handler. */
void ngx_pki_https_finish(ngx_pki_https_call_t *call);

/* Sets call->error to "peer": and the text. */
void ngx_cdecl ngx_pki_https_error(ngx_pki_https_call_t *call,
    const char *fmt, ...);

/* ngx_pki_https_peer.c */

/* Puts a call behind the others. */
void ngx_pki_https_peer_add(ngx_pki_https_call_t *call);

/* Starts calls as long as connections are free. */
void ngx_pki_https_peer_dispatch(ngx_pki_https_peer_t *peer);

/* Ends all waiting calls that need "name" (NULL: all), for "err". */
void ngx_pki_https_peer_fail(ngx_pki_https_peer_t *peer,
    ngx_pki_https_name_t *name, const char *err);

/* The host that a call's connection is made to: the peer, or the proxy. */
ngx_pki_https_name_t *ngx_pki_https_peer_name(ngx_pki_https_call_t *call);


/* ngx_pki_https_warm.c */

void ngx_pki_https_warm_stop(ngx_pki_https_peer_t *peer);


/* ngx_pki_https_name.c */

void ngx_pki_https_name_init(ngx_pki_https_name_t *name,
    ngx_pki_https_t *https, ngx_pki_url_t *url);
void ngx_pki_https_name_stop(ngx_pki_https_name_t *name);

/*
 * Whether its addresses may be used.  NGX_AGAIN: they are being asked for;
 * either ngx_pki_https_wake() follows, or all calls that wait for them end,
 * perhaps before this returns.
 */
ngx_int_t ngx_pki_https_name_get(ngx_pki_https_name_t *name);

/*
 * Connecting at a turn succeeded, or failed: then it is the next one's turn,
 * and when all have failed, they are asked for anew.
 */
void ngx_pki_https_name_connected(ngx_pki_https_name_t *name);
void ngx_pki_https_name_failed(ngx_pki_https_name_t *name, ngx_uint_t turn);


/* ngx_pki_https_socket.c */

/* Ties libcurl's sockets and its timer to nginx's events. */
ngx_int_t ngx_pki_https_socket_init(ngx_pki_https_t *https);
ngx_int_t ngx_pki_https_socket_options(ngx_pki_https_t *https, CURL *easy);

/* Frees what is left when libcurl has closed all. */
void ngx_pki_https_socket_stop(ngx_pki_https_t *https);


/* ngx_pki_https_transfer.c */

/* Starts the transfer of a call.  NGX_ERROR: call->error says why. */
ngx_int_t ngx_pki_https_transfer_start(ngx_pki_https_call_t *call,
    ngx_pki_https_name_t *name);

/* Ends the calls whose transfers libcurl has ended. */
void ngx_pki_https_transfer_collect(ngx_pki_https_t *https);

/* Stops the transfer of a call, whose time is over. */
void ngx_pki_https_transfer_expire(ngx_pki_https_call_t *call);

/* Stops a transfer, and nothing more. */
void ngx_pki_https_transfer_stop(ngx_pki_https_transfer_t *t);

void ngx_pki_https_transfer_free(ngx_pki_https_transfer_t *t);


/* ngx_pki_https_option.c */

/* Sets all options of t->easy for t->call; NGX_ERROR: out of memory. */
ngx_int_t ngx_pki_https_option_set(ngx_pki_https_transfer_t *t);

/* Undoes that; what was secret is cleansed. */
void ngx_pki_https_option_reset(ngx_pki_https_transfer_t *t);


#endif /* _NGX_PKI_HTTPS_TRANSFER_H_INCLUDED_ */
