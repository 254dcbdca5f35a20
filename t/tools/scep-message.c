
/*
 * Copyright (C) the ngx_pki authors
 *
 * SCEP messages for load tests (RFC 8894), with OpenSSL's CMS: on purpose
 * nothing of the module is used, so that both cannot be wrong alike.
 */


#define _GNU_SOURCE

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/bn.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#include "scep-message.h"


#define SCEP_RSA_BITS         2048
#define SCEP_MAX_THREADS      64

#define SCEP_OID_TYPE         "2.16.840.1.113733.1.9.2"
#define SCEP_OID_STATUS       "2.16.840.1.113733.1.9.3"
#define SCEP_OID_SENDER       "2.16.840.1.113733.1.9.5"
#define SCEP_OID_RECIPIENT    "2.16.840.1.113733.1.9.6"
#define SCEP_OID_TRANSACTION  "2.16.840.1.113733.1.9.7"


typedef struct {
    pthread_mutex_t     lock;
    size_t              next;
    size_t              n;
    int                 failed;
    int               (*work)(void *data, size_t i);
    void               *data;
} scep_parallel_t;


static void *scep_parallel_thread(void *arg);
static int scep_key_make(void *data, size_t i);
static X509_NAME *scep_name(const char *cn);
static X509 *scep_signer_make(EVP_PKEY *key, X509_NAME *name,
    const EVP_MD *digest);
static BIO *scep_csr_make(scep_factory_t *factory, EVP_PKEY *key,
    X509_NAME *name);
static BIO *scep_envelope_make(scep_factory_t *factory, BIO *content);
static int scep_attribute_add(CMS_SignerInfo *si, const char *oid, int type,
    const void *value, int len);
static int scep_message_sign(scep_factory_t *factory, scep_message_t *message,
    EVP_PKEY *key, X509 *signer, BIO *envelope);
static const ASN1_STRING *scep_attribute(CMS_SignerInfo *si, const char *oid,
    int type);
static const char *scep_attributes_check(CMS_SignerInfo *si,
    scep_message_t *message, int *status);
static const char *scep_signature_check(scep_factory_t *factory,
    CMS_ContentInfo *cms, CMS_SignerInfo *si, BIO *content);
static const char *scep_payload_check(scep_factory_t *factory,
    scep_message_t *message, BIO *content, scep_answer_t *answer);
static const char *scep_certificate_check(scep_factory_t *factory,
    scep_message_t *message, BIO *degenerate, scep_answer_t *answer);


int
scep_parallel(unsigned threads, size_t n, int (*work)(void *data, size_t i),
    void *data)
{
    unsigned         i, started;
    pthread_t        tid[SCEP_MAX_THREADS];
    scep_parallel_t  job;

    if (threads > SCEP_MAX_THREADS) {
        threads = SCEP_MAX_THREADS;
    }

    memset(&job, 0, sizeof(scep_parallel_t));
    pthread_mutex_init(&job.lock, NULL);
    job.n = n;
    job.work = work;
    job.data = data;

    for (started = 0; started < threads; started++) {
        if (pthread_create(&tid[started], NULL, scep_parallel_thread, &job)
            != 0)
        {
            break;
        }
    }

    if (started == 0) {
        scep_parallel_thread(&job);
    }

    for (i = 0; i < started; i++) {
        pthread_join(tid[i], NULL);
    }

    pthread_mutex_destroy(&job.lock);

    return job.failed ? -1 : 0;
}


static void *
scep_parallel_thread(void *arg)
{
    scep_parallel_t  *job = arg;

    size_t  i;

    for ( ;; ) {
        pthread_mutex_lock(&job->lock);
        i = job->failed ? job->n : job->next++;
        pthread_mutex_unlock(&job->lock);

        if (i >= job->n) {
            return NULL;
        }

        if (job->work(job->data, i) == -1) {
            pthread_mutex_lock(&job->lock);
            job->failed = 1;
            pthread_mutex_unlock(&job->lock);
        }
    }
}


int
scep_factory_init(scep_factory_t *factory, unsigned threads)
{
    unsigned char  random[SCEP_TXN_LEN / 4];

    if (RAND_bytes(random, sizeof(random)) != 1) {
        return -1;
    }

    snprintf(factory->prefix, sizeof(factory->prefix), "%02X%02X%02X%02X",
             random[0], random[1], random[2], random[3]);

    factory->keys = calloc(factory->nkeys, sizeof(EVP_PKEY *));
    if (factory->keys == NULL) {
        return -1;
    }

    return scep_parallel(threads, factory->nkeys, scep_key_make, factory);
}


static int
scep_key_make(void *data, size_t i)
{
    scep_factory_t  *factory = data;

    factory->keys[i] = EVP_RSA_gen(SCEP_RSA_BITS);

    return factory->keys[i] ? 0 : -1;
}


