
/*
 * Copyright (C) the ngx_pki authors
 *
 * Registration authorities: who opens SCEP envelopes and signs the answers in
 * place of an authority (RFC 8894, 2.1.2).  "ra auto" makes an RSA key and its
 * certificate once for the cluster; the key lies in Redis sealed under the
 * authority's key, opened by every worker and held in memory only.
 */


#ifndef _NGX_PKI_RA_H_INCLUDED_
#define _NGX_PKI_RA_H_INCLUDED_


#include "ngx_pki_authority.h"


/* A certificate and its key; counted, for a renewal comes while it is used. */

typedef struct {
    ngx_pool_t                *pool;         /* its own */
    ngx_uint_t                 count;
    ngx_pki_key_t             *key;
    X509                      *certificate;
    ngx_str_t                  der;
    time_t                     not_before;
    time_t                     not_after;
    unsigned                   ca:1;         /* it is the authority itself */
} ngx_pki_recipient_t;


/* Parses the parameters of "ra" into "a"; NULL, what is wrong, or
 * NGX_CONF_ERROR, logged. */
const char *ngx_pki_ra_parse(ngx_conf_t *cf, ngx_pki_authority_t *a);

/* After the configuration is read and the authority loaded: loads "ra file:",
 * checks what can be checked.  NGX_ERROR: logged. */
ngx_int_t ngx_pki_ra_load(ngx_conf_t *cf, ngx_pki_authority_t *a);

/* Whether it will compute what takes too long for the event loop. */
ngx_uint_t ngx_pki_ra_is_slow(ngx_pki_authority_t *a);

/*
 * In a worker, for every authority: makes a->ra and gets it going as soon as
 * the authority is ready.  Stopped in exit_process.
 */
ngx_int_t ngx_pki_ra_start(ngx_pki_authority_t *a, ngx_log_t *log);
void ngx_pki_ra_stop(ngx_pki_authority_t *a);

/*
 * Whoever an envelope may be for, of ngx_pki_recipient_t *: the first is the
 * one that GetCACert offers; then those before a renewal until they expire,
 * and the authority itself if it can open envelopes.  Empty: not ready yet.
 * Valid until control goes back to the event loop; retain what is kept.
 */
ngx_array_t *ngx_pki_ra_recipients(ngx_pki_authority_t *a);

void ngx_pki_recipient_retain(ngx_pki_recipient_t *recipient);
void ngx_pki_recipient_release(ngx_pki_recipient_t *recipient);

/* Why there is none: NULL, or a line. */
ngx_str_t *ngx_pki_ra_trouble(ngx_pki_authority_t *a);


#endif /* _NGX_PKI_RA_H_INCLUDED_ */
