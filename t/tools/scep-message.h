
/*
 * Copyright (C) the ngx_pki authors
 *
 * SCEP messages for load tests: many PKCSReq made in advance, and the check
 * of their answers.
 */


#ifndef _SCEP_MESSAGE_H_INCLUDED_
#define _SCEP_MESSAGE_H_INCLUDED_


#include <stddef.h>
#include <openssl/evp.h>
#include <openssl/x509.h>


#define SCEP_NONCE_LEN   16
#define SCEP_TXN_LEN     16
#define SCEP_SERIAL_LEN  40

#define SCEP_SUCCESS     0
#define SCEP_FAILURE     2
#define SCEP_PENDING     3
#define SCEP_UNKNOWN     (-1)


/* what messages are made of, and what answers are checked against */

typedef struct {
    X509               *recipient;    /* envelopes go to it */
    X509               *issuer;       /* signs certificates */
    const EVP_CIPHER   *cipher;
    const EVP_MD       *digest;
    const char         *challenge;
    char                prefix[SCEP_TXN_LEN / 2 + 1];
    EVP_PKEY          **keys;         /* few, shared by many messages */
    unsigned            nkeys;
} scep_factory_t;


typedef struct {
    unsigned char      *der;
    size_t              len;
    unsigned            key;
    unsigned char       nonce[SCEP_NONCE_LEN];
    char                txn[SCEP_TXN_LEN + 1];
} scep_message_t;


typedef struct {
    int                 status;       /* SCEP_... */
    char                serial[2 * SCEP_SERIAL_LEN + 1];
    const char         *error;        /* NULL: everything is as it must be */
} scep_answer_t;


/* Calls "work" for 0 .. n-1 on "threads" threads; 0, or -1 if one failed. */
int scep_parallel(unsigned threads, size_t n,
    int (*work)(void *data, size_t i), void *data);

/* Makes factory->nkeys RSA-2048 keys and a random prefix; 0 or -1. */
int scep_factory_init(scep_factory_t *factory, unsigned threads);

/* Makes the message number "i": own subject, own transaction; 0 or -1. */
int scep_message_make(scep_factory_t *factory, scep_message_t *message,
    size_t i);

/* The pkiStatus of a CertRep by a search for its octets: fast, trusts it. */
int scep_quick_status(const unsigned char *reply, size_t len);

/*
 * Checks a CertRep (RFC 8894, 3.2.1, 3.3.2): signer, signature, transactionID,
 * messageType, nonces; of a SUCCESS the envelope, that exactly one certificate
 * is in it, its key and its signature.
 */
void scep_answer_check(scep_factory_t *factory, scep_message_t *message,
    const unsigned char *reply, size_t len, scep_answer_t *answer);


#endif /* _SCEP_MESSAGE_H_INCLUDED_ */
