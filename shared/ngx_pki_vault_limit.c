
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_vault_limit.h"


/* milliseconds: what goes at once after a rest, as time at the full rate */

#define NGX_PKI_VAULT_BURST      2000

#define NGX_PKI_VAULT_PAUSE      1000
#define NGX_PKI_VAULT_MAX_SHIFT  4

/* milliseconds: no gate is closed for longer, whatever the vault says */

#define NGX_PKI_VAULT_MAX_PAUSE  60000


static ngx_msec_t ngx_pki_vault_limit_closed(ngx_pki_vault_limit_t *limit,
    ngx_msec_t now);
static void ngx_pki_vault_limit_drain(ngx_pki_vault_limit_t *limit,
    ngx_uint_t rate, ngx_msec_t to);


ngx_msec_int_t
ngx_pki_vault_limit_reserve(ngx_pki_zone_t *zone,
    ngx_pki_vault_limit_t *limit, ngx_uint_t rate, ngx_uint_t weight,
    ngx_msec_t max)
{
    uint64_t    speed, burst, backlog;
    ngx_msec_t  now, delay;

    now = ngx_current_msec;

    /* a millisecond drains 2 * rate / 1000 half units */

    speed = (uint64_t) rate * 2;

    /* a single call may be heavier than what a small rate allows at once */

    burst = ngx_max(speed * NGX_PKI_VAULT_BURST, (uint64_t) weight * 1000);

    ngx_pki_zone_lock(zone);

    delay = ngx_pki_vault_limit_closed(limit, now);

    if (rate != 0) {

        if (delay == 0) {
            ngx_pki_vault_limit_drain(limit, rate, now);
        }

        backlog = limit->backlog + (uint64_t) weight * 1000;

        if (backlog > burst) {
            delay += (ngx_msec_t) ((backlog - burst + speed - 1) / speed);
        }

        if (delay <= max) {
            limit->backlog = backlog;
        }
    }

    ngx_pki_zone_unlock(zone);

    return (delay <= max) ? (ngx_msec_int_t) delay : NGX_DECLINED;
}


ngx_msec_t
ngx_pki_vault_limit_gate(ngx_pki_zone_t *zone, ngx_pki_vault_limit_t *limit)
{
    ngx_msec_t  closed;

    ngx_pki_zone_lock(zone);

    closed = ngx_pki_vault_limit_closed(limit, ngx_current_msec);

    ngx_pki_zone_unlock(zone);

    return closed;
}


ngx_msec_t
ngx_pki_vault_limit_close(ngx_pki_zone_t *zone, ngx_pki_vault_limit_t *limit,
    ngx_uint_t rate, ngx_msec_int_t retry_after)
{
    uint64_t    burst;
    ngx_msec_t  now, pause, closed;

    now = ngx_current_msec;

    ngx_pki_zone_lock(zone);

    closed = ngx_pki_vault_limit_closed(limit, now);

    /* while it is closed the answers to what was sent before come in */

    if (closed == 0 && limit->pauses <= NGX_PKI_VAULT_MAX_SHIFT) {
        limit->pauses++;
    }

    pause = NGX_PKI_VAULT_PAUSE << (ngx_max(limit->pauses, 1) - 1);

    if (retry_after > (ngx_msec_int_t) pause) {
        pause = ngx_min(retry_after, NGX_PKI_VAULT_MAX_PAUSE);
    }

    if (pause > closed) {

        /* what has gathered behind the gate goes at the rate, not at once */

        burst = (uint64_t) rate * 2 * NGX_PKI_VAULT_BURST;

        limit->gate = now + pause;
        limit->drained = limit->gate;
        limit->backlog = ngx_max(limit->backlog, burst);
    }

    ngx_pki_zone_unlock(zone);

    return (closed == 0) ? pause : 0;
}


void
ngx_pki_vault_limit_answered(ngx_pki_zone_t *zone,
    ngx_pki_vault_limit_t *limit)
{
    if (limit->pauses == 0) {
        return;
    }

    ngx_pki_zone_lock(zone);

    if (ngx_pki_vault_limit_closed(limit, ngx_current_msec) == 0) {
        limit->pauses = 0;
    }

    ngx_pki_zone_unlock(zone);
}


static ngx_msec_t
ngx_pki_vault_limit_closed(ngx_pki_vault_limit_t *limit, ngx_msec_t now)
{
    ngx_msec_int_t  left;

    left = (ngx_msec_int_t) (limit->gate - now);

    return (left > 0 && left <= NGX_PKI_VAULT_MAX_PAUSE) ? (ngx_msec_t) left
                                                         : 0;
}


static void
ngx_pki_vault_limit_drain(ngx_pki_vault_limit_t *limit, ngx_uint_t rate,
    ngx_msec_t to)
{
    uint64_t        drained;
    ngx_msec_int_t  elapsed;

    elapsed = (ngx_msec_int_t) (to - limit->drained);

    /* the clock of another worker may be a little ahead */

    if (elapsed < 0 && elapsed >= -NGX_PKI_VAULT_MAX_PAUSE) {
        return;
    }

    if (elapsed < 0) {
        limit->backlog = 0;

    } else {
        drained = (uint64_t) elapsed * rate * 2;
        limit->backlog -= ngx_min(limit->backlog, drained);
    }

    limit->drained = to;
}
