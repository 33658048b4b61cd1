# SPDX-License-Identifier: GPL-2.0-only
"""A server in a network namespace of its own, and the world around it."""
import pytest

from room import PROGRAMS, wait_until

PYTHON = '/usr/bin/python3'


class Apart:
    """A server in a network namespace of its own, in a room."""

    def __init__(self, room, criu, program='server-in-namespace.py', *words):
        self.room, self.criu, self.folder = room, criu, room.folder
        self.dumps = 0
        self.pid = room.start(self.folder / 'server.out', PYTHON, PROGRAMS / program, self.folder, *words)
        wait_until((self.folder / 'apart').exists, 20, 'the server does not start')

    def outside(self, command, may_fail=False):
        """A shell command in the room."""
        done = self.room.run('/bin/sh', '-ec', command)
        assert may_fail or done.returncode == 0, f'{command}: {done.stdout}'
        return done.stdout

    def inside(self, command, may_fail=False):
        """The same, in the namespace of the server."""
        return self.outside(f'nsenter --net=/proc/{self.pid}/ns/net /bin/sh -ec "{command}"', may_fail)

    def join_by_veth(self):
        """eth0 inside with 10.77.0.2; its other end is a port of the bridge br0, which has 10.77.0.1."""
        probe = self.room.run('/bin/sh', '-ec', 'ip link add br0 type bridge && ip link add ve0 type veth peer name eth0')
        if probe.returncode:
            pytest.skip(f'no bridges or no veth here: {probe.stdout}')
        self.outside('ip link set ve0 master br0 && ip link set ve0 up && ip link set br0 up && ip addr add 10.77.0.1/24 dev br0')
        self.outside(f'ip link set eth0 netns {self.pid}')
        self.inside('ip link set lo up && ip link set eth0 up && ip addr add 10.77.0.2/24 dev eth0 && ip route add default via 10.77.0.1')

    def serve(self):
        """The server begins to listen."""
        (self.folder / 'go').touch()
        wait_until((self.folder / 'listens').exists, 20, 'the server does not listen')

    def talk(self):
        """A client outside that talks all the time."""
        self.room.start(self.folder / 'client.out', PYTHON, PROGRAMS / 'tcp-client.py', '10.77.0.2', 4000, self.folder)
        self.goes_on()

    def count(self):
        """How many answers the client has had."""
        path = self.folder / 'count'
        return int(path.read_text() or 0) if path.exists() else 0

    def goes_on(self):
        """The client gets more answers."""
        before = self.count()
        wait_until(lambda: self.count() > before + 5 or (self.folder / 'end').exists(), 60, 'the connection hangs')
        assert not (self.folder / 'end').exists(), (self.folder / 'end').read_text()

    def nothing_is_left(self):
        """No process, no device, no rule."""
        wait_until(lambda: self.room.pids() == [], 20, lambda: f'left behind: {self.room.pids()}')
        wait_until(lambda: 've0' not in self.outside('ip -o link'), 20, 'a device is left behind')
        assert 'CRIU' not in self.outside('nft list ruleset')

    def dump(self, *options, status=0):
        """Returns the images."""
        self.dumps += 1
        images = self.folder / f'images{self.dumps}'
        images.mkdir()
        done = self.room.run(self.criu, 'dump', '-D', images, '-t', self.pid, '--tcp-established', *options)
        assert done.returncode == status, done.stdout
        self.said = done.stdout
        return images

    def restore(self, images, *options, status=0):
        """The tree again; returns what criu said."""
        done = self.room.run(self.criu, 'restore', '-d', '-D', images, '--tcp-established', *options)
        assert done.returncode == status, done.stdout
        self.told = done.stdout
        return done.stdout
