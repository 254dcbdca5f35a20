#!/usr/bin/python3

# Enrols with each PKCS#10 request of a file, writes the serial numbers:
#
#     enrol.py PORT URI REQUESTS.pem > serials

import re
import sys

from cryptography import x509

from client import Connection


def main():
    port, uri, file = sys.argv[1:]
    connection = Connection(int(port), uri)
    with open(file) as f:
        requests = re.findall('-----BEGIN.*?-----END[^\n]*\n', f.read(),
                              re.DOTALL)
    for request in requests:
        code, body = connection.ask(request.encode(), 'application/pkcs10')
        if code != 201:
            sys.exit(f'{code}: {body.decode()}')
        certificate = x509.load_pem_x509_certificate(body)
        number = certificate.serial_number
        print(number.to_bytes(number.bit_length() // 8 + 1, 'big').hex())


if __name__ == '__main__':
    main()
