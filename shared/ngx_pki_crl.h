
/*
 * Copyright (C) the ngx_pki authors
 *
 * The CRLs of an authority: which there are, what they are called, and what
 * all workers know of them.
 *
 * The full CRL has everything.  With "crl_shards" a certificate belongs to a
 * shard as well, for its life: its serial number names it, its distribution
 * point is the shard's URL.  The delta CRL belongs to the full one.
 */


#ifndef _NGX_PKI_CRL_H_INCLUDED_
#define _NGX_PKI_CRL_H_INCLUDED_


#include "ngx_pki.h"


/* CRLs by number; a shard's is NGX_PKI_CRL_SHARD + the shard */

#define NGX_PKI_CRL_FULL        0
#define NGX_PKI_CRL_DELTA       1
#define NGX_PKI_CRL_SHARD       2

#define NGX_PKI_CRL_SHARDS_MAX  1024
#define NGX_PKI_CRL_LISTS       (NGX_PKI_CRL_SHARD + NGX_PKI_CRL_SHARDS_MAX)

/*
 * A CRL above this size lies in Redis in parts of this size, but for the last
 * one; a multiple of 48, so that each part is whole lines of PEM.
 */
#define NGX_PKI_CRL_PART        491520

/* none is larger: what is malformed in Redis must not eat all memory */

#define NGX_PKI_CRL_SIZE_MAX    (512 * 1024 * 1024)

#define NGX_PKI_CRL_NAME_LEN    sizeof("shard-3ff")
#define NGX_PKI_CRL_TOKEN_LEN   64
#define NGX_PKI_CRL_TEXT_LEN    256

/*
 * Serial numbers of certificates with a shard have 19 octets, of which the
 * last two are the shard; all others have 17.  Others of 19 octets that were
 * not made here are on the CRL of a shard that they do not belong to, which
 * does no harm.
 */
#define NGX_PKI_CRL_SERIAL_LEN  19


/* a revoked or held certificate, as a CRL has it */

typedef struct {
    ngx_pki_serial_t           serial;
    ngx_int_t                  reason;       /* 8: released since */
    time_t                     revoked_at;   /* or released */
    time_t                     not_after;    /* 0: not known */
    uint64_t                   seq;          /* of the change; 0: not known */
} ngx_pki_crl_entry_t;

#define NGX_PKI_CRL_REMOVED  8               /* removeFromCRL */


/* a CRL that is published, without its octets */

typedef struct {
    uint64_t                   number;       /* 0: there is none */
    time_t                     this_update;
    time_t                     next_update;
    uint64_t                   seq;          /* the last change in it */
    size_t                     size;         /* octets of DER */

    /*
     * Of the full CRL: which older ones deltas may refer to.  "base" is one
     * that is older than all that are still valid, if there is one, "mark"
     * becomes that in its time.
     */
    uint64_t                   base_number;  /* 0: there is none */
    uint64_t                   base_seq;
    uint64_t                   mark_number;
    uint64_t                   mark_seq;
    time_t                     mark_time;    /* its thisUpdate */
} ngx_pki_crl_meta_t;


/*
 * CRLs are built under two locks: a large full one must not keep those of
 * shards waiting.
 */

#define NGX_PKI_CRL_LOCKS  2

#define ngx_pki_crl_lock(list)  ((list) >= NGX_PKI_CRL_SHARD ? 1 : 0)

typedef struct {
    u_char                     token[NGX_PKI_CRL_TOKEN_LEN];
    size_t                     token_len;    /* 0: none */
    ngx_pid_t                  holder;       /* the worker */
} ngx_pki_crl_lock_t;


/*
 * What all workers share, in a cell of the zone; zeroed when it is made,
 * survives reloads.
 */

typedef struct {
    /* of the CRL that Redis has; 0: not known, or none */
    ngx_atomic_t               number[NGX_PKI_CRL_LISTS];

    ngx_atomic_t               shards;       /* as many as there ever were */

    /* of the worker that builds; text is written under the zone's lock */
    volatile time_t            failing;      /* since when; 0: all is well */
    volatile time_t            ends;         /* the first nextUpdate to come */
    u_char                     text[NGX_PKI_CRL_TEXT_LEN];  /* why, or "" */

    /* in Redis, that this nginx may hold; under the zone's lock */
    ngx_pki_crl_lock_t         locks[NGX_PKI_CRL_LOCKS];

    /* a worker that knows what Redis may lack, 0: none; and when it said so
     * last, ngx_current_msec */
    volatile ngx_pid_t         keeper;
    volatile ngx_msec_t        keeper_pulse;
} ngx_pki_crl_zone_t;


/* The name of a CRL in Redis: "0", "delta", "shard-0a"; its length. */
size_t ngx_pki_crl_name(u_char *out, ngx_uint_t list);

/* NGX_ERROR: there is no such CRL. */
ngx_int_t ngx_pki_crl_parse(ngx_str_t *name, ngx_uint_t *list);

/* Hex digits, as in a URL, to a shard: NGX_ERROR if it is none. */
ngx_int_t ngx_pki_crl_parse_shard(ngx_str_t *hex, ngx_uint_t *shard);

/* The shard that a serial number names; NGX_DECLINED: none. */
ngx_int_t ngx_pki_crl_shard(ngx_pki_serial_t *serial);

/*
 * The URL of a CRL, made of that of the full one: "-0a" or "-delta" before
 * ".crl" at its end, or at its end.  "out" has room for url->len + 16.
 */
size_t ngx_pki_crl_url(u_char *out, ngx_str_t *url, ngx_uint_t list);

/* A number in the zone that never falls: number[list] or shards. */
void ngx_pki_crl_raise(ngx_atomic_t *value, uint64_t number);

/*
 * An entry as Redis has it, "<time> <reason> <not_after> <seq>"; the last two
 * may be missing.  Pure.  NGX_ERROR: malformed.
 */
ngx_int_t ngx_pki_crl_entry_decode(ngx_str_t *serial, ngx_str_t *value,
    ngx_pki_crl_entry_t *entry);


#endif /* _NGX_PKI_CRL_H_INCLUDED_ */
