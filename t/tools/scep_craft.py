#!/usr/bin/python3

# Copyright (C) the ngx_pki authors
#
# Crafts SCEP messages, right ones and every kind of wrong one, and checks the
# answers (RFC 8894):
#
#     scep_craft.py make --ca ca.pem --out m.der [what is to be wrong ...]
#     scep_craft.py open --ca ca.pem --state m.der.json reply.der
#     scep_craft.py run
#
# "make" writes the message and beside it m.der.json: what is needed to open
# the answer (the throw-away private key too).  "open" prints one JSON object:
# status, fail_info, serial, ... and "errors", the violations found; it exits
# with 1 if there are any, with 2 if the answer is no CertRep at all.  "run"
# does many of these in one process: each line of standard input is a JSON
# array of arguments, each line of output {"code": 0, "out": "..."}.
#
# DER is written and read by hand here: libraries refuse what a test needs.

import argparse
import base64
import binascii
import contextlib
import functools
import hashlib
import io
import json
import os
import sys
import time
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, padding, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric import padding as apadding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


DATA = '1.2.840.113549.1.7.1'
SIGNED_DATA = '1.2.840.113549.1.7.2'
ENVELOPED_DATA = '1.2.840.113549.1.7.3'
AUTH_ENVELOPED_DATA = '1.2.840.113549.1.9.16.1.23'
RSA_ENCRYPTION = '1.2.840.113549.1.1.1'
RSAES_OAEP = '1.2.840.113549.1.1.7'
MGF1 = '1.2.840.113549.1.1.8'
RSASSA_PSS = '1.2.840.113549.1.1.10'
PBKDF2 = '1.2.840.113549.1.5.12'
HMAC_SHA256 = '1.2.840.113549.2.9'
PWRI_KEK = '1.2.840.113549.1.9.16.3.9'
CONTENT_TYPE = '1.2.840.113549.1.9.3'
MESSAGE_DIGEST = '1.2.840.113549.1.9.4'
SIGNING_TIME = '1.2.840.113549.1.9.5'
CHALLENGE_PASSWORD = '1.2.840.113549.1.9.7'
EXTENSION_REQUEST = '1.2.840.113549.1.9.14'
MICROSOFT_EXTENSIONS = '1.3.6.1.4.1.311.2.1.14'
MESSAGE_TYPE = '2.16.840.1.113733.1.9.2'
PKI_STATUS = '2.16.840.1.113733.1.9.3'
FAIL_INFO = '2.16.840.1.113733.1.9.4'
SENDER_NONCE = '2.16.840.1.113733.1.9.5'
RECIPIENT_NONCE = '2.16.840.1.113733.1.9.6'
TRANSACTION_ID = '2.16.840.1.113733.1.9.7'
FAIL_INFO_TEXT = '1.3.6.1.5.5.7.24.1'

# name -> OID of the digest, RSA signature with it, ECDSA signature with it
DIGESTS = {
    'md5': ('1.2.840.113549.2.5', '1.2.840.113549.1.1.4', None, hashes.MD5),
    'sha1': ('1.3.14.3.2.26', '1.2.840.113549.1.1.5',
             '1.2.840.10045.4.1', hashes.SHA1),
    'sha256': ('2.16.840.1.101.3.4.2.1', '1.2.840.113549.1.1.11',
               '1.2.840.10045.4.3.2', hashes.SHA256),
    'sha384': ('2.16.840.1.101.3.4.2.2', '1.2.840.113549.1.1.12',
               '1.2.840.10045.4.3.3', hashes.SHA384),
    'sha512': ('2.16.840.1.101.3.4.2.3', '1.2.840.113549.1.1.13',
               '1.2.840.10045.4.3.4', hashes.SHA512),
}

# name -> OID, key octets, block octets
CIPHERS = {
    'aes-128-cbc': ('2.16.840.1.101.3.4.1.2', 16, 16),
    'aes-192-cbc': ('2.16.840.1.101.3.4.1.22', 24, 16),
    'aes-256-cbc': ('2.16.840.1.101.3.4.1.42', 32, 16),
    'aes-128-gcm': ('2.16.840.1.101.3.4.1.6', 16, 16),
    'des3': ('1.2.840.113549.3.7', 24, 8),
    'des': ('1.3.14.3.2.7', 8, 8),
    'null': ('1.2.840.113549.1.9.16.3.99', 16, 16),
    'rc2': ('1.2.840.113549.3.2', 16, 16),
    'rc4': ('1.2.840.113549.3.4', 16, 16),
    'aes-128-ecb': ('2.16.840.1.101.3.4.1.1', 16, 16),
    'aes-128-ofb': ('2.16.840.1.101.3.4.1.3', 16, 16),
}

STRINGS = {'utf8': 0x0c, 'printable': 0x13, 't61': 0x14, 'ia5': 0x16,
           'bmp': 0x1e, 'octet': 0x04}

STATUSES = {'0': 'SUCCESS', '2': 'FAILURE', '3': 'PENDING'}
FAILURES = {'0': 'badAlg', '1': 'badMessageCheck', '2': 'badRequest',
            '3': 'badTime', '4': 'badCertId'}


# DER and BER

