# SPDX-License-Identifier: GPL-2.0-only
"""A server to which new clients connect all the time can be saved at any moment, and no client is refused or forgotten."""
import re

from room import wait_until

SERVER = '''
import os, socket, sys
folder = sys.argv[1]
listener = socket.create_server(("127.0.0.1", 0), backlog=64)
with open(folder + "/port.new", "w") as file:
    file.write(str(listener.getsockname()[1]))
os.rename(folder + "/port.new", folder + "/port")
while True:
    connection = listener.accept()[0]
    connection.sendall(connection.recv(100).upper())
    connection.close()
'''

CLIENTS = '''
import os, socket, sys, threading, time
port, folder = int(sys.argv[1]), sys.argv[2]
done = [0] * 6
def knock(i):
    while not os.path.exists(folder + "/enough"):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
                connection.sendall(b"hello %d" % done[i])
                assert connection.recv(100) == b"HELLO %d" % done[i]
            done[i] += 1
        except Exception as error:
            with open(folder + "/wrong", "a") as file:
                file.write(repr(error) + "\\n")
threads = [threading.Thread(target=knock, args=(i,)) for i in range(6)]
for thread in threads:
    thread.start()
while not os.path.exists(folder + "/enough"):
    with open(folder + "/count.new", "w") as file:
        file.write(str(min(done)))
    os.rename(folder + "/count.new", folder + "/count")
    time.sleep(0.02)
for thread in threads:
    thread.join()
open(folder + "/over", "w").close()
'''


def count(folder):
    """How many times each client at least was served."""
    return int((folder / 'count').read_text()) if (folder / 'count').exists() else 0


def test_busy_listener(room, criu, folder):
    """Dumps in any moment; the server lives on. Each of them leaves the doors open."""
    room.run('ip', 'link', 'set', 'lo', 'up')
    server = room.start('/dev/null', '/usr/bin/python3', '-c', SERVER, folder)
    wait_until((folder / 'port').exists, 20)
    room.start('/dev/null', '/usr/bin/python3', '-c', CLIENTS, (folder / 'port').read_text(), folder)
    for number in range(8):
        before = count(folder)
        wait_until(lambda before=before: count(folder) > before, 20, 'no client is served')
        images = folder / f'images{number}'
        images.mkdir()
        done = room.run(criu, 'dump', '-t', server, '-D', images, '-R', '--tcp-established', '-v4', '-o', 'dump.log')
        assert done.returncode == 0, re.findall('Error.*|.*kept.*', (images / 'dump.log').read_text())
        assert 'is kept waiting' in (images / 'dump.log').read_text()
        tables = room.run('nft', 'list', 'tables')
        assert not re.search('CRIU', tables.stdout), tables.stdout
    (folder / 'enough').touch()
    wait_until((folder / 'over').exists, 20, 'a client waits for ever')
    assert not (folder / 'wrong').exists(), (folder / 'wrong').read_text()
    room.kill([server])
