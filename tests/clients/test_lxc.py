# SPDX-License-Identifier: GPL-2.0-only
"""A container of LXC with a busybox system, privileged or with users of its own: lxc-checkpoint -s and -r, twice in a row."""
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from engine import need
from room import wait_until

# What its template writes and this machine may lack; no network but lo, no terminals of the host.
UNWANTED = ('lxc.net.', 'lxc.apparmor.', 'lxc.tty.max')
# Its own word for a machine without AppArmor is still handed to criu.
ADDED = 'lxc.apparmor.profile = unconfined\nlxc.net.0.type = empty\nlxc.tty.max = 0\nlxc.console.path = none\n'


class Lxc:
    """One container."""

    def __init__(self, criu):
        self.folder = Path(tempfile.mkdtemp(prefix='criu-lxc-', dir='/var/tmp'))
        self.name = f'criu-test-{os.getpid()}'
        (self.folder / 'bin').mkdir()
        (self.folder / 'bin/criu').symlink_to(criu)
        self.env = {**os.environ, 'PATH': f"{self.folder / 'bin'}:{os.environ.get('PATH', '/usr/sbin:/usr/bin:/sbin:/bin')}"}
        self.call('create', '-t', 'busybox')
        config = self.folder / self.name / 'config'
        lines = [line for line in config.read_text().splitlines() if not line.startswith(UNWANTED)]
        config.write_text('\n'.join(lines) + '\n' + ADDED)

    def map_users(self):
        """It gets users of its own, as containers of ordinary users have."""
        for name in ('uid', 'gid'):
            with open(f'/etc/sub{name}', 'a', encoding='ascii') as file:
                file.write('root:100000:65536\n')
        with (self.folder / self.name / 'config').open('a') as config:
            config.write('lxc.idmap = u 0 100000 65536\nlxc.idmap = g 0 100000 65536\n')
        for path in (self.folder, self.folder / self.name):
            path.chmod(0o755)
        root = self.folder / self.name / 'rootfs'
        for path in (root, *root.rglob('*')):
            st = path.lstat()
            os.lchown(path, 100000 + st.st_uid, 100000 + st.st_gid)

    def install(self, archive, users):
        """A whole system in the place of busybox. With all power its systemd would make BPF programs."""
        root = self.folder / self.name / 'rootfs'
        shutil.rmtree(root)
        root.mkdir()
        subprocess.run(['tar', '-C', root, '-xf', archive], check=True)
        (self.folder / self.name / 'config').write_text(f'lxc.include = /usr/share/lxc/config/common.conf\nlxc.rootfs.path = dir:{root}\n'
                                                        f'lxc.uts.name = system\n{ADDED}')
        if users == 'unprivileged':
            with (self.folder / self.name / 'config').open('a') as config:
                config.write('lxc.include = /usr/share/lxc/config/userns.conf\n')
        else:
            drop_in = root / 'etc/systemd/system/service.d/no-addresses.conf'
            drop_in.parent.mkdir()
            drop_in.write_text('[Service]\nIPAddressDeny=\nIPAddressAllow=\n')

    def call(self, verb, *words, check=True):
        """Runs lxc-VERB; its output goes to a file, which a restored container may keep open."""
        with tempfile.TemporaryFile('w+', dir=self.folder) as output:
            code = subprocess.run([f'lxc-{verb}', '-P', self.folder, '-n', self.name, *map(str, words)], env=self.env, timeout=120,
                                  stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False).returncode
            output.seek(0)
            said = output.read()
        logs = ''.join(path.read_text(errors='replace')[-2000:] for path in self.folder.glob('images*/*.log'))
        assert not check or code == 0, f'lxc-{verb} {" ".join(map(str, words))}: {code}: {said}{logs}'
        return said if check else (code, said)

    def start(self):
        """Starts it, or skips the test."""
        code, said = self.call('start', '-d', check=False)
        if code:
            pytest.skip(f'LXC cannot start a container here: {said.strip()}')

    def preflight(self):
        """criu check --tree says that LXC can checkpoint it."""
        report = json.loads(subprocess.run([self.folder / 'bin/criu', 'check', '--tree', self.call('info', '-p', '-H').strip(), '--json', '-v0'],
                                           stdout=subprocess.PIPE, check=False).stdout)
        assert report.get('container', report)['dump_should_succeed'], report
        return report

    def runs(self, *programs):
        """Whether its system logger and these are there."""
        seen = self.call('attach', '--', 'ps', check=False)[1]
        return all(program in seen for program in ('syslogd', *programs))

    def close(self):
        """Removes it."""
        self.call('stop', '-k', check=False)
        self.call('destroy', '-f', check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
def lxc(criu):
    """An Lxc."""
    need('lxc-checkpoint', 'busybox')
    made = Lxc(criu)
    yield made
    made.close()


def test_message(lxc):
    """What lxc-checkpoint prints of a checkpoint that is refused names the object and the way out; the container runs on."""
    lxc.start()
    wait_until(lxc.runs, 60, 'it does not start')
    library = Path('/usr/lib/x86_64-linux-gnu')     # which LXC binds into it
    shutil.copy(shutil.which('flock'), lxc.folder / lxc.name / 'rootfs/bin')
    lxc.call('attach', '--', 'sh', '-c', f'setsid {library}/ld-linux-x86-64.so.2 --library-path {library} /bin/flock /tmp/lock sleep 54321 > /dev/null 2>&1 &')
    wait_until(lambda: '--file-locks' in str(lxc.preflight()['obstacles']), 60, 'LXC gives that by itself, a dump without options does not')
    lxc.call('attach', '--', 'sh', '-c', 'exec 5<> /dev/shm/big; dd if=/dev/zero of=/dev/shm/big bs=1M count=3; rm /dev/shm/big; '
             'setsid sleep 54321 < /dev/null > /dev/null 2>&1 &')
    wait_until(lambda: lxc.runs('sleep 54321'), 60, 'there is no sleep')
    code, said = lxc.call('checkpoint', '-s', '-D', lxc.folder / 'images', check=False)
    assert code and '/dev/shm/big' in said and '--ghost-limit' in said and 'a line ghost-limit in /etc/criu/default.conf' in said
    assert lxc.runs('sleep 54321')


@pytest.mark.parametrize('users', ('privileged', 'unprivileged'))
def test_twice(lxc, users):
    """A file in a tmpfs and a sleeping process of the container's survive."""
    if users == 'unprivileged':
        lxc.map_users()
    lxc.start()
    wait_until(lxc.runs, 60, 'it does not start')
    lxc.call('attach', '--', 'sh', '-c', 'echo kept > /dev/shm/kept; setsid sleep 54321 < /dev/null > /dev/null 2>&1 &')
    for number in (1, 2):
        images = lxc.folder / f'images{number}'
        lxc.preflight()
        lxc.call('checkpoint', '-s', '-D', images)
        assert 'RUNNING' not in lxc.call('info', '-s')
        lxc.call('checkpoint', '-r', '-D', images)
        wait_until(lambda: lxc.runs('sleep 54321'), 60, 'it does not go on')
        assert 'kept\n' in lxc.call('attach', '--', 'cat', '/dev/shm/kept')


@pytest.mark.parametrize('users', ('privileged', 'unprivileged'))
def test_attached(lxc, users):
    """What lxc-attach started with the /dev/null of the host goes on, twice."""
    if users == 'unprivileged':
        lxc.map_users()
    lxc.start()
    wait_until(lxc.runs, 60, 'it does not start')
    subprocess.run(['lxc-attach', '-P', lxc.folder, '-n', lxc.name, '--', 'sh', '-c', 'setsid sleep 54321 &'], stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=True)
    wait_until(lambda: lxc.runs('sleep 54321'), 60, 'there is no sleep')
    for number in (1, 2):
        images = lxc.folder / f'images{number}'
        lxc.preflight()
        lxc.call('checkpoint', '-s', '-D', images)
        lxc.call('checkpoint', '-r', '-D', images)
        wait_until(lambda: lxc.runs('sleep 54321'), 60, 'it does not go on')
        pid = next(line.split()[0] for line in lxc.call('attach', '--', 'ps').splitlines() if 'sleep 54321' in line)
        assert all(lxc.call('attach', '--', 'stat', '-L', '-c', '%t:%T', f'/proc/{pid}/fd/{fd}').strip() == '1:3' for fd in range(3))


@pytest.mark.parametrize('users', ('privileged', 'unprivileged'))
def test_system(lxc, build, users):
    """A whole Debian, with users of its own or, without limits of services to addresses, as root: its services run on, write to the journal and can be started again."""
    if not (build / 'system.tar').exists():
        pytest.skip('there is no system.tar: tests/clients/build-system')
    lxc.install(build / 'system.tar', users)
    if users == 'unprivileged':
        lxc.map_users()
    lxc.start()
    # Some units have no rights there, so it may never be more than "degraded".
    wait_until(lambda: lxc.call('attach', '--', 'systemctl', 'is-system-running', check=False)[1].strip() in ('running', 'degraded'), 60)
    failed = lxc.call('attach', '--', 'systemctl', '--failed', '--no-legend', '--no-pager')
    for number in (1, 2):
        images = lxc.folder / f'images{number}'
        lxc.preflight()
        lxc.call('checkpoint', '-s', '-D', images)
        lxc.call('checkpoint', '-r', '-D', images)
        assert lxc.call('attach', '--', 'systemctl', '--failed', '--no-legend', '--no-pager') == failed
        lxc.call('attach', '--', 'sh', '-c', f'echo hello {number} | systemd-cat -t test; journalctl --sync')
        assert f'hello {number}' in lxc.call('attach', '--', 'journalctl', '--no-pager', '-t', 'test')
        lxc.call('attach', '--', 'systemctl', 'restart', 'cron')
        # It can only come to be there if systemd may move it into its cgroup; else it fails with 219/CGROUP.
        wait_until(lambda: '/usr/sbin/cron' in lxc.call('attach', '--', 'systemctl', 'status', 'cron', '--no-pager', check=False)[1].split('CGroup:')[-1], 60)


@pytest.mark.parametrize('users', ('privileged', 'unprivileged'))
def test_flags(lxc, users):
    """Each option of lxc-checkpoint: pre-dumps upon each other, left running, with criu's whole log, an action script, and in the foreground."""
    if users == 'unprivileged':
        lxc.map_users()
    lxc.start()
    wait_until(lxc.runs, 60, 'it does not start')
    lxc.call('attach', '--', 'sh', '-c', 'echo kept > /dev/shm/kept; setsid sleep 54321 < /dev/null > /dev/null 2>&1 &')
    wait_until(lambda: lxc.runs('sleep 54321'), 60, 'there is no sleep')
    script = lxc.folder / 'script'
    script.write_text(f'#!/bin/sh\necho $CRTOOLS_SCRIPT_ACTION >> {lxc.folder}/calls\n')
    script.chmod(0o755)
    steps = lxc.folder / 'steps'
    steps.mkdir()
    lxc.call('checkpoint', '-p', '-D', steps / 'one')
    lxc.call('checkpoint', '-p', '-D', steps / 'two', '--predump-dir', '../one')
    lxc.call('checkpoint', '-D', lxc.folder / 'left')
    assert lxc.runs('sleep 54321') and (lxc.folder / 'left/inventory.img').exists()
    lxc.call('checkpoint', '-s', '-v', '-A', script, '-D', steps / 'three', '--predump-dir', '../two')
    assert os.readlink(steps / 'three/parent') == '../two' and 'RUNNING' not in lxc.call('info', '-s')
    lxc.call('checkpoint', '-r', '-v', '-A', script, '-D', steps / 'three')
    wait_until(lambda: lxc.runs('sleep 54321'), 60, 'it does not go on')
    assert {'post-dump', 'post-restore'} <= set((lxc.folder / 'calls').read_text().split())
    lxc.call('checkpoint', '-s', '-D', lxc.folder / 'again')
    with (lxc.folder / 'foreground').open('w') as output:
        front = subprocess.Popen(['lxc-checkpoint', '-P', lxc.folder, '-n', lxc.name, '-r', '-F', '-D', lxc.folder / 'again'], env=lxc.env,
                                 stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    wait_until(lambda: lxc.runs('sleep 54321'), 60, lambda: (lxc.folder / 'foreground').read_text())
    assert front.poll() is None and 'kept\n' in lxc.call('attach', '--', 'cat', '/dev/shm/kept')
    lxc.call('stop', '-k')
    assert front.wait(60) == 0
