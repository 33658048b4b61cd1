# SPDX-License-Identifier: GPL-2.0-only
"""
usage: redis-client.py ADDRESS FOLDER

Writes to a redis and reads back, on one connection. FOLDER/answers has how many answers were right, FOLDER/failed what was wrong. Ends with FOLDER/end.
"""
import socket
import sys
from pathlib import Path


def main():
    """See the head of this file."""
    folder, number = Path(sys.argv[2]), 0
    try:
        with socket.create_connection((sys.argv[1], 6379)) as connection, connection.makefile('rb') as answers:
            while not (folder / 'end').exists():
                number += 1
                connection.sendall(b'SET key:%d %d\r\nGET key:%d\r\n' % (number % 1000, number, number % 1000))
                said = [answers.readline() for _ in range(3)]
                assert said[0] == b'+OK\r\n' and said[2] == b'%d\r\n' % number, said
                (folder / 'answers').write_text(str(number))
    except Exception as error:  # pylint: disable=broad-exception-caught
        (folder / 'failed').write_text(repr(error))


main()
