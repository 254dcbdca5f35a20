
/*
 * Copyright (C) the ngx_pki authors
 *
 * A transfer: an easy handle that carries a call.
 */


#include "ngx_pki_https_transfer.h"
#include "ngx_pki_op.h"


#define NGX_PKI_HTTPS_MAX_IDLE  16


static ngx_pki_https_transfer_t *ngx_pki_https_transfer_get(
    ngx_pki_https_t *https);
static ngx_pki_https_transfer_t *ngx_pki_https_transfer_create(
    ngx_pki_https_t *https);
static void ngx_pki_https_transfer_put(ngx_pki_https_transfer_t *t);
static ngx_int_t ngx_pki_https_transfer_add(ngx_pki_https_transfer_t *t);
static size_t ngx_pki_https_transfer_header(char *data, size_t size, size_t n,
    void *ctx);
static size_t ngx_pki_https_transfer_body(char *data, size_t size, size_t n,
    void *ctx);
static void ngx_pki_https_transfer_end(ngx_pki_https_transfer_t *t,
    CURLcode rc);
static void ngx_pki_https_transfer_count(ngx_pki_https_transfer_t *t);
static ngx_uint_t ngx_pki_https_transfer_reached(ngx_pki_https_transfer_t *t,
    CURLINFO info);
static void ngx_pki_https_transfer_answer(ngx_pki_https_transfer_t *t);
static void ngx_pki_https_transfer_failed(ngx_pki_https_transfer_t *t,
    CURLcode rc);
static void ngx_pki_https_transfer_untrusted(ngx_pki_https_transfer_t *t);
static void ngx_pki_https_transfer_refused(ngx_pki_https_transfer_t *t);
static void ngx_pki_https_transfer_other(ngx_pki_https_transfer_t *t,
    CURLcode rc);


ngx_int_t
ngx_pki_https_transfer_start(ngx_pki_https_call_t *call,
    ngx_pki_https_name_t *name)
{
    ngx_pki_https_t           *https;
    ngx_pki_https_transfer_t  *t;

    https = call->peer->https;

    t = ngx_pki_https_transfer_get(https);

    if (t == NULL) {
        ngx_pki_https_error(call, "out of memory");
        return NGX_ERROR;
    }

    t->call = call;
    t->name = name;
    t->turn = name->turn;
    t->started = ngx_pki_op_clock();

    if (ngx_pki_https_option_set(t) != NGX_OK
        || ngx_pki_https_transfer_add(t) != NGX_OK)
    {
        ngx_pki_https_transfer_put(t);
        ngx_pki_https_error(call, "out of memory");
        return NGX_ERROR;
    }

    call->transfer = t;
    call->peer->nrunning++;

    if (!call->background) {
        https->nforeground++;
        https->timer.cancelable = 0;
    }

    ngx_queue_insert_tail(&https->transfers, &t->queue);

    return NGX_OK;
}


void
ngx_pki_https_transfer_collect(ngx_pki_https_t *https)
{
    int                        left;
    CURLcode                   rc;
    CURLMsg                   *msg;
    ngx_pki_https_call_t      *call;
    ngx_pki_https_transfer_t  *t;

    for ( ;; ) {
        msg = curl_multi_info_read(https->multi, &left);
        if (msg == NULL) {
            return;
        }

        if (msg->msg != CURLMSG_DONE) {
            continue;
        }

        /* the message is gone with its handle */

        rc = msg->data.result;

        if (curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &t)
            != CURLE_OK)
        {
            continue;
        }

        call = t->call;

        ngx_pki_https_transfer_end(t, rc);
        ngx_pki_https_finish(call);
    }
}


void
ngx_pki_https_transfer_expire(ngx_pki_https_call_t *call)
{
    ngx_pki_https_transfer_end(call->transfer, CURLE_OPERATION_TIMEDOUT);
    ERR_clear_error();
}


void
ngx_pki_https_transfer_stop(ngx_pki_https_transfer_t *t)
{
    ngx_pki_https_t       *https;
    ngx_pki_https_call_t  *call;

    https = t->https;
    call = t->call;

    (void) curl_multi_remove_handle(https->multi, t->easy);
    ERR_clear_error();

    call->transfer = NULL;
    call->peer->nrunning--;

    if (!call->background) {
        https->nforeground--;
        https->timer.cancelable = (https->nforeground == 0);
    }

    ngx_queue_remove(&t->queue);
    ngx_pki_https_transfer_put(t);
}


void
ngx_pki_https_transfer_free(ngx_pki_https_transfer_t *t)
{
    curl_easy_cleanup(t->easy);
    ngx_free(t);
}


static ngx_pki_https_transfer_t *
ngx_pki_https_transfer_get(ngx_pki_https_t *https)
{
    ngx_queue_t  *q;

    if (ngx_queue_empty(&https->idle)) {
        return ngx_pki_https_transfer_create(https);
    }

    q = ngx_queue_head(&https->idle);

    ngx_queue_remove(q);
    https->nidle--;

    return ngx_queue_data(q, ngx_pki_https_transfer_t, queue);
}


