
/*
 * Copyright (C) the ngx_pki authors
 *
 * "ocsp_signer": what it accepts, and one signer an authority.
 */


#include "ngx_http_ocsp_conf.h"


#define NGX_HTTP_OCSP_SIGNER_MIN       5     /* seconds */
#define NGX_HTTP_OCSP_SIGNER_VALIDITY  86400


static char *ngx_http_ocsp_signer_auto(ngx_conf_t *cf,
    ngx_ocsp_signer_spec_t *spec);
static const char *ngx_http_ocsp_signer_parameter(ngx_ocsp_signer_spec_t *spec,
    ngx_str_t *value);
static const char *ngx_http_ocsp_signer_key(ngx_ocsp_signer_spec_t *spec,
    ngx_str_t *text);
static char *ngx_http_ocsp_signer_file(ngx_conf_t *cf,
    ngx_ocsp_signer_spec_t *spec);
static void ngx_http_ocsp_signer_default(ngx_ocsp_signer_spec_t *spec);
static ngx_uint_t ngx_http_ocsp_signer_equals(ngx_ocsp_signer_spec_t *one,
    ngx_ocsp_signer_spec_t *two);
static ngx_uint_t ngx_http_ocsp_signer_same(ngx_str_t *one, ngx_str_t *two);
static ngx_int_t ngx_http_ocsp_signer_check(ngx_conf_t *cf,
    ngx_ocsp_signer_spec_t *spec);
static ngx_int_t ngx_http_ocsp_signer_load(ngx_conf_t *cf,
    ngx_http_ocsp_loc_conf_t *conf, ngx_ocsp_signer_t *signer);
static ngx_int_t ngx_http_ocsp_signer_thread_pool(ngx_conf_t *cf,
    ngx_pki_key_t *key);


char *
ngx_http_ocsp_signer(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ocsp_loc_conf_t  *olcf = conf;

    ngx_str_t  *value;

    if (olcf->signer.mode != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_pki_str_eq(&value[1], "auto")) {
        return ngx_http_ocsp_signer_auto(cf, &olcf->signer);
    }

    if (ngx_pki_str_eq(&value[1], "authority")) {

        if (cf->args->nelts != 2) {
            return "takes nothing behind \"authority\"";
        }

        olcf->signer.mode = NGX_OCSP_SIGNER_AUTHORITY;

        return NGX_CONF_OK;
    }

    if (ngx_pki_str_eq(&value[1], "file")) {
        return ngx_http_ocsp_signer_file(cf, &olcf->signer);
    }

    return ngx_http_ocsp_invalid(cf, &value[1], "\"auto\", \"authority\" or "
                                 "\"file certificate key\"");
}


static char *
ngx_http_ocsp_signer_auto(ngx_conf_t *cf, ngx_ocsp_signer_spec_t *spec)
{
    ngx_str_t   *value;
    ngx_uint_t   i;
    const char  *expected;

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {
        expected = ngx_http_ocsp_signer_parameter(spec, &value[i]);

        if (expected != NULL) {
            return ngx_http_ocsp_invalid(cf, &value[i], expected);
        }
    }

    ngx_http_ocsp_signer_default(spec);

    return NGX_CONF_OK;
}


/* NULL, or what would be right */

static const char *
ngx_http_ocsp_signer_parameter(ngx_ocsp_signer_spec_t *spec,
    ngx_str_t *value)
{
    ngx_str_t  name, text;

    ngx_str_set(&name, "key=");

    if (ngx_http_ocsp_parameter(value, &name, &text)) {
        return ngx_http_ocsp_signer_key(spec, &text);
    }

    ngx_str_set(&name, "validity=");

    if (!ngx_http_ocsp_parameter(value, &name, &text)) {
        return "\"key=\" or \"validity=\"";
    }

    if (spec->validity != 0) {
        return "one \"validity=\" for all keys";
    }

    spec->validity = ngx_http_ocsp_seconds(&text);

    if (spec->validity < NGX_HTTP_OCSP_SIGNER_MIN) {
        return "a time of at least 5 seconds, e.g. \"validity=24h\"";
    }

    return NULL;
}


static const char *
ngx_http_ocsp_signer_key(ngx_ocsp_signer_spec_t *spec, ngx_str_t *text)
{
    ngx_uint_t           i;
    ngx_pki_key_spec_t   key;

    if (ngx_pki_key_parse_spec(text, &key) != NULL || key.hsm
        || (key.type == NGX_PKI_KEY_EC && key.bits > 384)
        || (key.type == NGX_PKI_KEY_RSA && key.bits != 2048))
    {
        return "\"key=ec:P-256\", \"key=ec:P-384\" or \"key=rsa:2048\"";
    }

    /* different ones are no more than there is room for */

    for (i = 0; i < spec->nkeys; i++) {
        if (spec->keys[i].type == key.type && spec->keys[i].bits == key.bits) {
            return "each kind of key once";
        }
    }

    spec->keys[spec->nkeys++] = key;

    return NULL;
}


