
/*
 * Copyright (C) the ngx_pki authors
 *
 * CRLs of any times, numbers and entries, as the responder writes them: OpenSSL
 * reads each one, and finds in it what it was made of.  The first octets of the
 * input are those of the head, then twelve are an entry.
 */


#include "fuzz.h"
#include "ngx_crl.h"
#include "ngx_pki_ca.h"
#include "ngx_pki_der.h"

#include <openssl/x509v3.h>


#define FUZZ_HEAD     32
#define FUZZ_ENTRY    12
#define FUZZ_ENTRIES  64

#define fuzz_check(truth)                                                    \
    if (!(truth)) {                                                          \
        abort();                                                             \
    }


typedef struct {
    ngx_crl_t                  crl;
    ngx_pki_crl_entry_t        entries[FUZZ_ENTRIES];
    ngx_uint_t                 n;
} fuzz_t;


static void fuzz_read(fuzz_t *f, const uint8_t *data, size_t size);
static uint64_t fuzz_number(const uint8_t *p, size_t len);
static void fuzz_entry(ngx_pki_crl_entry_t *entry, ngx_uint_t n,
    const uint8_t *p);
static void fuzz_write(ngx_pool_t *pool, fuzz_t *f, ngx_str_t *der);
static void fuzz_list(fuzz_t *f, ngx_str_t *entries);
static void fuzz_open(fuzz_t *f, ngx_str_t *der);
static void fuzz_open_entries(fuzz_t *f, X509_CRL *x);
static void fuzz_open_extensions(ngx_pool_t *pool, fuzz_t *f, X509_CRL *x);
static void fuzz_open_number(X509_CRL *x, int nid, int critical,
    uint64_t number);
static void fuzz_open_points(ngx_pool_t *pool, fuzz_t *f, X509_CRL *x);
static ASN1_OCTET_STRING *fuzz_extension(X509_CRL *x, int nid, int critical);
static void fuzz_time(const ASN1_TIME *time, time_t t);


/* ecdsa-with-SHA256; CN=fuzz; an AKI of two octets */

static ngx_str_t  fuzz_algorithm =
    ngx_string("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02");
static ngx_str_t  fuzz_issuer =
    ngx_string("\x30\x0f\x31\x0d\x30\x0b\x06\x03\x55\x04\x03\x0c\x04" "fuzz");
static ngx_str_t  fuzz_aki =
    ngx_string("\x30\x0d\x06\x03\x55\x1d\x23\x04\x06\x30\x04\x80\x02" "id");
static ngx_str_t  fuzz_signature = ngx_string("not one");

static u_char  fuzz_url[256];


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_t       f;
    ngx_str_t    der;
    ngx_pool_t  *pool;

    if (size < FUZZ_HEAD) {
        return 0;
    }

    pool = fuzz_pool();

    fuzz_read(&f, data, size);
    fuzz_write(pool, &f, &der);
    fuzz_open(&f, &der);

    fuzz_done(pool);

    return 0;
}


static void
fuzz_read(fuzz_t *f, const uint8_t *data, size_t size)
{
    ngx_memzero(f, sizeof(fuzz_t));
    ngx_memset(fuzz_url, 'u', sizeof(fuzz_url));

    f->crl.algorithm = &fuzz_algorithm;
    f->crl.issuer = &fuzz_issuer;
    f->crl.aki = &fuzz_aki;
    f->crl.number = fuzz_number(data, 8);
    f->crl.base = fuzz_number(data + 8, 8);
    f->crl.this_update = (time_t) fuzz_number(data + 16, 4);
    f->crl.next_update = (time_t) fuzz_number(data + 20, 4);
    f->crl.shard_url.data = fuzz_url;
    f->crl.shard_url.len = data[24];
    f->crl.delta_url.data = fuzz_url;
    f->crl.delta_url.len = data[25];

    data += FUZZ_HEAD;
    size -= FUZZ_HEAD;

    while (size >= FUZZ_ENTRY && f->n < FUZZ_ENTRIES) {
        fuzz_entry(&f->entries[f->n], f->n, data);

        f->n++;
        data += FUZZ_ENTRY;
        size -= FUZZ_ENTRY;
    }
}


static uint64_t
fuzz_number(const uint8_t *p, size_t len)
{
    uint64_t  n;

    for (n = 0; len != 0; len--) {
        n = n << 8 | *p++;
    }

    return n;
}


/* the serial numbers are all different, and content of an INTEGER */

