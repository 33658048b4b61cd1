# SPDX-License-Identifier: GPL-2.0-only
"""Memory that is saved while a program runs: chains of images, what happens in between, and what goes wrong."""
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import rpc
from room import open_files, wait_until
from ways import preload

PARENT = 1
FEW = 50        # pages of small areas, which are compared whatever is known of writes


class Obedient:
    """The program obey.c in a room, and its images."""

    def __init__(self, program, room, criu, build):
        self.room, self.criu, self.crit, self.folder = room, criu, build / 'crit', room.folder
        self.work = self.folder / 'work'
        self.work.mkdir()
        self.number = self.images = 0
        self.env = None
        self.pid = room.start(self.folder / 'output', program, cwd=self.work)
        self.await_done()

    def await_done(self):
        """What it says to the last order."""
        done = self.work / 'done'
        return wait_until(lambda: done.exists() and done.read_text().startswith(f'{self.number} ') and done.read_text().split(' ', 1)[1],
                          60, 'it does not obey')

    def do(self, *orders):
        """Tells it what to do, and waits for it."""
        for order in orders:
            self.number += 1
            (self.work / 'order.new').write_text(f'{self.number} {order}'.ljust(20))     # of one size: it may be open in a dump
            (self.work / 'order.new').rename(self.work / 'order')
            assert self.await_done() == 'ok', order

    def call(self, command, *options, status=0, base=True, folder=None):
        """Runs criu with the next folder of images, on top of the last one; returns the folder, or what it said if it shall fail."""
        last = self.folder / f'images{self.images}'
        self.images += 1
        images = folder or self.folder / f'images{self.images}'
        images.mkdir(exist_ok=True)
        words = ['--prev-images-dir', f'../{last.name}'] if base and last.exists() else []
        done = self.room.run(self.criu, command, '-t', self.pid, '-D', images, '-v4', '-o', 'log', *words, *options, timeout=120,
                             env=self.env)
        said = (images / 'log').read_text()
        assert done.returncode == status, f'{command}: {done.returncode}: {done.stdout}\n{said}'
        return said if status else images

    def restore(self, images, status=0):
        """Brings it back; or returns what criu said if that shall fail."""
        wait_until(lambda: not self.room.pids(), 20, 'it was not killed')
        done = self.room.run(self.criu, 'restore', '-d', '-D', images, '-v4', '-o', 'restore.log', timeout=120)
        said = (images / 'restore.log').read_text()
        assert done.returncode == status, f'{done.returncode}: {done.stdout}\n{said}'
        return said

    def flags(self, images, pid=None):
        """Pages by their flags in a pagemap."""
        return self.flags_in(images / f'pagemap-{pid or self.pid}.img')

    def shared_flags(self, images):
        """The same of its shared memory."""
        image, = images.glob('pagemap-shmem-*.img')
        return self.flags_in(image)

    def flags_in(self, image):
        """The same of any pagemap."""
        text = subprocess.run([self.crit, 'decode', '-i', image], check=True, capture_output=True, text=True).stdout
        count = {}
        for entry in json.loads(text)['entries'][1:]:
            count[entry['flags']] = count.get(entry['flags'], 0) + entry['nr_pages']
        return count

    def descriptors(self):
        """Names of what it has open, but for the orders that it looks for all the time."""
        files = open_files(self.room.proc / str(self.pid)).values()
        return sorted(name for name in files if not name.endswith(('/order', '/done.new')))

    def is_tracked(self):
        """Whether something of criu's is in it."""
        return 'anon_inode:[userfaultfd]' in self.descriptors() or ' uw' in (self.room.proc / str(self.pid) / 'smaps').read_text()


@pytest.fixture
def program(build):
    """The compiled program."""
    return build / 'tests/programs/obey'


@pytest.fixture(params=['this kernel', 'soft-dirty'])
def obedient(program, room, criu, build, request):
    """It runs. Each test is also run with soft-dirty bits, as an older kernel has them."""
    obedient = Obedient(program, room, criu, build)
    if request.param == 'soft-dirty':
        obedient.env = {**os.environ, **preload(criu, room.folder)}
    return obedient


