
/*
 * Copyright (C) the ngx_pki authors
 *
 * https://vault[:port]/keys/name[/version]: of the configuration, and of the
 * "kid" in answers.
 */


#include "ngx_pki_vault_json.h"


#define NGX_PKI_VAULT_API_VERSION  "7.4"


static const char *ngx_pki_vault_url_path(ngx_str_t *path, ngx_str_t *name,
    ngx_str_t *version);
static ngx_uint_t ngx_pki_vault_url_is_name(ngx_str_t *name);
static ngx_uint_t ngx_pki_vault_url_is_version(ngx_str_t *version);
static const ngx_str_t *ngx_pki_vault_url_audience(ngx_str_t *host);


/* the clouds that there are, in which a token is for all vaults of one */

static const ngx_str_t  ngx_pki_vault_audiences[] = {
    ngx_string("https://vault.azure.net"),
    ngx_string("https://vault.azure.cn"),
    ngx_string("https://vault.usgovcloudapi.net"),
    ngx_string("https://managedhsm.azure.net"),
    ngx_string("https://managedhsm.azure.cn"),
    ngx_string("https://managedhsm.usgovcloudapi.net")
};


const char *
ngx_pki_vault_parse(ngx_pool_t *pool, ngx_str_t *text,
    ngx_pki_vault_key_t *key)
{
    const char  *error;

    error = ngx_pki_url_parse(pool, text, &key->url);

    if (error != NULL) {
        return error;
    }

    if (!key->url.tls) {
        return "a key vault is asked by \"https://\" only";
    }

    error = ngx_pki_vault_url_path(&key->url.path, &key->name, &key->version);

    if (error != NULL) {
        return error;
    }

    key->text = *text;
    key->audience = *ngx_pki_vault_url_audience(&key->url.host);
    ngx_str_set(&key->api_version, NGX_PKI_VAULT_API_VERSION);

    return NULL;
}


const char *
ngx_pki_vault_kid_decode(ngx_pool_t *pool, ngx_str_t *kid,
    ngx_pki_vault_kid_t *out)
{
    const char     *error;
    ngx_pki_url_t   url;

    if (ngx_pki_url_parse(pool, kid, &url) != NULL || !url.tls) {
        return "\"kid\" is not a URL of a key";
    }

    error = ngx_pki_vault_url_path(&url.path, &out->name, &out->version);

    if (error != NULL || out->version.len == 0) {
        return "\"kid\" does not name a version of a key";
    }

    out->host = url.host;

    return NULL;
}


static const char *
ngx_pki_vault_url_path(ngx_str_t *path, ngx_str_t *name, ngx_str_t *version)
{
    u_char  *p, *last;

    if (path->len < sizeof("/keys/") - 1
        || ngx_memcmp(path->data, "/keys/", sizeof("/keys/") - 1) != 0)
    {
        return "the URL of a key is \"https://vault/keys/name[/version]\"";
    }

    last = path->data + path->len;

    name->data = path->data + sizeof("/keys/") - 1;
    name->len = last - name->data;

    ngx_str_null(version);

    p = ngx_strlchr(name->data, last, '/');

    if (p != NULL) {
        name->len = p - name->data;
        version->data = p + 1;
        version->len = last - version->data;

        if (!ngx_pki_vault_url_is_version(version)) {
            return "the version of a key is 32 hexadecimal digits";
        }
    }

    if (!ngx_pki_vault_url_is_name(name)) {
        return "the name of a key is 1 to 127 letters, digits and \"-\"";
    }

    return NULL;
}


static ngx_uint_t
ngx_pki_vault_url_is_name(ngx_str_t *name)
{
    size_t  i;
    u_char  ch;

    for (i = 0; i < name->len; i++) {
        ch = name->data[i];

        if ((ch < '0' || ch > '9') && (ch < 'A' || ch > 'Z')
            && (ch < 'a' || ch > 'z') && ch != '-')
        {
            return 0;
        }
    }

    return name->len >= 1 && name->len <= NGX_PKI_VAULT_NAME_LEN;
}


static ngx_uint_t
ngx_pki_vault_url_is_version(ngx_str_t *version)
{
    size_t  i;
    u_char  ch;

    for (i = 0; i < version->len; i++) {
        ch = version->data[i];

        if ((ch < '0' || ch > '9') && (ch < 'A' || ch > 'F')
            && (ch < 'a' || ch > 'f'))
        {
            return 0;
        }
    }

    return version->len == NGX_PKI_VAULT_VERSION_LEN;
}


/*
 * The audience of "contoso.vault.azure.net" is "https://vault.azure.net",
 * without a slash at the end; a host of no known cloud is a test's.
 */

static const ngx_str_t *
ngx_pki_vault_url_audience(ngx_str_t *host)
{
    size_t            len;
    u_char           *dot, *domain;
    ngx_uint_t        i;
    const ngx_str_t  *audience;

    audience = ngx_pki_vault_audiences;

    for (i = 0; i < sizeof(ngx_pki_vault_audiences)
                    / sizeof(ngx_pki_vault_audiences[0]); i++)
    {
        domain = audience[i].data + sizeof("https://") - 1;
        len = audience[i].len - (sizeof("https://") - 1);

        if (host->len <= len + 1) {
            continue;
        }

        dot = host->data + host->len - len - 1;

        if (*dot == '.' && ngx_memcmp(dot + 1, domain, len) == 0) {
            return &audience[i];
        }
    }

    return &audience[0];
}
