# SPDX-License-Identifier: GPL-2.0-only
"""Connections in every state with an other end outside of the tree, through two checkpoints."""
import time

import pytest

from room import wait_until

# usage: END side bind-address family folder; one side listens, the other connects. Both bring six connections into their states, wait for
# the file "go", and check everything that the other side has sent.
END = '''
import fcntl, os, socket, struct, sys, time
side, address, family, folder = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
STATES = {"inside": [1, 4, 5, 11, 9, 8], "outside": [1, 1, 8, 5, 5, 5]}
N = 6

def note(name, text=""):
    with open(folder + "/" + name + ".new", "w") as file:
        file.write(text)
    os.rename(folder + "/" + name + ".new", folder + "/" + name)

def wait(name):
    while not os.path.exists(folder + "/" + name):
        time.sleep(0.005)

def state(connection):
    return connection.getsockopt(socket.IPPROTO_TCP, 11, 104)[0]

def pattern(i, me, size):
    return bytes((i * 17 + (me == "inside") * 5 + k) % 251 for k in range(251)) * (size // 251 + 1)

def is_stuck(connection):
    """Bytes wait that the other side has no room for, none is on its way. A busy machine may carry nothing for a while."""
    queued, unsent = (struct.unpack("i", fcntl.ioctl(connection, number, bytes(4)))[0] for number in (0x5411, 0x894b))
    return unsent and queued == unsent

def fill(i):
    """Writes until nothing goes in and nothing goes out; returns how much did."""
    connection, text, done, idle = connections[i], pattern(i, side, 1 << 23), 0, 0
    connection.setblocking(False)
    while idle < 20:
        try:
            done += connection.send(text[done:done + 60000])
            idle = 0
        except BlockingIOError:
            idle = idle + 1 if is_stuck(connection) else 0
            time.sleep(0.005)
    connection.setblocking(True)
    return done

def drain(i, size, ended):
    other = "outside" if side == "inside" else "inside"
    connection, text, at = connections[i], pattern(i, other, 1 << 23), 0
    connection.settimeout(120)
    while at < size:
        got = connection.recv(min(size - at, 65536))
        assert got and text[at:at + len(got)] == got, (i, at, len(got))
        at += len(got)
    if ended:
        assert connection.recv(1) == b"", i

try:
    if side == "inside":
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, 0))
        listener.listen(N)
        note("port", str(listener.getsockname()[1]))
        connections = [listener.accept()[0] for _ in range(N)]
        wait("connected")
        sizes = [fill(0), fill(1), 0, fill(3), 0, 0]
        for i in 1, 2, 3:
            connections[i].shutdown(socket.SHUT_WR)
        note("inside.first")
        wait("outside.second")
        sizes[4] = fill(4)              # CLOSE-WAIT, then LAST-ACK with data
        sizes[5] = fill(5)              # CLOSE-WAIT
        connections[4].shutdown(socket.SHUT_WR)
    else:
        wait("port")
        port = int(open(folder + "/port").read())
        connections = [socket.create_connection((address.replace("::ffff:", ""), port)) for _ in range(N)]
        note("connected")
        sizes = [fill(0), 0, fill(2), 0, 0, 0]
        wait("inside.first")
        for i in 3, 4, 5:
            connections[i].shutdown(socket.SHUT_WR)
        note("outside.second")
    for _ in range(12000):          # acknowledgements may be late
        if [state(c) for c in connections] == STATES[side]:
            break
        time.sleep(0.005)
    note(side + ".sizes", " ".join(map(str, sizes)))
    note(side + ".ready", str([state(c) for c in connections]))
    wait("go")
    note(side + ".now", str([state(c) for c in connections]))
    wait(("outside" if side == "inside" else "inside") + ".now")        # what is read here changes states there
    theirs = [int(word) for word in open(folder + ("/outside" if side == "inside" else "/inside") + ".sizes").read().split()]
    ended = (3, 4, 5) if side == "inside" else (1, 2, 3, 4)
    for i in range(N):
        drain(i, theirs[i], i in ended)
    for i in (0, 1, 2) if side == "outside" else (0, 5):
        connections[i].sendall(b"more")
    for i in (0, 1, 2) if side == "inside" else (0, 5):
        assert connections[i].recv(4, socket.MSG_WAITALL) == b"more", i
    note(side + ".end", "fine")
    wait(("outside" if side == "inside" else "inside") + ".end")
except BaseException as error:
    note(side + ".end", repr(error))
'''

PYTHON = '/usr/bin/python3'


@pytest.mark.parametrize('lock', ['nftables', 'iptables'])
@pytest.mark.parametrize('family, address', [(2, '127.0.0.1'), (10, '::1'), (10, '::ffff:127.0.0.1')],
                         ids=['IPv4', 'IPv6', 'mapped'])
def test_every_state(room, criu, folder, family, address, lock):
    """Established with full queues, FIN-WAIT-1, FIN-WAIT-2, CLOSING, LAST-ACK and CLOSE-WAIT."""
    pid = room.start(folder / 'inside.out', PYTHON, '-c', END, 'inside', address, family, folder)
    room.start(folder / 'outside.out', PYTHON, '-c', END, 'outside', address, family, folder)

    def read(name):
        ends = [folder / 'inside.end', folder / 'outside.end']

        def failed():
            return [end.read_text() for end in ends if end.exists() and end.read_text() != 'fine']

        wait_until(lambda: (folder / name).exists() or failed(), 60, name)
        assert not failed(), failed()
        return (folder / name).read_text()

    before = read('inside.ready'), read('outside.ready')
    assert before == (str([1, 4, 5, 11, 9, 8]), str([1, 1, 8, 5, 5, 5]))
    for i in range(2):
        images = folder / f'images{i}'
        images.mkdir()
        for command in ('dump', '-t', pid, '--network-lock', lock), ('restore', '-d'):
            done = room.run(criu, *command, '-D', images, '-v4', '-o', command[0] + '.log', '--tcp-established')
            assert done.returncode == 0, done.stdout + (images / (command[0] + '.log')).read_text(errors='replace')[-3000:]
            time.sleep(0.5)
    (folder / 'go').touch()
    assert (read('inside.now'), read('outside.now')) == before
    assert read('inside.end') == 'fine'
    assert read('outside.end') == 'fine'
