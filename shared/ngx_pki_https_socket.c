
/*
 * Copyright (C) the ngx_pki authors
 *
 * libcurl's sockets are nginx's connections: level-triggered, because libcurl
 * does not read until there is nothing more.  Its callbacks only change
 * events; it is entered from handlers of events alone.
 *
 * Some versions (7.87 to 7.88) close a socket that is still connecting without
 * a word, and perhaps open the next one, of the same number, as if it were the
 * same.  So each is known by what the system calls it, too.
 */


#include "ngx_pki_https_transfer.h"


typedef struct {
    ngx_queue_t                 queue;       /* https->sockets */
    ngx_pki_https_t            *https;
    ngx_connection_t           *connection;
    ngx_file_uniq_t             uniq;
} ngx_pki_https_socket_t;


static int ngx_pki_https_socket_timer(CURLM *multi, long timeout, void *data);
static void ngx_pki_https_socket_timer_handler(ngx_event_t *ev);
static curl_socket_t ngx_pki_https_socket_open(void *data,
    curlsocktype purpose, struct curl_sockaddr *addr);
static ngx_pki_https_socket_t *ngx_pki_https_socket_create(
    ngx_pki_https_t *https, ngx_socket_t fd, ngx_log_t *log);
static int ngx_pki_https_socket_sweep(ngx_pki_https_t *https, ngx_socket_t fd);
static int ngx_pki_https_socket_close(void *data, curl_socket_t fd);
static int ngx_pki_https_socket_watch(CURL *easy, curl_socket_t fd, int what,
    void *data, void *socket_data);
static void ngx_pki_https_socket_set(ngx_connection_t *c, int what);
static void ngx_pki_https_socket_set_event(ngx_event_t *ev, ngx_int_t event,
    ngx_uint_t wanted);
static void ngx_pki_https_socket_free(ngx_pki_https_socket_t *s);
static void ngx_pki_https_socket_free_event(ngx_event_t *ev, ngx_int_t event);
static ngx_pki_https_socket_t *ngx_pki_https_socket_find(
    ngx_pki_https_t *https, curl_socket_t fd);
static ngx_uint_t ngx_pki_https_socket_is_open(ngx_pki_https_socket_t *s);
static void ngx_pki_https_socket_read_handler(ngx_event_t *ev);
static void ngx_pki_https_socket_write_handler(ngx_event_t *ev);
static void ngx_pki_https_socket_action(ngx_pki_https_t *https,
    curl_socket_t fd, int what);


ngx_int_t
ngx_pki_https_socket_init(ngx_pki_https_t *https)
{
    CURLM        *multi;
    ngx_event_t  *ev;

    ev = &https->timer;

    ev->handler = ngx_pki_https_socket_timer_handler;
    ev->data = https;
    ev->log = https->log;
    ev->cancelable = 1;

    multi = https->multi;

    if (curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION,
                          ngx_pki_https_socket_watch) != CURLM_OK
        || curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, https) != CURLM_OK
        || curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION,
                             ngx_pki_https_socket_timer) != CURLM_OK
        || curl_multi_setopt(multi, CURLMOPT_TIMERDATA, https) != CURLM_OK
        || curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING)
           != CURLM_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_pki_https_socket_stop(ngx_pki_https_t *https)
{
    (void) ngx_pki_https_socket_sweep(https, (ngx_socket_t) -1);

    if (https->timer.timer_set) {
        ngx_del_timer(&https->timer);
    }
}


ngx_int_t
ngx_pki_https_socket_options(ngx_pki_https_t *https, CURL *easy)
{
    if (curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION,
                         ngx_pki_https_socket_open) != CURLE_OK
        || curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, https) != CURLE_OK
        || curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION,
                            ngx_pki_https_socket_close) != CURLE_OK
        || curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, https) != CURLE_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static int
ngx_pki_https_socket_timer(CURLM *multi, long timeout, void *data)
{
    ngx_pki_https_t  *https;

    https = data;

    /* a timer that is set is left alone if the new time is about the same */

    if (https->timer.timer_set) {
        ngx_del_timer(&https->timer);
    }

    if (timeout >= 0) {
        ngx_add_timer(&https->timer, (ngx_msec_t) timeout);
    }

    return 0;
}


static void
ngx_pki_https_socket_timer_handler(ngx_event_t *ev)
{
    ngx_pki_https_socket_action(ev->data, CURL_SOCKET_TIMEOUT, 0);
}


