
/*
 * Copyright (C) the ngx_pki authors
 *
 * Who signs the OCSP responses of an authority: one or several delegates that
 * it makes (ngx_ocsp_renewal.h), the authority itself, or somebody whose
 * certificate is in a file (ngx_ocsp_file.h).
 */


#ifndef _NGX_OCSP_SIGNER_H_INCLUDED_
#define _NGX_OCSP_SIGNER_H_INCLUDED_


#include "ngx_ocsp_file.h"
#include "ngx_ocsp_renewal.h"
#include "ngx_ocsp_responder.h"


#define NGX_OCSP_SIGNER_AUTO       0
#define NGX_OCSP_SIGNER_AUTHORITY  1
#define NGX_OCSP_SIGNER_FILE       2

/* delegates of different kinds: P-256, P-384, RSA-2048 */

#define NGX_OCSP_SIGNER_KEYS       3


/* "ocsp_signer" */

typedef struct {
    ngx_uint_t                 mode;         /* NGX_OCSP_SIGNER_* */

    ngx_pki_key_spec_t         keys[NGX_OCSP_SIGNER_KEYS];
    ngx_uint_t                 nkeys;
    time_t                     validity;

    ngx_str_t                  certificate_file;
    ngx_str_t                  key_file;
} ngx_ocsp_signer_spec_t;


/* one an authority, in the cycle's pool */

typedef struct {
    ngx_pki_authority_t       *authority;
    ngx_ocsp_signer_spec_t     spec;
    ngx_ocsp_file_t            file;

    /* in a worker */
    ngx_event_t                timer;        /* cancelable */
    ngx_ocsp_renewal_t         renewals[NGX_OCSP_SIGNER_KEYS];
    ngx_ocsp_responder_t      *responder;    /* not of AUTO; NULL: none yet */
    unsigned                   refused:1;    /* the file is of no use */
} ngx_ocsp_signer_t;


/*
 * In a worker: looks after whoever signs from now on.  "log" is a cycle's.
 * NGX_ERROR: no room in the zone, logged.
 */
ngx_int_t ngx_ocsp_signer_start(ngx_ocsp_signer_t *signer, ngx_log_t *log);
void ngx_ocsp_signer_stop(ngx_ocsp_signer_t *signer);

/*
 * Who signs at the time "now", the one that fits best with the content of
 * PreferredSignatureAlgorithms, empty if there are none.  It may be gone when
 * control goes back to the event loop: retain what is kept.  NULL: nobody can,
 * try later.
 */
ngx_ocsp_responder_t *ngx_ocsp_signer_get(ngx_ocsp_signer_t *signer,
    ngx_str_t *preferred, time_t now);


#endif /* _NGX_OCSP_SIGNER_H_INCLUDED_ */
