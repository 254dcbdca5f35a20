
/*
 * Copyright (C) the ngx_pki authors
 *
 * A public key of OpenSSL, made from its numbers.
 */


#ifndef _NGX_PKI_PUBLIC_KEY_H_INCLUDED_
#define _NGX_PKI_PUBLIC_KEY_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_spki.h"


/*
 * d2i_PUBKEY() would search through all decoders of OpenSSL 3, which takes
 * twenty times as long and more than a private operation.  Refuses RSA over
 * 16384 bits.  "rsa" keeps what makes RSA keys for the next time, NULL: nothing
 * does.  NULL: no supported kind, no valid key, or out of memory; leaves no
 * error in OpenSSL's queue.  To be freed by EVP_PKEY_free().
 */
EVP_PKEY *ngx_pki_public_key(ngx_pki_spki_t *spki, EVP_PKEY_CTX **rsa);


#endif /* _NGX_PKI_PUBLIC_KEY_H_INCLUDED_ */
