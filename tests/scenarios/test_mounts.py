# SPDX-License-Identifier: GPL-2.0-only
"""Mount namespaces: roots and mounts from outside, what is left out, what is shared with others, and failures on the way."""
import os
import re
import shutil
from pathlib import Path

import pytest
from mounts import Program, make_files
from room import PROGRAMS, wait_until, wants_avx512

# systemd makes "/" shared, some of its services have slaves of it.
pytestmark = pytest.mark.parametrize('propagation', ('shared', 'slave', 'private'))


@pytest.fixture
def program(room, criu, folder):
    """A Program."""
    return Program(room, criu, folder)


def test_external(program, folder):
    """What is named at the dump is found by that name at the restore, and may be another directory."""
    one = make_files(folder / 'one', file='first')
    two = make_files(folder / 'two', file='second')
    place = make_files(folder / 'place')
    before = program.mounts()
    program.start_python(f'mount --bind {one} {place}', f'open("{place}/file").read()')
    program.dump('--external', f'mnt[{place}]:things')
    code, said = program.call('restore', '-d')
    assert code == 1 and "--external 'mnt[things]:PATH'" in said, said
    assert program.restore('--external', f'mnt[things]:{two}') == 'second'
    assert program.mounts() == before


def test_external_by_old_option(program, folder):
    """-M says the same."""
    one = make_files(folder / 'one', file='first')
    place = make_files(folder / 'place')
    program.start_python(f'mount --bind {one} {place}', f'open("{place}/file").read()')
    program.dump('-M', f'{place}:things')
    assert program.restore('-M', f'things:{one}') == 'first'


def test_external_file(program, folder):
    """A single file can be mounted from outside as well."""
    files = make_files(folder / 'files', one='first', two='second', place='')
    program.start_python(f'mount --bind {files}/one {files}/place', f'open("{files}/place").read()')
    program.dump('--external', f'mnt[{files}/place]:file')
    assert program.restore('--external', f'mnt[file]:{files}/two') == 'second'


def test_skipped(program, folder):
    """A mount that was left out is not there, and what is mounted below it neither."""
    place = make_files(folder / 'place', file='below')
    program.start_python(f'mount -t tmpfs x {place}; mkdir {place}/more; mount -t tmpfs y {place}/more',
                         f'open("{place}/file").read() + open("/proc/self/mountinfo").read()')
    program.dump('--skip-mnt', str(place))
    said = program.restore()
    assert said.startswith('below') and f' {place}' not in said


def test_refused_mount(program, folder):
    """What cannot be saved is refused by name, with the ways out."""
    place = make_files(folder / 'place')
    bind = 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])'
    program.start_python(f'mount -t tmpfs memory {place}; python3 -c "{bind}" {place}/socket; touch {place}/at; mount --bind {place}/socket {place}/at',
                         f'str([os.path.ismount("{place}"), os.path.ismount("{place}/at")])')
    code, said = program.call('dump', '-t', program.pid)
    assert code == 1 and re.search(rf'{place}/at \(tmpfs on memory\): a socket is mounted.*--external mnt\[{place}/at\]:NAME.*--skip-mnt', said), said
    program.dump('--skip-mnt', f'{place}/at')
    assert program.restore() == '[True, False]'


@pytest.mark.parametrize('kind', ('bpf', 'hugetlbfs', 'ramfs', 'binfmt_misc', 'debugfs', 'mqueue'))
def test_kernel_file_systems(program, folder, kind):
    """Empty ones and those of the kernel are made again."""
    place = make_files(folder / 'place')
    program.start_python(f'mount -t {kind} x {place}', f'[line.split()[-3] for line in open("/proc/self/mountinfo") if "{place}" in line][0]')
    program.dump()
    assert program.restore() == kind


def test_ramfs(program, folder):
    """A ramfs keeps its files."""
    place = make_files(folder / 'place')
    program.start_python(f'mount -t ramfs memory {place}; mkdir {place}/in; echo -n text > {place}/in/file', f'open("{place}/in/file").read()')
    program.dump()
    assert program.restore() == 'text'


