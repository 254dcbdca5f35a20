"""Intune: whether a request is one of its devices, what became of it, and
which certificates are to be revoked."""

import base64
import binascii
import json
import re
import uuid
from functools import partial

from challenges import Challenges, Refused
from graph import CLOUDS, CONNECTOR, PATHS, SCEP
from tokens import InvalidToken
from wire import Response

VERSIONS = {SCEP: ('2018-02-20', '5019-05-05'), CONNECTOR: ('5019-05-05',)}
GUID = '[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}'
DATE = r'[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}' \
       r'(\.[0-9]{1,7})?Z'
MAX_DESCRIPTION = 255
MAX_REQUESTS = 500

ERRORS = {
    'None': 0, 'NonRetryableServiceException': 4000,
    'DataSerializationError': 4001, 'ParameterDataInvalidError': 4002,
    'CryptographyError': 4003, 'CertificateNotFoundError': 4004,
    'ConflictError': 4005, 'NotSupportedError': 4006,
    'PayloadTooLargeError': 4007, 'RetryableServiceException': 4100,
    'ServiceUnavailableException': 4101, 'ServiceTooBusyException': 4102,
    'AuthenticationException': 4103,
}
NUMBERS = {str(number): name for name, number in ERRORS.items()}
FIRST_RETRYABLE = 4100

TEXT, TEXT_OR_NULL, NUMBER, TRUTH = (str,), (str, type(None)), (int,), (bool,)

REQUEST = {'transactionId': TEXT, 'certificateRequest': TEXT,
           'callerInfo': TEXT}
SUCCESS = REQUEST | {
    'certificateThumbprint': TEXT, 'certificateSerialNumber': TEXT,
    'certificateExpirationDateUtc': TEXT, 'issuingCertificateAuthority': TEXT,
    'caConfiguration': TEXT_OR_NULL, 'certificateAuthority': TEXT_OR_NULL}
FAILURE = REQUEST | {'hResult': NUMBER, 'errorDescription': TEXT}
DOWNLOAD = {'maxRequests': NUMBER, 'issuerName': TEXT_OR_NULL}
RESULT = {'requestContext': TEXT, 'succeeded': TRUTH, 'errorCode': TEXT,
          'errorMessage': TEXT_OR_NULL}


class Malformed(Exception):
    """A request that Intune's own clients never send."""


class BadToken(Exception):

    def __init__(self, status, code, message):
        super().__init__(message)
        self.status = status
        self.code = code


