
/*
 * Copyright (C) the ngx_pki authors
 *
 * Azure Arc gives tokens to who can read a file that its agent has just
 * written: "WWW-Authenticate: Basic realm=/var/opt/azcmagent/tokens/X.key".
 * Whoever took the agent's port must not make us read, and hand over, another
 * file.
 */


#include "ngx_pki_azure_identity.h"


#define NGX_PKI_AZURE_ARC_DIRECTORY  "/var/opt/azcmagent/tokens/"
#define NGX_PKI_AZURE_ARC_SUFFIX     ".key"
#define NGX_PKI_AZURE_ARC_MAX_PATH   255


static ngx_int_t ngx_pki_azure_arc_path(ngx_str_t *challenge, ngx_str_t *path);
static ngx_uint_t ngx_pki_azure_arc_is_file(ngx_str_t *name);


ngx_int_t
ngx_pki_azure_arc_challenge(ngx_pki_azure_fetch_t *fetch, ngx_str_t *challenge)
{
    ngx_str_t  path, error;
    u_char     buf[NGX_PKI_AZURE_ARC_MAX_PATH + 1];

    if (ngx_pki_azure_arc_path(challenge, &path) != NGX_OK) {
        return ngx_pki_azure_fetch_text(fetch, "Azure Arc asks for something "
                                        "else than a key of \""
                                        NGX_PKI_AZURE_ARC_DIRECTORY "\"");
    }

    ngx_memcpy(buf, path.data, path.len);
    buf[path.len] = '\0';
    path.data = buf;

    /* local, and just written */

    if (ngx_pki_azure_secret_read(fetch->op->pool, &path,
                                  NGX_PKI_AZURE_MAX_SECRET, &fetch->arc_key,
                                  &error)
        != NGX_OK)
    {
        return ngx_pki_azure_fetch_error(fetch, &error);
    }

    if (!ngx_pki_azure_secret_visible(&fetch->arc_key)) {
        return ngx_pki_azure_fetch_text(fetch, "the key of Azure Arc cannot "
                                               "be sent in a header");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_pki_azure_arc_path(ngx_str_t *challenge, ngx_str_t *path)
{
    size_t      len;
    ngx_str_t   name;

    static ngx_str_t  prefix = ngx_string("Basic realm=");
    static ngx_str_t  directory = ngx_string(NGX_PKI_AZURE_ARC_DIRECTORY);

    *path = *challenge;

    if (path->len <= prefix.len
        || ngx_strncasecmp(path->data, prefix.data, prefix.len) != 0)
    {
        return NGX_DECLINED;
    }

    path->data += prefix.len;
    path->len -= prefix.len;

    if (path->len >= 2 && path->data[0] == '"'
        && path->data[path->len - 1] == '"')
    {
        path->data++;
        path->len -= 2;
    }

    len = directory.len;

    if (path->len <= len || path->len > NGX_PKI_AZURE_ARC_MAX_PATH
        || ngx_memcmp(path->data, directory.data, len) != 0)
    {
        return NGX_DECLINED;
    }

    name.data = path->data + len;
    name.len = path->len - len;

    return ngx_pki_azure_arc_is_file(&name) ? NGX_OK : NGX_DECLINED;
}


/* no "/" is in an identifier */

static ngx_uint_t
ngx_pki_azure_arc_is_file(ngx_str_t *name)
{
    size_t  len;

    len = sizeof(NGX_PKI_AZURE_ARC_SUFFIX) - 1;

    return ngx_pki_azure_is_id(name)
           && name->len > len
           && ngx_memcmp(name->data + name->len - len,
                         NGX_PKI_AZURE_ARC_SUFFIX, len)
              == 0;
}
