
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_azure_cell.h"

#include <openssl/sha.h>
#include <signal.h>


/* milliseconds */

#define NGX_PKI_AZURE_CELL_MARGIN       60000    /* before a token ends */
#define NGX_PKI_AZURE_CELL_RENEW        300000   /* at the latest, before */
#define NGX_PKI_AZURE_CELL_BACKOFF      1000     /* after the first failure */
#define NGX_PKI_AZURE_CELL_MAX_BACKOFF  30000
#define NGX_PKI_AZURE_CELL_FORCE        5000     /* between refused tokens */
#define NGX_PKI_AZURE_CELL_REPEAT       60000    /* of a complaint */


/* a moment to come, by both clocks: whichever gets there first */

typedef struct {
    time_t                     wall;
    ngx_msec_t                 monotonic;
} ngx_pki_azure_cell_time_t;


/* lies in the zone, zeroed when made; touched under the zone's lock */

struct ngx_pki_azure_cell_s {
    u_char                    *token;        /* slab */
    size_t                     len;
    ngx_uint_t                 generation;
    ngx_pki_azure_cell_time_t  renew;
    ngx_pki_azure_cell_time_t  expires;

    ngx_pid_t                  owner;        /* of the lease, 0: nobody */
    ngx_msec_t                 lease;        /* its end, monotonic */

    ngx_uint_t                 failures;     /* since the last token */
    ngx_msec_t                 retry;        /* not before, if there are any */
    ngx_uint_t                 forcing;      /* a token was refused */
    ngx_uint_t                 forced;       /* this one is for a refused one */
    ngx_msec_t                 forced_at;    /* since when */

    ngx_uint_t                 complaint;    /* level of the last one, or 0 */
    ngx_msec_t                 complained;
    size_t                     error_len;
    u_char                     error[NGX_PKI_AZURE_MAX_ERROR];
};


static void ngx_pki_azure_cell_view(ngx_pki_azure_cell_t *cell,
    ngx_pki_azure_cell_view_t *view, ngx_pid_t dead);
static ngx_uint_t ngx_pki_azure_cell_is_good(ngx_pki_azure_cell_t *cell,
    ngx_uint_t refused);
static ngx_uint_t ngx_pki_azure_cell_is_leased(ngx_pki_azure_cell_t *cell,
    ngx_pid_t dead);
static ngx_uint_t ngx_pki_azure_cell_is_failing(ngx_pki_azure_cell_t *cell,
    ngx_uint_t refused);
static ngx_pid_t ngx_pki_azure_cell_dead(ngx_pki_azure_cell_t *cell);
static void ngx_pki_azure_cell_times(ngx_pki_azure_cell_t *cell,
    time_t lifetime);
static void ngx_pki_azure_cell_time(ngx_pki_azure_cell_time_t *moment,
    ngx_msec_t after);
static ngx_uint_t ngx_pki_azure_cell_is_past(
    ngx_pki_azure_cell_time_t *moment);
static ngx_uint_t ngx_pki_azure_cell_complain(ngx_pki_azure_cell_t *cell,
    ngx_uint_t good);
static void ngx_pki_azure_cell_text(ngx_pki_azure_cell_t *cell,
    ngx_str_t *error);


/*
 * Whether a monotonic moment is ahead, by "max" milliseconds at most, and one
 * second for the clocks of other workers: an old one never is, even where
 * milliseconds have 32 bits and come around.
 */

#define ngx_pki_azure_cell_ahead(moment, max)                                \
    ((ngx_msec_t) ((moment) - ngx_current_msec - 1)                          \
     < (ngx_msec_t) ((max) + 1000))


ngx_pki_azure_cell_t *
ngx_pki_azure_cell(ngx_pki_azure_identity_t *identity, ngx_str_t *resource)
{
    u_char                 digest[SHA256_DIGEST_LENGTH];
    u_char                 buf[sizeof("azure token ") - 1
                               + 4 * SHA256_DIGEST_LENGTH];
    u_char                *p;
    ngx_str_t              name;
    ngx_pki_azure_cell_t  *cell;

    (void) SHA256(resource->data, resource->len, digest);

    p = ngx_cpymem(buf, "azure token ", sizeof("azure token ") - 1);
    p = ngx_hex_dump(p, identity->digest, sizeof(identity->digest));
    (void) ngx_hex_dump(p, digest, sizeof(digest));

    name.data = buf;
    name.len = sizeof(buf);

    cell = ngx_pki_zone_cell(identity->zone, &name,
                             sizeof(ngx_pki_azure_cell_t));

    if (cell == NULL) {
        ngx_log_error(NGX_LOG_ERR, identity->log, 0,
                      "azure identity \"%V\": no room in \"pki_zone\"",
                      &identity->name);
    }

    return cell;
}


