# SPDX-License-Identifier: GPL-2.0-only
"""One side of six connections, one in each state of TCP. Waits for FOLDER/go and checks all that the other side has sent.

usage: tcp-states.py inside|outside ADDRESS FAMILY FOLDER; one side listens, the other connects
"""
import fcntl
import os
import socket
import struct
import sys
import time

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
