# SPDX-License-Identifier: GPL-2.0-only
"""criu migrate between two rooms: a cut, or a kill -9 of either criu, at every step. The program runs in exactly one of them, and goes on where it was."""
import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

import pytest

from machines import PORTS, PYTHON, RECORDS, make_pair
from room import PROGRAMS, wait_until
from test_page_server_tls import make_authority, make_certificate

# What happens before the other side has all, before the commit word is out, and behind it.
STAYS = ('S-hello.1', 'R-hello.1', 'S-begin.1', 'R-fine.1', 'S-images.1', 'chunk1.1', 'chunk1.5', 'mark1.1', 'R-fine.2', 'S-images.2', 'chunk2.1', 'chunk2.4',
         'mark2.1', 'R-fine.3', 'S-images.3', 'chunk3.1', 'mark3.1', 'R-ready.1')
SSHD = shutil.which('sshd', path='/usr/sbin:/sbin:/usr/local/sbin')
COMMIT, RESUMED, BYE = 'S-commit.1', 'R-resumed.1', 'S-bye.1'


@pytest.fixture(name='pair')
def fixture_pair(room, build, criu, folder):
    """Two rooms with a cable."""
    with make_pair(room, build, criu, folder) as pair:
        yield pair


def test_there_and_back(pair):
    """Without any accident."""
    for _ in range(3):
        assert pair.migrate() == 0, pair.said
        assert 'S-bye.1' in pair.steps and set(STAYS) < set(pair.steps), pair.steps
        pair.is_there()


@pytest.mark.parametrize('action', ('cut', 'half'))
def test_cut_before_the_word(pair, action):
    """The program runs on, and nothing of it is there."""
    for step in STAYS:
        assert pair.migrate(step, action) == 1, pair.said
        assert 'The program runs on here' in pair.said
        pair.is_here()
    assert pair.migrate() == 0, pair.said
    pair.is_there()


@pytest.mark.parametrize('action', ('cut', 'half'))
def test_cut_at_the_word(pair, action):
    """Who has lost the connection asks."""
    assert pair.migrate(COMMIT, action) == 1, pair.said
    assert 'asking the other side' in pair.said
    pair.is_here()
    assert pair.migrate(RESUMED, action) == 0, pair.said
    assert 'asking the other side' in pair.said
    pair.is_there()
    assert pair.migrate(BYE, action) == 0, pair.said
    pair.is_there()


def test_sender_killed(pair):
    """Before the word the program runs on. Behind it it stands still here until somebody has asked."""
    for step in STAYS:
        pair.migrate(step, 'pass', pair.kill_sender)
        pair.is_here(was_killed=True)
    for action, runs in (('cut', False), ('pass', True)):
        pair.migrate(COMMIT, action, pair.kill_sender)
        wait_until(lambda: pair.here.programs() == {pair.pid: 'T'}, 20, lambda: pair.here.programs())
        done = pair.ask()
        said = pair.undo('-t', pair.pid)
        assert 'may run there' in said['left'][0] and pair.here.programs() == {pair.pid: 'T'}, said
        if runs:
            assert done.returncode == 0 and f'process {pair.pid}' in done.stdout, done.stdout
            pair.here.room.kill([pair.pid])
            wait_until(lambda: not pair.here.programs(), 20)
            said = pair.undo()
            assert any(f'removed the note of migration {pair.name()}' in line for line in said['done']), said
            pair.is_there()
        else:
            assert done.returncode == 1 and 'never will' in done.stdout, done.stdout
            said = pair.undo('-t', pair.pid, '--discard')
            assert any('runs on' in line for line in said['done']) and not said['left'], said
            pair.is_here(was_killed=True)
        assert not (RECORDS / f'{pair.name()}.left').exists()
        assert 'CRIU' not in pair.here.room.run('nft', 'list', 'ruleset').stdout


def test_server_killed(pair):
    """What takes the program in dies: before it has let it go the program runs on here, then there."""
    for step in STAYS + (COMMIT,):
        if step.startswith('S-hello'):
            continue        # there is none yet
        assert pair.migrate(step, 'pass', pair.kill_server) == 1, pair.said
        pair.is_here()
    assert pair.migrate(RESUMED, 'pass', pair.kill_server) == 0, pair.said
    pair.is_there()


def test_by_ssh(pair):
    """criu is started there by ssh, and asked by another one when the connection was lost."""
    tools = pair.folder / 'bin'
    tools.mkdir()
    (tools / 'ssh').symlink_to(PROGRAMS / 'ssh.py')
    server = pair.there.popen('ssh.log', PROGRAMS / 'ssh.py', 'serve', 2222, pair.folder / 'serves')
    wait_until((pair.folder / 'serves').exists, 20, 'the other side does not serve')
    words = ('-t', pair.pid, f'ssh://somebody@{pair.there.address}:2222', '--remote-criu', pair.there.criu, '--remote-dir', pair.there.folder)
    path = {**os.environ, 'PATH': f'{tools}:{os.environ["PATH"]}'}
    done = pair.here.room.run(pair.here.criu, 'migrate', *words, env=path)
    assert done.returncode == 0, done.stdout
    wait_until(lambda: pair.there.programs() == {pair.pid: 'S'} or 'R' in pair.there.programs().values(), 20)
    assert not pair.here.programs()
    pair.count()
    server.kill()
    server.wait()


