
/*
 * Copyright (C) the ngx_pki authors
 *
 * Azure Key Vault: the calls (get, create, sign, unwrap), their retries, and
 * what keeps all workers together within the vault's limits.
 */


#ifndef _NGX_PKI_VAULT_H_INCLUDED_
#define _NGX_PKI_VAULT_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_op.h"
#include "ngx_pki_key.h"
#include "ngx_pki_azure.h"


typedef struct ngx_pki_vault_s       ngx_pki_vault_t;
typedef struct ngx_pki_vault_call_s  ngx_pki_vault_call_t;

typedef void (*ngx_pki_vault_pt)(ngx_pki_vault_call_t *call);

/* whether an answer is right: NULL, or what is wrong with it */
typedef const char *(*ngx_pki_vault_check_pt)(ngx_pki_vault_call_t *call);


/* settings of all vaults: "pki_key_vault" */

typedef struct {
    ngx_uint_t                 connections;  /* of a worker, to one vault */
    ngx_uint_t                 rate;         /* units a second of an nginx, a
                                              * unit is an operation of an
                                              * RSA-2048 HSM key; 0: no limit */
    ngx_msec_t                 timeout;      /* of one attempt */
    ngx_msec_t                 budget;       /* of all attempts */
} ngx_pki_vault_conf_t;


/* what all workers count of a vault together; lies in the zone */

typedef struct {
    ngx_atomic_t               refused;      /* calls that ended by 4xx */
    ngx_atomic_t               unavailable;  /* or by anything else but 200 */
    ngx_atomic_t               throttled;    /* answers 429 */
    ngx_atomic_t               wrong;        /* answers 200 not used */
} ngx_pki_vault_outcomes_t;


/*
 * A key in a vault, "https://vault/keys/name[/version]".  "vault" and "trouble"
 * are of the worker.
 */

typedef struct {
    ngx_str_t                  text;         /* as configured */
    ngx_pki_url_t              url;          /* of the vault */
    ngx_str_t                  name;
    ngx_str_t                  version;      /* empty until it is pinned */
    ngx_str_t                  audience;     /* "https://vault.azure.net" */
    ngx_str_t                  api_version;
    ngx_str_t                  identity_name;
    ngx_pki_azure_identity_t  *identity;
    ngx_pki_vault_conf_t      *conf;

    ngx_pki_vault_t           *vault;
    ngx_uint_t                 weight;       /* of an operation, half units;
                                              * 0: not known yet */
    void                      *state;        /* in the zone: its trouble */
    unsigned                   reviving:1;   /* a trial is under way */
    unsigned                   hsm:1;        /* as get or create told */
} ngx_pki_vault_key_t;


typedef enum {
    NGX_PKI_VAULT_GET = 0,
    NGX_PKI_VAULT_CREATE,
    NGX_PKI_VAULT_SIGN,
    NGX_PKI_VAULT_UNWRAP
} ngx_pki_vault_operation_e;


typedef enum {
    NGX_PKI_VAULT_OK = 1,                    /* 0 is nobody's result */
    NGX_PKI_VAULT_INVALID,       /* 400: of unwrap, the padding is wrong */
    NGX_PKI_VAULT_NOT_FOUND,     /* 404 */
    NGX_PKI_VAULT_CONFLICT,      /* 409: e.g. deleted but recoverable */
    NGX_PKI_VAULT_REFUSED,       /* 401, 403 */
    NGX_PKI_VAULT_UNAVAILABLE    /* all else */
} ngx_pki_vault_result_e;


/*
 * One operation on a key, in the pool of an operation of ours.  The handler is
 * called exactly once, within the budget, perhaps before ngx_pki_vault_call()
 * returns.  Everything but OK is logged in one line that names the vault, the
 * operation and the vault's own code, except what "quiet" says; at info what a
 * client can bring about (400 of unwrap) and what fails at once because it
 * failed less than half a minute ago.
 */

struct ngx_pki_vault_call_s {
    ngx_pki_op_t              *op;
    ngx_pki_vault_key_t       *key;
    ngx_pki_vault_operation_e  operation;
    unsigned                   quiet:1;      /* 404, 409 are no errors */
    unsigned                   trial:1;      /* of a key just made: no failure
                                              * is logged, none is trouble */

