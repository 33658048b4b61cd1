# SPDX-License-Identifier: GPL-2.0-only
"""The ways a subject is taken through a checkpoint. Each is a function of a Run that has started; the name is the way's name."""
import re


def untouched(run):
    """No checkpoint at all: proves that the subject is right by itself, and that the comparison is quiet."""
    run.compare('while it waits')


def unharmed(run):
    """A dump that leaves it running must not be felt. If a refusal is expected, that must not be felt either."""
    refused = run.subject.about['refused']
    if refused:
        said = run.dump_refused()
        assert re.search(refused, said), f'refused, but not because of "{refused}": {said}'
    else:
        run.dump('--leave-running')
    run.compare('after the dump')


def plain(run):
    """Dump kills it, restore brings it back."""
    images = run.dump()
    run.await_gone()
    run.restore(images)
    run.compare('after the restore')


def left(run):
    """Dump leaves it running; later it is killed and restored."""
    images = run.dump('--leave-running')
    run.kill()
    run.restore(images)
    run.compare('after the restore')


def twice(run):
    """What was restored can be dumped and restored again."""
    for number in ('first', 'second'):
        images = run.dump()
        run.await_gone()
        run.restore(images)
        run.compare(f'after the {number} restore')


WAYS = {way.__name__: way for way in (untouched, unharmed, plain, left, twice)}
