
/*
 * Copyright (C) the ngx_pki authors
 *
 * SCEP load generator: makes PKCSReq messages in advance, sends them over
 * many connections from one event loop, checks the answers afterwards.
 * "scep-load -h" lists the options.
 */


#define _GNU_SOURCE

#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/pem.h>

#include "scep-load.h"


static void load_usage(FILE *out);
static void load_options(load_t *load, int argc, char **argv);
static void load_cipher(load_t *load, const char *cipher, const char *digest);
static void load_url(load_t *load);
static void load_challenge(load_t *load, const char *file);
static X509 *load_certificate(const char *file);
static int load_make(void *data, size_t i);
static void load_pin(load_t *load);
static int load_check(void *data, size_t i);
static void load_summary(load_t *load);
static int load_compare_serials(const void *one, const void *two);
static int load_compare_latencies(const void *one, const void *two);
static double load_percentile(load_stats_t *stats, double p);
static void load_write_serials(load_t *load);
static void load_print(load_t *load);
static void load_print_json(load_t *load);
static int load_passed(load_t *load);


int
main(int argc, char **argv)
{
    load_t  load;

    memset(&load, 0, sizeof(load_t));
    load_options(&load, argc, argv);

    signal(SIGPIPE, SIG_IGN);

    load.items = calloc(load.n, sizeof(load_item_t));
    load.again = calloc(load.n, sizeof(load_item_t *));
    load.conns = calloc(load.connections, sizeof(load_conn_t));

    if (load.items == NULL || load.again == NULL || load.conns == NULL) {
        load_die("out of memory", NULL);
    }

    if (scep_factory_init(&load.factory, load.threads) == -1
        || scep_parallel(load.threads, load.n, load_make, &load) == -1)
    {
        load_die("cannot make messages", NULL);
    }

    load_pin(&load);
    load_run(&load, 0);

    if (load.resend) {
        load_run(&load, 1);
    }

    if (load.verify) {
        scep_parallel(load.threads, load.n, load_check, &load);
    }

    load_summary(&load);

    if (load.out_file != NULL) {
        load_write_serials(&load);
    }

    if (load.json) {
        load_print_json(&load);

    } else {
        load_print(&load);
    }

    return load_passed(&load) ? 0 : 1;
}


static void
load_usage(FILE *out)
{
    fputs("usage: scep-load -u URL -a CA [options]\n"
          "  -u, --url URL             http://host:port/path of the server\n"
          "  -a, --ca FILE             certificate that messages are for\n"
          "      --issuer FILE         certificate of the CA, if another\n"
          "  -p, --challenge-file FILE its first line is the challenge\n"
          "  -n, --count N             messages to make, default 1000\n"
          "  -c, --connections N       at the same time, default 16\n"
          "  -t, --time S              send nothing new after S seconds\n"
          "      --deadline S          end after S seconds in any case\n"
          "      --timeout S           of one request, default 10\n"
          "      --rate N              at most N requests a second\n"
          "      --retry N             retry what failed up to N times\n"
          "      --retry-delay S       default 0.2\n"
          "      --close               a connection for each request\n"
          "      --cipher NAME         default aes-128-cbc\n"
          "      --digest NAME         default sha256\n"
          "      --keys N              RSA keys to share, default 16\n"
          "      --threads N           to make and check with, default: all\n"
          "      --cpu N               send from this CPU\n"
          "      --verify              open and check each answer\n"
          "      --resend              send all again: the same certificate?\n"
          "      --out FILE            \"transactionID serial\" lines\n"
          "      --json                report as JSON\n", out);
}


