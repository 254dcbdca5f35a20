
/*
 * Copyright (C) the ngx_pki authors
 *
 * Loading a CRL out of Redis, a part at a time.
 */


#ifndef _NGX_PKI_CRL_LOAD_H_INCLUDED_
#define _NGX_PKI_CRL_LOAD_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_authority.h"


typedef struct ngx_pki_crl_load_s  ngx_pki_crl_load_t;

typedef void (*ngx_pki_crl_load_pt)(ngx_pki_crl_load_t *load);
typedef ngx_uint_t (*ngx_pki_crl_load_wanted_pt)(ngx_pki_crl_load_t *load);

struct ngx_pki_crl_load_s {
    ngx_pki_authority_t       *authority;
    ngx_uint_t                 list;

    /* whether to go on, once "meta" is known and before each part */
    ngx_pki_crl_load_wanted_pt wanted;

    /*
     * NGX_OK: "buffer", by ngx_alloc() and the handler's, is the DER, of
     * meta.size octets; NGX_ABORT: not wanted; NGX_DECLINED: there is none;
     * NGX_ERROR: logged.
     */
    ngx_int_t                  rc;
    ngx_pki_crl_meta_t         meta;         /* number 0: not known */
    u_char                    *buffer;
    ngx_pki_crl_load_pt        handler;
    void                      *data;

    ngx_uint_t                 unanswered;   /* rc is NGX_ERROR, for Redis
                                              * has failed */

    ngx_uint_t                 part;         /* private */
    ngx_uint_t                 tries;
};


/*
 * Starts; the caller keeps "load" until the handler is called, which happens
 * exactly once, never before this returns NGX_OK.  NGX_ERROR: out of memory.
 */
ngx_int_t ngx_pki_crl_load(ngx_pki_crl_load_t *load);


#endif /* _NGX_PKI_CRL_LOAD_H_INCLUDED_ */
