"""The simulator's own CA, its server certificates, and a client's."""

import datetime
import ipaddress
import os
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NAMES = ['contoso.vault.azure.net', '*.vault.azure.net',
         '*.managedhsm.azure.net', 'login.microsoftonline.com',
         'login.microsoftonline.us', 'login.chinacloudapi.cn',
         'graph.microsoft.com', '*.msub05.manage.microsoft.com',
         'graph.microsoft.us', '*.msub05.manage.microsoft.us',
         'microsoftgraph.chinacloudapi.cn',
         '*.msub05.manage.microsoftonline.cn', 'localhost']
WRONG_NAMES = ['wrong.example']


def write(path, *parts):
    """Writes a file that only its owner can read, and returns its path."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, 'wb') as out:
        out.writelines(parts)
    return path


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def key_pem(key):
    return key.private_bytes(serialization.Encoding.PEM,
                             serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def builder(subject, issuer, key):
    now = datetime.datetime.utcnow()
    return (x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=365)))


def named(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


class Authority:

    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = named('Azure simulator CA')
        usage = x509.KeyUsage(
            digital_signature=False, content_commitment=False,
            key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=True, crl_sign=True,
            encipher_only=False, decipher_only=False)
        key_id = x509.SubjectKeyIdentifier.from_public_key(
            self.key.public_key())
        self.certificate = (
            builder(self.name, self.name, self.key)
            .add_extension(x509.BasicConstraints(True, 0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(key_id, critical=False)
            .sign(self.key, hashes.SHA256()))

    def context(self, path, names, addresses=()):
        """A TLS server's context; key and certificate go to the file."""
        key = ec.generate_private_key(ec.SECP256R1())
        sans = [x509.DNSName(name) for name in names]
        sans += [x509.IPAddress(ipaddress.ip_address(address))
                 for address in addresses]
        server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(
            self.key.public_key())
        certificate = (
            builder(named(names[0]), self.name, key)
            .add_extension(x509.SubjectAlternativeName(sans), critical=False)
            .add_extension(server, critical=False)
            .add_extension(issuer, critical=False)
            .sign(self.key, hashes.SHA256()))

        write(path, key_pem(key), pem(certificate))

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(path)
        return context


def client_certificate(name):
    """Key and self-signed certificate of an application of Entra."""
    key = rsa.generate_private_key(65537, 2048)
    certificate = builder(named(name), named(name), key).sign(
        key, hashes.SHA256())
    return key, certificate
