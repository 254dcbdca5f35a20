#!/usr/bin/python3

# Revokes certificates by the JSON API, of each node in turn, and asks all
# workers of all nodes without a pause until each has said "revoked":
#
#     revoke.py [--over=SECONDS] CA.pem SERIALS REVOKED URI NODE...
#
# NODE is PORT:MASTER.  A serial number that all workers have called revoked is
# added to the file REVOKED.  One JSON object is printed: how long it took from
# the return of the call to the last worker's answer, in milliseconds, and how
# often a worker said "good" of one that it had called revoked.  With --over they
# are spread over this time, and calls that fail and connections that break are
# tried again.

import json
import select
import sys
import time

from client import Connection, Gone, Issuer, connect_all, status

DEADLINE = 30                               # seconds


class Revoker:
    def __init__(self, issuer, uri, nodes, retry):
        self.issuer = issuer
        self.uri = uri
        self.nodes = nodes
        self.retry = retry
        self.callers = {}
        self.connections = []
        self.good_again = 0
        self.other = 0

    def call(self, node, serial):
        """Returns when the revocation was answered."""
        end = time.monotonic() + DEADLINE
        while True:
            try:
                if node not in self.callers:
                    self.callers[node] = Connection(int(node.split(':')[0]),
                                                    self.uri)
                code, body = self.callers[node].ask(
                    b'{"reason":"keyCompromise"}', 'application/json',
                    f'{self.uri}/api/certificates/{serial}/revoke')
                if code == 200 or (code == 409 and self.retry):
                    return time.monotonic()
                trouble = f'{code}: {body.decode()}'
            except Gone as e:
                self.callers.pop(node, None)
                trouble = str(e)
            if not self.retry or time.monotonic() > end:
                sys.exit(f'cannot revoke: {trouble}')
            time.sleep(0.02)

    def connect(self, question):
        for connection in self.connections:
            connection.close()
        self.connections = [connection for node in self.nodes
                            for connection in connect_all(node, question)]

    def wait(self, question):
        """When the last of the workers has said "revoked"."""
        poll = select.poll()
        waiting = {}
        for connection in self.connections:
            connection.send(question)
            poll.register(connection.socket, select.POLLIN)
            waiting[connection.socket.fileno()] = connection
        end = time.monotonic() + DEADLINE
        while waiting:
            if time.monotonic() > end:
                sys.exit('not revoked everywhere')
            for fd, _ in poll.poll(1000):
                _, body = waiting[fd].receive()
                said = status(body)
                if said == 'revoked':
                    poll.unregister(fd)
                    waiting.pop(fd)
                    continue
                if said != 'good':
                    self.other += 1
                waiting[fd].send(question)
        return time.monotonic()

    def never_again(self, question):
        for connection in self.connections:
            for _ in range(3):
                if status(connection.ask(question)[1]) == 'good':
                    self.good_again += 1

    def revoke(self, node, serial):
        question = self.issuer.request(serial)
        if not self.connections:
            self.connect(question)
        called = self.call(node, serial)
        while True:
            try:
                taken = self.wait(question) - called
                self.never_again(question)
                return taken
            except Gone as e:
                if not self.retry:
                    sys.exit(f'a connection broke: {e}')
                self.connect(question)


def main():
    args = sys.argv[1:]
    over = 0
    if args[0].startswith('--over='):
        over = float(args.pop(0)[7:])
    ca, serials, revoked, uri, *nodes = args
    revoker = Revoker(Issuer(ca), uri, nodes, over > 0)
    begun = time.monotonic()
    taken = []

    with open(serials) as f, open(revoked, 'a') as done:
        serials = f.read().split()
        for number, serial in enumerate(serials):
            pause = begun + over * number / len(serials) - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            taken.append(revoker.revoke(nodes[number % len(nodes)], serial))
            done.write(serial + '\n')
            done.flush()

    taken = sorted(1000 * t for t in taken)
    n = len(taken)
    print(json.dumps({
        'revoked': n,
        'workers': len(revoker.connections),
        'p50': round(taken[n // 2], 2),
        'p99': round(taken[n * 99 // 100], 2),
        'max': round(taken[-1], 2),
        'good_again': revoker.good_again,
        'other': revoker.other}))


if __name__ == '__main__':
    main()
