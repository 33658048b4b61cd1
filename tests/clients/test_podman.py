# SPDX-License-Identifier: GPL-2.0-only
"""Containers of podman with runc, as people run them: each is checkpointed and restored twice in a row and goes on."""
import hashlib
import os
import re
import shlex
import shutil
import socket
from pathlib import Path

import pytest
from engine import COUNT, need, talk
from podman import run_podman
from room import PROGRAMS, wait_until

# Not here: -v /run:/x and -v /:/x. runc 1.1 binds such a folder for the time of a restore and detaches it, and where the host's mounts below
# it are shared they go as well, those of podman's networks among them.
OPTIONS = [
    '', '--network none', '--network host', '-t', '-t --network none', '-i', '-it', '--read-only', '--tmpfs /x', '--user 1000', '--hostname foo',
    '--pid host', '--uts host', '--privileged', '--privileged -t', '--cap-drop ALL', '--security-opt seccomp=unconfined', '--init', '--shm-size 10m',
    '--cgroupns host', '--ulimit nofile=100', '--device /dev/null:/dev/xnull', '--mount type=tmpfs,dst=/t', '-v named:/n',
    '-v {folder}/image:/v', '-v {folder}/image:/v:O', '-v {folder}/image:/v:ro', '--mount type=bind,src={folder}/image,dst=/b,ro',
    '--mount type=image,src=criu-test,dst=/i', '-v /dev:/host/dev', '-v /sys:/sys', '--systemd always',
    '--sysctl net.ipv4.ip_forward=1', '--oom-score-adj 100', '--pids-limit 50', '--no-hosts', '--umask 077', '--uidmap 0:100000:65536', '--userns auto',
    '--ipc host', '--ipc none', '--ipc private', '--ipc shareable', '--ipc container:other', '--network container:other', '--pid container:other',
    '--volumes-from other', '--secret word', '--secret word,type=env', '--health-cmd true --health-interval 1s', '--tmpfs /x:size=1m,mode=700', '-v /n',
    '-v named:/n:U', '-v named:/n:z', '-v {folder}/image/etc/passwd:/file', '--mount type=devpts,dst=/d', '--env A=b', '--workdir /tmp',
    '--log-driver k8s-file', '--memory 100m', '--memory 100m --memory-swap 200m', '--cpus 1', '--cpuset-cpus 0', '--cpu-shares 5',
    '--group-add 7', '--ip 10.88.0.77', '--mac-address 92:d0:c6:0a:29:33', '-p 127.0.0.1:8081:80', '--dns 1.2.3.4', '--add-host a:1.2.3.4',
    '--security-opt no-new-privileges', '--security-opt mask=/etc/group', '--security-opt unmask=ALL', '--security-opt proc-opts=hidepid=2',
    '--read-only --read-only-tmpfs=false', '--cgroups no-conmon', '--cgroup-parent /criu-test', '--tz local', '--stop-signal INT',
    '--entrypoint env', '--sdnotify ignore', '--timeout 1000', '--personality LINUX32', '--hostuser root', '--chrootdirs /tmp',
    '--gidmap 0:200000:65536 --uidmap 0:100000:65536', '--restart on-failure:1', '--cap-add ALL --read-only',
    '--rootfs {folder}/image', '--network bridge --network-alias x', '--stop-timeout 3', '--label a=b', '--annotation a=b', '--cidfile {folder}/id',
    '--blkio-weight 100', '--cpu-period 50000 --cpu-quota 20000', '--cpuset-mems 0', '--device-cgroup-rule "c 1:3 rwm"', '--image-volume tmpfs',
    '--oom-kill-disable --memory 100m', '--memory-reservation 50m', '--memory-swappiness 10', '--publish-all --expose 80', '--unsetenv-all', '--env-host',
    '--mount type=bind,src=/etc,dst=/h,bind-propagation=rshared', '-v /etc:/h:rslave', '--network host --pid host --ipc host --uts host',
    '--uts container:other', '--cgroupns private', '-v /dev/shm:/hostshm', '-v /proc:/hostproc', '--tmpfs /var --tmpfs /var/deep/er',
    '--mount type=volume,src=named,dst=/n,ro=true', '--volumes-from other:ro', '--cap-add SYS_ADMIN --cap-drop MKNOD', '--device /dev/fuse',
    '--privileged --pid host -t', '--systemd true -t', '--tmpfs /x:noexec,nosuid,size=2m --read-only -t --init', '--pidfile {folder}/pidfile',
]


