
/*
 * Copyright (C) the ngx_pki authors
 *
 * The answer to who signs with a key that cannot decrypt (RFC 8894, 3.1): its
 * envelope is made for the challenge as a password.  To derive a key from that
 * takes long on purpose, so it is done in a thread.
 */


#include "ngx_http_scep_operation.h"


/* that wait in a worker: some two seconds; who sends more comes later */

#define NGX_HTTP_SCEP_PASSWORDS  64


/* lies in the pool of its operation */

typedef struct {
    ngx_queue_t                 queue;
    ngx_http_scep_operation_t  *so;
    ngx_str_t                   content;
    ngx_scep_password_t         password;
    ngx_int_t                   rc;
} ngx_http_scep_password_t;


static ngx_int_t ngx_http_scep_password_check(ngx_http_scep_operation_t *so);
static ngx_int_t ngx_http_scep_password_enter(ngx_http_scep_operation_t *so,
    ngx_str_t *content);
static void ngx_http_scep_password_next(ngx_http_scep_main_conf_t *smcf);
static ngx_int_t ngx_http_scep_password_post(ngx_http_scep_password_t *pw);
static void ngx_http_scep_password_handler(void *data, ngx_log_t *log);
static void ngx_http_scep_password_done(ngx_http_scep_password_t *pw);

#if (NGX_THREADS)
static void ngx_http_scep_password_event_handler(ngx_event_t *ev);
#endif


void
ngx_http_scep_password(ngx_http_scep_operation_t *so, ngx_str_t *content)
{
    ngx_int_t  rc;

    rc = ngx_http_scep_password_check(so);

    if (rc == NGX_OK) {
        rc = ngx_http_scep_password_enter(so, content);
    }

    switch (rc) {

    case NGX_OK:
        ngx_http_scep_password_next(so->smcf);
        break;

    case NGX_BUSY:
        ngx_log_error(NGX_LOG_WARN, so->op->log, 0,
                      "too many answers wait for a key derived from a "
                      "challenge");

        ngx_http_scep_reply_unavailable(so);
        break;

    case NGX_DECLINED:
        ngx_http_scep_reply_refuse(so);
        break;

    default: /* NGX_ERROR */
        ngx_http_scep_reply_error(so);
        break;
    }
}


/*
 * Whoever gets the answer can try passwords on it: ngx_http_scep_request.c has
 * looked who signs.  NGX_OK; NGX_DECLINED and so->message; NGX_ERROR.
 */

static ngx_int_t
ngx_http_scep_password_check(ngx_http_scep_operation_t *so)
{
    if (so->csr.challenge.len == 0) {
        return ngx_scep_message_refuse(&so->message, NGX_SCEP_BAD_ALG,
                                       "without a challenge there is no "
                                       "password for the answer to a signer "
                                       "without an RSA key");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_scep_password_enter(ngx_http_scep_operation_t *so,
    ngx_str_t *content)
{
    EVP_CIPHER                *cipher;
    ngx_http_scep_password_t  *pw;

    if (so->smcf->npasswords == NGX_HTTP_SCEP_PASSWORDS) {
        return NGX_BUSY;
    }

    cipher = so->smcf->ciphers.cipher[ngx_http_scep_reply_cipher(so)];

    pw = ngx_pcalloc(so->op->pool, sizeof(ngx_http_scep_password_t));

    if (pw == NULL
        || ngx_scep_password_init(&pw->password, &so->csr.challenge, cipher)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    pw->so = so;
    pw->content = *content;

    ngx_pki_op_action(so->op, "deriving a key from a challenge");

    ngx_queue_insert_tail(&so->smcf->passwords, &pw->queue);
    so->smcf->npasswords++;

    return NGX_OK;
}


/*
 * One at a time in a worker: more would take the processors from its event
 * loop.  Others wait as long as their deadlines are, with their clients.
 */

static void
ngx_http_scep_password_next(ngx_http_scep_main_conf_t *smcf)
{
    ngx_queue_t               *q;
    ngx_http_scep_password_t  *pw;

    while (!smcf->deriving && !ngx_queue_empty(&smcf->passwords)) {

        q = ngx_queue_head(&smcf->passwords);
        ngx_queue_remove(q);
        smcf->npasswords--;

        pw = ngx_queue_data(q, ngx_http_scep_password_t, queue);

        if (ngx_http_pki_op_request(pw->so->op) == NULL) {
            ngx_pki_op_destroy(pw->so->op);
            continue;
        }

        smcf->deriving = 1;

        if (ngx_http_scep_password_post(pw) != NGX_AGAIN) {
            smcf->deriving = 0;
            ngx_http_scep_password_done(pw);
        }
    }
}


/* NGX_AGAIN: it is under way; otherwise pw->rc says how it ended */

static ngx_int_t
ngx_http_scep_password_post(ngx_http_scep_password_t *pw)
{
#if (NGX_THREADS)
    ngx_thread_task_t          *task;
    ngx_http_scep_operation_t  *so;

    so = pw->so;
    pw->rc = NGX_ERROR;

    task = ngx_thread_task_alloc(so->op->pool, 0);
    if (task == NULL) {
        return NGX_ERROR;
    }

    task->ctx = pw;
    task->handler = ngx_http_scep_password_handler;
    task->event.handler = ngx_http_scep_password_event_handler;
    task->event.data = pw;

    if (ngx_thread_task_post(so->smcf->thread_pool, task) != NGX_OK) {
        return NGX_ERROR;
    }

    return NGX_AGAIN;
#else
    ngx_http_scep_password_handler(pw, pw->so->op->log);

    return NGX_OK;
#endif
}


/* perhaps in a thread: touches nothing but the password */

static void
ngx_http_scep_password_handler(void *data, ngx_log_t *log)
{
    ngx_http_scep_password_t *pw = data;

    pw->rc = ngx_scep_password_derive(&pw->password);
}


#if (NGX_THREADS)

static void
ngx_http_scep_password_event_handler(ngx_event_t *ev)
{
    ngx_http_scep_password_t   *pw;
    ngx_http_scep_main_conf_t  *smcf;

    pw = ev->data;
    smcf = pw->so->smcf;

    smcf->deriving = 0;

    ngx_http_scep_password_next(smcf);
    ngx_http_scep_password_done(pw);
}

#endif


static void
ngx_http_scep_password_done(ngx_http_scep_password_t *pw)
{
    ngx_http_scep_operation_t  *so;

    so = pw->so;

    if (pw->rc != NGX_OK) {
        ngx_http_scep_reply_error(so);
        return;
    }

    if (ngx_http_pki_op_request(so->op) == NULL) {
        ngx_scep_password_cleanse(&pw->password);
        ngx_pki_op_destroy(so->op);
        return;
    }

    ngx_http_scep_reply_seal(so, &pw->content, &pw->password);
}
