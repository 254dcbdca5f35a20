
/*
 * Copyright (C) the ngx_pki authors
 *
 * One CRL under the lock: what Redis has of it is looked at, the next one gets
 * its number and its times, is built, and what has become of it is noted.  The
 * full CRL and its delta are looked at together, for they share their numbers.
 */


#include "ngx_crl_session.h"


#define NGX_CRL_TURN_DEADLINE  30000         /* milliseconds */

#define NGX_CRL_TURN_URL_ROOM  16            /* of ngx_pki_crl_url() */


/* in the pool of its operation */

typedef struct {
    ngx_pki_op_t              *op;
    ngx_crl_session_t         *session;
    ngx_crl_due_t              due;
    ngx_pki_store_job_t        store;

    /* as Redis has them: of this list; or of the full one and the delta */
    ngx_pki_crl_meta_t         meta[2];
    ngx_uint_t                 asked;

    ngx_crl_build_t            build;
    ngx_crl_build_t            delta;        /* that goes with a full one */
} ngx_crl_turn_t;


static void ngx_crl_turn_ask(ngx_crl_turn_t *turn);
static void ngx_crl_turn_meta_handler(ngx_pki_store_job_t *store);
static ngx_uint_t ngx_crl_turn_list(ngx_crl_turn_t *turn, ngx_uint_t i);
static void ngx_crl_turn_learn(ngx_crl_turn_t *turn);
static ngx_uint_t ngx_crl_turn_is_due(ngx_crl_turn_t *turn);
static void ngx_crl_turn_build(ngx_crl_turn_t *turn);
static ngx_int_t ngx_crl_turn_prepare(ngx_crl_turn_t *turn,
    ngx_crl_build_t *build, ngx_uint_t list, ngx_uint_t i);
static ngx_int_t ngx_crl_turn_url(ngx_crl_turn_t *turn, ngx_uint_t list,
    ngx_str_t *url);
static uint64_t ngx_crl_turn_number(ngx_crl_turn_t *turn);
static time_t ngx_crl_turn_this_update(ngx_crl_turn_t *turn, ngx_uint_t i);
static void ngx_crl_turn_base(ngx_crl_turn_t *turn, ngx_pki_crl_meta_t *meta);
static void ngx_crl_turn_built_handler(ngx_crl_build_t *build);
static void ngx_crl_turn_delta_handler(ngx_crl_build_t *build);
static void ngx_crl_turn_note(ngx_crl_build_t *build);
static void ngx_crl_turn_end(ngx_crl_turn_t *turn, ngx_int_t rc);


void
ngx_crl_turn_start(ngx_crl_session_t *session, ngx_crl_due_t *due)
{
    ngx_pki_op_t        *op;
    ngx_crl_turn_t      *turn;
    ngx_crl_builder_t   *builder;

    builder = session->builder;
    turn = NULL;

    op = ngx_pki_op_create(builder->set.log);

    if (op != NULL) {
        turn = ngx_pcalloc(op->pool, sizeof(ngx_crl_turn_t));

        if (turn == NULL) {
            ngx_pki_op_destroy(op);
        }
    }

    if (turn == NULL) {
        ngx_crl_trouble_result(builder, due->list, NGX_ERROR, "out of memory");
        ngx_crl_turn_done(session, NGX_AGAIN);
        return;
    }

    op->authority = builder->authority->name;

    turn->op = op;
    turn->session = session;
    turn->due = *due;

    turn->store.op = op;
    turn->store.store = &builder->authority->store;
    turn->store.handler = ngx_crl_turn_meta_handler;
    turn->store.data = turn;

    ngx_pki_op_deadline(op, NGX_CRL_TURN_DEADLINE, NULL);

    ngx_crl_turn_ask(turn);
}


static void
ngx_crl_turn_ask(ngx_crl_turn_t *turn)
{
    turn->store.list = ngx_crl_turn_list(turn, turn->asked);

    ngx_pki_store_crl_meta(&turn->store);
}


/* the list whose "meta" is the i-th; NGX_PKI_CRL_LISTS: there is none */

