# SPDX-License-Identifier: LGPL-2.1-only
"""Becomes the program crit, which must be in the PATH, or be named by $CRIT."""
import os
import sys


def main():
    """The arguments are those of the program."""
    program = os.environ.get('CRIT', 'crit')
    try:
        os.execvp(program, ['crit', *sys.argv[1:]])
    except OSError as error:
        sys.exit(f'crit: cannot run {program}: {error.strerror}')


if __name__ == '__main__':
    main()