ngx_int_t
ngx_pki_azure_cell_look(ngx_pki_zone_t *zone, ngx_pki_azure_cell_t *cell,
    ngx_pool_t *pool, ngx_pki_azure_cell_view_t *view)
{
    size_t      len;
    ngx_pid_t   dead;
    ngx_uint_t  copied;

    len = 0;
    dead = ngx_pki_azure_cell_dead(cell);
    ngx_str_null(&view->token);

    /* nothing is allocated under the lock, so it may grow in between */

    do {
        if (pool != NULL) {
            len = *(volatile size_t *) &cell->len;

            view->token.data = ngx_pki_azure_secret_alloc(pool, len + 1);
            if (view->token.data == NULL) {
                return NGX_ERROR;
            }
        }

        copied = 1;

        ngx_pki_zone_lock(zone);

        ngx_pki_azure_cell_view(cell, view, dead);

        if (view->state == NGX_PKI_AZURE_CELL_TOKEN && pool != NULL) {
            copied = (cell->len <= len);

            if (copied) {
                view->token.len = cell->len;
                ngx_memcpy(view->token.data, cell->token, cell->len);
            }
        }

        ngx_pki_zone_unlock(zone);

    } while (!copied);

    return NGX_OK;
}


static void
ngx_pki_azure_cell_view(ngx_pki_azure_cell_t *cell,
    ngx_pki_azure_cell_view_t *view, ngx_pid_t dead)
{
    ngx_uint_t  leased, failing;

    leased = ngx_pki_azure_cell_is_leased(cell, dead);
    failing = ngx_pki_azure_cell_is_failing(cell, view->refused);

    view->renew = 0;
    view->generation = cell->generation;

    view->error_len = cell->error_len;
    ngx_memcpy(view->error, cell->error, cell->error_len);

    if (ngx_pki_azure_cell_is_good(cell, view->refused)) {
        view->state = NGX_PKI_AZURE_CELL_TOKEN;
        view->renew = !leased && !failing
                      && ngx_pki_azure_cell_is_past(&cell->renew);

    } else if (leased) {
        view->state = NGX_PKI_AZURE_CELL_WAIT;

    } else if (failing) {
        view->state = NGX_PKI_AZURE_CELL_FAILED;

    } else {
        view->state = NGX_PKI_AZURE_CELL_ASK;
    }
}


static ngx_uint_t
ngx_pki_azure_cell_is_good(ngx_pki_azure_cell_t *cell, ngx_uint_t refused)
{
    return cell->len != 0
           && cell->generation != refused
           && !ngx_pki_azure_cell_is_past(&cell->expires);
}


static ngx_uint_t
ngx_pki_azure_cell_is_leased(ngx_pki_azure_cell_t *cell, ngx_pid_t dead)
{
    return cell->owner != 0
           && cell->owner != dead
           && (ngx_msec_int_t) (cell->lease - ngx_current_msec) > 0;
}


static ngx_uint_t
ngx_pki_azure_cell_is_failing(ngx_pki_azure_cell_t *cell, ngx_uint_t refused)
{
    if (cell->failures != 0
        && ngx_pki_azure_cell_ahead(cell->retry,
                                    NGX_PKI_AZURE_CELL_MAX_BACKOFF))
    {
        return 1;
    }

    /* it took the place of one that was refused, and is refused itself */

    return refused != 0
           && cell->generation == refused
           && cell->forced
           && ngx_pki_azure_cell_ahead(cell->forced_at
                                       + NGX_PKI_AZURE_CELL_FORCE,
                                       NGX_PKI_AZURE_CELL_FORCE);
}


/* asked outside the lock; whether it still is the owner is seen inside */

static ngx_pid_t
ngx_pki_azure_cell_dead(ngx_pki_azure_cell_t *cell)
{
    ngx_pid_t  owner;

    owner = *(volatile ngx_pid_t *) &cell->owner;

    if (owner != 0 && owner != ngx_pid
        && kill(owner, 0) == -1 && ngx_errno == NGX_ESRCH)
    {
        return owner;
    }

    return 0;
}


ngx_uint_t
ngx_pki_azure_cell_lease(ngx_pki_zone_t *zone, ngx_pki_azure_cell_t *cell,
    ngx_uint_t refused, ngx_msec_t time)
{
    ngx_pid_t   dead;
    ngx_uint_t  free;

    dead = ngx_pki_azure_cell_dead(cell);

    ngx_pki_zone_lock(zone);

    free = !ngx_pki_azure_cell_is_leased(cell, dead)
           && !ngx_pki_azure_cell_is_failing(cell, refused);

    if (free) {
        cell->owner = ngx_pid;
        cell->lease = ngx_current_msec + time;

        cell->forcing = (refused != 0 && cell->generation == refused);
    }

    ngx_pki_zone_unlock(zone);

    return free;
}


void
ngx_pki_azure_cell_hold(ngx_pki_zone_t *zone, ngx_pki_azure_cell_t *cell,
    ngx_msec_t time, ngx_str_t *error)
{
    ngx_pki_zone_lock(zone);

    if (cell->owner == ngx_pid) {
        cell->lease = ngx_current_msec + time;
        ngx_pki_azure_cell_text(cell, error);
    }

    ngx_pki_zone_unlock(zone);
}


