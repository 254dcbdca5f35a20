#!/usr/bin/python3

# Asks the same again and again over one connection, at an even pace that
# leaves the server time, and prints the 99th percentile of how long the
# answers took, in milliseconds:
#
#     paced.py PORT URI CONTENT-TYPE BODY-FILE A-SECOND SECONDS
#     paced.py PORT URI A-SECOND SECONDS
#
# The first form is a POST, the second a GET.  Any answer but 200, and any as
# short as an OCSP error, ends it.

import socket
import sys
import time


def answer(connection):
    data = b''
    while b'\r\n\r\n' not in data:
        data += connection.recv(65536) or sys.exit('the connection is closed')
    head, body = data.split(b'\r\n\r\n', 1)
    if b' 200 ' not in head[:15]:
        sys.exit(head.decode('latin-1'))
    length = int(head.lower().split(b'content-length: ')[1].split()[0])
    while len(body) < length:
        body += connection.recv(65536) or sys.exit('the answer is too short')
    if len(body) < 8:
        sys.exit('the answer is an error: ' + body.hex())


def question(uri, content_type=None, file=None):
    if file is None:
        return f'GET {uri} HTTP/1.1\r\nHost: localhost\r\n\r\n'.encode()
    with open(file, 'rb') as f:
        body = f.read()
    return (f'POST {uri} HTTP/1.1\r\nHost: localhost\r\n'
            f'Content-Type: {content_type}\r\n'
            f'Content-Length: {len(body)}\r\n\r\n').encode() + body


def main():
    port, *request, rate, seconds = sys.argv[1:]
    request = question(*request)
    connection = socket.create_connection(('127.0.0.1', int(port)))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    count = round(float(rate) * float(seconds))
    start = time.perf_counter()
    taken = []

    for number in range(count):
        pause = start + number / float(rate) - time.perf_counter()
        if pause > 0:
            time.sleep(pause)
        sent = time.perf_counter()
        connection.sendall(request)
        answer(connection)
        taken.append(time.perf_counter() - sent)

    print('%.3f' % (sorted(taken)[count * 99 // 100] * 1000))


if __name__ == '__main__':
    main()
