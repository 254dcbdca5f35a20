
/*
 * Copyright (C) the ngx_pki authors
 *
 * What token endpoints answer: Entra, IMDS, App Service, Arc.
 */


#ifndef _NGX_PKI_AZURE_ANSWER_H_INCLUDED_
#define _NGX_PKI_AZURE_ANSWER_H_INCLUDED_


#include "ngx_pki.h"


#define NGX_PKI_AZURE_MAX_TOKEN   (16 * 1024)
#define NGX_PKI_AZURE_MAX_ERROR   256


typedef struct {
    ngx_str_t                  token;        /* visible ASCII */
    time_t                     lifetime;     /* seconds from now, above 0 */
    ngx_str_t                  client_id;    /* empty: not said */
} ngx_pki_azure_answer_t;


/*
 * Decodes the answer to a request for a token; pure.  Strings point into
 * "pool".  "now" is the wall clock, for answers that tell only when the token
 * ends.  NULL, or what is wrong (static memory).
 */
const char *ngx_pki_azure_answer_token(ngx_pool_t *pool, ngx_str_t *text,
    time_t now, ngx_pki_azure_answer_t *answer);

/* Cleanses the token. */
void ngx_pki_azure_answer_cleanse(ngx_pki_azure_answer_t *answer);

/*
 * What an answer other than a token says: the service's own code and words, or
 * the HTTP status; pure.  One line of printable ASCII, at most
 * NGX_PKI_AZURE_MAX_ERROR octets of it, which error->data has room for.
 */
void ngx_pki_azure_answer_error(ngx_pool_t *pool, ngx_uint_t status,
    ngx_str_t *text, ngx_str_t *error);


#endif /* _NGX_PKI_AZURE_ANSWER_H_INCLUDED_ */
