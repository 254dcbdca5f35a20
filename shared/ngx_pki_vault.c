
/*
 * Copyright (C) the ngx_pki authors
 *
 * The vaults of a worker.
 */


#include "ngx_pki_vault_call.h"


static ngx_pki_vault_t *ngx_pki_vault_find(ngx_str_t *url,
    ngx_pki_https_t *https);
static ngx_pki_vault_t *ngx_pki_vault_create(ngx_pki_vault_key_t *key,
    ngx_pki_https_t *https, ngx_pki_zone_t *zone);
static void ngx_pki_vault_cleanup(void *data);
static void *ngx_pki_vault_cell(ngx_pki_zone_t *zone, const char *kind,
    ngx_str_t *name, ngx_str_t *identity, size_t size);


static ngx_queue_t  ngx_pki_vaults;

static ngx_str_t  ngx_pki_vault_health = ngx_string("/healthstatus");


ngx_int_t
ngx_pki_vault_start(ngx_pki_vault_key_t *key, ngx_pki_https_t *https,
    ngx_pki_zone_t *zone, ngx_log_t *log)
{
    ngx_pki_vault_t  *vault;

    vault = ngx_pki_vault_find(&key->url.text, https);

    if (vault == NULL) {
        vault = ngx_pki_vault_create(key, https, zone);
    }

    key->vault = vault;
    key->state = ngx_pki_vault_cell(zone, "vault key ", &key->text,
                                    &key->identity_name,
                                    sizeof(ngx_pki_vault_state_t));

    if (vault == NULL || key->state == NULL) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "no memory left, in the zone or elsewhere, for key vault "
                      "\"%V\"", &key->url.text);
        return NGX_ERROR;
    }

    ngx_pki_vault_trouble_unblock(zone, key->state);

    return NGX_OK;
}


ngx_str_t *
ngx_pki_vault_trouble(ngx_pki_vault_key_t *key)
{
    static ngx_str_t  trouble;
    static u_char     text[NGX_PKI_VAULT_TROUBLE_LEN];

    if (key->state == NULL) {
        return NULL;
    }

    trouble.data = text;
    trouble.len = ngx_pki_vault_trouble_copy(key->vault->zone, key->state,
                                             text);

    return (trouble.len != 0) ? &trouble : NULL;
}


ngx_pki_https_counters_t *
ngx_pki_vault_counters(ngx_pki_vault_key_t *key)
{
    return &key->vault->shared->counters;
}


ngx_pki_vault_outcomes_t *
ngx_pki_vault_outcomes(ngx_pki_vault_key_t *key)
{
    return &key->vault->shared->outcomes;
}


/*
 * The limits of the service, operations in ten seconds: 2000 with RSA-2048 and
 * EC keys in an HSM, 500 with RSA-3072, 250 with RSA-4096; without an HSM twice
 * as many.
 */

ngx_uint_t
ngx_pki_vault_weight(ngx_pki_key_spec_t *spec)
{
    ngx_uint_t  weight;

    weight = 1;

    if (spec->type == NGX_PKI_KEY_RSA && spec->bits > 3072) {
        weight = 8;

    } else if (spec->type == NGX_PKI_KEY_RSA && spec->bits > 2048) {
        weight = 4;
    }

    return spec->hsm ? 2 * weight : weight;
}


static ngx_pki_vault_t *
ngx_pki_vault_find(ngx_str_t *url, ngx_pki_https_t *https)
{
    ngx_queue_t      *q;
    ngx_pki_vault_t  *vault;

    if (ngx_pki_vaults.next == NULL) {
        ngx_queue_init(&ngx_pki_vaults);
    }

    for (q = ngx_queue_head(&ngx_pki_vaults);
         q != ngx_queue_sentinel(&ngx_pki_vaults);
         q = ngx_queue_next(q))
    {
        vault = ngx_queue_data(q, ngx_pki_vault_t, queue);

        if (vault->https == https
            && vault->url->text.len == url->len
            && ngx_memcmp(vault->url->text.data, url->data, url->len) == 0)
        {
            return vault;
        }
    }

    return NULL;
}


static ngx_pki_vault_t *
ngx_pki_vault_create(ngx_pki_vault_key_t *key, ngx_pki_https_t *https,
    ngx_pki_zone_t *zone)
{
    ngx_pki_vault_t     *vault;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(ngx_cycle->pool, sizeof(ngx_pki_vault_t));
    if (cln == NULL) {
        return NULL;
    }

    vault = cln->data;
    ngx_memzero(vault, sizeof(ngx_pki_vault_t));

    vault->url = &key->url;
    vault->https = https;
    vault->zone = zone;

    vault->name = key->url.text;
    vault->name.data += sizeof("https://") - 1;
    vault->name.len -= sizeof("https://") - 1;

    if (key->url.port == 443) {
        vault->name.len -= sizeof(":443") - 1;
    }

    ngx_queue_init(&vault->waiting);

    vault->shared = ngx_pki_vault_cell(zone, "vault ", &key->url.text, NULL,
                                       sizeof(ngx_pki_vault_shared_t));
    if (vault->shared == NULL) {
        return NULL;
    }

    vault->peer = ngx_pki_https_peer(https, vault->url,
                                     key->conf->connections,
                                     &vault->shared->counters);
    if (vault->peer == NULL) {
        return NULL;
    }

    ngx_pki_https_warm(vault->peer, &ngx_pki_vault_health);

    ngx_queue_insert_tail(&ngx_pki_vaults, &vault->queue);
    cln->handler = ngx_pki_vault_cleanup;

    return vault;
}


static void
ngx_pki_vault_cleanup(void *data)
{
    ngx_pki_vault_t  *vault = data;

    ngx_queue_remove(&vault->queue);
}


static void *
ngx_pki_vault_cell(ngx_pki_zone_t *zone, const char *kind, ngx_str_t *name,
    ngx_str_t *identity, size_t size)
{
    u_char     *p;
    ngx_str_t   cell;

    cell.len = ngx_strlen(kind) + name->len;

    if (identity != NULL) {
        cell.len += 1 + identity->len;
    }

    cell.data = ngx_pnalloc(ngx_cycle->pool, cell.len);
    if (cell.data == NULL) {
        return NULL;
    }

    p = ngx_cpymem(cell.data, kind, ngx_strlen(kind));
    p = ngx_cpymem(p, name->data, name->len);

    if (identity != NULL) {
        *p++ = ' ';
        ngx_memcpy(p, identity->data, identity->len);
    }

    return ngx_pki_zone_cell(zone, &cell, size);
}
