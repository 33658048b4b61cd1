# SPDX-License-Identifier: GPL-2.0-only
"""criu verify: what images hold and need, and whether they are whole. No privileges, no changes, no crash whatever the images say."""
import json
import os
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from room import PROGRAMS, wait_until, wants_avx512

COMPAT = Path(__file__).resolve().parents[1] / 'compat'
# Without these no restore could be made of the zoo.
NEEDED = re.compile(r'(inventory|pstree|files|seccomp|memfd|tty-info)\.img|(core|ids|mm|fs|pagemap|pagemap-shmem|pages)-\d+\.img')
# The end of these is wherever the file ends, or nobody reads them.
OPEN_ENDED = re.compile(r'ghost-file-\w+\.img|stats-.*')


def verify(criu, folder, *options, user=None):
    """Runs it; returns exit code and what it says."""
    command = [criu, 'verify', folder, *options]
    if user:
        command = ['setpriv', f'--reuid={user}', f'--regid={user}', '--clear-groups', *command]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace', timeout=120, check=False,
                          env={**os.environ, 'HOME': '/nonexistent'})
    assert done.returncode in (0, 1), f'{done.returncode}: {done.stdout}'
    return done.returncode, done.stdout


def listing(folder):
    """All that could have been changed."""
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


@pytest.fixture
def zoo(folder):
    """A copy of real images."""
    shutil.copytree(COMPAT / 'zoo/images', folder / 'zoo')
    return folder / 'zoo'


@pytest.mark.parametrize('user', [None, 65534])
def test_says_what_is_in_it(criu, zoo, user):
    before = listing(zoo)
    code, said = verify(criu, zoo, user=user)
    assert code == 1 and 'The images are whole.' in said, said
    for text in ('Processes: 6, threads: 7', '\n  8021 zoo (running, session leader), 3 threads, 29 descriptors, ',
                 '\n    8024 zoo (stopped)', '\n    8025 zoo (zombie)\n', '\n      8029 zoo (running)', '\n     5 pipe\n',
                 'unix socket, stream, listening', '--file-locks', '/var/tmp/criu-fixture/zoo (879400 bytes, build id c5da1e04',
                 'clone3_set_tid', '/var/tmp/criu-fixture/d/fifo is missing', 'A restore could not begin here:'):
        assert text in said, said
    assert listing(zoo) == before


def test_json(criu, zoo):
    code, said = verify(criu, zoo, '--json')
    report = json.loads(said)
    assert code == 1 and report['whole'] and not report['restore_could_begin'] and not report['damage']
    assert [task['pid'] for task in report['processes']] == [8021, 8023, 8024, 8025, 8026, 8029]
    assert [task['state'] for task in report['processes']][2:4] == ['stopped', 'zombie']
    assert '--file-locks' in report['needs']['options'] and '/dev/null' in report['needs']['files']
    assert any('fifo is missing' in obstacle['what'] for obstacle in report['obstacles'])


@wants_avx512
def test_other_namespaces(criu):
    """Images by runc have no network: it is asked for, and so is each of the mounts. Those of the other are understood, but its memory is
    not kept here."""
    code, said = verify(criu, COMPAT / 'container/images')
    assert code == 0 and '--empty-ns net' in said and said.count('--external mnt[') == 10, said
    code, said = verify(criu, COMPAT / 'tcp-ipc-pty/images')
    assert code == 1 and 'pages-1.img is missing' in said and 'netns' not in said and 'cannot be restored' not in said, said


def test_no_checkpoint(criu, folder):
    code, said = verify(criu, folder)
    assert code == 1 and 'there is no inventory.img' in said and 'pstree.img is missing' in said


def test_missing_images(criu, zoo):
    """Each one, by name."""
    for path in sorted(zoo.iterdir()):
        if not NEEDED.fullmatch(path.name):
            continue
        if path.name in ('seccomp.img', 'tty-info.img'):
            continue        # an image without entries is none
        path.rename(zoo.parent / 'away')
        code, said = verify(criu, zoo)
        assert code == 1 and path.name in said and 'The images are whole' not in said, f'{path.name}: {said}'
        (zoo.parent / 'away').rename(path)


