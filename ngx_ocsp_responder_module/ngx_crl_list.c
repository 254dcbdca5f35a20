
/*
 * Copyright (C) the ngx_pki authors
 *
 * A segment is an array of items in no order; one is looked for from the first
 * to the last.
 *
 * The hash is not keyed.  Serial numbers are chosen by authorities, not by
 * clients: those made here are random, and whoever imports others could put
 * them on a CRL just as well.  If all of them met in one segment, an operation
 * would go through that one, and nothing else would come of it.
 */


#include "ngx_crl_list.h"
#include "ngx_crl.h"


#define NGX_CRL_SEGMENT_MIN  8               /* items, if there are any */

/* items that are gone through at most before a copy returns */

#define NGX_CRL_COPY_MAX     8192

/* FNV-1a of 32 bits */

#define NGX_CRL_FNV_BASIS    0x811c9dc5
#define NGX_CRL_FNV_PRIME    0x01000193


typedef struct {
    uint64_t                   seq;
    uint32_t                   not_after;    /* 0: not known, or after 2106 */
    uint32_t                   mark;         /* not list->mark: it is marked */
    u_char                     entry[NGX_CRL_ENTRY_MAX];
} ngx_crl_item_t;


typedef struct {
    ngx_crl_item_t            *items;        /* NULL: none */
    ngx_uint_t                 count;
    ngx_uint_t                 size;
    ngx_uint_t                 moves;        /* of items, so far */
} ngx_crl_segment_t;


struct ngx_crl_list_s {
    ngx_crl_segment_t         *segments;
    ngx_uint_t                 n;            /* a power of 2 */
    ngx_uint_t                 count;
    size_t                     octets;       /* of entries */
    size_t                     memory;
    uint64_t                   last;
    uint32_t                   mark;
    ngx_log_t                 *log;

    /* among those that are being freed */
    ngx_crl_list_t            *next;
    ngx_uint_t                 freed;        /* segments */
};


/* an entry has less than 128 octets: its length is one */

#define ngx_crl_item_len(item)  ((size_t) 2 + (item)->entry[1])


static ngx_uint_t ngx_crl_is_integer(ngx_pki_serial_t *serial);
static ngx_crl_segment_t *ngx_crl_segment(ngx_crl_list_t *list,
    ngx_pki_serial_t *serial);
static ngx_crl_item_t *ngx_crl_segment_find(ngx_crl_segment_t *segment,
    ngx_pki_serial_t *serial);
static ngx_crl_item_t *ngx_crl_segment_add(ngx_crl_list_t *list,
    ngx_crl_segment_t *segment);
static ngx_int_t ngx_crl_segment_resize(ngx_crl_list_t *list,
    ngx_crl_segment_t *segment, ngx_uint_t size);
static void ngx_crl_item_write(ngx_crl_item_t *item,
    ngx_pki_crl_entry_t *entry);
static void ngx_crl_item_read(ngx_crl_item_t *item,
    ngx_pki_crl_entry_t *entry);
static ngx_uint_t ngx_crl_item_is_out(ngx_crl_item_t *item,
    ngx_crl_filter_t *filter);
static ngx_crl_item_t *ngx_crl_place(ngx_crl_list_t *list,
    ngx_crl_place_t *place);


ngx_crl_list_t *
ngx_crl_list_create(ngx_uint_t segments, ngx_log_t *log)
{
    ngx_crl_list_t  *list;

    list = ngx_calloc(sizeof(ngx_crl_list_t), log);
    if (list == NULL) {
        return NULL;
    }

    list->segments = ngx_calloc(segments * sizeof(ngx_crl_segment_t), log);
    if (list->segments == NULL) {
        ngx_free(list);
        return NULL;
    }

    list->n = segments;
    list->memory = sizeof(ngx_crl_list_t)
                   + segments * sizeof(ngx_crl_segment_t);
    list->log = log;

    return list;
}


void
ngx_crl_list_destroy(ngx_crl_list_t *list)
{
    ngx_crl_list_t  *discarded;

    discarded = NULL;

    ngx_crl_list_discard(&discarded, list);

    (void) ngx_crl_list_reap(&discarded, list->n + 1);
}


void
ngx_crl_list_discard(ngx_crl_list_t **discarded, ngx_crl_list_t *list)
{
    list->next = *discarded;
    list->freed = 0;

    *discarded = list;
}


/* a list itself counts as one of its segments */

ngx_uint_t
ngx_crl_list_reap(ngx_crl_list_t **discarded, ngx_uint_t n)
{
    ngx_crl_list_t  *list;

    for (list = *discarded; list != NULL && n != 0; n--) {

        if (list->freed < list->n) {
            ngx_free(list->segments[list->freed++].items);
            continue;
        }

        *discarded = list->next;

        ngx_free(list->segments);
        ngx_free(list);

        list = *discarded;
    }

    return *discarded != NULL;
}


