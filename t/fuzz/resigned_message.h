
/*
 * Copyright (C) the ngx_pki authors
 *
 * What a client sends: made of the switches and fields of an input, signed and
 * enveloped as it should be, with keys that are made at the start.
 */


#ifndef _RESIGNED_MESSAGE_H_INCLUDED_
#define _RESIGNED_MESSAGE_H_INCLUDED_


#include "resigned.h"
#include "ngx_scep_envelope.h"
#include "ngx_scep_verify.h"

#include <openssl/rsa.h>


#define fuzz_must(ok)                                                        \
    if (!(ok)) {                                                             \
        abort();                                                             \
    }

#define FUZZ_NOW       1700000000
#define FUZZ_PADDINGS  5                     /* PKCS#1, OAEP with a hash */
#define FUZZ_TYPES     5
#define FUZZ_CERT_POLL 2                     /* from here on no request */
#define FUZZ_SALT      32                    /* of RSASSA-PSS */
#define FUZZ_RSA_ARC   1                     /* last one of rsaEncryption */
#define FUZZ_PSS_ARC   10

/* what the switches mean */

#define FUZZ_RSA            0x01             /* of the signer, else P-256 */
#define FUZZ_PSS            0x02
#define FUZZ_PLAIN_RSA      0x04             /* rsaEncryption */

#define FUZZ_RAW            0x01             /* plaintext for any type */
#define FUZZ_BER            0x02
#define FUZZ_REQUEST_RSA    0x04
#define FUZZ_KEY_ID         0x08             /* the authority by its key */
#define FUZZ_FORGED         0x10
#define FUZZ_UNPROVEN       0x20
#define FUZZ_RUBBISH_KEY    0x40
#define FUZZ_OTHER_DIGEST   0x80


typedef struct {
    EVP_PKEY                  *pkey;
    ngx_str_t                  spki;         /* both DER, outside of pools */
    ngx_str_t                  certificate;
} fuzz_key_t;


static void fuzz_init_key(fuzz_key_t *key, EVP_PKEY *pkey);
static void fuzz_init_wrapped(void);
static ngx_str_t fuzz_keep(ngx_str_t *s);

static void fuzz_message(ngx_pool_t *pool, resigned_t *in, ngx_str_t *out);
static void fuzz_ber(ngx_pool_t *pool, ngx_str_t *der);
static void fuzz_attributes(ngx_pool_t *pool, resigned_t *in,
    ngx_str_t *content, ngx_str_t *out);
static void fuzz_put_attribute(ngx_pki_der_writer_t *w, ngx_str_t *oid,
    ngx_uint_t tag, ngx_str_t *value);
static void fuzz_put_signature(ngx_pki_der_writer_t *w, resigned_t *in,
    ngx_str_t *attributes);
static void fuzz_sign(ngx_pki_der_writer_t *w, resigned_t *in,
    ngx_str_t *data);
static void fuzz_envelope(ngx_pool_t *pool, resigned_t *in, ngx_str_t *out);
static void fuzz_put_recipient(ngx_pki_der_writer_t *w, resigned_t *in);
static void fuzz_encrypt(ngx_pool_t *pool, resigned_t *in, ngx_str_t *out);
static void fuzz_request(ngx_pool_t *pool, resigned_t *in, ngx_str_t *out);
static void fuzz_certificate(ngx_pool_t *pool, ngx_str_t *spki,
    ngx_str_t *extensions, ngx_str_t *out);
static void fuzz_put_field(ngx_pki_der_writer_t *w, resigned_t *in,
    ngx_uint_t field);
static ngx_uint_t fuzz_digest(resigned_t *in);
static ngx_uint_t fuzz_type(resigned_t *in);
static fuzz_key_t *fuzz_signer(resigned_t *in);


static fuzz_key_t              fuzz_ca, fuzz_rsa, fuzz_ec;
static ngx_scep_certificate_t  fuzz_ca_id;
static ngx_scep_digests_t      fuzz_digests;
static ngx_scep_ciphers_t      fuzz_ciphers;
static ngx_str_t               fuzz_wrapped[NGX_SCEP_CIPHERS][FUZZ_PADDINGS];

static u_char  fuzz_content_key[NGX_SCEP_MAX_KEY_LEN] = "a content key of 32";
static u_char  fuzz_iv[NGX_SCEP_MAX_IV_LEN] = "an IV of 16 oct";

static const char  *fuzz_types[FUZZ_TYPES] = { "19", "17", "20", "21", "22" };

