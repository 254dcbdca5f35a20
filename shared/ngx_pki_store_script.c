
/*
 * Copyright (C) the ngx_pki authors
 *
 * The scripts, but for those of CRLs.  Each is atomic; a change of status takes
 * its number, changes the record and what is derived from it, and appends to
 * the log.  They name every key in KEYS, take the time from the caller, and
 * work with Redis 5 to 7.
 */


#include "ngx_pki_store_script.h"


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
 *       [txn:<key>] [pending:<id> pending] [cert:<renewed>]
 *       [challenge:<hash> challenges:<by>] [outbox]
 * ARGV: serial issued_at not_after ttl id by
 *       <the names, as below, of the keys after the first five>
 *       n <n names and values of a notice> "der" <der> name value ...
 *
 * The same certificate again is what a lost connection leads to.  Whatever is
 * found is written anew, so that waiting for replicas covers the record, too,
 * which an earlier attempt may have left behind.
 * A request is approved by its certificate, so that there is never one without
 * the other, whoever else decides meanwhile; the one that waits now may not be
 * the one that was read.  Nor does a renewal overtake a revocation.  A one-time
 * challenge goes with its certificate: neither is there without the other.
 */

static const char  ngx_pki_script_add[] =
    NGX_PKI_PENDING_DECIDE
    "local key = {}\n"
    "for i = 6, #KEYS do key[ARGV[i + 1]] = KEYS[i] end\n"
    "local notice = #KEYS + 3\n"
    "local der = notice + ARGV[#KEYS + 2] + 1\n"
    "local function approve(serial)\n"
    "  if key.pending then\n"
    "    decide(key.pending, key.index, ARGV[5], 'approved',\n"
    "           'serial', serial, 'decided_at', ARGV[2],\n"
    "           'decided_by', ARGV[6])\n"
    "  end\n"
    "end\n"
    "if redis.call('EXISTS', KEYS[2]) == 1 then\n"
    "  if redis.call('HGET', KEYS[2], 'der') == ARGV[der] then\n"
    "    redis.call('HSET', KEYS[2], 'der', ARGV[der])\n"
    "    return {'same', ARGV[1]}\n"
    "  end\n"
    "  return {'conflict', ARGV[1]}\n"
    "end\n"
    "if key.pending then\n"
    "  local is = redis.call('HMGET', key.pending,\n"
    "                        'state', 'serial', 'key')\n"
    "  if is[3] ~= string.sub(key.txn, -64) then\n"
    "    return {'decided', ARGV[1]}\n"
    "  end\n"
    "  if is[1] == 'approved' then\n"
    "    redis.call('HSET', key.pending, 'key', is[3])\n"
    "    return {'exists', is[2]}\n"
    "  end\n"
    "  if is[1] ~= 'pending' then return {'decided', ARGV[1]} end\n"
    "elseif key.renewed then\n"
    "  if redis.call('HGET', key.renewed, 'status') ~= 'good' then\n"
    "    return {'revoked', ARGV[1]}\n"
    "  end\n"
    "end\n"
    "if key.txn then\n"
    "  local serial = redis.call('GET', key.txn)\n"
    "  if serial then\n"
    "    local ttl = redis.call('PTTL', key.txn)\n"
    "    if ttl > 0 then redis.call('PEXPIRE', key.txn, ttl) end\n"
    "    approve(serial)\n"
    "    return {'exists', serial}\n"
    "  end\n"
    "end\n"
    "if key.challenge then\n"
    "  if redis.call('DEL', key.challenge) == 0 then\n"
    "    return {'taken', ARGV[1]}\n"
    "  end\n"
    "  redis.call('ZREM', key.unused, string.sub(key.challenge, -64))\n"
    "end\n"
    "if key.txn then\n"
    "  redis.call('SET', key.txn, ARGV[1], 'EX', ARGV[4])\n"
    "end\n"
    "approve(ARGV[1])\n"
    "local n = redis.call('HINCRBY', KEYS[1], 'seq', 1)\n"
    "redis.call('HSET', KEYS[2], unpack(ARGV, der - 1))\n"
    "redis.call('HSET', KEYS[2], 'version', n)\n"
    "redis.call('ZADD', KEYS[3], ARGV[2], ARGV[1])\n"
    "redis.call('ZADD', KEYS[5], ARGV[3], ARGV[1])\n"
    "redis.call(" NGX_PKI_LOG_ADD
    "           't', 'issued', 's', ARGV[1], 'st', 'good',\n"
    "           'at', ARGV[2], 'r', 0, 'na', ARGV[3])\n"
    "if key.outbox then\n"
    "  redis.call('XADD', key.outbox, '*', unpack(ARGV, notice, der - 2))\n"
    "end\n"
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
 * KEYS: ca cert:<serial> revoked:0 log released [txn:<key>]
 * ARGV: serial reason at by withheld
 *
 * withheld: only if it still is.  A transaction whose certificate nobody has
 * got goes with it: the next request may have another one.
 */

static const char  ngx_pki_script_revoke[] =
    NGX_PKI_CRL_ENTRY
    "local was = redis.call('HMGET', KEYS[2], 'status', 'not_after',\n"
    "                       'withheld')\n"
    "local hold = ARGV[2] == '6'\n"
    "if not was[1] then return {'none'} end\n"
    "if was[1] == 'revoked' or (was[1] == 'hold' and hold)\n"
    "   or (ARGV[5] == '1' and not was[3]) then\n"
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
    "if KEYS[6] and redis.call('GET', KEYS[6]) == ARGV[1] then\n"
    "  redis.call('DEL', KEYS[6])\n"
    "end\n"
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
 * KEYS: ca cert:<serial> ...  ARGV: serial
 *
 * No change of a status; written anew as above.
 */

