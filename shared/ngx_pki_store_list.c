
/*
 * Copyright (C) the ngx_pki authors
 *
 * A page of records, newest first.  First the serial numbers from the index,
 * then their records.  The cursor is "<score>-<serial>" of the last one shown;
 * what is added later stands before it, so pages neither repeat nor skip.
 */


#include "ngx_pki_store_job.h"


#define NGX_PKI_STORE_MAX_PAGE   1000
#define NGX_PKI_STORE_MAX_NAMES  (NGX_PKI_RECORD_FIELDS / 2)


static void ngx_pki_store_list_handler(ngx_pki_redis_command_t *cmd);
static ngx_int_t ngx_pki_store_page_start(ngx_str_t *cursor,
    ngx_str_t *score, ngx_str_t *serial);
static ngx_int_t ngx_pki_store_page_cursor(ngx_pki_store_job_t *job,
    redisReply *score);
static void ngx_pki_store_records_send(ngx_pki_store_job_t *job);
static void ngx_pki_store_records_handler(ngx_pki_redis_command_t *cmd);
static ngx_int_t ngx_pki_store_records_decode(ngx_pki_store_job_t *job,
    redisReply *reply);
static ngx_int_t ngx_pki_store_record_decode(ngx_pki_store_job_t *job,
    redisReply *values, ngx_pki_record_t *record);


void
ngx_pki_store_list(ngx_pki_store_job_t *job)
{
    ngx_pki_store_start(job, "listing certificates");

    ngx_pki_store_page(job, ngx_pki_store_list_handler);
}


static void
ngx_pki_store_list_handler(ngx_pki_redis_command_t *cmd)
{
    ngx_pki_store_job_t  *job;

    job = cmd->data;

    if (ngx_pki_store_answer(job, REDIS_REPLY_ARRAY) != NGX_OK) {
        return;
    }

    if (ngx_pki_store_page_decode(job, cmd->reply) != NGX_OK) {
        ngx_pki_store_malformed(job, "list");
        return;
    }

    if (job->records->nelts == 0) {
        ngx_pki_store_done(job, NGX_PKI_STORE_OK);
        return;
    }

    ngx_pki_store_records_send(job);
}


void
ngx_pki_store_page(ngx_pki_store_job_t *job, ngx_pki_redis_pt handler)
{
    ngx_str_t  score, serial;

    if (job->limit == 0 || job->limit > NGX_PKI_STORE_MAX_PAGE) {
        job->limit = NGX_PKI_STORE_MAX_PAGE;
    }

    if (job->cursor.len != 0
        && ngx_pki_store_page_start(&job->cursor, &score, &serial) != NGX_OK)
    {
        ngx_pki_store_defer(job, NGX_PKI_STORE_NOT_FOUND);
        return;
    }

    job->repeatable = 1;

    ngx_pki_store_eval(job, NGX_PKI_SCRIPT_PAGE, 1, 4);
    ngx_pki_store_key(job, "issued", NULL);
    ngx_pki_store_number(job, job->limit);

    if (job->cursor.len != 0) {
        ngx_pki_store_arg(job, &score);
        ngx_pki_store_arg(job, &serial);
    }

    ngx_pki_store_send(job, handler);
}


