#!/usr/bin/python3

# Many PKCS#10 requests at once, for clients that enrol faster than openssl
# could make them:
#
#     csr_many.py COUNT [PREFIX] > requests.pem
#
# All are of one new P-256 key; their subjects are CN=PREFIX1, CN=PREFIX2, ...

import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def request(key, name):
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    signed = builder.sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def main():
    count = int(sys.argv[1])
    prefix = sys.argv[2] if len(sys.argv) > 2 else 'device'
    key = ec.generate_private_key(ec.SECP256R1())

    for number in range(1, count + 1):
        sys.stdout.write(request(key, f'{prefix}{number}'))


if __name__ == '__main__':
    main()