def test_device_file(program):
    """A device of the host's devtmpfs that is bound upon a file of the container's /dev, as /dev/kmsg by podman."""
    options = program.start_rooted('mkdir dev; mount -t tmpfs dev dev; touch dev/kmsg; mount --bind /dev/kmsg dev/kmsg',
                                   'str(os.stat("/dev/kmsg").st_rdev == os.makedev(1, 11))')
    program.dump(*options[0])
    assert program.restore(*options[1]) == 'True'


@pytest.mark.parametrize('given', ('named', 'found', 'mapped', 'made'))
def test_idmapped(program, folder, given):
    """An idmapped volume gets its map again, unless what is given has one; where the kernel does not tell the map it is refused."""
    place, source = make_files(folder / 'place'), make_files(folder / 'from', file='')
    bind = f'/usr/bin/python3 {PROGRAMS}/bind-idmapped.py'
    made = f'mount -t tmpfs made {source}; touch {source}/file; ' if given == 'made' else ''
    program.start_python(f'{made}{bind} {source} {place}', f'str(os.stat("{place}/file").st_uid)')
    named = given in ('named', 'mapped')
    code, said = program.call('dump', '-t', program.pid, *(('--external', f'mnt[{place}]:volume') if named else ()))
    if code:
        assert 'Linux 6.15' in said and 'idmapped' in said and f'--skip-mnt {place}' in said, said
        pytest.skip('this kernel does not tell how the owners are mapped')
    wait_until(lambda: program.pid not in program.room.pids(), 10)
    if given == 'mapped':
        other = make_files(folder / 'other')
        assert program.room.run(*bind.split(), source, other).returncode == 0
        source = other
    assert program.restore(*(('--external', f'mnt[volume]:{source}') if named else ())) == '1000'


def test_overlay_of_directories_outside(program, folder):
    """A volume `-v DIR:/v:O` of podman: the layers are the host's, mounted before the root was changed. Its upper layer is written to afterwards."""
    layers = folder / 'layers'
    for name in ('low:er', 'upper', 'work'):
        (layers / name).mkdir(parents=True)
    (layers / 'low:er/file').write_text('lower')
    options = program.start_rooted(f'mkdir v again; mount -t overlay overlay -o "lowerdir={layers}/low\\\\:er,upperdir={layers}/upper,workdir={layers}/work" v; mount --bind v again',
                                   'open("/v/file").read() + str(open("/again/new", "w").write("new"))')
    program.dump(*options[0])
    assert program.restore(*options[1]) == 'lower3'
    assert (layers / 'upper/new').read_text() == 'new'


def test_many_layers(program, folder):
    """Options may be longer than what fsconfig(2) takes at once."""
    layers = folder / 'layers'
    for number in range(20):
        (layers / f'with a long:name {number}').mkdir(parents=True)
        (layers / f'with a long:name {number}/file').write_text(str(number))
    low = ':'.join(f'{layers}/with a long\\\\:name {number}' for number in range(20))
    options = program.start_rooted(f'mkdir v; mount -t overlay overlay -o "lowerdir={low}" v', 'open("/v/file").read()')
    program.dump(*options[0])
    assert program.restore(*options[1]) == '0'


def test_image_as_a_layer(program, folder):
    """`podman run --mount type=image`: a layer is an overlay that is mounted for the container only, another is an empty directory of it."""
    layers = folder / 'layers'
    for name in ('image', 'none', 'merged', 'number/lower'):
        (layers / name).mkdir(parents=True)
    (layers / 'image/file').write_text('image')
    program.room.run('/bin/sh', '-ec', f'mount -t overlay overlay -o lowerdir={layers}/image:{layers}/none {layers}/merged')
    options = program.start_rooted(f'mkdir v; mount -t overlay overlay -o lowerdir={layers}/merged:{layers}/number/lower v', 'open("/v/file").read()')
    program.dump(*options[0])
    program.room.run('/bin/umount', layers / 'merged')
    shutil.rmtree(layers / 'number')
    (layers / 'merged').rmdir()
    assert program.restore(*options[1]) == 'image'


