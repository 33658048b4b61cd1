# SPDX-License-Identifier: GPL-2.0-only
"""crit: decodes real images as CRIU's own does, encodes them back byte by byte, and says what is wrong with damaged ones."""
import base64
import json
import os
import quopri
import struct
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from room import PROGRAMS

COMPAT = Path(__file__).resolve().parents[1] / 'compat'
IMAGES = sorted((path.parents[1] / 'images' / path.stem, path) for path in COMPAT.glob('*/json/*.json'))
COMMON = struct.pack('<I', 0x54564319)


def names(pairs):
    """Short names of the cases."""
    return [f'{image.parents[1].name}/{image.name}' for image, _ in pairs]


@pytest.fixture
def crit(build):
    """Runs crit; fails unless it exits as expected. Returns its standard output, or the error text."""
    def run(*arguments, stdin=b'', code=0):
        done = subprocess.run([build / 'crit', *arguments], input=stdin, capture_output=True, check=False, timeout=120)
        assert done.returncode == code, done.stderr.decode()
        return done.stderr.decode() if code else done.stdout
    return run


def decode(crit, image, *arguments):
    """The image as Python objects."""
    return json.loads(crit('decode', *arguments, stdin=image))


def encode(crit, value, code=0):
    """Python objects as an image."""
    return crit('encode', stdin=json.dumps(value).encode(), code=code)


def test_there_are_images():
    assert len(IMAGES) > 90


@pytest.mark.parametrize('image, text', IMAGES, ids=names(IMAGES))
def test_real_images(crit, tmp_path, image, text):
    """To a file no newline follows; the bytes come back from plain and from pretty text."""
    crit('decode', '-i', image, '-o', tmp_path / 'out.json')
    assert (tmp_path / 'out.json').read_bytes() == text.read_bytes()
    crit('encode', '--in', text, '--out', tmp_path / 'out.img')
    assert (tmp_path / 'out.img').read_bytes() == image.read_bytes()
    pretty = crit('decode', '-i', image, '--pretty')
    assert crit('encode', stdin=pretty) == image.read_bytes()
    assert pretty.decode() == json.dumps(json.loads(pretty), indent=4) + '\n'


@pytest.mark.parametrize('folder', ['zoo', 'container', 'tcp-ipc-pty'])
@pytest.mark.parametrize('what', ['ps', 'fds', 'mems'])
def test_reports(crit, folder, what):
    """What CRIU's crit prints; that one ends with a traceback at the first zombie, ours goes on."""
    text = crit('x', COMPAT / folder / 'images', what).decode()
    expected = (COMPAT / folder / f'json/x-{what}.txt').read_text()
    if 'Traceback' in expected:
        expected = expected[:expected.index('Traceback')]
        assert text.startswith(expected)
        assert text[len(expected):].startswith('8025\n8026\n')
    else:
        assert text == expected


def test_ps_on_a_terminal(build):
    """People see states and threads as well."""
    master, slave = os.openpty()
    with os.fdopen(master, 'rb', buffering=0) as screen:
        with os.fdopen(slave, 'wb') as terminal:
            subprocess.run([build / 'crit', 'x', COMPAT / 'zoo/images', 'ps'], stdout=terminal, check=True, timeout=120)
            lines = screen.read(65536).decode().replace('\r', '').splitlines()
    assert lines[1:4] == ['   8021   8021   8021   zoo (alive, session leader)', '                          - thread 8027 zoo',
                          '                          - thread 8028 zoo']
    assert '   8025   8021   8021       zoo (zombie, exit code 42)' in lines


def test_tree_report(crit):
    text = crit('x', COMPAT / 'zoo/images', 'tree').decode()
    assert text.startswith('8021 zoo (alive, session leader)\n  - thread 8027 zoo\n  - thread 8028 zoo\n    8023 zoo')
    assert '8024 zoo (stopped)\n' in text and '8025 zoo (zombie, exit code 42)\n' in text


def test_picture(crit):
    """A box for each task, with what is in it, a line to each child, and one between those who share pipes; well-formed."""
    svg = ElementTree.fromstring(crit('x', COMPAT / 'zoo/images', 'tree', '--svg'))
    space = '{http://www.w3.org/2000/svg}'
    texts = [''.join(text.itertext()) for text in svg.iter(f'{space}text')]
    tree = crit('x', COMPAT / 'zoo/images', 'ps').decode().splitlines()[1:]
    assert [f'{line.split()[3]} {line.split()[0]}' in texts for line in tree] == [True] * len(tree)
    assert len(list(svg.iter(f'{space}rect'))) == len(tree)
    assert '3 threads, 29 descriptors' in texts and '212 KiB' in texts
    lines = [path.get('class') for path in svg.iter(f'{space}path')]
    assert lines.count('child') == len(tree) - 1 and 'pipe' in lines
    boxes = [box.get('transform') for box in svg.iter(f'{space}g')]
    assert len(set(boxes)) == len(boxes)


