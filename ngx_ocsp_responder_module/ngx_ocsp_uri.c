
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_ocsp_uri.h"
#include "ngx_pki_base64.h"
#include "ngx_pki_der.h"


/*
 * A request that fits into a GET has some 340 characters at most (RFC 5019,
 * 5: 255); longer ones are decoded, but not repaired.
 */
#define NGX_OCSP_URI_REPAIR_LEN  1024
#define NGX_OCSP_URI_REPAIRS     32


static u_char *ngx_ocsp_uri_next(u_char *p, u_char *last, u_char *ch);
static ngx_int_t ngx_ocsp_uri_double(ngx_pool_t *pool, ngx_str_t *text,
    ngx_uint_t n, ngx_str_t *doubled);


ngx_int_t
ngx_ocsp_uri_strip(ngx_str_t *uri, ngx_str_t *name, ngx_str_t *text)
{
    u_char   *p, *last, *next, *args, ch;
    size_t    i;

    p = uri->data;
    last = uri->data + uri->len;

    args = memchr(p, '?', uri->len);

    if (args != NULL) {
        last = args;
    }

    /* nearly always it is there as it is */

    i = 0;

    if ((size_t) (last - p) >= name->len
        && ngx_memcmp(p, name->data, name->len) == 0)
    {
        i = name->len;
        p += i;
    }

    for ( /* void */ ; i < name->len; i++) {
        next = ngx_ocsp_uri_next(p, last, &ch);

        /* nginx compared the name with merged slashes */

        while (ch == '/' && i > 0 && name->data[i - 1] == '/'
               && name->data[i] != '/')
        {
            p = next;
            next = ngx_ocsp_uri_next(p, last, &ch);
        }

        if (next == p || ch != name->data[i]) {
            return NGX_DECLINED;
        }

        p = next;
    }

    /* an OCSPRequest begins with "M", never with a slash */

    for ( ;; ) {
        next = ngx_ocsp_uri_next(p, last, &ch);

        if (next == p || ch != '/') {
            break;
        }

        p = next;
    }

    text->data = p;
    text->len = last - p;

    return NGX_OK;
}


ngx_int_t
ngx_ocsp_uri_decode(ngx_pool_t *pool, ngx_str_t *text, ngx_uint_t n,
    ngx_str_t *der)
{
    ngx_int_t      rc;
    ngx_str_t      doubled, whole;
    ngx_pki_der_t  in;

    if (n > 0) {
        rc = ngx_ocsp_uri_double(pool, text, n, &doubled);
        if (rc != NGX_OK) {
            return rc;
        }

        text = &doubled;
    }

    rc = ngx_pki_base64_uri_decode(pool, text, der);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_pki_der_init(&in, der);

    if (ngx_pki_der_get_whole(&in, NGX_PKI_DER_SEQUENCE, &whole) != NGX_OK
        || !ngx_pki_der_end(&in))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* the next character, decoded; what is returned is "p" at the end */

static u_char *
ngx_ocsp_uri_next(u_char *p, u_char *last, u_char *ch)
{
    ngx_int_t  n;

    *ch = '\0';

    if (p == last) {
        return p;
    }

    if (*p == '%' && last - p >= 3) {
        n = ngx_hextoi(p + 1, 2);

        if (n != NGX_ERROR) {
            *ch = (u_char) n;
            return p + 3;
        }
    }

    *ch = *p;

    return p + 1;
}


static ngx_int_t
ngx_ocsp_uri_double(ngx_pool_t *pool, ngx_str_t *text, ngx_uint_t n,
    ngx_str_t *doubled)
{
    u_char  *p, *slash, *last;

    if (n > NGX_OCSP_URI_REPAIRS || text->len > NGX_OCSP_URI_REPAIR_LEN) {
        return NGX_DONE;
    }

    p = text->data;
    last = text->data + text->len;
    slash = text->data;

    while (n-- > 0) {
        slash = ngx_strlchr(p, last, '/');

        if (slash == NULL) {
            return NGX_DONE;
        }

        p = slash + 1;
    }

    doubled->len = text->len + 1;
    doubled->data = ngx_pnalloc(pool, doubled->len);
    if (doubled->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(doubled->data, text->data, slash - text->data);
    *p++ = '/';
    ngx_memcpy(p, slash, last - slash);

    return NGX_OK;
}
