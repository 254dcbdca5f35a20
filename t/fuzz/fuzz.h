
/*
 * Copyright (C) the ngx_pki authors
 *
 * What every fuzz target starts from.  A target is one file t/fuzz/fuzz_x.c:
 *
 *     #include "fuzz.h"
 *     #include "ngx_pki_x.h"
 *
 *     int
 *     LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
 *     {
 *         ngx_pool_t  *pool;
 *
 *         pool = fuzz_pool();
 *         (void) ngx_pki_x_decode(pool, ...);
 *         fuzz_done(pool);
 *
 *         return 0;
 *     }
 *
 * Seeds lie in t/fuzz/seeds/fuzz_x/.
 */


#ifndef _FUZZ_H_INCLUDED_
#define _FUZZ_H_INCLUDED_


#include <stdint.h>

#include "ngx_pki.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static ngx_log_t         fuzz_log;
static ngx_open_file_t   fuzz_log_file;
static ngx_cycle_t       fuzz_cycle;


/* A pool for one input; the first call prepares what nginx expects. */

static inline ngx_pool_t *
fuzz_pool(void)
{
    ngx_pool_t  *pool;

    if (ngx_pagesize == 0) {
        ngx_pagesize = getpagesize();
        ngx_pagesize_shift = 12;
        ngx_cacheline_size = 64;
        ngx_pid = getpid();

        ngx_time_init();

        fuzz_log_file.fd = NGX_INVALID_FILE;
        fuzz_log.file = &fuzz_log_file;
        fuzz_log.log_level = 0;
        fuzz_cycle.log = &fuzz_log;
        ngx_cycle = &fuzz_cycle;
    }

    pool = ngx_create_pool(4096, &fuzz_log);
    if (pool == NULL) {
        abort();
    }

    return pool;
}


/* A copy of the input in memory of its exact size: reading past it shows. */

static inline u_char *
fuzz_copy(ngx_pool_t *pool, const uint8_t *data, size_t size)
{
    u_char  *p;

    p = ngx_pnalloc(pool, size ? size : 1);
    if (p == NULL) {
        abort();
    }

    ngx_memcpy(p, data, size);

    return p;
}


/* Frees the pool and forgets what OpenSSL complained of. */

static inline void
fuzz_done(ngx_pool_t *pool)
{
    ERR_clear_error();
    ngx_destroy_pool(pool);
}


#endif /* _FUZZ_H_INCLUDED_ */
