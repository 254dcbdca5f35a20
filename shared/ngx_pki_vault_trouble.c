
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_vault_trouble.h"


/* milliseconds; a role that was just assigned takes minutes to be felt */

#define NGX_PKI_VAULT_TROUBLE_TIME  30000


static ngx_pki_vault_trouble_t *ngx_pki_vault_trouble_of(
    ngx_pki_vault_state_t *state, ngx_pki_vault_operation_e operation);
static ngx_uint_t ngx_pki_vault_trouble_blocks(
    ngx_pki_vault_trouble_t *trouble);
static ngx_uint_t ngx_pki_vault_trouble_stands(
    ngx_pki_vault_trouble_t *trouble);


ngx_int_t
ngx_pki_vault_trouble_check(ngx_pki_zone_t *zone,
    ngx_pki_vault_state_t *state, ngx_pki_vault_operation_e operation,
    ngx_pool_t *pool, ngx_pki_vault_result_e *result, ngx_str_t *text)
{
    u_char                   *p;
    ngx_uint_t                blocked;
    ngx_pki_vault_trouble_t  *trouble;

    trouble = ngx_pki_vault_trouble_of(state, operation);

    if (trouble->len == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, NGX_PKI_VAULT_TROUBLE_LEN);

    if (p == NULL) {
        *result = NGX_PKI_VAULT_UNAVAILABLE;
        ngx_str_set(text, "out of memory");
        return NGX_DECLINED;
    }

    ngx_pki_zone_lock(zone);

    blocked = ngx_pki_vault_trouble_blocks(trouble);

    if (blocked) {
        *result = trouble->result;
        text->len = trouble->len;
        text->data = p;

        ngx_memcpy(p, trouble->text, trouble->len);

    } else if (trouble->blocks) {

        /* the others go on waiting for this one */

        trouble->until = ngx_current_msec + NGX_PKI_VAULT_TROUBLE_TIME;
    }

    ngx_pki_zone_unlock(zone);

    return blocked ? NGX_DECLINED : NGX_OK;
}


void
ngx_pki_vault_trouble_set(ngx_pki_zone_t *zone, ngx_pki_vault_state_t *state,
    ngx_pki_vault_operation_e operation, ngx_pki_vault_result_e result,
    ngx_str_t *text, ngx_uint_t blocks)
{
    size_t                    len;
    ngx_pki_vault_trouble_t  *trouble;

    trouble = ngx_pki_vault_trouble_of(state, operation);
    len = ngx_min(text->len, NGX_PKI_VAULT_TROUBLE_LEN);

    ngx_pki_zone_lock(zone);

    trouble->len = len;
    trouble->result = result;
    trouble->blocks = blocks;
    trouble->until = ngx_current_msec + NGX_PKI_VAULT_TROUBLE_TIME;

    ngx_memcpy(trouble->text, text->data, len);

    ngx_pki_zone_unlock(zone);
}


ngx_uint_t
ngx_pki_vault_trouble_clear(ngx_pki_zone_t *zone,
    ngx_pki_vault_state_t *state, ngx_pki_vault_operation_e operation)
{
    ngx_uint_t                cleared;
    ngx_pki_vault_trouble_t  *trouble, *key;

    trouble = ngx_pki_vault_trouble_of(state, operation);
    key = &state->troubles[NGX_PKI_VAULT_TROUBLE_KEY];

    if (trouble->len == 0 && key->len == 0) {
        return 0;
    }

    ngx_pki_zone_lock(zone);

    cleared = (trouble->len != 0 || key->len != 0);

    trouble->len = 0;
    trouble->blocks = 0;

    key->len = 0;
    key->blocks = 0;

    ngx_pki_zone_unlock(zone);

    return cleared;
}


void
ngx_pki_vault_trouble_unblock(ngx_pki_zone_t *zone,
    ngx_pki_vault_state_t *state)
{
    ngx_uint_t  i;

    ngx_pki_zone_lock(zone);

    for (i = 0; i < NGX_PKI_VAULT_TROUBLES; i++) {
        state->troubles[i].until = ngx_current_msec;
    }

    ngx_pki_zone_unlock(zone);
}


size_t
ngx_pki_vault_trouble_copy(ngx_pki_zone_t *zone, ngx_pki_vault_state_t *state,
    u_char *buf)
{
    size_t      len;
    ngx_uint_t  i;

    len = 0;

    ngx_pki_zone_lock(zone);

    for (i = 0; i < NGX_PKI_VAULT_TROUBLES && len == 0; i++) {

        if (ngx_pki_vault_trouble_stands(&state->troubles[i])) {
            len = state->troubles[i].len;
            ngx_memcpy(buf, state->troubles[i].text, len);
        }
    }

    ngx_pki_zone_unlock(zone);

    return len;
}


static ngx_pki_vault_trouble_t *
ngx_pki_vault_trouble_of(ngx_pki_vault_state_t *state,
    ngx_pki_vault_operation_e operation)
{
    switch (operation) {

    case NGX_PKI_VAULT_SIGN:
        return &state->troubles[NGX_PKI_VAULT_TROUBLE_SIGN];

    case NGX_PKI_VAULT_UNWRAP:
        return &state->troubles[NGX_PKI_VAULT_TROUBLE_UNWRAP];

    default:
        return &state->troubles[NGX_PKI_VAULT_TROUBLE_KEY];
    }
}


/* a time further away than it can be is of a clock that began anew */

static ngx_uint_t
ngx_pki_vault_trouble_blocks(ngx_pki_vault_trouble_t *trouble)
{
    ngx_msec_int_t  left;

    left = (ngx_msec_int_t) (trouble->until - ngx_current_msec);

    return trouble->len != 0 && trouble->blocks
           && left > 0 && left <= NGX_PKI_VAULT_TROUBLE_TIME;
}


/* one that passes by itself is shown for two times of waiting */

static ngx_uint_t
ngx_pki_vault_trouble_stands(ngx_pki_vault_trouble_t *trouble)
{
    ngx_msec_int_t  past;

    past = (ngx_msec_int_t) (ngx_current_msec - trouble->until);

    return trouble->len != 0
           && (trouble->blocks || (past >= -NGX_PKI_VAULT_TROUBLE_TIME
                                   && past <= NGX_PKI_VAULT_TROUBLE_TIME));
}
