
/*
 * Copyright (C) the ngx_pki authors
 *
 * What changes the lists.  The log is applied in its order, so what it brings
 * replaces what is there.  What a scan brings may be older than what the log
 * brought meanwhile, or newer, then the log is about to bring it, too: of the
 * two the higher number counts.  What is kept from before a gap of the log may
 * have numbers of a history that Redis has lost; therefore, whatever the
 * numbers, a revocation never becomes a hold, nor is it released.
 */


#include "ngx_crl_set_job.h"


#define NGX_CRL_SET_LINE  64                 /* changes, at first */


static void ngx_crl_set_break(ngx_crl_set_job_t *job);
static void ngx_crl_set_line_up(ngx_crl_set_job_t *job,
    ngx_pki_log_entry_t *entry);
static void ngx_crl_set_change(ngx_crl_set_job_t *job,
    ngx_pki_log_entry_t *entry);
static ngx_int_t ngx_crl_set_revoke(ngx_crl_set_t *set,
    ngx_pki_crl_entry_t *entry);
static ngx_int_t ngx_crl_set_release(ngx_crl_set_t *set,
    ngx_pki_crl_entry_t *entry);
static ngx_int_t ngx_crl_set_take_revoked(ngx_crl_set_t *set,
    ngx_pki_crl_entry_t *entry);
static ngx_int_t ngx_crl_set_take_released(ngx_crl_set_t *set,
    ngx_pki_crl_entry_t *entry);
static void ngx_crl_set_changed(ngx_crl_set_t *set, ngx_pki_serial_t *serial,
    uint64_t seq);
static ngx_crl_list_t *ngx_crl_set_entries(ngx_crl_set_t *set,
    ngx_pki_serial_t *serial);


void
ngx_crl_set_listener(void *data, ngx_pki_log_entry_t *entry)
{
    ngx_crl_set_t      *set;
    ngx_crl_set_job_t  *job;

    set = data;
    job = set->loader;

    if (set->state == NGX_CRL_SET_WAITING || job->broken) {
        return;
    }

    if (entry->number != job->applied + 1
        || set->epoch != set->authority->store.slot->epoch)
    {
        ngx_crl_set_break(job);
        return;
    }

    job->applied = entry->number;

    if (set->frozen) {
        ngx_crl_set_line_up(job, entry);
        return;
    }

    ngx_crl_set_change(job, entry);
}


/* a change is missed: no CRL must come of what is there */

static void
ngx_crl_set_break(ngx_crl_set_job_t *job)
{
    if (job->set->frozen) {
        job->broken = 1;
        return;
    }

    ngx_crl_set_again(job);
}


static void
ngx_crl_set_line_up(ngx_crl_set_job_t *job, ngx_pki_log_entry_t *entry)
{
    ngx_uint_t            room;
    ngx_pki_log_entry_t  *line;

    if (job->waiting == job->room) {
        room = ngx_max(2 * job->room, NGX_CRL_SET_LINE);

        line = ngx_alloc(room * sizeof(ngx_pki_log_entry_t), job->set->log);

        if (line == NULL) {
            ngx_crl_set_break(job);
            return;
        }

        if (job->line != NULL) {
            ngx_memcpy(line, job->line,
                       job->waiting * sizeof(ngx_pki_log_entry_t));
            ngx_free(job->line);
        }

        job->line = line;
        job->room = room;
    }

    job->line[job->waiting++] = *entry;
}


void
ngx_crl_set_freeze(ngx_crl_set_t *set)
{
    set->frozen = 1;
}


void
ngx_crl_set_thaw(ngx_crl_set_t *set)
{
    ngx_uint_t          i;
    ngx_crl_set_job_t  *job;

    job = set->loader;
    set->frozen = 0;

    if (job == NULL) {
        return;
    }

    if (job->broken) {
        ngx_crl_set_again(job);
    }

    /* if one breaks the set, there are none left */

    for (i = 0; i < job->waiting; i++) {
        ngx_crl_set_change(job, &job->line[i]);
    }

    job->waiting = 0;

    if (job->line != NULL) {
        ngx_free(job->line);

        job->line = NULL;
        job->room = 0;
    }
}


/* whoever is good, and of whom a later version tells, has been released */

static void
ngx_crl_set_change(ngx_crl_set_job_t *job, ngx_pki_log_entry_t *entry)
{
    ngx_int_t             rc;
    ngx_crl_set_t        *set;
    ngx_pki_crl_entry_t   e;

    set = job->set;

    if (entry->type == NGX_PKI_LOG_CRL) {
        ngx_crl_set_published(set, entry->list, &entry->crl);
        return;
    }

    if (entry->type == NGX_PKI_LOG_ISSUED || entry->serial.len == 0) {
        return;
    }

    e.serial = entry->serial;
    e.reason = entry->status.reason;
    e.revoked_at = entry->status.revoked_at;
    e.not_after = entry->status.not_after;
    e.seq = entry->number;

    switch (entry->status.status) {

    case NGX_PKI_STATUS_HOLD:
    case NGX_PKI_STATUS_REVOKED:
        rc = ngx_crl_set_revoke(set, &e);
        break;

    case NGX_PKI_STATUS_GOOD:
        e.reason = NGX_PKI_CRL_REMOVED;
        e.revoked_at = (entry->released_at != 0) ? entry->released_at
                                                 : ngx_time();

        rc = ngx_crl_set_release(set, &e);
        break;

    default:
        return;
    }

    if (rc == NGX_ERROR) {
        ngx_crl_set_break(job);
        return;
    }

    ngx_crl_set_changed(set, &e.serial, e.seq);
}


