# SPDX-License-Identifier: GPL-2.0-only
"""Unix sockets whose peer is outside of the tree, with --unix-peer: closed, connected again, given."""
import json
import os

import pytest

from room import PROGRAMS, wait_until

PYTHON = '/usr/bin/python3'
KINDS = ['stream', 'packets', 'abstract', 'relative']


class Partners:
    """A server outside and a client of all kinds in a tree."""

    def __init__(self, room, criu, kinds=None):
        self.room, self.criu, self.folder = room, criu, room.folder
        self.images = self.folder / 'images'
        self.images.mkdir()
        self.outside = self.start('partner-outside.py', 'outside')
        self.pid = self.start('partner-inside.py', 'inside', ','.join(kinds or KINDS))

    def start(self, program, sign, *words):
        """Waits until it has written the file of this name."""
        output = self.folder / (program + '.out')
        pid = self.room.start(output, PYTHON, PROGRAMS / program, *words, self.folder)
        wait_until((self.folder / sign).exists, 10, output.read_text)
        return pid

    def call(self, command, *options):
        """Runs criu: (status, output and log)."""
        log = self.images / (command + '.log')
        done = self.room.run(self.criu, command, '-D', self.images, '-v4', '-o', log, *options, env=dict(os.environ))
        return done.returncode, done.stdout + (log.read_text(errors='replace') if log.exists() else '')

    def dump(self, *options):
        """Must go well; returns the log."""
        status, said = self.call('dump', '-t', self.pid, *options)
        assert status == 0, said
        return said

    def restore(self, *options):
        """The same."""
        status, said = self.call('restore', '-d', *options)
        assert status == 0, said
        return said

    def heard(self):
        """What the server has noted."""
        return [json.loads(line) for line in (self.folder / 'heard').read_text().splitlines()]

    def told(self):
        """What the client says of its sockets."""
        (self.folder / 'go').touch()
        wait_until((self.folder / 'told').exists, 10, 'the client does not answer')
        return json.loads((self.folder / 'told').read_text())


@pytest.fixture
def partners(room, criu):
    """With all kinds."""
    return Partners(room, criu)


def check_closed(told):
    """As if the peer had ended: what was unread is there, with its descriptors, then comes the end."""
    for kind, end in told.items():
        assert end['hangup'] and end['readable'] and end['nonblocking'], (kind, end)
        assert end['texts'] == (['one', 'two'] if kind == 'packets' else ['hello']), (kind, end)
        assert end['files'] == ([] if kind == 'packets' else ['content']), (kind, end)
        assert end['end'] == 'end' and end['sent'] == 'Broken pipe', (kind, end)


def test_refusal_names_the_ways(partners):
    """Without the option nothing is done, and all connections are named."""
    status, said = partners.call('dump', '-t', partners.pid)
    log = (partners.images / 'dump.log').read_text()
    assert status != 0 and log.count('outside of the tree; close it') == len(KINDS), log
    assert f'of process {partners.outside} (python3)' in said and f'--unix-peer reconnect:{partners.folder}/stream' in said, said
    assert '--unix-peer reconnect:@criu-test-partner' in said and '--unix-peer close' in said, said


@pytest.mark.parametrize('times', [1, 2])
def test_closed(partners, times):
    """--unix-peer close, also dumped a second time, without any option."""
    said = partners.dump('--unix-peer', 'close')
    assert said.count('is not saved: the connection of unix socket') == len(KINDS), said
    partners.restore()
    if times == 2:
        partners.dump()
        partners.restore()
    check_closed(partners.told())


def test_connected_again(partners):
    """--unix-peer reconnect: by the task itself, also to a name that is relative to the server's directory; unread bytes are named as lost."""
    said = partners.dump('--unix-peer', 'reconnect')
    assert said.count('the connection will be a new one') == len(KINDS), said
    before = len(partners.heard())
    partners.restore()
    wait_until(lambda: len([event for event in partners.heard()[before:] if 'pid' in event]) == len(KINDS), 10, 'they do not come again')
    assert all(event['pid'] == partners.pid for event in partners.heard() if 'pid' in event), partners.heard()
    told = partners.told()
    for kind, end in told.items():
        assert not end['hangup'] and end['end'] == 'Resource temporarily unavailable' and end['sent'] == 'sent', (kind, end)
        wait_until(lambda name=kind: {'kind': name, 'said': 'again'} in partners.heard(), 10, 'it is not connected')


def test_connected_before_a_jail(room, criu):
    """The name leads nowhere from the root of the task: it is that of criu's."""
    partners = Partners(room, criu, ['stream', 'jail'])
    partners.dump('--unix-peer', 'reconnect')
    partners.restore()
    partners.folder = partners.folder / 'jail'
    assert partners.told()['stream']['sent'] == 'sent'


def test_each_as_it_is_told(partners):
    """The last option that fits counts; names may have wildcards."""
    partners.dump('--unix-peer', 'close', '--unix-peer', 'reconnect:*/stream', '--unix-peer', 'reconnect:@criu-*')
    partners.restore()
    told = partners.told()
    assert [kind for kind, end in told.items() if end['sent'] == 'sent'] == ['stream', 'abstract'], told
    check_closed({kind: told[kind] for kind in ('packets', 'relative')})


