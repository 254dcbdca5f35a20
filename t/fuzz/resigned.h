
/*
 * Copyright (C) the ngx_pki authors
 *
 * What an input of fuzz_scep_resigned is: switches, then fields, each behind
 * its length in two octets.  A field of length 0, or that is not there, is what
 * a well-behaved client sends; any other one takes its place as it is.  The
 * mutator changes one field at a time, mostly along the structure of its DER,
 * so that the lengths around a change are right.
 */


#ifndef _RESIGNED_H_INCLUDED_
#define _RESIGNED_H_INCLUDED_


#include "fuzz.h"
#include "ngx_pki_der.h"


#define RESIGNED_MAX_FIELD   4096
#define RESIGNED_MAX_DEPTH   12


/* one octet each */

typedef enum {
    RESIGNED_TYPE = 0,                       /* of the message */
    RESIGNED_SIGNER,                         /* kind of key and signature */
    RESIGNED_DIGEST,
    RESIGNED_CIPHER,
    RESIGNED_PADDING,                        /* of the content key */
    RESIGNED_FLAGS,
    RESIGNED_PROFILE,
    RESIGNED_ANSWER,
    RESIGNED_SWITCHES
} resigned_switch_e;


typedef enum {
    RESIGNED_ATTRIBUTES = 0,                 /* but for the first two */
    RESIGNED_SUBJECT,                        /* of the request */
    RESIGNED_REQUEST,                        /* its attributes */
    RESIGNED_PLAINTEXT,                      /* in place of a request */
    RESIGNED_EXTENSIONS,                     /* of the signer's certificate */
    RESIGNED_CERTIFICATES,                   /* before the signer's */
    RESIGNED_SIGNATURE,                      /* algorithms, from here on */
    RESIGNED_KEY,
    RESIGNED_CONTENT,
    RESIGNED_RECIPIENTS,                     /* before the authority */
    RESIGNED_UNSIGNED,                       /* attributes */
    RESIGNED_FIELDS
} resigned_field_e;


typedef struct {
    u_char                     switches[RESIGNED_SWITCHES];
    ngx_str_t                  fields[RESIGNED_FIELDS];
} resigned_t;


/* a change of one element of a field */

typedef struct {
    ngx_uint_t                 seen;         /* elements by now */
    ngx_uint_t                 chosen;       /* the one to change */
    ngx_uint_t                 how;
    uint32_t                   random;
} resigned_edit_t;


size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
    unsigned int seed);

/* what a well-behaved client sends, to begin with */
static void resigned_default(resigned_t *in, ngx_uint_t field, ngx_str_t *out);

static void resigned_read(const uint8_t *data, size_t size, resigned_t *in);
static size_t resigned_write(resigned_t *in, uint8_t *data, size_t max);
static void resigned_mutate(resigned_t *in, ngx_uint_t field,
    resigned_edit_t *edit);
static size_t resigned_walk(resigned_edit_t *edit, ngx_str_t *in, u_char *out,
    size_t room, ngx_uint_t depth);
static size_t resigned_element(resigned_edit_t *edit, ngx_uint_t tag,
    ngx_str_t *content, u_char *out, size_t room, ngx_uint_t depth);
static size_t resigned_change(resigned_edit_t *edit, ngx_uint_t tag,
    ngx_str_t *content, u_char *out, size_t room);
static ngx_uint_t resigned_is_der(ngx_uint_t tag, ngx_str_t *content);
static size_t resigned_put(u_char *out, size_t room, ngx_uint_t tag,
    u_char *data, size_t len);
static uint32_t resigned_random(resigned_edit_t *edit, uint32_t n);


/* what is behind the signature and the envelope more often */

