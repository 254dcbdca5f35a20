
/*
 * Copyright (C) the ngx_pki authors
 *
 * Enrolment by one REST call: POST a PKCS#10, get a certificate.
 */


#ifndef _NGX_HTTP_ENROLL_H_INCLUDED_
#define _NGX_HTTP_ENROLL_H_INCLUDED_


#include "ngx_http_pki_module.h"
#include "ngx_http_identity.h"


/* the part of a location's settings that is read here */

typedef struct {
    ngx_str_t                  name;           /* of the authority */
    ngx_str_t                  profile_name;
    ngx_uint_t                 auth;

    ngx_pki_authority_t       *authority;
    ngx_pki_profile_t         *profile;
    ngx_http_identity_conf_t   identity;

    unsigned                   here:1;         /* not inherited */
} ngx_http_enroll_conf_t;


/*
 * The directives "enroll", "enroll_profile", "enroll_auth"; the offset of
 * their commands is that of the ngx_http_enroll_conf_t in the location's
 * settings.
 */
char *ngx_http_enroll(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_enroll_profile(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_enroll_auth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* For create_loc_conf (zeroed memory) and merge_loc_conf. */
void ngx_http_enroll_init_conf(ngx_http_enroll_conf_t *conf);
char *ngx_http_enroll_merge_conf(ngx_conf_t *cf, ngx_http_enroll_conf_t *prev,
    ngx_http_enroll_conf_t *conf);


#endif /* _NGX_HTTP_ENROLL_H_INCLUDED_ */
