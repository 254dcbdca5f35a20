
/*
 * Copyright (C) the ngx_pki authors
 *
 * One log that the follower follows, for ngx_pki_follower*.c only: what an
 * answer of Redis about it means for the zone.
 */


#ifndef _NGX_PKI_FOLLOWER_LOG_H_INCLUDED_
#define _NGX_PKI_FOLLOWER_LOG_H_INCLUDED_


#include "ngx_pki_follower.h"
#include "ngx_pki_follower_fill.h"
#include "ngx_pki_follower_restore.h"
#include "ngx_pki_log_entry.h"


/* entries of a log asked for at a time */

#define NGX_PKI_FOLLOWER_COUNT  1000


typedef struct {
    ngx_pki_follower_t        *follower;
    ngx_pki_store_t           *store;
    ngx_log_t                 *log;

    ngx_str_t                  key;          /* of the log */
    ngx_str_t                  id;           /* after it reading begins */
    u_char                     id_text[NGX_PKI_LOG_ID_LEN];

    ngx_pki_redis_command_t    command;      /* the position */
    ngx_str_t                  argv[5];
    ngx_pki_zone_moment_t      asked;        /* for the position */

    ngx_pki_follower_restore_t  restore;
    ngx_pki_follower_walk_t   *walk;

    unsigned                   broken:1;     /* not to be resumed */
    unsigned                   behind:1;     /* there may be more to read */
    unsigned                   reported:1;
} ngx_pki_follower_log_t;


/* Prepares the keys, in "pool". */
ngx_int_t ngx_pki_follower_log_init(ngx_pki_follower_log_t *log,
    ngx_pool_t *pool, ngx_pki_store_t *store, ngx_log_t *errors);

/* Sets log->id to the zone's place in the log. */
void ngx_pki_follower_log_place(ngx_pki_follower_log_t *log);

/*
 * Takes the answer of the script "position", as of log->asked: the zone is as
 * new as Redis, or reading from log->id will bring it there, or else all good
 * statuses have been dropped.  NGX_ERROR: the answer is malformed, logged.
 */
ngx_int_t ngx_pki_follower_log_position(ngx_pki_follower_log_t *log,
    redisReply *reply);

/*
 * Applies the entries of an XREAD.  NGX_DECLINED: one does not follow on the
 * one before, or is malformed; the position must be asked for.
 */
ngx_int_t ngx_pki_follower_log_entries(ngx_pki_follower_log_t *log,
    redisReply *reply);


#endif /* _NGX_PKI_FOLLOWER_LOG_H_INCLUDED_ */
