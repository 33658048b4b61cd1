# SPDX-License-Identifier: GPL-2.0-only
"""Holds one thing in a container that may be in the way of its checkpoint, and counts.

usage: hold-obstacle.py NAME; what is outside of the container lies in /outside (hold-outside.py)
"""
import array
import ctypes
import fcntl
import mmap
import os
import pty
import resource
import signal
import socket
import struct
import sys
import threading
import time

LIBC = ctypes.CDLL(None, use_errno=True)
HELD = []       # what must stay open
KINDS = {}


def kind(function):
    """It is asked for by its name."""
    KINDS[function.__name__.replace('_', '-')] = function
    return function


def keep(*things):
    """Until the process ends."""
    HELD.extend(things)
    return things[0]


def call(number, *words):
    """A system call, or no case at all."""
    result = LIBC.syscall(ctypes.c_long(number), *(ctypes.c_long(word) if isinstance(word, int) else word for word in words))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def child(function):
    """Runs it in a child that then waits for ever."""
    there, done = os.pipe()
    if os.fork() == 0:
        function()
        os.write(done, b'x')
        while True:
            signal.pause()
    os.close(done)
    if not os.read(there, 1):
        raise OSError('the child has ended')
    os.close(there)


# What is in nobody's way.

@kind
def nothing():
    pass


@kind
def pipes_and_events():
    end = os.pipe()
    os.write(end[1], b'unread')
    keep(end, os.eventfd(3), os.memfd_create('x'))


@kind
def unix_pair():
    first, second = keep(*[socket.socketpair()])
    first.send(b'unread')
    first.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [0]))])


@kind
def listener():
    keep(socket.create_server(('0.0.0.0', 7777)))


@kind
def udp_connected():
    keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).connect(('127.0.0.1', 9))


@kind
def raw_and_packet():
    keep(socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)))


@kind
def terminal_of_its_own():
    keep(pty.openpty())


@kind
def small_deleted():
    file = keep(open('/tmp/small', 'w+'))
    file.write('x')
    file.flush()
    os.unlink('/tmp/small')


@kind
def small_deleted_in_volume():
    file = keep(open('/outside/small', 'w+'))
    os.unlink('/outside/small')
    file.write('x')
    file.flush()


@kind
def threads_and_children():
    for _ in range(3):
        threading.Thread(target=time.sleep, args=(100000,), daemon=True).start()
        child(lambda: None)


@kind
def fifo_inside():
    os.mkfifo('/tmp/fifo')
    keep(open('/tmp/fifo', 'r+b', buffering=0)).write(b'unread')


@kind
def shared_memory():
    memory = keep(mmap.mmap(-1, 1 << 20))
    memory[0:4] = b'data'
    call(29, 0x1234, 4096, 0o1600)


@kind
def timers():
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 1, 1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@kind
def null_devices():
    keep(open('/dev/null'), open('/dev/zero'), open('/dev/urandom'))


@kind
def directory_of_volume():
    os.makedirs('/outside/directory', exist_ok=True)
    os.chdir('/outside/directory')


@kind
def inotify():
    keep(call(294, 0))
    call(254, HELD[-1], ctypes.c_char_p(b'/tmp'), 0x100)


@kind
def mounted_tmpfs():
    os.makedirs('/tmp/mounted', exist_ok=True)
    if LIBC.mount(b'x', b'/tmp/mounted', b'tmpfs', 0, None) < 0:
        raise OSError(ctypes.get_errno(), 'mount')
    keep(open('/tmp/mounted/file', 'w'))


@kind
def outer_lock():
    """The lock of the one outside; here the file is only open."""
    keep(open('/outside/locked', 'r+'))


# What an option helps against.

@kind
def connection_inside():
    server = socket.create_server(('127.0.0.1', 7777))
    keep(server, socket.create_connection(('127.0.0.1', 7777)), server.accept()[0])


@kind
def connection_outside():
    """Made by the one outside."""
    server = keep(socket.create_server(('0.0.0.0', 7777)))
    keep(server.accept()[0])


@kind
def connection_to_outside():
    keep(socket.create_connection((os.environ['OUTSIDE'], 7779)))


@kind
def lock():
    fcntl.flock(keep(open('/tmp/lock', 'w')), fcntl.LOCK_EX)


@kind
def lock_in_volume():
    fcntl.lockf(keep(open('/outside/own', 'w')), fcntl.LOCK_EX)


@kind
def lease():
    path = '/tmp/leased'
    open(path, 'w').close()
    fcntl.fcntl(keep(open(path)), fcntl.F_SETLEASE, fcntl.F_RDLCK)


@kind
def large_deleted():
    file = keep(open('/tmp/large', 'w+'))
    file.write('x' * (3 << 20))
    file.flush()
    os.unlink('/tmp/large')


@kind
def linked_deleted():
    keep(open('/tmp/one', 'w'))
    os.link('/tmp/one', '/tmp/two')
    os.unlink('/tmp/one')


@kind
def unix_outside():
    keep(socket.socket(socket.AF_UNIX)).connect('/outside/stream')


@kind
def unix_datagram_outside():
    keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)).connect('/outside/datagram')


@kind
def backlog():
    keep(socket.create_server(('127.0.0.1', 7777)), socket.create_connection(('127.0.0.1', 7777)))


@kind
def half_made():
    listener = keep(socket.create_server(('127.0.0.1', 7777), backlog=0))
    for _ in range(3):
        client = keep(socket.socket())
        client.setblocking(False)
        client.connect_ex(listener.getsockname())