ngx_uint_t
ngx_crl_list_count(ngx_crl_list_t *list)
{
    return list->count;
}


size_t
ngx_crl_list_size(ngx_crl_list_t *list)
{
    return list->octets;
}


size_t
ngx_crl_list_memory(ngx_crl_list_t *list)
{
    return list->memory;
}


uint64_t
ngx_crl_list_last(ngx_crl_list_t *list)
{
    return list->last;
}


ngx_int_t
ngx_crl_list_put(ngx_crl_list_t *list, ngx_pki_crl_entry_t *entry)
{
    ngx_crl_item_t     *item;
    ngx_crl_segment_t  *segment;

    if (!ngx_crl_is_integer(&entry->serial)) {
        return NGX_DECLINED;
    }

    segment = ngx_crl_segment(list, &entry->serial);
    item = ngx_crl_segment_find(segment, &entry->serial);

    if (item != NULL && item->seq > entry->seq) {
        item->mark = list->mark;
        return NGX_OK;
    }

    if (item != NULL) {
        list->octets -= ngx_crl_item_len(item);

    } else {
        item = ngx_crl_segment_add(list, segment);
        if (item == NULL) {
            return NGX_ERROR;
        }
    }

    ngx_crl_item_write(item, entry);

    item->mark = list->mark;

    list->octets += ngx_crl_item_len(item);
    list->last = ngx_max(list->last, item->seq);

    return NGX_OK;
}


/*
 * Content of an INTEGER in DER (X.690, 8.3).  One that is not would make the
 * whole CRL unreadable, and no certificate has such a number.
 */

static ngx_uint_t
ngx_crl_is_integer(ngx_pki_serial_t *serial)
{
    u_char  *p;

    p = serial->data;

    if (serial->len == 0 || serial->len > NGX_PKI_SERIAL_LEN) {
        return 0;
    }

    return serial->len == 1
           || !((p[0] == 0x00 && p[1] < 0x80) || (p[0] == 0xff && p[1] > 0x7f));
}


ngx_int_t
ngx_crl_list_remove(ngx_crl_list_t *list, ngx_pki_serial_t *serial,
    uint64_t seq)
{
    ngx_crl_item_t     *item;
    ngx_crl_segment_t  *segment;

    segment = ngx_crl_segment(list, serial);
    item = ngx_crl_segment_find(segment, serial);

    if (item == NULL || item->seq > seq) {
        return NGX_DECLINED;
    }

    list->count--;
    list->octets -= ngx_crl_item_len(item);

    segment->count--;
    segment->moves++;

    *item = segment->items[segment->count];

    if (segment->count < segment->size / 4) {

        /* if that fails, it is as large as it was */
        (void) ngx_crl_segment_resize(list, segment, 2 * segment->count);
    }

    return NGX_OK;
}


ngx_int_t
ngx_crl_list_find(ngx_crl_list_t *list, ngx_pki_serial_t *serial,
    ngx_pki_crl_entry_t *entry)
{
    ngx_crl_item_t  *item;

    item = ngx_crl_segment_find(ngx_crl_segment(list, serial), serial);

    if (item == NULL) {
        return NGX_DECLINED;
    }

    ngx_crl_item_read(item, entry);

    return NGX_OK;
}


/* the items need not be touched */

void
ngx_crl_list_mark(ngx_crl_list_t *list)
{
    list->mark++;
}


u_char *
ngx_crl_list_copy(ngx_crl_list_t *list, ngx_crl_place_t *place,
    ngx_crl_filter_t *filter, u_char *out, u_char *end, ngx_uint_t *count)
{
    size_t           len;
    ngx_uint_t       i;
    ngx_crl_item_t  *item;

    for (i = 0; i < NGX_CRL_COPY_MAX; i++) {
        item = ngx_crl_place(list, place);

        if (item == NULL) {
            break;
        }

        if (!ngx_crl_item_is_out(item, filter)) {
            len = ngx_crl_item_len(item);

            if ((size_t) (end - out) < len) {
                break;
            }

            out = ngx_cpymem(out, item->entry, len);
            (*count)++;
        }

        place->item++;
    }

    return out;
}


