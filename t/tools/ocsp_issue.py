#!/usr/bin/python3
#
# Makes certificates of OCSP responders, right and wrong ones, for
# t/38-ocsp-signer.t.  Its one argument is a JSON object:
#
#   {"cert": file, "key": file, "type": "ec:P-256", "ca": file, "ca_key": file}
#
# writes a key (made of "type", unless it is there) and a certificate of it in
# PEM, issued by "ca"; without "ca" it is that of a new authority.  Further:
# "subject" (a common name), "from" and "days" (relative to now, in days),
# "eku" (names, false: no extension), "ku" (the same), "nocheck" (false: no).

import datetime
import json
import os
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage, NameOID

CURVES = {'P-256': ec.SECP256R1, 'P-384': ec.SECP384R1, 'P-521': ec.SECP521R1,
          'P-224': ec.SECP224R1}

USAGES = {'ocsp': Usage.OCSP_SIGNING, 'client': Usage.CLIENT_AUTH}

BITS = ('digital_signature', 'content_commitment', 'key_encipherment',
        'data_encipherment', 'key_agreement', 'key_cert_sign', 'crl_sign',
        'encipher_only', 'decipher_only')


def private_key(path, kind):
    if os.path.exists(path):
        with open(path, 'rb') as f:
            return serialization.load_pem_private_key(f.read(), None)

    name, size = kind.split(':')

    if name == 'rsa':
        key = rsa.generate_private_key(65537, int(size))
    else:
        key = ec.generate_private_key(CURVES[size]())

    pem = key.private_bytes(serialization.Encoding.PEM,
                            serialization.PrivateFormat.PKCS8,
                            serialization.NoEncryption())

    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), 'wb') as f:
        f.write(pem)

    return key


def load(path):
    with open(path, 'rb') as f:
        return x509.load_pem_x509_certificate(f.read())


def name(text):
    return x509.Name([
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, 'Test'),
        x509.NameAttribute(NameOID.COMMON_NAME, text)])


def key_usage(names):
    return x509.KeyUsage(**{bit: bit in names for bit in BITS})


def start(spec, issuer, subject, public_key):
    now = datetime.datetime.utcnow()
    begin = now + datetime.timedelta(days=spec.get('from', -1))
    end = now + datetime.timedelta(days=spec.get('days', 365))

    return x509.CertificateBuilder(
        issuer, subject, public_key, x509.random_serial_number(), begin, end
    ).add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key),
                    False)


def authority(spec, key):
    subject = name(spec.get('subject', 'demo CA'))
    usage = key_usage(['digital_signature', 'key_cert_sign', 'crl_sign'])

    return start(spec, subject, subject, key.public_key()) \
        .add_extension(x509.BasicConstraints(True, None), True) \
        .add_extension(usage, True) \
        .sign(key, hashes.SHA256())


def responder(spec, key):
    issuer = load(spec['ca']).subject
    builder = start(spec, issuer, name(spec.get('subject', 'responder')),
                    key.public_key())
    eku = spec.get('eku', ['ocsp'])
    usage = spec.get('ku', ['digital_signature'])

    if eku:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([USAGES[u] for u in eku]), False)

    if usage:
        builder = builder.add_extension(key_usage(usage), True)

    if spec.get('nocheck', True):
        builder = builder.add_extension(x509.OCSPNoCheck(), False)

    return builder.sign(private_key(spec['ca_key'], ''), hashes.SHA256())


def main():
    spec = json.loads(sys.argv[1])
    key = private_key(spec['key'], spec.get('type', 'ec:P-256'))
    cert = responder(spec, key) if 'ca' in spec else authority(spec, key)

    with open(spec['cert'], 'wb') as f:
        f.write(cert.public_bytes(serialization.Encoding.PEM))


main()
