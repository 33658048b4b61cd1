# SPDX-License-Identifier: GPL-2.0-only
"""Trees whose processes and threads come and end while they are stopped."""
import shutil


def test_dump_of_the_restless(subject):
    """Every dump of a program that starts and reaps processes and threads all the time succeeds, and harms nothing."""
    run = subject('tree/churn')
    (run.control / 'churn').touch()
    for _ in range(30):
        shutil.rmtree(run.dump('--leave-running'))
    for _ in range(3):
        images = run.dump()
        run.await_gone()
        run.restore(images)
    run.release()
