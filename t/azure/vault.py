"""Key Vault and Managed HSM: the data plane of keys."""

import asyncio
import json
import re
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from keys import CURVES, BadParameter, Version, generate
from tokens import InvalidToken, base64url, from_base64url
from wire import Response

DEFAULT_HOST = 'contoso.vault.azure.net'
API_VERSIONS = {'7.0', '7.1', '7.2', '7.3', '7.4', '7.5', '7.6-preview.1',
                '7.6-preview.2', '7.6', '2025-07-01'}
PERMISSIONS = {'sign': 'sign', 'verify': 'verify', 'encrypt': 'encrypt',
               'decrypt': 'decrypt', 'wrapkey': 'wrapKey',
               'unwrapkey': 'unwrapKey'}
WITHIN_VALIDITY = ('sign', 'encrypt', 'wrapkey')
PAGE = 25


class Refused(Exception):

    def __init__(self, status, code, message, inner=None):
        super().__init__(message)
        self.status = status
        self.code = code
        self.inner = inner


def bad_parameter(message):
    return Refused(400, 'BadParameter', message)


def member(body, name):
    if not isinstance(body.get(name), str):
        raise bad_parameter(f'Property \'{name}\' is missing or invalid.')
    return body[name]


def octets(body, name):
    try:
        return from_base64url(member(body, name))
    except ValueError:
        raise bad_parameter(f'Property \'{name}\' is not a valid base64 URL '
                            f'encoded string.') from None


def optional(body, name, kind):
    value = body.get(name)
    if value is not None and not isinstance(value, kind):
        raise bad_parameter(f'Property \'{name}\' is invalid.')
    return value


