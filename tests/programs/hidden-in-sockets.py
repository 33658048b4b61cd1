# SPDX-License-Identifier: GPL-2.0-only
"""Sockets with state that nobody can read, or read without taking it away.

usage: hidden-in-sockets.py; says "ready"
"""
import ctypes
import os
import select
import socket
import struct
import time

TCP_SAVE_SYN, SO_ATTACH_REUSEPORT_CBPF, IPV6_FLOWLABEL_MGR = 27, 51, 32
SOL_PACKET, PACKET_FANOUT, PACKET_FANOUT_DATA, FANOUT_CBPF = 263, 18, 22, 6
IP_XFRM_POLICY, MRT_INIT = 17, 200
HERE = '127.0.0.1'


def wait_for(fd, event):
    """Until poll(2) shows it."""
    poll = select.poll()
    poll.register(fd, event)
    assert poll.poll(20000)


listener = socket.create_server((HERE, 0))
listener.setsockopt(socket.IPPROTO_TCP, TCP_SAVE_SYN, 1)
client = socket.create_connection(listener.getsockname())
server = listener.accept()[0]
listener.setsockopt(socket.IPPROTO_TCP, TCP_SAVE_SYN, 0)

urgent = socket.create_connection(listener.getsockname())
reader = listener.accept()[0]
reader.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
urgent.send(b'abc', socket.MSG_OOB)
wait_for(reader, select.POLLPRI)

refused = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
refused.connect((HERE, 9))
refused.send(b'x')
wait_for(refused, select.POLLERR)

sharing = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
for one in sharing:
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    one.bind((HERE, 4567))
code = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 1))     # always the second
sharing[0].setsockopt(socket.SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, struct.pack('HxxxxxxQ', 1, ctypes.addressof(code)))

labelled = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
request = socket.inet_pton(socket.AF_INET6, '::1') + struct.pack('!I', 0x12345) + struct.pack('BBHHHI', 0, 1, 1, 0, 0, 0)
labelled.setsockopt(socket.IPPROTO_IPV6, IPV6_FLOWLABEL_MGR, request)

# Alone at its port, without a program: nothing is lost.
alone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
alone.bind((HERE, 4568))

sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
sniffer.bind(('lo', 0x0300))
sniffer.setsockopt(SOL_PACKET, PACKET_FANOUT, 42 | FANOUT_CBPF << 16)
sniffer.setsockopt(SOL_PACKET, PACKET_FANOUT_DATA, struct.pack('HxxxxxxQ', 1, ctypes.addressof(code)))

# struct xfrm_userpolicy_info: all packets of IPv4 that go out.
policy = bytearray(168)
struct.pack_into('H', policy, 40, socket.AF_INET)
policy[160] = 1
secret = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
secret.setsockopt(socket.IPPROTO_IP, IP_XFRM_POLICY, bytes(policy))

router = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_IGMP)
router.setsockopt(socket.IPPROTO_IP, MRT_INIT, 1)

os.write(1, b'ready')
while True:
    time.sleep(1)
