# SPDX-License-Identifier: GPL-2.0-only
"""While tasks stand still criu runs before ordinary programs, and nothing that it starts does."""
import os
import shutil

import pytest
from room import PROGRAMS


@pytest.fixture
def script(folder):
    """An option for a script that notes under which policies criu and itself run while the tasks stand still."""
    path = folder / 'note-policies.sh'
    shutil.copy(PROGRAMS / path.name, path)
    return '--action-script', path


def policies(folder):
    """Of criu and of the script."""
    return [int(word) for word in (folder / 'policies').read_text().split()]


def test_frozen(subject, folder, script):
    """criu alone, and only if nobody has told it to be nice."""
    if os.getpriority(os.PRIO_PROCESS, 0) > 0:
        pytest.skip('we are nice ourselves')
    run = subject('task/limits')
    run.dump('-R', *script)
    assert policies(folder) == [os.SCHED_RR, os.SCHED_OTHER]
    done = run.room.run('nice', '-n', '1', run.criu, 'dump', '-R', '-t', run.pid, '-D', run.folder_of_images(), *script)
    assert done.returncode == 0, done.stdout
    assert policies(folder) == [os.SCHED_OTHER, os.SCHED_OTHER]
    run.release()