static ngx_uint_t
ngx_crl_turn_list(ngx_crl_turn_t *turn, ngx_uint_t i)
{
    if (turn->due.list >= NGX_PKI_CRL_SHARD) {
        return (i == 0) ? turn->due.list : NGX_PKI_CRL_LISTS;
    }

    return (i == 0) ? NGX_PKI_CRL_FULL
                    : (i == 1) ? NGX_PKI_CRL_DELTA : NGX_PKI_CRL_LISTS;
}


static void
ngx_crl_turn_meta_handler(ngx_pki_store_job_t *store)
{
    ngx_crl_turn_t     *turn;
    ngx_crl_builder_t  *builder;

    turn = store->data;
    builder = turn->session->builder;

    if (store->result == NGX_PKI_STORE_OK) {
        turn->meta[turn->asked] = store->meta;

    } else if (store->result != NGX_PKI_STORE_NOT_FOUND) {
        ngx_crl_trouble_result(builder, turn->due.list, NGX_ERROR,
                               "redis failed");
        ngx_crl_turn_end(turn, NGX_OK);
        return;
    }

    turn->asked++;

    /* another node tells Redis what that has lost: the log brings it here */

    if (store->restoring) {
        ngx_crl_trouble_result(builder, turn->due.list, NGX_AGAIN,
                               "what redis has lost is being restored by "
                               "another node");
        ngx_crl_turn_end(turn, NGX_AGAIN);
        return;
    }

    if (ngx_crl_turn_list(turn, turn->asked) != NGX_PKI_CRL_LISTS) {
        ngx_crl_turn_ask(turn);
        return;
    }

    ngx_crl_turn_learn(turn);

    if (!ngx_crl_turn_is_due(turn)) {
        ngx_crl_turn_end(turn, NGX_OK);
        return;
    }

    /* the other session is copying */

    if (builder->set.frozen) {
        ngx_crl_turn_end(turn, NGX_AGAIN);
        return;
    }

    /*
     * The follower may not have come as far as what is there already; and
     * while Redis was asked the lease or the state of the set may have gone.
     */

    if (ngx_crl_builder_obstacle(builder) != NULL
        || ngx_max(turn->meta[0].seq, turn->meta[1].seq)
           > ngx_crl_set_applied(&builder->set))
    {
        ngx_crl_trouble_result(builder, turn->due.list, NGX_AGAIN,
                               "the change log is not followed in time");
        ngx_crl_turn_end(turn, NGX_AGAIN);
        return;
    }

    ngx_crl_turn_build(turn);
}


/*
 * Another node may have built the CRL that was due here; the log tells of it,
 * but not all.
 */

static void
ngx_crl_turn_learn(ngx_crl_turn_t *turn)
{
    ngx_uint_t           i, list;
    ngx_crl_builder_t   *builder;
    ngx_pki_crl_meta_t  *known, *meta;

    builder = turn->session->builder;

    for (i = 0; i < turn->asked; i++) {
        list = ngx_crl_turn_list(turn, i);

        meta = &turn->meta[i];
        known = ngx_crl_due_meta(builder, list);

        if (meta->number > known->number
            || (meta->number == known->number
                && (meta->size != known->size
                    || meta->base_number != known->base_number)))
        {
            ngx_crl_set_published(&builder->set, list, meta);
        }
    }
}


/* what Redis no longer has, or what has lost its sense, is no base */

static ngx_uint_t
ngx_crl_turn_is_due(ngx_crl_turn_t *turn)
{
    ngx_crl_due_t       due;
    ngx_crl_builder_t  *builder;

    builder = turn->session->builder;

    if (turn->due.list == NGX_PKI_CRL_DELTA
        && (turn->meta[0].base_number == 0 || builder->set.rebase))
    {
        turn->due.list = NGX_PKI_CRL_FULL;
        return !ngx_crl_trouble_blocks(builder, NGX_PKI_CRL_FULL);
    }

    ngx_crl_due_look(builder, turn->due.list, &due);

    return due.why != NGX_CRL_DUE_NOT;
}