static ngx_pki_https_transfer_t *
ngx_pki_https_transfer_create(ngx_pki_https_t *https)
{
    ngx_pki_https_transfer_t  *t;

    t = ngx_calloc(sizeof(ngx_pki_https_transfer_t), https->log);
    if (t == NULL) {
        return NULL;
    }

    t->https = https;
    t->header.retry_after = -1;
    t->easy = curl_easy_init();

    if (t->easy == NULL) {
        ngx_free(t);
        return NULL;
    }

    return t;
}


/* makes it ready for the next call, and forgets what was secret in this one */

static void
ngx_pki_https_transfer_put(ngx_pki_https_transfer_t *t)
{
    ngx_pki_https_t  *https;

    https = t->https;

    ngx_pki_https_option_reset(t);

    OPENSSL_cleanse(t->answer, t->len);
    ngx_memzero(&t->header, sizeof(ngx_pki_https_header_t));

    t->call = NULL;
    t->name = NULL;
    t->header.retry_after = -1;
    t->len = 0;
    t->large = 0;
    t->nomem = 0;
    t->error[0] = '\0';

    if (https->nidle == NGX_PKI_HTTPS_MAX_IDLE) {
        ngx_pki_https_transfer_free(t);
        return;
    }

    https->nidle++;
    ngx_queue_insert_head(&https->idle, &t->queue);
}


/* libcurl begins with it when its timer fires, which is at once */

static ngx_int_t
ngx_pki_https_transfer_add(ngx_pki_https_transfer_t *t)
{
    CURL  *easy;

    easy = t->easy;

    if (curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION,
                         ngx_pki_https_transfer_header) != CURLE_OK
        || curl_easy_setopt(easy, CURLOPT_HEADERDATA, t) != CURLE_OK
        || curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION,
                            ngx_pki_https_transfer_body) != CURLE_OK
        || curl_easy_setopt(easy, CURLOPT_WRITEDATA, t) != CURLE_OK
        || curl_multi_add_handle(t->https->multi, easy) != CURLM_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static size_t
ngx_pki_https_transfer_header(char *data, size_t size, size_t n, void *ctx)
{
    ngx_str_t                  line;
    ngx_pki_https_transfer_t  *t;

    t = ctx;

    line.len = size * n;
    line.data = (u_char *) data;

    if (ngx_pki_https_header_line(t->call->pool, &line, &t->header) != NGX_OK)
    {
        t->nomem = 1;
        return 0;
    }

    return line.len;
}


static size_t
ngx_pki_https_transfer_body(char *data, size_t size, size_t n, void *ctx)
{
    size_t                     len;
    ngx_pki_https_transfer_t  *t;

    t = ctx;
    len = size * n;

    if (len > NGX_PKI_HTTPS_MAX_ANSWER - t->len) {
        t->large = 1;
        return 0;
    }

    ngx_memcpy(t->answer + t->len, data, len);
    t->len += len;

    return len;
}


static void
ngx_pki_https_transfer_end(ngx_pki_https_transfer_t *t, CURLcode rc)
{
    ngx_pki_https_call_t  *call;

    call = t->call;
    call->elapsed = ngx_pki_op_clock() - t->started;

    ngx_pki_https_transfer_count(t);

    if (rc == CURLE_OK) {
        ngx_pki_https_name_connected(t->name);
        ngx_pki_https_transfer_answer(t);

    } else {
        ngx_pki_https_transfer_failed(t, rc);
    }

    ngx_log_debug4(NGX_LOG_DEBUG_EVENT, call->log, 0,
                   "pki https: \"%V\" %V: %ui, %M ms",
                   &call->peer->url->text, &call->method, call->status,
                   call->elapsed);

    ngx_pki_https_transfer_stop(t);
}


static void
ngx_pki_https_transfer_count(ngx_pki_https_transfer_t *t)
{
    long                       n;
    ngx_pki_https_counters_t  *counters;

    counters = t->call->peer->counters;

    if (counters == NULL
        || curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &n) != CURLE_OK
        || n <= 0)
    {
        return;
    }

    if (ngx_pki_https_transfer_reached(t, CURLINFO_CONNECT_TIME_T)) {
        (void) ngx_atomic_fetch_add(&counters->connects, n);
    }

    if (t->call->peer->url->tls
        && ngx_pki_https_transfer_reached(t, CURLINFO_APPCONNECT_TIME_T))
    {
        (void) ngx_atomic_fetch_add(&counters->handshakes, n);
    }
}


/* whether a transfer has come so far */

