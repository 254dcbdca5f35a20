
/*
 * Copyright (C) the ngx_pki authors
 *
 * An authority: a name, a key, a certificate, and where its state is kept.
 */


#ifndef _NGX_PKI_AUTHORITY_H_INCLUDED_
#define _NGX_PKI_AUTHORITY_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_key.h"
#include "ngx_pki_vault.h"
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


/* who opens SCEP envelopes and signs the answers, see ngx_pki_ra.h */

typedef enum {
    NGX_PKI_RA_OFF = 0,                      /* the authority itself */
    NGX_PKI_RA_AUTO,
    NGX_PKI_RA_FILE,
    NGX_PKI_RA_VAULT
} ngx_pki_ra_mode_e;

typedef struct ngx_pki_ra_s         ngx_pki_ra_t;
typedef struct ngx_pki_bootstrap_s  ngx_pki_bootstrap_t;
typedef struct ngx_pki_crl_cache_s  ngx_pki_crl_cache_t;
typedef struct ngx_pki_outbox_s     ngx_pki_outbox_t;

typedef struct ngx_pki_intune_poll_s  ngx_pki_intune_poll_t;


typedef struct ngx_pki_authority_s  ngx_pki_authority_t;

struct ngx_pki_authority_s {
    /* settings */
    ngx_str_t                  name;
    ngx_str_t                  subject;      /* as configured, RFC 4514 */
    ngx_str_t                  key_path;     /* or the URI of a store */
    unsigned                   key_store:1;
    ngx_pki_vault_key_t       *vault;        /* NULL: not in a vault */
    ngx_str_t                  csr_file;
    ngx_pki_ra_mode_e          ra_mode;
    ngx_str_t                  ra_certificate_file;
    ngx_str_t                  ra_key_path;
    ngx_pki_vault_key_t       *ra_vault;
    unsigned                   ra_set:1;
    ngx_str_t                  certificate_file;
    ngx_str_t                  chain_file;
    ngx_pki_key_spec_t         create;       /* type 0: do not */
    time_t                     create_validity;
    ngx_str_t                  previous_name;
    ngx_str_t                  base_url;
    ngx_str_t                  ocsp_url;
    ngx_str_t                  crl_url;
    ngx_str_t                  ca_url;
    ngx_uint_t                 crl_shards;   /* of new ones; 0, 1: none */
    const EVP_MD              *md;           /* signature_digest */
    unsigned                   pss:1;
    unsigned                   scep:1;       /* a location uses it for that */
    unsigned                   enrols:1;     /* a location issues by it */

    /* nginx -t: key and certificate are made at the first start; all below
     * is empty then */
    unsigned                   absent:1;

    /* roll-over: the one that this follows, the one that follows this */
    ngx_pki_authority_t       *previous;     /* NULL: none */
    ngx_pki_authority_t       *next;

    /* loaded; in the cycle's pool.  That of a vault key may come later, in
     * the worker: until then "certificate" is NULL, "der" and all that
     * follows is empty */
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
    ngx_pki_https_t           *https;        /* NULL: nothing needs it */
    ngx_pki_store_t            store;
    ngx_event_t                timer;        /* of the registration */
    ngx_pki_store_job_t       *registration; /* on its way */
    ngx_msec_t                 again_at;     /* the next one */
    ngx_uint_t                 epoch;        /* of the slot, at the last one */
    ngx_uint_t                 state;
    unsigned                   settled:1;    /* Redis has our certificate */
    unsigned                   silent:1;     /* the last one failed */
    unsigned                   waits:1;      /* "trouble" says for what */
    ngx_pki_bootstrap_t       *bootstrap;    /* of a vault key */
    ngx_pki_ra_t              *ra;
    ngx_pki_crl_cache_t       *crls;         /* NULL: nobody asks for them */
    ngx_pki_outbox_t          *outbox;       /* NULL: nobody is to be told */
    ngx_pki_intune_poll_t     *intune_polls; /* who may want revocations */
    ngx_str_t                  trouble;      /* if unhealthy or it waits */
    ngx_str_t                  warning;      /* not all will work */
    u_char                     trouble_text[NGX_PKI_ZONE_TEXT_LEN];
};


