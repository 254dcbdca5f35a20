
/*
 * Copyright (C) the ngx_pki authors
 *
 * From a decoded OCSP request to a response: whose certificates these are,
 * their statuses, one signature.  Knows nothing of HTTP.
 */


#ifndef _NGX_OCSP_ANSWER_H_INCLUDED_
#define _NGX_OCSP_ANSWER_H_INCLUDED_


#include "ngx_ocsp_request.h"
#include "ngx_ocsp_response.h"
#include "ngx_ocsp_signer.h"
#include "ngx_pki_op.h"


/* never-issued serials and foreign issuers; DEFAULT: signed unknown for the
 * first, unauthorized for the second */

#define NGX_OCSP_UNKNOWN_DEFAULT       0
#define NGX_OCSP_UNKNOWN_UNAUTHORIZED  1
#define NGX_OCSP_UNKNOWN_UNKNOWN       2
#define NGX_OCSP_UNKNOWN_REVOKED       3

#define NGX_OCSP_ON_ERROR_STALE        0
#define NGX_OCSP_ON_ERROR_TRY_LATER    1

#define NGX_OCSP_STATUSES              (NGX_PKI_STATUS_REVOKED + 1)


#define NGX_OCSP_SIGNATURE_IGNORE      0
#define NGX_OCSP_SIGNATURE_VERIFY      1
#define NGX_OCSP_SIGNATURE_REQUIRE     2


typedef struct {
    time_t                     validity[NGX_OCSP_STATUSES];
    time_t                     backdate;
    time_t                     retention;    /* of expired ones; 0: no limit */
    time_t                     compromised;  /* since when; 0: it is not */
    ngx_uint_t                 unknown;      /* NGX_OCSP_UNKNOWN_* */
    ngx_uint_t                 on_error;     /* NGX_OCSP_ON_ERROR_* */
    ngx_uint_t                 by_name;      /* ResponderID; a flag */
    ngx_flag_t                 nonce;
    ngx_flag_t                 cache;
    ngx_uint_t                 signature;    /* NGX_OCSP_SIGNATURE_* */

    uint32_t                   hash;         /* of what answers depend on */
} ngx_ocsp_policy_t;


/* how the cache took part, $ocsp_cache */

typedef enum {
    NGX_OCSP_CACHE_NONE = 0,                 /* there is no answer */
    NGX_OCSP_CACHE_HIT,
    NGX_OCSP_CACHE_STALE,                    /* a hit, being renewed */
    NGX_OCSP_CACHE_MISS,
    NGX_OCSP_CACHE_BYPASS                    /* not a question for it */
} ngx_ocsp_cache_e;


typedef struct ngx_ocsp_answer_s  ngx_ocsp_answer_t;

typedef void (*ngx_ocsp_answer_pt)(ngx_ocsp_answer_t *answer);


/* a CertID and its way to the store */

typedef struct {
    ngx_ocsp_answer_t         *answer;
    ngx_ocsp_cert_id_t        *id;
    ngx_ocsp_signer_t         *signer;       /* NULL: a foreign issuer */
    ngx_ocsp_single_t         *single;
    ngx_pki_serial_t           serial;
    ngx_pki_zone_status_t      status;
    time_t                     known_at;
    ngx_pki_store_job_t       *job;
    unsigned                   forgotten:1;  /* expired for too long */
} ngx_ocsp_item_t;


struct ngx_ocsp_answer_s {
    /* in; the request decoded from octets that stay as long as "pool" */
    ngx_ocsp_request_t         request;
    ngx_pool_t                *pool;
    ngx_log_t                 *log;
    ngx_array_t               *signers;      /* of ngx_ocsp_signer_t * */
    ngx_ocsp_policy_t         *policy;

    /* in, if it may wait */
    ngx_pki_op_t              *op;
    ngx_ocsp_answer_pt         handler;      /* called exactly once */
    unsigned                   background:1; /* for the cache, for nobody */

    /* out; "body" and times only if SUCCESSFUL, the times are the tightest */
    ngx_ocsp_response_status_e result;
    ngx_str_t                  body;
    time_t                     now;
    time_t                     this_update;
    time_t                     next_update;
    time_t                     refresh_at;
    ngx_ocsp_single_t         *singles;      /* as many as CertIDs */
    ngx_ocsp_cache_e           cache;
    ngx_msec_t                 sign_time;
    ngx_msec_t                 store_time;