def test_pages_report(crit):
    lines = crit('x', COMPAT / 'zoo/images', 'rss').decode().splitlines()
    assert lines[1] == '\t401000 / 1               00401000 / 163      /var/tmp/criu-fixture/zoo'
    assert lines[2] == '\t4d2000 / 5               004d0000 / 4        /var/tmp/criu-fixture/zoo'
    assert lines[3].startswith('\t' + ' ' * 23 + ' 004d4000 / 3 ')
    assert lines[5].endswith(' ~')


def test_info_counts_entries(crit):
    assert crit('info', COMPAT / 'zoo/images/pstree.img') == b'{\n    "magic": "PSTREE",\n    "count": 6\n}\n'
    for image, text in IMAGES:
        value = json.loads(text.read_text())
        told = json.loads(crit('info', image))
        assert told == {'magic': value['magic'], 'count': len(value['entries']) - (value['magic'] == 'PAGEMAP')}


def test_pretty_conversions(crit):
    """Every kind of conversion, and back."""
    mm = decode(crit, (COMPAT / 'zoo/images/mm-8021.img').read_bytes(), '--pretty')['entries'][0]
    assert mm['mm_start_code'] == '0x401000'
    vma = mm['vmas'][1]
    assert (vma['prot'], vma['status']) == ('PROT_READ | PROT_EXEC', 'VMA_AREA_REGULAR | VMA_FILE_PRIVATE')
    core = decode(crit, (COMPAT / 'zoo/images/core-8021.img').read_bytes(), '--pretty')['entries'][0]
    assert core['tc']['task_state'] == 'Alive' and core['mtype'] == 'X86_64'
    assert core['thread_info']['gpregs']['flags'].startswith('0x')
    files = decode(crit, (COMPAT / 'tcp-ipc-pty/images/files.img').read_bytes(), '--pretty')['entries']
    sockets = [entry['isk'] for entry in files if 'isk' in entry]
    assert {socket['state'] for socket in sockets} >= {'ESTABLISHED', 'LISTEN', 'CLOSE'}
    assert {socket['src_addr'][0] for socket in sockets} >= {'127.0.0.1', '::1'}
    ghost = decode(crit, (COMPAT / 'zoo/images/ghost-file-1.img').read_bytes(), '--pretty')['entries'][0]
    plain = decode(crit, (COMPAT / 'zoo/images/ghost-file-1.img').read_bytes())['entries'][0]
    assert ghost['dev'] == f'{plain["dev"] >> 20}:{plain["dev"] & 0xfffff}'


@pytest.mark.parametrize('plain, pretty', [
    ({'prot': 0, 'flags': 0, 'status': 0}, {'prot': '', 'flags': '', 'status': ''}),
    ({'prot': 0x13, 'flags': 0x122, 'status': 0x80000001},
     {'prot': 'PROT_READ | PROT_WRITE | 0x10', 'flags': 'MAP_PRIVATE | MAP_ANON | MAP_GROWSDOWN',
      'status': 'VMA_AREA_REGULAR | VMA_UNSUPP'}),
])
def test_flags(crit, plain, pretty):
    """Unknown bits are kept; text and numbers are the same to encode."""
    rest = {'start': 2 ** 64 - 1, 'end': 0, 'pgoff': 0, 'shmid': 0, 'fd': -1}
    image = encode(crit, {'magic': 'VMAS', 'entries': [{**rest, **plain}]})
    shown = decode(crit, image, '--pretty')['entries'][0]
    assert {name: shown[name] for name in pretty} == pretty
    assert shown['start'] == '0xffffffffffffffff' and shown['fd'] == -1
    assert encode(crit, {'magic': 'VMAS', 'entries': [shown]}) == image
    shown['start'] = 2 ** 64 - 1
    shown['end'] = '0b0'
    assert encode(crit, {'magic': 'VMAS', 'entries': [shown]}) == image
    assert decode(crit, image)['entries'][0]['start'] == 2 ** 64 - 1