/*
 * Parses the block of pki_authority and adds it to "authorities" (of
 * ngx_pki_authority_t *).  NGX_CONF_OK or NGX_CONF_ERROR, logged.
 */
char *ngx_pki_authority_block(ngx_conf_t *cf, ngx_array_t *authorities);

/*
 * When all blocks are read, before the next: settles who follows whom, of all
 * with "previous".  NGX_ERROR: logged.
 */
ngx_int_t ngx_pki_authority_link(ngx_conf_t *cf, ngx_array_t *authorities);

/*
 * After the configuration is read: loads key and certificate, or makes them
 * (not under nginx -t, nor for a signal), and the octets above.  NGX_ERROR:
 * logged.
 */
ngx_int_t ngx_pki_authority_load(ngx_conf_t *cf, ngx_pki_authority_t *a);

/*
 * Makes "x509", which it takes over, the authority's certificate, if it is one
 * of a CA and belongs to the key as far as that is known; fills all that
 * follows from it, in "pool", the cycle's.  NULL, or what is wrong.
 */
const char *ngx_pki_authority_take(ngx_pki_authority_t *a, ngx_pool_t *pool,
    X509 *x509);

/*
 * Settles a->md, if it is not configured, by the kind of key; checks whether
 * such a key can do what "signature_digest" says.  NULL, or what is wrong.
 */
const char *ngx_pki_authority_digest(ngx_pki_authority_t *a,
    ngx_pki_key_spec_t *spec);

/* Parses the parameters of "key" into "a"; NULL, what is wrong, or
 * NGX_CONF_ERROR, logged. */
const char *ngx_pki_authority_parse_key(ngx_conf_t *cf,
    ngx_pki_authority_t *a);

/*
 * A vault key of the directive that is being read: "url" starts with
 * "keyvault:", parameters start at argument "first".  NULL: logged.
 */
ngx_pki_vault_key_t *ngx_pki_authority_vault_key(ngx_conf_t *cf,
    ngx_str_t *url, ngx_uint_t first);

ngx_pki_authority_t *ngx_pki_authority_find(ngx_array_t *authorities,
    ngx_str_t *name);

/*
 * In a worker: starts the key and registers the certificate with Redis, again
 * and again until it is known there.  a->store must be set.  Stopped in
 * exit_process.
 */
ngx_int_t ngx_pki_authority_start(ngx_pki_authority_t *a, ngx_log_t *log);
void ngx_pki_authority_stop(ngx_pki_authority_t *a);

/* In a worker: looks at Redis again now, not in a while. */
void ngx_pki_authority_again(ngx_pki_authority_t *a);

/*
 * What the authority waits for, until it is ready: shown by the probe, logged
 * (unless "log" is NULL) if it is something new.
 */
void ngx_pki_authority_waits(ngx_pki_authority_t *a, ngx_log_t *log,
    ngx_uint_t level, const char *fmt, ...);

/* In a worker: Redis has the authority's certificate; another one; whether
 * something has been found wrong. */
void ngx_pki_authority_ready(ngx_pki_authority_t *a, ngx_log_t *log);
void ngx_pki_authority_unhealthy(ngx_pki_authority_t *a, ngx_log_t *log,
    ngx_str_t *registered);
ngx_uint_t ngx_pki_authority_is_unhealthy(ngx_pki_authority_t *a);

/* Whether CA certificate and key can open SCEP envelopes and sign answers:
 * NULL, or what is missing.  Also under nginx -t. */
const char *ngx_pki_authority_scep_trouble(ngx_pki_authority_t *a);

/* Whether it may serve: NULL, or what is missing. */
ngx_str_t *ngx_pki_authority_trouble(ngx_pki_authority_t *a);

/* Whether certificate and key are known by now, so that it can sign. */
#define ngx_pki_authority_has_key(a)                                         \
    ((a)->certificate != NULL                                                \
     && ((a)->vault == NULL || (a)->vault->version.len != 0))

/* Whether its key works as far as is known, without which only what is signed
 * already and by delegates goes on: NULL, or the vault's own words. */
ngx_str_t *ngx_pki_authority_key_trouble(ngx_pki_authority_t *a);


#endif /* _NGX_PKI_AUTHORITY_H_INCLUDED_ */
