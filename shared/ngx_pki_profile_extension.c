
/*
 * Copyright (C) the ngx_pki authors
 *
 * The extensions: what is requested is looked through, then those of the
 * certificate are written in an order that does not change.
 */


#include "ngx_pki_profile_rules.h"
#include "ngx_pki_oid.h"
#include "ngx_pki_sid.h"
#include "ngx_pki_usage.h"


#define NGX_PKI_PROFILE_MAX_USAGES         32

#define NGX_PKI_PROFILE_OID_SKI            "\x55\x1d\x0e"
#define NGX_PKI_PROFILE_OID_KEY_USAGE      "\x55\x1d\x0f"
#define NGX_PKI_PROFILE_OID_SAN            "\x55\x1d\x11"
#define NGX_PKI_PROFILE_OID_CONSTRAINTS    "\x55\x1d\x13"
#define NGX_PKI_PROFILE_OID_EXT_KEY_USAGE  "\x55\x1d\x25"
#define NGX_PKI_PROFILE_OID_SID                                              \
    "\x2b\x06\x01\x04\x01\x82\x37\x19\x02"


/* what a certificate will say, gathered before it is written */

typedef struct {
    ngx_pki_profile_t         *profile;
    ngx_pool_t                *pool;
    ngx_pki_csr_t             *csr;
    ngx_pki_template_t        *t;

    ngx_uint_t                 key_usage;            /* 0: not requested */
    ngx_array_t                extended_key_usage;   /* of ngx_str_t */
    ngx_str_t                 *san;                  /* requested */
    ngx_array_t                sans;                 /* of ngx_pki_san_t */
    ngx_str_t                  sid;                  /* requested, allowed */
} ngx_pki_profile_ctx_t;


typedef struct {
    ngx_str_t                  oid;
    ngx_int_t                (*handler)(ngx_pki_profile_ctx_t *ctx,
                                        ngx_str_t *value);
} ngx_pki_profile_request_t;


typedef struct {
    ngx_str_t                  oid;
    ngx_uint_t                 configured;   /* "extension" may name it */
} ngx_pki_profile_forbidden_t;


static ngx_int_t ngx_pki_profile_inspect(ngx_pki_profile_ctx_t *ctx);
static ngx_int_t ngx_pki_profile_inspect_extension(ngx_pki_profile_ctx_t *ctx,
    ngx_pki_extension_t *e);
static ngx_int_t ngx_pki_profile_request_constraints(
    ngx_pki_profile_ctx_t *ctx, ngx_str_t *value);
static ngx_int_t ngx_pki_profile_request_key_usage(ngx_pki_profile_ctx_t *ctx,
    ngx_str_t *value);
static ngx_int_t ngx_pki_profile_request_extended(ngx_pki_profile_ctx_t *ctx,
    ngx_str_t *value);
static ngx_int_t ngx_pki_profile_request_usage(ngx_pki_profile_ctx_t *ctx,
    ngx_str_t *oid);
static ngx_int_t ngx_pki_profile_request_san(ngx_pki_profile_ctx_t *ctx,
    ngx_str_t *value);
static ngx_int_t ngx_pki_profile_request_sid(ngx_pki_profile_ctx_t *ctx,
    ngx_str_t *value);
static ngx_int_t ngx_pki_profile_settle_usages(ngx_pki_profile_ctx_t *ctx);
static ngx_int_t ngx_pki_profile_write(ngx_pki_profile_ctx_t *ctx);
static ngx_int_t ngx_pki_profile_write_san(ngx_pki_profile_ctx_t *ctx,
    ngx_pki_der_writer_t *w);
static void ngx_pki_profile_write_key_usage(ngx_pki_profile_ctx_t *ctx,
    ngx_pki_der_writer_t *w);
static void ngx_pki_profile_write_extended(ngx_pki_profile_ctx_t *ctx,
    ngx_pki_der_writer_t *w);
static void ngx_pki_profile_write_others(ngx_pki_profile_ctx_t *ctx,
    ngx_pki_der_writer_t *w);
static void ngx_pki_profile_write_extension(ngx_pki_der_writer_t *w,
    ngx_str_t *oid, ngx_uint_t critical, ngx_str_t *value);
static ngx_str_t *ngx_pki_profile_oid(ngx_pki_profile_ctx_t *ctx,
    ngx_str_t *oid, ngx_str_t *text);


