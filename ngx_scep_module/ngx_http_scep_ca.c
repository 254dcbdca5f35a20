
/*
 * Copyright (C) the ngx_pki authors
 *
 * GetCACaps and GetCACert.
 */


#include "ngx_http_scep_ca.h"
#include "ngx_pki_pem.h"
#include "ngx_pki_ra.h"


typedef struct {
    ngx_str_t                  name;
    ngx_uint_t                 needs;
} ngx_http_scep_cap_t;


static ngx_uint_t ngx_http_scep_ca_is_alone(ngx_pki_authority_t *a);


#define NGX_HTTP_SCEP_CAP_NEXT     0x0001
#define NGX_HTTP_SCEP_CAP_RENEWAL  0x0002


/*
 * What works, and nothing that a client should not be led to, as DES3 and
 * SHA-1.  SHA-384 is no registered keyword: without it strongSwan before
 * 5.9.10 does not find AES and SHA-256.
 */

static ngx_http_scep_cap_t  ngx_http_scep_caps[] = {
    { ngx_string("AES\n"), 0 },
    { ngx_string("GetNextCACert\n"), NGX_HTTP_SCEP_CAP_NEXT },
    { ngx_string("POSTPKIOperation\n"), 0 },
    { ngx_string("Renewal\n"), NGX_HTTP_SCEP_CAP_RENEWAL },
    { ngx_string("SHA-256\n"), 0 },
    { ngx_string("SHA-384\n"), 0 },
    { ngx_string("SHA-512\n"), 0 },
    { ngx_string("SCEPStandard\n"), 0 },
    { ngx_null_string, 0 }
};

#define NGX_HTTP_SCEP_CAPS_LEN  128


static ngx_str_t  ngx_http_scep_type_cert =
    ngx_string("application/x-x509-ca-cert");
static ngx_str_t  ngx_http_scep_type_certs =
    ngx_string("application/x-x509-ca-ra-cert");
static ngx_str_t  ngx_http_scep_type_pem =
    ngx_string("application/x-pem-file");

static ngx_str_t  ngx_http_scep_no_cache = ngx_string("no-cache");
static ngx_str_t  ngx_http_scep_pem_label = ngx_string("CERTIFICATE");


ngx_int_t
ngx_http_scep_get_ca_caps(ngx_http_request_t *r)
{
    u_char                    *p, text[NGX_HTTP_SCEP_CAPS_LEN];
    ngx_int_t                  rc;
    ngx_str_t                  body;
    ngx_uint_t                 has;
    ngx_http_scep_cap_t       *cap;
    ngx_http_scep_loc_conf_t  *slcf;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_scep_module);

    has = 0;

    if (ngx_http_scep_next_ready(slcf->next)) {
        has |= NGX_HTTP_SCEP_CAP_NEXT;
    }

    if (slcf->policy.renewal) {
        has |= NGX_HTTP_SCEP_CAP_RENEWAL;
    }

    p = text;

    for (cap = ngx_http_scep_caps; cap->name.len != 0; cap++) {
        if ((cap->needs & ~has) == 0) {
            p = ngx_cpymem(p, cap->name.data, cap->name.len);
        }
    }

    body.data = text;
    body.len = p - text;

    return ngx_http_scep_ca_send(r, &ngx_http_scep_type_text, &body);
}


/*
 * One certificate is sent as it is; an RA's with that of the authority, or a
 * chain, in a PKCS#7 (RFC 8894, 4.2.1).
 */

ngx_int_t
ngx_http_scep_get_ca_cert(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_str_t                  body;
    ngx_uint_t                 pem;
    ngx_array_t               *certificates;
    ngx_http_scep_loc_conf_t  *slcf;

    if (ngx_http_scep_ca_format(r, &pem) != NGX_OK) {
        return ngx_http_scep_bad_request(r, "unknown format");
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_scep_module);

    if (!pem && ngx_http_scep_ca_is_alone(slcf->authority)) {
        return ngx_http_scep_ca_send(r, &ngx_http_scep_type_cert,
                                     &slcf->authority->der);
    }

    certificates = ngx_http_scep_ca_certificates(r->pool, slcf->authority);

    if (certificates == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (pem) {
        return ngx_http_scep_ca_send_pem(r, certificates);
    }

    if (ngx_scep_cms_certs_only(r->pool, certificates->elts,
                                certificates->nelts, &body)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_scep_ca_send(r, &ngx_http_scep_type_certs, &body);
}


static ngx_uint_t
ngx_http_scep_ca_is_alone(ngx_pki_authority_t *a)
{
    ngx_pki_recipient_t  **recipient;

    recipient = ngx_pki_ra_recipients(a)->elts;

    return recipient[0]->ca && a->chain.nelts == 0;
}


ngx_array_t *
ngx_http_scep_ca_certificates(ngx_pool_t *pool, ngx_pki_authority_t *a)
{
    ngx_str_t            *chain, *certificate;
    ngx_uint_t            i;
    ngx_array_t          *certificates;
    ngx_pki_recipient_t  **recipient;

    certificates = ngx_array_create(pool, a->chain.nelts + 2,
                                    sizeof(ngx_str_t));
    if (certificates == NULL) {
        return NULL;
    }

    /* there is room for all */

    recipient = ngx_pki_ra_recipients(a)->elts;

    if (!recipient[0]->ca) {
        certificate = ngx_array_push(certificates);
        *certificate = recipient[0]->der;
    }

    certificate = ngx_array_push(certificates);
    *certificate = a->der;

    chain = a->chain.elts;

    for (i = 0; i < a->chain.nelts; i++) {
        certificate = ngx_array_push(certificates);
        *certificate = chain[i];
    }

    return certificates;
}


/* for people; no client asks for a format */

ngx_int_t
ngx_http_scep_ca_format(ngx_http_request_t *r, ngx_uint_t *pem)
{
    ngx_str_t  format;

    *pem = 0;

    if (ngx_http_arg(r, (u_char *) "format", sizeof("format") - 1, &format)
        != NGX_OK)
    {
        return NGX_OK;
    }

    *pem = ngx_pki_str_eq(&format, "pem");

    return *pem ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_http_scep_ca_send_pem(ngx_http_request_t *r, ngx_array_t *certificates)
{
    size_t      size;
    u_char     *p;
    ngx_str_t  *der, body;
    ngx_uint_t  i;

    der = certificates->elts;
    size = 0;

    for (i = 0; i < certificates->nelts; i++) {
        size += ngx_pki_pem_size(&ngx_http_scep_pem_label, der[i].len);
    }

    p = ngx_pnalloc(r->pool, size);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body.data = p;

    for (i = 0; i < certificates->nelts; i++) {
        p = ngx_pki_pem_write(p, &ngx_http_scep_pem_label, &der[i]);
    }

    body.len = p - body.data;

    return ngx_http_scep_ca_send(r, &ngx_http_scep_type_pem, &body);
}


ngx_int_t
ngx_http_scep_ca_send(ngx_http_request_t *r, ngx_str_t *type, ngx_str_t *body)
{
    if (ngx_http_pki_add_header(r, "Cache-Control", &ngx_http_scep_no_cache)
        != NGX_OK
        || ngx_http_pki_add_etag(r, body) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_pki_send(r, NGX_HTTP_OK, type, body);
}
