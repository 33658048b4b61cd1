# SPDX-License-Identifier: GPL-2.0-only
"""Containers of docker: docker checkpoint create, docker start --checkpoint, twice in a row."""
import socket
from pathlib import Path

import pytest
from docker import Docker
from engine import COUNT, need, talk

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
