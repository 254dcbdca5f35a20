
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_crl_copy.h"
#include "ngx_pki_free.h"
#include "ngx_pki_pem.h"


/* the last octets have the signature, which covers all the others */

#define NGX_PKI_CRL_COPY_TAIL   1024
#define NGX_PKI_CRL_COPY_ETAG   8            /* octets of a hash */


static ngx_int_t ngx_pki_crl_copy_etag(ngx_pki_crl_copy_t *copy);
static void ngx_pki_crl_pem_handler(ngx_event_t *ev);
static void ngx_pki_crl_pem_done(ngx_pki_crl_pem_t *pem);


static ngx_str_t  ngx_pki_crl_pem_label = ngx_string("X509 CRL");


ngx_pki_crl_copy_t *
ngx_pki_crl_copy_create(ngx_pki_crl_meta_t *meta, u_char *buffer,
    ngx_str_t *der)
{
    ngx_pki_crl_copy_t  *copy;

    copy = ngx_calloc(sizeof(ngx_pki_crl_copy_t), ngx_cycle->log);

    if (copy == NULL) {
        ngx_pki_free_slowly(buffer, der->data + der->len - buffer);
        return NULL;
    }

    copy->count = 1;
    copy->buffer = buffer;
    copy->der = *der;
    copy->number = meta->number;
    copy->this_update = meta->this_update;
    copy->next_update = meta->next_update;

    if (ngx_pki_crl_copy_etag(copy) != NGX_OK) {
        ngx_pki_crl_copy_release(copy);
        return NULL;
    }

    return copy;
}


static ngx_int_t
ngx_pki_crl_copy_etag(ngx_pki_crl_copy_t *copy)
{
    size_t   len;
    u_char  *p, digest[EVP_MAX_MD_SIZE];

    len = ngx_min(copy->der.len, NGX_PKI_CRL_COPY_TAIL);

    if (EVP_Digest(copy->der.data + copy->der.len - len, len, digest, NULL,
                   EVP_sha256(), NULL)
        != 1)
    {
        ERR_clear_error();
        return NGX_ERROR;
    }

    p = ngx_sprintf(copy->text, "\"%xL-", copy->number);
    p = ngx_hex_dump(p, digest, NGX_PKI_CRL_COPY_ETAG);
    *p++ = '"';

    copy->etag.data = copy->text;
    copy->etag.len = p - copy->text;

    return NGX_OK;
}


void
ngx_pki_crl_copy_release(ngx_pki_crl_copy_t *copy)
{
    if (--copy->count != 0) {
        return;
    }

    ngx_pki_free_slowly(copy->buffer,
                        copy->der.data + copy->der.len - copy->buffer);

    if (copy->pem.len != 0) {
        ngx_pki_free_slowly(copy->pem.data, copy->pem.len);
    }

    ngx_free(copy);
}


ngx_int_t
ngx_pki_crl_pem_start(ngx_pki_crl_pem_t *pem, ngx_pki_crl_copy_t *copy)
{
    pem->text.len = ngx_pki_pem_size(&ngx_pki_crl_pem_label, copy->der.len);

    pem->text.data = ngx_alloc(pem->text.len, ngx_cycle->log);
    if (pem->text.data == NULL) {
        return NGX_ERROR;
    }

    pem->copy = copy;
    copy->count++;

    pem->last = ngx_pki_pem_begin(pem->text.data, &ngx_pki_crl_pem_label);
    pem->done = 0;

    ngx_memzero(&pem->event, sizeof(ngx_event_t));

    pem->event.handler = ngx_pki_crl_pem_handler;
    pem->event.data = pem;
    pem->event.log = ngx_cycle->log;

    ngx_post_event(&pem->event, &ngx_posted_events);

    return NGX_OK;
}


static void
ngx_pki_crl_pem_handler(ngx_event_t *ev)
{
    size_t              len;
    ngx_str_t          *der;
    ngx_pki_crl_pem_t  *pem;

    pem = ev->data;
    der = &pem->copy->der;

    len = ngx_min(der->len - pem->done, NGX_PKI_CRL_PART);

    pem->last = ngx_pki_pem_lines(pem->last, der->data + pem->done, len);
    pem->done += len;

    if (pem->done < der->len) {
        ngx_add_timer(ev, 1);
        return;
    }

    ngx_pki_crl_pem_done(pem);
}


static void
ngx_pki_crl_pem_done(ngx_pki_crl_pem_t *pem)
{
    ngx_pki_crl_copy_t  *copy;

    copy = pem->copy;
    pem->copy = NULL;

    pem->last = ngx_pki_pem_end(pem->last, &ngx_pki_crl_pem_label);

    copy->pem.data = pem->text.data;
    copy->pem.len = pem->last - pem->text.data;

    ngx_pki_crl_copy_release(copy);

    pem->handler(pem);
}


void
ngx_pki_crl_pem_stop(ngx_pki_crl_pem_t *pem)
{
    if (pem->copy == NULL) {
        return;
    }

    if (pem->event.timer_set) {
        ngx_del_timer(&pem->event);
    }

    if (pem->event.posted) {
        ngx_delete_posted_event(&pem->event);
    }

    ngx_free(pem->text.data);

    ngx_pki_crl_copy_release(pem->copy);
    pem->copy = NULL;
}
