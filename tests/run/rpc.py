# SPDX-License-Identifier: GPL-2.0-only
"""A client of criu swrk and criu service. Messages are dictionaries with the names of proto/rpc.proto, which is read for them."""
import array
import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

TEXT = re.sub(r'//.*', '', (Path(__file__).parents[2] / 'proto/rpc.proto').read_text())
ENUMS = {name: {key: int(value) for key, value in re.findall(r'(\w+)\s*=\s*(\d+)', body)}
         for name, body in re.findall(r'enum (\w+) \{(.*?)\}', TEXT, re.S)}
MESSAGES = {name: {field: (int(number), kind, label == 'repeated') for label, kind, field, number in
                   re.findall(r'(optional|required|repeated) (\w+) (\w+) = (\d+)', body)}
            for name, body in re.findall(r'message (\w+) \{(.*?)\n\}', TEXT, re.S)}
TYPES = ENUMS['criu_req_type']


def varint(number):
    """A number on the wire; negative ones take ten bytes."""
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out) + bytes([number])


def encode(message, values):
    """The bytes of a message."""
    out = b''
    for name, value in values.items():
        number, kind, repeated = MESSAGES[message][name]
        for item in value if repeated else [value]:
            if kind in MESSAGES:
                data = encode(kind, item)
            elif kind == 'string':
                data = item.encode() if isinstance(item, str) else item
            else:
                item = ENUMS[kind][item] if kind in ENUMS and isinstance(item, str) else int(item)
                out += varint(number << 3) + varint(item)
                continue
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def read_varint(data, at):
    """(number, position behind it)."""
    number = shift = 0
    while True:
        number |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return number, at


def decode(message, data):
    """The dictionary of a message."""
    fields = {number: (name, kind, repeated) for name, (number, kind, repeated) in MESSAGES[message].items()}
    values, at = {}, 0
    while at < len(data):
        key, at = read_varint(data, at)
        name, kind, repeated = fields[key >> 3]
        value, at = read_varint(data, at)
        if key & 7 == 2:
            piece, at = data[at:at + value], at + value
            value = decode(kind, piece) if kind in MESSAGES else piece.decode(errors='replace')
        elif kind == 'int32':
            value = (value & 0xffffffff ^ 0x80000000) - 0x80000000
        elif kind == 'bool':
            value = bool(value)
        elif kind in ENUMS:
            value = next(word for word, number in ENUMS[kind].items() if number == value)
        if repeated:
            values.setdefault(name, []).append(value)
        else:
            values[name] = value
    return values


def seqpacket():
    """A socket as the service has them."""
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)


class Client:
    """One connection. Notifications are collected in self.told as (script, pid), their descriptors in self.passed, and answered by answer(script)."""

    def __init__(self, sock, process=None):
        self.sock, self.process = sock, process
        self.sock.settimeout(120)
        self.told, self.passed, self.answer = [], {}, lambda script: {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()
        if self.process:
            self.process.wait(60)

    def send(self, values):
        """Sends one request."""
        self.sock.send(encode('criu_req', values))

    def receive(self):
        """One reply; None at the end of the connection."""
        data, control, _, _ = self.sock.recvmsg(40960, socket.CMSG_SPACE(4))
        if not data:
            return None
        reply = decode('criu_resp', data)
        for level, kind, fds in control:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                reply['passed'] = array.array('i', fds)[0]
        return reply

    def call(self, kind, opts=None, **more):
        """Sends a request and returns the reply that ends it."""
        request = {'type': kind, **more}
        if opts is not None:
            request['opts'] = {'images_dir_fd': -1, **opts}
        self.send(request)
        while True:
            reply = self.receive()
            if not reply or reply['type'] != 'NOTIFY':
                return reply
            script = reply['notify']['script']
            self.told.append((script, reply['notify'].get('pid')))
            if 'passed' in reply:
                self.passed[script] = reply['passed']
            self.send({'type': 'NOTIFY', 'notify_success': True, **self.answer(script)})

    def status(self):
        """The exit status of swrk after the connection has ended."""
        self.sock.close()
        return self.process.wait(60)


def start_swrk(criu, *options, room=None, pass_fds=(), **more):
    """A Client of its own criu swrk, which runs in the room if there is one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    words = [str(criu), 'swrk', str(theirs.fileno()), *map(str, options)]
    if room:
        words = [room.program, 'run', room.first, *words]
    process = subprocess.Popen(words, pass_fds=[theirs.fileno(), *pass_fds], stdin=subprocess.DEVNULL, **more)
    theirs.close()
    return Client(ours, process)


def connect(path, seconds=60):
    """A Client of the service at this path, which may be about to start."""
    deadline = time.monotonic() + seconds
    while True:
        sock = seqpacket()
        try:
            sock.connect(str(path))
            return Client(sock)
        except (FileNotFoundError, ConnectionRefusedError):
            sock.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def open_dir(path):
    """A descriptor for images_dir_fd."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY)


def main(path, kind, text):
    """A client in a process of its own, as an ordinary user needs: prints [reply, what was told]."""
    opts = json.loads(text)
    if 'open' in opts:
        opts['images_dir_fd'] = open_dir(opts.pop('open'))
    with connect(path) as client:
        try:
            reply = client.call(kind, opts)
        except OSError as error:
            reply = {'success': False, 'error': str(error)}
        print(json.dumps([reply, client.told]))


if __name__ == '__main__':
    main(*sys.argv[1:])
