
/*
 * Copyright (C) the ngx_pki authors
 *
 * The decoder of a pkiMessage.  Besides the message itself the input is tried
 * as the EnvelopedData in one and as a certificate: the mutations of a signed
 * message rarely get that deep.
 */


#include "fuzz.h"
#include "ngx_scep_message.h"


static void fuzz_use(ngx_str_t *s);
static void fuzz_use_id(ngx_scep_id_t *id);
static void fuzz_use_envelope(ngx_scep_message_t *m);
static void fuzz_use_message(ngx_scep_message_t *m);


static volatile unsigned  fuzz_sum;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_int_t                rc;
    ngx_str_t                body;
    ngx_pool_t              *pool;
    ngx_scep_message_t       m;
    ngx_scep_certificate_t   c;

    pool = fuzz_pool();

    body.data = fuzz_copy(pool, data, size);
    body.len = size;

    rc = ngx_scep_message_decode(pool, &body, &m);

    if (rc == NGX_OK) {
        fuzz_use_message(&m);

    } else if (rc != NGX_DECLINED || m.error == NULL) {
        abort();
    }

    fuzz_use(&m.transaction);

    ngx_memzero(&m, sizeof(ngx_scep_message_t));
    m.content = body;

    if (ngx_scep_message_envelope(pool, &m) == NGX_OK) {
        fuzz_use_envelope(&m);
    }

    if (ngx_scep_cms_certificate(&body, &c) == NGX_OK) {
        fuzz_use_id(&c.id);
        fuzz_use(&c.key.public_key);
    }

    fuzz_done(pool);

    return 0;
}


/* reads every octet: one outside of the input shows */

static void
fuzz_use(ngx_str_t *s)
{
    size_t  i;

    for (i = 0; i < s->len; i++) {
        fuzz_sum += s->data[i];
    }
}


static void
fuzz_use_id(ngx_scep_id_t *id)
{
    fuzz_use(&id->issuer);
    fuzz_use(&id->serial);
    fuzz_use(&id->key_id);
}


static void
fuzz_use_envelope(ngx_scep_message_t *m)
{
    ngx_uint_t  i;

    if (m->nrecipients == 0 || m->nrecipients > NGX_SCEP_MAX_RECIPIENTS) {
        abort();
    }

    for (i = 0; i < m->nrecipients; i++) {
        fuzz_use_id(&m->recipients[i].id);
        fuzz_use(&m->recipients[i].hash);
        fuzz_use(&m->recipients[i].encrypted_key);
    }

    fuzz_use(&m->cipher_oid);
    fuzz_use(&m->iv);
    fuzz_use(&m->encrypted);
}


static void
fuzz_use_message(ngx_scep_message_t *m)
{
    if (m->transaction.len == 0
        || m->transaction.len > NGX_SCEP_MAX_TRANSACTION
        || m->nonce.len == 0
        || m->nonce.len > NGX_SCEP_MAX_NONCE
        || m->type == NGX_SCEP_UNKNOWN
        || m->error != NULL)
    {
        abort();
    }

    fuzz_use(&m->nonce);
    fuzz_use(&m->content);
    fuzz_use(&m->attributes);
    fuzz_use(&m->digest);
    fuzz_use(&m->digest_oid);
    fuzz_use(&m->signature_oid);
    fuzz_use(&m->signature);
    fuzz_use_id(&m->sid);
    fuzz_use_id(&m->signer.id);
    fuzz_use(&m->signer.key.public_key);
    fuzz_use(&m->signer.key.modulus);
    fuzz_use_envelope(m);
}
