# SPDX-License-Identifier: GPL-2.0-only
"""Plugins: which are loaded, in which order their hooks are called, what their answers do."""
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import rpc
from room import PROGRAMS, wait_until

TOP = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='session')
def installed(build, tmp_path_factory):
    """What a plugin is built with: compiler flags of what "make install" has installed, by pkg-config alone."""
    root = tmp_path_factory.mktemp('root')
    subprocess.run(['/usr/bin/meson', 'install', '-C', build, '--no-rebuild', '--quiet', '--destdir', root], check=True,
                   stdout=subprocess.DEVNULL)
    file = next(root.rglob('criu.pc'))
    env = {**os.environ, 'PKG_CONFIG_SYSROOT_DIR': str(root), 'PKG_CONFIG_PATH': str(file.parent)}
    said = subprocess.run(['pkg-config', '--cflags', 'criu'], env=env, check=True, stdout=subprocess.PIPE, text=True).stdout
    assert list(root.rglob('lib/criu')), 'the directory of plugins is not there'
    return said.split()


@pytest.fixture
def plugins(installed, folder):     # pylint: disable=redefined-outer-name
    """plugins('witness', 'witness.c', '-DX') builds a plugin; returns the directory of all that were built."""
    libdir = folder / 'plugins'
    libdir.mkdir()
    (folder / 'calls').touch()

    def make(name, source, *flags):
        path = TOP / ('examples/plugin' if source == 'control-device.c' else 'tests/plugins') / source
        subprocess.run(['cc', '-Wall', '-Wextra', '-Werror', '-D_GNU_SOURCE', '-shared', '-fPIC', '-o', libdir / f'{name}.so', path,
                        *installed, *flags], check=True)
        return libdir
    return make


def calls(folder):
    """The calls since the last time, without pids."""
    path = folder / 'calls'
    lines = path.read_text().splitlines()
    path.write_text('')
    return [re.sub(r'pid=\d+', 'pid=N', line) for line in lines]


def environment(folder, **answers):
    """For the witness."""
    return {'WITNESS': str(folder / 'calls'), 'WITNESS_ANSWERS': ' '.join(f'{name}={value}' for name, value in answers.items())}


def test_example(subject, plugins, folder):
    """A device that criu does not know is saved and restored by the example, twice; without it nothing begins."""
    libdir = plugins('control-device', 'control-device.c')
    run = subject('file/device-plugged')
    for _ in range(2):
        images = run.dump('--libdir', libdir)
        run.await_gone()
        assert len(list(images.glob('control-device-*.img'))) == 1
        code, said = run.call_criu('restore', images, '-d')
        assert code == 1 and 'made with the plugin control-device, which is missing here' in said and '--libdir' in said
        run.await_gone()
        run.restore(images, '-L', libdir)
        run.compare('after a restore by a plugin')
    run.release()


def test_damaged_image_of_the_example(subject, plugins):
    """The failure of a hook ends the restore, and nothing is left."""
    libdir = plugins('control-device', 'control-device.c')
    run = subject('file/device-plugged')
    images = run.dump('--libdir', libdir)
    run.await_gone()
    image = next(images.glob('control-device-*.img'))
    good = image.read_text()
    image.write_text('rubbish')
    code, said = run.call_criu('restore', images, '-d', '--libdir', libdir)
    assert code == 1 and 'control-device failed at RESTORE_EXT_FILE with -22 (Invalid argument)' in said
    assert 'the image of file' in said
    run.await_gone()
    image.write_text(good)
    run.restore(images, '--libdir', libdir)
    run.release()


