"""Entra: tokens for applications, and the documents that tell of them."""

import datetime
import hashlib
import json
import time
import uuid
from urllib.parse import parse_qsl

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from tokens import base64url, from_base64url
from wire import Response

LIFETIME = 3599
HOSTS = ('login.microsoftonline.com', 'login.windows.net')
ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
DESCRIPTIONS = {
    50027: 'JWT token is invalid or malformed.',
    70003: 'The app requested an unsupported grant type.',
    70011: 'The provided value for the input parameter \'scope\' is not '
           'valid.',
    90002: 'Tenant not found. Check to make sure you have the correct tenant '
           'ID and are signing into the correct cloud.',
    90014: 'The required field is missing from the credential.',
    700016: 'Application was not found in the directory.',
    700021: 'Client assertion application identifier doesn\'t match '
            '\'client_id\' parameter.',
    700023: 'Client assertion audience claim does not match Realm issuer.',
    700024: 'Client assertion is not within its valid time range.',
    700027: 'The certificate with identifier used to sign the client '
            'assertion is not registered on application.',
    700211: 'No matching federated identity record found for presented '
            'assertion issuer.',
    7000215: 'Invalid client secret provided. Ensure the secret being sent '
             'in the request is the client secret value, not the client '
             'secret ID, for a secret added to app.',
    7000218: 'The request body must contain the following parameter: '
             '\'client_assertion\' or \'client_secret\'.',
}


class Refused(Exception):

    def __init__(self, code, error='invalid_client', status=401):
        super().__init__(f'AADSTS{code}: {DESCRIPTIONS[code]}')
        self.code = code
        self.error = error
        self.status = status


class Clients:
    """The applications and user-assigned identities of a tenant."""

    def __init__(self, tenant, aliases, default):
        self.tenant = tenant
        self.tenants = {tenant, *aliases}
        self.default = default
        self.by_id = {}

    def register(self, client_id, secret=None, certificate=None,
                 federated=None):
        """Adds to what the client may prove itself with."""
        client = self.by_id.setdefault(client_id, {
            'secrets': set(), 'certificates': {}, 'federated': set()})
        if secret:
            client['secrets'].add(secret)
        if certificate:
            parsed = x509.load_pem_x509_certificate(certificate.encode())
            der = parsed.public_bytes(serialization.Encoding.DER)
            for name in ('sha256', 'sha1'):
                thumbprint = base64url(hashlib.new(name, der).digest())
                client['certificates'][thumbprint] = parsed.public_key()
        if federated:
            client['federated'].add(federated)


