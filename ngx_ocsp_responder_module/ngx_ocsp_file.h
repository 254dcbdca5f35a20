
/*
 * Copyright (C) the ngx_pki authors
 *
 * An OCSP responder whose key and certificate an administrator has put into
 * files.
 */


#ifndef _NGX_OCSP_FILE_H_INCLUDED_
#define _NGX_OCSP_FILE_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_key.h"
#include "ngx_pki_authority.h"
#include "ngx_ocsp_responder.h"


/* in the cycle's pool */

typedef struct {
    ngx_str_t                  certificate_file;
    ngx_str_t                  key_file;

    /* loaded */
    ngx_pki_key_t             *key;
    X509                      *x509;
    ngx_str_t                  der;          /* of the certificate */
    time_t                     not_before;
    time_t                     not_after;
} ngx_ocsp_file_t;


/*
 * At configuration time: reads both files, whose names are set, and checks
 * them, whether the authority has issued the certificate as far as that is
 * known; "validity" is that of answers, in seconds.  NGX_ERROR: logged.
 */
ngx_int_t ngx_ocsp_file_load(ngx_conf_t *cf, ngx_ocsp_file_t *file,
    ngx_pki_authority_t *a, time_t validity);

/* Whether the authority, whose certificate is known, has issued this one:
 * NULL, or what is wrong. */
const char *ngx_ocsp_file_issuer(ngx_ocsp_file_t *file,
    ngx_pki_authority_t *a);

/* In a worker; NULL: out of memory. */
ngx_ocsp_responder_t *ngx_ocsp_file_responder(ngx_ocsp_file_t *file,
    ngx_log_t *log);


#endif /* _NGX_OCSP_FILE_H_INCLUDED_ */
