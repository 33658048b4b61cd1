# SPDX-License-Identifier: GPL-2.0-only
"""libcompel and compel as they are installed: programs and parasites are built with what "compel" says, and work in others."""
import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
import room

TOP = Path(__file__).resolve().parents[2]
PYTHON = '/usr/bin/python3'
NOBODY = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups']


def run(*words, **more):
    """A program that must succeed; what it prints."""
    done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=120, check=False, **more)
    assert done.returncode == 0, f'{words}: {done.stdout}'
    return done.stdout


def wait_until(condition):
    """Until it holds; a test fails after 20 seconds."""
    assert room.wait_until(condition, 60)


class Kit:
    """What is installed below a root, and what is built with it."""

    def __init__(self, build):
        self.path = Path(tempfile.mkdtemp(prefix='criu-test-', dir='/dev/shm'))
        self.path.chmod(0o755)
        run('/usr/bin/meson', 'install', '-C', build, '--no-rebuild', '--quiet', '--destdir', self.path / 'root')
        self.compel = next((self.path / 'root').rglob('bin/compel'))
        self.env = {name: value for name, value in os.environ.items() if name != 'COMPEL_UNINSTALLED_ROOTDIR'}

    def ask(self, *words):
        """What the tool says, as words."""
        return run(self.compel, *words, env=self.env).split()

    def make_examples(self, compiler):
        """The examples by their own Makefile; the folder where they are."""
        folder = self.path / f'examples-{compiler}'
        shutil.copytree(TOP / 'examples/compel', folder)
        said = run('make', '-C', folder, f'COMPEL={self.compel}', f'CC={compiler}', 'CFLAGS=-O2 -Wall -Wextra -Werror -Wno-unused-parameter',
                   env=self.env)
        assert 'warning' not in said
        return folder

    def make_probe(self, compiler, *flags):
        """The program of tests/compel that tries things, and the victim."""
        folder = self.path / f'probe-{compiler}{"".join(flags)}'
        shutil.copytree(TOP / 'tests/compel', folder)
        common = ['-O2', '-Wall', '-Werror', *flags]
        run(compiler, *common, *self.ask('cflags'), '-c', 'probe-parasite.c', cwd=folder)
        run('ld', *self.ask('ldflags'), '-o', 'probe-parasite.po', 'probe-parasite.o', *self.ask('plugins', 'fds'), cwd=folder)
        self.ask('-f', folder / 'probe-parasite.po', '-o', folder / 'probe-parasite.h', 'hgen')
        run(compiler, *common, *self.ask('includes'), '-o', 'probe', 'probe.c', *self.ask('--static', 'libs'), '-lpthread', cwd=folder)
        run(compiler, *common, '-o', 'victim', 'victim.c', '-lpthread', cwd=folder)
        return folder


@pytest.fixture(scope='module')
def kit(build):
    """Installed once for all tests."""
    made = Kit(build)
    yield made
    shutil.rmtree(made.path)


@pytest.fixture(scope='module', params=['gcc', 'clang'])
def examples(kit, request):
    """The built examples."""
    return kit.make_examples(request.param)


@pytest.fixture(scope='module', params=['gcc', 'clang', 'gcc -fPIC'])
def probe(kit, request):
    """The built probe."""
    return kit.make_probe(*request.param.split())


def facts(pid):
    """All that nobody may change in a process by working in it."""
    proc = Path(f'/proc/{pid}')
    status = {}
    for task in sorted((proc / 'task').iterdir()):
        lines = (task / 'status').read_text().splitlines()
        status[task.name] = [line for line in lines if re.match(r'(Name|Umask|Tgid|TracerPid|Uid|Gid|Groups|Sig(Pnd|Blk|Ign|Cgt)|Shd|Cap|NoNewPrivs|Seccomp)', line)]
    # The kernel may merge and split areas of the C library's heap as the program runs, so: places that never change.
    maps = [line for line in (proc / 'maps').read_text().splitlines() if '[heap]' not in line]
    return status, maps, {name: target for name, target in room.open_files(proc).items() if not target.endswith('/count')}


