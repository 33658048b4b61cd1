# SPDX-License-Identifier: GPL-2.0-only
"""flood-when-gone.py FROM TO PORT PID FILE: waits, having made FILE, for the death of a process, sends segments of no connection to
TO until that is unreachable, and prints how many were sent and how many resets came."""
import socket
import struct
import sys
import time
from pathlib import Path

SOURCE, TARGET = (socket.inet_aton(word) for word in sys.argv[1:3])
PORT, STAT = int(sys.argv[3]), Path('/proc', sys.argv[4], 'stat')


def checksum(data):
    """That of TCP."""
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


def segment(number):
    """An acknowledgement that nobody awaits."""
    header = struct.pack('!HHIIBBHHH', 7, PORT, number, 5, 0x50, 0x10, 1000, 0, 0)
    total = checksum(SOURCE + TARGET + struct.pack('!BBH', 0, socket.IPPROTO_TCP, len(header)) + header)
    return header[:16] + struct.pack('!H', total) + header[18:]


def lives():
    """A zombie has let go of everything."""
    try:
        return STAT.read_text().rsplit(')', 1)[1].split()[0] not in 'ZX'
    except OSError:
        return False


def count_resets(raw):
    """Of those that have come."""
    resets = 0
    while True:
        try:
            packet = raw.recv(4096)
        except BlockingIOError:
            return resets
        tcp = packet[(packet[0] & 15) * 4:]
        resets += packet[12:16] == TARGET and struct.unpack('!HH', tcp[:4]) == (PORT, 7) and bool(tcp[13] & 4)


with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as raw_socket:
    raw_socket.setblocking(False)
    sent = came = 0
    Path(sys.argv[5]).touch()
    while lives():
        time.sleep(0.0005)
    while True:
        try:
            raw_socket.sendto(segment(sent), (sys.argv[2], 0))
        except BlockingIOError:
            continue
        except OSError:
            break
        sent += 1
        came += count_resets(raw_socket)
    print(sent, came + count_resets(raw_socket))
