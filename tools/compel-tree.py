#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""A build directory offers the headers as they will be installed: compel-tree.py STAMP TREE ROOT... links all headers
below compel/ of the roots."""
import sys
from pathlib import Path


def main():
    stamp, tree, *roots = (Path(word) for word in sys.argv[1:])
    for root in roots:
        for header in sorted(root.glob('compel/**/*.h')):
            link = tree / header.relative_to(root)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(header.resolve())
    stamp.touch()


if __name__ == '__main__':
    main()
