"""What has happened: counters, and a log of the last requests."""

import time
from collections import Counter, defaultdict, deque

MAX_BODY = 16 * 1024


class Record:

    def __init__(self, depth):
        self.log = deque(maxlen=depth)
        self.running = Counter()
        self.reset()

    def reset(self):
        self.log.clear()
        self.requests = Counter()
        self.status = defaultdict(Counter)
        self.most = Counter()
        self.tcp = Counter()
        self.tls = Counter()
        self.tls_failed = Counter()
        self.most_open = Counter()
        self.tokens = Counter()
        self.dns = Counter()
        self.tunnels = 0
        self.keys_made = 0

    def connected(self, listener):
        self.tcp[listener] += 1

    def opened(self, listener, now, tls):
        self.tls[listener] += tls
        self.most_open[listener] = max(self.most_open[listener], now)

    def handshake_failed(self, listener):
        self.tls_failed[listener] += 1

    def begin(self, listener, op, key, request):
        """Counts a request, and returns its entry for end()."""
        entry = {
            'time': time.time(),
            'listener': listener,
            'connection': request.connection,
            'op': op,
            'key': key,
            'method': request.method,
            'path': request.path,
            'target': request.target,
            'query': request.query,
            'headers': request.headers,
            'body': request.body[:MAX_BODY].decode('utf-8', 'replace'),
            'status': 0,
        }
        self.log.append(entry)
        self.requests[op] += 1

        for name in (op, 'all'):
            self.running[name] += 1
            self.most[name] = max(self.most[name], self.running[name])

        return entry

    def end(self, entry):
        """The status of an entry stays 0 if it got no answer."""
        for name in (entry['op'], 'all'):
            self.running[name] -= 1

        entry['elapsed'] = time.time() - entry['time']
        self.status[entry['op']][entry['status']] += 1

    def counters(self):
        return {
            'requests': self.requests,
            'status': self.status,
            'concurrent': self.running,
            'max_concurrent': self.most,
            'tcp': self.tcp,
            'tls': self.tls,
            'tls_failed': self.tls_failed,
            'max_open': self.most_open,
            'tokens': self.tokens,
            'tokens_issued': self.tokens.total(),
            'keys_made': self.keys_made,
            'dns': self.dns,
            'dns_queries': self.dns.total(),
            'tunnels': self.tunnels,
        }
