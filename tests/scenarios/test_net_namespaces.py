# SPDX-License-Identifier: GPL-2.0-only
"""Trees with a network namespace of their own, and the world around it: veth pairs, bridges, namespaces from outside, scripts."""
import os
import re
import shutil
import time

import pytest

from room import PROGRAMS, wait_until

PYTHON = '/usr/bin/python3'

class Apart:
    """A server in a network namespace of its own, in a room."""

    def __init__(self, room, criu):
        self.room, self.criu, self.folder = room, criu, room.folder
        self.dumps = 0
        self.pid = room.start(self.folder / 'server.out', PYTHON, PROGRAMS / 'server-in-namespace.py', self.folder)
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
        return done.stdout


@pytest.fixture
def apart(room, criu):
    """A server apart."""
    return Apart(room, criu)



@pytest.mark.parametrize('option', ['external', 'veth-pair'])
def test_veth_to_a_bridge(apart, option):
    """A client on the other side of a bridge notices nothing but a pause; devices and addresses are those of before."""
    apart.join_by_veth()
    apart.serve()
    apart.talk()
    ask = 'ip -o addr | sed s/.tentative//; ip route'     # detection of duplicates ends some time
    before = apart.inside(ask)
    words = ['--external', 'veth[eth0]:ve0@br0'] if option == 'external' else ['--veth-pair', 'eth0=ve0@br0']
    for _ in range(2):
        images = apart.dump()
        # The namespace goes with its last task, and takes the pair along; restore waits for that.
        apart.restore(images, *words)
        apart.goes_on()
        assert apart.inside(ask) == before
        assert 'CRIU' not in apart.inside('nft list ruleset') and 'CRIU' not in apart.outside('nft list ruleset')


def test_veth_made_beforehand(apart):
    """A manager has made the pair itself, with names of its own: --external netdev[IN]:OUT takes the end that it gives."""
    apart.join_by_veth()
    apart.serve()
    apart.talk()
    images = apart.dump()
    wait_until(lambda: 've0' not in apart.outside('ip -o link'), 20, 'the namespace stays')
    apart.outside('ip link add mine type veth peer name given; ip link set mine master br0; ip link set mine up')
    apart.restore(images, '--external', 'netdev[eth0]:given')
    apart.goes_on()
    assert 'given' not in apart.outside('ip -o link')


def test_veth_is_named_or_refused(apart):
    """Without a name for the end outside nothing is done, and criu says what is needed; so does criu verify."""
    apart.join_by_veth()
    apart.serve()
    images = apart.dump()
    said = apart.restore(images, status=1)
    assert 'name it with --external veth[eth0]:OUT' in said
    assert '--external veth[eth0]:OUT[@BRIDGE]' in apart.room.run(apart.criu, 'verify', images).stdout
    apart.nothing_is_left()
    assert 'there is no bridge nowhere' in apart.restore(images, '--external', 'veth[eth0]:ve0@nowhere', status=1)
    wait_until(lambda: 've0' not in apart.outside('ip -o link'), 20, 'the pair stays')
    # A failure after the devices were made leaves none behind.
    said = apart.room.run(apart.criu, 'restore', '-d', '-D', images, '--tcp-established', '--external', 'veth[eth0]:ve0@br0',
                          env={**os.environ, 'CRIU_FAIL_AT': 'restore/settle/file'})
    assert said.returncode == 1, said.stdout
    apart.nothing_is_left()
    apart.restore(images, '--external', 'veth[eth0]:ve0@br0')
    apart.talk()


def test_dump_that_fails_or_leaves(apart):
    """The connection goes on after a dump that fails and after one that leaves the tasks; no rule stays."""
    apart.join_by_veth()
    apart.serve()
    apart.talk()
    apart.dump('--leave-running')
    apart.goes_on()
    failed = apart.room.run(apart.criu, 'dump', '-D', apart.folder, '-t', apart.pid, '--tcp-established',
                            env={**os.environ, 'CRIU_FAIL_AT': 'dump/inventory'})
    assert failed.returncode == 1, failed.stdout
    apart.goes_on()
    assert 'CRIU' not in apart.inside('nft list ruleset')


