#!/usr/bin/python3

# The OCSP requests about serial numbers, a line each, in hexadecimal:
#
#     bodies.py CA.pem < serials

import sys

from client import Issuer


def main():
    issuer = Issuer(sys.argv[1])
    for line in sys.stdin:
        print(issuer.request(line.strip()).hex())


if __name__ == '__main__':
    main()
