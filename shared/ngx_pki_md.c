
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_md.h"


typedef struct {
    int                        nid;
    const char                *name;
    EVP_MD                    *md;           /* NULL: not fetched yet */
} ngx_pki_md_t;


static int ngx_pki_md_name_field(EVP_MD_CTX *ctx, ngx_str_t *field);


static ngx_pki_md_t  ngx_pki_mds[] = {
    { NID_sha1, "SHA1", NULL },
    { NID_sha256, "SHA2-256", NULL },
    { NID_sha384, "SHA2-384", NULL },
    { NID_sha512, "SHA2-512", NULL },
    { NID_undef, NULL, NULL }
};


const EVP_MD *
ngx_pki_md(int nid)
{
    ngx_pki_md_t  *m;

    for (m = ngx_pki_mds; m->name != NULL; m++) {

        if (m->nid != nid) {
            continue;
        }

        if (m->md == NULL) {
            m->md = EVP_MD_fetch(NULL, m->name, NULL);
            ERR_clear_error();
        }

        /* where it is not available its use fails */

        return (m->md != NULL) ? m->md : EVP_get_digestbynid(nid);
    }

    return NULL;
}


ngx_int_t
ngx_pki_md_digest(const EVP_MD *md, ngx_str_t *data, u_char *out,
    ngx_str_t *digest)
{
    unsigned int  len;

    if (md == NULL
        || EVP_Digest(data->data, data->len, out, &len, md, NULL) != 1)
    {
        ERR_clear_error();
        return NGX_ERROR;
    }

    digest->data = out;
    digest->len = len;

    return NGX_OK;
}


ngx_int_t
ngx_pki_md_name(ngx_pool_t *pool, ngx_str_t *a, ngx_str_t *b, ngx_str_t *c,
    ngx_str_t *name)
{
    int          rc;
    u_char       digest[NGX_PKI_MD_NAME_LEN / 2];
    EVP_MD_CTX  *ctx;

    name->len = NGX_PKI_MD_NAME_LEN;
    name->data = ngx_pnalloc(pool, name->len);

    ctx = EVP_MD_CTX_new();

    rc = name->data != NULL
         && ctx != NULL
         && EVP_DigestInit_ex(ctx, ngx_pki_md(NID_sha256), NULL) == 1
         && ngx_pki_md_name_field(ctx, a) == 1
         && ngx_pki_md_name_field(ctx, b) == 1
         && ngx_pki_md_name_field(ctx, c) == 1
         && EVP_DigestFinal_ex(ctx, digest, NULL) == 1;

    EVP_MD_CTX_free(ctx);

    if (!rc) {
        ERR_clear_error();
        return NGX_ERROR;
    }

    ngx_hex_dump(name->data, digest, sizeof(digest));

    return NGX_OK;
}


/* with its length in front, four octets, so that none runs into the next */

static int
ngx_pki_md_name_field(EVP_MD_CTX *ctx, ngx_str_t *field)
{
    u_char  len[4];

    len[0] = (u_char) (field->len >> 24);
    len[1] = (u_char) (field->len >> 16);
    len[2] = (u_char) (field->len >> 8);
    len[3] = (u_char) field->len;

    return EVP_DigestUpdate(ctx, len, sizeof(len)) == 1
           && EVP_DigestUpdate(ctx, field->data, field->len) == 1;
}
