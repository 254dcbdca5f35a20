
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_ocsp_signer.h"
#include "ngx_ocsp_certify.h"
#include "ngx_ocsp_flight.h"
#include "ngx_ocsp_preferred.h"


#define NGX_OCSP_SIGNER_TICK  1000   /* msec */
#define NGX_OCSP_SIGNER_WAIT  100    /* msec, as long as there is none */


static ngx_int_t ngx_ocsp_signer_prepare(ngx_ocsp_signer_t *signer,
    ngx_log_t *log);
static void ngx_ocsp_signer_timer_handler(ngx_event_t *ev);
static ngx_uint_t ngx_ocsp_signer_is_complete(ngx_ocsp_signer_t *signer);
static ngx_ocsp_responder_t *ngx_ocsp_signer_choose(ngx_ocsp_signer_t *signer,
    ngx_str_t *preferred, time_t now);
static ngx_ocsp_responder_t *ngx_ocsp_signer_delegate(
    ngx_ocsp_signer_t *signer, ngx_ocsp_preferred_t *preferred, time_t now);
static ngx_ocsp_responder_t *ngx_ocsp_signer_own(ngx_ocsp_signer_t *signer,
    time_t now);
static ngx_uint_t ngx_ocsp_signer_may(ngx_ocsp_signer_t *signer);
static void ngx_ocsp_signer_create(ngx_ocsp_signer_t *signer);
static void ngx_ocsp_signer_refuse(ngx_ocsp_signer_t *signer,
    const char *error);


