
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_tbs.h"
#include "ngx_pki_ca.h"
#include "ngx_pki_der.h"
#include "ngx_pki_md.h"


#define NGX_PKI_TBS_VERSION     2            /* v3 */
#define NGX_PKI_TBS_SHA1_LEN    20
#define NGX_PKI_TBS_URL_ROOM    16           /* of ngx_pki_crl_url() */

/* 128 random bits behind a first octet that makes it positive; the shard */

#define NGX_PKI_TBS_SERIAL_LEN  17
#define NGX_PKI_TBS_SHARD_LEN                                                \
    (NGX_PKI_CRL_SERIAL_LEN - NGX_PKI_TBS_SERIAL_LEN)

/* Extension { subjectKeyIdentifier, OCTET STRING of 20 octets } */

#define NGX_PKI_TBS_SKI                                                      \
    "\x30\x1d\x06\x03\x55\x1d\x0e\x04\x16\x04\x14"


static ngx_int_t ngx_pki_tbs_serial(ngx_pki_serial_t *serial);
static ngx_int_t ngx_pki_tbs_shard(ngx_pool_t *pool, ngx_pki_authority_t *a,
    ngx_pki_tbs_t *tbs);
static void ngx_pki_tbs_write(ngx_pki_der_writer_t *w, ngx_pki_authority_t *a,
    ngx_pki_tbs_t *tbs, ngx_str_t *algorithm, u_char *key_id);
static void ngx_pki_tbs_write_extensions(ngx_pki_der_writer_t *w,
    ngx_pki_authority_t *a, ngx_pki_tbs_t *tbs, u_char *key_id);


ngx_int_t
ngx_pki_tbs_encode(ngx_pool_t *pool, ngx_pki_authority_t *a,
    ngx_pki_tbs_t *tbs, ngx_str_t *out)
{
    u_char                key_id[NGX_PKI_TBS_SHA1_LEN];
    size_t                size;
    ngx_str_t            *algorithm;
    ngx_pki_template_t   *t;
    ngx_pki_der_writer_t  w;

    t = tbs->template;

    algorithm = ngx_pki_key_algorithm(a->key->spec.type, a->md, a->pss);

    if (algorithm == NULL || ngx_pki_tbs_serial(&tbs->serial) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_str_null(&tbs->crl_url);

    if (tbs->cdp != NULL && tbs->cdp->len != 0 && a->crl_shards > 1
        && ngx_pki_tbs_shard(pool, a, tbs) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* RFC 5280, 4.2.1.2, method (1): no secret, no signature */

    if (EVP_Digest(tbs->public_key->data, tbs->public_key->len, key_id, NULL,
                   ngx_pki_md(NID_sha1), NULL)
        != 1)
    {
        ERR_clear_error();
        return NGX_ERROR;
    }

    size = a->issuer.len + t->subject.len + tbs->spki->len + t->extensions.len
           + a->aki.len + a->aia.len + a->cdp.len + tbs->crl_url.len + 256;

    if (ngx_pki_der_writer_init(&w, pool, size) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_pki_tbs_write(&w, a, tbs, algorithm, key_id);

    return ngx_pki_der_finish(&w, out);
}


/* of the same length always, but for the shard */

static ngx_int_t
ngx_pki_tbs_serial(ngx_pki_serial_t *serial)
{
    serial->len = NGX_PKI_TBS_SERIAL_LEN;

    if (RAND_bytes(serial->data, NGX_PKI_TBS_SERIAL_LEN) != 1) {
        ERR_clear_error();
        return NGX_ERROR;
    }

    serial->data[0] &= 0x7f;
    serial->data[0] |= 0x40;

    return NGX_OK;
}


static ngx_int_t
ngx_pki_tbs_shard(ngx_pool_t *pool, ngx_pki_authority_t *a,
    ngx_pki_tbs_t *tbs)
{
    u_char      octets[NGX_PKI_TBS_SHARD_LEN], *p;
    ngx_uint_t  shard;

    if (RAND_bytes(octets, NGX_PKI_TBS_SHARD_LEN) != 1) {
        ERR_clear_error();
        return NGX_ERROR;
    }

    shard = ((ngx_uint_t) octets[0] << 8 | octets[1]) % a->crl_shards;

    p = tbs->serial.data + tbs->serial.len;

    p[0] = (u_char) (shard >> 8);
    p[1] = (u_char) shard;

    tbs->serial.len += NGX_PKI_TBS_SHARD_LEN;

    p = ngx_pnalloc(pool, a->crl_url.len + NGX_PKI_TBS_URL_ROOM);
    if (p == NULL) {
        return NGX_ERROR;
    }

    tbs->crl_url.data = p;
    tbs->crl_url.len = ngx_pki_crl_url(p, &a->crl_url,
                                       NGX_PKI_CRL_SHARD + shard);

    return NGX_OK;
}


static void
ngx_pki_tbs_write(ngx_pki_der_writer_t *w, ngx_pki_authority_t *a,
    ngx_pki_tbs_t *tbs, ngx_str_t *algorithm, u_char *key_id)
{
    size_t               certificate, mark;
    ngx_str_t            serial;
    ngx_pki_template_t  *t;

    t = tbs->template;

    serial.len = tbs->serial.len;
    serial.data = tbs->serial.data;

    certificate = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);

    mark = ngx_pki_der_begin(w, ngx_pki_der_explicit(0));
    ngx_pki_der_put_uint(w, NGX_PKI_TBS_VERSION);
    ngx_pki_der_close(w, mark);

    ngx_pki_der_put(w, NGX_PKI_DER_INTEGER, &serial);
    ngx_pki_der_raw(w, algorithm);
    ngx_pki_der_raw(w, &a->issuer);

    mark = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put_time(w, t->not_before);
    ngx_pki_der_put_time(w, t->not_after);
    ngx_pki_der_close(w, mark);

    ngx_pki_der_raw(w, &t->subject);
    ngx_pki_der_raw(w, tbs->spki);

    mark = ngx_pki_der_begin(w, ngx_pki_der_explicit(3));
    ngx_pki_tbs_write_extensions(w, a, tbs, key_id);
    ngx_pki_der_close(w, mark);

    ngx_pki_der_close(w, certificate);
}


static void
ngx_pki_tbs_write_extensions(ngx_pki_der_writer_t *w, ngx_pki_authority_t *a,
    ngx_pki_tbs_t *tbs, u_char *key_id)
{
    size_t  mark;

    mark = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);

    ngx_pki_der_raw(w, &tbs->template->extensions);

    ngx_pki_der_bytes(w, NGX_PKI_TBS_SKI, sizeof(NGX_PKI_TBS_SKI) - 1);
    ngx_pki_der_bytes(w, key_id, NGX_PKI_TBS_SHA1_LEN);

    ngx_pki_der_raw(w, &a->aki);

    if (tbs->aia != NULL) {
        ngx_pki_der_raw(w, tbs->aia);
    }

    if (tbs->crl_url.len != 0) {
        ngx_pki_ca_put_cdp(w, &tbs->crl_url);

    } else if (tbs->cdp != NULL) {
        ngx_pki_der_raw(w, tbs->cdp);
    }

    ngx_pki_der_close(w, mark);
}
