
/*
 * Copyright (C) the ngx_pki authors
 *
 * The inside of the zone, for ngx_pki_zone*.c only.  Everything here lies in
 * shared memory and is touched under the mutex of the slab pool.
 */


#ifndef _NGX_PKI_ZONE_SH_H_INCLUDED_
#define _NGX_PKI_ZONE_SH_H_INCLUDED_


#include "ngx_pki_zone.h"


/* a certificate's status: 56 octets, and 4 for its bucket */

typedef struct {
    u_char                     serial[NGX_PKI_SERIAL_LEN];
    u_char                     serial_len;
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
    uint64_t                   seed;         /* of the hash */
    uint32_t                  *buckets;      /* index + 1; 0: empty */
    ngx_pki_zone_entry_t      *entries;
    uint32_t                   size;         /* of both */
    uint32_t                   used;         /* the others were never used */
    uint32_t                   hand;         /* of the clock */
} ngx_pki_zone_table_t;


typedef struct ngx_pki_zone_cell_s  ngx_pki_zone_cell_t;

struct ngx_pki_zone_cell_s {
    ngx_pki_zone_cell_t       *next;
    void                      *memory;
    size_t                     size;
    size_t                     name_len;
    u_char                     name[1];
};


typedef struct {
    ngx_pki_zone_table_t       table;
    ngx_pki_zone_cell_t       *cells;

    ngx_pki_zone_slot_t       *slots[NGX_PKI_MAX_AUTHORITIES];
    ngx_uint_t                 nslots;

    ngx_pid_t                  leader;       /* 0: none */
    ngx_msec_t                 heartbeat;    /* of the leader, monotonic */
} ngx_pki_zone_sh_t;


/*
 * Lays the table out in a memory of "size" octets.  NGX_ERROR: no random seed,
 * or too small.
 */
ngx_int_t ngx_pki_zone_table_init(ngx_pki_zone_table_t *table, void *memory,
    size_t size);


#endif /* _NGX_PKI_ZONE_SH_H_INCLUDED_ */
