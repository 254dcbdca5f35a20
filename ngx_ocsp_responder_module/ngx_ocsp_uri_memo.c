
/*
 * Copyright (C) the ngx_pki authors
 *
 * What a worker has decoded lately: whoever asks by GET asks for the same
 * certificates again and again, and base64 with escapes takes longer than all
 * that follows when the answer is at hand.
 */


#include "ngx_ocsp_uri_memo.h"


#define NGX_OCSP_URI_MEMO_SLOTS  1024
#define NGX_OCSP_URI_MEMO_TEXT   192
#define NGX_OCSP_URI_MEMO_DER    128

#define NGX_OCSP_URI_MEMO_PRIME  0x9e3779b97f4a7c15ULL


typedef struct {
    uint16_t                   text_len;     /* 0: empty */
    uint16_t                   der_len;
    u_char                     text[NGX_OCSP_URI_MEMO_TEXT];
    u_char                     der[NGX_OCSP_URI_MEMO_DER];
} ngx_ocsp_uri_memo_t;


static ngx_ocsp_uri_memo_t *ngx_ocsp_uri_memo_slot(ngx_str_t *text);


static ngx_ocsp_uri_memo_t  ngx_ocsp_uri_memos[NGX_OCSP_URI_MEMO_SLOTS];


ngx_int_t
ngx_ocsp_uri_recall(ngx_str_t *text, ngx_str_t *der)
{
    ngx_ocsp_uri_memo_t  *memo;

    if (text->len > NGX_OCSP_URI_MEMO_TEXT) {
        return NGX_DECLINED;
    }

    memo = ngx_ocsp_uri_memo_slot(text);

    if (memo->text_len != text->len
        || ngx_memcmp(memo->text, text->data, text->len) != 0)
    {
        return NGX_DECLINED;
    }

    der->data = memo->der;
    der->len = memo->der_len;

    return NGX_OK;
}


void
ngx_ocsp_uri_remember(ngx_str_t *text, ngx_str_t *der)
{
    ngx_ocsp_uri_memo_t  *memo;

    if (text->len > NGX_OCSP_URI_MEMO_TEXT
        || der->len > NGX_OCSP_URI_MEMO_DER)
    {
        return;
    }

    memo = ngx_ocsp_uri_memo_slot(text);

    memo->text_len = (uint16_t) text->len;
    memo->der_len = (uint16_t) der->len;

    ngx_memcpy(memo->text, text->data, text->len);
    ngx_memcpy(memo->der, der->data, der->len);
}


/* the serial number, which tells requests apart, is at the end */

static ngx_ocsp_uri_memo_t *
ngx_ocsp_uri_memo_slot(ngx_str_t *text)
{
    u_char    *p;
    uint64_t   hash, part;

    hash = text->len;
    p = text->data + text->len;

    while (p - text->data >= 8 && p > text->data + text->len - 32) {
        p -= 8;
        ngx_memcpy(&part, p, 8);
        hash = (hash ^ part) * NGX_OCSP_URI_MEMO_PRIME;
        hash ^= hash >> 32;
    }

    return &ngx_ocsp_uri_memos[hash % NGX_OCSP_URI_MEMO_SLOTS];
}
