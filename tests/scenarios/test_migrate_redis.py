# SPDX-License-Identifier: GPL-2.0-only
"""criu migrate of a redis under load, with its connections and the address that it is known by."""
import re
import shutil
import subprocess

import pytest

from machines import Pair, Side
from room import PROGRAMS, Room, wait_until

VIP = '10.88.0.100'
SCRIPT = PROGRAMS / 'move-address.sh'

if not shutil.which('redis-server'):
    pytest.skip('there is no redis-server', allow_module_level=True)


class Clients:
    """A third machine, with a bridge between the other two."""

    def __init__(self, room, folder):
        self.room, self.folder = room, folder
        self.shell('ip link add br0 type bridge && ip link set br0 up && ip addr add 10.88.0.254/24 dev br0')

    def shell(self, command):
        """A command there."""
        done = self.room.run('/bin/sh', '-ec', command)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def join(self, side, number):
        """A cable from a machine to the bridge."""
        done = subprocess.run(['ip', 'link', 'add', 'eth0', 'netns', side.room.first, 'type', 'veth', 'peer', 'name', f'port{number}', 'netns',
                               self.room.first], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode:
            pytest.skip(f'no veth here: {done.stdout}')
        side.address = f'10.88.0.{number}'
        self.shell(f'ip link set port{number} master br0 && ip link set port{number} up')
        said = side.room.run('/bin/sh', '-ec', f'ip link set eth0 up && ip addr add {side.address}/24 dev eth0')
        assert said.returncode == 0, said.stdout

    def count(self):
        """How many answers were right."""
        assert not (self.folder / 'failed').exists(), (self.folder / 'failed').read_text()
        path = self.folder / 'answers'
        return int(path.read_text() or 0) if path.exists() else 0

    def goes_on(self):
        """The connection lives."""
        before = self.count()
        wait_until(lambda: self.count() > before + 20, 30, 'no more answers come')


class Redis(Pair):
    """A redis on one of two machines."""

    def start(self, mebibytes=0):
        """With an address of its own."""
        done = self.here.room.run('/bin/sh', '-ec', f'ip addr add {VIP}/32 dev eth0; echo 20000 > /proc/sys/kernel/ns_last_pid')
        assert done.returncode == 0, done.stdout
        self.pid = self.here.room.start(self.folder / 'redis', '/usr/bin/redis-server', '--save', '', '--bind', VIP, '--protected-mode', 'no', '--dir', self.folder,
                                        '--enable-debug-command', 'yes')

    @staticmethod
    def has_address(side):
        """Has it the address now?"""
        return VIP in side.room.run('ip', '-o', 'addr').stdout

    def has_moved(self):
        """The redis and its address are there, and nothing is left here. From now on there is here."""
        self.there.end_listening()
        assert not self.has_address(self.here) and self.has_address(self.there)
        wait_until(lambda: self.there.room.pids() == [self.pid] and self.here.is_clean(), 30,
                   lambda: f'left there: {self.there.room.pids()}, here: {self.here.room.pids()}')
        for side in (self.here, self.there):
            assert 'CRIU' not in side.room.run('nft', 'list', 'ruleset').stdout
        self.here, self.there = self.there, self.here


@pytest.fixture(name='redis')
def fixture_redis(room, build, criu, folder, monkeypatch):
    """Three machines, and a client that asks all the time."""
    for name in ('other', 'clients'):
        (folder / name).mkdir()
    monkeypatch.setenv('VIP', VIP)
    monkeypatch.setenv('DEVICE', 'eth0')
    program = build / 'tests/subjects/room'
    with Room(program, folder / 'other') as other, Room(program, folder / 'clients') as third:
        pair = Redis(Side(room, criu, folder / 'a'), Side(other, criu, folder / 'b'), folder)
        pair.clients = Clients(third, folder)
        pair.clients.join(pair.here, 1)
        pair.clients.join(pair.there, 2)
        pair.start()
        redis_cli = f'redis-cli -h {VIP}'
        wait_until(lambda: 'PONG' in third.run('/bin/sh', '-c', f'{redis_cli} ping').stdout, 20, 'redis does not start')
        pair.clients.shell(f'{redis_cli} debug populate 40000 filler 900')
        third.start(folder / 'client', '/usr/bin/python3', PROGRAMS / 'redis-client.py', VIP, folder)
        pair.clients.goes_on()
        yield pair
        (folder / 'end').touch()
        pair.forget(' '.join(pair.names))


@pytest.mark.parametrize('ways', ((), ('--post-copy', '--max-rounds', 0)))
def test_under_load(redis, ways):
    """No request fails: neither when it is moved, nor when that comes to nothing in the last moment, nor when the connection breaks while memory follows."""
    options = ('--tcp-established', '--action-script', SCRIPT, *ways)
    for step in ('R-ready.1', 'S-commit.1', 'R-want.40' if ways else 'none', 'none'):
        failed = step in ('R-ready.1', 'S-commit.1')
        code = redis.migrate(step, 'cut', options=options, listen=('--action-script', SCRIPT))
        assert code == failed, redis.said
        if failed:
            redis.there.end_listening()
            assert redis.has_address(redis.here) and not redis.has_address(redis.there)
        else:
            print(re.search('It runs on the other side.*', redis.said)[0])
            redis.has_moved()
        redis.clients.goes_on()
