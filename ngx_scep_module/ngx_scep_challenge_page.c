
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_scep_challenge_page.h"


#define NGX_SCEP_CHALLENGE_PAGE_PIECES  12
#define NGX_SCEP_CHALLENGE_PAGE_GROUP   4    /* octets of a thumbprint */


/* what the page is put together from, all of it ASCII */

typedef struct {
    ngx_str_t                  pieces[NGX_SCEP_CHALLENGE_PAGE_PIECES];
    ngx_uint_t                 n;
    size_t                     len;
} ngx_scep_challenge_text_t;


static ngx_int_t ngx_scep_challenge_page_issued(ngx_pool_t *pool,
    ngx_scep_challenge_page_t *page, ngx_scep_challenge_text_t *text);
static ngx_int_t ngx_scep_challenge_page_thumbprint(ngx_pool_t *pool,
    ngx_str_t *digest, ngx_str_t *out);
static void ngx_scep_challenge_page_add(ngx_scep_challenge_text_t *text,
    ngx_str_t *piece);
static void ngx_scep_challenge_page_say(ngx_scep_challenge_text_t *text,
    const char *piece);
static ngx_int_t ngx_scep_challenge_page_print(ngx_pool_t *pool,
    ngx_scep_challenge_text_t *text, ngx_uint_t utf8, ngx_str_t *out);


/* in the order of ngx_scep_challenge_page_e */

static const char  *ngx_scep_challenge_page_words[] = {
    NULL,

    "<P> The password cache is full. <P> Too many challenge passwords have "
    "been made and not been used yet. Wait until devices have used them, or "
    "until they expire. </P>",

    "<P> You do not have sufficient permission to enroll with SCEP. "
    "Please contact your system administrator. </P>",

    "<P> There is no challenge password at the moment. "
    "Try again in a few seconds. </P>"
};


ngx_int_t
ngx_scep_challenge_page(ngx_pool_t *pool, ngx_scep_challenge_page_t *page,
    ngx_str_t *out)
{
    ngx_scep_challenge_text_t  text;

    ngx_memzero(&text, sizeof(ngx_scep_challenge_text_t));

    ngx_scep_challenge_page_say(&text,
                                "<HTML><Head><Title>Network Device "
                                "Enrollment Service</Title></Head><Body>");

    if (page->what == NGX_SCEP_CHALLENGE_PAGE_ISSUED) {

        if (ngx_scep_challenge_page_issued(pool, page, &text) != NGX_OK) {
            return NGX_ERROR;
        }

    } else {
        ngx_scep_challenge_page_say(&text,
                                 ngx_scep_challenge_page_words[page->what]);
    }

    ngx_scep_challenge_page_say(&text, "</Body></HTML>");

    return ngx_scep_challenge_page_print(pool, &text, page->utf8, out);
}


/* "challenge password" must not come before the sentence with the secret */

static ngx_int_t
ngx_scep_challenge_page_issued(ngx_pool_t *pool,
    ngx_scep_challenge_page_t *page, ngx_scep_challenge_text_t *text)
{
    u_char     *p;
    ngx_str_t   thumbprint, minutes;

    if (ngx_scep_challenge_page_thumbprint(pool, &page->thumbprint,
                                           &thumbprint)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(pool, NGX_TIME_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    minutes.data = p;
    minutes.len = ngx_sprintf(p, "%T", ngx_max(page->ttl / 60, 1)) - p;

    ngx_scep_challenge_page_say(text,
                                "<P> The thumbprint (hash value) for the CA "
                                "certificate is: <B> ");
    ngx_scep_challenge_page_add(text, &thumbprint);
    ngx_scep_challenge_page_say(text,
                                " </B> <P> The enrollment challenge password "
                                "is: <B> ");
    ngx_scep_challenge_page_add(text, &page->secret);
    ngx_scep_challenge_page_say(text,
                                " </B> <P> This password can be used only "
                                "once and will expire within ");
    ngx_scep_challenge_page_add(text, &minutes);
    ngx_scep_challenge_page_say(text,
                                " minutes. <P> Each enrollment requires a "
                                "new challenge password. You can refresh "
                                "this web page to obtain a new challenge "
                                "password. </P>");

    return NGX_OK;
}


/* upper case, in groups of eight digits */

static ngx_int_t
ngx_scep_challenge_page_thumbprint(ngx_pool_t *pool, ngx_str_t *digest,
    ngx_str_t *out)
{
    u_char  *p;
    size_t   i;

    p = ngx_pnalloc(pool, 3 * digest->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    out->data = p;

    for (i = 0; i < digest->len; i++) {

        if (i != 0 && i % NGX_SCEP_CHALLENGE_PAGE_GROUP == 0) {
            *p++ = ' ';
        }

        p = ngx_sprintf(p, "%02Xd", (int) digest->data[i]);
    }

    out->len = p - out->data;

    return NGX_OK;
}


static void
ngx_scep_challenge_page_add(ngx_scep_challenge_text_t *text, ngx_str_t *piece)
{
    text->pieces[text->n++] = *piece;
    text->len += piece->len;
}


static void
ngx_scep_challenge_page_say(ngx_scep_challenge_text_t *text,
    const char *piece)
{
    ngx_str_t  s;

    s.data = (u_char *) piece;
    s.len = ngx_strlen(piece);

    ngx_scep_challenge_page_add(text, &s);
}


/* straight into one place, from which the secret can be wiped */

static ngx_int_t
ngx_scep_challenge_page_print(ngx_pool_t *pool,
    ngx_scep_challenge_text_t *text, ngx_uint_t utf8, ngx_str_t *out)
{
    u_char      *p;
    size_t       k;
    ngx_uint_t   i;

    out->len = utf8 ? text->len : 2 + 2 * text->len;
    out->data = ngx_pnalloc(pool, out->len);

    if (out->data == NULL) {
        return NGX_ERROR;
    }

    p = out->data;

    if (!utf8) {
        *p++ = 0xff;
        *p++ = 0xfe;
    }

    for (i = 0; i < text->n; i++) {

        for (k = 0; k < text->pieces[i].len; k++) {
            *p++ = text->pieces[i].data[k];

            if (!utf8) {
                *p++ = '\0';
            }
        }
    }

    return NGX_OK;
}
