
/*
 * Copyright (C) the ngx_pki authors
 *
 * What a profile consists of: for the files of the profile alone.
 */


#ifndef _NGX_PKI_PROFILE_RULES_H_INCLUDED_
#define _NGX_PKI_PROFILE_RULES_H_INCLUDED_


#include "ngx_pki_profile.h"
#include "ngx_pki_san.h"


/* SCEP's failInfo badRequest (RFC 8894, 3.2.1.4.4) */

#define NGX_PKI_FAIL_BAD_REQUEST  2


typedef enum {
    NGX_PKI_PROFILE_SAN_REQUESTED = 0,
    NGX_PKI_PROFILE_SAN_NONE,
    NGX_PKI_PROFILE_SAN_FIXED
} ngx_pki_profile_san_e;


typedef enum {
    NGX_PKI_PROFILE_SID_OFF = 0,
    NGX_PKI_PROFILE_SID_REQUEST
} ngx_pki_profile_sid_e;


/* keys of one kind, from "min" up to "max" bits */

typedef struct {
    ngx_pki_key_type_e         type;
    ngx_uint_t                 min;
    ngx_uint_t                 max;
} ngx_pki_profile_key_t;


/* a part of the template of a subject: text, or an attribute requested */

typedef struct {
    ngx_str_t                  text;
    ngx_str_t                  oid;          /* empty: text */
} ngx_pki_profile_part_t;


#if (NGX_PCRE)

typedef struct {
    ngx_pki_san_type_e         type;         /* of allow_san */
    ngx_regex_t               *regex;
} ngx_pki_profile_regex_t;

#endif


struct ngx_pki_profile_s {
    ngx_str_t                  name;

    time_t                     validity;
    time_t                     backdate;

    ngx_uint_t                 key_usage;    /* 0: as requested */
    ngx_array_t                extended_key_usage;
                                             /* of ngx_str_t, OIDs; none: as
                                              * requested */

    ngx_array_t                subject;      /* of ngx_pki_profile_part_t;
                                              * none: as requested */
    ngx_uint_t                 san;          /* ngx_pki_profile_san_e */
    ngx_array_t                sans;         /* of ngx_pki_san_t, FIXED */

    ngx_array_t                keys;         /* of ngx_pki_profile_key_t */
#if (NGX_PCRE)
    ngx_array_t                allow_subject;
    ngx_array_t                allow_san;    /* of ngx_pki_profile_regex_t */
#endif

    ngx_array_t                copy;         /* of ngx_str_t, OIDs */
    ngx_array_t                extensions;   /* of ngx_pki_extension_t */
    ngx_uint_t                 sid;          /* ngx_pki_profile_sid_e */
    u_char                    *tenant;       /* GUID; NULL: no extensions of
                                              * Entra */

    ngx_uint_t                 distribution_point;

    ngx_uint_t                 given;        /* directives, a bit each */
};


/* Makes a profile of this name as built in, or as "default".  NULL: memory. */
ngx_pki_profile_t *ngx_pki_profile_create(ngx_pool_t *pool, ngx_str_t *name);

/*
 * The parts of the template of a subject, and whether it makes a name.
 * NGX_DECLINED and "error", NGX_ERROR: out of memory.
 */
ngx_int_t ngx_pki_profile_compile_subject(ngx_pool_t *pool, ngx_str_t *text,
    ngx_array_t *parts, const char **error);

/* Sets t->subject and t->subject_text.  As ngx_pki_profile_apply(). */
ngx_int_t ngx_pki_profile_apply_subject(ngx_pki_profile_t *profile,
    ngx_pool_t *pool, ngx_pki_csr_t *csr, ngx_pki_template_t *t);

/* Sets t->extensions and t->sans_text.  As ngx_pki_profile_apply(). */
ngx_int_t ngx_pki_profile_apply_extensions(ngx_pki_profile_t *profile,
    ngx_pool_t *pool, ngx_pki_csr_t *csr, ngx_pki_template_t *t);

/*
 * The names that the certificate will have, into "sans" of ngx_pki_san_t;
 * "value" is what was requested, NULL: nothing.  As ngx_pki_profile_apply().
 */
ngx_int_t ngx_pki_profile_apply_sans(ngx_pki_profile_t *profile,
    ngx_pool_t *pool, ngx_str_t *value, ngx_pki_template_t *t,
    ngx_array_t *sans);

/*
 * Adds the extensions of Entra to t->extensions, if the profile has them.
 * NGX_ERROR: out of memory.
 */
ngx_int_t ngx_pki_profile_apply_entra(ngx_pki_profile_t *profile,
    ngx_pool_t *pool, ngx_pki_csr_t *csr, ngx_pki_template_t *t);

/* Whether "copy_extension" (copy set) or "extension" may name this OID. */
ngx_uint_t ngx_pki_profile_may_carry(ngx_str_t *oid, ngx_uint_t copy);

/* Whether a requested extension of this OID is copied. */
ngx_uint_t ngx_pki_profile_copies(ngx_pki_profile_t *profile, ngx_str_t *oid);

/* Whether "copy_extension" or "extension" name this OID. */
ngx_uint_t ngx_pki_profile_has(ngx_pki_profile_t *p, ngx_str_t *oid);

/* Whether "entra_extensions" writes this OID; the directive itself. */
ngx_uint_t ngx_pki_profile_is_entra(ngx_str_t *oid);
char *ngx_pki_profile_set_entra_extensions(ngx_conf_t *cf,
    ngx_pki_profile_t *p);

/* The directives that say what may be asked for; as those of nginx. */
char *ngx_pki_profile_set_allow_key(ngx_conf_t *cf, ngx_pki_profile_t *p);
char *ngx_pki_profile_set_allow_subject(ngx_conf_t *cf, ngx_pki_profile_t *p);
char *ngx_pki_profile_set_allow_san(ngx_conf_t *cf, ngx_pki_profile_t *p);

/* Logs what is wrong with a parameter; returns NGX_CONF_ERROR. */
char *ngx_pki_profile_invalid(ngx_conf_t *cf, ngx_str_t *value,
    const char *why);

/* Sets t->refusal, badRequest; returns NGX_DECLINED or NGX_ERROR (memory). */
ngx_int_t ngx_pki_profile_refuse(ngx_pool_t *pool, ngx_pki_template_t *t,
    const char *fmt, ...);


#endif /* _NGX_PKI_PROFILE_RULES_H_INCLUDED_ */
