
/*
 * Copyright (C) the ngx_pki authors
 *
 * The load generator: what its main program and its client share.
 */


#ifndef _SCEP_LOAD_H_INCLUDED_
#define _SCEP_LOAD_H_INCLUDED_


#include <sys/socket.h>

#include "scep-message.h"


#define LOAD_HTTP_MAX     600


typedef struct {
    scep_message_t      scep;
    unsigned char      *reply[2];     /* of the first and the second pass */
    size_t              reply_len[2];
    scep_answer_t       answer[2];
    unsigned            attempts;
    double              due;
} load_item_t;


typedef struct {
    int                 fd;           /* -1: closed */
    load_item_t        *item;         /* NULL: idle */
    unsigned char      *out;
    size_t              out_len;
    size_t              sent;
    unsigned char      *in;
    size_t              in_len;
    double              started;
    unsigned            requests;     /* answered on this connection */
} load_conn_t;


typedef struct {
    size_t              sent;
    size_t              answered;
    size_t              success;
    size_t              failure;
    size_t              pending;
    size_t              other;
    size_t              http[LOAD_HTTP_MAX];
    size_t              disconnected;
    size_t              stale;
    size_t              timed_out;
    size_t              retries;
    size_t              given_up;
    double              seconds;
    unsigned           *latency;      /* microseconds */
    size_t              nlatency;
    size_t              latency_size;
} load_stats_t;


typedef struct {
    /* options */
    const char         *url;
    const char         *ca_file;
    const char         *issuer_file;
    const char         *out_file;
    size_t              n;
    unsigned            connections;
    unsigned            threads;
    double              seconds;      /* nothing is sent later; 0: no limit */
    double              deadline;     /* everything ends; 0: no limit */
    double              timeout;      /* of one request */
    double              delay;        /* before a retry */
    double              rate;         /* of requests; 0: as fast as possible */
    unsigned            retry;
    int                 cpu;
    unsigned            verify:1;
    unsigned            resend:1;
    unsigned            close:1;
    unsigned            json:1;

    char                host[256];
    char                port[16];
    char                path[512];
    struct sockaddr_storage  addr;
    socklen_t           addr_len;

    scep_factory_t      factory;
    load_item_t        *items;
    int                 epoll;
    load_conn_t        *conns;

    /* the pass that is under way */
    unsigned            pass;
    size_t              next;
    load_item_t       **again;        /* ring of items to be retried */
    size_t              again_head;
    size_t              again_n;
    size_t              open;         /* items under way */
    double              begin;
    load_stats_t        stats[2];

    /* what the check found */
    size_t              verified;
    size_t              bad;
    size_t              distinct;
    size_t              same;
    size_t              different;
    const char         *error;
} load_t;


/*
 * Sends every message that has a reply of the pass before (pass 1) or every
 * message (pass 0) and keeps the answers; retries as the options say.
 */
void load_run(load_t *load, unsigned pass);

/* Prints why to stderr and exits with 2; "detail" may be NULL. */
void load_die(const char *what, const char *detail);


#endif /* _SCEP_LOAD_H_INCLUDED_ */
