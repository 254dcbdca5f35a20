
/*
 * Copyright (C) the ngx_pki authors
 *
 * When CRLs cannot be built: what is tried again and when, and who is told.
 * A CRL that cannot be built alone does not keep the others waiting.
 */


#include "ngx_crl_session.h"


/* seconds */

#define NGX_CRL_TROUBLE_BACKOFF   10         /* the longest */
#define NGX_CRL_TROUBLE_LATE      30         /* is more than slow */
#define NGX_CRL_TROUBLE_PATIENCE  5          /* with that */
#define NGX_CRL_TROUBLE_REMINDER  60         /* not sooner than that */

/* how often in a row another node was faster, until something is wrong */

#define NGX_CRL_TROUBLE_OVERTAKEN  5


static void ngx_crl_trouble_ended(ngx_crl_builder_t *builder,
    ngx_uint_t list);
static void ngx_crl_trouble_clear(ngx_crl_builder_t *builder,
    ngx_uint_t list);
static void ngx_crl_trouble_failed(ngx_crl_builder_t *builder,
    ngx_uint_t list);
static ngx_uint_t ngx_crl_trouble_look(ngx_crl_builder_t *builder,
    ngx_uint_t *due);
static void ngx_crl_trouble_begins(ngx_crl_builder_t *builder);
static void ngx_crl_trouble_log(ngx_crl_builder_t *builder, u_char *text);
static u_char *ngx_crl_trouble_text(ngx_crl_builder_t *builder, u_char *p,
    u_char *last);
static void ngx_crl_trouble_is_over(ngx_crl_builder_t *builder);


#define ngx_crl_trouble_bit(list)  (u_char) (1 << (list) % 8)

#define ngx_crl_trouble_has(builder, list)                                   \
    ((builder)->failed[(list) / 8] & ngx_crl_trouble_bit(list))


void
ngx_crl_trouble_result(ngx_crl_builder_t *builder, ngx_uint_t list,
    ngx_int_t rc, const char *why)
{
    if (rc == NGX_OK) {
        ngx_crl_trouble_ended(builder, list);
        return;
    }

    if (rc == NGX_AGAIN && ++builder->overtaken < NGX_CRL_TROUBLE_OVERTAKEN) {
        return;
    }

    builder->why = why;

    ngx_crl_trouble_failed(builder, list);
}


static void
ngx_crl_trouble_ended(ngx_crl_builder_t *builder, ngx_uint_t list)
{
    builder->overtaken = 0;
    builder->streak = 0;
    builder->built = ngx_time();

    if (ngx_crl_trouble_has(builder, list)) {
        ngx_crl_trouble_clear(builder, list);
    }
}


static void
ngx_crl_trouble_clear(ngx_crl_builder_t *builder, ngx_uint_t list)
{
    builder->failed[list / 8] &= (u_char) ~ngx_crl_trouble_bit(list);
    builder->failures--;

    if (builder->failures == 0) {
        builder->retry_at = 0;
        builder->backoff = 0;
        builder->why = NULL;
    }
}


/* two of them, or the lock: it is nothing that one of them alone has */

static void
ngx_crl_trouble_failed(ngx_crl_builder_t *builder, ngx_uint_t list)
{
    if (list == NGX_PKI_CRL_LISTS) {
        builder->streak = 2;

    } else if (!ngx_crl_trouble_has(builder, list)) {
        builder->failed[list / 8] |= ngx_crl_trouble_bit(list);
        builder->failures++;
        builder->streak++;
    }

    builder->backoff = ngx_min(2 * builder->backoff + 1,
                               NGX_CRL_TROUBLE_BACKOFF);
    builder->retry_at = ngx_time() + builder->backoff;
    builder->built = 0;

    ngx_crl_trouble_begins(builder);
}


ngx_uint_t
ngx_crl_trouble_blocks(ngx_crl_builder_t *builder, ngx_uint_t list)
{
    time_t  wait;

    if (builder->streak < 2 && !ngx_crl_trouble_has(builder, list)) {
        return 0;
    }

    wait = builder->retry_at - ngx_time();

    /* a retry too far away was scheduled before the clock went back */

    return wait > 0 && wait <= NGX_CRL_TROUBLE_BACKOFF;
}


void
ngx_crl_trouble_report(ngx_crl_builder_t *builder)
{
    ngx_uint_t           due;
    ngx_pki_crl_zone_t  *crl;

    crl = builder->authority->store.crl;

    if (ngx_crl_trouble_look(builder, &due) || builder->failures != 0) {
        ngx_crl_trouble_begins(builder);
        return;
    }

    /* another worker may have failed before this one took over */

    if (crl->failing != 0 && (builder->built != 0 || !due)
        && ngx_crl_builder_obstacle(builder) == NULL)
    {
        ngx_crl_trouble_is_over(builder);
    }
}


/* Whether one is late, whether one is due, and when the first one ends. */