static ngx_str_t  fuzz_oid_content_type =
    ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03");
static ngx_str_t  fuzz_oid_message_digest =
    ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04");
static ngx_str_t  fuzz_oid_message_type =
    ngx_string("\x60\x86\x48\x01\x86\xf8\x45\x01\x09\x02");
static ngx_str_t  fuzz_oid_nonce =
    ngx_string("\x60\x86\x48\x01\x86\xf8\x45\x01\x09\x05");
static ngx_str_t  fuzz_oid_transaction =
    ngx_string("\x60\x86\x48\x01\x86\xf8\x45\x01\x09\x07");
static ngx_str_t  fuzz_oid_ecdsa =
    ngx_string("\x2a\x86\x48\xce\x3d\x04\x03\x02");
static ngx_str_t  fuzz_oid_sha256_rsa =
    ngx_string("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b");

/* the last octets of ecdsa-with-… and …WithRSAEncryption, by digest */

static u_char  fuzz_ecdsa_arc[NGX_SCEP_DIGESTS] = { 2, 3, 4, 2, 2 };
static u_char  fuzz_rsa_arc[NGX_SCEP_DIGESTS] = { 11, 12, 13, 5, 4 };

static ngx_str_t  fuzz_ciphers_oid[NGX_SCEP_CIPHERS] = {
    ngx_string("\x60\x86\x48\x01\x65\x03\x04\x01\x02"),
    ngx_string("\x60\x86\x48\x01\x65\x03\x04\x01\x16"),
    ngx_string("\x60\x86\x48\x01\x65\x03\x04\x01\x2a"),
    ngx_string("\x2a\x86\x48\x86\xf7\x0d\x03\x07"),
    ngx_string("\x2b\x0e\x03\x02\x07")
};

/* CN=device-1, O=Contoso */

static ngx_str_t  fuzz_name = ngx_string(
    "\x30\x25\x31\x11\x30\x0f\x06\x03\x55\x04\x03\x0c\x08" "device-1"
    "\x31\x10\x30\x0e\x06\x03\x55\x04\x0a\x0c\x07" "Contoso");

/*
 * challengePassword "secret"; extensionRequest with keyUsage, extKeyUsage and a
 * subjectAltName: host.a.test, u@a.test, 10.0.0.1
 */

static ngx_str_t  fuzz_request_attributes = ngx_string(
    "\x30\x15\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07\x31\x08\x0c\x06"
    "\x73\x65\x63\x72\x65\x74\x30\x5c\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01"
    "\x09\x0e\x31\x4f\x30\x4d\x30\x0e\x06\x03\x55\x1d\x0f\x01\x01\xff\x04"
    "\x04\x03\x02\x05\xa0\x30\x13\x06\x03\x55\x1d\x25\x04\x0c\x30\x0a\x06"
    "\x08\x2b\x06\x01\x05\x05\x07\x03\x02\x30\x26\x06\x03\x55\x1d\x11\x04"
    "\x1f\x30\x1d\x82\x0b\x68\x6f\x73\x74\x2e\x61\x2e\x74\x65\x73\x74\x81"
    "\x08\x75\x40\x61\x2e\x74\x65\x73\x74\x87\x04\x0a\x00\x00\x01");

/* subjectKeyIdentifier, keyUsage */

static ngx_str_t  fuzz_extensions = ngx_string(
    "\x30\x11\x06\x03\x55\x1d\x0e\x04\x0a\x04\x08" "12345678"
    "\x30\x0b\x06\x03\x55\x1d\x0f\x04\x04\x03\x02\x05\xa0");


static void
fuzz_init_key(fuzz_key_t *key, EVP_PKEY *pkey)
{
    int          len;
    ngx_str_t    der;
    ngx_pool_t  *pool;

    fuzz_must(pkey != NULL);

    key->pkey = pkey;
    len = i2d_PUBKEY(pkey, &key->spki.data);

    fuzz_must(len > 0);
    key->spki.len = len;

    pool = fuzz_pool();

    fuzz_certificate(pool, &key->spki, &fuzz_extensions, &der);
    key->certificate = fuzz_keep(&der);

    fuzz_done(pool);
}


/* the private operation of the authority is spared: it is known what it is */

