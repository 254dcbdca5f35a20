
/*
 * Copyright (C) the ngx_pki authors
 *
 * The directives of SCEP, REST enrolment and the Certificate Master.
 */


#include "ngx_http_scep_ca.h"
#include "ngx_http_scep_vouch.h"
#include "ngx_http_challenge_scope.h"


#define NGX_HTTP_SCEP_PENDING      512
#define NGX_HTTP_SCEP_MAX_PENDING  65536


static char *ngx_http_scep(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_http_scep_challenge(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_scep_device(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_scep_max_pending(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_scep_response_cipher(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_scep_legacy(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static void *ngx_http_scep_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_scep_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_scep_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_scep_merge_master(ngx_conf_t *cf,
    ngx_http_scep_loc_conf_t *prev, ngx_http_scep_loc_conf_t *conf);
static char *ngx_http_scep_merge(ngx_conf_t *cf,
    ngx_http_scep_loc_conf_t *prev, ngx_http_scep_loc_conf_t *conf);
static void ngx_http_scep_inherit(ngx_conf_t *cf,
    ngx_http_scep_loc_conf_t *prev, ngx_http_scep_loc_conf_t *conf);
static ngx_int_t ngx_http_scep_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_scep_init_thread_pool(ngx_conf_t *cf,
    ngx_http_scep_main_conf_t *smcf);


static ngx_conf_enum_t  ngx_http_scep_response_ciphers[] = {
    { ngx_string("aes-256-cbc"), NGX_SCEP_AES_256_CBC },
    { ngx_string("aes-128-cbc"), NGX_SCEP_AES_128_CBC },
    { ngx_string("des-ede3-cbc"), NGX_SCEP_DES_EDE3_CBC },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_scep_device_rules[] = {
    { ngx_string("off"), NGX_PKI_DEVICE_OFF },
    { ngx_string("intune"), NGX_PKI_DEVICE_INTUNE },
    { ngx_string("jamf"), NGX_PKI_DEVICE_JAMF },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_scep_commands[] = {

    { ngx_string("scep"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_scep,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("scep_profile"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_scep_loc_conf_t, profile_name),
      NULL },

    { ngx_string("scep_challenge"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_scep_challenge,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("scep_renewal"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_scep_renewal_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("scep_approval"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_scep_approval_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("scep_device"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_scep_device,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("scep_max_pending"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_scep_max_pending,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("scep_response_cipher"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_scep_response_cipher,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("scep_legacy"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_scep_legacy,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("scep_challenge_issue"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_challenge_issue,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_scep_loc_conf_t, issue),
      NULL },

    { ngx_string("enroll"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_enroll,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_scep_loc_conf_t, enroll),
      NULL },

    { ngx_string("enroll_profile"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_enroll_profile,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_scep_loc_conf_t, enroll),
      NULL },

    { ngx_string("enroll_auth"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_enroll_auth,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_scep_loc_conf_t, enroll),
      NULL },

    { ngx_string("certificate_master"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_certificate_master,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_scep_loc_conf_t, master),
      NULL },

    { ngx_string("certificate_master_user"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_scep_loc_conf_t, master.user),
      NULL },

    { ngx_string("certificate_master_roles"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_scep_loc_conf_t, master.roles),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_scep_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_scep_postconfiguration,       /* postconfiguration */

    ngx_http_scep_create_main_conf,        /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_scep_create_loc_conf,         /* create location configuration */
    ngx_http_scep_merge_loc_conf           /* merge location configuration */
};


ngx_module_t  ngx_http_scep_module = {
    NGX_MODULE_V1,
    &ngx_http_scep_module_ctx,             /* module context */
    ngx_http_scep_commands,                /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static char *
ngx_http_scep(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_scep_loc_conf_t *slcf = conf;

    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *clcf;

    if (slcf->authority_name.len != 0) {
        return "is duplicate";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler != NULL) {
        return "conflicts with another handler of this location";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        return "needs the name of an authority";
    }

    clcf->handler = ngx_http_scep_handler;

    slcf->authority_name = value[1];
    slcf->file = cf->conf_file->file.name.data;
    slcf->line = cf->conf_file->line;

    return NGX_CONF_OK;
}


static char *
ngx_http_scep_challenge(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_scep_loc_conf_t *slcf = conf;

    ngx_str_t                *value;
    ngx_uint_t                i;
    ngx_scep_challenge_t     *challenge;
    ngx_http_scep_voucher_t  *voucher;

    value = cf->args->elts;
    voucher = NULL;

    for (i = 0; i < NGX_SCEP_VOUCHERS; i++) {
        voucher = ngx_http_scep_voucher(i);

        if (ngx_scep_str_eq(&voucher->name, &value[1])) {
            break;
        }
    }

    if (i == NGX_SCEP_VOUCHERS) {
        return ngx_scep_challenge_add(cf, &slcf->challenge);
    }

    if (slcf->challenge == NULL) {
        slcf->challenge = ngx_scep_challenge_create(cf);

        if (slcf->challenge == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    challenge = slcf->challenge;

    if (challenge->none) {
        return "\"none\" cannot be combined with another challenge";
    }

    if (challenge->vouchers[i] != NULL) {
        return "is duplicate";
    }

    challenge->asks = 1;

    return voucher->set(cf, &challenge->vouchers[i]);
}


static char *
ngx_http_scep_device(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_scep_loc_conf_t *slcf = conf;

    ngx_str_t        *value;
    ngx_conf_enum_t  *rule;

    if (slcf->device_rule != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (rule = ngx_http_scep_device_rules; rule->name.len != 0; rule++) {
        if (ngx_scep_str_eq(&rule->name, &value[1])) {
            slcf->device_rule = rule->value;
            return NGX_CONF_OK;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid rule \"%V\" in \"%V\", it must be \"off\", "
                       "\"intune\" or \"jamf\"", &value[1], &value[0]);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_scep_max_pending(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_scep_loc_conf_t *slcf = conf;

    ngx_int_t   n;
    ngx_str_t  *value;

    if (slcf->max_pending != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;
    n = ngx_atoi(value[1].data, value[1].len);

    if (n < 1 || n > NGX_HTTP_SCEP_MAX_PENDING) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number \"%V\" in \"%V\", it must be "
                           "1 to %d", &value[1], &value[0],
                           NGX_HTTP_SCEP_MAX_PENDING);
        return NGX_CONF_ERROR;
    }

    slcf->max_pending = n;

    return NGX_CONF_OK;
}


static char *
ngx_http_scep_response_cipher(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_scep_loc_conf_t *slcf = conf;

    ngx_str_t        *value;
    ngx_conf_enum_t  *cipher;

    if (slcf->response_cipher != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (cipher = ngx_http_scep_response_ciphers; cipher->name.len != 0;
         cipher++)
    {
        if (ngx_scep_str_eq(&cipher->name, &value[1])) {
            slcf->response_cipher = cipher->value;
            return NGX_CONF_OK;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid cipher \"%V\" in \"%V\", it must be "
                       "\"aes-256-cbc\", \"aes-128-cbc\" or "
                       "\"des-ede3-cbc\"", &value[1], &value[0]);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_scep_legacy(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_scep_loc_conf_t *slcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i, bit;

    if (slcf->legacy != 0) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_pki_str_eq(&value[i], "des")) {
            bit = NGX_HTTP_SCEP_LEGACY_DES;

        } else if (ngx_pki_str_eq(&value[i], "md5")) {
            bit = NGX_HTTP_SCEP_LEGACY_MD5;

        } else {
            bit = 0;
        }

        if (bit == 0 || (slcf->legacy & bit)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in \"%V\", it takes "
                               "\"des\" and \"md5\", each once",
                               &value[i], &value[0]);
            return NGX_CONF_ERROR;
        }

        slcf->legacy |= bit;
    }

    return NGX_CONF_OK;
}


static void *
ngx_http_scep_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_scep_main_conf_t  *smcf;

    smcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_scep_main_conf_t));
    if (smcf == NULL) {
        return NULL;
    }

    ngx_queue_init(&smcf->passwords);

    return smcf;
}


static void *
ngx_http_scep_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_scep_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_scep_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->authority_name = { 0, NULL };
     *     conf->authority = NULL;
     *     conf->profile_name = { 0, NULL };
     *     conf->profile = NULL;
     *     conf->challenge = NULL;
     *     conf->legacy = 0;
     */

    conf->max_pending = NGX_CONF_UNSET;
    conf->response_cipher = NGX_CONF_UNSET_UINT;
    conf->device_rule = NGX_CONF_UNSET_UINT;

    ngx_http_scep_policy_init(&conf->policy);
    ngx_http_enroll_init_conf(&conf->enroll);
    ngx_http_certificate_master_init_conf(&conf->master);

    return conf;
}


static char *
ngx_http_scep_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_scep_loc_conf_t *prev = parent;
    ngx_http_scep_loc_conf_t *conf = child;

    char  *rv;

    rv = ngx_http_scep_merge(cf, prev, conf);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    rv = ngx_http_challenge_issue_merge_conf(cf, &prev->issue, &conf->issue,
                                             &conf->profile_name);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    rv = ngx_http_enroll_merge_conf(cf, &prev->enroll, &conf->enroll);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_scep_merge_master(cf, prev, conf);
}


/* it makes challenges, too */

static char *
ngx_http_scep_merge_master(ngx_conf_t *cf, ngx_http_scep_loc_conf_t *prev,
    ngx_http_scep_loc_conf_t *conf)
{
    char                  *rv;
    ngx_uint_t             i;
    ngx_pki_authority_t  **a;

    rv = ngx_http_certificate_master_merge_conf(cf, &prev->master,
                                                &conf->master);

    if (rv != NGX_CONF_OK || !conf->master.here) {
        return rv;
    }

    a = conf->master.authorities->elts;

    for (i = 0; i < conf->master.authorities->nelts; i++) {
        if (ngx_http_challenge_scope_made(cf, a[i], NULL, 0) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_scep_merge(ngx_conf_t *cf, ngx_http_scep_loc_conf_t *prev,
    ngx_http_scep_loc_conf_t *conf)
{
    ngx_conf_merge_str_value(conf->profile_name, prev->profile_name,
                             "default");
    ngx_conf_merge_value(conf->max_pending, prev->max_pending,
                         NGX_HTTP_SCEP_PENDING);
    ngx_conf_merge_uint_value(conf->response_cipher, prev->response_cipher,
                              NGX_SCEP_CIPHERS);
    ngx_conf_merge_uint_value(conf->device_rule, prev->device_rule,
                              NGX_PKI_DEVICE_OFF);

    ngx_http_scep_policy_merge(&prev->policy, &conf->policy);

    if (conf->legacy == 0) {
        conf->legacy = prev->legacy;
    }

    if (conf->challenge == NULL) {
        conf->challenge = prev->challenge;
    }

    ngx_http_scep_inherit(cf, prev, conf);

    if (conf->authority_name.len == 0) {
        return NGX_CONF_OK;
    }

    return ngx_http_scep_enable(cf, conf);
}


/* "limit_except" and "if" within a location are part of it. */

static void
ngx_http_scep_inherit(ngx_conf_t *cf, ngx_http_scep_loc_conf_t *prev,
    ngx_http_scep_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->noname
        && clcf->handler == NULL
        && prev->authority_name.len != 0)
    {
        clcf->handler = ngx_http_scep_handler;

        conf->authority_name = prev->authority_name;
        conf->file = prev->file;
        conf->line = prev->line;
    }
}


static ngx_int_t
ngx_http_scep_postconfiguration(ngx_conf_t *cf)
{
    const char                 *error;
    ngx_http_scep_main_conf_t  *smcf;

    ngx_http_challenge_scope_check(cf);

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_scep_module);

    if (!smcf->enabled) {
        return NGX_OK;
    }

    if (ngx_scep_digests_init(cf->pool, &smcf->digests,
                              smcf->legacy & NGX_HTTP_SCEP_LEGACY_MD5, &error)
        != NGX_OK
        || ngx_scep_ciphers_init(cf->pool, &smcf->ciphers,
                                 smcf->legacy & NGX_HTTP_SCEP_LEGACY_DES,
                                 &error)
           != NGX_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"scep\" needs what OpenSSL does not give: %s", error);
        return NGX_ERROR;
    }

    if (RAND_priv_bytes(smcf->secret, sizeof(smcf->secret)) != 1) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0, "RAND_priv_bytes() failed");
        return NGX_ERROR;
    }

    return ngx_http_scep_init_thread_pool(cf, smcf);
}


/* for the passwords of clients whose keys cannot decrypt */

static ngx_int_t
ngx_http_scep_init_thread_pool(ngx_conf_t *cf,
    ngx_http_scep_main_conf_t *smcf)
{
#if (NGX_THREADS)
    ngx_http_pki_main_conf_t  *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_pki_module);

    smcf->thread_pool = (pmcf->thread_pool != NULL)
                        ? pmcf->thread_pool : ngx_thread_pool_add(cf, NULL);

    if (smcf->thread_pool == NULL) {
        return NGX_ERROR;
    }
#endif

    return NGX_OK;
}
