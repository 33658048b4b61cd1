/* SPDX-License-Identifier: GPL-2.0-only */
/* What is set on a terminal: termios, locked termios, window size, modes, owner. */
#include "object/file/tty/settings.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "object/file/tty/tty.h"
#include "session/session.h"

/* <asm/termbits.h>, which does not get along with <termios.h>: struct termios of TIOCGLCKTRMIOS */
struct kernel_termios {
	uint32_t c_iflag, c_oflag, c_cflag, c_lflag;
	uint8_t c_line;
	uint8_t c_cc[19];
};

struct kernel_termios2 {
	struct kernel_termios usual;
	uint32_t ispeed, ospeed;
};

#define TCGETS2_     _IOR('T', 0x2A, struct kernel_termios2)
#define TCSETS2_     _IOW('T', 0x2B, struct kernel_termios2)
#define BOTHER_	     0010000 /* c_cflag: a speed that has no name, and 16 bits higher the same for input */
#define CC_WORDS     19
#define CC_WORDS_MIN 8

static TermiosEntry *make_record(const struct dump *d, uint32_t iflag, uint32_t oflag, uint32_t cflag, uint32_t lflag,
				 uint32_t line, const void *cc, size_t n_cc)
{
	TermiosEntry *record = pool_new(d->pool, TermiosEntry);

	termios_entry__init(record);
	record->c_iflag = iflag;
	record->c_oflag = oflag;
	record->c_cflag = cflag;
	record->c_lflag = lflag;
	record->c_line = line;
	record->n_c_cc = CC_WORDS;
	record->c_cc = pool_alloc(d->pool, CC_WORDS * sizeof(uint32_t));
	memcpy(record->c_cc, cc, n_cc);
	return record;
}

static bool has_own_speed(uint32_t cflag)
{
	return (cflag & CBAUD) == BOTHER_ || (cflag >> 16 & CBAUD) == BOTHER_;
}

static int read_speed(int fd, TermiosEntry *record)
{
	struct kernel_termios2 t;

	if (!has_own_speed(record->c_cflag))
		return 0;
	if (ioctl(fd, TCGETS2_, &t) < 0)
		return fail_errno("reading the speed of the terminal");
	record->c_ispeed = t.ispeed;
	record->c_ospeed = t.ospeed;
	return 0;
}

static int apply_speed(int fd, const TermiosEntry *record)
{
	struct kernel_termios2 t;

	if (!has_own_speed(record->c_cflag) || !record->c_ospeed) /* CRIU does not save it */
		return 0;
	if (ioctl(fd, TCGETS2_, &t) < 0)
		return fail_errno("reading the speed of the terminal");
	t.usual.c_cflag = record->c_cflag;
	t.ispeed = record->c_ispeed;
	t.ospeed = record->c_ospeed;
	return ioctl(fd, TCSETS2_, &t) < 0 ? fail_errno("setting the speed of the terminal") : 0;
}

static int read_termios(const struct dump *d, int fd, TtyInfoEntry *info)
{
	struct termios t;

	if (tcgetattr(fd, &t) < 0)
		return errno == EIO ? -EIO : fail_errno("reading the settings of the terminal");
	info->termios = make_record(d, t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag, t.c_line, t.c_cc, sizeof(t.c_cc));
	return read_speed(fd, info->termios);
}

static int read_locked(const struct dump *d, int fd, TtyInfoEntry *info)
{
	struct kernel_termios t;

	if (ioctl(fd, TIOCGLCKTRMIOS, &t) < 0)
		return fail_errno("reading the locked settings of the terminal");
	info->termios_locked =
		make_record(d, t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag, t.c_line, t.c_cc, sizeof(t.c_cc));
	return 0;
}

static int read_size(const struct dump *d, int fd, TtyInfoEntry *info)
{
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) < 0)
		return fail_errno("reading the size of the terminal's window");
	info->winsize = pool_new(d->pool, WinsizeEntry);
	winsize_entry__init(info->winsize);
	info->winsize->ws_row = size.ws_row;
	info->winsize->ws_col = size.ws_col;
	info->winsize->ws_xpixel = size.ws_xpixel;
	info->winsize->ws_ypixel = size.ws_ypixel;
	return 0;
}

