
/*
 * Copyright (C) the ngx_pki authors
 *
 * Messages that are signed and enveloped as they should be, whatever is in
 * them: so what is behind the signature and the envelope is reached, too.  The
 * input says what is in the message (see resigned.h), this makes it with keys
 * of its own and does with it what an operation does: decode, verify, find the
 * recipient, open, request or what is asked about, profile, challenge, answer.
 *
 * At the end a line says how far the inputs got.
 */


#include "fuzz.h"
#include "resigned_default.h"
#include "ngx_pki_csr.h"
#include "ngx_pki_pending.h"
#include "ngx_pki_profile_rules.h"
#include "ngx_pki_string.h"
#include "ngx_scep_challenge.h"
#include "ngx_scep_reply.h"

#include <openssl/cms.h>
#include <openssl/x509v3.h>


#define FUZZ_LATER     4000000000LL
#define FUZZ_PROFILES  4


typedef enum {
    FUZZ_INPUTS = 0,
    FUZZ_DECODED,
    FUZZ_VERIFIED,
    FUZZ_OPENED,
    FUZZ_ASKED,                              /* GetCert, GetCRL, CertPoll */
    FUZZ_REQUESTED,
    FUZZ_PROVEN,
    FUZZ_ALLOWED,
    FUZZ_ANSWERED,
    FUZZ_STAGES
} fuzz_stage_e;


static void fuzz_init(void);
static void fuzz_report(void);

static void fuzz_serve(ngx_pool_t *pool, resigned_t *in, ngx_str_t *body);
static ngx_int_t fuzz_check(ngx_pool_t *pool, ngx_str_t *body,
    ngx_scep_message_t *m, ngx_scep_signer_t *signer);
static ngx_int_t fuzz_open(ngx_pool_t *pool, ngx_scep_message_t *m,
    ngx_str_t *plaintext);
static void fuzz_unwrap(ngx_scep_recipient_t *recipient,
    ngx_str_t *unwrapped);
static ngx_int_t fuzz_handle(ngx_pool_t *pool, resigned_t *in,
    ngx_scep_message_t *m, ngx_str_t *plaintext, ngx_str_t *challenge);
static ngx_int_t fuzz_asked(ngx_scep_message_t *m, ngx_str_t *plaintext);
static ngx_int_t fuzz_apply(ngx_pool_t *pool, resigned_t *in,
    ngx_pki_csr_t *csr, ngx_pki_template_t *t);
static void fuzz_pending(ngx_pool_t *pool, ngx_scep_message_t *m,
    ngx_pki_csr_t *csr, ngx_pki_template_t *t);
static void fuzz_answer(ngx_pool_t *pool, resigned_t *in,
    ngx_scep_message_t *m, ngx_scep_signer_t *signer, ngx_int_t rc,
    ngx_str_t *challenge);
static ngx_int_t fuzz_seal(ngx_pool_t *pool, resigned_t *in,
    ngx_scep_message_t *m, ngx_scep_signer_t *signer, ngx_str_t *challenge,
    ngx_str_t *out);
static ngx_pki_profile_t *fuzz_profile(resigned_t *in);
static ngx_uint_t fuzz_holds(ngx_str_t *whole, ngx_str_t *part);
static void fuzz_line(ngx_str_t *text);


static X509                   *fuzz_ca_x509;
static ngx_pki_profile_t      *fuzz_profiles[FUZZ_PROFILES];
static ngx_scep_challenge_t    fuzz_challenge;
static ngx_uint_t              fuzz_stages[FUZZ_STAGES];


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t    body;
    ngx_pool_t  *pool;
    resigned_t   in;

    pool = fuzz_pool();

    if (fuzz_ca.pkey == NULL) {
        fuzz_init();
    }

    resigned_read(fuzz_copy(pool, data, size), size, &in);

    fuzz_message(pool, &in, &body);
    body.data = fuzz_copy(pool, body.data, body.len);

    fuzz_serve(pool, &in, &body);

    if (ERR_peek_error() != 0) {
        abort();
    }

    fuzz_done(pool);

    return 0;
}


