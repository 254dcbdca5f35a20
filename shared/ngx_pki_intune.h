
/*
 * Copyright (C) the ngx_pki authors
 *
 * Intune, as far as a certification authority talks to it: is this request one
 * of a managed device, this is what became of it, what is to be revoked.  The
 * services are found through Graph, what was found is shared by all workers in
 * the zone.
 */


#ifndef _NGX_PKI_INTUNE_H_INCLUDED_
#define _NGX_PKI_INTUNE_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_azure.h"
#include "ngx_pki_https.h"
#include "ngx_pki_op.h"


#define NGX_PKI_INTUNE_MAX_CODE         64
#define NGX_PKI_INTUNE_MAX_REVOCATIONS  50   /* in one answer */


typedef struct ngx_pki_intune_s       ngx_pki_intune_t;
typedef struct ngx_pki_intune_call_s  ngx_pki_intune_call_t;

typedef void (*ngx_pki_intune_pt)(ngx_pki_intune_call_t *call);


typedef enum {
    NGX_PKI_INTUNE_VALIDATE = 0,
    NGX_PKI_INTUNE_SUCCESS,
    NGX_PKI_INTUNE_FAILURE,
    NGX_PKI_INTUNE_DOWNLOAD,
    NGX_PKI_INTUNE_UPLOAD,
    NGX_PKI_INTUNE_CALLS
} ngx_pki_intune_call_e;


typedef enum {
    NGX_PKI_INTUNE_OK = 0,       /* "Success" */
    NGX_PKI_INTUNE_REFUSED,      /* "code" says why; asking again is no use */
    NGX_PKI_INTUNE_UNAVAILABLE   /* no answer that could be understood */
} ngx_pki_intune_result_e;


/* a request to revoke, and what has become of it */

typedef struct {
    ngx_str_t                  context;      /* opaque, goes back */
    ngx_str_t                  serial;       /* as Intune writes it */
    ngx_str_t                  issuer;
    ngx_str_t                  error;        /* errorCode; empty: done */
    ngx_str_t                  message;
} ngx_pki_intune_revocation_t;


/*
 * A call, in the pool of its operation.  The handler is called exactly once,
 * within "budget" and the time of one try, never before ngx_pki_intune_send()
 * returns.
 */

struct ngx_pki_intune_call_s {
    ngx_pki_intune_t          *intune;
    ngx_pki_op_t              *op;
    ngx_pki_intune_call_e      kind;
    ngx_msec_t                 budget;       /* 0: the default */

    /* in: validate, success, failure */
    ngx_str_t                  transaction;
    ngx_str_t                  csr;          /* DER */

    /* in: success */
    ngx_str_t                  certificate;  /* DER */
    ngx_str_t                  serial;       /* lower-case hex */
    time_t                     not_after;
    ngx_str_t                  issuer;       /* download, too: RFC 4514 */
    ngx_str_t                  configuration;  /* "caConfiguration" */

    /* in: failure */
    int64_t                    hresult;
    ngx_str_t                  description;  /* cut to 255 characters */

    /* in: download */
    ngx_uint_t                 max;          /* 1 to MAX_REVOCATIONS */

    /* out of download, in of upload: ngx_pki_intune_revocation_t */
    ngx_array_t               *revocations;

    ngx_pki_intune_result_e    result;
    unsigned                   unanswered:1; /* a try of it was, before */
    ngx_str_t                  code;         /* at most MAX_CODE, letters and
                                              * digits; REFUSED */
    ngx_str_t                  error;        /* for the log: one line, no
                                              * secret, nothing of the client */
    ngx_msec_t                 elapsed;      /* of all tries */

    ngx_pki_intune_pt          handler;
    void                      *data;

    /* of the implementation */
    void                      *way;
    ngx_event_t                posted;
};


/*
 * At configuration time: one for each name of an identity (empty: the only one
 * there is), in "intunes" (of ngx_pki_intune_t *).  It stays good even where
 * another one stands for it later.  NULL: out of memory.
 */
ngx_pki_intune_t *ngx_pki_intune_add(ngx_conf_t *cf, ngx_array_t *intunes,
    ngx_str_t *identity);

/*
 * When all is read, before the identities are: one of each identity stays in
 * "intunes".  NGX_ERROR is logged.  A host name that wants a resolver goes to
 * "name".
 */
ngx_int_t ngx_pki_intune_init(ngx_conf_t *cf, ngx_array_t *intunes,
    ngx_array_t *identities, ngx_str_t *name);

/* After that: the one that stays, whatever name it was added by. */
ngx_pki_intune_t *ngx_pki_intune_one(ngx_pki_intune_t *intune);

/* In a worker, when its identity is started. */
ngx_int_t ngx_pki_intune_start(ngx_pki_intune_t *intune,
    ngx_pki_https_t *https, ngx_pki_zone_t *zone, ngx_log_t *log);

/* The name of its identity, as it was found. */
ngx_str_t *ngx_pki_intune_name(ngx_pki_intune_t *intune);

/* In a started worker: what all workers know of its services, one line. */
u_char *ngx_pki_intune_describe(ngx_pki_intune_t *intune, u_char *p,
    u_char *last);

void ngx_pki_intune_send(ngx_pki_intune_call_t *call);


#endif /* _NGX_PKI_INTUNE_H_INCLUDED_ */
