#!/usr/bin/python3
#
# Makes OCSP requests, also odd and broken ones, and takes OCSP responses,
# CRLs and certificates apart, for the suites in t/ (see PKI::OCSP).
#
# One JSON object a line comes in, one goes out:
#
#   {"op": "make", "specs": [...]}     -> [hex, ...], see Request
#   {"op": "slashes", "n": 4, ...}     -> [hex, ...], specs whose base64 has
#                                         "//", with serials never issued
#   {"op": "response", "ders": [hex]}  -> [object, ...], "ca" verifies
#   {"op": "crl", "der": hex, "ca": f} -> object; "brief": of entries only
#                                         serial and reason, but quickly
#   {"op": "certificate", "pem": f}    -> object
#
# Needs Debian's python3-asn1crypto and python3-cryptography.

import base64
import calendar
import hashlib
import json
import os
import sys

from asn1crypto import algos, core, crl, ocsp, parser, pem, x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

HASHES = {
    'sha1': '2b0e03021a',
    'sha256': '608648016503040201',
    'sha384': '608648016503040202',
    'sha512': '608648016503040203',
    'md5': '2a864886f70d0205',
    'odd': '2a03',
}

NONCE = '2b0601050507300102'

certificates = {}


def tlv(tag, body):
    n = len(body)

    if n < 128:
        return bytes([tag, n]) + body

    length = n.to_bytes((n.bit_length() + 7) // 8, 'big')
    return bytes([tag, 0x80 | len(length)]) + length + body


def certificate(path):
    if path not in certificates:
        with open(path, 'rb') as f:
            data = f.read()

        if pem.detect(data):
            _, _, data = pem.unarmor(data)

        certificates[path] = x509.Certificate.load(data, strict=True)

    return certificates[path]


# requests

def extension(spec):
    oid, value, critical = (spec + [None])[:3]
    return tlv(0x30, tlv(6, bytes.fromhex(oid))
               + (b'\x01\x01\xff' if critical else b'')
               + tlv(4, bytes.fromhex(value)))


def extensions(tag, specs):
    if specs is None:
        return b''

    return tlv(tag, tlv(0x30, b''.join(extension(s) for s in specs)))


# ca, and cert or serial (content octets); hash, params ("null", "absent",
# hex), name and key replace what is computed

def cert_id(spec):
    ca = certificate(spec['ca'])
    name = spec.get('hash', 'sha1')
    digest = 'sha1' if name == 'odd' else name

    if 'serial' in spec:
        serial = bytes.fromhex(spec['serial'])
    else:
        tbs = certificate(spec['cert'])['tbs_certificate']
        serial = tbs['serial_number'].contents

    params = spec.get('params', 'null')
    params = {'null': '0500', 'absent': ''}.get(params, params)

    def hashed(field, octets):
        if field in spec:
            return bytes.fromhex(spec[field])
        return hashlib.new(digest, octets).digest()

    return tlv(0x30, tlv(0x30, tlv(6, bytes.fromhex(HASHES[name]))
                         + bytes.fromhex(params))
               + tlv(4, hashed('name', ca.subject.dump()))
               + tlv(4, hashed('key', bytes(ca.public_key['public_key'])))
               + tlv(2, serial))


# The name of who asks: requestor (a DNS name), or the subject of a certificate,
# requestor_of (a file)

def requestor(spec):
    if spec.get('requestor_of'):
        name = certificate(spec['requestor_of']).subject.dump()
        return tlv(0xa1, tlv(0xa4, name))

    if spec.get('requestor'):
        return tlv(0xa1, tlv(0x82, spec['requestor'].encode()))

    return b''


# signature (hex, its content), or sign: key (a file), md, certs (files), over
# (hex, what is signed instead), tail (hex, after the last one)

def signature(spec, tbs):
    if spec.get('signature'):
        return tlv(0xa0, tlv(0x30, bytes.fromhex(spec['signature'])))

    sign = spec.get('sign')

    if not sign:
        return b''

    with open(sign['key'], 'rb') as f:
        key = serialization.load_pem_private_key(f.read(), None)

    name = sign.get('md', 'sha256')
    md = getattr(hashes, name.upper())()
    octets = bytes.fromhex(sign['over']) if 'over' in sign else tbs

    if isinstance(key, rsa.RSAPrivateKey):
        kind = 'rsa'
        value = key.sign(octets, padding.PKCS1v15(), md)
    else:
        kind = 'ecdsa'
        value = key.sign(octets, ec.ECDSA(md))

    algo = algos.SignedDigestAlgorithm({'algorithm': f'{name}_{kind}'})
    out = algo.dump() + tlv(3, b'\x00' + value)

    if sign.get('certs'):
        certs = b''.join(certificate(c).dump() for c in sign['certs'])
        out += tlv(0xa0, tlv(0x30, certs))

    return tlv(0xa0, tlv(0x30, out + bytes.fromhex(sign.get('tail', ''))))


# Request: ids (default: one, of the fields above), each with ext; version,
# nonce or nonce_raw (hex), ext, inner (hex, after the extensions), tail (hex),
# and the fields above

def request(spec):
    ids = spec.get('ids', [spec])
    exts = spec.get('ext')

    if spec.get('nonce') is not None:
        value = tlv(4, bytes.fromhex(spec['nonce'])).hex()
        exts = (exts or []) + [[NONCE, value, spec.get('critical')]]

    if spec.get('nonce_raw') is not None:
        exts = (exts or []) + [[NONCE, spec['nonce_raw']]]

    tbs = b''

    if spec.get('version') is not None:
        tbs += tlv(0xa0, tlv(2, bytes([spec['version']])))

    tbs += requestor(spec)
    tbs += tlv(0x30, b''.join(
        tlv(0x30, cert_id({**spec, **i})
            + extensions(0xa0, i.get('ext') if 'ids' in spec else None))
        for i in ids))
    tbs += extensions(0xa2, exts) + bytes.fromhex(spec.get('inner', ''))

    der = tlv(0x30, tbs)
    der += signature(spec, der)

    return tlv(0x30, der) + bytes.fromhex(spec.get('tail', ''))


def slashes(spec):
    found = []

    while len(found) < spec['n']:
        der = request({**spec, 'serial': '01' + os.urandom(15).hex()})
        if b'//' in base64.b64encode(der):
            found.append(der)

    return found


# what comes back

def seconds(value):
    return calendar.timegm(value.native.utctimetuple())


def moment(value):
    return {'text': value.contents.decode(), 'at': seconds(value),
            'tag': value.tag}


def listed(exts):
    if isinstance(exts, core.Void):
        return []

    return [{'oid': e['extn_id'].dotted, 'critical': e['critical'].native,
             'value': e['extn_value'].contents.hex()} for e in exts]


def public_key(cert):
    return serialization.load_der_public_key(cert.public_key.dump())


# The elements one after another: tag, content, whole

def elements(octets):
    out = []

    while octets:
        _, _, _, head, content, tail = parser.parse(octets)
        whole = head + content + tail
        out.append((whole[0], content, whole))
        octets = octets[len(whole):]

    return out


# A DistributionPoint or IssuingDistributionPoint: the octets of each field by
# its tag, and the URLs of its name

def point(content):
    fields = elements(content)
    urls = [c.decode() for tag, name, _ in fields if tag == 0xa0
            for kind, names, _ in elements(name) if kind == 0xa0
            for kind, c, _ in elements(names) if kind == 0x86]

    return {'fields': {'%02x' % tag: whole.hex() for tag, _, whole in fields},
            'urls': urls}


# A sequence of them, as CRLDistributionPoints and freshestCRL are

def points(value):
    return [point(content) for _, content, _ in
            elements(elements(value)[0][1])]


def extension_of(exts, oid):
    for e in exts:
        if e['oid'] == oid:
            return e, bytes.fromhex(e['value'])

    return None, None


def verify(cert, algorithm, signature, octets):
    key = public_key(cert)
    md = getattr(hashes, algorithm.hash_algo.upper())()

    try:
        if algorithm.signature_algo == 'rsassa_pss':
            key.verify(signature, octets,
                       padding.PSS(padding.MGF1(md), md.digest_size), md)
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, octets, padding.PKCS1v15(), md)
        else:
            key.verify(signature, octets, ec.ECDSA(md))
    except InvalidSignature:
        return False

    return True


