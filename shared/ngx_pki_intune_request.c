
/*
 * Copyright (C) the ngx_pki authors
 *
 * What goes around the body of a call, and the words of an error.
 */


#include "ngx_pki_intune_call.h"


ngx_int_t
ngx_pki_intune_request_id(ngx_pool_t *pool, ngx_str_t *header, ngx_str_t *id)
{
    u_char  *p;

    p = ngx_pnalloc(pool, sizeof("client-request-id: ") - 1
                          + NGX_PKI_AZURE_UUID_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    header->data = p;
    header->len = sizeof("client-request-id: ") - 1 + NGX_PKI_AZURE_UUID_LEN;

    p = ngx_cpymem(p, "client-request-id: ",
                   sizeof("client-request-id: ") - 1);

    if (id != NULL) {
        id->data = p;
        id->len = NGX_PKI_AZURE_UUID_LEN;
    }

    return ngx_pki_azure_uuid(p);
}


void
ngx_pki_intune_words(ngx_pool_t *pool, ngx_pki_https_call_t *https,
    ngx_str_t *words)
{
    u_char     *p;
    ngx_str_t   text;

    if (https->status == 0) {
        *words = https->error;
        return;
    }

    p = NULL;

    if (ngx_pki_intune_json_error(pool, &https->answer, &text) == NGX_OK) {
        p = ngx_pnalloc(pool, sizeof("HTTP  ") + NGX_INT_T_LEN + text.len);
    }

    if (p == NULL) {
        ngx_str_set(words, "out of memory");
        return;
    }

    words->data = p;
    words->len = ngx_sprintf(p, "HTTP %ui%s%V", https->status,
                             text.len ? " " : "", &text)
                 - p;
}