def test_order(subject, plugins, folder):
    """Every hook at its phase; tasks run or stand as they should; the descriptor of the device is asked for once."""
    libdir = plugins('witness', 'witness.c')
    run = subject('file/device-plugged')
    images = run.folder_of_images()
    answers = environment(folder, DUMP_EXT_FILE=0, RESTORE_EXT_FILE=0)
    code, said = run.call_criu('dump', images, '-t', run.pid, '-L', libdir, env=answers)
    assert code == 0, said
    assert calls(folder) == [
        'witness init stage=0 named=0 images=1',
        'witness PAUSE_DEVICES pid=N state=R',
        'witness PAUSE_DEVICES pid=N state=R',
        'witness CHECKPOINT_DEVICES pid=N state=t',
        'witness CHECKPOINT_DEVICES pid=N state=t',
        'witness DUMP_EXT_FILE id=positive 10:237',
        'witness DUMP_DEVICES_LATE pid=N state=t',
        'witness exit stage=0 ret=0',
    ]
    run.await_gone()
    code, said = run.call_criu('restore', images, '-d', '-L', libdir, env=answers)
    assert code == 0, said
    assert calls(folder) == [
        'witness init stage=2 named=0 images=1',
        'witness RESTORE_INIT',
        'witness POST_FORKING',
        'witness RESTORE_EXT_FILE id=positive',
        'witness RESUME_DEVICES_LATE pid=N state=t',
        'witness RESUME_DEVICES_LATE pid=N state=t',
        'witness exit stage=2 ret=0',
    ]
    run.compare('after a restore by a plugin')
    run.release()


def test_chain(subject, plugins, folder):
    """Who has nothing to say is followed by the next one; who answers ends the chain."""
    libdir = plugins('one', 'witness.c', '-DNAME="one"')
    plugins('control-device', 'control-device.c')
    plugins('two', 'witness.c', '-DNAME="two"')
    names = os.listdir(libdir)
    asked = [f'{name[:-3]} DUMP_EXT_FILE id=positive 10:237' for name in names[:names.index('control-device.so')]]
    assert len(asked) in (0, 1, 2)
    run = subject('file/device-plugged')
    images = run.folder_of_images()
    code, said = run.call_criu('dump', images, '-t', run.pid, '-L', libdir, env=environment(folder))
    assert code == 0, said
    assert [call for call in calls(folder) if 'DUMP_EXT_FILE' in call] == asked
    run.await_gone()
    code, said = run.call_criu('restore', images, '-d', env={**environment(folder), 'CRIU_LIBS_DIR': str(libdir)})
    assert code == 0, said
    assert len([call for call in calls(folder) if 'RESTORE_EXT_FILE' in call]) == len(asked)
    run.release()


def test_plugin_for_both(subject, plugins):
    """A plugin for CRIU 4.2 as well tells of as many hooks as that has."""
    libdir = plugins('control-device', 'control-device.c', '-DCRIU_PLUGIN_FOR_4_2', '-include', PROGRAMS / 'hooks-of-4-2.h')
    run = subject('file/device-plugged')
    images = run.dump('--libdir', libdir)
    run.await_gone()
    run.restore(images, '--libdir', libdir)
    run.release()


@pytest.mark.parametrize('hook', ['PAUSE_DEVICES', 'CHECKPOINT_DEVICES', 'DUMP_EXT_FILE', 'DUMP_DEVICES_LATE', 'init'])
def test_failing_dump(subject, plugins, folder, hook):
    """The dump fails with the plugin's name, the tasks go on, and exit is told."""
    libdir = plugins('witness', 'witness.c')
    run = subject('file/device-plugged')
    code, said = run.call_criu('dump', run.folder_of_images(), '-t', run.pid, '-L', libdir,
                               env=environment(folder, **{'DUMP_EXT_FILE': 0, hook: -5}))
    assert code == 1 and 'Dumping FAILED.' in said
    if hook == 'init':
        assert 'witness.so: it does not want to begin (its init returned -5)' in said
        assert calls(folder) == ['witness init stage=0 named=0 images=1']
    else:
        assert f'the plugin witness failed at {hook} with -5 (Input/output error)' in said
        assert calls(folder)[-1] == 'witness exit stage=0 ret=negative'
    run.compare(f'after a failed {hook}')
    run.release()