@kind
def fifo_outside():
    keep(os.open('/outside/fifo', os.O_RDWR))


@kind
def received_outside():
    """A pipe that the one outside has given."""
    with socket.socket(socket.AF_UNIX) as link:
        link.connect('/outside/giver')
        keep(socket.recv_fds(link, 10, 5)[1])


# What cannot be saved.

@kind
def device():
    keep(os.open('/dev/loop-control', os.O_RDONLY))


@kind
def latency():
    keep(os.open('/dev/cpu_dma_latency', os.O_RDWR))


@kind
def kvm():
    keep(os.open('/dev/kvm', os.O_RDWR))


@kind
def vsock():
    keep(socket.socket(socket.AF_VSOCK))


@kind
def ktls():
    connection_inside()
    HELD[1].setsockopt(socket.IPPROTO_TCP, 31, b'tls')


@kind
def perf_counter():
    attributes = struct.pack('IIQ', 1, 112, 1).ljust(112, b'\0')
    keep(call(298, ctypes.c_char_p(attributes), 0, -1, -1, 0))


@kind
def packet_ring():
    """Nobody but this process knows what it has mapped: privately, so that it may have pages of its own."""
    ring = keep(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)))
    ring.setsockopt(263, 5, struct.pack('IIII', 4096, 4, 2048, 8))
    keep(mmap.mmap(ring.fileno(), 4 * 4096, mmap.MAP_PRIVATE))


@kind
def uring_polled_for():
    """A thread of the kernel takes what is asked for, and a request that waits."""
    keep(call(425, 8, ctypes.create_string_buffer(struct.pack('IIII', 0, 0, 1 << 1, 0) + bytes(200))))


@kind
def uring():
    keep(call(425, 8, ctypes.create_string_buffer(200)))


@kind
def secret_memory():
    file = keep(call(447, 0))
    os.ftruncate(file, 4096)
    keep(mmap.mmap(file, 4096))[0] = 1


@kind
def landlock():
    rules = call(444, ctypes.c_char_p(struct.pack('Q', 1 << 1)), 8, 0)
    LIBC.prctl(38, 1, 0, 0, 0)
    call(446, rules, 0)


@kind
def traced():
    """By another process of the container."""
    ended, other = os.pipe()
    tracee = os.fork()
    if tracee == 0:
        while True:
            time.sleep(1000)
    child(lambda: LIBC.ptrace(0x4206, tracee, 0, 0) and os._exit(1))
    keep(ended, other)


@kind
def traced_outside():
    """The one outside does it when it finds this name."""
    LIBC.prctl(15, b'trace-me', 0, 0, 0)


@kind
def seccomp_listener():
    LIBC.prctl(38, 1, 0, 0, 0)
    program = struct.pack('HBBI', 6, 0, 0, 0x7fff0000)
    memory = keep(ctypes.create_string_buffer(program))
    keep(call(317, 1, 8, ctypes.create_string_buffer(struct.pack('HxxxxxxQ', 1, ctypes.addressof(memory)))))


@kind
def ebpf_program():
    code = keep(ctypes.create_string_buffer(struct.pack('BBhi', 0xb7, 0, 0, 0) + struct.pack('BBhi', 0x95, 0, 0, 0)))
    text = keep(ctypes.create_string_buffer(b'GPL'))
    attributes = struct.pack('IIQQ', 1, 2, ctypes.addressof(code), ctypes.addressof(text)).ljust(120, b'\0')
    keep(call(321, 5, ctypes.create_string_buffer(attributes), 120))


@kind
def message_queue_notice():
    queue = call(240, ctypes.c_char_p(b'queue'), 0o102, 0o600, 0)
    keep(queue)
    call(244, queue, ctypes.create_string_buffer(struct.pack('QiI', 0, signal.SIGUSR1, 0) + bytes(64)))


@kind
def pidfd_outside():
    keep(os.pidfd_open(os.getppid() if os.getppid() else 1))


@kind
def multipath():
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
    server.bind(('127.0.0.1', 7777))
    server.listen()
    client = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
    client.connect(('127.0.0.1', 7777))
    keep(server, client, server.accept()[0])
    client.send(b'x')


@kind
def urgent():
    connection_inside()
    HELD[1].send(b'x', socket.MSG_OOB)


@kind
def userfault_in_memory():
    """Faults of its own memory are waited for by it."""
    keep(call(323, os.O_CLOEXEC | 1))


@kind
def detached_mount():
    keep(call(428, -100, ctypes.c_char_p(b'/tmp'), 1))


@kind
def file_system_context():
    keep(call(430, ctypes.c_char_p(b'tmpfs'), 0))


@kind
def fuse_outside():
    """A file of a server outside, whose file system is a volume."""
    keep(os.open('/fuse', os.O_RDONLY))


@kind
def fuse_mounted_nowhere():
    keep(os.open('/dev/fuse', os.O_RDWR))


@kind
def network_namespace():
    child(lambda: call(272, 0x40000000))


@kind
def pid_namespace():
    call(272, 0x20000000)
    child(lambda: None)


@kind
def user_namespace():
    child(lambda: call(272, 0x10000000))


@kind
def time_namespace():
    child(lambda: call(272, 0x80))


@kind
def deadline():
    call(314, 0, ctypes.create_string_buffer(struct.pack('IIQiIQQQ', 48, 6, 0, 0, 0, 10000000, 30000000, 30000000)), 0)


def main():
    KINDS[sys.argv[1]]()
    number = 0
    while True:
        number += 1
        print(number, flush=True)
        time.sleep(0.1)


main()
