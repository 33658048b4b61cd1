# SPDX-License-Identifier: GPL-2.0-only
"""kill -9 of criu while it reads connections: neither the tasks nor their clients notice, and no rule is left."""
import os
import random
import signal
import subprocess
import time

import pytest

from room import wait_until

N = 60

# A thread for each connection, nearly always blocked in recv(): the worst case, as that call is made again at once when criu dies.
SERVER = '''
import os, socket, sys, threading
folder, n = sys.argv[1], int(sys.argv[2])
listener = socket.create_server(("127.0.0.1", 0), backlog=n)
with open(folder + "/port.new", "w") as file:
    file.write(str(listener.getsockname()[1]))
os.rename(folder + "/port.new", folder + "/port")
def serve(connection):
    while data := connection.recv(65536):
        connection.sendall(data.upper())
for i in range(n):
    threading.Thread(target=serve, args=(listener.accept()[0],)).start()
'''

CLIENTS = '''
import os, socket, sys, threading, time
port, folder, n = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
counts = [0] * n
def talk(i):
    connection = socket.create_connection(("127.0.0.1", port))
    stream = connection.makefile("rb")
    try:
        while True:
            text = b"message %d;" % counts[i] * (1 + counts[i] % 50) + b"\\n"
            connection.sendall(text)
            if stream.readline() != text.upper():
                raise RuntimeError("wrong answer")
            counts[i] += 1
            time.sleep(0.02)
    except Exception as error:
        with open(folder + "/end", "a") as file:
            file.write(repr(error) + "\\n")
for i in range(n):
    threading.Thread(target=talk, args=(i,), daemon=True).start()
while True:
    with open(folder + "/count.new", "w") as file:
        file.write(str(min(counts)))
    os.rename(folder + "/count.new", folder + "/count")
    time.sleep(0.02)
'''

RULES = '''
import ctypes
nft = ctypes.CDLL("libnftables.so.1")
nft.nft_ctx_new.restype = ctypes.c_void_p
nft.nft_run_cmd_from_buffer(ctypes.c_void_p(nft.nft_ctx_new(0)), b"list ruleset")
'''

PYTHON = '/usr/bin/python3'


def start_dump(room, criu, pid, images):
    """A dump in a process group of its own."""
    images.mkdir()
    words = [room.program, 'run', room.first, criu, 'dump', '-R', '-t', pid, '-D', images, '-o', 'log', '--tcp-established']
    return subprocess.Popen(list(map(str, words)), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, start_new_session=True)


def test_killed_while_reading(room, criu, folder):
    """The process alone, or its whole group, at any moment of the second half of a dump."""
    pid = room.start(folder / 'server.out', PYTHON, '-c', SERVER, folder, N)
    wait_until((folder / 'port').exists, 10, 'nobody listens')
    room.start(folder / 'client.out', PYTHON, '-c', CLIENTS, (folder / 'port').read_text(), folder, N)

    def count():
        assert not (folder / 'end').exists(), (folder / 'end').read_text() + (folder / 'server.out').read_text()
        return int((folder / 'count').read_text()) if (folder / 'count').exists() else 0

    wait_until(lambda: count() > 3, 20, 'the clients get no answers')
    start = time.monotonic()
    assert start_dump(room, criu, pid, folder / 'whole').wait() == 0, (folder / 'whole/log').read_text()
    length = time.monotonic() - start
    busy = rounds = 0
    while busy < 25:
        rounds += 1
        assert rounds < 500, f'only {busy} of {rounds} dumps were killed in the middle'
        with start_dump(room, criu, pid, folder / f'images{rounds}') as process:
            time.sleep(random.uniform(0.4 * length, length))
            was_busy = process.poll() is None
            length *= 1.05 if was_busy else 0.9     # as long as a dump takes now
            if not was_busy:
                continue
            busy += 1
            if busy % 2:
                process.kill()      # criu dies with it: it asked for SIGKILL when its parent ends
            else:
                os.killpg(process.pid, signal.SIGKILL)
        before = count()
        wait_until(lambda: count() > before + 2, 15, 'a connection is stuck')     # pylint: disable=cell-var-from-loop
        rules = room.run(PYTHON, '-c', RULES).stdout
        assert rules == '', rules


LISTENER = '''
import socket, sys
listener = socket.socket()      # without SO_REUSEADDR: what is left of the connection has its port
listener.bind(("127.0.0.1", 0))
listener.listen()
with open(sys.argv[1] + "/listens", "w") as file:
    file.write(str(listener.getsockname()[1]))
connection, _ = listener.accept()
while data := connection.recv(65536):
    connection.sendall(data.upper())
'''


@pytest.mark.parametrize('lock', ['nftables', 'iptables'])
def test_left_stopped_then_killed(room, criu, folder, lock):
    """--leave-stopped, kill -9, restore: the sockets of the killed say good-bye, but nobody hears it, and they make room."""
    pid = room.start(folder / 'server.out', '/usr/bin/python3', '-c', LISTENER, folder)
    wait_until(lambda: (folder / 'listens').exists() and (folder / 'listens').read_text(), 20, 'no listener')
    room.start(folder / 'clients.out', '/usr/bin/python3', '-c', CLIENTS, (folder / 'listens').read_text(), folder, 1)

    def count():
        return int((folder / 'count').read_text()) if (folder / 'count').exists() else 0

    def goes_on():
        before = count()
        wait_until(lambda: count() > before + 2 or (folder / 'end').exists(), 60, 'the connection hangs')
        assert not (folder / 'end').exists(), (folder / 'end').read_text()

    goes_on()
    done = room.run(criu, 'dump', '-t', pid, '-D', folder, '--tcp-established', '--leave-stopped', '--network-lock', lock)
    assert done.returncode == 0 and 'stays locked' in done.stdout, done.stdout
    room.kill([pid])
    wait_until(lambda: pid not in room.pids(), 20, 'the server does not die')
    done = room.run(criu, 'restore', '-d', '-D', folder, '--tcp-established')
    assert done.returncode == 0, done.stdout
    goes_on()
