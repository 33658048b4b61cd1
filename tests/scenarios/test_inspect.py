# SPDX-License-Identifier: GPL-2.0-only
"""criu inspect: all that is in images, as a page and as JSON."""
import json
import os
import shutil
import subprocess
from pathlib import Path

from room import PROGRAMS, wait_until, wants_avx512

COMPAT = Path(__file__).resolve().parents[1] / 'compat'


def inspect(criu, *arguments):
    done = subprocess.run([criu, 'inspect', *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace',
                          timeout=60, check=False)
    return done.returncode, done.stdout


@wants_avx512
def test_page_of_foreign_images(criu):
    code, said = inspect(criu, COMPAT / 'zoo/images')
    assert code == 0, said
    for text in ('    pid: 8021\n', '    name: zoo\n', '      3  regular  /var/tmp/criu-fixture/d/file  position 4\n',
                 '  unix socket, stream, listening  inode 2193336  sock\n', '  eventfd  counter 7\n', '    state: stopped\n', '    ended: '):
        assert text in said, text + ' is not in ' + said
    assert 'damage' not in said


def test_json_of_a_program(criu, folder):
    """Its arguments, environment, descriptors and mappings, as they were; control characters don't reach a terminal."""
    ready = folder / 'ready'
    process = subprocess.Popen(['/usr/bin/python3', PROGRAMS / 'inspect-me.py', ready, 'odd\x1b[31m'],
                               env={'COLOR': 'blue', 'PATH': os.environ['PATH']}, cwd=folder, start_new_session=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: ready.exists() and ready.read_text(), 10, 'the program did not begin')
        subprocess.run([criu, 'dump', '-R', '-t', str(process.pid), '-D', folder], timeout=60, check=True)
    finally:
        process.kill()
        process.wait()
    code, said = inspect(criu, folder, '--json')
    assert code == 0, said
    report = json.loads(said)
    task, = report['processes']
    assert task['pid'] == process.pid and task['arguments'][-2:] == [str(ready), 'odd\x1b[31m'] and 'COLOR=blue' in task['environment']
    assert task['directory'] == str(folder) and task['program'].startswith('/usr/bin/python3') and task['user'] == 0
    at = {one['number']: one for one in task['descriptors']}
    assert at[0]['path'] == '/dev/null' and at[40]['kind'] == 'TCP socket, listening'
    assert at[40]['address'] == '127.0.0.1:' + ready.read_text()
    assert any(one['size'] == 12345678 // 4096 * 4096 + 4096 and one['kind'] == 'shared memory' for one in task['mappings'])
    assert task['saved_memory'] > 0 and task['namespaces']['pid'] == 'host'
    code, said = inspect(criu, folder)
    assert code == 0 and 'odd\\x1b[31m' in said and '\x1b' not in said


@wants_avx512
def test_tells_what_is_damaged(criu, folder):
    shutil.copytree(COMPAT / 'zoo/images', folder / 'zoo')
    (folder / 'zoo/fs-8021.img').unlink()
    code, said = inspect(criu, folder / 'zoo')
    assert code == 1 and 'damage:\n' in said and 'fs-8021.img is missing' in said, said


def test_archive_of_a_container(criu, folder):
    """examples/kubernetes/look-into: the archive that an engine exports, whole and damaged."""
    look = Path(__file__).resolve().parents[2] / 'examples/kubernetes/look-into'
    shutil.copytree(COMPAT / 'zoo/images', folder / 'checkpoint')

    def look_into(*members):
        subprocess.run(['tar', '-c', '-f', folder / 'archive.tar', '-C', folder, *members], check=True)
        return subprocess.run([look, folder / 'archive.tar'], env={**os.environ, 'CRIU': str(criu)}, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=60, check=False)

    whole = look_into('checkpoint')
    assert '  unix socket, stream, listening' in whole.stdout, whole.stdout
    (folder / 'checkpoint/core-8021.img').unlink()
    damaged = look_into('checkpoint')
    assert damaged.returncode != 0 and 'core-8021.img' in damaged.stdout, damaged.stdout
    (folder / 'empty').touch()
    assert 'it is no checkpoint of a container' in look_into('empty').stdout
