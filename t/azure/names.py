"""DNS over UDP: every name is at 127.0.0.1, unless it is to fail."""

import asyncio
import socket
import struct

A, AAAA, IN = 1, 28, 1
NO_ERROR, SERVER_FAILURE, NO_NAME = 0, 2, 3
FAILURES = {'nxdomain': NO_NAME, 'servfail': SERVER_FAILURE}


class Names(asyncio.DatagramProtocol):

    def __init__(self, record):
        self.record = record
        self.transport = None
        self.reset()

    def reset(self):
        self.ttl = 60
        self.address = '127.0.0.1'
        self.fail = {}

    async def start(self, port):
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(
            lambda: self, local_addr=('127.0.0.1', port),
            family=socket.AF_INET)
        return self.transport.get_extra_info('sockname')[1]

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        try:
            name, kind, end = self.question(data)
        except (IndexError, UnicodeDecodeError, struct.error):
            return

        self.record.dns[f'{name} {self.kind_name(kind)}'] += 1
        failure = self.fail.get(name)

        if failure == 'silent':
            return

        self.transport.sendto(self.answer(data, kind, end, failure), addr)

    def question(self, data):
        """Name, type, and where the question ends."""
        labels = []
        position = 12

        while data[position]:
            length = data[position]
            labels.append(data[position + 1:position + 1 + length])
            position += 1 + length

        kind, _ = struct.unpack_from('!HH', data, position + 1)
        name = b'.'.join(labels).decode('ascii').lower()
        return name, kind, position + 5

    def kind_name(self, kind):
        return {A: 'A', AAAA: 'AAAA'}.get(kind, str(kind))

    def answer(self, data, kind, end, failure):
        code = FAILURES.get(failure, NO_ERROR)
        found = kind == A and code == NO_ERROR
        header = data[:2] + struct.pack('!HHHHH', 0x8180 | code, 1,
                                        int(found), 0, 0)
        record = b''

        if found:
            record = struct.pack('!HHHIH', 0xc00c, A, IN, self.ttl, 4) \
                + socket.inet_aton(self.address)

        return header + data[12:end] + record