int
scep_message_make(scep_factory_t *factory, scep_message_t *message, size_t i)
{
    int         rc;
    BIO        *csr, *envelope;
    X509       *signer;
    char        cn[64];
    EVP_PKEY   *key;
    X509_NAME  *name;

    rc = -1;
    csr = NULL;
    envelope = NULL;
    signer = NULL;

    message->key = i % factory->nkeys;
    key = factory->keys[message->key];

    snprintf(message->txn, sizeof(message->txn), "%s%08zu", factory->prefix,
             i % 100000000);
    snprintf(cn, sizeof(cn), "load-%s", message->txn);

    name = scep_name(cn);

    if (name == NULL
        || RAND_bytes(message->nonce, SCEP_NONCE_LEN) != 1
        || (signer = scep_signer_make(key, name, factory->digest)) == NULL
        || (csr = scep_csr_make(factory, key, name)) == NULL
        || (envelope = scep_envelope_make(factory, csr)) == NULL)
    {
        goto done;
    }

    rc = scep_message_sign(factory, message, key, signer, envelope);

done:

    X509_NAME_free(name);
    X509_free(signer);
    BIO_free(csr);
    BIO_free(envelope);

    return rc;
}


static X509_NAME *
scep_name(const char *cn)
{
    X509_NAME  *name;

    name = X509_NAME_new();

    if (name != NULL
        && X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                      (const unsigned char *) cn, -1, -1, 0)
           != 1)
    {
        X509_NAME_free(name);
        return NULL;
    }

    return name;
}


/* the self-signed certificate of a client that has no other yet */

static X509 *
scep_signer_make(EVP_PKEY *key, X509_NAME *name, const EVP_MD *digest)
{
    X509  *x;

    x = X509_new();

    if (x == NULL
        || X509_set_version(x, X509_VERSION_3) != 1
        || ASN1_INTEGER_set(X509_get_serialNumber(x), 1) != 1
        || X509_set_subject_name(x, name) != 1
        || X509_set_issuer_name(x, name) != 1
        || X509_gmtime_adj(X509_getm_notBefore(x), -3600) == NULL
        || X509_gmtime_adj(X509_getm_notAfter(x), 7 * 86400) == NULL
        || X509_set_pubkey(x, key) != 1
        || X509_sign(x, key, digest) == 0)
    {
        X509_free(x);
        return NULL;
    }

    return x;
}


static BIO *
scep_csr_make(scep_factory_t *factory, EVP_PKEY *key, X509_NAME *name)
{
    BIO       *bio;
    X509_REQ  *req;

    bio = BIO_new(BIO_s_mem());
    req = X509_REQ_new();

    if (bio == NULL
        || req == NULL
        || X509_REQ_set_subject_name(req, name) != 1
        || X509_REQ_set_pubkey(req, key) != 1
        || (factory->challenge != NULL
            && X509_REQ_add1_attr_by_NID(req, NID_pkcs9_challengePassword,
                         MBSTRING_ASC,
                         (const unsigned char *) factory->challenge, -1)
               != 1)
        || X509_REQ_sign(req, key, factory->digest) == 0
        || i2d_X509_REQ_bio(bio, req) != 1)
    {
        BIO_free(bio);
        bio = NULL;
    }

    X509_REQ_free(req);

    return bio;
}


static BIO *
scep_envelope_make(scep_factory_t *factory, BIO *content)
{
    BIO              *bio;
    CMS_ContentInfo  *cms;
    STACK_OF(X509)   *to;

    bio = BIO_new(BIO_s_mem());
    to = sk_X509_new_null();
    cms = NULL;

    if (bio != NULL && to != NULL && sk_X509_push(to, factory->recipient)) {
        cms = CMS_encrypt(to, content, factory->cipher, CMS_BINARY);
    }

    if (cms == NULL || i2d_CMS_bio(bio, cms) != 1) {
        BIO_free(bio);
        bio = NULL;
    }

    sk_X509_free(to);
    CMS_ContentInfo_free(cms);

    return bio;
}


static int
scep_attribute_add(CMS_SignerInfo *si, const char *oid, int type,
    const void *value, int len)
{
    int           rc;
    ASN1_OBJECT  *obj;

    obj = OBJ_txt2obj(oid, 1);
    if (obj == NULL) {
        return -1;
    }

    rc = CMS_signed_add1_attr_by_OBJ(si, obj, type, value, len);

    ASN1_OBJECT_free(obj);

    return rc == 1 ? 0 : -1;
}


