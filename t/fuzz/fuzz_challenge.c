
/*
 * Copyright (C) the ngx_pki authors
 *
 * One-time challenges: a line of the input is a name or a value, but the first
 * four, which are subject, SANs, device and user of a certificate.  What is
 * accepted is within its limits and reads the same when it is written and read
 * again; a certificate that it is for has what it is bound to.
 */


#include "fuzz.h"
#include "ngx_pki_challenge.h"


#define FUZZ_FIELDS  40
#define FUZZ_NAMES   4


static ngx_uint_t fuzz_split(ngx_pool_t *pool, const uint8_t *data,
    size_t size, ngx_str_t *fields);
static void fuzz_check(ngx_pool_t *pool, ngx_pki_challenge_t *challenge);
static void fuzz_bound(ngx_pki_challenge_t *challenge, ngx_str_t *names);
static ngx_uint_t fuzz_differ(ngx_str_t *one, ngx_str_t *two);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t             hash, fields[FUZZ_FIELDS];
    ngx_uint_t            n;
    ngx_pool_t           *pool;
    ngx_pki_challenge_t   challenge;

    pool = fuzz_pool();

    n = fuzz_split(pool, data, size, fields);

    if (n >= FUZZ_NAMES
        && ngx_pki_challenge_decode(&fields[FUZZ_NAMES], n - FUZZ_NAMES,
                                    &challenge)
           == NGX_OK)
    {
        fuzz_check(pool, &challenge);
        fuzz_bound(&challenge, fields);

        if (ngx_pki_challenge_hash(pool, &fields[0], &challenge.scope,
                                   &fields[1], &hash)
            != NGX_OK
            || hash.len != NGX_PKI_CHALLENGE_HASH_LEN)
        {
            abort();
        }
    }

    fuzz_done(pool);

    return 0;
}


static ngx_uint_t
fuzz_split(ngx_pool_t *pool, const uint8_t *data, size_t size,
    ngx_str_t *fields)
{
    size_t      i, start;
    ngx_uint_t  n;

    n = 0;
    start = 0;

    for (i = 0; i <= size && n < FUZZ_FIELDS; i++) {

        if (i == size || data[i] == '\n') {
            fields[n].data = fuzz_copy(pool, data + start, i - start);
            fields[n].len = i - start;
            start = i + 1;
            n++;
        }
    }

    return n;
}


static void
fuzz_check(ngx_pool_t *pool, ngx_pki_challenge_t *challenge)
{
    ngx_int_t            n;
    ngx_str_t            fields[NGX_PKI_CHALLENGE_FIELDS];
    ngx_pki_challenge_t  again;

    if (challenge->scope.len == 0
        || challenge->scope.len > NGX_PKI_CHALLENGE_MAX_SCOPE
        || challenge->subject.len > NGX_PKI_CHALLENGE_MAX_TEXT
        || challenge->created <= 0
        || challenge->expires <= challenge->created)
    {
        abort();
    }

    n = ngx_pki_challenge_encode(pool, challenge, fields);

    if (n < 0 || n > NGX_PKI_CHALLENGE_FIELDS
        || ngx_pki_challenge_decode(fields, n, &again) != NGX_OK
        || again.created != challenge->created
        || again.expires != challenge->expires
        || fuzz_differ(&again.scope, &challenge->scope)
        || fuzz_differ(&again.by, &challenge->by)
        || fuzz_differ(&again.subject, &challenge->subject)
        || fuzz_differ(&again.sans, &challenge->sans)
        || fuzz_differ(&again.device, &challenge->device)
        || fuzz_differ(&again.user, &challenge->user))
    {
        abort();
    }
}


static void
fuzz_bound(ngx_pki_challenge_t *challenge, ngx_str_t *names)
{
    ngx_str_t  error;

    if (ngx_pki_challenge_check(challenge, &names[0], &names[1], &names[2],
                                &names[3], &error)
        == NGX_OK)
    {
        if ((challenge->subject.len != 0
             && fuzz_differ(&challenge->subject, &names[0]))
            || (challenge->sans.len != 0
                && challenge->sans.len != names[1].len)
            || (challenge->device.len != 0
                && challenge->device.len != names[2].len)
            || (challenge->user.len != 0
                && challenge->user.len != names[3].len))
        {
            abort();
        }

        return;
    }

    if (error.len == 0) {
        abort();
    }

    /* one that has the very names it is bound to may have it */

    if (ngx_pki_challenge_check(challenge, &challenge->subject,
                                &challenge->sans, &challenge->device,
                                &challenge->user, &error)
        != NGX_OK)
    {
        abort();
    }
}


static ngx_uint_t
fuzz_differ(ngx_str_t *one, ngx_str_t *two)
{
    return one->len != two->len
           || (one->len != 0 && ngx_memcmp(one->data, two->data, one->len));
}
