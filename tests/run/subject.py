# SPDX-License-Identifier: GPL-2.0-only
"""A subject: the program, what it says about itself, and one run of it in a room."""
import os
import shlex
import signal
import struct
import subprocess
import time
from pathlib import Path

import checks
from room import wait_until

TEXTS = ('options', 'dump_options', 'restore_options', 'ways', 'not_ways', 'ignore', 'house', 'refused')
# Those without a magic.
RAW_IMAGES = ('pages-', 'tmpfs-', 'removed-mount-', 'ifaddr-', 'route', 'rule-', 'iptables-', 'ip6tables-', 'nftables-', 'netns-ct-', 'netns-exp-')
NOTE = struct.Struct('=III8s' + '128s' * len(TEXTS) + 'I')


def read_sections(data):
    """(name, offset) of the sections of an ELF file, of 64 or 32 bits."""
    is_64 = data[4] == 2
    section_offset, = struct.unpack_from('<Q', data, 0x28) if is_64 else struct.unpack_from('<I', data, 0x20)
    entry_size, count, names_index = struct.unpack_from('<HHH', data, 0x3a if is_64 else 0x2e)
    sections = [struct.unpack_from('<IIQQQQ' if is_64 else '<IIIIII', data, section_offset + i * entry_size) for i in range(count)]
    names_offset = sections[names_index][4]
    for name, _, _, _, offset, _ in sections:
        start = names_offset + name
        yield data[start:data.index(b'\0', start)], offset


def read_note(program):
    """The SUBJECT(...) line of a program, from its section .note.subject, as a dictionary."""
    data = Path(program).read_bytes()
    for name, offset in read_sections(data):
        if name == b'.note.subject':
            values = NOTE.unpack_from(data, offset)[4:]
            about = {key: value.split(b'\0')[0].decode() for key, value in zip(TEXTS, values)}
            about['seconds'] = values[-1] or 10
            return about
    raise RuntimeError(f'{program} has no SUBJECT(...) line')


def options_to_pass(point):
    """A dump that is to kill passes all failure points but those of what lives on."""
    return ['-R'] if point.startswith('dump/put_back/') else []


def program_of(build, name):
    """Where the subject of this name is built."""
    family, _, rest = name.partition('/')
    if family != 'ia32':
        return Path(build) / 'tests/subjects' / f'{family}.{rest}'
    return Path(build) / 'tests/subjects/ia32' / f'ia32.{(rest if "/" in rest else name).replace("/", ".")}'


class Subject:
    """A program of tests/subjects."""

    def __init__(self, program):
        self.program = Path(program)
        self.is_ia32 = self.program.parent.name == 'ia32'
        self.plain_name = self.program.name.removeprefix('ia32.').replace('.', '/', 1)
        self.name = f'ia32/{self.plain_name.removeprefix("ia32/")}' if self.is_ia32 else self.plain_name
        self.about = read_note(program)

    def has_way(self, way):
        """Whether the subject can be run this way."""
        if self.about['refused']:
            return way in ('untouched', 'unharmed')
        only = self.about['ways'].split()
        return way == 'untouched' or ((not only or way in only) and way not in self.about['not_ways'].split())


