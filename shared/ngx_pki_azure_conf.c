
/*
 * Copyright (C) the ngx_pki authors
 *
 * The block of pki_azure_identity.
 */


#include "ngx_pki_azure_identity.h"


#define NGX_PKI_AZURE_CONF_HOSTS  8


typedef struct ngx_pki_azure_conf_directive_s  ngx_pki_azure_conf_directive_t;

struct ngx_pki_azure_conf_directive_s {
    ngx_str_t                  name;
    ngx_uint_t                 min;          /* of parameters */
    ngx_uint_t                 max;
    char                    *(*set)(ngx_conf_t *cf,
                                    ngx_pki_azure_identity_t *identity,
                                    ngx_pki_azure_conf_directive_t *d);
    size_t                     offset;
    ngx_pki_azure_kind_e       kind;
};


static ngx_pki_azure_identity_t *ngx_pki_azure_conf_add(ngx_conf_t *cf,
    ngx_array_t *identities, ngx_str_t *name);
static ngx_pki_azure_identity_t *ngx_pki_azure_conf_named(
    ngx_array_t *identities, ngx_str_t *name);
static ngx_uint_t ngx_pki_azure_conf_is_name(ngx_str_t *name);
static char *ngx_pki_azure_conf_directive(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf);
static char *ngx_pki_azure_conf_check(ngx_conf_t *cf,
    ngx_pki_azure_identity_t *identity);
static char *ngx_pki_azure_conf_set_id(ngx_conf_t *cf,
    ngx_pki_azure_identity_t *identity, ngx_pki_azure_conf_directive_t *d);
static char *ngx_pki_azure_conf_set_url(ngx_conf_t *cf,
    ngx_pki_azure_identity_t *identity, ngx_pki_azure_conf_directive_t *d);
static char *ngx_pki_azure_conf_set_resource(ngx_conf_t *cf,
    ngx_pki_azure_identity_t *identity, ngx_pki_azure_conf_directive_t *d);
static char *ngx_pki_azure_conf_set_hosts(ngx_conf_t *cf,
    ngx_pki_azure_identity_t *identity, ngx_pki_azure_conf_directive_t *d);
static ngx_uint_t ngx_pki_azure_conf_is_host(ngx_str_t *host);
static char *ngx_pki_azure_conf_set_kind(ngx_conf_t *cf,
    ngx_pki_azure_identity_t *identity, ngx_pki_azure_conf_directive_t *d);
static char *ngx_pki_azure_conf_set_managed(ngx_conf_t *cf,
    ngx_pki_azure_identity_t *identity, ngx_pki_azure_conf_directive_t *d);
static char *ngx_pki_azure_conf_set_file(ngx_conf_t *cf,
    ngx_pki_azure_identity_t *identity, ngx_pki_azure_conf_directive_t *d);
static char *ngx_pki_azure_conf_set_certificate(ngx_conf_t *cf,
    ngx_pki_azure_identity_t *identity, ngx_pki_azure_conf_directive_t *d);


static ngx_pki_azure_conf_directive_t  ngx_pki_azure_conf_directives[] = {

    { ngx_string("tenant"), 1, 1, ngx_pki_azure_conf_set_id,
      offsetof(ngx_pki_azure_identity_t, tenant), NGX_PKI_AZURE_NONE },

    { ngx_string("client_id"), 1, 1, ngx_pki_azure_conf_set_id,
      offsetof(ngx_pki_azure_identity_t, client_id), NGX_PKI_AZURE_NONE },

    { ngx_string("authority_host"), 1, 1, ngx_pki_azure_conf_set_url,
      offsetof(ngx_pki_azure_identity_t, authority_host), NGX_PKI_AZURE_NONE },

    { ngx_string("graph_host"), 1, 1, ngx_pki_azure_conf_set_url,
      offsetof(ngx_pki_azure_identity_t, graph_host), NGX_PKI_AZURE_NONE },

    { ngx_string("intune_resource"), 1, 1, ngx_pki_azure_conf_set_resource,
      offsetof(ngx_pki_azure_identity_t, intune_resource),
      NGX_PKI_AZURE_NONE },

    { ngx_string("intune_host"), 1, NGX_PKI_AZURE_CONF_HOSTS,
      ngx_pki_azure_conf_set_hosts, 0, NGX_PKI_AZURE_NONE },

    { ngx_string("auto"), 0, 0, ngx_pki_azure_conf_set_kind,
      0, NGX_PKI_AZURE_AUTO },

    { ngx_string("managed_identity"), 0, 1, ngx_pki_azure_conf_set_managed,
      offsetof(ngx_pki_azure_identity_t, endpoint), NGX_PKI_AZURE_MANAGED },

    { ngx_string("client_secret_file"), 1, 1, ngx_pki_azure_conf_set_file,
      offsetof(ngx_pki_azure_identity_t, secret_file), NGX_PKI_AZURE_SECRET },

    { ngx_string("client_certificate"), 2, 2,
      ngx_pki_azure_conf_set_certificate,
      offsetof(ngx_pki_azure_identity_t, certificate_file),
      NGX_PKI_AZURE_CERTIFICATE },

    { ngx_string("federated_token_file"), 1, 1, ngx_pki_azure_conf_set_file,
      offsetof(ngx_pki_azure_identity_t, federated_file),
      NGX_PKI_AZURE_FEDERATED },

    { ngx_null_string, 0, 0, NULL, 0, NGX_PKI_AZURE_NONE }
};


