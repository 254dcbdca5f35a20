
/*
 * Copyright (C) the ngx_pki authors
 *
 * The scripts.  Each is atomic; a change of status takes its number, changes
 * the record and what is derived from it, and appends to the log.  They name
 * every key in KEYS, take the time from the caller, and work with Redis 5 to 7.
 */


#include "ngx_pki_store_job.h"


/* the log is trimmed to about so many entries */

#define NGX_PKI_LOG_ADD                                                      \
    "'XADD', KEYS[4], 'MAXLEN', '~', 100000, '*', 'n', n,"


/*
 * An entry of a CRL: whatever its record says, it must not be one that makes
 * the whole CRL impossible.
 */

#define NGX_PKI_CRL_ENTRY                                                    \
    "local function time(s)\n"                                               \
    "  if s and string.find(s, '^[1-9]%d*$')\n"                              \
    "     and tonumber(s) <= 253402300799 then return s end\n"               \
    "  return '0'\n"                                                         \
    "end\n"                                                                  \
    "local function entry(at, reason, not_after, n)\n"                       \
    "  return string.format('%s %s %s %.0f', at, reason, not_after, n)\n"    \
    "end\n"


#define ngx_pki_script(text)  { ngx_string(text), { 0 } }


/*
 * What is decided is kept as long again, for the client to hear of it; what is
 * rejected for a day at most: nobody may fill Redis with that.
 */

#define NGX_PKI_PENDING_DECIDE                                               \
    "local function decide(key, all, id, state, ...)\n"                      \
    "  redis.call('HSET', key, 'state', state, ...)\n"                       \
    "  local ttl = tonumber(redis.call('HGET', key, 'ttl')) or 86400\n"      \
    "  if state == 'rejected' then ttl = math.min(ttl, 86400) end\n"         \
    "  redis.call('EXPIRE', key, ttl)\n"                                     \
    "  redis.call('ZREM', all, id)\n"                                        \
    "end\n"


/*
 * KEYS: ca cert:<serial> issued log expires
 *       [txn:<key> [pending:<id> pending | cert:<renewed>]]
 * ARGV: serial issued_at not_after ttl id by "der" <der> name value ...
 *
 * The same certificate again is what a lost connection leads to.  Whatever is
 * found is written anew, so that waiting for replicas covers the record, too,
 * which an earlier attempt may have left behind.
 * A request is approved by its certificate, so that there is never one without
 * the other, whoever else decides meanwhile; the one that waits now may not be
 * the one that was read.  Nor does a renewal overtake a revocation.
 */

static const char  ngx_pki_script_add[] =
    NGX_PKI_PENDING_DECIDE
    "local function approve(serial)\n"
    "  if KEYS[8] then\n"
    "    decide(KEYS[7], KEYS[8], ARGV[5], 'approved', 'serial', serial,\n"
    "           'decided_at', ARGV[2], 'decided_by', ARGV[6])\n"
    "  end\n"
    "end\n"
    "if redis.call('EXISTS', KEYS[2]) == 1 then\n"
    "  if redis.call('HGET', KEYS[2], 'der') == ARGV[8] then\n"
    "    redis.call('HSET', KEYS[2], 'der', ARGV[8])\n"
    "    return {'same', ARGV[1]}\n"
    "  end\n"
    "  return {'conflict', ARGV[1]}\n"
    "end\n"
    "if KEYS[8] then\n"
    "  local is = redis.call('HMGET', KEYS[7], 'state', 'serial', 'key')\n"
    "  if is[3] ~= string.sub(KEYS[6], -64) then\n"
    "    return {'decided', ARGV[1]}\n"
    "  end\n"
    "  if is[1] == 'approved' then\n"
    "    redis.call('HSET', KEYS[7], 'key', is[3])\n"
    "    return {'exists', is[2]}\n"
    "  end\n"
    "  if is[1] ~= 'pending' then return {'decided', ARGV[1]} end\n"
    "elseif KEYS[7] then\n"
    "  if redis.call('HGET', KEYS[7], 'status') ~= 'good' then\n"
    "    return {'revoked', ARGV[1]}\n"
    "  end\n"
    "end\n"
    "if KEYS[6] then\n"
    "  local serial = redis.call('GET', KEYS[6])\n"
    "  if serial then\n"
    "    local ttl = redis.call('PTTL', KEYS[6])\n"
    "    if ttl > 0 then redis.call('PEXPIRE', KEYS[6], ttl) end\n"
    "    approve(serial)\n"
    "    return {'exists', serial}\n"
    "  end\n"
    "  redis.call('SET', KEYS[6], ARGV[1], 'EX', ARGV[4])\n"
    "end\n"
    "approve(ARGV[1])\n"
    "local n = redis.call('HINCRBY', KEYS[1], 'seq', 1)\n"
    "redis.call('HSET', KEYS[2], unpack(ARGV, 7))\n"
    "redis.call('HSET', KEYS[2], 'version', n)\n"
    "redis.call('ZADD', KEYS[3], ARGV[2], ARGV[1])\n"
    "redis.call('ZADD', KEYS[5], ARGV[3], ARGV[1])\n"
    "redis.call(" NGX_PKI_LOG_ADD
    "           't', 'issued', 's', ARGV[1], 'st', 'good',\n"
    "           'at', ARGV[2], 'r', 0, 'na', ARGV[3])\n"
    "return {'ok', n}\n";


