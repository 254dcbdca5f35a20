
/*
 * Copyright (C) the ngx_pki authors
 *
 * The inside of the zone, for ngx_pki_zone*.c only.  Everything here lies in
 * shared memory and is touched under the mutex of the slab pool, but for the
 * answers, which are read without it.
 */


#ifndef _NGX_PKI_ZONE_SH_H_INCLUDED_
#define _NGX_PKI_ZONE_SH_H_INCLUDED_


#include "ngx_pki_zone.h"


/* a certificate's status: 56 octets, and 4 for its bucket */

typedef struct {
    ngx_pki_serial_t           serial;
    u_char                     slot;
    u_char                     status;
    u_char                     reason;
    uint32_t                   next;         /* index + 1; 0: the last one */
    unsigned                   epoch:31;     /* the slot's when it was made */
    unsigned                   referenced:1; /* since the hand passed */
    int64_t                    revoked_at;
    int64_t                    not_after;
    uint64_t                   version;
} ngx_pki_zone_entry_t;

#define NGX_PKI_ZONE_EPOCH_MASK  0x7fffffff


typedef struct {
    uint32_t                  *buckets;      /* index + 1; 0: empty */
    ngx_pki_zone_entry_t      *entries;
    uint32_t                   size;         /* of both */
    uint32_t                   used;         /* the others were never used */
    uint32_t                   hand;         /* of the clock */
    uint32_t                   drafted;      /* index + 1; 0: none */
    ngx_pki_zone_entry_t       draft;        /* what that one becomes */
    ngx_uint_t                 evictions;    /* of what still counted */
} ngx_pki_zone_table_t;


#define NGX_PKI_ZONE_WAYS      8

/* what comes before the octets of an answer, of which 456 are left then */

typedef struct {
    ngx_pki_serial_t           serial;
    u_char                     slot;
    u_char                     status;
    u_char                     reason;
    uint64_t                   kind;
    uint64_t                   version;
    uint64_t                   epoch;
    int64_t                    revoked_at;
    int64_t                    not_after;
    int64_t                    this_update;
    int64_t                    next_update;
    int64_t                    refresh_at;
    u_char                     etag[64];
} ngx_pki_zone_way_t;

#define NGX_PKI_ZONE_WAY       608


/*
 * What is read of all ways of a set before one of them is touched: 128 octets,
 * two cache lines.  A way holds an answer if its tag is not 0 and its seq is
 * even.  An answer that is too long for one has two: an even one, and the odd
 * one behind it, which then holds none.
 */

typedef struct {
    volatile uint64_t          tag[NGX_PKI_ZONE_WAYS];
    volatile uint32_t          seq[NGX_PKI_ZONE_WAYS];
    volatile uint16_t          len[NGX_PKI_ZONE_WAYS];    /* of the octets */
    volatile u_char            referenced[NGX_PKI_ZONE_WAYS];
    u_char                     hand;         /* where to look first */
    u_char                     spare[7];
} ngx_pki_zone_set_t;


typedef struct {
    ngx_pki_zone_set_t        *sets;
    u_char                    *ways;         /* of the first set, ... */
    uint32_t                   size;         /* in sets */
    ngx_atomic_t               used;         /* ways that hold an answer */
} ngx_pki_zone_replies_t;


typedef struct ngx_pki_zone_cell_s  ngx_pki_zone_cell_t;

struct ngx_pki_zone_cell_s {
    ngx_pki_zone_cell_t       *next;
    void                      *memory;
    size_t                     size;
    size_t                     name_len;
    u_char                     name[1];
};


typedef struct {
    uint64_t                   seed;         /* of the hash */
    ngx_pki_zone_table_t       table;
    ngx_pki_zone_replies_t     replies;
    ngx_pki_zone_cell_t       *cells;

    ngx_pki_zone_slot_t       *slots[NGX_PKI_MAX_AUTHORITIES];
    ngx_uint_t                 nslots;

    ngx_pid_t                  leader;       /* 0: none */
    ngx_msec_t                 heartbeat;    /* of the leader, monotonic */
} ngx_pki_zone_sh_t;


/* One of "n" by 32 bits of a hash, without a division. */

#define ngx_pki_zone_pick(hash, n)                                           \
    ((uint32_t) ((uint64_t) (uint32_t) (hash) * (n) >> 32))

#define ngx_pki_zone_serial_eq(serial, s)                                    \
    ((serial)->len == (s)->len                                               \
     && ngx_memcmp((serial)->data, (s)->data, (s)->len) == 0)


/*
 * A bijection under which every bit depends on every one, and the hash of a
 * certificate, from a secret start: its upper half finds the status, its lower
 * one the answers.
 */
uint64_t ngx_pki_zone_mix(uint64_t n);
uint64_t ngx_pki_zone_hash(ngx_pki_zone_sh_t *sh, ngx_uint_t slot,
    ngx_pki_serial_t *serial);

/* Lay each out in a memory of "size" octets, which is enough for some. */
void ngx_pki_zone_table_init(ngx_pki_zone_table_t *table, void *memory,
    size_t size);
void ngx_pki_zone_replies_init(ngx_pki_zone_replies_t *replies, void *memory,
    size_t size);

/* The entry of a certificate, or NULL; under the lock. */
ngx_pki_zone_entry_t *ngx_pki_zone_find(ngx_pki_zone_sh_t *sh,
    ngx_pki_zone_slot_t *slot, ngx_pki_serial_t *serial, uint64_t hash);

/* Whether the entry was made since the last gap of the log. */
#define ngx_pki_zone_current(slot, entry)                                    \
    ((entry)->epoch == ((slot)->epoch & NGX_PKI_ZONE_EPOCH_MASK))

/* Whether an answer would tell the same of the entry and of "status". */
ngx_uint_t ngx_pki_zone_same(ngx_pki_zone_entry_t *entry,
    ngx_pki_zone_status_t *status);

/* Drops all answers about a certificate; under the lock. */
void ngx_pki_zone_replies_drop(ngx_pki_zone_replies_t *replies,
    ngx_pki_zone_slot_t *slot, ngx_pki_serial_t *serial, uint64_t hash);


#endif /* _NGX_PKI_ZONE_SH_H_INCLUDED_ */