@pytest.fixture(scope='module')
def engine(criu):
    """A Podman."""
    need('runc')
    yield from run_podman(criu)


@pytest.mark.parametrize('options', OPTIONS)
def test_options(podman, options):
    """podman run with this option."""
    if ':other' in options or ' other' in options:
        podman.run('other', '-v', '/n')
    if '--secret' in options:
        (podman.folder / 'word').write_text('word')
        podman.call('secret', 'create', 'word', podman.folder / 'word')
    podman.run('one', *shlex.split(options.format(folder=podman.folder)))
    podman.twice('one')


def test_overlay_of_a_failed_restore(podman):
    """The directories of an overlay that a restore has made again go with it when it fails."""
    podman.run('one', '-v', f'{podman.folder}/image:/v:O')
    podman.call('exec', 'one', '/bin/sh', '-c', 'mkdir -p /v/a/b; echo text > /v/a/b/file; ln -s file /v/a/b/link')
    podman.call('container', 'checkpoint', 'one')
    before = sorted(podman.folder.glob('storage/**/userdata/overlay/**/*'))
    criu = podman.folder / 'bin/criu'
    real = criu.readlink()
    criu.unlink()
    criu.write_text(f'#!/bin/sh\nCRIU_FAIL_AT=restore/home/task exec {real} "$@"\n')     # the engine hands on no variables
    criu.chmod(0o755)
    code, said = podman.call('container', 'restore', 'one', check=False)
    criu.unlink()
    criu.symlink_to(real)
    assert code and 'restore/home/task' in podman.cause('restore.log'), (said, podman.logs())
    assert sorted(podman.folder.glob('storage/**/userdata/overlay/**/*')) == before
    podman.call('container', 'restore', 'one')      # the images are as good as before
    assert podman.call('exec', 'one', '/bin/cat', '/v/a/b/link') == 'text\n'


def test_exec(podman):
    """What `podman exec` started is part of the container."""
    podman.run('one')
    podman.exec_twice('one')


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


@pytest.mark.parametrize('share', ['net,ipc,uts', 'net,ipc,uts,pid'])
def test_whole_pod(podman, share):
    """All of a pod, in its place."""
    podman.whole_pod(share)


@pytest.mark.parametrize('share', ['net,ipc,uts', 'net,ipc,uts,pid'])
def test_pod_moved(podman, share):
    """A container of a pod goes on in another one, when the first is gone."""
    podman.call('pod', 'create', '--name', 'pod', '--share', share, check=False)
    podman.run('one', '--pod', 'pod')
    archive = podman.folder / 'one.tar'
    podman.call('container', 'checkpoint', '--compress', 'none', '--export', archive, 'one')
    before = podman.count('one')
    podman.call('pod', 'rm', '-f', 'pod')
    other = podman.call('pod', 'create', '--share', share).split()[-1]
    podman.call('pod', 'start', other)
    podman.call('container', 'restore', '--import', archive, '--pod', other, '--name', 'two')
    podman.wait_more('two', before)


def test_published(podman):
    """Restored with another port and name: --publish, --name."""
    podman.run('one', '-p', '8081:7777', script='while :; do nc -l -p 7777 -e cat; done & ' + COUNT)
    archive = podman.folder / 'one.tar'
    podman.call('container', 'checkpoint', '--compress', 'none', '--export', archive, 'one')
    podman.call('rm', 'one')
    podman.call('container', 'restore', '--import', archive, '--name', 'two', '--publish', '8099:7777')
    with socket.create_connection((podman.state('two')['NetworkSettings']['IPAddress'], 7777), timeout=20) as connection:
        talk(connection)
    assert '7777/tcp' in podman.call('port', 'two') and '8099' in podman.call('port', 'two')


def test_image_twice(podman):
    """--create-image: two copies of it beside each other."""
    podman.run('one')
    podman.call('container', 'checkpoint', '--create-image', 'checkpoint', '--leave-running', 'one')
    before = podman.count('one')
    podman.call('rm', '-f', '-t', '0', 'one')
    for name in ('two', 'three'):
        podman.call('container', 'restore', '--name', name, 'checkpoint')
    for name in ('two', 'three'):
        podman.wait_more(name, before - 50)
    podman.call('rm', '-fa', '-t', '0')
    podman.call('rmi', '-f', 'checkpoint', check=False)