/* KEYS: txn:<key> */

static const char  ngx_pki_script_find[] =
    "local serial = redis.call('GET', KEYS[1])\n"
    "if serial then\n"
    "  local ttl = redis.call('PTTL', KEYS[1])\n"
    "  if ttl > 0 then redis.call('PEXPIRE', KEYS[1], ttl) end\n"
    "end\n"
    "return serial\n";


/*
 * KEYS: ca cert:<serial> revoked:0 log released
 * ARGV: serial reason at by
 */

static const char  ngx_pki_script_revoke[] =
    NGX_PKI_CRL_ENTRY
    "local was = redis.call('HMGET', KEYS[2], 'status', 'not_after')\n"
    "local hold = ARGV[2] == '6'\n"
    "if not was[1] then return {'none'} end\n"
    "if was[1] == 'revoked' or (was[1] == 'hold' and hold) then\n"
    "  return {'conflict', redis.call('HGETALL', KEYS[2])}\n"
    "end\n"
    "local status = hold and 'hold' or 'revoked'\n"
    "local not_after = time(was[2])\n"
    "redis.call('HDEL', KEYS[5], ARGV[1])\n"
    "local n = redis.call('HINCRBY', KEYS[1], 'seq', 1)\n"
    "redis.call('HSET', KEYS[3], ARGV[1],\n"
    "           entry(ARGV[3], ARGV[2], not_after, n))\n"
    "redis.call('HSET', KEYS[2], 'status', status, 'revoked_at', ARGV[3],\n"
    "           'reason', ARGV[2], 'revoked_by', ARGV[4], 'version', n)\n"
    "redis.call(" NGX_PKI_LOG_ADD
    "           't', hold and 'held' or 'revoked',\n"
    "           's', ARGV[1], 'st', status,\n"
    "           'at', ARGV[3], 'r', ARGV[2], 'na', not_after)\n"
    "return {'ok', redis.call('HGETALL', KEYS[2])}\n";


/*
 * KEYS: ca cert:<serial> revoked:0 log released
 * ARGV: serial at
 *
 * Delta CRLs tell of a release (RFC 5280, 5.2.4), so it is kept for them.
 */

static const char  ngx_pki_script_release[] =
    NGX_PKI_CRL_ENTRY
    "local was = redis.call('HMGET', KEYS[2], 'status', 'not_after')\n"
    "if not was[1] then return {'none'} end\n"
    "if was[1] ~= 'hold' then\n"
    "  return {'conflict', redis.call('HGETALL', KEYS[2])}\n"
    "end\n"
    "local not_after = time(was[2])\n"
    "local n = redis.call('HINCRBY', KEYS[1], 'seq', 1)\n"
    "redis.call('HSET', KEYS[5], ARGV[1],\n"
    "           entry(ARGV[2], '8', not_after, n))\n"
    "redis.call('HDEL', KEYS[3], ARGV[1])\n"
    "redis.call('HDEL', KEYS[2], 'revoked_at', 'reason', 'revoked_by')\n"
    "redis.call('HSET', KEYS[2], 'status', 'good', 'version', n)\n"
    "redis.call(" NGX_PKI_LOG_ADD
    "           't', 'released', 's', ARGV[1], 'st', 'good',\n"
    "           'at', ARGV[2], 'r', 0, 'na', not_after)\n"
    "return {'ok', redis.call('HGETALL', KEYS[2])}\n";


