# SPDX-License-Identifier: GPL-2.0-only
"""What a kernel is too old for is told by criu verify, and by a restore before it makes anything."""
import json

import pytest

from ways import preload

# Subjects, and what their restore needs of the kernel.
NEEDS = {'memory/guards': 'guard_install', 'memory/area-settings': 'mseal', 'file/pidfd-thread': 'pidfd_thread', 'file/epoll-busy-poll': 'epoll_busy_poll',
         'task/memory-merge': 'memory_merge', 'task/thp-disable': 'thp_disable_flags', 'memory/droppable': 'map_droppable',
         'memory/memfd-exec-seal': 'memfd_exec_seal'}


@pytest.mark.parametrize('name', NEEDS)
def test_needs(subject, name):
    """Nothing is made where it would fail; where the kernel is new enough the same images come back."""
    run = subject(name)
    images = run.dump()
    run.await_gone()
    words = f'this kernel lacks {NEEDS[name]} (Linux '
    run.env = preload(run.criu, run.folder, calls=True)
    code, said = run.call_criu('verify', images, '--json')
    told, _ = json.JSONDecoder().raw_decode(said[said.index('{'):])
    assert code == 1 and told['needs']['features'][NEEDS[name]] is False, said
    assert [o['what'] for o in told['obstacles'] if o['what'].startswith(words)], said
    code, said = run.call_criu('restore', images, '-d')
    assert code == 1 and words in said, said
    assert 'Phase restore/make' not in (images / 'restore.log').read_text()
    run.await_gone()
    run.env = {}
    run.verify(images)
    run.restore(images)
    run.release()
