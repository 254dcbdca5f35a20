
/*
 * Copyright (C) the ngx_pki authors
 *
 * The list of entries that a worker builds CRLs from, against an array that is
 * as simple as can be: the first octet of the input says how many segments,
 * then four octets are an operation: which, on whom, when, how.
 */


#include "fuzz.h"
#include "ngx_crl.h"
#include "ngx_crl_list.h"
#include "ngx_pki_der.h"


#define FUZZ_ENTRIES     256
#define FUZZ_OPERATIONS  400
#define FUZZ_SLICE       150                 /* octets: two entries or three */

#define fuzz_check(truth)                                                    \
    if (!(truth)) {                                                          \
        abort();                                                             \
    }


typedef struct {
    ngx_pki_crl_entry_t        entry;
    unsigned                   there:1;
    unsigned                   marked:1;
    unsigned                   seen:1;       /* by the walk */
} fuzz_item_t;


static void fuzz_operation(ngx_crl_list_t *list, const uint8_t *op);
static void fuzz_serial(ngx_pki_serial_t *serial, ngx_uint_t key);
static void fuzz_put(ngx_crl_list_t *list, const uint8_t *op);
static void fuzz_remove(ngx_crl_list_t *list, const uint8_t *op);
static void fuzz_find(ngx_crl_list_t *list, ngx_uint_t key);
static void fuzz_mark(ngx_crl_list_t *list);
static void fuzz_copy_out(ngx_crl_list_t *list, const uint8_t *op);
static void fuzz_copied(u_char *p, u_char *last);
static void fuzz_walk(ngx_crl_list_t *list, const uint8_t *op);
static ngx_int_t fuzz_found(void *data, ngx_pki_crl_entry_t *entry);
static ngx_int_t fuzz_prune(void *data, ngx_pki_crl_entry_t *entry);
static void fuzz_filter(ngx_crl_filter_t *filter, const uint8_t *op);
static ngx_uint_t fuzz_is_out(fuzz_item_t *item, ngx_crl_filter_t *filter);
static fuzz_item_t *fuzz_look(ngx_pki_serial_t *serial);
static void fuzz_same(ngx_pki_crl_entry_t *one, ngx_pki_crl_entry_t *two);
static void fuzz_sums(ngx_crl_list_t *list);


static fuzz_item_t  fuzz_items[FUZZ_ENTRIES];


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_uint_t       n;
    ngx_pool_t      *pool;
    ngx_crl_list_t  *list;

    if (size == 0) {
        return 0;
    }

    pool = fuzz_pool();

    ngx_memzero(fuzz_items, sizeof(fuzz_items));

    list = ngx_crl_list_create(1 << data[0] % 4, pool->log);
    fuzz_check(list != NULL);

    data++;
    size--;

    for (n = 0; size >= 4 && n < FUZZ_OPERATIONS; n++) {
        fuzz_operation(list, data);
        fuzz_sums(list);

        data += 4;
        size -= 4;
    }

    ngx_crl_list_destroy(list);

    fuzz_done(pool);

    return 0;
}


static void
fuzz_operation(ngx_crl_list_t *list, const uint8_t *op)
{
    switch (op[0] % 16) {

    case 0:
        fuzz_mark(list);
        break;

    case 1:
        fuzz_copy_out(list, op);
        break;

    case 2:
        fuzz_walk(list, op);
        break;

    case 3:
        fuzz_find(list, op[1]);
        break;

    case 4:
    case 5:
    case 6:
        fuzz_remove(list, op);
        break;

    default:
        fuzz_put(list, op);
    }
}


/* no two keys have the same one; that of 0xff is none in DER */

static void
fuzz_serial(ngx_pki_serial_t *serial, ngx_uint_t key)
{
    serial->len = (u_char) (1 + key % NGX_PKI_SERIAL_LEN);
    ngx_memset(serial->data, (int) key, serial->len);
}


