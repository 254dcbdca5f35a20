"""The challenges that Intune gives to devices, and what they promise."""

import base64
import json
import os
import time
import uuid

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import AttributeOID

SIZE = 2048
NONCE = 12
LIFETIME = 3600
UTF8_STRING = 0x0c
UPN = '1.3.6.1.4.1.311.20.2.3'
KEY_USAGES = {'digitalSignature': 'digital_signature',
              'nonRepudiation': 'content_commitment',
              'keyEncipherment': 'key_encipherment',
              'dataEncipherment': 'data_encipherment',
              'keyAgreement': 'key_agreement',
              'keyCertSign': 'key_cert_sign', 'cRLSign': 'crl_sign'}
KINDS = {x509.RFC822Name: 'email', x509.DNSName: 'DNS', x509.IPAddress: 'IP',
         x509.UniformResourceIdentifier: 'URI'}
WANTED = ('subject', 'sans', 'key_usage', 'eku', 'key_length')


class Refused(Exception):
    """A code of Intune, and its words."""

    def __init__(self, code, message=''):
        super().__init__(message or f'{code} was found.')
        self.code = code


def attributes(name):
    """A name as a set; the order is not Intune's business."""
    return sorted((attribute.oid.dotted_string, attribute.value)
                  for attribute in name)


def text_of(name):
    """A subject alternative name: kind and value."""
    if isinstance(name, x509.OtherName):
        oid, value = name.type_id.dotted_string, name.value
        if oid == UPN and value[:2] == bytes([UTF8_STRING, len(value) - 2]):
            return 'UPN:' + value[2:].decode()
        return f'{oid}:{value.hex()}'
    return f'{KINDS.get(type(name), type(name).__name__)}:{name.value}'


class Csr:
    """What Intune sees of a request, as plain values."""

    def __init__(self, der):
        try:
            self.csr = x509.load_der_x509_csr(der)
            self.extensions = self.csr.extensions
            self.good = self.csr.is_signature_valid
            self.key_length = self.csr.public_key().key_size
        except Exception as error:
            raise Refused('CertificateRequestDecodingFailed',
                          str(error)) from None

    def extension(self, kind):
        try:
            return self.extensions.get_extension_for_class(kind).value
        except x509.ExtensionNotFound:
            return None

    @property
    def challenge(self):
        try:
            return self.csr.attributes.get_attribute_for_oid(
                AttributeOID.CHALLENGE_PASSWORD).value
        except (x509.AttributeNotFound, ValueError):
            raise Refused('ChallengePasswordMissing') from None

    @property
    def subject(self):
        return attributes(self.csr.subject)

    @property
    def sans(self):
        found = self.extension(x509.SubjectAlternativeName)
        return sorted(text_of(name) for name in found or [])

    @property
    def key_usage(self):
        found = self.extension(x509.KeyUsage)
        return sorted(name for name, member in KEY_USAGES.items()
                      if found and getattr(found, member))

    @property
    def eku(self):
        found = self.extension(x509.ExtendedKeyUsage)
        return sorted(oid.dotted_string for oid in found or [])


def check_subject(wanted, csr):
    if not csr.subject:
        raise Refused('SubjectNameMissing')
    if csr.subject != attributes(x509.Name.from_rfc4514_string(wanted)):
        raise Refused('SubjectNameMismatch')


def check_sans(wanted, csr):
    if wanted and not csr.sans:
        raise Refused('SubjectAltNameMissing')
    if csr.sans != sorted(wanted):
        raise Refused('SubjectAltNameMismatch')


def check_key_usage(wanted, csr):
    if csr.key_usage != sorted(wanted):
        raise Refused('KeyUsageMismatch')


def check_eku(wanted, csr):
    if wanted and not csr.eku:
        raise Refused('EnhancedKeyUsageMissing')
    if csr.eku != sorted(wanted):
        raise Refused('EnhancedKeyUsageMismatch')


def check_key_length(wanted, csr):
    if csr.key_length != int(wanted):
        raise Refused('KeyLengthMismatch')


CHECKS = {'subject': check_subject, 'sans': check_sans,
          'key_usage': check_key_usage, 'eku': check_eku,
          'key_length': check_key_length}


class Challenges:
    """To devices a challenge is opaque; what it promises is in it, sealed."""

    def __init__(self):
        self.seal = AESGCM(AESGCM.generate_key(256))

    def make(self, order):
        """A challenge for a request with what is WANTED of the order."""
        now = time.time()
        created = now + float(order.get('delay', 0))
        content = {name: order[name] for name in WANTED if name in order}

        for name in WANTED[1:4]:
            if isinstance(content.get(name), str):
                raise ValueError(f'{name} is a list')

        content |= {'id': str(uuid.uuid4()), 'created': created,
                    'expires': created + float(order.get('lifetime',
                                                         LIFETIME))}
        text = json.dumps(content).encode()

        if order.get('garbled'):
            text = text[:-1]

        return self.wrap(text.ljust(SIZE))

    def wrap(self, text):
        nonce = os.urandom(NONCE)
        return base64.b64encode(nonce + self.seal.encrypt(nonce, text, None)
                                ).decode()

    def open(self, challenge):
        try:
            data = base64.b64decode(challenge, validate=True)
        except ValueError:
            raise Refused('ChallengeDecodingError') from None
        try:
            text = self.seal.decrypt(data[:NONCE], data[NONCE:], None)
        except (InvalidTag, ValueError):
            raise Refused('ChallengeDecryptionError') from None
        try:
            return json.loads(text)
        except ValueError:
            raise Refused('ChallengeDeserializationError') from None

    def check(self, der):
        """Raises Refused; returns what the challenge says of itself."""
        csr = Csr(der)
        challenge = self.open(csr.challenge)

        if not csr.good:
            raise Refused('SignatureValidationFailed')

        self.check_times(challenge)

        for name in WANTED:
            if name in challenge:
                CHECKS[name](challenge[name], csr)

        return challenge

    def check_times(self, challenge):
        now, created = time.time(), challenge['created']

        if created > now + 300:
            raise Refused('ChallengeInvalidTimestamp')

        if challenge['expires'] <= now:
            form = '%m/%d/%Y %H:%M:%S'
            expires, created = (
                time.strftime(form, time.gmtime(moment))
                for moment in (challenge['expires'], created))
            raise Refused(
                'ChallengeExpired', f'SCEP Challenge has expired. '
                f'challengeExpInterval={LIFETIME // 60}, '
                f'challengeExpiration={expires}, challengeCreation={created}')
