
/*
 * Copyright (C) the ngx_pki authors
 *
 * A CRL in the memory of a worker, for ngx_pki_crl_cache.c: how it comes to be,
 * and its PEM, which is made when somebody wants it.
 */


#ifndef _NGX_PKI_CRL_COPY_H_INCLUDED_
#define _NGX_PKI_CRL_COPY_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_crl_cache.h"


typedef struct ngx_pki_crl_pem_s  ngx_pki_crl_pem_t;

typedef void (*ngx_pki_crl_pem_pt)(ngx_pki_crl_pem_t *pem);

struct ngx_pki_crl_pem_s {
    ngx_pki_crl_copy_t        *copy;         /* NULL: nothing to do */
    ngx_str_t                  text;
    u_char                    *last;
    size_t                     done;         /* octets of DER */
    ngx_event_t                event;        /* not cancelable */

    ngx_pki_crl_pem_pt         handler;
    void                      *data;
};


/*
 * A copy with one reference, which owns "buffer", in which "der" lies; its ETag
 * is the same on all nodes.  NULL: no memory, "buffer" is freed.
 */
ngx_pki_crl_copy_t *ngx_pki_crl_copy_create(ngx_pki_crl_meta_t *meta,
    u_char *buffer, ngx_str_t *der);

/*
 * Makes copy->pem, a part of it in a turn of the event loop.  pem->handler is
 * called exactly once, never before this returns NGX_OK.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_pki_crl_pem_start(ngx_pki_crl_pem_t *pem,
    ngx_pki_crl_copy_t *copy);

/* Gives it up, if it is on its way. */
void ngx_pki_crl_pem_stop(ngx_pki_crl_pem_t *pem);


#endif /* _NGX_PKI_CRL_COPY_H_INCLUDED_ */
