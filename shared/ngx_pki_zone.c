
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_zone_sh.h"

#include <signal.h>


#define NGX_PKI_ZONE_MIN_SIZE    (256 * 1024)

/* for slots, blobs and cells: an eighth, of a small zone up to a quarter */

#define ngx_pki_zone_rest(size)                                              \
    ngx_max((size) / 8, ngx_min((size) / 4, 256 * 1024))

/* a leader that is silent for so long (milliseconds) has lost the lease */

#define NGX_PKI_ZONE_LEASE       2000


static ngx_int_t ngx_pki_zone_init(ngx_shm_zone_t *shm_zone, void *data);
static ngx_int_t ngx_pki_zone_create_sh(ngx_pki_zone_t *zone);
static ngx_int_t ngx_pki_zone_lay_out(ngx_pki_zone_t *zone,
    ngx_pki_zone_sh_t *sh);
static void *ngx_pki_zone_alloc_pages(ngx_pki_zone_t *zone, size_t *size);
static ngx_pki_zone_slot_t *ngx_pki_zone_find_slot(ngx_pki_zone_sh_t *sh,
    ngx_str_t *name);
static ngx_pki_zone_slot_t *ngx_pki_zone_create_slot(ngx_pki_zone_t *zone,
    ngx_str_t *name);
static ngx_pki_zone_cell_t *ngx_pki_zone_find_cell(ngx_pki_zone_sh_t *sh,
    ngx_str_t *name, size_t size);
static ngx_pki_zone_cell_t *ngx_pki_zone_create_cell(ngx_pki_zone_t *zone,
    ngx_str_t *name, size_t size);


ngx_pki_zone_t *
ngx_pki_zone_add(ngx_conf_t *cf, ngx_str_t *name, size_t size, void *tag)
{
    ngx_pki_zone_t  *zone;
    ngx_shm_zone_t  *shm_zone;

    if (size < NGX_PKI_ZONE_MIN_SIZE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small, it needs 256k at least",
                           name);
        return NULL;
    }

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_pki_zone_t));
    if (zone == NULL) {
        return NULL;
    }

    shm_zone = ngx_shared_memory_add(cf, name, size, tag);
    if (shm_zone == NULL) {
        return NULL;
    }

    if (shm_zone->data != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "zone \"%V\" is duplicate",
                           name);
        return NULL;
    }

    shm_zone->init = ngx_pki_zone_init;
    shm_zone->data = zone;

    zone->shm_zone = shm_zone;

    return zone;
}


static ngx_int_t
ngx_pki_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_pki_zone_t  *zone, *old;

    zone = shm_zone->data;
    old = data;

    if (old != NULL) {
        zone->sh = old->sh;
        zone->shpool = old->shpool;
        return NGX_OK;
    }

    zone->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (shm_zone->shm.exists) {
        zone->sh = zone->shpool->data;
        return NGX_OK;
    }

    return ngx_pki_zone_create_sh(zone);
}


