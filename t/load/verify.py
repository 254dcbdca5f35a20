#!/usr/bin/python3

# Asks about a good certificate at an even pace, every other time with a nonce,
# and verifies each answer as of now:
#
#     verify.py CA.pem SERIAL A-SECOND SECONDS NODE
#
# One JSON object is printed: how many answers, why the others were wrong, how
# many certificates have signed.

import collections
import datetime
import json
import os
import sys
import time

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp

from client import Issuer, connect_all, Gone, status

SECOND = datetime.timedelta(seconds=1)


def verify(key, certificate, octets):
    key.verify(certificate.signature, octets,
               ec.ECDSA(certificate.signature_hash_algorithm))


def wrong(issuer, body, nonce):
    """Why it is, or nothing, and the signer's certificate."""
    said = status(body)
    if said != 'good':
        return said, None
    response = ocsp.load_der_ocsp_response(body)
    signer, = response.certificates
    try:
        verify(issuer.certificate.public_key(), signer,
               signer.tbs_certificate_bytes)
        verify(signer.public_key(), response, response.tbs_response_bytes)
    except InvalidSignature:
        return 'signature', signer
    now = datetime.datetime.utcnow()
    if not signer.not_valid_before <= now <= signer.not_valid_after + SECOND:
        return 'an expired delegate', signer
    for single in response.responses:
        if not single.this_update <= now <= single.next_update + SECOND:
            return 'an expired answer', signer
        if single.next_update > signer.not_valid_after:
            return 'an answer that outlives its delegate', signer
    if nonce is not None and nonce not in response.tbs_response_bytes:
        return 'the nonce', signer
    return None, signer


def main():
    ca, serial, rate, seconds, node = sys.argv[1:]
    issuer = Issuer(ca)
    connections = connect_all(node, issuer.request(serial))
    troubles = collections.Counter()
    signers = set()
    start = time.monotonic()
    count = round(float(rate) * float(seconds))

    for number in range(count):
        pause = start + number / float(rate) - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        nonce = os.urandom(16) if number % 2 else None
        connection = connections[number // 2 % len(connections)]
        try:
            code, body = connection.ask(issuer.request(serial, nonce))
        except Gone as e:
            sys.exit(f'a connection broke: {e}')
        trouble, signer = wrong(issuer, body, nonce)
        if trouble:
            troubles[trouble] += 1
        if signer:
            signers.add(signer.serial_number)

    print(json.dumps({'answers': count, 'failed': sum(troubles.values()),
                      'troubles': troubles, 'signers': len(signers)}))


if __name__ == '__main__':
    main()