class Victim:
    """A process that counts into a file."""

    def __init__(self, folder, *words, before=()):
        self.file = folder / 'count'
        self.file.touch()
        self.file.chmod(0o666)
        self.process = subprocess.Popen([*before, *map(str, words), str(self.file), '3'], stdin=subprocess.DEVNULL)
        self.pid = self.process.pid
        self.wait_alive()
        wait_until(lambda: len(os.listdir(f'/proc/{self.pid}/task')) == 4)
        # The C library starts threads with all signals blocked.
        wait_until(lambda: all('SigBlk:\t0000000000000000' in lines for lines in facts(self.pid)[0].values()))
        self.facts = facts(self.pid)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def wait_alive(self):
        """It counts on."""
        before = self.file.read_text()
        wait_until(lambda: self.file.read_text() not in ('', before))

    def check(self):
        """Nobody was here."""
        self.wait_alive()
        assert self.process.poll() is None
        for now, before in zip(facts(self.pid), self.facts):
            assert now == before, f'{set(map(str, now)) ^ set(map(str, before))}'


@pytest.fixture
def python(folder):
    """A running python3 with threads."""
    with Victim(folder, PYTHON, room.PROGRAMS / 'count-in-file.py') as started:
        yield started


@pytest.mark.parametrize('what', ['syscall', 'fds', 'daemon'])
def test_examples(examples, python, what):
    """The three examples, ten times each, on a python3 that does not notice."""
    for _ in range(10):
        said = run(examples / what, python.pid, *(['39'] if what == 'syscall' else []))
    if what == 'syscall':
        assert said == f'system call 39: {python.pid} ({hex(python.pid)})\n'
        assert run(examples / what, python.pid, 3, 99) == 'system call 3: Bad file descriptor\n'
    if what == 'fds':
        assert '0 -> /dev/null\n' in said
    if what == 'daemon':
        assert f'pid {python.pid}, ' in said and '1 + ... + 10 = 55, it says\n' in said
        tids = sorted(int(tid) for tid in os.listdir(f'/proc/{python.pid}/task'))
        assert sorted(int(tid) for tid in re.findall(r'thread (\d+):', said)) == tids[1:]
        logged = run(examples / what, python.pid, 4)
        assert re.search(rf'\(\d+\.\d{{6}}\) pie: {python.pid}: this is process {python.pid}\n', logged)
        assert f'pie: {python.pid}: the sum was 55\n' in logged
    python.check()


THINGS = ['std', 'registers', 'crash', 'busy', 'cut', 'fail', 'fds', 'scm', 'threads', 'again', 'refused', 'flags 1', 'memory', 'code', 'trace',
          'context', 'cpu']


@pytest.mark.parametrize('what', THINGS)
def test_probe(probe, folder, what):
    """Everything that the interface offers, also when it goes wrong, in a process that does not notice."""
    with Victim(folder, probe / 'victim', 'count') as victim:
        said = run(probe / 'probe', victim.pid, *what.split())
        if what == 'cpu':
            cpu = dict(re.findall(r'^(\w[\w ]*?)\s*: (.*)$', Path('/proc/cpuinfo').read_text().split('\n\n')[0], re.M))
            assert said.startswith(f'{cpu["vendor_id"]}|{cpu["model name"]}|{cpu["cpu family"]}|{cpu["model"]}\n')
            flags = cpu['flags'].split()
            assert f'avx {int("avx" in flags)} avx2 {int("avx2" in flags)} fsgsbase {int("fsgsbase" in flags)}\n' in said
        if what == 'std':
            assert 'cleanup zero -1 10\n' in said and said.count('plugin ends\n') == 1
        victim.check()


