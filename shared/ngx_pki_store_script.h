
/*
 * Copyright (C) the ngx_pki authors
 *
 * What the files of the scripts share.
 */


#ifndef _NGX_PKI_STORE_SCRIPT_H_INCLUDED_
#define _NGX_PKI_STORE_SCRIPT_H_INCLUDED_


#include "ngx_pki_store_job.h"


/* the log is trimmed to about so many entries */

#define NGX_PKI_LOG_ADD                                                      \
    "'XADD', KEYS[4], 'MAXLEN', '~', 100000, '*', 'n', n,"


#define ngx_pki_script(text)  { ngx_string(text), { 0 } }


/* from NGX_PKI_SCRIPT_CRL_META on */
extern ngx_pki_redis_script_t  ngx_pki_store_crl_scripts[];


#endif /* _NGX_PKI_STORE_SCRIPT_H_INCLUDED_ */