def dump_plugged(subject, plugins, folder):
    """A dumped program with a device that the plugin keeps: (run, images, directory of the plugin, its answers)."""
    libdir = plugins('witness', 'witness.c')
    run = subject('file/device-plugged')
    answers = {'DUMP_EXT_FILE': 0, 'RESTORE_EXT_FILE': 0}
    images = run.folder_of_images()
    code, said = run.call_criu('dump', images, '-t', run.pid, '-L', libdir, env=environment(folder, **answers))
    assert code == 0, said
    run.await_gone()
    return run, images, libdir, answers


@pytest.mark.parametrize('hook', ['RESTORE_INIT', 'POST_FORKING', 'RESTORE_EXT_FILE', 'RESUME_DEVICES_LATE'])
def test_failing_restore(subject, plugins, folder, hook):
    """Before the tasks are complete nothing is left of them; afterwards it is only logged."""
    run, images, libdir, answers = dump_plugged(subject, plugins, folder)
    code, said = run.call_criu('restore', images, '-d', '-L', libdir, env=environment(folder, **{**answers, hook: -5}))
    assert f'the plugin witness failed at {hook} with -5' in said
    if hook == 'RESUME_DEVICES_LATE':
        assert code == 0 and calls(folder)[-1] == 'witness exit stage=2 ret=0'
    else:
        assert code == 1 and calls(folder)[-1] == 'witness exit stage=2 ret=negative'
        run.await_gone()
        code, said = run.call_criu('restore', images, '-d', '-L', libdir, env=environment(folder, **answers))
        assert code == 0, said
    run.release()


@pytest.mark.parametrize('hook', ['PAUSE_DEVICES', 'CHECKPOINT_DEVICES', 'DUMP_EXT_FILE'])
def test_crash_in_dump(subject, plugins, folder, hook):
    """A plugin that takes criu down with it harms no task, and the log tells how far it was."""
    libdir = plugins('witness', 'witness.c')
    run = subject('file/device-plugged')
    images = run.folder_of_images()
    code, said = run.call_criu('dump', images, '-t', run.pid, '-L', libdir, env=environment(folder, **{'DUMP_EXT_FILE': 0, hook: 'crash'}))
    assert code and 'FAILED' not in said, said
    # A sanitizer takes the signal before we can write down what was collected.
    assert 'Sanitizer' in said or 'Loaded plugin witness' in (images / 'dump.log').read_text(), said
    run.compare(f'after a crash in {hook}')
    run.release()


@pytest.mark.parametrize('hook', ['POST_FORKING', 'RESTORE_EXT_FILE', 'RESUME_DEVICES_LATE'])
def test_crash_in_restore(subject, plugins, folder, hook):
    """The half-made tasks are gone with criu."""
    run, images, libdir, answers = dump_plugged(subject, plugins, folder)
    code, said = run.call_criu('restore', images, '-d', '-L', libdir, env=environment(folder, **{**answers, hook: 'crash'}))
    assert code and 'FAILED' not in said
    wait_until(lambda: not run.room.pids(), 5, lambda: f'left over: {run.room.pids()}')
    code, said = run.call_criu('restore', images, '-d', '-L', libdir, env=environment(folder, **answers))
    assert code == 0, said
    run.release()


def test_asked_again(subject, plugins, folder):
    """A plugin may want to be asked for a file later; one that never has it ends the restore."""
    run, images, libdir, answers = dump_plugged(subject, plugins, folder)
    calls(folder)
    code, said = run.call_criu('restore', images, '-d', '-L', libdir, env=environment(folder, **answers, LATER=3))
    assert code == 0, said
    assert [call for call in calls(folder) if 'FILE' in call] == ['witness RESTORE_EXT_FILE id=positive'] * 4
    run.compare('after a restore with patience')
    run.kill()
    code, said = run.call_criu('restore', images, '-d', '-L', libdir, '--timeout', '1', env=environment(folder, **answers, LATER=1000000))
    assert code == 1 and 'the plugin witness wants to be asked for it later' in said and '--timeout' in said, said
    run.await_gone()
    code, said = run.call_criu('restore', images, '-d', '-L', libdir, env=environment(folder, **answers))
    assert code == 0, said
    run.release()


