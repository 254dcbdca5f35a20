
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_scep_challenge.h"
#include "ngx_pki_md.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>


#define NGX_SCEP_MAX_SECRETS      1024
#define NGX_SCEP_MAX_SECRET_FILE  1048576


static char *ngx_scep_challenge_none(ngx_conf_t *cf,
    ngx_scep_challenge_t *challenge);
static char *ngx_scep_challenge_static(ngx_conf_t *cf,
    ngx_scep_challenge_t *challenge);
static char *ngx_scep_challenge_read(ngx_conf_t *cf, ngx_file_t *file,
    ngx_scep_challenge_t *challenge);
static char *ngx_scep_challenge_lines(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *text, ngx_scep_challenge_t *challenge);
static ngx_int_t ngx_scep_challenge_hash(ngx_str_t *secret, u_char *out);


static ngx_str_t  ngx_scep_challenge_names[] = {
    ngx_string("accepted"),
    ngx_string("none"),
    ngx_string("missing"),
    ngx_string("wrong"),
    ngx_string("unavailable"),
    ngx_string("")                           /* asked: not known yet */
};


char *
ngx_scep_challenge_add(ngx_conf_t *cf, ngx_scep_challenge_t **conf)
{
    ngx_str_t  *value;

    if (*conf == NULL) {
        *conf = ngx_scep_challenge_create(cf);

        if (*conf == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;

    if (ngx_pki_str_eq(&value[1], "none")) {
        return ngx_scep_challenge_none(cf, *conf);
    }

    if ((*conf)->none) {
        return "\"none\" cannot be combined with another challenge";
    }

    if (ngx_pki_str_eq(&value[1], "static")) {
        return ngx_scep_challenge_static(cf, *conf);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid challenge \"%V\", it must be \"static file\", "
                       "\"one_time\", \"webhook url\", \"intune\", \"none\" or "
                       "\"none insecure\"", &value[1]);

    return NGX_CONF_ERROR;
}


ngx_scep_challenge_t *
ngx_scep_challenge_create(ngx_conf_t *cf)
{
    ngx_scep_challenge_t  *challenge;

    challenge = ngx_pcalloc(cf->pool, sizeof(ngx_scep_challenge_t));
    if (challenge == NULL) {
        return NULL;
    }

    if (ngx_array_init(&challenge->secrets, cf->pool, 4,
                       SHA256_DIGEST_LENGTH)
        != NGX_OK)
    {
        return NULL;
    }

    return challenge;
}


static char *
ngx_scep_challenge_none(ngx_conf_t *cf, ngx_scep_challenge_t *challenge)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (cf->args->nelts > 3) {
        return "must be \"none\" or \"none insecure\"";
    }

    if (cf->args->nelts == 3 && !ngx_pki_str_eq(&value[2], "insecure")) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                           &value[2]);
        return NGX_CONF_ERROR;
    }

    if (challenge->none) {
        return "is duplicate";
    }

    if (challenge->secrets.nelts != 0 || challenge->asks) {
        return "\"none\" cannot be combined with another challenge";
    }

    challenge->none = 1;
    challenge->insecure = (cf->args->nelts == 3);

    return NGX_CONF_OK;
}