static void
load_options(load_t *load, int argc, char **argv)
{
    int          c;
    const char  *cipher, *digest, *challenge;

    static const struct option  options[] = {
        { "url", 1, NULL, 'u' }, { "ca", 1, NULL, 'a' },
        { "issuer", 1, NULL, 'I' }, { "challenge-file", 1, NULL, 'p' },
        { "count", 1, NULL, 'n' }, { "connections", 1, NULL, 'c' },
        { "time", 1, NULL, 't' }, { "deadline", 1, NULL, 'D' },
        { "timeout", 1, NULL, 'T' }, { "rate", 1, NULL, 'R' },
        { "retry", 1, NULL, 'r' }, { "retry-delay", 1, NULL, 'd' },
        { "close", 0, NULL, 'x' }, { "cipher", 1, NULL, 'e' },
        { "digest", 1, NULL, 'g' }, { "keys", 1, NULL, 'k' },
        { "threads", 1, NULL, 'j' }, { "cpu", 1, NULL, 'C' },
        { "verify", 0, NULL, 'v' }, { "resend", 0, NULL, 's' },
        { "out", 1, NULL, 'o' }, { "json", 0, NULL, 'J' },
        { "help", 0, NULL, 'h' }, { NULL, 0, NULL, 0 }
    };

    cipher = "aes-128-cbc";
    digest = "sha256";
    challenge = NULL;

    load->n = 1000;
    load->connections = 16;
    load->threads = sysconf(_SC_NPROCESSORS_ONLN);
    load->timeout = 10;
    load->delay = 0.2;
    load->cpu = -1;
    load->factory.nkeys = 16;

    while ((c = getopt_long(argc, argv, "u:a:p:n:c:t:h", options, NULL))
           != -1)
    {
        switch (c) {
        case 'u': load->url = optarg; break;
        case 'a': load->ca_file = optarg; break;
        case 'I': load->issuer_file = optarg; break;
        case 'p': challenge = optarg; break;
        case 'n': load->n = strtoul(optarg, NULL, 10); break;
        case 'c': load->connections = strtoul(optarg, NULL, 10); break;
        case 't': load->seconds = strtod(optarg, NULL); break;
        case 'D': load->deadline = strtod(optarg, NULL); break;
        case 'T': load->timeout = strtod(optarg, NULL); break;
        case 'R': load->rate = strtod(optarg, NULL); break;
        case 'r': load->retry = strtoul(optarg, NULL, 10); break;
        case 'd': load->delay = strtod(optarg, NULL); break;
        case 'x': load->close = 1; break;
        case 'e': cipher = optarg; break;
        case 'g': digest = optarg; break;
        case 'k': load->factory.nkeys = strtoul(optarg, NULL, 10); break;
        case 'j': load->threads = strtoul(optarg, NULL, 10); break;
        case 'C': load->cpu = strtol(optarg, NULL, 10); break;
        case 'v': load->verify = 1; break;
        case 's': load->resend = 1; break;
        case 'o': load->out_file = optarg; load->verify = 1; break;
        case 'J': load->json = 1; break;
        case 'h': load_usage(stdout); exit(0);
        default: load_usage(stderr); exit(2);
        }
    }

    if (load->url == NULL || load->ca_file == NULL || load->n == 0
        || load->connections == 0 || load->factory.nkeys == 0)
    {
        load_usage(stderr);
        exit(2);
    }

    load_url(load);
    load_cipher(load, cipher, digest);
    load_challenge(load, challenge);

    load->factory.recipient = load_certificate(load->ca_file);
    load->factory.issuer = load->issuer_file
                           ? load_certificate(load->issuer_file)
                           : load->factory.recipient;
}


static void
load_cipher(load_t *load, const char *cipher, const char *digest)
{
    load->factory.cipher = EVP_get_cipherbyname(cipher);
    if (load->factory.cipher == NULL) {
        load_die("unknown cipher", cipher);
    }

    load->factory.digest = EVP_get_digestbyname(digest);
    if (load->factory.digest == NULL) {
        load_die("unknown digest", digest);
    }
}


static void
load_url(load_t *load)
{
    int              rc;
    char             authority[280];
    char            *colon;
    struct addrinfo  hints, *res;

    strcpy(load->path, "/");

    if (sscanf(load->url, "http://%270[^/?]%500s", authority, load->path)
        < 1)
    {
        load_die("not an http URL", load->url);
    }

    colon = strrchr(authority, ':');

    if (colon != NULL && strchr(colon, ']') == NULL) {
        *colon = '\0';
    } else {
        colon = NULL;
    }

    snprintf(load->host, sizeof(load->host), "%.255s", authority);
    snprintf(load->port, sizeof(load->port), "%.15s",
             colon ? colon + 1 : "80");

    memset(&hints, 0, sizeof(struct addrinfo));
    hints.ai_socktype = SOCK_STREAM;

    rc = getaddrinfo(load->host, load->port, &hints, &res);
    if (rc != 0) {
        load_die(gai_strerror(rc), load->url);
    }

    memcpy(&load->addr, res->ai_addr, res->ai_addrlen);
    load->addr_len = res->ai_addrlen;

    freeaddrinfo(res);
}