static const char  ngx_pki_script_deliver[] =
    "local status = redis.call('HGET', KEYS[2], 'status')\n"
    "if not status then return {'none'} end\n"
    "if status ~= 'good' then\n"
    "  return {'conflict', redis.call('HGETALL', KEYS[2])}\n"
    "end\n"
    "redis.call('HDEL', KEYS[2], 'withheld')\n"
    "redis.call('HSET', KEYS[2], 'status', status)\n"
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
 * KEYS: pending pending:<id> pending:of:<client>
 * ARGV: id key most ttl share name value ...
 *
 * The same request again is told what has become of it, whatever is written
 * anew for the replicas; another one in its place is not.  What a client has
 * asked for is looked through only when its share is used up: the index knows
 * what still waits.
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
    "local share = tonumber(ARGV[5])\n"
    "if redis.call('SCARD', KEYS[3]) >= share then\n"
    "  for _, id in ipairs(redis.call('SMEMBERS', KEYS[3])) do\n"
    "    if not redis.call('ZSCORE', KEYS[1], id) then\n"
    "      redis.call('SREM', KEYS[3], id)\n"
    "    end\n"
    "  end\n"
    "  if redis.call('SCARD', KEYS[3]) >= share then\n"
    "    return {'share', ''}\n"
    "  end\n"
    "end\n"
    "redis.call('HSET', KEYS[2], unpack(ARGV, 6))\n"
    "redis.call('EXPIRE', KEYS[2], ARGV[4])\n"
    "redis.call('ZADD', KEYS[1], now + tonumber(ARGV[4]), ARGV[1])\n"
    "redis.call('SADD', KEYS[3], ARGV[1])\n"
    "redis.call('EXPIRE', KEYS[3], ARGV[4])\n"
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


/*
 * KEYS: challenge:<hash> challenges:<by>
 * ARGV: hash quota ttl name value ...
 *
 * The score is when it expires, by Redis's clock: those that have do not count.
 * The same one again is what a lost connection leads to.
 */

static const char  ngx_pki_script_challenge[] =
    "if redis.call('EXISTS', KEYS[1]) == 1 then\n"
    "  for i = 4, #ARGV, 2 do\n"
    "    if redis.call('HGET', KEYS[1], ARGV[i]) ~= ARGV[i + 1] then\n"
    "      return 'conflict'\n"
    "    end\n"
    "  end\n"
    "  redis.call('HSET', KEYS[1], ARGV[4], ARGV[5])\n"
    "  return 'ok'\n"
    "end\n"
    "local now = tonumber(redis.call('TIME')[1])\n"
    "redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)\n"
    "local quota = tonumber(ARGV[2])\n"
    "if quota ~= 0 and redis.call('ZCARD', KEYS[2]) >= quota then\n"
    "  return 'full'\n"
    "end\n"
    "redis.call('HSET', KEYS[1], unpack(ARGV, 4))\n"
    "redis.call('EXPIRE', KEYS[1], ARGV[3])\n"
    "redis.call('ZADD', KEYS[2], now + tonumber(ARGV[3]), ARGV[1])\n"
    "if redis.call('TTL', KEYS[2]) < tonumber(ARGV[3]) then\n"
    "  redis.call('EXPIRE', KEYS[2], ARGV[3])\n"
    "end\n"
    "return 'ok'\n";


/* in the order of ngx_pki_script_e, up to those of CRLs */

static ngx_pki_redis_script_t  ngx_pki_scripts[] = {
    ngx_pki_script(ngx_pki_script_add),
    ngx_pki_script(ngx_pki_script_find),
    ngx_pki_script(ngx_pki_script_revoke),
    ngx_pki_script(ngx_pki_script_release),
    ngx_pki_script(ngx_pki_script_deliver),
    ngx_pki_script(ngx_pki_script_restore),
    ngx_pki_script(ngx_pki_script_status),
    ngx_pki_script(ngx_pki_script_statuses),
    ngx_pki_script(ngx_pki_script_page),
    ngx_pki_script(ngx_pki_script_records),
    ngx_pki_script(ngx_pki_script_register),
    ngx_pki_script(ngx_pki_script_unlock),
    ngx_pki_script(ngx_pki_script_ra_put),
    ngx_pki_script(ngx_pki_script_position),
    ngx_pki_script(ngx_pki_script_pend),
    ngx_pki_script(ngx_pki_script_pending),
    ngx_pki_script(ngx_pki_script_reject),
    ngx_pki_script(ngx_pki_script_pending_page),
    ngx_pki_script(ngx_pki_script_challenge)
};


ngx_int_t
ngx_pki_store_init(void)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_PKI_SCRIPTS; i++) {

        if (ngx_pki_redis_script_init(ngx_pki_store_script(i)) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_pki_redis_script_t *
ngx_pki_store_script(ngx_pki_script_e script)
{
    if (script < NGX_PKI_SCRIPT_CRL_META) {
        return &ngx_pki_scripts[script];
    }

    return &ngx_pki_store_crl_scripts[script - NGX_PKI_SCRIPT_CRL_META];
}
