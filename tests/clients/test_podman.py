# SPDX-License-Identifier: GPL-2.0-only
"""Containers of podman with runc, as people run them: each is checkpointed and restored twice in a row and goes on."""
import shutil
import socket
import time
from pathlib import Path

import pytest
from podman import Podman

# Not here: -v /run:/x and -v /:/x. runc 1.1 binds such a folder for the time of a restore and detaches it, and where the host's mounts below
# it are shared they go as well, those of podman's networks among them.
OPTIONS = [
    '', '--network none', '--network host', '-t', '-t --network none', '-i', '-it', '--read-only', '--tmpfs /x', '--user 1000', '--hostname foo',
    '--pid host', '--uts host', '--privileged', '--privileged -t', '--cap-drop ALL', '--security-opt seccomp=unconfined', '--init', '--shm-size 10m',
    '--cgroupns host', '--ulimit nofile=100', '--device /dev/null:/dev/xnull', '--mount type=tmpfs,dst=/t', '-v named:/n',
    '-v {folder}/image:/v', '-v {folder}/image:/v:O', '-v {folder}/image:/v:ro', '--mount type=bind,src={folder}/image,dst=/b,ro',
    '--mount type=image,src=criu-test,dst=/i', '-v /dev:/host/dev', '-v /sys:/sys', '--systemd always',
    '--sysctl net.ipv4.ip_forward=1', '--oom-score-adj 100', '--pids-limit 50', '--no-hosts', '--umask 077', '--uidmap 0:100000:65536', '--userns auto',
]


@pytest.fixture
def podman(criu):
    """A Podman."""
    for program in ('podman', 'runc', 'busybox'):
        if not shutil.which(program):
            pytest.skip(f'there is no {program}: tools/install-deps clients')
    made = Podman(criu)
    yield made
    made.close()


@pytest.mark.parametrize('options', OPTIONS)
def test_options(podman, options):
    """podman run with this option."""
    podman.run('one', *options.format(folder=podman.folder).split())
    podman.twice('one')


def test_leave_running(podman):
    """The container runs on, and can be checkpointed again."""
    podman.run('one')
    before = podman.count('one')
    podman.call('container', 'checkpoint', '--leave-running', 'one')
    podman.wait_more('one', before)
    podman.twice('one')


def test_export_and_import(podman):
    """An archive is restored under another name, twice, beside each other."""
    podman.run('one', '--network', 'none')
    archive = podman.folder / 'one.tar.zst'
    podman.call('container', 'checkpoint', '--export', archive, 'one')
    before = podman.count('one')
    podman.call('rm', 'one')
    for name in ('two', 'three'):
        podman.call('container', 'restore', '--import', archive, '--name', name)
    for name in ('two', 'three'):
        podman.wait_more(name, before)
        assert podman.call('exec', name, '/bin/cat', '/dev/shm/kept').strip() == 'kept'


def test_pre_checkpoint(podman):
    """Memory is saved in two steps."""
    podman.run('one', '--network', 'none')
    first, last = podman.folder / 'first.tar.gz', podman.folder / 'last.tar.gz'
    podman.call('container', 'checkpoint', '--pre-checkpoint', '--export', first, '--compress', 'gzip', 'one')
    podman.call('container', 'checkpoint', '--with-previous', '--export', last, '--compress', 'gzip', 'one')
    before = podman.count('one')
    podman.call('rm', 'one')
    podman.call('container', 'restore', '--import-previous', first, '--import', last)
    podman.wait_more('one', before)


def test_statistics(podman):
    """podman reads the statistics of a checkpoint and of a restore."""
    podman.run('one')
    assert 'frozen_time' in podman.call('container', 'checkpoint', '--print-stats', 'one')
    assert 'restore_time' in podman.call('container', 'restore', '--print-stats', 'one')


def test_pod(podman):
    """One container of a pod shares the pod's network; the others run on."""
    podman.call('pod', 'create', '--name', 'pod', check=False)
    podman.run('one', '--pod', 'pod')
    podman.run('two', '--pod', 'pod')
    podman.twice('one')
    podman.wait_more('two', podman.count('two'))


def test_pid_of_another(podman):
    """--pid container:OTHER."""
    podman.run('other')
    podman.run('one', '--pid', 'container:other')
    podman.twice('one')


def test_network_is_that_of_the_engine(podman):
    """The default network: address and routes are there after the restore, and packets go."""
    podman.run('one')
    before = podman.call('exec', 'one', '/bin/ip', '-4', 'addr')
    if 'eth0' not in before:
        pytest.skip('podman has made no network here')
    podman.twice('one')
    assert 'eth0' in podman.call('exec', 'one', '/bin/ip', '-4', 'addr')
    gateway = podman.state('one')['NetworkSettings']['Networks']['podman']['Gateway']
    assert f'default via {gateway}' in podman.call('exec', 'one', '/bin/ip', 'route')


def talk(connection):
    """One line there, the same back."""
    text = f'{time.monotonic_ns()}\n'.encode()
    connection.sendall(text)
    assert connection.makefile('rb').readline() == text


def test_established_connection(podman):
    """A client outside keeps its connection: --tcp-established. Without, podman says what to do."""
    podman.run('one', '--ip', '10.88.77.7', script='nc -l -p 7777 -e cat & ' + 'echo kept > /dev/shm/kept; i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done')
    try:
        connection = socket.create_connection(('10.88.77.7', 7777), timeout=20)
    except OSError as error:
        pytest.skip(f'no network of podman: {error}')
    with connection:
        talk(connection)
        code, said = podman.call('container', 'checkpoint', 'one', check=False)
        assert code and '--tcp-established' in said + podman.logs()
        talk(connection)
        podman.twice('one', '--tcp-established')
        talk(connection)


def test_changed_image_file(podman):
    """A file of the image that is in use was replaced, another removed."""
    script = 'cp /etc/passwd /etc/other; exec 3</etc/passwd; rm /etc/passwd; exec 4</etc/group; cp /etc/other /etc/new; mv /etc/new /etc/group; ' \
             'echo kept > /dev/shm/kept; i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done'
    podman.run('one', script=script)
    podman.twice('one')
    pid = podman.state('one')['State']['Pid']
    assert 'user:x:1000' in Path(f'/proc/{pid}/fd/3').read_text()
