
/*
 * Copyright (C) the ngx_pki authors
 *
 * The client of the load generator: an event loop, many HTTP connections.
 */


#define _GNU_SOURCE

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

#include "scep-load.h"


#define LOAD_HEADER_MAX   1024
#define LOAD_REPLY_MAX    65536
#define LOAD_EVENTS       256


/* an answer, or what there is of it */

typedef struct {
    unsigned            status;
    size_t              header_len;
    size_t              body_len;
    unsigned            have_length:1;
    unsigned            chunked:1;
    unsigned            close:1;
} load_http_t;


static double load_now(void);
static void load_feed(load_t *load, double now);
static int load_finished(load_t *load, double now);
static load_item_t *load_next(load_t *load, double now);
static void load_start(load_t *load, load_conn_t *c, load_item_t *item,
    double now);
static int load_connect(load_t *load, load_conn_t *c);
static void load_write(load_t *load, load_conn_t *c, double now);
static void load_read(load_t *load, load_conn_t *c, double now);
static int load_parse(load_conn_t *c, int eof, load_http_t *http);
static void load_parse_header(load_conn_t *c, load_http_t *http);
static int load_parse_chunks(load_conn_t *c, load_http_t *http);
static void load_answer(load_t *load, load_conn_t *c, load_http_t *http,
    double now);
static void load_lost(load_t *load, load_conn_t *c, double now);
static void load_expire(load_t *load, double now);
static void load_retry(load_t *load, load_item_t *item, double due);
static void load_close(load_conn_t *c);
static void load_latency(load_stats_t *stats, double seconds);


void
load_run(load_t *load, unsigned pass)
{
    int                 i, n;
    double              now;
    unsigned            k;
    load_conn_t        *c;
    struct epoll_event  events[LOAD_EVENTS];

    load->pass = pass;
    load->next = 0;
    load->again_head = 0;
    load->again_n = 0;
    load->open = 0;

    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (load->epoll == -1) {
        load_die("epoll_create1() failed", strerror(errno));
    }

    for (k = 0; k < load->connections; k++) {
        load->conns[k].fd = -1;
    }

    now = load_now();
    load->begin = now;

    while (!load_finished(load, now)) {
        load_feed(load, now);

        n = epoll_wait(load->epoll, events, LOAD_EVENTS, 10);
        now = load_now();

        for (i = 0; i < n; i++) {
            c = events[i].data.ptr;

            if (c->fd != -1 && (events[i].events & EPOLLOUT)) {
                load_write(load, c, now);
            }

            if (c->fd != -1
                && (events[i].events & (EPOLLIN|EPOLLERR|EPOLLHUP)))
            {
                load_read(load, c, now);
            }
        }

        load_expire(load, now);
    }

    load->stats[pass].seconds = now - load->begin;

    for (k = 0; k < load->connections; k++) {
        load_close(&load->conns[k]);
    }

    close(load->epoll);
}


static void
load_feed(load_t *load, double now)
{
    unsigned      k;
    load_item_t  *item;

    for (k = 0; k < load->connections; k++) {
        if (load->conns[k].item != NULL) {
            continue;
        }

        item = load_next(load, now);
        if (item == NULL) {
            return;
        }

        load_start(load, &load->conns[k], item, now);
    }
}


static int
load_finished(load_t *load, double now)
{
    if (load->deadline && now - load->begin >= load->deadline) {
        load->stats[load->pass].given_up += load->open + load->again_n;
        return 1;
    }

    if (load->open || load->again_n) {
        return 0;
    }

    return load->next == load->n
           || (load->pass == 0 && load->seconds
               && now - load->begin >= load->seconds);
}


/* what to send now: what is to be retried first, then what is new */

static load_item_t *
load_next(load_t *load, double now)
{
    load_item_t   *item;
    load_stats_t  *stats;

    stats = &load->stats[load->pass];

    if (load->rate && stats->sent >= (now - load->begin) * load->rate + 1) {
        return NULL;
    }

    if (load->again_n) {
        item = load->again[load->again_head];

        if (item->due <= now) {
            load->again_head = (load->again_head + 1) % load->n;
            load->again_n--;
            return item;
        }
    }

    if (load->pass == 0 && load->seconds
        && now - load->begin >= load->seconds)
    {
        return NULL;
    }

    while (load->next < load->n) {
        item = &load->items[load->next++];

        if (load->pass == 0 || item->reply[0] != NULL) {
            item->attempts = 0;
            return item;
        }
    }

    return NULL;
}


