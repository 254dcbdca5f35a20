
/*
 * Copyright (C) the ngx_pki authors
 *
 * What hiredis is used for: bytes of a command, objects of a reply.
 */


#include "ngx_pki_redis_connection.h"


/* no array that is asked for has more elements */
#define NGX_PKI_REDIS_MAX_ELEMENTS  (4 * 1024 * 1024)

/* the reader keeps no larger buffer while there is nothing in it */
#define NGX_PKI_REDIS_READER_IDLE   (64 * 1024)


static void *ngx_pki_redis_reader_create_array(const redisReadTask *task,
    ngx_pki_redis_elements_t elements);
static void ngx_pki_redis_format_words(const char **word, size_t *len,
    ngx_str_t *words, ngx_uint_t n);
static ngx_int_t ngx_pki_redis_format_append(ngx_buf_t *out, char *data,
    size_t len, ngx_log_t *log);


redisReader *
ngx_pki_redis_reader_create(redisReplyObjectFunctions *functions)
{
    redisReader  *reader;

    reader = redisReaderCreate();
    if (reader == NULL) {
        return NULL;
    }

    /* hiredis 0.x has no limit of its own for the elements of an array */

    *functions = *reader->fn;
    functions->createArray = ngx_pki_redis_reader_create_array;

    reader->privdata = reader->fn;
    reader->fn = functions;
    reader->maxbuf = NGX_PKI_REDIS_READER_IDLE;

    return reader;
}


ngx_int_t
ngx_pki_redis_format(ngx_buf_t *out, ngx_str_t *head, ngx_uint_t n,
    ngx_str_t *argv, ngx_uint_t argc, ngx_log_t *log)
{
    sds                   data;
    size_t               *len;
    ngx_int_t             rc;
    const char          **word;
    ngx_pki_redis_len_t   size;

    word = ngx_alloc((n + argc) * (sizeof(char *) + sizeof(size_t)), log);
    if (word == NULL) {
        return NGX_ERROR;
    }

    len = (size_t *) (word + n + argc);

    ngx_pki_redis_format_words(word, len, head, n);
    ngx_pki_redis_format_words(word + n, len + n, argv, argc);

    size = redisFormatSdsCommandArgv(&data, n + argc, word, len);

    ngx_free(word);

    if (size < 0) {
        return NGX_ERROR;
    }

    rc = ngx_pki_redis_format_append(out, data, size, log);

    ngx_explicit_memzero(data, size);
    redisFreeSdsCommand(data);

    return rc;
}


void
ngx_pki_redis_format_free(ngx_buf_t *out)
{
    if (out->start != NULL) {
        ngx_explicit_memzero(out->start, out->end - out->start);
        ngx_free(out->start);
    }

    ngx_memzero(out, sizeof(ngx_buf_t));
}


static void *
ngx_pki_redis_reader_create_array(const redisReadTask *task,
    ngx_pki_redis_elements_t elements)
{
    redisReplyObjectFunctions  *functions;

    if (elements > NGX_PKI_REDIS_MAX_ELEMENTS) {
        return NULL;
    }

    functions = task->privdata;

    return functions->createArray(task, elements);
}


static void
ngx_pki_redis_format_words(const char **word, size_t *len, ngx_str_t *words,
    ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        word[i] = (char *) words[i].data;
        len[i] = words[i].len;
    }
}


static ngx_int_t
ngx_pki_redis_format_append(ngx_buf_t *out, char *data, size_t len,
    ngx_log_t *log)
{
    size_t   used, size;
    u_char  *p;

    used = out->last - out->pos;

    if ((size_t) (out->end - out->last) < len) {
        size = 2 * (used + len);

        if (size < NGX_PKI_REDIS_BUFFER) {
            size = NGX_PKI_REDIS_BUFFER;
        }

        p = ngx_alloc(size, log);
        if (p == NULL) {
            return NGX_ERROR;
        }

        if (used != 0) {
            ngx_memcpy(p, out->pos, used);
        }

        ngx_pki_redis_format_free(out);

        out->start = p;
        out->pos = p;
        out->last = p + used;
        out->end = p + size;
    }

    out->last = ngx_cpymem(out->last, data, len);

    return NGX_OK;
}
