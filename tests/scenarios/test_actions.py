# SPDX-License-Identifier: GPL-2.0-only
"""Action scripts: when they run, what they see, what their failure does."""
import json
import os
import re
import shutil
import subprocess

import pytest
from room import PROGRAMS, wait_until


@pytest.fixture
def scripts(folder):
    """Options for two scripts, "first" and "second", that note their calls in the file "calls"."""
    options = []
    for name in ('first', 'second'):
        path = folder / name
        shutil.copy(PROGRAMS / 'note-action.sh', path)
        options += ['--action-script', path]
    return options


def calls(folder):
    """The calls since the last time: [(script, action, {...})]."""
    path = folder / 'calls'
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return [(line.split()[0], line.split()[1], dict(re.findall(r'(\w+)=(\S*)', line))) for line in lines]


def test_order_and_environment(subject, folder, scripts):
    """Each action once for each script, the last given first; tasks are stopped or not as they should be."""
    run = subject('file/pipe')
    env = {'MARK': 'mine', 'CRTOOLS_INIT_PID': '1'}
    images = run.folder_of_images()
    code, said = run.call_criu('dump', images, '-t', run.pid, *scripts, env=env)
    assert code == 0, said
    seen = calls(folder)
    assert [call[:2] for call in seen] == [(name, action) for action in ('pre-dump', 'post-dump') for name in ('second', 'first')]
    for _, action, facts in seen:
        assert facts['root'] == str(run.pid)
        assert facts['args'] == '0' and facts['mark'] == 'mine'
        assert facts['images'] == ('1' if action == 'post-dump' else '0')
        assert facts['state'] in ('t' if action == 'post-dump' else 'SR')
        assert facts['input'] == 'closed' and facts['others'] == '0', facts
    assert 'second says hello at post-dump' in (images / 'dump.log').read_text()

    code, said = run.call_criu('restore', images, '-d', *scripts, env=env)
    assert code == 0, said
    seen = calls(folder)
    actions = ('pre-restore', 'post-restore', 'pre-resume', 'post-resume')
    assert [call[:2] for call in seen] == [(name, action) for action in actions for name in ('second', 'first')]
    for _, action, facts in seen:
        assert facts['root'] == ('' if action == 'pre-restore' else str(run.pid))
        assert facts['state'] in {'pre-restore': ('none', ''), 'post-resume': ('S', 'R')}.get(action, ('t',)), (action, facts)
    run.release()


@pytest.mark.parametrize('action, status', [('pre-dump', 1), ('post-dump', 255)])
def test_failure_in_dump(subject, folder, scripts, action, status):
    """The dump fails, every script has run, and the tasks go on."""
    run = subject('tree/family')
    (folder / 'fail-at').write_text(action)
    code, said = run.call_criu('dump', run.folder_of_images(), '-t', run.pid, *scripts)
    assert code == status, said
    assert f'second ended with status 1 at {action}' in said and 'Dumping FAILED.' in said
    assert [call[:2] for call in calls(folder)][-2:] == [('second', action), ('first', action)]
    run.compare(f'after a failed {action}')
    run.release()


@pytest.mark.parametrize('action', ['pre-restore', 'post-restore', 'pre-resume', 'post-resume'])
def test_failure_in_restore(subject, folder, scripts, action):
    """Before the tasks are ready nothing is left of them; later it is only logged."""
    run = subject('tree/family')
    images = run.dump()
    run.await_gone()
    (folder / 'fail-at').write_text(action)
    code, said = run.call_criu('restore', images, '-d', '--pidfile', 'root.pid', *scripts)
    assert f'second ended with status 1 at {action}' in said
    if action in ('pre-resume', 'post-resume'):
        assert code == 0, said
        run.compare(f'after a failed {action}')
    else:
        assert code == 1 and 'Restoring FAILED.' in said
        run.await_gone()
        assert not (images / 'root.pid').exists()
        run.restore(images)
    run.release()


def test_script_that_is_not_there(subject):
    """Named in the error, with the reason."""
    run = subject('file/pipe')
    code, said = run.call_criu('dump', run.folder_of_images(), '-t', run.pid, '--action-script', '/nonexistent/script')
    assert code == 1 and re.search('Error .*/nonexistent/script.*No such file', said)
    run.compare('after a dump that could not run its script')
    run.release()


def test_network_of_its_own(room, criu, folder, scripts):
    """A tree with another network than criu: locked after it is stopped, unlocked before it goes on as the dump fails."""
    pid = room.start(folder / 'output', 'unshare', '--net', 'sleep', '1000')
    wait_until(lambda: (room.proc / str(pid) / 'comm').read_text() == 'sleep\n', 5)
    done = room.run(criu, 'dump', '-t', pid, '-D', folder, '-W', folder, *scripts,
                    env={**os.environ, 'CRIU_FAIL_AT': 'dump/inventory'})
    assert done.returncode == 1 and 'dump/inventory' in done.stdout, done.stdout
    seen = calls(folder)
    assert [call[:2] for call in seen[::2]] == [('second', action) for action in ('pre-dump', 'network-lock', 'network-unlock')]
    assert [call[2]['state'] for call in seen[::2]] == ['S', 't', 't']
    assert all(call[2]['root'] == str(pid) for call in seen)
    (folder / 'fail-at').write_text('network-lock')
    done = room.run(criu, 'dump', '-t', pid, '-D', folder, *scripts)
    assert done.returncode == 1 and 'second ended with status 1 at network-lock' in done.stdout
    assert [call[1] for call in calls(folder)[::2]] == ['pre-dump', 'network-lock', 'network-unlock']
    wait_until(lambda: (room.proc / str(pid) / 'stat').read_text().split()[2] == 'S', 5)


def test_images_of_a_container(subject, build):
    """Nothing of a tree that had namespaces of its own is put into those of criu."""
    run = subject('file/pipe')
    images = run.dump()
    run.await_gone()
    ids = images / f'ids-{run.pid}.img'
    entry = json.loads(subprocess.run([build / 'crit', 'decode', '-i', ids], check=True, stdout=subprocess.PIPE).stdout)
    entry['entries'][0]['net_ns_id'] = 99
    (images / 'ids.json').write_text(json.dumps(entry))
    subprocess.run([build / 'crit', 'encode', '-i', images / 'ids.json', '-o', ids], check=True)
    code, said = run.call_criu('restore', images, '-d')
    assert code == 1 and 'netns-99.img is missing' in said
    run.await_gone()
