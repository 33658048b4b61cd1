#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Makes a static library of one object in which only the exported names can be seen, as in the shared library:
one-object.py LD OBJCOPY AR VERSION-SCRIPT IN.a OUT.a"""
import re
import subprocess
import sys
from pathlib import Path


def main():
    ld, objcopy, ar, script, source, target = sys.argv[1:]
    names = re.search(r'global:(.*?)local:', Path(script).read_text(), re.S)[1].replace(';', ' ').split()
    part = Path(target).with_suffix('.o')
    subprocess.run([ld, '-r', '-o', part, '--whole-archive', source], check=True)
    subprocess.run([objcopy, '-w', *(f'--keep-global-symbol={name}' for name in names), part], check=True)
    Path(target).unlink(missing_ok=True)
    subprocess.run([ar, 'rcsD', target, part], check=True)


if __name__ == '__main__':
    main()