def algorithm(value):
    algo = algos.SignedDigestAlgorithm.load(value.dump())
    body = algo.contents
    oid = algo['algorithm'].dump()

    return {'name': algo['algorithm'].native, 'params': body[len(oid):].hex()}


def describe(cert, ca=None):
    tbs = cert['tbs_certificate']
    key = public_key(cert)
    point = bytes(cert.public_key['public_key'])

    out = {
        'der': cert.dump().hex(),
        'serial': tbs['serial_number'].contents.hex(),
        'subject': cert.subject.native,
        'issuer': cert.issuer.dump().hex(),
        'key': ('rsa' if isinstance(key, rsa.RSAPublicKey) else 'ec')
               + ':' + str(key.key_size),
        'key_hash': hashlib.sha1(point).hexdigest(),
        'not_before': seconds(tbs['validity']['not_before'].chosen),
        'not_after': seconds(tbs['validity']['not_after'].chosen),
        'key_usage': sorted(cert.key_usage_value.native)
                     if cert.key_usage_value else [],
        'extended_key_usage': cert.extended_key_usage_value.native
                              if cert.extended_key_usage_value else [],
        'extensions': listed(tbs['extensions']),
        'aki': cert.authority_key_identifier.hex()
               if cert.authority_key_identifier else None,
        'ski': cert.key_identifier.hex() if cert.key_identifier else None,
        'ocsp': cert.ocsp_urls,
        'crl': [dp.native['distribution_point'][0]
                for dp in cert.crl_distribution_points_value or []],
        'issuers': [a['access_location'].native
                    for a in cert.authority_information_access_value or []
                    if a['access_method'].native == 'ca_issuers'],
    }

    found, value = extension_of(out['extensions'], '2.5.29.31')
    out['points'] = points(value) if found else []

    if ca is not None:
        out['issuer_is_ca'] = cert.issuer.dump() == ca.subject.dump()
        out['verified'] = verify(ca, cert['signature_algorithm'],
                                 bytes(cert['signature_value']), tbs.dump())

    return out