static void
fuzz_put(ngx_crl_list_t *list, const uint8_t *op)
{
    ngx_int_t             rc;
    fuzz_item_t          *item;
    ngx_pki_crl_entry_t   entry;

    fuzz_serial(&entry.serial, op[1]);

    entry.seq = op[2];
    entry.reason = op[3] % 11;
    entry.revoked_at = (time_t) op[3] * 10000019;
    entry.not_after = (op[0] & 0x80) ? (time_t) op[2] << 32 : op[3];

    rc = ngx_crl_list_put(list, &entry);

    if (op[1] == 0xff) {
        fuzz_check(rc == NGX_DECLINED);
        return;
    }

    fuzz_check(rc == NGX_OK);

    if (entry.not_after > 0xffffffff) {
        entry.not_after = 0;
    }

    item = &fuzz_items[op[1]];

    if (!item->there || item->entry.seq <= entry.seq) {
        item->entry = entry;
    }

    item->there = 1;
    item->marked = 0;
}


static void
fuzz_remove(ngx_crl_list_t *list, const uint8_t *op)
{
    ngx_int_t          rc;
    fuzz_item_t       *item;
    ngx_pki_serial_t   serial;

    fuzz_serial(&serial, op[1]);
    item = &fuzz_items[op[1]];

    rc = ngx_crl_list_remove(list, &serial, op[2]);

    if (!item->there || item->entry.seq > op[2]) {
        fuzz_check(rc == NGX_DECLINED);
        return;
    }

    fuzz_check(rc == NGX_OK);
    item->there = 0;
}


static void
fuzz_find(ngx_crl_list_t *list, ngx_uint_t key)
{
    ngx_int_t             rc;
    fuzz_item_t          *item;
    ngx_pki_serial_t      serial;
    ngx_pki_crl_entry_t   entry;

    fuzz_serial(&serial, key);
    item = &fuzz_items[key];

    rc = ngx_crl_list_find(list, &serial, &entry);

    if (!item->there) {
        fuzz_check(rc == NGX_DECLINED);
        return;
    }

    fuzz_check(rc == NGX_OK);
    fuzz_same(&entry, &item->entry);
}


static void
fuzz_mark(ngx_crl_list_t *list)
{
    ngx_uint_t  i;

    ngx_crl_list_mark(list);

    for (i = 0; i < FUZZ_ENTRIES; i++) {
        fuzz_items[i].marked = 1;
    }
}


static void
fuzz_copy_out(ngx_crl_list_t *list, const uint8_t *op)
{
    u_char            slice[FUZZ_SLICE], *last;
    ngx_uint_t        i, n, count;
    ngx_crl_place_t   place;
    ngx_crl_filter_t  filter;

    fuzz_filter(&filter, op);
    ngx_memzero(&place, sizeof(ngx_crl_place_t));

    n = 0;
    count = 0;

    for (i = 0; i < FUZZ_ENTRIES; i++) {
        fuzz_items[i].seen = 0;
        n += fuzz_items[i].there && !fuzz_is_out(&fuzz_items[i], &filter);
    }

    while (!ngx_crl_list_is_end(list, &place)) {
        last = ngx_crl_list_copy(list, &place, &filter, slice,
                                 slice + FUZZ_SLICE, &count);
        fuzz_copied(slice, last);
    }

    fuzz_check(count == n);
}


static void
fuzz_copied(u_char *p, u_char *last)
{
    ngx_str_t             in, serial;
    fuzz_item_t          *item;
    ngx_pki_der_t         der, entry;
    ngx_pki_crl_entry_t   read;

    in.data = p;
    in.len = last - p;

    ngx_pki_der_init(&der, &in);

    while (!ngx_pki_der_end(&der)) {
        ngx_crl_entry_read(der.pos, &read);

        fuzz_check(ngx_pki_der_enter(&der, NGX_PKI_DER_SEQUENCE, &entry)
                   == NGX_OK);
        fuzz_check(ngx_pki_der_get(&entry, NGX_PKI_DER_INTEGER, &serial)
                   == NGX_OK);
        fuzz_check(serial.len == read.serial.len);

        item = fuzz_look(&read.serial);

        read.seq = item->entry.seq;
        read.not_after = item->entry.not_after;

        fuzz_same(&read, &item->entry);
    }
}


