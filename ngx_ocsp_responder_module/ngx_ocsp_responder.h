
/*
 * Copyright (C) the ngx_pki authors
 *
 * Who signs answers: a delegate, one from a file, or the authority itself.
 */


#ifndef _NGX_OCSP_RESPONDER_H_INCLUDED_
#define _NGX_OCSP_RESPONDER_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_key.h"


#define NGX_OCSP_KEY_HASH_LEN  20


/* immutable, in a pool of its own, which the last release frees */

typedef struct {
    ngx_pool_t                *pool;
    ngx_uint_t                 count;

    /* tells answers of one from those of another, on every worker alike */
    uint64_t                   id;

    ngx_pki_key_t             *key;
    const EVP_MD              *md;
    unsigned                   pss:1;
    ngx_str_t                 *algorithm;    /* AlgorithmIdentifier, whole */
    ngx_str_t                  certificate;  /* DER */
    ngx_str_t                  name;         /* its subject, Name, whole */
    u_char                     key_hash[NGX_OCSP_KEY_HASH_LEN];

    time_t                     not_before;
    time_t                     not_after;
    time_t                     renew_at;     /* at half life */
} ngx_ocsp_responder_t;


#define ngx_ocsp_responder_usable(r, now)                                    \
    ((r)->not_before <= (now) && (now) < (r)->not_after)

#define ngx_ocsp_responder_retain(r)  (r)->count++

#define ngx_ocsp_responder_release(r)                                        \
    if (--(r)->count == 0) {                                                 \
        ngx_destroy_pool((r)->pool);                                         \
    }


#endif /* _NGX_OCSP_RESPONDER_H_INCLUDED_ */