def test_registers(probe, kit):
    """A program whose registers are never at rest keeps them all."""
    with subprocess.Popen([probe / 'victim', 'registers'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout.readline() == 'ready\n'
        end = time.monotonic() + 3
        while time.monotonic() < end:
            run(probe / 'probe', victim.pid, 'registers')
        assert victim.communicate()[0] == 'kept\n'


@pytest.mark.parametrize('what', ['std', 'context', 'memory'])
def test_blocking_calls(probe, what):
    """System calls that were interrupted go on as if nothing had been."""
    with subprocess.Popen([probe / 'victim', 'calls'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as victim:
        calls = 0
        for line in victim.stdout:
            assert 'WRONG' not in line
            if line == 'done\n':
                break
            calls += 1
            for _ in range(2):
                time.sleep(0.1)
                run(probe / 'probe', victim.pid, what)
        assert calls == 8


def test_other_user(probe, folder):
    """root works in processes of others; an ordinary user works in its own without any privilege, and in nobody else's."""
    with Victim(folder, probe / 'victim', 'count', before=NOBODY) as victim:
        run(probe / 'probe', victim.pid, 'std')
        for what in 'std', 'fds', 'threads', 'crash', 'again':
            run(*NOBODY, probe / 'probe', victim.pid, what)
        victim.check()
    with Victim(folder, probe / 'victim', 'count') as victim:
        done = subprocess.run([*NOBODY, probe / 'probe', str(victim.pid), 'std'], capture_output=True, text=True, check=False)
        assert done.returncode == 1 and 'Operation not permitted' in done.stderr
        victim.check()


def test_namespaces(probe, folder):
    """Unix sockets are looked for in the network namespace of the process."""
    for before in ['unshare', '-n'], ['unshare', '-m'], ['unshare', '-U']:
        with Victim(folder, probe / 'victim', 'count', before=before) as victim:
            run(probe / 'probe', victim.pid, 'std')
            run(probe / 'probe', victim.pid, 'flags', '1')
            victim.check()


def test_filters(probe, folder):
    """Filters of seccomp are no obstacle for root; an ordinary user, who could only let them kill, is refused."""
    with Victim(folder, probe / 'victim', 'filter') as victim:
        run(probe / 'probe', victim.pid, 'std')
        run(probe / 'probe', victim.pid, 'again')
        victim.check()
    with Victim(folder, probe / 'victim', 'filter', before=NOBODY) as victim:
        done = subprocess.run([*NOBODY, probe / 'probe', str(victim.pid), 'std'], capture_output=True, text=True, check=False)
        assert done.returncode == 1 and 'seccomp' in done.stderr
        victim.check()


def is_stopped(pid):
    """By a signal."""
    return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] == 'T'


def test_stopped(examples, python):
    """A process that was stopped by a signal stays so."""
    python.process.send_signal(signal.SIGSTOP)
    wait_until(lambda: is_stopped(python.pid))
    run(examples / 'daemon', python.pid)
    run(examples / 'syscall', python.pid, 39)
    time.sleep(0.05)
    assert is_stopped(python.pid)
    python.process.send_signal(signal.SIGCONT)
    python.check()


def test_states(probe, folder):
    """Alive, stopped, dead: from and into each."""
    with Victim(folder, probe / 'victim', 'count') as victim:
        run(probe / 'probe', victim.pid, 'states')
        assert victim.process.wait(60) == -signal.SIGKILL


def test_nobody_there(examples):
    """No process, a zombie: a message."""
    for words in [2 ** 22], [0]:
        done = subprocess.run([examples / 'daemon', str(words[0])], capture_output=True, text=True, check=False)
        assert done.returncode == 1 and 'cannot stop' in done.stderr
    with subprocess.Popen(['true']) as dead:
        wait_until(lambda: Path(f'/proc/{dead.pid}/stat').read_text().split()[2] == 'Z')
        done = subprocess.run([examples / 'syscall', str(dead.pid), '39'], capture_output=True, text=True, check=False)
        assert done.returncode == 1


@pytest.mark.parametrize('what', ['daemon', 'syscall', 'fds'])
def test_killed(examples, python, what):
    """Whoever injects is killed at any moment: the process goes on with its own registers, signals and descriptors."""
    dice = random.Random(4)
    words = [examples / what, str(python.pid), *(['39'] if what == 'syscall' else [])]
    for _ in range(60):
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(dice.uniform(0, 0.006))
            process.kill()
    wait_until(lambda: 'TracerPid:\t0' in Path(f'/proc/{python.pid}/status').read_text())
    # A thread waits for up to two seconds to be caught.
    wait_until(lambda: facts(python.pid)[0::2] == python.facts[0::2])
    python.wait_alive()
    now = facts(python.pid)
    # What was left behind is marked and harmless.
    assert all('/dev/zero (deleted)' in line for line in now[1] if line not in python.facts[1])
    run(examples / 'daemon', python.pid)


def test_abandoned(probe, folder):
    """A daemon whose library is dead cleans up, goes home, and leaves nothing, not even memory."""
    for before in [], NOBODY:
        with Victim(folder, probe / 'victim', 'count', before=before) as victim:
            for _ in range(20):
                done = subprocess.run([*before, probe / 'probe', str(victim.pid), 'abandon'], capture_output=True, text=True, check=False,
                                      timeout=120)
                assert done.returncode == -9
                assert 'cleanup zero -1 10\n' in done.stderr and 'plugin ends\n' in done.stderr
            wait_until(lambda: facts(victim.pid) == victim.facts)
            victim.check()


def test_tool(kit, folder):
    """What the tool says, and its exit codes."""
    root = str(kit.path / 'root')
    flags = '-Wstrict-prototypes -ffreestanding -fno-stack-protector -nostdlib -fomit-frame-pointer'
    assert kit.ask('includes') == ['-I', f'{kit.compel.parents[1]}/include']
    assert ' '.join(kit.ask('cflags')) == f'{flags} -fpie -I {kit.compel.parents[1]}/include'
    assert ' '.join(kit.ask('--compat', 'cflags')).startswith(f'{flags} -fno-pic')
    assert kit.ask('ldflags')[:-1] == ['-r', '-z', 'noexecstack', '-T'] and Path(kit.ask('ldflags')[-1]).name == 'compel-pack.lds.S'
    assert Path(kit.ask('-c', 'ldflags')[-1]).name == 'compel-pack-compat.lds.S' and Path(kit.ask('-c', 'ldflags')[-1]).exists()
    assert [Path(word).name for word in kit.ask('plugins', 'fds')] == ['std.lib.a', 'fds.lib.a']
    assert all(word.startswith(root) for word in kit.ask('plugins'))
    assert Path(kit.ask('libs')[0]).name == 'libcompel.so.1' and Path(kit.ask('libs')[0]).exists()
    assert kit.ask('-V') == ['Version:', '1.0.0'] and kit.ask('--help')[0] == 'Usage:'
    for words, code in ([], 1), (['nonsense'], 1), (['--nonsense'], 1), (['hgen'], 1), (['-f', '/dev/null', 'hgen'], 1), \
            (['-f', '/x/1a.o', '-o', '/x/2', 'hgen'], 2), (['-p', '1', '-f', 'a', '-o', 'b', 'hgen'], 2), \
            (['-f', '/dev/null', '-o', folder / 'h', 'hgen'], 1), (['plugins', 'nothing'], 1):
        done = subprocess.run([kit.compel, *words], capture_output=True, text=True, check=False, env=kit.env)
        assert (done.returncode, done.stdout) == (code, '') and done.stderr, words
    assert not (folder / 'h').exists()


def test_build_directory(kit, build):
    """The tool of a build directory names what is there."""
    env = {**kit.env, 'COMPEL_UNINSTALLED_ROOTDIR': str(build)}
    for words in ['plugins', 'fds'], ['--static', 'libs']:
        assert all(path.startswith(str(build)) and Path(path).exists() for path in run(build / 'compel', *words, env=env).split())
    assert (Path(run(build / 'compel', 'includes', env=env).split()[1]) / 'compel/infect.h').exists()
    assert subprocess.run([build / 'compel', 'libs'], env=env, capture_output=True, check=False).returncode == 1


def test_shared_library(kit, folder, python):
    """pkg-config and the shared library."""
    file = next((kit.path / 'root').rglob('compel.pc'))
    env = {**os.environ, 'PKG_CONFIG_SYSROOT_DIR': str(kit.path / 'root'), 'PKG_CONFIG_PATH': str(file.parent)}
    flags = run('pkg-config', '--cflags', '--libs', 'compel', env=env).split()
    run('cc', '-Wall', '-Werror', '-o', folder / 'syscall', TOP / 'examples/compel/syscall.c', *flags)
    library = next(flag[2:] for flag in flags if flag.startswith('-L'))
    assert str(python.pid) in run(folder / 'syscall', python.pid, 39, env={**os.environ, 'LD_LIBRARY_PATH': library})
    assert 'libcompel.so.1]' in run('readelf', '-d', f'{library}/libcompel.so.1.0')


def headers(kit):
    """Installed headers by their names in an include."""
    root = kit.compel.parents[1] / 'include'
    return [str(path.relative_to(root)) for path in sorted((root / 'compel').rglob('*.h'))]


def test_headers(kit, folder):
    """Each header stands by itself, in C and in C++; those of the list are there."""
    include = kit.ask('includes')
    wanted = '''infect infect-rpc infect-util log loglevels ptrace cpu handle-elf ksigset sigframe-common task-state plugins plugins/std
        plugins/std/syscall plugins/std/syscall-64 plugins/std/syscall-codes plugins/std/syscall-types plugins/std/string plugins/std/log
        plugins/std/infect plugins/std/fds plugins/std/asm/syscall-types plugins/shmem plugins/plugin-fds asm/infect-types asm/sigframe
        asm/cpu asm/fpu asm/breakpoints asm/processor-flags common/compiler common/scm'''.split()
    ours = ['sigframe-types', 'thread-area', 'plugins/std/sigaction-types']   # what the headers of each CPU share
    assert {f'compel/{name}.h' for name in wanted + ours} == set(headers(kit))
    for name in headers(kit):
        (folder / 'one.c').write_text(f'#include <{name}>\n' * 2)
        for compiler in ['gcc', '-std=gnu99', '-Wall', '-Wextra'], ['clang', '-std=gnu17', '-Weverything', '-Wno-padded',
                                                                   '-Wno-reserved-identifier', '-Wno-reserved-macro-identifier',
                                                                   '-Wno-unused-macros', '-Wno-empty-translation-unit']:
            run(*compiler, '-Werror', *include, '-fsyntax-only', folder / 'one.c')
        if 'plugins/std' not in name:
            (folder / 'one.cc').write_text((folder / 'one.c').read_text())
            run('clang++', '-std=c++11', '-Wall', '-Wextra', '-Werror', *include, '-fsyntax-only', folder / 'one.cc')


def test_parasite_in_cxx(kit, examples):
    """A C++ program may carry a parasite."""
    run('clang++', '-std=c++11', '-Wall', '-Wextra', '-Werror', *kit.ask('includes'), f'-I{examples}', '-fsyntax-only',
        '-include', 'daemon-parasite.h', '-x', 'c++', room.PROGRAMS / 'empty.c')


def test_symbols(kit):
    """The static and the shared library offer the same names: all functions of the headers, none of the house."""
    shared = run('nm', '-D', '--defined-only', *kit.ask('libs')).splitlines()
    static = [line for line in run('nm', '-g', '--defined-only', *kit.ask('--static', 'libs')).splitlines() if len(line.split()) == 3]
    symbols = {line.split()[-1] for line in shared}
    assert {line.split()[-1] for line in static} == symbols
    assert not [name for name in symbols if not re.match(r'compel_|ptrace_|remote_m|send_fds$|__recv_fds$', name)]
    root = kit.compel.parents[1] / 'include'
    text = '\n'.join((root / name).read_text() for name in headers(kit) if 'plugins/' not in name)
    text = re.sub(r'/\*.*?\*/|^#.*?$|static inline.*?^}', '', text, flags=re.S | re.M)
    declared = set(re.findall(r'\b(\w+)\((?!\()[^;{}]*\)(?: __attribute__.*?)?;', text)) - {'sigreturn_prep_fpu_frame', '__attribute__', 'aligned', 'format'}
    assert len(declared) > 60 and declared <= symbols, declared - symbols
    assert symbols >= {'compel_run_id', 'compel_print_on_level', 'ptrace_get_regs', 'ptrace_set_regs', 'remote_mmap', 'remote_mprotect'}


def test_manual(kit):
    """All actions and long options of the usage are in the manual; groff has nothing to complain about."""
    page = next((kit.path / 'root').rglob('compel.1'))
    usage = run(kit.compel, '--help')
    for option in re.findall(r'--([a-z-]+)', usage):
        assert option.replace('-', '\\-') in page.read_text()
    for action in re.findall(r'^  compel .*?([a-z]+)(?: \[NAME\.\.\.\])?(?:  |$)', usage, re.M):
        assert re.search(rf'^\.TP\n(\.B |\\fB){action}\b', page.read_text(), re.M), action
    if shutil.which('groff'):
        assert run('groff', '-man', '-ww', '-Tutf8', '-z', page) == ''


def test_completion(kit):
    """Actions, then what they take."""
    file = next((kit.path / 'root').rglob('completions/compel'))
    for words, wanted in ([''], 'includes cflags ldflags plugins libs hgen'), (['plugins', ''], 'fds'), (['cf'], 'cflags'), \
            (['libs', ''], ''), (['--st'], '--static'), (['-f', '/etc/host'], None):
        script = f"""source {file}
COMP_WORDS=(compel {' '.join(repr(word) for word in words)}); COMP_CWORD={len(words)}
_compel; printf '%s\\n' "${{COMPREPLY[@]}}\""""
        said = run('bash', '-c', script).split()
        assert said == wanted.split() if wanted is not None else '/etc/hostname' in said
