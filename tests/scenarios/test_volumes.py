# SPDX-License-Identifier: GPL-2.0-only
"""What container engines bind from the host into a root directory of the container, and how it is related to the host and to other binds."""
import pytest
from mounts import Program, make_files

pytestmark = pytest.mark.parametrize('propagation', ('shared', 'slave', 'private'))

# A root directory, while other mounts stay in their peer groups.
OPEN_ROOT = 'mount --make-private /; mount --make-private $(findmnt -fno TARGET -T {root}); mount --bind {root} {root}; mount --make-private {root}'
SAME = 'same()'


@pytest.fixture
def program(room, criu, folder):
    """A Program."""
    return Program(room, criu, folder)


@pytest.fixture
def volume(program, folder):
    """A file system of the host, private there, with a directory that is bound into containers."""
    path = make_files(folder / 'volume')
    assert program.room.run('/bin/sh', '-ec', f'mount -t tmpfs volume {path}; mount --make-private {path}; mkdir -p {path}/sub/below; '
                            f'echo theirs > {path}/sub/file').returncode == 0
    return path / 'sub'


def named(place, path):
    """Options for dump and restore."""
    return ['--external', f'mnt[{place}]:volume'], ['--external', f'mnt[volume]:{path}']


def checkpoint(program, options, more, end='True'):
    """Dump and restore with both sets of options."""
    program.dump(*options[0], *more[0])
    assert program.restore(*options[1], *more[1]) == end


def test_other_mount_at_the_place(program, volume):
    """A worker has something else mounted where the root task has the volume: that keeps its own content."""
    options = program.start_rooted(f'mkdir first; mount --bind {volume} first', 'open(f"/proc/{pids[1]}/root/first/own").read()', 'mount_in_worker')
    checkpoint(program, options, named('/first', volume), 'mine')


def test_below_another_mount(program, volume):
    """The name is that of the mount that is seen: what lies below it at the same place is another one."""
    options = program.start_rooted(f'mkdir first; mount -t tmpfs own first; echo mine > first/own; mount --bind {volume} first',
                                   'open("/first/file").read() + os.popen("umount /first; cat /first/own").read()')
    checkpoint(program, options, named('/first', volume), 'theirs\nmine\n')


def test_hidden_by_another_volume(program, volume, folder):
    """Both are named, and one has brought from the host what lies at the place of the other one: docker run -v /sys:/sys and its cgroups."""
    inner = make_files(folder / 'inner')
    program.room.run('/bin/sh', '-ec', f'mount -t tmpfs x {volume}/below; echo -n the host > {volume}/below/file; '
                     f'mount -t tmpfs inner {inner}; mount --make-private {inner}; echo -n engine > {inner}/file')
    options = program.start_rooted(f'mkdir -p first/below; mount --bind {inner} first/below; mount --rbind {volume} first',
                                   'open("/first/below/file").read() + " " + os.popen("umount -l /first; cat /first/below/file").read()')
    first, below = named('/first', volume), (['--external', 'mnt[/first/below]:inner'], ['--external', f'mnt[inner]:{inner}'])
    checkpoint(program, options, (first[0] + below[0], first[1] + below[1]), 'the host engine')


def test_bound_twice(program, volume):
    """Only one bind of the volume is named; the other one, deeper and before it in order, is a part of it."""
    options = program.start_rooted(f'mkdir -p first deep/second; mount --bind {volume} first; mount --bind first deep/second', SAME, 'remember')
    checkpoint(program, options, named('/first', volume))


def test_file_bound_twice(program, volume):
    """The same of a file: crun binds /dev/null to each device of a container with users of its own, and names one."""
    options = program.start_rooted(f'touch first second; mount --bind {volume}/file first; mount --bind {volume}/file second', SAME, 'remember')
    checkpoint(program, options, named('/first', volume / 'file'))


def test_groups(program, volume):
    """Binds that were found by themselves keep the peer groups and slaves that they have among themselves."""
    options = program.start_rooted(f'''mkdir a b c d e; mount --bind {volume} a; mount --bind a b; mount --make-private b; mount --make-shared b
mount --bind b c; mount --bind c d; mount --make-slave d; mount --make-shared d; mount --bind d e; mount --make-slave e''', SAME, 'remember')
    checkpoint(program, options, (['--external', 'mnt[]:s'],) * 2)


def test_shared_on_both_sides(program, volume):
    """The volume is shared outside; inside it has been made private and shared again, and a worker has a copy of the namespace."""
    program.room.run('/bin/sh', '-ec', f'mount --bind {volume} {volume}; mount --make-private {volume}; mount --make-shared {volume}')
    options = program.start_rooted(f'mkdir first; mount --bind {volume} first', SAME, 'share_again')
    checkpoint(program, options, named('/first', volume))


@pytest.mark.parametrize('kind', ('shared', 'slave'))
def test_peers_outside(program, volume, kind):
    """A named volume that is in a peer group with the host's, or a slave of it, hears of the host afterwards."""
    program.room.run('/bin/sh', '-ec', f'mount --bind {volume} {volume}; mount --make-private {volume}; mount --make-shared {volume}')
    options = program.start_rooted(f'mkdir first; mount --bind {volume} first; mount --make-{kind} first', 'open("/first/below/heard").read()', own_root=OPEN_ROOT)
    more = named('/first', volume)
    program.dump(*options[0], *more[0])
    before = program.mounts()
    code, said = program.call('restore', '-d', *options[1], *more[1])
    assert code == 0, said
    assert program.mounts() == before
    program.room.run('/bin/sh', '-ec', f'mount -t tmpfs x {volume}/below; echo -n yes > {volume}/below/heard')
    assert program.ask() == 'yes'


