# SPDX-License-Identifier: GPL-2.0-only
"""criu undo takes back what a dump has left, and nothing else."""
import json
import os
import re

import rpc
from room import wait_until


def undo(run, images, *options):
    """Runs it; returns the report."""
    done = run.room.run(run.criu, 'undo', '-D', images, '--json', '-o', 'undo.log', *options)
    assert done.returncode == 0, done.stdout + (images / 'undo.log').read_text()
    return json.loads(done.stdout)


def state(run, pid):
    return (run.room.proc / str(pid) / 'stat').read_text().rpartition(')')[2].split()[0]


def test_nothing_to_undo(subject):
    """A tree that nothing was done to is as before, and a task that somebody else has stopped stays so."""
    run = subject('tree/family')
    images = run.folder_of_images()
    assert undo(run, images, '-t', run.pid) == {'done': [], 'left': []}
    run.compare('after the undo')
    last = run.room.pids()[-1]
    run.room.run('/bin/kill', '-STOP', last)
    wait_until(lambda: state(run, last) == 'T', 5, 'it does not stop')
    said = undo(run, images, '-t', run.pid)
    assert not said['done'] and len(said['left']) == 1 and f'kill -CONT {last}' in said['left'][0], said
    assert state(run, last) == 'T'
    run.room.run('/bin/kill', '-CONT', last)
    run.release()


def test_left_stopped(subject):
    """What --leave-stopped has stopped runs on, what was stopped before does not; the checkpoint stays what it is."""
    run = subject('tree/family')
    images = run.folder_of_images()
    before = run.room.pids()[-1]
    run.room.run('/bin/kill', '-STOP', before)
    wait_until(lambda: state(run, before) == 'T', 5, 'it does not stop')
    status, said = run.call_criu('dump', images, '-t', run.pid, '--leave-stopped')
    assert status == 0, said
    assert {state(run, pid) for pid in run.room.pids()} == {'T'}
    said = undo(run, images, '-t', run.pid)
    assert sum('runs on' in line for line in said['done']) == len(run.room.pids()) - 1, said
    assert {state(run, pid) for pid in run.room.pids() if pid != before} != {'T'} and state(run, before) == 'T'
    assert (images / 'inventory.img').exists()
    run.room.run('/bin/kill', '-CONT', before)
    run.release()


def test_killed_dump(subject):
    """A dump whose whole process group dies leaves its memory in the tasks: it is found and unmapped."""
    run = subject('thread/several')
    images = run.folder_of_images()
    script = images / 'script'
    script.write_text('#!/bin/sh\n[ $CRTOOLS_SCRIPT_ACTION != post-dump ] || kill -KILL $PPID\n')
    script.chmod(0o755)
    status, said = run.call_criu('dump', images, '-t', run.pid, '--leave-stopped', '--action-script', script)
    assert status != 0, said
    wait_until(lambda: run.room.pids() == [run.pid], 10, 'the watch does not end')
    undo(run, images, '-t', run.pid)
    run.compare('after the undo')
    run.release()


def test_trackers(subject):
    """What tracks memory since a pre-dump goes."""
    run = subject('memory/anonymous')
    images = run.pre_dump()
    said = undo(run, images, '-t', run.pid)
    assert any('userfaultfd' in line for line in said['done']), said
    assert 'userfaultfd' not in ''.join(os.readlink(fd) for fd in (run.room.proc / str(run.pid) / 'fd').iterdir())
    assert not re.search(r'^VmFlags:.* (uw|um)', (run.room.proc / str(run.pid) / 'smaps').read_text(), re.M)
    assert undo(run, images, '-t', run.pid)['done'] == []
    run.compare('after the undo')
    run.release()


def test_by_request(subject):
    """The same for clients, who also get the list; without a pid it is about the images."""
    run = subject('memory/anonymous')
    images = run.pre_dump()
    for count in (1, 0):
        with rpc.start_swrk(run.criu, room=run.room) as client:
            reply = client.call('UNDO', {'images_dir': str(images), 'pid': run.pid})
        assert reply['type'] == 'UNDO' and reply['success'], reply
        assert len(reply['undo'].get('done', [])) == count and (not count or 'userfaultfd' in reply['undo']['done'][0]), reply
    run.compare('after the undo')
    images = run.dump('--leave-running')
    with rpc.start_swrk(run.criu, room=run.room) as client:
        reply = client.call('UNDO', {'images_dir': str(images)})
        assert reply['success'] and 'is complete' in reply['undo']['left'][0], reply
    with rpc.start_swrk(run.criu, room=run.room) as client:
        reply = client.call('UNDO', {'images_dir': str(images), 'discard': True})
        assert reply['success'] and any('inventory' in line for line in reply['undo']['done']), reply
    assert not (images / 'inventory.img').exists()
    with rpc.start_swrk(run.criu, room=run.room) as client:
        reply = client.call('UNDO', {'images_dir': str(images), 'pid': 99999})
        assert not reply['success'] and 'there is no process 99999' in reply['cr_errmsg'], reply
    run.release()


def test_links(subject):
    """A name that a dump gave to a removed file is told, for a checkpoint may need it; given up, it goes."""
    run = subject('file/linked-elsewhere')
    images = run.dump('--leave-running')
    links = list(run.work.rglob('link_remap.*'))
    assert links
    said = undo(run, images, '-t', run.pid)
    assert not said['done'] and any('link_remap.' in line for line in said['left']), said
    assert all(link.exists() for link in links)
    said = undo(run, images, '-t', run.pid, '--discard')
    assert any('removed the link' in line for line in said['done']) and any('inventory' in line for line in said['done']), said
    assert not any(link.exists() for link in links) and not (images / 'inventory.img').exists()
    run.compare('after the undo')
    run.release()


def test_complete_checkpoint(subject):
    """Without its tree it is left alone, unless it is given up."""
    run = subject('file/pipe')
    images = run.dump()
    run.await_gone()
    said = undo(run, images)
    assert not said['done'] and 'is complete' in said['left'][0], said
    run.restore(images)
    run.compare('after the restore')
    run.release()
