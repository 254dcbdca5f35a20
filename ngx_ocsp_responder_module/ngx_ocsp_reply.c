
/*
 * Copyright (C) the ngx_pki authors
 *
 * Answers kept in the zone: about one certificate, without a nonce.  SHA-1 and
 * SHA-256 of the issuer are asked for most of all; both get the same answer,
 * which has a SingleResponse for each (RFC 9919, 2.2.1).
 */


#include "ngx_ocsp_answer.h"
#include "ngx_ocsp_oid.h"
#include "ngx_pki_der.h"


/* AlgorithmIdentifiers with NULL, as nearly everybody writes them */

#define NGX_OCSP_REPLY_SHA1    "\x30\x09\x06\x05" NGX_OCSP_OID_SHA1 "\x05\x00"
#define NGX_OCSP_REPLY_SHA256  "\x30\x0d\x06\x09" NGX_OCSP_OID_SHA2 "\x01"    \
                               "\x05\x00"

/* "kind": the form of the question, 0 is that of twins */

#define NGX_OCSP_REPLY_PRIME   0x9e3779b97f4a7c15ULL

/* "ocsp_on_error try_later": without Redis for longer than that, seconds */

#define NGX_OCSP_REPLY_STALE   60


static ngx_int_t ngx_ocsp_reply_get(ngx_ocsp_answer_t *answer,
    ngx_pki_zone_reply_t *reply);
static ngx_int_t ngx_ocsp_reply_check(ngx_ocsp_answer_t *answer,
    ngx_pki_zone_reply_t *reply);
static ngx_int_t ngx_ocsp_reply_use(ngx_ocsp_answer_t *answer,
    ngx_pki_zone_reply_t *reply);
static ngx_int_t ngx_ocsp_reply_cert_id(ngx_ocsp_answer_t *answer,
    ngx_uint_t hash, ngx_str_t *out);


/* before it is copied to where it is sent from; there is one thread only */

static u_char  ngx_ocsp_reply_buffer[NGX_PKI_ZONE_REPLY_MAX];


ngx_uint_t
ngx_ocsp_reply_question(ngx_ocsp_answer_t *answer)
{
    uint64_t             form;
    ngx_ocsp_policy_t   *policy;
    ngx_ocsp_cert_id_t  *id;

    policy = answer->policy;

    if (!policy->cache
        || policy->compromised != 0
        || answer->request.n != 1
        || answer->request.nonce.len != 0
        || answer->responder == NULL
        || answer->items->signer == NULL
        || answer->items->serial.len == 0)
    {
        return 0;
    }

    id = answer->request.ids;

    answer->twin = (!id->bare && (id->hash == NGX_PKI_HASH_SHA1
                                  || id->hash == NGX_PKI_HASH_SHA256));

    form = answer->twin ? 0 : 1 + 2 * id->hash + id->bare;

    answer->kind = answer->responder->id
                   ^ ((((uint64_t) policy->hash << 8) | form)
                      * NGX_OCSP_REPLY_PRIME);

    return 1;
}


ngx_int_t
ngx_ocsp_reply_find(ngx_ocsp_answer_t *answer)
{
    ngx_pki_zone_reply_t  reply;

    if (ngx_ocsp_reply_get(answer, &reply) != NGX_OK
        || ngx_ocsp_reply_check(answer, &reply) != NGX_OK)
    {
        answer->cache = NGX_OCSP_CACHE_MISS;
        return NGX_DECLINED;
    }

    return ngx_ocsp_reply_use(answer, &reply);
}


