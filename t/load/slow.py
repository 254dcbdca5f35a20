#!/usr/bin/python3

# Clients that read slowly, all at once:
#
#     slow.py PORT URI WORKER CLIENTS SECONDS
#
# One JSON object is printed: the size of the answer, what the worker's memory
# has grown by meanwhile, kilobytes, and how many clients were still served at
# the end.

import json
import socket
import sys
import time

BUFFER = 4096


def memory(worker):
    with open(f'/proc/{worker}/status', encoding='ascii') as f:
        for line in f:
            if line.startswith('VmRSS:'):
                return int(line.split()[1])
    return 0


def ask(port, uri):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    s.connect(('127.0.0.1', port))
    s.sendall(f'GET {uri} HTTP/1.1\r\nHost: localhost\r\n\r\n'.encode())
    return s


def main():
    port, uri, worker, clients, seconds = sys.argv[1:]
    before = most = memory(worker)
    asked = [ask(int(port), uri) for _ in range(int(clients))]
    size = 0
    for s in asked:
        head = s.recv(BUFFER).lower()
        if b' 200 ' not in head[:15]:
            sys.exit(head.decode('latin-1'))
        size = int(head.split(b'content-length: ')[1].split()[0])

    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        served = sum(bool(s.recv(BUFFER)) for s in asked)
        most = max(most, memory(worker))
        time.sleep(0.05)

    print(json.dumps({'size': size, 'growth': most - before,
                      'served': served}))


if __name__ == '__main__':
    main()