def test_device_numbers(crit):
    """Kernel form and the form of the C library."""
    entry = {'uid': 0, 'gid': 0, 'mode': 0o20600, 'dev': 0xfe00003, 'rdev': 0x12345678}
    image = encode(crit, {'magic': 'GHOST_FILE', 'entries': [entry]})
    shown = decode(crit, image, '--pretty')['entries'][0]
    assert shown['dev'] == '254:3'
    assert shown['rdev'] == f'{(0x12345678 >> 8) & 0xfff}:{(0x12345678 & 0xff) | ((0x12345678 >> 12) & 0xfff00)}'
    assert encode(crit, {'magic': 'GHOST_FILE', 'entries': [shown]}) == image


def test_texts_are_written_as_python_does(crit):
    """Control characters, wide characters, and bytes that are no UTF-8."""
    for text in ['plain', 'q"\\/\b\f\n\r\t\x01\x7f', 'äöü€', '😀', 'bad \udcff\udc80 bytes', 'é\udce9']:
        entry = {'id': 1, 'flags': 0, 'pos': 0, 'fown': {'uid': 0, 'euid': 0, 'signum': 0, 'pid_type': 0, 'pid': 0},
                 'name': text}
        image = encode(crit, {'magic': 'REG_FILES', 'entries': [entry]})
        assert text.encode('utf-8', 'surrogateescape') in image
        written = crit('decode', stdin=image).decode('ascii')
        assert written == json.dumps(json.loads(written)) + '\n'
        assert json.loads(written)['entries'][0]['name'] == text
        assert crit('encode', stdin=written.encode()) == image


@pytest.mark.parametrize('name', [b'', b'\0abstract', b'/run/a b', b'x=y', b'tail ', b'.', b'a\nb\n', bytes(range(1, 108)),
                                  b'a' * 107, b'\xff' * 107, b'a\rb'], ids=repr)
def test_unix_names(crit, name):
    """Quoted-printable text, as Python's quopri writes and reads it."""
    fown = {'uid': 0, 'euid': 0, 'signum': 0, 'pid_type': 0, 'pid': 0}
    entry = {'id': 1, 'ino': 1, 'type': 1, 'state': 1, 'flags': 0, 'uflags': 0, 'backlog': 0, 'peer': 0, 'fown': fown,
             'opts': decode(crit, (COMPAT / 'zoo/images/files.img').read_bytes())['entries']}
    entry['opts'] = next(e['usk']['opts'] for e in entry['opts'] if 'usk' in e)
    entry['name'] = quopri.encodestring(name).decode()
    image = encode(crit, {'magic': 'UNIXSK', 'entries': [entry]})
    shown = decode(crit, image)['entries'][0]['name']
    assert shown == entry['name'] and quopri.decodestring(shown) == name
    assert encode(crit, decode(crit, image)) == image


def record(message):
    """A length and the bytes."""
    return struct.pack('<I', len(message)) + message


