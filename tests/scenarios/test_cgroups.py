# SPDX-License-Identifier: GPL-2.0-only
"""Cgroups of the tree: members, directories with their properties, the modes of --manage-cgroups, remapping, failures."""
import json
import os
import subprocess
from pathlib import Path

import pytest
from cgroups import Cgroup, host_pids
from room import wait_until


class Run:
    """For host_pids(): whatever is in a room."""

    def __init__(self, room):
        self.room = room


@pytest.fixture
def cgroup():
    """cgroup('pids') makes a Cgroup."""
    made = []

    def make(controller):
        made.append(Cgroup(controller))
        return made[-1]
    yield make
    for group in made:
        group.close()


def decode(run, path):
    """The entries of an image."""
    return json.loads(subprocess.run([Path(run.criu).parent / 'crit', 'decode', '-i', path], capture_output=True, check=True).stdout)['entries']


def encode(run, path, magic, entries):
    """Writes an image."""
    text = json.dumps({'magic': magic, 'entries': entries})
    subprocess.run([Path(run.criu).parent / 'crit', 'encode', '-o', path], input=text.encode(), capture_output=True, check=True)


def set_limit(group, folder=None):
    """One property that is not as it is by itself, for each hierarchy."""
    name, value = {'pids': ('pids.max', '777'), 'cpu': ('cpu.shares', '999'), '': ('cgroup.max.descendants', '17'),
                   'memory': ('memory.limit_in_bytes', str(1 << 30)), 'freezer': ('notify_on_release', '1'),
                   'cpuset': ('cpuset.memory_spread_page', '1'), 'devices': ('devices.deny', 'c 1:11 w')}[group.controller]
    ((folder or group.sub) / name).write_text(value)
    if name == 'devices.deny':
        name, value = 'devices.list', ((folder or group.sub) / 'devices.list').read_text().strip()
    return (folder or group.sub) / name, value


@pytest.mark.parametrize('controller', ['pids', 'cpu', 'memory', 'freezer', 'cpuset', 'devices', ''])
def test_made_again(subject, cgroup, controller):
    """Directories that are missing are made with their properties, owners and modes, and all tasks are in them again."""
    run, group = subject('tree/family'), cgroup(controller)
    limit, value = set_limit(group)
    os.chown(group.sub, 12, 34)
    group.sub.chmod(0o711)
    os.chown(limit, 12, 34)
    os.chown(group.sub / 'cgroup.procs', 12, 34)
    (group.sub / 'cgroup.procs').chmod(0o664)
    (group.sub / 'below').mkdir()
    group.fill(run)
    images = run.dump()
    run.await_gone()
    group.remove()
    run.restore(images)
    assert group.pids() == sorted(host_pids(run).values())
    assert limit.read_text().strip() == value
    assert (group.sub.stat().st_uid, group.sub.stat().st_gid, group.sub.stat().st_mode & 0o777) == (12, 34, 0o711)
    assert limit.stat().st_uid == 12
    procs = (group.sub / 'cgroup.procs').stat()
    assert (procs.st_uid, procs.st_gid, procs.st_mode & 0o777) == (12, 34, 0o664)
    assert (group.sub / 'below').is_dir()
    run.compare('after the restore')
    run.release()


def test_several_sets(subject, cgroup):
    """Parents and children in different cgroups of several hierarchies; a second checkpoint of what was restored."""
    run = subject('tree/family')
    groups = [cgroup(controller) for controller in ('pids', 'freezer')]
    pids = sorted(host_pids(run).values())
    for number, group in enumerate(groups):
        for pid in pids[number::2]:
            (group.sub / 'cgroup.procs').write_text(str(pid))
        (group.path / 'cgroup.procs').write_text(str(pids[0]))
    run.before = run.settled_snapshot()
    for _ in range(2):
        images = run.dump()
        run.await_gone()
        assert len(decode(run, images / 'cgroup.img')[0]['sets']) > 2
        for group in groups:
            group.remove()
        run.restore(images)
        run.compare('after the restore')
    run.release()


def test_nothing_to_say(subject):
    """No image when all are where criu is."""
    run = subject('tree/family')
    images = run.dump()
    assert not (images / 'cgroup.img').exists()
    assert decode(run, images / 'inventory.img')[0]['root_cg_set'] == 1