static void
load_challenge(load_t *load, const char *file)
{
    FILE  *in;

    static char  line[8192];

    if (file == NULL) {
        return;
    }

    in = fopen(file, "r");
    if (in == NULL || fgets(line, sizeof(line), in) == NULL) {
        load_die("cannot read", file);
    }

    fclose(in);

    line[strcspn(line, "\r\n")] = '\0';
    load->factory.challenge = line;
}


static X509 *
load_certificate(const char *file)
{
    BIO   *bio;
    X509  *x;

    bio = BIO_new_file(file, "r");
    if (bio == NULL) {
        load_die("cannot read", file);
    }

    x = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    if (x == NULL && BIO_reset(bio) == 0) {
        x = d2i_X509_bio(bio, NULL);
    }

    if (x == NULL) {
        load_die("no certificate in", file);
    }

    BIO_free(bio);

    return x;
}


void
load_die(const char *what, const char *detail)
{
    fprintf(stderr, "scep-load: %s%s%s\n", what, detail ? ": " : "",
            detail ? detail : "");
    exit(2);
}


static int
load_make(void *data, size_t i)
{
    load_t  *load = data;

    return scep_message_make(&load->factory, &load->items[i].scep, i);
}


static void
load_pin(load_t *load)
{
    cpu_set_t  set;

    if (load->cpu < 0) {
        return;
    }

    CPU_ZERO(&set);
    CPU_SET(load->cpu, &set);

    if (sched_setaffinity(0, sizeof(cpu_set_t), &set) == -1) {
        load_die("cannot pin to the CPU", strerror(errno));
    }
}


static int
load_check(void *data, size_t i)
{
    load_t  *load = data;

    unsigned      pass;
    load_item_t  *item;

    item = &load->items[i];

    for (pass = 0; pass < 2; pass++) {
        if (item->reply[pass] != NULL) {
            scep_answer_check(&load->factory, &item->scep, item->reply[pass],
                              item->reply_len[pass], &item->answer[pass]);
        }
    }

    return 0;
}


static void
load_summary(load_t *load)
{
    size_t         i, n;
    unsigned       pass;
    const char   **serials;
    load_item_t   *item;

    for (pass = 0; pass < 2; pass++) {
        if (load->stats[pass].nlatency) {
            qsort(load->stats[pass].latency, load->stats[pass].nlatency,
                  sizeof(unsigned), load_compare_latencies);
        }
    }

    if (!load->verify) {
        return;
    }

    serials = calloc(load->n, sizeof(char *));
    if (serials == NULL) {
        load_die("out of memory", NULL);
    }

    n = 0;

    for (i = 0; i < load->n; i++) {
        item = &load->items[i];

        for (pass = 0; pass < 2; pass++) {
            if (item->reply[pass] == NULL) {
                continue;
            }

            if (item->answer[pass].error == NULL) {
                load->verified++;

            } else {
                load->bad++;
                load->error = item->answer[pass].error;
            }
        }

        if (item->reply[0] != NULL && item->answer[0].error == NULL) {
            serials[n++] = item->answer[0].serial;
        }

        if (item->reply[0] != NULL && item->reply[1] != NULL) {
            if (strcmp(item->answer[0].serial, item->answer[1].serial) == 0) {
                load->same++;

            } else {
                load->different++;
            }
        }
    }

    qsort(serials, n, sizeof(char *), load_compare_serials);

    for (i = 0; i < n; i++) {
        if (i == 0 || strcmp(serials[i - 1], serials[i]) != 0) {
            load->distinct++;
        }
    }

    free(serials);
}


static int
load_compare_serials(const void *one, const void *two)
{
    return strcmp(*(const char *const *) one, *(const char *const *) two);
}


static int
load_compare_latencies(const void *one, const void *two)
{
    unsigned  a, b;

    a = *(const unsigned *) one;
    b = *(const unsigned *) two;

    return (a > b) - (a < b);
}


static double
load_percentile(load_stats_t *stats, double p)
{
    size_t  i;

    if (stats->nlatency == 0) {
        return 0;
    }

    i = p * stats->nlatency;

    return stats->latency[i < stats->nlatency ? i : stats->nlatency - 1] / 1e3;
}


