"""A version of a key: what it is, and what can be done with it."""

import secrets
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from tokens import base64url

CURVES = {
    'P-256': (ec.SECP256R1, 32, 'ES256'),
    'P-384': (ec.SECP384R1, 48, 'ES384'),
    'P-521': (ec.SECP521R1, 66, 'ES512'),
}
CURVE_NAMES = {curve.name: name for name, (curve, _, _) in CURVES.items()}
KEY_SIZES = (2048, 3072, 4096)
HASHES = {'256': hashes.SHA256(), '384': hashes.SHA384(),
          '512': hashes.SHA512()}
RSA_OPERATIONS = ['encrypt', 'decrypt', 'sign', 'verify', 'wrapKey',
                  'unwrapKey']
EC_OPERATIONS = ['sign', 'verify']
UNITS = {2048: 1, 3072: 4, 4096: 8}


class BadParameter(Exception):
    """What the vault calls so: status 400."""


def oaep(digest):
    return padding.OAEP(padding.MGF1(digest), digest, None)


ENCRYPTION = {
    'RSA1_5': padding.PKCS1v15(),
    'RSA-OAEP': oaep(hashes.SHA1()),
    'RSA-OAEP-256': oaep(hashes.SHA256()),
}


def unsigned(number, size=None):
    size = size or (number.bit_length() + 7) // 8
    return base64url(number.to_bytes(size, 'big'))


def generate(kty, size=None, curve=None):
    """A private key; takes its time."""
    if kty in ('RSA', 'RSA-HSM'):
        size = size or 2048
        if size not in KEY_SIZES:
            raise BadParameter('The parameter \'key_size\' is not supported.')
        return rsa.generate_private_key(65537, size)

    if kty in ('EC', 'EC-HSM'):
        curve = curve or 'P-256'
        if curve not in CURVES:
            raise BadParameter(f'The curve \'{curve}\' is not supported.')
        return ec.generate_private_key(CURVES[curve][0]())

    raise BadParameter(f'The key type \'{kty}\' is not supported.')


class Version:

    def __init__(self, private, hsm=False, operations=None, attributes=None,
                 tags=None):
        now = int(time.time())
        self.private = private
        self.public = private.public_key()
        self.is_rsa = isinstance(private, rsa.RSAPrivateKey)
        self.hsm = hsm
        possible = RSA_OPERATIONS if self.is_rsa else EC_OPERATIONS
        self.operations = possible if operations is None else operations
        if not all(operation in possible for operation in self.operations):
            raise BadParameter('Property \'key_ops\' has an operation that '
                               'the key type does not support.')
        self.attributes = {
            'enabled': True, 'created': now, 'updated': now,
            'recoveryLevel': 'CustomizedRecoverable+Purgeable',
            'recoverableDays': 7, 'exportable': False,
            'hsmPlatform': '1' if hsm else '0',
        } | (attributes or {})
        self.tags = tags or {}
        self.version = secrets.token_hex(16)
        self.settle(0, 0)

    @property
    def kty(self):
        return ('RSA' if self.is_rsa else 'EC') + ('-HSM' if self.hsm else '')

    @property
    def units(self):
        """The share of the vault's limit that an operation takes."""
        units = UNITS.get(self.private.key_size, 8) if self.is_rsa else 1
        return units if self.hsm else units / 2

    @property
    def curve(self):
        return CURVE_NAMES[self.private.curve.name]

    def settle(self, seconds, attempts):
        """The key is usable after the time and that many refusals."""
        self.ready_at = time.monotonic() + seconds
        self.refusals = attempts

    def settled(self):
        if self.refusals > 0:
            self.refusals -= 1
            return False
        return time.monotonic() >= self.ready_at

    def public_pem(self):
        return self.public.public_bytes(
            serialization.Encoding.PEM,
            serialization.PublicFormat.SubjectPublicKeyInfo).decode()

    def again(self):
        """A new version with new material, as a rotation makes it."""
        private = (generate('RSA', size=self.private.key_size) if self.is_rsa
                   else generate('EC', curve=self.curve))
        return Version(private, self.hsm, self.operations, None, self.tags)

    def jwk(self, kid):
        jwk = {'kid': kid, 'kty': self.kty, 'key_ops': self.operations}
        numbers = self.public.public_numbers()

        if self.is_rsa:
            return jwk | {'n': unsigned(numbers.n), 'e': unsigned(numbers.e)}

        size = CURVES[self.curve][1]
        return jwk | {'crv': self.curve, 'x': unsigned(numbers.x, size),
                      'y': unsigned(numbers.y, size)}

    def prehashed(self, algorithm, digest):
        """Checks algorithm and digest against the key."""
        kind, bits = algorithm[:2], algorithm[2:]
        fits = kind in ('RS', 'PS') if self.is_rsa \
            else algorithm == CURVES[self.curve][2]

        if bits not in HASHES or not fits:
            raise BadParameter(f'Key and signing algorithm are incompatible. '
                               f'Key type: {self.kty}, algorithm: '
                               f'{algorithm}.')

        if len(digest) != HASHES[bits].digest_size:
            raise BadParameter(f'Invalid length of \'value\': '
                               f'{len(digest)} bytes. {algorithm} requires '
                               f'{HASHES[bits].digest_size} bytes.')

        return HASHES[bits]

    def padding(self, algorithm, digest):
        return padding.PKCS1v15() if algorithm.startswith('RS') \
            else padding.PSS(padding.MGF1(digest), digest.digest_size)

    def sign(self, algorithm, value):
        digest = self.prehashed(algorithm, value)
        prehashed = utils.Prehashed(digest)

        if self.is_rsa:
            return self.private.sign(value, self.padding(algorithm, digest),
                                     prehashed)

        size = CURVES[self.curve][1]
        r, s = utils.decode_dss_signature(
            self.private.sign(value, ec.ECDSA(prehashed)))
        return r.to_bytes(size, 'big') + s.to_bytes(size, 'big')

    def verify(self, algorithm, value, signature):
        digest = self.prehashed(algorithm, value)
        prehashed = utils.Prehashed(digest)

        try:
            if self.is_rsa:
                self.public.verify(signature, value,
                                   self.padding(algorithm, digest), prehashed)
            else:
                half = len(signature) // 2
                self.public.verify(
                    utils.encode_dss_signature(
                        int.from_bytes(signature[:half], 'big'),
                        int.from_bytes(signature[half:], 'big')),
                    value, ec.ECDSA(prehashed))
        except InvalidSignature:
            return False

        return True

    def encryption(self, algorithm):
        if not self.is_rsa or algorithm not in ENCRYPTION:
            raise BadParameter(f'Key and encryption algorithm are '
                               f'incompatible. Key type: {self.kty}, '
                               f'algorithm: {algorithm}.')
        return ENCRYPTION[algorithm]

    def encrypt(self, algorithm, value):
        scheme = self.encryption(algorithm)
        try:
            return self.public.encrypt(value, scheme)
        except ValueError:
            raise BadParameter('The value is too long.') from None

    def decrypt(self, algorithm, value):
        scheme = self.encryption(algorithm)
        try:
            return self.private.decrypt(value, scheme)
        except ValueError:
            raise BadParameter('The parameter is incorrect.') from None