char *
ngx_pki_azure_identity_block(ngx_conf_t *cf, ngx_array_t *identities)
{
    char                      *rv;
    ngx_str_t                 *value;
    ngx_conf_t                 save;
    ngx_pki_azure_identity_t  *identity;

    value = cf->args->elts;

    if (!ngx_pki_azure_conf_is_name(&value[1])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid identity name \"%V\": letters, digits, "
                           "\"-\" and \"_\" make a name, %d at most",
                           &value[1], NGX_PKI_ZONE_NAME_LEN);
        return NGX_CONF_ERROR;
    }

    if (ngx_pki_azure_conf_named(identities, &value[1]) != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "azure identity \"%V\" is there already",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    identity = ngx_pki_azure_conf_add(cf, identities, &value[1]);
    if (identity == NULL) {
        return NGX_CONF_ERROR;
    }

    save = *cf;
    cf->handler = ngx_pki_azure_conf_directive;
    cf->handler_conf = (char *) identity;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_pki_azure_conf_check(cf, identity);
}


ngx_pki_azure_identity_t *
ngx_pki_azure_identity_find(ngx_conf_t *cf, ngx_array_t *identities,
    ngx_str_t *name)
{
    ngx_str_t                   automatic;
    ngx_pki_azure_identity_t   *identity, **ip;

    if (name->len != 0) {
        return ngx_pki_azure_conf_named(identities, name);
    }

    if (identities->nelts > 1) {
        return NULL;
    }

    if (identities->nelts == 1) {
        ip = identities->elts;
        return ip[0];
    }

    ngx_str_set(&automatic, "auto");

    identity = ngx_pki_azure_conf_add(cf, identities, &automatic);

    if (identity != NULL) {
        identity->kind = NGX_PKI_AZURE_AUTO;
    }

    return identity;
}


static ngx_pki_azure_identity_t *
ngx_pki_azure_conf_add(ngx_conf_t *cf, ngx_array_t *identities,
    ngx_str_t *name)
{
    ngx_pki_azure_identity_t  *identity, **ip;

    identity = ngx_pcalloc(cf->pool, sizeof(ngx_pki_azure_identity_t));
    ip = ngx_array_push(identities);

    if (identity == NULL || ip == NULL) {
        return NULL;
    }

    identity->name = *name;
    *ip = identity;

    return identity;
}


static ngx_pki_azure_identity_t *
ngx_pki_azure_conf_named(ngx_array_t *identities, ngx_str_t *name)
{
    ngx_uint_t                  i;
    ngx_pki_azure_identity_t  **ip;

    ip = identities->elts;

    for (i = 0; i < identities->nelts; i++) {
        if (ip[i]->name.len == name->len
            && ngx_memcmp(ip[i]->name.data, name->data, name->len) == 0)
        {
            return ip[i];
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_pki_azure_conf_is_name(ngx_str_t *name)
{
    size_t  i;

    if (!ngx_pki_azure_is_id(name) || name->len > NGX_PKI_ZONE_NAME_LEN) {
        return 0;
    }

    for (i = 0; i < name->len; i++) {
        if (name->data[i] == '.') {
            return 0;
        }
    }

    return 1;
}


/* they become parts of URLs, of forms and of an assertion as they are */

ngx_uint_t
ngx_pki_azure_is_id(ngx_str_t *text)
{
    u_char  c;
    size_t  i;

    for (i = 0; i < text->len; i++) {
        c = text->data[i];

        if ((c < '0' || c > '9') && (c < 'a' || c > 'z')
            && (c < 'A' || c > 'Z') && c != '-' && c != '_' && c != '.')
        {
            return 0;
        }
    }

    return text->len > 0 && text->len <= 255;
}


static char *
ngx_pki_azure_conf_directive(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    char                            *rv;
    ngx_str_t                       *value;
    ngx_uint_t                       n;
    ngx_pki_azure_conf_directive_t  *d;

    value = cf->args->elts;
    n = cf->args->nelts - 1;

    for (d = ngx_pki_azure_conf_directives; d->name.len != 0; d++) {

        if (d->name.len != value[0].len
            || ngx_strncmp(d->name.data, value[0].data, d->name.len) != 0)
        {
            continue;
        }

        if (n < d->min || n > d->max) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid number of arguments in \"%V\" of "
                               "\"pki_azure_identity\"", &value[0]);
            return NGX_CONF_ERROR;
        }

        rv = d->set(cf, conf, d);

        if (rv != NGX_CONF_OK && rv != NGX_CONF_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" of \"pki_azure_identity\" %s",
                               &value[0], rv);
            return NGX_CONF_ERROR;
        }

        return rv;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown directive \"%V\" in \"pki_azure_identity\"",
                       &value[0]);

    return NGX_CONF_ERROR;
}