def single(value):
    cid = value['cert_id']
    status = value['cert_status']
    out = {
        'cert_id': cid.dump().hex(),
        'hash': cid['hash_algorithm']['algorithm'].native,
        'serial': cid['serial_number'].contents.hex(),
        'status': status.name,
        'this_update': moment(value['this_update']),
        'next_update': None,
        'extensions': listed(value['single_extensions']),
        'reason': None,
        'revoked_at': None,
    }

    if value['next_update'].native is not None:
        out['next_update'] = moment(value['next_update'])

    if status.name == 'revoked':
        out['revoked_at'] = moment(status.chosen['revocation_time'])

        if not isinstance(status.chosen['revocation_reason'], core.Void):
            out['reason'] = int(status.chosen['revocation_reason']
                                .contents.hex(), 16)

    return out


# of one that is none "error" is "garbage"

def response(der, ca):
    try:
        return take_apart(der, ca)
    except ValueError as e:
        return {'error': 'garbage', 'text': str(e), 'length': len(der)}


def take_apart(der, ca):
    value = ocsp.OCSPResponse.load(der, strict=True)
    out = {'error': value['response_status'].native, 'length': len(der)}

    if out['error'] != 'successful':
        return out

    out['type'] = value['response_bytes']['response_type'].native

    basic = value['response_bytes']['response'].parsed
    data = basic['tbs_response_data']
    responder = data['responder_id']

    out.update({
        'version_explicit': data.contents[0] == 0xa0,
        'responder': responder.name,
        'responder_key': responder.chosen.native.hex()
                         if responder.name == 'by_key' else None,
        'produced_at': moment(data['produced_at']),
        'responses': [single(r) for r in data['responses']],
        'extensions': listed(data['response_extensions']),
        'algorithm': algorithm(basic['signature_algorithm']),
        'certs': 0,
    })

    out.update({k: v for k, v in out['responses'][0].items()
                if k != 'extensions'})

    if not isinstance(basic['certs'], core.Void):
        out['certs'] = len(basic['certs'])
        signer = basic['certs'][0]
        out['signer'] = describe(signer, ca)
        out['responder_is_signer'] = responder.name == 'by_name' \
            and responder.chosen == signer.subject
        out['verified'] = verify(signer, basic['signature_algorithm'],
                                 bytes(basic['signature']), data.dump())
    elif ca is not None:
        out['verified'] = verify(ca, basic['signature_algorithm'],
                                 bytes(basic['signature']), data.dump())

    return out