static void
ngx_crl_turn_build(ngx_crl_turn_t *turn)
{
    ngx_int_t           rc;
    ngx_uint_t          i;
    ngx_crl_build_t    *build, *delta;
    ngx_crl_builder_t  *builder;

    builder = turn->session->builder;
    build = &turn->build;
    delta = &turn->delta;

    /* the place of a list in turn->meta is its number, but for shards */

    i = (turn->due.list == NGX_PKI_CRL_DELTA) ? 1 : 0;

    rc = ngx_crl_turn_prepare(turn, build, turn->due.list, i);

    if (rc == NGX_OK && turn->due.list == NGX_PKI_CRL_FULL) {
        ngx_crl_turn_base(turn, &build->meta);

        if (builder->spec.delta != 0) {
            rc = ngx_crl_turn_prepare(turn, delta, NGX_PKI_CRL_DELTA, 1);

            delta->base = build->meta.base_number;
            delta->base_seq = build->meta.base_seq;
            delta->handler = ngx_crl_turn_delta_handler;

            build->delta = delta;
        }

    } else if (turn->due.list == NGX_PKI_CRL_DELTA) {
        build->base = turn->meta[0].base_number;
        build->base_seq = turn->meta[0].base_seq;
    }

    if (rc != NGX_OK) {
        ngx_crl_trouble_result(builder, turn->due.list, NGX_ERROR,
                               "out of memory");
        ngx_crl_turn_end(turn, NGX_OK);
        return;
    }

    build->handler = ngx_crl_turn_built_handler;

    ngx_crl_build_start(build);
}


