
/*
 * Copyright (C) the ngx_pki authors
 *
 * Whom a one-time challenge is for: the event of a webhook, and members of a
 * call.  What comes out is one line, and says the same when it is read again.
 */


#include "fuzz.h"
#include "ngx_scep_challenge_bind.h"


static void fuzz_event(ngx_pool_t *pool, ngx_str_t *text);
static void fuzz_template(ngx_pool_t *pool, ngx_str_t *text);
static void fuzz_members(ngx_pool_t *pool, ngx_str_t *text);
static ngx_uint_t fuzz_differ(ngx_str_t *one, ngx_str_t *two);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t    text;
    ngx_pool_t  *pool;

    pool = fuzz_pool();

    text.data = fuzz_copy(pool, data, size);
    text.len = size;

    fuzz_event(pool, &text);
    fuzz_template(pool, &text);
    fuzz_members(pool, &text);

    fuzz_done(pool);

    return 0;
}


/* what an event tells stays within its attribute */

static void
fuzz_event(ngx_pool_t *pool, ngx_str_t *text)
{
    ngx_str_t                    bind, subject;
    const char                  *error;
    ngx_scep_challenge_event_t   event;

    ngx_scep_challenge_event(pool, text, &event);

    ngx_str_set(&bind, "CN=${serial},OU=${uuid},O=Contoso");

    if (ngx_scep_challenge_template(pool, &bind, &event, &subject, &error)
        != NGX_OK)
    {
        return;
    }

    if (event.serial.len == 0
        || event.uuid.len == 0
        || subject.len < sizeof("CN=,OU=,O=Contoso") - 1
        || ngx_memcmp(subject.data + subject.len - 10, ",O=Contoso", 10) != 0
        || !ngx_scep_challenge_is_text(&subject, NGX_PKI_CHALLENGE_MAX_TEXT))
    {
        abort();
    }
}


static void
fuzz_template(ngx_pool_t *pool, ngx_str_t *text)
{
    ngx_str_t                    subject;
    const char                  *error;
    ngx_scep_challenge_event_t   event;

    ngx_str_set(&event.serial, "C02,O=x");
    ngx_str_set(&event.uuid, " #\"");

    if (ngx_scep_challenge_template_check(pool, text, &error) == NGX_OK) {
        (void) ngx_scep_challenge_template(pool, text, &event, &subject,
                                           &error);
    }
}


static void
fuzz_members(ngx_pool_t *pool, ngx_str_t *text)
{
    json_t               *object;
    ngx_pki_challenge_t   challenge, again;

    object = ngx_pki_json_parse(pool, text, 65536, NULL);

    ngx_memzero(&challenge, sizeof(ngx_pki_challenge_t));
    ngx_memzero(&again, sizeof(ngx_pki_challenge_t));

    if (object == NULL
        || !json_is_object(object)
        || ngx_scep_challenge_bind(pool, object, &challenge) != NULL)
    {
        return;
    }

    object = ngx_pki_json_own(pool, json_object());

    if (object == NULL
        || (challenge.subject.len != 0
            && ngx_pki_json_set(object, "subject", &challenge.subject)
               != NGX_OK)
        || (challenge.sans.len != 0
            && ngx_pki_json_set(object, "sans", &challenge.sans) != NGX_OK))
    {
        abort();
    }

    if (ngx_scep_challenge_bind(pool, object, &again) != NULL
        || fuzz_differ(&again.subject, &challenge.subject)
        || fuzz_differ(&again.sans, &challenge.sans))
    {
        abort();
    }
}


static ngx_uint_t
fuzz_differ(ngx_str_t *one, ngx_str_t *two)
{
    return one->len != two->len
           || (one->len != 0 && ngx_memcmp(one->data, two->data, one->len));
}
