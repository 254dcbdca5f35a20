#!/usr/bin/python3
"""A simulator of the parts of Azure that a certificate authority talks to.

Says in one line of JSON on standard output when it is ready, and ends with
its standard input.
"""

import argparse
import asyncio
import json
import os
import secrets
import sys

import certificates
from control import Control
from exchange import Latency, Site
from faults import Faults
from graph import Graph
from identity import ManagedIdentity
from intune import Intune
from login import Clients, Login
from names import Names
from record import Record
from tokens import Tokens
from tunnel import Tunnel
from vault import KeyVault
from wire import Listener

PORTS = ('https', 'wrong', 'http', 'control', 'proxy', 'dns')


class Simulator:

    def __init__(self, options):
        self.options = options
        self.listeners = {}
        self.record = Record(options.log)
        self.faults = Faults()
        self.latency = Latency()
        self.tokens = Tokens(self.record)
        self.clients = Clients(options.tenant, [options.alias],
                               options.client)
        self.vault = KeyVault(self.tokens, self.record, options.tenant)
        self.identity = ManagedIdentity(self.tokens, self.clients,
                                        options.arc_dir, options.header)
        self.graph = Graph(self.tokens)
        self.intune = Intune(self.tokens)
        self.names = Names(self.record)
        self.tunnel = Tunnel(self.faults, self.record)

    def file(self, name):
        return os.path.join(self.options.dir, name)

    def reset(self):
        """Faults, delays, limits, counters; keys and clients stay."""
        for part in (self.record, self.faults, self.latency, self.tokens,
                     self.vault, self.identity, self.graph, self.intune,
                     self.names):
            part.reset()
        for listener in self.listeners.values():
            listener.set_mode('open')

    def register_client(self):
        """The application and what it proves itself with, in files."""
        options = self.options
        key, certificate = certificates.client_certificate('simulated-client')
        chain = certificates.pem(certificate)
        secret = secrets.token_urlsafe(30)
        federated = 'federated.' + secrets.token_urlsafe(30)

        certificates.write(self.file('client.key'), certificates.key_pem(key))
        certificates.write(self.file('client.pem'), chain)
        certificates.write(self.file('client.secret'), secret.encode())
        certificates.write(self.file('federated.token'), federated.encode())

        self.clients.register(options.client, secret, chain.decode(),
                              federated)

    def servers(self):
        """Name, what answers there, and the TLS context of each port."""
        authority = certificates.Authority()
        certificates.write(self.file('ca.pem'),
                           certificates.pem(authority.certificate))
        right = authority.context(self.file('server.pem'),
                                  certificates.NAMES, ['127.0.0.1'])
        wrong = authority.context(self.file('wrong.pem'),
                                  certificates.WRONG_NAMES)

        azure = self.site(Login(self.tokens, self.clients), self.graph,
                          self.intune, self.vault)

        return (('https', azure, right), ('wrong', azure, wrong),
                ('http', self.site(self.identity), None),
                ('control', Control(self), None))

    def site(self, *services):
        return Site(services, self.faults, self.latency, self.record)

    async def start(self):
        os.makedirs(self.options.arc_dir, mode=0o700, exist_ok=True)
        self.register_client()

        for name, site, context in self.servers():
            listener = Listener(name, getattr(self.options, name), site,
                                self.record, context)
            self.listeners[name] = listener
            listener.set_mode('open')

        ports = {name: listener.port
                 for name, listener in self.listeners.items()}
        ports['dns'] = await self.names.start(self.options.dns)
        ports['proxy'] = await self.tunnel.start(self.options.proxy,
                                                 {443: ports['https']})
        return ports


def parse_options():
    parser = argparse.ArgumentParser(description='Simulates Azure.')
    parser.add_argument('--dir', required=True,
                        help='where ca.pem and the client\'s files go')
    parser.add_argument('--arc-dir', help='where Arc puts its keys')
    parser.add_argument('--tenant',
                        default='11111111-2222-3333-4444-555555555555')
    parser.add_argument('--alias', default='contoso.example')
    parser.add_argument('--client',
                        default='aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee')
    parser.add_argument('--header', default='simulated-identity-header')
    parser.add_argument('--log', type=int, default=2000,
                        help='how many requests are remembered')

    for name in PORTS:
        parser.add_argument(f'--{name}', type=int, default=0,
                            metavar='PORT', help='default: any')

    options = parser.parse_args()
    options.arc_dir = options.arc_dir or os.path.join(options.dir, 'arc')
    return options


async def main():
    options = parse_options()
    ports = await Simulator(options).start()
    ready = {'dir': options.dir, 'ports': ports, 'tenant': options.tenant,
             'client': options.client, 'header': options.header}
    print(json.dumps(ready), flush=True)

    end = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, end.set)
    await end.wait()


if __name__ == '__main__':
    asyncio.run(main())
