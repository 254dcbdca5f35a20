
/*
 * Copyright (C) the ngx_pki authors
 *
 * An authority: a name, a key, a certificate, and where its state is kept.
 */


#ifndef _NGX_PKI_AUTHORITY_H_INCLUDED_
#define _NGX_PKI_AUTHORITY_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_key.h"
#include "ngx_pki_store.h"


/* the hashes of an issuer that an OCSP CertID may carry (RFC 6960, 4.1.1) */

typedef enum {
    NGX_PKI_HASH_SHA1 = 0,
    NGX_PKI_HASH_SHA256,
    NGX_PKI_HASH_SHA384,
    NGX_PKI_HASH_SHA512,
    NGX_PKI_HASHES
} ngx_pki_hash_e;


typedef struct {
    ngx_str_t                  name;
    ngx_str_t                  key;
} ngx_pki_issuer_hash_t;


typedef struct {
    /* settings */
    ngx_str_t                  name;
    ngx_str_t                  subject;      /* as configured, RFC 4514 */
    ngx_str_t                  key_path;     /* or the URI of a store */
    unsigned                   key_store:1;
    ngx_str_t                  certificate_file;
    ngx_str_t                  chain_file;
    ngx_pki_key_spec_t         create;       /* type 0: do not */
    time_t                     create_validity;
    ngx_str_t                  base_url;
    ngx_str_t                  ocsp_url;
    ngx_str_t                  crl_url;
    ngx_str_t                  ca_url;
    const EVP_MD              *md;           /* signature_digest */

    /* nginx -t: key and certificate are made at the first start; all below
     * is empty then */
    unsigned                   absent:1;

    /* loaded; in the cycle's pool */
    ngx_pki_key_t             *key;
    X509                      *certificate;
    ngx_str_t                  der;          /* of the certificate */
    ngx_array_t                chain;        /* of ngx_str_t: DER, issuers */
    u_char                     fingerprint[32];  /* SHA-256 */
    time_t                     not_before;
    time_t                     not_after;

    /* of the certificate, as octets */
    ngx_str_t                  issuer;       /* its subject Name, whole */
    ngx_str_t                  serial;       /* INTEGER content octets */
    ngx_str_t                  key_id;       /* SKI */
    ngx_pki_issuer_hash_t      hash[NGX_PKI_HASHES];

    /* Extension, whole, made in advance; empty if not configured */
    ngx_str_t                  aki;
    ngx_str_t                  aia;
    ngx_str_t                  cdp;

    /* in a worker */
    ngx_pki_store_t            store;
    ngx_event_t                timer;        /* of the registration */
    ngx_pki_store_job_t       *registration; /* on its way */
    unsigned                   silent:1;     /* the last one failed */
    unsigned                   refused:1;    /* with Redis's words */
    ngx_str_t                  trouble;      /* if unhealthy or refused */
    u_char                     trouble_text[NGX_PKI_ZONE_TEXT_LEN];
} ngx_pki_authority_t;


/*
 * Parses the block of pki_authority and adds it to "authorities" (of
 * ngx_pki_authority_t *).  NGX_CONF_OK or NGX_CONF_ERROR, logged.
 */
char *ngx_pki_authority_block(ngx_conf_t *cf, ngx_array_t *authorities);

/*
 * After the configuration is read: loads key and certificate, or makes them
 * (not under nginx -t, nor for a signal), and the octets above.  NGX_ERROR:
 * logged.
 */
ngx_int_t ngx_pki_authority_load(ngx_conf_t *cf, ngx_pki_authority_t *a);

ngx_pki_authority_t *ngx_pki_authority_find(ngx_array_t *authorities,
    ngx_str_t *name);

/*
 * In a worker: starts the key and registers the certificate with Redis, again
 * and again until it is known there.  a->store must be set.  Stopped in
 * exit_process.
 */
ngx_int_t ngx_pki_authority_start(ngx_pki_authority_t *a, ngx_log_t *log);
void ngx_pki_authority_stop(ngx_pki_authority_t *a);

/* Whether CA certificate and key can open SCEP envelopes and sign answers:
 * NULL, or what is missing.  Also under nginx -t. */
const char *ngx_pki_authority_scep_trouble(ngx_pki_authority_t *a);

/* Whether it may serve: NULL, or what is missing. */
ngx_str_t *ngx_pki_authority_trouble(ngx_pki_authority_t *a);


#endif /* _NGX_PKI_AUTHORITY_H_INCLUDED_ */