static void
fuzz_init(void)
{
    ngx_str_t         name[FUZZ_PROFILES] = {
        ngx_string("default"), ngx_string("device"), ngx_string("user"),
        ngx_string("server")
    };
    u_char           *secret;
    ngx_pool_t       *pool;
    ngx_uint_t        i;
    const char       *error;
    const u_char     *p;

    pool = ngx_create_pool(4096, &fuzz_log);
    fuzz_must(pool != NULL);

    fuzz_init_key(&fuzz_ca, EVP_RSA_gen(2048));
    fuzz_init_key(&fuzz_rsa, EVP_RSA_gen(2048));
    fuzz_init_key(&fuzz_ec, EVP_EC_gen("P-256"));

    p = fuzz_ca.certificate.data;
    fuzz_ca_x509 = d2i_X509(NULL, &p, fuzz_ca.certificate.len);

    fuzz_must(fuzz_ca_x509 != NULL
              && ngx_scep_cms_certificate(&fuzz_ca.certificate, &fuzz_ca_id)
                 == NGX_OK);

    fuzz_must(ngx_scep_digests_init(pool, &fuzz_digests, 1, &error) == NGX_OK);
    fuzz_must(ngx_scep_ciphers_init(pool, &fuzz_ciphers, 1, &error) == NGX_OK);

    for (i = 0; i < FUZZ_PROFILES; i++) {
        fuzz_profiles[i] = ngx_pki_profile_create(pool, &name[i]);
        fuzz_must(fuzz_profiles[i] != NULL);
    }

    fuzz_must(ngx_array_init(&fuzz_challenge.secrets, pool, 1, 32) == NGX_OK);
    secret = ngx_array_push(&fuzz_challenge.secrets);
    fuzz_must(secret != NULL
              && EVP_Digest("secret", 6, secret, NULL, EVP_sha256(), NULL)
                 == 1);

    fuzz_init_wrapped();
    atexit(fuzz_report);
}


static void
fuzz_report(void)
{
    fprintf(stderr, "of %lu inputs %lu were decoded, %lu verified, %lu opened,"
            " %lu asked, %lu requests, %lu proven, %lu allowed, %lu answered\n",
            fuzz_stages[FUZZ_INPUTS], fuzz_stages[FUZZ_DECODED],
            fuzz_stages[FUZZ_VERIFIED], fuzz_stages[FUZZ_OPENED],
            fuzz_stages[FUZZ_ASKED], fuzz_stages[FUZZ_REQUESTED],
            fuzz_stages[FUZZ_PROVEN], fuzz_stages[FUZZ_ALLOWED],
            fuzz_stages[FUZZ_ANSWERED]);
}


/* What nginx does with it. */

static void
fuzz_serve(ngx_pool_t *pool, resigned_t *in, ngx_str_t *body)
{
    ngx_int_t            rc;
    ngx_str_t            plaintext, challenge;
    ngx_scep_signer_t    signer;
    ngx_scep_message_t   m;

    fuzz_stages[FUZZ_INPUTS]++;

    ngx_memzero(&signer, sizeof(ngx_scep_signer_t));
    ngx_str_null(&challenge);

    rc = fuzz_check(pool, body, &m, &signer);

    if (rc == NGX_OK) {
        rc = fuzz_open(pool, &m, &plaintext);

        if (rc == NGX_OK) {
            fuzz_stages[FUZZ_OPENED]++;
            rc = fuzz_handle(pool, in, &m, &plaintext, &challenge);
        }
    }

    fuzz_must(rc == NGX_OK || rc == NGX_DECLINED);
    fuzz_must(rc == NGX_OK || m.error != NULL);

    if (m.transaction.len != 0) {
        fuzz_answer(pool, in, &m, &signer, rc, &challenge);
    }
}


static ngx_int_t
fuzz_check(ngx_pool_t *pool, ngx_str_t *body, ngx_scep_message_t *m,
    ngx_scep_signer_t *signer)
{
    ngx_int_t              rc;
    ngx_str_t              key;
    ngx_scep_recipient_t  *recipient;

    rc = ngx_scep_message_decode(pool, body, m);

    if (rc != NGX_OK) {
        return rc;
    }

    fuzz_stages[FUZZ_DECODED]++;

    signer->md5 = 1;
    rc = ngx_scep_verify(pool, &fuzz_digests, m, signer);

    if (rc != NGX_OK) {
        return rc;
    }

    /* with a key that can be trusted to have signed it */

    key = m->signer.key.public_key;

    fuzz_must(signer->key != NULL && key.len != 0
              && (fuzz_holds(&fuzz_rsa.spki, &key)
                  || fuzz_holds(&fuzz_ec.spki, &key)));

    fuzz_stages[FUZZ_VERIFIED]++;

    recipient = ngx_scep_verify_recipient(m, &fuzz_ca_id, fuzz_ca_x509);

    if (recipient == NULL) {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_REQUEST,
                                       "for nobody here");
    }

    fuzz_must(recipient >= m->recipients
              && recipient < m->recipients + m->nrecipients);

    /* the one whose key is to be unwrapped */

    m->recipients[0] = *recipient;

    return NGX_OK;
}