def test_chain_of_five(obedient):
    """Each has what changed since the one before; the last one is restored through all of them."""
    obedient.do('paint', 'check')
    sizes = []
    for _ in range(4):
        images = obedient.call('pre-dump')
        sizes.append(sum(path.stat().st_size for path in images.glob('pages-*.img')))
        assert obedient.is_tracked()
        obedient.do('paint', 'check')
    images = obedient.call('dump', '--track-mem')
    assert (images / 'parent').readlink() == Path('../images4')
    assert obedient.flags(images)[PARENT] > 450
    assert sizes[0] > 2 << 20 > 4 * max(sizes[1:]), sizes
    said = obedient.room.run(obedient.criu, 'verify', '-D', images)
    assert said.returncode == 0, said.stdout
    obedient.restore(images)
    assert not obedient.is_tracked()
    obedient.do('check', 'paint', 'check')


@pytest.mark.parametrize('orders', [('map',), ('close',), ('exec',), ('close', 'paint', 'map')])
def test_tracking_is_lost(obedient, orders):
    """Memory that is another one now, or that nobody has watched, is saved whole."""
    obedient.call('pre-dump')
    obedient.do(*orders)
    images = obedient.call('dump', '--track-mem')
    assert obedient.flags(images).get(PARENT, 0) < 400
    obedient.restore(images)
    obedient.do('check')


def test_children(obedient):
    """A child that was not there at the pre-dump is saved whole, one that was is not; both have their own memory back."""
    obedient.call('pre-dump')
    obedient.do('fork', 'paint')
    pid, = set(obedient.room.pids()) - {obedient.pid}
    obedient.call('pre-dump')
    obedient.do('paint')
    images = obedient.call('dump', '--track-mem')
    assert obedient.flags(images)[PARENT] > 400
    assert obedient.flags(images, pid)[PARENT] > 400
    obedient.restore(images)
    obedient.do('check')
    (obedient.work / 'child').touch()
    obedient.do('join')


def test_child_since_the_pre_dump(obedient):
    """It has a copy of what tracks its parent, which says nothing of its own memory."""
    obedient.call('pre-dump')
    obedient.do('fork', 'paint')
    pid, = set(obedient.room.pids()) - {obedient.pid}
    images = obedient.call('dump', '--track-mem')
    assert PARENT not in obedient.flags(images, pid)
    assert obedient.flags(images)[PARENT] > 400
    obedient.restore(images)
    (obedient.work / 'child').touch()
    obedient.do('check', 'join')


@pytest.mark.parametrize('end', [('--track-mem',), ('--leave-running',)])
def test_closed_but_in_a_child(obedient, end):
    """A child keeps what tracks its parent open, though the parent has closed it: nothing is left behind, nothing is refused."""
    obedient.call('pre-dump')
    obedient.do('fork', 'close', 'paint')
    images = obedient.call('dump', *end)
    if '--leave-running' in end:
        assert not obedient.is_tracked()
        obedient.do('check')
        obedient.room.kill(obedient.room.pids())
        (obedient.work / 'order').write_text('0 wait'.ljust(20))
    obedient.restore(images)
    (obedient.work / 'child').touch()
    obedient.do('check', 'join')


def test_wrong_parent(obedient):
    """Only the images that the tracking began with know what was not written to: on top of others all is saved."""
    obedient.call('pre-dump')
    obedient.do('paint')
    obedient.call('pre-dump', folder=obedient.folder / 'elsewhere')
    obedient.images = 1
    obedient.do('paint')
    images = obedient.call('dump', '--track-mem')
    assert (images / 'parent').readlink() == Path('../images1')
    assert obedient.flags(images).get(PARENT, 0) < FEW
    obedient.restore(images)
    obedient.do('check')


def test_shared_memory(obedient):
    """Others may write to it: what is the same as in the images before is left to them, wherever it was written from."""
    obedient.do('flood')
    obedient.call('pre-dump')
    obedient.do('share')
    second = obedient.call('pre-dump')
    obedient.do('share')
    images = obedient.call('dump', '--track-mem')
    for folder in (second, images):
        flags = obedient.shared_flags(folder)
        assert flags[PARENT] > 200 and sum(flags.values()) - flags[PARENT] == 2, flags
    assert obedient.room.run(obedient.criu, 'verify', '-D', images).returncode == 0
    obedient.restore(images)
    obedient.do('check')


