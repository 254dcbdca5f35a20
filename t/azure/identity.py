"""Managed identities: IMDS, App Service and Container Apps, Azure Arc."""

import datetime
import os
import secrets
import time

from certificates import write
from wire import Response

LIFETIME = 86400
IMDS = '/metadata/identity/oauth2/token'
APP_SERVICE = '/msi/token'
IMDS_VERSION = '2018-02-01'
APP_SERVICE_VERSIONS = ('2019-08-01',)
ARC_VERSIONS = ('2019-11-01', '2020-06-01')
CLIENT_PARAMETERS = ('client_id', 'object_id', 'msi_res_id', 'mi_res_id')


class ManagedIdentity:

    throttled = ('too_many_requests', 'Temporarily throttled, too many '
                 'requests')

    def __init__(self, tokens, clients, arc_directory, header):
        self.tokens = tokens
        self.clients = clients
        self.arc_directory = arc_directory
        self.header = header
        self.reset()

    def reset(self):
        self.realm = None

    def wants(self, request):
        return True

    def route(self, request):
        path = request.path.rstrip('/')

        if request.method == 'GET' and path == IMDS:
            if request.query.get('api-version') in ARC_VERSIONS:
                return 'arc', None, self.arc
            return 'imds', None, self.imds

        if request.method == 'GET' and path == APP_SERVICE:
            return 'appservice', None, self.app_service

        return 'unknown', None, self.unknown

    def refuse(self, request, status, code, message, inner=None):
        if request.path.rstrip('/') == APP_SERVICE:
            return Response.json({'statusCode': status, 'message': message},
                                 status)
        return Response.json({'error': code, 'error_description': message},
                             status)

    async def unknown(self, request):
        return self.refuse(request, 404, 'not_found', 'Not found')

    async def imds(self, request):
        if request.headers.get('metadata', '').lower() != 'true' \
                or 'x-forwarded-for' in request.headers:
            return self.refuse(request, 400, 'bad_request_102',
                               'Required metadata header not specified')

        return self.check(request, [IMDS_VERSION]) \
            or self.answer(request, 'imds')

    async def app_service(self, request):
        given = request.headers.get('x-identity-header', '')

        if not secrets.compare_digest(given, self.header):
            return self.refuse(request, 401, 'unauthorized',
                               'Invalid or missing X-IDENTITY-HEADER')

        return self.check(request, APP_SERVICE_VERSIONS) \
            or self.answer(request, 'appservice')

    async def arc(self, request):
        if request.headers.get('metadata', '').lower() != 'true':
            return self.refuse(request, 400, 'bad_request_102',
                               'Required metadata header not specified')

        scheme, _, given = request.headers.get('authorization',
                                               '').partition(' ')

        if scheme.lower() != 'basic':
            return self.challenge(request)

        if not self.take_key(given):
            return self.refuse(request, 401, 'unauthorized',
                               'The challenge token is not valid')

        return self.check(request, ARC_VERSIONS) \
            or self.answer(request, 'arc')

    def challenge(self, request):
        path = os.path.join(self.arc_directory,
                            f'{secrets.token_hex(16)}.key')
        write(path, secrets.token_urlsafe(32).encode())
        response = self.refuse(request, 401, 'unauthorized',
                               'Missing Basic Authorization header')
        realm = self.realm or path
        response.headers['WWW-Authenticate'] = f'Basic realm={realm}'
        return response

    def take_key(self, given):
        """A key file serves once."""
        for entry in os.scandir(self.arc_directory):
            with open(entry.path, encoding='ascii') as file:
                content = file.read()
            if secrets.compare_digest(content, given):
                os.unlink(entry.path)
                return True
        return False

    def check(self, request, versions):
        """The refusal of bad parameters, if any is bad."""
        if request.query.get('api-version') not in versions:
            return self.refuse(request, 400, 'invalid_request',
                               'Unsupported or missing api-version')

        if not request.query.get('resource'):
            return self.refuse(request, 400, 'invalid_request',
                               'Required query variable \'resource\' is '
                               'missing')

        for name in CLIENT_PARAMETERS:
            if name in request.query \
                    and request.query[name] not in self.clients.by_id:
                return self.refuse(request, 400, 'invalid_request',
                                   'Identity not found')

        return None

    def answer(self, request, source):
        resource = request.query['resource']
        client = next((request.query[name] for name in CLIENT_PARAMETERS
                       if name in request.query), self.clients.default)
        token, lifetime = self.tokens.issue(source, LIFETIME, resource,
                                            self.clients.tenant, client)
        now = int(time.time())
        expires_on = str(now + lifetime)

        if source == 'appservice' and self.tokens.iso_dates:
            expires_on = datetime.datetime.utcfromtimestamp(
                now + lifetime).isoformat(timespec='milliseconds') + 'Z'

        answer = {'access_token': token, 'expires_on': expires_on,
                  'resource': resource, 'token_type': 'Bearer',
                  'client_id': client}

        if source != 'appservice':
            answer |= {'expires_in': str(lifetime), 'not_before': str(now),
                       'refresh_token': ''}

        return Response.json(answer)
