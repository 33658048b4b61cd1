# SPDX-License-Identifier: GPL-2.0-only
"""Tables of iptables-nft: what is told of them, damaged images, a machine without iptables."""
import os
import random
import shutil

import pytest

from room import wait_until

RULES = ('iptables-nft -A INPUT -p tcp -m tcp --dport 22 -m recent --name visitors --set -m comment --comment "who was it"; '
         'iptables-nft -t nat -A POSTROUTING -s 10.0.0.0/8 -j MASQUERADE')
LIST = "iptables-nft-save -c | grep -v '^#'"


class Walled:
    """A process with rules in a network namespace of its own."""

    def __init__(self, room, criu):
        self.room, self.criu = room, criu
        own = room.run('readlink', '/proc/self/ns/net').stdout
        self.pid = room.start(room.folder / 'out', 'unshare', '-n', 'sleep', 'infinity')
        wait_until(lambda: room.run('readlink', f'/proc/{self.pid}/ns/net').stdout != own, 20, 'it stays in our network')
        self.inside(RULES)

    def inside(self, script):
        """What a shell in its network prints."""
        done = self.room.run('nsenter', '-t', self.pid, '-n', 'sh', '-c', script)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def call(self, command, *options, env=None):
        """Runs criu in the room: (status, log)."""
        images = self.room.folder / 'images'
        images.mkdir(exist_ok=True)
        log = images / f'{command}.log'
        done = self.room.run(self.criu, command, '-D', images, '-v4', '-o', log, *options, env=env)
        return done.returncode, done.stdout + (log.read_text(errors='replace') if log.exists() else '')


@pytest.fixture
def walled(room, criu):
    """One with rules of iptables-nft."""
    if not shutil.which('iptables-nft', path='/usr/sbin:/sbin'):
        pytest.skip('no iptables-nft here')
    return Walled(room, criu)


def test_no_programs_at_restore(walled):
    """Neither iptables nor nft is needed to put the rules back; what of them begins anew is told by the dump."""
    before = walled.inside(LIST)
    assert 'who was it' in before
    for _ in range(2):
        status, said = walled.call('dump', '-t', walled.pid)
        assert status == 0, said
        assert 'iptables rule with "recent" in chain INPUT of table ip filter' in said
        status, said = walled.call('restore', '-d', env={**os.environ, 'PATH': '/nowhere'})
        assert status == 0, said
        assert walled.inside(LIST) == before
    walled.inside('iptables-nft -D INPUT 1 && iptables-nft -t nat -D POSTROUTING -s 10.0.0.0/8 -j MASQUERADE')


def test_left_alone(walled):
    """A dump that leaves the process running changes no rule, nor does one that fails."""
    before = walled.inside(LIST)
    status, said = walled.call('dump', '-R', '-t', walled.pid)
    assert status == 0, said
    assert walled.inside(LIST) == before
    status, said = walled.call('dump', '-t', walled.pid, env={**os.environ, 'CRIU_FAIL_AT': 'dump/inventory'})
    assert status != 0, said
    assert walled.inside(LIST) == before


def test_damaged(walled):
    """Messages that are cut off or changed are refused, whatever it is, and nothing is left."""
    status, said = walled.call('dump', '-t', walled.pid)
    assert status == 0, said
    image = next((walled.room.folder / 'images').glob('iptables-nft-*.img'))
    content = image.read_bytes()
    image.write_bytes(content[:-6])
    status, said = walled.call('restore', '-d')
    assert status == 1 and 'its messages are damaged' in said, said
    choice = random.Random(4)
    for _ in range(20):
        changed = bytearray(content)
        for _ in range(3):
            changed[choice.randrange(len(content))] ^= 1 << choice.randrange(8)
        image.write_bytes(changed)
        status, said = walled.call('restore', '-d')
        assert status in (0, 1), said
        if status == 0:     # what names and comments are made of may be anything
            walled.room.kill([walled.pid])
            wait_until(lambda: walled.pid not in walled.room.pids(), 20, 'it stays')
    image.write_bytes(content)
    status, said = walled.call('restore', '-d')
    assert status == 0, said
    assert 'who was it' in walled.inside(LIST)
