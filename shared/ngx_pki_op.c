
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_op.h"


#define NGX_PKI_OP_POOL_SIZE  8192

/*
 * After its deadline an operation still keeps the worker alive until its last
 * step has ended; every step does within this time.
 */
#define NGX_PKI_OP_GUARD      60000


static void ngx_pki_op_timer_handler(ngx_event_t *ev);
static u_char *ngx_pki_op_log_error(ngx_log_t *log, u_char *buf, size_t len);
static u_char *ngx_pki_op_log_field(u_char *buf, u_char *last,
    const char *name, ngx_str_t *value);


ngx_pki_op_t *
ngx_pki_op_create(ngx_log_t *log)
{
    ngx_pool_t    *pool;
    ngx_pki_op_t  *op;

    pool = ngx_create_pool(NGX_PKI_OP_POOL_SIZE, log);
    if (pool == NULL) {
        return NULL;
    }

    op = ngx_pcalloc(pool, sizeof(ngx_pki_op_t));
    if (op == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    op->log = ngx_palloc(pool, sizeof(ngx_log_t));
    if (op->log == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    *op->log = *log;
    op->log->handler = ngx_pki_op_log_error;
    op->log->data = op;
    op->log->action = NULL;
    op->log->connection = 0;

    op->pool = pool;
    op->pool->log = op->log;

    op->timer.handler = ngx_pki_op_timer_handler;
    op->timer.data = op;
    op->timer.log = op->log;

    return op;
}


void
ngx_pki_op_deadline(ngx_pki_op_t *op, ngx_msec_t timeout, ngx_pki_op_pt expire)
{
    op->expire = expire;

    if (op->timer.timer_set) {
        ngx_del_timer(&op->timer);
    }

    ngx_add_timer(&op->timer, timeout);
}


void
ngx_pki_op_destroy(ngx_pki_op_t *op)
{
    ngx_pool_t  *pool;

    if (op->timer.timer_set) {
        ngx_del_timer(&op->timer);
    }

    pool = op->pool;

    /* the operation's log lies in the pool that is about to go */
    pool->log = ngx_cycle->log;

    ngx_destroy_pool(pool);
}


ngx_int_t
ngx_pki_op_copy(ngx_pki_op_t *op, ngx_str_t *dst, ngx_str_t *src)
{
    u_char  *p;

    p = ngx_pnalloc(op->pool, src->len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (src->len != 0) {
        ngx_memcpy(p, src->data, src->len);
    }

    p[src->len] = '\0';

    dst->len = src->len;
    dst->data = p;

    return NGX_OK;
}


ngx_msec_t
ngx_pki_op_clock(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (ngx_msec_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


static void
ngx_pki_op_timer_handler(ngx_event_t *ev)
{
    ngx_pki_op_t   *op;
    ngx_pki_op_pt   expire;

    op = ev->data;

    /* armed first: the handler below may destroy the operation */
    ngx_add_timer(ev, NGX_PKI_OP_GUARD);

    expire = op->expire;

    if (op->request != NULL && expire != NULL) {
        op->expire = NULL;
        expire(op);
    }
}


static u_char *
ngx_pki_op_log_error(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char        *last;
    ngx_pki_op_t  *op;

    op = log->data;
    last = buf + len;

    if (log->action != NULL) {
        buf = ngx_slprintf(buf, last, " while %s", log->action);
    }

    buf = ngx_pki_op_log_field(buf, last, "authority", &op->authority);
    buf = ngx_pki_op_log_field(buf, last, "transaction", &op->transaction);
    buf = ngx_pki_op_log_field(buf, last, "serial", &op->serial);
    buf = ngx_pki_op_log_field(buf, last, "client", &op->client);

    return buf;
}


static u_char *
ngx_pki_op_log_field(u_char *buf, u_char *last, const char *name,
    ngx_str_t *value)
{
    if (value->len == 0) {
        return buf;
    }

    return ngx_slprintf(buf, last, ", %s: %V", name, value);
}