/* -EIO, unlogged, if it is hung up. */
static int check_discipline(int fd)
{
	int discipline;

	if (ioctl(fd, TIOCGETD, &discipline) < 0)
		return errno == EIO ? -EIO : fail_errno("asking for the line discipline of the terminal");
	return discipline == N_TTY
		       ? 0
		       : refuse(EOPNOTSUPP,
				"the terminal has line discipline %d: what that keeps is unknown, and cannot be saved",
				discipline);
}

int tty_read_settings(const struct dump *d, int fd, TtyInfoEntry *info)
{
	bool master = info->type == TTY_TYPE__PTY && info->id & TTY_MASTER;
	int exclusive = 0, locked = 0, packet = 0;
	int hung_up = check_discipline(fd) ?: read_termios(d, fd, info);

	if (hung_up < 0)
		return hung_up;
	TRY(read_locked(d, fd, info));
	TRY(read_size(d, fd, info));
	if (ioctl(fd, TIOCGEXCL, &exclusive) < 0)
		return fail_errno("asking whether the terminal is exclusive");
	if (master && (ioctl(fd, TIOCGPTLCK, &locked) < 0 || ioctl(fd, TIOCGPKT, &packet) < 0))
		return fail_errno("reading the modes of the pty");
	info->exclusive = exclusive;
	info->locked = locked;
	info->packet_mode = packet;
	return 0;
}

/* --- restore --- */

int tty_check_settings(const TtyInfoEntry *info)
{
	if ((info->termios && info->termios->n_c_cc < CC_WORDS_MIN) ||
	    (info->termios_locked && info->termios_locked->n_c_cc < CC_WORDS_MIN))
		return refuse(EINVAL, "tty-info.img: terminal %u has too few control characters", info->id);
	if (info->type == TTY_TYPE__PTY && !info->pty)
		return refuse(EINVAL, "tty-info.img: terminal %u is a pty without number", info->id);
	return 0;
}

static void unpack_termios(const TermiosEntry *from, struct termios *to)
{
	memset(to, 0, sizeof(*to));
	to->c_iflag = from->c_iflag;
	to->c_oflag = from->c_oflag;
	to->c_cflag = from->c_cflag;
	to->c_lflag = from->c_lflag;
	to->c_line = (cc_t)from->c_line;
	memcpy(to->c_cc, from->c_cc, sizeof(to->c_cc));
}

static int apply_locked(int fd, const TermiosEntry *from)
{
	struct kernel_termios t = { from->c_iflag, from->c_oflag,	  from->c_cflag,
				    from->c_lflag, (uint8_t)from->c_line, { 0 } };

	memcpy(t.c_cc, from->c_cc, sizeof(t.c_cc));
	if (ioctl(fd, TIOCSLCKTRMIOS, &t) < 0)
		return fail_errno("setting the locked settings of the terminal");
	return 0;
}

static int apply_size(int fd, const WinsizeEntry *from)
{
	struct winsize size = { (uint16_t)from->ws_row, (uint16_t)from->ws_col, (uint16_t)from->ws_xpixel,
				(uint16_t)from->ws_ypixel };

	if (ioctl(fd, TIOCSWINSZ, &size) < 0)
		return fail_errno("setting the size of the terminal's window");
	return 0;
}

int tty_apply_settings(int fd, const TtyInfoEntry *info, bool own)
{
	struct termios t;

	if (!info->termios)
		return 0;
	unpack_termios(info->termios, &t);
	if (tcsetattr(fd, TCSANOW, &t) < 0)
		return fail_errno("setting up the terminal");
	TRY(apply_speed(fd, info->termios));
	if (!own)
		return 0;
	if (info->termios_locked)
		TRY(apply_locked(fd, info->termios_locked));
	if (info->winsize)
		TRY(apply_size(fd, info->winsize));
	if (info->exclusive && ioctl(fd, TIOCEXCL) < 0)
		return fail_errno("making the terminal exclusive");
	return 0;
}
