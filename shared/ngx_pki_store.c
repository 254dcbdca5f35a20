
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_store_job.h"


#define NGX_PKI_STORE_MAX_FIELDS  128

static void ngx_pki_store_find_handler(ngx_pki_redis_command_t *cmd);
static void ngx_pki_store_get_send(ngx_pki_store_job_t *job);
static void ngx_pki_store_get_handler(ngx_pki_redis_command_t *cmd);
static void ngx_pki_store_change(ngx_pki_store_job_t *job,
    ngx_pki_script_e script);
static void ngx_pki_store_change_handler(ngx_pki_redis_command_t *cmd);
static void ngx_pki_store_changed(ngx_pki_store_job_t *job,
    redisReply *fields, ngx_pki_store_result_e result);
static void ngx_pki_store_restore_handler(ngx_pki_redis_command_t *cmd);
static ngx_int_t ngx_pki_store_decode(ngx_pki_store_job_t *job,
    redisReply *reply);
static void ngx_pki_store_register_handler(ngx_pki_redis_command_t *cmd);


void
ngx_pki_store_find_transaction(ngx_pki_store_job_t *job)
{
    ngx_pki_store_start(job, "looking for a transaction");

    if (job->transaction_key.len == 0) {
        ngx_pki_store_defer(job, NGX_PKI_STORE_NOT_FOUND);
        return;
    }

    job->repeatable = 1;

    ngx_pki_store_eval(job, NGX_PKI_SCRIPT_FIND, 1, 1);
    ngx_pki_store_key(job, "txn:", &job->transaction_key);

    job->command.durable = 1;

    ngx_pki_store_send(job, ngx_pki_store_find_handler);
}


static void
ngx_pki_store_find_handler(ngx_pki_redis_command_t *cmd)
{
    ngx_pki_store_job_t  *job;

    job = cmd->data;

    if (cmd->reply != NULL && cmd->reply->type == REDIS_REPLY_NIL) {
        ngx_pki_store_done(job, NGX_PKI_STORE_NOT_FOUND);
        return;
    }

    if (ngx_pki_store_answer(job, REDIS_REPLY_STRING) != NGX_OK) {
        return;
    }

    ngx_pki_store_found(job, cmd->reply, NGX_PKI_STORE_OK);
}


void
ngx_pki_store_found(ngx_pki_store_job_t *job, redisReply *serial,
    ngx_pki_store_result_e result)
{
    ngx_str_t  hex;

    if (ngx_pki_store_reply_copy(job, serial, &hex) != NGX_OK
        || ngx_pki_serial_parse(&hex, &job->serial) != NGX_OK)
    {
        ngx_pki_store_malformed(job, "serial number");
        return;
    }

    job->record.serial = hex;
    job->result = result;

    ngx_pki_store_get_send(job);
}


void
ngx_pki_store_get(ngx_pki_store_job_t *job)
{
    ngx_pki_store_start(job, "reading a record");

    if (ngx_pki_serial_parse(&job->record.serial, &job->serial) != NGX_OK) {
        ngx_pki_store_defer(job, NGX_PKI_STORE_NOT_FOUND);
        return;
    }

    job->result = NGX_PKI_STORE_NOT_FOUND;
    job->repeatable = 1;

    ngx_pki_store_get_send(job);
}


static void
ngx_pki_store_get_send(ngx_pki_store_job_t *job)
{
    ngx_pki_store_command(job, "HGETALL", 1);
    ngx_pki_store_key(job, "cert:", &job->record.serial);
    ngx_pki_store_send(job, ngx_pki_store_get_handler);
}


/*
 * job->result is NOT_FOUND if it was asked for by its serial number; else
 * something in Redis says that it is there, and what to answer then.
 */

static void
ngx_pki_store_get_handler(ngx_pki_redis_command_t *cmd)
{
    ngx_pki_store_job_t  *job;

    job = cmd->data;

    if (ngx_pki_store_answer(job, REDIS_REPLY_ARRAY) != NGX_OK) {
        return;
    }

    if (cmd->reply->elements == 0 && job->result == NGX_PKI_STORE_NOT_FOUND) {
        ngx_pki_store_done(job, NGX_PKI_STORE_NOT_FOUND);
        return;
    }

    if (ngx_pki_store_decode(job, cmd->reply) != NGX_OK
        || job->record.der.len == 0)
    {
        ngx_pki_store_malformed(job, "record");
        return;
    }

    ngx_pki_store_done(job, job->result == NGX_PKI_STORE_EXISTS
                            ? NGX_PKI_STORE_EXISTS : NGX_PKI_STORE_OK);
}


void
ngx_pki_store_revoke(ngx_pki_store_job_t *job)
{
    ngx_pki_store_start(job, "revoking a certificate");

    ngx_pki_store_change(job, NGX_PKI_SCRIPT_REVOKE);
}


