# SPDX-License-Identifier: LGPL-2.1-only
"""A client of criu: dump and restore from Python. Each call is a connection of its own, to a service or to a criu of our own."""
import contextlib
import os
import socket

from . import rpc_pb2 as rpc

__all__ = ['CRIUException', 'CRIUExceptionExternal', 'CRIUExceptionInternal', 'criu']

# What cr_errno means where it means something of criu's own.
MEANINGS = {56: 'bad options', 3: 'there is no process with this pid', 17: 'this pid is taken here'}


class CRIUException(Exception):
    """A request failed; .typ is its kind."""

    def __init__(self, typ, text):
        super().__init__(text)
        self.typ = typ


class CRIUExceptionInternal(CRIUException):
    """The conversation with criu failed."""

    def __init__(self, typ, text):
        super().__init__(typ, f'{rpc.criu_req_type.Name(typ)}: {text}')


class CRIUExceptionExternal(CRIUException):
    """criu could not do it; .errno is its reason, .resp_typ the kind of its answer."""

    def __init__(self, req_typ, resp_typ, errno, text=''):
        reason = text.strip() or MEANINGS.get(errno) or (os.strerror(errno) if errno else 'its log tells why')
        super().__init__(req_typ, f'{rpc.criu_req_type.Name(req_typ)} failed: {reason}')
        self.resp_typ, self.errno = resp_typ, errno


class criu:     # pylint: disable=invalid-name
    """Fill .opts, a criu_opts, then call dump() and the like. use_...() says whom to ask; by default the criu in the PATH."""

    def __init__(self):
        self.opts = rpc.criu_opts(images_dir_fd=-1)
        self.sk = None          # a connection that was kept open
        self._worker = 0        # its process, if it is a child of ours
        self.use_binary('criu')

    def use_sk(self, sk_name='./criu_service.socket'):
        """Asks the service with this socket."""
        self._connect = lambda alone: self._to_service(sk_name)

    def use_fd(self, fd):
        """Asks whoever is connected to this descriptor, which stays open."""
        self._connect = lambda alone: socket.socket(fileno=os.dup(fd))

    def use_binary(self, path):
        """Starts this program for each request."""
        self._connect = lambda alone: self._to_own(path, alone)

    @staticmethod
    def _to_service(path):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            sock.connect(path)
        except OSError:
            sock.close()
            raise
        return sock

    def _handed_over(self):
        """Descriptors that the request names by the numbers which they have in the worker."""
        return [one.fd for one in self.opts.inherit_fd] + ([self.opts.ps.fd] if self.opts.ps.HasField('fd') else [])

    def _to_own(self, path, alone):
        """A criu swrk; alone: no descendant of ours, who are about to be dumped."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            child = os.fork()
            if child == 0:
                try:
                    if alone:
                        os.setsid()
                        if os.fork():
                            os._exit(0)
                    for fd in [theirs.fileno(), *self._handed_over()]:
                        os.set_inheritable(fd, True)
                    os.execvp(path, [path, 'swrk', str(theirs.fileno())])
                finally:
                    os._exit(127)
            if alone:
                os.waitpid(child, 0)
            else:
                self._worker = child
            return socket.socket(fileno=ours.detach())

    def _close(self, sock):
        sock.close()
        if self._worker:
            with contextlib.suppress(ChildProcessError):    # the program does not want to know of its children, or has waited for all
                os.waitpid(self._worker, 0)
            self._worker = 0

    @staticmethod
    def _receive(sock, kind):
        size = sock.recv_into(bytearray(1), 1, socket.MSG_PEEK | socket.MSG_TRUNC)     # of the whole packet
        if not size:
            raise CRIUExceptionInternal(kind, 'criu has ended without an answer: is it there?')
        answer = rpc.criu_resp()
        answer.ParseFromString(sock.recv(size))
        return answer

    def _talk(self, sock, request):
        """Sends it; says yes to what criu tells meanwhile; the answer."""
        sock.send(request.SerializeToString())
        answer = self._receive(sock, request.type)
        while answer.type == rpc.NOTIFY:
            if answer.notify.script != 'progress':      # which is not answered
                sock.send(rpc.criu_req(type=rpc.NOTIFY, notify_success=True).SerializeToString())
            answer = self._receive(sock, request.type)
        expected = rpc.PAGE_SERVER if request.type == rpc.PAGE_SERVER_CHLD else request.type
        if answer.type not in (expected, rpc.EMPTY):
            raise CRIUExceptionInternal(request.type, f'criu answered {rpc.criu_req_type.Name(answer.type)}')
        if not answer.success:
            raise CRIUExceptionExternal(request.type, answer.type, answer.cr_errno, answer.cr_errmsg)
        return answer

    def _ask(self, kind, **more):
        request = rpc.criu_req(type=kind, **more)
        if kind != rpc.WAIT_PID:
            request.opts.CopyFrom(self.opts)
        if self.sk:
            sock, self.sk = self.sk, None
        else:
            try:
                sock = self._connect(kind == rpc.DUMP and not self.opts.HasField('pid'))
            except OSError as error:
                raise CRIUExceptionInternal(kind, f'connecting to criu: {error}') from error
        try:
            answer = self._talk(sock, request)
            if request.keep_open:
                self.sk = sock
            return answer
        except OSError as error:
            raise CRIUExceptionInternal(kind, str(error)) from error
        finally:
            if self.sk is not sock:
                self._close(sock)

    def check(self):
        """Can criu work here?"""
        self._ask(rpc.CHECK)

    def dump(self):
        """Dumps .opts.pid, or without it this process, which goes on here when it is restored (.restored is true then)."""
        return self._ask(rpc.DUMP).dump

    def pre_dump(self):
        """Saves memory while the tasks run."""
        return self._ask(rpc.SINGLE_PRE_DUMP).dump

    def restore(self):
        """Restores; .pid is the root task."""
        return self._ask(rpc.RESTORE).restore

    def page_server_chld(self):
        """Starts a page server, a child of criu, to be waited for by wait_pid(); .pid and .port."""
        return self._ask(rpc.PAGE_SERVER_CHLD, keep_open=True).ps

    def wait_pid(self, pid):
        """Waits for the end of such a child; its status."""
        return self._ask(rpc.WAIT_PID, pid=pid).status