static void
fuzz_init_wrapped(void)
{
    int            pad;
    size_t         len;
    u_char         buf[512];
    ngx_str_t      wrapped;
    ngx_uint_t     i, n;
    EVP_PKEY_CTX  *ctx;

    for (i = 0; i < NGX_SCEP_CIPHERS; i++) {
        for (n = 0; n < FUZZ_PADDINGS; n++) {
            ctx = EVP_PKEY_CTX_new(fuzz_ca.pkey, NULL);
            pad = n ? RSA_PKCS1_OAEP_PADDING : RSA_PKCS1_PADDING;
            len = sizeof(buf);

            fuzz_must(ctx != NULL
                && EVP_PKEY_encrypt_init(ctx) == 1
                && EVP_PKEY_CTX_set_rsa_padding(ctx, pad) == 1
                && (n == 0
                    || EVP_PKEY_CTX_set_rsa_oaep_md(ctx,
                                                    fuzz_digests.md[n - 1])
                       == 1)
                && EVP_PKEY_encrypt(ctx, buf, &len, fuzz_content_key,
                            EVP_CIPHER_get_key_length(fuzz_ciphers.cipher[i]))
                   == 1);

            EVP_PKEY_CTX_free(ctx);

            wrapped.data = buf;
            wrapped.len = len;
            fuzz_wrapped[i][n] = fuzz_keep(&wrapped);
        }
    }
}


static ngx_str_t
fuzz_keep(ngx_str_t *s)
{
    ngx_str_t  kept;

    kept.len = s->len;
    kept.data = malloc(s->len + 1);

    fuzz_must(kept.data != NULL);
    ngx_memcpy(kept.data, s->data, s->len);

    return kept;
}


/* What the client sends. */

static void
fuzz_message(ngx_pool_t *pool, resigned_t *in, ngx_str_t *out)
{
    size_t                info, wrapper, data, mark, inner;
    ngx_str_t             content, attributes, certificate;
    ngx_pki_der_writer_t  w;

    fuzz_envelope(pool, in, &content);
    fuzz_attributes(pool, in, &content, &attributes);
    fuzz_certificate(pool, &fuzz_signer(in)->spki,
                     in->fields[RESIGNED_EXTENSIONS].len
                         ? &in->fields[RESIGNED_EXTENSIONS]
                         : &fuzz_extensions,
                     &certificate);

    fuzz_must(ngx_pki_der_writer_init(&w, pool, 8192) == NGX_OK);

    info = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(&w, NGX_PKI_DER_OID, &ngx_scep_oid_signed_data);
    wrapper = ngx_pki_der_begin(&w, ngx_pki_der_explicit(0));
    data = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);

    ngx_pki_der_put_uint(&w, 1);

    mark = ngx_pki_der_begin(&w, NGX_PKI_DER_SET);
    ngx_scep_cms_put_algorithm(&w, ngx_scep_digest_oid(fuzz_digest(in)));
    ngx_pki_der_close(&w, mark);

    mark = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(&w, NGX_PKI_DER_OID, &ngx_scep_oid_data);
    inner = ngx_pki_der_begin(&w, ngx_pki_der_explicit(0));
    ngx_pki_der_put(&w, NGX_PKI_DER_OCTET_STRING, &content);
    ngx_pki_der_close(&w, inner);
    ngx_pki_der_close(&w, mark);

    mark = ngx_pki_der_begin(&w, ngx_pki_der_explicit(0));
    ngx_pki_der_raw(&w, &in->fields[RESIGNED_CERTIFICATES]);
    ngx_pki_der_raw(&w, &certificate);
    ngx_pki_der_close(&w, mark);

    mark = ngx_pki_der_begin(&w, NGX_PKI_DER_SET);
    fuzz_put_signature(&w, in, &attributes);
    ngx_pki_der_close(&w, mark);

    ngx_pki_der_close(&w, data);
    ngx_pki_der_close(&w, wrapper);
    ngx_pki_der_close(&w, info);

    fuzz_must(ngx_pki_der_finish(&w, out) == NGX_OK);

    if (in->switches[RESIGNED_FLAGS] & FUZZ_BER) {
        fuzz_ber(pool, out);
    }
}


/* the outermost element with an indefinite length */

static void
fuzz_ber(ngx_pool_t *pool, ngx_str_t *der)
{
    u_char         *p;
    ngx_str_t       content;
    ngx_uint_t      tag;
    ngx_pki_der_t   r;

    ngx_pki_der_init(&r, der);
    fuzz_must(ngx_pki_der_any(&r, &tag, &content, NULL) == NGX_OK);

    p = ngx_pnalloc(pool, content.len + 4);
    fuzz_must(p != NULL);

    der->data = p;
    der->len = content.len + 4;

    *p++ = (u_char) tag;
    *p++ = 0x80;
    p = ngx_cpymem(p, content.data, content.len);
    *p++ = 0x00;
    *p = 0x00;
}