@pytest.mark.parametrize('options', ((), ('--post-copy', '--max-rounds', 0)))
def test_by_openssh(pair, options):
    """The real one, with keys of its own; what it cannot do is told."""
    if not SSHD or not shutil.which('ssh'):
        pytest.skip('there is no sshd')
    keys = pair.folder / 'keys'
    start_sshd(pair, keys)
    path = {**os.environ, 'PATH': f'{keys}:{os.environ["PATH"]}'}
    place = f'ssh://root@{pair.there.address}:2222'
    for there, said in ((keys / 'none', '--remote-criu PATH'), ('/bin/false', 'has ended with 1')):
        done = pair.here.room.run(pair.here.criu, 'migrate', '-t', pair.pid, place, '--remote-criu', there, env=path)
        assert done.returncode == 1 and said in done.stdout, done.stdout
    done = pair.here.room.run(pair.here.criu, 'migrate', '-t', pair.pid, place, '--remote-criu', pair.there.criu, '--remote-dir', pair.there.folder, *options,
                              env=path)
    assert done.returncode == 0, done.stdout
    wait_until(lambda: not pair.here.programs() and list(pair.there.programs()) == [pair.pid], 20)
    pair.goes_on()
    wait_until(lambda: not list(pair.there.folder.glob('criu-migrate-*')), 20)


def start_sshd(pair, keys):
    """On the other side. The program ssh in the folder knows who to be."""
    keys.mkdir()
    for name in ('host', 'user'):
        subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', keys / name], check=True)
    (keys / 'sshd_config').write_text(f'Port 2222\nHostKey {keys}/host\nAuthorizedKeysFile {keys}/user.pub\nPidFile {keys}/pid\nStrictModes no\nUsePAM no\n'
                                      'PermitRootLogin prohibit-password\n')
    (keys / 'ssh').write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F none -i {keys}/user -oIdentitiesOnly=yes -oUserKnownHostsFile={keys}/known '
                              '-oStrictHostKeyChecking=accept-new "$@"\n')
    (keys / 'ssh').chmod(0o755)
    Path('/run/sshd').mkdir(exist_ok=True)
    pair.there.popen('sshd.log', SSHD, '-D', '-f', keys / 'sshd_config', '-E', keys / 'log')
    wait_until(lambda: (keys / 'pid').exists(), 20, 'sshd does not start')


def test_by_tls(pair):
    """Both show certificates; who has none of the authority is not let in."""
    if not shutil.which('openssl'):
        pytest.skip('there is no openssl to make certificates')
    make_authority(pair.folder, 'authority')
    make_authority(pair.folder, 'other')
    make_certificate(pair.folder, 'authority', 'both', f'IP:{pair.there.address}')
    make_certificate(pair.folder, 'other', 'foreign', f'IP:{pair.there.address}')
    port = next(PORTS)
    pair.there.listen(port, *certificates(pair.folder, 'both'), way='tls')
    for name, code in (('foreign', 1), ('both', 0)):
        done = pair.here.room.run(pair.here.criu, 'migrate', '-t', pair.pid, f'tls://{pair.there.address}:{port}', *certificates(pair.folder, name))
        assert done.returncode == code, done.stdout
        if code:
            assert pair.here.programs() and not pair.there.programs()
    wait_until(pair.there.is_clean, 30, lambda: pair.there.room.pids())
    pair.is_there()


def certificates(folder, name):
    """The options of one side."""
    return ['--tls-cacert', folder / 'authority.pem', '--tls-cert', folder / f'{name}.pem', '--tls-key', folder / f'{name}.key']


def test_refused_there(pair):
    """A file that is missing there is told before any memory is sent."""
    pair.here.room.kill([pair.pid])
    hidden = pair.folder / 'hidden'
    hidden.mkdir()
    said = pair.there.room.run('mount', '-t', 'tmpfs', 'none', hidden)
    assert said.returncode == 0, said.stdout
    pair.numbers = hidden / 'numbers'
    pair.start()
    port = next(PORTS)
    pair.there.listen(port)
    done = pair.here.room.run(pair.here.criu, 'migrate', '-t', pair.pid, f'tcp://{pair.there.address}:{port}')
    assert done.returncode == 1 and 'hidden/numbers' in done.stdout and 'Round' not in done.stdout, done.stdout
    pair.is_here()


