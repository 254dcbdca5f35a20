
/*
 * Copyright (C) the ngx_pki authors
 *
 * The key interface: a private key that signs digests and opens envelopes,
 * wherever it is kept.  Nothing above this floor knows which kind it has.
 */


#ifndef _NGX_PKI_KEY_H_INCLUDED_
#define _NGX_PKI_KEY_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_op.h"
#include "ngx_pki_turn.h"


typedef struct ngx_pki_key_s      ngx_pki_key_t;
typedef struct ngx_pki_key_job_s  ngx_pki_key_job_t;

typedef void (*ngx_pki_key_pt)(ngx_pki_key_job_t *job);


typedef enum {
    NGX_PKI_KEY_RSA = 1,
    NGX_PKI_KEY_EC,
    NGX_PKI_KEY_ED25519
} ngx_pki_key_type_e;


/* "rsa:2048", "ec:P-256", "rsa-hsm:4096": what to create, what to allow */

typedef struct {
    ngx_pki_key_type_e         type;
    ngx_uint_t                 bits;         /* of the modulus or the field */
    int                        nid;          /* of the curve */
    unsigned                   hsm:1;
} ngx_pki_key_spec_t;


/*
 * An initialized context of OpenSSL's, kept since making one takes a while;
 * in the event loop only
 */

typedef struct {
    EVP_PKEY_CTX              *ctx;          /* NULL: none yet */
    int                        md;           /* what it is made for */
    ngx_uint_t                 pss;
} ngx_pki_key_ctx_t;


/*
 * What is called "pss" of a signature: 0: it is none of RSASSA-PSS; 1: its
 * salt is as long as the digest; or this, of so many octets
 */

#define ngx_pki_key_pss_salt(octets)  ((ngx_uint_t) (octets) + 2)


typedef enum {
    NGX_PKI_KEY_SIGN = 0,
    NGX_PKI_KEY_DECRYPT
} ngx_pki_key_operation_e;


struct ngx_pki_key_s {
    ngx_str_t                  name;         /* as in messages */
    ngx_pki_key_spec_t         spec;
    EVP_PKEY                  *public_key;   /* pinned; NULL: not yet */
    unsigned                   slow:1;       /* wants the thread pool */
    unsigned                   unchecked:1;  /* signatures need no check */
    unsigned                   remote:1;     /* a job takes a call */

    /* what keeps it from working now, NULL: nothing; may be NULL itself */
    ngx_str_t               *(*trouble)(ngx_pki_key_t *key);

    /* once in every worker; NULL: nothing to do */
    ngx_int_t                (*start)(ngx_pki_key_t *key, ngx_log_t *log);

    /* starts the job; ends it by ngx_pki_key_done(), perhaps at once */
    ngx_pki_key_pt             run;
    void                      *data;         /* of the kind of key */

    /* to verify with the public key; NULL: one that may change */
    ngx_pki_key_ctx_t         *verify;

#if (NGX_THREADS)
    ngx_thread_pool_t         *thread_pool;  /* NULL: compute inline */
#endif
};


/*
 * One private operation, in the pool of its operation.  The handler is called
 * exactly once, perhaps before ngx_pki_key_sign() returns: the call has to be
 * the caller's last statement.
 */

struct ngx_pki_key_job_s {
    ngx_pki_op_t              *op;
    ngx_pki_key_t             *key;
    ngx_pki_key_operation_e    operation;

    /* SHA-256, 384, 512; of the signature, or of OAEP (NULL: PKCS#1 v1.5) */
    const EVP_MD              *md;
    const EVP_MD              *mgf1;         /* of OAEP; NULL: the same */
    unsigned                   pss:1;        /* RSASSA-PSS, salt as the md */
    unsigned                   at_once:1;    /* a local key waits for no turn */

    ngx_str_t                  input;        /* a digest, or a ciphertext */

    /*
     * NGX_OK: "output" is the signature as in a BIT STRING (already verified
     * with the pinned public key), or the plaintext.  NGX_DECLINED: the
     * ciphertext's padding is wrong; never tell the client (RFC 8017, 7.2).
     * NGX_ERROR: the key cannot be used now; logged.
     */
    ngx_int_t                  rc;
    ngx_str_t                  output;
    ngx_msec_t                 elapsed;

    ngx_pki_key_pt             handler;
    void                      *data;

    ngx_msec_t                 started;
    ngx_pki_turn_t             turn;
    void                      *ctx;          /* of the kind of key */
};


/* Parses a key specification; NULL, or what is wrong. */
const char *ngx_pki_key_parse_spec(ngx_str_t *text, ngx_pki_key_spec_t *spec);

/* Prints it; "out" has room for NGX_PKI_KEY_SPEC_LEN.  What is none is "". */
#define NGX_PKI_KEY_SPEC_LEN  (sizeof("rsa-hsm:") + NGX_INT_T_LEN)
void ngx_pki_key_print_spec(ngx_pki_key_spec_t *spec, ngx_str_t *out);

/* Whether a local key of this kind computes too long for the event loop. */
ngx_uint_t ngx_pki_key_is_slow(ngx_pki_key_spec_t *spec);

/* Describes a public key; NGX_ERROR if it is of no supported kind. */
ngx_int_t ngx_pki_key_describe(EVP_PKEY *pkey, ngx_pki_key_spec_t *spec);

/* The SubjectPublicKeyInfo of a key, in a pool; NGX_ERROR: out of memory. */
ngx_int_t ngx_pki_key_spki(ngx_pool_t *pool, EVP_PKEY *pkey,
    ngx_str_t *spki);

/*
 * Loads a PEM or DER private key from a file; the key is freed with "pool".
 * NULL: "error" is why, one line.  Reads the file: configuration time only.
 */
