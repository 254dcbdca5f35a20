
/*
 * Copyright (C) the ngx_pki authors
 *
 * Challenges: who may have a certificate.  What is asked of others about one
 * is in ngx_http_scep_vouch.h.
 */


#ifndef _NGX_SCEP_CHALLENGE_H_INCLUDED_
#define _NGX_SCEP_CHALLENGE_H_INCLUDED_


#include "ngx_pki.h"


/* in the order in which they are asked */

typedef enum {
    NGX_SCEP_VOUCHER_ONE_TIME = 0,
    NGX_SCEP_VOUCHER_WEBHOOK,
    NGX_SCEP_VOUCHER_INTUNE,
    NGX_SCEP_VOUCHERS
} ngx_scep_voucher_e;


typedef struct {
    ngx_array_t                secrets;      /* of SHA-256, 32 octets each */
    void                      *vouchers[NGX_SCEP_VOUCHERS];  /* NULL: none */
    unsigned                   asks:1;       /* one of them */
    unsigned                   none:1;       /* no secret is asked for */
    unsigned                   insecure:1;   /* and nobody decides */
} ngx_scep_challenge_t;


typedef enum {
    NGX_SCEP_CHALLENGE_ACCEPTED = 0,
    NGX_SCEP_CHALLENGE_NONE,                 /* none is asked for */
    NGX_SCEP_CHALLENGE_MISSING,
    NGX_SCEP_CHALLENGE_WRONG,
    NGX_SCEP_CHALLENGE_UNAVAILABLE,          /* who knows cannot be asked */
    NGX_SCEP_CHALLENGE_ASK                   /* who vouches for it */
} ngx_scep_challenge_result_e;


/*
 * The directive "scep_challenge": adds one that asks nobody to *conf, which is
 * made if it is NULL.  NGX_CONF_OK, NGX_CONF_ERROR (logged) or what is wrong.
 */
char *ngx_scep_challenge_add(ngx_conf_t *cf, ngx_scep_challenge_t **conf);

ngx_scep_challenge_t *ngx_scep_challenge_create(ngx_conf_t *cf);

/* Compares with every secret, in the same time whichever it is. */
ngx_scep_challenge_result_e ngx_scep_challenge_check(
    ngx_scep_challenge_t *conf, ngx_str_t *challenge);

/* The names: "accepted", "none", "missing", "wrong", "unavailable". */
ngx_str_t *ngx_scep_challenge_name(ngx_scep_challenge_result_e result);


#endif /* _NGX_SCEP_CHALLENGE_H_INCLUDED_ */
