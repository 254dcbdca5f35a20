
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_challenge.h"


ngx_int_t
ngx_pki_challenge_check(ngx_pki_challenge_t *challenge, ngx_str_t *subject,
    ngx_str_t *sans, ngx_str_t *device, ngx_str_t *user, ngx_str_t *error)
{
    ngx_str_set(error, "the challenge is for somebody else");

    return NGX_DECLINED;
}
