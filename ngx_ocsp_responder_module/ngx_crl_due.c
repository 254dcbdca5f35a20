
/*
 * Copyright (C) the ngx_pki authors
 *
 * When a CRL is to be followed by the next.
 */


#include "ngx_crl_session.h"


#define NGX_CRL_DUE_PAUSE  60                /* seconds, without an overlap */
#define NGX_CRL_DUE_RATE   5242              /* octets of DER a millisecond */


static ngx_uint_t ngx_crl_due_waits(ngx_crl_builder_t *builder,
    ngx_uint_t list);
static ngx_uint_t ngx_crl_due_second(time_t this_update);
static void ngx_crl_due_change(ngx_crl_builder_t *builder,
    ngx_crl_due_t *due);
static void ngx_crl_due_time(ngx_crl_builder_t *builder, ngx_crl_due_t *due);


static ngx_pki_crl_meta_t  ngx_crl_due_nothing;


time_t
ngx_crl_builder_due(ngx_crl_builder_spec_t *spec, ngx_uint_t list,
    time_t this_update, time_t next_update)
{
    time_t      due, spread;
    ngx_uint_t  shard;

    if (list == NGX_PKI_CRL_DELTA && spec->delta != 0) {
        return this_update + spec->delta;
    }

    due = next_update - spec->overlap;

    /* not all of them at once */

    if (list >= NGX_PKI_CRL_SHARD && spec->shards > 1) {
        shard = (list - NGX_PKI_CRL_SHARD) % spec->shards;
        spread = ngx_min(spec->overlap, spec->validity - spec->overlap) / 4;

        due -= spread * (time_t) shard / (time_t) spec->shards;
    }

    /* shortly before the authority's end there is no room for the overlap */

    return (due > this_update) ? due : this_update + NGX_CRL_DUE_PAUSE;
}


ngx_uint_t
ngx_crl_due_lists(ngx_crl_builder_t *builder)
{
    ngx_uint_t  n;

    n = 0;

    /* without an URL it could not say of which shard it is */

    if (builder->set.shards > 1 && builder->authority->crl_url.len != 0) {
        n = builder->set.shards;
    }

    if (builder->full) {
        n += (builder->spec.delta != 0) ? 2 : 1;
    }

    return n;
}


/* the full one and its delta, if they are built here, come first */

ngx_uint_t
ngx_crl_due_list(ngx_crl_builder_t *builder, ngx_uint_t i)
{
    if (!builder->full) {
        return NGX_PKI_CRL_SHARD + i;
    }

    return (i == 0 || builder->spec.delta != 0) ? i : i + 1;
}


ngx_pki_crl_meta_t *
ngx_crl_due_meta(ngx_crl_builder_t *builder, ngx_uint_t list)
{
    ngx_crl_state_t  *state;

    state = builder->set.crl[list];

    return (state != NULL) ? &state->meta : &ngx_crl_due_nothing;
}


ngx_int_t
ngx_crl_due_next(ngx_crl_builder_t *builder, ngx_uint_t lock,
    ngx_crl_due_t *due)
{
    ngx_uint_t     i, n, list;
    ngx_crl_due_t  next;

    due->why = NGX_CRL_DUE_NOT;

    n = ngx_crl_due_lists(builder);

    for (i = 0; i < n; i++) {
        list = ngx_crl_due_list(builder, i);

        /* with the full one there comes a delta */

        if (ngx_pki_crl_lock(list) != lock
            || ngx_crl_trouble_blocks(builder, list)
            || (list == NGX_PKI_CRL_DELTA && due->why != NGX_CRL_DUE_NOT))
        {
            continue;
        }

        ngx_crl_due_look(builder, list, &next);

        if (next.why > due->why
            || (next.why == due->why && next.why != NGX_CRL_DUE_NOT
                && next.late > due->late))
        {
            *due = next;
        }
    }

    return (due->why != NGX_CRL_DUE_NOT) ? NGX_OK : NGX_DECLINED;
}


