# SPDX-License-Identifier: GPL-2.0-only
"""Runs inside a room: many connections to a server that check every answer. usage: load.py KIND PORT CONNECTIONS STATUS [ADDRESS]

Writes how many answers were right, and what went wrong, into the file STATUS."""
import asyncio
import hashlib
import json
import os
import random
import sys
import time


class Status:
    """Answers that were right so far."""

    def __init__(self, path):
        self.path, self.count, self.last = path, 0, 0

    def write(self, error=None):
        """Replaces the file."""
        with open(self.path + '.new', 'w', encoding='ascii') as file:
            json.dump({'count': self.count, 'error': error}, file)
        os.rename(self.path + '.new', self.path)

    def right(self):
        """One more."""
        self.count += 1
        if time.monotonic() - self.last > 0.05:
            self.last = time.monotonic()
            self.write()


def expect(got, wanted):
    """An answer."""
    if got != wanted:
        raise RuntimeError(f'got {got[:80]!r} in place of {wanted[:80]!r}')


def content(i, n):
    """What connection i writes in its round n, of different sizes."""
    return hashlib.sha512(b'%d %d' % (i, n)).digest() * (1, 2, 20, 500)[n % 4]


async def line(reader):
    """Without its end."""
    return (await reader.readuntil(b'\r\n'))[:-2]


async def redis(i, reader, writer):
    """Counts up; writes a value and reads an older one."""
    n = 0
    while True:
        n += 1
        value, older = content(i, n), max(1, n - 30)
        writer.write(b'INCR c%d\r\nSET k%d-%d %s\r\nGET k%d-%d\r\n' % (i, i, n % 64, value.hex().encode(), i, older % 64))
        expect(await line(reader), b':%d' % n)
        expect(await line(reader), b'+OK')
        wanted = content(i, older).hex().encode()
        expect(await line(reader), b'$%d' % len(wanted))
        expect(await line(reader), wanted)
        yield


async def memcached(i, reader, writer):
    """The same in its language."""
    n = 0
    writer.write(b'set c%d 0 0 1\r\n0\r\n' % i)
    expect(await line(reader), b'STORED')
    while True:
        n += 1
        value, older = content(i, n), max(1, n - 30)
        writer.write(b'incr c%d 1\r\nset k%d-%d 0 0 %d\r\n%s\r\nget k%d-%d\r\n' %
                     (i, i, n % 64, len(value), value, i, older % 64))
        expect(await line(reader), b'%d' % n)
        expect(await line(reader), b'STORED')
        wanted = content(i, older)
        expect(await line(reader), b'VALUE k%d-%d 0 %d' % (i, older % 64, len(wanted)))
        expect(await reader.readexactly(len(wanted) + 2), wanted + b'\r\n')
        expect(await line(reader), b'END')
        yield


async def ask(reader, writer, path, body=b''):
    """One request over HTTP/1.1."""
    writer.write(b'POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s' % (path, len(body), body) if body else
                 b'GET %s HTTP/1.1\r\nHost: x\r\n\r\n' % path)
    head = (await reader.readuntil(b'\r\n\r\n')).lower().split(b'\r\n')
    expect(head[0].split()[1], b'200')
    sizes = [int(field.split(b':')[1]) for field in head if field.startswith(b'content-length:')]
    return await reader.readexactly(sizes[0])


async def counting(i, reader, writer):
    """A server that answers how many requests it had for the path, and the hash of their body."""
    n = 0
    while True:
        n += 1
        body = content(i, n)
        expect(await ask(reader, writer, b'/%d' % i, body), b'%d %s' % (n, hashlib.sha256(body).hexdigest().encode()))
        yield


async def echo(i, reader, writer):
    """A server that sends back what it gets."""
    n = 0
    while True:
        n += 1
        body = content(i, n)
        writer.write(body)
        expect(await reader.readexactly(len(body)), body)
        yield


async def files(i, reader, writer):
    """A server of the files /1 to /8."""
    n = 0
    while True:
        n += 1
        k = 1 + (n + i) % 8
        expect(await ask(reader, writer, b'/%d' % k), content(k, 3) * k)
        yield


async def one(kind, place, i, status):
    """One connection."""
    pause = random.Random(i)
    try:
        reader, writer = await asyncio.open_connection(*place)
        async for _ in kind(i, reader, writer):
            status.right()
            await asyncio.sleep(pause.random() * 0.02)
    except Exception as error:      # pylint: disable=broad-except
        status.write(f'connection {i}: {error!r}')
        os._exit(1)


async def main():
    """All connections at once."""
    kind, port, number, status = globals()[sys.argv[1]], int(sys.argv[2]), int(sys.argv[3]), Status(sys.argv[4])
    place = sys.argv[5] if len(sys.argv) > 5 else '127.0.0.1', port
    await asyncio.gather(*[one(kind, place, i, status) for i in range(number)])


if __name__ == '__main__':
    asyncio.run(main())
