
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_transaction.h"
#include "ngx_pki_md.h"


#define NGX_PKI_TRANSACTION_SHA256_LEN  32


static int ngx_pki_transaction_hash_request(ngx_pki_issue_t *issue,
    EVP_MD_CTX *ctx);
static int ngx_pki_transaction_hash_field(EVP_MD_CTX *ctx, ngx_str_t *field);
static int ngx_pki_transaction_hash_number(EVP_MD_CTX *ctx, uint64_t number);


ngx_int_t
ngx_pki_transaction_key(ngx_pki_issue_t *issue, ngx_str_t *key)
{
    int          rc;
    u_char       digest[NGX_PKI_TRANSACTION_SHA256_LEN];
    EVP_MD_CTX  *ctx;

    key->len = 2 * NGX_PKI_TRANSACTION_SHA256_LEN;
    key->data = ngx_pnalloc(issue->op->pool, key->len);

    ctx = EVP_MD_CTX_new();

    rc = key->data != NULL
         && ctx != NULL
         && EVP_DigestInit_ex(ctx, ngx_pki_md(NID_sha256), NULL) == 1
         && ngx_pki_transaction_hash_request(issue, ctx) == 1
         && EVP_DigestFinal_ex(ctx, digest, NULL) == 1;

    EVP_MD_CTX_free(ctx);

    if (!rc) {
        ERR_clear_error();
        return NGX_ERROR;
    }

    ngx_hex_dump(key->data, digest, NGX_PKI_TRANSACTION_SHA256_LEN);

    return NGX_OK;
}


/* every field with its length in front, so that none runs into the next */

static int
ngx_pki_transaction_hash_request(ngx_pki_issue_t *issue, EVP_MD_CTX *ctx)
{
    ngx_str_t            *profile, *who;
    ngx_uint_t            i, n;
    ngx_pki_extension_t  *e;

    static ngx_str_t  validity = ngx_string("validity");

    /* without a transaction the same request is a retry if the same asks */

    who = (issue->transaction.len != 0) ? &issue->transaction
                                        : &issue->requester;

    profile = ngx_pki_profile_name(issue->profile);

    e = issue->csr->extensions.elts;
    n = issue->csr->extensions.nelts;

    if (ngx_pki_transaction_hash_field(ctx, &issue->authority->name) != 1
        || ngx_pki_transaction_hash_field(ctx, profile) != 1
        || ngx_pki_transaction_hash_field(ctx, &issue->source) != 1
        || ngx_pki_transaction_hash_field(ctx, who) != 1
        || ngx_pki_transaction_hash_field(ctx, &issue->csr->spki) != 1
        || ngx_pki_transaction_hash_field(ctx, &issue->csr->subject) != 1
        || ngx_pki_transaction_hash_number(ctx, n) != 1)
    {
        return 0;
    }

    for (i = 0; i < n; i++) {

        if (ngx_pki_transaction_hash_field(ctx, &e[i].oid) != 1
            || ngx_pki_transaction_hash_number(ctx, e[i].critical) != 1
            || ngx_pki_transaction_hash_field(ctx, &e[i].value) != 1)
        {
            return 0;
        }
    }

    if (issue->csr->validity.seconds != 0
        && (ngx_pki_transaction_hash_field(ctx, &validity) != 1
            || ngx_pki_transaction_hash_number(ctx,
                                               issue->csr->validity.seconds)
               != 1))
    {
        return 0;
    }

    /*
     * The same key may be renewed in the transaction that it was enrolled in;
     * and what somebody else signs anew is not a retry.
     */

    if (issue->renewed != NULL) {
        return ngx_pki_transaction_hash_field(ctx, &issue->renewed->serial);
    }

    return 1;
}


static int
ngx_pki_transaction_hash_field(EVP_MD_CTX *ctx, ngx_str_t *field)
{
    return ngx_pki_transaction_hash_number(ctx, field->len) == 1
           && EVP_DigestUpdate(ctx, field->data, field->len) == 1;
}


/* all nodes of a cluster come to the same octets */

static int
ngx_pki_transaction_hash_number(EVP_MD_CTX *ctx, uint64_t number)
{
    u_char      octets[8];
    ngx_int_t   i;

    for (i = sizeof(octets) - 1; i >= 0; i--) {
        octets[i] = (u_char) number;
        number >>= 8;
    }

    return EVP_DigestUpdate(ctx, octets, sizeof(octets));
}
