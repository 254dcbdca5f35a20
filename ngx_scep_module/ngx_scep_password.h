
/*
 * Copyright (C) the ngx_pki authors
 *
 * The recipient of an envelope who has a password and no key that could
 * decrypt (RFC 8894, 3.1): PasswordRecipientInfo, RFC 5652, 6.2.4.
 */


#ifndef _NGX_SCEP_PASSWORD_H_INCLUDED_
#define _NGX_SCEP_PASSWORD_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_der.h"


#define NGX_SCEP_PASSWORD_SALT_LEN    16
#define NGX_SCEP_PASSWORD_MAX_KEY     32
#define NGX_SCEP_PASSWORD_MAX_BLOCK   16

/*
 * Whoever sees the answer can try passwords on it.  This many rounds take 25
 * milliseconds here, and a second or more of a small device.
 */

#define NGX_SCEP_PASSWORD_ITERATIONS  100000


typedef struct {
    ngx_str_t                  password;     /* a secret, not copied */
    EVP_CIPHER                *cipher;       /* that wraps the content key */

    u_char                     salt[NGX_SCEP_PASSWORD_SALT_LEN];
    u_char                     iv[NGX_SCEP_PASSWORD_MAX_BLOCK];
    u_char                     key[NGX_SCEP_PASSWORD_MAX_KEY];  /* a secret */
} ngx_scep_password_t;


/* Sets both, and a fresh salt.  NGX_ERROR: OpenSSL failed. */
ngx_int_t ngx_scep_password_init(ngx_scep_password_t *password,
    ngx_str_t *text, EVP_CIPHER *cipher);

/*
 * Derives the key from the password, by PBKDF2.  Takes long: may be called in
 * a thread, touches nothing else.  NGX_ERROR: OpenSSL failed.
 */
ngx_int_t ngx_scep_password_derive(ngx_scep_password_t *password);

/* Forgets the key.  The password is the caller's. */
void ngx_scep_password_cleanse(ngx_scep_password_t *password);

/*
 * Wraps a content key of at most NGX_SCEP_PASSWORD_MAX_KEY octets with the
 * derived one, under a fresh IV (RFC 3211, 2.3.1).  NGX_ERROR: out of memory,
 * or OpenSSL failed.
 */
ngx_int_t ngx_scep_password_wrap(ngx_pool_t *pool,
    ngx_scep_password_t *password, ngx_str_t *key, ngx_str_t *out);

/* Writes the PasswordRecipientInfo; "oid" is that of the cipher. */
void ngx_scep_password_put(ngx_pki_der_writer_t *w,
    ngx_scep_password_t *password, ngx_str_t *oid, ngx_str_t *encrypted_key);


#endif /* _NGX_SCEP_PASSWORD_H_INCLUDED_ */