static ngx_uint_t
ngx_crl_trouble_look(ngx_crl_builder_t *builder, ngx_uint_t *due)
{
    time_t               ends;
    ngx_uint_t           i, n, list, late;
    ngx_crl_due_t        look;
    ngx_pki_crl_zone_t  *crl;
    ngx_pki_crl_meta_t  *meta;

    crl = builder->authority->store.crl;

    *due = 0;
    late = 0;
    ends = 0;

    n = ngx_crl_due_lists(builder);

    for (i = 0; i < n; i++) {
        list = ngx_crl_due_list(builder, i);
        meta = ngx_crl_due_meta(builder, list);

        if (meta->number != 0 && (ends == 0 || meta->next_update < ends)) {
            ends = meta->next_update;
        }

        ngx_crl_due_look(builder, list, &look);

        if (look.why != NGX_CRL_DUE_NOT) {
            *due = 1;
            late |= (look.late >= 1000 * NGX_CRL_TROUBLE_LATE);

        } else if (ngx_crl_trouble_has(builder, list)) {

            /* another node has built it */

            ngx_crl_trouble_clear(builder, list);
        }
    }

    if (ends != 0) {
        crl->ends = ends;
    }

    /* with many of them the last one has to wait; and clocks are set */

    if (!late || ngx_time() - builder->built < NGX_CRL_TROUBLE_LATE) {
        builder->punctual = ngx_current_msec;
    }

    return ngx_current_msec - builder->punctual
           >= 1000 * NGX_CRL_TROUBLE_PATIENCE;
}


static void
ngx_crl_trouble_begins(ngx_crl_builder_t *builder)
{
    u_char              *p, text[NGX_PKI_CRL_TEXT_LEN];
    ngx_pki_store_t     *store;
    ngx_pki_crl_zone_t  *crl;

    store = &builder->authority->store;
    crl = store->crl;

    p = ngx_crl_trouble_text(builder, text, text + sizeof(text) - 1);
    *p++ = '\0';

    ngx_pki_zone_lock(store->zone);

    ngx_memcpy(crl->text, text, p - text);

    if (crl->failing == 0) {
        crl->failing = ngx_time();
    }

    ngx_pki_zone_unlock(store->zone);

    ngx_crl_trouble_log(builder, text);
}


/* once, then again whenever half of the time that is left is gone */

static void
ngx_crl_trouble_log(ngx_crl_builder_t *builder, u_char *text)
{
    time_t               now, pause;
    ngx_log_t           *log;
    ngx_pki_crl_zone_t  *crl;
    ngx_pki_authority_t  *a;

    a = builder->authority;
    crl = a->store.crl;
    log = builder->set.log;
    now = ngx_time();

    if (builder->reported == 0) {
        builder->reported = now;

        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "authority \"%V\": no new CRL could be built, trying "
                      "again: %s", &a->name, text);
        return;
    }

    pause = crl->ends - builder->reported;
    pause = ngx_max(ngx_abs(pause) / 2, NGX_CRL_TROUBLE_REMINDER);

    if (now - builder->reported < pause) {
        return;
    }

    builder->reported = now;

    if (crl->ends <= now) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "authority \"%V\": a CRL has ended, no new one could be "
                      "built for %T seconds: %s",
                      &a->name, now - crl->failing, text);
        return;
    }

    ngx_log_error(NGX_LOG_WARN, log, 0,
                  "authority \"%V\": no new CRL could be built for %T seconds, "
                  "the first one ends in %T seconds: %s",
                  &a->name, now - crl->failing, crl->ends - now, text);
}


static u_char *
ngx_crl_trouble_text(ngx_crl_builder_t *builder, u_char *p, u_char *last)
{
    ngx_str_t            *trouble, error;
    const char           *why;
    ngx_pki_authority_t  *a;

    a = builder->authority;

    if (!ngx_pki_redis_is_up(a->store.redis, &error)) {
        return ngx_slprintf(p, last, "redis: %V", &error);
    }

    trouble = ngx_pki_authority_trouble(a);

    if (trouble == NULL) {
        trouble = ngx_pki_authority_key_trouble(a);
    }

    if (trouble != NULL) {
        return ngx_slprintf(p, last, "%V", trouble);
    }

    why = ngx_crl_builder_obstacle(builder);

    if (why == NULL) {
        why = builder->why;
    }

    return ngx_slprintf(p, last, "%s", (why != NULL) ? why
                                                     : "it takes too long");
}


static void
ngx_crl_trouble_is_over(ngx_crl_builder_t *builder)
{
    ngx_pki_store_t     *store;
    ngx_pki_crl_zone_t  *crl;

    store = &builder->authority->store;
    crl = store->crl;

    ngx_log_error(NGX_LOG_NOTICE, builder->set.log, 0,
                  "authority \"%V\": CRLs are built again",
                  &builder->authority->name);

    builder->reported = 0;

    ngx_pki_zone_lock(store->zone);

    crl->failing = 0;
    crl->text[0] = '\0';

    ngx_pki_zone_unlock(store->zone);
}


void
ngx_crl_trouble_forget(ngx_crl_builder_t *builder)
{
    ngx_memzero(builder->failed, sizeof(builder->failed));

    builder->failures = 0;
    builder->streak = 0;
    builder->overtaken = 0;
    builder->retry_at = 0;
    builder->backoff = 0;
    builder->why = NULL;
    builder->reported = 0;
    builder->built = 0;
    builder->punctual = ngx_current_msec;
}
