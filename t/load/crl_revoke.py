#!/usr/bin/python3

# Revokes certificates by the JSON API at an even pace, and asks for the CRL of
# each one's shard until it is there:
#
#     crl_revoke.py PORT A-SECOND SECONDS URI CRL-URI < SERIALS
#
# CRL-URI has a "%s" for the shard in hexadecimal, which is in the last two
# octets of the serial number, or none.  One JSON object is printed: how long it
# took from the return of the call, in milliseconds.

import json
import sys
import time

from client import Connection

DEADLINE = 60                               # seconds
PAUSE = 0.02


class Shard:
    def __init__(self, uri):
        self.uri = uri
        self.etag = None
        self.waiting = {}                   # octets -> revoked when


class Stream:
    def __init__(self, port, uri, crl_uri):
        self.caller = Connection(port, uri)
        self.reader = Connection(port, crl_uri)
        self.uri = uri
        self.crl_uri = crl_uri
        self.shards = {}
        self.taken = []

    def revoke(self, serial):
        code, body = self.caller.ask(
            b'{"reason":"keyCompromise"}', 'application/json',
            f'{self.uri}/api/certificates/{serial}/revoke')
        if code != 200:
            sys.exit(f'cannot revoke {serial}: {code}: {body.decode()}')
        uri = self.crl_uri
        if '%s' in uri:
            uri %= '%02x' % int(serial[-4:], 16)
        shard = self.shards.setdefault(uri, Shard(uri))
        number = bytes.fromhex(serial)
        shard.waiting[bytes([2, len(number)]) + number] = time.monotonic()

    def look(self):
        """Whether all that were revoked are on their CRLs."""
        for shard in self.shards.values():
            if not shard.waiting:
                continue
            code, body = self.reader.get(shard.uri, shard.etag)
            if code == 304:
                continue
            if code != 200:
                sys.exit(f'{shard.uri}: {code}')
            shard.etag = self.reader.etag
            now = time.monotonic()
            for octets in [o for o in shard.waiting if o in body]:
                self.taken.append(now - shard.waiting.pop(octets))
        return not any(shard.waiting for shard in self.shards.values())


def main():
    port, rate, seconds, uri, crl_uri = sys.argv[1:]
    stream = Stream(int(port), uri, crl_uri)
    serials = sys.stdin.read().split()[:round(float(rate) * float(seconds))]
    start = time.monotonic()

    for number, serial in enumerate(serials):
        due = start + number / float(rate)
        while due > time.monotonic():
            stream.look()
            time.sleep(max(0, min(PAUSE, due - time.monotonic())))
        stream.revoke(serial)

    end = time.monotonic() + DEADLINE
    while not stream.look():
        if time.monotonic() > end:
            sys.exit('some are not on their CRL')
        time.sleep(PAUSE)

    taken = sorted(1000 * t for t in stream.taken)
    n = len(taken)
    print(json.dumps({'revoked': n, 'p50': round(taken[n // 2]),
                      'p99': round(taken[n * 99 // 100]),
                      'max': round(taken[-1])}))


if __name__ == '__main__':
    main()
