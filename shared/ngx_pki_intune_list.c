
/*
 * Copyright (C) the ngx_pki authors
 *
 * Where Intune's services are: a list in the zone, which one worker asks Graph
 * for and all use.  It lies in a cell as a token does, for it lives the same
 * life: half of it over it is renewed, one that leads nowhere is replaced, and
 * used all the same while there is no other.
 */


#include "ngx_pki_intune_call.h"


/* of a worker to a host: a call takes a fifth of a second, or more */

#define NGX_PKI_INTUNE_CONNECTIONS  200


static ngx_int_t ngx_pki_intune_list_error(ngx_pool_t *pool,
    ngx_pki_azure_cell_view_t *view, ngx_str_t *error);
static ngx_int_t ngx_pki_intune_list_take(ngx_pki_intune_t *intune,
    ngx_pool_t *pool, ngx_str_t *error);
static const char *ngx_pki_intune_list_place(ngx_pki_intune_t *intune,
    ngx_pool_t *pool, ngx_pki_intune_place_t *place, ngx_str_t *uri);
static ngx_pki_https_peer_t *ngx_pki_intune_list_peer(
    ngx_pki_intune_t *intune, ngx_pki_url_t *url);


ngx_int_t
ngx_pki_intune_list_get(ngx_pki_intune_t *intune, ngx_pool_t *pool,
    ngx_uint_t stale, ngx_str_t *error)
{
    ngx_pki_azure_cell_view_t  view;

    ngx_memzero(&view, sizeof(ngx_pki_azure_cell_view_t));
    view.refused = stale;

    (void) ngx_pki_azure_cell_look(intune->zone, intune->cell, NULL, &view);

    switch (view.state) {

    case NGX_PKI_AZURE_CELL_TOKEN:

        if (view.renew) {
            ngx_pki_intune_discovery_start(intune, 0, 1);
        }

        if (view.generation == intune->generation) {
            return NGX_OK;
        }

        return ngx_pki_intune_list_take(intune, pool, error);

    case NGX_PKI_AZURE_CELL_ASK:
        ngx_pki_intune_discovery_start(intune, stale, 0);
        return NGX_AGAIN;

    case NGX_PKI_AZURE_CELL_WAIT:
        return NGX_AGAIN;

    default:

        if (stale != 0) {
            return ngx_pki_intune_list_get(intune, pool, 0, error);
        }

        return ngx_pki_intune_list_error(pool, &view, error);
    }
}


static ngx_int_t
ngx_pki_intune_list_error(ngx_pool_t *pool, ngx_pki_azure_cell_view_t *view,
    ngx_str_t *error)
{
    ngx_str_set(error, "out of memory");

    error->data = ngx_pnalloc(pool, sizeof("graph: ") + view->error_len);

    if (error->data != NULL) {
        error->len = ngx_sprintf(error->data, "graph: %*s", view->error_len,
                                 view->error)
                     - error->data;
        return NGX_ERROR;
    }

    ngx_str_set(error, "out of memory");

    return NGX_ERROR;
}


/* what Graph said was looked at before, by settings that may be others now */

static ngx_int_t
ngx_pki_intune_list_take(ngx_pki_intune_t *intune, ngx_pool_t *pool,
    ngx_str_t *error)
{
    u_char                     *p, *last, *end;
    ngx_str_t                   uri;
    const char                 *err;
    ngx_uint_t                  i;
    ngx_pki_azure_cell_view_t   view;

    ngx_memzero(&view, sizeof(ngx_pki_azure_cell_view_t));

    if (ngx_pki_azure_cell_look(intune->zone, intune->cell, pool, &view)
        != NGX_OK)
    {
        ngx_str_set(error, "out of memory");
        return NGX_ERROR;
    }

    intune->generation = 0;

    p = view.token.data;
    last = p + view.token.len;

    for (i = 0; i < NGX_PKI_INTUNE_SERVICES; i++) {
        end = ngx_strlchr(p, last, LF);

        if (view.state != NGX_PKI_AZURE_CELL_TOKEN || end == NULL) {
            ngx_str_set(error, "the list of services is gone");
            return NGX_ERROR;
        }

        uri.data = p;
        uri.len = end - p;

        err = ngx_pki_intune_list_place(intune, pool, &intune->places[i],
                                        &uri);
        if (err != NULL) {
            error->data = (u_char *) err;
            error->len = ngx_strlen(err);
            return NGX_ERROR;
        }

        p = end + 1;
    }

    intune->generation = view.generation;

    return NGX_OK;
}