ngx_pki_key_t *ngx_pki_key_file_load(ngx_pool_t *pool, ngx_str_t *path,
    ngx_str_t *error);

/* The same by OSSL_STORE ("file:...", "pkcs11:..."): every worker opens it
 * anew, since sessions with a token do not survive a fork. */
ngx_pki_key_t *ngx_pki_key_store_load(ngx_pool_t *pool, ngx_str_t *uri,
    ngx_str_t *error);

/*
 * Makes a private key and writes it to a file of mode 0600 that must not
 * exist yet.  NGX_DECLINED: somebody else was faster, load that one.
 */
ngx_int_t ngx_pki_key_file_create(ngx_pool_t *pool, ngx_str_t *path,
    ngx_pki_key_spec_t *spec, ngx_str_t *error);

/*
 * A key kept in memory only, e.g. of a delegated OCSP responder; takes over
 * "pkey", which is freed with "pool".  Signatures of an EC key are not
 * verified before release: nobody else made them, and a check takes three
 * times as long.  RSA's are: one that went wrong can give the key away.
 */
ngx_pki_key_t *ngx_pki_key_memory(ngx_pool_t *pool, EVP_PKEY *pkey,
    ngx_str_t *name);

/* Starts a job whose op, key, md, input, handler are set. */
void ngx_pki_key_sign(ngx_pki_key_job_t *job);
void ngx_pki_key_decrypt(ngx_pki_key_job_t *job);

/*
 * Signs a digest without an operation, by a key that is in memory and quick:
 * "signature" has memory of NGX_PKI_KEY_SIGNATURE_MAX octets; it is verified
 * as others are.  NGX_DECLINED: the key is not of that kind, start a job.
 * NGX_ERROR: OpenSSL failed, logged.
 */
ngx_int_t ngx_pki_key_sign_at_once(ngx_pki_key_t *key, const EVP_MD *md,
    ngx_uint_t pss, ngx_str_t *digest, ngx_str_t *signature, ngx_log_t *log);

/* Whether the key is of that kind. */
ngx_uint_t ngx_pki_key_is_at_once(ngx_pki_key_t *key);

#define NGX_PKI_KEY_SIGNATURE_MAX  512

/*
 * Derives "len" octets from the private key itself, by HKDF with SHA-256 and
 * "salt", to seal what only its holder may open.  NGX_DECLINED: the key is not
 * at hand, it is not one of a file.  NGX_ERROR: OpenSSL failed.
 */
ngx_int_t ngx_pki_key_derive(ngx_pki_key_t *key, ngx_str_t *salt, u_char *out,
    size_t len);

/* For the kinds of keys: ends a job; verifies a signature first. */
void ngx_pki_key_done(ngx_pki_key_job_t *job, ngx_int_t rc);

/*
 * Whether the key can sign a digest of this kind: a vault has no SHA-1, and
 * takes with a curve only the digest that belongs to it.
 */
ngx_uint_t ngx_pki_key_signs(ngx_pki_key_t *key, const EVP_MD *md);
ngx_uint_t ngx_pki_key_takes(ngx_pki_key_spec_t *spec, const EVP_MD *md);

/* The digest that belongs to a curve (RFC 5480, 4); of RSA, SHA-256. */
const EVP_MD *ngx_pki_key_curve_md(ngx_pki_key_spec_t *spec);

/* Sets the padding of RSASSA-PSS, if it is wanted, and its salt, before a
 * signature is made or verified.  NGX_ERROR: in OpenSSL's queue. */
ngx_int_t ngx_pki_key_set_pss(EVP_PKEY_CTX *ctx, ngx_uint_t pss);

/* Whether there is one for this digest, which may be NULL. */
ngx_uint_t ngx_pki_key_ctx_fits(ngx_pki_key_ctx_t *kc, const EVP_MD *md,
    ngx_uint_t pss);

/* Keeps "ctx", NULL: nothing, in the place of the one before; returns it. */
EVP_PKEY_CTX *ngx_pki_key_ctx_set(ngx_pki_key_ctx_t *kc, EVP_PKEY_CTX *ctx,
    const EVP_MD *md, ngx_uint_t pss);

/*
 * The context kept for this key, or a new one, to be initialized for something
 * else; it stays where it is, and fits nothing afterwards.  NULL: out of
 * memory, in OpenSSL's queue.
 */
EVP_PKEY_CTX *ngx_pki_key_ctx_reuse(ngx_pki_key_ctx_t *kc, EVP_PKEY *pkey);

/* The AlgorithmIdentifier, whole, of a signature by a key of this type with
 * this digest; NULL if there is none.  Static memory. */
ngx_str_t *ngx_pki_key_algorithm(ngx_pki_key_type_e type, const EVP_MD *md,
    ngx_uint_t pss);

/*
 * For the kinds of keys: a wrong signature must never be released, wherever it
 * came from.  NGX_ERROR: it is, or could not be verified; logged.
 */
ngx_int_t ngx_pki_key_check(ngx_pki_key_t *key, const EVP_MD *md,
    ngx_uint_t pss, ngx_str_t *digest, ngx_str_t *signature, ngx_log_t *log);

/*
 * Verifies a signature over a digest: NGX_OK, NGX_DECLINED (it is wrong),
 * NGX_ERROR (out of memory).  Leaves no error in OpenSSL's queue.  "kc" keeps
 * the context of this key for the next time, NULL: there is none.
 */
ngx_int_t ngx_pki_key_verify(EVP_PKEY *pkey, ngx_pki_key_ctx_t *kc,
    const EVP_MD *md, ngx_uint_t pss, ngx_str_t *digest,
    ngx_str_t *signature);


#endif /* _NGX_PKI_KEY_H_INCLUDED_ */