@pytest.mark.parametrize('orders', [('flood',), ('punch',), ('punch', 'share')])
def test_shared_memory_is_another(obedient, orders):
    """Nothing is left to the images before if nothing is the same, and what was given back stays empty."""
    obedient.do('flood')
    obedient.call('pre-dump')
    obedient.do(*orders)
    images = obedient.call('dump')
    assert PARENT not in obedient.shared_flags(images)
    obedient.restore(images)
    obedient.do('check')


def test_leave_running(obedient):
    """Dumps of a program that runs on can be on top of each other too; the one without --track-mem takes all away that is ours."""
    before = obedient.descriptors()
    first = obedient.call('dump', '--leave-running', '--track-mem')
    assert obedient.is_tracked()
    obedient.do('paint')
    second = obedient.call('dump', '--leave-running', '--track-mem')
    assert obedient.flags(second)[PARENT] > 400 and PARENT not in obedient.flags(first)
    obedient.do('paint')
    third = obedient.call('dump', '--leave-running')
    assert obedient.flags(third)[PARENT] > 400
    assert not obedient.is_tracked() and obedient.descriptors() == before
    obedient.do('paint', 'check')
    for images in (first, second, third):
        obedient.room.kill(obedient.room.pids())
        (obedient.work / 'order').write_text('0 wait'.ljust(20))
        obedient.restore(images)
        obedient.do('check')


@pytest.fixture
def soft(program, room, criu, build):
    """It runs, and soft-dirty bits tell what it writes to."""
    obedient = Obedient(program, room, criu, build)
    obedient.env = {**os.environ, **preload(criu, room.folder)}
    return obedient


def test_tracking_is_not_felt(obedient):
    """Small areas that lie side by side are one, whenever they were made; with soft-dirty bits all are."""
    obedient.call('pre-dump')
    assert not obedient.env or ' uw' not in (obedient.room.proc / str(obedient.pid) / 'smaps').read_text()
    obedient.do('grow', 'paint', 'check')
    images = obedient.call('dump')
    assert obedient.flags(images)[PARENT] > 400
    obedient.restore(images)
    obedient.do('check')


def test_small_areas(obedient):
    """Whether they are watched or compared, what is the same in them is left to the images before."""
    obedient.call('pre-dump')
    obedient.do('paint')
    images = obedient.call('dump', '--track-mem')
    assert obedient.flags(images)[PARENT] > 490, obedient.flags(images)
    obedient.restore(images)
    obedient.do('check')


def test_soft_dirty_bits_cleared(soft):
    """If somebody else has cleared them, they tell nothing: all is saved."""
    soft.call('pre-dump')
    soft.do('paint')
    assert soft.room.run('sh', '-c', f'printf 4 > /proc/{soft.pid}/clear_refs', env=soft.env).returncode == 0
    images = soft.call('dump')
    assert 'Somebody else has cleared its soft-dirty bits' in (images / 'log').read_text()
    assert soft.flags(images).get(PARENT, 0) < FEW
    soft.restore(images)
    soft.do('check')


def test_no_tracking(obedient):
    """A kernel that cannot tell what was written to: all is saved each time, and the log says so."""
    obedient.env = {**os.environ, **preload(obedient.criu, obedient.folder, soft_dirty=False)}
    first = obedient.call('pre-dump')
    assert "This kernel cannot tell which pages are written to" in (first / 'log').read_text()
    assert not obedient.is_tracked()
    obedient.do('paint')
    images = obedient.call('dump', '--track-mem')
    assert obedient.flags(images).get(PARENT, 0) < FEW
    obedient.restore(images)
    obedient.do('check')


def test_missing_parent(obedient):
    """A parent that is not there is told, before and after; the tasks run on, nothing is restored."""
    said = obedient.call('dump', '--prev-images-dir', '../nowhere', status=1)
    assert "cannot open the parent images that the link 'parent' names" in said
    obedient.do('check')
    shutil.rmtree(obedient.folder / 'images1')
    obedient.images = 0
    first = obedient.call('pre-dump')
    images = obedient.call('dump', '--track-mem')
    os.rename(first, obedient.folder / 'away')
    said = obedient.restore(images, status=1)
    assert "cannot open the parent images that the link 'parent' names" in said
    assert not obedient.room.pids()
    os.rename(obedient.folder / 'away', first)
    os.rename(first / f'pagemap-{obedient.pid}.img', first / 'away')
    said = obedient.restore(images, status=1)
    assert 'refers to a parent, but there is none' in said
    os.rename(first / 'away', first / f'pagemap-{obedient.pid}.img')
    obedient.restore(images)
    obedient.do('check')