static u_char  resigned_order[] = {
    RESIGNED_REQUEST, RESIGNED_REQUEST, RESIGNED_REQUEST, RESIGNED_REQUEST,
    RESIGNED_REQUEST, RESIGNED_REQUEST, RESIGNED_REQUEST, RESIGNED_REQUEST,
    RESIGNED_SUBJECT, RESIGNED_SUBJECT, RESIGNED_SUBJECT, RESIGNED_SUBJECT,
    RESIGNED_PLAINTEXT, RESIGNED_PLAINTEXT, RESIGNED_PLAINTEXT,
    RESIGNED_ATTRIBUTES, RESIGNED_ATTRIBUTES, RESIGNED_SIGNATURE,
    RESIGNED_SIGNATURE, RESIGNED_KEY, RESIGNED_KEY, RESIGNED_EXTENSIONS,
    RESIGNED_EXTENSIONS, RESIGNED_CERTIFICATES, RESIGNED_CONTENT,
    RESIGNED_RECIPIENTS, RESIGNED_UNSIGNED
};


static u_char  resigned_tags[] = {
    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0a, 0x0c, 0x12, 0x13, 0x14, 0x16,
    0x17, 0x18, 0x1a, 0x1c, 0x1e, 0x30, 0x31, 0x80, 0x81, 0x82, 0x84, 0x86,
    0x87, 0x88, 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0x24, 0x1f, 0x00
};


/* whole elements that mean something somewhere */

static ngx_str_t  resigned_words[] = {
    ngx_string("\x05\x00"),
    ngx_string("\x30\x00"),
    ngx_string("\x31\x00"),
    ngx_string("\x01\x01\xff"),
    ngx_string("\x02\x01\x00"),
    ngx_string("\x13\x02" "17"),
    ngx_string("\x13\x02" "19"),
    ngx_string("\x13\x02" "20"),
    ngx_string("\x13\x02" "21"),
    ngx_string("\x13\x02" "22"),
    ngx_string("\x0c\x06" "secret"),
    ngx_string("\x14\x06" "secr\xe9t"),
    ngx_string("\x1e\x0c\0s\0e\0c\0r\0e\0t"),
    ngx_string("\x06\x03\x55\x1d\x0e"),                         /* SKI */
    ngx_string("\x06\x03\x55\x1d\x0f"),                         /* KU */
    ngx_string("\x06\x03\x55\x1d\x11"),                         /* SAN */
    ngx_string("\x06\x03\x55\x1d\x13"),                         /* BC */
    ngx_string("\x06\x03\x55\x1d\x25"),                         /* EKU */
    ngx_string("\x06\x03\x55\x04\x03"),                         /* CN */
    ngx_string("\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01"),
    ngx_string("\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03"),
    ngx_string("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07"),
    ngx_string("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e"),
    ngx_string("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"),
    ngx_string("\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x0e"),
    ngx_string("\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x03"),
    ngx_string("\x06\x09\x2b\x06\x01\x04\x01\x82\x37\x19\x02"), /* SID */
    ngx_string("\x82\x0bhost.a.test"),
    ngx_string("\x86\x0ctag:a.test,1"),
    ngx_string("\x87\x04\x7f\x00\x00\x01"),
    ngx_string("\xa0\x1c\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x03\xa0"
               "\x0e\x0c\x0cuser@ad.test")                     /* UPN */
};


static void
resigned_read(const uint8_t *data, size_t size, resigned_t *in)
{
    size_t      n;
    ngx_uint_t  i;

    ngx_memzero(in, sizeof(resigned_t));

    n = ngx_min(size, RESIGNED_SWITCHES);
    ngx_memcpy(in->switches, data, n);

    data += n;
    size -= n;

    for (i = 0; i < RESIGNED_FIELDS && size >= 2; i++) {
        n = (data[0] << 8) | data[1];

        data += 2;
        size -= 2;

        n = ngx_min(n, ngx_min(size, RESIGNED_MAX_FIELD));

        in->fields[i].data = (u_char *) data;
        in->fields[i].len = n;

        data += n;
        size -= n;
    }
}


/* 0: there is not enough room */

