# SPDX-License-Identifier: GPL-2.0-only
"""
usage: migrate-noise.py HOST PORT SEED CONNECTIONS

Says to criu migrate --listen what a client would say, damaged somewhere, and what no client would say. Prints how many were refused with a reason, and how many
connections just ended.
"""
import random
import socket
import struct
import sys

MAGIC, HELLO, BEGIN, IMAGES, COMMIT, BYE, ASK, PAGES, MORE, REFUSED = 0x4d555243, 1, 2, 3, 4, 5, 6, 7, 8, 65
ID = b'0a150593-9505-4186-8d47-92c0a6f9b2%02x'


def frame(kind, number=0, payload=b'', size=None):
    """One message."""
    return struct.pack('<IIII', MAGIC, kind, number, len(payload) if size is None else size) + payload


def conversation(chance):
    """What is said, most of it as it should be."""
    name = ID % chance.randrange(256)
    begin = chance.choice((name + b'\0on-demand\0--tcp-established\0', name + b'\0on-demand\0', name + b'\0post-copy\0', name + b'\0post-copy\0--max-downtime=1\0', name + b'\0', name, b'', b'\0' * 40, name[:-1] + b'\0x\0y\0',
                           b'../../../../../../../../../../etc/x12' + b'\0x\0', name + b'\0on-demand\0--action-script=/bin/false\0', name + b'\0x\0--no-such\0'))
    words = [frame(HELLO, chance.choice((2, 2, 2, 1)), b'x'), frame(BEGIN, 0, begin)]
    for _ in range(chance.randrange(3)):
        words.append(chance.choice((frame(IMAGES, chance.randrange(5)) + chance.randbytes(chance.randrange(200)), frame(COMMIT), frame(BYE), frame(ASK, 0, name),
                                    frame(chance.randrange(1 << 32), 1, b'z'), frame(IMAGES, 2), frame(IMAGES, 3), frame(PAGES, 0, bytes(32)), frame(BEGIN, 0, begin, 1 << 31))))
    if chance.random() < 0.2:
        words = [frame(HELLO, 2), frame(chance.choice((ASK, MORE)), 0, chance.choice((name, b'', b'x' * 100, name + b'\0')))]
    return b''.join(words)


def main():
    """See the head of this file."""
    chance = random.Random(int(sys.argv[3]))
    refused = ended = 0
    for _ in range(int(sys.argv[4])):
        data = bytearray(conversation(chance))
        for _ in range(chance.choice((0, 0, 1, 3))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as connection:
            answer = b''
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                while part := connection.recv(65536):
                    answer += part
            except OSError:     # it was sent away
                pass
            has_reason = any(answer[at:at + 8] == struct.pack('<II', MAGIC, REFUSED) for at in range(len(answer)))
            refused, ended = refused + has_reason, ended + (not has_reason)
    print(refused, ended)


main()
