# SPDX-License-Identifier: GPL-2.0-only
"""Trees with a network namespace of their own, and the world around it: veth pairs, bridges, namespaces from outside, scripts."""
import os
import re
import shutil
import time

import pytest

from apart import Apart
from room import PROGRAMS, wait_until

PYTHON = '/usr/bin/python3'


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


def test_veth_of_copies(apart):
    """Each copy has a pair of its own to the bridge; if they cannot have that, none is left."""
    apart.join_by_veth()
    apart.serve()
    images = apart.dump()
    wait_until(lambda: 've0' not in apart.outside('ip -o link'), 20, 'the namespace stays')
    words = ('restore', '-d', '-D', images, '--tcp-established', '--copies', 3, '--external')
    done = apart.room.run(apart.criu, *words, 'veth[eth0]:ve@br0')
    assert done.returncode == 1, done.stdout
    apart.nothing_is_left()
    wait_until(lambda: ' ve@' not in apart.outside('ip -o link'), 20, 'the pair stays')
    done = apart.room.run(apart.criu, *words, 'veth[eth0]:ve-%k@br0')
    assert done.returncode == 0, done.stdout
    links = apart.outside('ip -o link show master br0')
    assert all(f' ve-{number}@' in links for number in (1, 2, 3)), links


def test_veth_keeps_its_bridge(apart):
    """Without a name for the end outside that gets the name and the bridge which it had; without that bridge nothing is done."""
    apart.join_by_veth()
    apart.serve()
    apart.talk()
    images = apart.dump()
    apart.restore(images)
    apart.goes_on()
    assert ' ve0@' in apart.outside('ip -o link show master br0')
    images = apart.dump()
    wait_until(lambda: 've0' not in apart.outside('ip -o link'), 20, 'the namespace stays')
    apart.outside('ip link del br0')
    assert 'there is no bridge br0; another one is named by --external veth[eth0]:ve0@BRIDGE' in apart.restore(images, status=1)
    wait_until(lambda: 've0' not in apart.outside('ip -o link'), 20, 'the pair stays')


def test_veth_is_only_named(apart):
    """Engines ask for --empty-ns net; a name without a value, for any container, keeps the network all the same."""
    apart.join_by_veth()
    apart.serve()
    apart.talk()
    words = ('--empty-ns', 'net', '--external', 'veth[eth0]')
    apart.restore(apart.dump(*words), *words)
    apart.goes_on()
    assert ' ve0@' in apart.outside('ip -o link show master br0')


def test_veth_that_fails(apart):
    """A restore that fails leaves no device behind."""
    apart.join_by_veth()
    apart.serve()
    images = apart.dump()
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
    """--empty-ns net: eth0 is named as lost; a script furnishes the new namespace. All actions are called, in their order."""
    apart.join_by_veth()
    apart.inside('sysctl -q net.ipv4.ip_forward=1')
    apart.serve()
    lost = 'eth0, with addresses, routes and rules: left to whoever restores'
    assert lost in apart.room.run(apart.criu, 'check', '--tree', apart.pid, '--empty-ns', 'net').stdout
    script = apart.folder / 'script'
    shutil.copy(PROGRAMS / 'furnish-network.sh', script)
    images = apart.dump('--empty-ns', 'net', '--action-script', script)
    assert (apart.folder / 'calls').read_text().split() == ['pre-dump', 'network-lock', 'post-dump']
    (apart.folder / 'calls').unlink()
    assert lost in apart.said and lost in apart.room.run(apart.criu, 'verify', images).stdout
    assert not [*images.glob('ifaddr*'), *images.glob('route*'), *images.glob('nftables*')]
    assert 'restore with --empty-ns net' in apart.restore(images, status=1)
    wait_until(lambda: 've0' not in apart.outside('ip -o link'), 20, 'the namespace stays')
    apart.restore(images, '--empty-ns', 'net', '--action-script', script)
    assert (apart.folder / 'calls').read_text().split() == [
        'pre-restore', 'setup-namespaces', 'post-setup-namespaces', 'post-restore', 'network-unlock', 'pre-resume', 'post-resume']
    apart.talk()
    assert apart.inside('sysctl -n net.ipv4.ip_forward') == '1\n'


@pytest.mark.parametrize('dumped', ('empty', 'whole'))
def test_empty_namespace_has_loopback(apart, dumped):
    """--empty-ns net without anybody who furnishes: lo is there as it was, with the sysctls, and nothing else; no sysctl of eth0 is missed."""
    apart.join_by_veth()
    apart.inside('sysctl -q net.ipv4.ip_forward=1 net.ipv4.conf.lo.forwarding=0; ip link set lo mtu 12345')
    ask = 'ip -o addr show lo; ip -o link show lo; sysctl net.ipv4.ip_forward net.ipv4.conf.lo.forwarding'
    before = apart.inside(ask)
    images = apart.dump(*(('--empty-ns', 'net') if dumped == 'empty' else ()))
    assert 'Warn' not in apart.restore(images, '--empty-ns', 'net')
    assert apart.inside(ask) == before
    assert apart.inside('ip -o link').count('\n') == 1 and apart.inside('ip -o route') == ''


