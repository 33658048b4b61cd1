# SPDX-License-Identifier: GPL-2.0-only
"""Page servers behind TLS: who has the right certificates gets through, nobody else does."""
import shutil
import ssl
import subprocess
import tempfile
from pathlib import Path

import pytest
from pages import ADD, CLOSE, OPEN, PE_PRESENT, Server, message, page, receive, task

if not shutil.which('openssl'):
    pytest.skip('there is no openssl to make certificates', allow_module_level=True)


def openssl(folder, *words):
    """Runs openssl."""
    subprocess.run(['openssl', *words], cwd=folder, check=True, capture_output=True)


def make_authority(folder, name):
    """A certificate that signs others, and nothing revoked yet."""
    openssl(folder, 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '7', '-subj',
            f'/CN={name}', '-keyout', f'{name}.key', '-out', f'{name}.pem')
    (folder / f'{name}.index').touch()
    (folder / f'{name}.number').write_text('01\n')
    (folder / f'{name}.conf').write_text(f'''[ca]
default_ca = one
[one]
database = {name}.index
crlnumber = {name}.number
default_md = sha256
default_crl_days = 7
''')


def make_certificate(folder, authority, name, alternative):
    """A certificate for a host, signed by the authority."""
    openssl(folder, 'req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', f'/CN={name}', '-keyout',
            f'{name}.key', '-out', f'{name}.csr')
    (folder / f'{name}.ext').write_text(f'subjectAltName={alternative}\n')
    openssl(folder, 'x509', '-req', '-in', f'{name}.csr', '-CA', f'{authority}.pem', '-CAkey', f'{authority}.key', '-CAcreateserial',
            '-days', '7', '-extfile', f'{name}.ext', '-out', f'{name}.pem')


@pytest.fixture(scope='module', name='pki')
def make_pki():
    """Certificates: "here" for 127.0.0.1, "elsewhere" for another host, "foreign" of another authority; "here" may be revoked."""
    folder = Path(tempfile.mkdtemp(prefix='criu-pki-'))
    make_authority(folder, 'authority')
    make_authority(folder, 'other')
    make_certificate(folder, 'authority', 'here', 'IP:127.0.0.1')
    make_certificate(folder, 'authority', 'elsewhere', 'DNS:elsewhere.example')
    make_certificate(folder, 'other', 'foreign', 'IP:127.0.0.1')
    for crl, revoke in (('none', False), ('here-revoked', True)):
        if revoke:
            openssl(folder, 'ca', '-config', 'authority.conf', '-cert', 'authority.pem', '-keyfile', 'authority.key', '-revoke', 'here.pem')
        openssl(folder, 'ca', '-config', 'authority.conf', '-cert', 'authority.pem', '-keyfile', 'authority.key', '-gencrl', '-out',
                f'{crl}.crl')
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(autouse=True, scope='module')
def built_with_tls(criu, pki):
    """Skips all if criu was built without."""
    done = subprocess.run([criu, 'page-server', '-D', pki, '--tls', '--tls-cacert', 'nowhere', '--ps-socket', '0'], text=True,
                          capture_output=True, timeout=40, check=False, stdin=subprocess.PIPE)
    if 'built without TLS' in done.stderr:
        pytest.skip('criu was built without TLS')


def words(pki, name, *more, authority='authority'):
    """The options of one end."""
    return ['--tls', '--tls-cacert', pki / f'{authority}.pem', '--tls-cert', pki / f'{name}.pem', '--tls-key', pki / f'{name}.key', *more]