    /* create; "key_ops" is JSON: ["sign"] */
    ngx_pki_key_spec_t         spec;
    ngx_str_t                  key_ops;

    /* sign: a digest, unwrap: a ciphertext; "alg" is the vault's name */
    ngx_str_t                  alg;
    ngx_str_t                  input;

    ngx_pki_vault_result_e     result;
    ngx_str_t                  output;       /* sign (raw r and s of EC, not
                                              * verified yet), unwrap */
    ngx_str_t                  version;      /* get, create: of the key */
    ngx_str_t                  key_operations;  /* get: "sign,unwrapKey" */
    EVP_PKEY                  *public_key;   /* get, create; the pool's */
    unsigned                   hsm:1;
    unsigned                   enabled:1;
    time_t                     not_before;   /* get, create; 0: not said */
    time_t                     expires;
    ngx_str_t                  error;        /* the vault's own words */

    /* sign: looks at "output" before it is given out; a wrong one is asked for
     * once more; may be NULL */
    ngx_pki_vault_check_pt     check;

    ngx_pki_vault_pt           handler;
    void                      *data;

    /* of the implementation */
    void                      *ctx;
};


/*
 * Parses "https://vault/keys/name[/version]"; "key" is zeroed but for "conf".
 * NULL, or what is wrong.  Sets audience and the default API version.
 */
const char *ngx_pki_vault_parse(ngx_pool_t *pool, ngx_str_t *text,
    ngx_pki_vault_key_t *key);

/* In a worker: finds or makes the vault of a key, its connections, its state in
 * the zone.  key->identity must have been started. */
ngx_int_t ngx_pki_vault_start(ngx_pki_vault_key_t *key,
    ngx_pki_https_t *https, ngx_pki_zone_t *zone, ngx_log_t *log);

/* Starts a call; see above. */
void ngx_pki_vault_call(ngx_pki_vault_call_t *call);

/* What keeps the key from working (the vault's own words), as the workers of
 * this nginx know it: NULL, or a line.  Valid until the next call.  What the
 * vault refused stands until a call succeeds, so somebody has to go on calling;
 * what may pass by itself is shown for a minute. */
ngx_str_t *ngx_pki_vault_trouble(ngx_pki_vault_key_t *key);

/* What the status tells of a vault: counters of the zone. */
ngx_pki_https_counters_t *ngx_pki_vault_counters(ngx_pki_vault_key_t *key);
ngx_pki_vault_outcomes_t *ngx_pki_vault_outcomes(ngx_pki_vault_key_t *key);

/* The weight, in half units, of an operation with such a key. */
ngx_uint_t ngx_pki_vault_weight(ngx_pki_key_spec_t *spec);


/*
 * A key of the interface of ngx_pki_key.h over a vault key.  Its public key is
 * not known yet; ngx_pki_key_vault_pin() sets it (taking a reference) together
 * with the version, which "version" is copied from.
 */
ngx_pki_key_t *ngx_pki_key_vault(ngx_pool_t *pool, ngx_pki_vault_key_t *vk);
ngx_int_t ngx_pki_key_vault_pin(ngx_pki_key_t *key, ngx_pool_t *pool,
    EVP_PKEY *public_key, ngx_str_t *version);

/*
 * For call->check of sign, whose data is a key job: NULL if the answer is a
 * signature of job->input by the pinned key, which job->output then is as in a
 * BIT STRING; else what is wrong.
 */
const char *ngx_pki_key_vault_check(ngx_pki_vault_call_t *call);

/* A key in trouble (else nothing) that nobody has come to try again is tried by
 * calls of no other use, which end the trouble if they succeed.  To be called
 * every second or so. */
void ngx_pki_key_vault_revive(ngx_pki_key_t *key, const EVP_MD *md,
    ngx_uint_t pss, ngx_log_t *log);

/* The vault's name of a signature algorithm, such as "RS256"; NULL: it has
 * none.  Static memory. */
const ngx_str_t *ngx_pki_key_vault_algorithm(ngx_pki_key_spec_t *spec,
    const EVP_MD *md, ngx_uint_t pss);


#endif /* _NGX_PKI_VAULT_H_INCLUDED_ */
