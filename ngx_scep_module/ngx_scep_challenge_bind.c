
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_scep_challenge_bind.h"
#include "ngx_pki_name.h"
#include "ngx_pki_san.h"
#include "ngx_pki_string.h"


#define NGX_SCEP_CHALLENGE_EVENT_MAX  65536


/* a part of a template: text, or the value of a variable */

typedef struct {
    ngx_str_t                  name;
    size_t                     offset;       /* in the event */
} ngx_scep_challenge_variable_t;


static void ngx_scep_challenge_event_get(ngx_pool_t *pool, json_t *object,
    const char *name, ngx_str_t *value);
static ngx_int_t ngx_scep_challenge_expand(ngx_pool_t *pool, ngx_str_t *text,
    ngx_scep_challenge_event_t *event, ngx_str_t *out, const char **error);
static ngx_scep_challenge_variable_t *ngx_scep_challenge_variable(
    u_char **pos, u_char *last);
static ngx_int_t ngx_scep_challenge_subject(ngx_pool_t *pool,
    ngx_str_t *text, ngx_str_t *subject, const char **error);
static ngx_int_t ngx_scep_challenge_sans(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *sans, const char **error);
static ngx_int_t ngx_scep_challenge_san(ngx_pool_t *pool, ngx_str_t *text,
    ngx_array_t *sans, const char **error);
static ngx_int_t ngx_scep_challenge_bind_text(ngx_pool_t *pool,
    json_t *object, const char *name, ngx_str_t *value);


static ngx_scep_challenge_variable_t  ngx_scep_challenge_variables[] = {
    { ngx_string("serial"), offsetof(ngx_scep_challenge_event_t, serial) },
    { ngx_string("uuid"), offsetof(ngx_scep_challenge_event_t, uuid) },
    { ngx_null_string, 0 }
};


void
ngx_scep_challenge_event(ngx_pool_t *pool, ngx_str_t *body,
    ngx_scep_challenge_event_t *event)
{
    json_t      *root, *object;
    ngx_uint_t   i;

    /* Fleet, Jamf; the event of other webhooks of Jamf is the device */

    static const char  *names[] = { "device", "targetDevice", NULL };

    ngx_memzero(event, sizeof(ngx_scep_challenge_event_t));

    root = ngx_pki_json_parse(pool, body, NGX_SCEP_CHALLENGE_EVENT_MAX, NULL);
    root = json_object_get(root, "event");

    for (i = 0; i < 3; i++) {
        object = (names[i] != NULL) ? json_object_get(root, names[i]) : root;

        ngx_scep_challenge_event_get(pool, object, "serialNumber",
                                     &event->serial);
        ngx_scep_challenge_event_get(pool, object, "uuid", &event->uuid);
        ngx_scep_challenge_event_get(pool, object, "udid", &event->uuid);
    }
}


/* the first one counts */

static void
ngx_scep_challenge_event_get(ngx_pool_t *pool, json_t *object,
    const char *name, ngx_str_t *value)
{
    ngx_str_t  text;

    if (value->len == 0
        && ngx_pki_json_get(object, name, &text) == NGX_OK
        && ngx_scep_challenge_is_text(&text, NGX_PKI_CHALLENGE_MAX_TEXT))
    {
        value->data = ngx_pstrdup(pool, &text);
        value->len = (value->data != NULL) ? text.len : 0;
    }
}


ngx_int_t
ngx_scep_challenge_template_check(ngx_pool_t *pool, ngx_str_t *text,
    const char **error)
{
    ngx_str_t                   subject;
    ngx_scep_challenge_event_t  event;

    ngx_str_set(&event.serial, "x");
    ngx_str_set(&event.uuid, "x");

    return ngx_scep_challenge_template(pool, text, &event, &subject, error);
}


ngx_int_t
ngx_scep_challenge_template(ngx_pool_t *pool, ngx_str_t *text,
    ngx_scep_challenge_event_t *event, ngx_str_t *subject,
    const char **error)
{
    ngx_int_t  rc;
    ngx_str_t  name;

    rc = ngx_scep_challenge_expand(pool, text, event, &name, error);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_scep_challenge_subject(pool, &name, subject, error);
}


static ngx_int_t
ngx_scep_challenge_expand(ngx_pool_t *pool, ngx_str_t *text,
    ngx_scep_challenge_event_t *event, ngx_str_t *out, const char **error)
{
    u_char                         *p, *last, *dst;
    size_t                          max;
    ngx_str_t                      *value;
    ngx_scep_challenge_variable_t  *v;

    max = 2 * ngx_max(event->serial.len, event->uuid.len) + 1;

    dst = ngx_pnalloc(pool, text->len * max + 1);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    out->data = dst;

    last = text->data + text->len;

    for (p = text->data; p < last; /* void */) {

        if (*p != '$') {
            *dst++ = *p++;
            continue;
        }

        v = ngx_scep_challenge_variable(&p, last);

        if (v == NULL) {
            *error = "has a variable other than ${serial} and ${uuid}";
            return NGX_DECLINED;
        }

        value = (ngx_str_t *) ((u_char *) event + v->offset);

        if (value->len == 0) {
            *error = "names what the webhook does not tell of the device";
            return NGX_DECLINED;
        }

        dst = ngx_pki_name_escape(dst, value);
    }

    out->len = dst - out->data;

    return NGX_OK;
}


