#!/usr/bin/python3
"""Entries of "{a}:ra" in Redis, read and written independently of the module.

    ra_entry.py show FILE                       what it says, in JSON
    ra_entry.py cert FILE                       its certificate, PEM
    ra_entry.py open FILE AUTHORITY KEY         its private key, PEM, opened
                                                with the authority's key
    ra_entry.py seal AUTHORITY CA CERT KEY      an entry for a certificate and
                                                a private key, sealed for the
                                                authority's certificate CA
"""

import hashlib
import json
import os
import sys
import time

from asn1crypto import core
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class Entry(core.Sequence):
    _fields = [
        ('version', core.Integer),
        ('made_at', core.UTF8String),
        ('certificate', core.OctetString),
        ('key_url', core.UTF8String),
        ('sealed', core.OctetString),
    ]


class Sealed(core.Sequence):
    _fields = [
        ('version', core.Integer),
        ('method', core.Integer),
        ('key_name', core.UTF8String),
        ('content_key', core.OctetString),
        ('nonce', core.OctetString),
        ('encrypted', core.OctetString),
    ]


OAEP = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()),
                    algorithm=hashes.SHA256(), label=None)


def read(path):
    with open(path, 'rb') as f:
        return f.read()


def bound(authority, certificate):
    return authority.encode() + hashlib.sha256(certificate).digest()


def show(path):
    entry = Entry.load(read(path), strict=True)
    out = {'made_at': int(entry['made_at'].native),
           'key_url': entry['key_url'].native}
    if entry['sealed'].native:
        sealed = Sealed.load(entry['sealed'].native, strict=True)
        out['method'] = sealed['method'].native
        out['key_name'] = sealed['key_name'].native
    print(json.dumps(out))


def cert(path):
    entry = Entry.load(read(path), strict=True)
    certificate = x509.load_der_x509_certificate(entry['certificate'].native)
    sys.stdout.write(certificate.public_bytes(
        serialization.Encoding.PEM).decode())


def unseal(path, authority, key_path):
    entry = Entry.load(read(path), strict=True)
    sealed = Sealed.load(entry['sealed'].native, strict=True)
    key = serialization.load_pem_private_key(read(key_path), None)

    if isinstance(key, rsa.RSAPrivateKey):
        content_key = key.decrypt(sealed['content_key'].native, OAEP)
    else:
        number = key.private_numbers().private_value
        secret = number.to_bytes((key.key_size + 7) // 8, 'big')
        content_key = HKDF(hashes.SHA256(), 32, sealed['content_key'].native,
                           b'ngx_pki sealing key').derive(secret)

    private = serialization.load_der_private_key(
        AESGCM(content_key).decrypt(sealed['nonce'].native,
                                    sealed['encrypted'].native,
                                    bound(authority,
                                          entry['certificate'].native)),
        None)

    sys.stdout.write(private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()).decode())


def seal(authority, ca_path, cert_path, key_path):
    ca = x509.load_pem_x509_certificate(read(ca_path))
    der = x509.load_pem_x509_certificate(read(cert_path)).public_bytes(
        serialization.Encoding.DER)
    private = serialization.load_pem_private_key(
        read(key_path), None).private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption())

    content_key = os.urandom(32)
    nonce = os.urandom(12)

    sealed = Sealed({
        'version': 1, 'method': 1, 'key_name': 'file',
        'content_key': ca.public_key().encrypt(content_key, OAEP),
        'nonce': nonce,
        'encrypted': AESGCM(content_key).encrypt(nonce, private,
                                                 bound(authority, der)),
    })

    sys.stdout.buffer.write(Entry({
        'version': 1, 'made_at': str(int(time.time())), 'certificate': der,
        'key_url': '', 'sealed': sealed.dump(),
    }).dump())


COMMANDS = {'show': show, 'cert': cert, 'open': unseal, 'seal': seal}

if __name__ == '__main__':
    COMMANDS[sys.argv[1]](*sys.argv[2:])