ngx_int_t
ngx_ocsp_signer_start(ngx_ocsp_signer_t *signer, ngx_log_t *log)
{
    signer->timer.handler = ngx_ocsp_signer_timer_handler;
    signer->timer.data = signer;
    signer->timer.log = log;
    signer->timer.cancelable = 1;

    if (ngx_ocsp_signer_prepare(signer, log) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_add_timer(&signer->timer, 1);

    return NGX_OK;
}


static ngx_int_t
ngx_ocsp_signer_prepare(ngx_ocsp_signer_t *signer, ngx_log_t *log)
{
    ngx_uint_t            i;
    ngx_pki_authority_t  *a;
    ngx_ocsp_renewal_t   *renewal;

    a = signer->authority;

    for (i = 0; i < signer->spec.nkeys; i++) {
        renewal = &signer->renewals[i];

        renewal->authority = a;
        renewal->spec.key = signer->spec.keys[i];
        renewal->spec.validity = signer->spec.validity;

        if (ngx_ocsp_renewal_start(renewal, log) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (signer->spec.mode != NGX_OCSP_SIGNER_AUTO
        && ngx_ocsp_flight_prepare(a->store.zone) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "authority \"%V\": no room in \"pki_zone\" for its "
                      "\"ocsp_signer\"", &a->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_ocsp_signer_stop(ngx_ocsp_signer_t *signer)
{
    ngx_uint_t  i;

    if (signer->timer.timer_set) {
        ngx_del_timer(&signer->timer);
    }

    for (i = 0; i < signer->spec.nkeys; i++) {
        ngx_ocsp_renewal_stop(&signer->renewals[i]);
    }

    if (signer->responder != NULL) {
        ngx_ocsp_responder_release(signer->responder);
        signer->responder = NULL;
    }
}


static void
ngx_ocsp_signer_timer_handler(ngx_event_t *ev)
{
    ngx_uint_t          i;
    ngx_ocsp_signer_t  *signer;

    signer = ev->data;

    if (ngx_exiting) {
        return;
    }

    for (i = 0; i < signer->spec.nkeys; i++) {
        ngx_ocsp_renewal_tick(&signer->renewals[i]);
    }

    if (signer->spec.mode != NGX_OCSP_SIGNER_AUTO) {
        (void) ngx_ocsp_signer_own(signer, ngx_time());
    }

    ngx_add_timer(ev, ngx_ocsp_signer_is_complete(signer)
                      ? NGX_OCSP_SIGNER_TICK : NGX_OCSP_SIGNER_WAIT);
}


static ngx_uint_t
ngx_ocsp_signer_is_complete(ngx_ocsp_signer_t *signer)
{
    ngx_uint_t  i;

    for (i = 0; i < signer->spec.nkeys; i++) {
        if (signer->renewals[i].responder == NULL) {
            return 0;
        }
    }

    return signer->spec.nkeys != 0 || signer->responder != NULL
           || signer->refused;
}


ngx_ocsp_responder_t *
ngx_ocsp_signer_get(ngx_ocsp_signer_t *signer, ngx_str_t *preferred,
    time_t now)
{
    ngx_ocsp_responder_t  *responder;

    if (signer->spec.mode != NGX_OCSP_SIGNER_AUTO) {
        return ngx_ocsp_signer_own(signer, now);
    }

    if (preferred->len != 0 && signer->spec.nkeys > 1) {
        responder = ngx_ocsp_signer_choose(signer, preferred, now);

        if (responder != NULL) {
            return responder;
        }
    }

    return ngx_ocsp_signer_delegate(signer, NULL, now);
}


/* the order is the client's (RFC 6960, 4.4.7.2) */

static ngx_ocsp_responder_t *
ngx_ocsp_signer_choose(ngx_ocsp_signer_t *signer, ngx_str_t *preferred,
    time_t now)
{
    ngx_pki_der_t          list;
    ngx_ocsp_preferred_t   entry;
    ngx_ocsp_responder_t  *responder;

    ngx_pki_der_init(&list, preferred);

    while (ngx_ocsp_preferred_next(&list, &entry) == NGX_OK) {

        responder = ngx_ocsp_signer_delegate(signer, &entry, now);

        if (responder != NULL) {
            return responder;
        }
    }

    return NULL;
}


/* the first one; of one kind, if it is wanted */

static ngx_ocsp_responder_t *
ngx_ocsp_signer_delegate(ngx_ocsp_signer_t *signer,
    ngx_ocsp_preferred_t *preferred, time_t now)
{
    ngx_uint_t             i;
    ngx_ocsp_renewal_t    *renewal;
    ngx_ocsp_responder_t  *responder;

    for (i = 0; i < signer->spec.nkeys; i++) {
        renewal = &signer->renewals[i];

        ngx_ocsp_renewal_look(renewal);

        responder = renewal->responder;

        if (responder != NULL
            && ngx_ocsp_responder_usable(responder, now)
            && (preferred == NULL
                || ngx_ocsp_preferred_fits(preferred, responder)))
        {
            return responder;
        }
    }

    return NULL;
}


/* of the authority, or of the file */

static ngx_ocsp_responder_t *
ngx_ocsp_signer_own(ngx_ocsp_signer_t *signer, time_t now)
{
    if (!ngx_ocsp_signer_may(signer)) {
        return NULL;
    }

    if (signer->responder == NULL && !signer->refused) {
        ngx_ocsp_signer_create(signer);
    }

    if (signer->responder == NULL) {
        return NULL;
    }

    if (ngx_ocsp_responder_usable(signer->responder, now)) {
        return signer->responder;
    }

    if (signer->spec.mode == NGX_OCSP_SIGNER_FILE) {
        ngx_ocsp_signer_refuse(signer, "is not valid at this time");
    }

    return NULL;
}


/* a key in a file speaks for an authority whose own is out of reach, too */

static ngx_uint_t
ngx_ocsp_signer_may(ngx_ocsp_signer_t *signer)
{
    ngx_pki_authority_t  *a;

    a = signer->authority;

    if (signer->spec.mode == NGX_OCSP_SIGNER_FILE) {
        return a->certificate != NULL;
    }

    return ngx_pki_authority_has_key(a)
           && ngx_pki_authority_trouble(a) == NULL;
}


static void
ngx_ocsp_signer_create(ngx_ocsp_signer_t *signer)
{
    const char  *error;

    if (signer->spec.mode == NGX_OCSP_SIGNER_AUTHORITY) {
        signer->responder = ngx_ocsp_certify_authority(signer->authority,
                                                       signer->timer.log);
        return;
    }

    error = ngx_ocsp_file_issuer(&signer->file, signer->authority);

    if (error != NULL) {
        ngx_ocsp_signer_refuse(signer, error);
        return;
    }

    signer->responder = ngx_ocsp_file_responder(&signer->file,
                                                signer->timer.log);
}


/* one message, not one a request */

static void
ngx_ocsp_signer_refuse(ngx_ocsp_signer_t *signer, const char *error)
{
    if (signer->refused) {
        return;
    }

    signer->refused = 1;

    ngx_log_error(NGX_LOG_ERR, signer->timer.log, 0,
                  "\"ocsp_signer file\" of authority \"%V\": the certificate "
                  "\"%V\" %s", &signer->authority->name,
                  &signer->file.certificate_file, error);
}
