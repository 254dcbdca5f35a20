
/*
 * Copyright (C) the ngx_pki authors
 */


#ifndef _NGX_OCSP_URI_MEMO_H_INCLUDED_
#define _NGX_OCSP_URI_MEMO_H_INCLUDED_


#include "ngx_pki.h"


/*
 * What "text" of a URI was decoded to.  NGX_DECLINED: that is not known any
 * more.  "der" stays until the event loop is returned to.
 */
ngx_int_t ngx_ocsp_uri_recall(ngx_str_t *text, ngx_str_t *der);
void ngx_ocsp_uri_remember(ngx_str_t *text, ngx_str_t *der);


#endif /* _NGX_OCSP_URI_MEMO_H_INCLUDED_ */