static const char *
ngx_pki_intune_list_place(ngx_pki_intune_t *intune, ngx_pool_t *pool,
    ngx_pki_intune_place_t *place, ngx_str_t *uri)
{
    const char     *error;
    ngx_pki_url_t   url;

    place->peer = NULL;

    if (uri->len == 0) {
        return NULL;
    }

    error = ngx_pki_intune_json_uri(pool, uri, intune->hosts, &url);
    if (error != NULL) {
        return error;
    }

    place->peer = ngx_pki_intune_list_peer(intune, &url);
    if (place->peer == NULL) {
        return "no room for one more host of Intune";
    }

    place->path.data = place->buf;
    place->path.len = url.path.len;
    ngx_memcpy(place->buf, url.path.data, url.path.len);

    return NULL;
}


/* a peer is for ever, and so is its URL */

static ngx_pki_https_peer_t *
ngx_pki_intune_list_peer(ngx_pki_intune_t *intune, ngx_pki_url_t *url)
{
    ngx_str_t               text;
    ngx_uint_t              i;
    ngx_pki_intune_peer_t  *peer;

    for (i = 0; i < intune->npeers; i++) {
        peer = intune->peers[i];

        if (peer->url.text.len == url->text.len
            && ngx_memcmp(peer->url.text.data, url->text.data, url->text.len)
               == 0)
        {
            return peer->peer;
        }
    }

    if (intune->npeers == NGX_PKI_INTUNE_MAX_PEERS) {
        return NULL;
    }

    peer = ngx_pcalloc(ngx_cycle->pool, sizeof(ngx_pki_intune_peer_t));
    text.data = ngx_pstrdup(ngx_cycle->pool, &url->text);

    if (peer == NULL || text.data == NULL) {
        return NULL;
    }

    text.len = url->text.len;

    if (ngx_pki_url_parse(ngx_cycle->pool, &text, &peer->url) != NULL) {
        return NULL;
    }

    peer->peer = ngx_pki_https_peer(intune->https, &peer->url,
                                    NGX_PKI_INTUNE_CONNECTIONS, NULL);
    if (peer->peer == NULL) {
        return NULL;
    }

    intune->peers[intune->npeers++] = peer;

    return peer->peer;
}


u_char *
ngx_pki_intune_describe(ngx_pki_intune_t *intune, u_char *p, u_char *last)
{
    const char                 *text;
    ngx_pki_azure_cell_view_t   view;

    ngx_memzero(&view, sizeof(ngx_pki_azure_cell_view_t));

    (void) ngx_pki_azure_cell_look(intune->zone, intune->cell, NULL, &view);

    if (view.state == NGX_PKI_AZURE_CELL_TOKEN) {
        text = view.error_len ? "ok, but services are not found again"
                              : "ok, services are known";

    } else {
        text = view.error_len ? "services are not found"
                              : "services are not known yet";
    }

    return ngx_slprintf(p, last, "intune %V: %s%s%*s\n",
                        ngx_pki_intune_name(intune), text,
                        view.error_len ? ": " : "", view.error_len,
                        view.error);
}


void
ngx_pki_intune_list_drop(ngx_pki_intune_t *intune, ngx_uint_t generation)
{
    ngx_pki_azure_cell_view_t  view;

    ngx_memzero(&view, sizeof(ngx_pki_azure_cell_view_t));
    view.refused = generation;

    (void) ngx_pki_azure_cell_look(intune->zone, intune->cell, NULL, &view);

    if (view.state == NGX_PKI_AZURE_CELL_ASK) {
        ngx_pki_intune_discovery_start(intune, generation, 1);
    }
}