ngx_int_t
ngx_pki_azure_cell_set(ngx_pki_zone_t *zone, ngx_pki_azure_cell_t *cell,
    ngx_str_t *token, time_t lifetime)
{
    size_t      old_len;
    u_char     *new, *old;
    ngx_uint_t  complaint;

    new = ngx_slab_alloc(zone->shpool, token->len);
    if (new == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(new, token->data, token->len);

    ngx_pki_zone_lock(zone);

    old = cell->token;
    old_len = cell->len;

    /* in an order that a worker may be killed in */

    cell->len = 0;
    ngx_memory_barrier();

    cell->token = new;
    ngx_memory_barrier();

    cell->len = token->len;
    cell->generation++;

    cell->forced = cell->forcing;
    cell->forced_at = ngx_current_msec;

    ngx_pki_azure_cell_times(cell, lifetime);

    complaint = cell->complaint;

    cell->complaint = 0;
    cell->failures = 0;
    cell->error_len = 0;

    if (cell->owner == ngx_pid) {
        cell->owner = 0;
    }

    ngx_pki_zone_unlock(zone);

    if (old != NULL) {
        ngx_explicit_memzero(old, old_len);
        ngx_slab_free(zone->shpool, old);
    }

    return complaint ? NGX_DONE : NGX_OK;
}


/*
 * Renewed at half its life, ten per cent earlier or later so that not all nodes
 * do it together, and with five minutes in hand where there are so many.  Not
 * used any more a minute before its end, or a quarter of a life of less than
 * four.
 */

static void
ngx_pki_azure_cell_times(ngx_pki_azure_cell_t *cell, time_t lifetime)
{
    ngx_msec_t  life, renew, margin;

    life = (ngx_msec_t) lifetime * 1000;

    margin = ngx_min(life / 4, NGX_PKI_AZURE_CELL_MARGIN);
    renew = life / 100 * (45 + (ngx_msec_t) ngx_random() % 11);

    if (life > 2 * NGX_PKI_AZURE_CELL_RENEW) {
        renew = ngx_min(renew, life - NGX_PKI_AZURE_CELL_RENEW);
    }

    ngx_pki_azure_cell_time(&cell->renew, renew);
    ngx_pki_azure_cell_time(&cell->expires, life - margin);
}


static void
ngx_pki_azure_cell_time(ngx_pki_azure_cell_time_t *moment, ngx_msec_t after)
{
    moment->wall = ngx_time() + after / 1000;
    moment->monotonic = ngx_current_msec + after;
}


/* the wall clock has seconds: it alone would be up to one too early */

static ngx_uint_t
ngx_pki_azure_cell_is_past(ngx_pki_azure_cell_time_t *moment)
{
    return ngx_time() > moment->wall
           || (ngx_msec_int_t) (ngx_current_msec - moment->monotonic) >= 0;
}


ngx_uint_t
ngx_pki_azure_cell_fail(ngx_pki_zone_t *zone, ngx_pki_azure_cell_t *cell,
    ngx_str_t *error, ngx_uint_t *good)
{
    ngx_uint_t  level, n;

    ngx_pki_zone_lock(zone);

    *good = ngx_pki_azure_cell_is_good(cell, 0);

    /* who lost the lease does not spoil the new owner's attempt */

    level = 0;

    if (cell->owner == ngx_pid) {
        cell->owner = 0;

        n = ngx_min(cell->failures, 5);
        cell->failures++;

        cell->retry = ngx_current_msec
                      + ngx_min(NGX_PKI_AZURE_CELL_BACKOFF << n,
                                NGX_PKI_AZURE_CELL_MAX_BACKOFF);

        ngx_pki_azure_cell_text(cell, error);

        level = ngx_pki_azure_cell_complain(cell, *good);
    }

    ngx_pki_zone_unlock(zone);

    return level;
}


/*
 * An error once, when there is no token any more; a warning while the old one
 * is good, and each minute.
 */

static ngx_uint_t
ngx_pki_azure_cell_complain(ngx_pki_azure_cell_t *cell, ngx_uint_t good)
{
    ngx_uint_t  level;

    if (!good && cell->complaint != NGX_LOG_ERR) {
        cell->complaint = NGX_LOG_ERR;
        level = NGX_LOG_ERR;

    } else if (cell->complaint == 0) {
        cell->complaint = NGX_LOG_WARN;
        level = NGX_LOG_WARN;

    } else if (ngx_current_msec - cell->complained
               >= NGX_PKI_AZURE_CELL_REPEAT)
    {
        level = NGX_LOG_WARN;

    } else {
        return 0;
    }

    cell->complained = ngx_current_msec;

    return level;
}


void
ngx_pki_azure_cell_release(ngx_pki_zone_t *zone, ngx_pki_azure_cell_t *cell)
{
    ngx_pki_zone_lock(zone);

    if (cell->owner == ngx_pid) {
        cell->owner = 0;
    }

    ngx_pki_zone_unlock(zone);
}


static void
ngx_pki_azure_cell_text(ngx_pki_azure_cell_t *cell, ngx_str_t *error)
{
    cell->error_len = ngx_min(error->len, NGX_PKI_AZURE_MAX_ERROR);
    ngx_memcpy(cell->error, error->data, cell->error_len);
}