static ngx_int_t
ngx_crl_turn_prepare(ngx_crl_turn_t *turn, ngx_crl_build_t *build,
    ngx_uint_t list, ngx_uint_t i)
{
    time_t                   validity;
    ngx_pki_authority_t     *a;
    ngx_crl_builder_spec_t  *spec;

    a = turn->session->builder->authority;
    spec = &turn->session->builder->spec;

    build->op = turn->op;
    build->set = &turn->session->builder->set;
    build->list = list;
    build->token = turn->session->store.token;
    build->old_number = turn->meta[i].number;
    build->data = turn;

    if (list == NGX_PKI_CRL_DELTA && turn->due.list == NGX_PKI_CRL_FULL) {
        build->meta.number = turn->build.meta.number;
        build->meta.this_update = turn->build.meta.this_update;

    } else {
        build->meta.number = ngx_crl_turn_number(turn);
        build->meta.this_update = ngx_crl_turn_this_update(turn, i);
    }

    validity = (list == NGX_PKI_CRL_DELTA) ? 2 * spec->delta : spec->validity;

    build->meta.next_update = ngx_min(build->meta.this_update + validity,
                                      a->not_after);

    if (list >= NGX_PKI_CRL_SHARD) {
        return ngx_crl_turn_url(turn, list, &build->shard_url);
    }

    if (list == NGX_PKI_CRL_FULL && spec->delta != 0) {
        return ngx_crl_turn_url(turn, NGX_PKI_CRL_DELTA, &build->delta_url);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_crl_turn_url(ngx_crl_turn_t *turn, ngx_uint_t list, ngx_str_t *url)
{
    ngx_str_t  *full;

    full = &turn->session->builder->authority->crl_url;

    if (full->len == 0) {
        return NGX_OK;
    }

    url->data = ngx_pnalloc(turn->op->pool, full->len + NGX_CRL_TURN_URL_ROOM);
    if (url->data == NULL) {
        return NGX_ERROR;
    }

    url->len = ngx_pki_crl_url(url->data, full, list);

    return NGX_OK;
}


/*
 * Higher than any before, also than what Redis has forgotten; and if nobody
 * here knows it either, milliseconds most likely are.
 */

static uint64_t
ngx_crl_turn_number(ngx_crl_turn_t *turn)
{
    uint64_t             last, zone, msec;
    ngx_uint_t           i, list;
    ngx_time_t          *tp;
    ngx_crl_builder_t   *builder;

    builder = turn->session->builder;
    last = 0;

    for (i = 0; i < turn->asked; i++) {
        list = ngx_crl_turn_list(turn, i);
        zone = builder->authority->store.crl->number[list];

        last = ngx_max(last, turn->meta[i].number);
        last = ngx_max(last, ngx_crl_due_meta(builder, list)->number);
        last = ngx_max(last, zone);
    }

    tp = ngx_timeofday();
    msec = (uint64_t) tp->sec * 1000 + tp->msec;

    return ngx_max(last + 1, msec);
}


/* never before that of the last one, unless a clock was wrong then */

static time_t
ngx_crl_turn_this_update(ngx_crl_turn_t *turn, ngx_uint_t i)
{
    time_t               now, last;
    ngx_pki_crl_meta_t  *known;

    now = ngx_time();
    known = ngx_crl_due_meta(turn->session->builder,
                             ngx_crl_turn_list(turn, i));

    last = ngx_max(turn->meta[i].this_update, known->this_update);

    return (last - now <= NGX_CRL_SKEW) ? ngx_max(now, last) : now;
}


/*
 * Deltas refer to a full CRL that is older than all that are valid still, so
 * that whoever has one of those can use them.  It is replaced by the mark as
 * soon as the mark is that old, too; and by the next one if Redis has lost
 * changes, of which those tell.
 */

static void
ngx_crl_turn_base(ngx_crl_turn_t *turn, ngx_pki_crl_meta_t *meta)
{
    time_t               age;
    uint64_t             applied;
    ngx_uint_t           first;
    ngx_crl_set_t       *set;
    ngx_pki_crl_meta_t  *last;

    last = &turn->meta[0];
    set = &turn->session->builder->set;
    applied = ngx_crl_set_applied(set);

    age = meta->this_update - last->mark_time;
    first = (last->base_number == 0 || last->base_seq > applied
             || set->rebase);

    meta->base_number = first ? meta->number : last->base_number;
    meta->base_seq = first ? applied : last->base_seq;

    meta->mark_number = last->mark_number;
    meta->mark_seq = last->mark_seq;
    meta->mark_time = last->mark_time;

    if (!first && age >= turn->session->builder->spec.validity) {
        meta->base_number = last->mark_number;
        meta->base_seq = last->mark_seq;

    } else if (!first && age >= -NGX_CRL_SKEW) {
        return;
    }

    meta->mark_number = meta->number;
    meta->mark_seq = applied;
    meta->mark_time = meta->this_update;
}


static void
ngx_crl_turn_built_handler(ngx_crl_build_t *build)
{
    ngx_crl_turn_note(build);

    if (build->delta == NULL) {
        ngx_crl_turn_end(build->data, build->rc == NGX_AGAIN ? NGX_AGAIN
                                                             : NGX_OK);
    }
}


static void
ngx_crl_turn_delta_handler(ngx_crl_build_t *build)
{
    ngx_int_t        rc;
    ngx_crl_turn_t  *turn;

    turn = build->data;
    rc = turn->build.rc;

    /* without the full one there is no delta of its number either */

    if (rc == NGX_OK) {
        ngx_crl_turn_note(build);
        rc = build->rc;
    }

    ngx_crl_turn_end(turn, rc == NGX_AGAIN ? NGX_AGAIN : NGX_OK);
}


static void
ngx_crl_turn_note(ngx_crl_build_t *build)
{
    u_char              name[NGX_PKI_CRL_NAME_LEN];
    size_t              len;
    ngx_crl_turn_t     *turn;
    ngx_crl_session_t  *session;

    turn = build->data;
    session = turn->session;

    ngx_crl_trouble_result(session->builder, build->list, build->rc,
                           build->error);

    ngx_pki_op_action(turn->op, NULL);

    len = ngx_pki_crl_name(name, build->list);

    if (build->rc == NGX_AGAIN) {
        ngx_log_error(NGX_LOG_INFO, turn->op->log, 0,
                      "CRL %*s number %uL given up, the lock is lost, or "
                      "redis has a newer one, or lost changes",
                      len, name, build->meta.number);
    }

    if (build->rc != NGX_OK) {
        return;
    }

    session->published = 1;

    if (build->list == NGX_PKI_CRL_FULL) {
        build->set->rebase = 0;
    }

    session->timed |= (turn->due.why != NGX_CRL_DUE_CHANGE);

    ngx_crl_set_published(build->set, build->list, &build->meta);

    ngx_log_error(NGX_LOG_INFO, turn->op->log, 0,
                  "CRL %*s number %uL published, %ui entries",
                  len, name, build->meta.number, build->count);
}


static void
ngx_crl_turn_end(ngx_crl_turn_t *turn, ngx_int_t rc)
{
    ngx_crl_session_t  *session;

    session = turn->session;

    ngx_pki_op_destroy(turn->op);

    ngx_crl_turn_done(session, rc);
}
