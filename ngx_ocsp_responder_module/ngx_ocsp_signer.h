
/*
 * Copyright (C) the ngx_pki authors
 *
 * Who signs the OCSP responses of an authority.  One worker of an nginx makes
 * a delegate (ngx_ocsp_delegate.h), all use it: it is passed on in the zone.
 * At half of its life a new one is made; the old one signs until that is
 * there, but never past its end.
 */


#ifndef _NGX_OCSP_SIGNER_H_INCLUDED_
#define _NGX_OCSP_SIGNER_H_INCLUDED_


#include "ngx_ocsp_delegate.h"


/* one an authority, in the cycle's pool */

typedef struct {
    ngx_pki_authority_t       *authority;
    ngx_ocsp_delegate_spec_t   spec;

    /* in a worker */
    ngx_event_t                timer;        /* cancelable */
    ngx_ocsp_delegate_t       *delegate;     /* NULL: none yet */
    ngx_atomic_uint_t          generation;   /* of the zone, seen last */
    time_t                     produced_at;  /* of the last response */
} ngx_ocsp_signer_t;


/* In a worker: looks after the delegate from now on.  "log" is a cycle's. */
void ngx_ocsp_signer_start(ngx_ocsp_signer_t *signer, ngx_log_t *log);
void ngx_ocsp_signer_stop(ngx_ocsp_signer_t *signer);

/*
 * A reference to the delegate to sign with at the time "now", to be released
 * by ngx_ocsp_delegate_release().  NULL: there is none, try later.
 */
ngx_ocsp_delegate_t *ngx_ocsp_signer_get(ngx_ocsp_signer_t *signer,
    time_t now);


#endif /* _NGX_OCSP_SIGNER_H_INCLUDED_ */
