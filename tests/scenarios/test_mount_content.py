# SPDX-License-Identifier: GPL-2.0-only
"""What is in a tmpfs: damaged and hostile archives, and programs that look closely."""
import io
import tarfile

import pytest
from mounts import Program, make_files


@pytest.fixture
def program(room, criu, folder):
    """A Program."""
    return Program(room, criu, folder)


def entry(name, kind, **more):
    """A member of an archive."""
    info = tarfile.TarInfo(name)
    info.type = kind
    for key, value in more.items():
        setattr(info, key, value)
    return info


ATTACKS = {
    'directory in the place of a link': lambda victim: [entry('./evil', tarfile.SYMTYPE, linkname=victim), entry('./evil', tarfile.DIRTYPE, mode=0o4777)],
    'link in the place of a directory': lambda victim: [entry('./evil', tarfile.DIRTYPE, mode=0o4777), entry('./evil', tarfile.SYMTYPE, linkname=victim)],
    'file below a link': lambda victim: [entry('./evil', tarfile.SYMTYPE, linkname=victim), entry('./evil/new', tarfile.REGTYPE, mode=0o4777)],
    'directory below a link': lambda victim: [entry('./evil', tarfile.SYMTYPE, linkname=victim), entry('./evil/new', tarfile.DIRTYPE, mode=0o4777)],
    'dots': lambda victim: [entry('./../../../..' + victim, tarfile.DIRTYPE, mode=0o4777)],
    'dots at the end': lambda victim: [entry('./evil', tarfile.SYMTYPE, linkname=victim), entry('./evil/.', tarfile.DIRTYPE, mode=0o4777)],
    'hard link to a link': lambda victim: [entry('./evil', tarfile.SYMTYPE, linkname=victim), entry('./hard', tarfile.LNKTYPE, linkname='./evil'),
                                           entry('./hard', tarfile.DIRTYPE, mode=0o4777)],
    'number of a link for a directory': lambda victim: [
        entry('./evil', tarfile.SYMTYPE, linkname=victim, pax_headers={'SCHILY.xattr.criu.inode': '7'}),
        entry('./other', tarfile.DIRTYPE, mode=0o4777, pax_headers={'SCHILY.xattr.criu.inode': '7'})],
    'huge numbers': lambda victim: [entry('./evil', tarfile.REGTYPE, mode=0o600, pax_headers={'SCHILY.xattr.criu.inode': '18446744073709551615'}),
                                    entry('./evil', tarfile.SYMTYPE, linkname=victim)],
}


@pytest.mark.parametrize('attack', ATTACKS)
def test_hostile_archive(program, folder, attack):
    """Whatever an archive says, nothing changes outside of the tmpfs."""
    place, victim = make_files(folder / 'place'), make_files(folder / 'victim')
    victim.chmod(0o711)
    program.start_python(f'mount -t tmpfs x {place}', 'alive')
    program.dump()
    image, = program.images.glob('tmpfs-dev-*')
    with tarfile.open(image, 'w:gz', format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(entry('./', tarfile.DIRTYPE, mode=0o755, pax_headers={'SCHILY.xattr.criu.inode': '1'}))
        for member in ATTACKS[attack](str(victim)):
            archive.addfile(member, io.BytesIO())
    code, said = program.call('restore', '-d')
    assert victim.stat().st_mode & 0o7777 == 0o711 and not [*victim.iterdir()], said
    assert code in (0, 1), said
    if code:
        assert not [pid for pid in program.room.pids() if pid == program.pid], said


def test_sqlite(program):
    """SQLite compares inode numbers before it writes: it goes on to write."""
    options = program.start_rooted('mkdir data; mount -t tmpfs x data', '(db.execute("insert into t values (2)"), db.commit(), '
                         'str(db.execute("select sum(a) from t").fetchall()))[-1]', 'make_database')
    program.dump(*options[0])
    assert program.restore(*options[1]) == '[(42,)]'
