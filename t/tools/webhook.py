#!/usr/bin/python3
"""A webhook, as an operator would write one, for tests.

    webhook.py --dir DIR --http PORT --https PORT --cert FILE --key FILE

It answers as DIR/answer.json says: {"status": 200, "body": "...", "headers":
{}, "delay": 0, "times": n, "then": {...}}, the second after n requests; "do"
may be "reset", "hang", "close" or "trickle".  Each request becomes a line of
DIR/requests.jsonl.  With its standard input it ends.
"""

import argparse
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOCK = threading.Lock()


def order(path):
    """What to do with this request; counts it."""

    with LOCK:
        with open(path, encoding='utf-8') as file:
            answer = json.load(file)

        if 'times' not in answer:
            return answer

        if answer['times'] == 0:
            return answer['then']

        rest = dict(answer, times=answer['times'] - 1)
        with open(path + '.new', 'w', encoding='utf-8') as file:
            json.dump(rest, file)
        os.rename(path + '.new', path)
        return answer


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_POST(self):
        length = int(self.headers.get('Content-Length', 0))
        body = self.rfile.read(length)
        answer = order(self.server.dir + '/answer.json')

        line = {
            'path': self.path,
            'headers': {k.lower(): v for k, v in self.headers.items()},
            'tls': self.server.tls,
            'time': time.time(),
            'body': body.decode('utf-8', 'replace'),
        }

        with LOCK, open(self.server.dir + '/requests.jsonl', 'a',
                        encoding='utf-8') as file:
            file.write(json.dumps(line) + '\n')

        time.sleep(answer.get('delay', 0))
        getattr(self, answer.get('do', 'answer'))(answer)

    do_GET = do_POST

    def answer(self, answer):
        body = answer.get('body', '').encode()
        self.send_response(answer.get('status', 200))

        for name, value in answer.get('headers', {}).items():
            self.send_header(name, value)

        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def reset(self, _):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                   struct.pack('ii', 1, 0))
        self.close(_)

    def close(self, _):
        self.close_connection = True

    def hang(self, _):
        time.sleep(20)
        self.close_connection = True

    def trickle(self, _):
        self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n')
        try:
            for _i in range(100):
                self.wfile.write(b' ')
                self.wfile.flush()
                time.sleep(0.2)
        except OSError:
            pass
        self.close_connection = True

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    tls = False
    dir = ''

    def handle_error(self, *_):
        pass


def serve(args, port, tls):
    server = Server(('127.0.0.1', port), Handler)
    server.dir = args.dir
    server.tls = tls

    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(args.cert, args.key)
        server.socket = context.wrap_socket(server.socket, server_side=True,
                                            do_handshake_on_connect=False)

    threading.Thread(target=server.serve_forever, daemon=True).start()


def main():
    parser = argparse.ArgumentParser()
    for name in 'dir', 'cert', 'key':
        parser.add_argument('--' + name, required=True)
    for name in 'http', 'https':
        parser.add_argument('--' + name, type=int, required=True)
    args = parser.parse_args()

    serve(args, args.http, False)
    serve(args, args.https, True)

    print('ready', flush=True)
    sys.stdin.read()


main()