/* a SET OF, as it is signed */

static void
fuzz_attributes(ngx_pool_t *pool, resigned_t *in, ngx_str_t *content,
    ngx_str_t *out)
{
    size_t                set;
    u_char                buf[EVP_MAX_MD_SIZE];
    ngx_str_t             digest;
    ngx_pki_der_writer_t  w;

    fuzz_must(ngx_scep_digest(fuzz_digests.md[fuzz_digest(in)], content, buf,
                              &digest)
              == NGX_OK);
    fuzz_must(ngx_pki_der_writer_init(&w, pool, 1024) == NGX_OK);

    set = ngx_pki_der_begin(&w, NGX_PKI_DER_SET);
    fuzz_put_attribute(&w, &fuzz_oid_content_type, NGX_PKI_DER_OID,
                       &ngx_scep_oid_data);
    fuzz_put_attribute(&w, &fuzz_oid_message_digest, NGX_PKI_DER_OCTET_STRING,
                       &digest);
    fuzz_put_field(&w, in, RESIGNED_ATTRIBUTES);
    ngx_pki_der_close(&w, set);

    fuzz_must(ngx_pki_der_finish(&w, out) == NGX_OK);
}


static void
fuzz_put_attribute(ngx_pki_der_writer_t *w, ngx_str_t *oid, ngx_uint_t tag,
    ngx_str_t *value)
{
    size_t  mark, set;

    mark = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(w, NGX_PKI_DER_OID, oid);
    set = ngx_pki_der_begin(w, NGX_PKI_DER_SET);
    ngx_pki_der_put(w, tag, value);
    ngx_pki_der_close(w, set);
    ngx_pki_der_close(w, mark);
}


/* SignerInfo */

static void
fuzz_put_signature(ngx_pki_der_writer_t *w, resigned_t *in,
    ngx_str_t *attributes)
{
    size_t     mark;
    ngx_str_t  field;

    mark = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put_uint(w, 1);
    ngx_scep_cms_put_id(w, &fuzz_ca_id.id);
    ngx_scep_cms_put_algorithm(w, ngx_scep_digest_oid(fuzz_digest(in)));

    field = *attributes;
    field.data[0] = ngx_pki_der_explicit(0);
    ngx_pki_der_raw(w, &field);
    field.data[0] = NGX_PKI_DER_SET;

    fuzz_put_field(w, in, RESIGNED_SIGNATURE);
    fuzz_sign(w, in, attributes);

    if (in->fields[RESIGNED_UNSIGNED].len != 0) {
        ngx_pki_der_put(w, ngx_pki_der_explicit(1),
                        &in->fields[RESIGNED_UNSIGNED]);
    }

    ngx_pki_der_close(w, mark);
}


static void
fuzz_sign(ngx_pki_der_writer_t *w, resigned_t *in, ngx_str_t *data)
{
    u_char         buf[512], flags;
    size_t         len;
    ngx_str_t      signature;
    fuzz_key_t    *key;
    EVP_MD_CTX    *ctx;
    EVP_PKEY_CTX  *pctx;

    key = fuzz_signer(in);
    flags = in->switches[RESIGNED_SIGNER];
    len = sizeof(buf);

    ctx = EVP_MD_CTX_new();

    fuzz_must(ctx != NULL
              && EVP_DigestSignInit(ctx, &pctx,
                                    fuzz_digests.md[fuzz_digest(in)], NULL,
                                    key->pkey)
                 == 1);

    if ((flags & FUZZ_RSA) && (flags & FUZZ_PSS)) {
        fuzz_must(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING)
                  == 1
                  && EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, FUZZ_SALT) == 1);
    }

    fuzz_must(EVP_DigestSign(ctx, buf, &len, data->data, data->len) == 1);
    EVP_MD_CTX_free(ctx);

    if (in->switches[RESIGNED_FLAGS] & FUZZ_FORGED) {
        buf[len / 2] ^= 0x01;
    }

    signature.data = buf;
    signature.len = len;

    ngx_pki_der_put(w, NGX_PKI_DER_OCTET_STRING, &signature);
}


/* ContentInfo with EnvelopedData */

