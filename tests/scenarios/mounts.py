# SPDX-License-Identifier: GPL-2.0-only
"""Programs in mount namespaces of their own, for the tests of mounts."""
import shlex
import shutil

from room import PROGRAMS, wait_until

PROGRAM = PROGRAMS / 'say-after-restore.py'


class Program:
    """A program in a mount namespace of its own, which says what an expression is worth there after the restore."""

    def __init__(self, room, criu, folder):
        self.room, self.criu, self.folder = room, criu, folder
        self.out, self.images = folder / 'out', folder / 'images'
        self.out.mkdir()
        self.images.mkdir()
        self.pid = None

    def start(self, script, unshare=('-m',)):
        """Runs a script in a new mount namespace, as an orphan that leads its session; it must end in the program."""
        self.pid = self.room.start(self.folder / 'output', '/usr/bin/unshare', *unshare, '/bin/sh', '-ec', script, cwd='/')
        wait_until((self.out / 'ready').exists, 30, lambda: (self.folder / 'output').read_text())

    def start_python(self, script, expression, unshare=('-m',)):
        """The same, with the program above behind the script."""
        self.start(f'{script}\nexec /usr/bin/python3 {PROGRAM} {self.out} {shlex.quote(expression)}', unshare)

    def start_rooted(self, prepare, expression, before='', own_root=None):
        """
        The same below a root directory of its own, with its own pids. prepare: what the shell does in that directory, to the mounts that
        the program shall find; before: the function of the program that is called first. Returns the options that dump and restore need for it.
        """
        root = self.folder / 'root'
        for name in ('usr', 'proc', 'out', 'old', 'tmp'):
            (root / name).mkdir(parents=True, exist_ok=True)
        for name in ('bin', 'lib', 'lib64'):
            (root / name).symlink_to(f'usr/{name}')
        shutil.copy(PROGRAM, root / 'program.py')
        own_root = own_root or 'mount --make-rprivate /; mount --bind {root} {root}'
        self.start(f'{own_root.format(root=root)}; mount --bind /usr {root}/usr; mount --bind {self.out} {root}/out; '
                   f'cd {root}; {prepare}\npivot_root . old; cd /; mount -t proc proc /proc; mount --make-rprivate /old; umount -l /old; '
                   f'exec setsid /usr/bin/python3 /program.py /out {shlex.quote(expression)} {before} </program.py >/out/output 2>&1',
                   ('-pfm', '--propagation', 'unchanged'))
        self.pid = next(pid for pid in self.room.pids() if self.is_first(pid))
        named = (('usr', '/usr'), ('out', str(self.out)))
        return ([word for name, _ in named for word in ('--external', f'mnt[/{name}]:{name}')],
                [word for name, path in named for word in ('--external', f'mnt[{name}]:{path}')] + ['--root', str(root)])

    def is_first(self, pid):
        """Whether that process of the room is the first one of pids of its own."""
        status = (self.room.proc / str(pid) / 'status').read_text()
        return status.split('NSpid:')[1].splitlines()[0].split()[-1] == '1'

    def call(self, command, *options, env=None):
        """One command of criu; its result and its log."""
        done = self.room.run(self.criu, command, '-D', self.images, '-v4', '-o', f'{command}.log', *options, env=env)
        log = self.images / f'{command}.log'
        return done.returncode, log.read_text() if log.exists() else done.stdout

    def dump(self, *options):
        """Must succeed."""
        code, said = self.call('dump', '-t', self.pid, *options)
        assert code == 0, said
        wait_until(lambda: self.pid not in self.room.pids(), 10)

    def restore(self, *options):
        """Must succeed; what the program says then."""
        code, said = self.call('restore', '-d', *options)
        assert code == 0, said
        return self.ask()

    def ask(self):
        """What the program says now."""
        (self.out / 'go').touch()
        wait_until((self.out / 'said').exists, 30)
        return (self.out / 'said').read_text()

    def mounts(self):
        """What is mounted in the namespace of the room."""
        return (self.room.proc / '1/mountinfo').read_text()


def make_files(folder, **files):
    """A directory with files."""
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder
