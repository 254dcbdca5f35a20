
/*
 * Copyright (C) the ngx_pki authors
 *
 * A vault's key in trouble is tried now and then, by calls whose result nobody
 * needs: whoever balances the load may send this node no request any more.
 */


#include "ngx_pki_vault_trouble.h"


#define NGX_PKI_KEY_VAULT_PATIENCE  3000     /* milliseconds */


typedef struct {
    ngx_pki_key_t             *key;
    ngx_pki_vault_key_t       *vk;
    ngx_pki_op_t              *op;
    ngx_pki_key_job_t          job;
    ngx_pki_vault_call_t       call;
    u_char                     input[512];   /* of an RSA-4096 key */
} ngx_pki_key_vault_revival_t;


static ngx_uint_t ngx_pki_key_vault_revive_has(ngx_pki_vault_key_t *vk,
    ngx_pki_vault_trouble_e trouble);
static void ngx_pki_key_vault_revive_sign(ngx_pki_key_vault_revival_t *rv);
static void ngx_pki_key_vault_revive_sign_handler(ngx_pki_vault_call_t *call);
static void ngx_pki_key_vault_revive_unwrap(ngx_pki_key_vault_revival_t *rv);
static void ngx_pki_key_vault_revive_unwrap_handler(
    ngx_pki_vault_call_t *call);
static void ngx_pki_key_vault_revive_done(ngx_pki_key_vault_revival_t *rv);


void
ngx_pki_key_vault_revive(ngx_pki_key_t *key, const EVP_MD *md, ngx_uint_t pss,
    ngx_log_t *log)
{
    ngx_pki_op_t                 *op;
    ngx_pki_vault_key_t          *vk;
    ngx_pki_key_vault_revival_t  *rv;

    vk = key->data;

    if (vk->reviving || vk->state == NULL || key->public_key == NULL
        || !(ngx_pki_key_vault_revive_has(vk, NGX_PKI_VAULT_TROUBLE_SIGN)
             || ngx_pki_key_vault_revive_has(vk, NGX_PKI_VAULT_TROUBLE_UNWRAP)
             || ngx_pki_key_vault_revive_has(vk, NGX_PKI_VAULT_TROUBLE_KEY)))
    {
        return;
    }

    op = ngx_pki_op_create(log);
    if (op == NULL) {
        return;
    }

    ngx_pki_op_action(op, "trying a key again");

    rv = ngx_pcalloc(op->pool, sizeof(ngx_pki_key_vault_revival_t));

    if (rv == NULL || RAND_bytes(rv->input, sizeof(rv->input)) != 1) {
        ERR_clear_error();
        ngx_pki_op_destroy(op);
        return;
    }

    rv->key = key;
    rv->vk = vk;
    rv->op = op;

    rv->call.op = op;
    rv->call.key = vk;
    rv->call.trial = 1;
    rv->call.data = &rv->job;

    rv->job.op = op;
    rv->job.key = key;
    rv->job.md = md;
    rv->job.pss = pss;
    rv->job.data = rv;

    vk->reviving = 1;

    ngx_pki_key_vault_revive_sign(rv);
}


/*
 * A trouble that blocks calls no more, which nobody came to try since: a call
 * that is let through, this one too, blocks for another half a minute.
 */

static ngx_uint_t
ngx_pki_key_vault_revive_has(ngx_pki_vault_key_t *vk,
    ngx_pki_vault_trouble_e i)
{
    ngx_pki_vault_state_t    *state;
    ngx_pki_vault_trouble_t  *trouble;

    state = vk->state;
    trouble = &state->troubles[i];

    return trouble->len != 0 && trouble->blocks
           && (ngx_msec_int_t) (ngx_current_msec - trouble->until)
              > NGX_PKI_KEY_VAULT_PATIENCE;
}


/* a success with any operation ends the trouble of get and create, too */

static void
ngx_pki_key_vault_revive_sign(ngx_pki_key_vault_revival_t *rv)
{
    const ngx_str_t       *alg;
    ngx_pki_key_job_t     *job;
    ngx_pki_vault_call_t  *call;

    if (!ngx_pki_key_vault_revive_has(rv->vk, NGX_PKI_VAULT_TROUBLE_SIGN)
        && !ngx_pki_key_vault_revive_has(rv->vk, NGX_PKI_VAULT_TROUBLE_KEY))
    {
        ngx_pki_key_vault_revive_unwrap(rv);
        return;
    }

    job = &rv->job;

    job->input.data = rv->input;
    job->input.len = EVP_MD_get_size(job->md);

    alg = ngx_pki_key_vault_algorithm(&rv->key->spec, job->md,
                                      job->pss);

    if (alg == NULL) {
        ngx_pki_key_vault_revive_done(rv);
        return;
    }

    call = &rv->call;

    call->operation = NGX_PKI_VAULT_SIGN;
    call->alg = *alg;
    call->input = job->input;
    call->check = ngx_pki_key_vault_check;
    call->handler = ngx_pki_key_vault_revive_sign_handler;

    ngx_pki_vault_call(call);
}


static void
ngx_pki_key_vault_revive_sign_handler(ngx_pki_vault_call_t *call)
{
    ngx_pki_key_job_t  *job;

    job = call->data;

    ngx_pki_key_vault_revive_unwrap(job->data);
}


/* the padding will be wrong, and to say so the vault has to look at it */

static void
ngx_pki_key_vault_revive_unwrap(ngx_pki_key_vault_revival_t *rv)
{
    size_t                 size;
    ngx_pki_vault_call_t  *call;

    size = EVP_PKEY_get_size(rv->key->public_key);

    if (!ngx_pki_key_vault_revive_has(rv->vk, NGX_PKI_VAULT_TROUBLE_UNWRAP)
        || rv->key->spec.type != NGX_PKI_KEY_RSA
        || size > sizeof(rv->input))
    {
        ngx_pki_key_vault_revive_done(rv);
        return;
    }

    /* less than the modulus */
    rv->input[0] = 0;

    call = &rv->call;

    call->operation = NGX_PKI_VAULT_UNWRAP;
    call->check = NULL;
    ngx_str_set(&call->alg, "RSA-OAEP-256");
    call->input.data = rv->input;
    call->input.len = size;
    call->handler = ngx_pki_key_vault_revive_unwrap_handler;

    ngx_pki_vault_call(call);
}


static void
ngx_pki_key_vault_revive_unwrap_handler(ngx_pki_vault_call_t *call)
{
    ngx_pki_key_job_t  *job;

    job = call->data;

    ngx_pki_key_vault_revive_done(job->data);
}


static void
ngx_pki_key_vault_revive_done(ngx_pki_key_vault_revival_t *rv)
{
    rv->vk->reviving = 0;

    ngx_pki_op_destroy(rv->op);
}