def test_upper_directory_that_was_removed(program, folder):
    """Podman removes the upper directory of such a volume when the container has ended: it comes back with what was in it."""
    layers = folder / 'layers'
    for name in ('lower/dir', 'number/upper', 'number/work'):
        (layers / name).mkdir(parents=True)
    (layers / 'lower/file').write_text('lower')
    (layers / 'lower/gone').write_text('gone')
    options = program.start_rooted(f'mkdir v; mount -t overlay overlay -o lowerdir={layers}/lower,upperdir={layers}/number/upper,workdir={layers}/number/work v; '
                                   'rm v/gone; echo -n more >> v/file; rmdir v/dir; mkdir v/dir', 'open("/v/file").read() + str(sorted(os.listdir("/v")))')
    program.dump(*options[0])
    shutil.rmtree(layers / 'number')
    code, said = program.call('restore', '-d', *options[1], env={**os.environ, 'CRIU_FAIL_AT': 'restore/fill/mount/spaces'})
    assert code == 1 and not (layers / 'number').exists(), said
    assert program.restore(*options[1]) == "lowermore['dir', 'file']"


@pytest.mark.parametrize('found', ('copied', 'elsewhere'))
def test_stacked_outside(program, folder, found):
    """Mounts from outside that lie upon each other come back in that order, also if the lower ones are seen nowhere."""
    place = make_files(folder / 'place')
    for number in range(3):
        assert program.room.run('/bin/sh', '-ec', f'mount -t tmpfs t{number} {place}; echo {number} > {place}/file').returncode == 0
    at, bind = place, ''
    if found == 'elsewhere':
        at, above = folder / 'above/place', folder / 'above'
        above.mkdir()
        bind = f'mount --rbind {folder} {above}; '
    program.start_python(bind or 'true', f'str([open("{at}/file").read().strip() + str(os.system("umount {at}")) for _ in range(3)])')
    before = program.mounts()
    options = ('--external', 'mnt[]') if found == 'elsewhere' else ()
    program.dump(*options)
    assert program.restore(*options) == "['20', '10', '00']"
    assert program.mounts() == before


def test_stack_outside_that_is_lower_now(program, folder):
    """If some of them are not there any more, the topmost is taken, with a warning."""
    place = make_files(folder / 'place')
    for number in range(2):
        assert program.room.run('mount', '-t', 'tmpfs', f't{number}', place).returncode == 0
    program.start_python('true', f'str([os.system("umount {place}") for _ in range(3)])')
    program.dump()
    assert program.room.run('umount', place).returncode == 0
    code, said = program.call('restore', '-d')
    assert code == 0 and f'lay below 1 other mounts at {place}, which are not all there now' in said, said
    assert program.ask() == '[0, 0, 8192]'


def test_removed_of_what_is_found(program, folder):
    """mnt[] finds no path to a removed file or directory that is mounted: it is made again in the file system outside, and leaves no name there."""
    place = make_files(folder / 'place')
    assert program.room.run('mount', '-t', 'tmpfs', 'outside', place).returncode == 0
    program.start_python(f'cd {place}; mkdir gone at; mount --bind gone at; rmdir gone; echo -n text > file; touch other; mount --bind file other; rm file; cd /',
                         f'open("{place}/other").read() + str(os.listdir("{place}/at")) + str(sorted(os.listdir("{place}")))')
    program.dump('--external', 'mnt[]')
    assert program.restore('--external', 'mnt[]') == "text[]['at', 'other']"