def parse(request):
    try:
        body = json.loads(request.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise bad_parameter('The request body is not valid JSON.')
    return body


def private_of(jwk):
    """The private key of an import."""
    number = {name: int.from_bytes(octets(jwk, name), 'big')
              for name in ('n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi', 'x',
                           'y') if name in jwk}
    try:
        if member(jwk, 'kty').startswith('RSA'):
            public = rsa.RSAPublicNumbers(number['e'], number['n'])
            return rsa.RSAPrivateNumbers(
                number['p'], number['q'], number['d'], number['dp'],
                number['dq'], number['qi'], public).private_key()

        public = ec.EllipticCurvePublicNumbers(
            number['x'], number['y'], CURVES[member(jwk, 'crv')][0]())
        return ec.EllipticCurvePrivateNumbers(number['d'],
                                              public).private_key()
    except (KeyError, ValueError):
        raise bad_parameter('The key is not valid.') from None


class Limit:
    """Units in a window of time, and what is over it."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.units = None
        self.seconds = 10
        self.headers = {}
        self.used = {}

    def admits(self, host, units):
        if self.units is None:
            return True

        window = int(time.monotonic() / self.seconds)
        start, used = self.used.get(host, (window, 0))

        if start != window:
            used = 0

        if used + units > self.units:
            return False

        self.used[host] = (window, used + units)
        return True


class Vault:
    """Keys by name, each a list of versions, the last one the latest."""

    def __init__(self):
        self.keys = {}
        self.deleted = {}

    def versions(self, name):
        if name.lower() not in self.keys:
            raise Refused(
                404, 'KeyNotFound', f'A key with (name/id) {name} was not '
                'found in this key vault. If you recently deleted this key '
                'you may be able to recover it using the correct recovery '
                'command. For help resolving this issue, please see '
                'https://go.microsoft.com/fwlink/?linkid=2125182')
        return self.keys[name.lower()]

    def version(self, name, version=''):
        versions = self.versions(name)
        if not version:
            return versions[-1]
        for found in versions:
            if found.version == version.lower():
                return found
        raise Refused(404, 'KeyNotFound', f'A key with (name/id) {name}/'
                      f'{version} was not found in this key vault.')

    def add(self, name, version):
        if name.lower() in self.deleted:
            raise Refused(
                409, 'Conflict', f'Key {name} is currently in a deleted but '
                'recoverable state, and its name cannot be reused; in this '
                'state, the key can only be recovered or purged.',
                'ObjectIsDeletedButRecoverable')
        self.keys.setdefault(name.lower(), []).append(version)

    def forget(self, name):
        """As if a key, or without a name any, had never been."""
        for keys in (self.keys, self.deleted):
            if name:
                keys.pop(name.lower(), None)
            else:
                keys.clear()


class KeyVault:

    throttled = ('Throttled', 'Request was not processed because too many '
                 'requests were received. Reason: '
                 'VaultRequestTypeLimitReached')

    def __init__(self, tokens, record, tenant):
        self.tokens = tokens
        self.record = record
        self.tenant = tenant
        self.vaults = {}
        self.limit = Limit()
        self.pool = ThreadPoolExecutor(2)
        self.stock = {}
        self.reset()

    def reset(self):
        """Forgets limits and delays, but no key."""
        self.limit.reset()
        self.settle = {}

    def wants(self, request):
        return True

    def vault(self, hostname):
        """Whatever is no Azure name is the default vault's."""
        if not hostname.endswith('.azure.net'):
            hostname = DEFAULT_HOST
        return self.vaults.setdefault(hostname, Vault())

    async def compute(self, function, *args):
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.pool, partial(function, *args))

    # routes

    def route(self, request):
        """Returns operation, key name and handler."""
        parts = request.path.split('/')[1:]
        name = parts[1] if len(parts) > 1 and parts[1] else None
        op, work = self.find(request.method, parts)
        return op, name, partial(self.handle, work)

    def find(self, method, parts):
        match method, parts:
            case 'GET', ['healthstatus']:
                return 'health', None
            case 'GET', ['keys'] | ['keys', '']:
                return 'list', self.list_keys
            case 'POST', ['keys', name, 'create']:
                return 'create', partial(self.create, name)
            case 'POST', ['keys', name, 'rotate']:
                return 'rotate', partial(self.rotate, name)
            case 'POST', ['keys', name, op] if op in PERMISSIONS:
                return op, partial(self.operate, name, '', op)
            case 'POST', ['keys', name, version, op] if op in PERMISSIONS:
                return op, partial(self.operate, name, version, op)
            case 'GET', ['keys', name, 'versions']:
                return 'versions', partial(self.list_versions, name)
            case 'GET', ['keys', name]:
                return 'get', partial(self.get, name, '')
            case 'GET', ['keys', name, version]:
                return 'get', partial(self.get, name, version)
            case 'PUT', ['keys', name]:
                return 'import', partial(self.import_key, name)
            case 'PATCH', ['keys', name, version]:
                return 'update', partial(self.update, name, version)
            case 'DELETE', ['keys', name]:
                return 'delete', partial(self.delete, name)
            case 'GET', ['deletedkeys', name]:
                return 'get_deleted', partial(self.get_deleted, name)
            case 'POST', ['deletedkeys', name, 'recover']:
                return 'recover', partial(self.recover, name)
            case 'DELETE', ['deletedkeys', name]:
                return 'purge', partial(self.purge, name)
        return 'unknown', self.unknown

    async def handle(self, work, request):
        if work is None:
            return Response(200, b'', None, 'text/plain')

        try:
            self.authenticate(request)
            self.check(request)
            value = await work(self.vault(request.hostname), request)
        except Refused as refused:
            response = self.refuse(request, refused.status, refused.code,
                                   str(refused), refused.inner)
            if refused.status == 429:
                response.headers |= self.limit.headers
            return response
        except BadParameter as error:
            return self.refuse(request, 400, 'BadParameter', str(error))

        if value is None:
            return Response(204, b'', self.headers(request))
        return Response.json(value, 200, self.headers(request))

    async def unknown(self, vault, request):
        raise Refused(404, 'NotFound', 'There is no such resource.')

    # what all operations have in common

    def headers(self, request):
        headers = {
            'Cache-Control': 'no-cache',
            'x-ms-keyvault-region': 'westeurope',
            'x-ms-keyvault-service-version': '1.9.2784.1',
            'x-ms-keyvault-network-info':
                'conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=InterNetwork;',
            'x-ms-request-id': str(uuid.uuid4()),
        }
        client = request.headers.get('x-ms-client-request-id')
        if client:
            headers['x-ms-client-request-id'] = client
        return headers

    def refuse(self, request, status, code, message, inner=None):
        error = {'code': code, 'message': message}
        if inner:
            error['innererror'] = {'code': inner}
        headers = self.headers(request)
        if status == 401:
            headers['WWW-Authenticate'] = (
                f'Bearer authorization="https://login.microsoftonline.com/'
                f'{self.tenant}", resource="{self.audience(request)}"')
        return Response.json({'error': error}, status, headers)

    def audience(self, request):
        if request.hostname.endswith('.managedhsm.azure.net'):
            return 'https://managedhsm.azure.net'
        return 'https://vault.azure.net'

    def authenticate(self, request):
        scheme, _, token = request.headers.get('authorization',
                                               '').partition(' ')
        if scheme.lower() != 'bearer' or not token:
            raise Refused(401, 'Unauthorized', 'AKV10000: Request is missing '
                          'a Bearer or PoP token.')
        try:
            self.tokens.check(token, self.audience(request))
        except InvalidToken as error:
            raise Refused(401, 'Unauthorized', str(error)) from None

    def check(self, request):
        version = request.query.get('api-version')
        if not version:
            raise bad_parameter('api-version must be specified')
        if version not in API_VERSIONS:
            raise bad_parameter('The specified version is not recognized. '
                                'Consider using the latest supported '
                                'version.')
        parts = request.path.split('/')
        if len(parts) > 2 and parts[2] \
                and not re.fullmatch('[0-9A-Za-z-]{1,127}', parts[2]):
            raise bad_parameter(f'The request URI contains an invalid name: '
                                f'{parts[2]}')

    def spend(self, request, units=1):
        if not self.limit.admits(request.hostname, units):
            raise Refused(429, *self.throttled)

    # answers

    def kid(self, request, name, version=None):
        kid = f'https://{request.host}/keys/{name}'
        return f'{kid}/{version.version}' if version else kid

    def bundle(self, request, name, version):
        return {'key': version.jwk(self.kid(request, name, version)),
                'attributes': version.attributes, 'tags': version.tags}

    def deleted_bundle(self, request, name, deleted):
        versions, deleted_at = deleted
        return self.bundle(request, name, versions[-1]) | {
            'recoveryId': f'https://{request.host}/deletedkeys/{name}',
            'deletedDate': deleted_at,
            'scheduledPurgeDate': deleted_at + 7 * 86400}

    def page(self, request, items):
        """One page of a list, and the address of the next."""
        try:
            size = int(request.query.get('maxresults', PAGE))
            skip = int(request.query.get('$skiptoken', 0))
        except ValueError:
            raise bad_parameter('maxresults is not a number.') from None
        after = skip + size
        link = None

        if after < len(items):
            link = (f'https://{request.host}{request.path}?api-version='
                    f'{request.query["api-version"]}&$skiptoken={after}'
                    f'&maxresults={size}')

        return {'value': items[skip:after], 'nextLink': link}

    # operations

    async def list_keys(self, vault, request):
        self.spend(request)
        return self.page(request, [
            {'kid': self.kid(request, name),
             'attributes': versions[-1].attributes,
             'tags': versions[-1].tags}
            for name, versions in sorted(vault.keys.items())])

    async def list_versions(self, name, vault, request):
        self.spend(request)
        return self.page(request, [
            {'kid': self.kid(request, name, version),
             'attributes': version.attributes, 'tags': version.tags}
            for version in sorted(vault.versions(name),
                                  key=lambda version: version.version)])

    async def get(self, name, version, vault, request):
        self.spend(request)
        return self.bundle(request, name, vault.version(name, version))

    async def create(self, name, vault, request):
        self.spend(request)
        body = parse(request)
        version = await self.make(vault, name, member(body, 'kty'), body)
        version.settle(float(self.settle.get('ms', 0)) / 1000,
                       int(self.settle.get('attempts', 0)))
        self.record.keys_made += 1
        return self.bundle(request, name, version)

    async def make(self, vault, name, kty, body):
        size = body.get('key_size')
        if kty.startswith('RSA') and self.stock.get(size):
            private = self.stock[size].pop()
        else:
            private = await self.compute(generate, kty, size,
                                         body.get('crv'))
        version = Version(private, kty.endswith('-HSM'),
                          optional(body, 'key_ops', list),
                          optional(body, 'attributes', dict),
                          optional(body, 'tags', dict))
        vault.add(name, version)
        return version

    async def fill_stock(self, size, count):
        """RSA keys for the next to be made, as large ones take seconds."""
        stock = self.stock.setdefault(size, [])
        for _ in range(count):
            stock.append(await self.compute(generate, 'RSA', size))

    async def rotate(self, name, vault, request):
        self.spend(request)
        return self.bundle(request, name, await self.renew(vault, name))

    async def renew(self, vault, name):
        version = await self.compute(vault.version(name).again)
        vault.add(name, version)
        return version

    async def import_key(self, name, vault, request):
        self.spend(request)
        body = parse(request)
        jwk = optional(body, 'key', dict) or {}
        hsm = body.get('Hsm') or member(jwk, 'kty').endswith('-HSM')
        version = Version(private_of(jwk), hsm,
                          optional(jwk, 'key_ops', list),
                          optional(body, 'attributes', dict),
                          optional(body, 'tags', dict))
        vault.add(name, version)
        return self.bundle(request, name, version)

    def import_pem(self, vault, name, pem, hsm, operations):
        private = serialization.load_pem_private_key(pem.encode(), None)
        version = Version(private, hsm, operations)
        vault.add(name, version)
        return version

    async def update(self, name, version, vault, request):
        self.spend(request)
        body = parse(request)
        found = vault.version(name, version)
        found.attributes |= optional(body, 'attributes', dict) or {}
        found.attributes['updated'] = int(time.time())
        found.operations = optional(body, 'key_ops', list) \
            or found.operations
        found.tags = optional(body, 'tags', dict) or found.tags
        return self.bundle(request, name, found)

    async def delete(self, name, vault, request):
        self.spend(request)
        versions = vault.versions(name)
        del vault.keys[name.lower()]
        vault.deleted[name.lower()] = (versions, int(time.time()))
        return await self.get_deleted(name, vault, request)

    async def get_deleted(self, name, vault, request):
        return self.deleted_bundle(request, name,
                                   self.find_deleted(vault, name))

    async def recover(self, name, vault, request):
        versions, _ = self.find_deleted(vault, name)
        del vault.deleted[name.lower()]
        vault.keys[name.lower()] = versions
        return self.bundle(request, name, versions[-1])

    async def purge(self, name, vault, request):
        self.find_deleted(vault, name)
        del vault.deleted[name.lower()]

    def find_deleted(self, vault, name):
        if name.lower() not in vault.deleted:
            raise Refused(404, 'KeyNotFound', f'Deleted Key not found: '
                          f'{name}')
        return vault.deleted[name.lower()]

    async def operate(self, name, version, op, vault, request):
        found = vault.version(name, version)
        self.spend(request, found.units)
        self.permit(found, op)
        body = parse(request)
        algorithm = member(body, 'alg')

        if op == 'verify':
            return {'value': await self.compute(
                found.verify, algorithm, octets(body, 'digest'),
                octets(body, 'value'))}

        work = {'sign': found.sign, 'encrypt': found.encrypt,
                'wrapkey': found.encrypt, 'decrypt': found.decrypt,
                'unwrapkey': found.decrypt}[op]
        result = await self.compute(work, algorithm, octets(body, 'value'))

        return {'kid': self.kid(request, name, found),
                'value': base64url(result)}

    def permit(self, version, op):
        permission = PERMISSIONS[op]
        attributes = version.attributes
        now = time.time()

        if not version.settled():
            if int(self.settle.get('status', 409)) == 404:
                raise Refused(404, 'KeyNotFound', 'The key was not found in '
                              'this key vault.')
            raise Refused(409, 'Conflict', 'The key is not ready yet.')

        if permission not in version.operations:
            raise Refused(403, 'Forbidden', f'Operation {permission} is not '
                          f'permitted on this key.', 'KeyOperationForbidden')

        if not attributes['enabled']:
            raise Refused(403, 'Forbidden', f'Operation {permission} is not '
                          f'allowed on a disabled key.', 'KeyDisabled')

        if op not in WITHIN_VALIDITY:
            return

        if attributes.get('nbf', 0) > now:
            raise Refused(403, 'Forbidden', f'Operation {permission} is not '
                          f'allowed on a key that is not yet valid.',
                          'KeyNotYetValid')

        if attributes.get('exp', now) < now:
            raise Refused(403, 'Forbidden', f'Operation {permission} is not '
                          f'allowed on an expired key.', 'KeyExpired')
