
/*
 * Copyright (C) the ngx_pki authors
 *
 * Textual encoding of CRLs and certificates, RFC 7468.
 */


#ifndef _NGX_OCSP_PEM_H_INCLUDED_
#define _NGX_OCSP_PEM_H_INCLUDED_


#include "ngx_pki.h"


/* How many octets the text of "len" octets of DER has. */
size_t ngx_ocsp_pem_size(ngx_str_t *label, size_t len);

/* Writes the text; returns where it ends. */
u_char *ngx_ocsp_pem_write(u_char *p, ngx_str_t *label, ngx_str_t *der);


#endif /* _NGX_OCSP_PEM_H_INCLUDED_ */