void
ngx_pki_store_release(ngx_pki_store_job_t *job)
{
    ngx_pki_store_start(job, "releasing a certificate");

    ngx_pki_store_change(job, NGX_PKI_SCRIPT_RELEASE);
}


void
ngx_pki_store_deliver(ngx_pki_store_job_t *job)
{
    ngx_pki_store_start(job, "delivering a certificate");

    job->repeatable = 1;

    ngx_pki_store_change(job, NGX_PKI_SCRIPT_DELIVER);
}


static void
ngx_pki_store_change(ngx_pki_store_job_t *job, ngx_pki_script_e script)
{
    ngx_uint_t  transaction;

    if (ngx_pki_serial_parse(&job->record.serial, &job->serial) != NGX_OK) {
        ngx_pki_store_defer(job, NGX_PKI_STORE_NOT_FOUND);
        return;
    }

    job->status.epoch = job->store->slot->epoch;

    transaction = (script == NGX_PKI_SCRIPT_REVOKE
                   && job->transaction_key.len != 0);

    ngx_pki_store_eval(job, script, 5 + transaction, 10 + transaction);

    ngx_pki_store_key(job, "ca", NULL);
    ngx_pki_store_key(job, "cert:", &job->record.serial);
    ngx_pki_store_key(job, "revoked:0", NULL);
    ngx_pki_store_key(job, "log", NULL);
    ngx_pki_store_key(job, "released", NULL);

    if (transaction) {
        ngx_pki_store_key(job, "txn:", &job->transaction_key);
    }

    ngx_pki_store_arg(job, &job->record.serial);

    if (script == NGX_PKI_SCRIPT_REVOKE) {
        ngx_pki_store_number(job, job->reason);
        ngx_pki_store_number(job, ngx_time());
        ngx_pki_store_arg(job, &job->by);
        ngx_pki_store_number(job, job->withheld);

    } else {
        ngx_pki_store_number(job, ngx_time());
    }

    job->command.durable = 1;

    ngx_pki_store_send(job, ngx_pki_store_change_handler);
}


static void
ngx_pki_store_change_handler(ngx_pki_redis_command_t *cmd)
{
    ngx_str_t             word;
    redisReply           *reply;
    ngx_pki_store_job_t  *job;

    job = cmd->data;
    reply = cmd->reply;

    if (ngx_pki_store_answer(job, REDIS_REPLY_ARRAY) != NGX_OK) {
        return;
    }

    if (reply->elements == 0
        || ngx_pki_store_reply_string(reply->element[0], &word) != NGX_OK)
    {
        ngx_pki_store_malformed(job, "answer");
        return;
    }

    if (ngx_pki_str_eq(&word, "none")) {
        ngx_pki_store_done(job, NGX_PKI_STORE_NOT_FOUND);
        return;
    }

    if (reply->elements != 2) {
        ngx_pki_store_malformed(job, "answer");
        return;
    }

    ngx_pki_store_changed(job, reply->element[1],
                          ngx_pki_str_eq(&word, "ok")
                              ? NGX_PKI_STORE_OK : NGX_PKI_STORE_CONFLICT);
}


static void
ngx_pki_store_changed(ngx_pki_store_job_t *job, redisReply *fields,
    ngx_pki_store_result_e result)
{
    if (ngx_pki_store_decode(job, fields) != NGX_OK) {
        ngx_pki_store_malformed(job, "record");
        return;
    }

    if (result == NGX_PKI_STORE_OK) {
        ngx_pki_store_enter(job);
    }

    ngx_pki_store_done(job, result);
}


void
ngx_pki_store_restore(ngx_pki_store_job_t *job)
{
    u_char     hex[2 * NGX_PKI_SERIAL_LEN];
    ngx_str_t  serial;

    ngx_pki_store_start(job, "restoring a revocation");

    job->repeatable = 1;

    serial.data = hex;
    serial.len = ngx_pki_serial_print(hex, &job->serial);

    if (ngx_pki_op_copy(job->op, &job->record.serial, &serial) != NGX_OK) {
        ngx_pki_store_defer(job, NGX_PKI_STORE_UNAVAILABLE);
        return;
    }

    /* what is no revocation must not become one */

    if (ngx_pki_status_check(job->status.status, job->status.reason,
                             job->status.revoked_at)
        != NGX_OK)
    {
        ngx_pki_store_defer(job, NGX_PKI_STORE_CONFLICT);
        return;
    }

    ngx_pki_store_eval(job, NGX_PKI_SCRIPT_RESTORE, 6, 13);

    ngx_pki_store_key(job, "ca", NULL);
    ngx_pki_store_key(job, "cert:", &job->record.serial);
    ngx_pki_store_key(job, "revoked:0", NULL);
    ngx_pki_store_key(job, "log", NULL);
    ngx_pki_store_key(job, "released", NULL);
    ngx_pki_store_key(job, "restoring", NULL);

    ngx_pki_store_arg(job, &job->record.serial);
    ngx_pki_store_number(job, job->status.reason);
    ngx_pki_store_number(job, job->status.revoked_at);
    ngx_pki_store_text(job, "restored");
    ngx_pki_store_number(job, job->status.version);
    ngx_pki_store_number(job, job->status.not_after);
    ngx_pki_store_number(job, job->restoring);

    job->command.durable = 1;

    ngx_pki_store_send(job, ngx_pki_store_restore_handler);
}


