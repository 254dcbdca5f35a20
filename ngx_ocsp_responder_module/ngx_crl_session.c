
/*
 * Copyright (C) the ngx_pki authors
 *
 * The lock that is held while CRLs are built.  Its token is kept in the zone:
 * if whoever took it does not come to give it back, the next one does.
 */


#include "ngx_crl_session.h"

#include <signal.h>


/* milliseconds; so long the lock holds, if it is not given back */

#define NGX_CRL_SESSION_TIME      10000
#define NGX_CRL_SESSION_DEADLINE  30000

#define NGX_CRL_SESSION_RATE      1024       /* octets of DER a millisecond */

#define NGX_CRL_SESSION_PRUNE     60000      /* after what was built by time */
#define NGX_CRL_SESSION_PRUNE_ALL 600000     /* after anything */


static ngx_msec_t ngx_crl_session_lock_time(ngx_crl_session_t *session);
static void ngx_crl_session_forgotten_handler(ngx_pki_store_job_t *store);
static void ngx_crl_session_lock(ngx_crl_session_t *session);
static void ngx_crl_session_lock_handler(ngx_pki_store_job_t *store);
static void ngx_crl_session_next(ngx_crl_session_t *session);
static void ngx_crl_session_unlock(ngx_crl_session_t *session);
static void ngx_crl_session_unlock_handler(ngx_pki_store_job_t *store);
static void ngx_crl_session_done(ngx_crl_session_t *session);
static void ngx_crl_session_prune(ngx_crl_session_t *session);
static ngx_int_t ngx_crl_session_left_behind(ngx_crl_session_t *session);
static void ngx_crl_session_remember(ngx_crl_session_t *session,
    ngx_uint_t held);
static void ngx_crl_session_forget(ngx_crl_session_t *session);


static ngx_str_t  ngx_crl_session_locks[NGX_PKI_CRL_LOCKS] = {
    ngx_string("crl"),
    ngx_string("crl-shards")
};


void
ngx_crl_session_start(ngx_crl_builder_t *builder, ngx_uint_t lock,
    ngx_log_t *log)
{
    ngx_pki_op_t       *op;
    ngx_crl_session_t  *session;

    op = ngx_pki_op_create(log);
    if (op == NULL) {
        return;
    }

    op->authority = builder->authority->name;

    session = ngx_pcalloc(op->pool, sizeof(ngx_crl_session_t));

    if (session == NULL) {
        ngx_pki_op_destroy(op);
        return;
    }

    session->op = op;
    session->builder = builder;
    session->lock = lock;
    session->started = ngx_current_msec;

    session->store.op = op;
    session->store.store = &builder->authority->store;
    session->store.lock = ngx_crl_session_locks[lock];
    session->store.lock_time = ngx_crl_session_lock_time(session);
    session->store.data = session;

    builder->session[lock] = session;

    /* a worker that quits finishes what it began */
    ngx_pki_op_deadline(op, NGX_CRL_SESSION_DEADLINE, NULL);

    if (ngx_crl_session_left_behind(session) == NGX_OK) {
        session->store.handler = ngx_crl_session_forgotten_handler;
        ngx_pki_store_unlock(&session->store);
        return;
    }

    ngx_crl_session_lock(session);
}


/* that it takes to hand over a large one comes on top */

static ngx_msec_t
ngx_crl_session_lock_time(ngx_crl_session_t *session)
{
    ngx_pki_crl_meta_t  *full;

    full = ngx_crl_due_meta(session->builder, NGX_PKI_CRL_FULL);

    return NGX_CRL_SESSION_DEADLINE
           + (session->lock == 0 ? full->size / NGX_CRL_SESSION_RATE : 0);
}


static void
ngx_crl_session_forgotten_handler(ngx_pki_store_job_t *store)
{
    ngx_crl_session_t  *session;

    session = store->data;

    if (store->result == NGX_PKI_STORE_UNAVAILABLE) {
        ngx_crl_trouble_result(session->builder, NGX_PKI_CRL_LISTS, NGX_ERROR,
                               "redis failed");
        ngx_crl_session_done(session);
        return;
    }

    ngx_crl_session_forget(session);
    ngx_crl_session_lock(session);
}


static void
ngx_crl_session_lock(ngx_crl_session_t *session)
{
    session->store.handler = ngx_crl_session_lock_handler;

    ngx_pki_store_lock(&session->store);

    ngx_crl_session_remember(session, 0);
}


static void
ngx_crl_session_lock_handler(ngx_pki_store_job_t *store)
{
    ngx_crl_session_t  *session;

    session = store->data;

    switch (store->result) {

    case NGX_PKI_STORE_OK:
        ngx_crl_session_remember(session, 1);
        ngx_crl_session_next(session);
        return;

    case NGX_PKI_STORE_CONFLICT:
        /* another node is at it; whether it was enough is seen next time */
        ngx_crl_session_forget(session);
        break;

    default:
        ngx_crl_trouble_result(session->builder, NGX_PKI_CRL_LISTS, NGX_ERROR,
                               "redis failed");
    }

    ngx_crl_session_done(session);
}