def test_truncated_images(criu, zoo):
    """The last byte is missing, or more; the line names the file and, for records, their number and offset."""
    for path in sorted(zoo.iterdir()):
        if OPEN_ENDED.fullmatch(path.name):
            continue
        whole = path.read_bytes()
        for size in {len(whole) - 1, len(whole) // 2, 3, 0}:
            path.write_bytes(whole[:size])
            code, said = verify(criu, zoo)
            assert code == 1, f'{path.name} cut to {size}: {said}'
            if size == len(whole) - 1 or size == 3:
                assert path.name in said and 'The images are not whole' in said, f'{path.name} cut to {size}: {said}'
            if size == len(whole) - 1 and not path.name.startswith('pages-'):
                assert re.search(rf'{re.escape(path.name)}: record \d+ at offset \d+: truncated', said), said
        path.write_bytes(whole)


def test_all_damage_is_found(criu, zoo):
    """Not only the first of it; two records of one image as well."""
    files = bytearray((zoo / 'files.img').read_bytes())
    at, records = 8, []
    while at < len(files):
        size = int.from_bytes(files[at:at + 4], 'little')
        records.append((at + 4, size))
        at += 4 + size
    for start, size in (records[2], records[7]):
        files[start:start + size] = b'\xff' * size
    (zoo / 'files.img').write_bytes(files)
    for name in ('core-8023.img', 'mm-8026.img', 'pipes-data.img', 'fs-8029.img'):
        (zoo / name).write_bytes((zoo / name).read_bytes()[:-2])
    (zoo / 'ids-8024.img').unlink()
    code, said = verify(criu, zoo)
    assert code == 1
    for text in (f'files.img: record 3 at offset {records[2][0] - 4}: damaged', f'files.img: record 8 at offset {records[7][0] - 4}: damaged',
                 'core-8023.img: record 1 at offset 8: truncated', 'mm-8026.img: record 1 at offset 8: truncated',
                 'pipes-data.img: record', 'fs-8029.img: record 1 at offset 8: truncated', 'ids-8024.img is missing'):
        assert said.count(text) == 1, f'{text}: {said}'


def test_flipped_bytes(criu, zoo):
    """Never a crash; whatever is found, it ends with 0 or 1."""
    chance = random.Random(4)
    for path in sorted(zoo.iterdir()):
        whole = path.read_bytes()
        for _ in range(4):
            changed = bytearray(whole)
            for _ in range(chance.choice((1, 1, 3))):
                changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
            path.write_bytes(changed)
            verify(criu, zoo)
        path.write_bytes(whole)


def test_own_dump(room, criu, subject):
    """What verify calls whole can be restored, and exit code 0 says that it can be now."""
    run = subject('file/pipe')
    images = run.dump()
    wait_until(lambda: not room.pids(), 5)
    done = room.run(criu, 'verify', images)
    assert done.returncode == 0 and done.stdout.endswith('The images are whole.\nA restore could begin.\n'), done.stdout
    run.restore(images)
    done = room.run(criu, 'verify', images)
    assert done.returncode == 1 and f'the pid {run.pid} is in use by file.pipe' in done.stdout, done.stdout
    run.release()


def test_changed_file(room, criu, folder):
    """A program that was replaced and a file that grew."""
    work, images = folder / 'work', folder / 'images'
    work.mkdir()
    images.mkdir()
    shutil.copy('/bin/sleep', work / 'program')
    (work / 'data').write_text('old')
    pid = room.start(folder / 'output', '/bin/sh', '-c', 'exec ./program 1000 < data', cwd=work)
    wait_until(lambda: os.readlink(room.proc / str(pid) / 'exe') == str(work / 'program'), 5)
    done = room.run(criu, 'dump', '-t', pid, '-D', images)
    assert done.returncode == 0, done.stdout
    wait_until(lambda: not room.pids(), 5)
    done = room.run(criu, 'verify', images)
    assert done.returncode == 0, done.stdout
    (work / 'data').write_text('longer')
    shutil.copy('/bin/true', work / 'program')
    os.truncate(work / 'program', os.path.getsize('/bin/sleep'))
    done = room.run(criu, 'verify', images)
    assert done.returncode == 1 and 'its size was 3 and is 6 now' in done.stdout and 'build id differs' in done.stdout, done.stdout


def test_pre_dump_is_no_checkpoint(criu, zoo, build):
    inventory = json.loads(subprocess.run([build / 'crit', 'decode', '-i', zoo / 'inventory.img'], capture_output=True, check=True).stdout)
    inventory['entries'][0]['pre_dump_mode'] = 1
    subprocess.run([build / 'crit', 'encode', '-o', zoo / 'inventory.img'], input=json.dumps(inventory).encode(), check=True)
    code, said = verify(criu, zoo)
    assert code == 1 and 'images of a pre-dump' in said and 'could begin.' not in said, said


# What is in the way of a restore: how it comes about in a namespace of its own, the program, and what must be said.
OBSTACLES = {
    'grown': ('open("file", "w").write("abc"); kept = open("file")', 'echo more >> file', 'put back the file as it was, or give it with --inherit-fd'),
    'missing': ('kept = open("file", "w")', 'rm file', 'put it back where it was, or give another one with --inherit-fd|put the file back where it was, or give'),
    'mode': ('kept = open("file", "w")', 'chmod 700 file', 'set it back, or use --skip-file-rwx-check'),
    'type': ('kept = open("file", "w")', 'rm file && mkdir file', 'put the old one back, or give it with --inherit-fd|no longer what it was'),
    'tcp-port': ('kept = socket.create_server(("127.0.0.1", 28555))', 'tcp', "is in use: end the program that has it (ss -antup 'sport = :28555')"),
    'udp-port': ('kept = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); kept.bind(("127.0.0.1", 28555))', 'udp',
                 "is in use: end the program that has it (ss -antup 'sport = :28555')"),
    'address': ('kept = socket.create_server(("10.99.9.9", 28555))', 'ip address del 10.99.9.9/32 dev lo', 'add it (ip address add)'),
    'abstract': ('kept = socket.socket(socket.AF_UNIX); kept.bind("\\0obstacle")', 'abstract',
                 'another process has a unix socket of the name @obstacle: end it before the restore'),
    'socket-file': ('kept = socket.socket(socket.AF_UNIX); kept.bind("sock")', 'rm sock && touch sock', 'was a socket and is now another file: move it away'),
    'bound-file': ('kept = socket.socket(socket.AF_UNIX); kept.bind("sock")', 'unix', 'end it before the restore'),
}

HOLDERS = {
    'tcp': 'kept = socket.create_server(("127.0.0.1", 28555))',
    'udp': 'kept = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); kept.bind(("127.0.0.1", 28555))',
    'abstract': 'kept = socket.socket(socket.AF_UNIX); kept.bind("\\0obstacle")',
    'unix': 'os.unlink("sock"); kept = socket.socket(socket.AF_UNIX); kept.bind("sock")',
}


def hold(room, folder, code, name):
    """Starts a program in the room that has something and waits."""
    pid = room.start('/dev/null', '/usr/bin/python3', PROGRAMS / 'hold.py', name, code, cwd=folder)
    wait_until((folder / name).exists, 20, 'the program does not begin')
    return pid


@pytest.mark.parametrize('name', OBSTACLES)
def test_remedies(room, criu, folder, name):
    """What verify finds in the way, a restore refuses with the same remedy."""
    code, obstacle, wanted = OBSTACLES[name]
    work, images = folder / 'work', folder / 'images'
    work.mkdir()
    images.mkdir()
    room.run('/bin/sh', '-c', 'ip address add 10.99.9.9/32 dev lo')
    pid = hold(room, work, code, 'ready')
    done = room.run(criu, 'dump', '-t', pid, '-D', images, '-o', 'dump.log')
    assert done.returncode == 0, (images / 'dump.log').read_text()
    wait_until(lambda: not room.pids(), 10)
    if obstacle in HOLDERS:
        hold(room, work, HOLDERS[obstacle], 'held')
    else:
        done = room.run('/bin/sh', '-c', obstacle, cwd=work)
        assert done.returncode == 0, done.stdout
    verified = room.run(criu, 'verify', images)
    assert verified.returncode == 1 and any(text in verified.stdout for text in wanted.split('|')), verified.stdout
    restored = room.run(criu, 'restore', '-D', images, '-d')
    first = next(line for line in restored.stdout.splitlines() if 'Error' in line)
    assert restored.returncode == 1 and any(text in first for text in wanted.split('|')), restored.stdout
