# SPDX-License-Identifier: GPL-2.0-only
"""Names that a dump makes for files that lost theirs (--link-remap): gone after a failure, apart from those of another checkpoint."""
from room import PROGRAMS, wait_until

def test_names_of_checkpoints(room, criu, folder):
    """One dump fails, one leaves the program running, one kills it: each restore finds the names of its own."""
    work, output = folder / 'work', folder / 'output'
    work.mkdir()
    pid = room.start(output, '/usr/bin/python3', PROGRAMS / 'open-link.py', work, cwd='/')
    wait_until(lambda: output.exists() and 'ready' in output.read_text(), 5, 'the program does not get ready')

    def links():
        return sorted(path.name for path in work.iterdir() if path.name.startswith('link_remap'))

    def call(number, *words, env=None):
        images = folder / f'images{number}'
        images.mkdir(exist_ok=True)
        done = room.run(*(['/usr/bin/env', env] if env else []), criu, *words, '-D', images, '-v4', '-o', 'log')
        return done.returncode, (images / 'log').read_text()

    def dump(number, *words, **more):
        return call(number, 'dump', '-t', pid, '--link-remap', *words, **more)

    status, said = dump(0, env='CRIU_FAIL_AT=dump/inventory')
    assert status != 0 and not links(), said
    status, said = dump(1, '--leave-running')
    assert status == 0 and len(links()) == 1, said
    for _ in range(3): # the same checkpoint again: its name is taken again
        status, said = dump(1, '--leave-running')
        assert status == 0 and len(links()) == 2, said
    status, said = dump(2)
    assert status == 0 and len(links()) == 3, said
    wait_until(lambda: pid not in room.pids(), 5)
    status, said = call(2, 'restore', '-d')
    assert status == 0 and len(links()) == 2, said
    room.kill([pid])
    wait_until(lambda: pid not in room.pids(), 5)
    status, said = call(1, 'restore', '-d')
    assert status == 0 and len(links()) == 1, said # that of the very first dump, which was written over
    (work / 'go').touch()
    wait_until(lambda: pid not in room.pids(), 5)
    assert output.read_text().endswith('content True'), output.read_text()


def test_a_thousand_names(room, criu, folder):
    """Names that lie there already, of whomever, are no obstacle, however many."""
    work, output, images = folder / 'work', folder / 'output', folder / 'images'
    work.mkdir()
    images.mkdir()
    foreign = [work / f'link_remap.{number}' for number in range(1200)]
    for path in foreign:
        path.touch()
    pid = room.start(output, '/usr/bin/python3', PROGRAMS / 'open-link.py', work, cwd='/')
    wait_until(lambda: output.exists() and 'ready' in output.read_text(), 5, 'the program does not get ready')
    before = set(work.iterdir())
    for end in ['--leave-running'], ['--leave-running'], []:
        done = room.run(criu, 'dump', '-t', pid, '--link-remap', '-D', images, '-o', 'log', *end)
        assert done.returncode == 0, (images / 'log').read_text()
        assert len(set(work.iterdir()) - before) == 1
    wait_until(lambda: pid not in room.pids(), 5)
    done = room.run(criu, 'restore', '-d', '-D', images, '-o', 'log')
    assert done.returncode == 0, (images / 'log').read_text()
    assert set(work.iterdir()) == before
    (work / 'go').touch()
    wait_until(lambda: pid not in room.pids(), 5)
    assert output.read_text().endswith('content True'), output.read_text()
