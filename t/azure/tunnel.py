"""A proxy that knows CONNECT alone, and leads to ports of 127.0.0.1.

Azure's own port is at another one there.
"""

import asyncio

SIZE = 64 * 1024


class Tunnel:

    def __init__(self, faults, record):
        self.faults = faults
        self.record = record
        self.ports = {}

    async def start(self, port, ports):
        self.ports = ports
        server = await asyncio.start_server(self.serve, '127.0.0.1', port)
        return server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        self.record.connected('proxy')
        try:
            head = await reader.readuntil(b'\r\n\r\n')
            method, target, *_ = head.decode('latin-1').split(' ')
            port = int(target.rpartition(':')[2])
            action = self.faults.take('tunnel', None)

            if method != 'CONNECT':
                self.refuse(writer, 405)
            elif action:
                self.refuse(writer, action.get('status', 502))
            else:
                await self.connect(self.ports.get(port, port), reader,
                                   writer)

        except (OSError, ValueError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def refuse(self, writer, status):
        writer.write(f'HTTP/1.1 {status} Refused\r\nContent-Length: 0\r\n\r\n'
                     .encode())

    async def connect(self, port, reader, writer):
        far_reader, far_writer = await asyncio.open_connection('127.0.0.1',
                                                               port)
        self.record.tunnels += 1
        writer.write(b'HTTP/1.1 200 Connection established\r\n\r\n')
        await asyncio.gather(self.pump(reader, far_writer),
                             self.pump(far_reader, writer))

    async def pump(self, reader, writer):
        try:
            while data := await reader.read(SIZE):
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()