@pytest.mark.parametrize('name', ['several', 'many'])
@pytest.mark.parametrize('controller', ['pids', ''])
def test_threads(subject, cgroup, controller, name):
    """Threads of one process in different cgroups."""
    run, group = subject(f'thread/{name}'), cgroup(controller)
    other = group.sub / 'other'
    other.mkdir()
    if not controller:
        (other / 'cgroup.type').write_text('threaded')
    group.fill(run)
    pid, = host_pids(run).values()
    tids = sorted(int(path.name) for path in Path(f'/proc/{pid}/task').iterdir())
    for tid in tids[3:6]:
        (other / ('tasks' if controller else 'cgroup.threads')).write_text(str(tid))
    images = run.dump()
    run.await_gone()
    group.remove()
    run.restore(images)
    pid, = host_pids(run).values()
    again = sorted(int(path.name) for path in Path(f'/proc/{pid}/task').iterdir())
    assert group.pids(other, 'tasks' if controller else 'cgroup.threads') == again[3:6]
    assert group.pids(group.sub, 'tasks' if controller else 'cgroup.threads') == again[:3] + again[6:]
    run.compare('after the restore')
    run.release()


# mode: (with missing directories, a limit that was changed in those that are there); None: refused
MODES = {'none': (None, 'changed'), 'props': (None, 'saved'), 'soft': ('saved', 'changed'), 'full': ('saved', 'saved'), 'strict': ('saved', None),
         'ignore': ('outside', 'outside')}


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('there', [False, True], ids=['missing', 'there'])
def test_modes(subject, cgroup, mode, there):
    """What is made, set or refused."""
    run, group = subject('tree/family'), cgroup('pids')
    (group.sub / 'pids.max').write_text('700')
    group.fill(run)
    images = run.dump()
    run.await_gone()
    wanted = MODES[mode][there]
    if there:
        (group.sub / 'pids.max').write_text('800')
    else:
        group.remove()
    code, said = run.call_criu('restore', images, '-d', f'--manage-cgroups={mode}')
    if wanted is None:
        assert code == 1 and ('it exists already' if there else 'it does not exist') in said, said
        assert group.path.exists() == there
        run.await_gone()
        return
    assert code == 0, said
    if wanted == 'outside':
        assert group.path.exists() == there and (not there or not group.pids())
        run.subject.about['ignore'] += ' cgroup'
    else:
        assert group.pids() == sorted(host_pids(run).values())
        assert (group.sub / 'pids.max').read_text().strip() == {'saved': '700', 'changed': '800'}[wanted]
    run.compare('after the restore')
    run.release()


def test_images_without_directories(subject, cgroup):
    """A dump with --manage-cgroups=none has only the members, and a restore makes the directories all the same, unless told otherwise."""
    run, group = subject('tree/family'), cgroup('pids')
    (group.sub / 'pids.max').write_text('700')
    group.fill(run)
    images = run.dump('--manage-cgroups=none')
    assert 'controllers' not in decode(run, images / 'cgroup.img')[0]
    run.await_gone()
    group.remove()
    assert run.call_criu('restore', images, '-d', '--manage-cgroups=none')[0] == 1
    run.restore(images)
    assert group.pids() == sorted(host_pids(run).values())
    assert (group.sub / 'pids.max').read_text().strip() == 'max'
    run.release()


@pytest.mark.parametrize('named', [True, False], ids=['controller', 'all'])
def test_other_root(subject, cgroup, named):
    """--cgroup-root puts them elsewhere."""
    run, group = subject('tree/family'), cgroup('pids')
    group.fill(run)
    (group.path / 'cgroup.procs').write_text(str(host_pids(run)[run.pid]))
    images = run.dump('--cgroup-dump-controller', 'pids')       # or the others would get new cgroups as well
    run.await_gone()
    group.remove()
    new = '/' + str(group.path.relative_to('/sys/fs/cgroup/pids')) + '/new/home'
    if named:
        run.restore(images, '--cgroup-root', '/nowhere', '--cgroup-root', f'cpuset,pids:{new}')
    else:
        run.restore(images, '--cgroup-root', new)
    home = group.path / 'new/home'
    pids = host_pids(run)
    assert group.pids(home) == [pids[run.pid]]
    assert group.pids(home / 'sub') == sorted(pid for pid in pids.values() if pid != pids[run.pid])
    run.release()
    group.remove()


def test_root_of_the_dump(subject, cgroup):
    """--cgroup-root of a dump names the directory that stands for the tree, though no task is in it."""
    run, group = subject('tree/family'), cgroup('pids')
    (group.path / 'pids.max').write_text('900')
    group.fill(run)
    root = '/' + str(group.path.relative_to('/sys/fs/cgroup/pids'))
    images = run.dump('--cgroup-root', f'pids:{root}')
    run.await_gone()
    group.remove()
    run.restore(images, '--cgroup-root', f'pids:{root}/elsewhere')
    assert (group.path / 'elsewhere/pids.max').read_text().strip() == '900'
    assert group.pids(group.path / 'elsewhere/sub') == sorted(host_pids(run).values())
    run.release()


