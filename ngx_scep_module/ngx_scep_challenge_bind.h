
/*
 * Copyright (C) the ngx_pki authors
 *
 * Whom a one-time challenge is for: what people and programs of device
 * management say, in the words in which a record says it.
 */


#ifndef _NGX_SCEP_CHALLENGE_BIND_H_INCLUDED_
#define _NGX_SCEP_CHALLENGE_BIND_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_challenge.h"
#include "ngx_pki_json.h"


/* what a webhook tells of the device that it wants a challenge for; a member
 * is empty if it does not tell */

typedef struct {
    ngx_str_t                  serial;
    ngx_str_t                  uuid;
} ngx_scep_challenge_event_t;


/*
 * Reads the event of a webhook (SCEPChallenge of Jamf, Fleet and others): pure,
 * strings in "pool".  What is not understood is not told.
 */
void ngx_scep_challenge_event(ngx_pool_t *pool, ngx_str_t *body,
    ngx_scep_challenge_event_t *event);

/*
 * A subject with ${serial} and ${uuid} for those of the event: whether it is
 * one, and what it is then, as a record says it.  NGX_DECLINED and "error": it
 * is none, or the event does not tell what it names; NGX_ERROR: out of memory.
 */
ngx_int_t ngx_scep_challenge_template_check(ngx_pool_t *pool, ngx_str_t *text,
    const char **error);
ngx_int_t ngx_scep_challenge_template(ngx_pool_t *pool, ngx_str_t *text,
    ngx_scep_challenge_event_t *event, ngx_str_t *subject,
    const char **error);

/*
 * Members "subject", "sans", "device" and "user" of an object, all of them
 * strings: "CN=a,O=b", "dns:a, ip:192.0.2.1".  Pure; strings in "pool".  NULL,
 * or what is wrong (static memory).
 */
const char *ngx_scep_challenge_bind(ngx_pool_t *pool, json_t *object,
    ngx_pki_challenge_t *challenge);

/* Whether it is text of at most "max" octets and one line, not empty. */
ngx_uint_t ngx_scep_challenge_is_text(ngx_str_t *text, size_t max);


#endif /* _NGX_SCEP_CHALLENGE_BIND_H_INCLUDED_ */
