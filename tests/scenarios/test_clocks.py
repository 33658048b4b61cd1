# SPDX-License-Identifier: GPL-2.0-only
"""The clocks of a tree that lived by those of the host: they go on where they stood, as if there had been another machine between."""
import json
import subprocess
from pathlib import Path

import pytest

SHIFT = 1000000


def crit(run, *words, stdin=None):
    """What crit prints."""
    done = subprocess.run([Path(run.criu).parent / 'crit', *words], input=stdin, capture_output=True, check=True)
    return done.stdout


def entries_of(run, path):
    """The entries of an image."""
    return json.loads(crit(run, 'decode', '-i', path))['entries']


def offsets(run):
    """Seconds that the clocks of the subject's root are away from those of the host."""
    path = run.room.proc / str(run.pid) / 'timens_offsets'
    if not path.exists():
        pytest.skip('there are no time namespaces')
    return [int(line.split()[1]) for line in path.read_text().splitlines()]


def change(run, path, **values):
    """Writes other seconds into the image of the clocks."""
    entry, = entries_of(run, path)
    for clock, seconds in values.items():
        entry[clock]['tv_sec'] += seconds
    crit(run, 'encode', '-o', path, stdin=json.dumps({'magic': 'TIMENS', 'entries': [entry]}).encode())
    return entry


@pytest.mark.parametrize('name', ['timer/posix', 'file/timerfd', 'tree/family'])
def test_other_host(subject, name):
    """Ahead on one clock and back on the other; a second checkpoint has the tree's own clocks, and its own number."""
    run = subject(name)
    assert offsets(run) == [0, 0]
    images = run.dump()
    run.await_gone()
    back = min(entries_of(run, images / 'timens-0.img')[0]['boottime']['tv_sec'] // 2, SHIFT)
    saved = change(run, images / 'timens-0.img', monotonic=SHIFT, boottime=-back)
    run.restore(images)
    ahead, behind = offsets(run)
    assert SHIFT - 3600 < ahead <= SHIFT and -back - 3600 < behind <= -back
    run.compare('after the first restore')
    again = run.dump()
    run.await_gone()
    assert not (again / 'timens-0.img').exists()
    image, = again.glob('timens-*.img')
    entry, = entries_of(run, image)
    for clock in ('monotonic', 'boottime'):
        assert 0 <= entry[clock]['tv_sec'] - saved[clock]['tv_sec'] < 3600
    run.restore(again)
    ahead, behind = offsets(run)
    assert SHIFT - 7200 < ahead <= SHIFT and -back - 7200 < behind <= -back
    run.compare('after the second restore')
    run.release()


def test_no_image(subject):
    """Without the image the clocks are left alone, with a warning."""
    run = subject('tree/family')
    offsets(run)
    images = run.dump()
    run.await_gone()
    (images / 'timens-0.img').unlink()
    run.restore(images)
    assert offsets(run) == [0, 0]
    assert 'the clocks are left alone' in (images / 'restore.log').read_text()
    run.release()


def test_damaged(subject):
    """Clocks that no kernel would take are refused before anything is made."""
    run = subject('tree/family')
    images = run.dump()
    run.await_gone()
    change(run, images / 'timens-0.img', monotonic=1 << 62)
    code, said = run.call_criu('restore', images, '-d')
    assert code == 1 and 'timens-0.img: a clock stood at' in said, said
