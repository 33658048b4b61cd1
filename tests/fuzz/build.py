#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Builds a fuzz target: build.py OUTPUT DEPFILE CLANG ARGUMENT...  Where clang has no libFuzzer the output is an empty file."""
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

FLAGS = ['-std=gnu11', '-D_GNU_SOURCE', '-g', '-O1', '-fno-omit-frame-pointer', '-fsanitize=fuzzer,address,undefined',
         '-fno-sanitize-recover=all']
SMALLEST = Path(__file__).with_name('smallest.c')


def headers(rules):
    """The files that make rules name, without their targets."""
    return [word for rule in rules for word in rule.replace('\\\n', ' ').partition(':')[2].split()]


def build(output, depfile, clang, arguments):
    """Compiles each source by itself, as many at a time as there are CPUs, then links. Returns whether all went well."""
    sources = [word for word in arguments if word.endswith(('.c', '.S'))]
    flags = [word for word in arguments if word.startswith(('-I', '-D'))]
    others = [word for word in arguments if word not in sources and word not in flags and not word.endswith('.h')]

    with TemporaryDirectory() as scratch, ThreadPoolExecutor(os.cpu_count()) as pool:
        def compile_one(number):
            target = f'{scratch}/{number}.o'
            done = subprocess.run([clang, *FLAGS, *flags, '-MMD', '-c', sources[number], '-o', target], check=False)
            return target if done.returncode == 0 else None

        objects = list(pool.map(compile_one, range(len(sources))))
        needed = headers(path.read_text() for path in Path(scratch).glob('*.d'))
        Path(depfile).write_text(f'{output}: {" ".join(sorted(set(needed)))}\n')
        return None not in objects and \
            subprocess.run([clang, *FLAGS, *objects, *others, '-o', output], check=False).returncode == 0


def main():
    output, depfile, clang, arguments = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
    try:
        probe = subprocess.run([clang, *FLAGS, SMALLEST, '-o', output], capture_output=True, check=False)
    except FileNotFoundError:
        probe = None
    if probe is None or probe.returncode:
        Path(output).write_bytes(b'')
        Path(depfile).write_text(f'{output}:\n')
        return 0
    return 0 if build(output, depfile, clang, arguments) else 1


if __name__ == '__main__':
    sys.exit(main())