static ngx_int_t
ngx_pki_store_page_start(ngx_str_t *cursor, ngx_str_t *score,
    ngx_str_t *serial)
{
    time_t             t;
    u_char            *p;
    ngx_pki_serial_t   octets;

    p = ngx_strlchr(cursor->data, cursor->data + cursor->len, '-');

    if (p == NULL) {
        return NGX_ERROR;
    }

    score->data = cursor->data;
    score->len = p - cursor->data;

    serial->data = p + 1;
    serial->len = cursor->data + cursor->len - serial->data;

    if (ngx_pki_time_parse(score, &t) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_pki_serial_parse(serial, &octets);
}


/* one more than fits was asked for: if it is there, there is a next page */

ngx_int_t
ngx_pki_store_page_decode(ngx_pki_store_job_t *job, redisReply *reply)
{
    ngx_uint_t         i, n;
    redisReply        *score;
    ngx_pki_serial_t   serial;
    ngx_pki_record_t  *record;

    score = NULL;

    if (reply->elements % 2 != 0 || reply->elements / 2 > job->limit + 1) {
        return NGX_ERROR;
    }

    n = ngx_min(reply->elements / 2, job->limit);

    job->records = ngx_array_create(job->op->pool, n + 1,
                                    sizeof(ngx_pki_record_t));
    if (job->records == NULL) {
        return NGX_ERROR;
    }

    job->malformed = 0;

    for (i = 0; i < n; i++) {
        record = ngx_array_push(job->records);

        if (ngx_pki_store_reply_copy(job, reply->element[2 * i],
                                     &record->serial)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        /* what is no serial number must not hide the others */

        if (ngx_pki_serial_parse(&record->serial, &serial) != NGX_OK) {
            job->records->nelts--;
            job->malformed++;
            continue;
        }

        score = reply->element[2 * i + 1];
    }

    if (reply->elements / 2 <= job->limit) {
        ngx_str_null(&job->cursor);
        return NGX_OK;
    }

    return (score != NULL) ? ngx_pki_store_page_cursor(job, score) : NGX_ERROR;
}


static ngx_int_t
ngx_pki_store_page_cursor(ngx_pki_store_job_t *job, redisReply *score)
{
    time_t             t;
    ngx_pki_record_t  *last;

    if (ngx_pki_store_reply_time(score, &t) != NGX_OK) {
        return NGX_ERROR;
    }

    last = job->records->elts;
    last += job->records->nelts - 1;

    job->cursor.data = ngx_pnalloc(job->op->pool,
                                   NGX_TIME_T_LEN + 1 + last->serial.len);
    if (job->cursor.data == NULL) {
        return NGX_ERROR;
    }

    job->cursor.len = ngx_sprintf(job->cursor.data, "%T-%V", t, &last->serial)
                      - job->cursor.data;

    return NGX_OK;
}


static void
ngx_pki_store_records_send(ngx_pki_store_job_t *job)
{
    ngx_str_t         *name;
    ngx_uint_t         i, n;
    ngx_pki_record_t  *record;

    record = job->records->elts;
    n = job->records->nelts;

    ngx_pki_store_eval(job, NGX_PKI_SCRIPT_RECORDS, n,
                       n + NGX_PKI_STORE_MAX_NAMES);

    for (i = 0; i < n; i++) {
        ngx_pki_store_key(job, "cert:", &record[i].serial);
    }

    /* all but "der", the first */

    for (i = 1; /* void */ ; i++) {
        name = ngx_pki_record_name(i);

        if (name == NULL) {
            break;
        }

        ngx_pki_store_arg(job, name);
    }

    ngx_pki_store_send(job, ngx_pki_store_records_handler);
}


static void
ngx_pki_store_records_handler(ngx_pki_redis_command_t *cmd)
{
    ngx_pki_store_job_t  *job;

    job = cmd->data;

    if (ngx_pki_store_answer(job, REDIS_REPLY_ARRAY) != NGX_OK) {
        return;
    }

    if (ngx_pki_store_records_decode(job, cmd->reply) != NGX_OK) {
        ngx_pki_store_malformed(job, "record");
        return;
    }

    ngx_pki_store_done(job, NGX_PKI_STORE_OK);
}


/* an index may still name a record that is gone; it is left out */

static ngx_int_t
ngx_pki_store_records_decode(ngx_pki_store_job_t *job, redisReply *reply)
{
    ngx_int_t          rc;
    ngx_uint_t         i, n;
    ngx_pki_record_t  *record;

    if (reply->elements != job->records->nelts) {
        return NGX_ERROR;
    }

    record = job->records->elts;
    n = 0;

    for (i = 0; i < reply->elements; i++) {
        rc = ngx_pki_store_record_decode(job, reply->element[i], &record[i]);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_OK) {
            record[n++] = record[i];
        }
    }

    job->records->nelts = n;

    return NGX_OK;
}


static ngx_int_t
ngx_pki_store_record_decode(ngx_pki_store_job_t *job, redisReply *values,
    ngx_pki_record_t *record)
{
    ngx_str_t   serial, *name, fields[NGX_PKI_RECORD_FIELDS];
    ngx_uint_t  i, n;

    if (values->type != REDIS_REPLY_ARRAY
        || values->elements >= NGX_PKI_STORE_MAX_NAMES)
    {
        return NGX_ERROR;
    }

    n = 0;

    for (i = 0; i < values->elements; i++) {
        name = ngx_pki_record_name(i + 1);

        if (name == NULL) {
            return NGX_ERROR;
        }

        if (values->element[i]->type == REDIS_REPLY_NIL) {
            continue;
        }

        fields[n] = *name;

        if (ngx_pki_store_reply_copy(job, values->element[i], &fields[n + 1])
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        n += 2;
    }

    if (n == 0) {
        return NGX_DECLINED;
    }

    serial = record->serial;

    /* one bad record must not hide all others */

    if (ngx_pki_record_decode(fields, n, record) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, job->op->log, 0,
                      "malformed record \"%V\" in redis", &serial);
        return NGX_DECLINED;
    }

    record->serial = serial;

    return NGX_OK;
}
