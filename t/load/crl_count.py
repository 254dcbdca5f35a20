#!/usr/bin/python3

# Loads a CRL and prints how many octets it has, and how many entries:
#
#     crl_count.py PORT URI

import sys

from client import Connection, element, elements


def main():
    port, uri = sys.argv[1:]
    code, crl = Connection(int(port), uri, 60).get(uri)
    if code != 200:
        sys.exit(f'{uri}: {code}')
    _, start, _ = element(crl, 0)
    _, start, end = element(crl, start)               # TBSCertList
    # version, signature, issuer, thisUpdate, nextUpdate, revokedCertificates
    parts = list(elements(crl, start, end))
    entries = 0
    if parts[5][0] == 0x30:
        entries = sum(1 for _ in elements(crl, *parts[5][1:]))
    print(len(crl), entries)


if __name__ == '__main__':
    main()