@pytest.mark.parametrize('size', [0, 1, 2, 3, 56, 57, 58, 5000])
def test_payloads(crit, size):
    """Base64 as Python writes it, whatever the size."""
    data = bytes(i * 7 % 256 for i in range(size))
    text = base64.encodebytes(data).decode()
    for magic, entry in [('PIPES_DATA', {'pipe_id': 1, 'bytes': size}), ('SK_QUEUES', {'id_for': 1, 'length': size}),
                         ('BPFMAP_DATA', {'map_id': 1, 'keys_bytes': size // 2, 'values_bytes': size - size // 2, 'count': 1}),
                         ('GHOST_FILE', {'uid': 0, 'gid': 0, 'mode': 0o100644})]:
        value = {'magic': magic, 'entries': [{**entry, 'extra': text}]}
        image = encode(crit, value)
        assert image.endswith(data)
        assert decode(crit, image) == value
        assert encode(crit, decode(crit, image, '--pretty')) == image


def test_large_payload(crit, tmp_path):
    """More than the largest record: read and written in pieces."""
    data = bytes(range(251)) * (66 << 12)
    image = encode(crit, {'magic': 'PIPES_DATA', 'entries': [{'pipe_id': 1, 'bytes': len(data)}]}) + data
    (tmp_path / 'pipes-data.img').write_bytes(image)
    crit('decode', '-i', tmp_path / 'pipes-data.img', '-o', tmp_path / 'json')
    assert json.loads((tmp_path / 'json').read_text())['entries'][0]['extra'] == base64.encodebytes(data).decode()
    crit('encode', '-i', tmp_path / 'json', '-o', tmp_path / 'again.img')
    assert (tmp_path / 'again.img').read_bytes() == image
    (tmp_path / 'pipes-data.img').write_bytes(image[:-1])
    assert 'record 1 at offset 8: truncated: 1 bytes of its payload are missing' in crit('decode', '-i', tmp_path / 'pipes-data.img', code=1)


def test_payloads_with_a_shape_of_their_own(crit):
    desc = {'key': 1, 'uid': 0, 'gid': 0, 'cuid': 0, 'cgid': 0, 'mode': 384, 'id': 0}
    for value, tail in [
            ({'magic': 'IPCNS_SEM', 'entries': [{'desc': desc, 'nsems': 3, 'extra': [1, 2, 65535]}]}, b'\1\0\2\0\xff\xff\0\0'),
            ({'magic': 'IPCNS_SHM', 'entries': [{'desc': desc, 'size': 5, 'extra': 'aGVsbG8=\n'}]}, b'hello\0\0\0'),
            ({'magic': 'IPCNS_SHM', 'entries': [{'desc': desc, 'size': 5, 'in_pagemaps': True, 'extra': ''}]}, b''),
            ({'magic': 'IPCNS_MSG', 'entries': [
                {'desc': desc, 'qbytes': 100, 'qnum': 2,
                 'extra': [{'mtype': 1, 'msize': 2}, 'aGk=\n', {'mtype': 7, 'msize': 0}, '']},
                {'desc': desc, 'qbytes': 100, 'qnum': 0, 'extra': []}]}, b''),
            ({'magic': 'GHOST_FILE', 'entries': [
                {'uid': 0, 'gid': 0, 'mode': 0o100644, 'chunks': True, 'size': 20000},
                {'len': 2, 'off': 4096, 'extra': 'aGk=\n'}, {'len': 5, 'off': 8192, 'extra': 'aGVsbG8=\n'}]}, b'hello')]:
        image = encode(crit, value)
        assert image.endswith(tail)
        assert decode(crit, image) == value
        assert encode(crit, decode(crit, image, '--pretty')) == image


def test_show_without_payload(crit, tmp_path):
    image = tmp_path / 'pipes-data.img'
    for size, text in [(12, '12B'), (1536, '1.5KB'), (2 << 20, '2MB')]:
        extra = base64.encodebytes(b'x' * size).decode()
        image.write_bytes(encode(crit, {'magic': 'PIPES_DATA', 'entries': [{'pipe_id': 1, 'bytes': size, 'extra': extra}]}))
        assert json.loads(crit('show', '--nopl', image))['entries'][0]['extra'] == f'... <{text}>'
        assert json.loads(crit('show', image))['entries'][0]['extra'] == extra
    ghost = json.loads(crit('show', COMPAT / 'zoo/images/ghost-file-1.img', '--nopl'))
    assert 'extra' not in ghost['entries'][0]


def test_heads(crit):
    """Always the form of version 1.1; version 1.0 is read, too."""
    head = struct.pack('<I', 0x51403912)
    fs = encode(crit, {'magic': 'FS', 'entries': [{'cwd_id': 1, 'root_id': 2}]})
    assert fs.startswith(COMMON + head)
    assert decode(crit, fs[4:]) == decode(crit, fs)
    inventory = encode(crit, {'magic': 'INVENTORY', 'entries': [{'img_version': 2}]})
    assert inventory.startswith(struct.pack('<I', 0x58313116))
    assert encode(crit, {'magic': 'IRMAP_CACHE', 'entries': []}) == struct.pack('<II', 0x55105940, 0x57004059)
    assert decode(crit, COMMON + head) == {'magic': 'FS', 'entries': []}


@pytest.mark.parametrize('image, text', [
    (b'', 'ends within its head'),
    (COMMON, 'ends within its head'),
    (COMMON + b'abcd', 'Unknown magic 0x64636261'),
    (b'PNG.abcd', 'Unknown magic 0x2e474e50'),
    (COMMON + struct.pack('<I', 0x50273030) + b'\0\0', 'record 1 at offset 8: truncated within its length'),
    (COMMON + struct.pack('<I', 0x50273030) + record(b'\xff\xff'), 'record 1 at offset 8: damaged: is no pstree_entry'),
    (COMMON + struct.pack('<I', 0x51403912) + record(b'\x08\1\x10\1')[:6], 'record 1 at offset 8: truncated: 2 bytes of 4 are'),
    (COMMON + struct.pack('<I', 0x56453709) + record(b'\x08\1\x10\x64') + b'short',
     'record 1 at offset 8: truncated: 95 bytes of its payload are missing'),
])
def test_damaged_images(crit, tmp_path, image, text):
    """The message names record and offset; nothing is written."""
    (tmp_path / 'core-1.img').write_bytes(image)
    message = crit('decode', '-i', tmp_path / 'core-1.img', '-o', tmp_path / 'out', code=1)
    assert 'core-1.img' in message and text in message
    assert not (tmp_path / 'out').exists()
    assert text in crit('info', tmp_path / 'core-1.img', code=1)
    assert text in crit('show', tmp_path / 'core-1.img', code=1)


@pytest.mark.parametrize('value, text', [
    ([], 'an object is wanted'),
    ({}, 'an object with "magic" and "entries"'),
    ({'magic': 'NONSENSE', 'entries': []}, "no image with the magic 'NONSENSE'"),
    ({'magic': 'FS', 'entries': [{'cwd_id': 1}]}, "entry 1: line 1: the field 'root_id' is missing"),
    ({'magic': 'FS', 'entries': [{'cwd_id': 1, 'root_id': 2 ** 32}]}, 'entry 1: root_id: line 1: 4294967296 does not fit'),
    ({'magic': 'FS', 'entries': [{'cwd_id': 2 ** 64, 'root_id': 0}]}, 'cwd_id: line 1: the number 18446744073709551616 is too big'),
    ({'magic': 'FS', 'entries': [{'cwd_id': -1, 'root_id': 0}]}, 'is too big'),
    ({'magic': 'FS', 'entries': [{'cwd_id': 1.5, 'root_id': 0}]}, "'1.5' is no number"),
    ({'magic': 'FS', 'entries': [{'cwd_id': True, 'root_id': 0}]}, 'a number is wanted, this is true'),
    ({'magic': 'FDINFO', 'entries': [{'id': 1, 'flags': 0, 'type': 'WHAT', 'fd': 0}]}, "'WHAT' is no fd_types"),
    ({'magic': 'PIPES_DATA', 'entries': [{'pipe_id': 1, 'bytes': 1, 'extra': '?'}]}, 'not base64'),
])
def test_bad_input_of_encode(crit, tmp_path, value, text):
    (tmp_path / 'in').write_text(json.dumps(value))
    assert text in crit('encode', '-i', tmp_path / 'in', '-o', tmp_path / 'out', code=1)
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('value', [b'', b'{', b'[1,]', b'{"a":}', b'"\\u12"', b'"\\ud800"', b'nul', b'1 2', b'[' * 100000, b'"a'])
def test_malformed_json(crit, value):
    assert 'this is no JSON: line 1' in crit('encode', stdin=value, code=1)


def test_encode_wants_json(crit):
    assert 'wants JSON' in crit('encode', '-i', COMPAT / 'zoo/images/core-8021.img', code=1)


def test_usage(crit):
    assert crit('--version') == b'4.2\n'
    assert b'usage: crit' in crit('-h')
    assert b'usage: crit decode' in crit('decode', '--help')
    assert 'usage: crit' in crit(code=1)
    for arguments in [('nonsense',), ('decode', '--nonsense'), ('info',), ('show', 'a', 'b'), ('x', '.', 'all'), ('x', '.', 'ps', '--svg'), ('encode', '--pretty'),
                      ('decode', '-i')]:
        assert 'usage: crit' in crit(*arguments, code=2)
    assert "cannot open" in crit('info', '/nonexistent', code=1)
    assert 'there is no pstree.img' in crit('x', '/tmp', 'ps', code=1)
    assert crit('decode', '--pre', '-i', COMPAT / 'zoo/images/pstree.img').startswith(b'{\n    "magic"')


@pytest.fixture
def python(build):
    """Runs a Python program that uses the packages; returns what it prints."""
    def run(*arguments):
        packages = Path(__file__).resolve().parents[2] / 'lib/python'
        done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, cwd=COMPAT / 'zoo/images',
                              env={**os.environ, 'PYTHONPATH': str(packages), 'CRIT': str(build / 'crit'), 'PYTHONDONTWRITEBYTECODE': '1'})
        assert done.returncode == 0, done.stderr
        return done.stdout
    return run


def test_python_module(crit, python):
    """python3 -m crit is crit."""
    assert python('-m', 'crit', '--version') == '4.2\n'
    assert python('-m', 'crit', 'info', 'pstree.img') == crit('info', COMPAT / 'zoo/images/pstree.img').decode()


def test_python_images(python):
    """Every function of pycriu.images."""
    python(PROGRAMS / 'crit-images.py')
