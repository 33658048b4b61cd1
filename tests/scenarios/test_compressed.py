# SPDX-License-Identifier: GPL-2.0-only
"""Compressed and encrypted images: as whole as plain ones, refused when one bit is wrong, useless without the key."""
import random
import shutil
import subprocess
import time

import pytest

from room import PROGRAMS, wait_until

if not shutil.which('openssl'):
    pytest.skip('there is no openssl to make certificates', allow_module_level=True)

def make_key(folder, name, kind='rsa:2048'):
    """A private key and its certificate; returns both paths."""
    key, certificate = folder / f'{name}.key', folder / f'{name}.pem'
    curve = ['-pkeyopt', 'ec_paramgen_curve:prime256v1'] if kind == 'ec' else []
    subprocess.run(['openssl', 'req', '-x509', '-newkey', kind, *curve, '-nodes', '-days', '7', '-subj', f'/CN={name}', '-keyout', key, '-out',
                    certificate], check=True, capture_output=True)
    return key, certificate


@pytest.fixture(name='program')
def fixture_program(room, folder):
    """A program that counts."""
    pid = room.start(folder / 'numbers', '/usr/bin/python3', '-u', PROGRAMS / 'count-and-hash.py')
    wait_until(lambda: len((folder / 'numbers').read_text().splitlines()) > 3, 20, 'the program does not count')
    return pid


def numbers(folder):
    """What was counted."""
    return [int(line.split()[0]) for line in (folder / 'numbers').read_text().splitlines()]


def dump(room, criu, folder, pid, *options):
    """Dumps; returns the folder of the images."""
    images = folder / f'images{len(list(folder.glob("images*")))}'
    images.mkdir()
    done = room.run(criu, 'dump', '-t', pid, '-D', images, '-v4', '-o', 'dump.log', *options)
    assert done.returncode == 0, done.stdout + (images / 'dump.log').read_text(errors='replace')[-3000:]
    return images


def check_goes_on(room, criu, folder, images, *options):
    """Restores; the program counts on."""
    before = numbers(folder)
    done = room.run(criu, 'restore', '-d', '-D', images, '-v4', '-o', 'restore.log', *options)
    assert done.returncode == 0, done.stdout + (images / 'restore.log').read_text(errors='replace')[-3000:]
    wait_until(lambda: len(numbers(folder)) > len(before) + 3, 20, 'the program does not go on')
    assert numbers(folder) == list(range(len(numbers(folder))))


@pytest.mark.parametrize('how', ['--compress', '--compress=zstd:12', '--compress=lz4', '--compress=lz4:9'])
def test_smaller(room, criu, folder, program, how):
    """A fraction of the size, and it goes on."""
    plain = dump(room, criu, folder, program, '--leave-running')
    images = dump(room, criu, folder, program, how)
    size = [sum(path.stat().st_size for path in part.glob('pages-*.img')) for part in (plain, images)]
    assert size[1] < size[0] * 0.7, size
    check_goes_on(room, criu, folder, images)


@pytest.mark.parametrize('options', [['--compress'], ['--compress=none', '--encrypt-to']], ids=['compressed', 'encrypted'])
def test_one_bit(room, criu, folder, program, options):
    """verify finds a bit that is wrong anywhere, in any image."""
    key, certificate = make_key(folder, 'owner')
    given = [*options[:1], '--encrypt-to', certificate] if len(options) == 2 else options
    images = dump(room, criu, folder, program, '--leave-running', *given)
    verify = [criu, 'verify', images, '--decrypt-with', key]
    done = room.run(*verify)
    assert 'The images are whole.' in done.stdout, done.stdout
    rand = random.Random(5)
    for path in sorted(images.glob('*.img')):
        if path.name == 'encryption.img':
            continue
        data = path.read_bytes()
        for at in (0, len(data) - 1, *(rand.randrange(len(data)) for _ in range(3))):
            with path.open('r+b') as file:
                file.seek(at)
                file.write(bytes([data[at] ^ 1 << rand.randrange(8)]))
            done = room.run(*verify)
            assert done.returncode != 0 and 'The images are not whole' in done.stdout, f'{path.name} at {at}: {done.stdout}'
            path.write_bytes(data)
    assert 'The images are whole.' in room.run(*verify).stdout


def test_checksums(room, criu, folder, program):
    """Plain images with sums: CRIU's format, and one wrong bit, a missing or a longer file are found. A dump without takes old sums away."""
    images = dump(room, criu, folder, program, '--leave-running', '--checksum')
    verify = [criu, 'verify', images]
    assert 'The images are whole.' in room.run(*verify).stdout
    rand = random.Random(6)
    for path in sorted(images.glob('*.img')):
        data = path.read_bytes()
        for at in (0, len(data) - 1, rand.randrange(len(data))):
            with path.open('r+b') as file:
                file.seek(at)
                file.write(bytes([data[at] ^ 1 << rand.randrange(8)]))
            done = room.run(*verify)
            assert 'The images are not whole' in done.stdout, f'{path.name} at {at}: {done.stdout}'
        path.write_bytes(data + b'\0')
        assert 'The images are not whole' in room.run(*verify).stdout, path
        path.write_bytes(data)
    core = next(images.glob('fs-*.img'))
    data = core.read_bytes()
    core.unlink()
    assert f'{core.name} is missing' in room.run(*verify).stdout
    core.write_bytes(data)
    assert 'The images are whole.' in room.run(*verify).stdout
    done = room.run(criu, 'dump', '-t', program, '-D', images)
    assert done.returncode == 0 and not (images / 'checksums.img').exists(), done.stdout
    check_goes_on(room, criu, folder, images)


