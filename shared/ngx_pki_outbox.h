
/*
 * Copyright (C) the ngx_pki authors
 *
 * The outbox of an authority: tells Intune of certificates that are given out
 * already.  One worker of one node at a time does it, under the lock "outbox";
 * what is not taken waits, each longer than the last time.
 */


#ifndef _NGX_PKI_OUTBOX_H_INCLUDED_
#define _NGX_PKI_OUTBOX_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_authority.h"
#include "ngx_pki_intune.h"


/*
 * In a worker, when a->store is set: looks at the outbox from now on.
 * "intunes" is of ngx_pki_intune_t *, each is for the notices that its identity
 * is the "to" of.  Stopped in exit_process.
 */
ngx_int_t ngx_pki_outbox_start(ngx_pki_authority_t *a, ngx_array_t *intunes,
    ngx_log_t *log);
void ngx_pki_outbox_stop(ngx_pki_authority_t *a);


#endif /* _NGX_PKI_OUTBOX_H_INCLUDED_ */
