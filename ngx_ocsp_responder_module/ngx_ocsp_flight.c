
/*
 * Copyright (C) the ngx_pki authors
 */


#include "ngx_ocsp_flight.h"

#include <signal.h>


/* in the zone, zeroed at first, guarded by its lock */

typedef struct {
    uint64_t                   tag;
    ngx_msec_t                 deadline;     /* monotonic */
    ngx_pid_t                  pid;          /* 0: free */
} ngx_ocsp_flight_t;


static ngx_ocsp_flight_t *ngx_ocsp_flight_table(ngx_pki_zone_t *zone);
static ngx_ocsp_flight_t *ngx_ocsp_flight_find(ngx_ocsp_flight_t *table,
    uint64_t tag);
static ngx_ocsp_flight_t *ngx_ocsp_flight_free(ngx_ocsp_flight_t *table);
static ngx_uint_t ngx_ocsp_flight_is_over(ngx_ocsp_flight_t *flight);
static ngx_pid_t ngx_ocsp_flight_dead(ngx_pki_zone_t *zone,
    ngx_ocsp_flight_t *table, uint64_t tag);


ngx_int_t
ngx_ocsp_flight_prepare(ngx_pki_zone_t *zone)
{
    return (ngx_ocsp_flight_table(zone) != NULL) ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_ocsp_flight_begin(ngx_pki_zone_t *zone, uint64_t tag, ngx_msec_t lease)
{
    ngx_int_t           rc;
    ngx_pid_t           dead;
    ngx_ocsp_flight_t  *table, *flight;

    table = ngx_ocsp_flight_table(zone);
    if (table == NULL) {
        return NGX_DECLINED;
    }

    dead = ngx_ocsp_flight_dead(zone, table, tag);
    rc = NGX_OK;

    ngx_pki_zone_lock(zone);

    flight = ngx_ocsp_flight_find(table, tag);

    if (flight == NULL) {
        flight = ngx_ocsp_flight_free(table);
        rc = (flight == NULL) ? NGX_DECLINED : NGX_OK;

    } else if (flight->pid != dead && !ngx_ocsp_flight_is_over(flight)) {
        rc = NGX_BUSY;
    }

    if (rc == NGX_OK) {
        flight->tag = tag;
        flight->pid = ngx_pid;
        flight->deadline = ngx_current_msec + lease;
    }

    ngx_pki_zone_unlock(zone);

    return rc;
}


void
ngx_ocsp_flight_end(ngx_pki_zone_t *zone, uint64_t tag)
{
    ngx_ocsp_flight_t  *table, *flight;

    table = ngx_ocsp_flight_table(zone);
    if (table == NULL) {
        return;
    }

    ngx_pki_zone_lock(zone);

    flight = ngx_ocsp_flight_find(table, tag);

    if (flight != NULL && flight->pid == ngx_pid) {
        flight->pid = 0;
    }

    ngx_pki_zone_unlock(zone);
}


static ngx_ocsp_flight_t *
ngx_ocsp_flight_table(ngx_pki_zone_t *zone)
{
    ngx_str_t  name;

    ngx_str_set(&name, "ocsp flights");

    return ngx_pki_zone_cell(zone, &name,
                             NGX_OCSP_FLIGHTS * sizeof(ngx_ocsp_flight_t));
}


static ngx_ocsp_flight_t *
ngx_ocsp_flight_find(ngx_ocsp_flight_t *table, uint64_t tag)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_OCSP_FLIGHTS; i++) {
        if (table[i].pid != 0 && table[i].tag == tag) {
            return &table[i];
        }
    }

    return NULL;
}


static ngx_ocsp_flight_t *
ngx_ocsp_flight_free(ngx_ocsp_flight_t *table)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_OCSP_FLIGHTS; i++) {
        if (table[i].pid == 0 || ngx_ocsp_flight_is_over(&table[i])) {
            return &table[i];
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_ocsp_flight_is_over(ngx_ocsp_flight_t *flight)
{
    return (ngx_msec_int_t) (flight->deadline - ngx_current_msec) <= 0;
}


/*
 * The process that has the flight, if it is dead; 0: nobody has it, or lives.
 * Asked outside the lock; whether it still has it is seen inside.
 */

static ngx_pid_t
ngx_ocsp_flight_dead(ngx_pki_zone_t *zone, ngx_ocsp_flight_t *table,
    uint64_t tag)
{
    ngx_pid_t           pid;
    ngx_ocsp_flight_t  *flight;

    ngx_pki_zone_lock(zone);

    flight = ngx_ocsp_flight_find(table, tag);
    pid = (flight != NULL) ? flight->pid : 0;

    ngx_pki_zone_unlock(zone);

    if (pid != 0 && pid != ngx_pid
        && kill(pid, 0) == -1 && ngx_errno == NGX_ESRCH)
    {
        return pid;
    }

    return 0;
}