/* the zone is right already, and hears of it by the log */

static void
ngx_pki_store_restore_handler(ngx_pki_redis_command_t *cmd)
{
    ngx_str_t             word;
    ngx_pki_store_job_t  *job;

    job = cmd->data;

    if (ngx_pki_store_answer(job, REDIS_REPLY_STRING) != NGX_OK) {
        return;
    }

    (void) ngx_pki_store_reply_string(cmd->reply, &word);

    if (ngx_pki_str_eq(&word, "ok")) {
        ngx_pki_store_done(job, NGX_PKI_STORE_OK);

    } else if (ngx_pki_str_eq(&word, "none")) {
        ngx_pki_store_done(job, NGX_PKI_STORE_NOT_FOUND);

    } else {
        ngx_pki_store_done(job, NGX_PKI_STORE_CONFLICT);
    }
}


void
ngx_pki_store_enter(ngx_pki_store_job_t *job)
{
    ngx_pki_record_t       *record;
    ngx_pki_zone_status_t   status;

    record = &job->record;

    status.status = record->status;
    status.reason = record->reason;
    status.revoked_at = record->revoked_at;
    status.not_after = record->not_after;
    status.version = record->version;
    status.epoch = job->status.epoch;

    (void) ngx_pki_zone_enter(job->store->zone, job->store->slot,
                              &job->serial, &status, record->version);
}


/* into job->record, whose serial stays */

static ngx_int_t
ngx_pki_store_decode(ngx_pki_store_job_t *job, redisReply *reply)
{
    ngx_str_t  serial, fields[NGX_PKI_STORE_MAX_FIELDS];

    serial = job->record.serial;

    if (ngx_pki_store_reply_fields(job, reply, fields,
                                   NGX_PKI_STORE_MAX_FIELDS)
        != NGX_OK
        || ngx_pki_record_decode(fields, reply->elements, &job->record)
           != NGX_OK)
    {
        job->record.serial = serial;
        return NGX_ERROR;
    }

    job->record.serial = serial;

    return NGX_OK;
}


void
ngx_pki_store_register(ngx_pki_store_job_t *job)
{
    ngx_pki_store_start(job, "registering the authority");

    job->repeatable = 1;

    ngx_pki_store_eval(job, NGX_PKI_SCRIPT_REGISTER, 1, 4);
    ngx_pki_store_key(job, "ca", NULL);
    ngx_pki_store_arg(job, &job->certificate);
    ngx_pki_store_arg(job, &job->key_id);
    ngx_pki_store_number(job, job->shards);

    job->command.durable = (job->certificate.len != 0);

    ngx_pki_store_send(job, ngx_pki_store_register_handler);
}


static void
ngx_pki_store_register_handler(ngx_pki_redis_command_t *cmd)
{
    uint64_t              shards;
    redisReply           *reply;
    ngx_pki_store_job_t  *job;

    job = cmd->data;
    reply = cmd->reply;

    if (ngx_pki_store_answer(job, REDIS_REPLY_ARRAY) != NGX_OK) {
        return;
    }

    if (reply->elements == 3 && reply->element[0]->type == REDIS_REPLY_NIL) {
        ngx_pki_store_done(job, NGX_PKI_STORE_NOT_FOUND);
        return;
    }

    ngx_str_null(&job->key_id);

    if (reply->elements != 3
        || ngx_pki_store_reply_copy(job, reply->element[0], &job->certificate)
           != NGX_OK
        || (reply->element[1]->type != REDIS_REPLY_NIL
            && ngx_pki_store_reply_copy(job, reply->element[1], &job->key_id)
               != NGX_OK)
        || ngx_pki_store_reply_number(reply->element[2], &shards) != NGX_OK)
    {
        ngx_pki_store_malformed(job, "certificate");
        return;
    }

    /* a later version may have more of them than can be built here */

    job->shards = ngx_min(shards, NGX_PKI_CRL_SHARDS_MAX);

    ngx_pki_store_done(job, NGX_PKI_STORE_OK);
}