/* "${name}", which it moves behind; NULL: there is no such one */

static ngx_scep_challenge_variable_t *
ngx_scep_challenge_variable(u_char **pos, u_char *last)
{
    u_char                         *p;
    ngx_scep_challenge_variable_t  *v;

    p = *pos + 1;

    if (p == last || *p++ != '{') {
        return NULL;
    }

    for (v = ngx_scep_challenge_variables; v->name.len != 0; v++) {

        if ((size_t) (last - p) > v->name.len
            && ngx_memcmp(p, v->name.data, v->name.len) == 0
            && p[v->name.len] == '}')
        {
            *pos = p + v->name.len + 1;
            return v;
        }
    }

    return NULL;
}


/* there and back again: a record says each name in one way only */

static ngx_int_t
ngx_scep_challenge_subject(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *subject, const char **error)
{
    ngx_int_t    rc;
    ngx_str_t    name;
    ngx_array_t  attributes;

    rc = ngx_pki_name_encode(pool, text, &name, error);

    if (rc == NGX_OK) {
        rc = ngx_pki_name_decode(pool, &name, &attributes, error);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_pki_name_text(pool, &attributes, subject) != NGX_OK) {
        return NGX_ERROR;
    }

    if (subject->len == 0 || subject->len > NGX_PKI_CHALLENGE_MAX_TEXT) {
        *error = "is empty or too long";
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_scep_challenge_sans(ngx_pool_t *pool, ngx_str_t *text, ngx_str_t *sans,
    const char **error)
{
    u_char       *p, *last;
    ngx_int_t     rc;
    ngx_str_t     name;
    ngx_array_t   names;

    if (ngx_array_init(&names, pool, 4, sizeof(ngx_pki_san_t)) != NGX_OK) {
        return NGX_ERROR;
    }

    last = text->data + text->len;

    for (p = text->data; p < last; /* void */) {

        name.data = p;

        while (p < last && *p != ' ') {
            p++;
        }

        name.len = p++ - name.data;

        /* the comma between two of them */

        if (p < last && name.len != 0 && name.data[name.len - 1] == ',') {
            name.len--;
        }

        if (name.len == 0) {
            continue;
        }

        rc = ngx_scep_challenge_san(pool, &name, &names, error);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (ngx_pki_san_text(pool, &names, sans) != NGX_OK) {
        return NGX_ERROR;
    }

    return (sans->len != 0 && sans->len <= NGX_PKI_CHALLENGE_MAX_TEXT)
           ? NGX_OK : NGX_DECLINED;
}


/* "dns:a", or as a record has it: "DNS:a" */

static ngx_int_t
ngx_scep_challenge_san(ngx_pool_t *pool, ngx_str_t *text, ngx_array_t *sans,
    const char **error)
{
    u_char         *colon;
    ngx_str_t       lower;
    ngx_pki_san_t  *san;

    if (sans->nelts == NGX_PKI_SAN_MAX) {
        return NGX_DECLINED;
    }

    lower.len = text->len;
    lower.data = ngx_pstrdup(pool, text);

    san = ngx_array_push(sans);

    if (lower.data == NULL || san == NULL) {
        return NGX_ERROR;
    }

    colon = ngx_strlchr(lower.data, lower.data + lower.len, ':');

    if (colon != NULL) {
        ngx_strlow(lower.data, lower.data, colon - lower.data);
    }

    return ngx_pki_san_parse(pool, &lower, san, error);
}


const char *
ngx_scep_challenge_bind(ngx_pool_t *pool, json_t *object,
    ngx_pki_challenge_t *challenge)
{
    ngx_str_t    text;
    const char  *error;

    if (ngx_pki_json_get(object, "subject", &text) == NGX_OK
        && ngx_scep_challenge_subject(pool, &text, &challenge->subject,
                                      &error)
           != NGX_OK)
    {
        return "\"subject\" is no name as in RFC 4514";
    }

    if (ngx_pki_json_get(object, "sans", &text) == NGX_OK
        && ngx_scep_challenge_sans(pool, &text, &challenge->sans, &error)
           != NGX_OK)
    {
        return "\"sans\" are not names like \"dns:a, email:b@c\"";
    }

    if (ngx_scep_challenge_bind_text(pool, object, "device",
                                     &challenge->device)
        != NGX_OK)
    {
        return "\"device\" is not a line of text";
    }

    if (ngx_scep_challenge_bind_text(pool, object, "user", &challenge->user)
        != NGX_OK)
    {
        return "\"user\" is not a line of text";
    }

    return NULL;
}


static ngx_int_t
ngx_scep_challenge_bind_text(ngx_pool_t *pool, json_t *object,
    const char *name, ngx_str_t *value)
{
    ngx_str_t  text;

    if (ngx_pki_json_get(object, name, &text) != NGX_OK) {
        return NGX_OK;
    }

    if (!ngx_scep_challenge_is_text(&text, NGX_PKI_CHALLENGE_MAX_TEXT)) {
        return NGX_DECLINED;
    }

    value->len = text.len;
    value->data = ngx_pstrdup(pool, &text);

    return (value->data != NULL) ? NGX_OK : NGX_ERROR;
}


ngx_uint_t
ngx_scep_challenge_is_text(ngx_str_t *text, size_t max)
{
    return text->len != 0
           && text->len <= max
           && ngx_pki_string_length(text) != NGX_ERROR;
}