static void
fuzz_entry(ngx_pki_crl_entry_t *entry, ngx_uint_t n, const uint8_t *p)
{
    entry->serial.len = (u_char) (2 + p[0] % (NGX_PKI_SERIAL_LEN - 1));
    ngx_memset(entry->serial.data, p[1], entry->serial.len);

    entry->serial.data[0] = (u_char) (0x40 | n);

    entry->reason = p[2] % 11;
    entry->reason += (entry->reason == 7);    /* there is none of it */

    entry->revoked_at = (time_t) fuzz_number(p + 4, 4)
                        + ((p[3] & 1) ? (time_t) 1 << 36 : 0);
}


static void
fuzz_write(ngx_pool_t *pool, fuzz_t *f, ngx_str_t *der)
{
    u_char     *p;
    ngx_str_t   entries, head, tail, first, last;

    entries.data = ngx_pnalloc(pool, FUZZ_ENTRIES * NGX_CRL_ENTRY_MAX);
    fuzz_check(entries.data != NULL);

    fuzz_list(f, &entries);

    fuzz_check(ngx_crl_frame(pool, &f->crl, entries.len, &head, &tail)
               == NGX_OK);
    fuzz_check(ngx_crl_seal(pool, &f->crl, head.len + entries.len + tail.len,
                            &fuzz_signature, &first, &last)
               == NGX_OK);

    der->len = first.len + head.len + entries.len + tail.len + last.len;
    der->data = ngx_pnalloc(pool, der->len);
    fuzz_check(der->data != NULL);

    p = ngx_cpymem(der->data, first.data, first.len);
    p = ngx_cpymem(p, head.data, head.len);
    p = ngx_cpymem(p, entries.data, entries.len);
    p = ngx_cpymem(p, tail.data, tail.len);

    ngx_memcpy(p, last.data, last.len);
}


static void
fuzz_list(fuzz_t *f, ngx_str_t *entries)
{
    u_char               *p, *end;
    ngx_uint_t            i;
    ngx_pki_crl_entry_t  *entry, read;

    p = entries->data;

    for (i = 0; i < f->n; i++) {
        entry = &f->entries[i];

        end = ngx_crl_entry_write(p, entry);
        ngx_crl_entry_read(p, &read);

        fuzz_check(end - p <= NGX_CRL_ENTRY_MAX);
        fuzz_check(read.serial.len == entry->serial.len
                   && ngx_memcmp(read.serial.data, entry->serial.data,
                                 entry->serial.len)
                      == 0
                   && read.revoked_at == entry->revoked_at
                   && read.reason == entry->reason);

        p = end;
    }

    entries->len = p - entries->data;
}


static void
fuzz_open(fuzz_t *f, ngx_str_t *der)
{
    unsigned char        *again;
    X509_CRL             *x;
    ngx_pool_t           *pool;
    const unsigned char  *p;

    p = der->data;

    x = d2i_X509_CRL(NULL, &p, der->len);
    fuzz_check(x != NULL && p == der->data + der->len);

    again = NULL;
    fuzz_check(i2d_re_X509_CRL_tbs(x, &again) > 0);
    OPENSSL_free(again);

    fuzz_check(X509_CRL_get_version(x) == X509_CRL_VERSION_2);

    fuzz_time(X509_CRL_get0_lastUpdate(x), f->crl.this_update);
    fuzz_time(X509_CRL_get0_nextUpdate(x), f->crl.next_update);

    pool = fuzz_pool();

    fuzz_open_entries(f, x);
    fuzz_open_extensions(pool, f, x);

    ngx_destroy_pool(pool);
    X509_CRL_free(x);
}


static void
fuzz_open_entries(fuzz_t *f, X509_CRL *x)
{
    ngx_int_t                  reason;
    ngx_uint_t                 i;
    X509_REVOKED              *revoked;
    const ASN1_INTEGER        *serial;
    ASN1_ENUMERATED           *e;
    STACK_OF(X509_REVOKED)    *list;

    list = X509_CRL_get_REVOKED(x);

    /* RFC 5280, 5.1.2.6: absent, not empty */

    fuzz_check(f->n == 0 ? list == NULL
                         : sk_X509_REVOKED_num(list) == (int) f->n);

    for (i = 0; i < f->n; i++) {
        revoked = sk_X509_REVOKED_value(list, (int) i);
        serial = X509_REVOKED_get0_serialNumber(revoked);

        fuzz_check(ASN1_STRING_length(serial) == f->entries[i].serial.len
                   && ngx_memcmp(ASN1_STRING_get0_data(serial),
                                 f->entries[i].serial.data,
                                 f->entries[i].serial.len)
                      == 0);

        fuzz_time(X509_REVOKED_get0_revocationDate(revoked),
                  f->entries[i].revoked_at);

        e = X509_REVOKED_get_ext_d2i(revoked, NID_crl_reason, NULL, NULL);
        reason = (e != NULL) ? ASN1_ENUMERATED_get(e) : 0;
        fuzz_check(reason == f->entries[i].reason && (e == NULL || reason));
        ASN1_ENUMERATED_free(e);
    }
}


