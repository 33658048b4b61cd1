# SPDX-License-Identifier: GPL-2.0-only
"""Every wait ends: a task that does not do what it is told holds nobody longer than --timeout says."""
from room import PROGRAMS, wait_until


def test_restore_whose_task_hangs(subject, room):
    """A new task that is stopped before it runs its steps: the restore fails by itself, says why, and leaves nothing."""
    run = subject('namespace/uts', house='uts')
    images = run.dump()
    run.await_gone()
    status, said = run.call_criu('restore', images, '-d', '--timeout', '1', '--action-script', PROGRAMS / 'stop-new-task.sh')
    assert status == 1, said        # None: it was still waiting after two minutes
    assert 'did not finish in time what it was told to do' in said, said
    wait_until(lambda: not room.pids(), 5, lambda: f'left over: {room.pids()}')
    run.restore(images)
    run.compare('after the restore')
    run.release()
