
/*
 * Copyright (C) the ngx_pki authors
 *
 * Secrets of Azure identities: in files, in memory.
 */


#include "ngx_pki_azure_identity.h"
#include "ngx_pki_file.h"


static ngx_int_t ngx_pki_azure_secret_load(ngx_pool_t *pool, ngx_fd_t fd,
    ngx_str_t *path, size_t max, ngx_str_t *secret, ngx_str_t *error);
static void ngx_pki_azure_secret_cleanup(void *data);


u_char *
ngx_pki_azure_secret_alloc(ngx_pool_t *pool, size_t size)
{
    u_char              *p;
    ngx_str_t           *secret;
    ngx_pool_cleanup_t  *cln;

    p = ngx_pnalloc(pool, size);
    if (p == NULL) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(pool, sizeof(ngx_str_t));
    if (cln == NULL) {
        return NULL;
    }

    secret = cln->data;
    secret->data = p;
    secret->len = size;

    cln->handler = ngx_pki_azure_secret_cleanup;

    return p;
}


static void
ngx_pki_azure_secret_cleanup(void *data)
{
    ngx_str_t  *secret = data;

    ngx_explicit_memzero(secret->data, secret->len);
}


ngx_int_t
ngx_pki_azure_secret_bearer(ngx_pool_t *pool, ngx_str_t *token,
    ngx_str_t *header)
{
    size_t  len;

    len = sizeof("Authorization: Bearer ") - 1 + token->len;

    header->data = ngx_pki_azure_secret_alloc(pool, len);
    if (header->data == NULL) {
        return NGX_ERROR;
    }

    header->len = len;

    ngx_memcpy(ngx_cpymem(header->data, "Authorization: Bearer ",
                          sizeof("Authorization: Bearer ") - 1),
               token->data, token->len);

    return NGX_OK;
}


/* not blocking: the path might be that of a pipe, which nobody writes to */

ngx_int_t
ngx_pki_azure_secret_read(ngx_pool_t *pool, ngx_str_t *path, size_t max,
    ngx_str_t *secret, ngx_str_t *error)
{
    ngx_fd_t   fd;
    ngx_int_t  rc;

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_pki_file_error(pool, error, "cannot open", path, ngx_errno);
        return NGX_ERROR;
    }

    rc = ngx_pki_azure_secret_load(pool, fd, path, max, secret, error);

    (void) ngx_close_file(fd);

    return rc;
}


static ngx_int_t
ngx_pki_azure_secret_load(ngx_pool_t *pool, ngx_fd_t fd, ngx_str_t *path,
    size_t max, ngx_str_t *secret, ngx_str_t *error)
{
    u_char           *p;
    ssize_t           n;
    ngx_file_info_t   fi;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR || !ngx_is_file(&fi)) {
        ngx_pki_file_error(pool, error, "no regular file is", path, 0);
        return NGX_ERROR;
    }

    p = ngx_pki_azure_secret_alloc(pool, max + 1);

    if (p == NULL) {
        ngx_str_set(error, "out of memory");
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, p, max + 1);

    if (n == -1) {
        ngx_pki_file_error(pool, error, "cannot read", path, ngx_errno);
        return NGX_ERROR;
    }

    if (n == (ssize_t) max + 1) {
        ngx_pki_file_error(pool, error, "too long for a secret is", path, 0);
        return NGX_ERROR;
    }

    while (n > 0 && (p[n - 1] == LF || p[n - 1] == CR || p[n - 1] == ' ')) {
        n--;
    }

    if (n == 0) {
        ngx_pki_file_error(pool, error, "nothing is in", path, 0);
        return NGX_ERROR;
    }

    secret->data = p;
    secret->len = n;

    return NGX_OK;
}


ngx_uint_t
ngx_pki_azure_secret_visible(ngx_str_t *secret)
{
    size_t  i;

    for (i = 0; i < secret->len; i++) {
        if (secret->data[i] <= ' ' || secret->data[i] > '~') {
            return 0;
        }
    }

    return 1;
}


/* RFC 9562, 5.4 */

ngx_int_t
ngx_pki_azure_uuid(u_char *buf)
{
    u_char      *p, random[16];
    ngx_uint_t   i;

    if (RAND_bytes(random, sizeof(random)) != 1) {
        ERR_clear_error();
        return NGX_ERROR;
    }

    random[6] = (random[6] & 0x0f) | 0x40;
    random[8] = (random[8] & 0x3f) | 0x80;

    p = buf;

    for (i = 0; i < sizeof(random); i++) {

        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *p++ = '-';
        }

        p = ngx_hex_dump(p, &random[i], 1);
    }

    return NGX_OK;
}