static ngx_pki_profile_request_t  ngx_pki_profile_requests[] = {

    { ngx_string(NGX_PKI_PROFILE_OID_CONSTRAINTS),
      ngx_pki_profile_request_constraints },

    { ngx_string(NGX_PKI_PROFILE_OID_KEY_USAGE),
      ngx_pki_profile_request_key_usage },

    { ngx_string(NGX_PKI_PROFILE_OID_EXT_KEY_USAGE),
      ngx_pki_profile_request_extended },

    { ngx_string(NGX_PKI_PROFILE_OID_SAN), ngx_pki_profile_request_san },

    { ngx_string(NGX_PKI_PROFILE_OID_SID), ngx_pki_profile_request_sid },

    /* the authority computes it itself */
    { ngx_string(NGX_PKI_PROFILE_OID_SKI), NULL },

    { ngx_null_string, NULL }
};


/*
 * What no client may bring along: what the authority and the other directives
 * write, what makes an authority, and the old and foreign ways to say so.
 */

static ngx_pki_profile_forbidden_t  ngx_pki_profile_forbidden[] = {

    /* subjectKeyIdentifier, keyUsage, subjectAltName, issuerAltName */
    { ngx_string(NGX_PKI_PROFILE_OID_SKI), 0 },
    { ngx_string(NGX_PKI_PROFILE_OID_KEY_USAGE), 0 },
    { ngx_string(NGX_PKI_PROFILE_OID_SAN), 0 },
    { ngx_string("\x55\x1d\x12"), 0 },

    /* basicConstraints, nameConstraints, cRLDistributionPoints */
    { ngx_string(NGX_PKI_PROFILE_OID_CONSTRAINTS), 0 },
    { ngx_string("\x55\x1d\x1e"), 0 },
    { ngx_string("\x55\x1d\x1f"), 0 },

    /* certificatePolicies, policyMappings, policyConstraints */
    { ngx_string("\x55\x1d\x20"), 1 },
    { ngx_string("\x55\x1d\x21"), 0 },
    { ngx_string("\x55\x1d\x24"), 0 },

    /* authorityKeyIdentifier, extKeyUsage, freshestCRL, inhibitAnyPolicy */
    { ngx_string("\x55\x1d\x23"), 0 },
    { ngx_string(NGX_PKI_PROFILE_OID_EXT_KEY_USAGE), 0 },
    { ngx_string("\x55\x1d\x2e"), 0 },
    { ngx_string("\x55\x1d\x36"), 0 },

    /* authorityInfoAccess, proxyCertInfo, ocsp-nocheck */
    { ngx_string("\x2b\x06\x01\x05\x05\x07\x01\x01"), 0 },
    { ngx_string("\x2b\x06\x01\x05\x05\x07\x01\x0e"), 0 },
    { ngx_string("\x2b\x06\x01\x05\x05\x07\x30\x01\x05"), 0 },

    /* Netscape's certificate type */
    { ngx_string("\x60\x86\x48\x01\x86\xf8\x42\x01\x01"), 0 },

    /* Microsoft's security identifier, and application policies, which
     * Windows reads as extended key usages, their mappings and constraints */
    { ngx_string(NGX_PKI_PROFILE_OID_SID), 0 },
    { ngx_string("\x2b\x06\x01\x04\x01\x82\x37\x15\x0a"), 1 },
    { ngx_string("\x2b\x06\x01\x04\x01\x82\x37\x15\x0b"), 0 },
    { ngx_string("\x2b\x06\x01\x04\x01\x82\x37\x15\x0c"), 0 },

    { ngx_null_string, 0 }
};


