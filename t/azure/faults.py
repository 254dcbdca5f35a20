"""What can go wrong on purpose, and how often."""

import asyncio
import gzip
import json

from tokens import base64url, from_base64url
from wire import Response

MANNERS = ('reset', 'reset_body', 'close_body', 'drop')
HTML = b'<!DOCTYPE html><html><body><h1>Our services aren\'t available ' \
       b'right now</h1></body></html>'


class Call:
    """A request on its way: what it would be answered without a fault."""

    def __init__(self, service, request, answer):
        self.service = service
        self.request = request
        self.answer = answer

    def refuse(self, status, code, message, inner=None, headers=None):
        response = self.service.refuse(self.request, status, code, message,
                                       inner)
        response.headers |= headers or {}
        return response


def retry_headers(action):
    headers = dict(action.get('headers', {}))
    if 'retry_after' in action:
        headers['Retry-After'] = action['retry_after']
    if 'retry_after_ms' in action:
        headers['retry-after-ms'] = action['retry_after_ms']
    return headers


async def status(action, call):
    number = action.get('status', 500)
    return call.refuse(number, action.get('code', f'Status{number}'),
                       action.get('message', 'A fault was asked for.'),
                       action.get('inner'), retry_headers(action))


async def throttle(action, call):
    return call.refuse(429, *call.service.throttled, None,
                       retry_headers(action))


async def akv10046(action, call):
    return call.refuse(
        401, 'Unauthorized', 'AKV10046: Unable to resolve the key used for '
        'signature validation.', None, retry_headers(action))


async def delay(action, call):
    await asyncio.sleep(float(action.get('ms', 1000)) / 1000)
    return await call.answer()


async def hang(action, call):
    await asyncio.Event().wait()


async def send_in_a_manner(action, call):
    response = await call.answer()
    response.manner = action['do']
    return response


async def close(action, call):
    response = await call.answer()
    response.keep_alive = False
    return response


async def trickle(action, call):
    response = await call.answer()
    response.manner = 'trickle'
    response.pause = float(action.get('ms', 50)) / 1000
    return response


async def truncate(action, call):
    response = await call.answer()
    response.body = response.body[:len(response.body) // 2]
    return response


async def body(action, call):
    return Response(action.get('status', 200),
                    action.get('body', '').encode(), retry_headers(action),
                    action.get('content_type', 'application/json'))


async def html(action, call):
    return Response(action.get('status', 200), HTML, None, 'text/html')


async def huge(action, call):
    response = await call.answer()
    size = int(action.get('size', 1024 * 1024))
    response.body = b' ' * size + response.body
    return response


async def compress(action, call):
    response = await call.answer()
    response.body = gzip.compress(response.body)
    response.headers['Content-Encoding'] = 'gzip'
    return response


async def redirect(action, call):
    return Response(action.get('status', 302), b'',
                    {'Location': action['location']}, 'text/html')


async def edit(action, call):
    """Makes a good answer a wrong one."""
    response = await call.answer()
    if response.status == 200:
        value = EDITS[action['do']](action, json.loads(response.body))
        response.body = json.dumps(value).encode()
    return response


def replace(action, value):
    """Changes members of the answer, null takes one away."""
    value |= action['fields']
    return {name: member for name, member in value.items()
            if member is not None}


def wrong_kid(action, value):
    owner = value.get('key', value)
    owner['kid'] = owner['kid'][:-32] + 'f' * 32
    return value


def corrupt(action, value):
    """Flips the lowest bit of a byte (default: the last) of "value"."""
    data = bytearray(from_base64url(value['value']))
    data[int(action.get('byte', -1))] ^= 1
    value['value'] = base64url(data)
    return value


EDITS = {
    'replace': replace,
    'wrong_kid': wrong_kid,
    'corrupt': corrupt,
}


ACTIONS = {
    'status': status,
    'throttle': throttle,
    'akv10046': akv10046,
    'delay': delay,
    'hang': hang,
    'close': close,
    'trickle': trickle,
    'truncate': truncate,
    'body': body,
    'html': html,
    'huge': huge,
    'gzip': compress,
    'redirect': redirect,
} | dict.fromkeys(MANNERS, send_in_a_manner) | dict.fromkeys(EDITS, edit)

IDENTITY = ('token', 'imds', 'appservice', 'arc')
INTUNE = ('validate', 'success', 'failure', 'download', 'upload')
OTHERS = ('openid', 'instance', 'tunnel', 'health', 'graph')
GROUPS = {
    'any': lambda op: True,
    'identity': lambda op: op in IDENTITY,
    'intune': lambda op: op in INTUNE,
    'vault': lambda op: op not in IDENTITY + INTUNE + OTHERS,
}


class Fault:

    def __init__(self, order):
        match = order.get('match', {})
        self.op = match.get('op', 'any')
        self.key = match.get('key')
        self.count = int(order.get('count', 1))
        self.skip = int(order.get('skip', 0))
        self.taken = 0
        self.action = order['action']

        if isinstance(self.action, str):
            self.action = {'do': self.action}

        if self.action['do'] not in ACTIONS:
            raise ValueError(f'no action {self.action["do"]}')

    def fits(self, op, key):
        group = GROUPS.get(self.op)
        return (group(op) if group else self.op == op) \
            and self.key in (None, key)


class Faults:
    """The first fault in order that fits a request is taken."""

    def __init__(self):
        self.faults = []

    def reset(self):
        self.faults.clear()

    def add(self, order):
        self.faults.append(Fault(order))

    def take(self, op, key):
        for fault in self.faults:
            if fault.count == 0 or not fault.fits(op, key):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.count > 0:
                fault.count -= 1
            fault.taken += 1
            return fault.action

        return None

    async def apply(self, action, call):
        return await ACTIONS[action['do']](action, call)

    def describe(self):
        return [{'op': fault.op, 'key': fault.key, 'left': fault.count,
                 'taken': fault.taken, 'action': fault.action}
                for fault in self.faults]
