"""The way of a request: service, fault, delay, answer, record."""

import asyncio
import traceback
from functools import partial

from faults import Call
from wire import Response


class Latency:
    """Milliseconds that operations take, by name; "any" is the default."""

    def __init__(self):
        self.of = {}

    def reset(self):
        self.of.clear()

    def seconds(self, op):
        return float(self.of.get(op, self.of.get('any', 0))) / 1000


class Site:
    """Services behind one port: the first that wants a request gets it."""

    def __init__(self, services, faults, latency, record):
        self.services = services
        self.faults = faults
        self.latency = latency
        self.record = record

    async def answer(self, listener, request):
        service = next(service for service in self.services
                       if service.wants(request))
        op, key, handler = service.route(request)
        action = self.faults.take(op, key)
        entry = self.record.begin(listener, op, key, request)
        call = Call(service, request, partial(self.work, op, handler,
                                              request))
        try:
            if action:
                response = await self.faults.apply(action, call)
            else:
                response = await call.answer()
            entry['status'] = response.status
        except Exception:
            traceback.print_exc()
            response = Response(500, b'the simulator failed, see its log')
        finally:
            self.record.end(entry)

        return response

    async def work(self, op, handler, request):
        seconds = self.latency.seconds(op)
        if seconds:
            await asyncio.sleep(seconds)
        return await handler(request)