def test_properties_of_the_user(subject, cgroup, folder):
    """--cgroup-props and its file: more properties, or others instead; what is no rule is refused with its line."""
    run, group = subject('tree/family'), cgroup('cpu')
    if not (group.sub / 'cpu.cfs_burst_us').exists():
        pytest.skip('this kernel has no cpu.cfs_burst_us')
    (group.sub / 'cpu.shares').write_text('555')
    (group.sub / 'cpu.cfs_quota_us').write_text('50000')
    (group.sub / 'cpu.cfs_burst_us').write_text('1000')
    group.fill(run)
    rule = '"cpu":\n - "strategy": "{}"\n - "properties": ["cpu.cfs_quota_us", "cpu.cfs_burst_us"]\n'
    file = folder / 'rules'
    file.write_text('"memory":\n - "strategy": "merge"\n - "properties": []\n' + rule.format('merge'))
    for options, shares in ((('--cgroup-props-file', file), '555'), (('--cgroup-props', rule.format('replace')), '1024')):
        images = run.dump(*options)
        run.await_gone()
        group.remove()
        run.restore(images)
        assert (group.sub / 'cpu.cfs_burst_us').read_text().strip() == '1000'
        assert (group.sub / 'cpu.shares').read_text().strip() == shares
    code, said = run.call_criu('dump', run.folder_of_images(), '-t', run.pid, '--cgroup-props', rule.format('mix'))
    assert code == 1 and '--cgroup-props: line 2: "merge" or "replace" is expected' in said, said
    run.release()


def test_one_controller(subject, cgroup):
    """--cgroup-dump-controller leaves the others alone."""
    run, pids, freezer = subject('tree/family'), cgroup('pids'), cgroup('freezer')
    pids.fill(run)
    freezer.fill(run)
    images = run.dump('--cgroup-dump-controller', 'pids')
    entry, = decode(run, images / 'cgroup.img')
    assert [ctl['name'] for ctl in entry['sets'][0]['ctls']] == ['pids'] and [one['cnames'] for one in entry['controllers']] == [['pids']]
    run.await_gone()
    pids.remove()
    freezer.remove()
    run.restore(images)
    assert not freezer.path.exists() and pids.pids() == sorted(host_pids(run).values())
    run.release()


def test_yard(subject, cgroup, folder):
    """--cgroup-yard: the hierarchies are found where they are mounted, and nowhere else."""
    run, group = subject('tree/family'), cgroup('pids')
    group.fill(run)
    code, said = run.call_criu('dump', run.folder_of_images(), '-t', run.pid, '--cgroup-yard', folder)
    assert code == 1 and f'--cgroup-yard {folder}' in said and 'not mounted there' in said, said
    (folder / 'yard').symlink_to('/sys/fs/cgroup')
    images = run.dump('--cgroup-yard', f'{folder}/../{folder.name}/yard')
    run.await_gone()
    group.remove()
    run.restore(images, '--cgroup-yard', '/sys/fs/cgroup')
    run.compare('after the restore')
    run.release()


@pytest.mark.parametrize('point', ['restore/make/cgroup', 'restore/fork', 'restore/settle/cgroup', 'restore/home/task', 'restore/freeze/cgroup', 'restore/resume/file'])
def test_failure(subject, cgroup, point):
    """A restore that fails leaves no directory behind; what was there stays as it was."""
    run, group = subject('tree/family'), cgroup('pids')
    group.fill(run)
    images = run.dump()
    run.await_gone()
    for folder in (group.sub, group.path):
        folder.rmdir()
        code, said = run.call_criu('restore', images, '-d', env={'CRIU_FAIL_AT': point})
        assert code == 1 and 'fault injected' in said, said
        assert not folder.exists() and (folder == group.path or group.path.exists())
        run.await_gone()


def test_namespace(criu, room, folder, cgroup):
    """A cgroup namespace has its root where it was made, though its process is elsewhere by now; the root moves with --cgroup-root."""
    group = cgroup('pids')
    inside = 'echo $$ > "$0/sub/cgroup.procs"; exec sleep 1000'
    pid = room.start(folder / 'output', '/bin/sh', '-c', f"echo $$ > $0/cgroup.procs; exec unshare --cgroup sh -c '{inside}' $0", group.path)

    def look():
        here, = host_pids(Run(room))
        real = host_pids(Run(room))[here]
        shown = subprocess.run(['nsenter', '--cgroup', '-t', str(real), 'cat', f'/proc/{real}/cgroup'], capture_output=True, text=True, check=True).stdout
        return [line.split(':', 2)[2] for line in shown.splitlines() if line.split(':')[1] == 'pids']

    wait_until(lambda: room.proc.joinpath(str(pid), 'comm').read_text() == 'sleep\n', 20)
    assert look() == ['/sub']
    new = '/' + str(group.path.relative_to('/sys/fs/cgroup/pids')) + '/new'
    for options, folders in (((), group.sub), (('--cgroup-root', f'pids:{new}'), group.path / 'new/sub')):
        images = folder / f'images{len(options)}'
        images.mkdir()
        done = room.run(criu, 'dump', '-t', pid, '-D', images, '--cgroup-root', 'pids:' + os.path.dirname(new))
        assert done.returncode == 0, done.stdout
        wait_until(lambda: not room.pids(), 20)
        group.remove()
        done = room.run(criu, 'restore', '-d', '-D', images, *options)
        assert done.returncode == 0, done.stdout
        assert look() == ['/sub'] and group.pids(folders) == list(host_pids(Run(room)).values())