def test_mapping(subject, plugins, folder):
    """A mapping of a device: taken over at the dump, and something else lies there after the restore."""
    libdir = plugins('witness', 'witness.c')
    run = subject('memory/device')
    images = run.folder_of_images()
    code, said = run.call_criu('dump', images, '-t', run.pid, '-L', libdir, env=environment(folder, HANDLE_DEVICE_VMA=0))
    assert code == 0, said
    assert 'witness HANDLE_DEVICE_VMA 1:5 same=1' in calls(folder)
    run.await_gone()
    code, said = run.call_criu('restore', images, '-d', '-L', libdir, env=environment(folder, UPDATE_VMA_MAP=-12))
    assert code == 1 and 'witness failed at UPDATE_VMA_MAP with -12' in said
    run.await_gone()
    assert 'witness UPDATE_VMA_MAP /dev/zero page=1 offset=0' in calls(folder)
    for answer in (1, 0):
        code, said = run.call_criu('restore', images, '-d', '-L', libdir, env=environment(folder, UPDATE_VMA_MAP=answer))
        assert code == 0, said
        if answer:
            maps = (run.room.proc / str(run.pid) / 'maps').read_text()
            assert 'stand-in' in maps
            assert 'stand-in' not in str([os.readlink(path) for path in (run.room.proc / str(run.pid) / 'fd').iterdir()])
            start = int(next(line for line in maps.splitlines() if 'stand-in' in line).split('-')[0], 16)
            with open(run.room.proc / str(run.pid) / 'mem', 'rb', buffering=0) as memory:
                assert os.pread(memory.fileno(), 15, start) == b'from the plugin'
            run.kill()
    run.release()
    assert run.output.read_text().endswith('memory: \n')


def test_unix_socket(room, criu, folder, plugins):
    """A stream socket whose peer is outside of the tree: the plugin connects it again."""
    libdir = plugins('witness', 'witness.c')
    room.start(folder / 'server.out', '/usr/bin/python3', PROGRAMS / 'unix-server.py', folder)
    wait_until((folder / 'server').exists, 10)
    pid = room.start(folder / 'client.out', '/usr/bin/python3', PROGRAMS / 'unix-client.py', folder)
    wait_until(lambda: 'welcome 1' in (folder / 'client.out').read_text(), 10)
    images = folder / 'images'
    images.mkdir()
    env = {**os.environ, **environment(folder, DUMP_UNIX_SK=0, RESTORE_UNIX_SK=0), 'WITNESS_SERVER': str(folder / 'server')}

    done = room.run(criu, 'dump', '-t', pid, '-D', images, '-L', libdir, env={**env, 'WITNESS_ANSWERS': 'DUMP_UNIX_SK=-13'})
    assert done.returncode == 1 and 'witness failed at DUMP_UNIX_SK with -13' in done.stdout
    done = room.run(criu, 'dump', '-t', pid, '-D', images, '-L', libdir, env={**env, 'WITNESS_ANSWERS': ''})
    assert done.returncode == 1 and 'outside of the tree' in done.stdout
    done = room.run(criu, 'dump', '-t', pid, '-D', images, '-L', libdir, env=env)
    assert done.returncode == 0, done.stdout
    assert 'witness DUMP_UNIX_SK same-inode=1 socket=1' in calls(folder)
    wait_until(lambda: pid not in room.pids(), 5)
    done = room.run(criu, 'restore', '-d', '-D', images, '-L', libdir, env=env)
    assert done.returncode == 0, done.stdout
    (folder / 'go').touch()
    wait_until(lambda: 'welcome 2' in (folder / 'client.out').read_text(), 5, lambda: (folder / 'client.out').read_text())


