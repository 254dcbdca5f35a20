
/*
 * Copyright (C) the ngx_pki authors
 *
 * What Intune wants revoked: asked for again and again, by one worker of one
 * node at a time, carried out, and told.
 */


#ifndef _NGX_PKI_INTUNE_REVOCATION_H_INCLUDED_
#define _NGX_PKI_INTUNE_REVOCATION_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_authority.h"
#include "ngx_pki_intune.h"


/*
 * At configuration time, when authorities are linked: certificates of "a", and
 * of those that it follows, are revoked when this Intune wants it.  Any number
 * of times.  NGX_ERROR: out of memory.
 */
ngx_int_t ngx_pki_intune_revocation_add(ngx_conf_t *cf,
    ngx_pki_intune_t *intune, ngx_pki_authority_t *a);

/* In a worker, when a->store is set; stopped in exit_process. */
void ngx_pki_intune_revocation_start(ngx_pki_authority_t *a, ngx_log_t *log);
void ngx_pki_intune_revocation_stop(ngx_pki_authority_t *a);


#endif /* _NGX_PKI_INTUNE_REVOCATION_H_INCLUDED_ */
