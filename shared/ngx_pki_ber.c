
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_ber.h"
#include "ngx_pki_der.h"


#define NGX_PKI_BER_MAX_DEPTH     32
#define NGX_PKI_BER_MAX_ELEMENTS  4096

#define NGX_PKI_BER_CONSTRUCTED   0x20
#define NGX_PKI_BER_SEGMENTED                                                \
    (NGX_PKI_DER_OCTET_STRING | NGX_PKI_BER_CONSTRUCTED)


typedef struct {
    u_char                    *pos;
    u_char                    *last;
    ngx_uint_t                 depth;
    ngx_uint_t                 elements;
    ngx_pki_der_writer_t       out;
} ngx_pki_ber_t;


/* the header of an element; "end" is NULL if its length is indefinite */

typedef struct {
    ngx_uint_t                 tag;
    u_char                    *end;
} ngx_pki_ber_header_t;


static ngx_int_t ngx_pki_ber_element(ngx_pki_ber_t *ber, u_char *last);
static ngx_int_t ngx_pki_ber_contents(ngx_pki_ber_t *ber,
    ngx_pki_ber_header_t *h, u_char *last);
static ngx_int_t ngx_pki_ber_segment(ngx_pki_ber_t *ber, u_char *last);
static ngx_int_t ngx_pki_ber_header(ngx_pki_ber_t *ber, u_char *last,
    ngx_pki_ber_header_t *h);
static ngx_int_t ngx_pki_ber_length(ngx_pki_ber_t *ber, u_char *last,
    ngx_pki_ber_header_t *h);
static ngx_int_t ngx_pki_ber_more(ngx_pki_ber_t *ber, ngx_pki_ber_header_t *h,
    u_char *last);


ngx_int_t
ngx_pki_ber_to_der(ngx_pool_t *pool, ngx_str_t *ber, ngx_str_t *der)
{
    ngx_pki_ber_t  b;

    if (ber->len == 0) {
        return NGX_DECLINED;
    }

    b.pos = ber->data;
    b.last = ber->data + ber->len;
    b.depth = 0;
    b.elements = 0;

    if (ngx_pki_der_writer_init(&b.out, pool, ber->len) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_pki_ber_element(&b, b.last) != NGX_OK || b.pos != b.last) {
        return NGX_DECLINED;
    }

    return ngx_pki_der_finish(&b.out, der);
}


/* One element, rewritten; it has to end at "last" or before. */

static ngx_int_t
ngx_pki_ber_element(ngx_pki_ber_t *ber, u_char *last)
{
    size_t                mark;
    ngx_int_t             rc;
    ngx_str_t             content;
    ngx_pki_ber_header_t  h;

    if (ngx_pki_ber_header(ber, last, &h) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (!(h.tag & NGX_PKI_BER_CONSTRUCTED)) {
        content.data = ber->pos;
        content.len = h.end - ber->pos;

        ngx_pki_der_put(&ber->out, h.tag, &content);
        ber->pos = h.end;

        return NGX_OK;
    }

    mark = ngx_pki_der_begin(&ber->out, h.tag == NGX_PKI_BER_SEGMENTED
                                        ? NGX_PKI_DER_OCTET_STRING : h.tag);

    rc = ngx_pki_ber_contents(ber, &h, last);

    ngx_pki_der_close(&ber->out, mark);

    return rc;
}


/* The elements inside a constructed one; its end included. */

static ngx_int_t
ngx_pki_ber_contents(ngx_pki_ber_t *ber, ngx_pki_ber_header_t *h, u_char *last)
{
    u_char     *end;
    ngx_int_t   rc;

    if (ber->depth++ == NGX_PKI_BER_MAX_DEPTH) {
        return NGX_DECLINED;
    }

    end = (h->end != NULL) ? h->end : last;

    for ( ;; ) {
        rc = ngx_pki_ber_more(ber, h, end);

        if (rc != NGX_AGAIN) {
            break;
        }

        rc = (h->tag == NGX_PKI_BER_SEGMENTED)
             ? ngx_pki_ber_segment(ber, end) : ngx_pki_ber_element(ber, end);

        if (rc != NGX_OK) {
            break;
        }
    }

    ber->depth--;

    return rc;
}


/* A segment of an OCTET STRING: its octets, without a header (X.690, 8.7). */

static ngx_int_t
ngx_pki_ber_segment(ngx_pki_ber_t *ber, u_char *last)
{
    ngx_pki_ber_header_t  h;

    if (ngx_pki_ber_header(ber, last, &h) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (h.tag == NGX_PKI_BER_SEGMENTED) {
        return ngx_pki_ber_contents(ber, &h, last);
    }

    if (h.tag != NGX_PKI_DER_OCTET_STRING) {
        return NGX_DECLINED;
    }

    ngx_pki_der_bytes(&ber->out, ber->pos, h.end - ber->pos);
    ber->pos = h.end;

    return NGX_OK;
}


static ngx_int_t
ngx_pki_ber_header(ngx_pki_ber_t *ber, u_char *last, ngx_pki_ber_header_t *h)
{
    if (ber->elements++ == NGX_PKI_BER_MAX_ELEMENTS || last - ber->pos < 2) {
        return NGX_DECLINED;
    }

    h->tag = *ber->pos++;

    /* no high tag numbers; end-of-contents is not an element */

    if ((h->tag & 0x1f) == 0x1f || h->tag == 0) {
        return NGX_DECLINED;
    }

    return ngx_pki_ber_length(ber, last, h);
}


static ngx_int_t
ngx_pki_ber_length(ngx_pki_ber_t *ber, u_char *last, ngx_pki_ber_header_t *h)
{
    size_t  len, octets;

    len = *ber->pos++;

    if (len == 0x80) {
        h->end = NULL;
        return (h->tag & NGX_PKI_BER_CONSTRUCTED) ? NGX_OK : NGX_DECLINED;
    }

    if (len & 0x80) {
        octets = len & 0x7f;

        if (octets > sizeof(uint32_t)
            || (size_t) (last - ber->pos) < octets)
        {
            return NGX_DECLINED;
        }

        for (len = 0; octets != 0; octets--) {
            len = (len << 8) | *ber->pos++;
        }
    }

    if ((size_t) (last - ber->pos) < len) {
        return NGX_DECLINED;
    }

    h->end = ber->pos + len;

    return NGX_OK;
}


/* NGX_AGAIN: there is one more element; NGX_OK: the end, which is taken. */

static ngx_int_t
ngx_pki_ber_more(ngx_pki_ber_t *ber, ngx_pki_ber_header_t *h, u_char *last)
{
    if (h->end != NULL) {
        return (ber->pos == last) ? NGX_OK : NGX_AGAIN;
    }

    if (last - ber->pos < 2) {
        return NGX_DECLINED;
    }

    if (ber->pos[0] == 0 && ber->pos[1] == 0) {
        ber->pos += 2;
        return NGX_OK;
    }

    return NGX_AGAIN;
}
