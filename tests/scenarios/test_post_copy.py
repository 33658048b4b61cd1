# SPDX-License-Identifier: GPL-2.0-only
"""criu migrate --post-copy: memory that follows, over connections that break, from and to processes that are killed; and containers, both ways."""
import contextlib
import re
import signal
import socket
import struct
import subprocess
import threading

import pytest

from machines import PORTS, PYTHON, make_pair
from room import PROGRAMS, wait_until
from test_migrate import BYE, COMMIT, RESUMED, STAYS

POST_COPY = ('--post-copy',)


@pytest.fixture(name='pair')
def fixture_pair(room, build, criu, folder):
    """Two rooms with a cable, and a program with some memory."""
    with make_pair(room, build, criu, folder, 24) as pair:
        yield pair


def test_there_and_back(pair):
    """With rounds before that, and with all memory behind."""
    for rounds in (1, 0, 2):
        assert pair.migrate(options=POST_COPY + ('--max-rounds', rounds)) == 0, pair.said
        assert {'R-want.1', 'S-pages.1', 'R-complete.1', 'S-bye.1'} < set(pair.steps), pair.steps
        assert pair.steps.index('R-resumed.1') < pair.steps.index('R-complete.1')
        pair.is_there()


def test_by_choice(pair):
    """Only what does not converge follows."""
    for size, follows in (('1G', False), (0, True)):
        assert pair.migrate(options=('--post-copy=auto', '--round-size', size)) == 0, pair.said
        assert ('R-want.1' in pair.steps) == follows == ('of memory follow' in pair.said), pair.steps
        pair.is_there()


@pytest.mark.parametrize('action', ('cut', 'half'))
def test_cut_before_the_word(pair, action):
    """The program runs on, and nothing of it is there."""
    for step in STAYS[-4:]:
        assert pair.migrate(step, action, options=POST_COPY) == 1, pair.said
        assert 'The program runs on here' in pair.said
        pair.is_here()
    assert pair.migrate(COMMIT, action, options=POST_COPY) == 1, pair.said
    pair.is_here()


@pytest.mark.parametrize('step', (RESUMED, 'R-want.12', 'S-pages.12', 'R-complete.1', BYE))
@pytest.mark.parametrize('action', ('cut', 'half'))
def test_cut_behind_the_word(pair, step, action):
    """Memory goes on by another connection."""
    assert pair.migrate(step, action, options=POST_COPY + ('--max-rounds', 0)) == 0, pair.said
    assert ('asking the other side' in pair.said) == (step != BYE), pair.said
    pair.is_there()


def strike_at_memory(pair, strike, code):
    """The step at which half of the memory is there; what runs there is gone then, and this side knows it."""
    assert pair.migrate('S-pages.12', 'pass', strike, options=POST_COPY + ('--max-rounds', 0, '--max-downtime', 2)) == code, pair.said
    wait_until(lambda: not pair.there.programs(), 20, lambda: pair.there.programs())
    assert pair.here.programs() == {pair.pid: 'T'}, pair.said
    done = pair.ask()
    assert done.returncode == 3 and 'without what it has done since' in done.stdout, done.stdout


def test_sender_killed(pair):
    """What lacks memory there is killed, and here it stands still as it was."""
    strike_at_memory(pair, pair.kill_sender, 128 + signal.SIGKILL)


@pytest.mark.parametrize('name', ('criu-on-demand', 'criu-porter'))
def test_helper_killed(pair, name):
    """The same, with a word from there."""
    def strike():
        victims = pair.find_there(name)
        assert victims
        pair.there.room.kill(victims)
        wait_until(lambda: not pair.there.programs(), 20)
    strike_at_memory(pair, strike, 3)
    assert f'criu undo -t {pair.pid} --discard' in pair.said
    said = pair.undo('-t', pair.pid, '--discard')
    assert any('runs on' in line for line in said['done']), said
    wait_until(lambda: pair.here.programs()[pair.pid] in 'RSD', 20)