def test_mount(room, criu, folder, plugins):
    """A mount that criu does not know is saved and made again by a plugin."""
    libdir = plugins('witness', 'witness.c')
    (folder / 'place').mkdir()
    (folder / 'images').mkdir()
    text = shlex.quote(f'open("{folder}/place/mark").read()')
    subprocess.run(f'truncate -s 1M {folder}/disk && mkfs.ext2 -q {folder}/disk', shell=True, check=True)
    pid = room.start(folder / 'output', '/usr/bin/unshare', '-m', '/bin/sh', '-ec',
                     f'mount -o loop {folder}/disk {folder}/place; exec /usr/bin/python3 {PROGRAMS}/say-after-restore.py {folder} {text}', cwd='/')
    wait_until((folder / 'ready').exists, 30, lambda: (folder / 'output').read_text())
    options = ('-D', folder / 'images', '-v4', '-L', libdir)
    done = room.run(criu, 'dump', '-t', pid, *options, '-o', 'dump.log', env=environment(folder, DUMP_EXT_MOUNT=-5))
    assert done.returncode == 1 and 'witness.so' in (folder / 'images/dump.log').read_text()
    done = room.run(criu, 'dump', '-t', pid, *options, '-o', 'dump.log', env=environment(folder, DUMP_EXT_MOUNT=0))
    assert done.returncode == 0, (folder / 'images/dump.log').read_text()
    assert calls(folder).count('witness DUMP_EXT_MOUNT /place id=positive') == 2
    wait_until(lambda: pid not in room.pids(), 10)
    done = room.run(criu, 'restore', '-d', *options, '-o', 'restore.log', env=environment(folder))
    assert done.returncode == 1 and 'a plugin saved it' in (folder / 'images/restore.log').read_text()
    calls(folder)
    done = room.run(criu, 'restore', '-d', *options, '-o', 'restore.log', env=environment(folder, RESTORE_EXT_MOUNT=0))
    assert done.returncode == 0, (folder / 'images/restore.log').read_text()
    assert 'witness RESTORE_EXT_MOUNT id=positive root=/ is_file=0' in calls(folder)
    (folder / 'go').touch()
    wait_until((folder / 'said').exists, 30)
    assert (folder / 'said').read_text() == 'from the plugin'


def test_socket_of_a_foreign_family(room, criu, folder, plugins):
    """It is offered to plugins like any other file that criu does not know."""
    libdir = plugins('witness', 'witness.c')
    pid = room.start(folder / 'output', '/usr/bin/python3', PROGRAMS / 'foreign-socket.py')
    wait_until(lambda: (folder / 'output').read_text(), 10)
    if 'none' in (folder / 'output').read_text():
        pytest.skip('this kernel has none of the families')
    images = folder / 'images'
    images.mkdir()
    words = [criu, 'dump', '-t', pid, '-D', images, '-L', libdir]
    done = room.run(*words, env={**os.environ, **environment(folder)})
    assert done.returncode == 1 and 'DUMP_EXT_FILE' in str(calls(folder)) and "cannot be saved" in done.stdout, done.stdout
    env = {**os.environ, **environment(folder, DUMP_EXT_FILE=0, RESTORE_EXT_FILE=0)}
    done = room.run(*words, env=env)
    assert done.returncode == 0, done.stdout
    wait_until(lambda: pid not in room.pids(), 5)
    done = room.run(criu, 'restore', '-d', '-D', images, '-L', libdir, env=env)
    assert done.returncode == 0, done.stdout
    assert os.readlink(room.proc / str(pid) / 'fd/3') == '/dev/loop-control'


def test_inventory(subject, plugins, folder):
    """A name in the inventory: its plugin is told so, the others are not, and it may not be missing."""
    libdir = plugins('named', 'witness.c', '-DNAME="named"', '-DNAMED')
    run = subject('file/pipe')
    images = run.folder_of_images()
    code, said = run.call_criu('dump', images, '-t', run.pid, '-L', libdir, env=environment(folder))
    assert code == 0, said
    run.await_gone()
    calls(folder)
    (libdir / 'named.so').unlink()
    plugins('other', 'witness.c', '-DNAME="other"')
    code, said = run.call_criu('restore', images, '-d', '-L', libdir, env=environment(folder))
    assert code == 1 and 'made with the plugin named, which is missing here' in said
    assert calls(folder) == ['other init stage=2 named=0 images=1', 'other exit stage=2 ret=negative']
    plugins('named', 'witness.c', '-DNAME="named"')
    code, said = run.call_criu('restore', images, '-d', '-L', libdir, env=environment(folder))
    assert code == 0, said
    assert {'other init stage=2 named=0 images=1', 'named init stage=2 named=1 images=1'} <= set(calls(folder))
    run.release()


