
/*
 * Copyright (C) the ngx_pki authors
 *
 * What an answer of a key vault means.  Pure.
 */


#ifndef _NGX_PKI_VAULT_ANSWER_H_INCLUDED_
#define _NGX_PKI_VAULT_ANSWER_H_INCLUDED_


#include "ngx_pki_vault_json.h"


/*
 * Takes a 200 into the call (output, or version, public_key and what belongs to
 * it).  NULL, or what is wrong with it; then nothing of it may be used.  The
 * answer to unwrap is cleansed.
 */
const char *ngx_pki_vault_answer_take(ngx_pki_vault_call_t *call,
    ngx_str_t *body);

/* What any other status makes of a call. */
ngx_pki_vault_result_e ngx_pki_vault_answer_result(ngx_uint_t status);

/*
 * The vault's own words in one line: "403 Forbidden (ForbiddenByRbac): Caller
 * is not authorized".  NGX_ERROR: out of memory.
 */
ngx_int_t ngx_pki_vault_answer_words(ngx_pool_t *pool, ngx_uint_t status,
    ngx_str_t *body, ngx_str_t *words);


#endif /* _NGX_PKI_VAULT_ANSWER_H_INCLUDED_ */
