"""Microsoft Graph, as far as it tells where Intune's services are."""

import re
import uuid
from urllib.parse import quote

from tokens import InvalidToken
from wire import Response

# clouds: Graph, the names below which Intune's services are

CLOUDS = {
    'graph.microsoft.com': 'manage.microsoft.com',
    'graph.microsoft.us': 'manage.microsoft.us',
    'microsoftgraph.chinacloudapi.cn': 'manage.microsoftonline.cn',
}
INTUNE = '0000000a-0000-0000-c000-000000000000'
SCEP = 'ScepRequestValidationFEService'
CONNECTOR = 'PkiConnectorFEService'
PATHS = {
    SCEP: '/RACerts/ScepRequestValidationFEService/Gateway/'
          'StatelessScepRequestValidationService',
    CONNECTOR: '/RACerts/StatelessPkiConnectorService/Gateway/'
               'StatelessPkiConnectorService',
}
OTHERS = ('AndroidSync', 'DeviceHealthAttestation', 'IWService',
          'TrafficGateway')


class Graph:

    throttled = ('TooManyRequests', 'Too many requests. Try again later.')

    def __init__(self, tokens):
        self.tokens = tokens
        self.reset()

    def reset(self):
        self.pages = 1
        self.uris = {}

    def order(self, order):
        """How many pages the list has; addresses of services, none: null."""
        self.pages = int(order.get('pages', self.pages))
        self.uris = order.get('uris', self.uris)

    def wants(self, request):
        return request.hostname in CLOUDS or request.path.startswith('/v1.0/')

    def route(self, request):
        match request.method, request.path.split('/')[1:]:
            case 'GET', ['v1.0', 'servicePrincipals', principal, 'endpoints']:
                return 'graph', principal, self.endpoints
        return 'unknown', None, self.unknown

    def refuse(self, request, status, code, message, inner=None):
        given = request.headers.get('client-request-id', str(uuid.uuid4()))
        ids = {'date': '2026-11-23T00:00:00', 'request-id': str(uuid.uuid4()),
               'client-request-id': given}
        return Response.json({'error': {
            'code': code, 'message': message, 'innerError': ids}}, status)

    async def unknown(self, request):
        return self.refuse(request, 400, 'BadRequest',
                           'Resource not found for the segment.')

    def authenticate(self, request):
        """The refusal of a token, if it is not good."""
        host = request.hostname if request.hostname in CLOUDS \
            else 'graph.microsoft.com'
        scheme, _, token = request.headers.get('authorization',
                                               '').partition(' ')
        try:
            if scheme.lower() != 'bearer':
                raise InvalidToken('Access token is empty.')
            self.tokens.check(token, f'https://{host}', f'https://{host}/')
        except InvalidToken as error:
            return self.refuse(request, 401, 'InvalidAuthenticationToken',
                               str(error))

        if not self.tokens.has_roles(token):
            return self.refuse(request, 403, 'Authorization_RequestDenied',
                               'Insufficient privileges to complete the '
                               'operation.')
        return None

    async def endpoints(self, request):
        refused = self.authenticate(request)

        if refused:
            return refused

        if request.path.split('/')[3] != f'appId={INTUNE}':
            return self.refuse(
                request, 404, 'Request_ResourceNotFound', 'Resource does not '
                'exist or one of its queried reference-property objects are '
                'not present.')

        return Response.json(self.page(request), 200, {
            'request-id': str(uuid.uuid4()), 'client-request-id':
            request.headers.get('client-request-id', str(uuid.uuid4()))})

    def page(self, request):
        """One page of the list; what matters is on the last ones."""
        services = self.services(request)
        size = -(-len(services) // self.pages)
        after = re.fullmatch('page([0-9]+)',
                             request.query.get('$skiptoken', 'page0'))
        number = int(after[1]) if after else 0
        value = {
            '@odata.context': f'https://{request.host}/v1.0/$metadata#'
                              f'servicePrincipals(\'{INTUNE}\')/endpoints',
            'value': services[number * size:(number + 1) * size]}

        if number + 1 < self.pages:
            value['@odata.nextLink'] = (
                f'https://{request.host}{quote(request.path, "/=")}'
                f'?$skiptoken=page{number + 1}')

        return value

    def services(self, request):
        port = request.host[len(request.hostname):]
        domain = CLOUDS.get(request.hostname, CLOUDS['graph.microsoft.com'])
        host = f'https://fef.msub05.{domain}{port}'
        uris = {name: f'{host}/{name}/Gateway' for name in OTHERS}
        uris |= {name: host + path for name, path in PATHS.items()}
        uris |= self.uris

        return [{'id': str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
                 'deletedDateTime': None, 'capability': name,
                 'providerId': None, 'providerName': name, 'uri': uri,
                 'providerResourceId': None}
                for name, uri in uris.items() if uri is not None]