def crl_entry(entry):
    out = {'serial': entry['user_certificate'].contents.hex(),
           'at': moment(entry['revocation_date'].chosen),
           'extensions': listed(entry['crl_entry_extensions']),
           'reason': None}

    for e in out['extensions']:
        if e['oid'] == '2.5.29.21':
            out['reason'] = int(e['value'][4:], 16)

    return out


# reasonCode, 5 octets of its OID and an OCTET STRING with an ENUMERATED in it

def brief_entry(content):
    serial = elements(content)[0][1]
    at = content.find(bytes.fromhex('0603551d1504030a01'))

    return {'serial': serial.hex(),
            'reason': content[at + 9] if at >= 0 else None}


# issuingDistributionPoint, freshestCRL, deltaCRLIndicator: what is there

def scope(exts):
    out = {'idp': None, 'freshest': None, 'base': None}

    found, value = extension_of(exts, '2.5.29.28')
    if found:
        out['idp'] = {**point(elements(value)[0][1]),
                      'critical': found['critical'], 'value': value.hex()}

    found, value = extension_of(exts, '2.5.29.46')
    if found:
        out['freshest'] = {'points': points(value),
                           'critical': found['critical']}

    found, value = extension_of(exts, '2.5.29.27')
    if found:
        out['base'] = core.Integer.load(value, strict=True).native
        out['base_critical'] = found['critical']

    return out


def entries(revoked, brief):
    if brief:
        return [brief_entry(c) for _, c, _ in elements(revoked.contents)]

    return [crl_entry(e) for e in revoked]


def revocation_list(der, ca, brief):
    value = crl.CertificateList.load(der, strict=True)
    tbs = value['tbs_cert_list']
    revoked = tbs['revoked_certificates']
    present = not isinstance(revoked, core.Void)
    exts = listed(tbs['crl_extensions'])

    return {
        **scope(exts),
        'version': tbs['version'].native,
        'issuer_is_ca': tbs['issuer'].dump() == ca.subject.dump(),
        'algorithms_equal': tbs['signature'].dump()
                            == value['signature_algorithm'].dump(),
        'algorithm': algorithm(value['signature_algorithm']),
        'this_update': moment(tbs['this_update'].chosen),
        'next_update': moment(tbs['next_update'].chosen),
        'list': present,
        'entries': entries(revoked, brief) if present else [],
        'extensions': exts,
        'number': value.crl_number_value.native,
        'aki': value.authority_key_identifier_value['key_identifier']
               .native.hex(),
        'ski': ca.key_identifier.hex(),
        'verified': verify(ca, value['signature_algorithm'],
                           bytes(value['signature']), tbs.dump()),
    }


def answer(question):
    op = question['op']
    ca = certificate(question['ca']) if question.get('ca') else None

    if op == 'make':
        return [request({**question, **s}).hex() for s in question['specs']]

    if op == 'slashes':
        return [der.hex() for der in slashes(question)]

    if op == 'response':
        return [response(bytes.fromhex(d), ca) for d in question['ders']]

    if op == 'crl':
        return revocation_list(bytes.fromhex(question['der']), ca,
                               question.get('brief'))

    return describe(certificate(question['pem']), ca)


def main():
    for line in sys.stdin:
        try:
            out = answer(json.loads(line))
        except Exception as e:
            out = {'exception': repr(e)}

        print(json.dumps(out, default=str), flush=True)


main()
