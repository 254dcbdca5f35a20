
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_pki_md.h"


typedef struct {
    int                        nid;
    const char                *name;
    EVP_MD                    *md;           /* NULL: not fetched yet */
} ngx_pki_md_t;


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