/* NGX_DECLINED: no CRL can have it */

static ngx_int_t
ngx_crl_set_revoke(ngx_crl_set_t *set, ngx_pki_crl_entry_t *entry)
{
    ngx_crl_list_t       *list;
    ngx_pki_crl_entry_t   old;

    list = ngx_crl_set_entries(set, &entry->serial);

    if (ngx_crl_list_find(list, &entry->serial, &old) == NGX_OK) {

        if (old.reason != NGX_PKI_REASON_HOLD
            && entry->reason == NGX_PKI_REASON_HOLD)
        {
            return NGX_OK;
        }

        if (old.seq > entry->seq) {
            (void) ngx_crl_list_remove(list, &entry->serial, old.seq);
        }
    }

    (void) ngx_crl_list_remove(set->crl[NGX_PKI_CRL_DELTA]->entries,
                               &entry->serial, UINT64_MAX);

    return ngx_crl_list_put(list, entry);
}


static ngx_int_t
ngx_crl_set_release(ngx_crl_set_t *set, ngx_pki_crl_entry_t *entry)
{
    ngx_crl_list_t       *list;
    ngx_pki_crl_entry_t   old;

    list = ngx_crl_set_entries(set, &entry->serial);

    if (ngx_crl_list_find(list, &entry->serial, &old) == NGX_OK) {

        if (old.reason != NGX_PKI_REASON_HOLD) {
            return NGX_OK;
        }

        (void) ngx_crl_list_remove(list, &entry->serial, old.seq);
    }

    return ngx_crl_list_put(set->crl[NGX_PKI_CRL_DELTA]->entries, entry);
}


/*
 * Entries of an older version have no number: as if they were of the change
 * that was the last one when reading began, they lead to a CRL too many.
 */

ngx_int_t
ngx_crl_set_take(ngx_crl_set_job_t *job, ngx_pki_crl_entry_t *entry)
{
    ngx_int_t       rc;
    ngx_crl_set_t  *set;

    set = job->set;

    if (entry->seq == 0) {
        entry->seq = job->first;
    }

    rc = job->released ? ngx_crl_set_take_released(set, entry)
                       : ngx_crl_set_take_revoked(set, entry);

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    /* of a number that the log has not come to it will tell */

    ngx_crl_set_changed(set, &entry->serial,
                        ngx_min(entry->seq, job->applied));

    return NGX_OK;
}


/* one that is not put keeps its mark: Redis is told that it is revoked */

static ngx_int_t
ngx_crl_set_take_revoked(ngx_crl_set_t *set, ngx_pki_crl_entry_t *entry)
{
    ngx_uint_t            held;
    ngx_crl_list_t       *list, *released;
    ngx_pki_crl_entry_t   old;

    list = ngx_crl_set_entries(set, &entry->serial);
    released = set->crl[NGX_PKI_CRL_DELTA]->entries;
    held = (entry->reason == NGX_PKI_REASON_HOLD);

    if (ngx_crl_list_find(released, &entry->serial, &old) == NGX_OK) {

        if (held && old.seq > entry->seq) {
            return NGX_OK;
        }

        (void) ngx_crl_list_remove(released, &entry->serial, old.seq);
    }

    if (ngx_crl_list_find(list, &entry->serial, &old) == NGX_OK) {

        if (held && old.reason != NGX_PKI_REASON_HOLD) {
            return NGX_OK;
        }

        if (!held && old.reason == NGX_PKI_REASON_HOLD) {
            (void) ngx_crl_list_remove(list, &entry->serial, old.seq);
        }
    }

    return ngx_crl_list_put(list, entry);
}


static ngx_int_t
ngx_crl_set_take_released(ngx_crl_set_t *set, ngx_pki_crl_entry_t *entry)
{
    ngx_crl_list_t       *list;
    ngx_pki_crl_entry_t   old;

    list = ngx_crl_set_entries(set, &entry->serial);

    if (ngx_crl_list_find(list, &entry->serial, &old) == NGX_OK) {

        if (old.reason != NGX_PKI_REASON_HOLD || old.seq >= entry->seq) {
            return NGX_OK;
        }

        (void) ngx_crl_list_remove(list, &entry->serial, old.seq);
    }

    return ngx_crl_list_put(set->crl[NGX_PKI_CRL_DELTA]->entries, entry);
}


static void
ngx_crl_set_changed(ngx_crl_set_t *set, ngx_pki_serial_t *serial, uint64_t seq)
{
    ngx_crl_set_touch(set->crl[NGX_PKI_CRL_FULL], seq);
    ngx_crl_set_touch(set->crl[NGX_PKI_CRL_DELTA], seq);
    ngx_crl_set_touch(set->crl[ngx_crl_set_home(set, serial)], seq);
}


static ngx_crl_list_t *
ngx_crl_set_entries(ngx_crl_set_t *set, ngx_pki_serial_t *serial)
{
    return set->crl[ngx_crl_set_home(set, serial)]->entries;
}
