
/*
 * Copyright (C) the ngx_pki authors
 *
 * Making a one-time challenge: random digits, of which Redis gets a hash.
 */


#ifndef _NGX_HTTP_CHALLENGE_MINT_H_INCLUDED_
#define _NGX_HTTP_CHALLENGE_MINT_H_INCLUDED_


#include "ngx_http_rest.h"


#define NGX_HTTP_CHALLENGE_TTL         3600  /* seconds */
#define NGX_HTTP_CHALLENGE_MAX_TTL     (365 * 24 * 3600)

/* hexadecimal digits; Jamf Pro takes no more */

#define NGX_HTTP_CHALLENGE_LENGTH      32
#define NGX_HTTP_CHALLENGE_MIN_LENGTH  16

/* of one user, not used yet */

#define NGX_HTTP_CHALLENGE_QUOTA       10000
#define NGX_HTTP_CHALLENGE_MAX_QUOTA   1000000


typedef struct ngx_http_challenge_mint_s  ngx_http_challenge_mint_t;

/* Answers with mint->result; returns what to finalize the request with. */
typedef ngx_int_t (*ngx_http_challenge_mint_pt)(ngx_http_request_t *r,
    ngx_http_challenge_mint_t *mint);


/* lies in the pool of its operation */

struct ngx_http_challenge_mint_s {
    /* in: scope, by and whom it is for; the rest of it is filled in */
    ngx_pki_challenge_t         challenge;

    ngx_pki_authority_t        *authority;
    time_t                      ttl;
    ngx_uint_t                  quota;
    ngx_uint_t                  length;
    ngx_http_challenge_mint_pt  answer;

    /* out: OK and the secret, FULL, UNAVAILABLE */
    ngx_pki_store_result_e      result;
    ngx_str_t                   secret;

    ngx_pki_op_t               *op;
    ngx_pki_store_job_t         store;
};


/*
 * Makes what "spec" asks for (it is copied) and answers; to be the last
 * statement of a body handler.
 */
void ngx_http_challenge_mint(ngx_http_request_t *r,
    ngx_http_challenge_mint_t *spec);

/* The answer in JSON, an error included. */
ngx_int_t ngx_http_challenge_mint_json(ngx_http_request_t *r,
    ngx_http_challenge_mint_t *mint);

/*
 * Sends a body in the pool of the request that has the secret in it: it is not
 * copied, and wiped when the request ends.  "type" is static.
 */
ngx_int_t ngx_http_challenge_mint_send(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *type, ngx_str_t *body);


#endif /* _NGX_HTTP_CHALLENGE_MINT_H_INCLUDED_ */
