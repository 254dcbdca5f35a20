
/*
 * Copyright (C) the ngx_pki authors
 *
 * The life of a delegate in a worker.  One worker of an nginx makes it (see
 * ngx_ocsp_delegate.h), all use it: it is passed on in the zone.  In time a new
 * one is made; the old one signs until that is there, but never past its end.
 */


#ifndef _NGX_OCSP_RENEWAL_H_INCLUDED_
#define _NGX_OCSP_RENEWAL_H_INCLUDED_


#include "ngx_ocsp_delegate.h"


typedef struct {
    ngx_pki_authority_t       *authority;
    ngx_ocsp_delegate_spec_t   spec;

    ngx_log_t                 *log;          /* a cycle's */
    ngx_pki_zone_responder_t  *cell;
    ngx_atomic_uint_t          generation;   /* of the cell, seen last */
    ngx_ocsp_responder_t      *responder;    /* NULL: none yet */
    ngx_ocsp_responder_t      *former;       /* perhaps still looked at */
    unsigned                   busy:1;       /* a job of this worker */
} ngx_ocsp_renewal_t;


/*
 * In a worker, "authority" and "spec" being set: finds the delegate's place in
 * the zone.  NGX_ERROR: there is no room, logged.
 */
ngx_int_t ngx_ocsp_renewal_start(ngx_ocsp_renewal_t *renewal, ngx_log_t *log);
void ngx_ocsp_renewal_stop(ngx_ocsp_renewal_t *renewal);

/* From time to time: has a new one made when it is due. */
void ngx_ocsp_renewal_tick(ngx_ocsp_renewal_t *renewal);

/* Takes what another worker has published since. */
void ngx_ocsp_renewal_load(ngx_ocsp_renewal_t *renewal);

#define ngx_ocsp_renewal_look(r)                                             \
    if ((r)->cell->generation != (r)->generation) {                          \
        ngx_ocsp_renewal_load(r);                                            \
    }


#endif /* _NGX_OCSP_RENEWAL_H_INCLUDED_ */
