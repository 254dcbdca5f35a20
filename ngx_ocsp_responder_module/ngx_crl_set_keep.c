
/*
 * Copyright (C) the ngx_pki authors
 *
 * What is marked may be nowhere but in the memory of this worker.  Until it is
 * told to Redis the worker stays, also if it is to quit or has lost the lease,
 * and no other one of this nginx reads what Redis has.
 */


#include "ngx_crl_set_job.h"


/* milliseconds: the pulse, without which nobody waits; and how long it is tried
 * without success */

#define NGX_CRL_SET_PULSE    500
#define NGX_CRL_SET_SILENCE  3000
#define NGX_CRL_SET_GIVE_UP  30000


static void ngx_crl_set_keep_handler(ngx_event_t *ev);


void
ngx_crl_set_keep(ngx_crl_set_job_t *job)
{
    ngx_pki_crl_zone_t  *crl;

    crl = job->set->authority->store.crl;

    job->again = 1;

    crl->keeper_pulse = ngx_current_msec;
    crl->keeper = ngx_pid;

    if (job->guard.timer_set) {
        return;
    }

    job->guard.handler = ngx_crl_set_keep_handler;
    job->guard.data = job;
    job->guard.log = job->set->log;

    ngx_add_timer(&job->guard, NGX_CRL_SET_PULSE);
}


static void
ngx_crl_set_keep_handler(ngx_event_t *ev)
{
    ngx_crl_set_job_t    *job;
    ngx_pki_store_t      *store;
    ngx_crl_set_t        *set;

    job = ev->data;
    set = job->set;
    store = &set->authority->store;

    store->crl->keeper_pulse = ngx_current_msec;

    if (job->quitting && (ngx_msec_int_t) (job->retry_at - ngx_current_msec)
                         <= 0)
    {
        ngx_log_error(NGX_LOG_ERR, set->log, 0,
                      "authority \"%V\": revocations that redis had lost could "
                      "not be restored in time", &set->authority->name);

        ngx_crl_set_discard(set);
        return;
    }

    ngx_add_timer(ev, NGX_CRL_SET_PULSE);

    if (ngx_exiting || !ngx_pki_zone_leads(store->zone)) {
        ngx_crl_set_quit(set);
    }
}


void
ngx_crl_set_unkeep(ngx_crl_set_job_t *job)
{
    ngx_pki_crl_zone_t  *crl;

    crl = job->set->authority->store.crl;

    job->again = 0;

    if (job->guard.timer_set) {
        ngx_del_timer(&job->guard);
    }

    if (crl->keeper == ngx_pid) {
        crl->keeper = 0;
    }
}


ngx_uint_t
ngx_crl_set_is_kept(ngx_crl_set_job_t *job)
{
    ngx_pki_crl_zone_t  *crl;

    crl = job->set->authority->store.crl;

    return crl->keeper != 0 && crl->keeper != ngx_pid
           && (ngx_msec_int_t) (ngx_current_msec - crl->keeper_pulse)
              < NGX_CRL_SET_SILENCE;
}


void
ngx_crl_set_quit(ngx_crl_set_t *set)
{
    ngx_crl_set_job_t  *job;

    job = set->loader;

    if (job == NULL || job->quitting) {
        return;
    }

    if (!job->again) {
        ngx_crl_set_discard(set);
        return;
    }

    set->authority->store.listener = NULL;

    ngx_crl_set_cancel(job);

    job->quitting = 1;
    ngx_crl_set_progress(job);

    ngx_crl_set_restore(job);
}


void
ngx_crl_set_progress(ngx_crl_set_job_t *job)
{
    job->retry_at = ngx_current_msec + NGX_CRL_SET_GIVE_UP;
}
