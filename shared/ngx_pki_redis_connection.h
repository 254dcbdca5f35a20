
/*
 * Copyright (C) the ngx_pki authors
 *
 * Private to ngx_pki_redis*.c: the pool that hands commands out, and the
 * connections that carry them.
 */


#ifndef _NGX_PKI_REDIS_CONNECTION_H_INCLUDED_
#define _NGX_PKI_REDIS_CONNECTION_H_INCLUDED_


#include "ngx_pki_redis.h"


#define NGX_PKI_REDIS_BUFFER  16384

/* octets after which the rest of the event loop has its turn */
#define NGX_PKI_REDIS_TURN    (512 * 1024)


typedef struct ngx_pki_redis_connection_s  ngx_pki_redis_connection_t;


typedef enum {
    NGX_PKI_REDIS_CLOSED = 0,
    NGX_PKI_REDIS_RESOLVING,
    NGX_PKI_REDIS_CONNECTING,    /* TLS handshake included */
    NGX_PKI_REDIS_GREETING,      /* AUTH, SELECT, PING */
    NGX_PKI_REDIS_UP
} ngx_pki_redis_state_e;


struct ngx_pki_redis_connection_s {
    ngx_pki_redis_t             *redis;
    ngx_pki_redis_state_e        state;

    ngx_peer_connection_t        peer;
    ngx_sockaddr_t               sockaddr;    /* of a resolved name */
    ngx_resolver_ctx_t          *resolving;
    ngx_log_t                    log;

    /* cancelable: until the next attempt, or the time limit of this one */
    ngx_event_t                  timer;
    ngx_msec_t                   backoff;

    redisReader                 *reader;
    redisReplyObjectFunctions    functions;   /* of the reader */
    size_t                       received;    /* of an unfinished reply */
    ngx_buf_t                    out;         /* malloc()ed */
    size_t                       sent;        /* since the last pause */
    ngx_uint_t                   greetings;   /* replies still to come */

    /*
     * A command is in "pending" until its reply comes.  A durable one is then
     * in "held" until the reply to the WAIT that follows the whole batch; one
     * WAIT is on its way at a time, and nothing is sent behind it.
     */
    ngx_queue_t                  pending;
    ngx_queue_t                  held;
    ngx_uint_t                   ncommands;   /* in both */
    ngx_uint_t                   nforeground; /* of them */
    size_t                       wait_len;    /* of the WAIT on its way */

    unsigned                     batch:1;     /* a WAIT has to follow */
    unsigned                     blocked:1;   /* no more can be sent now */
    unsigned                     leaving:1;   /* close when all is answered */
};


struct ngx_pki_redis_s {
    ngx_pki_redis_conf_t        *conf;
    ngx_pool_t                  *pool;        /* owns this structure, too */
    ngx_log_t                   *log;

    ngx_pki_redis_connection_t  *connections;
    ngx_uint_t                   nconnections;

    ngx_queue_t                  waiting;     /* for a connection */
    ngx_uint_t                   nwaiting;
    ngx_queue_t                  failed;      /* the timer will tell them */

    /* the nearest deadline; cancelable if all commands are background ones */
    ngx_event_t                  timer;
    ngx_uint_t                   ncommands;   /* not finished */
    ngx_uint_t                   nforeground; /* of them */

    ngx_uint_t                   connected;   /* how often, so far */
    ngx_str_t                    error;       /* the last one */
    ngx_msec_t                   reported;    /* when an error was logged */
    unsigned                     logged:1;    /* "reported" is valid */
    unsigned                     down:1;      /* logged, not yet recovered */

    u_char                       error_text[256];
    u_char                       buffer[NGX_PKI_REDIS_BUFFER];
};


#define ngx_pki_redis_late(deadline)                                         \
    ((ngx_msec_int_t) ((deadline) - ngx_current_msec) <= 0)

#define ngx_pki_redis_is_durable(redis, cmd)                                 \
    ((cmd)->durable && (redis)->conf->wait != 0)


/* ngx_pki_redis.c */

