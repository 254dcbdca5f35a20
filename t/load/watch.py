#!/usr/bin/python3

# Asks all workers of all nodes about revoked certificates:
#
#     watch.py CA.pem REVOKED A-SECOND NODE...     until SIGTERM
#     watch.py CA.pem REVOKED once NODE...         all of them, once
#
# The file may grow meanwhile; which one is asked about is left to chance.  One
# JSON object is printed: how many answers were of which kind.  Connections that
# break are made anew.

import collections
import json
import random
import signal
import sys
import time

from client import Gone, Issuer, connect_all, status


class Watch:
    def __init__(self, issuer, nodes):
        self.issuer = issuer
        self.connections = {node: [] for node in nodes}
        self.said = collections.Counter()
        self.ended = False

    def end(self, *_):
        self.ended = True

    def ask(self, serial):
        question = self.issuer.request(serial)
        for node, connections in self.connections.items():
            while not self.ask_all(node, connections, question):
                self.said['reconnected'] += 1
                connections.clear()

    def ask_all(self, node, connections, question):
        try:
            if not connections:
                connections += connect_all(node, question)
            for connection in connections:
                self.said[status(connection.ask(question)[1])] += 1
        except Gone:
            return False
        return True


def main():
    ca, file, rate, *nodes = sys.argv[1:]
    watch = Watch(Issuer(ca), nodes)
    serials = []

    signal.signal(signal.SIGTERM, watch.end)

    with open(file) as f:
        if rate == 'once':
            for serial in f.read().split():
                watch.ask(serial)
            watch.end()

        while not watch.ended:
            serials += f.read().split()
            if serials:
                watch.ask(random.choice(serials))
            time.sleep(1 / float(rate))

    print(json.dumps(watch.said))


if __name__ == '__main__':
    main()