@pytest.mark.parametrize('controller, control, frozen, thawed', [('freezer', 'freezer.state', 'FROZEN', 'THAWED'), ('', 'cgroup.freeze', '1', '0')])
def test_frozen(subject, cgroup, controller, control, frozen, thawed):
    """A cgroup that was frozen is frozen again before anything runs: if it is made, or if --freeze-cgroup names it."""
    run, group = subject('tree/family'), cgroup(controller)
    group.fill(run)

    def is_frozen():
        return (group.sub / control).read_text().strip() == frozen and (
            controller or 'frozen 1' in (group.sub / 'cgroup.events').read_text())

    (group.sub / control).write_text(frozen)
    wait_until(is_frozen, 20)
    images = run.dump('--freeze-cgroup', group.sub)
    run.await_gone()
    assert (group.sub / control).read_text().strip() == frozen
    (group.sub / control).write_text(thawed)
    run.restore(images, '--freeze-cgroup', group.path)
    assert (group.sub / control).read_text().strip() == thawed
    run.kill()
    (group.sub / control).write_text(frozen)
    code, said = run.call_criu('restore', images, '-d', env={'CRIU_FAIL_AT': 'restore/home/task'})
    assert code == 1 and 'fault injected' in said, said
    assert (group.sub / control).read_text().strip() == frozen
    run.restore(images)
    wait_until(is_frozen, 20)
    (group.sub / control).write_text(thawed)
    run.kill()
    run.restore(images, '--freeze-cgroup', group.sub)
    wait_until(is_frozen, 20)
    (group.sub / control).write_text(thawed)
    run.compare('after the first restore')
    run.kill()
    group.remove()
    run.restore(images)
    wait_until(is_frozen, 20)
    (group.sub / control).write_text(thawed)
    run.compare('after the second restore')
    run.release()


@pytest.mark.parametrize('change, words', [
    (lambda entry: entry['sets'][0]['ctls'][0].update(path='/../x'), 'is no path of a cgroup'),
    (lambda entry: entry['sets'][0].update(id=99), 'which cgroup.img does not have'),
    (lambda entry: entry['controllers'][0]['dirs'][0].update(dir_name='..'), 'is no name of a cgroup'),
    (lambda entry: entry['controllers'][0]['dirs'][0].update(dir_name='a//b'), 'is no name of a cgroup'),
    (lambda entry: [one['dirs'][0]['properties'][0].update(name='../x') for one in entry['controllers'] if one['cnames'] == ['pids']],
     'is no property of a cgroup'),
])
def test_damaged(subject, cgroup, change, words):
    """Names that lead elsewhere are refused before anything is made."""
    run, group = subject('tree/family'), cgroup('pids')
    group.fill(run)
    images = run.dump()
    run.await_gone()
    group.remove()
    entries = decode(run, images / 'cgroup.img')
    change(entries[0])
    encode(run, images / 'cgroup.img', 'CGROUP', entries)
    code, said = run.call_criu('restore', images, '-d')
    assert code == 1 and words in said, said
    assert not group.path.exists()


def test_hierarchy_is_missing(subject, cgroup):
    """A hierarchy that this machine does not have is refused by name, unless all were in its root, or it controls nothing."""
    run, group = subject('tree/family'), cgroup('pids')
    group.fill(run)
    images = run.dump()
    run.await_gone()
    entries = decode(run, images / 'cgroup.img')
    member = {'name': 'nonesuch', 'path': '/here'}
    entries[0]['sets'][0]['ctls'].append(member)
    encode(run, images / 'cgroup.img', 'CGROUP', entries)
    code, said = run.call_criu('restore', images, '-d')
    assert code == 1 and 'cgroups of nonesuch' in said and '--manage-cgroups=ignore' in said, said
    for change, end in (({'path': '/'}, run.kill), ({'name': 'name=nonesuch', 'path': '/here'}, run.release)):
        member.update(change)
        encode(run, images / 'cgroup.img', 'CGROUP', entries)
        run.restore(images)
        run.compare('after the restore')
        end()
    assert 'cgroups of name=nonesuch, which controls nothing' in (images / 'restore.log').read_text()
