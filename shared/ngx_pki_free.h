
/*
 * Copyright (C) the ngx_pki authors
 *
 * Giving memory back.  The system takes a millisecond for some twenty
 * megabytes, in which the event loop would stand still.
 */


#ifndef _NGX_PKI_FREE_H_INCLUDED_
#define _NGX_PKI_FREE_H_INCLUDED_


#include "ngx_pki.h"


/*
 * Frees what ngx_alloc() gave, "size" octets, for good: pages of large memory a
 * few at a time before the rest, while the worker goes on.
 */
void ngx_pki_free_slowly(void *p, size_t size);


#endif /* _NGX_PKI_FREE_H_INCLUDED_ */
