
/*
 * Copyright (C) the ngx_pki authors
 *
 * The JSON of a key vault: what is sent to it, and what it answers.  Pure.
 */


#ifndef _NGX_PKI_VAULT_JSON_H_INCLUDED_
#define _NGX_PKI_VAULT_JSON_H_INCLUDED_


#include "ngx_pki_vault.h"


#define NGX_PKI_VAULT_NAME_LEN     127
#define NGX_PKI_VAULT_VERSION_LEN  32


/* "https://host/keys/name/version" */

typedef struct {
    ngx_str_t                  host;         /* lower case */
    ngx_str_t                  name;
    ngx_str_t                  version;
} ngx_pki_vault_kid_t;


/* the answer to get and create */

typedef struct {
    ngx_str_t                  kid;
    EVP_PKEY                  *public_key;   /* the pool's */
    ngx_pki_key_spec_t         spec;         /* with "hsm" */
    ngx_str_t                  operations;   /* "sign,unwrapKey" */
    time_t                     not_before;   /* 0: not said */
    time_t                     expires;
    unsigned                   enabled:1;
} ngx_pki_vault_bundle_t;


/* the answer to sign and unwrap */

typedef struct {
    ngx_str_t                  kid;
    ngx_str_t                  value;        /* decoded, of its own */
} ngx_pki_vault_value_t;


/* the body of an error; what is not there is empty */

typedef struct {
    ngx_str_t                  code;
    ngx_str_t                  inner;        /* the innermost innererror's */
    ngx_str_t                  message;      /* its first line */
} ngx_pki_vault_error_t;


/* These return NULL, or what is wrong with the answer (static memory). */

const char *ngx_pki_vault_bundle_decode(ngx_pool_t *pool, ngx_str_t *text,
    ngx_pki_vault_bundle_t *bundle);

/* The value may be a secret: what has been decoded of it elsewhere is cleansed,
 * "text" and value->value are the caller's to cleanse. */
const char *ngx_pki_vault_value_decode(ngx_pool_t *pool, ngx_str_t *text,
    ngx_pki_vault_value_t *value);

const char *ngx_pki_vault_kid_decode(ngx_pool_t *pool, ngx_str_t *kid,
    ngx_pki_vault_kid_t *out);

/* Takes what it finds; bounded, printable ASCII only. */
void ngx_pki_vault_error_decode(ngx_pool_t *pool, ngx_str_t *text,
    ngx_pki_vault_error_t *error);

/* The same for any text: its first line, at most "max" octets of it, printable
 * ASCII only.  Empty also when out of memory. */
ngx_str_t ngx_pki_vault_clean(ngx_pool_t *pool, ngx_str_t *text, size_t max);

/* Bodies of requests; NGX_ERROR: out of memory. */
ngx_int_t ngx_pki_vault_create_encode(ngx_pool_t *pool,
    ngx_pki_key_spec_t *spec, ngx_str_t *key_ops, ngx_str_t *out);
ngx_int_t ngx_pki_vault_value_encode(ngx_pool_t *pool, ngx_str_t *alg,
    ngx_str_t *value, ngx_str_t *out);


#endif /* _NGX_PKI_VAULT_JSON_H_INCLUDED_ */
