
/*
 * Copyright (C) the ngx_pki authors
 *
 * Single flight: of all workers that want the same signature of a key that is
 * slow or far away, one makes it; and no more than some are on their way.
 */


#ifndef _NGX_OCSP_FLIGHT_H_INCLUDED_
#define _NGX_OCSP_FLIGHT_H_INCLUDED_


#include "ngx_pki.h"
#include "ngx_pki_zone.h"


#define NGX_OCSP_FLIGHTS  256


/*
 * Makes room in the zone, in a worker, once before the first flight.
 * NGX_ERROR: there is none.
 */
ngx_int_t ngx_ocsp_flight_prepare(ngx_pki_zone_t *zone);

/*
 * NGX_OK: the caller makes what "tag" stands for and then ends the flight;
 * after "lease" milliseconds, or when it is dead, somebody else may.
 * NGX_BUSY: somebody does, here or in another worker.  NGX_DECLINED: as many
 * as are possible are on their way, try later.
 */
ngx_int_t ngx_ocsp_flight_begin(ngx_pki_zone_t *zone, uint64_t tag,
    ngx_msec_t lease);

/* Ends a flight of this worker; one that somebody took over stays. */
void ngx_ocsp_flight_end(ngx_pki_zone_t *zone, uint64_t tag);


#endif /* _NGX_OCSP_FLIGHT_H_INCLUDED_ */
