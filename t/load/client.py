# For the scripts beside it: an HTTP connection that knows which worker has
# it, OCSP requests, and just as much of a response as tells the status.

import hashlib
import socket
import time

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

OCSP = 'application/ocsp-request'
SHA1 = bytes.fromhex('300906052b0e03021a0500')
STATUSES = {0x80: 'good', 0xa1: 'revoked', 0x82: 'unknown'}
ERRORS = {1: 'malformedRequest', 2: 'internalError', 3: 'tryLater',
          5: 'sigRequired', 6: 'unauthorized'}


class Gone(Exception):
    """The connection is closed, or its worker dead."""


class Connection:
    def __init__(self, port, uri, timeout=5):
        self.port = port
        self.uri = uri
        self.worker = None
        self.etag = None
        try:
            self.socket = socket.create_connection(('127.0.0.1', port),
                                                   timeout)
        except OSError as e:
            raise Gone(str(e)) from e
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, body, content_type=OCSP, uri=None):
        head = (f'POST {uri or self.uri} HTTP/1.1\r\nHost: localhost\r\n'
                f'Content-Type: {content_type}\r\n'
                f'Content-Length: {len(body)}\r\n\r\n')
        try:
            self.socket.sendall(head.encode() + body)
        except OSError as e:
            raise Gone(str(e)) from e

    def receive(self):
        """The HTTP status and the body."""
        data = b''
        while b'\r\n\r\n' not in data:
            data += self._more()
        head, body = data.split(b'\r\n\r\n', 1)
        lines = head.decode('latin-1').split('\r\n')
        headers = dict(line.lower().split(': ', 1) for line in lines[1:])
        self.worker = int(headers.get('x-pid', 0))
        self.etag = headers.get('etag')
        body = bytearray(body)
        while len(body) < int(headers.get('content-length', 0)):
            body += self._more()
        return int(lines[0].split()[1]), bytes(body)

    def get(self, uri, etag=None):
        """The HTTP status and the body; 304 if it still has this ETag."""
        condition = f'If-None-Match: {etag}\r\n' if etag else ''
        try:
            self.socket.sendall(f'GET {uri} HTTP/1.1\r\nHost: localhost\r\n'
                                f'{condition}\r\n'.encode())
        except OSError as e:
            raise Gone(str(e)) from e
        return self.receive()

    def ask(self, body, content_type=OCSP, uri=None):
        self.send(body, content_type, uri)
        return self.receive()

    def close(self):
        self.socket.close()

    def _more(self):
        try:
            data = self.socket.recv(65536)
        except OSError as e:
            raise Gone(str(e)) from e
        if not data:
            raise Gone('closed')
        return data


def workers(master):
    """The process ids of its workers, without those that are quitting."""
    found = set()
    with open(f'/proc/{master}/task/{master}/children') as f:
        children = f.read().split()
    for pid in children:
        try:
            with open(f'/proc/{pid}/cmdline') as f:
                if f.read().rstrip('\0').endswith('worker process'):
                    found.add(int(pid))
        except OSError:
            pass
    return found


def connect_all(node, question):
    """A connection to each worker of a node, "PORT:MASTER"."""
    port, master = map(int, node.split(':'))
    end = time.monotonic() + 10
    found = {}
    while time.monotonic() < end:
        wanted = workers(master)
        if wanted and wanted == set(found):
            return list(found.values())
        try:
            connection = Connection(port, '/ocsp')
            connection.ask(question)
            if connection.worker in wanted - set(found):
                found[connection.worker] = connection
        except Gone:
            time.sleep(0.01)
        for pid in set(found) - wanted:
            found.pop(pid)
    raise SystemExit(f'no connection to each worker of port {port}')


# OCSP

def der(tag, body):
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    return bytes([tag, 0x81, len(body)]) + body


class Issuer:
    def __init__(self, file):
        with open(file, 'rb') as f:
            self.certificate = x509.load_pem_x509_certificate(f.read())
        name = self.certificate.subject.public_bytes(Encoding.DER)
        key = self.certificate.public_key()
        self.hashes = (
            SHA1 + der(4, hashlib.sha1(name).digest())
            + der(4, x509.SubjectKeyIdentifier.from_public_key(key).digest))

    def request(self, serial, nonce=None):
        """About a serial number in hexadecimal."""
        number = der(2, bytes.fromhex(serial))
        asked = der(0x30, der(0x30, der(0x30, self.hashes + number)))
        if nonce is not None:
            oid = bytes.fromhex('06092b0601050507300102')
            extension = der(0x30, oid + der(4, der(4, nonce)))
            asked += der(0xa2, der(0x30, extension))
        return der(0x30, der(0x30, asked))


def element(data, at):
    """Tag, beginning and end of the content of the element there."""
    tag, length, start = data[at], data[at + 1], at + 2
    if length & 0x80:
        start += length & 0x7f
        length = int.from_bytes(data[at + 2:start], 'big')
    return tag, start, start + length


def elements(data, start, end):
    while start < end:
        tag, begin, start = element(data, start)
        yield tag, begin, start


def status(response):
    """What a response says, of all that it tells of alike."""
    _, start, end = element(response, 0)
    parts = list(elements(response, start, end))
    error = response[parts[0][1]]
    if error != 0:
        return ERRORS.get(error, f'error {error}')
    at = parts[1][1]                                  # responseBytes
    _, start, end = element(response, at)
    octets = list(elements(response, start, end))[1]  # its OCTET STRING
    _, start, _ = element(response, octets[1])        # BasicOCSPResponse
    _, start, end = element(response, start)          # ResponseData
    _, start, end = [part for part in elements(response, start, end)
                     if part[0] == 0x30][0]
    said = {STATUSES[list(elements(response, *single[1:]))[1][0]]
            for single in elements(response, start, end)}
    return said.pop() if len(said) == 1 else 'a contradiction'