/* a failure here is that of one transfer */

static curl_socket_t
ngx_pki_https_socket_open(void *data, curlsocktype purpose,
    struct curl_sockaddr *addr)
{
    int                      what;
    ngx_err_t                err;
    ngx_uint_t               level;
    ngx_socket_t             fd;
    ngx_pki_https_t         *https;
    ngx_pki_https_socket_t  *s;

    https = data;

    fd = ngx_socket(addr->family, addr->socktype, addr->protocol);

    if (fd == (ngx_socket_t) -1) {
        err = ngx_socket_errno;

        /* there may be no IPv6 here */

        level = (err == EAFNOSUPPORT) ? NGX_LOG_INFO : NGX_LOG_ALERT;

        ngx_log_error(level, https->log, err, ngx_socket_n " failed");
        return CURL_SOCKET_BAD;
    }

    what = ngx_pki_https_socket_sweep(https, fd);

    s = ngx_pki_https_socket_create(https, fd, https->log);

    if (s == NULL) {
        if (ngx_close_socket(fd) == -1) {
            ngx_log_error(NGX_LOG_ALERT, https->log, ngx_socket_errno,
                          ngx_close_socket_n " failed");
        }

        return CURL_SOCKET_BAD;
    }

    ngx_pki_https_socket_set(s->connection, what);

    return fd;
}


static ngx_pki_https_socket_t *
ngx_pki_https_socket_create(ngx_pki_https_t *https, ngx_socket_t fd,
    ngx_log_t *log)
{
    ngx_file_info_t          fi;
    ngx_connection_t        *c;
    ngx_pki_https_socket_t  *s;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno,
                      ngx_fd_info_n " failed");
        return NULL;
    }

    s = ngx_alloc(sizeof(ngx_pki_https_socket_t), log);
    if (s == NULL) {
        return NULL;
    }

    c = ngx_get_connection(fd, log);

    if (c == NULL) {
        ngx_free(s);
        return NULL;
    }

    c->type = SOCK_STREAM;
    c->data = s;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->start_time = ngx_current_msec;

    c->read->handler = ngx_pki_https_socket_read_handler;
    c->read->log = log;
    c->write->handler = ngx_pki_https_socket_write_handler;
    c->write->log = log;

    s->https = https;
    s->connection = c;
    s->uniq = ngx_file_uniq(&fi);

    ngx_queue_insert_tail(&https->sockets, &s->queue);

    return s;
}


/*
 * Frees what has been closed without a word.  If that had the number of a
 * socket just made, libcurl will not tell again what it waits for: returned.
 */

static int
ngx_pki_https_socket_sweep(ngx_pki_https_t *https, ngx_socket_t fd)
{
    int                      what;
    ngx_queue_t             *q, *next;
    ngx_connection_t        *c;
    ngx_pki_https_socket_t  *s;

    what = CURL_POLL_NONE;

    for (q = ngx_queue_head(&https->sockets);
         q != ngx_queue_sentinel(&https->sockets);
         q = next)
    {
        next = ngx_queue_next(q);
        s = ngx_queue_data(q, ngx_pki_https_socket_t, queue);

        if (ngx_pki_https_socket_is_open(s)) {
            continue;
        }

        c = s->connection;

        if (c->fd == fd) {
            what = (c->read->active ? CURL_POLL_IN : 0)
                   | (c->write->active ? CURL_POLL_OUT : 0);
        }

        ngx_pki_https_socket_free(s);
    }

    return what;
}


static int
ngx_pki_https_socket_close(void *data, curl_socket_t fd)
{
    ngx_pki_https_t         *https;
    ngx_pki_https_socket_t  *s;

    https = data;

    s = ngx_pki_https_socket_find(https, fd);

    if (s != NULL) {
        ngx_pki_https_socket_free(s);
    }

    if (ngx_close_socket(fd) == -1) {
        ngx_log_error(NGX_LOG_ALERT, https->log, ngx_socket_errno,
                      ngx_close_socket_n " failed");
    }

    return 0;
}


/*
 * A socket that is not known has been closed: libcurl may take it back later.
 * The result is always success: an error would break all transfers, while one
 * whose events cannot be added ends by its time limit.
 */