void
ngx_crl_due_look(ngx_crl_builder_t *builder, ngx_uint_t list,
    ngx_crl_due_t *due)
{
    ngx_pki_crl_meta_t  *meta;

    due->list = list;
    due->why = NGX_CRL_DUE_NOT;
    due->late = 0;

    meta = ngx_crl_due_meta(builder, list);

    if (ngx_crl_due_waits(builder, list)) {
        return;
    }

    /* what was built while a clock was ahead is not valid yet once it is not */

    if (meta->number == 0 || meta->this_update - ngx_time() > NGX_CRL_SKEW) {
        due->why = NGX_CRL_DUE_URGENT;
        due->late = 1000 * ngx_max(ngx_time() - builder->since, 0);
        return;
    }

    ngx_crl_due_change(builder, due);
    ngx_crl_due_time(builder, due);
}


/*
 * A full CRL and a delta that are issued at the same time have one number, and
 * tell the same (RFC 5280, 5.2.3): what is issued alone waits for a second of
 * its own.  Without a full one that says what it is a delta to there is none.
 */

static ngx_uint_t
ngx_crl_due_waits(ngx_crl_builder_t *builder, ngx_uint_t list)
{
    ngx_pki_crl_meta_t  *full, *delta;

    if (builder->spec.delta == 0 || list >= NGX_PKI_CRL_SHARD) {
        return 0;
    }

    full = ngx_crl_due_meta(builder, NGX_PKI_CRL_FULL);
    delta = ngx_crl_due_meta(builder, NGX_PKI_CRL_DELTA);

    if (ngx_crl_due_second(delta->this_update)) {
        return 1;
    }

    return list == NGX_PKI_CRL_DELTA
           && (full->base_number == 0
               || ngx_crl_due_second(full->this_update));
}


/* whether its second is not over, as far as that is worth waiting for */

static ngx_uint_t
ngx_crl_due_second(time_t this_update)
{
    time_t  ahead;

    ahead = this_update - ngx_time();

    return ahead >= 0 && ahead <= NGX_CRL_SKEW;
}


/* changes are gathered for a while; deltas come with the full one */

static void
ngx_crl_due_change(ngx_crl_builder_t *builder, ngx_crl_due_t *due)
{
    ngx_msec_t        pause;
    ngx_msec_int_t    late;
    ngx_crl_state_t  *state;

    state = builder->set.crl[due->list];

    if (due->list == NGX_PKI_CRL_DELTA || state->changed <= state->meta.seq) {
        return;
    }

    pause = ngx_max(builder->spec.refresh, state->meta.size / NGX_CRL_DUE_RATE);
    late = (ngx_msec_int_t) (ngx_current_msec - state->changed_at - pause);

    if (late >= 0) {
        due->why = NGX_CRL_DUE_CHANGE;
        due->late = late;
    }
}


/* what changes all the time must not keep the others from being built */

static void
ngx_crl_due_time(ngx_crl_builder_t *builder, ngx_crl_due_t *due)
{
    time_t               now, at;
    ngx_pki_crl_meta_t  *meta;

    now = ngx_time();
    meta = ngx_crl_due_meta(builder, due->list);

    at = ngx_crl_builder_due(&builder->spec, due->list, meta->this_update,
                             meta->next_update);

    /* one of a version that knew no deltas */

    if (due->list == NGX_PKI_CRL_FULL && builder->spec.delta != 0
        && meta->base_number == 0)
    {
        at = now;
    }

    if (now < at) {
        return;
    }

    if (meta->next_update - now < (meta->next_update - at) / 2) {
        due->why = NGX_CRL_DUE_URGENT;
        due->late = 1000 * (now - at);

    } else if (due->why == NGX_CRL_DUE_NOT) {
        due->why = NGX_CRL_DUE_TIME;
        due->late = 1000 * (now - at);
    }
}
