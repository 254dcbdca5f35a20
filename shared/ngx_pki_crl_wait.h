
/*
 * Copyright (C) the ngx_pki authors
 *
 * Who waits for CRLs of a cache, for ngx_pki_crl_cache.c: not too many, and
 * they are told a few at a time, for each has an answer to make.
 */


#ifndef _NGX_PKI_CRL_WAIT_H_INCLUDED_
#define _NGX_PKI_CRL_WAIT_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_crl_cache.h"


typedef struct {
    ngx_uint_t                 count;        /* all who have not been told */
    ngx_queue_t                woken;        /* those about to be */
    ngx_event_t                event;
} ngx_pki_crl_wait_t;


void ngx_pki_crl_wait_init(ngx_pki_crl_wait_t *wait);
void ngx_pki_crl_wait_stop(ngx_pki_crl_wait_t *wait);

/* Puts a waiter into a queue; NGX_BUSY: too many wait. */
ngx_int_t ngx_pki_crl_wait_add(ngx_pki_crl_wait_t *wait, ngx_queue_t *queue,
    ngx_pki_crl_waiter_t *waiter);

/* All of a queue, or one of any queue, will be told soon. */
void ngx_pki_crl_wait_wake(ngx_pki_crl_wait_t *wait, ngx_queue_t *queue);
void ngx_pki_crl_wait_wake_one(ngx_pki_crl_wait_t *wait,
    ngx_pki_crl_waiter_t *waiter);


#endif /* _NGX_PKI_CRL_WAIT_H_INCLUDED_ */
