
/*
 * Copyright (C) the ngx_pki authors
 *
 * Redis over nginx events: hiredis is the codec only.  One ngx_pki_redis_t a
 * worker holds a few pipelined connections, which connect by themselves,
 * reconnect with a jittered backoff, authenticate and select their database.
 */


#ifndef _NGX_PKI_REDIS_H_INCLUDED_
#define _NGX_PKI_REDIS_H_INCLUDED_


#include "ngx_pki.h"


typedef struct ngx_pki_redis_s          ngx_pki_redis_t;
typedef struct ngx_pki_redis_command_s  ngx_pki_redis_command_t;

typedef void (*ngx_pki_redis_pt)(ngx_pki_redis_command_t *cmd);


/* settings, in the cycle's pool; filled by ngx_pki_redis_parse_url() */

typedef struct {
    ngx_str_t                  url;          /* without a password */
    ngx_str_t                  host;         /* name, literal or socket path */
    in_port_t                  port;
    ngx_uint_t                 db;

    unsigned                   tls:1;
    unsigned                   local:1;      /* a unix socket */
    unsigned                   resolve:1;    /* "host" is a name */

    struct sockaddr           *sockaddr;     /* unless "resolve" */
    socklen_t                  socklen;

    ngx_str_t                  prefix;
    ngx_str_t                  user;
    ngx_str_t                  password;

    ngx_msec_t                 timeout;      /* of a command */
    ngx_uint_t                 connections;  /* of a worker */
    ngx_uint_t                 wait;         /* replicas to wait for */
    ngx_msec_t                 wait_timeout;

    ngx_ssl_t                 *ssl;          /* if "tls" */
    ngx_resolver_t            *resolver;     /* if "resolve" */
    ngx_msec_t                 resolver_timeout;
} ngx_pki_redis_conf_t;


/*
 * A Lua script, run by EVALSHA; sent whole (EVAL) when Redis does not know
 * it.  "sha1" is computed by ngx_pki_redis_script_init(), 40 hex digits.
 */

typedef struct {
    ngx_str_t                  text;
    u_char                     sha1[40];
} ngx_pki_redis_script_t;


/*
 * A command.  It belongs to the caller (usually to an operation's pool) and
 * must stay, with all that argv points to, until its handler has been called.
 * The handler is called exactly once, never from within ngx_pki_redis_send(),
 * within "timeout" of it.  It may send further commands and free this one.
 */

struct ngx_pki_redis_command_s {
    ngx_uint_t                 argc;
    ngx_str_t                 *argv;
    ngx_pki_redis_script_t    *script;       /* argv: numkeys keys args */

    ngx_msec_t                 timeout;      /* 0: that of the settings */
    unsigned                   durable:1;    /* "wait" replicas must have it */
    unsigned                   background:1; /* a quitting worker drops it */

    ngx_pki_redis_pt           handler;
    void                      *data;
    ngx_log_t                 *log;

    /*
     * The answer, valid until the handler returns.  NULL: none came and it is
     * not known whether Redis has carried the command out; "error" says why.
     * A REDIS_REPLY_ERROR has no reply either: "error" is Redis's own text and
     * "refused" is set.  "unacknowledged": carried out, but not by enough
     * replicas.
     */
    redisReply                *reply;
    ngx_str_t                  error;
    unsigned                   refused:1;
    unsigned                   unacknowledged:1;

    /* of the connection, not for the caller */
    ngx_queue_t                queue;
    ngx_msec_t                 deadline;
    size_t                     out_len;      /* of its bytes on the wire */
    unsigned                   whole:1;      /* to be sent as EVAL */
};


/*
 * Parses redis://[user@]host[:port][/db], rediss://..., redis+unix:/path[?db=n]
 * into "conf".  Returns NULL, or what is wrong in one line.  A password in the
 * URL is refused: it belongs into a file.
 */
const char *ngx_pki_redis_parse_url(ngx_pool_t *pool, ngx_str_t *url,
    ngx_pki_redis_conf_t *conf);

/* Computes script->sha1. */
ngx_int_t ngx_pki_redis_script_init(ngx_pki_redis_script_t *script);

/*
 * Makes a pool of "connections" that start to connect at once (from the event
 * loop).  To be called in a worker; freed by ngx_pki_redis_destroy(), which
 * must be called in exit_process (never in a handler) and calls no handler.
 */
ngx_pki_redis_t *ngx_pki_redis_create(ngx_pki_redis_conf_t *conf,
    ngx_uint_t connections, ngx_log_t *log);
void ngx_pki_redis_destroy(ngx_pki_redis_t *redis);

/* Queues a command; see above. */
void ngx_pki_redis_send(ngx_pki_redis_t *redis, ngx_pki_redis_command_t *cmd);

/* Whether a connection is ready; if not, "error" is the reason. */
ngx_uint_t ngx_pki_redis_is_up(ngx_pki_redis_t *redis, ngx_str_t *error);

/*
 * How often a connection has been made: as long as that is the same, so is the
 * server, whose cursors (HSCAN) are of no use to another one.
 */
ngx_uint_t ngx_pki_redis_connected(ngx_pki_redis_t *redis);


#endif /* _NGX_PKI_REDIS_H_INCLUDED_ */
