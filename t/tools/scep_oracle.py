#!/usr/bin/python3

# Messages as they are sent to find out what an RSA decryption thinks of them
# (Bleichenbacher's attack): PKCSReqs by scep_craft.py that differ in how the
# content key is wrapped, or in the content, and in nothing else.
#
#     scep_oracle.py CA.pem DIRECTORY CHALLENGE
#
# writes DIRECTORY/<kind>.der for each kind below.  Transaction and nonce are
# the same in all, but for "right", with which nothing is wrong.

import os
import sys

import scep_craft

KINDS = {}


def kind(function):
    KINDS[function.__name__] = function
    return function


def filled(count):
    """Octets, none of which is zero."""
    return bytes(octet or 1 for octet in os.urandom(count))


def padded(size, cek, start=b'\0\2', separator=b'\0'):
    count = size - len(start) - len(separator) - len(cek)
    return start + filled(count) + separator + cek


# What the RSA operation yields, of so many octets, instead of "cek" in PKCS #1
# padding.

@kind
def right(size, cek):
    return padded(size, cek)


@kind
def wrong_type(size, cek):
    return padded(size, cek, b'\0\1')


@kind
def wrong_start(size, cek):
    return padded(size, cek, b'\1\2')


@kind
def short_padding(size, cek):
    block = bytearray(padded(size, cek))
    block[5] = 0
    return bytes(block)


@kind
def no_separator(size, cek):
    return b'\0\2' + filled(size - 2)


@kind
def no_key(size, cek):
    return padded(size, b'')


@kind
def short_key(size, cek):
    return padded(size, cek[:16])


@kind
def long_key(size, cek):
    return padded(size, cek + b'\1')


@kind
def random_key(size, cek):
    return padded(size, os.urandom(len(cek)))


@kind
def wrong_content(size, cek):
    return padded(size, cek)


def wrapping(make):
    """In place of scep_craft.wrap_key()."""
    def wrap_key(a, ca, cek):
        numbers = ca.public_key().public_numbers()
        size = (numbers.n.bit_length() + 7) // 8
        block = int.from_bytes(make(size, cek), 'big')
        wrapped = pow(block, numbers.e, numbers.n).to_bytes(size, 'big')
        return scep_craft.algorithm(scep_craft.RSA_ENCRYPTION), wrapped

    return wrap_key


def main():
    ca, directory, challenge = sys.argv[1:]
    common = ['--key', os.path.join(directory, 'oracle.key'), '--cipher',
              'aes-256-cbc', '--challenge', challenge, '--nonce', '5a' * 16]

    for name, make in KINDS.items():
        scep_craft.wrap_key = wrapping(make)
        words = ['make', '--ca', ca, '--txn',
                 'right' if name == 'right' else 'oracle',
                 '--out', os.path.join(directory, name + '.der')]
        if name == 'wrong_content':
            words += ['--broken', 'envelope']
        options = scep_craft.argument_parser().parse_args(words + common)
        scep_craft.command(options)


if __name__ == '__main__':
    main()