def test_server_killed(pair):
    """Others bring the memory."""
    assert pair.migrate('S-pages.12', 'pass', pair.kill_server, options=POST_COPY + ('--max-rounds', 0)) == 0, pair.said
    pair.is_there()


def test_in_doubt(pair):
    """A connection that cannot be made again: there it is killed after a while, here it stands still."""
    ours, theirs = socket.socketpair()
    words = [pair.there.room.program, 'run', pair.there.room.first, pair.there.criu, 'migrate', '--listen', f'fd:{theirs.fileno()}', '-D', str(pair.there.folder)]
    middle, other = socket.socketpair()
    with subprocess.Popen(words, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        theirs.close()
        words = [pair.here.room.program, 'run', pair.here.room.first, pair.here.criu, 'migrate', '-t', str(pair.pid), f'fd:{other.fileno()}', '-v3',
                 '--post-copy', '--max-rounds', '0', '--max-downtime', '2']
        with subprocess.Popen(words, pass_fds=[other.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True) as sender:
            other.close()
            for ends in ((ours, middle), (middle, ours)):
                threading.Thread(target=carry_until_memory, args=ends, daemon=True).start()
            said = sender.communicate(timeout=100)[0]
        assert sender.returncode == 2 and 'It is not known whether' in said, said
        there = server.communicate(timeout=100)[0]
        assert server.returncode == 1 and 'what lacks memory here is killed' in there, there
    pair.names.append(said)
    wait_until(lambda: not pair.there.programs(), 20)
    assert pair.here.programs() == {pair.pid: 'T'}, said


def carry_until_memory(come, to):
    """Bytes of a connection, until it runs there and some more would come; then both ends are closed."""
    frames = 0
    while data := come.recv(1 << 16):
        frames += data.count(b'CRUM' + struct.pack('<I', 7))
        if frames >= 12:
            break
        to.sendall(data)
    for end in (come, to):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize('options', ((), ('--post-copy', '--max-rounds', 0)))
def test_container(pair, options):
    """A tree with namespaces of its own, a network device whose other end is ours, and a cgroup, there and back."""
    pair.here.room.kill([pair.pid])
    pair.numbers.unlink()
    inner = ('ip link add eth0 type veth peer name mgv netns 1 && ip addr add 10.97.0.2/24 dev eth0 && ip link set eth0 up && hostname inside && '
             f'mount -t tmpfs none /mnt && echo kept > /mnt/kept && exec {PYTHON} {PROGRAMS}/append-numbers.py {pair.numbers} 16')
    shell = pair.here.room.start(pair.folder / 'out', '/bin/sh', '-c', 'exec unshare -mnuip --fork --mount-proc setsid /bin/sh -c "$0"', inner)
    wait_until(lambda: pair.numbers.exists() and pair.numbers.stat().st_size > 100, 20, lambda: (pair.folder / 'out').read_text())
    for _ in range(2):
        root = next(pid for pid in pair.here.programs() if pid != shell)
        port = next(PORTS)
        pair.there.listen(port)
        done = pair.here.room.run(pair.here.criu, 'migrate', '-t', root, f'tcp://{pair.there.address}:{port}', *options)
        assert done.returncode == 0, done.stdout
        wait_until(lambda: root not in pair.here.programs() and len(pair.there.programs()) == 1, 20, lambda: pair.there.programs())
        pair.there.end_listening()
        pair.goes_on()
        root = next(iter(pair.there.programs()))
        said = pair.there.room.run('nsenter', '-t', root, '-a', '/bin/sh', '-c', 'hostname; cat /mnt/kept; ip -br addr show dev eth0').stdout
        assert re.search(r'^inside\nkept\neth0@\S+ +\S+ +10\.97\.0\.2/24', said), said
        pair.here, pair.there = pair.there, pair.here
