
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_store_job.h"


void
ngx_pki_store_challenge_put(ngx_pki_store_job_t *job)
{
    ngx_pki_store_defer(job, NGX_PKI_STORE_UNAVAILABLE);
}


void
ngx_pki_store_challenge_get(ngx_pki_store_job_t *job)
{
    ngx_pki_store_defer(job, NGX_PKI_STORE_UNAVAILABLE);
}