static ngx_uint_t
ngx_pki_https_transfer_reached(ngx_pki_https_transfer_t *t, CURLINFO info)
{
    curl_off_t  usec;

    return curl_easy_getinfo(t->easy, info, &usec) == CURLE_OK && usec > 0;
}


static void
ngx_pki_https_transfer_answer(ngx_pki_https_transfer_t *t)
{
    long                   status;
    ngx_pki_https_call_t  *call;

    call = t->call;

    if (curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK
        || status <= 0)
    {
        ngx_pki_https_error(call, "the answer is not HTTP");
        return;
    }

    call->answer.data = ngx_pnalloc(call->pool, t->len + 1);

    if (call->answer.data == NULL) {
        ngx_pki_https_error(call, "out of memory");
        return;
    }

    ngx_memcpy(call->answer.data, t->answer, t->len);
    call->answer.data[t->len] = '\0';
    call->answer.len = t->len;

    call->status = status;
    call->challenge = t->header.challenge;
    call->request_id = t->header.request_id;
    call->retry_after = t->header.retry_after;
}


static void
ngx_pki_https_transfer_failed(ngx_pki_https_transfer_t *t, CURLcode rc)
{
    ngx_uint_t             sent;
    ngx_pki_https_call_t  *call;

    call = t->call;

    sent = ngx_pki_https_transfer_reached(t, CURLINFO_PRETRANSFER_TIME_T);

    if (sent) {
        ngx_pki_https_name_connected(t->name);

    } else {
        ngx_pki_https_name_failed(t->name, t->turn);
    }

    if (t->nomem || rc == CURLE_OUT_OF_MEMORY) {
        ngx_pki_https_error(call, "out of memory");
        return;
    }

    if (t->large) {
        rc = CURLE_FILESIZE_EXCEEDED;
    }

    switch (rc) {

    case CURLE_OPERATION_TIMEDOUT:
        ngx_pki_https_error(call, sent ? "no answer in time"
                                       : "connecting timed out");
        return;

    case CURLE_FILESIZE_EXCEEDED:
        ngx_pki_https_error(call, "the answer is larger than %d octets",
                            NGX_PKI_HTTPS_MAX_ANSWER);
        return;

    case CURLE_PEER_FAILED_VERIFICATION:
        ngx_pki_https_transfer_untrusted(t);
        return;

    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        call->tls_error = 1;
        break;

    case CURLE_COULDNT_CONNECT:
        ngx_pki_https_transfer_refused(t);
        return;

    default:
        break;
    }

    ngx_pki_https_transfer_other(t, rc);
}


static void
ngx_pki_https_transfer_untrusted(ngx_pki_https_transfer_t *t)
{
    long                   status;
    const char            *err;
    ngx_str_t             *host;
    ngx_pki_https_call_t  *call;

    call = t->call;
    call->tls_error = 1;

    host = &call->peer->url->host;

    if (curl_easy_getinfo(t->easy, CURLINFO_PROXY_SSL_VERIFYRESULT, &status)
        == CURLE_OK
        && status != X509_V_OK)
    {
        host = &t->name->url->host;

    } else if (curl_easy_getinfo(t->easy, CURLINFO_SSL_VERIFYRESULT, &status)
               != CURLE_OK)
    {
        status = X509_V_ERR_UNSPECIFIED;
    }

    /* libcurl compares the names itself, and has no number for that */

    if (status == X509_V_OK || status == X509_V_ERR_UNSPECIFIED) {
        err = "it is not for this host";

    } else {
        err = X509_verify_cert_error_string(status);
    }

    ngx_pki_https_error(call, "the certificate of \"%V\" is not valid: %s",
                        host, err);
}


static void
ngx_pki_https_transfer_refused(ngx_pki_https_transfer_t *t)
{
    long                   err;
    u_char                *p, text[NGX_MAX_ERROR_STR / 8];
    ngx_pki_https_call_t  *call;

    call = t->call;

    if (curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &err) != CURLE_OK
        || err == 0)
    {
        ngx_pki_https_error(call, "connecting failed");
        return;
    }

    p = ngx_strerror(err, text, sizeof(text) - 1);
    *p = '\0';

    ngx_pki_https_error(call, "connecting failed (%l: %s)", err, text);
}


/* libcurl's own words: never those of a header, but perhaps of the peer */

static void
ngx_pki_https_transfer_other(ngx_pki_https_transfer_t *t, CURLcode rc)
{
    size_t   i, len;
    u_char  *p;

    p = (u_char *) t->error;
    len = 0;

    for (i = 0; p[i] != '\0'; i++) {

        if (p[i] < 0x20 || p[i] >= 0x7f) {
            p[i] = ' ';
        }

        if (p[i] != ' ') {
            len = i + 1;
        }
    }

    if (len == 0) {
        ngx_pki_https_error(t->call, "%s", curl_easy_strerror(rc));
        return;
    }

    ngx_pki_https_error(t->call, "%*s", len, p);
}
