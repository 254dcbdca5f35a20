
/*
 * Copyright (C) the ngx_pki authors
 *
 * The inside of the outbox, for ngx_pki_outbox*.c only.
 */


#ifndef _NGX_PKI_OUTBOX_JOB_H_INCLUDED_
#define _NGX_PKI_OUTBOX_JOB_H_INCLUDED_


#include "ngx_pki_outbox.h"
#include "ngx_pki_op.h"


#define NGX_PKI_OUTBOX_PAGE       64         /* notices of a look */
#define NGX_PKI_OUTBOX_ID_LEN     48         /* of a stream: 41 at most */
#define NGX_PKI_OUTBOX_MAX_WAITS  256
#define NGX_PKI_OUTBOX_MAX_DELAY  (10 * 60 * 1000)


typedef struct ngx_pki_outbox_pass_s  ngx_pki_outbox_pass_t;


/* whom to tell: one that does not answer must not hold up the others */

typedef struct {
    ngx_pki_intune_t          *intune;       /* NULL: of all that nobody here
                                              * can tell */
    ngx_uint_t                 sending;      /* in flight */
    ngx_uint_t                 failures;     /* one after the other */
    ngx_msec_t                 delay;        /* 0: none */
    ngx_msec_t                 at;           /* not before */
} ngx_pki_outbox_peer_t;


/* a notice that was not taken; another node may have sent it meanwhile */

typedef struct {
    u_char                     id[NGX_PKI_OUTBOX_ID_LEN];
    size_t                     len;          /* 0: free */
    ngx_pki_outbox_peer_t     *peer;
    ngx_msec_t                 delay;
    ngx_msec_t                 at;           /* not before */
    unsigned                   refused:1;    /* to be revoked, nothing else */
} ngx_pki_outbox_wait_t;


/* in a worker, in the pool of its cycle */

struct ngx_pki_outbox_s {
    ngx_pki_authority_t       *authority;
    ngx_pki_outbox_peer_t     *peers;        /* that of nobody is the last */
    ngx_event_t                timer;        /* cancelable */
    ngx_msec_t                 look_at;

    /* of the page that is looked at; empty: the first */
    u_char                     cursor[NGX_PKI_OUTBOX_ID_LEN];
    size_t                     cursor_len;

    ngx_pki_outbox_wait_t      waits[NGX_PKI_OUTBOX_MAX_WAITS];
    unsigned                   busy:1;
};


/* from a look at the outbox to its end; lies in the pool of its operation */

struct ngx_pki_outbox_pass_s {
    ngx_pki_outbox_t          *outbox;
    ngx_pki_op_t              *op;
    ngx_pki_store_job_t        store;
    ngx_array_t               *notices;      /* ngx_pki_notice_t */
    u_char                     begun[NGX_PKI_OUTBOX_PAGE];
    ngx_uint_t                 sending;      /* in flight */
    ngx_str_t                  token;        /* of the lock */
    ngx_msec_t                 locked_at;
    ngx_msec_t                 pause;        /* until the next look */
    unsigned                   locked:1;
};


/* one notice on its way, in an operation of its own */

typedef struct {
    ngx_pki_outbox_pass_t     *pass;
    ngx_pki_outbox_peer_t     *peer;
    ngx_pki_notice_t          *notice;
    ngx_pki_op_t              *op;
    ngx_pki_record_t           record;
    ngx_pki_store_job_t        store;
    ngx_pki_intune_call_t      call;
    unsigned                   tried:1;      /* before; who knows how far */
    unsigned                   answered:1;   /* by Intune */
} ngx_pki_outbox_item_t;


/*
 * Sends a notice; ends with ngx_pki_outbox_sent(), never before it returns:
 * NGX_OK: it is done with, as it was answered; NGX_DONE: as there is no use in
 * it; NGX_DECLINED: it waits, as the answer was none; NGX_AGAIN: it waits for
 * another reason.  NGX_ERROR: out of memory, it does not end at all.
 */
ngx_int_t ngx_pki_outbox_send(ngx_pki_outbox_pass_t *pass,
    ngx_pki_outbox_peer_t *peer, ngx_pki_notice_t *notice);
void ngx_pki_outbox_sent(ngx_pki_outbox_pass_t *pass,
    ngx_pki_outbox_peer_t *peer, ngx_int_t rc);

/* Whom a notice is for; whether nobody tries to send it any more. */
ngx_pki_outbox_peer_t *ngx_pki_outbox_peer(ngx_pki_outbox_t *outbox,
    ngx_pki_notice_t *notice);
ngx_uint_t ngx_pki_outbox_is_old(ngx_pki_notice_t *notice);

/* Notices that wait: is it time; not before a while, which is in "delay" of
 * what is returned; what is known of one, or NULL; not any more. */
ngx_uint_t ngx_pki_outbox_is_due(ngx_pki_outbox_t *outbox,
    ngx_pki_notice_t *notice);
ngx_pki_outbox_wait_t *ngx_pki_outbox_delay(ngx_pki_outbox_t *outbox,
    ngx_pki_outbox_peer_t *peer, ngx_str_t *id);
ngx_pki_outbox_wait_t *ngx_pki_outbox_wait_find(ngx_pki_outbox_t *outbox,
    ngx_str_t *id);
void ngx_pki_outbox_forget(ngx_pki_outbox_t *outbox, ngx_str_t *id);

/* All that is for it waits so long; or longer and longer, as it has not
 * answered several times; or not any more, as it has. */
void ngx_pki_outbox_back_off(ngx_pki_outbox_peer_t *peer, ngx_msec_t delay);
void ngx_pki_outbox_failed(ngx_pki_outbox_peer_t *peer);
void ngx_pki_outbox_hurry(ngx_pki_outbox_t *outbox,
    ngx_pki_outbox_peer_t *peer);


#endif /* _NGX_PKI_OUTBOX_JOB_H_INCLUDED_ */
