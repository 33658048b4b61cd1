# SPDX-License-Identifier: GPL-2.0-only
"""Containers of docker: docker checkpoint create, docker start --checkpoint, twice in a row."""
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from docker import Docker
from engine import COUNT, need, talk
from room import PROGRAMS, wait_until

OPTIONS = [
    '', '--network none', '--network host', '-t', '-i', '-it', '--read-only', '--tmpfs /x', '--user 1000', '--hostname foo', '--pid host', '--ipc host', '--ipc container:other', '--network container:other', '--pid container:other', '--volumes-from other',
    '--ipc shareable', '--uts host', '--privileged', '--privileged -t', '--cap-drop ALL', '--cap-add ALL', '--security-opt seccomp=unconfined',
    '--security-opt no-new-privileges', '--init', '--shm-size 10m', '--cgroupns host', '--cgroupns private', '--ulimit nofile=100',
    '--device /dev/null:/dev/xnull', '--mount type=tmpfs,dst=/t', '-v named:/n', '-v /n', '-v {folder}/image:/v', '-v {folder}/image:/v:ro',
    '-v /dev:/host/dev', '-v /sys:/sys', '-v /run:/hostrun', '--sysctl net.ipv4.ip_forward=1', '--oom-score-adj 100', '--pids-limit 50', '--memory 100m',
    '--cpus 1', '--health-cmd true --health-interval 1s', '--log-driver local', '-p 127.0.0.1:8081:80', '--add-host a:1.2.3.4',
    '--dns 1.2.3.4', '--env A=b', '--workdir /tmp', '--stop-signal INT', '--group-add 7', '--cgroup-parent /criu-test',
    '--blkio-weight 100', '--cpu-period 50000 --cpu-quota 20000', '--cpuset-mems 0', '--dns-option ndots:2', '--domainname a.b', '--ipc none',
    '--ipc private', '--mount type=bind,src=/etc,dst=/h,bind-propagation=rshared', '-v /etc:/h:rslave', '--mount type=tmpfs,dst=/t,tmpfs-size=1m',
    '--oom-kill-disable --memory 100m', '--read-only --tmpfs /tmp -t --init', '--userns host', '--security-opt systempaths=unconfined',
    '--uts host --pid host --network host --ipc host', '--memory-reservation 50m',
]

# As --privileged, which asks for more than root has on some machines.
MUCH = ['--security-opt', 'seccomp=unconfined', '--security-opt', 'systempaths=unconfined', '--device-cgroup-rule', 'a *:* rwm',
        *(f'--cap-add={name}' for name in ('SYS_ADMIN', 'NET_ADMIN', 'SYS_PTRACE', 'SYS_MODULE', 'DAC_READ_SEARCH', 'IPC_LOCK', 'SYSLOG'))]


@pytest.fixture(scope='module')
def daemon(criu):
    """A Docker."""
    need('dockerd', 'docker', 'runc', 'busybox')
    made = Docker(criu)
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
def docker(daemon):
    """A Docker without containers."""
    yield daemon
    daemon.clear()


@pytest.mark.parametrize('options', OPTIONS)
def test_options(docker, options):
    """docker run with this option."""
    if 'other' in options:
        docker.run('other', '-v', '/n', '--ipc', 'shareable')
    docker.run('one', *options.format(folder=docker.folder).split())
    docker.twice('one')


def test_network(docker):
    """docker makes the network again; its sysctls are those of before."""
    docker.run('one', '--sysctl', 'net.ipv4.ip_default_ttl=77')
    ask = ('exec', 'one', '/bin/sh', '-c', 'ip -o -4 addr | busybox sed "s/^[0-9]*//"; ip route; cat /proc/sys/net/ipv4/ip_default_ttl')
    before = docker.call(*ask)
    assert 'eth0' in before
    docker.twice('one')
    assert docker.call(*ask) == before


def test_exec(docker):
    """What `docker exec` started is part of the container."""
    docker.run('one')
    docker.exec_twice('one')


def test_leave_running(docker):
    """The container runs on, and an older checkpoint can be restored."""
    docker.run('one')
    docker.call('checkpoint', 'create', '--leave-running', 'one', 'first')
    before = docker.count('one')
    docker.wait_more('one', before)
    assert docker.call('checkpoint', 'ls', 'one').split()[-1] == 'first'
    docker.call('kill', 'one')
    docker.start_from('one', 'first')
    docker.wait_more('one', before)


def test_established_connection(docker):
    """A client outside keeps its connection when /etc/criu/runc.conf says tcp-established. Without, docker says what is in the way."""
    docker.run('one', script='nc -l -p 7777 -e cat & ' + COUNT)
    address = docker.state('one')['NetworkSettings']['IPAddress']
    with socket.create_connection((address, 7777), timeout=20) as connection:
        talk(connection)
        code, said = docker.call('checkpoint', 'create', 'one', 'refused', check=False)
        assert code, said
        talk(connection)
        Path('/etc/criu').mkdir(exist_ok=True)
        Path('/etc/criu/runc.conf').write_text('tcp-established\n')
        docker.twice('one')
        talk(connection)
        Path('/etc/criu/runc.conf').unlink()


def test_docker_in_docker(docker):
    """A privileged container with a docker of its own and a container of that, which counts and answers on a port that is published twice."""
    root = docker.folder / 'outer'
    for name in ('usr', 'proc', 'sys', 'dev', 'tmp', 'run', 'var/log', 'root'):
        (root / name).mkdir(parents=True)
    for name in ('bin', 'sbin', 'lib', 'lib64'):
        (root / name).symlink_to(f'usr/{name}')
    shutil.copytree('/etc', root / 'etc', symlinks=True)
    (root / 'var/run').symlink_to('/run')
    for path in (docker.folder / 'image.tar', PROGRAMS / 'docker-in-docker.sh'):
        shutil.copy(path, root)
    subprocess.run(['tar', '-C', root, '-cf', docker.folder / 'outer.tar', '.'], check=True)
    docker.call('import', docker.folder / 'outer.tar', 'criu-test-outer')
    docker.call('run', '-d', '--name', 'one', *MUCH, '-v', '/usr:/usr:ro', '-v', '/var/lib/docker', 'criu-test-outer', 'sh', '/docker-in-docker.sh')
    docker.wait_more('one', 2)

    def inner():
        said = docker.call('exec', 'one', 'sh', '-c', 'cat /var/lib/docker/overlay2/*/merged/n', check=False)[1].split()
        return int(said[-1]) if said and said[-1].isdigit() else 0
    Path('/etc/criu').mkdir(exist_ok=True)
    Path('/etc/criu/runc.conf').write_text('file-locks\n')
    ask = ('exec', 'one', 'sh', '-c', 'ip -o -4 addr show docker0; ip -o link show docker0 | cut -d: -f 1; ip route show dev docker0; ls /sys/fs/cgroup/*/docker')
    before = docker.call(*ask)
    assert 'docker0' in before
    for _ in range(2):
        counted = inner()
        docker.twice('one')
        wait_until(lambda: inner() > counted, 60, 'the inner container does not go on')
        assert docker.call(*ask) == before
        with socket.create_connection((docker.state('one')['NetworkSettings']['IPAddress'], 8080), timeout=20) as connection:
            talk(connection)
        for number in ('first', 'second'):
            docker.call('checkpoint', 'rm', 'one', number)
    Path('/etc/criu/runc.conf').unlink()
