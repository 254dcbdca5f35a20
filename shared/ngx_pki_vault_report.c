
/*
 * Copyright (C) the ngx_pki authors
 *
 * What the log says of calls, and what is remembered of a key: one line for a
 * call, however often it was tried.
 */


#include "ngx_pki_vault_call.h"


/* octets of the vault's own name of a request that are worth keeping */

#define NGX_PKI_VAULT_MAX_REQUEST_ID  64


static ngx_uint_t ngx_pki_vault_report_level(ngx_pki_vault_way_t *way,
    ngx_pki_vault_result_e result);
static void ngx_pki_vault_report_working(ngx_pki_vault_way_t *way);
static void ngx_pki_vault_report_line(ngx_pki_vault_way_t *way,
    ngx_pki_vault_result_e result, ngx_str_t *line);


static const char  *ngx_pki_vault_report_operations[] = {
    "get of", "create of", "sign with", "unwrap with"
};


void
ngx_pki_vault_report(ngx_pki_vault_way_t *way, ngx_pki_vault_result_e result,
    ngx_uint_t trouble)
{
    ngx_str_t              line, id;
    ngx_uint_t             level;
    ngx_pki_vault_key_t   *key;
    ngx_pki_vault_call_t  *call;

    call = way->call;
    key = call->key;

    call->error = way->words;

    ngx_pki_vault_report_line(way, result, &line);

    level = ngx_pki_vault_report_level(way, result);

    if (level == 0) {

        /* a vault that looked at the padding works, here as below */

        if (result == NGX_PKI_VAULT_INVALID
            && call->operation == NGX_PKI_VAULT_UNWRAP)
        {
            ngx_pki_vault_report_working(way);
        }

        return;
    }

    if (level == NGX_LOG_INFO) {

        /* a vault that looked at the padding works */

        ngx_pki_vault_report_working(way);

    } else if (trouble != NGX_PKI_VAULT_NO_TROUBLE) {
        ngx_pki_vault_trouble_set(way->vault->zone, key->state,
                                  call->operation, result, &line,
                                  trouble == NGX_PKI_VAULT_LASTING);
    }

    id = ngx_pki_vault_clean(call->op->pool, &way->request_id,
                             NGX_PKI_VAULT_MAX_REQUEST_ID);

    ngx_log_error(level, call->op->log, 0,
                  "%V, retries: %ui, request: \"%V\", client request: \"%V\"",
                  &line, way->retries, &id, &way->client_request_id);
}


/* 0: not at all */

static ngx_uint_t
ngx_pki_vault_report_level(ngx_pki_vault_way_t *way,
    ngx_pki_vault_result_e result)
{
    if (way->call->trial) {
        return 0;
    }

    switch (result) {

    case NGX_PKI_VAULT_NOT_FOUND:
    case NGX_PKI_VAULT_CONFLICT:
        return way->call->quiet ? 0 : NGX_LOG_ERR;

    case NGX_PKI_VAULT_INVALID:

        /* the padding is what a client sent */

        return (way->call->operation == NGX_PKI_VAULT_UNWRAP) ? NGX_LOG_INFO
                                                              : NGX_LOG_ERR;

    default:
        return NGX_LOG_ERR;
    }
}


static void
ngx_pki_vault_report_line(ngx_pki_vault_way_t *way,
    ngx_pki_vault_result_e result, ngx_str_t *line)
{
    size_t                 size;
    const char            *verb, *operation;
    ngx_pki_vault_call_t  *call;

    call = way->call;

    verb = (result == NGX_PKI_VAULT_UNAVAILABLE) ? "fails at" : "refuses";
    operation = ngx_pki_vault_report_operations[call->operation];

    size = sizeof("key vault \"\" fails at unwrap with key \"\": ")
           + way->vault->name.len + call->key->name.len + way->words.len;

    line->data = ngx_pnalloc(call->op->pool, size);

    if (line->data == NULL) {
        *line = way->words;
        return;
    }

    line->len = ngx_snprintf(line->data, size,
                             "key vault \"%V\" %s %s key \"%V\": %V",
                             &way->vault->name, verb, operation,
                             &call->key->name, &way->words)
                - line->data;
}


/* the line at error has been there, and comes again with the next trial */

void
ngx_pki_vault_report_blocked(ngx_pki_vault_way_t *way)
{
    ngx_pki_vault_call_t  *call;

    call = way->call;
    call->error = way->words;

    ngx_log_error(NGX_LOG_INFO, call->op->log, 0,
                  "not tried again yet: %V", &way->words);
}


void
ngx_pki_vault_report_success(ngx_pki_vault_way_t *way)
{
    ngx_pki_vault_call_t  *call;

    call = way->call;

    if (way->wrong != NULL) {
        ngx_log_error(NGX_LOG_WARN, call->op->log, 0,
                      "key vault \"%V\" gave a wrong answer, then a right one, "
                      "at %s key \"%V\": %s",
                      &way->vault->name,
                      ngx_pki_vault_report_operations[call->operation],
                      &call->key->name, way->wrong);
    }

    ngx_pki_vault_report_working(way);
}


static void
ngx_pki_vault_report_working(ngx_pki_vault_way_t *way)
{
    ngx_pki_vault_call_t  *call;

    call = way->call;

    if (!ngx_pki_vault_trouble_clear(way->vault->zone, call->key->state,
                                     call->operation))
    {
        return;
    }

    ngx_log_error(NGX_LOG_NOTICE, call->op->log, 0,
                  "key vault \"%V\" works again: %s key \"%V\"",
                  &way->vault->name,
                  ngx_pki_vault_report_operations[call->operation],
                  &call->key->name);
}