/*
 * KEYS: ca cert:<serial> revoked:0 log released restoring
 * ARGV: serial reason at by version not_after restoring
 *
 * Sets again what was so by the change "version".  A hold may have been
 * released by a later one.  If the record is gone, too, CRLs have it at least;
 * if only the list of CRLs has lost it, it gets what the record says, unless
 * it has expired: then it has left.  No node publishes a CRL until all of them
 * have been silent for a while; "restoring" is 0 where that is in vain.
 */

static const char  ngx_pki_script_restore[] =
    NGX_PKI_CRL_ENTRY
    "if ARGV[7] == '1' and redis.call('PTTL', KEYS[6]) < 2000 then\n"
    "  redis.call('SET', KEYS[6], '1', 'PX', 3000)\n"
    "end\n"
    "local is = redis.call('HMGET', KEYS[2], 'status', 'not_after',\n"
    "                      'version', 'revoked_at', 'reason')\n"
    "local listed = redis.call('HGET', KEYS[3], ARGV[1])\n"
    "local hold = ARGV[2] == '6'\n"
    "local word = is[1] and 'ok' or 'none'\n"
    "local known, at, reason = tonumber(is[3]), ARGV[3], ARGV[2]\n"
    "if not is[1] then\n"
    "  local freed = redis.call('HGET', KEYS[5], ARGV[1])\n"
    "  if listed and (hold or not string.find(listed, '^%d+ 6')) then\n"
    "    return word\n"
    "  end\n"
    "  known = freed and tonumber(string.match(freed, '%d+$'))\n"
    "end\n"
    "local not_after = time(is[1] and is[2] or ARGV[6])\n"
    "if is[1] == 'revoked' or (is[1] == 'hold' and hold) then\n"
    "  local now = tonumber(redis.call('TIME')[1])\n"
    "  if listed or not (is[4] and is[5])\n"
    "     or (not_after ~= '0' and tonumber(not_after) < now) then\n"
    "    return 'conflict'\n"
    "  end\n"
    "  hold = is[1] == 'hold'\n"
    "  at, reason = is[4], is[5]\n"
    "elseif hold and known and known > tonumber(ARGV[5]) then\n"
    "  return 'conflict'\n"
    "end\n"
    "local status = hold and 'hold' or 'revoked'\n"
    "redis.call('HDEL', KEYS[5], ARGV[1])\n"
    "local n = redis.call('HINCRBY', KEYS[1], 'seq', 1)\n"
    "redis.call('HSET', KEYS[3], ARGV[1], entry(at, reason, not_after, n))\n"
    "if is[1] then\n"
    "  redis.call('HSET', KEYS[2], 'status', status, 'revoked_at', at,\n"
    "             'reason', reason, 'version', n)\n"
    "  if is[1] ~= status then\n"
    "    redis.call('HSET', KEYS[2], 'revoked_by', ARGV[4])\n"
    "  end\n"
    "end\n"
    "redis.call(" NGX_PKI_LOG_ADD
    "           't', hold and 'held' or 'revoked',\n"
    "           's', ARGV[1], 'st', status,\n"
    "           'at', at, 'r', reason, 'na', not_after)\n"
    "return word\n";


/* KEYS: ca cert:<serial> */

static const char  ngx_pki_script_status[] =
    "local s = redis.call('HMGET', KEYS[2], 'status', 'reason',\n"
    "                     'revoked_at', 'not_after', 'version')\n"
    "s[6] = redis.call('HGET', KEYS[1], 'seq') or '0'\n"
    "return s\n";


/*
 * KEYS: ca issued cert:<serial> ...
 *
 * As of one moment: the number of the last change, how many certificates there
 * are, and of each serial what the script above says, but for that number.  A
 * key that is no record must not hide the others.
 */

static const char  ngx_pki_script_statuses[] =
    "local s = {redis.call('HGET', KEYS[1], 'seq') or '0',\n"
    "           redis.call('ZCARD', KEYS[2])}\n"
    "for i = 3, #KEYS do\n"
    "  s[i] = redis.pcall('HMGET', KEYS[i], 'status', 'reason',\n"
    "                     'revoked_at', 'not_after', 'version')\n"
    "  if s[i].err then s[i] = {'', false, false, false, false} end\n"
    "end\n"
    "return s\n";


/*
 * KEYS: issued
 * ARGV: how many more than one, [score serial] of the last one shown
 *
 * Where the page begins is found by halving, so that neither the number of
 * certificates nor many of one second make it slow.
 */