static char *
ngx_http_ocsp_signer_file(ngx_conf_t *cf, ngx_ocsp_signer_spec_t *spec)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (cf->args->nelts != 4) {
        return "takes a certificate and its key behind \"file\", e.g. "
               "\"ocsp_signer file ocsp.pem ocsp.key\"";
    }

    spec->mode = NGX_OCSP_SIGNER_FILE;
    spec->certificate_file = value[2];
    spec->key_file = value[3];

    if (ngx_conf_full_name(cf->cycle, &spec->certificate_file, 1) != NGX_OK
        || ngx_conf_full_name(cf->cycle, &spec->key_file, 1) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


void
ngx_http_ocsp_merge_signer(ngx_http_ocsp_loc_conf_t *prev,
    ngx_http_ocsp_loc_conf_t *conf)
{
    if (conf->signer.mode == NGX_CONF_UNSET_UINT) {
        conf->signer = prev->signer;
    }

    if (conf->signer.mode == NGX_CONF_UNSET_UINT) {
        ngx_http_ocsp_signer_default(&conf->signer);
    }
}


/* "auto", with whatever has not been said of it */

static void
ngx_http_ocsp_signer_default(ngx_ocsp_signer_spec_t *spec)
{
    ngx_str_t  key;

    spec->mode = NGX_OCSP_SIGNER_AUTO;

    if (spec->nkeys == 0) {
        ngx_str_set(&key, "ec:P-256");
        (void) ngx_http_ocsp_signer_key(spec, &key);
    }

    if (spec->validity == 0) {
        spec->validity = NGX_HTTP_OCSP_SIGNER_VALIDITY;
    }
}


ngx_ocsp_signer_t *
ngx_http_ocsp_add_signer(ngx_conf_t *cf, ngx_http_ocsp_loc_conf_t *conf,
    ngx_pki_authority_t *a)
{
    ngx_uint_t                   i;
    ngx_ocsp_signer_t           *signer, **s;
    ngx_http_ocsp_main_conf_t   *omcf;

    omcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_ocsp_responder_module);
    s = omcf->signers.elts;

    for (i = 0; i < omcf->signers.nelts; i++) {

        if (s[i]->authority != a) {
            continue;
        }

        if (!ngx_http_ocsp_signer_equals(&s[i]->spec, &conf->signer)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "locations with \"ocsp_responder %V\" have "
                               "different \"ocsp_signer\", an authority has "
                               "one", &a->name);
            return NULL;
        }

        return s[i];
    }

    signer = ngx_pcalloc(cf->pool, sizeof(ngx_ocsp_signer_t));
    s = ngx_array_push(&omcf->signers);

    if (signer == NULL || s == NULL) {
        return NULL;
    }

    signer->authority = a;
    signer->spec = conf->signer;

    *s = signer;

    if (ngx_http_ocsp_signer_check(cf, &signer->spec) != NGX_OK
        || ngx_http_ocsp_signer_load(cf, conf, signer) != NGX_OK)
    {
        return NULL;
    }

    return signer;
}


static ngx_uint_t
ngx_http_ocsp_signer_equals(ngx_ocsp_signer_spec_t *one,
    ngx_ocsp_signer_spec_t *two)
{
    ngx_uint_t  i;

    if (one->mode != two->mode
        || one->nkeys != two->nkeys
        || one->validity != two->validity
        || !ngx_http_ocsp_signer_same(&one->certificate_file,
                                      &two->certificate_file)
        || !ngx_http_ocsp_signer_same(&one->key_file, &two->key_file))
    {
        return 0;
    }

    for (i = 0; i < one->nkeys; i++) {
        if (one->keys[i].type != two->keys[i].type
            || one->keys[i].bits != two->keys[i].bits)
        {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
ngx_http_ocsp_signer_same(ngx_str_t *one, ngx_str_t *two)
{
    return one->len == two->len
           && ngx_memcmp(one->data, two->data, one->len) == 0;
}


/* finding the primes of an RSA key would stop a worker for a while */

static ngx_int_t
ngx_http_ocsp_signer_check(ngx_conf_t *cf, ngx_ocsp_signer_spec_t *spec)
{
    ngx_uint_t                 i;
#if (NGX_THREADS)
    ngx_http_pki_main_conf_t  *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_pki_module);

    if (pmcf->thread_pool != NULL) {
        return NGX_OK;
    }
#endif

    for (i = 0; i < spec->nkeys; i++) {

        if (spec->keys[i].type != NGX_PKI_KEY_RSA) {
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"ocsp_signer auto key=rsa:%ui\" makes its keys "
                           "in a thread pool: configure \"pki_thread_pool\", "
                           "or use an EC key", spec->keys[i].bits);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ocsp_signer_load(ngx_conf_t *cf, ngx_http_ocsp_loc_conf_t *conf,
    ngx_ocsp_signer_t *signer)
{
    ngx_ocsp_file_t  *file;

    if (signer->spec.mode != NGX_OCSP_SIGNER_FILE) {
        return NGX_OK;
    }

    /* RFC 6960, 4.2.2.2: it speaks for the one that has issued it */

    if (conf->authorities->nelts != 1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"ocsp_signer file\" speaks for one authority, "
                           "but \"ocsp_responder\" names %ui: use a location "
                           "for each, or \"ocsp_signer auto\"",
                           conf->authorities->nelts);
        return NGX_ERROR;
    }

    file = &signer->file;

    file->certificate_file = signer->spec.certificate_file;
    file->key_file = signer->spec.key_file;

    if (ngx_ocsp_file_load(cf, file, signer->authority,
                           conf->policy.validity[NGX_PKI_STATUS_GOOD])
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_ocsp_signer_thread_pool(cf, file->key);
}


static ngx_int_t
ngx_http_ocsp_signer_thread_pool(ngx_conf_t *cf, ngx_pki_key_t *key)
{
#if (NGX_THREADS)
    ngx_http_pki_main_conf_t  *pmcf;

    if (!key->slow) {
        return NGX_OK;
    }

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_pki_module);

    key->thread_pool = (pmcf->thread_pool != NULL)
                       ? pmcf->thread_pool : ngx_thread_pool_add(cf, NULL);

    return (key->thread_pool != NULL) ? NGX_OK : NGX_ERROR;
#else
    return NGX_OK;
#endif
}
