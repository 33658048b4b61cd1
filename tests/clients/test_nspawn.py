# SPDX-License-Identifier: GPL-2.0-only
"""
Containers of systemd-nspawn. It has no words for checkpoints and ends with its container, so criu dumps the container and restores it without
it: a command, and a whole Debian with systemd as its first process, journald, D-Bus, logind and services. Twice in a row.
"""
import os
import pty
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from engine import need
from room import wait_until

# A directory through which the host's systemd-nspawn would propagate mounts: it is removed with the container.
LEFT_OUT = ['--skip-mnt', '/run/host/incoming']
FROM_OUTSIDE = ['--external', 'mnt[]:m']
COUNT = 'echo kept > /dev/shm/kept; i=0; while :; do i=$((i+1)); echo $i > /run/new; mv /run/new /run/count; sleep 0.1; done'
SERVICE = f"""[Service]
ExecStart=/bin/sh -c '{COUNT}'
[Install]
WantedBy=multi-user.target
"""


def remove(cgroup):
    """Whether it is gone: processes that were killed may still be there."""
    try:
        cgroup.rmdir()
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True


class Container:
    """One, with a terminal that we keep: after a restore it is that of its processes."""

    def __init__(self, criu, folder):
        self.criu, self.folder, self.root = criu, folder, folder / 'root'
        self.master, self.slave = pty.openpty()
        self.first = self.nspawn = None
        # One that systemd-nspawn may give to users of its own.
        self.cgroups = [path / folder.name for path in map(Path, ('/sys/fs/cgroup', '/sys/fs/cgroup/systemd', '/sys/fs/cgroup/unified'))
                        if (path / 'cgroup.procs').exists()]

    def enter_cgroups(self):
        """Before systemd-nspawn is executed."""
        for path in self.cgroups:
            path.mkdir(exist_ok=True)
            (path / 'cgroup.procs').write_text('0')

    def start(self, *words):
        """Runs systemd-nspawn."""
        (self.folder / 'out').touch()
        with (self.folder / 'out').open('w') as out:
            self.nspawn = subprocess.Popen(['systemd-nspawn', '--register=no', '--keep-unit', '-D', self.root, *words], stdin=self.slave, stdout=out,
                                           stderr=out, preexec_fn=self.enter_cgroups)
        children = Path(f'/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children')
        wait_until(lambda: self.nspawn.poll() is not None or self.count() > 2, 60, lambda: f'it does not start: {self.said()}')
        if self.nspawn.poll() is not None:
            pytest.skip(f'systemd-nspawn cannot run a container here: {self.said()[-300:]}')
        self.first = int(children.read_text().split()[0])

    def said(self):
        """What nspawn and its container wrote."""
        return (self.folder / 'out').read_text(errors='replace')

    def count(self):
        """How far the program has counted."""
        first = self.first
        if not first:
            children = Path(f'/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children').read_text().split()
            first = int(children[0]) if children else 0
        path = Path(f'/proc/{first}/root/run/count')
        try:
            return int(path.read_text() or 0)
        except OSError:
            return 0

    def run(self, *words):
        """A command in the container; returns what it printed."""
        return subprocess.run(['nsenter', '-t', str(self.first), '-a', *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=60, check=False).stdout

    def terminals(self):
        """How criu names the terminal that some process has."""
        for pid in self.pids():
            for path in Path(f'/proc/{pid}/fd').iterdir():
                if os.readlink(path).startswith('/dev/pts/'):
                    st = path.stat()
                    return [f'tty[{st.st_rdev:x}:{st.st_dev:x}]']
        return []

    def links(self):
        """Names of its network devices."""
        return sorted(line.split(':')[1].split('@')[0] for line in self.run('ip', '-o', 'link').splitlines())

    def pids(self):
        """Of all its processes, from outside."""
        space = os.readlink(f'/proc/{self.first}/ns/pid')
        for path in Path('/proc').glob('[0-9]*'):
            try:
                if os.readlink(path / 'ns/pid') == space:
                    yield path.name
            except OSError:
                pass

    def call(self, verb, images, *options):
        """Runs criu; its log is in the message of a failure."""
        code = subprocess.run([self.criu, verb, '-D', images, '-v4', '-o', f'{verb}.log', '--file-locks', *FROM_OUTSIDE, *options],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=[self.slave], timeout=120,
                              check=False).returncode
        assert code == 0, '\n'.join((images / f'{verb}.log').read_text(errors='replace').splitlines()[-40:])

    def checkpoint(self, number):
        """Dumps it, and restores it; it goes on counting."""
        images = self.folder / f'images{number}'
        images.mkdir()
        names = self.terminals()
        check = subprocess.run([self.criu, 'check', '--tree', str(self.first), '--file-locks', *LEFT_OUT, *FROM_OUTSIDE,
                                *(word for name in names for word in ('--external', name))], stdout=subprocess.PIPE, text=True, check=False)
        assert check.returncode == 0, check.stdout
        self.call('dump', images, '-t', str(self.first), *LEFT_OUT, *(word for name in names for word in ('--external', name)))
        self.nspawn.wait(60)
        pidfile = images / 'pid'
        self.call('restore', images, '-d', '--root', self.root, '--pidfile', pidfile,
                  *(word for name in names for word in ('--inherit-fd', f'fd[{self.slave}]:{name}')))
        self.first = int(pidfile.read_text())
        before = self.count()
        wait_until(lambda: self.count() > before, 60, 'it does not go on')
        assert 2 < self.count() < 10000
        assert self.run('/bin/cat', '/dev/shm/kept') == 'kept\n'

    def close(self):
        """Kills it."""
        if self.first:
            try:
                os.kill(self.first, 9)
            except ProcessLookupError:
                pass
        if self.nspawn:
            self.nspawn.kill()
            self.nspawn.wait()
        os.close(self.master)
        os.close(self.slave)
        for top in self.cgroups:
            for path in sorted((path for path in top.glob('**/') if path.is_dir()), reverse=True):
                wait_until(lambda path=path: remove(path), 20, f'{path} is still in use')


@pytest.fixture
def container(criu):
    """A Container."""
    need('systemd-nspawn', 'busybox')
    folder = Path('/var/tmp') / f'criu-nspawn-{os.getpid()}-{time.monotonic_ns()}'
    folder.mkdir()
    made = Container(criu, folder)
    yield made
    made.close()
    shutil.rmtree(folder)


@pytest.mark.parametrize('words', [(), ('-U', '--private-users-ownership=off')], ids=['root', 'users'])
def test_command(container, words):
    """A shell, with the init of systemd-nspawn; also with users of its own."""
    for name in ('bin', 'usr', 'etc', 'proc', 'dev', 'sys', 'tmp', 'run'):
        (container.root / name).mkdir(parents=True)
    (container.root / 'etc/os-release').write_text('ID=test\n')
    shutil.copy(shutil.which('busybox'), container.root / 'bin/busybox')
    for name in ('sh', 'sleep', 'cat', 'mv', 'echo'):
        (container.root / 'bin' / name).symlink_to('busybox')
    container.start(*words, '--as-pid2', '/bin/sh', '-c', COUNT)
    for number in (1, 2):
        container.checkpoint(number)


@pytest.mark.parametrize('words', [(), ('-U',), ('--private-network',), ('--network-veth',), ('-U', '--network-veth')], ids=' '.join)
def test_system(container, build, words):
    """Debian: its services run on, can be restarted, write to the journal and speak with each other."""
    if not (build / 'system.tar').exists():
        pytest.skip('there is no system.tar: tests/clients/build-system')
    container.root.mkdir()
    subprocess.run(['tar', '-C', container.root, '-xf', build / 'system.tar'], check=True)
    service = container.root / 'etc/systemd/system/count.service'
    service.write_text(SERVICE.replace('$', '$$'))
    (service.parent / 'multi-user.target.wants/count.service').symlink_to('/etc/systemd/system/count.service')
    container.start(*words, '-b')
    # The terminal has its agetty, the last of all that is started.
    wait_until(lambda: 'login:' in container.said(), 60, container.said)
    links = container.links()
    for number in (1, 2):
        container.checkpoint(number)
        assert container.links() == links
        running = container.run('systemctl', 'list-units', '--no-pager', '--no-legend', '--type=service', '--state=running')
        for name in ('count', 'cron', 'dbus', 'systemd-journald', 'systemd-logind'):
            assert f'{name}.service' in running, running
        assert container.run('systemctl', '--no-pager', '--no-legend', '--failed') == ''
        assert container.run('systemctl', 'restart', 'cron') == ''
        assert 'systemd-logind' in container.run('busctl', '--no-pager', 'list')
        container.run('sh', '-c', f'echo hello {number} | systemd-cat -t test; journalctl --sync')
        assert f'hello {number}' in container.run('journalctl', '--no-pager', '-t', 'test')