#define NGX_PKI_PAGE                                                         \
    "local first = 0\n"                                                      \
    "if ARGV[2] then\n"                                                      \
    "  first = redis.call('ZCOUNT', KEYS[1], '(' .. ARGV[2], '+inf')\n"      \
    "  local last = first\n"                                                 \
    "               + redis.call('ZCOUNT', KEYS[1], ARGV[2], ARGV[2])\n"     \
    "  while first < last do\n"                                              \
    "    local mid = math.floor((first + last) / 2)\n"                       \
    "    if redis.call('ZREVRANGE', KEYS[1], mid, mid)[1] < ARGV[3] then\n"  \
    "      last = mid\n"                                                     \
    "    else\n"                                                             \
    "      first = mid + 1\n"                                                \
    "    end\n"                                                              \
    "  end\n"                                                                \
    "end\n"                                                                  \
    "return redis.call('ZREVRANGE', KEYS[1], first, first + ARGV[1],\n"      \
    "                  'WITHSCORES')\n"

static const char  ngx_pki_script_page[] = NGX_PKI_PAGE;


/* KEYS: cert:<serial> ...  ARGV: the names of the fields */

static const char  ngx_pki_script_records[] =
    "local records = {}\n"
    "for i = 1, #KEYS do\n"
    "  records[i] = redis.call('HMGET', KEYS[i], unpack(ARGV))\n"
    "end\n"
    "return records\n";


/*
 * KEYS: ca  ARGV: <der> key shards
 *
 * Without a certificate it only asks.  A name for the key, which certificates
 * registered by an older version lack, may come later.  Of shards the most
 * count: certificates that name them may be out.
 */

static const char  ngx_pki_script_register[] =
    "local has = redis.call('HGET', KEYS[1], 'certificate')\n"
    "local shards = redis.call('HGET', KEYS[1], 'crl_shards') or '0'\n"
    "if not has and ARGV[1] ~= '' then\n"
    "  redis.call('HSET', KEYS[1], 'certificate', ARGV[1])\n"
    "  has = ARGV[1]\n"
    "end\n"
    "if has and has == ARGV[1] then\n"
    "  if ARGV[2] ~= '' then\n"
    "    redis.call('HSETNX', KEYS[1], 'key', ARGV[2])\n"
    "  end\n"
    "  if tonumber(ARGV[3]) > math.max(tonumber(shards) or 0, 1) then\n"
    "    redis.call('HSET', KEYS[1], 'crl_shards', ARGV[3])\n"
    "    shards = ARGV[3]\n"
    "  end\n"
    "end\n"
    "return {has, redis.call('HGET', KEYS[1], 'key'), shards}\n";


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


/* KEYS: lock:<job>  ARGV: token */

static const char  ngx_pki_script_unlock[] =
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end\n"
    "return redis.call('DEL', KEYS[1])\n";


/*
 * KEYS: lock:ra ra  ARGV: token <current> <next> keep
 *
 * What is replaced must be what the caller has seen; it is kept for those who
 * still know it, unless it must not be used any more.
 */

static const char  ngx_pki_script_ra_put[] =
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end\n"
    "local current = redis.call('HGET', KEYS[2], 'current') or ''\n"
    "if current ~= ARGV[2] then return 0 end\n"
    "if ARGV[4] == 'keep' then\n"
    "  redis.call('HSET', KEYS[2], 'previous', current)\n"
    "end\n"
    "redis.call('HSET', KEYS[2], 'current', ARGV[3])\n"
    "return 1\n";


/*
 * KEYS: ca log crl:0
 * ARGV: id of the last entry applied, "0-0": none
 *
 * The last number and id, that of the full CRL, whether the entry of that id
 * is there, and the number of the entry after it (0: none).
 */

static const char  ngx_pki_script_position[] =
    "local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]\n"
    "local at = redis.call('XRANGE', KEYS[2], ARGV[1], '+', 'COUNT', 2)\n"
    "local found, after = 0, at[1]\n"
    "if ARGV[1] == '0-0' then\n"
    "  found = 1\n"
    "elseif at[1] and at[1][1] == ARGV[1] then\n"
    "  found, after = 1, at[2]\n"
    "end\n"
    "return {redis.call('HGET', KEYS[1], 'seq') or '0',\n"
    "        last and last[1] or '0-0',\n"
    "        redis.call('HGET', KEYS[3], 'number') or '0',\n"
    "        found, after and after[2][2] or '0'}\n";


