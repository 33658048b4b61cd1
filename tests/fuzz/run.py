#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs one fuzz target for a bounded time, from the images of tests/compat and what earlier findings left in tests/fuzz/seeds.

    run.py PROGRAM image|text|directory|object|session SECONDS

An input of kind "image" is a byte that chooses the image (its row in table.def) and the content; "text" is JSON; "directory" is
a whole directory as store_load_archive() reads it; "object" an ELF file, from the seeds alone; "session" what a client
says to a page server. Exit code 77: there is no clang with libFuzzer.
"""
import fcntl
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
MAX_INPUT = {'image': 16384, 'text': 16384, 'directory': 65536, 'object': 32768, 'session': 65536}


def image_rows():
    """The file names of all images in the order of their numbers, as patterns."""
    names = re.findall(r'^(?:IMAGE2?|RAW_IMAGE)\(\w+, "([^"]+)"', (TOP / 'src/image/table.def').read_text(), re.M)
    return [re.compile(re.escape(name).replace('%u', '[0-9]+').replace('%x', '[0-9a-f]+')) for name in names]


def image_inputs(folder):
    """One input for each image of a directory."""
    rows = image_rows()
    for path in sorted(folder.iterdir()):
        number = next((i for i, row in enumerate(rows) if row.fullmatch(path.name)), None)
        if number is not None and path.stat().st_size < MAX_INPUT['image']:
            yield bytes([number]) + path.read_bytes()


def text_inputs(folder):
    """What crit prints for each image."""
    for path in sorted((folder.parent / 'json').glob('*.json')):
        if path.stat().st_size < MAX_INPUT['text']:
            yield path.read_bytes()


def directory_inputs(folder):
    """All images of a directory in one input, without the pages."""
    archive = b''
    for path in sorted(folder.iterdir()):
        if not path.name.startswith('pages-'):
            content, name = path.read_bytes(), path.name.encode()
            archive += bytes([len(name)]) + name + struct.pack('<I', len(content)) + content
    yield archive


def session_inputs(_):
    """What a client may say to a page server: pages are sent, to a server with and without a parent, or asked for."""
    def say(command, flags=0, pages=0, start=0, name=7 << 8 | 1):
        return struct.pack('=IIQQQ', command | flags << 16, 0, pages, start, name)
    opened, close = say(5) + say(4), say(0x1023, name=0)
    sent = opened + say(6, 4, 2, 0x1000) + b'x' * 8192 + say(6, 2, 3, 0x5000) + say(4, name=9 << 8 | 2) + say(6, 6, 1, 0, 9 << 8 | 2) + b'y' * 4096
    yield b'\0' + sent + close
    yield b'\1' + opened + say(6, 1, 2, 0x1000) + say(2, 0, 1, 0x3000) + say(1, 0, 1, 0x4000) + b'z' * 4096 + close
    yield b'\2' + say(7, 0, 2, 0x1000, 7) + say(7, 0, 1, 0x3000, 7) + say(0x1024, name=0)


def write_corpus(kind, corpus):
    """Fills a folder with inputs to begin with."""
    inputs = {'image': image_inputs, 'text': text_inputs, 'directory': directory_inputs, 'session': session_inputs}.get(kind, lambda _: ())
    count = 0
    for folder in sorted((TOP / 'tests/compat').glob('*/images')):
        for content in inputs(folder):
            (corpus / f'compat-{count}').write_bytes(content)
            count += 1
    return count


def main():
    program, kind, seconds = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    build = next((folder for folder in program.absolute().parents if (folder / 'build.ninja').exists()), None)
    if build:       # made when it is wanted: see meson.build. One at a time: two ninjas in one directory disturb each other
        lock = open(build / 'build.ninja', 'rb')    # pylint: disable=consider-using-with
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(['ninja', '-C', build, '--quiet', program.absolute().relative_to(build)], check=True)
        lock.close()
    if not program.stat().st_size:
        print('no clang with libFuzzer here')
        return 77
    seeds = TOP / 'tests/fuzz/seeds' / kind
    with tempfile.TemporaryDirectory() as scratch:
        corpus = Path(scratch) / 'corpus'
        corpus.mkdir()
        print(write_corpus(kind, corpus), 'inputs from tests/compat')
        command = [program.absolute(), f'-max_total_time={seconds}', f'-max_len={MAX_INPUT[kind]}', '-timeout=10', '-rss_limit_mb=1500',
                   '-print_final_stats=1', f'-artifact_prefix={program.absolute().parent}/', corpus]
        # libFuzzer says 77 for a crash: here that means "skipped".
        return 1 if subprocess.run(command + ([seeds] if seeds.exists() else []), check=False).returncode else 0


if __name__ == '__main__':
    sys.exit(main())