def unique(pairs):
    """An object none of whose members is there twice."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise Malformed('a member is there twice')
    return value


def constant(name):
    raise Malformed(f'{name} is no JSON')


def parse(request, member, kind):
    """The one member of the body."""
    try:
        body = json.loads(request.body.decode('utf-8'),
                          object_pairs_hook=unique, parse_constant=constant)
    except ValueError as error:
        raise Malformed(f'not JSON in UTF-8: {error}') from None

    if not isinstance(body, dict) or list(body) != [member] \
            or not isinstance(body[member], kind):
        raise Malformed(f'the body is not {{"{member}": ...}}')

    return body[member]


def check_members(value, form):
    """Exactly these; what may be null may be absent."""
    if not isinstance(value, dict):
        raise Malformed('not an object')

    wanted = {name for name, kinds in form.items()
              if type(None) not in kinds}

    if not wanted <= value.keys() <= form.keys():
        raise Malformed(f'members: {", ".join(sorted(value))}')

    for name, member in value.items():
        if type(member) not in form[name]:
            raise Malformed(f'"{name}" is of another type')
        if form[name] is TEXT and not member:
            raise Malformed(f'"{name}" is empty')

    return value


def check_text(value, name, pattern):
    if not re.fullmatch(pattern, value[name]):
        raise Malformed(f'"{name}" is "{value[name]}"')


def der_of(value):
    try:
        return base64.b64decode(value['certificateRequest'], validate=True)
    except binascii.Error:
        raise Malformed('"certificateRequest" is not base64') from None


class Intune:

    throttled = ('TooManyRequests', 'Too many requests. Try again later.')

    def __init__(self, tokens):
        self.tokens = tokens
        self.challenges = Challenges()
        self.calls = {
            'ScepActions/validateRequest':
                ('validate', SCEP, self.validate),
            'ScepActions/successNotification':
                ('success', SCEP, self.success),
            'ScepActions/failureNotification':
                ('failure', SCEP, self.failure),
            'CertificateAuthorityRequests/downloadRevocationRequests':
                ('download', CONNECTOR, self.download),
            'CertificateAuthorityRequests/uploadRevocationResults':
                ('upload', CONNECTOR, self.upload),
        }
        self.reset()

    def reset(self):
        """Forgets what it was told and asked; challenges stay good."""
        self.validated = []
        self.refused = []
        self.succeeded = []
        self.failed = []
        self.revocations = []
        self.results = []
        self.violations = []
        self.known = set()
        self.certificates = {}
        self.done = set()

    def describe(self):
        return {name: getattr(self, name) for name in (
            'validated', 'refused', 'succeeded', 'failed', 'revocations',
            'results', 'violations')}

    # routes

    def wants(self, request):
        return request.hostname.endswith(tuple(
            f'.{domain}' for domain in CLOUDS.values())) \
            or request.path.startswith('/RACerts/')

    def route(self, request):
        for suffix, (op, service, work) in self.calls.items():
            if request.method == 'POST' \
                    and request.path == f'{PATHS[service]}/{suffix}':
                return op, request.hostname, partial(self.handle, op, service,
                                                     work)
        return 'unknown', None, self.unknown

    async def unknown(self, request):
        return self.refuse(request, 404, 'ResourceNotFound',
                           'There is no such resource.')

    def refuse(self, request, status, code, message, inner=None):
        """As Intune does it: JSON in a string in JSON."""
        given = request.headers.get('client-request-id', '')
        details = json.dumps({
            '_version': 3, 'Message': f'{message} - Operation ID (for '
            f'customer support): {uuid.uuid4()} - Activity ID: {given}',
            'CustomApiErrorPhrase': inner or '', 'RetryAfter': None,
            'ErrorSourceService': '', 'HttpHeaders': '{}'}, indent=2)
        return Response.json({'error': {'code': code, 'message': details}},
                             status)

    async def handle(self, op, service, work, request):
        try:
            self.authenticate(request)
            self.check(service, request)
            value = work(request)
        except BadToken as error:
            return self.refuse(request, error.status, error.code, str(error))
        except Malformed as error:
            self.violations.append(f'{op}: {error}')
            return self.refuse(request, 400, 'BadRequest', str(error))
        except Refused as refused:
            self.refused.append({'op': op, 'code': refused.code})
            value = {'code': refused.code, 'errorDescription': str(refused)}

        context = {'@odata.context':
                   f'https://{request.host}{PATHS[service]}/$metadata'}
        return Response.json(context | value)

    def authenticate(self, request):
        scheme, _, token = request.headers.get('authorization',
                                               '').partition(' ')
        api = next((f'https://api.{domain}' for domain in CLOUDS.values()
                    if request.hostname.endswith(f'.{domain}')),
                   'https://api.manage.microsoft.com')
        try:
            if scheme.lower() != 'bearer':
                raise InvalidToken('there is no token')
            self.tokens.check(token, f'{api}/', api)
        except InvalidToken as error:
            raise BadToken(401, 'Unauthorized', str(error)) from None

        if not self.tokens.has_roles(token):
            raise BadToken(403, 'Forbidden',
                           'There is no role scep_challenge_provider.')

    def check(self, service, request):
        headers = request.headers

        if headers.get('api-version') not in VERSIONS[service]:
            raise Malformed(f'api-version is {headers.get("api-version")}')

        if not re.fullmatch(GUID, headers.get('client-request-id', '')):
            raise Malformed('client-request-id is no GUID')

        if not re.fullmatch('application/json(; *charset=utf-8)?',
                            headers.get('content-type', '').lower()):
            raise Malformed(f'content-type is {headers.get("content-type")}')

        if request.query:
            raise Malformed('there are arguments')

    # requests of devices

    def entry(self, request, value):
        """What is remembered of a call."""
        return {'client_request_id': request.headers['client-request-id']} \
            | value

    def validate(self, request):
        value = check_members(parse(request, 'request', dict), REQUEST)
        challenge = self.challenges.check(der_of(value))
        self.known.add((value['transactionId'], value['certificateRequest']))
        self.validated.append(self.entry(request, value)
                              | {'challenge': challenge['id']})
        return {'code': 'Success', 'errorDescription': ''}

    def check_known(self, value):
        """Nobody tells of what Intune was not asked about."""
        transaction = value['transactionId']
        if (transaction, value['certificateRequest']) not in self.known:
            raise Malformed(f'transaction "{transaction}" was not validated')

    def success(self, request):
        value = check_members(parse(request, 'notification', dict), SUCCESS)
        check_text(value, 'certificateThumbprint', '[0-9A-F]{40}')
        check_text(value, 'certificateSerialNumber', '([0-9A-F]{2}){1,20}')
        check_text(value, 'certificateExpirationDateUtc', DATE)
        self.check_known(value)

        self.succeeded.append(self.entry(request, value))
        self.certificates[value['certificateSerialNumber']] = value
        return {'code': 'Success', 'errorDescription': ''}

    def failure(self, request):
        value = check_members(parse(request, 'notification', dict), FAILURE)

        if len(value['errorDescription']) > MAX_DESCRIPTION:
            raise Malformed('"errorDescription" is too long')
        if not -1 << 63 <= value['hResult'] < 1 << 63:
            raise Malformed(f'"hResult" is {value["hResult"]}')

        self.check_known(value)
        self.failed.append(self.entry(request, value))
        return {'code': 'Success', 'errorDescription': ''}

    # certificates to be revoked

    def revoke(self, order):
        """An administrator or Intune itself wants it; the request."""
        serial = order['serial'].upper()
        told = self.certificates.get(serial, {})
        revocation = {
            'requestContext': order.get('context') or base64.b64encode(
                uuid.uuid4().bytes * 4).decode(),
            'serialNumber': order.get('as', serial),
            'issuerName': order.get(
                'issuer', told.get('issuingCertificateAuthority')),
            'caConfiguration': order.get('configuration',
                                         told.get('caConfiguration'))}
        self.revocations.append(revocation)
        return revocation

    def download(self, request):
        value = check_members(parse(request, 'downloadParameters', dict),
                              DOWNLOAD)
        issuer = value.get('issuerName')

        if not 1 <= value['maxRequests'] <= MAX_REQUESTS:
            raise Malformed(f'"maxRequests" is {value["maxRequests"]}')

        found = [revocation for revocation in self.revocations
                 if issuer in (None, revocation['issuerName'])]
        return {'value': found[:value['maxRequests']]}

    def upload(self, request):
        results = parse(request, 'results', list)

        if not results:
            raise Malformed('there are no results')

        for result in results:
            self.check_result(check_members(result, RESULT))

        return {'value': all([self.take(result) for result in results])}

    def check_result(self, result):
        code = NUMBERS.get(result['errorCode'], result['errorCode'])

        if code not in ERRORS:
            raise Malformed(f'"errorCode" is "{code}"')
        if result['succeeded'] != (code == 'None'):
            raise Malformed(f'"errorCode" is "{code}"')
        if result['succeeded'] and result.get('errorMessage') is not None:
            raise Malformed('a success has an "errorMessage"')

        result['errorCode'] = code

    def take(self, result):
        """What may be tried again comes again."""
        context = result['requestContext']
        left = [revocation for revocation in self.revocations
                if revocation['requestContext'] != context]
        known = context in self.done or len(left) < len(self.revocations)
        self.results.append(result)

        if ERRORS[result['errorCode']] < FIRST_RETRYABLE:
            self.revocations = left
            self.done.add(context)

        return known
