
/*
 * Copyright (C) the ngx_pki authors
 *
 * Profiles: what a certificate looks like, and what may be asked for.
 */


#ifndef _NGX_PKI_PROFILE_H_INCLUDED_
#define _NGX_PKI_PROFILE_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_csr.h"
#include "ngx_pki_der.h"


typedef struct ngx_pki_profile_s  ngx_pki_profile_t;


/* what the certificate of a request will say, in the pool given to apply() */

typedef struct {
    ngx_str_t                  subject;      /* Name, whole */
    ngx_str_t                  subject_text; /* RFC 4514 */
    ngx_str_t                  sans_text;    /* "DNS:a, IP:b" */
    time_t                     not_before;
    time_t                     not_after;

    /* Extension, Extension, ...: all but AKI, SKI, AIA and CDP */
    ngx_str_t                  extensions;

    /* why not, for the log; and SCEP's failInfo (RFC 8894, 3.2.1.4.4) */
    ngx_str_t                  refusal;
    ngx_uint_t                 fail_info;

    /* the account of a directory that it names (S-1-5-21-...; empty: none),
     * and whether a subject alternative name does; the request named one,
     * which was left out */
    ngx_str_t                  sid;
    unsigned                   sid_named:1;
    unsigned                   sid_dropped:1;
} ngx_pki_template_t;


/*
 * The directive pki_profile: parses the block, adds it to "profiles" (of
 * ngx_pki_profile_t *).  NGX_CONF_OK or NGX_CONF_ERROR, logged.
 */
char *ngx_pki_profile_block(ngx_conf_t *cf, ngx_array_t *profiles);

/* Adds the built-in profiles that the configuration did not define: device,
 * user, server, default. */
ngx_int_t ngx_pki_profile_builtin(ngx_conf_t *cf, ngx_array_t *profiles);

ngx_pki_profile_t *ngx_pki_profile_find(ngx_array_t *profiles,
    ngx_str_t *name);

ngx_str_t *ngx_pki_profile_name(ngx_pki_profile_t *profile);

/* Whether certificates of this profile carry a CRL distribution point. */
ngx_uint_t ngx_pki_profile_distribution_point(ngx_pki_profile_t *profile);

/*
 * Whether the key is of an allowed kind and size; cheap, and to be asked
 * before any signature is verified with it.  NGX_OK or NGX_DECLINED.
 */
ngx_int_t ngx_pki_profile_check_key(ngx_pki_profile_t *profile,
    ngx_pki_csr_t *csr, ngx_str_t *refusal);

/*
 * Applies the profile to a request at the time "now": NGX_OK and "t",
 * NGX_DECLINED and t->refusal, t->fail_info, or NGX_ERROR (out of memory).
 * not_after never passes "ca_not_after", not_before never comes before
 * "ca_not_before".
 */
ngx_int_t ngx_pki_profile_apply(ngx_pki_profile_t *profile, ngx_pool_t *pool,
    ngx_pki_csr_t *csr, time_t now, time_t ca_not_before, time_t ca_not_after,
    ngx_pki_template_t *t);


#endif /* _NGX_PKI_PROFILE_H_INCLUDED_ */
