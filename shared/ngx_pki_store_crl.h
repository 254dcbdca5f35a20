
/*
 * Copyright (C) the ngx_pki authors
 *
 * Private to ngx_pki_store_crl*.c: how a CRL lies in Redis.
 *
 * "crl:<name>" is a hash that tells of it, and has it as "der" if it is small.
 * The parts of a large one lie in a hash of their own, by their number, for a
 * reader must not find half of the old and half of the new one.
 */


#ifndef _NGX_PKI_STORE_CRL_H_INCLUDED_
#define _NGX_PKI_STORE_CRL_H_INCLUDED_


#include "ngx_pki_store_job.h"


/* 0: it lies in one piece */

#define ngx_pki_store_crl_parts(size)                                        \
    ((size) > NGX_PKI_CRL_PART                                               \
     ? ((size) + NGX_PKI_CRL_PART - 1) / NGX_PKI_CRL_PART : 0)

/* octets of a part */

#define ngx_pki_store_crl_part_len(size, part)                               \
    ngx_min((size) - (size_t) (part) * NGX_PKI_CRL_PART,                     \
            (size_t) NGX_PKI_CRL_PART)


/* Keys: of a list; of the parts of the one with this number. */
void ngx_pki_store_crl_key(ngx_pki_store_job_t *job, ngx_uint_t list);
void ngx_pki_store_crl_parts_key(ngx_pki_store_job_t *job, uint64_t number);

/*
 * The names of the fields that job->meta is made of, NGX_PKI_STORE_CRL_FIELDS,
 * and their values taken apart; NGX_DECLINED: there is no CRL.
 */
#define NGX_PKI_STORE_CRL_FIELDS  10

void ngx_pki_store_crl_fields(ngx_pki_store_job_t *job);
ngx_int_t ngx_pki_store_crl_decode(ngx_pki_store_job_t *job,
    redisReply *reply);


#endif /* _NGX_PKI_STORE_CRL_H_INCLUDED_ */