def length(n):
    if n < 0x80:
        return bytes([n])
    octets = n.to_bytes((n.bit_length() + 7) // 8, 'big')
    return bytes([0x80 | len(octets)]) + octets


def tlv(tag, *parts):
    content = b''.join(parts)
    return bytes([tag]) + length(len(content)) + content


def seq(*parts):
    return tlv(0x30, *parts)


def set_of(*parts):
    return tlv(0x31, *sorted(parts))


def integer(n):
    return tlv(0x02, n.to_bytes(n.bit_length() // 8 + 1, 'big'))


def octets(value):
    return tlv(0x04, value)


def bits(value):
    return tlv(0x03, b'\0', value)


def oid(text):
    numbers = [int(n) for n in text.split('.')]
    out = b''
    for n in [numbers[0] * 40 + numbers[1]] + numbers[2:]:
        part = bytes([n & 0x7f])
        while n > 0x7f:
            n >>= 7
            part = bytes([0x80 | (n & 0x7f)]) + part
        out += part
    return tlv(0x06, out)


def algorithm(text, parameters=b'\x05\0'):
    return seq(oid(text), parameters)


def indefinite(tag, *parts):
    return bytes([tag, 0x80]) + b''.join(parts) + b'\0\0'


def segmented(tag, value):
    """A constructed string of segments, of indefinite length."""
    size = max(1, len(value) // 3)
    return indefinite(tag, *[octets(value[i:i + size])
                             for i in range(0, len(value), size)])


class Malformed(Exception):
    pass


class Node:
    """A strict DER element."""

    def __init__(self, data, offset=0, end=None):
        end = len(data) if end is None else end
        if end - offset < 2:
            raise Malformed('truncated')
        self.tag = data[offset]
        n = data[offset + 1]
        start = offset + 2
        if n == 0x80:
            raise Malformed('indefinite length')
        if n > 0x80:
            octets_n = n & 0x7f
            if octets_n > 4 or end - start < octets_n:
                raise Malformed('length')
            n = int.from_bytes(data[start:start + octets_n], 'big')
            start += octets_n
            if len(length(n)) != octets_n + 1:
                raise Malformed('length not minimal')
        if end - start < n:
            raise Malformed('truncated')
        self.whole = data[offset:start + n]
        self.value = data[start:start + n]

    def children(self):
        out, i = [], 0
        while i < len(self.value):
            node = Node(self.value, i)
            out.append(node)
            i += len(node.whole)
        return out

    def child(self, i, tag):
        nodes = self.children()
        if i >= len(nodes) or nodes[i].tag != tag:
            raise Malformed('no element %02x at %d' % (tag, i))
        return nodes[i]

    def oid(self):
        if self.tag != 0x06:
            raise Malformed('no OID')
        numbers, n = [], 0
        for octet in self.value:
            n = n << 7 | octet & 0x7f
            if octet < 0x80:
                numbers.append(n)
                n = 0
        first = min(numbers[0] // 40, 2)
        return '.'.join(str(i) for i in
                        [first, numbers[0] - 40 * first] + numbers[1:])


def parse(data, tag):
    node = Node(data)
    if len(node.whole) != len(data):
        raise Malformed('trailing octets')
    if node.tag != tag:
        raise Malformed('tag %02x, not %02x' % (node.tag, tag))
    return node


# making

def load_cert(file):
    with open(file, 'rb') as f:
        data = f.read()
    if b'-----BEGIN' in data:
        return x509.load_pem_x509_certificate(data)
    return x509.load_der_x509_certificate(data)


def new_key(kind):
    family, _, size = kind.partition(':')
    if family == 'rsa':
        return rsa.generate_private_key(65537, int(size))
    return ec.generate_private_key(
        {'P-256': ec.SECP256R1, 'P-384': ec.SECP384R1,
         'P-521': ec.SECP521R1}[size]())


def key_pem(key):
    return key.private_bytes(serialization.Encoding.PEM,
                             serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


@functools.lru_cache(None)
def key_of_pem(pem):
    """To load a key is to check it, which takes long."""
    return serialization.load_pem_private_key(pem, None)


def load_key(file, kind):
    """The key in the file, made there first if the file is not there."""
    if file and os.path.exists(file):
        with open(file, 'rb') as f:
            return key_of_pem(f.read())
    key = new_key(kind)
    if file:
        with open(file + '.new', 'wb') as f:
            f.write(key_pem(key))
        os.rename(file + '.new', file)
    return key


def spki(key):
    return key.public_key().public_bytes(
        serialization.Encoding.DER,
        serialization.PublicFormat.SubjectPublicKeyInfo)


def key_id_of(der):
    return x509.load_der_x509_certificate(der).extensions \
        .get_extension_for_class(x509.SubjectKeyIdentifier).value.digest


def spki_of(file):
    return load_cert(file).public_key().public_bytes(
        serialization.Encoding.DER,
        serialization.PublicFormat.SubjectPublicKeyInfo)


def signature_algorithm(key, digest):
    if isinstance(key, rsa.RSAPrivateKey):
        return algorithm(DIGESTS[digest][1])
    return algorithm(DIGESTS[digest][2] or DIGESTS['sha256'][2], b'')


def sign(key, data, digest):
    h = DIGESTS[digest][3]()
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, apadding.PKCS1v15(), h)
    return key.sign(data, ec.ECDSA(h))


def pss_algorithm(a):
    """RSASSA-PSS with a salt of so many octets, and its parameters."""
    if a.pss_params is not None:
        return algorithm(RSASSA_PSS, binascii.unhexlify(a.pss_params))
    h = algorithm(DIGESTS[a.pss_digest or a.digest][0])
    mgf = algorithm(DIGESTS[a.pss_mgf][0]) if a.pss_mgf else h
    return algorithm(RSASSA_PSS, seq(
        tlv(0xa0, h), tlv(0xa1, algorithm(MGF1, mgf)),
        b'' if a.pss == 20 else tlv(0xa2, integer(a.pss)),
        tlv(0xa3, integer(a.pss_trailer)) if a.pss_trailer else b''))


def pss_sign(a, key, data):
    h = DIGESTS[a.digest][3]()
    return key.sign(data, apadding.PSS(apadding.MGF1(h), a.pss), h)


def flip(data):
    """The same with its last bit turned: lengths stay."""
    return data[:-1] + bytes([data[-1] ^ 1])


def make_name(text):
    if not text:
        return seq()
    return x509.Name.from_rfc4514_string(text).public_bytes()


def make_san(names):
    out = []
    for name in names:
        kind, _, value = name.partition(':')
        if kind == 'IP':
            packed = bytes(int(n) for n in value.split('.'))
            out.append(tlv(0x87, packed))
        elif kind == 'UPN':
            out.append(tlv(0xa0, oid('1.3.6.1.4.1.311.20.2.3'),
                           tlv(0xa0, tlv(0x0c, value.encode()))))
        else:
            tag = {'DNS': 0x82, 'email': 0x81, 'URI': 0x86}[kind]
            out.append(tlv(tag, value.encode()))
    return seq(*out)


def extension(text, critical, value):
    return seq(oid(text), b'\x01\x01\xff' if critical else b'',
               octets(value))


def make_extensions(a):
    out = []
    if a.ca_true:
        out.append(extension('2.5.29.19', True, seq(b'\x01\x01\xff')))
    if a.ca_false:
        out.append(extension('2.5.29.19', True, seq()))
    if a.key_usage:
        out.append(extension('2.5.29.15', True,
                             tlv(0x03, binascii.unhexlify(a.key_usage))))
    if a.eku:
        out.append(extension('2.5.29.37', False,
                             seq(*[oid(o) for o in a.eku])))
    if a.san:
        out.append(extension('2.5.29.17', not a.subject, make_san(a.san)))
    for text in a.extension or []:
        name, critical, value = text.split(':')
        out.append(extension(name, critical == 'critical',
                             binascii.unhexlify(value)))
    return out


def text_value(tag_name, text):
    coding = {'bmp': 'utf-16-be', 't61': 'latin-1'}.get(tag_name, 'utf-8')
    return tlv(STRINGS[tag_name], text.encode(coding))


def named_value(text):
    """An attribute: OID:the values in it, hex."""
    name, value = text.split(':')
    return seq(oid(name), tlv(0x31, binascii.unhexlify(value)))


def make_csr(a, key):
    attributes = []
    challenges = a.challenge or []
    if a.challenge_file:
        with open(a.challenge_file, encoding='utf-8') as f:
            challenges.append(f.readline().rstrip('\r\n'))
    for challenge in challenges:
        attributes.append(seq(oid(CHALLENGE_PASSWORD), set_of(
            text_value(a.challenge_tag, challenge))))
    extensions = make_extensions(a)
    if extensions:
        attributes.append(seq(oid(MICROSOFT_EXTENSIONS if a.ms_extensions
                                  else EXTENSION_REQUEST),
                              set_of(seq(*extensions))))
    attributes += [named_value(text) for text in a.csr_attribute]
    name = make_name(a.subject) if a.subject_der is None \
        else binascii.unhexlify(a.subject_der)
    public = false_key(a.csr_false) if a.csr_false else spki(key)
    info = seq(integer(0), name, public,
               tlv(0xa0, *sorted(attributes)))
    signature = sign(key, info, a.csr_digest or a.digest)
    if 'csr' in a.broken:
        signature = flip(signature)
    return seq(info, signature_algorithm(key, a.csr_digest or a.digest),
               bits(signature)) + a.trailing_csr


def make_about(a):
    """What GetCert and GetCRL hold: an IssuerAndSerialNumber."""
    issuer, serial = issuer_and_serial(
        load_cert(a.about).public_bytes(serialization.Encoding.DER))
    if a.about_issuer is not None:
        issuer = make_name(a.about_issuer)
    if a.about_serial is not None:
        serial = tlv(0x02, binascii.unhexlify(a.about_serial))
    return seq(issuer, serial) + a.trailing_csr


def make_poll(a):
    """What CertPoll holds: an IssuerAndSubject."""
    issuer = load_cert(a.poll).subject.public_bytes()
    if a.poll_issuer is not None:
        issuer = make_name(a.poll_issuer)
    subject = a.subject if a.poll_subject is None else a.poll_subject
    return seq(issuer, make_name(subject)) + a.trailing_csr


def make_time(t):
    return tlv(0x17, time.strftime('%y%m%d%H%M%SZ', time.gmtime(t)).encode())


def false_key(text):
    """What says that it is an RSA key: "bits:exponent", hex."""
    size, _, exponent = text.partition(':')
    n = 1 << int(size) - 1 | int.from_bytes(os.urandom(int(size) // 16), 'big')
    return seq(algorithm(RSA_ENCRYPTION),
               bits(seq(integer(n | 1), integer(int(exponent, 16)))))


def make_signer(key, name, digest, serial=None, public=None):
    """A self-signed certificate; what it says does not matter."""
    now = int(time.time())
    alg = signature_algorithm(key, digest)
    tbs = seq(tlv(0xa0, integer(2)), integer(serial or 1), alg, name,
              seq(make_time(now - 3600), make_time(now + 604800)), name,
              public or spki(key), tlv(0xa3, seq(extension(
                  '2.5.29.14', False,
                  octets(hashlib.sha1(spki(key)).digest())))))
    return seq(tbs, alg, bits(sign(key, tbs, digest)))


def forge(key, cert, digest):
    """The same certificate for another key, and signed by that."""
    tbs = [n.whole for n in parse(cert.tbs_certificate_bytes, 0x30).children()]
    tbs[6] = spki(key)
    tbs = seq(*tbs)
    return seq(tbs, signature_algorithm(key, digest),
               bits(sign(key, tbs, digest)))


def issuer_and_serial(der):
    tbs = parse(der, 0x30).child(0, 0x30).children()
    first = 1 if tbs[0].tag == 0xa0 else 0
    return tbs[first + 2].whole, tbs[first].whole


def encrypt(cipher, cek, iv, data):
    if cipher == 'aes-128-gcm':
        return AESGCM(cek).encrypt(iv, data, None)
    padder = padding.PKCS7(8 * len(iv)).padder()
    padded = padder.update(data) + padder.finalize()
    if cipher.startswith('des'):
        method = algorithms.TripleDES(cek * (24 // len(cek)))
    else:
        method = algorithms.AES(cek)
    c = Cipher(method, modes.CBC(iv)).encryptor()
    return c.update(padded) + c.finalize()


def unwrap(kek, name, block, iv, wrapped):
    """RFC 3211, 2.3.2: CBC twice, the later half of it first."""
    method = algorithms.TripleDES(kek * (24 // len(kek))) \
        if name.startswith('des') else algorithms.AES(kek)

    def decrypted(start, data):
        c = Cipher(method, modes.CBC(start)).decryptor()
        return c.update(data) + c.finalize()

    last = decrypted(wrapped[-2 * block:-block], wrapped[-block:])
    inner = decrypted(last, wrapped[:-block]) + last
    data = decrypted(iv, inner)
    n = data[0]
    if len(wrapped) < 2 * block or n > len(data) - 4 \
            or bytes(x ^ 0xff for x in data[1:4]) != data[4:7]:
        raise Malformed('R7: wrong password')
    return data[4:4 + n]


def wrap_key(a, ca, cek):
    public = ca.public_key()
    if a.transport == 'pkcs1':
        wrapped = public.encrypt(cek, apadding.PKCS1v15())
        alg = algorithm(RSA_ENCRYPTION)
    else:
        name = a.transport.partition('-')[2] or 'sha1'
        mgf1 = a.mgf1 or name
        wrapped = public.encrypt(cek, apadding.OAEP(
            apadding.MGF1(DIGESTS[mgf1][3]()), DIGESTS[name][3](), None))
        params = b''
        if name != 'sha1':
            params += tlv(0xa0, algorithm(DIGESTS[name][0]))
        if mgf1 != 'sha1':
            params += tlv(0xa1, algorithm(MGF1, algorithm(DIGESTS[mgf1][0])))
        alg = algorithm(RSAES_OAEP, seq(params))
    if 'cek' in a.broken:
        wrapped = os.urandom(len(wrapped) - 1).rjust(len(wrapped), b'\0')
    return alg, wrapped


def same_name(name, form):
    """A Name in other octets that are equal by RFC 5280, 7.1."""
    out = []
    for rdn in parse(name, 0x30).children():
        kind, value = rdn.child(0, 0x30).children()
        text = value.value
        if form == 'upper':
            text = text.upper()
        elif form == 'blanks':
            text = b' ' + text.replace(b' ', b'  ') + b' '
        tag = 0x13 if value.tag == 0x0c else 0x0c
        out.append(set_of(seq(kind.whole, tlv(
            value.tag if form == 'blanks' else tag, text))))
    return seq(*out)


def other_recipient(kind, i):
    """One that no key of the server has anything to do with."""
    issuer_serial = seq(make_name('CN=elsewhere %d' % i), integer(1000 + i))
    sealed = octets(os.urandom(256))
    if kind == 'ktri':
        return seq(integer(0), issuer_serial, algorithm(RSA_ENCRYPTION),
                   sealed)
    if kind == 'kari':
        point = bits(ec.generate_private_key(ec.SECP256R1()).public_key()
                     .public_bytes(serialization.Encoding.X962,
                                   serialization.PublicFormat
                                   .UncompressedPoint))
        wrap = algorithm('2.16.840.1.101.3.4.1.5', b'')
        return tlv(0xa1, integer(3), tlv(0xa0, tlv(0xa1, seq(
            oid('1.2.840.10045.2.1')), point)),
            algorithm('1.3.132.1.11.1', wrap),
            seq(seq(issuer_serial, octets(os.urandom(24)))))
    if kind == 'kekri':
        return tlv(0xa2, integer(4), seq(octets(b'key')),
                   algorithm('2.16.840.1.101.3.4.1.5', b''),
                   octets(os.urandom(24)))
    if kind == 'pwri':
        # CVE-2025-9230: a wrapped key of fewer octets than it says
        return tlv(0xa3, integer(0), algorithm(
            '1.2.840.113549.1.9.16.3.9', algorithm(
                CIPHERS['aes-128-cbc'][0], octets(os.urandom(16)))),
            octets(os.urandom(16)))
    return tlv(0xa4, oid('1.2.840.113549.1.9.16.13.3'), octets(b'x' * 32))


def make_recipient(a, ca, cek):
    der = ca.public_bytes(serialization.Encoding.DER)
    issuer, serial = issuer_and_serial(
        a.recipient.public_bytes(serialization.Encoding.DER)
        if a.recipient else der)
    if a.recipient_serial:
        serial = integer(int(a.recipient_serial, 16))
    if a.recipient_name:
        issuer = same_name(issuer, a.recipient_name)
    alg, wrapped = wrap_key(a, ca, cek)
    if a.oaep_params is not None:
        alg = algorithm(RSAES_OAEP, binascii.unhexlify(a.oaep_params))
    if a.recipient_ski:
        ski = ca.extensions.get_extension_for_class(
            x509.SubjectKeyIdentifier).value.digest
        return seq(integer(2), tlv(0x80, ski), alg, octets(wrapped))
    return seq(integer(0), seq(issuer, serial), alg, octets(wrapped))


def make_envelope(a, ca, content):
    name, key_len, block = CIPHERS[a.cipher]
    cek = os.urandom(key_len)
    iv = os.urandom(12 if a.cipher == 'aes-128-gcm' else block)
    sealed = encrypt(a.cipher, cek, iv, content)
    if 'envelope' in a.broken:
        sealed = os.urandom(len(sealed))
    if a.flip_sealed is not None:
        at = a.flip_sealed % len(sealed)
        sealed = sealed[:at] + flip(sealed[at:at + 1]) + sealed[at + 1:]
    if a.iv_len is not None:
        iv = os.urandom(a.iv_len)
    recipient = make_recipient(a, ca, cek)
    version = integer(2 if a.recipient_ski else 0)
    recipients = tlv(0x31, *[other_recipient(kind, i)
                             for i, kind in enumerate(a.decoy)],
                     *[recipient] * a.recipients)
    if a.cipher == 'aes-128-gcm':
        return seq(oid(AUTH_ENVELOPED_DATA), tlv(0xa0, seq(
            integer(0), recipients,
            seq(oid(DATA), algorithm(name, seq(octets(iv), integer(16))),
                tlv(0x80, sealed[:-16])),
            octets(sealed[-16:]))))
    alg = algorithm(name, octets(iv))
    if a.ber:
        return indefinite(0x30, oid(ENVELOPED_DATA), indefinite(
            0xa0, indefinite(0x30, version, recipients, indefinite(
                0x30, oid(DATA), alg, segmented(0xa0, sealed)))))
    return seq(oid(a.inner_type or ENVELOPED_DATA), tlv(0xa0, seq(
        version, recipients, seq(oid(a.sealed_type or DATA), alg,
                                 tlv(0x80, sealed)))))


def attribute(name, *values):
    return seq(oid(name), set_of(*values))


def make_attributes(a, content, nonce):
    h = hashlib.new(a.digest, content).digest()
    if 'digest' in a.broken:
        h = flip(h)
    txn = os.urandom(16).hex().encode()
    if a.txn_hex is not None:
        txn = binascii.unhexlify(a.txn_hex)
    elif a.txn is not None:
        txn = a.txn.encode()
    made = [
        ('content-type', attribute(CONTENT_TYPE,
                                   oid(a.content_attribute or a.content_type
                                       or DATA))),
        ('digest', attribute(MESSAGE_DIGEST, octets(h))),
        ('type', attribute(MESSAGE_TYPE,
                           tlv(STRINGS[a.type_tag], a.type.encode()))),
        ('nonce', attribute(SENDER_NONCE, octets(nonce))),
        ('txn', attribute(TRANSACTION_ID, tlv(STRINGS[a.txn_tag], txn))),
        ('time', attribute(SIGNING_TIME,
                           make_time(int(time.time()) + a.time_skew))),
    ]
    out = []
    for name, value in made:
        if name not in a.omit:
            out += [value] * (2 if name in a.dup else 1)
    out += [named_value(text) for text in a.extra_attribute]
    if a.dup_value:
        out.append(attribute(MESSAGE_TYPE, tlv(0x13, a.type.encode()),
                             tlv(0x13, a.dup_value.encode())))
    return sorted(out), txn


def make_signer_info(a, key, cert, attributes):
    signed = b''.join(attributes)
    if a.pss is None:
        signature = sign(key, tlv(0x31, signed), a.digest)
    else:
        signature = pss_sign(a, key, tlv(0x31, signed))
    if 'signature' in a.broken:
        signature = flip(signature)
    if a.signer_ski:
        version = integer(3)
        sid = tlv(0x80, key_id_of(cert) if a.signer_cert
                  else hashlib.sha1(spki(key)).digest())
    else:
        version = integer(1)
        sid = seq(*issuer_and_serial(cert))
    if a.pss is not None:
        alg = pss_algorithm(a)
    elif isinstance(key, rsa.RSAPrivateKey):
        alg = algorithm(RSA_ENCRYPTION)
    else:
        alg = signature_algorithm(key, a.digest)
    return seq(version, sid, algorithm(DIGESTS[a.digest][0]),
               tlv(0xa0, signed) if attributes else b'', alg,
               octets(signature),
               tlv(0xa1, *[named_value(text) for text in a.unsigned])
               if a.unsigned else b'')


def make_signed(a, content, certs, infos):
    version = integer(3 if a.signer_ski else 1)
    digests = set_of(algorithm(DIGESTS[a.digest][0]))
    certificates = tlv(0xa0, *certs) if certs else b''
    infos = tlv(0x31, *infos)
    if a.ber:
        return indefinite(0x30, oid(SIGNED_DATA), indefinite(
            0xa0, indefinite(
                0x30, version, digests,
                indefinite(0x30, oid(DATA),
                           indefinite(0xa0, segmented(0x24, content))),
                certificates, infos)))
    return seq(oid(a.outer_type or SIGNED_DATA), tlv(0xa0, seq(
        version, digests, seq(oid(a.content_type or DATA),
                              b'' if a.detached
                              else tlv(0xa0, octets(content))),
        certificates, infos)))


def signer_of(a, key):
    """The certificate and the key that sign the message."""
    if a.signer_cert:
        cert = load_cert(a.signer_cert).public_bytes(
            serialization.Encoding.DER)
        return cert, load_key(a.signer_key, a.key_type)
    signer = load_key(a.signer_key, a.key_type) if a.signer_key else key
    if a.signer_like:
        return forge(signer, load_cert(a.signer_like), a.digest), signer
    cert = make_signer(signer, make_name(a.signer_subject or a.subject),
                       'sha256' if a.digest == 'md5' else a.digest,
                       int(a.signer_serial or '1', 16),
                       false_key(a.signer_false) if a.signer_false else None)
    if a.mismatch:
        # its issuer and serial are right, its key is another one
        return make_signer(new_key(a.key_type),
                           make_name(a.signer_subject or a.subject),
                           'sha256'), signer
    return cert, signer


def command_make(a):
    ca = load_cert(a.ca)
    a.recipient = load_cert(a.recipient) if a.recipient else None
    for name in 'trailing', 'trailing_csr', 'trailing_envelope':
        setattr(a, name, binascii.unhexlify(getattr(a, name)))
    key = load_key(a.key, a.key_type)
    cert, signer = signer_of(a, key)
    if a.payload:
        with open(a.payload, 'rb') as f:
            content = f.read()
    elif a.about:
        content = make_about(a)
    elif a.poll:
        content = make_poll(a)
    else:
        content = make_csr(a, key)
    if not a.no_envelope:
        content = make_envelope(a, ca, content) + a.trailing_envelope
    nonce = binascii.unhexlify(a.nonce) if a.nonce is not None \
        else os.urandom(a.nonce_len)
    attributes, txn = make_attributes(a, content, nonce)
    extra = [make_signer(signer, make_name('CN=extra %d' % i), 'sha256',
                         1000 + i) for i in range(a.extra_certs)]
    extra += [load_cert(f).public_bytes(serialization.Encoding.DER)
              for f in a.first_cert]
    certs = extra + ([] if a.no_cert else [cert])
    info = make_signer_info(a, signer, cert, attributes)
    message = make_signed(a, content, certs, [info] * a.signers)
    if a.truncate:
        message = message[:a.truncate]
    message += a.trailing
    with open(a.out, 'wb') as f:
        f.write(message)
    if 'nonce' in a.omit + a.dup:
        nonce = b''          # there is none that could be echoed
    state = {'type': a.type, 'transaction': txn.hex(), 'nonce': nonce.hex(),
             'cipher': a.cipher, 'digest': a.digest,
             'key': key_pem(signer).decode(),
             'certificate_key': (spki_of(a.about) if a.about
                                 else spki(key)).hex(),
             'signer': cert.hex(),
             'password': (a.challenge or [''])[0]}
    with open(a.state or a.out + '.json', 'w', encoding='ascii') as f:
        json.dump(state, f)
    if a.get:
        print(urllib.parse.quote(base64.b64encode(message), safe=''))


# opening

class Reply:
    """A CertRep, taken apart; errors are the rows that it breaks."""

    def __init__(self, data, state, ca, issuer):
        self.state = state
        self.ca = ca
        self.issuer = issuer
        self.errors = []
        self.out = {'status': None, 'fail_info': None,
                    'fail_info_text': None, 'serial': None}
        self.split(data)

    def check(self, right, row, text):
        if not right:
            self.errors.append('%s: %s' % (row, text))

    def split(self, data):
        info = parse(data, 0x30)
        if info.child(0, 0x06).oid() != SIGNED_DATA:
            raise Malformed('no SignedData')
        signed = parse(info.child(1, 0xa0).value, 0x30).children()
        self.encap = signed[2]
        self.certs = [n for s in signed[3:] if s.tag == 0xa0
                      for n in s.children()]
        infos = signed[-1].children()
        if signed[-1].tag != 0x31 or len(infos) != 1:
            raise Malformed('not exactly one SignerInfo')
        self.info = infos[0].children()
        if len(self.info) < 6 or self.info[3].tag != 0xa0:
            raise Malformed('no signed attributes')
        self.attributes = {}
        order = self.info[3].children()
        self.check([n.whole for n in order]
                   == sorted(n.whole for n in order), 'R10',
                   'attributes not in DER order')
        for node in order:
            name = node.child(0, 0x06).oid()
            values = node.child(1, 0x31).children()
            self.check(len(values) == 1, 'R1', name + ' has not one value')
            self.check(name not in self.attributes, 'R1', name + ' twice')
            self.attributes[name] = values[0]

    def text(self, name, row):
        node = self.attributes.get(name)
        if node is None:
            return None
        self.check(node.tag == 0x13, row, name + ' is no PrintableString')
        return node.value.decode('latin-1')

    def verify(self):
        digest = self.info[2].child(0, 0x06).oid()
        names = [n for n in DIGESTS if DIGESTS[n][0] == digest]
        if not names:
            raise Malformed('digest ' + digest)
        wanted = self.state['digest']
        self.check(names[0] == wanted or wanted == 'md5', 'R8',
                   'digest %s, not %s' % (names[0], wanted))
        algorithm_oid = self.info[4].child(0, 0x06).oid()
        der = self.ca.public_bytes(serialization.Encoding.DER)
        self.check(self.info[1].whole == seq(*issuer_and_serial(der)), 'R9',
                   'signer is not the recipient of the request')
        self.check(der in [n.whole for n in self.certs], 'R9',
                   'certificate of the signer is not included')
        h = DIGESTS[names[0]][3]()
        data = tlv(0x31, self.info[3].value)
        public = self.ca.public_key()
        try:
            if isinstance(public, rsa.RSAPublicKey):
                self.check(algorithm_oid == RSA_ENCRYPTION, 'R10',
                           'signatureAlgorithm ' + algorithm_oid)
                public.verify(self.info[5].value, data, apadding.PKCS1v15(),
                              h)
            else:
                public.verify(self.info[5].value, data, ec.ECDSA(h))
        except Exception:
            self.check(False, 'R9', 'wrong signature')
        content = self.content() or b''
        md = self.attributes.get(MESSAGE_DIGEST)
        self.check(md is not None and md.value
                   == hashlib.new(names[0], content).digest(),
                   'R3' if content == b'' else 'R1', 'wrong messageDigest')

    def content(self):
        parts = self.encap.children()
        if parts[0].oid() != DATA:
            self.check(False, 'R1', 'eContentType is not data')
        if len(parts) == 1:
            return None
        return parse(parts[1].value, 0x04).value

    def scep(self):
        a = self.attributes
        known = {CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME, MESSAGE_TYPE,
                 PKI_STATUS, FAIL_INFO, SENDER_NONCE, RECIPIENT_NONCE,
                 TRANSACTION_ID, FAIL_INFO_TEXT}
        self.check(set(a) <= known, 'R10', 'odd attributes: '
                   + ' '.join(set(a) - known))
        self.check(CONTENT_TYPE in a and a[CONTENT_TYPE].oid() == DATA,
                   'R1', 'contentType')
        txn = self.text(TRANSACTION_ID, 'R1')
        self.check(txn is not None and txn.encode('latin-1').hex()
                   == self.state['transaction'], 'R1',
                   'transactionID not echoed')
        self.check(self.text(MESSAGE_TYPE, 'R1') == '3', 'R1', 'messageType')
        nonce = a.get(SENDER_NONCE)
        self.check(nonce is not None and nonce.tag == 0x04
                   and len(nonce.value) == 16
                   and nonce.value.hex() != self.state['nonce'], 'R1',
                   'senderNonce is not 16 fresh octets')
        nonce = a.get(RECIPIENT_NONCE)
        if self.state['nonce']:
            self.check(nonce is not None and nonce.tag == 0x04
                       and nonce.value.hex() == self.state['nonce'], 'R1',
                       'recipientNonce is not the senderNonce sent')
        status = STATUSES.get(self.text(PKI_STATUS, 'R2') or '')
        self.check(status, 'R2', 'pkiStatus')
        self.out['status'] = status
        self.failure(status)
        if status in ('FAILURE', 'PENDING'):
            self.check(self.content() == b'', 'R3', 'eContent is not empty')

    def failure(self, status):
        failed = status == 'FAILURE'
        info = self.text(FAIL_INFO, 'R4')
        self.check((info in FAILURES) if failed else info is None, 'R4',
                   'failInfo %s' % info)
        self.out['fail_info'] = FAILURES.get(info or '')
        text = self.attributes.get(FAIL_INFO_TEXT)
        if text is not None:
            self.check(failed and text.tag == 0x0c, 'R4', 'failInfoText')
            self.out['fail_info_text'] = text.value.decode('utf-8', 'replace')

    def transport(self, alg):
        name = alg.child(0, 0x06).oid()
        if name == RSA_ENCRYPTION:
            return apadding.PKCS1v15()
        if name != RSAES_OAEP:
            raise Malformed('key transport ' + name)
        found = {0xa0: 'sha1', 0xa1: 'sha1'}
        for node in alg.child(1, 0x30).children():
            part = parse(node.value, 0x30)
            if node.tag == 0xa1:
                part = part.child(1, 0x30)
            digest = part.child(0, 0x06).oid()
            found[node.tag] = [n for n, d in DIGESTS.items()
                               if d[0] == digest][0]
            self.check(found[node.tag] != 'sha1', 'R6', 'OAEP: no DER')
        self.out['oaep'] = '%s %s' % (found[0xa0], found[0xa1])
        return apadding.OAEP(apadding.MGF1(DIGESTS[found[0xa1]][3]()),
                             DIGESTS[found[0xa0]][3](), None)

    def transported(self, info, key):
        """The content key of a KeyTransRecipientInfo."""
        if info.tag != 0x30:
            raise Malformed('R6: no KeyTransRecipientInfo')
        recipient = info.children()
        signer = bytes.fromhex(self.state['signer'])
        self.check(recipient[1].whole == seq(*issuer_and_serial(signer)),
                   'R6', 'recipient is not the signer certificate')
        return key.decrypt(recipient[3].value, self.transport(recipient[2]))

    def unwrapped(self, info):
        """The content key of a PasswordRecipientInfo, by the challenge."""
        if info.tag != 0xa3:
            raise Malformed('R7: no PasswordRecipientInfo')
        version, kdf, alg, wrapped = info.children()
        self.check(version.whole == integer(0), 'R7', 'version')
        params = kdf.child(1, 0x30).children()
        rounds = int.from_bytes(params[1].value, 'big')
        self.check(kdf.tag == 0xa0 and kdf.child(0, 0x06).oid() == PBKDF2
                   and params[2].child(0, 0x06).oid() == HMAC_SHA256,
                   'R7', 'key derivation')
        self.check(len(params[0].value) >= 16 and rounds >= 100000, 'R7',
                   'salt or iterations')
        self.out['salt'] = params[0].value.hex()
        self.check(alg.child(0, 0x06).oid() == PWRI_KEK, 'R7',
                   'key encryption')
        name, iv = alg.child(1, 0x30).children()
        name = [n for n in CIPHERS if CIPHERS[n][0] == name.oid()][0]
        self.check(name == self.state['cipher'], 'R7',
                   'the key is wrapped by %s' % name)
        size, block = CIPHERS[name][1:]
        kek = hashlib.pbkdf2_hmac('sha256', self.state['password'].encode(),
                                  params[0].value, rounds, size)
        return unwrap(kek, name, block, iv.value, wrapped.value)

    def decrypt(self, content):
        info = parse(content, 0x30)
        if info.child(0, 0x06).oid() != ENVELOPED_DATA:
            raise Malformed('no EnvelopedData')
        enveloped = parse(info.child(1, 0xa0).value, 0x30).children()
        recipients = enveloped[1].children()
        if len(recipients) != 1:
            raise Malformed('not exactly one recipient')
        key = key_of_pem(self.state['key'].encode())
        if isinstance(key, rsa.RSAPrivateKey):
            version, cek = 0, self.transported(recipients[0], key)
        else:
            version, cek = 3, self.unwrapped(recipients[0])
        self.check(enveloped[0].whole == integer(version), 'R7',
                   'version of EnvelopedData')
        sealed = enveloped[2].children()
        name = sealed[1].child(0, 0x06).oid()
        names = [n for n in CIPHERS if CIPHERS[n][0] == name]
        wanted = self.state['cipher']
        self.check(names == [wanted], 'R8',
                   'cipher %s, not %s' % (names, wanted))
        if not names:
            raise Malformed('cipher ' + name)
        if sealed[2].tag != 0x80:
            raise Malformed('encryptedContent is not primitive')
        iv = sealed[1].child(1, 0x04).value
        if names[0].startswith('des'):
            method = algorithms.TripleDES(cek * (24 // len(cek)))
        else:
            method = algorithms.AES(cek)
        c = Cipher(method, modes.CBC(iv)).decryptor()
        padded = c.update(sealed[2].value) + c.finalize()
        unpadder = padding.PKCS7(8 * len(iv)).unpadder()
        return unpadder.update(padded) + unpadder.finalize()

    def payload(self, cert_out):
        content = self.content()
        if content is None:
            self.check(False, 'R5', 'no envelope')
            return
        info = parse(self.decrypt(content), 0x30)
        if info.child(0, 0x06).oid() != SIGNED_DATA:
            raise Malformed('no certs-only SignedData')
        signed = parse(info.child(1, 0xa0).value, 0x30).children()
        self.check(len(signed[2].children()) == 1, 'R5',
                   'certs-only message has content')
        self.check(signed[-1].tag == 0x31 and not signed[-1].value, 'R5',
                   'certs-only message has signers')
        crl = self.state['type'] == '22'
        self.check([n.tag for n in signed[3:-1]] == [0xa1 if crl else 0xa0],
                   'O5' if crl else 'R5', 'fields of the certs-only message')
        found = [n for s in signed[3:-1] for n in s.children()]
        self.check(len(found) == 1, 'R5', '%d in it' % len(found))
        if crl:
            self.crl(found[0].whole, cert_out)
        else:
            self.certificate(found[0].whole, cert_out)

    def crl(self, der, crl_out):
        crl = x509.load_der_x509_crl(der)
        self.check(crl.is_signature_valid(self.issuer.public_key()), 'O5',
                   'CRL not signed by the issuer')
        numbers = crl.extensions.get_extension_for_class(x509.CRLNumber)
        self.out['number'] = numbers.value.crl_number
        self.out['crl'] = base64.b64encode(der).decode()
        if crl_out:
            with open(crl_out, 'wb') as f:
                f.write(der)

    def certificate(self, der, cert_out):
        cert = x509.load_der_x509_certificate(der)
        _, serial = issuer_and_serial(der)
        value = parse(serial, 0x02).value
        if len(value) > 1 and value[0] == 0:
            value = value[1:]
        public = cert.public_key().public_bytes(
            serialization.Encoding.DER,
            serialization.PublicFormat.SubjectPublicKeyInfo)
        self.check(public.hex() == self.state['certificate_key'], 'R5',
                   'certificate of another key')
        issuer = self.issuer.public_key()
        try:
            if isinstance(issuer, rsa.RSAPublicKey):
                issuer.verify(cert.signature, cert.tbs_certificate_bytes,
                              apadding.PKCS1v15(),
                              cert.signature_hash_algorithm)
            else:
                issuer.verify(cert.signature, cert.tbs_certificate_bytes,
                              ec.ECDSA(cert.signature_hash_algorithm))
        except Exception:
            self.check(False, 'R5', 'certificate not signed by the issuer')
        pem = cert.public_bytes(serialization.Encoding.PEM).decode()
        self.out['serial'] = value.hex()
        self.out['subject'] = cert.subject.rfc4514_string()
        self.out['certificate'] = pem
        if cert_out:
            with open(cert_out, 'w', encoding='ascii') as f:
                f.write(pem)


def command_open(a):
    with open(a.state, encoding='ascii') as f:
        state = json.load(f)
    if a.cipher:
        state['cipher'] = a.cipher
    with open(a.reply, 'rb') if a.reply != '-' else sys.stdin.buffer as f:
        data = f.read()
    ca = load_cert(a.ca)
    issuer = load_cert(a.issuer) if a.issuer else ca
    try:
        reply = Reply(data, state, ca, issuer)
    except (Malformed, IndexError) as e:
        print(json.dumps({'status': None, 'errors': ['no CertRep: %s' % e]}))
        return 2
    try:
        reply.verify()
        reply.scep()
        if reply.out['status'] == 'SUCCESS':
            reply.payload(a.cert_out)
    except (Malformed, IndexError, ValueError) as e:
        reply.errors.append('malformed: %s' % e)
    reply.out['errors'] = reply.errors
    print(json.dumps(reply.out, sort_keys=True))
    return 1 if reply.errors else 0


def command_run():
    for line in sys.stdin:
        out = io.StringIO()
        try:
            with contextlib.redirect_stdout(out):
                code = command(argument_parser().parse_args(json.loads(line)))
        except SystemExit as e:
            code = e.code
        except Exception as e:
            code = 3
            out.write('%s: %s' % (type(e).__name__, e))
        print(json.dumps({'code': code, 'out': out.getvalue()}), flush=True)
    return 0


@functools.lru_cache(None)
def argument_parser():
    parser = argparse.ArgumentParser(prog='scep_craft.py')
    commands = parser.add_subparsers(dest='command', required=True)

    m = commands.add_parser('make', help='make a message')
    m.add_argument('--ca', required=True, help='whom it is for')
    m.add_argument('--out', required=True)
    m.add_argument('--state', help='default OUT.json')
    m.add_argument('--get', action='store_true',
                   help='print the value of "message=" of a GET')
    m.add_argument('--key', help='PEM file, made if it is not there')
    m.add_argument('--key-type', default='rsa:2048',
                   help='rsa:2048, rsa:1024, ec:P-256, ...')
    m.add_argument('--subject', default='CN=craft')
    m.add_argument('--san', action='append',
                   help='DNS:x, IP:x, email:x, URI:x, UPN:x')
    m.add_argument('--challenge', action='append')
    m.add_argument('--challenge-file', help='its first line')
    m.add_argument('--challenge-tag', default='printable', choices=STRINGS)
    m.add_argument('--ca-true', action='store_true')
    m.add_argument('--ca-false', action='store_true')
    m.add_argument('--key-usage', help='content of the BIT STRING, hex')
    m.add_argument('--eku', action='append', help='an OID')
    m.add_argument('--extension', action='append',
                   help='OID:critical|-:hex')
    m.add_argument('--ms-extensions', action='store_true',
                   help="requested by Microsoft's attribute")
    m.add_argument('--csr-attribute', action='append', default=[],
                   help='OID:the values in it, hex')
    m.add_argument('--subject-der', help='hex')
    m.add_argument('--csr-false', help='its RSA modulus, by chance: '
                   'bits:exponent, hex')
    m.add_argument('--payload', help='a file instead of the CSR')
    m.add_argument('--poll',
                   help='hold an IssuerAndSubject: that of this authority '
                        '(a file), and --subject')
    m.add_argument('--poll-issuer', help='this name instead')
    m.add_argument('--poll-subject', help='this name instead')
    m.add_argument('--about', help='a certificate: its issuer and serial '
                   'number instead of the CSR')
    m.add_argument('--about-issuer', help='another issuer')
    m.add_argument('--about-serial', help='another serial number, hex')
    m.add_argument('--type', default='19', help='messageType')
    m.add_argument('--type-tag', default='printable', choices=STRINGS)
    m.add_argument('--txn', help='default random')
    m.add_argument('--txn-hex')
    m.add_argument('--txn-tag', default='printable', choices=STRINGS)
    m.add_argument('--nonce', help='hex')
    m.add_argument('--nonce-len', type=int, default=16)
    m.add_argument('--omit', action='append', default=[],
                   choices=['txn', 'type', 'nonce', 'digest', 'time',
                            'content-type'])
    m.add_argument('--dup', action='append', default=[],
                   choices=['txn', 'type', 'nonce', 'digest', 'time',
                            'content-type'])
    m.add_argument('--dup-value', help='one more messageType beside the first')
    m.add_argument('--extra-attribute', action='append', default=[],
                   help='a signed one, OID:the values in it, hex')
    m.add_argument('--unsigned', action='append', default=[],
                   help='an unsigned one, likewise')
    m.add_argument('--outer-type', help='an OID instead of SignedData')
    m.add_argument('--content-type', help='of what is signed, an OID')
    m.add_argument('--content-attribute', help='the attribute about it alone')
    m.add_argument('--detached', action='store_true',
                   help='what is signed is not there')
    m.add_argument('--inner-type', help='an OID instead of EnvelopedData')
    m.add_argument('--sealed-type', help='of what is encrypted, an OID')
    m.add_argument('--time-skew', type=int, default=0)
    m.add_argument('--cipher', default='aes-128-cbc', choices=CIPHERS)
    m.add_argument('--digest', default='sha256', choices=DIGESTS)
    m.add_argument('--csr-digest', choices=DIGESTS)
    m.add_argument('--pss', type=int, help='sign the message by RSASSA-PSS '
                   'with so many octets of salt')
    m.add_argument('--pss-digest', choices=DIGESTS, help='as it says')
    m.add_argument('--pss-mgf', choices=DIGESTS, help='as it says')
    m.add_argument('--pss-trailer', type=int)
    m.add_argument('--pss-params', help='instead of all these, hex')
    m.add_argument('--transport', default='pkcs1',
                   choices=['pkcs1', 'oaep', 'oaep-sha256', 'oaep-sha384',
                            'oaep-sha512'])
    m.add_argument('--recipient', help='certificate that it names instead')
    m.add_argument('--recipient-serial', help='hex')
    m.add_argument('--recipient-ski', action='store_true')
    m.add_argument('--recipients', type=int, default=1)
    m.add_argument('--recipient-name', help='its issuer written otherwise',
                   choices=['tags', 'upper', 'blanks'])
    m.add_argument('--decoy', action='append', default=[],
                   choices=['ktri', 'kari', 'kekri', 'pwri', 'ori'],
                   help='a recipient before it that is somebody else')
    m.add_argument('--mgf1', choices=DIGESTS, help='of OAEP; without it the '
                   'same digest')
    m.add_argument('--oaep-params', help='what the message says they are, hex')
    m.add_argument('--iv-len', type=int)
    m.add_argument('--flip-sealed', type=int,
                   help='a bit of this octet of the ciphertext')
    m.add_argument('--broken', action='append', default=[],
                   choices=['signature', 'digest', 'csr', 'cek', 'envelope'])
    m.add_argument('--ber', action='store_true',
                   help='indefinite lengths, segmented strings')
    m.add_argument('--no-envelope', action='store_true')
    m.add_argument('--signer-cert', help='an existing certificate')
    m.add_argument('--signer-key', help='its key, or that of a new signer')
    m.add_argument('--signer-subject')
    m.add_argument('--signer-serial', help='hex')
    m.add_argument('--signer-like', help='a certificate: as it is, but for '
                   'its key and its signature')
    m.add_argument('--signer-false', help='its certificate has this RSA '
                   'modulus, by chance: bits:exponent, hex')
    m.add_argument('--signer-ski', action='store_true')
    m.add_argument('--signers', type=int, default=1)
    m.add_argument('--mismatch', action='store_true',
                   help='the signer certificate has another key')
    m.add_argument('--extra-certs', type=int, default=0,
                   help='put before that of the signer')
    m.add_argument('--first-cert', action='append', default=[],
                   help='a file: likewise')
    m.add_argument('--no-cert', action='store_true')
    m.add_argument('--trailing', default='', help='hex')
    m.add_argument('--trailing-csr', default='', help='hex')
    m.add_argument('--trailing-envelope', default='', help='hex')
    m.add_argument('--truncate', type=int, help='to so many octets')

    o = commands.add_parser('open', help='check an answer')
    o.add_argument('--ca', required=True, help='who answers: CA or RA')
    o.add_argument('--issuer', help='who issues, if another')
    o.add_argument('--state', required=True)
    o.add_argument('--cipher', choices=CIPHERS,
                   help='that the answer shall have, if not its own')
    o.add_argument('--cert-out', help='file for the certificate, or CRL')
    o.add_argument('reply', help='"-": standard input')
    commands.add_parser('run', help='many of these')
    return parser


def command(a):
    return {'make': command_make, 'open': command_open,
            'run': lambda _: command_run()}[a.command](a)


if __name__ == '__main__':
    sys.exit(command(argument_parser().parse_args()))