static ngx_int_t
fuzz_open(ngx_pool_t *pool, ngx_scep_message_t *m, ngx_str_t *plaintext)
{
    u_char                  key[NGX_SCEP_MAX_KEY_LEN];
    size_t                  len;
    ngx_int_t               rc;
    ngx_str_t               secret, unwrapped;
    ngx_uint_t              cipher;
    ngx_scep_recipient_t   *recipient;

    cipher = ngx_scep_cipher_find(&m->cipher_oid, &m->iv);
    recipient = &m->recipients[0];

    if (cipher == NGX_SCEP_CIPHERS
        || (recipient->hash.len != 0
            && ngx_scep_digest_find(&recipient->hash) == NGX_SCEP_DIGESTS))
    {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_ALG, "an algorithm");
    }

    ngx_str_set(&secret, "a secret of the authority");
    len = EVP_CIPHER_get_key_length(fuzz_ciphers.cipher[cipher]);

    fuzz_unwrap(recipient, &unwrapped);

    rc = ngx_scep_envelope_key(&secret, &recipient->encrypted_key, &unwrapped,
                               key, len);
    fuzz_must(rc == NGX_OK);

    rc = ngx_scep_envelope_open(pool, fuzz_ciphers.cipher[cipher], m, key,
                                plaintext);
    if (rc == NGX_DECLINED) {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_MESSAGE_CHECK,
                                       "does not open");
    }

    fuzz_must(rc == NGX_OK && plaintext->len <= m->encrypted.len);

    return rc;
}


/* what the authority's key would make of it */

static void
fuzz_unwrap(ngx_scep_recipient_t *recipient, ngx_str_t *unwrapped)
{
    ngx_uint_t  i, n;

    n = (recipient->hash.len == 0)
        ? 0 : ngx_scep_digest_find(&recipient->hash) + 1;

    ngx_str_null(unwrapped);

    for (i = 0; i < NGX_SCEP_CIPHERS && n < FUZZ_PADDINGS; i++) {

        if (ngx_scep_str_eq(&recipient->encrypted_key, &fuzz_wrapped[i][n])) {
            unwrapped->data = fuzz_content_key;
            unwrapped->len = EVP_CIPHER_get_key_length(fuzz_ciphers.cipher[i]);
            return;
        }
    }
}


static ngx_int_t
fuzz_handle(ngx_pool_t *pool, resigned_t *in, ngx_scep_message_t *m,
    ngx_str_t *plaintext, ngx_str_t *challenge)
{
    ngx_str_t           text;
    ngx_pki_csr_t       csr;
    ngx_pki_template_t  t;

    if (m->type != NGX_SCEP_PKCS_REQ && m->type != NGX_SCEP_RENEWAL_REQ) {
        return fuzz_asked(m, plaintext);
    }

    if (ngx_pki_csr_decode(pool, plaintext, &csr) != NGX_OK) {
        fuzz_must(csr.error != NULL);
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_MESSAGE_CHECK,
                                       csr.error);
    }

    fuzz_stages[FUZZ_REQUESTED]++;

    if (ngx_pki_profile_check_key(fuzz_profile(in), &csr, &text) != NGX_OK) {
        fuzz_line(&text);
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_REQUEST, "its key");
    }

    if (ngx_pki_csr_verify(&csr) != NGX_OK) {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_MESSAGE_CHECK,
                                       "not proven");
    }

    fuzz_stages[FUZZ_PROVEN]++;

    fuzz_line(&csr.challenge);
    *challenge = csr.challenge;

    if (ngx_scep_challenge_check(&fuzz_challenge, challenge)
        != NGX_SCEP_CHALLENGE_ACCEPTED
        && m->type == NGX_SCEP_PKCS_REQ)
    {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_REQUEST,
                                       "the challenge");
    }

    if (fuzz_apply(pool, in, &csr, &t) != NGX_OK) {
        return ngx_scep_message_refuse(m, t.fail_info, "the profile");
    }

    fuzz_stages[FUZZ_ALLOWED]++;

    fuzz_pending(pool, m, &csr, &t);

    return NGX_OK;
}


