
/*
 * Copyright (C) the ngx_pki authors
 *
 * Entries of CRLs in the memory of the worker that builds, as octets that go
 * into a CRL as they are.  They lie in segments by their serial number, so that
 * one is found, replaced or removed at once however many there are.  Pure but
 * for ngx_alloc().
 */


#ifndef _NGX_CRL_LIST_H_INCLUDED_
#define _NGX_CRL_LIST_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_crl.h"


typedef struct ngx_crl_list_s  ngx_crl_list_t;


/* where a walk has come to; zeroed: at the beginning */

typedef struct {
    ngx_uint_t                 segment;
    ngx_uint_t                 item;
    ngx_uint_t                 moves;
} ngx_crl_place_t;


/* of which entries a walk takes notice */

typedef struct {
    uint64_t                   after;        /* seq above it; 0: of all */

    /* not those that expired before "expired" and whose seq is "listed" or
     * less: they were on a CRL since; 0: none of those */
    time_t                     expired;
    uint64_t                   listed;
} ngx_crl_filter_t;


/* "segments" is a power of 2: one for each 100 to 250 entries, through which
 * every operation goes.  NULL: no memory. */
ngx_crl_list_t *ngx_crl_list_create(ngx_uint_t segments, ngx_log_t *log);
void ngx_crl_list_destroy(ngx_crl_list_t *list);

/*
 * Instead of destroy: puts it to those in "discarded", of which reap frees "n"
 * segments; it returns whether there are more.
 */
void ngx_crl_list_discard(ngx_crl_list_t **discarded, ngx_crl_list_t *list);
ngx_uint_t ngx_crl_list_reap(ngx_crl_list_t **discarded, ngx_uint_t n);

ngx_uint_t ngx_crl_list_count(ngx_crl_list_t *list);
size_t ngx_crl_list_size(ngx_crl_list_t *list);      /* octets of entries */
size_t ngx_crl_list_memory(ngx_crl_list_t *list);    /* octets allocated */
uint64_t ngx_crl_list_last(ngx_crl_list_t *list);    /* the highest seq put */

/*
 * Adds or replaces; one with a higher seq stays as it is.  Takes away the mark
 * in any case.  NGX_ERROR: no memory, all is as it was.  NGX_DECLINED: so it
 * is, too: no certificate can have this serial number, and no CRL.
 */
ngx_int_t ngx_crl_list_put(ngx_crl_list_t *list, ngx_pki_crl_entry_t *entry);

/* Removes it.  NGX_DECLINED: it is not there, or stays, its seq is higher. */
ngx_int_t ngx_crl_list_remove(ngx_crl_list_t *list, ngx_pki_serial_t *serial,
    uint64_t seq);

/* NGX_DECLINED: it is not there. */
ngx_int_t ngx_crl_list_find(ngx_crl_list_t *list, ngx_pki_serial_t *serial,
    ngx_pki_crl_entry_t *entry);

/* Marks all entries, whoever is put again loses the mark. */
void ngx_crl_list_mark(ngx_crl_list_t *list);

/*
 * Copies octets of entries from "place" on to "out", as long as they fit before
 * "end", and moves "place"; returns the end of what was copied, adds to "count"
 * how many.  Returns earlier if it has gone through some thousands, perhaps all
 * left out by the filter: call it until is_end.  The list must not change from
 * the first call to the last.
 */
u_char *ngx_crl_list_copy(ngx_crl_list_t *list, ngx_crl_place_t *place,
    ngx_crl_filter_t *filter, u_char *out, u_char *end, ngx_uint_t *count);

/*
 * Goes through up to "steps" entries from "place" on; calls "found" for the
 * marked ones ("marked" set, no filter) or for those that the filter leaves
 * out; ends behind one for which that does not return NGX_OK, and returns it.
 * The list may change between calls, some may come twice then, not in "found".
 */
typedef ngx_int_t (*ngx_crl_list_pt)(void *data, ngx_pki_crl_entry_t *entry);

ngx_int_t ngx_crl_list_walk(ngx_crl_list_t *list, ngx_crl_place_t *place,
    ngx_uint_t steps, ngx_uint_t marked, ngx_crl_filter_t *filter,
    ngx_crl_list_pt found, void *data);

ngx_uint_t ngx_crl_list_is_end(ngx_crl_list_t *list, ngx_crl_place_t *place);


#endif /* _NGX_CRL_LIST_H_INCLUDED_ */
