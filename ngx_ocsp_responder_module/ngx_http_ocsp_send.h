
/*
 * Copyright (C) the ngx_pki authors
 */


#ifndef _NGX_HTTP_OCSP_SEND_H_INCLUDED_
#define _NGX_HTTP_OCSP_SEND_H_INCLUDED_


#include "ngx_http_ocsp_responder_module.h"


/*
 * Sends what has become of an answer: a response, or an error.  Both return
 * what to finalize the request with.
 */
ngx_int_t ngx_http_ocsp_send(ngx_http_request_t *r, ngx_ocsp_answer_t *answer);

ngx_int_t ngx_http_ocsp_error(ngx_http_request_t *r,
    ngx_ocsp_response_status_e status);


#endif /* _NGX_HTTP_OCSP_SEND_H_INCLUDED_ */
