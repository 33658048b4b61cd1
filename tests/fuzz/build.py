#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Builds a fuzz target: build.py OUTPUT CLANG ARGUMENT...  Where clang has no libFuzzer the output is an empty file."""
import subprocess
import sys
from pathlib import Path

FLAGS = ['-std=gnu11', '-D_GNU_SOURCE', '-g', '-O1', '-fno-omit-frame-pointer', '-fsanitize=fuzzer,address,undefined',
         '-fno-sanitize-recover=all']
SMALLEST = b'#include <stddef.h>\nint LLVMFuzzerTestOneInput(const char *, size_t);\n' \
           b'int LLVMFuzzerTestOneInput(const char *p, size_t n) { return 0; }\n'


def main():
    output, clang, arguments = sys.argv[1], sys.argv[2], sys.argv[3:]
    try:
        probe = subprocess.run([clang, *FLAGS, '-xc', '-', '-o', output], input=SMALLEST, capture_output=True, check=False)
    except FileNotFoundError:
        probe = None
    if probe is None or probe.returncode:
        Path(output).write_bytes(b'')
        return 0
    return subprocess.run([clang, *FLAGS, *arguments, '-o', output], check=False).returncode


if __name__ == '__main__':
    sys.exit(main())