def test_only_for_its_owners(room, criu, folder, program):
    """Two owners; a third one, or nobody, gets a clear answer. Nothing of the program's memory is readable."""
    owners = [make_key(folder, name) for name in ('first', 'second')]
    other, _ = make_key(folder, 'other')
    images = dump(room, criu, folder, program, '--encrypt-to', owners[0][1], '--encrypt-to', owners[1][1])
    for path in images.glob('*.img'):
        assert b'state of a program' not in path.read_bytes() and b'python' not in path.read_bytes(), path
    for options, said in (([], 'give the private key by --decrypt-with'), (['--decrypt-with', other], 'were not encrypted to this key'),
                          (['--decrypt-with', owners[0][1]], 'no private key in PEM form')):
        done = room.run(criu, 'restore', '-d', '-D', images, *options)
        assert done.returncode == 1 and said in done.stdout, done.stdout
    crit = criu.parent / 'crit'
    assert room.run(crit, 'decode', '-i', images / 'pstree.img').returncode == 1
    assert '"magic": "PSTREE"' in room.run(crit, 'decode', '-i', images / 'pstree.img', '--decrypt-with', owners[1][0]).stdout
    assert str(program) in room.run(crit, 'x', images, 'ps', '--decrypt-with', owners[0][0]).stdout
    check_goes_on(room, criu, folder, images, '--decrypt-with', owners[1][0])


def test_swapped_images(room, criu, folder, program):
    """An encrypted image is bound to its checkpoint and to its name."""
    key, certificate = make_key(folder, 'owner')
    first = dump(room, criu, folder, program, '--leave-running', '--encrypt-to', certificate)
    second = dump(room, criu, folder, program, '--leave-running', '--encrypt-to', certificate)
    name = next(first.glob('core-*.img')).name
    shutil.copy(first / name, second / name)
    done = room.run(criu, 'verify', second, '--decrypt-with', key)
    assert done.returncode != 0 and f'{name} cannot be decrypted' in done.stdout, done.stdout
    shutil.copy(first / 'pstree.img', first / 'seccomp.img')
    done = room.run(criu, 'verify', first, '--decrypt-with', key)
    assert done.returncode != 0, done.stdout


def test_lazily(room, criu, folder, program):
    """Memory that follows comes out of compressed and encrypted images as well."""
    key, certificate = make_key(folder, 'owner')
    images = dump(room, criu, folder, program, '--compress', '--encrypt-to', certificate)
    done = room.run(criu, 'lazy-pages', '-D', images, '-d', '-v4', '-o', 'lazy.log', '--pidfile', 'lazy.pid', '--decrypt-with', key)
    assert done.returncode == 0, done.stdout
    check_goes_on(room, criu, folder, images, '--lazy-pages', '--decrypt-with', key)
    daemon = int((images / 'lazy.pid').read_text())
    wait_until(lambda: daemon not in room.pids(), 30, 'the daemon does not end')
    assert 'All tasks have their memory' in (images / 'lazy.log').read_text()


def test_page_server(room, criu, folder, program):
    """The server that takes the memory compresses it."""
    images = folder / 'images-of-server'
    images.mkdir()
    done = room.run(criu, 'page-server', '-D', images, '-d', '--address', '127.0.0.1', '--port', 27000, '--pidfile', 'server.pid',
                    '-v4', '-o', 'server.log', '--compress')
    assert done.returncode == 0, done.stdout
    server = int((images / 'server.pid').read_text())
    done = room.run(criu, 'dump', '-t', program, '-D', images, '--page-server', '--address', '127.0.0.1', '--port', 27000, '-v4', '-o', 'dump.log')
    assert done.returncode == 0, done.stdout
    wait_until(lambda: server not in room.pids(), 20, 'the server does not end')
    pages = list(images.glob('pages-*.img'))
    assert pages and all(path.read_bytes()[:4] == b'CRZB' for path in pages), pages
    check_goes_on(room, criu, folder, images)


@pytest.mark.parametrize('options, said', [
    (['--compress=gzip'], 'it must be zstd'), (['--compress=zstd:0'], 'it must be zstd'), (['--compress=lz4:99'], 'it must be zstd'),
    (['--compress', '--auto-dedup'], '--auto-dedup cannot free parts'), (['--encrypt-to', '/dev/null'], 'no certificate in PEM form'),
    (['--encrypt-to', 'missing.pem'], 'missing.pem: cannot read it')])
def test_refused(room, criu, folder, program, options, said):
    """Options that make no sense: said before anything is stopped."""
    done = room.run(criu, 'dump', '-t', program, '-D', folder, *options)
    assert done.returncode != 0 and said in done.stdout, done.stdout
    count = len(numbers(folder))
    time.sleep(0.2)
    assert len(numbers(folder)) > count


def test_key_of_another_kind(room, criu, folder, program):
    """Only RSA can encrypt."""
    _, certificate = make_key(folder, 'curve', 'ec')
    done = room.run(criu, 'dump', '-t', program, '-D', folder, '--encrypt-to', certificate)
    assert done.returncode == 1 and 'has no RSA key' in done.stdout, done.stdout
