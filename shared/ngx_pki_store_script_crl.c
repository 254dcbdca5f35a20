
/*
 * Copyright (C) the ngx_pki authors
 *
 * The scripts of CRLs, see ngx_pki_store_script.c.
 */


#include "ngx_pki_store_script.h"


/*
 * KEYS: crl:<list> ca restoring  ARGV: "size" and the names of other fields
 *
 * What lies there in one piece is as large as it is, whoever has put it there.
 * The number of the last change follows, and whether a node restores what
 * Redis has lost.
 */

static const char  ngx_pki_script_crl_meta[] =
    "local meta = redis.call('HMGET', KEYS[1], unpack(ARGV))\n"
    "local size = redis.call('HSTRLEN', KEYS[1], 'der')\n"
    "if size ~= 0 then meta[1] = size end\n"
    "meta[#ARGV + 1] = redis.call('HGET', KEYS[2], 'seq') or '0'\n"
    "meta[#ARGV + 2] = tostring(redis.call('EXISTS', KEYS[3]))\n"
    "return meta\n";


/*
 * KEYS: revoked:0 or released
 * ARGV: serial "<time> <reason>" seq serial ...
 *
 * Of what an older version or a script has put there the number may not be
 * known.  What has not expired by the clock of Redis stays, for the caller's
 * may be ahead; the answer is 0 then.
 */

static const char  ngx_pki_script_crl_prune[] =
    "local now = tonumber(redis.call('TIME')[1])\n"
    "local all = 1\n"
    "for i = 1, #ARGV, 3 do\n"
    "  local is = redis.call('HGET', KEYS[1], ARGV[i])\n"
    "  if is then\n"
    "    local what, na, n = string.match(is,\n"
    "                                     '^(%d+ %d+) ?(%d*) ?(%d*)$')\n"
    "    if not string.find(is, '^%d+ 8 ')\n"
    "       and (tonumber(na) or 0) >= now then\n"
    "      all = 0\n"
    "    elseif what == ARGV[i + 1]\n"
    "       and (n == '' or n == '0' or n == ARGV[i + 2]) then\n"
    "      redis.call('HDEL', KEYS[1], ARGV[i])\n"
    "    end\n"
    "  end\n"
    "end\n"
    "return all\n";


/*
 * KEYS: lock:crl[-shards] crl:<list> crl:<list>:<number>
 * ARGV: token number part <octets> seconds
 *
 * What is never published goes by itself; what is must not be touched again,
 * by whoever was late.
 */

static const char  ngx_pki_script_crl_put[] =
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end\n"
    "local last = redis.call('HGET', KEYS[2], 'number') or '0'\n"
    "if tonumber(last) >= tonumber(ARGV[2]) then return 0 end\n"
    "redis.call('HSET', KEYS[3], ARGV[3], ARGV[4])\n"
    "redis.call('EXPIRE', KEYS[3], ARGV[5])\n"
    "return 1\n";


/*
 * KEYS: ca lock:crl[-shards] crl:<list> log crl:<list>:<old>
 *       crl:<list>:<number> restoring [crl:<other>]
 * ARGV: token number old this_update next_update seq applied at list seconds
 *       parts "size" <size> [base_number <number> ...] ["der" <der>]
 *
 * The number must be higher than any before.  Full and delta CRL share one
 * sequence, the same number is for those issued together (RFC 5280, 5.2.3).
 * A base of deltas that somebody has taken away must not come back.
 * A Redis that is behind what its caller has applied has lost changes, and
 * what other nodes are restoring the CRL may lack.
 *
 * "seq" is the last change that the CRL has; if nothing has happened since it
 * was made, the entry that tells of it is no news for it either.  The answer
 * is that number, or -1.
 */

static const char  ngx_pki_script_crl_publish[] =
    "if redis.call('GET', KEYS[2]) ~= ARGV[1] then return -1 end\n"
    "if redis.call('EXISTS', KEYS[7]) == 1 then return -1 end\n"
    "local number = tonumber(ARGV[2])\n"
    "local last = redis.call('HGET', KEYS[3], 'number') or '0'\n"
    "if last ~= ARGV[3] or tonumber(last) >= number then return -1 end\n"
    "if KEYS[8] then\n"
    "  local other = redis.call('HMGET', KEYS[8], 'number', 'this_update')\n"
    "  local than = tonumber(other[1]) or 0\n"
    "  if than > number or (than == number and other[2] ~= ARGV[4]) then\n"
    "    return -1\n"
    "  end\n"
    "end\n"
    "if ARGV[14] == 'base_number' and ARGV[15] ~= ARGV[2] then\n"
    "  local known = redis.call('HMGET', KEYS[3], 'base_number',\n"
    "                           'mark_number')\n"
    "  if ARGV[15] ~= known[1] and ARGV[15] ~= known[2] then return -1 end\n"
    "end\n"
    "local now = redis.call('HGET', KEYS[1], 'seq') or 0\n"
    "if tonumber(now) < tonumber(ARGV[7]) then return -1 end\n"
    "local parts = tonumber(ARGV[11])\n"
    "if parts ~= 0 then\n"
    "  for i = parts, redis.call('HLEN', KEYS[6]) - 1 do\n"
    "    redis.call('HDEL', KEYS[6], i)\n"
    "  end\n"
    "  local size = 0\n"
    "  for i = 0, parts - 1 do\n"
    "    size = size + redis.call('HSTRLEN', KEYS[6], i)\n"
    "  end\n"
    "  if size ~= tonumber(ARGV[13]) then return -1 end\n"
    "  redis.call('PERSIST', KEYS[6])\n"
    "end\n"
    "redis.call('EXPIRE', KEYS[5], ARGV[10])\n"
    "local n = redis.call('HINCRBY', KEYS[1], 'seq', 1)\n"
    "local seq = tonumber(ARGV[6])\n"
    "if n == seq + 1 then seq = n end\n"
    "redis.call('HDEL', KEYS[3], 'der')\n"
    "redis.call('HSET', KEYS[3], 'number', ARGV[2], 'seq', seq,\n"
    "           'this_update', ARGV[4], 'next_update', ARGV[5],\n"
    "           unpack(ARGV, 12))\n"
    "redis.call(" NGX_PKI_LOG_ADD
    "           't', 'crl', 'l', ARGV[9], 'at', ARGV[8],\n"
    "           'number', ARGV[2], 'seq', seq,\n"
    "           'tu', ARGV[4], 'nu', ARGV[5])\n"
    "return seq\n";


/* in the order of ngx_pki_script_e, from NGX_PKI_SCRIPT_CRL_META on */

ngx_pki_redis_script_t  ngx_pki_store_crl_scripts[] = {
    ngx_pki_script(ngx_pki_script_crl_meta),
    ngx_pki_script(ngx_pki_script_crl_prune),
    ngx_pki_script(ngx_pki_script_crl_put),
    ngx_pki_script(ngx_pki_script_crl_publish)
};