static void
fuzz_open_extensions(ngx_pool_t *pool, fuzz_t *f, X509_CRL *x)
{
    fuzz_open_number(x, NID_crl_number, 0, f->crl.number);

    if (f->crl.base != 0) {
        fuzz_open_number(x, NID_delta_crl, 1, f->crl.base);
    }

    fuzz_check(fuzz_extension(x, NID_authority_key_identifier, 0) != NULL);

    fuzz_check(X509_CRL_get_ext_count(x)
               == 2 + (f->crl.base != 0) + (f->crl.shard_url.len != 0)
                  + (f->crl.delta_url.len != 0));

    fuzz_open_points(pool, f, x);
}


static void
fuzz_open_number(X509_CRL *x, int nid, int critical, uint64_t number)
{
    uint64_t       read;
    ASN1_INTEGER  *n;

    fuzz_check(fuzz_extension(x, nid, critical) != NULL);

    n = X509_CRL_get_ext_d2i(x, nid, NULL, NULL);

    fuzz_check(n != NULL && ASN1_INTEGER_get_uint64(&read, n) == 1
               && read == number);

    ASN1_INTEGER_free(n);
}


/* the octets of the name are those that a certificate has */

static void
fuzz_open_points(ngx_pool_t *pool, fuzz_t *f, X509_CRL *x)
{
    ngx_str_t              point, points;
    ASN1_OCTET_STRING     *value;
    ISSUING_DIST_POINT    *idp;
    ngx_pki_der_writer_t   w;

    if (f->crl.delta_url.len != 0) {
        value = fuzz_extension(x, NID_freshest_crl, 0);

        fuzz_check(ngx_pki_der_writer_init(&w, pool, 64) == NGX_OK);
        ngx_pki_ca_put_points(&w, &f->crl.delta_url);

        fuzz_check(ngx_pki_der_finish(&w, &points) == NGX_OK
                   && value != NULL && value->length == (int) points.len
                   && ngx_memcmp(value->data, points.data, points.len) == 0);
    }

    if (f->crl.shard_url.len != 0) {
        value = fuzz_extension(x, NID_issuing_distribution_point, 1);

        fuzz_check(ngx_pki_der_writer_init(&w, pool, 64) == NGX_OK);
        ngx_pki_ca_put_point(&w, &f->crl.shard_url);

        fuzz_check(ngx_pki_der_finish(&w, &point) == NGX_OK
                   && value != NULL && value->length > (int) point.len);
        fuzz_check(ngx_memcmp(value->data + value->length - point.len - 3,
                              point.data, point.len)
                   == 0);

        idp = X509_CRL_get_ext_d2i(x, NID_issuing_distribution_point, NULL,
                                   NULL);
        fuzz_check(idp != NULL && idp->onlyuser && !idp->onlyCA
                   && !idp->onlyattr && !idp->indirectCRL
                   && idp->onlysomereasons == NULL);
        ISSUING_DIST_POINT_free(idp);
    }
}


static ASN1_OCTET_STRING *
fuzz_extension(X509_CRL *x, int nid, int critical)
{
    int              i;
    X509_EXTENSION  *e;

    i = X509_CRL_get_ext_by_NID(x, nid, -1);

    if (i < 0) {
        return NULL;
    }

    e = X509_CRL_get_ext(x, i);

    fuzz_check(X509_EXTENSION_get_critical(e) == critical
               && X509_CRL_get_ext_by_NID(x, nid, i) == -1);

    return X509_EXTENSION_get_data(e);
}


/* UTCTime up to 2049, GeneralizedTime from then on */

static void
fuzz_time(const ASN1_TIME *time, time_t t)
{
    fuzz_check(time != NULL && ngx_pki_ca_time(time) == t);
    fuzz_check((ASN1_STRING_type(time) == V_ASN1_UTCTIME)
               == (t < 2524608000));
}