static void
load_start(load_t *load, load_conn_t *c, load_item_t *item, double now)
{
    int  len;

    c->item = item;
    c->sent = 0;
    c->in_len = 0;
    c->started = now;

    load->open++;
    load->stats[load->pass].sent++;

    if (c->out == NULL) {
        c->out = malloc(LOAD_HEADER_MAX + LOAD_REPLY_MAX);
        c->in = malloc(LOAD_REPLY_MAX);

        if (c->out == NULL || c->in == NULL) {
            load_die("out of memory", NULL);
        }
    }

    if (item->scep.len > LOAD_REPLY_MAX) {
        load_die("message too long", NULL);
    }

    len = snprintf((char *) c->out, LOAD_HEADER_MAX,
                   "POST %s?operation=PKIOperation HTTP/1.1\r\n"
                   "Host: %s\r\n"
                   "Content-Type: application/x-pki-message\r\n"
                   "Content-Length: %zu\r\n%s\r\n",
                   load->path, load->host, item->scep.len,
                   load->close ? "Connection: close\r\n" : "");

    memcpy(c->out + len, item->scep.der, item->scep.len);
    c->out_len = len + item->scep.len;

    if (c->fd == -1 && load_connect(load, c) == -1) {
        load_lost(load, c, now);
        return;
    }

    load_write(load, c, now);
}


static int
load_connect(load_t *load, load_conn_t *c)
{
    int                 on;
    struct epoll_event  ev;

    c->requests = 0;

    c->fd = socket(load->addr.ss_family, SOCK_STREAM|SOCK_NONBLOCK, 0);
    if (c->fd == -1) {
        load_die("socket() failed", strerror(errno));
    }

    on = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

    ev.events = EPOLLIN|EPOLLOUT|EPOLLET;
    ev.data.ptr = c;

    if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, c->fd, &ev) == -1) {
        load_die("epoll_ctl() failed", strerror(errno));
    }

    if (connect(c->fd, (struct sockaddr *) &load->addr, load->addr_len) == -1
        && errno != EINPROGRESS)
    {
        return -1;
    }

    return 0;
}


static void
load_write(load_t *load, load_conn_t *c, double now)
{
    ssize_t  n;

    while (c->item != NULL && c->sent < c->out_len) {
        n = send(c->fd, c->out + c->sent, c->out_len - c->sent, 0);

        if (n > 0) {
            c->sent += n;
            continue;
        }

        /* an answer may be there even if the rest was not taken */

        if (errno == EPIPE || errno == ECONNRESET) {
            load_read(load, c, now);

        } else if (errno != EAGAIN && errno != EINTR && errno != ENOTCONN) {
            load_lost(load, c, now);
        }

        return;
    }
}


static void
load_read(load_t *load, load_conn_t *c, double now)
{
    int          eof;
    ssize_t      n;
    load_http_t  http;

    eof = 0;

    for ( ;; ) {
        if (c->in_len == LOAD_REPLY_MAX) {
            load_lost(load, c, now);
            return;
        }

        n = recv(c->fd, c->in + c->in_len, LOAD_REPLY_MAX - c->in_len, 0);

        if (n > 0) {
            c->in_len += n;
            continue;
        }

        if (n == -1 && errno == EINTR) {
            continue;
        }

        eof = (n == 0 || errno != EAGAIN);
        break;
    }

    if (c->item == NULL) {
        /* closed while idle */

        if (eof) {
            load_close(c);
        }

        return;
    }

    if (load_parse(c, eof, &http)) {
        load_answer(load, c, &http, now);

        if (eof) {
            load_close(c);
        }

        return;
    }

    if (eof) {
        load_lost(load, c, now);
    }
}


/* 1: a whole answer is there */

static int
load_parse(load_conn_t *c, int eof, load_http_t *http)
{
    unsigned char  *end;

    memset(http, 0, sizeof(load_http_t));

    end = memmem(c->in, c->in_len, "\r\n\r\n", 4);
    if (end == NULL) {
        return 0;
    }

    http->header_len = end + 4 - c->in;
    load_parse_header(c, http);

    if (http->chunked) {
        return load_parse_chunks(c, http);
    }

    if (!http->have_length) {
        http->body_len = c->in_len - http->header_len;
        http->close = 1;
        return eof;
    }

    return c->in_len - http->header_len >= http->body_len;
}


static void
load_parse_header(load_conn_t *c, load_http_t *http)
{
    char  *line, *next;
    char   header[4096];
    size_t len;

    len = http->header_len - 2;

    if (len >= sizeof(header)) {
        return;
    }

    memcpy(header, c->in, len);
    header[len] = '\0';

    if (sscanf(header, "HTTP/1.%*d %u", &http->status) != 1
        || http->status >= LOAD_HTTP_MAX)
    {
        http->status = 0;
    }

    for (line = header; line != NULL && *line != '\0'; line = next) {
        next = strstr(line, "\r\n");

        if (next != NULL) {
            *next = '\0';
            next += 2;
        }

        if (strncasecmp(line, "Content-Length:", 15) == 0) {
            http->body_len = strtoul(line + 15, NULL, 10);
            http->have_length = 1;

        } else if (strncasecmp(line, "Transfer-Encoding: chunked", 26) == 0) {
            http->chunked = 1;

        } else if (strncasecmp(line, "Connection: close", 17) == 0) {
            http->close = 1;
        }
    }
}


