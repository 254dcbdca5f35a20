"""Access tokens: they look like Entra's, and only the simulator knows."""

import base64
import json
import secrets
import time


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b'=').decode()


def from_base64url(text):
    return base64.b64decode(text + '=' * (-len(text) % 4), b'-_',
                            validate=True)


class InvalidToken(Exception):
    """The vault's words about a token."""


class Tokens:

    def __init__(self, record):
        self.record = record
        self.issued = {}
        self.reset()

    def reset(self):
        """Back to the usual lifetimes; tokens stay what they are."""
        self.lifetime = None
        self.iso_dates = False
        self.roles = True

    def expire(self):
        for token, (audience, _, roles) in self.issued.items():
            self.issued[token] = (audience, 0, roles)

    def issue(self, source, usual, audience, tenant, client):
        """Returns a token and how many seconds it lasts."""
        lifetime = usual if self.lifetime is None else self.lifetime
        now = int(time.time())
        claims = {
            'aud': audience,
            'iss': f'https://sts.windows.net/{tenant}/',
            'iat': now, 'nbf': now, 'exp': now + lifetime,
            'appid': client, 'appidacr': '2', 'idtyp': 'app',
            'tid': tenant, 'uti': secrets.token_urlsafe(16), 'ver': '1.0',
        }
        header = {'typ': 'JWT', 'alg': 'RS256', 'kid': 'simulated'}
        token = '.'.join([base64url(json.dumps(header).encode()),
                          base64url(json.dumps(claims).encode()),
                          base64url(secrets.token_bytes(256))])
        self.issued[token] = (audience, now + lifetime, self.roles)
        self.record.tokens[source] += 1
        return token, lifetime

    def has_roles(self, token):
        """Those that the application had when it was issued."""
        return self.issued[token][2]

    def check(self, token, *audiences):
        """Raises InvalidToken, unless it is for one of these."""
        if token not in self.issued:
            raise InvalidToken('[BearerReadAccessTokenFailed] Error '
                               'validating token: \'S2S12005\'.')

        found, expiry, _ = self.issued[token]

        if expiry <= time.time():
            raise InvalidToken('[TokenExpired] Error validating token: '
                               '\'S2S12086\'.')

        if found not in audiences:
            raise InvalidToken(f'AKV10022: Invalid audience. Expected '
                               f'{audiences[0]}, found: {found}.')
