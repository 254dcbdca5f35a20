
/*
 * Copyright (C) the ngx_pki authors
 *
 * The inside of the store, for ngx_pki_store*.c and the follower only: the
 * scripts, how a command is put together and how its answer is taken apart.
 */


#ifndef _NGX_PKI_STORE_JOB_H_INCLUDED_
#define _NGX_PKI_STORE_JOB_H_INCLUDED_


#include "ngx_pki_store.h"


typedef enum {
    NGX_PKI_SCRIPT_ADD = 0,
    NGX_PKI_SCRIPT_FIND,
    NGX_PKI_SCRIPT_REVOKE,
    NGX_PKI_SCRIPT_RELEASE,
    NGX_PKI_SCRIPT_DELIVER,
    NGX_PKI_SCRIPT_RESTORE,
    NGX_PKI_SCRIPT_STATUS,
    NGX_PKI_SCRIPT_STATUSES,
    NGX_PKI_SCRIPT_PAGE,
    NGX_PKI_SCRIPT_RECORDS,
    NGX_PKI_SCRIPT_REGISTER,
    NGX_PKI_SCRIPT_UNLOCK,
    NGX_PKI_SCRIPT_RA_PUT,
    NGX_PKI_SCRIPT_POSITION,
    NGX_PKI_SCRIPT_PEND,
    NGX_PKI_SCRIPT_PENDING,
    NGX_PKI_SCRIPT_REJECT,
    NGX_PKI_SCRIPT_PENDING_PAGE,
    NGX_PKI_SCRIPT_CHALLENGE,

    /* ngx_pki_store_script_crl.c */
    NGX_PKI_SCRIPT_CRL_META,
    NGX_PKI_SCRIPT_CRL_PRUNE,
    NGX_PKI_SCRIPT_CRL_PUT,
    NGX_PKI_SCRIPT_CRL_PUBLISH,

    NGX_PKI_SCRIPTS
} ngx_pki_script_e;


ngx_pki_redis_script_t *ngx_pki_store_script(ngx_pki_script_e script);

/*
 * Puts a command together: start, one of command and eval, its keys and
 * arguments, send.  "max" is how many keys and arguments follow at most; a key
 * is the prefix, "name" and "rest" (NULL: nothing).  What fails on the way ends
 * the job in send, with UNAVAILABLE, from the event loop.
 */
void ngx_pki_store_start(ngx_pki_store_job_t *job, const char *action);
void ngx_pki_store_command(ngx_pki_store_job_t *job, const char *name,
    ngx_uint_t max);
void ngx_pki_store_eval(ngx_pki_store_job_t *job, ngx_pki_script_e script,
    ngx_uint_t keys, ngx_uint_t max);
void ngx_pki_store_key(ngx_pki_store_job_t *job, const char *name,
    ngx_str_t *rest);
void ngx_pki_store_arg(ngx_pki_store_job_t *job, ngx_str_t *arg);
void ngx_pki_store_text(ngx_pki_store_job_t *job, const char *text);
void ngx_pki_store_number(ngx_pki_store_job_t *job, uint64_t number);
void ngx_pki_store_send(ngx_pki_store_job_t *job, ngx_pki_redis_pt handler);

/*
 * What has become of the command.  NGX_OK: there is a reply of this type.
 * NGX_AGAIN: it has been sent again.  NGX_ERROR: there is none, logged; answer
 * has then ended the job with UNAVAILABLE, check has not.
 */
ngx_int_t ngx_pki_store_answer(ngx_pki_store_job_t *job, int type);
ngx_int_t ngx_pki_store_check(ngx_pki_store_job_t *job, int type);

/* Ends a job: at once (in a handler), or from the event loop. */
void ngx_pki_store_done(ngx_pki_store_job_t *job,
    ngx_pki_store_result_e result);
void ngx_pki_store_defer(ngx_pki_store_job_t *job,
    ngx_pki_store_result_e result);

/*
 * The job has changed a status, or added a certificate: this nginx knows at
 * once, not only by the log.  If the zone declines it, the log was faster.
 */
void ngx_pki_store_enter(ngx_pki_store_job_t *job);

/* Goes on with the record that a transaction leads to: "result", or an error */
void ngx_pki_store_found(ngx_pki_store_job_t *job, redisReply *serial,
    ngx_pki_store_result_e result);

/* Of a script that answers 1 or 0: ends the job with OK or CONFLICT. */
void ngx_pki_store_flag_handler(ngx_pki_redis_command_t *cmd);

/*
 * A page of the index, newest first, of job->limit serial numbers from
 * job->cursor on; ends the job with NOT_FOUND if that is malformed.  decode:
 * into job->records, of which only the serials are set; moves job->cursor.
 */
void ngx_pki_store_page(ngx_pki_store_job_t *job, ngx_pki_redis_pt handler);
ngx_int_t ngx_pki_store_page_decode(ngx_pki_store_job_t *job,
    redisReply *reply);

/* The five values of a status, see the script; all of it is checked. */
ngx_int_t ngx_pki_store_status_decode(redisReply **values,
    ngx_pki_zone_status_t *status);

/* Ends a job with UNAVAILABLE: Redis said what it should not, or no memory. */
void ngx_pki_store_malformed(ngx_pki_store_job_t *job, const char *what);

/*
 * A reply taken apart.  string: NGX_DECLINED if it is nil; points into the
 * reply.  number: an integer or a strictly decimal string.  copy: of a string,
 * in the operation's pool.
 */
ngx_int_t ngx_pki_store_reply_string(redisReply *reply, ngx_str_t *s);
ngx_int_t ngx_pki_store_reply_number(redisReply *reply, uint64_t *number);
ngx_int_t ngx_pki_store_reply_time(redisReply *reply, time_t *t);
ngx_int_t ngx_pki_store_reply_copy(ngx_pki_store_job_t *job, redisReply *reply,
    ngx_str_t *s);

/* Copies an array of strings, "max" at most. */
ngx_int_t ngx_pki_store_reply_fields(ngx_pki_store_job_t *job,
    redisReply *reply, ngx_str_t *fields, ngx_uint_t max);


#endif /* _NGX_PKI_STORE_JOB_H_INCLUDED_ */