static ngx_int_t
ngx_pki_zone_create_sh(ngx_pki_zone_t *zone)
{
    size_t              len;
    ngx_str_t          *name;
    ngx_pki_zone_sh_t  *sh;

    name = &zone->shm_zone->shm.name;

    sh = ngx_slab_calloc(zone->shpool, sizeof(ngx_pki_zone_sh_t));
    if (sh == NULL) {
        return NGX_ERROR;
    }

    len = sizeof(" in pki zone \"\"") + name->len;

    zone->shpool->log_ctx = ngx_slab_alloc(zone->shpool, len);
    if (zone->shpool->log_ctx == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(zone->shpool->log_ctx, " in pki zone \"%V\"%Z", name);

    zone->shpool->log_nomem = 0;

    if (RAND_bytes((u_char *) &sh->seed, sizeof(sh->seed)) != 1) {
        ERR_clear_error();
        ngx_log_error(NGX_LOG_EMERG, zone->shm_zone->shm.log, 0,
                      "no random number for zone \"%V\"", name);
        return NGX_ERROR;
    }

    if (ngx_pki_zone_lay_out(zone, sh) != NGX_OK) {
        return NGX_ERROR;
    }

    zone->sh = sh;
    zone->shpool->data = sh;

    return NGX_OK;
}


/* of eight parts five are for statuses, two for answers, one is the rest */

static ngx_int_t
ngx_pki_zone_lay_out(ngx_pki_zone_t *zone, ngx_pki_zone_sh_t *sh)
{
    void    *memory;
    size_t   size, part;

    size = zone->shm_zone->shm.size;
    part = (size - ngx_pki_zone_rest(size)) / 7;

    size = 5 * part;

    memory = ngx_pki_zone_alloc_pages(zone, &size);
    if (memory == NULL) {
        return NGX_ERROR;
    }

    ngx_pki_zone_table_init(&sh->table, memory, size);

    size = 2 * part;

    memory = ngx_pki_zone_alloc_pages(zone, &size);
    if (memory == NULL) {
        return NGX_ERROR;
    }

    ngx_pki_zone_replies_init(&sh->replies, memory, size);

    return NGX_OK;
}


static void *
ngx_pki_zone_alloc_pages(ngx_pki_zone_t *zone, size_t *size)
{
    *size -= *size % ngx_pagesize;

    return ngx_slab_alloc(zone->shpool, *size);
}


/* a worker that was killed may have left one counted that is not there */

void
ngx_pki_zone_usage(ngx_pki_zone_t *zone, ngx_pki_zone_usage_t *usage)
{
    ngx_pki_zone_sh_t  *sh;

    sh = zone->sh;

    ngx_shmtx_lock(&zone->shpool->mutex);

    usage->statuses = sh->table.used;
    usage->statuses_max = sh->table.size;
    usage->evictions = sh->table.evictions;

    usage->replies_max = sh->replies.size * NGX_PKI_ZONE_WAYS;
    usage->replies = ngx_min(sh->replies.used, usage->replies_max);

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


ngx_pki_zone_slot_t *
ngx_pki_zone_slot(ngx_pki_zone_t *zone, ngx_str_t *name)
{
    ngx_pki_zone_slot_t  *slot;

    if (name->len > NGX_PKI_ZONE_NAME_LEN) {
        return NULL;
    }

    ngx_shmtx_lock(&zone->shpool->mutex);

    slot = ngx_pki_zone_find_slot(zone->sh, name);

    if (slot == NULL) {
        slot = ngx_pki_zone_create_slot(zone, name);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return slot;
}


static ngx_pki_zone_slot_t *
ngx_pki_zone_find_slot(ngx_pki_zone_sh_t *sh, ngx_str_t *name)
{
    ngx_uint_t            i;
    ngx_pki_zone_slot_t  *slot;

    for (i = 0; i < sh->nslots; i++) {
        slot = sh->slots[i];

        if (slot->name_len == name->len
            && ngx_memcmp(slot->name, name->data, name->len) == 0)
        {
            return slot;
        }
    }

    return NULL;
}


/*
 * A slot is never freed: entries refer to it by its index, and an authority
 * that is taken out of the configuration may come back.
 */

static ngx_pki_zone_slot_t *
ngx_pki_zone_create_slot(ngx_pki_zone_t *zone, ngx_str_t *name)
{
    ngx_pki_zone_sh_t    *sh;
    ngx_pki_zone_slot_t  *slot;

    sh = zone->sh;

    if (sh->nslots == NGX_PKI_MAX_AUTHORITIES) {
        return NULL;
    }

    slot = ngx_slab_calloc_locked(zone->shpool, sizeof(ngx_pki_zone_slot_t));
    if (slot == NULL) {
        return NULL;
    }

    ngx_memcpy(slot->name, name->data, name->len);
    slot->name_len = name->len;
    slot->index = sh->nslots;

    sh->slots[sh->nslots++] = slot;

    return slot;
}


void *
ngx_pki_zone_cell(ngx_pki_zone_t *zone, ngx_str_t *name, size_t size)
{
    ngx_pki_zone_cell_t  *cell;

    ngx_shmtx_lock(&zone->shpool->mutex);

    cell = ngx_pki_zone_find_cell(zone->sh, name, size);

    if (cell == NULL) {
        cell = ngx_pki_zone_create_cell(zone, name, size);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return (cell == NULL) ? NULL : cell->memory;
}


static ngx_pki_zone_cell_t *
ngx_pki_zone_find_cell(ngx_pki_zone_sh_t *sh, ngx_str_t *name, size_t size)
{
    ngx_pki_zone_cell_t  *cell;

    for (cell = sh->cells; cell != NULL; cell = cell->next) {

        if (cell->size == size
            && cell->name_len == name->len
            && ngx_memcmp(cell->name, name->data, name->len) == 0)
        {
            return cell;
        }
    }

    return NULL;
}


static ngx_pki_zone_cell_t *
ngx_pki_zone_create_cell(ngx_pki_zone_t *zone, ngx_str_t *name, size_t size)
{
    ngx_pki_zone_sh_t    *sh;
    ngx_pki_zone_cell_t  *cell;

    sh = zone->sh;

    cell = ngx_slab_calloc_locked(zone->shpool,
                                  sizeof(ngx_pki_zone_cell_t) + name->len);
    if (cell == NULL) {
        return NULL;
    }

    cell->memory = ngx_slab_calloc_locked(zone->shpool, size);

    if (cell->memory == NULL) {
        ngx_slab_free_locked(zone->shpool, cell);
        return NULL;
    }

    ngx_memcpy(cell->name, name->data, name->len);
    cell->name_len = name->len;
    cell->size = size;

    cell->next = sh->cells;
    sh->cells = cell;

    return cell;
}


void
ngx_pki_zone_set_state(ngx_pki_zone_t *zone, ngx_pki_zone_slot_t *slot,
    ngx_uint_t state, u_char *fingerprint, ngx_str_t *text)
{
    size_t  len;

    len = ngx_min(text->len, NGX_PKI_ZONE_TEXT_LEN - 1);

    ngx_shmtx_lock(&zone->shpool->mutex);

    slot->state = state;

    if (fingerprint != NULL) {
        ngx_memcpy(slot->fingerprint, fingerprint, sizeof(slot->fingerprint));
    }

    if (len != 0) {
        ngx_memcpy(slot->text, text->data, len);
    }

    slot->text[len] = '\0';

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


void
ngx_pki_zone_set_key_version(ngx_pki_zone_t *zone, ngx_pki_zone_slot_t *slot,
    ngx_str_t *version)
{
    size_t  len;

    len = ngx_min(version->len, NGX_PKI_ZONE_NAME_LEN - 1);

    ngx_shmtx_lock(&zone->shpool->mutex);

    ngx_memcpy(slot->key_version, version->data, len);
    slot->key_version[len] = '\0';

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


ngx_int_t
ngx_pki_zone_responder_set(ngx_pki_zone_t *zone,
    ngx_pki_zone_responder_t *responder, ngx_str_t *blob)
{
    size_t   old_len;
    u_char  *new, *old;

    new = ngx_slab_alloc(zone->shpool, blob->len);
    if (new == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(new, blob->data, blob->len);

    ngx_shmtx_lock(&zone->shpool->mutex);

    old = responder->data;
    old_len = responder->len;

    responder->data = new;
    responder->len = blob->len;
    responder->generation++;

    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (old != NULL) {
        ngx_explicit_memzero(old, old_len);
        ngx_slab_free(zone->shpool, old);
    }

    return NGX_OK;
}


ngx_int_t
ngx_pki_zone_responder_get(ngx_pki_zone_t *zone,
    ngx_pki_zone_responder_t *responder, ngx_pool_t *pool, ngx_str_t *blob)
{
    size_t      len;
    ngx_uint_t  copied;

    /* nothing is allocated under the lock, so it may grow in between */

    do {
        len = *(volatile size_t *) &responder->len;

        if (len == 0) {
            return NGX_DECLINED;
        }

        blob->data = ngx_pnalloc(pool, len);
        if (blob->data == NULL) {
            return NGX_ERROR;
        }

        ngx_shmtx_lock(&zone->shpool->mutex);

        copied = (responder->len <= len);

        if (copied) {
            blob->len = responder->len;
            ngx_memcpy(blob->data, responder->data, blob->len);
        }

        ngx_shmtx_unlock(&zone->shpool->mutex);

    } while (!copied);

    return NGX_OK;
}


void
ngx_pki_zone_moment(ngx_pki_zone_moment_t *moment)
{
    moment->wall = ngx_time();
    moment->monotonic = ngx_current_msec;
}


/*
 * Read without the lock: if one of the two is of a moment and the other of
 * the next, each is true by itself, and the earlier one is taken.
 */

time_t
ngx_pki_zone_moment_time(ngx_pki_zone_moment_t *moment)
{
    time_t          wall;
    ngx_msec_int_t  age;

    wall = moment->wall;

    if (wall == 0) {
        return 0;
    }

    /* another worker's clock may be some milliseconds ahead */

    age = (ngx_msec_int_t) (ngx_current_msec - moment->monotonic);
    age = ngx_max(age, 0);

    return ngx_min(wall, ngx_time() - (time_t) (age / 1000));
}


ngx_uint_t
ngx_pki_zone_lead(ngx_pki_zone_t *zone)
{
    ngx_pid_t           leader;
    ngx_uint_t          dead, leads;
    ngx_pki_zone_sh_t  *sh;

    sh = zone->sh;

    /* asked outside the lock; whether it still is the leader is seen inside */

    leader = *(volatile ngx_pid_t *) &sh->leader;

    dead = (leader != 0 && leader != ngx_pid
            && kill(leader, 0) == -1 && ngx_errno == NGX_ESRCH);

    ngx_shmtx_lock(&zone->shpool->mutex);

    leads = (sh->leader == ngx_pid
             || sh->leader == 0
             || (dead && sh->leader == leader)
             || (ngx_msec_int_t) (ngx_current_msec - sh->heartbeat)
                > NGX_PKI_ZONE_LEASE);

    if (leads) {
        sh->leader = ngx_pid;
        sh->heartbeat = ngx_current_msec;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return leads;
}


void
ngx_pki_zone_resign(ngx_pki_zone_t *zone)
{
    ngx_pki_zone_sh_t  *sh;

    sh = zone->sh;

    ngx_shmtx_lock(&zone->shpool->mutex);

    if (sh->leader == ngx_pid) {
        sh->leader = 0;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


ngx_uint_t
ngx_pki_zone_leads(ngx_pki_zone_t *zone)
{
    ngx_pki_zone_sh_t  *sh;

    sh = zone->sh;

    return *(volatile ngx_pid_t *) &sh->leader == ngx_pid;
}
