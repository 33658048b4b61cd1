# SPDX-License-Identifier: GPL-2.0-only
"""--join-ns: a tree is restored into namespaces that are there already, whether it had one of its own or not."""
import os
import subprocess

import pytest

KINDS = {'uts': '--uts', 'ipc': '--ipc', 'net': '--net', 'time': '--time'}


@pytest.fixture
def host():
    """host('uts') keeps a namespace: a process in it."""
    made = []

    def start(kind):
        if not os.path.exists(f'/proc/self/ns/{kind}'):
            pytest.skip(f'there are no {kind} namespaces')
        script = 'hostname joined 2> /dev/null; echo ready; exec sleep 1000' if kind == 'uts' else 'echo ready; exec sleep 1000'
        words = ['unshare', KINDS[kind], *(['--fork'] if kind == 'time' else []), 'sh', '-c', script]
        made.append(subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True))
        assert made[-1].stdout.readline() == 'ready\n'
        return made[-1]
    yield start
    for process in made:
        os.killpg(process.pid, 9)
        process.wait()
        process.stdout.close()


def pid_in(process, kind):
    """The process that lives in the namespace: of time, a child."""
    if kind != 'time':
        return process.pid
    with open(f'/proc/{process.pid}/task/{process.pid}/children', encoding='ascii') as file:
        return int(file.read().split()[0])


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('name', ['tree/family', 'namespace/uts'])
def test_joined(subject, host, kind, name):
    """By the file of a namespace; all processes of the tree are in it afterwards."""
    run = subject(name)
    target = pid_in(host(kind), kind)
    images = run.dump()
    run.await_gone()
    file = f'/proc/{target}/ns/{kind}'
    # That path means nothing in the room: it is opened before.
    command = (f'exec 9< {file}; exec {run.room.program} run {run.room.first} {run.criu} restore -d -D {images} -v4 -o restore.log '
               f'--join-ns {kind}:/proc/self/fd/9')
    done = subprocess.run(['sh', '-c', command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + (images / 'restore.log').read_text()
    assert run.room.pids()
    for pid in run.room.pids():
        assert os.readlink(run.room.proc / str(pid) / 'ns' / kind) == os.readlink(file)
    if (name, kind) == ('namespace/uts', 'uts'):
        run.kill()          # it would miss its own host name
        return
    run.release()


@pytest.mark.parametrize('option, words', [
    ('mnt:1', '--join-ns mnt: a tree cannot be restored into such a namespace yet'),
    ('user:1', '--join-ns user: a tree cannot be restored into such a namespace yet'),
    ('uts:/dev/null', 'that is no uts namespace'),
    ('uts:/proc/self/ns/net', 'that is no uts namespace'),
    ('uts:/nonesuch', 'No such file'),
])
def test_refused(subject, option, words):
    """Before anything is made."""
    run = subject('tree/family')
    images = run.dump()
    run.await_gone()
    code, said = run.call_criu('restore', images, '-d', '--join-ns', option)
    assert code == 1 and words in said, said
    run.await_gone()
