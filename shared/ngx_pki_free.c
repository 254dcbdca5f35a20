
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_free.h"


#define NGX_PKI_FREE_SLICE  (4 * 1024 * 1024)


/*
 * Whole pages of memory that is on its way back.  It stays allocated until they
 * all have been taken out, so nobody reads there any more and that they are
 * zero then does no harm: what an allocator notes of a block in use lies beside
 * it, and what it writes into a free one comes with a page of its own.
 */

typedef struct {
    void                      *memory;
    u_char                    *pos;
    u_char                    *end;
    ngx_event_t                timer;        /* cancelable */
} ngx_pki_free_t;


static void ngx_pki_free_timer_handler(ngx_event_t *ev);


void
ngx_pki_free_slowly(void *p, size_t size)
{
    uintptr_t        end;
    ngx_pki_free_t  *job;

    job = NULL;

    if (size > NGX_PKI_FREE_SLICE && !ngx_exiting && !ngx_terminate) {
        job = ngx_calloc(sizeof(ngx_pki_free_t), ngx_cycle->log);
    }

    if (job == NULL) {
        ngx_free(p);
        return;
    }

    end = (uintptr_t) p + size;

    job->memory = p;
    job->pos = ngx_align_ptr(p, ngx_pagesize);
    job->end = (u_char *) (end & ~((uintptr_t) ngx_pagesize - 1));

    job->timer.handler = ngx_pki_free_timer_handler;
    job->timer.data = job;
    job->timer.log = ngx_cycle->log;
    job->timer.cancelable = 1;

    ngx_add_timer(&job->timer, 1);
}


/* where the system does not take pages out of allocated memory, free() has to
 * do all of it */

static void
ngx_pki_free_timer_handler(ngx_event_t *ev)
{
    size_t           size;
    ngx_pki_free_t  *job;

    job = ev->data;

    size = ngx_min(job->end - job->pos, NGX_PKI_FREE_SLICE);

    if (size > 0 && madvise(job->pos, size, MADV_DONTNEED) == 0) {
        job->pos += size;

        if (job->pos < job->end) {
            ngx_add_timer(ev, 1);
            return;
        }
    }

    ngx_free(job->memory);
    ngx_free(job);
}