ngx_int_t
ngx_pki_profile_apply_extensions(ngx_pki_profile_t *profile, ngx_pool_t *pool,
    ngx_pki_csr_t *csr, ngx_pki_template_t *t)
{
    ngx_int_t              rc;
    ngx_pki_profile_ctx_t  ctx;

    ngx_memzero(&ctx, sizeof(ngx_pki_profile_ctx_t));

    ctx.profile = profile;
    ctx.pool = pool;
    ctx.csr = csr;
    ctx.t = t;

    if (ngx_array_init(&ctx.extended_key_usage, pool, 2, sizeof(ngx_str_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_pki_profile_inspect(&ctx);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_pki_profile_settle_usages(&ctx);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_pki_profile_apply_sans(profile, pool, ctx.san, t, &ctx.sans);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ctx.sid.len != 0 && csr->names_only && !t->sid_named) {
        ngx_str_null(&ctx.sid);
        ngx_str_null(&t->sid);
        t->sid_dropped = 1;
    }

    if (t->subject_text.len == 0 && ctx.sans.nelts == 0) {
        return ngx_pki_profile_refuse(pool, t, "the request has neither a "
                                      "subject nor a subject alternative "
                                      "name that is allowed");
    }

    return ngx_pki_profile_write(&ctx);
}


ngx_uint_t
ngx_pki_profile_may_carry(ngx_str_t *oid, ngx_uint_t copy)
{
    ngx_pki_profile_forbidden_t  *f;

    for (f = ngx_pki_profile_forbidden; f->oid.len != 0; f++) {

        if (f->oid.len == oid->len
            && ngx_memcmp(f->oid.data, oid->data, oid->len) == 0)
        {
            return f->configured && !copy;
        }
    }

    return 1;
}


ngx_uint_t
ngx_pki_profile_copies(ngx_pki_profile_t *profile, ngx_str_t *oid)
{
    ngx_str_t   *copy;
    ngx_uint_t   i;

    copy = profile->copy.elts;

    for (i = 0; i < profile->copy.nelts; i++) {

        if (copy[i].len == oid->len
            && ngx_memcmp(copy[i].data, oid->data, oid->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_pki_profile_inspect(ngx_pki_profile_ctx_t *ctx)
{
    ngx_int_t             rc;
    ngx_uint_t            i;
    ngx_pki_extension_t  *e;

    e = ctx->csr->extensions.elts;

    for (i = 0; i < ctx->csr->extensions.nelts; i++) {

        rc = ngx_pki_profile_inspect_extension(ctx, &e[i]);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_pki_profile_inspect_extension(ngx_pki_profile_ctx_t *ctx,
    ngx_pki_extension_t *e)
{
    ngx_str_t                   content, text;
    ngx_uint_t                  tag;
    ngx_pki_der_t               der;
    ngx_pki_profile_request_t  *r;

    for (r = ngx_pki_profile_requests; r->oid.len != 0; r++) {

        if (r->oid.len != e->oid.len
            || ngx_memcmp(r->oid.data, e->oid.data, e->oid.len) != 0)
        {
            continue;
        }

        return r->handler ? r->handler(ctx, &e->value) : NGX_OK;
    }

    if (ngx_pki_profile_copies(ctx->profile, &e->oid)) {

        ngx_pki_der_init(&der, &e->value);

        if (ngx_pki_der_any(&der, &tag, &content, NULL) == NGX_OK
            && ngx_pki_der_end(&der))
        {
            return NGX_OK;
        }

        return ngx_pki_profile_refuse(ctx->pool, ctx->t, "the requested "
                                      "extension %V is malformed",
                                      ngx_pki_profile_oid(ctx, &e->oid,
                                                          &text));
    }

    if (e->critical) {
        return ngx_pki_profile_refuse(ctx->pool, ctx->t, "the request has a "
                                      "critical extension %V that is not "
                                      "known",
                                      ngx_pki_profile_oid(ctx, &e->oid,
                                                          &text));
    }

    return NGX_OK;
}


/* certmonger sends CA:FALSE, critical */

static ngx_int_t
ngx_pki_profile_request_constraints(ngx_pki_profile_ctx_t *ctx,
    ngx_str_t *value)
{
    ngx_uint_t     ca;
    ngx_pki_der_t  der, constraints;

    ca = 0;

    ngx_pki_der_init(&der, value);

    if (ngx_pki_der_enter(&der, NGX_PKI_DER_SEQUENCE, &constraints) != NGX_OK
        || !ngx_pki_der_end(&der)
        || (ngx_pki_der_peek(&constraints) == NGX_PKI_DER_BOOLEAN
            && ngx_pki_der_get_boolean(&constraints, &ca) != NGX_OK)
        || (!ca && !ngx_pki_der_end(&constraints)))
    {
        return ngx_pki_profile_refuse(ctx->pool, ctx->t, "the requested basic "
                                      "constraints are malformed");
    }

    if (ca) {
        return ngx_pki_profile_refuse(ctx->pool, ctx->t, "the request is for "
                                      "the certificate of an authority "
                                      "(CA:TRUE)");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_pki_profile_request_key_usage(ngx_pki_profile_ctx_t *ctx, ngx_str_t *value)
{
    ngx_uint_t  bits;

    if (ctx->profile->key_usage != 0) {
        return NGX_OK;
    }

    if (ngx_pki_usage_decode(value, &bits) != NGX_OK) {
        return ngx_pki_profile_refuse(ctx->pool, ctx->t, "the requested key "
                                      "usage is malformed");
    }

    if (bits & ~NGX_PKI_USAGE_SAFE) {
        return ngx_pki_profile_refuse(ctx->pool, ctx->t, "the request asks "
                                      "for the key usage keyCertSign, cRLSign,"
                                      " encipherOnly or decipherOnly");
    }

    ctx->key_usage = bits;

    return NGX_OK;
}


static ngx_int_t
ngx_pki_profile_request_extended(ngx_pki_profile_ctx_t *ctx, ngx_str_t *value)
{
    ngx_int_t      rc;
    ngx_str_t      oid;
    ngx_pki_der_t  der, usages;

    if (ctx->profile->extended_key_usage.nelts != 0) {
        return NGX_OK;
    }

    ngx_pki_der_init(&der, value);

    if (ngx_pki_der_enter(&der, NGX_PKI_DER_SEQUENCE, &usages) != NGX_OK
        || !ngx_pki_der_end(&der))
    {
        goto malformed;
    }

    while (!ngx_pki_der_end(&usages)) {

        if (ngx_pki_der_get(&usages, NGX_PKI_DER_OID, &oid) != NGX_OK
            || ctx->extended_key_usage.nelts == NGX_PKI_PROFILE_MAX_USAGES)
        {
            goto malformed;
        }

        rc = ngx_pki_profile_request_usage(ctx, &oid);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;

malformed:

    return ngx_pki_profile_refuse(ctx->pool, ctx->t, "the requested extended "
                                  "key usage is malformed");
}


static ngx_int_t
ngx_pki_profile_request_usage(ngx_pki_profile_ctx_t *ctx, ngx_str_t *oid)
{
    ngx_str_t        *usage, text;
    ngx_pki_usage_t  *known;

    known = ngx_pki_usage_by_oid(oid);

    if (known == NULL || known->policy != NGX_PKI_USAGE_REQUESTED) {
        return ngx_pki_profile_refuse(ctx->pool, ctx->t, "the request asks "
                                      "for the extended key usage %V",
                                      known != NULL
                                      ? &known->name
                                      : ngx_pki_profile_oid(ctx, oid, &text));
    }

    usage = ngx_array_push(&ctx->extended_key_usage);
    if (usage == NULL) {
        return NGX_ERROR;
    }

    *usage = *oid;

    return NGX_OK;
}


static ngx_int_t
ngx_pki_profile_request_san(ngx_pki_profile_ctx_t *ctx, ngx_str_t *value)
{
    ctx->san = value;

    return NGX_OK;
}


/* who chooses it is whoever the domain controller takes him for */

static ngx_int_t
ngx_pki_profile_request_sid(ngx_pki_profile_ctx_t *ctx, ngx_str_t *value)
{
    if (ctx->profile->sid == NGX_PKI_PROFILE_SID_OFF) {
        ctx->t->sid_dropped = 1;
        return NGX_OK;
    }

    if (ngx_pki_sid_extension(value, &ctx->t->sid) != NGX_OK) {
        return ngx_pki_profile_refuse(ctx->pool, ctx->t, "the requested "
                                      "security identifier is malformed");
    }

    ctx->sid = *value;

    return NGX_OK;
}


/* the usages are those of the profile, or requested, or a device's */

static ngx_int_t
ngx_pki_profile_settle_usages(ngx_pki_profile_ctx_t *ctx)
{
    ngx_str_t          *usage;
    ngx_pki_profile_t  *profile;

    static ngx_str_t    client = ngx_string("clientAuth");

    profile = ctx->profile;

    if (profile->key_usage != 0) {
        ctx->key_usage = profile->key_usage;

    } else if (ctx->key_usage == 0) {
        ctx->key_usage = NGX_PKI_USAGE_DIGITAL_SIGNATURE
                         |NGX_PKI_USAGE_KEY_ENCIPHERMENT;
    }

    ctx->key_usage &= ngx_pki_usage_of_key(ctx->csr->key.type);

    if (ctx->key_usage == 0) {
        return ngx_pki_profile_refuse(ctx->pool, ctx->t, "a key of this kind "
                                      "has none of the key usages wanted");
    }

    if (profile->extended_key_usage.nelts != 0) {
        ctx->extended_key_usage = profile->extended_key_usage;

    } else if (ctx->extended_key_usage.nelts == 0) {

        usage = ngx_array_push(&ctx->extended_key_usage);
        if (usage == NULL) {
            return NGX_ERROR;
        }

        *usage = ngx_pki_usage_by_name(&client)->oid;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_pki_profile_write(ngx_pki_profile_ctx_t *ctx)
{
    ngx_pki_der_writer_t  w;

    if (ngx_pki_der_writer_init(&w, ctx->pool, 512) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_pki_profile_write_key_usage(ctx, &w);
    ngx_pki_profile_write_extended(ctx, &w);

    if (ngx_pki_profile_write_san(ctx, &w) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_pki_profile_write_others(ctx, &w);

    return ngx_pki_der_finish(&w, &ctx->t->extensions);
}


/* critical where it is the only name (RFC 5280, 4.2.1.6) */

static ngx_int_t
ngx_pki_profile_write_san(ngx_pki_profile_ctx_t *ctx, ngx_pki_der_writer_t *w)
{
    ngx_str_t  value, oid = ngx_string(NGX_PKI_PROFILE_OID_SAN);

    if (ngx_pki_san_text(ctx->pool, &ctx->sans, &ctx->t->sans_text) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx->sans.nelts == 0) {
        return NGX_OK;
    }

    if (ngx_pki_san_encode(ctx->pool, &ctx->sans, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_pki_profile_write_extension(w, &oid, ctx->t->subject_text.len == 0,
                                    &value);

    return NGX_OK;
}


static void
ngx_pki_profile_write_key_usage(ngx_pki_profile_ctx_t *ctx,
    ngx_pki_der_writer_t *w)
{
    u_char     bits[4];
    ngx_str_t  value, oid = ngx_string(NGX_PKI_PROFILE_OID_KEY_USAGE);

    value.data = bits;
    value.len = ngx_pki_usage_encode(bits, ctx->key_usage) - bits;

    ngx_pki_profile_write_extension(w, &oid, 1, &value);
}


static void
ngx_pki_profile_write_extended(ngx_pki_profile_ctx_t *ctx,
    ngx_pki_der_writer_t *w)
{
    size_t       extension, octets, usages;
    ngx_str_t   *usage, oid = ngx_string(NGX_PKI_PROFILE_OID_EXT_KEY_USAGE);
    ngx_uint_t   i;

    extension = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);
    ngx_pki_der_put(w, NGX_PKI_DER_OID, &oid);

    octets = ngx_pki_der_begin(w, NGX_PKI_DER_OCTET_STRING);
    usages = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);

    usage = ctx->extended_key_usage.elts;

    for (i = 0; i < ctx->extended_key_usage.nelts; i++) {
        ngx_pki_der_put(w, NGX_PKI_DER_OID, &usage[i]);
    }

    ngx_pki_der_close(w, usages);
    ngx_pki_der_close(w, octets);
    ngx_pki_der_close(w, extension);
}


/* those of the profile, then those that it lets through */

static void
ngx_pki_profile_write_others(ngx_pki_profile_ctx_t *ctx,
    ngx_pki_der_writer_t *w)
{
    ngx_str_t             oid = ngx_string(NGX_PKI_PROFILE_OID_SID);
    ngx_uint_t            i;
    ngx_pki_extension_t  *e;

    e = ctx->profile->extensions.elts;

    for (i = 0; i < ctx->profile->extensions.nelts; i++) {
        ngx_pki_profile_write_extension(w, &e[i].oid, e[i].critical,
                                        &e[i].value);
    }

    e = ctx->csr->extensions.elts;

    for (i = 0; i < ctx->csr->extensions.nelts; i++) {

        if (ngx_pki_profile_copies(ctx->profile, &e[i].oid)) {
            ngx_pki_profile_write_extension(w, &e[i].oid, e[i].critical,
                                            &e[i].value);
        }
    }

    if (ctx->sid.len != 0) {
        ngx_pki_profile_write_extension(w, &oid, 0, &ctx->sid);
    }
}


static void
ngx_pki_profile_write_extension(ngx_pki_der_writer_t *w, ngx_str_t *oid,
    ngx_uint_t critical, ngx_str_t *value)
{
    size_t  extension;

    extension = ngx_pki_der_begin(w, NGX_PKI_DER_SEQUENCE);

    ngx_pki_der_put(w, NGX_PKI_DER_OID, oid);

    if (critical) {
        ngx_pki_der_put_boolean(w, 1);
    }

    ngx_pki_der_put(w, NGX_PKI_DER_OCTET_STRING, value);
    ngx_pki_der_close(w, extension);
}


/* for messages */

static ngx_str_t *
ngx_pki_profile_oid(ngx_pki_profile_ctx_t *ctx, ngx_str_t *oid,
    ngx_str_t *text)
{
    if (ngx_pki_oid_text(ctx->pool, oid, text) != NGX_OK) {
        ngx_str_set(text, "with a malformed OID");
    }

    return text;
}
