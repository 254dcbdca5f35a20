
/*
 * Copyright (C) the ngx_pki authors
 *
 * The record of a request that waits for a decision, and stays for a while
 * after it.
 */


#ifndef _NGX_PKI_PENDING_H_INCLUDED_
#define _NGX_PKI_PENDING_H_INCLUDED_


#include "ngx_pki.h"


#define NGX_PKI_PENDING_ID_LEN      64       /* SHA-256 in hex */
#define NGX_PKI_PENDING_HANDLE_LEN  (2 * NGX_PKI_PENDING_ID_LEN)
#define NGX_PKI_PENDING_MAX_CSR     16384


typedef enum {
    NGX_PKI_PENDING_WAITS = 0,
    NGX_PKI_PENDING_APPROVED,                /* it has a certificate */
    NGX_PKI_PENDING_REJECTED
} ngx_pki_pending_state_e;


typedef struct {
    ngx_str_t                  id;
    ngx_str_t                  key;          /* what it asks for, in hex */
    ngx_str_t                  csr;          /* DER */
    ngx_str_t                  subject;      /* RFC 4514, as in a record */
    ngx_str_t                  sans;
    ngx_str_t                  key_type;     /* "rsa:2048" */
    ngx_str_t                  usages;       /* of the key, as it may have */
    ngx_str_t                  profile;
    ngx_str_t                  transaction;  /* text, as the client sent it */
    ngx_str_t                  requester;
    time_t                     received;
    time_t                     ttl;          /* seconds, before and after it
                                              * is decided */
    ngx_uint_t                 share;        /* so many of one requester */
    ngx_pki_pending_state_e    state;
    ngx_str_t                  serial;       /* APPROVED: lower-case hex */
    ngx_str_t                  decided_by;
    time_t                     decided_at;   /* 0: it waits */
} ngx_pki_pending_t;


/*
 * Names a request by who may ask what has become of it: "id" is hex, in
 * "pool".  "key" is the content of the signer's public key.  NGX_ERROR: out of
 * memory, or OpenSSL failed.
 */
ngx_int_t ngx_pki_pending_id(ngx_pool_t *pool, ngx_str_t *authority,
    ngx_str_t *transaction, ngx_str_t *key, ngx_str_t *id);

/* Whether it is one: 64 digits of lower-case hex.  Pure. */
ngx_int_t ngx_pki_pending_id_check(ngx_str_t *id);

/*
 * Takes apart what people are shown: "id" and "key" one after the other.  Who
 * decides does so about what waited then: the id alone says who asks, not what
 * for.  Pure.
 */
ngx_int_t ngx_pki_pending_handle_parse(ngx_str_t *text, ngx_str_t *id,
    ngx_str_t *key);

/*
 * Decodes a hash of Redis: name, value, name, value, ...  Pure.  Fields that
 * are not known are ignored; strings point into the input; "id" is not in it.
 * NGX_ERROR: one is missing, twice or malformed, or they contradict each other.
 */
ngx_int_t ngx_pki_pending_decode(ngx_str_t *fields, ngx_uint_t n,
    ngx_pki_pending_t *pending);

/*
 * Encodes it the same way into "fields" (NGX_PKI_PENDING_FIELDS at least);
 * numbers are printed to "pool".  Returns how many, or NGX_ERROR.
 */
#define NGX_PKI_PENDING_FIELDS  30
ngx_int_t ngx_pki_pending_encode(ngx_pool_t *pool, ngx_pki_pending_t *pending,
    ngx_str_t *fields);

/*
 * The names of the fields in order, NULL after the last one.  Lists show those
 * from NGX_PKI_PENDING_LISTED on.
 */
#define NGX_PKI_PENDING_LISTED  1
ngx_str_t *ngx_pki_pending_name(ngx_uint_t i);

/* The names: "pending", "approved", "rejected". */
ngx_str_t *ngx_pki_pending_state_name(ngx_pki_pending_state_e state);
ngx_int_t ngx_pki_pending_state_parse(ngx_str_t *name,
    ngx_pki_pending_state_e *state);


#endif /* _NGX_PKI_PENDING_H_INCLUDED_ */