class Run:
    """One subject running in a room: started, dumped and restored by a way, then released and judged."""

    def __init__(self, subject, room, criu, house='-'):
        self.subject, self.room, self.criu = subject, room, str(criu)
        self.house = subject.about['house'] or house
        self.folder = room.folder
        self.work, self.control = self.folder / 'work', self.folder / 'control'
        for folder in (self.work, self.control):
            folder.mkdir()
        os.chmod(self.control, 0o777)
        if 'user' in self.house.split(','):
            for folder in (self.folder, self.work):
                os.chmod(folder, 0o755)
            os.chown(self.work, 200000, 200000)         # root in there: room.c
        self.output = self.folder / 'output'
        self.pid = self.before = self.files = None
        self.images = 0
        self.env = {}       # for criu, more than our own
        self.ignore = ()    # facts of the comparison, more than the subject says
        self.released = None

    def start(self):
        """Starts it and waits until it is ready. Returns the reason if it wants to be skipped."""
        env = {'PATH': os.environ.get('PATH', '/usr/bin:/bin'), 'LC_ALL': 'C', 'HOME': '/root'}
        self.mounts = self.room.mounts()
        self.pid = self.room.start(self.output, self.subject.program, self.control, cwd=self.work, env=env, house=self.house)
        wait_until(lambda: (self.control / 'ready').exists() or self.status() is not None, 20,
                   lambda: f'does not get ready: {self.told()}')
        if self.status() is not None:
            assert os.WIFEXITED(self.status()) and os.WEXITSTATUS(self.status()) == 77, \
                f'ended before the checkpoint: {self.status()}: {self.told()}'
            return self.told()
        self.before = self.settled_snapshot()
        self.files = checks.listing(self.work)
        return None

    def settled_snapshot(self):
        """A snapshot taken when nothing changes any more: a thread that has announced itself may be on its way to where it waits."""
        ignore = self.subject.about['ignore'].split()
        now = checks.snapshot(self.room)
        for _ in range(1000):
            time.sleep(0.01)
            last, now = now, checks.snapshot(self.room)
            if not any(checks.differences(last, now, '', ignore)):
                break
        return now

    def status(self, since=0):
        """The wait status with which the first process reaped the subject, None if it has not."""
        return next((status for pid, status in self.room.reaped()[since:] if pid == self.pid), None)

    def told(self):
        """What the subject said: its result, its output."""
        texts = [path.read_text(errors='replace').strip() for path in (self.control / 'result', self.output)
                 if path.exists()]
        return '\n'.join(text for text in texts if text) or 'it said nothing'

    def folder_of_images(self):
        """A new directory for images."""
        self.images += 1
        folder = self.folder / f'images{self.images}'
        folder.mkdir()
        return folder

    def call_criu(self, command, images, *options, env=None, stream=None):
        """Runs criu in the room, with its stdin or stdout in the file `stream`; returns (status, what it printed and the end of its log)."""
        log = f'{command}.log'
        words = [self.criu, command, '-D', images, '-v4', '-o', log, *options,
                 *shlex.split(self.subject.about['options']),
                 *shlex.split(self.subject.about.get(f'{command.removeprefix("pre-")}_options', ''))]
        if stream:
            arrow = '>' if 'dump' in command else '<'
            words = ['sh', '-c', f'file=$1; shift; exec "$@" {arrow}"$file"', 'sh', stream, *words, '--stream=-']
        try:
            done = self.room.run(*words, timeout=120, env={**os.environ, **self.env, **(env or {})})
            status, printed = done.returncode, done.stdout
        except subprocess.TimeoutExpired as error:
            status, printed = None, f'does not end: {error}'
        text = (images / log).read_text(errors='replace') if (images / log).exists() else ''
        return status, f'{" ".join(map(str, words))}\n{printed}\n' + '\n'.join(text.splitlines()[-400:])

    def dump(self, *options):
        """Dumps the tree; returns the folder of the images."""
        images = self.folder_of_images()
        status, said = self.call_criu('dump', images, '-t', self.pid, *options)
        assert status == 0, f'dump failed with status {status}: {said}'
        return images

    def pre_dump(self, *options):
        """Saves memory while the tree runs; returns the folder of the images."""
        images = self.folder_of_images()
        status, said = self.call_criu('pre-dump', images, '-t', self.pid, *options)
        assert status == 0, f'pre-dump failed with status {status}: {said}'
        return images

    def call_in_room(self, *words):
        """Runs something that must succeed; returns what it said."""
        done = self.room.run(*words, timeout=120)
        assert done.returncode == 0, f'{" ".join(map(str, words))}: {done.returncode}: {done.stdout}'
        return done.stdout

    def check_tree(self):
        """The preflight, with the options of a dump."""
        options = shlex.split(self.subject.about['options']) + shlex.split(self.subject.about['dump_options'])
        said = self.call_in_room(self.criu, 'check', '--tree', self.pid, *options)
        assert 'Nothing is in the way of a dump.' in said, said

    def check_refused(self):
        """The preflight must find what a dump will refuse, unless only the task itself could tell; yields what it said."""
        if 'preflight' in self.subject.about['ignore'].split():
            return
        options = shlex.split(self.subject.about['options']) + shlex.split(self.subject.about['dump_options'])
        done = self.room.run(self.criu, 'check', '--tree', self.pid, *options, timeout=120)
        assert done.returncode == 1, f'check --tree was expected to refuse: {done.returncode}: {done.stdout}'
        yield done.stdout

    def verify(self, images, *more):
        """The images must be whole, and a restore be possible."""
        options = list(more) + shlex.split(self.subject.about['options']) + shlex.split(self.subject.about['restore_options'])
        said = self.call_in_room(self.criu, 'verify', images, *options)
        assert 'The images are whole.\n' in said and 'A restore could begin.\n' in said, said

    def decode_and_encode(self, images):
        """What crit decodes it encodes to the same bytes. Images without a magic have nothing to decode."""
        crit = Path(self.criu).parent / 'crit'
        for image in images.glob('*.img'):
            if image.name.startswith(RAW_IMAGES):
                continue
            text = subprocess.run([crit, 'decode', '-i', image], capture_output=True, check=False)
            assert text.returncode == 0, f'{image.name}: {text.stderr.decode()}'
            again = subprocess.run([crit, 'encode'], input=text.stdout, capture_output=True, check=False)
            assert again.stdout == image.read_bytes(), f'crit changes {image.name}: {again.stderr.decode()}'

    def dump_refused(self):
        """Dumps what must be refused; returns what criu said."""
        status, said = self.call_criu('dump', self.folder_of_images(), '-t', self.pid)
        assert status not in (0, None), f'dump was expected to refuse: {status}: {said}'
        return said

    def await_gone(self):
        """After a dump nothing of the tree may be left, not even a zombie."""
        wait_until(lambda: not self.room.pids(), 5, lambda: f'still there after the dump: {self.room.pids()}')

    def kill(self):
        """Kills the whole tree."""
        self.room.kill(self.room.pids())
        self.await_gone()

    def restore(self, images, *options, stream=None):
        """Restores the tree."""
        has_own_pids = 'pid' in self.house.split(',')
        if has_own_pids:
            options += ('--pidfile', images / 'pidfile')
        status, said = self.call_criu('restore', images, '-d', *options, stream=stream)
        assert status == 0, f'restore failed with status {status}: {said}'
        if has_own_pids:
            self.pid = int((images / 'pidfile').read_text())

    def compare(self, when):
        """The tree must look as before."""
        ignore = self.subject.about['ignore'].split() + list(self.ignore)
        found = list(checks.differences(self.before, checks.snapshot(self.room), '', ignore))
        end = time.monotonic() + 20     # one that polls may be between two system calls, one that was let go not yet stopped again
        while found and time.monotonic() < end:
            time.sleep(0.01)
            found = list(checks.differences(self.before, checks.snapshot(self.room), '', ignore))
        assert not found, f'{when}, the tree differs:\n' + '\n'.join(found) + f'\n{self.told()}'
        files = checks.listing(self.work)
        assert files == self.files, f'{when}, other files lie in the work directory: {self.files} -> {files}'

    def let_go(self):
        """Tells the subject to go on, if that did not happen yet. Returns how many had been reaped by then."""
        if self.released is None:
            self.released = len(self.room.reaped())
            (self.control / 'go').touch()
        return self.released

    def release(self):
        """Lets the subject go on, and judges it and what it leaves behind."""
        since = self.let_go()
        wait_until(lambda: self.status(since) is not None, self.subject.about['seconds'],
                   lambda: f'does not end: {self.told()}')
        status = self.status(since)
        if os.WIFSIGNALED(status):
            name = signal.Signals(os.WTERMSIG(status)).name
            raise AssertionError(f'killed by {name} after the release: {self.told()}')
        assert os.WEXITSTATUS(status) == 0, f'failed with status {os.WEXITSTATUS(status)}: {self.told()}'
        assert not (self.control / 'result').exists(), f'a process of it failed: {self.told()}'
        wait_until(lambda: not self.room.pids(), 3, lambda: f'processes are left over: {self.room.pids()}')
        changed = self.room.changed_mounts(self.mounts)
        assert not changed, f'mounts are left over or lost: {changed}'
