# SPDX-License-Identifier: GPL-2.0-only
"""A dump reads what it has written as a restore does, before it kills anybody: what a restore would reject is no checkpoint."""
from room import wait_until


def test_images_that_no_restore_takes(subject):
    """The reading fails, at its begin and at a file: the dump says so, the tasks live on, and there is no inventory."""
    run = subject('file/pipe')
    for point, *options in (('restore/inventory',), ('restore/load/file/pipe',), ('restore/load/file/pipe', '-R')):
        images = run.folder / '-'.join((point.replace('/', '-'), *options))
        images.mkdir()
        done = run.room.run('/usr/bin/env', f'CRIU_FAIL_AT={point}', run.criu, 'dump', '-t', run.pid, '-D', images, '-v4', '-o', 'log', *options)
        said = (images / 'log').read_text()
        assert done.returncode != 0 and 'could not be restored' in said, said
        assert run.pid in run.room.pids() and not (images / 'inventory.img').exists()
    run.let_go()
    wait_until(lambda: run.pid not in run.room.pids(), 20)


def test_those_that_live_on_do_not_wait(subject):
    """With -R tasks run on before the images are complete, unless a script or a listener wants them to stand still then."""
    run = subject('file/pipe')
    for n, (options, early) in enumerate((((), True), (('--action-script', '/bin/true'), False))):
        images = run.folder / f'running-{n}'
        images.mkdir()
        done = run.room.run(run.criu, 'dump', '-t', run.pid, '-D', images, '-v4', '-o', 'log', '-R', *options)
        said = (images / 'log').read_text()
        assert done.returncode == 0, said
        assert ('The tasks run on; images follow' in said.partition('Phase dump/inventory')[0]) == early, said
    run.release()


def test_nothing_is_taken_before(subject):
    """What waits for accept(2) cannot be put back: it is taken when nothing can be rejected any more, so the tasks run on with it."""
    run = subject('socket/unix-early')
    images = run.folder_of_images()
    done = run.room.run('/usr/bin/env', 'CRIU_FAIL_AT=restore/load/file/unix-socket', run.criu, 'dump', '-t', run.pid, '-D', images, '-v4', '-o', 'log')
    said = (images / 'log').read_text()
    assert done.returncode != 0 and 'could not be restored' in said and 'Phase dump/take' not in said, said
    assert not (images / 'inventory.img').exists()
    run.release()


def test_memory_that_is_elsewhere(subject):
    """The other images are looked at as well when memory goes to a page server."""
    run = subject('file/pipe')
    images = run.folder_of_images()
    run.call_in_room(run.criu, 'page-server', '-D', images, '-d', '--pidfile', 'server.pid', '--address', '127.0.0.1', '--port', 27000, '-o', 'server.log')
    done = run.room.run('/usr/bin/env', 'CRIU_FAIL_AT=restore/load/file/pipe', run.criu, 'dump', '-t', run.pid, '-D', images, '-v4', '-o', 'log',
                        '--page-server', '--address', '127.0.0.1', '--port', '27000')
    said = (images / 'log').read_text()
    assert done.returncode != 0 and 'could not be restored' in said, said
    assert run.pid in run.room.pids() and not (images / 'inventory.img').exists()
    server = int((images / 'server.pid').read_text())
    wait_until(lambda: server not in run.room.pids(), 20, 'the page server does not end')
    run.release()