def test_shared_with_outside(program, folder):
    """A mount that is in a peer group with one outside is taken if the user says so, and still hears of the outside."""
    place = make_files(folder / 'place')
    program.room.run('/bin/sh', '-ec', f'mount -t tmpfs x {place}; mkdir {place}/below; mount --make-shared {place}')
    program.start_python('true', f'open("{place}/below/mark").read()', ('-m', '--propagation', 'unchanged'))
    code, said = program.call('dump', '-t', program.pid)
    assert code == 1 and "--external 'mnt[]:s'" in said, said
    program.dump('--external', 'mnt[]:s')
    code, said = program.call('restore', '-d', '--external', 'mnt[]:s')
    assert code == 0, said
    done = program.room.run('/bin/sh', '-ec', f'mount -t tmpfs y {place}/below; echo -n heard > {place}/below/mark')
    assert done.returncode == 0, done.stdout
    (program.out / 'go').touch()
    wait_until((program.out / 'said').exists, 30)
    assert (program.out / 'said').read_text() == 'heard'


def test_slave_of_outside(program, folder):
    """The same for a slave."""
    place = make_files(folder / 'place')
    program.room.run('/bin/sh', '-ec', f'mount -t tmpfs x {place}; mkdir {place}/below; mount --make-shared {place}')
    program.start_python('true', f'open("{place}/below/mark").read()', ('-m', '--propagation', 'slave'))
    code, said = program.call('dump', '-t', program.pid)
    assert code == 1 and "--external 'mnt[]:m'" in said, said
    program.dump('--external', 'mnt[]:m')
    code, said = program.call('restore', '-d')
    assert code == 0, said
    done = program.room.run('/bin/sh', '-ec', f'mount -t tmpfs y {place}/below; echo -n heard > {place}/below/mark')
    assert done.returncode == 0, done.stdout
    (program.out / 'go').touch()
    wait_until((program.out / 'said').exists, 30)
    assert (program.out / 'said').read_text() == 'heard'


@pytest.fixture
def rooted(build, program, folder):
    """A program whose root is a directory, with two mounts from outside."""
    root = folder / 'root'
    for name in ('data', 'out', 'old', 'proc'):
        (root / name).mkdir(parents=True)
    shutil.copy(build / 'tests/programs/rooted', root / 'program')
    make_files(folder / 'data', kept='kept', which=' first')
    program.start(f'mount --make-rprivate /; mount --bind {root} {root}; mount -t proc proc {root}/proc; '
                  f'mount --bind {folder}/data {root}/data; mount --bind {program.out} {root}/out; '
                  f'cd {root}; pivot_root . old; cd /; exec /program')
    return program


def test_root(rooted, folder):
    """--root tells where the root is now."""
    before = rooted.mounts()
    rooted.dump('--external', 'mnt[/data]:data', '--external', 'mnt[/out]:out')
    (folder / 'root').rename(folder / 'moved')
    make_files(folder / 'other', kept='kept', which=' second')
    sources = ('--external', f'mnt[data]:{folder}/other', '--external', f'mnt[out]:{rooted.out}')
    code, said = rooted.call('restore', '-d', '--root', str(folder / 'root'), *sources)
    assert code == 1 and f'opening {folder}/root' in said, said
    assert rooted.restore('--root', str(folder / 'moved'), *sources) == 'kept second'
    assert rooted.mounts() == before


def test_missing_place(rooted, folder):
    """A root that lacks a directory where something was mounted is told by name; nothing is left behind."""
    rooted.dump('--external', 'mnt[/data]:data', '--external', 'mnt[/out]:out')
    before = rooted.mounts()
    (folder / 'root/proc').rmdir()
    code, said = rooted.call('restore', '-d', '--root', str(folder / 'root'), '--external', f'mnt[data]:{folder}/data', '--external',
                             f'mnt[out]:{rooted.out}')
    assert code == 1 and 'there is no /proc to mount it on' in said, said
    assert rooted.mounts() == before and rooted.pid not in rooted.room.pids()


def test_automatic(rooted, folder):
    """mnt[] finds what comes from outside; verify tells what a restore will want."""
    rooted.dump('--external', 'mnt[]')
    done = rooted.room.run(rooted.criu, 'verify', rooted.images)
    assert f'{folder}/data' in done.stdout and '--root' in done.stdout and 'A restore could begin' in done.stdout, done.stdout
    assert rooted.restore() == 'kept first'     # the root is found by its file system