/* what a filter leaves out; in slices, and by "op" removed in between */

static void
fuzz_walk(ngx_crl_list_t *list, const uint8_t *op)
{
    ngx_uint_t           i, marked, prune;
    ngx_crl_place_t      place;
    ngx_crl_filter_t     filter;
    ngx_pki_crl_entry_t  entry;

    marked = op[3] & 1;
    prune = op[3] & 2;

    fuzz_filter(&filter, op);
    ngx_memzero(&place, sizeof(ngx_crl_place_t));

    for (i = 0; i < FUZZ_ENTRIES; i++) {
        fuzz_items[i].seen = 0;
    }

    while (!ngx_crl_list_is_end(list, &place)) {

        if (ngx_crl_list_walk(list, &place, 1 + op[2] % 8, marked, &filter,
                              prune ? fuzz_prune : fuzz_found, &entry)
            == NGX_DONE)
        {
            fuzz_check(ngx_crl_list_remove(list, &entry.serial, entry.seq)
                       == NGX_OK);
            fuzz_look(&entry.serial)->there = 0;
        }
    }

    for (i = 0; i < FUZZ_ENTRIES; i++) {

        if (fuzz_items[i].there) {
            fuzz_check(fuzz_items[i].seen
                       == (marked ? fuzz_items[i].marked
                                  : fuzz_is_out(&fuzz_items[i], &filter)));
            fuzz_check(!prune || !fuzz_items[i].seen);
        }
    }
}


static ngx_int_t
fuzz_found(void *data, ngx_pki_crl_entry_t *entry)
{
    fuzz_item_t  *item;

    item = fuzz_look(&entry->serial);
    fuzz_same(entry, &item->entry);

    return NGX_OK;
}


static ngx_int_t
fuzz_prune(void *data, ngx_pki_crl_entry_t *entry)
{
    (void) fuzz_found(NULL, entry);

    *(ngx_pki_crl_entry_t *) data = *entry;

    return NGX_DONE;
}


static void
fuzz_filter(ngx_crl_filter_t *filter, const uint8_t *op)
{
    filter->after = (op[1] & 1) ? op[2] : 0;
    filter->expired = (op[1] & 2) ? op[2] : 0;
    filter->listed = op[1];
}


static ngx_uint_t
fuzz_is_out(fuzz_item_t *item, ngx_crl_filter_t *filter)
{
    return (filter->after != 0 && item->entry.seq <= filter->after)
           || (item->entry.not_after != 0
               && item->entry.not_after < filter->expired
               && item->entry.seq <= filter->listed);
}


/* one that is there, and not seen before */

static fuzz_item_t *
fuzz_look(ngx_pki_serial_t *serial)
{
    fuzz_item_t  *item;

    item = &fuzz_items[serial->data[0]];

    fuzz_check(item->there);
    item->seen = 1;

    return item;
}


static void
fuzz_same(ngx_pki_crl_entry_t *one, ngx_pki_crl_entry_t *two)
{
    fuzz_check(one->serial.len == two->serial.len
               && ngx_memcmp(one->serial.data, two->serial.data,
                             one->serial.len)
                  == 0
               && one->reason == two->reason
               && one->revoked_at == two->revoked_at
               && one->not_after == two->not_after
               && one->seq == two->seq);
}


static void
fuzz_sums(ngx_crl_list_t *list)
{
    size_t      size;
    u_char      buf[NGX_CRL_ENTRY_MAX];
    ngx_uint_t  i, n;

    n = 0;
    size = 0;

    for (i = 0; i < FUZZ_ENTRIES; i++) {

        if (fuzz_items[i].there) {
            n++;
            size += ngx_crl_entry_write(buf, &fuzz_items[i].entry) - buf;
        }
    }

    fuzz_check(ngx_crl_list_count(list) == n);
    fuzz_check(ngx_crl_list_size(list) == size);
    fuzz_check(ngx_crl_list_memory(list) >= size);
}
