
/*
 * Copyright (C) the ngx_pki authors
 *
 * Where the key of an authority is: in a file, a store, a vault.
 */


#include "ngx_pki_authority.h"


static const char *ngx_pki_authority_parse_vault(ngx_conf_t *cf,
    ngx_pki_authority_t *a);
static ngx_uint_t ngx_pki_authority_is_azure(ngx_pki_vault_key_t *key);


const char *
ngx_pki_authority_parse_key(ngx_conf_t *cf, ngx_pki_authority_t *a)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (a->key_path.data != NULL) {
        return "is duplicate";
    }

    if (value[1].len > sizeof("keyvault:") - 1
        && ngx_strncmp(value[1].data, "keyvault:", 9) == 0)
    {
        return ngx_pki_authority_parse_vault(cf, a);
    }

    if (cf->args->nelts > 2) {
        return "takes one parameter";
    }

    if (value[1].len > sizeof("file:") - 1
        && ngx_strncmp(value[1].data, "file:", 5) == 0)
    {
        a->key_path.data = value[1].data + 5;
        a->key_path.len = value[1].len - 5;

        return ngx_conf_full_name(cf->cycle, &a->key_path, 1) == NGX_OK
               ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    if (value[1].len > sizeof("store:") - 1
        && ngx_strncmp(value[1].data, "store:", 6) == 0)
    {
        a->key_path.data = value[1].data + 6;
        a->key_path.len = value[1].len - 6;
        a->key_store = 1;

        return NGX_CONF_OK;
    }

    return "is neither \"file:path\", \"keyvault:URL\" nor \"store:URI\"";
}


static const char *
ngx_pki_authority_parse_vault(ngx_conf_t *cf, ngx_pki_authority_t *a)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    a->vault = ngx_pki_authority_vault_key(cf, &value[1], 2);

    if (a->vault == NULL) {
        return NGX_CONF_ERROR;
    }

    a->key_path = a->vault->text;

    return NGX_CONF_OK;
}


ngx_pki_vault_key_t *
ngx_pki_authority_vault_key(ngx_conf_t *cf, ngx_str_t *url, ngx_uint_t first)
{
    ngx_str_t            *value, text;
    ngx_uint_t            i;
    const char           *error;
    ngx_pki_vault_key_t  *key;

    value = cf->args->elts;

    key = ngx_pcalloc(cf->pool, sizeof(ngx_pki_vault_key_t));
    if (key == NULL) {
        return NULL;
    }

    text.data = url->data + sizeof("keyvault:") - 1;
    text.len = url->len - (sizeof("keyvault:") - 1);

    error = ngx_pki_vault_parse(cf->pool, &text, key);

    for (i = first; error == NULL && i < cf->args->nelts; i++) {

        if (value[i].len > 9
            && ngx_strncmp(value[i].data, "identity=", 9) == 0)
        {
            key->identity_name.data = value[i].data + 9;
            key->identity_name.len = value[i].len - 9;

        } else if (value[i].len > 12
                   && ngx_strncmp(value[i].data, "api_version=", 12) == 0)
        {
            key->api_version.data = value[i].data + 12;
            key->api_version.len = value[i].len - 12;

        } else {
            error = "\"identity=\" and \"api_version=\" are its parameters";
        }
    }

    if (error != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid key \"%V\": %s; right would be "
                           "\"keyvault:https://contoso.vault.azure.net/keys/"
                           "device-ca identity=contoso\"", url, error);
        return NULL;
    }

    if (!ngx_pki_authority_is_azure(key)) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "the key vault \"%V\" is of no cloud that is known: "
                           "it will be sent a token that is good for \"%V\"",
                           &key->url.host, &key->audience);
    }

    return key;
}


/* whose host is one below that of the audience */

static ngx_uint_t
ngx_pki_authority_is_azure(ngx_pki_vault_key_t *key)
{
    u_char     *p;
    ngx_str_t  *host, cloud;

    host = &key->url.host;

    cloud.data = key->audience.data + sizeof("https://") - 1;
    cloud.len = key->audience.len - (sizeof("https://") - 1);

    if (host->len <= cloud.len + 1) {
        return 0;
    }

    p = host->data + host->len - cloud.len;

    return p[-1] == '.' && ngx_strncmp(p, cloud.data, cloud.len) == 0;
}