def test_restore_decides_otherwise(partners):
    """The server has gone: verify and restore say so by name, and --unix-peer close lets the restore go on; the other way round as well."""
    partners.dump('--unix-peer', 'reconnect', '--unix-peer', 'close:@*')
    os.rename(partners.folder / 'packets', partners.folder / 'elsewhere')
    status, said = partners.call('verify')
    assert status != 0 and f'{partners.folder}/packets, is not there' in said and '--unix-peer close' in said, said
    status, said = partners.call('restore', '-d')
    assert status != 0 and f'cannot find the unix socket {partners.folder}/packets' in said, said
    partners.restore('--unix-peer', 'close:*/packets', '--unix-peer', 'reconnect:@*')
    told = partners.told()
    check_closed({'packets': told['packets']})
    assert [kind for kind, end in told.items() if end['sent'] == 'sent'] == ['stream', 'abstract', 'relative'], told


def test_what_is_told_before_and_after(partners):
    """check --tree, verify and inspect know what will become of them."""
    status, said = partners.call('check', '--tree', partners.pid)
    assert status != 0 and '--unix-peer close' in said, said
    options = ('--unix-peer', 'close', '--unix-peer', 'reconnect:*/stream')
    status, said = partners.call('check', '--tree', partners.pid, *options)
    assert status == 0 and f'of process {partners.outside} (python3)' in said and 'it will be closed' in said, said
    partners.dump(*options)
    status, said = partners.call('verify')
    assert status == 0 and f'unix socket {partners.folder}/stream' in said and 'it will be closed' in said, said
    assert '--ext-unix-sk' not in said, said
    done = partners.room.run(partners.criu, 'inspect', partners.images, '--json')
    assert f'is connected again: {partners.folder}/stream' in done.stdout and 'is closed: @criu-test-partner' in done.stdout, done.stdout


def test_given(room, criu):
    """--unix-peer given: the restore wants a descriptor, though there is a name; it may be closed instead."""
    partners = Partners(room, criu, ['stream'])
    partners.dump('--unix-peer', 'given')
    status, said = partners.call('restore', '-d')
    assert status != 0 and '--inherit-fd fd[N]:socket:[' in said, said
    status, said = partners.call('verify')
    assert 'socket:[' in said and '--ext-unix-sk' not in said, said
    partners.restore('--unix-peer', 'close')
    check_closed(partners.told())


@pytest.mark.parametrize('kind', ['stream', 'datagram'])
@pytest.mark.parametrize('mode', ['given', 'close'])
def test_pair_with_a_supervisor(room, criu, kind, mode):
    """A pair that was inherited from somebody outside has no name: it cannot be connected again."""
    folder = room.folder
    room.start(folder / 'out', PYTHON, PROGRAMS / 'socketpair-outside.py', folder, kind)
    wait_until(lambda: (folder / 'inside').exists() and (folder / 'inside').read_text(), 5, 'it does not start')
    pid, ino = (folder / 'inside').read_text().split()

    def call(command, *options):
        done = room.run(criu, command, '-D', folder, '-v4', '-o', command + '.log', *options)
        return done.returncode, (folder / (command + '.log')).read_text()

    status, said = call('dump', '-t', pid, '--unix-peer', 'reconnect')
    assert status != 0 and 'has no name' in said and '--unix-peer close' in said, said
    status, said = call('dump', '-t', pid, '--unix-peer', mode + ':' + ino)
    assert status == 0, said
    if mode == 'close':
        status, said = call('restore', '-d')
        assert status == 0, said
        return
    status, said = call('restore', '-d')
    assert status != 0 and f'--inherit-fd fd[N]:socket:[{ino}]' in said, said
    done = room.run(PYTHON, PROGRAMS / 'give-socket.py', folder, kind, criu, 'restore', '-d', '-D', folder, '-v4', '-o', 'restore.log',
                    '--inherit-fd', f'fd[77]:socket:[{ino}]')
    assert done.stdout.strip() == '<hello>', done.stdout + (folder / 'restore.log').read_text()


def test_clients_outside(room, criu):
    """A server in the tree with a client outside that waits for accept: closed, and the listener takes others."""
    folder = room.folder
    pid = room.start(folder / 'inside.out', PYTHON, PROGRAMS / 'unix-listener.py', 'server', folder)
    wait_until((folder / 'inside').exists, 10, 'no listener')
    room.start(folder / 'outside.out', PYTHON, PROGRAMS / 'unix-knock.py', folder)
    wait_until((folder / 'outside').exists, 5, 'nobody knocks')

    def call(command, *options):
        done = room.run(criu, command, '-D', folder, '-v4', '-o', command + '.log', *options)
        return done.returncode, (folder / (command + '.log')).read_text()

    status, said = call('dump', '-t', pid, '--unix-peer', 'reconnect')
    assert status != 0 and 'waits for accept' in said and '--unix-peer close' in said, said
    status, said = call('dump', '-t', pid, '--unix-peer', 'close')
    assert status == 0 and 'it will be closed' in said, said
    status, said = call('restore', '-d')
    assert status == 0, said


