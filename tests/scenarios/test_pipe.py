# SPDX-License-Identifier: GPL-2.0-only
"""--stream=FD: a whole checkpoint through one descriptor, in order."""
import os
import re
import subprocess

import pytest

from room import PROGRAMS, wait_until
from rpc import start_swrk


def dump_to(run, stream, *options):
    images = run.folder_of_images()
    status, said = run.call_criu('dump', images, '-t', run.pid, *options, stream=stream)
    assert status == 0, said


@pytest.fixture
def streamed(subject):
    """A killed subject and the file with its stream."""
    run = subject('tree/family')
    stream = run.folder / 'stream'
    dump_to(run, stream)
    run.await_gone()
    return run, stream


def test_cut_off_anywhere(streamed):
    """Nothing of it becomes true: no task is left, nor a file."""
    run, stream = streamed
    whole = stream.read_bytes()
    for size in (0, 1, 100, 5000, len(whole) // 2, len(whole) - 40, len(whole) - 1):
        stream.write_bytes(whole[:size])
        status, said = run.call_criu('restore', run.folder_of_images(), '-d', stream=stream)
        assert status == 1 and 'ends before its commit mark' in said, f'{size}: {said}'
        run.await_gone()
        images = run.folder_of_images()
        status, said = run.call_criu('receive', images, stream=stream)
        assert status == 1 and not (images / 'inventory.img').exists(), f'{size}: {said}'
    stream.write_bytes(whole)
    run.restore(run.folder_of_images(), stream=stream)
    run.release()


def test_one_wrong_bit(streamed):
    """Wherever it is, it is found, and nothing is left."""
    run, stream = streamed
    whole = stream.read_bytes()
    for at in (0, 5, 45, 200, 3000, len(whole) // 3, len(whole) // 2, len(whole) - 4000, len(whole) - 20):
        damaged = bytearray(whole)
        damaged[at] ^= 4
        stream.write_bytes(damaged)
        status, said = run.call_criu('restore', run.folder_of_images(), '-d', stream=stream)
        assert status == 1 and re.search('the stream|no stream', said), f'{at}: {said}'
        run.await_gone()


def test_unpacked_is_a_checkpoint(streamed):
    """What receive writes is what a dump writes, and what does not belong there stays away."""
    run, stream = streamed
    images = run.folder_of_images()
    status, said = run.call_criu('receive', images, stream=stream)
    assert status == 0, said
    run.verify(images)
    run.decode_and_encode(images)
    run.restore(images)
    run.compare('after the restore')
    run.release()


def test_no_names_of_files(subject):
    """A stream that names something else than images is refused: it would be written there."""
    run = subject('file/pipe')
    stream = run.folder / 'stream'
    dump_to(run, stream, '--leave-running')
    whole = stream.read_bytes()
    assert b'inventory.img' in whole
    stream.write_bytes(whole.replace(b'inventory.img', b'../../foo.img'))
    images = run.folder_of_images()
    status, said = run.call_criu('receive', images, stream=stream)
    assert status == 1 and 'checksum' in said, said
    run.release()


def test_reader_that_goes_away(subject):
    """The dump fails, and the tree does not notice."""
    run = subject('memory/large')
    images = run.folder_of_images()
    done = run.room.run('bash', '-c', f'set -o pipefail; {run.criu} dump -t {run.pid} -D {images} -o dump.log --stream=- | head -c 300000 >/dev/null')
    assert done.returncode == 1 and 'Broken pipe' in (images / 'dump.log').read_text(), done.stdout
    run.compare('after the dump that failed')
    run.release()


def test_failure_after_records(subject):
    """All records are out, or all pages: the tree runs on, and nobody believes the stream. What failed at the other end leaves nothing."""
    run = subject('tree/family')
    stream = run.folder / 'stream'
    for point in ('dump/send', 'dump/lock/net'):
        status, said = run.call_criu('dump', run.folder_of_images(), '-t', run.pid, stream=stream, env={'CRIU_FAIL_AT': point})
        assert status == 1 and point in said, said
        run.compare(f'after the dump that failed at {point}')
        status, said = run.call_criu('restore', run.folder_of_images(), '-d', stream=stream)
        assert status == 1, said
    dump_to(run, stream)
    run.await_gone()
    for point in ('restore/fork', 'restore/content/memory', 'restore/seize'):
        status, said = run.call_criu('restore', run.folder_of_images(), '-d', stream=stream, env={'CRIU_FAIL_AT': point})
        assert status == 1 and point in said, said
        run.await_gone()
    run.restore(run.folder_of_images(), stream=stream)
    run.compare('after the restore')
    run.release()


def test_script_and_log_keep_out(subject):
    """What an action script prints, and a log on stdout, do not get into the stream."""
    run = subject('file/pipe')
    script = run.folder / 'script'
    script.write_text('#!/bin/sh\necho in between\n')
    script.chmod(0o755)
    stream = run.folder / 'stream'
    status, said = run.call_criu('dump', run.folder_of_images(), '-t', run.pid, '--action-script', script, '-o', '-', stream=stream)
    assert status == 0 and 'in between' in said, said
    run.await_gone()
    run.restore(run.folder_of_images(), stream=stream)
    run.release()


def test_whoever_stores_it_is_asked(subject):
    """At post-stream the stream has come to its end, though criu is there; if the script fails the tree runs on."""
    run = subject('tree/family')
    answer, stream = run.folder / 'answer', run.folder / 'stream'
    os.mkfifo(answer)
    for word in (3, 0):
        done = run.room.run('bash', '-c', f'ANSWER={answer} {run.criu} dump -t {run.pid} -D {run.folder_of_images()} -o {run.folder}/dump.log --stream=- '
                            f'--action-script {PROGRAMS}/ask-at-post-stream.sh | {{ cat > {stream}; echo {word} > {answer}; }}; exit ${{PIPESTATUS[0]}}')
        said = (run.folder / 'dump.log').read_text()
        assert done.returncode == int(word > 0), said
        if word:
            assert 'status 3 at post-stream' in said
            run.compare('after the dump that was not stored')
    run.await_gone()
    run.restore(run.folder_of_images(), stream=stream)
    run.compare('after the restore')
    run.release()


def test_bounded_memory(subject):
    """Pages wait nowhere: neither side grows with the program. The order is that of the restore."""
    run = subject('memory/large')
    stream = run.folder / 'stream'
    dump_to(run, stream)
    run.await_gone()
    images = run.folder_of_images()
    run.restore(images, '-v3', stream=stream)
    said = (images / 'restore.log').read_text()
    waited = int(re.search(r'of pages (\d+) bytes had to wait', said)[1])
    assert waited < stream.stat().st_size / 20, said
    run.compare('after the restore')
    run.release()


def test_by_request(subject, criu):
    """The descriptor is one of the worker's."""
    run = subject('file/pipe')
    stream = run.folder / 'stream'
    images = run.folder_of_images()
    for kind, opts, flags in (('DUMP', {'pid': run.pid}, os.O_WRONLY | os.O_CREAT), ('RESTORE', {}, os.O_RDONLY)):
        descriptor = os.open(stream, flags)
        os.set_inheritable(descriptor, True)
        with start_swrk(run.criu, room=run.room, pass_fds=(descriptor,)) as client:
            reply = client.call(kind, {'images_dir': str(images), 'log_level': 4, 'stream': descriptor, **opts})
        os.close(descriptor)
        assert reply and reply['success'], f'{kind}: {reply}'
    assert not (images / 'inventory.img').exists()
    run.compare('after the restore')
    run.release()


def test_refused_together(criu, folder):
    """Options that make no sense with it are named."""
    for words, said in ((['dump', '-t', '1', '--stream=-', '--compress'], '--compress'), (['dump', '-t', '1', '--stream=99'], 'open'),
                        (['restore', '--stream=-', '--lazy-pages'], '--lazy-pages'), (['receive'], '--stream=-'),
                        (['restore', '--prev-images-dir', '.'], '--stream')):
        done = subprocess.run([criu, *words], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert done.returncode == 1 and said in done.stderr, done


def test_running_on(room, build, criu, folder):
    """A program that changes its memory all the time runs on after the dump; the stream has all of it as it was in one moment."""
    numbers = folder / 'numbers'
    pid = room.start(folder / 'said', build / 'tests/programs/churn-memory', numbers)
    wait_until(lambda: numbers.exists() and numbers.stat().st_size > 20, 20, lambda: (folder / 'said').read_text())
    for _ in range(3):
        stream = folder / 'stream'
        done = room.run('/bin/sh', '-c', f'{criu} dump -t {pid} -R --stream=- -o {folder}/log > {stream}')
        assert done.returncode == 0, (folder / 'log').read_text()
        before = numbers.stat().st_size
        wait_until(lambda: numbers.stat().st_size > before, 20, lambda: (folder / 'said').read_text())
        room.kill([pid])
        wait_until(lambda: pid not in room.pids(), 20)
        before = numbers.stat().st_size
        done = room.run('/bin/sh', '-c', f'{criu} restore -d --stream=- -o {folder}/log < {stream}')
        assert done.returncode == 0, done.stdout
        wait_until(lambda: numbers.stat().st_size > before + 20 or pid not in room.pids(), 20)
        assert pid in room.pids(), (folder / 'said').read_text()
    room.kill([pid])
