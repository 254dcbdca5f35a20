
/*
 * Copyright (C) the ngx_pki authors
 *
 * What a response says of statuses, by the policy of the location.
 */


#include "ngx_ocsp_answer.h"


/* "ocsp_on_error try_later": what is known longer than that is not told */

#define NGX_OCSP_JUDGE_STALE  60


static ngx_ocsp_response_status_e ngx_ocsp_judge_unsigned(
    ngx_ocsp_answer_t *answer);
static void ngx_ocsp_judge_forget(ngx_ocsp_answer_t *answer,
    ngx_ocsp_item_t *item);
static ngx_int_t ngx_ocsp_judge_single(ngx_ocsp_answer_t *answer,
    ngx_ocsp_item_t *item);
static time_t ngx_ocsp_judge_end(ngx_ocsp_answer_t *answer,
    ngx_ocsp_item_t *item);
static void ngx_ocsp_judge_expired(ngx_ocsp_answer_t *answer,
    ngx_ocsp_item_t *item);
static void ngx_ocsp_judge_never_issued(ngx_ocsp_answer_t *answer,
    ngx_ocsp_item_t *item);
static void ngx_ocsp_judge_times(ngx_ocsp_answer_t *answer);


ngx_ocsp_response_status_e
ngx_ocsp_judge(ngx_ocsp_answer_t *answer)
{
    ngx_uint_t                  i;
    ngx_ocsp_response_status_e  result;

    for (i = 0; i < answer->request.n; i++) {
        ngx_ocsp_judge_forget(answer, &answer->items[i]);
    }

    result = ngx_ocsp_judge_unsigned(answer);

    if (result != NGX_OCSP_SUCCESSFUL) {
        return result;
    }

    if (answer->responder == NULL) {
        return NGX_OCSP_TRY_LATER;
    }

    for (i = 0; i < answer->request.n; i++) {

        if (ngx_ocsp_judge_single(answer, &answer->items[i]) != NGX_OK) {
            return NGX_OCSP_TRY_LATER;
        }
    }

    ngx_ocsp_judge_times(answer);

    return NGX_OCSP_SUCCESSFUL;
}


/* "unauthorized" is the answer if it would be for every certificate */

static ngx_ocsp_response_status_e
ngx_ocsp_judge_unsigned(ngx_ocsp_answer_t *answer)
{
    ngx_uint_t  i, unknown, forgotten;

    unknown = 0;
    forgotten = 0;

    for (i = 0; i < answer->request.n; i++) {

        if (answer->items[i].forgotten) {
            forgotten++;

        } else if (answer->singles[i].status == NGX_PKI_STATUS_UNKNOWN) {
            unknown++;
        }
    }

    if (answer->policy->unknown != NGX_OCSP_UNKNOWN_UNAUTHORIZED) {
        unknown = 0;
    }

    return (unknown + forgotten == answer->request.n)
           ? NGX_OCSP_UNAUTHORIZED : NGX_OCSP_SUCCESSFUL;
}


/* RFC 5019, 2.2.3: of what expired before the archive cutoff nothing is told */

static void
ngx_ocsp_judge_forget(ngx_ocsp_answer_t *answer, ngx_ocsp_item_t *item)
{
    time_t  not_after, retention;

    retention = answer->policy->retention;
    not_after = item->status.not_after;

    if (retention == 0 || not_after == 0
        || item->single->status == NGX_PKI_STATUS_UNKNOWN
        || answer->now - not_after <= retention)
    {
        return;
    }

    item->forgotten = 1;
    item->single->status = NGX_PKI_STATUS_UNKNOWN;
    item->single->revoked_at = 0;
}


/*
 * thisUpdate is when the status was known; its validity counts from there.  A
 * revocation is known from its own time on, be it later than the last word of
 * the log.
 */

static ngx_int_t
ngx_ocsp_judge_single(ngx_ocsp_answer_t *answer, ngx_ocsp_item_t *item)
{
    time_t              known_at;
    ngx_ocsp_single_t  *single;

    single = item->single;

    known_at = ngx_max(item->known_at, single->revoked_at);
    known_at = ngx_min(known_at, answer->now);

    if (answer->policy->on_error == NGX_OCSP_ON_ERROR_TRY_LATER
        && answer->now - known_at > NGX_OCSP_JUDGE_STALE)
    {
        return NGX_DECLINED;
    }

    /* backdated, but not to before the revocation that is told */

    single->this_update = ngx_max(known_at - answer->policy->backdate,
                                  ngx_min(single->revoked_at, known_at));
    single->next_update = known_at + answer->policy->validity[single->status];
    single->next_update = ngx_min(single->next_update,
                                  ngx_ocsp_judge_end(answer, item));

    if (single->next_update <= answer->now) {
        return NGX_DECLINED;
    }

    if (single->status == NGX_PKI_STATUS_UNKNOWN) {
        ngx_ocsp_judge_never_issued(answer, item);

    } else {
        ngx_ocsp_judge_expired(answer, item);
    }

    return NGX_OK;
}


/* no answer outlives who signed it, or what it may tell of */

static time_t
ngx_ocsp_judge_end(ngx_ocsp_answer_t *answer, ngx_ocsp_item_t *item)
{
    time_t  end;

    end = ngx_min(answer->responder->not_after,
                  answer->signer->authority->not_after);

    if (answer->policy->retention != 0 && item->status.not_after != 0
        && item->single->status != NGX_PKI_STATUS_UNKNOWN)
    {
        end = ngx_min(end, item->status.not_after
                           + answer->policy->retention + 1);
    }

    return end;
}


/* RFC 6960, 4.4.4: how far back statuses of expired certificates are kept */

static void
ngx_ocsp_judge_expired(ngx_ocsp_answer_t *answer, ngx_ocsp_item_t *item)
{
    if (answer->policy->retention == 0 || item->status.not_after == 0
        || item->status.not_after >= answer->now)
    {
        return;
    }

    item->single->archive_cutoff = answer->now - answer->policy->retention;
}


/* RFC 6960, 2.2: the extended form of "revoked", for our own serials only */

static void
ngx_ocsp_judge_never_issued(ngx_ocsp_answer_t *answer, ngx_ocsp_item_t *item)
{
    if (answer->policy->unknown != NGX_OCSP_UNKNOWN_REVOKED
        || item->signer == NULL || item->forgotten)
    {
        return;
    }

    item->single->status = NGX_PKI_STATUS_REVOKED;
    item->single->reason = NGX_PKI_REASON_HOLD;
    item->single->revoked_at = 0;

    answer->extended_revoke = 1;
}


/*
 * The tightest of all, and when it is time for a new answer: before half of
 * what is left of its life, not all answers at once; when the certificate ends,
 * since then the answer says something else.
 */

static void
ngx_ocsp_judge_times(ngx_ocsp_answer_t *answer)
{
    time_t              half;
    ngx_uint_t          i;
    ngx_ocsp_item_t    *item;
    ngx_ocsp_single_t  *single;

    for (i = 0; i < answer->request.n; i++) {
        single = &answer->singles[i];

        if (i == 0 || single->next_update < answer->next_update) {
            answer->next_update = single->next_update;
        }

        answer->this_update = ngx_max(answer->this_update,
                                      single->this_update);
    }

    half = (answer->next_update - answer->now) / 2;

    answer->refresh_at = answer->now + half - half / 8
                         - (time_t) (ngx_random() % (half / 8 + 1));

    item = answer->items;

    if (answer->policy->retention != 0
        && item->status.not_after >= answer->now
        && item->status.not_after < answer->refresh_at)
    {
        answer->refresh_at = item->status.not_after + 1;
    }
}
