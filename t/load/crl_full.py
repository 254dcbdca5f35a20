#!/usr/bin/python3

# Waits for the next full CRL of an authority, and tells what it took:
#
#     crl_full.py REDIS-PORT AUTHORITY WORKER IDLE
#
# Its number says when its building began: in milliseconds since 1970.  IDLE is
# how much of a CPU the worker, a process id, uses for other things.  One JSON
# object is printed: "cpu" seconds of computing, "wall" seconds up to its
# publication.

import json
import socket
import sys
import time

PAUSE = 0.005
DEADLINE = 120                              # seconds


class Number:
    """Of the full CRL that Redis has."""

    def __init__(self, port, authority):
        self.socket = socket.create_connection(('127.0.0.1', port))
        self.file = self.socket.makefile('rb')
        self.command = f'HGET pki:{{{authority}}}:crl:0 number\r\n'.encode()

    def get(self):
        self.socket.sendall(self.command)
        length = int(self.file.readline()[1:])
        return int(self.file.read(length + 2)) if length >= 0 else 0


def watch(number, worker):
    """Times, the seconds of CPU that the worker had used by then; the number."""
    samples = []
    before = number.get()
    end = time.time() + DEADLINE
    with open(f'/proc/{worker}/schedstat', 'rb', buffering=0) as f:
        while time.time() < end:
            f.seek(0)
            samples.append((time.time(), int(f.read().split()[0]) / 1e9))
            now = number.get()
            if now != before:
                return samples, now
            time.sleep(PAUSE)
    sys.exit('no full CRL was published')


def main():
    port, authority, worker, idle = sys.argv[1:]
    samples, number = watch(Number(int(port), authority), worker)
    begun = max(number / 1000, samples[0][0])
    used = [used for at, used in samples if at <= begun][-1]
    wall = samples[-1][0] - begun
    print(json.dumps({'cpu': round(samples[-1][1] - used - float(idle) * wall,
                                   3),
                      'wall': round(wall, 3)}))


if __name__ == '__main__':
    main()