static void
fuzz_envelope(ngx_pool_t *pool, resigned_t *in, ngx_str_t *out)
{
    size_t                info, wrapper, data, mark;
    ngx_str_t             encrypted;
    ngx_pki_der_writer_t  w;

    fuzz_encrypt(pool, in, &encrypted);

    fuzz_must(ngx_pki_der_writer_init(&w, pool, 4096) == NGX_OK);

    info = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(&w, NGX_PKI_DER_OID, &ngx_scep_oid_enveloped_data);
    wrapper = ngx_pki_der_begin(&w, ngx_pki_der_explicit(0));
    data = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);

    ngx_pki_der_put_uint(&w, 0);

    mark = ngx_pki_der_begin(&w, NGX_PKI_DER_SET);
    ngx_pki_der_raw(&w, &in->fields[RESIGNED_RECIPIENTS]);
    fuzz_put_recipient(&w, in);
    ngx_pki_der_close(&w, mark);

    mark = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(&w, NGX_PKI_DER_OID, &ngx_scep_oid_data);
    fuzz_put_field(&w, in, RESIGNED_CONTENT);
    ngx_pki_der_put(&w, ngx_pki_der_context(0), &encrypted);
    ngx_pki_der_close(&w, mark);

    ngx_pki_der_close(&w, data);
    ngx_pki_der_close(&w, wrapper);
    ngx_pki_der_close(&w, info);

    fuzz_must(ngx_pki_der_finish(&w, out) == NGX_OK);
}


static void
fuzz_put_recipient(ngx_pki_der_writer_t *w, resigned_t *in)
{
    size_t      mark;
    ngx_str_t  *wrapped;

    wrapped = &fuzz_wrapped[in->switches[RESIGNED_CIPHER] % NGX_SCEP_CIPHERS]
                           [in->switches[RESIGNED_PADDING] % FUZZ_PADDINGS];

    mark = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);

    if (in->switches[RESIGNED_FLAGS] & FUZZ_KEY_ID) {
        ngx_pki_der_put_uint(w, 2);
        ngx_pki_der_put(w, ngx_pki_der_context(0), &fuzz_ca_id.id.key_id);

    } else {
        ngx_pki_der_put_uint(w, 0);
        ngx_scep_cms_put_id(w, &fuzz_ca_id.id);
    }

    fuzz_put_field(w, in, RESIGNED_KEY);
    ngx_pki_der_put(w, NGX_PKI_DER_OCTET_STRING,
                    (in->switches[RESIGNED_FLAGS] & FUZZ_RUBBISH_KEY)
                        ? &fuzz_ca.spki : wrapped);

    ngx_pki_der_close(w, mark);
}


static void
fuzz_encrypt(ngx_pool_t *pool, resigned_t *in, ngx_str_t *out)
{
    int              len, last;
    ngx_str_t        plaintext;
    ngx_uint_t       i;
    EVP_CIPHER_CTX  *ctx;

    if ((in->switches[RESIGNED_FLAGS] & FUZZ_RAW)
        || fuzz_type(in) >= FUZZ_CERT_POLL)
    {
        plaintext = in->fields[RESIGNED_PLAINTEXT];

        if (plaintext.len == 0) {
            resigned_default(in, RESIGNED_PLAINTEXT, &plaintext);
        }

    } else {
        fuzz_request(pool, in, &plaintext);
    }

    i = in->switches[RESIGNED_CIPHER] % NGX_SCEP_CIPHERS;

    out->data = ngx_pnalloc(pool, plaintext.len + NGX_SCEP_MAX_IV_LEN);
    ctx = EVP_CIPHER_CTX_new();

    fuzz_must(out->data != NULL && ctx != NULL
              && EVP_EncryptInit_ex(ctx, fuzz_ciphers.cipher[i], NULL,
                                    fuzz_content_key, fuzz_iv)
                 == 1
              && EVP_EncryptUpdate(ctx, out->data, &len, plaintext.data,
                                   (int) plaintext.len)
                 == 1
              && EVP_EncryptFinal_ex(ctx, out->data + len, &last) == 1);

    EVP_CIPHER_CTX_free(ctx);

    out->len = len + last;
}


/* CertificationRequest, RFC 2986 */