def test_pid_of_another(podman):
    """--pid container:OTHER, where OTHER's only process reaps nobody."""
    podman.run('other', script='echo 1; echo 2; echo 3; exec sleep 100000')
    podman.run('one', '--pid', 'container:other', script='(sleep 1000 & exec sleep 1000) & ' + COUNT)
    podman.twice('one')
    podman.twice('one')


@pytest.mark.parametrize('more', [(), ('ipc',), ('network',), ('ipc', 'network', 'uts'), ('network', 'pid', 'ipc', 'uts')], ids=','.join)
def test_users_of_another(podman, more):
    """--userns container:OTHER, alone and with more of its namespaces: it lives in them afterwards as well."""
    podman.run('other', '--uidmap', '0:100000:65536')
    podman.run('one', *(word for kind in ('userns', *more) for word in (f'--{kind}', 'container:other')))
    podman.twice('one')
    for kind in ('user', *(kind.replace('network', 'net') for kind in more)):
        assert len({os.readlink(f"/proc/{podman.state(name)['State']['Pid']}/ns/{kind}") for name in ('one', 'other')}) == 1, kind


def test_pid_namespace_inside(podman):
    """A container in the container: a pid and a mount namespace of its own, with its own proc."""
    podman.run('one', '--privileged', script='(busybox unshare -p -f -m --mount-proc sleep 1000 &) ; ' + COUNT)
    podman.twice('one')
    assert 'sleep 1000' in podman.call('exec', 'one', '/bin/busybox', 'ps')


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


def test_users_and_bridge(podman):
    """runc asks for an empty network where users are mapped: eth0 is named as lost, and kept if criu's file names its other end."""
    podman.run('two', '--uidmap', '0:100000:65536')
    podman.call('container', 'checkpoint', '--keep', 'two')
    log = max(podman.folder.glob('storage/**/userdata/dump.log'), key=lambda path: path.stat().st_mtime).read_text()
    assert 'eth0, with addresses, routes and rules: left to whoever restores' in log
    podman.call('container', 'restore', 'two')
    assert 'LOOPBACK,UP' in podman.call('exec', 'two', 'ip', 'link', 'show', 'lo')
    podman.keep_bridge('one', Path('/etc/criu/runc.conf'))


def test_established_connection(podman):
    """A client outside keeps its connection: --tcp-established. Without, podman says what to do."""
    podman.run('one', '--ip', '10.88.77.7', script='nc -l -p 7777 -e cat & ' + COUNT)
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


# What the host has is there in the container, too.
HOST = ('-v', '/usr:/usr:ro', '-v', '/lib:/lib:ro', '-v', '/lib64:/lib64:ro')


def test_work(podman):
    """A server with two databases and a child goes on, and its client outside keeps its connection."""
    shutil.copy(PROGRAMS / 'keep-words.py', podman.folder / 'work.py')
    podman.run('one', *HOST, '-v', f'{podman.folder}/work.py:/work.py:ro', script='exec /usr/bin/python3 /work.py')
    connection = socket.create_connection((podman.state('one')['NetworkSettings']['IPAddress'], 7777), timeout=60)
    with connection, connection.makefile('rw') as lines:
        for number in range(1, 31):
            if number % 10 == 0:
                podman.call('container', 'checkpoint', '--tcp-established', 'one')
                podman.call('container', 'restore', '--tcp-established', 'one')
            lines.write(f'word {number}\n')
            lines.flush()
            assert lines.readline().split() == [hashlib.sha256(f'word {number}\n'.encode()).hexdigest(), str(number), str(number)]


def test_file_locks(podman):
    """Refused without --file-locks, kept with it."""
    podman.run('one', *HOST, script='exec 9> /tmp/lock; /usr/bin/flock 9; ' + COUNT)
    code, _ = podman.call('container', 'checkpoint', 'one', check=False)
    assert code and '--file-locks' in podman.cause('dump.log')
    podman.twice('one', '--file-locks')
    assert podman.call('exec', 'one', '/usr/bin/flock', '-n', '/tmp/lock', 'true', check=False)[0] == 1


def test_create_image(podman):
    """A checkpoint in an image of the engine's store."""
    podman.run('one', '--network', 'none')
    podman.call('container', 'checkpoint', '--create-image', 'checkpoint', 'one')
    before = podman.count('one')
    podman.call('rm', '-f', 'one')
    podman.call('container', 'restore', 'checkpoint')
    podman.wait_more('one', before)
    podman.call('rmi', '-f', 'checkpoint', check=False)