OVERLAY_ROOT = 'mount --make-rprivate /; {before}mount -t overlay o -o lowerdir={{root}},upperdir={layers}/upper,workdir={layers}/work {{root}}'


def test_root_overlay(program, folder):
    """A program that has made an overlay of directories outside its root, which nobody else sees; twice in a row."""
    layers, root = make_files(folder / 'layers'), make_files(folder / 'root', gone='')
    for name in ('upper', 'work'):
        (layers / name).mkdir()
    options = program.start_rooted('rm gone; echo -n new > file', 'open("/file").read() + str(os.path.exists("/gone"))',
                                   own_root=OVERLAY_ROOT.format(before='', layers=layers))
    before = program.mounts()
    assert options[1][-2:] == ['--root', str(root)]
    for _ in range(2):
        program.dump(*options[0])
        code, said = program.call('restore', '-d', *options[1][:-2])
        assert code == 0, said
        program.pid = next(pid for pid in program.room.pids() if program.is_first(pid))
    assert program.ask() == 'newFalse'
    assert (root / 'gone').exists() and (layers / 'upper/file').read_text() == 'new' and program.mounts() == before


def test_root_seen_nowhere(program, folder):
    """If its layers are nowhere outside, restore takes no other root in its place."""
    layers, root = make_files(folder / 'layers'), make_files(folder / 'root', file='old')
    own = OVERLAY_ROOT.format(before=f'mount -t tmpfs hidden {layers}; mkdir {layers}/upper {layers}/work; ', layers=layers)
    options = program.start_rooted('echo -n new > file', 'open("/file").read()', own_root=own)
    code, said = program.call('dump', '-t', program.pid, *options[0])
    assert code == 0 and 'is mounted nowhere that criu sees: restore must be told with --root' in said, said
    wait_until(lambda: program.pid not in program.room.pids(), 10)
    code, said = program.call('restore', '-d', *options[1][:-2])
    assert code == 1 and 'tell with --root' in said, said
    assert program.restore(*options[1]) == 'old' and root.exists()


def test_root_in_memory(program, folder):
    """A root that is a tmpfs, with directories of the host below it: the refusal tells that mnt[] finds those."""
    own = 'mount --make-rprivate /; mkdir {root}.new; mount -t tmpfs t {root}.new; cp -a {root}/. {root}.new; mount --move {root}.new {root}'
    program.start_rooted('echo -n text > file', 'open("/file").read() + str(os.path.ismount("/usr"))', own_root=own)
    code, said = program.call('dump', '-t', program.pid)
    assert code == 1 and re.search(r'/usr \(\w+ on', said) and "--external 'mnt[]' finds it" in said, said
    program.dump('--external', 'mnt[]')
    assert program.restore('--external', 'mnt[]') == 'textTrue'
    assert (folder / 'root.new').is_dir()


def test_root_without_namespace(program, folder):
    """A tree that lives in the mount namespace of criu gets its root below the directory that --root tells; a second checkpoint goes on from there."""
    root, which = folder / 'root', make_files(folder / 'which', file='outside')
    other = make_files(folder / 'other', file='inside')
    for path in ('usr', 'proc', 'dev', f'.{program.out}', f'.{which}'):
        (root / path).mkdir(parents=True)
    for name in ('bin', 'lib', 'lib64'):
        (root / name).symlink_to(f'usr/{name}')
    done = program.room.run('/bin/sh', '-ec', f'for i in usr proc dev; do mount --rbind /$i {root}/$i; done; '
                                              f'mount --bind {program.out} {root}{program.out}; mount --bind {other} {root}{which}')
    assert done.returncode == 0, done.stdout
    program.pid = program.room.start(folder / 'output', '/usr/bin/python3', PROGRAMS / 'say-after-restore.py', program.out,
                                     f'open("{which}/file").read()', cwd=which)
    (root / str(folder).lstrip('/') / 'output').touch()
    (root / str(PROGRAMS).lstrip('/')).mkdir(parents=True)
    wait_until((program.out / 'ready').exists, 30, lambda: (folder / 'output').read_text())
    before = program.mounts()
    program.dump()
    code, said = program.call('restore', '-d', '--root', str(root / 'missing'))
    assert code == 1 and f'opening {root}/missing, which is to be the root directory' in said, said
    code, said = program.call('restore', '-d', '--root', str(root))
    assert code == 0, said
    assert program.room.run('readlink', f'/proc/{program.pid}/root', f'/proc/{program.pid}/cwd').stdout.split() == [str(root), f'{root}{which}']
    program.dump()
    assert program.restore() == 'inside'
    assert program.mounts() == before