/* the score of a request that waits is when it expires, by Redis's clock */

#define NGX_PKI_PENDING_PRUNE                                                \
    "local now = tonumber(redis.call('TIME')[1])\n"                          \
    "redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 1)\n"


/*
 * KEYS: pending pending:<id>
 * ARGV: id key most ttl name value ...
 *
 * The same request again is told what has become of it, whatever is written
 * anew for the replicas; another one in its place is not.
 */

static const char  ngx_pki_script_pend[] =
    "local is = redis.call('HMGET', KEYS[2], 'key', 'state', 'serial')\n"
    "if is[2] then\n"
    "  if is[1] ~= ARGV[2] then return {'other', ''} end\n"
    "  redis.call('HSET', KEYS[2], 'key', is[1])\n"
    "  return {is[2], is[3] or ''}\n"
    "end\n"
    NGX_PKI_PENDING_PRUNE
    "if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then\n"
    "  return {'full', ''}\n"
    "end\n"
    "redis.call('HSET', KEYS[2], unpack(ARGV, 5))\n"
    "redis.call('EXPIRE', KEYS[2], ARGV[4])\n"
    "redis.call('ZADD', KEYS[1], now + tonumber(ARGV[4]), ARGV[1])\n"
    "return {'new', ''}\n";


/* KEYS: pending:<id>; see above why it is written anew */

static const char  ngx_pki_script_pending[] =
    "local is = redis.call('HMGET', KEYS[1], 'state', 'key')\n"
    "if is[1] == 'approved' and is[2] then\n"
    "  redis.call('HSET', KEYS[1], 'key', is[2])\n"
    "end\n"
    "return redis.call('HGETALL', KEYS[1])\n";


/* KEYS: pending pending:<id>  ARGV: id key at by */

static const char  ngx_pki_script_reject[] =
    NGX_PKI_PENDING_DECIDE
    "local is = redis.call('HMGET', KEYS[2], 'state', 'key')\n"
    "local state = is[1]\n"
    "if not state or is[2] ~= ARGV[2] then return {'none'} end\n"
    "if state == 'pending' then\n"
    "  decide(KEYS[2], KEYS[1], ARGV[1], 'rejected',\n"
    "         'decided_at', ARGV[3], 'decided_by', ARGV[4])\n"
    "  state = 'rejected'\n"
    "end\n"
    "return {state, redis.call('HGETALL', KEYS[2])}\n";


/* KEYS: pending  ARGV: as of the page of certificates */

static const char  ngx_pki_script_pending_page[] =
    NGX_PKI_PENDING_PRUNE
    NGX_PKI_PAGE;


/* in the order of ngx_pki_script_e */

static ngx_pki_redis_script_t  ngx_pki_scripts[] = {
    ngx_pki_script(ngx_pki_script_add),
    ngx_pki_script(ngx_pki_script_find),
    ngx_pki_script(ngx_pki_script_revoke),
    ngx_pki_script(ngx_pki_script_release),
    ngx_pki_script(ngx_pki_script_restore),
    ngx_pki_script(ngx_pki_script_status),
    ngx_pki_script(ngx_pki_script_statuses),
    ngx_pki_script(ngx_pki_script_page),
    ngx_pki_script(ngx_pki_script_records),
    ngx_pki_script(ngx_pki_script_register),
    ngx_pki_script(ngx_pki_script_crl_meta),
    ngx_pki_script(ngx_pki_script_crl_prune),
    ngx_pki_script(ngx_pki_script_crl_put),
    ngx_pki_script(ngx_pki_script_crl_publish),
    ngx_pki_script(ngx_pki_script_unlock),
    ngx_pki_script(ngx_pki_script_ra_put),
    ngx_pki_script(ngx_pki_script_position),
    ngx_pki_script(ngx_pki_script_pend),
    ngx_pki_script(ngx_pki_script_pending),
    ngx_pki_script(ngx_pki_script_reject),
    ngx_pki_script(ngx_pki_script_pending_page)
};


ngx_int_t
ngx_pki_store_init(void)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_PKI_SCRIPTS; i++) {

        if (ngx_pki_redis_script_init(&ngx_pki_scripts[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_pki_redis_script_t *
ngx_pki_store_script(ngx_pki_script_e script)
{
    return &ngx_pki_scripts[script];
}
