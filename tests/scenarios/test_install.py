# SPDX-License-Identifier: GPL-2.0-only
"""What an installation consists of, and that nothing of it is left after its removal."""
import os
import re
import shutil
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest
from room import PROGRAMS

TOP = Path(__file__).resolve().parents[2]

# Below the prefix; LIB is the directory of libraries, PYTHON that of packages.
FILES = '''
sbin/criu sbin/criu-ns bin/crit bin/compel
include/criu/criu.h include/criu/criu-plugin.h include/criu/version.h include/criu/rpc.proto include/soccr.h include/criu-tell.h
LIB/libcriu.so LIB/libcriu.so.2 LIB/libcriu.a LIB/libsoccr.so LIB/libsoccr.a LIB/pkgconfig/criu.pc LIB/pkgconfig/soccr.pc
share/man/man8/criu.8 share/man/man8/criu-ns.8 share/man/man1/crit.1 share/man/man1/compel.1
share/bash-completion/completions/criu share/bash-completion/completions/crit share/bash-completion/completions/compel
LIB/libcompel.so LIB/libcompel.so.1 LIB/libcompel.so.1.0 LIB/libcompel.a LIB/pkgconfig/compel.pc
include/compel/infect.h include/compel/asm/infect-types.h include/compel/plugins/std.h include/compel/plugins/std/syscall-64.h
libexec/compel/std.lib.a libexec/compel/fds.lib.a
libexec/compel/scripts/compel-pack.lds.S libexec/compel/scripts/compel-pack-compat.lds.S
PYTHON/crit/__init__.py PYTHON/crit/__main__.py PYTHON/pycriu/__init__.py PYTHON/pycriu/images/__init__.py
PYTHON/pycriu/client.py PYTHON/pycriu/rpc_pb2.py
lib/systemd/system/criu.service lib/systemd/system/criu.socket
'''.split()


def tree(root):
    """All paths below it, with what they are."""
    return sorted((str(path.relative_to(root)), oct(path.lstat().st_mode)) for path in root.rglob('*'))


def install(build, root, *words):
    """Runs the script that make calls."""
    return subprocess.run([TOP / 'tools/install', *words, build, root], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def place(folder):
    """A root with something of others in it."""
    root = folder / 'root'
    (root / 'usr/share/man/man8').mkdir(parents=True)
    (root / 'usr/share/man/man8/mount.8').write_text('another page')
    (root / 'usr/local/bin').mkdir(parents=True)
    return root


def test_removal(build, place):
    """Two installations and one removal: all as before, also empty directories that were there."""
    before = tree(place)
    said = install(build, place)
    installed = tree(place)
    assert all(line.startswith(f'{place}/') and os.path.lexists(line) for line in said.splitlines())
    assert len(said.splitlines()) == len([path for path, _ in installed if not (place / path).is_dir()]) - 1
    install(build, place)
    assert tree(place) == installed
    (prefix,) = place.rglob('sbin/criu')
    (prefix.parents[1] / 'lib/criu/mine.so').touch()
    install(build, place, '--remove')
    left = [path for path, _ in tree(place) if (path, _) not in before]
    assert [path for path in left if not (place / path).is_dir()] == [str((prefix.parents[1] / 'lib/criu/mine.so').relative_to(place))]
    shutil.rmtree(prefix.parents[1] / 'lib')
    for path in sorted(left, reverse=True):
        if (place / path).exists():
            (place / path).rmdir()
    assert tree(place) == before
    install(build, place)
    for module in [path.parent for path in place.rglob('__init__.py')]:      # Python leaves files of its own beside them
        subprocess.run(['/usr/bin/python3', '-c', f'import {module.name}'], check=False, capture_output=True,
                       env={'PYTHONPATH': str(module.parent)})
    install(build, place, '--remove')
    assert tree(place) == before
    assert f'{place}/' not in (build / 'made-directories').read_text()


def test_files(build, place):
    """Everything is in its usual place, and works from there."""
    install(build, place)
    (program,) = place.rglob('sbin/criu')
    prefix = program.parents[1]
    (library,) = {path.parent for path in prefix.rglob('libcriu.so')}
    (packages,) = {path.parents[1] for path in prefix.rglob('pycriu/__init__.py')}
    for name in FILES:
        name = name.replace('LIB', str(library.relative_to(prefix))).replace('PYTHON', str(packages.relative_to(prefix)))
        assert (prefix / name).exists(), name
    assert subprocess.run([program, '--version'], check=True, capture_output=True, text=True).stdout.startswith('Version: ')
    assert subprocess.run([prefix / 'bin/crit', '--version'], check=True, capture_output=True, text=True).stdout
    for page in prefix.rglob('man/man*/*.[0-9]'):
        text = subprocess.run(['man', '--warnings', '-l', '-P', 'cat', page], capture_output=True, text=True, check=False,
                              env={**os.environ, 'MANWIDTH': '100'}) if shutil.which('man') else None
        assert not text or (text.returncode == 0 and 'NAME' in text.stdout and not text.stderr), text
    unit = (prefix / 'lib/systemd/system/criu.service').read_text()
    (start,) = re.findall(r'^ExecStart=(\S+)', unit, re.M)
    assert Path(f'{place}{start}').samefile(program)
    assert str(prefix / 'lib/criu').removeprefix(str(place)).encode() in program.read_bytes()
    install(build, place, '--remove')


def test_debian_packages(build, place):
    """Each file is in one of the packages of make deb, which would not be made otherwise; Python's are found by their folder."""
    install(build, place)
    (program,) = place.rglob('sbin/criu')
    prefix = program.parents[1]
    patterns = [line.split()[0].removeprefix('usr/') for path in (TOP / 'debian').glob('*.install') for line in path.read_text().splitlines()]
    for path in prefix.rglob('*'):
        name = path.relative_to(prefix)
        if not path.is_dir() and 'python3' not in str(name):
            assert any(fnmatch(str(part), pattern) for part in (name, *name.parents) for pattern in patterns), f'{name} is in no debian/*.install'
    install(build, place, '--remove')


def test_headers(build, place):
    """Each header compiles by itself, as C and as C++."""
    install(build, place)
    for header in [*place.rglob('include/**/*.h')]:
        include = header.parents[len(header.parts) - header.parts.index('include') - 2]
        name = header.relative_to(include)
        for compiler, language in (('cc', 'c'), ('c++', 'c++')):
            if not shutil.which(compiler):
                continue
            done = subprocess.run([compiler, '-Wall', '-Werror', f'-I{include}', f'-I{include}/criu', '-fsyntax-only', '-include', name,
                                   '-x', language, PROGRAMS / 'empty.c'], capture_output=True, text=True, check=False)
            assert done.returncode == 0, f'{name}: {done.stderr}'
    install(build, place, '--remove')
