
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


#define ngx_pki_script(text)  { ngx_string(text), { 0 } }


/*
 * KEYS: ca cert:<serial> issued log expires [txn:<key>]
 * ARGV: serial issued_at not_after ttl "der" <der> name value ...
 *
 * The same certificate again is what a lost connection leads to.  Where the
 * transaction is found its key is written anew, so that waiting for replicas
 * covers the record, too, which an earlier attempt may have left behind.
 */

static const char  ngx_pki_script_add[] =
    "if redis.call('EXISTS', KEYS[2]) == 1 then\n"
    "  if redis.call('HGET', KEYS[2], 'der') == ARGV[6] then\n"
    "    return {'same', ARGV[1]}\n"
    "  end\n"
    "  return {'conflict', ARGV[1]}\n"
    "end\n"
    "if KEYS[6] then\n"
    "  local serial = redis.call('GET', KEYS[6])\n"
    "  if serial then\n"
    "    local ttl = redis.call('PTTL', KEYS[6])\n"
    "    if ttl > 0 then redis.call('PEXPIRE', KEYS[6], ttl) end\n"
    "    return {'exists', serial}\n"
    "  end\n"
    "  redis.call('SET', KEYS[6], ARGV[1], 'EX', ARGV[4])\n"
    "end\n"
    "local n = redis.call('HINCRBY', KEYS[1], 'seq', 1)\n"
    "redis.call('HSET', KEYS[2], unpack(ARGV, 5))\n"
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
 * KEYS: ca cert:<serial> revoked:<shard> log
 * ARGV: serial reason at by
 */

static const char  ngx_pki_script_revoke[] =
    "local was = redis.call('HMGET', KEYS[2], 'status', 'not_after')\n"
    "local hold = ARGV[2] == '6'\n"
    "if not was[1] then return {'none'} end\n"
    "if was[1] == 'revoked' or (was[1] == 'hold' and hold) then\n"
    "  return {'conflict', redis.call('HGETALL', KEYS[2])}\n"
    "end\n"
    "local status = hold and 'hold' or 'revoked'\n"
    "local n = redis.call('HINCRBY', KEYS[1], 'seq', 1)\n"
    "redis.call('HSET', KEYS[2], 'status', status, 'revoked_at', ARGV[3],\n"
    "           'reason', ARGV[2], 'revoked_by', ARGV[4], 'version', n)\n"
    "redis.call('HSET', KEYS[3], ARGV[1], ARGV[3] .. ' ' .. ARGV[2])\n"
    "redis.call(" NGX_PKI_LOG_ADD
    "           't', hold and 'held' or 'revoked',\n"
    "           's', ARGV[1], 'st', status,\n"
    "           'at', ARGV[3], 'r', ARGV[2], 'na', was[2] or 0)\n"
    "return {'ok', redis.call('HGETALL', KEYS[2])}\n";


/*
 * KEYS: ca cert:<serial> revoked:<shard> log
 * ARGV: serial at
 */

static const char  ngx_pki_script_release[] =
    "local was = redis.call('HMGET', KEYS[2], 'status', 'not_after')\n"
    "if not was[1] then return {'none'} end\n"
    "if was[1] ~= 'hold' then\n"
    "  return {'conflict', redis.call('HGETALL', KEYS[2])}\n"
    "end\n"
    "local n = redis.call('HINCRBY', KEYS[1], 'seq', 1)\n"
    "redis.call('HDEL', KEYS[2], 'revoked_at', 'reason', 'revoked_by')\n"
    "redis.call('HSET', KEYS[2], 'status', 'good', 'version', n)\n"
    "redis.call('HDEL', KEYS[3], ARGV[1])\n"
    "redis.call(" NGX_PKI_LOG_ADD
    "           't', 'released', 's', ARGV[1], 'st', 'good',\n"
    "           'at', ARGV[2], 'r', 0, 'na', was[2] or 0)\n"
    "return {'ok', redis.call('HGETALL', KEYS[2])}\n";


/*
 * KEYS: ca cert:<serial> revoked:<shard> log
 * ARGV: serial reason at by version
 *
 * Sets again what was so by the change "version".  A hold may have been
 * released by a later one.  If the record is gone, too, CRLs have it at least.
 */