static int
scep_message_sign(scep_factory_t *factory, scep_message_t *message,
    EVP_PKEY *key, X509 *signer, BIO *envelope)
{
    int               len;
    unsigned          flags;
    CMS_SignerInfo   *si;
    CMS_ContentInfo  *cms;

    flags = CMS_PARTIAL|CMS_BINARY|CMS_NOSMIMECAP;

    cms = CMS_sign(NULL, NULL, NULL, NULL, flags);
    if (cms == NULL) {
        return -1;
    }

    len = -1;
    message->der = NULL;

    si = CMS_add1_signer(cms, signer, key, factory->digest, flags);

    if (si != NULL
        && scep_attribute_add(si, SCEP_OID_TRANSACTION,
                              V_ASN1_PRINTABLESTRING, message->txn,
                              SCEP_TXN_LEN) == 0
        && scep_attribute_add(si, SCEP_OID_TYPE, V_ASN1_PRINTABLESTRING, "19",
                              2) == 0
        && scep_attribute_add(si, SCEP_OID_SENDER, V_ASN1_OCTET_STRING,
                              message->nonce, SCEP_NONCE_LEN) == 0
        && CMS_final(cms, envelope, NULL, flags) == 1)
    {
        len = i2d_CMS_ContentInfo(cms, &message->der);
    }

    CMS_ContentInfo_free(cms);

    if (len <= 0) {
        return -1;
    }

    message->len = len;

    return 0;
}


int
scep_quick_status(const unsigned char *reply, size_t len)
{
    const unsigned char  *p;

    static const unsigned char  status[] = {
        0x06, 0x0a, 0x60, 0x86, 0x48, 0x01, 0x86, 0xf8, 0x45, 0x01, 0x09,
        0x03, 0x31, 0x03, 0x13, 0x01
    };

    p = memmem(reply, len, status, sizeof(status));

    if (p == NULL || p + sizeof(status) == reply + len) {
        return SCEP_UNKNOWN;
    }

    switch (p[sizeof(status)]) {
    case '0':
        return SCEP_SUCCESS;
    case '2':
        return SCEP_FAILURE;
    case '3':
        return SCEP_PENDING;
    default:
        return SCEP_UNKNOWN;
    }
}


void
scep_answer_check(scep_factory_t *factory, scep_message_t *message,
    const unsigned char *reply, size_t len, scep_answer_t *answer)
{
    BIO                       *content;
    CMS_SignerInfo            *si;
    CMS_ContentInfo           *cms;
    const unsigned char       *p;
    STACK_OF(CMS_SignerInfo)  *sis;

    memset(answer, 0, sizeof(scep_answer_t));
    answer->status = SCEP_UNKNOWN;

    p = reply;
    content = BIO_new(BIO_s_mem());
    cms = d2i_CMS_ContentInfo(NULL, &p, len);

    if (content == NULL || cms == NULL || p != reply + len) {
        answer->error = "not a CMS message";
        goto done;
    }

    sis = CMS_get0_SignerInfos(cms);

    if (sis == NULL || sk_CMS_SignerInfo_num(sis) != 1) {
        answer->error = "not exactly one signer";
        goto done;
    }

    si = sk_CMS_SignerInfo_value(sis, 0);

    answer->error = scep_attributes_check(si, message, &answer->status);

    if (answer->error == NULL) {
        answer->error = scep_signature_check(factory, cms, si, content);
    }

    if (answer->error == NULL && answer->status == SCEP_SUCCESS) {
        answer->error = scep_payload_check(factory, message, content, answer);
    }

done:

    BIO_free(content);
    CMS_ContentInfo_free(cms);
    ERR_clear_error();
}


static const ASN1_STRING *
scep_attribute(CMS_SignerInfo *si, const char *oid, int type)
{
    ASN1_OBJECT        *obj;
    const ASN1_STRING  *value;

    obj = OBJ_txt2obj(oid, 1);
    if (obj == NULL) {
        return NULL;
    }

    /* -3: there once, with one value */
    value = CMS_signed_get0_data_by_OBJ(si, obj, -3, type);

    ASN1_OBJECT_free(obj);

    return value;
}


