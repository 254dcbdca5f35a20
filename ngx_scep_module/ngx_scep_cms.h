
/*
 * Copyright (C) the ngx_pki authors
 *
 * The pieces of CMS (RFC 5652) that both the decoder and the encoders of SCEP
 * are made of.  Pure.
 */


#ifndef _NGX_SCEP_CMS_H_INCLUDED_
#define _NGX_SCEP_CMS_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_der.h"
#include "ngx_pki_spki.h"


#define NGX_SCEP_MAX_SERIAL   64
#define NGX_SCEP_MAX_VERSION  5


/* who: issuerAndSerialNumber, or subjectKeyIdentifier if "key_id" is set */

typedef struct {
    ngx_str_t                  issuer;       /* Name, whole */
    ngx_str_t                  serial;       /* content of the INTEGER */
    ngx_str_t                  key_id;
} ngx_scep_id_t;


typedef struct {
    ngx_scep_id_t              id;           /* key_id if it has an SKI */
    ngx_pki_spki_t             key;          /* from the octets alone */
} ngx_scep_certificate_t;


/* contents of OBJECT IDENTIFIERs */

extern ngx_str_t  ngx_scep_oid_data;
extern ngx_str_t  ngx_scep_oid_signed_data;
extern ngx_str_t  ngx_scep_oid_enveloped_data;
extern ngx_str_t  ngx_scep_oid_rsa;
extern ngx_str_t  ngx_scep_oid_oaep;
extern ngx_str_t  ngx_scep_oid_mgf1;
extern ngx_str_t  ngx_scep_oid_sha1;


ngx_uint_t ngx_scep_str_eq(ngx_str_t *a, ngx_str_t *b);

/*
 * Enters a ContentInfo of this type, which is all that "der" holds: "content"
 * reads the SEQUENCE in it.  NGX_OK or NGX_DECLINED.
 */
ngx_int_t ngx_scep_cms_enter(ngx_str_t *der, ngx_str_t *type,
    ngx_pki_der_t *content);

/* An IssuerAndSerialNumber or a [0] SubjectKeyIdentifier; NGX_DECLINED. */
ngx_int_t ngx_scep_cms_get_id(ngx_pki_der_t *der, ngx_scep_id_t *id);

/*
 * An IssuerAndSerialNumber, which is all that "der" holds: what GetCRL and
 * GetCert ask about.  NGX_OK or NGX_DECLINED: malformed, or a serial number
 * that no certificate may have.
 */
ngx_int_t ngx_scep_cms_subject(ngx_str_t *der, ngx_str_t *issuer,
    ngx_pki_serial_t *serial);

/*
 * An IssuerAndSubject (RFC 8894, 3.3.3), which is all that "der" holds: two
 * Names, whole; nothing in them is looked at.  NGX_OK or NGX_DECLINED.
 */
ngx_int_t ngx_scep_cms_names(ngx_str_t *der, ngx_str_t *issuer,
    ngx_str_t *subject);

/* Writes an IssuerAndSerialNumber. */
void ngx_scep_cms_put_id(ngx_pki_der_writer_t *w, ngx_scep_id_t *id);

/* Writes an AlgorithmIdentifier; its parameters are NULL. */
void ngx_scep_cms_put_algorithm(ngx_pki_der_writer_t *w, ngx_str_t *oid);

/*
 * A ContentInfo with certificates only (RFC 8894, 3.4).  NGX_ERROR: out of
 * memory.
 */
ngx_int_t ngx_scep_cms_certs_only(ngx_pool_t *pool, ngx_str_t *certificates,
    ngx_uint_t n, ngx_str_t *out);

/* The same with a CRL only, in its field "crls". */
ngx_int_t ngx_scep_cms_crl_only(ngx_pool_t *pool, ngx_str_t *crl,
    ngx_str_t *out);

/*
 * Takes a certificate to pieces as far as CMS wants it; checks no signature.
 * NGX_OK or NGX_DECLINED: malformed.
 */
ngx_int_t ngx_scep_cms_certificate(ngx_str_t *der, ngx_scep_certificate_t *c);

/* Whether "id" names this certificate; Names are compared as octets. */
ngx_uint_t ngx_scep_cms_match(ngx_scep_id_t *id, ngx_scep_certificate_t *c);


#endif /* _NGX_SCEP_CMS_H_INCLUDED_ */
