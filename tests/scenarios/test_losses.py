# SPDX-License-Identifier: GPL-2.0-only
"""What cannot come back as it was: it is told, and an option makes it an error."""


def lowered(run, images, *options):
    """A restore by a criu that may not raise limits and has lower ones than the program had."""
    return run.room.run('prlimit', '--nproc=1000:1000', '--sigpending=900:900', '--nofile=1048:1048', 'setpriv', '--bounding-set', '-sys_resource',
                        run.criu, 'restore', '-d', '-D', images, '-o', 'restore.log', *options)


def test_limits_that_cannot_be_reached(subject, room):
    """All hard limits fall to those of criu, the soft ones with them, and each is told; with --strict-rlimits nothing is restored."""
    run = subject('file/pipe')
    run.call_in_room('prlimit', '--pid', run.pid, '--nofile=1050:1060', '--nproc=1000:1001', '--sigpending=950:950')
    images = run.dump()
    run.await_gone()
    done = lowered(run, images, '--strict-rlimits')
    text = (images / 'restore.log').read_text()
    assert done.returncode == 1 and '--strict-rlimits' in text and 'the limit of processes was 1000, at most 1001' in text, text
    assert not room.pids()

    done = lowered(run, images)
    text = (images / 'restore.log').read_text()
    assert done.returncode == 0, text
    for words in ('the hard limit of processes falls from 1001 to ours, 1000', 'the hard limit of open files falls from 1060 to ours, 1048',
                  'the hard limit of pending signals falls from 950 to ours, 900'):
        assert words in text, text
    limits = (room.proc / str(run.pid) / 'limits').read_text().split('\n')
    assert [line.split()[-3:-1] for line in limits if line.startswith(('Max open files', 'Max processes', 'Max pending'))] == [
        ['1000', '1000'], ['1048', '1048'], ['900', '900']], limits
    run.release()


def test_what_is_lost_is_told(subject, criu):
    """By the preflight, in the log, by verify, and in the statistics."""
    text = 'the listener of a seccomp filter'
    run = subject('seccomp/listener')
    said = run.call_in_room(criu, 'check', '--tree', run.pid)
    assert 'Good to know' in said and text in said and 'Nothing is in the way' in said, said
    images = run.folder_of_images()
    said = run.call_in_room(criu, 'dump', '-D', images, '-o', 'dump.log', '-t', run.pid, '--display-stats')
    assert 'Things that were not saved:      1\n' in said, said
    assert f'task {run.pid} (seccomp.listene): is not saved: {text}' in (images / 'dump.log').read_text()
    said = run.call_in_room(criu, 'verify', images)
    assert f'was not saved: task {run.pid} (seccomp.listene): {text}' in said and 'A restore could begin' in said, said
    run.restore(images)
    run.release()


def test_parent_death_signal_of_the_root(subject):
    """A criu that ends at once is no parent: the signal would come then. It is not set, and that is told; verify tells as well."""
    run = subject('task/parent-death-root')
    images = run.dump()
    run.await_gone()
    said = run.call_in_room(run.criu, 'verify', images)
    assert 'asked for signal 9 when its parent dies' in said and '--restore-sibling' in said, said
    run.restore(images)
    assert 'asked for signal 9 when its parent dies: not set' in (images / 'restore.log').read_text()
    run.release()