static const char  ngx_pki_script_restore[] =
    "local is = redis.call('HMGET', KEYS[2], 'status', 'not_after',\n"
    "                      'version')\n"
    "local hold = ARGV[2] == '6'\n"
    "local word = is[1] and 'ok' or 'none'\n"
    "if is[1] == 'revoked' or (is[1] == 'hold' and hold)\n"
    "   or (is[1] and hold and tonumber(is[3]) > tonumber(ARGV[5])) then\n"
    "  return 'conflict'\n"
    "end\n"
    "if not is[1] then\n"
    "  local listed = redis.call('HGET', KEYS[3], ARGV[1])\n"
    "  if listed and (hold or not string.find(listed, ' 6$')) then\n"
    "    return word\n"
    "  end\n"
    "end\n"
    "local status = hold and 'hold' or 'revoked'\n"
    "local n = redis.call('HINCRBY', KEYS[1], 'seq', 1)\n"
    "if is[1] then\n"
    "  redis.call('HSET', KEYS[2], 'status', status, 'revoked_at', ARGV[3],\n"
    "             'reason', ARGV[2], 'revoked_by', ARGV[4], 'version', n)\n"
    "end\n"
    "redis.call('HSET', KEYS[3], ARGV[1], ARGV[3] .. ' ' .. ARGV[2])\n"
    "redis.call(" NGX_PKI_LOG_ADD
    "           't', hold and 'held' or 'revoked',\n"
    "           's', ARGV[1], 'st', status,\n"
    "           'at', ARGV[3], 'r', ARGV[2], 'na', is[2] or 0)\n"
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

static const char  ngx_pki_script_page[] =
    "local first = 0\n"
    "if ARGV[2] then\n"
    "  first = redis.call('ZCOUNT', KEYS[1], '(' .. ARGV[2], '+inf')\n"
    "  local last = first\n"
    "               + redis.call('ZCOUNT', KEYS[1], ARGV[2], ARGV[2])\n"
    "  while first < last do\n"
    "    local mid = math.floor((first + last) / 2)\n"
    "    if redis.call('ZREVRANGE', KEYS[1], mid, mid)[1] < ARGV[3] then\n"
    "      last = mid\n"
    "    else\n"
    "      first = mid + 1\n"
    "    end\n"
    "  end\n"
    "end\n"
    "return redis.call('ZREVRANGE', KEYS[1], first, first + ARGV[1],\n"
    "                  'WITHSCORES')\n";


/* KEYS: cert:<serial> ...  ARGV: the names of the fields */

static const char  ngx_pki_script_records[] =
    "local records = {}\n"
    "for i = 1, #KEYS do\n"
    "  records[i] = redis.call('HMGET', KEYS[i], unpack(ARGV))\n"
    "end\n"
    "return records\n";


/*
 * KEYS: ca  ARGV: <der> key
 *
 * Without a certificate it only asks.  A name for the key, which certificates
 * registered by an older version lack, may come later.
 */

static const char  ngx_pki_script_register[] =
    "local has = redis.call('HGET', KEYS[1], 'certificate')\n"
    "if not has and ARGV[1] ~= '' then\n"
    "  redis.call('HSET', KEYS[1], 'certificate', ARGV[1])\n"
    "  has = ARGV[1]\n"
    "end\n"
    "if has and has == ARGV[1] and ARGV[2] ~= '' then\n"
    "  redis.call('HSETNX', KEYS[1], 'key', ARGV[2])\n"
    "end\n"
    "return {has, redis.call('HGET', KEYS[1], 'key')}\n";


/*
 * KEYS: ca crl:<shard> revoked:<shard>
 *
 * The number of the last change, that of the last CRL, what is revoked.
 */

static const char  ngx_pki_script_crl_revoked[] =
    "return {redis.call('HGET', KEYS[1], 'seq') or '0',\n"
    "        redis.call('HGET', KEYS[2], 'number') or '0',\n"
    "        redis.call('HGETALL', KEYS[3])}\n";


/*
 * KEYS: ca lock:crl crl:<shard> log
 * ARGV: token number this_update next_update <der> at seq applied
 *
 * A Redis that is behind what its caller has applied has lost changes.
 * "seq" is the last change that the CRL has; if nothing has happened since it
 * was made, the entry that tells of it is no news for it either.
 */

static const char  ngx_pki_script_crl_publish[] =
    "if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end\n"
    "local last = redis.call('HGET', KEYS[3], 'number')\n"
    "if last and tonumber(last) >= tonumber(ARGV[2]) then return 0 end\n"
    "local now = redis.call('HGET', KEYS[1], 'seq') or 0\n"
    "if tonumber(now) < tonumber(ARGV[8]) then return 0 end\n"
    "local n = redis.call('HINCRBY', KEYS[1], 'seq', 1)\n"
    "local seq = ARGV[7]\n"
    "if n == seq + 1 then seq = n end\n"
    "redis.call('HSET', KEYS[3], 'number', ARGV[2],\n"
    "           'this_update', ARGV[3], 'next_update', ARGV[4],\n"
    "           'der', ARGV[5], 'seq', seq)\n"
    "redis.call(" NGX_PKI_LOG_ADD
    "           't', 'crl', 'at', ARGV[6], 'number', ARGV[2])\n"
    "return 1\n";


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
 * KEYS: ca log crl:<shard>
 * ARGV: id of the last entry applied, "0-0": none
 *
 * The last number and id, the number of the CRL, whether the entry of that id
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
    ngx_pki_script(ngx_pki_script_crl_revoked),
    ngx_pki_script(ngx_pki_script_crl_publish),
    ngx_pki_script(ngx_pki_script_unlock),
    ngx_pki_script(ngx_pki_script_ra_put),
    ngx_pki_script(ngx_pki_script_position)
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
