
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_crl_session.h"


#define NGX_CRL_BUILDER_TICK  200            /* milliseconds, at most */


static void ngx_crl_builder_timer_handler(ngx_event_t *ev);
static void ngx_crl_builder_tick(ngx_crl_builder_t *builder, ngx_log_t *log);


void
ngx_crl_builder_start(ngx_crl_builder_t *builder, ngx_log_t *log)
{
    ngx_crl_set_t  *set;

    set = &builder->set;

    set->authority = builder->authority;
    set->log = log;
    set->shards_here = builder->spec.shards;
    set->full = builder->full;

    builder->timer.handler = ngx_crl_builder_timer_handler;
    builder->timer.data = builder;
    builder->timer.log = log;
    builder->timer.cancelable = 1;

    ngx_add_timer(&builder->timer, 1);
}


void
ngx_crl_builder_stop(ngx_crl_builder_t *builder)
{
    if (builder->timer.timer_set) {
        ngx_del_timer(&builder->timer);
    }

    ngx_crl_set_stop(&builder->set);
}


static void
ngx_crl_builder_timer_handler(ngx_event_t *ev)
{
    ngx_crl_builder_t  *builder;

    builder = ev->data;

    /* a worker that quits finishes what it began, and may stay for long */

    if (ngx_exiting && builder->session[0] == NULL
        && builder->session[1] == NULL)
    {
        ngx_crl_set_quit(&builder->set);
        return;
    }

    ngx_add_timer(ev, ngx_min(builder->spec.refresh, NGX_CRL_BUILDER_TICK));

    if (!ngx_exiting) {
        ngx_crl_builder_tick(builder, ev->log);
    }
}


static void
ngx_crl_builder_tick(ngx_crl_builder_t *builder, ngx_log_t *log)
{
    ngx_uint_t        lock;
    ngx_crl_due_t     due;
    ngx_pki_store_t  *store;

    store = &builder->authority->store;

    if (store->slot == NULL || store->crl == NULL || builder->set.frozen) {
        return;
    }

    (void) ngx_crl_set_tick(&builder->set);

    if (!ngx_pki_zone_leads(store->zone)) {
        ngx_crl_trouble_forget(builder);
        builder->since = 0;
        return;
    }

    if (builder->since == 0) {
        builder->since = ngx_time();

        if (store->crl->shards > 1 && builder->authority->crl_url.len == 0) {
            ngx_log_error(NGX_LOG_WARN, log, 0,
                          "authority \"%V\" has no \"base_url\" or "
                          "\"crl_url\" here: the CRLs of its shards are left "
                          "to other nodes", &builder->authority->name);
        }
    }

    for (lock = 0; lock < NGX_PKI_CRL_LOCKS; lock++) {

        if (builder->session[lock] == NULL
            && ngx_crl_builder_obstacle(builder) == NULL
            && ngx_crl_due_next(builder, lock, &due) == NGX_OK)
        {
            ngx_crl_session_start(builder, lock, log);
        }
    }

    ngx_crl_trouble_report(builder);
}


const char *
ngx_crl_builder_obstacle(ngx_crl_builder_t *builder)
{
    ngx_str_t             error;
    ngx_crl_set_t        *set;
    ngx_pki_authority_t  *a;
    ngx_pki_zone_slot_t  *slot;

    a = builder->authority;
    set = &builder->set;
    slot = a->store.slot;

    if (!ngx_pki_redis_is_up(a->store.redis, &error)) {
        return "redis is not reached";
    }

    if (ngx_pki_authority_trouble(a) != NULL) {
        return "the authority is not ready";
    }

    if (ngx_exiting || !ngx_pki_zone_leads(a->store.zone)) {
        return "another worker builds from now on";
    }

    /* what was read from a Redis that has lost changes since lacks them */

    if (slot->restoring || slot->epoch != set->epoch) {
        return "what redis has lost is being restored";
    }

    if (set->state != NGX_CRL_SET_READY) {
        return "what is revoked has not been read yet";
    }

    /* the zone may have been brought on by another worker unnoticed */

    if (ngx_crl_set_applied(set) != slot->applied) {
        return "the change log is not followed in time";
    }

    return NULL;
}