@pytest.fixture
def sleeper():
    """A process to be dumped."""
    process = subprocess.Popen(['setsid', 'sleep', '1000'], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    yield process
    process.kill()
    process.wait()


def dump(criu, folder, process, server, *options):
    """A dump that leaves the process running, through the server."""
    (folder / 'client').mkdir()
    done = subprocess.run([criu, 'dump', '-t', str(process.pid), '-D', folder / 'client', '-R', '-v4', '--page-server', '--address',
                           '127.0.0.1', '--port', str(server.port), *options], capture_output=True, text=True, timeout=60, check=False)
    assert process.poll() is None
    return done.returncode, done.stderr


def test_dump(criu, folder, pki, sleeper):
    """Both have their certificates, and nobody is revoked."""
    server = Server(criu, folder / 'server', *words(pki, 'here', '--tls-cacrl', pki / 'none.crl'))
    status, said = dump(criu, folder, sleeper, server, *words(pki, 'here', '--tls-cacrl', pki / 'none.crl'))
    assert status == 0 and 'TLS: connected by TLS1.3' in said, said
    assert server.end() == 0, server.said()
    assert list((folder / 'server').glob('pages-65537.img')) and not list((folder / 'client').glob('pages-*'))


@pytest.mark.parametrize('at_server,at_client,said_by_server,said_by_client', [
    (('here',), ('foreign',), 'certificate of the other end is refused', None),
    (('foreign',), ('here',), None, 'certificate of the other end is refused'),
    (('elsewhere',), ('here',), None, 'name in the certificate does not match'),
    (('here',), ('elsewhere',), 'name in the certificate does not match', None),
    (('here',), None, 'speaks no TLS', None),
    (None, ('here',), 'speaks no protocol', 'TLS: '),
    (('here', 'revoked'), ('here',), 'revoked', None),
], ids=['foreign-client', 'foreign-server', 'other-name', 'other-name-of-client', 'plain-client', 'plain-server', 'revoked-client'])
def test_refused(criu, folder, pki, sleeper, at_server, at_client, said_by_server, said_by_client):
    """Whoever finds fault with the other says why; the dump ends with an error, the task runs on, and the server waits for a better client."""
    crl = ['--tls-cacrl', pki / 'here-revoked.crl'] if at_server and 'revoked' in at_server else []
    server = Server(criu, folder / 'server', *(words(pki, at_server[0], *crl) if at_server else ()))
    status, said = dump(criu, folder, sleeper, server, *(words(pki, at_client[0]) if at_client else ()))
    assert status == 1, said
    server.still_waits()
    assert not said_by_server or said_by_server in server.said(), server.said()
    assert not said_by_client or said_by_client in said, said
    assert not list((folder / 'server').glob('*.img')) and not (folder / 'client/inventory.img').exists()


def test_no_name_check(criu, folder, pki, sleeper):
    """--tls-no-cn-verify: the name of the host does not matter; the authority still does."""
    server = Server(criu, folder / 'server', *words(pki, 'elsewhere', '--tls-no-cn-verify'))
    status, said = dump(criu, folder, sleeper, server, *words(pki, 'elsewhere', '--tls-no-cn-verify'))
    assert status == 0 and server.end() == 0, said


@pytest.mark.parametrize('option,said', [('--tls-cacert', 'no trusted certificate in nowhere'), ('--tls-cert', 'nowhere (--tls-cert)'),
                                         ('--tls-key', 'nowhere (--tls-key)'), ('--tls-cacrl', 'revoked certificates in nowhere')])
def test_missing_files(criu, folder, pki, sleeper, option, said):
    """Files that cannot be used are named, before anything is sent."""
    server = Server(criu, folder / 'server')
    status, text = dump(criu, folder, sleeper, server, *words(pki, 'here', option, 'nowhere'))
    assert status == 1 and said in text, text
    server.still_waits()


def test_python_client(criu, folder, pki):
    """Another implementation of TLS; many small records, and a farewell from both."""
    server = Server(criu, folder / 'server', *words(pki, 'here'))
    context = ssl.create_default_context(cafile=pki / 'authority.pem')
    context.load_cert_chain(pki / 'here.pem', pki / 'here.key')
    with context.wrap_socket(server.connect(), server_hostname='127.0.0.1') as sock:
        sock.sendall(message(OPEN, name=task(7)))
        assert receive(sock, 1) == b'\0'
        data = message(ADD, PE_PRESENT, 3, 0x1000, task(7)) + page(1) + page(2) + page(3) + message(CLOSE)
        for at in range(0, len(data), 100):
            sock.sendall(data[at:at + 100])
        assert receive(sock, 4) == b'\0\0\0\0'
        assert sock.recv(1) == b''      # its farewell
        sock.unwrap()
    assert server.end() == 0, server.said()
    assert (folder / 'server/pages-65537.img').read_bytes() == page(1) + page(2) + page(3)


def test_cut_off(criu, folder, pki):
    """A client that vanishes inside of TLS without a word: what came is not complete."""
    server = Server(criu, folder / 'server', *words(pki, 'here'))
    context = ssl.create_default_context(cafile=pki / 'authority.pem')
    context.load_cert_chain(pki / 'here.pem', pki / 'here.key')
    with context.wrap_socket(server.connect(), server_hostname='127.0.0.1') as sock:
        sock.sendall(message(OPEN, name=task(7)) + message(ADD, PE_PRESENT, 1, 0x1000, task(7)) + page(1))
        assert receive(sock, 1) == b'\0'
    assert server.end() == 1 and 'not complete' in server.said(), server.said()