def test_dry_run(pair):
    """The other side is asked, no memory is sent, and nothing is left there."""
    assert pair.migrate(options=('--dry-run',)) == 0, pair.said
    assert 'The other side can take it' in pair.said and 'The program stays here' in pair.said, pair.said
    assert 'R-fine.2' in pair.steps and not {'chunk2.1', 'R-ready.1', COMMIT} & set(pair.steps), pair.steps
    pair.is_here()
    assert pair.migrate() == 0, pair.said
    pair.is_there()


def refuses(pair, pid, said):
    """The other side looks, and says why not, before any memory is sent. Once more, to see that it stays so; it is the same when it is only asked."""
    port = next(PORTS)
    pair.there.listen(port)
    for words in [], [], ['--dry-run']:
        done = pair.here.room.run(pair.here.criu, 'migrate', '-t', pid, f'tcp://{pair.there.address}:{port}', *words)
        assert done.returncode == 1 and said in done.stdout and 'Round' not in done.stdout, done.stdout
        assert 'The program runs on here' in done.stdout, done.stdout
    pair.there.end_listening()


def test_zombie_there(pair):
    """Its pid is held there by a zombie that nobody reaps."""
    output = pair.folder / 'keep'
    keeper = pair.there.room.start(output, PYTHON, PROGRAMS / 'keep-zombie.py', pair.pid)
    wait_until(lambda: 'kept' in output.read_text(), 20, output.read_text)
    refuses(pair, pair.pid, f'pid {pair.pid} is still held by a zombie')
    pair.there.room.kill([keeper])
    assert pair.migrate() == 0, pair.said
    pair.is_there()


def test_segment_not_there(pair):
    """Its System V shared memory is that of the machine, and stays here."""
    output = pair.folder / 'attach'
    pid = pair.here.room.start(output, PYTHON, PROGRAMS / 'attach-segment.py')
    wait_until(lambda: 'attached' in output.read_text(), 20, output.read_text)
    refuses(pair, pid, 'of 4096 bytes is not here')
    assert pid in pair.here.room.pids()


def test_device_there(pair):
    """The other end of its network device would have a name that is taken there."""
    pid = pair.here.room.start(pair.folder / 'out2', '/usr/bin/unshare', '-n', PYTHON, PROGRAMS / 'append-numbers.py', pair.folder / 'inner', 4)
    wait_until((pair.folder / 'inner').exists, 20, lambda: (pair.folder / 'out2').read_text())
    done = pair.here.room.run('ip', 'link', 'add', 'mgv', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pid)
    assert done.returncode == 0, done.stdout
    done = pair.there.room.run('ip', 'link', 'add', 'mgv', 'type', 'veth', 'peer', 'name', 'mgw')
    assert done.returncode == 0, done.stdout
    refuses(pair, pid, 'there is a network device mgv here')
    assert pair.here.programs()[pid] in 'RSD'
    pair.there.room.run('ip', 'link', 'del', 'mgv')
    port = next(PORTS)
    pair.there.listen(port)
    done = pair.here.room.run(pair.here.criu, 'migrate', '-t', pid, f'tcp://{pair.there.address}:{port}')
    assert done.returncode == 0, done.stdout
    assert 'mgv' in pair.there.room.run('ip', 'link').stdout


def test_no_space(pair):
    """Where the images are to lie is not large enough: it is told, with the way out."""
    small = pair.folder / 'small'
    small.mkdir()
    done = pair.there.room.run('mount', '-t', 'tmpfs', '-o', 'size=1m', 'none', small)
    assert done.returncode == 0, done.stdout
    assert pair.migrate(listen=('-D', small)) == 1 and 'A larger place: --remote-dir' in pair.said, pair.said
    pair.is_here()


