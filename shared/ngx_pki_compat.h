
/*
 * Copyright (C) the ngx_pki authors
 *
 * Differences between versions of nginx, OpenSSL, hiredis and libcurl live
 * here and nowhere else.
 */


#ifndef _NGX_PKI_COMPAT_H_INCLUDED_
#define _NGX_PKI_COMPAT_H_INCLUDED_


#include <openssl/opensslv.h>
#include <hiredis/hiredis.h>
#include <curl/curlver.h>


#if (OPENSSL_VERSION_NUMBER < 0x30000000L)
#error "OpenSSL 3.0 or later is required"
#endif

/* CURLOPT_PROTOCOLS_STR, CURLINFO_CAINFO */

#if (defined LIBCURL_VERSION_NUM && LIBCURL_VERSION_NUM < 0x075500)
#error "libcurl 7.85 or later is required"
#endif


/* with libatomic_ops nginx's own is empty, to the compiler, too */

#define ngx_pki_memory_barrier()  __sync_synchronize()


/* headers_out.cache_control became a list in nginx 1.23.0 */

#if (nginx_version >= 1023000)
#define NGX_PKI_HEADER_LISTS  1
#else
#define NGX_PKI_HEADER_LISTS  0
#endif


/*
 * redisFormatSdsCommandArgv() returns int in hiredis 0.x, long long in 1.x;
 * createArray() takes int in 0.x, size_t in 1.x
 */

#if (HIREDIS_MAJOR >= 1)
typedef long long  ngx_pki_redis_len_t;
typedef size_t     ngx_pki_redis_elements_t;
#else
typedef int        ngx_pki_redis_len_t;
typedef int        ngx_pki_redis_elements_t;
#endif


#endif /* _NGX_PKI_COMPAT_H_INCLUDED_ */