@wants_avx512
def test_container_of_criu(room, criu, folder):
    """A container that runc checkpointed with CRIU 4.2: its mounts and the files of each tmpfs. (Its network was left out.)"""
    busybox = Path('/bin/busybox')
    if not busybox.exists() or busybox.stat().st_size != 1982256:
        pytest.skip('there is not the busybox that ran in it')
    root = folder / 'root'
    for name in ('bin', 'proc', 'sys', 'dev', 'tmp', 'none'):
        (root / name).mkdir(parents=True)
    shutil.copy(busybox, root / 'bin')
    images = folder / 'images'
    shutil.copytree(Path(__file__).parents[1] / 'compat/container/images', images)
    options = ['--root', root, '--empty-ns', 'net', '--manage-cgroups=ignore', '--external', 'mnt[/dev/null]:/dev/null']
    for name in ('systemd', 'pids', 'blkio', 'freezer', 'devices', 'memory', 'cpuset', 'cpuacct', 'cpu'):
        options += ['--external', f'mnt[/sys/fs/cgroup/{name}]:{root}/none']
    done = room.run(criu, 'restore', '-d', '-D', images, '-v4', '-o', 'restore.log', '--pidfile', folder / 'pid', *options)
    assert done.returncode == 0, (images / 'restore.log').read_text()
    pid = int((folder / 'pid').read_text())
    there = room.proc / str(pid)
    mounts = [line.split() for line in (there / 'mountinfo').read_text().splitlines()]
    assert len(mounts) == 25
    assert [line[5] for line in mounts if line[4] == '/sys/fs/cgroup'] == ['rw,nosuid,nodev,noexec,relatime']
    assert [line[3] for line in mounts if line[4] == '/proc/sys'] == ['/sys']
    dev = there / 'root/dev'
    assert os.readlink(dev / 'stdin') == '/proc/self/fd/0' and (dev / 'urandom').stat().st_rdev == os.makedev(1, 9)
    assert (dev / 'shm').stat().st_mode & 0o7777 == 0o1777 and (dev / 'pts/ptmx').exists()
    assert os.readlink(there / 'exe') == '/bin/busybox'
    room.run('/bin/kill', '-KILL', pid)
    wait_until(lambda: pid not in room.pids(), 20)


def test_every_failure(subject, criu, folder):
    """Wherever a restore fails: no mount is left where criu is, no process, and the next try succeeds."""
    run = subject('mount/pivot')
    options = ('--external', 'mnt[]')
    images = run.folder_of_images()
    code, said = run.call_criu('dump', images, '-t', run.pid, *options)
    assert code == 0, said
    wait_until(lambda: not run.room.pids(), 10)
    before = (run.room.proc / '1/mountinfo').read_text()
    for point in ('restore/fill/namespace', 'restore/fill/namespace/mnt', 'restore/fill/mount/spaces', 'restore/furnish/file', 'restore/home/task'):
        code, said = run.call_criu('restore', images, '-d', env={'CRIU_FAIL_AT': point})
        assert code == 1, (point, said)
        wait_until(lambda: not run.room.pids(), 10, point)      # pylint: disable=cell-var-from-loop
        assert (run.room.proc / '1/mountinfo').read_text() == before, point
    run.restore(images)
    run.release()
    assert not [name for name in os.listdir('/tmp') if name.startswith('.criu')]