static void
ngx_crl_session_next(ngx_crl_session_t *session)
{
    ngx_crl_due_t       due;
    ngx_crl_builder_t  *builder;

    builder = session->builder;

    if (ngx_exiting
        || ngx_current_msec - session->started >= NGX_CRL_SESSION_TIME
        || builder->set.frozen
        || ngx_crl_builder_obstacle(builder) != NULL
        || ngx_crl_due_next(builder, session->lock, &due) != NGX_OK)
    {
        ngx_crl_session_unlock(session);
        return;
    }

    ngx_crl_turn_start(session, &due);
}


void
ngx_crl_turn_done(ngx_crl_session_t *session, ngx_int_t rc)
{
    if (rc == NGX_AGAIN) {
        ngx_crl_session_unlock(session);
        return;
    }

    ngx_crl_session_next(session);
}


static void
ngx_crl_session_unlock(ngx_crl_session_t *session)
{
    session->store.handler = ngx_crl_session_unlock_handler;

    ngx_pki_store_unlock(&session->store);
}


/*
 * Without an answer the lock may be held all the same, and nobody could build
 * before it ends by itself: it is given back when Redis answers again.
 */

static void
ngx_crl_session_unlock_handler(ngx_pki_store_job_t *store)
{
    ngx_crl_session_t  *session;

    session = store->data;

    if (store->result != NGX_PKI_STORE_UNAVAILABLE) {
        ngx_crl_session_forget(session);
    }

    ngx_crl_session_prune(session);
    ngx_crl_session_done(session);
}


static void
ngx_crl_session_done(ngx_crl_session_t *session)
{
    session->builder->session[session->lock] = NULL;

    ngx_pki_op_destroy(session->op);
}


static void
ngx_crl_session_prune(ngx_crl_session_t *session)
{
    ngx_msec_t          pause;
    ngx_crl_builder_t  *builder;

    builder = session->builder;
    pause = session->timed ? NGX_CRL_SESSION_PRUNE : NGX_CRL_SESSION_PRUNE_ALL;

    if (!session->published || builder->set.state != NGX_CRL_SET_READY
        || ngx_exiting || ngx_current_msec - builder->pruned < pause)
    {
        return;
    }

    builder->pruned = ngx_current_msec;

    ngx_crl_set_prune(&builder->set);
}


/* takes the token of a lock that nobody will give back, or of our own last */

static ngx_int_t
ngx_crl_session_left_behind(ngx_crl_session_t *session)
{
    size_t                len;
    u_char               *token;
    ngx_pid_t             holder;
    ngx_pki_store_t      *store;
    ngx_pki_crl_lock_t   *lock;

    store = session->store.store;
    lock = &store->crl->locks[session->lock];

    token = ngx_pnalloc(session->op->pool, NGX_PKI_CRL_TOKEN_LEN);
    if (token == NULL) {
        return NGX_ERROR;
    }

    ngx_pki_zone_lock(store->zone);

    len = lock->token_len;
    holder = lock->holder;
    ngx_memcpy(token, lock->token, len);

    ngx_pki_zone_unlock(store->zone);

    if (len == 0
        || (holder != ngx_pid
            && (kill(holder, 0) == 0 || ngx_errno != NGX_ESRCH)))
    {
        return NGX_DECLINED;
    }

    session->store.token.data = token;
    session->store.token.len = len;

    return NGX_OK;
}


/*
 * Before it is known whether the lock is "held" the token must not take the
 * place of one that may be.
 */

static void
ngx_crl_session_remember(ngx_crl_session_t *session, ngx_uint_t held)
{
    ngx_str_t           *token;
    ngx_pki_store_t     *store;
    ngx_pki_crl_lock_t  *lock;

    store = session->store.store;
    lock = &store->crl->locks[session->lock];
    token = &session->store.token;

    if (token->data == NULL || token->len > NGX_PKI_CRL_TOKEN_LEN) {
        return;
    }

    ngx_pki_zone_lock(store->zone);

    if (held || lock->token_len == 0) {
        ngx_memcpy(lock->token, token->data, token->len);
        lock->token_len = token->len;
        lock->holder = ngx_pid;
    }

    ngx_pki_zone_unlock(store->zone);
}


static void
ngx_crl_session_forget(ngx_crl_session_t *session)
{
    ngx_str_t           *token;
    ngx_pki_store_t     *store;
    ngx_pki_crl_lock_t  *lock;

    store = session->store.store;
    lock = &store->crl->locks[session->lock];
    token = &session->store.token;

    ngx_pki_zone_lock(store->zone);

    if (lock->token_len == token->len
        && ngx_memcmp(lock->token, token->data, token->len) == 0)
    {
        lock->token_len = 0;
    }

    ngx_pki_zone_unlock(store->zone);
}