static size_t
resigned_write(resigned_t *in, uint8_t *data, size_t max)
{
    u_char      *p;
    size_t       size;
    ngx_uint_t   i;

    size = RESIGNED_SWITCHES;

    for (i = 0; i < RESIGNED_FIELDS; i++) {
        size += 2 + in->fields[i].len;
    }

    if (size > max) {
        return 0;
    }

    p = ngx_cpymem(data, in->switches, RESIGNED_SWITCHES);

    for (i = 0; i < RESIGNED_FIELDS; i++) {
        *p++ = (u_char) (in->fields[i].len >> 8);
        *p++ = (u_char) in->fields[i].len;

        if (in->fields[i].len != 0) {
            p = ngx_cpymem(p, in->fields[i].data, in->fields[i].len);
        }
    }

    return size;
}


size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
    unsigned int seed)
{
    u_char          *copy;
    size_t           n;
    ngx_uint_t       i;
    resigned_t       in;
    resigned_edit_t  edit;

    copy = malloc(size + 1);
    if (copy == NULL) {
        abort();
    }

    ngx_memcpy(copy, data, size);
    resigned_read(copy, size, &in);

    edit.random = seed;
    i = resigned_random(&edit, RESIGNED_SWITCHES + sizeof(resigned_order));

    if (i == RESIGNED_SIGNER || i == RESIGNED_FLAGS) {
        in.switches[i] ^= 1 << resigned_random(&edit, 8);

    } else if (i < RESIGNED_SWITCHES) {
        in.switches[i] = (u_char) resigned_random(&edit, 256);

    } else {
        resigned_mutate(&in, resigned_order[i - RESIGNED_SWITCHES], &edit);
    }

    n = resigned_write(&in, data, max);

    free(copy);

    return (n != 0) ? n : LLVMFuzzerMutate(data, ngx_min(size, max), max);
}


/* the results lie in static memory until the next one */

static void
resigned_mutate(resigned_t *in, ngx_uint_t field, resigned_edit_t *edit)
{
    ngx_str_t      *f, whole;
    static u_char   from[RESIGNED_MAX_FIELD], to[RESIGNED_MAX_FIELD];

    f = &in->fields[field];
    whole = *f;

    if (whole.len == 0) {
        resigned_default(in, field, &whole);
    }

    whole.len = ngx_min(whole.len, sizeof(from));
    ngx_memcpy(from, whole.data, whole.len);

    whole.data = from;
    f->data = to;

    edit->how = resigned_random(edit, 16);

    if (edit->how == 15 || whole.len == 0) {
        ngx_memcpy(to, from, whole.len);
        f->len = LLVMFuzzerMutate(to, whole.len, sizeof(to));
        return;
    }

    /* once to count them */

    edit->seen = 0;
    edit->chosen = NGX_MAX_UINT32_VALUE;

    (void) resigned_walk(edit, &whole, to, sizeof(to), 0);

    edit->chosen = resigned_random(edit, edit->seen + 1);
    edit->seen = 0;

    f->len = resigned_walk(edit, &whole, to, sizeof(to), 0);
}


static size_t
resigned_walk(resigned_edit_t *edit, ngx_str_t *in, u_char *out, size_t room,
    ngx_uint_t depth)
{
    size_t         n, size;
    ngx_str_t      content;
    ngx_uint_t     tag;
    ngx_pki_der_t  r;

    ngx_pki_der_init(&r, in);
    n = 0;

    while (!ngx_pki_der_end(&r)) {

        if (ngx_pki_der_any(&r, &tag, &content, NULL) != NGX_OK) {
            size = ngx_min((size_t) (r.last - r.pos), room - n);
            ngx_memcpy(out + n, r.pos, size);

            return n + size;
        }

        n += resigned_element(edit, tag, &content, out + n, room - n, depth);
    }

    return n;
}


