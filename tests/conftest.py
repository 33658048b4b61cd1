# SPDX-License-Identifier: GPL-2.0-only
"""Options of the test run and what the tests share."""
import os
import shutil
import signal
import stat
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / 'run'))
sys.dont_write_bytecode = True

TOP = Path(__file__).resolve().parents[1]


def pytest_addoption(parser):
    """Where the programs are."""
    parser.addoption('--build', default=str(TOP / 'build'), help='build directory [build]')
    parser.addoption('--criu', default=None, help='the criu to test [BUILD/criu]')
    parser.addoption('--house', default=None, help='run all subjects in this house, namespaces as "pid,uts" [a sample, see run/ways.py]')
    parser.addoption('--keep', action='store_true', help='keep the files of failed cases')


def pytest_configure():
    """The usual signals, whatever a background job ignores: shells cannot trap what was ignored when they began. Python ignores two by itself."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE, signal.SIGXFSZ}:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


@pytest.fixture(scope='session')
def build(request):
    """The build directory."""
    return Path(request.config.getoption('--build')).resolve()


@pytest.fixture(scope='session')
def criu(request, build):
    """The program to test."""
    return Path(request.config.getoption('--criu') or build / 'criu').resolve()


@pytest.fixture(scope='session')
def open_tree(build):
    """For tests in which ordinary users run programs of this tree, or have it as their working directory."""
    closed = [path for path in (build, *build.parents) if not path.stat().st_mode & stat.S_IXOTH]
    if closed:
        pytest.skip(f'{closed[-1]} is closed to ordinary users, who are to run programs below it')


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Lets fixtures know whether the test has failed."""
    outcome = yield
    if call.when == 'call':
        item.failed_call = outcome.get_result().failed


@pytest.fixture
def folder(request):
    """A fresh directory, in memory where that is possible. Its path has no blanks and is reachable for every user."""
    base = '/dev/shm' if os.access('/dev/shm', os.W_OK) else None
    path = Path(tempfile.mkdtemp(prefix='criu-test-', dir=base))
    os.chmod(path, 0o755)
    yield path
    if getattr(request.node, 'failed_call', False) and request.config.getoption('--keep'):
        print(f'files are kept in {path}')
    else:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def propagation():
    """How the mounts of the room are related to others. Modules that are about mounts have it as a parameter: shared, slave, private."""
    return 'private'


@pytest.fixture
def room(build, folder, propagation):
    """A room of its own: see run/room.py."""
    from room import Room       # pylint: disable=import-outside-toplevel
    with Room(build / 'tests/subjects/room', folder, propagation) as opened:
        yield opened


@pytest.fixture
def subject(request, build, criu, room):
    """subject('file/pipe') starts that subject in the room and returns its Run; see run/subject.py."""
    from subject import Run, Subject, program_of    # pylint: disable=import-outside-toplevel

    def start(name, house=None):
        if not program_of(build, name).exists() and name.startswith('ia32/'):
            pytest.skip('32-bit programs cannot be built here (gcc-multilib)')
        run = Run(Subject(program_of(build, name)), room, criu, house or request.config.getoption('--house') or '-')
        reason = run.start()
        if reason:
            pytest.skip(reason)
        return run
    return start
