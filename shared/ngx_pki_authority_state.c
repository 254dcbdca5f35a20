
/*
 * Copyright (C) the ngx_pki authors
 *
 * Whether an authority may serve, and if not, why.
 */


#include "ngx_pki_authority.h"


static ngx_uint_t ngx_pki_authority_is(ngx_pki_authority_t *a,
    ngx_uint_t state);


static ngx_str_t  ngx_pki_authority_waiting =
    ngx_string("waiting for redis");
static ngx_str_t  ngx_pki_authority_expired =
    ngx_string("the certificate of the authority has expired");


ngx_str_t *
ngx_pki_authority_trouble(ngx_pki_authority_t *a)
{
    ngx_pki_zone_slot_t  *slot;

    slot = a->store.slot;

    if (slot == NULL) {
        return &ngx_pki_authority_waiting;
    }

    if (!ngx_pki_authority_has_key(a)) {
        return a->waits ? &a->trouble : &ngx_pki_authority_waiting;
    }

    if (ngx_pki_authority_is(a, NGX_PKI_ZONE_UNHEALTHY)) {

        /* perhaps found by another worker */

        a->trouble.data = a->trouble_text;
        a->trouble.len = ngx_cpystrn(a->trouble_text, slot->text,
                                     sizeof(a->trouble_text))
                         - a->trouble_text;

        return &a->trouble;
    }

    if (!ngx_pki_authority_is(a, NGX_PKI_ZONE_READY)) {
        return a->waits ? &a->trouble : &ngx_pki_authority_waiting;
    }

    if (ngx_time() > a->not_after) {
        return &ngx_pki_authority_expired;
    }

    return NULL;
}


ngx_str_t *
ngx_pki_authority_key_trouble(ngx_pki_authority_t *a)
{
    return (a->key->trouble != NULL) ? a->key->trouble(a->key) : NULL;
}


ngx_uint_t
ngx_pki_authority_is_unhealthy(ngx_pki_authority_t *a)
{
    return ngx_pki_authority_is(a, NGX_PKI_ZONE_UNHEALTHY);
}


void
ngx_pki_authority_ready(ngx_pki_authority_t *a, ngx_log_t *log)
{
    ngx_str_t  none;

    a->waits = 0;

    if (ngx_pki_authority_is(a, NGX_PKI_ZONE_READY)) {
        return;
    }

    ngx_str_null(&none);

    ngx_pki_zone_set_state(a->store.zone, a->store.slot, NGX_PKI_ZONE_READY,
                           a->fingerprint, &none);

    ngx_log_error(NGX_LOG_NOTICE, log, 0, "authority is ready");
}


void
ngx_pki_authority_waits(ngx_pki_authority_t *a, ngx_log_t *log,
    ngx_uint_t level, const char *fmt, ...)
{
    size_t    len;
    u_char   *p, text[NGX_PKI_ZONE_TEXT_LEN];
    va_list   args;

    va_start(args, fmt);
    p = ngx_vslprintf(text, text + sizeof(text), fmt, args);
    va_end(args);

    len = p - text;

    if (a->waits && a->trouble.len == len
        && ngx_memcmp(a->trouble.data, text, len) == 0)
    {
        return;
    }

    ngx_memcpy(a->trouble_text, text, len);

    a->trouble.data = a->trouble_text;
    a->trouble.len = len;
    a->waits = 1;

    if (log != NULL) {
        ngx_log_error(level, log, 0, "%V", &a->trouble);
    }
}


void
ngx_pki_authority_unhealthy(ngx_pki_authority_t *a, ngx_log_t *log,
    ngx_str_t *registered)
{
    u_char     *p, hex[2 * 32], digest[EVP_MAX_MD_SIZE];
    ngx_str_t   theirs;

    if (ngx_pki_authority_is(a, NGX_PKI_ZONE_UNHEALTHY)) {
        return;
    }

    if (EVP_Digest(registered->data, registered->len, digest, NULL,
                   EVP_sha256(), NULL)
        != 1)
    {
        ERR_clear_error();
        return;
    }

    theirs.len = ngx_hex_dump(hex, digest, 32) - hex;
    theirs.data = hex;

    p = ngx_snprintf(a->trouble_text, sizeof(a->trouble_text),
                     "redis has another certificate of this authority "
                     "(SHA-256 %V): use its key and certificate here, or "
                     "another \"prefix\"", &theirs);

    a->trouble.data = a->trouble_text;
    a->trouble.len = p - a->trouble_text;

    ngx_log_error(NGX_LOG_ERR, log, 0, "%V", &a->trouble);

    ngx_pki_zone_set_state(a->store.zone, a->store.slot,
                           NGX_PKI_ZONE_UNHEALTHY, a->fingerprint,
                           &a->trouble);
}


/* the slot survives reloads: it speaks of this certificate, or of another */

static ngx_uint_t
ngx_pki_authority_is(ngx_pki_authority_t *a, ngx_uint_t state)
{
    ngx_pki_zone_slot_t  *slot;

    slot = a->store.slot;

    return slot->state == state
           && ngx_memcmp(slot->fingerprint, a->fingerprint, 32) == 0;
}