ngx_int_t
ngx_crl_list_walk(ngx_crl_list_t *list, ngx_crl_place_t *place,
    ngx_uint_t steps, ngx_uint_t marked, ngx_crl_filter_t *filter,
    ngx_crl_list_pt found, void *data)
{
    ngx_int_t             rc;
    ngx_crl_item_t       *item;
    ngx_pki_crl_entry_t   entry;

    while (steps-- != 0) {
        item = ngx_crl_place(list, place);

        if (item == NULL) {
            break;
        }

        place->item++;

        if (marked ? item->mark == list->mark
                   : !ngx_crl_item_is_out(item, filter))
        {
            continue;
        }

        ngx_crl_item_read(item, &entry);

        rc = found(data, &entry);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


ngx_uint_t
ngx_crl_list_is_end(ngx_crl_list_t *list, ngx_crl_place_t *place)
{
    return ngx_crl_place(list, place) == NULL;
}


static ngx_crl_segment_t *
ngx_crl_segment(ngx_crl_list_t *list, ngx_pki_serial_t *serial)
{
    uint32_t    hash;
    ngx_uint_t  i;

    hash = NGX_CRL_FNV_BASIS;

    for (i = 0; i < serial->len; i++) {
        hash = (hash ^ serial->data[i]) * NGX_CRL_FNV_PRIME;
    }

    /* the upper half knows more of the last octets */

    return &list->segments[(hash ^ hash >> 16) & (list->n - 1)];
}


static ngx_crl_item_t *
ngx_crl_segment_find(ngx_crl_segment_t *segment, ngx_pki_serial_t *serial)
{
    size_t       len, middle;
    u_char      *p;
    ngx_uint_t   i;

    len = serial->len;
    middle = len / 2;

    for (i = 0; i < segment->count; i++) {
        p = segment->items[i].entry + NGX_CRL_ENTRY_SERIAL;

        /* one octet tells nearly all of them apart */

        if (p[middle] == serial->data[middle] && p[-1] == len
            && ngx_memcmp(p, serial->data, len) == 0)
        {
            return &segment->items[i];
        }
    }

    return NULL;
}


static ngx_crl_item_t *
ngx_crl_segment_add(ngx_crl_list_t *list, ngx_crl_segment_t *segment)
{
    ngx_uint_t  size;

    if (segment->count == segment->size) {
        size = ngx_max(segment->size + segment->size / 4, NGX_CRL_SEGMENT_MIN);

        if (ngx_crl_segment_resize(list, segment, size) != NGX_OK) {
            return NULL;
        }
    }

    list->count++;

    return &segment->items[segment->count++];
}


/* to no items, too */

static ngx_int_t
ngx_crl_segment_resize(ngx_crl_list_t *list, ngx_crl_segment_t *segment,
    ngx_uint_t size)
{
    ngx_crl_item_t  *items;

    items = NULL;

    if (size != 0) {
        items = ngx_alloc(size * sizeof(ngx_crl_item_t), list->log);
        if (items == NULL) {
            return NGX_ERROR;
        }
    }

    if (items != NULL && segment->count != 0) {
        ngx_memcpy(items, segment->items,
                   segment->count * sizeof(ngx_crl_item_t));
    }

    if (segment->items != NULL) {
        ngx_free(segment->items);
    }

    list->memory += size * sizeof(ngx_crl_item_t);
    list->memory -= segment->size * sizeof(ngx_crl_item_t);

    segment->items = items;
    segment->size = size;

    return NGX_OK;
}


static void
ngx_crl_item_write(ngx_crl_item_t *item, ngx_pki_crl_entry_t *entry)
{
    item->seq = entry->seq;
    item->not_after = 0;

    if (entry->not_after > 0
        && (uint64_t) entry->not_after <= NGX_MAX_UINT32_VALUE)
    {
        item->not_after = (uint32_t) entry->not_after;
    }

    (void) ngx_crl_entry_write(item->entry, entry);
}


static void
ngx_crl_item_read(ngx_crl_item_t *item, ngx_pki_crl_entry_t *entry)
{
    entry->seq = item->seq;
    entry->not_after = item->not_after;

    ngx_crl_entry_read(item->entry, entry);
}


static ngx_uint_t
ngx_crl_item_is_out(ngx_crl_item_t *item, ngx_crl_filter_t *filter)
{
    if (filter == NULL) {
        return 0;
    }

    if (filter->after != 0 && item->seq <= filter->after) {
        return 1;
    }

    return item->not_after != 0 && (time_t) item->not_after < filter->expired
           && item->seq <= filter->listed;
}


/*
 * Where a walk goes on, NULL at the end.  If items of the segment have moved
 * since it came there, it begins with that segment again.
 */

static ngx_crl_item_t *
ngx_crl_place(ngx_crl_list_t *list, ngx_crl_place_t *place)
{
    ngx_crl_segment_t  *segment;

    while (place->segment < list->n) {
        segment = &list->segments[place->segment];

        if (place->moves != segment->moves) {
            place->moves = segment->moves;
            place->item = 0;
        }

        if (place->item < segment->count) {
            return &segment->items[place->item];
        }

        place->segment++;
        place->item = 0;
    }

    return NULL;
}