/*
 * Ends a command that is in no queue any more: calls its handler, after which
 * "cmd" may be gone, and frees "reply" (may be NULL).
 */
void ngx_pki_redis_finish(ngx_pki_redis_t *redis,
    ngx_pki_redis_command_t *cmd, redisReply *reply);

/* Ends all commands of a queue without a reply, for redis->error. */
void ngx_pki_redis_finish_lost(ngx_pki_redis_t *redis, ngx_queue_t *lost);

/* Gives a command to a connection, or lets it wait for one. */
void ngx_pki_redis_place(ngx_pki_redis_t *redis, ngx_pki_redis_command_t *cmd);

/* Takes a command back, nothing of which was sent, ahead of the others. */
void ngx_pki_redis_take_back(ngx_pki_redis_t *redis,
    ngx_pki_redis_command_t *cmd);

/* Gives what waits to connections, as far as they take it. */
void ngx_pki_redis_dispatch(ngx_pki_redis_t *redis);

/* Sets redis->error: "text" and, unless 0, "err". */
void ngx_pki_redis_set_error(ngx_pki_redis_t *redis, ngx_err_t err,
    const char *text);

/* Logs redis->error unless one was logged within the last minute. */
void ngx_pki_redis_report(ngx_pki_redis_t *redis, ngx_log_t *log);

/* Whether ngx_pki_redis_report() would say nothing. */
ngx_uint_t ngx_pki_redis_is_quiet(ngx_pki_redis_t *redis);


/* ngx_pki_redis_connection.c */

void ngx_pki_redis_connection_init(ngx_pki_redis_connection_t *rc,
    ngx_pki_redis_t *redis);

/* Called when AUTH, SELECT and PING have been answered; may close. */
void ngx_pki_redis_connection_up(ngx_pki_redis_connection_t *rc);

/* Sets the error, logs it, closes. */
void ngx_pki_redis_connection_fail(ngx_pki_redis_connection_t *rc,
    ngx_err_t err, const char *text);

/*
 * Closes.  Commands of which nothing was sent go back to the pool, the others
 * end for redis->error.  A new attempt follows, unless the worker exits.
 */
void ngx_pki_redis_connection_close(ngx_pki_redis_connection_t *rc);

/* Closes the socket and frees all; commands are not touched. */
void ngx_pki_redis_connection_release(ngx_pki_redis_connection_t *rc);


/* ngx_pki_redis_stream.c */

/* Takes a new connection over: sends AUTH, SELECT, PING. */
void ngx_pki_redis_stream_start(ngx_pki_redis_connection_t *rc);

/* Whether a command may be given to the connection. */
ngx_uint_t ngx_pki_redis_stream_is_ready(ngx_pki_redis_connection_t *rc);

/* Gives it one; a posted event sends it.  NGX_ERROR: out of memory. */
ngx_int_t ngx_pki_redis_stream_add(ngx_pki_redis_connection_t *rc,
    ngx_pki_redis_command_t *cmd);

/* Gives unsent commands back to the pool and moves the others to "lost". */
void ngx_pki_redis_stream_drain(ngx_pki_redis_connection_t *rc,
    ngx_queue_t *lost);


/* ngx_pki_redis_codec.c */

/*
 * A reader of replies whose arrays are bounded.  "functions" is its own and
 * stays as long as the reader.  NULL: out of memory.
 */
redisReader *ngx_pki_redis_reader_create(redisReplyObjectFunctions *functions);

/*
 * Appends one command, the words of "head" then those of "argv", to "out",
 * which grows (and moves).  NGX_ERROR: out of memory.
 */
ngx_int_t ngx_pki_redis_format(ngx_buf_t *out, ngx_str_t *head, ngx_uint_t n,
    ngx_str_t *argv, ngx_uint_t argc, ngx_log_t *log);

/* Cleanses and frees a buffer: passwords go through it. */
void ngx_pki_redis_format_free(ngx_buf_t *out);


#endif /* _NGX_PKI_REDIS_CONNECTION_H_INCLUDED_ */