static const char *
scep_attributes_check(CMS_SignerInfo *si, scep_message_t *message, int *status)
{
    const ASN1_STRING  *txn, *type, *sender, *recipient, *pki;

    txn = scep_attribute(si, SCEP_OID_TRANSACTION, V_ASN1_PRINTABLESTRING);
    type = scep_attribute(si, SCEP_OID_TYPE, V_ASN1_PRINTABLESTRING);
    sender = scep_attribute(si, SCEP_OID_SENDER, V_ASN1_OCTET_STRING);
    recipient = scep_attribute(si, SCEP_OID_RECIPIENT, V_ASN1_OCTET_STRING);
    pki = scep_attribute(si, SCEP_OID_STATUS, V_ASN1_PRINTABLESTRING);

    if (txn == NULL
        || ASN1_STRING_length(txn) != SCEP_TXN_LEN
        || memcmp(ASN1_STRING_get0_data(txn), message->txn, SCEP_TXN_LEN) != 0)
    {
        return "transactionID not echoed";
    }

    if (type == NULL
        || ASN1_STRING_length(type) != 1
        || *ASN1_STRING_get0_data(type) != '3')
    {
        return "messageType is not 3";
    }

    if (recipient == NULL
        || ASN1_STRING_length(recipient) != SCEP_NONCE_LEN
        || memcmp(ASN1_STRING_get0_data(recipient), message->nonce,
                  SCEP_NONCE_LEN) != 0)
    {
        return "recipientNonce is not our senderNonce";
    }

    if (sender == NULL
        || ASN1_STRING_length(sender) != SCEP_NONCE_LEN
        || memcmp(ASN1_STRING_get0_data(sender), message->nonce,
                  SCEP_NONCE_LEN) == 0)
    {
        return "senderNonce is not fresh";
    }

    if (pki == NULL || ASN1_STRING_length(pki) != 1) {
        return "no pkiStatus";
    }

    switch (*ASN1_STRING_get0_data(pki)) {
    case '0':
        *status = SCEP_SUCCESS;
        return NULL;
    case '2':
        *status = SCEP_FAILURE;
        return NULL;
    case '3':
        *status = SCEP_PENDING;
        return NULL;
    default:
        return "pkiStatus unknown";
    }
}


/* the signer must be the recipient of the request: the CA or its RA */

static const char *
scep_signature_check(scep_factory_t *factory, CMS_ContentInfo *cms,
    CMS_SignerInfo *si, BIO *content)
{
    BIO          *in;
    const char   *error;
    ASN1_OCTET_STRING  **pos;
    STACK_OF(X509)     *signers;

    if (CMS_SignerInfo_cert_cmp(si, factory->recipient) != 0) {
        return "signed by another than the recipient";
    }

    signers = sk_X509_new_null();
    if (signers == NULL || !sk_X509_push(signers, factory->recipient)) {
        sk_X509_free(signers);
        return "out of memory";
    }

    error = NULL;
    in = NULL;

    /* a FAILURE has no content, its messageDigest is that of nothing */
    pos = CMS_get0_content(cms);

    if (pos != NULL && *pos == NULL) {
        in = BIO_new_mem_buf("", 0);
    }

    if (CMS_verify(cms, signers, NULL, in, content,
                   CMS_NOINTERN|CMS_NO_SIGNER_CERT_VERIFY|CMS_BINARY) != 1)
    {
        error = "wrong signature";
    }

    BIO_free(in);
    sk_X509_free(signers);

    return error;
}


static const char *
scep_payload_check(scep_factory_t *factory, scep_message_t *message,
    BIO *content, scep_answer_t *answer)
{
    BIO              *degenerate;
    const char       *error;
    CMS_ContentInfo  *cms;

    degenerate = BIO_new(BIO_s_mem());
    cms = d2i_CMS_bio(content, NULL);

    if (degenerate == NULL
        || cms == NULL
        || OBJ_obj2nid(CMS_get0_type(cms)) != NID_pkcs7_enveloped)
    {
        error = "no envelope";

    } else if (CMS_decrypt(cms, factory->keys[message->key], NULL, NULL,
                           degenerate, CMS_BINARY) != 1)
    {
        error = "envelope cannot be opened";

    } else {
        error = scep_certificate_check(factory, message, degenerate, answer);
    }

    BIO_free(degenerate);
    CMS_ContentInfo_free(cms);

    return error;
}


static const char *
scep_certificate_check(scep_factory_t *factory, scep_message_t *message,
    BIO *degenerate, scep_answer_t *answer)
{
    int                  i, len;
    X509                *x;
    const char          *error;
    CMS_ContentInfo     *cms;
    STACK_OF(X509)      *certs;
    const ASN1_INTEGER  *serial;

    cms = d2i_CMS_bio(degenerate, NULL);
    certs = (cms != NULL) ? CMS_get1_certs(cms) : NULL;

    if (certs == NULL || sk_X509_num(certs) != 1) {
        error = "not exactly one certificate";
        goto done;
    }

    x = sk_X509_value(certs, 0);
    serial = X509_get0_serialNumber(x);
    len = ASN1_STRING_length(serial);

    if (len > SCEP_SERIAL_LEN) {
        error = "serial number too long";
        goto done;
    }

    for (i = 0; i < len; i++) {
        sprintf(&answer->serial[2 * i], "%02x",
                ASN1_STRING_get0_data(serial)[i]);
    }

    if (EVP_PKEY_eq(X509_get0_pubkey(x), factory->keys[message->key]) != 1) {
        error = "certificate of another key";

    } else if (X509_verify(x, X509_get0_pubkey(factory->issuer)) != 1) {
        error = "certificate not signed by the authority";

    } else {
        error = NULL;
    }

done:

    sk_X509_pop_free(certs, X509_free);
    CMS_ContentInfo_free(cms);

    return error;
}
