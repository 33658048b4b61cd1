# SPDX-License-Identifier: LGPL-2.1-only
"""A Python program that wants to know when it is checkpointed and restored: what criu-tell.h does, without a compiler.

    from criu_tell import Tell

    def changed(state, copies):
        if state == Tell.DUMP:
            ...     # close what cannot be saved; return False to say: not now
        elif state == Tell.RESTORED:
            ...     # a copy: new connections, new random numbers

    Tell(changed)
"""
import mmap
import os
import signal
import struct


class Tell:
    """Calls changed(state, copies) in the main thread, by a signal, whenever criu tells something."""

    NONE, DUMP, GOES_ON, RESTORED = range(4)
    FIELDS = struct.Struct('=10I')      # magic, owner, signal, number, state, answered, refused, copies, copy, of
    MAGIC = 0x4c4c4554

    def __init__(self, changed, number=signal.SIGRTMAX - 5):
        self.changed, self.seen = changed, 0
        self.copy = self.of = 0     # restored as one of several copies: which one, from 1, and how many there are
        self.fd = os.memfd_create('criu-tell')
        os.ftruncate(self.fd, self.FIELDS.size)
        self.memory = mmap.mmap(self.fd, self.FIELDS.size)
        signal.signal(number, self._look)
        self.memory[:] = self.FIELDS.pack(self.MAGIC, os.getpid(), number, 0, self.NONE, 0, 0, 0, 0, 0)

    def _look(self, *_):
        _, _, _, number, state, _, _, copies, self.copy, self.of = self.FIELDS.unpack(self.memory[:])
        if number == self.seen:
            return
        self.seen = number
        refused = self.changed(state, copies) is False
        if state == self.DUMP:
            self.memory[24:28] = struct.pack('=I', refused)
            self.memory[20:24] = struct.pack('=I', number)
