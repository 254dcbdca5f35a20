
/*
 * Copyright (C) the ngx_pki authors
 *
 * The Certificate Master: management of certificates below a location.
 */


#ifndef _NGX_HTTP_CERTIFICATE_MASTER_H_INCLUDED_
#define _NGX_HTTP_CERTIFICATE_MASTER_H_INCLUDED_


#include "ngx_http_pki_module.h"
#include "ngx_http_identity.h"


/* the part of a location's settings that is read here */

typedef struct {
    ngx_array_t               *names;          /* of ngx_str_t */
    ngx_str_t                  prefix;         /* of the location */
    ngx_http_complex_value_t  *user;           /* certificate_master_user */
    ngx_http_complex_value_t  *roles;          /* certificate_master_roles */

    ngx_array_t               *authorities;    /* ngx_pki_authority_t * */
    ngx_http_identity_conf_t   identity;

    /* what the value of "user" is made of */
    unsigned                   user_basic:1;
    unsigned                   user_certificate:1;

    unsigned                   here:1;         /* not inherited */
} ngx_http_certificate_master_conf_t;


/*
 * The directive "certificate_master"; the offset of its command is that of
 * the ngx_http_certificate_master_conf_t in the location's settings.
 * "certificate_master_user" and "certificate_master_roles" are set by
 * ngx_http_set_complex_value_slot(), members "user" and "roles".
 */
char *ngx_http_certificate_master(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* For create_loc_conf (zeroed memory) and merge_loc_conf. */
void ngx_http_certificate_master_init_conf(
    ngx_http_certificate_master_conf_t *conf);
char *ngx_http_certificate_master_merge_conf(ngx_conf_t *cf,
    ngx_http_certificate_master_conf_t *prev,
    ngx_http_certificate_master_conf_t *conf);


#endif /* _NGX_HTTP_CERTIFICATE_MASTER_H_INCLUDED_ */