/* joins the chunks, from a copy, once the last one is there */

static int
load_parse_chunks(load_conn_t *c, load_http_t *http)
{
    size_t          size;
    unsigned char  *p, *end, *eol;

    static unsigned char  body[LOAD_REPLY_MAX];

    p = c->in + http->header_len;
    end = c->in + c->in_len;

    for ( ;; ) {
        eol = memmem(p, end - p, "\r\n", 2);
        if (eol == NULL) {
            return 0;
        }

        size = strtoul((char *) p, NULL, 16);
        p = eol + 2;

        if (size >= (size_t) (end - p) || end - p - size < 2) {
            return 0;
        }

        if (size == 0) {
            memcpy(c->in + http->header_len, body, http->body_len);
            return 1;
        }

        memcpy(body + http->body_len, p, size);
        http->body_len += size;
        p += size + 2;
    }
}


static void
load_answer(load_t *load, load_conn_t *c, load_http_t *http, double now)
{
    int             status;
    load_item_t    *item;
    load_stats_t   *stats;
    unsigned char  *body;

    stats = &load->stats[load->pass];
    item = c->item;
    body = c->in + http->header_len;

    load_latency(stats, now - c->started);

    stats->answered++;
    stats->http[http->status]++;

    status = (http->status == 200) ? scep_quick_status(body, http->body_len)
                                   : SCEP_UNKNOWN;

    c->item = NULL;
    c->requests++;
    load->open--;

    if (http->close || load->close) {
        load_close(c);
    }

    switch (status) {

    case SCEP_SUCCESS:
        stats->success++;

        item->reply[load->pass] = malloc(http->body_len);
        if (item->reply[load->pass] == NULL) {
            load_die("out of memory", NULL);
        }

        memcpy(item->reply[load->pass], body, http->body_len);
        item->reply_len[load->pass] = http->body_len;
        return;

    case SCEP_FAILURE:
        stats->failure++;
        break;

    case SCEP_PENDING:
        stats->pending++;
        break;

    default:
        stats->other++;
    }

    load_retry(load, item, now + load->delay);
}


/*
 * No answer came.  A connection kept alive may be closed by the server at the
 * moment it is used again, before the request is read (RFC 9112, 9.3.1): that
 * is nobody's failure, and every client tries once more at once.
 */

static void
load_lost(load_t *load, load_conn_t *c, double now)
{
    unsigned       stale;
    load_item_t   *item;
    load_stats_t  *stats;

    stats = &load->stats[load->pass];
    item = c->item;
    stale = (c->requests > 0 && c->in_len == 0);

    c->item = NULL;
    load->open--;
    load_close(c);

    if (stale) {
        stats->stale++;
        stats->sent--;
        load_start(load, c, item, now);
        return;
    }

    stats->disconnected++;
    load_retry(load, item, now + load->delay);
}


static void
load_expire(load_t *load, double now)
{
    unsigned      k;
    load_conn_t  *c;
    load_item_t  *item;

    for (k = 0; k < load->connections; k++) {
        c = &load->conns[k];
        item = c->item;

        if (item == NULL || now - c->started < load->timeout) {
            continue;
        }

        c->item = NULL;
        load->open--;
        load->stats[load->pass].timed_out++;

        load_close(c);
        load_retry(load, item, now + load->delay);
    }
}


static void
load_retry(load_t *load, load_item_t *item, double due)
{
    load_stats_t  *stats;

    stats = &load->stats[load->pass];

    if (item->attempts == load->retry) {
        stats->given_up++;
        return;
    }

    item->attempts++;
    item->due = due;
    stats->retries++;

    load->again[(load->again_head + load->again_n) % load->n] = item;
    load->again_n++;
}


static void
load_close(load_conn_t *c)
{
    if (c->fd != -1) {
        close(c->fd);
        c->fd = -1;
    }
}


static void
load_latency(load_stats_t *stats, double seconds)
{
    if (stats->nlatency == stats->latency_size) {
        stats->latency_size = stats->latency_size ? 2 * stats->latency_size
                                                  : 4096;
        stats->latency = realloc(stats->latency,
                                 stats->latency_size * sizeof(unsigned));

        if (stats->latency == NULL) {
            load_die("out of memory", NULL);
        }
    }

    stats->latency[stats->nlatency++] = seconds * 1e6;
}


static double
load_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec + ts.tv_nsec / 1e9;
}