static void
fuzz_request(ngx_pool_t *pool, resigned_t *in, ngx_str_t *out)
{
    u_char                buf[512];
    size_t                request, mark, attributes, len;
    ngx_str_t             info, signature;
    ngx_uint_t            rsa;
    fuzz_key_t           *key;
    EVP_MD_CTX           *ctx;
    ngx_pki_der_writer_t  w;

    rsa = in->switches[RESIGNED_FLAGS] & FUZZ_REQUEST_RSA;
    key = rsa ? &fuzz_rsa : &fuzz_ec;

    fuzz_must(ngx_pki_der_writer_init(&w, pool, 2048) == NGX_OK);

    mark = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put_uint(&w, 0);
    fuzz_put_field(&w, in, RESIGNED_SUBJECT);
    ngx_pki_der_raw(&w, &key->spki);
    attributes = ngx_pki_der_begin(&w, ngx_pki_der_explicit(0));
    fuzz_put_field(&w, in, RESIGNED_REQUEST);
    ngx_pki_der_close(&w, attributes);
    ngx_pki_der_close(&w, mark);

    fuzz_must(ngx_pki_der_finish(&w, &info) == NGX_OK);

    ctx = EVP_MD_CTX_new();
    len = sizeof(buf);

    fuzz_must(ctx != NULL
              && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key->pkey)
                 == 1
              && EVP_DigestSign(ctx, buf, &len, info.data, info.len) == 1);

    EVP_MD_CTX_free(ctx);

    if (in->switches[RESIGNED_FLAGS] & FUZZ_UNPROVEN) {
        buf[len / 2] ^= 0x01;
    }

    signature.data = buf;
    signature.len = len;

    fuzz_must(ngx_pki_der_writer_init(&w, pool, info.len + 1024) == NGX_OK);

    request = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_raw(&w, &info);

    if (rsa) {
        ngx_scep_cms_put_algorithm(&w, &fuzz_oid_sha256_rsa);

    } else {
        mark = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);
        ngx_pki_der_put(&w, NGX_PKI_DER_OID, &fuzz_oid_ecdsa);
        ngx_pki_der_close(&w, mark);
    }

    ngx_pki_der_put_bits(&w, &signature);
    ngx_pki_der_close(&w, request);

    fuzz_must(ngx_pki_der_finish(&w, out) == NGX_OK);
}


/* nobody looks at its signature; all have the same issuer and serial number */

static void
fuzz_certificate(ngx_pool_t *pool, ngx_str_t *spki, ngx_str_t *extensions,
    ngx_str_t *out)
{
    size_t                certificate, tbs, mark, list;
    ngx_pki_der_writer_t  w;

    fuzz_must(ngx_pki_der_writer_init(&w, pool, 1024) == NGX_OK);

    certificate = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);
    tbs = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);

    mark = ngx_pki_der_begin(&w, ngx_pki_der_explicit(0));
    ngx_pki_der_put_uint(&w, 2);
    ngx_pki_der_close(&w, mark);

    ngx_pki_der_put_uint(&w, 1);
    ngx_scep_cms_put_algorithm(&w, &fuzz_oid_sha256_rsa);
    ngx_pki_der_raw(&w, &fuzz_name);

    mark = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put_time(&w, FUZZ_NOW - 86400);
    ngx_pki_der_put_time(&w, FUZZ_NOW + 86400);
    ngx_pki_der_close(&w, mark);

    ngx_pki_der_raw(&w, &fuzz_name);
    ngx_pki_der_raw(&w, spki);

    mark = ngx_pki_der_begin(&w, ngx_pki_der_explicit(3));
    list = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_raw(&w, extensions);
    ngx_pki_der_close(&w, list);
    ngx_pki_der_close(&w, mark);

    ngx_pki_der_close(&w, tbs);
    ngx_scep_cms_put_algorithm(&w, &fuzz_oid_sha256_rsa);
    ngx_pki_der_put_bits(&w, &fuzz_name);
    ngx_pki_der_close(&w, certificate);

    fuzz_must(ngx_pki_der_finish(&w, out) == NGX_OK);
}


static void
fuzz_put_field(ngx_pki_der_writer_t *w, resigned_t *in, ngx_uint_t field)
{
    ngx_str_t  value;

    value = in->fields[field];

    if (value.len == 0) {
        resigned_default(in, field, &value);
    }

    ngx_pki_der_raw(w, &value);
}


static ngx_uint_t
fuzz_digest(resigned_t *in)
{
    return in->switches[RESIGNED_DIGEST] % NGX_SCEP_DIGESTS;
}


static ngx_uint_t
fuzz_type(resigned_t *in)
{
    return in->switches[RESIGNED_TYPE] % FUZZ_TYPES;
}


static fuzz_key_t *
fuzz_signer(resigned_t *in)
{
    return (in->switches[RESIGNED_SIGNER] & FUZZ_RSA) ? &fuzz_rsa : &fuzz_ec;
}


#endif /* _RESIGNED_MESSAGE_H_INCLUDED_ */
