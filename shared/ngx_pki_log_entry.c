
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_log_entry.h"
#include "ngx_pki_record.h"


typedef struct {
    ngx_str_t                  number;       /* n */
    ngx_str_t                  type;         /* t */
    ngx_str_t                  serial;       /* s */
    ngx_str_t                  status;       /* st */
    ngx_str_t                  at;
    ngx_str_t                  reason;       /* r */
    ngx_str_t                  not_after;    /* na */
    ngx_str_t                  list;         /* l */
    ngx_str_t                  crl_number;   /* number */
    ngx_str_t                  seq;
    ngx_str_t                  this_update;  /* tu */
    ngx_str_t                  next_update;  /* nu */
} ngx_pki_log_fields_t;


static ngx_int_t ngx_pki_log_entry_collect(ngx_str_t *fields, ngx_uint_t n,
    ngx_pki_log_fields_t *f);
static ngx_pki_log_type_e ngx_pki_log_entry_type(ngx_str_t *name);
static ngx_int_t ngx_pki_log_entry_crl(ngx_pki_log_fields_t *f,
    ngx_pki_log_entry_t *entry);
static ngx_int_t ngx_pki_log_entry_status(ngx_pki_log_fields_t *f,
    ngx_pki_log_entry_t *entry);
static ngx_int_t ngx_pki_log_entry_match(ngx_pki_log_entry_t *entry);


#define ngx_pki_log_field(name, member)                                      \
    { ngx_string(name), offsetof(ngx_pki_log_fields_t, member) }

static struct {
    ngx_str_t                  name;
    size_t                     offset;
} ngx_pki_log_fields[] = {
    ngx_pki_log_field("n", number),
    ngx_pki_log_field("t", type),
    ngx_pki_log_field("s", serial),
    ngx_pki_log_field("st", status),
    ngx_pki_log_field("at", at),
    ngx_pki_log_field("r", reason),
    ngx_pki_log_field("na", not_after),
    ngx_pki_log_field("l", list),
    ngx_pki_log_field("number", crl_number),
    ngx_pki_log_field("seq", seq),
    ngx_pki_log_field("tu", this_update),
    ngx_pki_log_field("nu", next_update)
};

#define NGX_PKI_LOG_FIELDS                                                   \
    (sizeof(ngx_pki_log_fields) / sizeof(ngx_pki_log_fields[0]))


/* in the order of ngx_pki_log_type_e */

static ngx_str_t  ngx_pki_log_types[] = {
    ngx_string("issued"),
    ngx_string("revoked"),
    ngx_string("held"),
    ngx_string("released"),
    ngx_string("crl")
};


ngx_int_t
ngx_pki_log_entry_decode(ngx_str_t *fields, ngx_uint_t n,
    ngx_pki_log_entry_t *entry)
{
    ngx_pki_log_fields_t  f;

    ngx_memzero(entry, sizeof(ngx_pki_log_entry_t));

    if (ngx_pki_log_entry_collect(fields, n, &f) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_pki_number_parse(&f.number, NGX_PKI_NUMBER_MAX, &entry->number)
        != NGX_OK
        || entry->number == 0 || f.type.len == 0)
    {
        return NGX_ERROR;
    }

    entry->type = ngx_pki_log_entry_type(&f.type);
    entry->status.version = entry->number;

    if (entry->type == NGX_PKI_LOG_CRL) {
        return ngx_pki_log_entry_crl(&f, entry);
    }

    if (entry->type == NGX_PKI_LOG_OTHER && f.serial.len == 0) {
        return NGX_OK;
    }

    return ngx_pki_log_entry_status(&f, entry);
}


ngx_int_t
ngx_pki_log_id_check(ngx_str_t *id)
{
    size_t     i;
    uint64_t   number;
    ngx_str_t  part;

    for (i = 0; i < id->len && id->data[i] != '-'; i++) { /* void */ }

    if (i == id->len) {
        return NGX_ERROR;
    }

    part.data = id->data;
    part.len = i;

    if (ngx_pki_number_parse(&part, UINT64_MAX, &number) != NGX_OK) {
        return NGX_ERROR;
    }

    part.data = id->data + i + 1;
    part.len = id->len - i - 1;

    return ngx_pki_number_parse(&part, UINT64_MAX, &number);
}


