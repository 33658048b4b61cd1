# SPDX-License-Identifier: GPL-2.0-only
"""--stream: the images go to another process and come from it, by one pipe for each. The streamer here keeps them in memory."""
import array
import os
import shutil
import socket
import struct
import threading

import pytest
from room import PROGRAMS


class Streamer:
    """Listens at the socket for one connection; images by their names."""

    def __init__(self, folder, serves=None):
        self.folder, self.images, self.error = folder, dict(serves or {}), None
        self.serving = serves is not None
        self.asked = []
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.path = folder / ('streamer-serve.sock' if self.serving else 'streamer-capture.sock')
        self.listener.bind(str(self.path))
        self.listener.listen()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        threads = []
        connection, _ = self.listener.accept()
        try:
            while True:
                head = self._read(connection, 4)
                if not head:
                    break
                name = self._name(self._read(connection, struct.unpack('<I', head)[0]))
                self.asked.append(name)
                if self.serving:
                    there = name in self.images
                    connection.sendall(struct.pack('<I', 2) + bytes([8, there]))
                    if not there:
                        continue
                threads.append(threading.Thread(target=self._move, args=(name, self._descriptor(connection))))
                threads[-1].start()
        except Exception as error: # pylint: disable=broad-exception-caught
            self.error = error
        connection.close()
        for thread in threads:
            thread.join()

    @staticmethod
    def _read(connection, size):
        got = b''
        while len(got) < size:
            part = connection.recv(size - len(got))
            if not part:
                return got
            got += part
        return got

    @staticmethod
    def _name(message):
        """img_streamer_request_entry: field 1, a string."""
        assert message[0] == 10 and message[1] == len(message) - 2 < 128, message
        return message[2:].decode()

    @staticmethod
    def _descriptor(connection):
        space = array.array('i')
        data, control, _, _ = connection.recvmsg(1, socket.CMSG_LEN(space.itemsize))
        assert data == b'\0', data
        space.frombytes(control[0][2])
        return space[0]

    def _move(self, name, descriptor):
        with open(descriptor, 'wb' if self.serving else 'rb') as pipe:
            if self.serving:
                pipe.write(self.images.pop(name)) # each comes only once
            else:
                self.images[name] = pipe.read()

    def end(self):
        """The connection is closed, all pipes too."""
        self.thread.join(30)
        assert not self.thread.is_alive(), 'the connection stays open'
        assert not self.error, self.error
        self.listener.close()
        self.path.unlink()
        return self.images


@pytest.mark.parametrize('name', ('memory/anonymous', 'memory/shared-anonymous', 'file/deleted', 'tree/family', 'file/pipe'))
def test_there_and_back(subject, name):
    """No image lies in the directory; what was streamed is a whole checkpoint, and again after that."""
    run = subject(name)
    for _ in range(2):
        images = run.folder_of_images()
        streamer = Streamer(images)
        status, said = run.call_criu('dump', images, '-t', run.pid, '--stream')
        assert status == 0, said
        streamed = streamer.end()
        assert 'inventory.img' in streamed and any(name.startswith('pages-') for name in streamed)
        assert not [path.name for path in images.glob('*.img') if not path.name.startswith('stats')]
        run.await_gone()
        streamer = Streamer(images, streamed)
        status, said = run.call_criu('restore', images, '-d', '--stream')
        assert status == 0, said
        streamer.end()
        assert len(streamer.asked) == len(set(streamer.asked))
        run.compare('after the restore')
    run.release()


def test_streamed_images_are_the_same(subject, build):
    """Put into a directory they are like any others, but for holes."""
    run = subject('memory/anonymous')
    images = run.folder_of_images()
    streamer = Streamer(images)
    status, said = run.call_criu('dump', images, '-t', run.pid, '--stream')
    assert status == 0, said
    for name, content in streamer.end().items():
        (images / name).write_bytes(content)
    run.await_gone()
    run.verify(images)
    run.restore(images)
    run.release()


def test_script_comes_first(subject):
    """The action pre-stream may start the streamer; if it fails, nothing happens to the tree."""
    run = subject('file/pipe')
    images = run.folder_of_images()
    script = shutil.copy(PROGRAMS / 'refuse-streamer.sh', images)
    status, said = run.call_criu('dump', images, '-t', run.pid, '--stream', '--action-script', script)
    assert status != 0 and 'pre-stream' in (images / 'calls').read_text().split(), said
    run.compare('after the dump that failed')
    run.release()


def test_nobody_listens(subject):
    """Refused before anything is done to the tree."""
    run = subject('file/pipe')
    images = run.folder_of_images()
    status, said = run.call_criu('dump', images, '-t', run.pid, '--stream')
    assert status != 0 and 'streamer-capture.sock' in said
    status, said = run.call_criu('restore', images, '-d', '--stream')
    assert status != 0 and 'streamer-serve.sock' in said
    run.compare('after the dump that failed')
    run.release()


def test_streamer_that_goes_away(subject):
    """In the middle of a dump: it fails, and the tree goes on. In the middle of a restore: nothing is left."""
    run = subject('memory/anonymous')
    images = run.folder_of_images()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(images / 'streamer-capture.sock'))
    listener.listen()

    def leave():
        connection, _ = listener.accept()
        connection.recv(100)
        connection.close()
        listener.close()

    thread = threading.Thread(target=leave)
    thread.start()
    status, said = run.call_criu('dump', images, '-t', run.pid, '--stream')
    thread.join()
    assert status != 0 and 'Broken pipe' in said or 'Connection reset' in said, said
    run.compare('after the dump that failed')
    os.unlink(images / 'streamer-capture.sock')
    streamer = Streamer(images)
    assert run.call_criu('dump', images, '-t', run.pid, '--stream', '--leave-running')[0] == 0
    streamed = streamer.end()
    del streamed['pages-1.img']
    run.kill()
    streamer = Streamer(images, streamed)
    status, said = run.call_criu('restore', images, '-d', '--stream')
    assert status != 0 and 'pages-1.img is missing' in said, said
    streamer.end()