@pytest.mark.parametrize('times', [1, 2])
def test_server_of_others(room, criu, times):
    """Clients outside whose connections were accepted: closed with what they had said, under the name of the listener, which takes new ones."""
    folder = room.folder
    pid = room.start(folder / 'server.out', PYTHON, PROGRAMS / 'partner-server.py', folder)
    wait_until((folder / 'listens').exists, 10, (folder / 'server.out').read_text)
    room.start(folder / 'clients.out', PYTHON, PROGRAMS / 'partner-clients.py', folder)
    wait_until(lambda: (folder / 'inside').exists() and (folder / 'outside').exists(), 10, (folder / 'server.out').read_text)

    def call(command, *options):
        done = room.run(criu, command, '-D', folder, '-v4', '-o', command + '.log', *options)
        return done.returncode, done.stdout + (folder / (command + '.log')).read_text()

    for option in [('--unix-peer', 'close'), ()][:times]:
        status, said = call('dump', '-t', pid, *option)
        assert status == 0, said
        assert said.count('is not saved:') == (4 if option else 0), said
        status, said = call('restore', '-d')
        assert status == 0, said
    (folder / 'go').touch()
    done = room.run(PYTHON, PROGRAMS / 'partner-clients.py', folder, 'again')
    assert done.stdout == 'welcome\n', done.stdout
    told = json.loads((folder / 'told').read_text())
    streams, packets = f'{folder}/streams', f'{folder}/packets'
    assert told == {'whole': [['unread', '', 'Broken pipe'], streams], 'packets': [['one', 'two', '', 'Broken pipe'], packets],
                    'half': [['said', '', 'Broken pipe'], streams], 'new': 'hello'}


def test_damaged_images(room, criu, build):
    """A number that means nothing is refused by all who read the images."""
    partners = Partners(room, criu, ['stream'])
    partners.dump('--unix-peer', 'close')
    crit = build / 'crit'
    done = room.run(crit, 'decode', '-i', partners.images / 'files.img', '-o', partners.folder / 'files.json')
    assert done.returncode == 0, done.stdout
    images = json.loads((partners.folder / 'files.json').read_text())
    (outside,) = [entry['usk']['outside'] for entry in images['entries'] if 'outside' in entry.get('usk', {})]
    outside['how'] = 77
    (partners.folder / 'files.json').write_text(json.dumps(images))
    done = room.run(crit, 'encode', '-i', partners.folder / 'files.json', '-o', partners.images / 'files.img')
    assert done.returncode == 0, done.stdout
    for command in ('verify', 'restore'):
        status, said = partners.call(command)
        assert status == 1 and 'what becomes of its peer outside is unknown (77)' in said, said
    done = room.run(criu, 'inspect', partners.images, '--json')
    assert done.returncode == 1 and json.loads(done.stdout)['damage'], done.stdout


def socket_of(pid, room, place):
    """The number of the other end of the connection to journald."""
    lines = room.run('ss', '-xHp').stdout.splitlines()
    return next(line.split()[-2] for line in lines if f'pid={pid},' in line and place not in line)


def test_journald(room, criu):
    """A stream to journald is greeted once more, with what it had been told."""
    folder, place = room.folder, '/run/systemd/journal'
    room.run('/bin/sh', '-c', f'mount -t tmpfs tmpfs /run && mkdir -p {place}/streams')
    room.start(folder / 'server.out', PYTHON, PROGRAMS / 'journal-outside.py', place, folder)
    wait_until((folder / 'outside').exists, 10, (folder / 'server.out').read_text)
    pid = room.start(folder / 'client.out', PYTHON, PROGRAMS / 'journal-inside.py', place, folder)
    wait_until(lambda: 'first' in (folder / 'heard').read_text(), 10, (folder / 'client.out').read_text)

    def call(command, *options):
        done = room.run(criu, command, '-D', folder, '-v4', '-o', command + '.log', *options)
        return done.returncode, (folder / (command + '.log')).read_text()

    status, said = call('dump', '-t', pid, '--leave-running', '--external', 'unix[' + socket_of(pid, room, place) + ']')
    assert status == 0 and 'journald takes the first lines' in said, said
    for number in (1, 2):
        status, said = call('dump', '-t', pid, '--unix-peer', 'reconnect')
        assert status == 0 and 'journald takes' not in said, said
        status, said = call('restore', '-d')
        assert status == 0, said
        wait_until(lambda: (folder / 'heard').read_text().count('me\\nme.service\\n5\\n0\\n1\\n0\\n0\\n') == number + 1, 10,
                   (folder / 'heard').read_text)
    (folder / 'go').touch()
    wait_until(lambda: '"second\\n"' in (folder / 'heard').read_text(), 10, (folder / 'heard').read_text)
