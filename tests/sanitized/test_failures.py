# SPDX-License-Identifier: GPL-2.0-only
"""A failure anywhere frees everything: a criu that was built with sanitizers is made to fail at every failure point.

The same as test_every_point_of_... in tests/scenarios/test_safety.py, which look at what is left outside of criu. Here it is what is
left inside. Sanitizers are slow, so each point is tried once, with the first subject that passes it.
"""
import pytest

from room import wait_until
from subject import options_to_pass

SUBJECTS = ('tree/family', 'thread/several', 'file/pipe', 'file/deleted-odd', 'file/pty-session', 'file/epoll-moved', 'memory/shared-anonymous',
            'tree/zombie', 'socket/unix-rights', 'socket/tcp-established', 'file/aio', 'file/userfaultfd', 'file/tun', 'file/mqueue-messages',
            'mount/tmpfs', 'net/kinds', 'namespace/ipc-shm', 'namespace/user-inner', 'namespace/cgroup', 'seccomp/filter')
TRIED = set()


@pytest.fixture(name='sanitized', autouse=True)
def make_sanitized(criu, monkeypatch, folder):
    """Reports go to files in this folder."""
    if b'__asan_init' not in criu.read_bytes():
        pytest.skip(f'{criu} was not built with sanitizers: tests/run/sanitized, and --criu')
    reports = folder / 'reports'
    reports.mkdir()
    for name in ('ASAN_OPTIONS', 'UBSAN_OPTIONS'):
        monkeypatch.setenv(name, f'log_path={reports}/report:print_stacktrace=1')
    return reports


def check_reports(reports, where):
    """There are none."""
    found = sorted(reports.iterdir())
    assert not found, f'{where}: {found[0].read_text(errors="replace")[:8000]}'


def points_of(run, reports, command, images, *options):
    """Those that it passes, and that were not tried yet; the command must go well."""
    names = run.folder / 'points'
    names.unlink(missing_ok=True)
    status, said = run.call_criu(command, images, *options, env={'CRIU_FAIL_LIST': str(names)})
    check_reports(reports, command)
    assert status == 0, said
    points = [point for point in dict.fromkeys(names.read_text().split()) if point not in TRIED]
    TRIED.update(points)
    return points


@pytest.mark.xdist_group('dump')
@pytest.mark.parametrize('name', SUBJECTS)
def test_dump(subject, sanitized, name):
    """One tree, which goes on after each failure."""
    run = subject(name)
    points = points_of(run, sanitized, 'dump', run.folder_of_images(), '-t', run.pid, '-R')
    for point in points:
        status, said = run.call_criu('dump', run.folder_of_images(), '-t', run.pid, *options_to_pass(point), env={'CRIU_FAIL_AT': point})
        check_reports(sanitized, point)
        assert status == 1 and point in said, said
    run.release()


@pytest.mark.xdist_group('restore')
@pytest.mark.parametrize('name', SUBJECTS)
def test_restore(subject, sanitized, room, name):
    """One checkpoint, restored in vain."""
    run = subject(name)
    images = run.dump()
    run.await_gone()
    points = points_of(run, sanitized, 'restore', images, '-d')
    run.kill()
    for point in points:
        status, said = run.call_criu('restore', images, '-d', env={'CRIU_FAIL_AT': point})
        check_reports(sanitized, point)
        assert status == 1 and point in said, said
        wait_until(lambda: not room.pids(), 5, lambda: f'left over after a failure at {point}: {room.pids()}')
    done = room.run(run.criu, 'verify', '-D', images)
    check_reports(sanitized, 'verify')
    assert done.returncode == 0, done.stdout