MESSAGES = {
    'connection': ('nc -l -p 7777 -e cat & sleep 1; nc 127.0.0.1 7777 -e cat & ', (), r'established TCP connection .*--tcp-established'),
    'deleted file': ('exec 5<> /tmp/big; dd if=/dev/zero of=/tmp/big bs=1M count=3; rm /tmp/big; ', (), r'/tmp/big .*--ghost-limit'),
    'device': ('exec 5< /dev/loop-control; ', ('--device', '/dev/loop-control'), r'/dev/loop-control'),
    'lock': ('exec 9> /tmp/lock; /usr/bin/flock 9; ', HOST, r'/tmp/lock.*--file-locks'),
    'outside': ('/usr/bin/python3 -c "import socket, time; s = socket.socket(socket.AF_UNIX); s.connect(\'/outside\'); time.sleep(1000)" & ',
                (*HOST, '-v', '{folder}/outside:/outside'), r'unix socket is connected to .*outside of the tree.*--external'),
}


@pytest.mark.parametrize('case', MESSAGES)
def test_messages(podman, case):
    """The first error of the log, to which podman and runc point, names the object and the way out; the container runs on."""
    script, options, expected = MESSAGES[case]
    with socket.socket(socket.AF_UNIX) as outside:
        (podman.folder / 'outside').unlink(missing_ok=True)
        outside.bind(str(podman.folder / 'outside'))
        outside.listen()
        podman.run('one', *(word.format(folder=podman.folder) for word in options), script=script + 'sleep 2; ' + COUNT)
        code, said = podman.call('container', 'checkpoint', 'one', check=False)
        assert code and 'dump.log' in said
        assert re.search(expected, podman.cause('dump.log'))
        podman.wait_more('one', podman.count('one'))


def test_message_of_a_restore(podman):
    """The same for what has changed outside."""
    volume = podman.folder / 'volume'
    volume.mkdir()
    (volume / 'file').write_text('x')
    podman.run('one', '-v', f'{volume}:/v', script='exec 5< /v/file; ' + COUNT)
    podman.call('container', 'checkpoint', '--keep', 'one')
    (volume / 'file').unlink()
    code, said = podman.call('container', 'restore', '--keep', 'one', check=False)
    assert code and 'restore.log' in said
    assert '/v/file' in podman.cause('restore.log')
    (volume / 'file').write_text('x')
    before = podman.count('one')
    podman.call('container', 'restore', 'one')
    podman.wait_more('one', before)


def test_option_without_a_word(podman):
    """podman knows no --ghost-limit: the log tells that runc takes it from its file."""
    podman.run('one', script='exec 5<> /tmp/big; dd if=/dev/zero of=/tmp/big bs=1M count=3; rm /tmp/big; ' + COUNT)
    assert podman.call('container', 'checkpoint', 'one', check=False)[0]
    log = max(podman.folder.glob('storage/**/userdata/dump.log'), key=lambda path: path.stat().st_mtime).read_text()
    assert 'Error' in log and '/etc/criu/runc.conf' in log
    Path('/etc/criu').mkdir(exist_ok=True)
    Path('/etc/criu/runc.conf').write_text('ghost-limit 8M\n')
    podman.twice('one')
    Path('/etc/criu/runc.conf').unlink()


def test_podman_in_podman(podman):
    """A privileged container with a podman of its own and a container of that: namespaces within namespaces, all goes on."""
    root = podman.folder / 'outer'
    for name in ('usr', 'proc', 'sys', 'dev', 'tmp', 'run', 'var/lib', 'root', 'img'):
        (root / name).mkdir(parents=True)
    for name in ('bin', 'sbin', 'lib', 'lib64'):
        (root / name).symlink_to(f'usr/{name}')
    shutil.copytree('/etc', root / 'etc', symlinks=True)
    shutil.copytree(podman.folder / 'image', root / 'img', symlinks=True, dirs_exist_ok=True)
    for path in (podman.folder / 'containers.conf', PROGRAMS / 'podman-in-podman.sh'):
        shutil.copy(path, root)
    podman.run('one', '--privileged', '-v', '/usr:/usr:ro', '-e', 'CONTAINERS_CONF=/containers.conf', '--rootfs', root, script='. /podman-in-podman.sh')
    number = root / 'img/n'
    wait_until(number.exists, 30)
    podman.twice('one')
    before = int(number.read_text())
    wait_until(lambda: int(number.read_text()) > before, 20)
