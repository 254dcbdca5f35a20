
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_key.h"
#include "ngx_pki_file.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>


static EVP_PKEY *ngx_pki_key_generate(ngx_pki_key_spec_t *spec);


ngx_int_t
ngx_pki_key_file_create(ngx_pool_t *pool, ngx_str_t *path,
    ngx_pki_key_spec_t *spec, ngx_str_t *error)
{
    BIO        *bio;
    BUF_MEM    *pem;
    EVP_PKEY   *pkey;
    ngx_int_t   rc;
    ngx_str_t   content;

    pkey = ngx_pki_key_generate(spec);
    bio = BIO_new(BIO_s_secmem());

    if (pkey == NULL || bio == NULL
        || PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL)
           != 1
        || BIO_get_mem_ptr(bio, &pem) != 1)
    {
        ngx_pki_file_error(pool, error, "cannot make the key", path, 0);
        rc = NGX_ERROR;

    } else {
        content.len = pem->length;
        content.data = (u_char *) pem->data;

        rc = ngx_pki_file_create(pool, path, 0600, &content, error);
    }

    if (bio != NULL && BIO_get_mem_ptr(bio, &pem) == 1) {
        OPENSSL_cleanse(pem->data, pem->max);
    }

    BIO_free(bio);
    EVP_PKEY_free(pkey);
    ERR_clear_error();

    return rc;
}


static EVP_PKEY *
ngx_pki_key_generate(ngx_pki_key_spec_t *spec)
{
    if (spec->type == NGX_PKI_KEY_RSA) {
        return EVP_RSA_gen((unsigned int) spec->bits);
    }

    return EVP_EC_gen(OBJ_nid2sn(spec->nid));
}