def test_loop_of_parents(obedient):
    """Parents that lead back to their child are refused."""
    said = obedient.call('pre-dump', '--prev-images-dir', '.', status=1)
    assert 'leads back to a child of these images' in said
    obedient.do('check')


def test_pre_dump_is_no_dump(obedient):
    """It has memory only, and says so."""
    images = obedient.call('pre-dump', '--pre-dump-mode', 'read')
    names = {path.name for path in images.iterdir() if not path.name.startswith('pagemap-shmem-')}
    assert names == {'inventory.img', f'pagemap-{obedient.pid}.img', 'pages-1.img', 'pages-2.img', 'stats-dump', 'irmap-cache', 'log'}
    obedient.room.kill(obedient.room.pids())
    assert 'these are the images of a pre-dump' in obedient.restore(images, status=1)


@pytest.mark.parametrize('place', ['dump/choose', 'dump/copy', 'dump/inventory'])
def test_failing(obedient, place):
    """A pre-dump that fails harms nobody, and nobody builds upon it."""
    obedient.call('pre-dump')
    obedient.do('paint')
    folder = obedient.folder / 'failed'
    folder.mkdir()
    done = obedient.room.run(obedient.criu, 'pre-dump', '-t', obedient.pid, '-D', folder, '-o', 'log', '--prev-images-dir', '../images1',
                             env={**os.environ, 'CRIU_FAIL_AT': place})
    assert done.returncode == 1, done.stdout
    obedient.do('paint', 'check')
    images = obedient.call('dump', '--track-mem')
    obedient.restore(images)
    obedient.do('check')


def test_requests(obedient):
    """Two pre-dumps and the dump on one connection; then another single one. No notifications of pre-dumps."""
    def options(name, parent=None):
        (obedient.folder / name).mkdir()
        more = {'parent_img': f'../{parent}'} if parent else {}
        return {'images_dir': str(obedient.folder / name), 'pid': obedient.pid, 'log_file': 'log', 'log_level': 4, 'notify_scripts': True,
                'track_mem': True, **more}

    with rpc.start_swrk(obedient.criu, room=obedient.room) as client:
        assert client.call('PRE_DUMP', options('one')) == {'type': 'PRE_DUMP', 'success': True}
        obedient.do('paint')
        assert client.call('PRE_DUMP', options('two', 'one')) == {'type': 'PRE_DUMP', 'success': True}
        obedient.do('paint')
        assert client.told == []
        reply = client.call('DUMP', options('three', 'two'))
        assert reply == {'type': 'DUMP', 'success': True, 'dump': {'restored': False}}, reply
        assert [name for name, _ in client.told] == ['pre-dump', 'query-ext-files', 'post-dump']
        assert client.receive() is None
        assert client.status() == 0
    assert obedient.flags(obedient.folder / 'three')[PARENT] > 400
    obedient.restore(obedient.folder / 'three')
    obedient.do('check')
    with rpc.start_swrk(obedient.criu, room=obedient.room) as client:
        assert client.call('SINGLE_PRE_DUMP', options('four')) == {'type': 'SINGLE_PRE_DUMP', 'success': True}
        assert client.receive() is None
        assert client.status() == 0
    obedient.do('check')


def test_other_request_after_a_pre_dump(obedient):
    """Only another one or the dump may follow; and a failure ends it."""
    with rpc.start_swrk(obedient.criu, room=obedient.room) as client:
        (obedient.folder / 'one').mkdir()
        opts = {'images_dir': str(obedient.folder / 'one'), 'pid': obedient.pid}
        assert client.call('PRE_DUMP', opts)['success']
        reply = client.call('VERSION')
        assert reply['type'] == 'EMPTY' and not reply['success'] and 'does not fit here' in reply['cr_errmsg']
        assert client.receive() is None
    with rpc.start_swrk(obedient.criu, room=obedient.room) as client:
        reply = client.call('PRE_DUMP', {**opts, 'pid': 99999})
        assert not reply['success'] and reply['cr_errno'] == 3
        assert client.receive() is None
    obedient.do('check')


def blocks(images):
    """Bytes that pages take on the disk."""
    return sum(path.stat().st_blocks * 512 for path in images.glob('pages-*.img'))