@pytest.mark.parametrize('image', ('plain', 'with-empty-ns', 'no-image'))
def test_namespace_from_outside(apart, image):
    """--external net[INODE]:NAME and --inherit-fd: as podman and runc do, with --empty-ns net beside it. CRIU 4.2 writes no image of
    the namespace then. The connection lives on in the namespace that stays."""
    more = () if image == 'plain' else ('--empty-ns', 'net')
    apart.join_by_veth()
    apart.serve()
    apart.talk()
    apart.outside(f'touch {apart.folder}/ns && mount --bind /proc/{apart.pid}/ns/net {apart.folder}/ns')
    inode = apart.outside(f'stat -L -c %i {apart.folder}/ns').strip()
    images = apart.dump('--external', f'net[{inode}]:podNet', *more)
    assert not list(images.glob('netdev-*')) and not list(images.glob('nftables-*'))
    # Nobody is turned away meanwhile: whoever calls tries again until somebody answers.
    assert 'CRIU' in apart.outside(f'nsenter --net={apart.folder}/ns nft list ruleset')
    time.sleep(0.3)     # the client goes on sending to nobody
    assert not (apart.folder / 'end').exists(), (apart.folder / 'end').read_text()
    said = apart.restore(images, *more, status=1)
    assert 'give it with --inherit-fd fd[N]:podNet' in said
    if image == 'no-image':
        next(images.glob('netns-*')).unlink()
    apart.outside(f'exec 9<{apart.folder}/ns && '
                  f'{apart.criu} restore -d -D {images} --tcp-established --inherit-fd fd[9]:podNet {" ".join(more)}')
    apart.goes_on()
    assert inode == apart.outside(f'stat -L -c %i /proc/{apart.pid}/ns/net').strip()
    rules = apart.outside(f'nsenter --net={apart.folder}/ns nft list ruleset')
    assert 'CRIU' not in rules
    apart.outside(f'umount {apart.folder}/ns')


def test_empty_namespace_and_scripts(apart):
    """--empty-ns net: nothing is saved; a script furnishes the new namespace. All actions are called, in their order."""
    apart.join_by_veth()
    apart.serve()
    script = apart.folder / 'script'
    shutil.copy(PROGRAMS / 'furnish-network.sh', script)
    images = apart.dump('--empty-ns', 'net', '--action-script', script)
    assert (apart.folder / 'calls').read_text().split() == ['pre-dump', 'network-lock', 'post-dump']
    (apart.folder / 'calls').unlink()
    assert not list(images.glob('net*'))
    wait_until(lambda: 've0' not in apart.outside('ip -o link'), 20, 'the namespace stays')
    apart.restore(images, '--empty-ns', 'net', '--action-script', script)
    assert (apart.folder / 'calls').read_text().split() == [
        'pre-restore', 'setup-namespaces', 'post-setup-namespaces', 'post-restore', 'network-unlock', 'pre-resume', 'post-resume']
    apart.talk()


def test_macvlan_outside(apart):
    """A macvlan on a device of criu's own namespace stands on the one that restore is told."""
    done = apart.room.run('/bin/sh', '-ec', 'ip link add name low0 type veth peer name low1 && ip link set low0 up && '
                          'ip link add link low0 name mac0 address 02:00:00:00:00:77 type macvlan mode bridge')
    if done.returncode:
        pytest.skip(f'no macvlan here: {done.stdout}')
    apart.outside(f'ip link set mac0 netns {apart.pid}')
    apart.inside('ip link set lo up && ip link set mac0 up && ip addr add 10.77.0.2/24 dev mac0')
    apart.serve()
    ask = 'ip -d -o link show mac0 | sed s/state.[A-Z]*//; ip -o addr show mac0'
    before = apart.inside(ask)
    images = apart.dump()
    assert 'name it with --external macvlan[mac0]:DEVICE' in apart.restore(images, status=1)
    apart.restore(images, '--external', 'macvlan[mac0]:low0')
    assert apart.inside(ask) == before


def test_sysctls_that_are_missing(apart):
    """A sysctl that the kernel of the restore lacks is an error, and with --weak-sysctls a warning."""
    apart.inside('ip link set lo up && ip addr add 10.77.0.2/24 dev lo')
    apart.serve()
    images = apart.dump()
    hidden = f'mount -t tmpfs none /proc/sys/net; exec {apart.criu} restore -d -D {images} --tcp-established '
    done = apart.room.run('unshare', '-m', '/bin/sh', '-ec', hidden)
    assert done.returncode and re.search('this kernel has no /proc/sys/net/.*--weak-sysctls', done.stdout), done.stdout
    apart.nothing_is_left()
    done = apart.room.run('unshare', '-m', '/bin/sh', '-ec', hidden + '--weak-sysctls')
    assert done.returncode == 0 and 'This kernel has no /proc/sys/net/unix/max_dgram_qlen' in done.stdout, done.stdout
    assert apart.pid in apart.room.pids()