def test_in_doubt(pair):
    """A connection that cannot be made again: the program stands still here, and criu says what to do."""
    ours, theirs = socket.socketpair()
    words = [pair.there.room.program, 'run', pair.there.room.first, pair.there.criu, 'migrate', '--listen', f'fd:{theirs.fileno()}', '-D', str(pair.there.folder)]
    middle, other = socket.socketpair()
    with subprocess.Popen(words, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL) as server:
        theirs.close()
        words = [pair.here.room.program, 'run', pair.here.room.first, pair.here.criu, 'migrate', '-t', str(pair.pid), f'fd:{other.fileno()}', '-v3']
        with subprocess.Popen(words, pass_fds=[other.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True) as sender:
            other.close()
            back = threading.Thread(target=carry_until, args=(ours, middle, b'CRUM' + struct.pack('<I', 67)))
            back.start()
            threading.Thread(target=carry_until, args=(middle, ours, None), daemon=True).start()
            said = sender.communicate(timeout=100)[0]
            back.join(60)
        assert sender.returncode == 2, said
        server.wait(100)
    pair.names.append(said)
    assert 'It is not known whether' in said and f'kill -KILL {pair.pid}' in said, said
    assert pair.here.programs() == {pair.pid: 'T'}, said
    wait_until(lambda: list(pair.there.programs()) == [pair.pid], 20)
    pair.here.room.kill([pair.pid])
    pair.goes_on()


def carry_until(come, to, last):
    """Bytes of a connection, until these would come; then both ends are closed."""
    while data := come.recv(1 << 16):
        if last and last in data:
            break
        to.sendall(data)
    for end in (come, to):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def test_not_ready_in_time(pair):
    """The program does not wait for ever for the other side."""
    assert pair.migrate('R-ready.1', 'pass', lambda: pair.sender.wait(100), options=('--max-downtime', 1)) == 1
    assert 'within --max-downtime, 1 s' in pair.said
    pair.is_here()


@pytest.mark.parametrize('number', (signal.SIGINT, signal.SIGTERM))
def test_interrupted(pair, number):
    """Who is interrupted before the word leaves the program here, on either side; behind it, it goes."""
    for step in ('S-images.1', 'chunk2.4', 'R-ready.1'):
        assert pair.migrate(step, 'pass', lambda: pair.here.signal(pair.find_senders(), number)) == 1, pair.said
        assert f'interrupted by SIG{number.name[3:]}' in pair.said
        pair.is_here()
        assert pair.migrate(step, 'pass', lambda: pair.there.signal(pair.there.servers(), number)) == 1, pair.said
        pair.is_here()
    assert pair.migrate(COMMIT, 'pass', lambda: pair.here.signal(pair.find_senders(), number)) == 0, pair.said
    pair.is_there()
    assert pair.migrate(RESUMED, 'pass', lambda: pair.there.signal(pair.there.servers(), number)) == 0, pair.said
    pair.is_there()


@pytest.mark.parametrize('options', (('--no-rehearsal', '--max-rounds', 0), ('--memory-first',), ('--max-rounds', 5, '--round-size', 0)))
def test_other_ways(pair, options):
    """Without a rehearsal and rounds, with all memory in place, with as many rounds as are allowed."""
    for _ in range(2):
        assert pair.migrate(options=options) == 0, pair.said
        assert ('The other side can take it' in pair.said) == ('--no-rehearsal' not in options)
        pair.is_there()


@pytest.mark.parametrize('options', ((), ('--post-copy',)))
def test_memory_in_motion(pair, build, options):
    """What is dropped, moved, mapped anew and forked between the rounds is as it should be: a tracker goes on from one to the next."""
    pair.here.room.kill([pair.pid])
    pair.numbers.unlink()
    pair.start(program=[build / 'tests/programs/churn-memory'])
    for _ in range(4):
        assert pair.migrate(options=('--max-rounds', 6, '--round-size', 0, *options)) == 0, pair.said
        assert pair.said.count('Round ') > 1, pair.said
        pair.is_there()


def test_into_new_pidns(pair):
    """Its pid is taken there."""
    there = pair.there.room
    done = there.run('/bin/sh', '-ec', f'echo {pair.pid - 1} > /proc/sys/kernel/ns_last_pid; sleep 1000 > /dev/null 2>&1 & echo $!')
    assert done.stdout.strip() == str(pair.pid), done.stdout
    port = next(PORTS)
    pair.there.listen(port)
    words = ('migrate', '-t', pair.pid, f'tcp://{pair.there.address}:{port}')
    done = pair.here.room.run(pair.here.criu, *words)
    assert done.returncode == 1 and f'the pid {pair.pid} is in use by sleep' in done.stdout, done.stdout
    done = pair.here.room.run(pair.here.criu, *words, '--new-pidns')
    assert done.returncode == 0, done.stdout
    wait_until(lambda: not pair.here.programs() and len(pair.there.programs()) == 1, 20)
    pair.goes_on()


def test_noise(pair):
    """Whoever connects and talks nonsense does no harm."""
    port, seed = next(PORTS), time.time_ns() % 1000000
    pair.there.listen(port)
    done = pair.here.room.run(PYTHON, PROGRAMS / 'migrate-noise.py', pair.there.address, port, seed, 120)
    assert done.returncode == 0, f'seed {seed}: {done.stdout}'
    assert int(done.stdout.split()[0]) > 20, f'seed {seed}: {done.stdout}'
    wait_until(pair.there.is_clean, 60, lambda: f'seed {seed}: {pair.there.room.pids()}')
    said = (pair.there.folder / f'listen-{port}.log').read_text(errors='replace')
    assert 'killed by signal' not in said, f'seed {seed}'
    done = pair.here.room.run(pair.here.criu, 'migrate', '-t', pair.pid, f'tcp://{pair.there.address}:{port}')
    assert done.returncode == 0, done.stdout
    pair.is_there()
