
/*
 * Copyright (C) the ngx_pki authors
 *
 * An entry of an authority's change log, as the stream of Redis holds it.
 */


#ifndef _NGX_PKI_LOG_ENTRY_H_INCLUDED_
#define _NGX_PKI_LOG_ENTRY_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_zone.h"
#include "ngx_pki_crl.h"


#define NGX_PKI_LOG_ID_LEN  41               /* of the longest: 20 "-" 20 */


typedef enum {
    NGX_PKI_LOG_ISSUED = 0,
    NGX_PKI_LOG_REVOKED,
    NGX_PKI_LOG_HELD,
    NGX_PKI_LOG_RELEASED,
    NGX_PKI_LOG_CRL,
    NGX_PKI_LOG_OTHER                        /* of a later version */
} ngx_pki_log_type_e;


typedef struct {
    ngx_pki_log_type_e         type;
    uint64_t                   number;       /* of the change */
    ngx_pki_serial_t           serial;       /* len 0: no certificate */
    ngx_pki_zone_status_t      status;
    time_t                     released_at;  /* 0: it is no release */

    /* of NGX_PKI_LOG_CRL: number, times and seq of "crl" */
    ngx_uint_t                 list;
    ngx_pki_crl_meta_t         crl;
} ngx_pki_log_entry_t;


/*
 * Decodes the fields of an entry: name, value, name, value, ...  Pure, copies
 * everything.  An entry of a type that is not known is accepted if it is well
 * formed, and its status counts.  NGX_ERROR: it cannot be understood.
 */
ngx_int_t ngx_pki_log_entry_decode(ngx_str_t *fields, ngx_uint_t n,
    ngx_pki_log_entry_t *entry);

/* Whether "id" is the id of a stream's entry: "1700000000000-0". */
ngx_int_t ngx_pki_log_id_check(ngx_str_t *id);


#endif /* _NGX_PKI_LOG_ENTRY_H_INCLUDED_ */