def test_old_form(subject, plugins, folder):
    """Functions with fixed names instead of a descriptor."""
    libdir = plugins('old', 'old.c')
    run = subject('file/device-plugged')
    images = run.folder_of_images()
    code, said = run.call_criu('dump', images, '-t', run.pid, '-L', libdir, env=environment(folder))
    assert code == 0 and re.search('Warn .*old.so: it has no descriptor', (images / 'dump.log').read_text()), said
    run.await_gone()
    code, said = run.call_criu('restore', images, '-d', '-L', libdir, env=environment(folder))
    assert code == 0, said
    assert calls(folder) == ['old init', 'old dump_file', 'old fini', 'old init', 'old restore_file', 'old fini']
    run.release()


@pytest.mark.parametrize('name, version, hooks, words', [
    ('"x"', 'CRIU_PLUGIN_VERSION + 1', 'CR_PLUGIN_HOOK__MAX', 'version 0.2.1 of the plugin interface, this criu knows up to 0.2.0'),
    ('"x"', 'CRIU_PLUGIN_VERSION', 'CR_PLUGIN_HOOK__MAX + 2', 'made for a criu with 17 hooks, this one has 15'),
    ('0', 'CRIU_PLUGIN_VERSION', 'CR_PLUGIN_HOOK__MAX', 'has no name'),
    ('"x"', 'CRIU_PLUGIN_VERSION', '3', None),
    ('"x"', 'CRIU_PLUGIN_VERSION_OLD', '0', None),
])
def test_versions(subject, plugins, folder, installed, name, version, hooks, words):
    """Newer versions and more hooks are refused; plugins that were loaded before are told. Older ones are welcome."""
    libdir = plugins('witness', 'witness.c')
    subprocess.run(['cc', '-shared', '-fPIC', f'-DNAME={name}', f'-DVERSION={version}', f'-DHOOKS={hooks}', '-o', libdir / 'wrong.so',
                    PROGRAMS / 'wrong-plugin.c', *installed], check=True)
    run = subject('file/pipe')
    code, said = run.call_criu('dump', run.folder_of_images(), '-t', run.pid, '-R', '-L', libdir, env=environment(folder))
    if words:
        assert code == 1 and f'plugin {libdir}/wrong.so: it' in said and words in said, said
        assert calls(folder) in ([], ['witness init stage=0 named=0 images=1', 'witness exit stage=0 ret=negative'])
    else:
        assert code == 0, said
    run.compare('after it')
    run.release()


