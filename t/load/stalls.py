#!/usr/bin/python3

# Asks about a certificate a thousand times a second, over one connection, and
# at the same moments something that does nothing:
#
#     stalls.py CA.pem SERIAL PORT WORKER CONTROL-PORT > report
#
# until SIGTERM.  An answer of the worker, a process id, that comes after more
# than 5 ms counts as a stall of its own, unless it would not have been that late
# had the machine let the worker run when it wanted to: the kernel tells how long
# it had to wait, and the control, which shares its CPU and goes first, is as
# late when nobody runs there.  One JSON object is printed, times in
# milliseconds; "worst" are the longest stalls: when, how long the answer took,
# how long the worker waited, how long it computed, and the control's answer.

import json
import os
import select
import signal
import socket
import sys
import time

from client import Connection, Issuer, status

RATE = 1000                                 # a second
LATE = 0.005                                # seconds
WAIT = 30
WORST = 5


class Asked:
    """A connection that always asks the same, and its answers' times."""

    def __init__(self, connection, request):
        self.socket = connection.socket
        self.request = request
        self.taken = []
        self.data = b''
        self.length = None

    def send(self):
        self.data = b''
        self.length = None
        self.sent = time.perf_counter()
        self.socket.sendall(self.request)

    def receive(self):
        """Whether the answer is there as a whole."""
        self.data += self.socket.recv(65536) or sys.exit('connection closed')
        if self.length is None and b'\r\n\r\n' in self.data:
            head = self.data.split(b'\r\n\r\n', 1)[0]
            if b' 200 ' not in head[:15]:
                sys.exit(head.decode('latin-1'))
            for line in head.lower().split(b'\r\n'):
                if line.startswith(b'content-length: '):
                    self.length = len(head) + 4 + int(line[16:])
        if self.length is None or len(self.data) < self.length:
            return False
        self.taken.append(time.perf_counter() - self.sent)
        return True

    def report(self):
        taken = sorted(1000 * t for t in self.taken)
        n = len(taken)
        return {'p50': round(taken[n // 2], 3),
                'p99': round(taken[n * 99 // 100], 3),
                'max': round(taken[-1], 2),
                'late': sum(t > 1000 * LATE for t in taken)}


class Stalls:
    def __init__(self, worker, asked, control):
        self.schedstat = open(f'/proc/{worker}/schedstat', 'rb', buffering=0)
        self.asked = asked
        self.control = control
        self.own = []
        self.worst = []
        self.ended = False

    def end(self, *_):
        self.ended = True

    def worker(self):
        """For how long the worker has run so far, and had to wait for it."""
        self.schedstat.seek(0)
        ran, waited, _ = self.schedstat.read().split()
        return int(ran) / 1e9, int(waited) / 1e9

    def both(self):
        waiting = {}
        poll = select.poll()
        for one in self.control, self.asked:
            one.send()
            waiting[one.socket.fileno()] = one
            poll.register(one.socket, select.POLLIN)
        while waiting:
            for fd, _ in poll.poll(1000 * WAIT) or sys.exit('no answer'):
                if waiting[fd].receive():
                    poll.unregister(fd)
                    waiting.pop(fd)

    def note(self, ran, waited):
        taken, control = self.asked.taken[-1], self.control.taken[-1]
        if taken <= LATE:
            self.own.append(taken)
            return
        own = max(taken - max(waited, control), 0)
        self.own.append(own)
        self.worst.append([own, time.time(), taken, waited, ran, control])
        self.worst = sorted(self.worst, reverse=True)[:WORST]

    def run(self):
        due = time.perf_counter()
        while not self.ended:
            before = self.worker()
            self.both()
            self.note(*(b - a for a, b in zip(before, self.worker())))
            due = max(due + 1 / RATE, time.perf_counter() - 0.1)
            pause = due - time.perf_counter()
            if pause > 0:
                time.sleep(pause)


def first():
    """Before others on this CPU, as far as that is allowed."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(2))
    except PermissionError:
        pass


def main():
    ca, serial, port, worker, control_port = sys.argv[1:]
    question = Issuer(ca).request(serial)
    connection = Connection(int(port), '/ocsp', WAIT)
    said = status(connection.ask(question)[1])
    if said != 'good':
        sys.exit(f'the answer is {said}')

    post = (b'POST /ocsp HTTP/1.1\r\nHost: localhost\r\n'
            b'Content-Type: application/ocsp-request\r\n'
            b'Content-Length: %d\r\n\r\n' % len(question)) + question
    get = b'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'
    stalls = Stalls(worker, Asked(connection, post),
                    Asked(Connection(int(control_port), '/'), get))

    signal.signal(signal.SIGTERM, stalls.end)
    first()
    stalls.run()

    own = sum(t > LATE for t in stalls.own)
    print(json.dumps({'answers': len(stalls.own), **stalls.asked.report(),
                      'own_max': round(1000 * max(stalls.own), 2),
                      'own_late': own,
                      'worst': [[time.strftime('%T', time.localtime(w[1]))]
                                + [round(1000 * t, 2) for t in w[2:]]
                                for w in stalls.worst],
                      'control': stalls.control.report()}))


if __name__ == '__main__':
    main()