def test_unknown_devices_are_refused(apart):
    """A kind of device that is not known is refused by its name, and nothing happens to the tree."""
    done = apart.room.run('/bin/sh', '-ec', 'ip link add name low0 type veth peer name low1 && ip link add link low0 name tap0 type macvtap')
    if done.returncode:
        pytest.skip(f'no macvtap here: {done.stdout}')
    apart.outside(f'ip link set tap0 netns {apart.pid}')
    apart.dump(status=1)
    assert 'network device tap0 is of the kind macvtap, which cannot be saved' in apart.said
    checked = apart.room.run(apart.criu, 'check', '--tree', apart.pid)
    assert checked.returncode == 1 and 'macvtap' in checked.stdout
    apart.inside('ip link del tap0 && ip link set lo up && ip addr add 10.77.0.2/24 dev lo')
    apart.serve()
    apart.restore(apart.dump())


def test_a_killed_dump_leaves_no_lock(apart):
    """kill -9 of criu in the middle: the namespace is open again, as the rules belong to criu."""
    apart.join_by_veth()
    apart.serve()
    apart.talk()
    images = apart.folder / 'killed'
    images.mkdir()
    pid = apart.room.start(apart.folder / 'dump.out', 'env', 'STAY_AT=post-dump', f'MARKER={apart.folder}/waits', apart.criu, 'dump', '-D', images, '-t', apart.pid, '--tcp-established',
                           '--action-script', PROGRAMS / 'stay-at.sh')
    wait_until((apart.folder / 'waits').exists, 60, 'the dump does not get there')
    assert 'CRIU' in apart.inside('nft list ruleset')
    apart.room.kill([pid])
    apart.goes_on()
    wait_until(lambda: 'CRIU' not in apart.inside('nft list ruleset'), 20, 'rules are left behind')


def call(apart, seconds):
    """What a new client is told within so many seconds; packets of it that are dropped are sent again after one."""
    return apart.room.run(PYTHON, PROGRAMS / 'call-server.py', seconds).stdout.strip()


@pytest.mark.parametrize('lock', ('nftables', 'iptables'))
@pytest.mark.parametrize('way', ('joined', 'given', 'stopped'))
def test_locked_until_the_restore(apart, way, lock):
    """A namespace that somebody else keeps is locked as a whole until the restore: new clients wait, none is refused. It is so as well
    when the tasks were left stopped and killed later."""
    if lock == 'iptables' and not shutil.which('iptables-save'):
        pytest.skip('there is no iptables')
    apart.join_by_veth()
    apart.serve()
    apart.talk()
    apart.outside(f'touch {apart.folder}/ns && mount --bind /proc/{apart.pid}/ns/net {apart.folder}/ns')
    inode = apart.outside(f'stat -L -c %i {apart.folder}/ns').strip()
    external = ('--external', f'net[{inode}]:podNet') if way == 'given' else ()
    images = apart.dump('--network-lock', lock, *external, *(('--leave-stopped',) if way == 'stopped' else ()))
    assert call(apart, 0.5) == 'waits'
    if way == 'stopped':
        assert 'stays locked' in apart.said and ('nft delete table inet CRIU-' in apart.said or lock == 'iptables')
        apart.room.kill([apart.pid])
        wait_until(lambda: apart.pid not in apart.room.pids(), 20, 'the server does not die')
        assert call(apart, 0.5) == 'waits'
    given = '--inherit-fd fd[9]:podNet' if way == 'given' else '--join-ns net:/proc/self/fd/9'
    apart.outside(f'exec 9<{apart.folder}/ns && {apart.criu} restore -d -D {images} --tcp-established {given}')
    apart.goes_on()
    rules = apart.outside(f'nsenter --net={apart.folder}/ns sh -c "nft list ruleset; if command -v iptables-save; then iptables-save; ip6tables-save; fi"')
    assert 'CRIU' not in rules and '0xc114' not in rules.lower()
    apart.outside(f'umount {apart.folder}/ns')


def test_queueing_disciplines_are_named(apart):
    """What tc(8) has set is not saved: the dump, check and verify say so. What the kernel sets itself is no loss."""
    apart.join_by_veth()
    apart.serve()
    assert 'queueing' not in apart.room.run(apart.criu, 'check', '--tree', apart.pid).stdout
    if apart.room.run('/bin/sh', '-c', f'nsenter --net=/proc/{apart.pid}/ns/net tc qdisc add dev eth0 root tbf rate 9mbit burst 9k latency 9ms '
                      f'|| nsenter --net=/proc/{apart.pid}/ns/net tc qdisc add dev eth0 root pfifo limit 77').returncode:
        pytest.skip('this kernel has no queueing disciplines')
    assert 'queueing discipline' in apart.room.run(apart.criu, 'check', '--tree', apart.pid).stdout
    images = apart.dump()
    assert 'network device eth0: the queueing discipline' in apart.said
    assert 'queueing discipline' in apart.room.run(apart.criu, 'verify', images).stdout