class Login:

    throttled = ('temporarily_unavailable', 'AADSTS90055: The server is '
                 'terminating the request because of too many requests.')

    def __init__(self, tokens, clients):
        self.tokens = tokens
        self.clients = clients

    def wants(self, request):
        return request.hostname in HOSTS or '/oauth2/' in request.path \
            or '/.well-known/' in request.path \
            or request.path == '/common/discovery/instance'

    def route(self, request):
        match request.method, request.path.split('/')[1:]:
            case 'POST', [_, 'oauth2', 'v2.0', 'token']:
                return 'token', None, self.token
            case 'GET', [_, 'discovery', 'instance']:
                return 'instance', None, self.instance
            case 'GET', [_, 'v2.0', '.well-known', 'openid-configuration']:
                return 'openid', None, self.openid
        return 'unknown', None, self.unknown

    def refuse(self, request, status, code, message, inner=None):
        now = datetime.datetime.utcnow().strftime('%Y-%m-%d %H:%M:%SZ')
        return Response.json({
            'error': code, 'error_description': message,
            'error_codes': [inner] if inner else [], 'timestamp': now,
            'trace_id': str(uuid.uuid4()),
            'correlation_id': request.headers.get('client-request-id',
                                                  str(uuid.uuid4())),
        }, status)

    async def unknown(self, request):
        return Response(404, b'', None, 'text/html')

    def tenant(self, request):
        return request.path.split('/')[1]

    def endpoint(self, request):
        return (f'https://{request.host}/{self.tenant(request)}'
                f'/oauth2/v2.0/token')

    async def instance(self, request):
        host = request.host
        return Response.json({
            'tenant_discovery_endpoint':
                f'https://{host}/{self.clients.tenant}/v2.0/.well-known/'
                f'openid-configuration',
            'api-version': '1.1',
            'metadata': [{'preferred_network': host, 'preferred_cache': host,
                          'aliases': [host]}]})

    async def openid(self, request):
        base = f'https://{request.host}/{self.tenant(request)}'
        if self.tenant(request) not in self.clients.tenants:
            return self.refused(request, Refused(90002, 'invalid_tenant',
                                                 400))
        return Response.json({
            'token_endpoint': f'{base}/oauth2/v2.0/token',
            'token_endpoint_auth_methods_supported': [
                'client_secret_post', 'private_key_jwt'],
            'jwks_uri': f'{base}/discovery/v2.0/keys',
            'response_types_supported': ['code', 'token'],
            'scopes_supported': ['openid'],
            'issuer': f'{base}/v2.0',
            'authorization_endpoint': f'{base}/oauth2/v2.0/authorize',
            'end_session_endpoint': f'{base}/oauth2/v2.0/logout'})

    def refused(self, request, refused):
        return self.refuse(request, refused.status, refused.error,
                           str(refused), refused.code)

    async def token(self, request):
        form = dict(parse_qsl(request.body.decode('latin-1')))
        try:
            self.authenticate(request, form)
            audience = self.audience(form)
        except Refused as refused:
            return self.refused(request, refused)

        token, lifetime = self.tokens.issue(
            'token', LIFETIME, audience, self.clients.tenant,
            form['client_id'])
        return Response.json({
            'token_type': 'Bearer', 'expires_in': lifetime,
            'ext_expires_in': lifetime, 'access_token': token})

    def audience(self, form):
        resources = [scope.removesuffix('/.default')
                     for scope in form.get('scope', '').split()
                     if scope.endswith('/.default')]
        if len(resources) != 1:
            raise Refused(70011, 'invalid_scope', 400)
        return resources[0]

    def authenticate(self, request, form):
        if self.tenant(request) not in self.clients.tenants:
            raise Refused(90002, 'invalid_request', 400)
        if form.get('grant_type') != 'client_credentials':
            raise Refused(70003, 'unsupported_grant_type', 400)
        if 'client_id' not in form:
            raise Refused(90014, 'invalid_request', 400)

        client = self.clients.by_id.get(form['client_id'])

        if not client:
            raise Refused(700016, 'unauthorized_client', 400)

        if 'client_secret' in form:
            if form['client_secret'] not in client['secrets']:
                raise Refused(7000215)
            return

        if form.get('client_assertion_type') != ASSERTION \
                or 'client_assertion' not in form:
            raise Refused(7000218)

        if form['client_assertion'] not in client['federated']:
            self.check_assertion(request, form, client)

    def check_assertion(self, request, form, client):
        parts = form['client_assertion'].split('.')
        try:
            header, claims = (json.loads(from_base64url(part))
                              for part in parts[:2])
            signature = from_base64url(parts[2])
        except (IndexError, ValueError):
            raise Refused(50027, 'invalid_client') from None

        if 'x5t#S256' not in header and 'x5t' not in header:
            raise Refused(700211)

        self.check_signature(header, client, signature,
                             '.'.join(parts[:2]).encode())

        if claims.get('iss') != form['client_id'] \
                or claims.get('sub') != form['client_id']:
            raise Refused(700021)

        if claims.get('aud') != self.endpoint(request):
            raise Refused(700023)

        now = time.time()

        if not claims.get('jti') or claims.get('exp', 0) < now \
                or claims.get('nbf', 0) > now + 300:
            raise Refused(700024)

    def check_signature(self, header, client, signature, data):
        if header.get('alg') == 'PS256' and 'x5t#S256' in header:
            thumbprint = header['x5t#S256']
            scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        elif header.get('alg') == 'RS256' and 'x5t' in header:
            thumbprint = header['x5t']
            scheme = padding.PKCS1v15()
        else:
            raise Refused(50027)

        public = client['certificates'].get(thumbprint)

        if not public:
            raise Refused(700027)

        try:
            public.verify(signature, data, scheme, hashes.SHA256())
        except InvalidSignature:
            raise Refused(700027) from None