static int
ngx_pki_https_socket_watch(CURL *easy, curl_socket_t fd, int what, void *data,
    void *socket_data)
{
    ngx_pki_https_t         *https;
    ngx_pki_https_socket_t  *s;

    https = data;

    s = ngx_pki_https_socket_find(https, fd);

    if (s == NULL) {
        if (what != CURL_POLL_REMOVE) {
            ngx_log_error(NGX_LOG_ALERT, https->log, 0,
                          "libcurl has a socket #%d that nginx did not open",
                          fd);
        }

        return 0;
    }

    if (!ngx_pki_https_socket_is_open(s)) {
        ngx_pki_https_socket_free(s);
        return 0;
    }

    ngx_pki_https_socket_set(s->connection,
                             (what == CURL_POLL_REMOVE) ? CURL_POLL_NONE
                                                        : what);
    return 0;
}


static void
ngx_pki_https_socket_set(ngx_connection_t *c, int what)
{
    ngx_pki_https_socket_set_event(c->read, NGX_READ_EVENT,
                                   (what & CURL_POLL_IN) != 0);
    ngx_pki_https_socket_set_event(c->write, NGX_WRITE_EVENT,
                                   (what & CURL_POLL_OUT) != 0);
}


static void
ngx_pki_https_socket_set_event(ngx_event_t *ev, ngx_int_t event,
    ngx_uint_t wanted)
{
    if (wanted == ev->active) {
        return;
    }

    /* what fails is logged there */

    if (wanted) {
        (void) ngx_add_event(ev, event, NGX_LEVEL_EVENT);

    } else {
        (void) ngx_del_event(ev, event, 0);
    }
}


/* the socket has been closed, or will be next */

static void
ngx_pki_https_socket_free(ngx_pki_https_socket_t *s)
{
    ngx_connection_t  *c;

    c = s->connection;

    ngx_pki_https_socket_free_event(c->read, NGX_READ_EVENT);
    ngx_pki_https_socket_free_event(c->write, NGX_WRITE_EVENT);

    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;

    ngx_queue_remove(&s->queue);
    ngx_free(s);
}


static void
ngx_pki_https_socket_free_event(ngx_event_t *ev, ngx_int_t event)
{
    if (ev->active || ev->disabled) {
        (void) ngx_del_event(ev, event, NGX_CLOSE_EVENT);
    }

    if (ev->posted) {
        ngx_delete_posted_event(ev);
    }

    ev->closed = 1;
}


/* there are few */

static ngx_pki_https_socket_t *
ngx_pki_https_socket_find(ngx_pki_https_t *https, curl_socket_t fd)
{
    ngx_queue_t             *q;
    ngx_pki_https_socket_t  *s;

    for (q = ngx_queue_head(&https->sockets);
         q != ngx_queue_sentinel(&https->sockets);
         q = ngx_queue_next(q))
    {
        s = ngx_queue_data(q, ngx_pki_https_socket_t, queue);

        if (s->connection->fd == fd) {
            return s;
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_pki_https_socket_is_open(ngx_pki_https_socket_t *s)
{
    ngx_file_info_t  fi;

    return ngx_fd_info(s->connection->fd, &fi) != NGX_FILE_ERROR
           && ngx_file_uniq(&fi) == s->uniq;
}


static void
ngx_pki_https_socket_read_handler(ngx_event_t *ev)
{
    ngx_connection_t        *c;
    ngx_pki_https_socket_t  *s;

    c = ev->data;
    s = c->data;

    /* none is marked as idle, so this is worker_shutdown_timeout */

    if (c->close) {
        s->https->closing = 1;
        ngx_pki_https_wake(s->https);
        return;
    }

    ev->ready = 0;

    ngx_pki_https_socket_action(s->https, c->fd, CURL_CSELECT_IN);
}


static void
ngx_pki_https_socket_write_handler(ngx_event_t *ev)
{
    ngx_connection_t        *c;
    ngx_pki_https_socket_t  *s;

    c = ev->data;
    s = c->data;

    ev->ready = 0;

    ngx_pki_https_socket_action(s->https, c->fd, CURL_CSELECT_OUT);
}


static void
ngx_pki_https_socket_action(ngx_pki_https_t *https, curl_socket_t fd, int what)
{
    int        running;
    CURLMcode  rc;

    rc = curl_multi_socket_action(https->multi, fd, what, &running);

    if (rc != CURLM_OK) {
        ngx_log_error(NGX_LOG_ALERT, https->log, 0,
                      "curl_multi_socket_action() failed: %s",
                      curl_multi_strerror(rc));
    }

    ngx_pki_https_transfer_collect(https);

    /* what is left in OpenSSL's queue, nginx would take for its own */

    ERR_clear_error();
}
