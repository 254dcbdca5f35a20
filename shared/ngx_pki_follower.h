
/*
 * Copyright (C) the ngx_pki authors
 *
 * The follower: one worker of an nginx reads the change logs of all
 * authorities (XREAD BLOCK over a connection of its own) into the zone.
 */


#ifndef _NGX_PKI_FOLLOWER_H_INCLUDED_
#define _NGX_PKI_FOLLOWER_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_store.h"


typedef struct ngx_pki_follower_s  ngx_pki_follower_t;


/*
 * Starts in every worker; follows only while the worker holds the lease of
 * the instance.  "stores" is an array of "n" pointers.  Stopped, and the lease
 * given back, by ngx_pki_follower_destroy() in exit_process.
 */
ngx_pki_follower_t *ngx_pki_follower_create(ngx_pki_redis_conf_t *conf,
    ngx_pki_zone_t *zone, ngx_pki_store_t **stores, ngx_uint_t n,
    ngx_log_t *log);
void ngx_pki_follower_destroy(ngx_pki_follower_t *follower);


#endif /* _NGX_PKI_FOLLOWER_H_INCLUDED_ */
