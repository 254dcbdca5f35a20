
/*
 * Copyright (C) the ngx_pki authors
 *
 * Registration authorities in a worker: who an envelope may be for.
 */


#include "ngx_pki_ra_job.h"
#include "ngx_pki_ca.h"


#define NGX_PKI_RA_POOL_SIZE  4096


static ngx_pki_recipient_t *ngx_pki_ra_self(ngx_pki_ra_t *ra);
static ngx_uint_t ngx_pki_ra_usable(ngx_pki_recipient_t *recipient);
static void ngx_pki_ra_offer(ngx_pki_ra_t *ra,
    ngx_pki_recipient_t *recipient);
static void ngx_pki_recipient_cleanup(void *data);


static ngx_str_t  ngx_pki_ra_expired =
    ngx_string("the certificate of the registration authority has expired");
static ngx_str_t  ngx_pki_ra_waiting =
    ngx_string("the registration authority is not ready yet");


ngx_int_t
ngx_pki_ra_start(ngx_pki_authority_t *a, ngx_log_t *log)
{
    ngx_pki_ra_t  *ra;

    ra = a->ra;

    if (a->ra_mode == NGX_PKI_RA_OFF) {
        return NGX_OK;
    }

#if (NGX_THREADS)

    if (a->ra_mode == NGX_PKI_RA_FILE) {
        ra->current->key->thread_pool = a->key->thread_pool;
    }

#endif

    if (a->ra_mode == NGX_PKI_RA_FILE) {
        return NGX_OK;
    }

    if (a->ra_vault != NULL
        && ngx_pki_vault_start(a->ra_vault, a->https, a->store.zone, log)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ra->timer.handler = ngx_pki_ra_timer_handler;
    ra->timer.data = ra;
    ra->timer.log = log;
    ra->timer.cancelable = 1;

    ra->look_at = ngx_current_msec;

    ngx_add_timer(&ra->timer, 1);

    return NGX_OK;
}


void
ngx_pki_ra_stop(ngx_pki_authority_t *a)
{
    ngx_pki_ra_t  *ra;

    ra = a->ra;

    if (ra == NULL) {
        return;
    }

    ra->stopped = 1;

    if (ra->timer.timer_set) {
        ngx_del_timer(&ra->timer);
    }

    if (ra->current != NULL) {
        ngx_pki_recipient_release(ra->current);
        ra->current = NULL;
    }

    if (ra->previous != NULL) {
        ngx_pki_recipient_release(ra->previous);
        ra->previous = NULL;
    }
}


ngx_array_t *
ngx_pki_ra_recipients(ngx_pki_authority_t *a)
{
    ngx_pki_ra_t         *ra;
    ngx_pki_recipient_t  *current, *previous, *self;

    ra = a->ra;
    ra->recipients.nelts = 0;

    self = ngx_pki_ra_self(ra);

    if (a->ra_mode == NGX_PKI_RA_OFF) {
        ngx_pki_ra_offer(ra, self);
        return &ra->recipients;
    }

    current = ngx_pki_ra_usable(ra->current) ? ra->current : NULL;
    previous = ngx_pki_ra_usable(ra->previous) ? ra->previous : NULL;

    if (current == NULL && previous == NULL) {
        return &ra->recipients;
    }

    /* every worker has to know it before the first client does */

    if (previous != NULL && ngx_time() < ra->offer_at) {
        ngx_pki_ra_offer(ra, previous);
        ngx_pki_ra_offer(ra, current);

    } else {
        ngx_pki_ra_offer(ra, current);
        ngx_pki_ra_offer(ra, previous);
    }

    ngx_pki_ra_offer(ra, self);

    return &ra->recipients;
}


/* clients may know no other certificate than the authority's own */

static ngx_pki_recipient_t *
ngx_pki_ra_self(ngx_pki_ra_t *ra)
{
    ngx_pki_authority_t  *a;

    a = ra->authority;

    if (a->certificate == NULL
        || a->key->spec.type != NGX_PKI_KEY_RSA
        || ngx_pki_ra_check_usage(a->certificate) != NULL)
    {
        return NULL;
    }

    ra->self.key = a->key;
    ra->self.certificate = a->certificate;
    ra->self.der = a->der;
    ra->self.not_before = a->not_before;
    ra->self.not_after = a->not_after;

    return &ra->self;
}


static ngx_uint_t
ngx_pki_ra_usable(ngx_pki_recipient_t *recipient)
{
    return recipient != NULL && ngx_time() < recipient->not_after;
}


/* there is room for all: see ngx_pki_ra_load() */

static void
ngx_pki_ra_offer(ngx_pki_ra_t *ra, ngx_pki_recipient_t *recipient)
{
    ngx_pki_recipient_t  **rp;

    if (recipient == NULL) {
        return;
    }

    rp = ra->recipients.elts;
    rp[ra->recipients.nelts++] = recipient;
}


ngx_str_t *
ngx_pki_ra_trouble(ngx_pki_authority_t *a)
{
    ngx_str_t            *trouble;
    ngx_pki_ra_t         *ra;
    ngx_pki_vault_key_t  *vk;

    ra = a->ra;

    if (a->ra_mode == NGX_PKI_RA_OFF) {
        return NULL;
    }

    /* the vault's own words say most */

    vk = (a->ra_vault != NULL) ? a->ra_vault : ra->wrapper;
    trouble = (vk != NULL) ? ngx_pki_vault_trouble(vk) : NULL;

    if (ngx_pki_ra_usable(ra->current) || ngx_pki_ra_usable(ra->previous)) {

        /* what sealed its key is not needed any more */

        return (a->ra_vault != NULL) ? trouble : NULL;
    }

    if (trouble != NULL) {
        return trouble;
    }

    if (a->ra_mode == NGX_PKI_RA_FILE) {
        return &ngx_pki_ra_expired;
    }

    return (ra->trouble.len != 0) ? &ra->trouble : &ngx_pki_ra_waiting;
}


void
ngx_pki_ra_waits(ngx_pki_ra_t *ra, ngx_log_t *log, ngx_uint_t level,
    const char *fmt, ...)
{
    size_t    len;
    u_char    text[NGX_PKI_ZONE_TEXT_LEN];
    va_list   args;

    va_start(args, fmt);
    len = ngx_vslprintf(text, text + sizeof(text), fmt, args) - text;
    va_end(args);

    if (ra->trouble.len == len
        && ngx_memcmp(ra->text, text, len) == 0)
    {
        return;
    }

    ngx_memcpy(ra->text, text, len);

    ra->trouble.data = ra->text;
    ra->trouble.len = len;

    ngx_log_error(level, log, 0, "%V", &ra->trouble);
}


void
ngx_pki_recipient_retain(ngx_pki_recipient_t *recipient)
{
    recipient->count++;
}


void
ngx_pki_recipient_release(ngx_pki_recipient_t *recipient)
{
    if (--recipient->count == 0 && recipient->pool != NULL) {
        ngx_destroy_pool(recipient->pool);
    }
}


ngx_pki_recipient_t *
ngx_pki_recipient_create(ngx_str_t *der, ngx_log_t *log)
{
    X509                 *x509;
    ngx_pool_t           *pool;
    const u_char         *p;
    ngx_pool_cleanup_t   *cln;
    ngx_pki_recipient_t  *recipient;

    pool = ngx_create_pool(NGX_PKI_RA_POOL_SIZE, log);
    if (pool == NULL) {
        return NULL;
    }

    recipient = ngx_pcalloc(pool, sizeof(ngx_pki_recipient_t));
    cln = ngx_pool_cleanup_add(pool, 0);

    if (recipient == NULL || cln == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    recipient->pool = pool;
    recipient->count = 1;

    recipient->der.len = der->len;
    recipient->der.data = ngx_pnalloc(pool, der->len);

    if (recipient->der.data == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    ngx_memcpy(recipient->der.data, der->data, der->len);

    p = recipient->der.data;
    x509 = d2i_X509(NULL, &p, (long) der->len);

    cln->handler = ngx_pki_recipient_cleanup;
    cln->data = x509;

    if (x509 == NULL
        || p != recipient->der.data + der->len
        || ngx_pki_recipient_set(recipient, x509) != NGX_OK)
    {
        ERR_clear_error();
        ngx_destroy_pool(pool);
        return NULL;
    }

    return recipient;
}


ngx_int_t
ngx_pki_recipient_set(ngx_pki_recipient_t *recipient, X509 *x509)
{
    recipient->certificate = x509;
    recipient->not_before = ngx_pki_ca_time(X509_get0_notBefore(x509));
    recipient->not_after = ngx_pki_ca_time(X509_get0_notAfter(x509));

    return (recipient->not_after != 0) ? NGX_OK : NGX_ERROR;
}


static void
ngx_pki_recipient_cleanup(void *data)
{
    X509_free(data);
}
