
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_file.h"


static ngx_int_t ngx_pki_file_sync_directory(u_char *path);


ngx_int_t
ngx_pki_file_create(ngx_pool_t *pool, ngx_str_t *path, ngx_uint_t mode,
    ngx_str_t *content, ngx_str_t *error)
{
    u_char     *tmp;
    ngx_fd_t    fd;
    ngx_err_t   err;
    ngx_int_t   rc;

    tmp = ngx_pnalloc(pool, path->len + 2 * NGX_INT64_LEN + sizeof(".new.."));
    if (tmp == NULL) {
        ngx_str_set(error, "out of memory");
        return NGX_ERROR;
    }

    /* in containers nodes may well have the same pid */

    (void) ngx_sprintf(tmp, "%V.new.%P.%xi%Z", path, ngx_pid,
                       (ngx_int_t) ngx_random());

    fd = open((char *) tmp, O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, mode);

    if (fd == -1) {
        ngx_pki_file_error(pool, error, "cannot create", path, ngx_errno);
        return NGX_ERROR;
    }

    rc = NGX_OK;

    if (write(fd, content->data, content->len) != (ssize_t) content->len
        || fsync(fd) == -1)
    {
        ngx_pki_file_error(pool, error, "cannot write", path, ngx_errno);
        rc = NGX_ERROR;
    }

    (void) close(fd);

    /* link() fails if the name is taken: exactly one of two nodes wins */

    if (rc == NGX_OK && link((char *) tmp, (char *) path->data) == -1) {
        err = ngx_errno;
        rc = (err == NGX_EEXIST) ? NGX_DECLINED : NGX_ERROR;
        ngx_pki_file_error(pool, error, "cannot create", path, err);
    }

    (void) ngx_delete_file(tmp);

    if (rc == NGX_OK && ngx_pki_file_sync_directory(tmp) != NGX_OK) {
        ngx_pki_file_error(pool, error, "cannot write", path, ngx_errno);
        rc = NGX_ERROR;
    }

    return rc;
}


/* else a power failure may leave Redis with an authority without a key */

static ngx_int_t
ngx_pki_file_sync_directory(u_char *path)
{
    u_char     *slash;
    ngx_fd_t    fd;
    ngx_int_t   rc;

    slash = (u_char *) strrchr((char *) path, '/');

    if (slash == NULL) {
        return NGX_ERROR;
    }

    slash[1] = '\0';

    fd = open((char *) path, O_RDONLY|O_CLOEXEC);

    if (fd == -1) {
        return NGX_ERROR;
    }

    rc = (fsync(fd) == 0) ? NGX_OK : NGX_ERROR;

    (void) close(fd);

    return rc;
}


void
ngx_pki_file_error(ngx_pool_t *pool, ngx_str_t *error, const char *text,
    ngx_str_t *what, ngx_err_t err)
{
    u_char  *p, *last;
    size_t   size;

    size = ngx_strlen(text) + what->len + NGX_MAX_ERROR_STR;

    p = ngx_pnalloc(pool, size);

    if (p == NULL) {
        ngx_str_set(error, "out of memory");
        return;
    }

    error->data = p;
    last = p + size;

    p = ngx_slprintf(p, last, "%s \"%V\"", text, what);

    if (err != 0) {
        p = ngx_slprintf(p, last, ": ");
        p = ngx_strerror(err, p, last - p);
    }

    error->len = p - error->data;
}
