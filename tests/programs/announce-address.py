# SPDX-License-Identifier: GPL-2.0-only
"""usage: announce-address.py ADDRESS DEVICE: a gratuitous ARP: all neighbours learn that the IPv4 address is here."""
import socket
import struct
import sys


def main():
    """See the head of this file."""
    address, device = socket.inet_aton(sys.argv[1]), sys.argv[2]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as line:
        line.bind((device, 0))
        own, all_of_them = line.getsockname()[4], b'\xff' * 6
        line.send(struct.pack('!6s6sHHHBBH6s4s6s4s', all_of_them, own, 0x0806, 1, 0x0800, 6, 4, 1, own, address, all_of_them, address))


main()
