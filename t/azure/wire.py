"""HTTP/1.1 over asyncio: requests in, answers out, and ways to fail."""

import asyncio
import itertools
import json
import socket
import struct
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote

MAX_HEAD = 64 * 1024
RESET_ON_CLOSE = struct.pack('ii', 1, 0)


class Request:
    """A request; names of headers are in lower case."""

    def __init__(self, head):
        start, *lines = head.decode('latin-1').split('\r\n')
        self.method, self.target, self.version = start.split(' ')
        self.headers = {}

        for line in lines:
            name, colon, value = line.partition(':')
            if not colon:
                raise ValueError('a header without a colon')
            self.headers[name.lower()] = value.strip()

        path, _, query = self.target.partition('?')
        self.path = unquote(path)
        self.query = dict(parse_qsl(query, keep_blank_values=True))
        self.length = int(self.headers.get('content-length', 0))
        self.body = b''
        self.connection = 0

    @property
    def host(self):
        """Host and port, as the client wrote them."""
        return self.headers.get('host', 'localhost').lower()

    @property
    def hostname(self):
        return self.host.partition(':')[0]

    @property
    def keep_alive(self):
        wish = self.headers.get('connection', '').lower()
        return wish != 'close' if self.version == 'HTTP/1.1' \
            else wish == 'keep-alive'


class Response:
    """An answer, and the manner in which it is sent."""

    def __init__(self, status=200, body=b'', headers=None,
                 content_type='application/json; charset=utf-8'):
        self.status = status
        self.body = body
        self.headers = {'Content-Type': content_type} | (headers or {})
        self.keep_alive = True
        self.manner = 'whole'
        self.pause = 0

    @classmethod
    def json(cls, value, status=200, headers=None):
        return cls(status, json.dumps(value).encode(), headers)

    def head(self, keep_alive):
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = 'Unknown'

        headers = self.headers | {'Content-Length': len(self.body)}

        if not keep_alive:
            headers['Connection'] = 'close'

        lines = [f'HTTP/1.1 {self.status} {phrase}']
        lines += [f'{name}: {value}' for name, value in headers.items()]
        return '\r\n'.join(lines + ['', '']).encode('latin-1')


class Connection(asyncio.Protocol):
    """A client's connection: one request after the other."""

    numbers = itertools.count(1)

    def __init__(self, listener):
        self.listener = listener
        self.number = next(self.numbers)
        self.transport = None
        self.buffer = bytearray()
        self.request = None
        self.task = None

    def connection_made(self, transport):
        self.transport = transport
        self.listener.opened(self)

    def connection_lost(self, exc):
        self.listener.closed(self)
        if self.task:
            self.task.cancel()

    def data_received(self, data):
        self.buffer += data
        if not self.task:
            self.advance()

    def advance(self):
        try:
            request = self.take_request()
        except ValueError:
            bad = Response(400, b'', content_type='text/plain')
            self.transport.write(bad.head(False))
            self.transport.close()
            return

        if request:
            loop = asyncio.get_running_loop()
            self.task = loop.create_task(self.exchange(request))

    def take_request(self):
        if not self.request:
            end = self.buffer.find(b'\r\n\r\n')

            if end < 0:
                if len(self.buffer) > MAX_HEAD:
                    raise ValueError('the head is too large')
                return None

            self.request = Request(bytes(self.buffer[:end]))
            self.request.connection = self.number
            del self.buffer[:end + 4]

        request = self.request

        if len(self.buffer) < request.length:
            return None

        request.body = bytes(self.buffer[:request.length])
        del self.buffer[:request.length]
        self.request = None
        return request

    async def exchange(self, request):
        response = await self.listener.answer(request)
        keep_alive = request.keep_alive and response.keep_alive
        head = response.head(keep_alive)
        await self.MANNERS[response.manner](self, head, response)
        self.task = None

        if not keep_alive:
            self.transport.close()
        elif not self.transport.is_closing():
            self.advance()

    async def send_whole(self, head, response):
        self.transport.write(head + response.body)

    async def send_nothing(self, head, response):
        self.reset()

    async def send_half(self, head, response):
        self.transport.write(head + response.body[:len(response.body) // 2])
        await asyncio.sleep(0.02)

    async def send_half_and_reset(self, head, response):
        await self.send_half(head, response)
        self.reset()

    async def send_half_and_close(self, head, response):
        await self.send_half(head, response)
        self.transport.close()

    async def send_and_close(self, head, response):
        self.transport.write(head + response.body)
        self.transport.close()

    async def send_slowly(self, head, response):
        for byte in head + response.body:
            self.transport.write(bytes([byte]))
            await asyncio.sleep(response.pause)

    MANNERS = {
        'whole': send_whole,
        'reset': send_nothing,
        'reset_body': send_half_and_reset,
        'close_body': send_half_and_close,
        'drop': send_and_close,
        'trickle': send_slowly,
    }

    def reset(self):
        sock = self.transport.get_extra_info('socket')
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.transport.abort()


class Listener:
    """A port of 127.0.0.1: "open", "closed", or "stalled", that is accepting
    connections without ever saying a word."""

    def __init__(self, name, port, site, record, context=None):
        self.name = name
        self.port = port
        self.site = site
        self.record = record
        self.context = context
        self.connections = set()
        self.silent = set()
        self.adopting = set()
        self.sock = None
        self.task = None
        self.mode = 'closed'

    def set_mode(self, mode):
        if mode == 'closed':
            self.close()
        elif self.mode == 'closed':
            self.open()
        self.mode = mode

        while self.silent:
            self.silent.pop().close()

    def open(self):
        self.sock = socket.create_server(('127.0.0.1', self.port),
                                         backlog=1024)
        self.sock.setblocking(False)
        self.port = self.sock.getsockname()[1]
        loop = asyncio.get_running_loop()
        self.task = loop.create_task(self.accept(loop, self.sock))

    def close(self):
        if self.mode == 'closed':
            return

        self.task.cancel()
        self.sock.close()

        for connection in list(self.connections):
            connection.transport.abort()

    async def accept(self, loop, sock):
        while True:
            client, _ = await loop.sock_accept(sock)
            self.record.connected(self.name)

            if self.mode == 'stalled':
                self.silent.add(client)
                continue

            task = loop.create_task(self.adopt(loop, client))
            self.adopting.add(task)
            task.add_done_callback(self.adopting.discard)

    async def adopt(self, loop, client):
        try:
            await loop.connect_accepted_socket(
                lambda: Connection(self), client, ssl=self.context)
        except OSError:
            self.record.handshake_failed(self.name)

    def opened(self, connection):
        self.connections.add(connection)
        self.record.opened(self.name, len(self.connections),
                           self.context is not None)

    def closed(self, connection):
        self.connections.discard(connection)

    async def answer(self, request):
        return await self.site.answer(self.name, request)