static char *
ngx_pki_azure_conf_check(ngx_conf_t *cf, ngx_pki_azure_identity_t *identity)
{
    const char  *missing;

    missing = NULL;

    switch (identity->kind) {

    case NGX_PKI_AZURE_NONE:
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "azure identity \"%V\" must have one of "
                           "\"managed_identity\", \"client_secret_file\", "
                           "\"client_certificate\", \"federated_token_file\" "
                           "and \"auto\"", &identity->name);
        return NGX_CONF_ERROR;

    case NGX_PKI_AZURE_SECRET:
    case NGX_PKI_AZURE_CERTIFICATE:
    case NGX_PKI_AZURE_FEDERATED:

        if (identity->tenant.len == 0) {
            missing = "tenant";

        } else if (identity->client_id.len == 0) {
            missing = "client_id";
        }

        break;

    default:
        break;
    }

    if (missing != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "azure identity \"%V\" must have \"%s\": who shows "
                           "a secret, a certificate or a token to Entra says "
                           "which application of which tenant it is",
                           &identity->name, missing);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_pki_azure_conf_set_id(ngx_conf_t *cf, ngx_pki_azure_identity_t *identity,
    ngx_pki_azure_conf_directive_t *d)
{
    ngx_str_t  *field, *value;

    field = (ngx_str_t *) ((char *) identity + d->offset);
    value = cf->args->elts;

    if (field->data != NULL) {
        return "is duplicate";
    }

    if (!ngx_pki_azure_is_id(&value[1])) {
        return "has characters that no identifier has, right would be "
               "\"contoso.example\" or "
               "\"11111111-2222-3333-4444-555555555555\"";
    }

    *field = value[1];

    return NGX_CONF_OK;
}


/*
 * Secrets go there, tokens come from there: never in the clear over a network.
 * What is sent to 169.254.0.0/16 does not leave the machine and its host.
 */

ngx_uint_t
ngx_pki_azure_is_safe(ngx_pki_url_t *url)
{
    return url->tls
           || ngx_pki_url_is_loopback(url)
           || (!url->resolve
               && ngx_strncmp(url->host.data, "169.254.", 8) == 0);
}


static char *
ngx_pki_azure_conf_set_url(ngx_conf_t *cf, ngx_pki_azure_identity_t *identity,
    ngx_pki_azure_conf_directive_t *d)
{
    ngx_str_t      *field, *value, text;
    const char     *error;
    ngx_pki_url_t   url;

    field = (ngx_str_t *) ((char *) identity + d->offset);
    value = cf->args->elts;
    text = value[1];

    if (field->data != NULL) {
        return "is duplicate";
    }

    if (d->kind == NGX_PKI_AZURE_MANAGED) {
        text.data += sizeof("endpoint=") - 1;
        text.len -= sizeof("endpoint=") - 1;
    }

    error = ngx_pki_url_parse(cf->pool, &text, &url);

    if (error != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URL \"%V\" in \"%V\" of "
                           "\"pki_azure_identity\": %s",
                           &text, &value[0], error);
        return NGX_CONF_ERROR;
    }

    if (!ngx_pki_azure_is_safe(&url)) {
        return "must be \"https://\": with \"http://\" it can only be an "
               "address of this machine, such as 127.0.0.1 or "
               "169.254.169.254";
    }

    if (d->kind != NGX_PKI_AZURE_MANAGED && url.path.len > 1) {
        return "is a host without a path, right would be "
               "\"https://login.microsoftonline.us\"";
    }

    *field = text;

    return NGX_CONF_OK;
}


/* the name of an API, which is never asked itself: a "/" at its end matters */

