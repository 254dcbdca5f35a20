
/*
 * Copyright (C) the ngx_pki authors
 *
 * Files that appear whole and never replace another.  Configuration time only.
 */


#ifndef _NGX_PKI_FILE_H_INCLUDED_
#define _NGX_PKI_FILE_H_INCLUDED_


#include "ngx_pki.h"


/*
 * Writes "content" to a new file.  NGX_DECLINED: a file of this name is there
 * by now.  NGX_ERROR: "error" is why, one line in "pool".
 */
ngx_int_t ngx_pki_file_create(ngx_pool_t *pool, ngx_str_t *path,
    ngx_uint_t mode, ngx_str_t *content, ngx_str_t *error);

/* Makes a line: text "what": system error (if "err" is not 0). */
void ngx_pki_file_error(ngx_pool_t *pool, ngx_str_t *error, const char *text,
    ngx_str_t *what, ngx_err_t err);


#endif /* _NGX_PKI_FILE_H_INCLUDED_ */