static ngx_int_t
fuzz_asked(ngx_scep_message_t *m, ngx_str_t *plaintext)
{
    ngx_int_t         rc;
    ngx_str_t         issuer, subject;
    ngx_pki_serial_t  serial;

    if (m->type == NGX_SCEP_CERT_POLL) {
        rc = ngx_scep_cms_names(plaintext, &issuer, &subject);

        if (rc == NGX_OK) {
            fuzz_must(fuzz_holds(plaintext, &subject));
        }

    } else {
        rc = ngx_scep_cms_subject(plaintext, &issuer, &serial);

        fuzz_must(rc != NGX_OK
                  || (serial.len != 0 && serial.len <= NGX_PKI_SERIAL_LEN));
    }

    if (rc != NGX_OK) {
        return ngx_scep_message_refuse(m, NGX_SCEP_BAD_CERT_ID, "its names");
    }

    fuzz_must(fuzz_holds(plaintext, &issuer));
    fuzz_stages[FUZZ_ASKED]++;

    return NGX_OK;
}


/* what comes of it is a certificate that OpenSSL can read */

static ngx_int_t
fuzz_apply(ngx_pool_t *pool, resigned_t *in, ngx_pki_csr_t *csr,
    ngx_pki_template_t *t)
{
    X509          *x509;
    ngx_int_t      rc;
    ngx_str_t      der;
    const u_char  *p;

    rc = ngx_pki_profile_apply(fuzz_profile(in), pool, csr, FUZZ_NOW, 0,
                               FUZZ_LATER, t);

    fuzz_must(rc == NGX_OK || rc == NGX_DECLINED);

    if (rc != NGX_OK) {
        fuzz_must(t->refusal.len != 0);
        fuzz_line(&t->refusal);
        return rc;
    }

    fuzz_line(&t->subject_text);
    fuzz_line(&t->sans_text);

    fuzz_must(t->not_before < t->not_after);

    fuzz_certificate(pool, &csr->spki, &t->extensions, &der);

    p = der.data;
    x509 = d2i_X509(NULL, &p, der.len);

    fuzz_must(x509 != NULL && p == der.data + der.len
              && !(X509_get_extension_flags(x509) & (EXFLAG_INVALID|EXFLAG_CA))
              && !((X509_get_extension_flags(x509) & EXFLAG_KUSAGE)
                   && (X509_get_key_usage(x509)
                       & (KU_KEY_CERT_SIGN|KU_CRL_SIGN))));

    X509_free(x509);
    ERR_clear_error();

    return NGX_OK;
}


/* a request that waits is written, and read again as it was */

static void
fuzz_pending(ngx_pool_t *pool, ngx_scep_message_t *m, ngx_pki_csr_t *csr,
    ngx_pki_template_t *t)
{
    ngx_int_t          n;
    ngx_str_t          authority, fields[NGX_PKI_PENDING_FIELDS];
    ngx_pki_pending_t  pending, again;

    ngx_memzero(&pending, sizeof(ngx_pki_pending_t));
    ngx_str_set(&authority, "devices");

    fuzz_must(ngx_pki_pending_id(pool, &authority, &m->transaction,
                                 &m->signer.key.public_key, &pending.id)
              == NGX_OK
              && ngx_pki_pending_id_check(&pending.id) == NGX_OK);

    pending.key = pending.id;
    pending.csr = csr->der;
    pending.subject = t->subject_text;
    pending.sans = t->sans_text;
    ngx_str_set(&pending.profile, "default");
    pending.transaction = m->transaction;
    ngx_str_set(&pending.requester, "192.0.2.1");
    pending.received = FUZZ_NOW;
    pending.ttl = 604800;

    n = ngx_pki_pending_encode(pool, &pending, fields);

    fuzz_must(n > 0 && n <= NGX_PKI_PENDING_FIELDS);

    fuzz_must(ngx_pki_pending_decode(fields, n, &again) == NGX_OK
              && ngx_scep_str_eq(&pending.csr, &again.csr)
              && ngx_scep_str_eq(&pending.subject, &again.subject)
              && ngx_scep_str_eq(&pending.sans, &again.sans)
              && ngx_scep_str_eq(&pending.transaction, &again.transaction));
}


/* CertRep, which OpenSSL reads; the signature in it is none */