def damage(libdir, how):
    """A library that cannot be used."""
    path = libdir / 'witness.so'
    data = path.read_bytes()
    if how == 'cut':
        path.write_bytes(data[:len(data) // 2])
    elif how == 'empty':
        path.write_bytes(b'')
    elif how == 'text':
        path.write_text('#!/bin/sh\n' * 10)
    elif how == 'zeros':
        path.write_bytes(data[:16] + bytes(len(data) - 16))
    elif how == 'directory':
        path.unlink()
        path.mkdir()
    elif how == 'dangling':
        path.unlink()
        path.symlink_to('nowhere')


@pytest.mark.parametrize('how', ['cut', 'empty', 'text', 'zeros', 'directory', 'dangling'])
def test_damaged(subject, plugins, folder, how):
    """A damaged library ends the operation with its path, before anything is stopped. Other names are not looked at."""
    libdir = plugins('witness', 'witness.c')
    damage(libdir, how)
    shutil.copy(TOP / 'Makefile', libdir / 'README')
    run = subject('file/pipe')
    code, said = run.call_criu('dump', run.folder_of_images(), '-t', run.pid, '-L', libdir, env=environment(folder))
    assert code == 1 and re.search(f'Error .*plugin {libdir}/witness.so: it', said), said
    run.compare('after it')
    run.release()


def test_undefined_symbol(subject, plugins, folder, installed):
    """The reason of the loader is told."""
    libdir = folder / 'plugins'
    source = folder / 'bad.c'
    source.write_text('extern int not_there;\nint *cr_plugin_x = &not_there;\n')
    subprocess.run(['cc', '-shared', '-fPIC', '-o', libdir / 'bad.so', source], check=True)
    run = subject('file/pipe')
    code, said = run.call_criu('dump', run.folder_of_images(), '-t', run.pid, '-L', libdir)
    assert code == 1 and 'bad.so: it cannot be loaded' in said and 'undefined symbol: not_there' in said
    run.release()


def test_directories(subject, plugins, folder):
    """A directory that was given must be there; --libdir wins over the variable."""
    libdir = plugins('witness', 'witness.c')
    run = subject('file/pipe')
    for options, env in ((['-L', '/nowhere'], {}), ([], {'CRIU_LIBS_DIR': '/nowhere'})):
        code, said = run.call_criu('dump', run.folder_of_images(), '-t', run.pid, *options, env=env)
        assert code == 1 and "plugin directory /nowhere cannot be opened: No such file" in said
    code, said = run.call_criu('dump', run.folder_of_images(), '-t', run.pid, '-R', '-L', '.')
    assert code == 0 and re.search('Warn .*no plugins in ., a directory below the work directory', said), said
    code, said = run.call_criu('dump', run.folder_of_images(), '-t', run.pid, '-R', '-L', libdir,
                               env={**environment(folder), 'CRIU_LIBS_DIR': '/nowhere'})
    assert code == 0 and calls(folder), said
    run.release()


@pytest.mark.skipif(not shutil.which('setcap'), reason='setcap is not installed')
def test_criu_with_capabilities(room, criu, plugins, folder):
    """A criu that has more rights than its caller does not run the caller's code."""
    libdir = plugins('witness', 'witness.c')
    copy = Path('/usr/local/lib') / f'criu-test-{os.getpid()}'      # not on a file system that is mounted nosuid
    shutil.copy(criu, copy)
    try:
        subprocess.run(['setcap', 'cap_checkpoint_restore,cap_sys_ptrace+eip', copy], check=True)
        (folder / 'images').mkdir()
        for path in (folder / 'images', folder / 'calls'):
            os.chown(path, 65534, 65534)
        user = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups']
        pid = room.start(folder / 'output', *user, 'sleep', '1000')
        wait_until(lambda: (room.proc / str(pid) / 'comm').read_text() == 'sleep\n', 5)
        words = [*user, copy, 'dump', '-t', pid, '-D', folder / 'images', '--unprivileged', '-R']
        done = room.run(*words, '--libdir', libdir, env={**os.environ, **environment(folder)})
        assert done.returncode == 1 and 'criu has rights that its caller lacks' in done.stdout, done.stdout
        done = room.run(*words, env={**os.environ, **environment(folder), 'CRIU_LIBS_DIR': str(libdir)})
        assert done.returncode == 0 and not calls(folder), done.stdout
    finally:
        copy.unlink()


def test_request(subject, criu, plugins, folder):
    """A client of the service has plugins by the config file of its request."""
    libdir = plugins('control-device', 'control-device.c')
    run = subject('file/device-plugged')
    images = run.folder_of_images()
    (folder / 'plugins.conf').write_text(f'libdir {libdir}\n')
    opts = {'images_dir': str(images), 'config_file': str(folder / 'plugins.conf')}
    with rpc.start_swrk(criu, room=run.room) as client:
        assert client.call('DUMP', {**opts, 'pid': run.pid})['success']
    run.await_gone()
    with rpc.start_swrk(criu, room=run.room) as client:
        reply = client.call('RESTORE', {'images_dir': str(images)})
        assert not reply['success'] and 'made with the plugin control-device' in reply['cr_errmsg']
    with rpc.start_swrk(criu, room=run.room) as client:
        assert client.call('RESTORE', opts)['success']
    run.compare('after a restore by a plugin')
    run.release()