    /* on the way */
    ngx_ocsp_signer_t         *signer;
    ngx_ocsp_responder_t      *responder;
    ngx_ocsp_item_t           *items;
    ngx_ocsp_item_t            item;         /* "items", if there is one */
    ngx_ocsp_single_t          single;
    uint64_t                   kind;         /* in the cache */
    ngx_uint_t                 waiting;      /* for statuses */
    ngx_str_t                  tbs;
    unsigned                   unavailable:1;
    unsigned                   immature:1;   /* an issuer is not known yet */
    unsigned                   extended_revoke:1;
    unsigned                   twin:1;       /* SHA-1 and SHA-256 in one */
    unsigned                   retained:1;   /* the responder */
    unsigned                   pending:1;    /* counted as such */
    unsigned                   flight:1;     /* others wait for this one */

    /* not zeroed from here on */
    u_char                     etag[64];     /* SHA-256, hex; none with nonce */
    u_char                     digest[EVP_MAX_MD_SIZE];
    ngx_pki_key_job_t          sign;
    ngx_event_t                wait;         /* for another one's signature */
};

/* a request is zeroed when it is decoded */

#define ngx_ocsp_answer_zero(answer)                                         \
    ngx_memzero(&(answer)->pool, offsetof(ngx_ocsp_answer_t, etag)           \
                                 - offsetof(ngx_ocsp_answer_t, pool))


/* The signer whose authority issued "id"; NULL: none of these. */
ngx_ocsp_signer_t *ngx_ocsp_answer_signer(ngx_array_t *signers,
    ngx_ocsp_cert_id_t *id);

/*
 * Answers without waiting for anybody, out of the zone and by a key in memory.
 * "answer" is zeroed, as above, but for "in".  NGX_OK: answered; if the cache
 * is STALE the same is to be started in the background.  NGX_AGAIN: it has to
 * be started, all over again.
 */
ngx_int_t ngx_ocsp_answer_at_once(ngx_ocsp_answer_t *answer);

/* Starts one that may wait; the handler may be called before this returns. */
void ngx_ocsp_answer_start(ngx_ocsp_answer_t *answer);


/*
 * The steps of it, in files of their own.
 *
 * judge: from statuses to what the response says; SUCCESSFUL, or the error.
 */
ngx_ocsp_response_status_e ngx_ocsp_judge(ngx_ocsp_answer_t *answer);

/*
 * reply: answers kept in the zone.  question: whether this is one for the
 * cache; sets answer->kind.  find: NGX_OK: answered, fresh or stale as
 * answer->cache says; NGX_DECLINED.  any: one to be renewed, too.  body: makes
 * the response of what is sealed.  NGX_ERROR: no memory.  keep: for others.
 * tag: one of all answers, most probably.
 */
ngx_uint_t ngx_ocsp_reply_question(ngx_ocsp_answer_t *answer);
ngx_int_t ngx_ocsp_reply_find(ngx_ocsp_answer_t *answer);
ngx_int_t ngx_ocsp_reply_find_any(ngx_ocsp_answer_t *answer);
ngx_int_t ngx_ocsp_reply_twin(ngx_ocsp_answer_t *answer);
ngx_int_t ngx_ocsp_reply_body(ngx_ocsp_answer_t *answer, ngx_str_t *sealed);
void ngx_ocsp_reply_keep(ngx_ocsp_answer_t *answer, ngx_str_t *sealed);
uint64_t ngx_ocsp_reply_tag(ngx_ocsp_answer_t *answer);

/*
 * sign: encodes, signs, keeps what has been judged; at once, or else it ends
 * by ngx_ocsp_answer_done().
 */
ngx_ocsp_response_status_e ngx_ocsp_sign_at_once(ngx_ocsp_answer_t *answer);
void ngx_ocsp_sign(ngx_ocsp_answer_t *answer);

/* Ends an answer that was started. */
void ngx_ocsp_answer_done(ngx_ocsp_answer_t *answer,
    ngx_ocsp_response_status_e result);


#endif /* _NGX_OCSP_ANSWER_H_INCLUDED_ */