static char *
ngx_pki_azure_conf_set_resource(ngx_conf_t *cf,
    ngx_pki_azure_identity_t *identity, ngx_pki_azure_conf_directive_t *d)
{
    ngx_str_t      *field, *value;
    ngx_pki_url_t   url;

    field = (ngx_str_t *) ((char *) identity + d->offset);
    value = cf->args->elts;

    if (field->data != NULL) {
        return "is duplicate";
    }

    if (ngx_pki_url_parse(cf->temp_pool, &value[1], &url) != NULL
        || !url.tls
        || url.path.len > 1)
    {
        return "is no https URL of a host, right would be "
               "\"https://api.manage.microsoft.us/\"";
    }

    *field = value[1];

    return NGX_CONF_OK;
}


static char *
ngx_pki_azure_conf_set_hosts(ngx_conf_t *cf,
    ngx_pki_azure_identity_t *identity, ngx_pki_azure_conf_directive_t *d)
{
    ngx_str_t   *value, *host;
    ngx_uint_t   i;

    value = cf->args->elts;

    if (identity->intune_hosts != NULL) {
        return "is duplicate";
    }

    identity->intune_hosts = ngx_array_create(cf->pool, d->max,
                                              sizeof(ngx_str_t));
    if (identity->intune_hosts == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (!ngx_pki_azure_conf_is_host(&value[i])) {
            return "takes names of hosts in lower case, such as "
                   "\"fef.manage.microsoft.us\", or their ends, such as "
                   "\".manage.microsoft.us\"";
        }

        host = ngx_array_push(identity->intune_hosts);
        if (host == NULL) {
            return NGX_CONF_ERROR;
        }

        *host = value[i];
    }

    return NGX_CONF_OK;
}


/* a name of one label, such as ".com", would let everybody have our tokens */

static ngx_uint_t
ngx_pki_azure_conf_is_host(ngx_str_t *host)
{
    u_char      c, previous;
    size_t      i;
    ngx_uint_t  labels;

    labels = 0;
    previous = '.';

    for (i = (host->len != 0 && host->data[0] == '.'); i < host->len; i++) {
        c = host->data[i];

        if (c == '.') {
            if (previous == '.') {
                return 0;
            }

        } else if ((c < '0' || c > '9') && (c < 'a' || c > 'z') && c != '-') {
            return 0;

        } else if (previous == '.') {
            labels++;
        }

        previous = c;
    }

    return labels > 1 && previous != '.' && host->len < 255;
}


static char *
ngx_pki_azure_conf_set_kind(ngx_conf_t *cf, ngx_pki_azure_identity_t *identity,
    ngx_pki_azure_conf_directive_t *d)
{
    if (identity->kind == d->kind) {
        return "is duplicate";
    }

    if (identity->kind != NGX_PKI_AZURE_NONE) {
        return "comes after another way to get tokens, and an identity has "
               "one only";
    }

    identity->kind = d->kind;

    return NGX_CONF_OK;
}


static char *
ngx_pki_azure_conf_set_managed(ngx_conf_t *cf,
    ngx_pki_azure_identity_t *identity, ngx_pki_azure_conf_directive_t *d)
{
    char       *rv;
    ngx_str_t  *value;

    value = cf->args->elts;

    rv = ngx_pki_azure_conf_set_kind(cf, identity, d);

    if (rv != NGX_CONF_OK || cf->args->nelts == 1) {
        return rv;
    }

    if (value[1].len <= 9 || ngx_strncmp(value[1].data, "endpoint=", 9) != 0) {
        return "takes nothing, or \"endpoint=http://169.254.169.254\"";
    }

    return ngx_pki_azure_conf_set_url(cf, identity, d);
}


static char *
ngx_pki_azure_conf_set_file(ngx_conf_t *cf, ngx_pki_azure_identity_t *identity,
    ngx_pki_azure_conf_directive_t *d)
{
    char       *rv;
    ngx_str_t  *field, *value;

    field = (ngx_str_t *) ((char *) identity + d->offset);
    value = cf->args->elts;

    rv = ngx_pki_azure_conf_set_kind(cf, identity, d);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (value[1].len == 0) {
        return "is empty";
    }

    *field = value[1];

    return ngx_conf_full_name(cf->cycle, field, 1) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_pki_azure_conf_set_certificate(ngx_conf_t *cf,
    ngx_pki_azure_identity_t *identity, ngx_pki_azure_conf_directive_t *d)
{
    char       *rv;
    ngx_str_t  *value;

    value = cf->args->elts;

    rv = ngx_pki_azure_conf_set_file(cf, identity, d);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (value[2].len == 0) {
        return "has an empty key";
    }

    identity->key_file = value[2];

    return ngx_conf_full_name(cf->cycle, &identity->key_file, 1) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}
