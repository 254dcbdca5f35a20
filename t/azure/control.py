"""How a test steers the simulator and sees what happened."""

import json

from wire import Response


class Control:

    def __init__(self, simulator):
        self.simulator = simulator
        self.calls = {
            ('GET', 'counters'): self.counters,
            ('GET', 'log'): self.log,
            ('GET', 'faults'): self.faults,
            ('GET', 'keys'): self.keys,
            ('POST', 'reset'): self.reset,
            ('POST', 'fault'): self.fault,
            ('POST', 'latency'): self.latency,
            ('POST', 'limit'): self.limit,
            ('POST', 'listen'): self.listen,
            ('POST', 'dns'): self.dns,
            ('POST', 'token'): self.token,
            ('POST', 'client'): self.client,
            ('POST', 'arc'): self.arc,
            ('POST', 'key'): self.key,
            ('POST', 'import'): self.import_key,
            ('POST', 'update'): self.update,
            ('POST', 'rotate'): self.rotate,
            ('POST', 'forget'): self.forget,
            ('POST', 'settle'): self.settle,
            ('POST', 'stock'): self.stock,
            ('GET', 'intune'): self.intune,
            ('POST', 'graph'): self.graph,
            ('POST', 'challenge'): self.challenge,
            ('POST', 'revoke'): self.revoke,
        }

    async def answer(self, listener, request):
        name = request.path.removeprefix('/control/')
        call = self.calls.get((request.method, name))

        if not call:
            return Response.json({'error': 'no such call'}, 404)

        try:
            order = json.loads(request.body) if request.body \
                else request.query
            return Response.json(await call(order))
        except Exception as error:
            return Response.json({'error': repr(error)}, 400)

    async def counters(self, order):
        return self.simulator.record.counters()

    async def log(self, order):
        entries = list(self.simulator.record.log)
        if 'op' in order:
            entries = [entry for entry in entries
                       if entry['op'] == order['op']]
        return entries[-int(order['last']):] if 'last' in order else entries

    async def reset(self, order):
        self.simulator.reset()
        return {}

    async def fault(self, order):
        self.simulator.faults.add(order)
        return {}

    async def faults(self, order):
        return self.simulator.faults.describe()

    async def latency(self, order):
        self.simulator.latency.of = order
        return {}

    async def limit(self, order):
        limit = self.simulator.vault.limit
        limit.reset()
        limit.units = float(order['units']) if order else None
        limit.seconds = float(order.get('seconds', 10))
        limit.headers = {name: order[member] for name, member in (
            ('Retry-After', 'retry_after'),
            ('retry-after-ms', 'retry_after_ms')) if member in order}
        return {}

    async def listen(self, order):
        for name, mode in order.items():
            self.simulator.listeners[name].set_mode(mode)
        return {}

    async def dns(self, order):
        names = self.simulator.names
        names.ttl = order.get('ttl', names.ttl)
        names.address = order.get('address', names.address)
        names.fail = order.get('fail', names.fail)
        return {}

    async def token(self, order):
        tokens = self.simulator.tokens
        if 'lifetime' in order:
            tokens.lifetime = int(order['lifetime'])
        tokens.iso_dates = order.get('iso_dates', tokens.iso_dates)
        tokens.roles = bool(order.get('roles', tokens.roles))
        if order.get('expire'):
            tokens.expire()
        return {}

    async def client(self, order):
        self.simulator.clients.register(**order)
        return {}

    async def arc(self, order):
        self.simulator.identity.realm = order.get('realm')
        return {}

    # Intune

    async def intune(self, order):
        return self.simulator.intune.describe()

    async def graph(self, order):
        self.simulator.graph.order(order)
        return {}

    async def challenge(self, order):
        return {'challenge': self.simulator.intune.challenges.make(order)}

    async def revoke(self, order):
        return self.simulator.intune.revoke(order)

    # keys

    def vault(self, order):
        return self.simulator.vault.vault(order.get('vault', ''))

    def describe(self, name, version):
        return {'name': name, 'version': version.version,
                'kty': version.kty, 'key_ops': version.operations,
                'attributes': version.attributes,
                'public': version.public_pem()}

    async def keys(self, order):
        return {name: [self.describe(name, version) for version in versions]
                for name, versions in self.vault(order).keys.items()}

    async def key(self, order):
        name = order['name']
        version = await self.simulator.vault.make(
            self.vault(order), name, order.get('kty', 'RSA-HSM'), order)
        return self.describe(name, version)

    async def import_key(self, order):
        name = order['name']
        version = self.simulator.vault.import_pem(
            self.vault(order), name, order['pem'], order.get('hsm', True),
            order.get('key_ops'))
        return self.describe(name, version)

    async def update(self, order):
        name = order['name']
        version = self.vault(order).version(name, order.get('version', ''))
        version.attributes |= order.get('attributes', {})
        version.operations = order.get('key_ops', version.operations)
        return self.describe(name, version)

    async def rotate(self, order):
        name = order['name']
        version = await self.simulator.vault.renew(self.vault(order), name)
        return self.describe(name, version)

    async def forget(self, order):
        self.vault(order).forget(order.get('name'))
        return {}

    async def stock(self, order):
        await self.simulator.vault.fill_stock(int(order['key_size']),
                                              int(order.get('count', 1)))
        return {}

    async def settle(self, order):
        self.simulator.vault.settle = order
        return {}
