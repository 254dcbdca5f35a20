#!/usr/bin/env python3
#
# Loads the records of many certificates into a Redis, as shared/README.md says
# under "Loading records by a script"; they are not signed by anybody, but have
# all that a status needs.
#
#   load_statuses.py --port 6379 --count 1000000 --revoked 0.01
#   load_statuses.py --list 0 10          their serial numbers, nothing else
#
# The serial number of number i is the same in each run: SHA-256 of "<seed> i".
# Number 0 is the newest.  Of the others every 1/--revoked-th is revoked, every
# 1/--expired-th of the rest has expired.  --der N gives each record N octets of
# DER, for the size and the encoding that it would have.
#
# --shards N gives them serial numbers of 19 octets, the last two of which are a
# shard of the CRL (shared/README.md).  Number 0 and every 1/--released-th was
# on hold and is released, unless it is revoked.

import argparse
import hashlib
import socket
import sys
import time


def serial(o, number):
    digest = hashlib.sha256(b'%s %d' % (o.seed, number)).digest()
    octets = bytearray(digest[:17 if o.shards else 16])
    octets[0] = octets[0] & 0x3f | 0x40
    if o.shards:
        shard = int.from_bytes(digest[17:21], 'big') % o.shards
        octets += shard.to_bytes(2, 'big')
    return bytes(octets).hex().encode()


def command(*words):
    out = [b'*%d\r\n' % len(words)]
    for word in words:
        word = word if isinstance(word, bytes) else str(word).encode()
        out.append(b'$%d\r\n%s\r\n' % (len(word), word))
    return b''.join(out)


class Redis:
    def __init__(self, port):
        self.socket = socket.create_connection(('127.0.0.1', port))
        self.file = self.socket.makefile('rb')

    # the replies are numbers or short strings, or arrays of those

    def pipeline(self, commands):
        self.socket.sendall(b''.join(commands))
        return [self.reply() for _ in commands]

    def reply(self):
        line = self.file.readline()
        if line[:1] == b'-':
            sys.exit('load_statuses: ' + line[1:].decode().strip())
        if line[:1] == b'$':
            length = int(line[1:])
            return None if length < 0 else self.file.read(length + 2)[:-2]
        if line[:1] == b'*':
            return [self.reply() for _ in range(int(line[1:]))]
        return line[1:-2]


def every(share):
    return round(1 / share) if share else 0


def record(o, now, version, number):
    key = o.prefix + b'{%s}:' % o.authority
    name = serial(o, number)
    issued = now - number * o.span // o.count
    expired = o.expired and number % o.expired == o.expired - 1
    not_after = issued + 365 * 86400 if not expired else now - 86400

    fields = [b'not_before', issued - 86400, b'not_after', not_after,
              b'issued_at', issued, b'version', version, b'profile', b'device',
              b'source', b'scep', b'subject', b'CN=device-%d' % number]
    if o.der:
        fields += [b'der', b'\0' * o.der]

    out = []

    if o.revoked and number % o.revoked == o.revoked - 1:
        fields += [b'status', b'revoked', b'revoked_at', now - 60,
                   b'reason', 1, b'revoked_by', b'load']
        out.append(command(b'HSET', key + b'revoked:0', name,
                           b'%d 1 %d %d' % (now - 60, not_after, version + 1)))
    else:
        fields += [b'status', b'good']
        if o.released and number % o.released == 0:
            out.append(command(b'HSET', key + b'released', name,
                               b'%d 8 %d %d' % (now - 60, not_after,
                                                version + 1)))

    return out + [
        command(b'HSET', key + b'cert:' + name, *fields),
        command(b'ZADD', key + b'issued', issued, name),
        command(b'ZADD', key + b'expires', not_after, name)]


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--port', type=int, default=6379)
    p.add_argument('--prefix', type=str.encode, default=b'pki:')
    p.add_argument('--authority', type=str.encode, default=b'demo')
    p.add_argument('--seed', type=str.encode, default=b'load')
    p.add_argument('--count', type=int, default=1000)
    p.add_argument('--span', type=int, default=300 * 86400,
                   help='seconds in which they were issued')
    p.add_argument('--revoked', type=float, default=0)
    p.add_argument('--expired', type=float, default=0)
    p.add_argument('--released', type=float, default=0)
    p.add_argument('--shards', type=int, default=0)
    p.add_argument('--der', type=int, default=0)
    p.add_argument('--list', type=int, nargs=2, metavar=('FROM', 'TO'))
    o = p.parse_args()

    if o.list:
        for number in range(*o.list):
            print(serial(o, number).decode())
        return

    o.revoked = every(o.revoked)
    o.expired = every(o.expired)
    o.released = every(o.released)

    redis = Redis(o.port)
    now = int(time.time())
    ca = o.prefix + b'{%s}:ca' % o.authority
    version = int(redis.pipeline([command(b'HGET', ca, b'seq')])[0] or 0)

    for start in range(0, o.count, 1000):
        redis.pipeline(sum((record(o, now, version, number) for number in
                            range(start, min(start + 1000, o.count))), []))

    # at once: nothing must be built in between that deltas go by

    redis.pipeline([command(b'MULTI'),
                    command(b'HINCRBY', ca, b'seq', 1),
                    command(b'HDEL', o.prefix + b'{%s}:crl:0' % o.authority,
                            b'base_number', b'base_seq', b'mark_number',
                            b'mark_seq', b'mark_time'),
                    command(b'EXEC')])

    print('load_statuses: %d certificates in %.1f s'
          % (o.count, time.time() - now))


if __name__ == '__main__':
    main()