def test_own_devices_of_an_empty_namespace(apart):
    """--empty-ns net, as an engine asks for: what leads outside is left to the script; a bridge of the container's own, its ports, routes
    and rules are kept, with the numbers that they had, though the new eth0 comes with one of these. Twice."""
    apart.join_by_veth()
    apart.inside('ip link add own type bridge && ip link add p0 type veth peer name p1 && ip link set p0 master own && '
                 'ip link set own up && ip link set p0 up && ip link set p1 up && ip addr add 10.88.0.1/24 dev own && '
                 'ip route add 10.99.0.0/24 via 10.88.0.7 && ip route add 10.98.0.0/24 dev p1 && ip rule add from 10.88.0.0/24 table 77 && '
                 'ip neigh add 10.88.0.7 lladdr 02:00:00:00:00:07 dev own && sysctl -q net.ipv4.conf.own.proxy_arp=1 && '
                 'nft add table inet own && nft add chain inet own c && nft add rule inet own c iifname own drop')
    number = apart.inside('ip -o link show p1').split(':')[0].strip()
    apart.serve()
    script = apart.folder / 'script'
    shutil.copy(PROGRAMS / 'furnish-beside.sh', script)
    (apart.folder / 'number').write_text(number)
    ask = 'for name in own p0 p1; do ip -o link show $name; ip -o addr show $name | sed s/.tentative//; done; ip route; ip rule; ip neigh show nud permanent; ' \
          'nft list ruleset; sysctl net.ipv4.conf.own.proxy_arp'
    before = apart.inside(ask.replace('$', '\\$'))
    for _ in range(2):
        images = apart.dump('--empty-ns', 'net')
        assert 'eth0, with addresses and routes: left to whoever restores' in apart.said and 'own,' not in apart.said
        assert 'restore with --empty-ns net' in apart.restore(images, status=1)
        wait_until(lambda: 've0' not in apart.outside('ip -o link'), 20, 'the namespace stays')
        apart.restore(images, '--empty-ns', 'net', '--action-script', script)
        assert apart.inside(ask.replace('$', '\\$')) == before
    apart.talk()


def test_named_device_of_an_empty_namespace(apart):
    """runc asks for --empty-ns net always: a device that --external names is kept all the same, with all else, twice."""
    apart.join_by_veth()
    apart.serve()
    apart.talk()
    ask = 'ip -o addr | sed s/.tentative//; ip route'
    before = apart.inside(ask)
    options = ('--empty-ns', 'net', '--external', 'veth[eth0]:ve0@br0')
    for _ in range(2):
        images = apart.dump(*options)
        assert 'left to whoever restores' not in apart.said
        apart.restore(images, *options)
        apart.goes_on()
        assert apart.inside(ask) == before


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


@pytest.mark.parametrize('lock', ('nftables', 'iptables'))
def test_dies_without_a_word(apart, lock):
    """A namespace that dies with its tasks sends no resets while the kernel takes it down, and clients outside go on after the restore."""
    apart.join_by_veth()
    apart.outside('ip addr del 10.77.0.1/24 dev br0; ip link set ve0 nomaster; ip addr add 10.77.0.1/24 dev ve0')
    apart.serve()
    apart.talk()
    output, ready = apart.folder / 'flood.out', apart.folder / 'floods'
    pid = apart.room.start(output, PYTHON, PROGRAMS / 'flood-when-gone.py', '10.77.0.1', '10.77.0.2', 4000, apart.pid, ready)
    wait_until(ready.exists, 20, 'the flood does not begin')
    images = apart.dump('-v4', '-o', 'dump.log', '--network-lock', lock)
    if 'no network namespace can be silenced' in (images / 'dump.log').read_text():
        pytest.skip('the memory of this kernel cannot be read')
    wait_until(lambda: pid not in apart.room.pids(), 60, 'the namespace stays')
    sent, resets = map(int, output.read_text().split())
    assert sent and not resets
    apart.restore(images, '--external', 'veth[eth0]:ve0')
    apart.outside('ip addr add 10.77.0.1/24 dev ve0; ip link set ve0 up')
    apart.goes_on()


def test_kept_without_a_rule(apart):
    """A namespace that somebody else keeps gets no rule that would stay."""
    apart.join_by_veth()
    apart.serve()
    apart.talk()
    keepers = (f'touch {apart.folder}/ns && mount --bind /proc/{apart.pid}/ns/net {apart.folder}/ns', f'umount {apart.folder}/ns')
    before = apart.inside('ip rule; ip -6 rule')
    apart.outside(keepers[0])
    apart.dump()
    assert apart.outside(f'nsenter --net={apart.folder}/ns sh -c "ip rule; ip -6 rule"') == before
    apart.outside(keepers[1])


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


@pytest.mark.parametrize('command, words', [
    ('ip l2tp add tunnel tunnel_id 3000 peer_tunnel_id 4000 encap udp local 10.77.0.2 remote 10.77.0.1 udp_sport 5000 udp_dport 6000', 'L2TP'),
    ('ip fou add port 5555 ipproto 4', 'ip fou'),
    ('ipvsadm -A -t 10.77.0.2:80', 'ipvsadm'),
], ids=lambda value: value.split()[1] if value.startswith(('ip ', 'bridge ')) else value.split()[0])
def test_what_is_not_saved_is_named(apart, command, words):
    """Lists of a network namespace that are not saved: check, the dump and verify say so, but only if there is something in them."""
    apart.join_by_veth()
    apart.inside('ip link add inner type bridge && ip link add mine type veth peer name other && ip link set mine master inner && '
                 'ip link set mine up && ip link set other up && ip link set inner up')
    apart.serve()
    assert words not in apart.room.run(apart.criu, 'check', '--tree', apart.pid).stdout
    done = apart.room.run('/bin/sh', '-c', f'nsenter --net=/proc/{apart.pid}/ns/net {command}')
    if done.returncode:
        pytest.skip(f'not here: {done.stdout}')
    assert words in apart.room.run(apart.criu, 'check', '--tree', apart.pid).stdout
    images = apart.dump()
    assert words in apart.said
    assert words in apart.room.run(apart.criu, 'verify', images).stdout
