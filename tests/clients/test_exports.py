# SPDX-License-Identifier: GPL-2.0-only
"""
A checkpoint that CRIU 4.2 has made of a container (tests/compat/container) takes the place of the images in a checkpoint of an engine's own,
which brings it to life; then it is checkpointed and restored by this criu, twice.
"""
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from docker import Docker
from engine import need
from podman import Podman
from room import wait_until
from test_crun import crun  # noqa: F401 (a fixture)
from test_lxc import Lxc

IMAGES = Path(__file__).resolve().parents[1] / 'compat/container/images'
SCRIPT = 'i=0; while :; do i=$((i+1)); echo $i > /tmp/count; sleep 0.2; done'      # what it ran
HIERARCHIES = ('blkio', 'cpu', 'cpuacct', 'cpuset', 'devices', 'freezer', 'memory', 'pids', 'systemd')

# What runc gives criu by itself.
WORDS_OF_RUNC = ['empty-ns net', 'external mnt[/dev/null]:/dev/null', *(f'external mnt[/sys/fs/cgroup/{name}]:/sys/fs/cgroup/{name}' for name in HIERARCHIES), '']


def put(folder):
    """The images, with what runc keeps beside them: where the first descriptors led."""
    shutil.copytree(IMAGES, folder, dirs_exist_ok=True)
    (folder / 'descriptors.json').write_text(json.dumps(['/dev/null'] * 3))


def counted(ask):
    """How far it is; the shell empties the file each time."""
    return wait_until(lambda: next((int(word) for word in ask().split() if word.isdigit()), 0), 20)


def await_more(ask, before):
    """It goes on from there. Returns how far it is."""
    wait_until(lambda: counted(ask) > before, 60, 'it does not go on')
    assert counted(ask) < before + 100000
    return counted(ask)


def check_hierarchies():
    """Its mounts of cgroups are those of another machine."""
    if not all(Path('/sys/fs/cgroup', name).is_dir() for name in HIERARCHIES):
        pytest.skip('this machine has not the hierarchies of cgroups of the one where it was made')


def import_it(engine, network, settings, way_out, lines):
    """podman container restore --import. Its root is of mode 0555, that of the checkpoint was 0755."""
    try:
        engine.call('run', '-d', '--name', 'one', '--network', network, 'criu-test', '/bin/sh', '-c', SCRIPT)
        engine.call('container', 'checkpoint', '--compress', 'none', '--export', engine.folder / 'own.tar', 'one')
        engine.call('rm', 'one')
        archive = engine.folder / 'archive'
        archive.mkdir()
        subprocess.run(['tar', '-C', archive, '-xf', engine.folder / 'own.tar'], check=True)
        shutil.rmtree(archive / 'checkpoint')
        put(archive / 'checkpoint')
        subprocess.run(['tar', '-C', archive, '-cf', engine.folder / 'made.tar', '.'], check=True)
        code, said = engine.call('container', 'restore', '--import', engine.folder / 'made.tar', '--name', 'refused', check=False)
        assert code and f'a line {way_out} in {settings}' in engine.cause('restore.log'), said
        settings.parent.mkdir(exist_ok=True)
        settings.write_text('\n'.join((*lines, '')))
        engine.call('container', 'restore', '--import', engine.folder / 'made.tar', '--name', 'two')

        def ask():
            return engine.call('exec', 'two', '/bin/cat', '/tmp/count', check=False)[1]
        number = await_more(ask, 1)
        assert ('eth0' in engine.call('exec', 'two', '/bin/ip', 'addr')) == (network == 'bridge')
        for _ in range(2):
            engine.preflight('two')
            engine.call('container', 'checkpoint', 'two')
            engine.call('container', 'restore', 'two')
            number = await_more(ask, number)
    finally:
        settings.unlink(missing_ok=True)
        engine.close()


@pytest.mark.parametrize('network', ('none', 'bridge'))
def test_podman(criu, network):
    """Podman with runc."""
    need('podman', 'runc', 'busybox')
    check_hierarchies()
    import_it(Podman(criu), network, Path('/etc/criu/runc.conf'), 'skip-file-rwx-check', ['skip-file-rwx-check'])


def test_podman_crun(criu, crun):
    """Podman with crun, which gives neither what runc gives nor an empty network."""
    need('podman', 'busybox')
    check_hierarchies()
    import_it(Podman(criu, crun), 'none', Path('/etc/criu/default.conf'), 'empty-ns', ['skip-file-rwx-check', *WORDS_OF_RUNC])


def test_docker(criu):
    """docker start --checkpoint."""
    need('dockerd', 'docker', 'runc', 'busybox')
    check_hierarchies()
    engine = Docker(criu)
    try:
        engine.start()
        engine.call('run', '-d', '--name', 'one', 'criu-test', '/bin/sh', '-c', SCRIPT)
        engine.call('checkpoint', 'create', 'one', 'first')
        folder = next(engine.folder.glob('data/containers/*/checkpoints/first'))
        for path in folder.glob('*.img'):
            path.unlink()
        put(folder)

        def ask():
            return engine.call('exec', 'one', '/bin/cat', '/tmp/count', check=False)[1]
        number = 1
        for name, following in (('first', 'second'), ('second', 'third'), ('third', 'last')):
            engine.start_from('one', name)
            number = await_more(ask, number)
            engine.preflight('one')
            # Containerd has not yet thrown away what the last one left in its store: "already exists".
            wait_until(lambda name=following: engine.call('checkpoint', 'create', 'one', name, check=False)[0] == 0, 60)
    finally:
        engine.close()


def test_lxc(criu):
    """lxc-checkpoint -r -D. LXC gives neither what runc gives nor an empty network: that stands in a file of criu's."""
    need('lxc-checkpoint', 'busybox')
    check_hierarchies()
    engine, settings = Lxc(criu), Path('/etc/criu/default.conf')
    try:
        root, images = engine.folder / engine.name / 'rootfs', engine.folder / 'images'
        for path in (root, root / 'bin/busybox'):
            path.chmod(0o755)
        put(images)
        code, said = engine.call('checkpoint', '-r', '-D', images, check=False)
        assert code and 'with LXC: a line empty-ns in /etc/criu/default.conf' in said, said
        settings.parent.mkdir(exist_ok=True)
        settings.write_text('\n'.join(WORDS_OF_RUNC))
        engine.call('checkpoint', '-r', '-D', images)

        def ask():
            return engine.call('attach', '--', '/bin/busybox', 'cat', '/tmp/count', check=False)[1]
        number = await_more(ask, 1)
        for name in ('first', 'second'):
            engine.call('checkpoint', '-s', '-D', engine.folder / name)
            engine.call('checkpoint', '-r', '-D', engine.folder / name)
            number = await_more(ask, number)
    finally:
        settings.unlink(missing_ok=True)
        engine.close()