static void
load_write_serials(load_t *load)
{
    size_t        i;
    FILE         *out;
    load_item_t  *item;

    out = fopen(load->out_file, "w");
    if (out == NULL) {
        load_die("cannot write", load->out_file);
    }

    for (i = 0; i < load->n; i++) {
        item = &load->items[i];

        if (item->reply[0] != NULL && item->answer[0].error == NULL) {
            fprintf(out, "%s %s\n", item->scep.txn, item->answer[0].serial);
        }
    }

    if (fclose(out) != 0) {
        load_die("cannot write", load->out_file);
    }
}


static void
load_print(load_t *load)
{
    unsigned       i, pass;
    load_stats_t  *s;

    for (pass = 0; pass <= load->resend; pass++) {
        s = &load->stats[pass];

        printf("%s: %zu sent, %zu answered, %zu success, %zu failure, "
               "%zu pending, %zu other in %.3f s, %.1f success/s\n",
               pass ? "resend" : "send", s->sent, s->answered, s->success,
               s->failure, s->pending, s->other, s->seconds,
               s->seconds ? s->success / s->seconds : 0);
        printf("  disconnected %zu, stale %zu, timed out %zu, retries %zu, "
               "given up %zu; HTTP", s->disconnected, s->stale, s->timed_out,
               s->retries, s->given_up);

        for (i = 0; i < LOAD_HTTP_MAX; i++) {
            if (s->http[i]) {
                printf(" %u: %zu", i, s->http[i]);
            }
        }

        printf("\n  latency ms: p50 %.2f, p90 %.2f, p99 %.2f, max %.2f\n",
               load_percentile(s, 0.5), load_percentile(s, 0.9),
               load_percentile(s, 0.99), load_percentile(s, 1));
    }

    if (load->verify) {
        printf("checked: %zu right, %zu wrong%s%s, %zu distinct serials",
               load->verified, load->bad, load->error ? ": " : "",
               load->error ? load->error : "", load->distinct);

        if (load->resend) {
            printf(", resent: %zu the same, %zu another", load->same,
                   load->different);
        }

        printf("\n");
    }
}


static void
load_print_json(load_t *load)
{
    char          *comma;
    unsigned       i, pass;
    load_stats_t  *s;

    printf("{");

    for (pass = 0; pass <= load->resend; pass++) {
        s = &load->stats[pass];

        printf("\"%s\":{\"sent\":%zu,\"answered\":%zu,\"success\":%zu,"
               "\"failure\":%zu,\"pending\":%zu,\"other\":%zu,"
               "\"disconnected\":%zu,\"stale\":%zu,\"timed_out\":%zu,"
               "\"retries\":%zu,\"given_up\":%zu,\"seconds\":%.3f,"
               "\"rate\":%.1f,\"http\":{",
               pass ? "resend" : "send", s->sent, s->answered, s->success,
               s->failure, s->pending, s->other, s->disconnected, s->stale,
               s->timed_out, s->retries, s->given_up, s->seconds,
               s->seconds ? s->success / s->seconds : 0);

        comma = "";

        for (i = 0; i < LOAD_HTTP_MAX; i++) {
            if (s->http[i]) {
                printf("%s\"%u\":%zu", comma, i, s->http[i]);
                comma = ",";
            }
        }

        printf("},\"latency_ms\":{\"p50\":%.3f,\"p90\":%.3f,\"p99\":%.3f,"
               "\"max\":%.3f}},",
               load_percentile(s, 0.5), load_percentile(s, 0.9),
               load_percentile(s, 0.99), load_percentile(s, 1));
    }

    printf("\"verified\":%zu,\"bad\":%zu,\"error\":\"%s\",\"distinct\":%zu,"
           "\"same\":%zu,\"different\":%zu,\"passed\":%s}\n",
           load->verified, load->bad, load->error ? load->error : "",
           load->distinct, load->same, load->different,
           load_passed(load) ? "true" : "false");
}


/*
 * Everything begun has come to its certificate, all serial numbers differ,
 * what was sent again got the certificate it had.
 */

static int
load_passed(load_t *load)
{
    load_stats_t  *s;

    s = load->stats;

    return s[0].success > 0
           && s[0].given_up == 0
           && s[1].given_up == 0
           && load->bad == 0
           && load->different == 0
           && (!load->verify || load->distinct == s[0].success)
           && (!load->resend || s[1].success == s[0].success);
}