static ngx_int_t
ngx_pki_log_entry_collect(ngx_str_t *fields, ngx_uint_t n,
    ngx_pki_log_fields_t *f)
{
    ngx_str_t   *name, *value;
    ngx_uint_t   i, k;

    ngx_memzero(f, sizeof(ngx_pki_log_fields_t));

    if (n % 2 != 0) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i += 2) {

        for (k = 0; k < NGX_PKI_LOG_FIELDS; k++) {
            name = &ngx_pki_log_fields[k].name;

            if (name->len != fields[i].len
                || ngx_memcmp(name->data, fields[i].data, name->len) != 0)
            {
                continue;
            }

            value = (ngx_str_t *) ((u_char *) f + ngx_pki_log_fields[k].offset);

            if (value->len != 0) {
                return NGX_ERROR;
            }

            *value = fields[i + 1];
            break;
        }
    }

    return NGX_OK;
}


static ngx_pki_log_type_e
ngx_pki_log_entry_type(ngx_str_t *name)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_PKI_LOG_OTHER; i++) {

        if (ngx_pki_log_types[i].len == name->len
            && ngx_memcmp(ngx_pki_log_types[i].data, name->data, name->len)
               == 0)
        {
            break;
        }
    }

    return (ngx_pki_log_type_e) i;
}


/*
 * Only the number must be there.  A CRL that is not known here is one of a
 * later version.
 */

static ngx_int_t
ngx_pki_log_entry_crl(ngx_pki_log_fields_t *f, ngx_pki_log_entry_t *entry)
{
    ngx_pki_crl_meta_t  *crl;

    crl = &entry->crl;

    if (ngx_pki_number_parse(&f->crl_number, NGX_PKI_NUMBER_MAX, &crl->number)
        != NGX_OK
        || (f->seq.len != 0
            && ngx_pki_number_parse(&f->seq, NGX_PKI_NUMBER_MAX, &crl->seq)
               != NGX_OK)
        || (f->this_update.len != 0
            && ngx_pki_time_parse(&f->this_update, &crl->this_update)
               != NGX_OK)
        || (f->next_update.len != 0
            && ngx_pki_time_parse(&f->next_update, &crl->next_update)
               != NGX_OK))
    {
        return NGX_ERROR;
    }

    entry->list = NGX_PKI_CRL_FULL;

    if (f->list.len != 0
        && ngx_pki_crl_parse(&f->list, &entry->list) != NGX_OK)
    {
        entry->type = NGX_PKI_LOG_OTHER;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_pki_log_entry_status(ngx_pki_log_fields_t *f, ngx_pki_log_entry_t *entry)
{
    ngx_pki_zone_status_t  *s;

    s = &entry->status;

    if (ngx_pki_serial_parse(&f->serial, &entry->serial) != NGX_OK
        || ngx_pki_status_parse(&f->status, &s->status) != NGX_OK
        || ngx_pki_time_parse(&f->not_after, &s->not_after) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (s->status != NGX_PKI_STATUS_GOOD
        && (ngx_pki_time_parse(&f->at, &s->revoked_at) != NGX_OK
            || ngx_pki_reason_decode(&f->reason, &s->reason) != NGX_OK))
    {
        return NGX_ERROR;
    }

    if (entry->type == NGX_PKI_LOG_RELEASED
        && ngx_pki_time_parse(&f->at, &entry->released_at) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_pki_status_check(s->status, s->reason, s->revoked_at) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_pki_log_entry_match(entry);
}


/* the type must say the same as the status */

static ngx_int_t
ngx_pki_log_entry_match(ngx_pki_log_entry_t *entry)
{
    ngx_pki_status_e  status;

    switch (entry->type) {

    case NGX_PKI_LOG_ISSUED:
    case NGX_PKI_LOG_RELEASED:
        status = NGX_PKI_STATUS_GOOD;
        break;

    case NGX_PKI_LOG_REVOKED:
        status = NGX_PKI_STATUS_REVOKED;
        break;

    case NGX_PKI_LOG_HELD:
        status = NGX_PKI_STATUS_HOLD;
        break;

    default:
        return NGX_OK;
    }

    return entry->status.status == status ? NGX_OK : NGX_ERROR;
}