def test_path_without_slash(program, volume):
    """Where a volume is told without a slash, the path begins in the root."""
    options = program.start_rooted(f'mkdir first; mount --bind {volume} first', 'open("/first/file").read()')
    checkpoint(program, options, named('/first', str(volume)[1:]), 'theirs\n')


@pytest.mark.parametrize('kind', ('private', 'slave', 'shared'))
def test_mounts_of_the_host_below(program, volume, kind):
    """What the host has mounted below the directory comes back with it: `-v /dev:/host/dev` of podman. It may have moved with it."""
    program.room.run('/bin/sh', '-ec', f'''mount -t tmpfs x {volume}/below; mkdir {volume}/below/deeper; echo -n lower > {volume}/below/file
mount -t ramfs y {volume}/below/deeper; echo -n deepest > {volume}/below/deeper/file; mount --bind {volume}/below/deeper {volume}/below/deeper''')
    options = program.start_rooted(f'mkdir first; mount --rbind {volume} first; mount --make-r{kind} first',
                                   f'str([len(before), {SAME}])', 'remember')
    more = named('/first', volume)
    before = program.mounts()
    checkpoint(program, options, more, "[8, 'True']")
    assert program.mounts() == before


def test_mounts_below_are_gone(program, volume):
    """If the host has not mounted it any more, it is left out."""
    program.room.run('/bin/sh', '-ec', f'mount -t tmpfs x {volume}/below; mkdir {volume}/below/deeper; mount -t tmpfs y {volume}/below/deeper')
    options = program.start_rooted(f'mkdir first; mount --rbind {volume} first', 'open("/first/file").read()')
    more = named('/first', volume)
    program.dump(*options[0], *more[0])
    program.room.run('/bin/umount', '-R', f'{volume}/below')
    code, said = program.call('restore', '-d', *options[1], *more[1])
    assert code == 0 and 'it is left out' in said, said
    assert program.ask() == 'theirs\n'


def test_root_that_is_a_slave(program, folder):
    """The root of the container is a slave of the host's directory, as all is that runc makes on a machine of systemd."""
    root = folder / 'root'
    root.mkdir()
    (root / 'below').mkdir()
    program.room.run('/bin/sh', '-ec', f'mount --bind {root} {root}; mount --make-private {root}; mount --make-shared {root}')
    options = program.start_rooted('true', 'open("/below/heard").read()',
                                   own_root='mount --make-rslave /; mount --bind {root} {root}; mount --make-slave {root}')
    program.dump(*options[0])
    code, said = program.call('restore', '-d', *options[1])
    assert code == 0, said
    program.room.run('/bin/sh', '-ec', f'mount -t tmpfs x {root}/below; echo -n yes > {root}/below/heard')
    assert program.ask() == 'yes'


def test_root_in_a_peer_group(program):
    """Without a root of its own, it is in the peer group of the host's. What is mounted for the restore is not seen there."""
    program.room.run('/bin/sh', '-ec', 'mount --make-private /; mount --make-shared /')
    program.start_python('true', 'alive', ('-m', '--propagation', 'unchanged'))
    program.dump('--external', 'mnt[]:s')
    before = program.mounts()
    code, said = program.call('restore', '-d', '--external', 'mnt[]:s')
    assert code == 0, said
    assert program.mounts() == before
    group = [line.split()[6] for line in before.splitlines() if line.split()[4] == '/']
    assert group == [line.split()[6] for line in (program.room.proc / str(program.pid) / 'mountinfo').read_text().splitlines() if line.split()[4] == '/']


def test_bound_namespaces(program, folder):
    """Files of namespaces that are mounted: that of criu comes from outside, that of the program is its own again."""
    places = make_files(folder / 'places', outside='', own='')
    program.room.run('/bin/mount', '--bind', '/proc/self/ns/net', places / 'outside')
    program.start_python(f'mount --bind /proc/self/ns/uts {places}/own', f'''str([os.stat("{places}/own").st_ino == os.stat("/proc/self/ns/uts").st_ino,
os.stat("{places}/outside").st_ino == os.stat("/proc/self/ns/net").st_ino])''', ('-mu',))
    program.dump()
    assert program.restore() == str([True, True])


def test_bound_namespace_with_others(program, folder):
    """A process lives in it that is not in the tree: it would be parted from that one."""
    places = make_files(folder / 'places', other='')
    other = program.room.start(folder / 'said', '/usr/bin/unshare', '-n', '/bin/sleep', '1000')
    program.start_python(f'while [ $(readlink /proc/{other}/ns/net) = $(readlink /proc/self/ns/net) ]; do sleep 0.1; done; '
                         f'mount --bind /proc/{other}/ns/net {places}/other', '"alive"')
    code, said = program.call('dump', '-t', program.pid)
    assert code == 1 and f'in which process {other} lives' in said and f'--skip-mnt {places}/other' in said, said
    assert program.ask() == 'alive'


def test_open_namespace_outside(program, folder):
    """Others keep it outside of the tree: it is opened there again, and must be there."""
    place = make_files(folder / 'places', other='') / 'other'
    assert program.room.run('/usr/bin/unshare', f'--net={place}', '/bin/true').returncode == 0
    program.start_python(f'exec 9<{place}', f'str(os.fstat(9).st_ino == os.stat("{place}").st_ino)')
    program.dump()
    assert program.room.run('/bin/umount', place).returncode == 0
    code, said = program.call('restore', '-d')
    assert code == 1 and f'{place}, which kept a net namespace outside of the tree' in said, said
    assert program.room.run('/usr/bin/unshare', f'--net={place}', '/bin/true').returncode == 0
    assert program.restore() == 'True'
