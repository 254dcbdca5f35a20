
/*
 * Copyright (C) the ngx_pki authors
 *
 * The inside of "scep_challenge intune".
 */


#ifndef _NGX_HTTP_SCEP_INTUNE_H_INCLUDED_
#define _NGX_HTTP_SCEP_INTUNE_H_INCLUDED_


#include "ngx_http_scep_vouch.h"
#include "ngx_pki_intune.h"


typedef struct {
    ngx_pki_intune_t             *intune;
    ngx_str_t                     identity;
    ngx_flag_t                    wait_success;
    ngx_flag_t                    revocation;
} ngx_http_scep_intune_conf_t;


/* one call, in the pool of its operation */

typedef struct {
    ngx_http_scep_operation_t    *so;
    ngx_http_scep_intune_conf_t  *conf;
    ngx_pki_intune_call_t         call;
    ngx_pki_store_job_t           store;     /* what becomes of it */
} ngx_http_scep_intune_ctx_t;


/* A call about the request of "so", but for its kind; NULL: out of memory. */
ngx_http_scep_intune_ctx_t *ngx_http_scep_intune_create(
    ngx_http_scep_operation_t *so, ngx_http_scep_intune_conf_t *icf);

/* Of the voucher, see ngx_http_scep_vouch.h. */
void ngx_http_scep_intune_issued(ngx_http_scep_operation_t *so, void *conf);
void ngx_http_scep_intune_failed(ngx_http_scep_operation_t *so, void *conf);


#endif /* _NGX_HTTP_SCEP_INTUNE_H_INCLUDED_ */