static void
fuzz_answer(ngx_pool_t *pool, resigned_t *in, ngx_scep_message_t *m,
    ngx_scep_signer_t *signer, ngx_int_t rc, ngx_str_t *challenge)
{
    u_char             buf[EVP_MAX_MD_SIZE];
    ngx_str_t          digest, out;
    ngx_uint_t         i;
    const u_char      *p;
    CMS_ContentInfo   *cms;
    ngx_scep_reply_t   reply;

    ngx_memzero(&reply, sizeof(ngx_scep_reply_t));

    i = ngx_scep_digest_find(&m->digest_oid);

    reply.request = m;
    reply.status = NGX_SCEP_FAILURE;
    reply.fail_info = m->fail_info;
    reply.digest = (i == NGX_SCEP_DIGESTS) ? NGX_SCEP_SHA256 : i;
    reply.md = fuzz_digests.md[reply.digest];
    reply.signer = &fuzz_ca_id;
    reply.certificate = &fuzz_ca.certificate;

    if (rc == NGX_OK) {
        reply.status = (in->switches[RESIGNED_ANSWER] & 0x02)
                       ? NGX_SCEP_PENDING : NGX_SCEP_SUCCESS;
    }

    if (reply.status == NGX_SCEP_SUCCESS
        && fuzz_seal(pool, in, m, signer, challenge, &reply.envelope)
           != NGX_OK)
    {
        return;
    }

    fuzz_must(ngx_scep_reply_prepare(pool, &reply, buf, &digest) == NGX_OK
              && ngx_scep_reply_finish(pool, &reply, &digest, &out) == NGX_OK);

    p = out.data;
    cms = d2i_CMS_ContentInfo(NULL, &p, out.len);

    fuzz_must(cms != NULL && p == out.data + out.len);
    CMS_ContentInfo_free(cms);

    fuzz_stages[FUZZ_ANSWERED]++;
}


/* NGX_DECLINED: there is no password for a signer without an RSA key */

static ngx_int_t
fuzz_seal(ngx_pool_t *pool, resigned_t *in, ngx_scep_message_t *m,
    ngx_scep_signer_t *signer, ngx_str_t *challenge, ngx_str_t *out)
{
    ngx_int_t             rc;
    ngx_str_t             content;
    ngx_uint_t            hash;
    ngx_scep_seal_t       seal;
    ngx_scep_password_t   password;

    ngx_memzero(&seal, sizeof(ngx_scep_seal_t));
    ngx_memzero(&password, sizeof(ngx_scep_password_t));

    seal.recipient = &m->signer;
    seal.key = signer->key;
    seal.ctx = signer->verify;
    seal.cipher = ngx_scep_cipher_find(&m->cipher_oid, &m->iv);

    if (m->recipients[0].hash.len != 0) {
        hash = ngx_scep_digest_find(&m->recipients[0].hash);

        seal.oaep = fuzz_digests.md[hash];
        seal.oaep_oid = ngx_scep_digest_oid(hash);
        seal.mgf1 = seal.oaep;
        seal.mgf1_oid = seal.oaep_oid;
    }

    if (m->signer.key.key.type != NGX_PKI_KEY_RSA) {

        if (challenge->len == 0) {
            return NGX_DECLINED;
        }

        /* the key stays zero: to derive it takes 25 milliseconds */

        fuzz_must(ngx_scep_password_init(&password, challenge,
                                         fuzz_ciphers.cipher[seal.cipher])
                  == NGX_OK);

        seal.password = &password;
    }

    rc = ngx_scep_cms_certs_only(pool, &fuzz_ca.certificate, 1, &content);
    fuzz_must(rc == NGX_OK);

    if (in->switches[RESIGNED_ANSWER] & 0x01) {
        rc = ngx_scep_cms_crl_only(pool, &content, &content);
        fuzz_must(rc == NGX_OK);
    }

    rc = ngx_scep_envelope_seal(pool, &fuzz_ciphers, &seal, &content, out);

    fuzz_must(rc == NGX_OK);

    return rc;
}


static ngx_pki_profile_t *
fuzz_profile(resigned_t *in)
{
    return fuzz_profiles[in->switches[RESIGNED_PROFILE] % FUZZ_PROFILES];
}


static ngx_uint_t
fuzz_holds(ngx_str_t *whole, ngx_str_t *part)
{
    size_t  i;

    for (i = 0; i + part->len <= whole->len; i++) {
        if (ngx_memcmp(whole->data + i, part->data, part->len) == 0) {
            return 1;
        }
    }

    return 0;
}


/* whatever goes into a log or a page is one line of UTF-8 */

static void
fuzz_line(ngx_str_t *text)
{
    fuzz_must(ngx_pki_string_length(text) != NGX_ERROR);
}