static size_t
resigned_element(resigned_edit_t *edit, ngx_uint_t tag, ngx_str_t *content,
    u_char *out, size_t room, ngx_uint_t depth)
{
    size_t  n;
    u_char  inner[RESIGNED_MAX_FIELD];

    if (edit->seen++ == edit->chosen) {
        return resigned_change(edit, tag, content, out, room);
    }

    if (depth == RESIGNED_MAX_DEPTH || !resigned_is_der(tag, content)) {
        return resigned_put(out, room, tag, content->data, content->len);
    }

    n = resigned_walk(edit, content, inner, sizeof(inner), depth + 1);

    return resigned_put(out, room, tag, inner, n);
}


static size_t
resigned_change(resigned_edit_t *edit, ngx_uint_t tag, ngx_str_t *content,
    u_char *out, size_t room)
{
    u_char      changed[RESIGNED_MAX_FIELD];
    size_t      n;
    ngx_str_t  *word;

    n = ngx_min(content->len, sizeof(changed));
    ngx_memcpy(changed, content->data, n);

    word = &resigned_words[resigned_random(edit, sizeof(resigned_words)
                                                 / sizeof(ngx_str_t))];

    switch (edit->how) {

    case 0:                                  /* left out */
        return 0;

    case 1:                                  /* twice */
        n = resigned_put(out, room, tag, content->data, content->len);
        return n + resigned_put(out + n, room - n, tag, content->data,
                                content->len);

    case 2:                                  /* of another type */
        tag = resigned_tags[resigned_random(edit, sizeof(resigned_tags))];
        return resigned_put(out, room, tag, content->data, content->len);

    case 3:                                  /* another one instead */
        n = ngx_min(word->len, room);
        ngx_memcpy(out, word->data, n);
        return n;

    case 4:                                  /* behind another one */
        n = ngx_min(word->len, room);
        ngx_memcpy(out, word->data, n);
        return n + resigned_put(out + n, room - n, tag, content->data,
                                content->len);

    case 5:                                  /* empty */
        return resigned_put(out, room, tag, content->data, 0);

    case 6:                                  /* within itself */
        n = resigned_put(changed, sizeof(changed), tag, content->data,
                         content->len);
        return resigned_put(out, room, tag, changed, n);

    case 7:                                  /* with a wrong length */
        n = resigned_put(out, room, tag, content->data, content->len);

        if (n > 1) {
            out[1] ^= 1 << resigned_random(edit, 8);
        }

        return n;

    default:                                 /* as libFuzzer likes it */
        n = LLVMFuzzerMutate(changed, n, sizeof(changed) / 2);
        return resigned_put(out, room, tag, changed, n);
    }
}


/* an OCTET STRING may hold DER, too */

static ngx_uint_t
resigned_is_der(ngx_uint_t tag, ngx_str_t *content)
{
    ngx_str_t      inner;
    ngx_uint_t     type;
    ngx_pki_der_t  r;

    if (tag & 0x20) {
        return 1;
    }

    if (tag != NGX_PKI_DER_OCTET_STRING || content->len < 2) {
        return 0;
    }

    ngx_pki_der_init(&r, content);

    return ngx_pki_der_any(&r, &type, &inner, NULL) == NGX_OK
           && ngx_pki_der_end(&r);
}


/* 0: there is not enough room */

static size_t
resigned_put(u_char *out, size_t room, ngx_uint_t tag, u_char *data,
    size_t len)
{
    u_char   head[8], *p;
    size_t   n;

    p = ngx_pki_der_prepend(head + sizeof(head), tag, len);
    n = head + sizeof(head) - p;

    if (n + len > room) {
        return 0;
    }

    ngx_memcpy(out, p, n);
    ngx_memmove(out + n, data, len);

    return n + len;
}


static uint32_t
resigned_random(resigned_edit_t *edit, uint32_t n)
{
    edit->random = edit->random * 1664525 + 1013904223;

    return (edit->random >> 8) % n;
}


#endif /* _RESIGNED_H_INCLUDED_ */