ngx_int_t
ngx_ocsp_reply_find_any(ngx_ocsp_answer_t *answer)
{
    ngx_pki_zone_reply_t  reply;

    if (answer->cache != NGX_OCSP_CACHE_MISS
        || ngx_ocsp_reply_get(answer, &reply) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    answer->cache = NGX_OCSP_CACHE_HIT;

    return ngx_ocsp_reply_use(answer, &reply);
}


/* one that may be told now, however old */

static ngx_int_t
ngx_ocsp_reply_get(ngx_ocsp_answer_t *answer, ngx_pki_zone_reply_t *reply)
{
    time_t            synced;
    ngx_pki_store_t  *store;

    store = &answer->items->signer->authority->store;

    reply->serial = answer->items->serial;
    reply->kind = answer->kind;
    reply->data = ngx_ocsp_reply_buffer;

    if (ngx_pki_zone_reply_get(store->zone, store->slot, reply) != NGX_OK
        || reply->this_update > answer->now
        || reply->next_update <= answer->now)
    {
        return NGX_DECLINED;
    }

    if (answer->policy->on_error == NGX_OCSP_ON_ERROR_STALE) {
        return NGX_OK;
    }

    synced = ngx_pki_zone_moment_time(&store->slot->synced);

    return (answer->now - synced > NGX_OCSP_REPLY_STALE) ? NGX_DECLINED
                                                         : NGX_OK;
}


/*
 * Fresh until it is renewed.  Then it is good to its end, but only if there is
 * nothing better: nothing newer is known, or the signature of a new one takes
 * a while.
 */

static ngx_int_t
ngx_ocsp_reply_check(ngx_ocsp_answer_t *answer, ngx_pki_zone_reply_t *reply)
{
    time_t            synced;
    ngx_pki_store_t  *store;

    answer->cache = NGX_OCSP_CACHE_HIT;

    if (reply->refresh_at > answer->now) {
        return NGX_OK;
    }

    store = &answer->items->signer->authority->store;
    synced = ngx_pki_zone_moment_time(&store->slot->synced);

    if (synced - answer->policy->backdate <= reply->this_update) {
        return NGX_OK;
    }

    if (ngx_pki_key_is_at_once(answer->responder->key)) {
        return NGX_DECLINED;
    }

    answer->cache = NGX_OCSP_CACHE_STALE;

    return NGX_OK;
}


static ngx_int_t
ngx_ocsp_reply_use(ngx_ocsp_answer_t *answer, ngx_pki_zone_reply_t *reply)
{
    ngx_str_t           sealed;
    ngx_ocsp_single_t  *single;

    sealed.data = reply->data;
    sealed.len = reply->len;

    if (ngx_ocsp_reply_body(answer, &sealed) != NGX_OK) {
        return NGX_DECLINED;
    }

    single = answer->singles;

    single->status = reply->status.status;
    single->reason = reply->status.reason;
    single->revoked_at = reply->status.revoked_at;

    answer->this_update = reply->this_update;
    answer->next_update = reply->next_update;
    answer->refresh_at = reply->refresh_at;

    ngx_memcpy(answer->etag, reply->etag, sizeof(answer->etag));

    return NGX_OK;
}


ngx_int_t
ngx_ocsp_reply_body(ngx_ocsp_answer_t *answer, ngx_str_t *sealed)
{
    u_char     *p;
    ngx_str_t  *certificate, inner;

    certificate = &answer->responder->certificate;

    p = ngx_pnalloc(answer->pool, 2 * NGX_OCSP_RESPONSE_HEAD + sealed->len
                                  + certificate->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    inner.data = p + NGX_OCSP_RESPONSE_HEAD;
    inner.len = sealed->len;

    ngx_memcpy(inner.data, sealed->data, sealed->len);

    ngx_ocsp_response_wrap(&inner, certificate, &answer->body);

    return NGX_OK;
}


void
ngx_ocsp_reply_keep(ngx_ocsp_answer_t *answer, ngx_str_t *sealed)
{
    ngx_ocsp_item_t       *item;
    ngx_pki_store_t       *store;
    ngx_pki_zone_reply_t   reply;

    item = answer->items;
    store = &item->signer->authority->store;

    if (item->single->status == NGX_PKI_STATUS_UNKNOWN
        || answer->extended_revoke
        || sealed->len > NGX_PKI_ZONE_REPLY_MAX)
    {
        return;
    }

    reply.serial = item->serial;
    reply.kind = answer->kind;
    reply.status = item->status;
    reply.this_update = answer->this_update;
    reply.next_update = answer->next_update;
    reply.refresh_at = answer->refresh_at;
    reply.data = sealed->data;
    reply.len = sealed->len;

    ngx_memcpy(reply.etag, answer->etag, sizeof(reply.etag));

    ngx_pki_zone_reply_put(store->zone, store->slot, &reply);
}


uint64_t
ngx_ocsp_reply_tag(ngx_ocsp_answer_t *answer)
{
    size_t            i;
    uint64_t          tag;
    ngx_ocsp_item_t  *item;

    item = answer->items;
    tag = answer->kind ^ item->signer->authority->store.slot->index;

    for (i = 0; i < item->serial.len; i++) {
        tag = (tag ^ item->serial.data[i]) * NGX_OCSP_REPLY_PRIME;
    }

    return tag;
}


/* the order is always the same: whoever asks gets the same octets */

ngx_int_t
ngx_ocsp_reply_twin(ngx_ocsp_answer_t *answer)
{
    ngx_ocsp_single_t  *single;

    single = answer->singles;

    if (answer->items->id->hash == NGX_PKI_HASH_SHA1) {
        return ngx_ocsp_reply_cert_id(answer, NGX_PKI_HASH_SHA256,
                                      &single->twin);
    }

    single->twin = answer->items->id->whole;

    return ngx_ocsp_reply_cert_id(answer, NGX_PKI_HASH_SHA1, &single->cert_id);
}


static ngx_int_t
ngx_ocsp_reply_cert_id(ngx_ocsp_answer_t *answer, ngx_uint_t hash,
    ngx_str_t *out)
{
    size_t                  seq;
    ngx_ocsp_item_t        *item;
    ngx_pki_der_writer_t    w;
    ngx_pki_issuer_hash_t  *issuer;

    item = answer->items;
    issuer = &item->signer->authority->hash[hash];

    if (ngx_pki_der_writer_init(&w, answer->pool, 128) != NGX_OK) {
        return NGX_ERROR;
    }

    seq = ngx_pki_der_begin(&w, NGX_PKI_DER_SEQUENCE);

    if (hash == NGX_PKI_HASH_SHA1) {
        ngx_pki_der_bytes(&w, NGX_OCSP_REPLY_SHA1,
                          sizeof(NGX_OCSP_REPLY_SHA1) - 1);

    } else {
        ngx_pki_der_bytes(&w, NGX_OCSP_REPLY_SHA256,
                          sizeof(NGX_OCSP_REPLY_SHA256) - 1);
    }

    ngx_pki_der_put(&w, NGX_PKI_DER_OCTET_STRING, &issuer->name);
    ngx_pki_der_put(&w, NGX_PKI_DER_OCTET_STRING, &issuer->key);
    ngx_pki_der_put(&w, NGX_PKI_DER_INTEGER, &item->id->serial);
    ngx_pki_der_close(&w, seq);

    return ngx_pki_der_finish(&w, out);
}
