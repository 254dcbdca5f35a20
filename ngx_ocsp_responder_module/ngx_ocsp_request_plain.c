
/*
 * Copyright (C) the ngx_pki authors
 *
 * The request that nearly everybody sends: one CertID, by SHA-1 or SHA-256,
 * and no extensions.  All is in its place, so a few comparisons do.
 */


#include "ngx_ocsp_request.h"
#include "ngx_ocsp_oid.h"


typedef struct {
    ngx_str_t                  algorithm;    /* AlgorithmIdentifier, whole */
    ngx_uint_t                 hash;
    u_char                     size;         /* of the hash */
} ngx_ocsp_request_plain_t;


/* OCSPRequest, TBSRequest, requestList, Request, CertID: SEQUENCEs all */

#define NGX_OCSP_REQUEST_PLAIN_DEPTH  5

#define NGX_OCSP_REQUEST_PLAIN_HEAD   (2 * NGX_OCSP_REQUEST_PLAIN_DEPTH)


static ngx_int_t ngx_ocsp_request_plain_id(u_char *p, u_char *last,
    ngx_ocsp_request_plain_t *plain, ngx_ocsp_cert_id_t *id);


static ngx_ocsp_request_plain_t  ngx_ocsp_request_plains[] = {
    { ngx_string("\x30\x09\x06\x05" NGX_OCSP_OID_SHA1 "\x05\x00"),
      NGX_PKI_HASH_SHA1, 20 },

    { ngx_string("\x30\x0d\x06\x09" NGX_OCSP_OID_SHA2 "\x01" "\x05\x00"),
      NGX_PKI_HASH_SHA256, 32 }
};


ngx_int_t
ngx_ocsp_request_decode_plain(ngx_str_t *der, ngx_ocsp_request_t *req)
{
    size_t       len;
    u_char      *p;
    ngx_uint_t   i;

    len = der->len;
    p = der->data;

    /* two octets behind them tell the AlgorithmIdentifiers apart */

    if (len < NGX_OCSP_REQUEST_PLAIN_HEAD + 2 || len > 0x7f) {
        return NGX_DECLINED;
    }

    for (i = 0; i < NGX_OCSP_REQUEST_PLAIN_DEPTH; i++) {
        len -= 2;

        if (p[0] != 0x30 || p[1] != len) {
            return NGX_DECLINED;
        }

        p += 2;
    }

    /* told apart by the length of the AlgorithmIdentifier */

    i = (p[1] == ngx_ocsp_request_plains[0].algorithm.data[1]) ? 0 : 1;

    if (ngx_ocsp_request_plain_id(p, p + len, &ngx_ocsp_request_plains[i],
                                  &req->first)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    req->first.whole.data = p - 2;
    req->first.whole.len = len + 2;

    req->ids = &req->first;
    req->n = 1;

    req->tbs.data = der->data + 2;
    req->tbs.len = der->len - 2;

    return NGX_OK;
}


static ngx_int_t
ngx_ocsp_request_plain_id(u_char *p, u_char *last,
    ngx_ocsp_request_plain_t *plain, ngx_ocsp_cert_id_t *id)
{
    size_t   len, size;
    u_char  *name, *key, *serial;

    len = plain->algorithm.len;
    size = plain->size;

    /* up to the header of the serial number, and an octet of it */

    if ((size_t) (last - p) <= len + 2 * (2 + size) + 2
        || ngx_memcmp(p, plain->algorithm.data, len) != 0)
    {
        return NGX_DECLINED;
    }

    name = p + len;
    key = name + 2 + size;
    serial = key + 2 + size;

    if (name[0] != 0x04 || name[1] != size
        || key[0] != 0x04 || key[1] != size
        || serial[0] != 0x02 || serial[1] != last - serial - 2)
    {
        return NGX_DECLINED;
    }

    id->hash = plain->hash;

    id->name_hash.data = name + 2;
    id->name_hash.len = size;

    id->key_hash.data = key + 2;
    id->key_hash.len = size;

    id->serial.data = serial + 2;
    id->serial.len = last - serial - 2;

    return NGX_OK;
}
