
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_http_identity.h"


static void ngx_http_identity_basic(ngx_conf_t *cf,
    ngx_http_identity_conf_t *conf);
static ngx_module_t *ngx_http_identity_module(ngx_conf_t *cf,
    const char *name);
static ngx_command_t *ngx_http_identity_command(ngx_module_t *module,
    const char *name);
static ngx_uint_t ngx_http_identity_is_set(void *conf, ngx_command_t *cmd);


void
ngx_http_identity_conf(ngx_conf_t *cf, ngx_http_identity_conf_t *conf)
{
    ngx_http_ssl_srv_conf_t  *sscf;

    ngx_http_identity_basic(cf, conf);

    sscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_ssl_module);

    conf->certificate = (sscf != NULL
                         && sscf->verify != NGX_CONF_UNSET_UINT
                         && sscf->verify != 0);
}


ngx_int_t
ngx_http_identity_certificate(ngx_http_request_t *r,
    ngx_http_identity_conf_t *conf, ngx_str_t *subject)
{
    ngx_str_t                 verify;
    ngx_connection_t         *c;
    ngx_http_ssl_srv_conf_t  *sscf;

    c = r->connection;

    if (r != r->main || !conf->certificate || c->ssl == NULL) {
        return NGX_DECLINED;
    }

    /*
     * The handshake is the affair of the server named by SNI, or else of the
     * default one, while the Host header chooses this one: what another
     * server trusts must not count here.
     */

    sscf = ngx_http_get_module_srv_conf(r, ngx_http_ssl_module);

    if (SSL_get_SSL_CTX(c->ssl->connection) != sscf->ssl.ctx) {
        ngx_log_error(NGX_LOG_INFO, c->log, 0,
                      "client certificate was verified for another server");
        return NGX_DECLINED;
    }

    if (ngx_ssl_get_client_verify(c, r->pool, &verify) != NGX_OK) {
        return NGX_ERROR;
    }

    if (verify.len != sizeof("SUCCESS") - 1
        || ngx_strncmp(verify.data, "SUCCESS", verify.len) != 0)
    {
        return NGX_DECLINED;
    }

    if (ngx_ssl_get_subject_dn(c, r->pool, subject) != NGX_OK) {
        return NGX_ERROR;
    }

    return (subject->len != 0) ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_http_identity_user(ngx_http_request_t *r, ngx_http_identity_conf_t *conf,
    ngx_str_t *user)
{
    if (r != r->main || !conf->basic) {

        /* as ngx_http_auth_basic_user() leaves it if there is no user */

        ngx_str_set(&r->headers_in.user, "");
        ngx_str_null(&r->headers_in.passwd);

        return NGX_DECLINED;
    }

    if (r->headers_in.user.len == 0) {
        return NGX_DECLINED;
    }

    *user = r->headers_in.user;

    return NGX_OK;
}


ngx_uint_t
ngx_http_identity_unverified(ngx_http_request_t *r,
    ngx_http_identity_conf_t *conf)
{
    return !conf->basic && ngx_http_auth_basic_user(r) == NGX_OK;
}


ngx_uint_t
ngx_http_identity_mentions(ngx_http_complex_value_t *value, const char *name)
{
    u_char  *p, *last, *start;
    size_t   len;

    len = ngx_strlen(name);
    last = value->value.data + value->value.len;

    for (p = value->value.data; p < last; p++) {

        if (*p != '$') {
            continue;
        }

        start = p + 1;

        if (start < last && *start == '{') {
            start++;
        }

        for (p = start; p < last; p++) {
            if (!(*p == '_' || (*p >= '0' && *p <= '9')
                  || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z')))
            {
                break;
            }
        }

        if ((size_t) (p - start) >= len
            && ngx_strncasecmp(start, (u_char *) name, len) == 0
            && ((size_t) (p - start) == len || name[len - 1] == '_'))
        {
            return 1;
        }

        /* it may be the "$" of the next one */
        p--;
    }

    return 0;
}


/*
 * Whether a request that comes to the content phase of this location has had
 * its password verified.  It is so if auth_basic has a realm and a file here,
 * no variable may turn it off, and "satisfy all" lets no other check stand in
 * for it.  The settings of auth_basic are private; its commands, which are
 * not, say where they are, and the setter says of what type the realm is.
 */

static void
ngx_http_identity_basic(ngx_conf_t *cf, ngx_http_identity_conf_t *conf)
{
    void                      *alcf;
    ngx_module_t              *module;
    ngx_command_t             *realm, *file;
    ngx_http_complex_value_t  *value;
    ngx_http_core_loc_conf_t  *clcf;

    module = ngx_http_identity_module(cf, "ngx_http_auth_basic_module");

    if (module == NULL) {
        return;
    }

    alcf = ((ngx_http_conf_ctx_t *) cf->ctx)->loc_conf[module->ctx_index];

    realm = ngx_http_identity_command(module, "auth_basic");
    file = ngx_http_identity_command(module, "auth_basic_user_file");

    if (!ngx_http_identity_is_set(alcf, realm)
        || !ngx_http_identity_is_set(alcf, file)
        || realm->set != ngx_http_set_complex_value_slot)
    {
        return;
    }

    value = *(ngx_http_complex_value_t **) ((char *) alcf + realm->offset);

    if (value->value.len == 3
        && ngx_strncmp(value->value.data, "off", 3) == 0)
    {
        return;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    conf->basic = (value->lengths == NULL
                   && clcf->satisfy == NGX_HTTP_SATISFY_ALL);
    conf->doubtful = !conf->basic;
}


static ngx_module_t *
ngx_http_identity_module(ngx_conf_t *cf, const char *name)
{
    ngx_uint_t  i;

    for (i = 0; cf->cycle->modules[i]; i++) {
        if (ngx_strcmp(cf->cycle->modules[i]->name, name) == 0) {
            return cf->cycle->modules[i];
        }
    }

    return NULL;
}


static ngx_command_t *
ngx_http_identity_command(ngx_module_t *module, const char *name)
{
    size_t          len;
    ngx_command_t  *cmd;

    len = ngx_strlen(name);

    for (cmd = module->commands; cmd != NULL && cmd->name.len != 0; cmd++) {
        if (cmd->name.len == len
            && ngx_strncmp(cmd->name.data, name, len) == 0
            && cmd->conf == NGX_HTTP_LOC_CONF_OFFSET)
        {
            return cmd;
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_http_identity_is_set(void *conf, ngx_command_t *cmd)
{
    void  *p;

    if (conf == NULL || cmd == NULL) {
        return 0;
    }

    p = *(void **) ((char *) conf + cmd->offset);

    return (p != NULL && p != NGX_CONF_UNSET_PTR);
}
