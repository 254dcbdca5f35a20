
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_ocsp_preferred.h"


static ngx_uint_t ngx_ocsp_preferred_on_curve(ngx_str_t *curve, int nid);


/*
 * sigIdentifier AlgorithmIdentifier, pubKeyAlgIdentifier SMIMECapability
 * OPTIONAL, which is built as the other: of EC keys its parameters are the
 * curve.
 */

ngx_int_t
ngx_ocsp_preferred_next(ngx_pki_der_t *list, ngx_ocsp_preferred_t *preferred)
{
    ngx_str_t      oid, params;
    ngx_pki_der_t  entry, der;

    ngx_str_null(&preferred->curve);

    if (ngx_pki_der_end(list)) {
        return NGX_DONE;
    }

    if (ngx_pki_der_enter(list, NGX_PKI_DER_SEQUENCE, &entry) != NGX_OK
        || ngx_pki_der_get_algorithm(&entry, &preferred->signature, &params)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_pki_der_end(&entry)) {
        return NGX_OK;
    }

    if (ngx_pki_der_get_algorithm(&entry, &oid, &params) != NGX_OK
        || !ngx_pki_der_end(&entry))
    {
        return NGX_ERROR;
    }

    if (params.len == 0) {
        return NGX_OK;
    }

    ngx_pki_der_init(&der, &params);

    if (ngx_pki_der_peek(&der) == NGX_PKI_DER_OID) {
        return ngx_pki_der_get(&der, NGX_PKI_DER_OID, &preferred->curve);
    }

    return NGX_OK;
}


ngx_uint_t
ngx_ocsp_preferred_fits(ngx_ocsp_preferred_t *preferred,
    ngx_ocsp_responder_t *responder)
{
    ngx_str_t      oid, params;
    ngx_pki_der_t  der;

    ngx_pki_der_init(&der, responder->algorithm);

    if (ngx_pki_der_get_algorithm(&der, &oid, &params) != NGX_OK
        || oid.len != preferred->signature.len
        || ngx_memcmp(oid.data, preferred->signature.data, oid.len) != 0)
    {
        return 0;
    }

    return preferred->curve.len == 0
           || ngx_ocsp_preferred_on_curve(&preferred->curve,
                                          responder->key->spec.nid);
}


static ngx_uint_t
ngx_ocsp_preferred_on_curve(ngx_str_t *curve, int nid)
{
    const ASN1_OBJECT  *object;

    object = (nid != NID_undef) ? OBJ_nid2obj(nid) : NULL;

    return object != NULL
           && OBJ_length(object) == curve->len
           && ngx_memcmp(OBJ_get0_data(object), curve->data, curve->len) == 0;
}