def length(images):
    """And how long their files are."""
    return sum(path.stat().st_size for path in images.glob('pages-*.img'))


@pytest.mark.parametrize('by_hand', [False, True])
def test_dedup(obedient, by_hand):
    """What is there anew is freed in all parents, by an option or by a command; the last one can be restored all the same."""
    options = () if by_hand else ('--auto-dedup',)
    folders = []
    for command in ('pre-dump', 'pre-dump', 'dump'):
        if folders:
            obedient.do('paint', 'paint')
        sizes = [(blocks(folder), length(folder)) for folder in folders]
        folders.append(obedient.call(command, '--track-mem', *options))
        if by_hand and len(folders) > 1:
            done = obedient.room.run(obedient.criu, 'dedup', '-D', folders[-1], '-v4', '-o', 'dedup.log')
            assert done.returncode == 0, done.stdout
        for folder, (used, size) in zip(folders, sizes):
            assert length(folder) == size
            assert blocks(folder) < used - 4096, folder
    obedient.restore(folders[-1])
    obedient.do('check')


def test_nothing_to_dedup(obedient):
    """Images without parents."""
    images = obedient.call('pre-dump')
    done = obedient.room.run(obedient.criu, 'dedup', '-D', images)
    assert done.returncode == 1 and 'have no parent' in done.stdout


def test_restore_that_frees(obedient):
    """The last restore from images, which are of no use afterwards."""
    first = obedient.call('pre-dump')
    obedient.do('paint')
    images = obedient.call('dump', '--track-mem')
    wait_until(lambda: not obedient.room.pids(), 20, 'it was not killed')
    done = obedient.room.run(obedient.criu, 'restore', '-d', '-D', images, '--auto-dedup')
    assert done.returncode == 0, done.stdout
    obedient.do('check')
    assert blocks(images) == 0 and length(images) > 0
    assert blocks(first) < length(first) / 10


def test_lazy_restore_frees_nothing(obedient):
    """Pages that are still to be fetched, through the parents as well, are not freed by the restore."""
    obedient.call('pre-dump')
    obedient.do('paint')
    images = obedient.call('dump', '--track-mem')
    wait_until(lambda: not obedient.room.pids(), 20, 'it was not killed')
    done = obedient.room.run(obedient.criu, 'lazy-pages', '-D', images, '-d', '--pidfile', 'daemon.pid', '-o', 'lazy.log')
    assert done.returncode == 0, done.stdout
    daemon = int((images / 'daemon.pid').read_text())
    done = obedient.room.run(obedient.criu, 'restore', '-d', '-D', images, '--lazy-pages', '--auto-dedup', '-v4', '-o', 'restore.log')
    assert done.returncode == 0, (images / 'restore.log').read_text()
    obedient.do('check')
    wait_until(lambda: daemon not in obedient.room.pids(), 30, 'the daemon does not end')
    assert blocks(images) > 0
    obedient.do('check')


def test_page_server(obedient):
    """Memory goes elsewhere each time, on top of what came there before."""
    for number, command in enumerate(('pre-dump', 'pre-dump', 'dump'), 1):
        there = obedient.folder / f'there{number}'
        there.mkdir()
        parent = ['--prev-images-dir', f'../there{number - 1}'] if number > 1 else []
        done = obedient.room.run(obedient.criu, 'page-server', '-D', there, '-d', '--pidfile', 'pid', '--address', '127.0.0.1',
                                 '--port', 27000, '-v4', '-o', 'log', '--auto-dedup', *parent)
        assert done.returncode == 0, done.stdout
        server = int((there / 'pid').read_text())
        images = obedient.call(command, '--track-mem', '--page-server', '--address', '127.0.0.1', '--port', '27000')
        wait_until(lambda pid=server: pid not in obedient.room.pids(), 20, 'the page server does not end')
        assert not list(images.glob('pages-*')) and not list(images.glob('pagemap-*'))
        if number < 3:
            obedient.do('paint')
    assert obedient.flags(there)[PARENT] > 400
    assert blocks(obedient.folder / 'there1') < length(obedient.folder / 'there1') - 4096
    for path in images.iterdir():
        if path.name not in ('parent', 'log'):
            shutil.copy(path, there)
    obedient.restore(there)
    obedient.do('check')
