# SPDX-License-Identifier: GPL-2.0-only
"""Runs inside a room: a server of Python's asyncio with threads, subprocesses and a process pool. usage: server.py PORT"""
import asyncio
import concurrent.futures
import hashlib
import os
import sys
import traceback

counts = {}


def digest(data):
    """Also runs in other threads and processes."""
    return hashlib.sha256(data).hexdigest()


async def answer(reader, writer):
    """One connection."""
    while True:
        head = (await reader.readuntil(b'\r\n\r\n')).lower().split(b'\r\n')
        sizes = [int(field.split(b':')[1]) for field in head if field.startswith(b'content-length:')]
        body = await reader.readexactly(sizes[0])
        path = head[0].split()[1]
        counts[path] = counts.get(path, 0) + 1
        text = b'%d %s' % (counts[path], (await asyncio.to_thread(digest, body)).encode())
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s' % (len(text), text))
        await writer.drain()


async def run_short():
    """Short subprocesses, one after the other."""
    i = 0
    while True:
        i += 1
        child = await asyncio.create_subprocess_exec('sh', '-c', f'sleep 0.0{i % 10}; echo {i}', stdout=-1)
        out, _ = await child.communicate()
        assert (out, child.returncode) == (b'%d\n' % i, 0), (out, child.returncode)


async def run_long():
    """A subprocess that stays."""
    child = await asyncio.create_subprocess_exec('cat', stdin=-1, stdout=-1)
    i = 0
    while True:
        i += 1
        child.stdin.write(b'%d\n' % i)
        assert int(await child.stdout.readline()) == i
        await asyncio.sleep(0.005)


async def run_pool():
    """Work for other processes."""
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        i = 0
        while True:
            i += 1
            data = b'%d' % i
            assert await asyncio.get_running_loop().run_in_executor(pool, digest, data) == digest(data)
            await asyncio.sleep(0.002)


async def main():
    """Ends when anything goes wrong."""
    await asyncio.start_server(answer, '0.0.0.0', int(sys.argv[1]))
    try:
        await asyncio.gather(run_short(), run_short(), run_long(), run_pool())
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


if __name__ == '__main__':
    asyncio.run(main())
