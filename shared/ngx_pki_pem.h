
/*
 * Copyright (C) the ngx_pki authors
 *
 * Textual encoding of CRLs and certificates, RFC 7468.
 */


#ifndef _NGX_PKI_PEM_H_INCLUDED_
#define _NGX_PKI_PEM_H_INCLUDED_


#include "ngx_pki.h"


#define NGX_PKI_PEM_LINE  48     /* octets, which are 64 characters */


/* How many octets the text of "len" octets of DER has. */
size_t ngx_pki_pem_size(ngx_str_t *label, size_t len);

/* Writes the text; returns where it ends. */
u_char *ngx_pki_pem_write(u_char *p, ngx_str_t *label, ngx_str_t *der);

/*
 * The same in steps: the first line, the lines of some octets (whole ones, but
 * for the last octets), the last line.
 */
u_char *ngx_pki_pem_begin(u_char *p, ngx_str_t *label);
u_char *ngx_pki_pem_lines(u_char *p, u_char *data, size_t len);
u_char *ngx_pki_pem_end(u_char *p, ngx_str_t *label);


#endif /* _NGX_PKI_PEM_H_INCLUDED_ */
