
/*
 * Copyright (C) the ngx_pki authors
 *
 * The JSON of Intune, and of Graph as far as it tells where Intune is: what is
 * sent, what is answered.  Pure.
 */


#ifndef _NGX_PKI_INTUNE_JSON_H_INCLUDED_
#define _NGX_PKI_INTUNE_JSON_H_INCLUDED_


#include "ngx_pki_intune.h"
#include "ngx_pki_url.h"


#define NGX_PKI_INTUNE_MAX_URI          512
#define NGX_PKI_INTUNE_MAX_WORDS        200
#define NGX_PKI_INTUNE_MAX_WORD         48
#define NGX_PKI_INTUNE_MAX_DESCRIPTION  255


/* in the order of a list as the zone keeps it */

typedef enum {
    NGX_PKI_INTUNE_SCEP = 0,     /* ScepRequestValidationFEService */
    NGX_PKI_INTUNE_CONNECTOR,    /* PkiConnectorFEService */
    NGX_PKI_INTUNE_SERVICES
} ngx_pki_intune_service_e;


/* The name that Graph has for it. */
ngx_str_t *ngx_pki_intune_json_service(ngx_pki_intune_service_e service);

/* The body of a call; NGX_ERROR: out of memory, or of what OpenSSL needs. */
ngx_int_t ngx_pki_intune_json_encode(ngx_pool_t *pool,
    ngx_pki_intune_call_t *call, ngx_str_t *body);

/* The following return NULL, or what is wrong with the answer (static memory);
 * strings point into "pool". */

/*
 * One page of Graph's list: adds to "uri", one for each service, those that are
 * not there yet; "next" is the URL of the next page, or empty.
 */
const char *ngx_pki_intune_json_list(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *uri, ngx_str_t *next);

/*
 * Whether the bearer token may go there: https, a host that is one of "hosts"
 * (of ngx_str_t; ".example" is anything that ends so), no query.
 */
const char *ngx_pki_intune_json_uri(ngx_pool_t *pool, ngx_str_t *text,
    ngx_array_t *hosts, ngx_pki_url_t *url);

/*
 * The answer to validate, success and failure.  "code" has 1 to
 * NGX_PKI_INTUNE_MAX_CODE letters and digits; "words", in printable ASCII, are
 * cut short, and what looks like a challenge is left out.
 */
const char *ngx_pki_intune_json_code(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *code, ngx_str_t *words);

/*
 * What an error says, Intune's or Graph's: "Code: words" as above, as far as it
 * has them.  NGX_ERROR: out of memory.
 */
ngx_int_t ngx_pki_intune_json_error(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *words);

/*
 * The answer to download: at most "max" of ngx_pki_intune_revocation_t; one
 * whose serial number is no string has an empty one.  How many are left out,
 * as they have no "requestContext" that could go back.
 */
const char *ngx_pki_intune_json_revocations(ngx_pool_t *pool,
    ngx_str_t *text, ngx_uint_t max, ngx_array_t **revocations,
    ngx_uint_t *left_out);

/*
 * A serial number as somebody writes it, as records have it: to "out", which
 * has room for 2 * NGX_PKI_SERIAL_LEN.  The length, 0: it is none.
 */
size_t ngx_pki_intune_json_serial(ngx_str_t *text, u_char *out);

/* The answer to upload: NULL if all results were taken. */
const char *ngx_pki_intune_json_uploaded(ngx_pool_t *pool, ngx_str_t *text);


#endif /* _NGX_PKI_INTUNE_JSON_H_INCLUDED_ */