static char *
ngx_scep_challenge_static(ngx_conf_t *cf, ngx_scep_challenge_t *challenge)
{
    char        *rv;
    ngx_str_t   *value;
    ngx_file_t   file;

    value = cf->args->elts;

    if (cf->args->nelts != 3) {
        return "must be \"static file\"";
    }

    ngx_memzero(&file, sizeof(ngx_file_t));

    file.name = value[2];
    file.log = cf->log;

    if (ngx_conf_full_name(cf->cycle, &file.name, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    file.fd = ngx_open_file(file.name.data, NGX_FILE_RDONLY, NGX_FILE_OPEN,
                            0);

    if (file.fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", &file.name);
        return NGX_CONF_ERROR;
    }

    rv = ngx_scep_challenge_read(cf, &file, challenge);

    if (ngx_close_file(file.fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", &file.name);
    }

    return rv;
}


static char *
ngx_scep_challenge_read(ngx_conf_t *cf, ngx_file_t *file,
    ngx_scep_challenge_t *challenge)
{
    char       *rv;
    u_char     *buf;
    size_t      size;
    ssize_t     n;
    ngx_str_t   text;

    if (ngx_fd_info(file->fd, &file->info) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_fd_info_n " \"%V\" failed", &file->name);
        return NGX_CONF_ERROR;
    }

    if (file->info.st_mode & S_IROTH) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "the secrets in \"%V\" can be read by everybody",
                           &file->name);
    }

    if (!ngx_is_file(&file->info)
        || ngx_file_size(&file->info) > NGX_SCEP_MAX_SECRET_FILE)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is not a file of at most %d octets",
                           &file->name, NGX_SCEP_MAX_SECRET_FILE);
        return NGX_CONF_ERROR;
    }

    size = (size_t) ngx_file_size(&file->info);

    buf = ngx_alloc(size + 1, cf->log);
    if (buf == NULL) {
        return NGX_CONF_ERROR;
    }

    n = ngx_read_file(file, buf, size, 0);

    if (n == NGX_ERROR) {
        rv = NGX_CONF_ERROR;

    } else {
        text.data = buf;
        text.len = n;

        rv = ngx_scep_challenge_lines(cf, &file->name, &text, challenge);
    }

    OPENSSL_cleanse(buf, size + 1);
    ngx_free(buf);

    return rv;
}


/* A line is a secret as it stands: even "#" may begin one. */

static char *
ngx_scep_challenge_lines(ngx_conf_t *cf, ngx_str_t *name, ngx_str_t *text,
    ngx_scep_challenge_t *challenge)
{
    u_char      *p, *last, *hash;
    ngx_str_t    line;
    ngx_uint_t   n;

    p = text->data;
    last = text->data + text->len;
    n = 0;

    while (p < last) {

        line.data = p;

        while (p < last && *p != LF) {
            p++;
        }

        line.len = p++ - line.data;

        while (line.len != 0 && line.data[line.len - 1] == CR) {
            line.len--;
        }

        if (line.len == 0) {
            continue;
        }

        if (challenge->secrets.nelts == NGX_SCEP_MAX_SECRETS) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "there are over %d secrets in \"%V\"",
                               NGX_SCEP_MAX_SECRETS, name);
            return NGX_CONF_ERROR;
        }

        hash = ngx_array_push(&challenge->secrets);

        if (hash == NULL
            || ngx_scep_challenge_hash(&line, hash) != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

        n++;
    }

    if (n == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "there is no secret in \"%V\"", name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_scep_challenge_result_e
ngx_scep_challenge_check(ngx_scep_challenge_t *conf, ngx_str_t *challenge)
{
    u_char       hash[SHA256_DIGEST_LENGTH];
    u_char      *secret;
    ngx_uint_t   i, found;

    if (conf->none) {
        return NGX_SCEP_CHALLENGE_NONE;
    }

    if (challenge->len == 0) {
        return NGX_SCEP_CHALLENGE_MISSING;
    }

    if (ngx_scep_challenge_hash(challenge, hash) != NGX_OK) {
        return NGX_SCEP_CHALLENGE_WRONG;
    }

    secret = conf->secrets.elts;
    found = 0;

    for (i = 0; i < conf->secrets.nelts; i++) {
        found |= (CRYPTO_memcmp(secret, hash, sizeof(hash)) == 0);
        secret += sizeof(hash);
    }

    if (found) {
        return NGX_SCEP_CHALLENGE_ACCEPTED;
    }

    return conf->asks ? NGX_SCEP_CHALLENGE_ASK : NGX_SCEP_CHALLENGE_WRONG;
}


ngx_str_t *
ngx_scep_challenge_name(ngx_scep_challenge_result_e result)
{
    return &ngx_scep_challenge_names[result];
}


static ngx_int_t
ngx_scep_challenge_hash(ngx_str_t *secret, u_char *out)
{
    if (EVP_Digest(secret->data, secret->len, out, NULL,
                   ngx_pki_md(NID_sha256), NULL)
        != 1)
    {
        ERR_clear_error();
        return NGX_ERROR;
    }

    return NGX_OK;
}
