// SPDX-License-Identifier: GPL-2.0-only
/* What else is set on a pty: a locked slave, a speed that has no name, exclusive use, locked settings, owner and mode
 * of the slave, flags of each opening. */
#include <pty.h>

#include "pty-open.h"

SUBJECT()

static void check_locked(int master)
{
	char name[32];
	int locked = 0;

	CHECK(!ioctl(master, TIOCGPTLCK, &locked));
	CHECK_EQUAL(locked, 1);
	CHECK(!ptsname_r(master, name, sizeof(name)));
	CHECK(open(name, O_RDWR | O_NOCTTY) == -1 && errno == EIO);
	CHECK(!unlockpt(master));
	CHECK(!close(must(open(name, O_RDWR | O_NOCTTY))));
}

static void check_exclusive(int slave)
{
	int exclusive = 0;

	CHECK(!ioctl(slave, TIOCGEXCL, &exclusive));
	CHECK_EQUAL(exclusive, 1);
	CHECK(!ioctl(slave, TIOCNXCL));
}

struct own_termios { /* struct termios2, <asm/termbits.h> does not get along with <termios.h> */
	uint32_t flags[4];
	uint8_t characters[20];
	uint32_t ispeed, ospeed;
};

#define TCGETS2_ _IOR('T', 0x2A, struct own_termios)
#define TCSETS2_ _IOW('T', 0x2B, struct own_termios)
#define BOTHER_	 0010000

static void set_speed(int slave)
{
	struct own_termios t;

	must(ioctl(slave, TCGETS2_, &t));
	t.flags[2] = (t.flags[2] & ~(uint32_t)CBAUD) | BOTHER_;
	t.ispeed = t.ospeed = 12345;
	must(ioctl(slave, TCSETS2_, &t));
}

static void check_speed(int slave)
{
	struct own_termios t = { 0 };

	CHECK(!ioctl(slave, TCGETS2_, &t));
	CHECK_EQUAL(t.flags[2] & CBAUD, BOTHER_);
	CHECK_EQUAL(t.ospeed, 12345);
	CHECK_EQUAL(t.ispeed, 12345);
}

int main(void)
{
	int locked = must(posix_openpt(O_RDWR | O_NOCTTY)), slave, exclusive_slave, owned_slave, reader, on = 1, value;
	int master = open_pair(&slave, 0), exclusive = open_pair(&exclusive_slave, O_NONBLOCK),
	    owned = open_pair(&owned_slave, O_APPEND);
	struct termios settings, locks = { 0 }, now;
	struct stat st;

	must(ioctl(exclusive_slave, TIOCEXCL));
	locks.c_lflag = ECHO;
	locks.c_cc[VINTR] = 1;
	must(ioctl(slave, TIOCSLCKTRMIOS, &locks));
	must(ioctl(master, TIOCPKT, &on));
	must(fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK));
	must(fchown(owned_slave, 1234, 4321));
	must(fchmod(owned_slave, 0604));
	reader = must(open(ptsname(owned), O_RDONLY | O_NOCTTY));
	(void)exclusive;
	set_speed(owned_slave);

	checkpoint();

	check_locked(locked);
	check_speed(owned_slave);
	check_exclusive(exclusive_slave);
	CHECK(fcntl(exclusive_slave, F_GETFL) & O_NONBLOCK);
	CHECK(fcntl(master, F_GETFL) & O_NONBLOCK);
	CHECK(!ioctl(master, TIOCGPKT, &value));
	CHECK_EQUAL(value, 1);
	/* Locked settings do not change, others do; only the administrator may unlock them. */
	memset(&locks, 0, sizeof(locks));
	CHECK(!ioctl(slave, TIOCGLCKTRMIOS, &locks));
	CHECK(locks.c_lflag == ECHO && locks.c_cc[VINTR] == 1);
	CHECK(!tcgetattr(slave, &settings));
	settings.c_lflag ^= ECHO | ISIG;
	CHECK(!tcsetattr(slave, TCSANOW, &settings));
	CHECK(!tcgetattr(slave, &now));
	CHECK_EQUAL(now.c_lflag, settings.c_lflag ^ ECHO);
	CHECK(!fstat(owned_slave, &st));
	CHECK(st.st_uid == 1234 && st.st_gid == 4321 && (st.st_mode & 07777) == 0604);
	CHECK(fcntl(owned_slave, F_GETFL) & O_APPEND);
	CHECK_EQUAL(fcntl(reader, F_GETFL) & O_ACCMODE, O_RDONLY);
	CHECK(write(reader, "x", 1) == -1 && errno == EBADF);
	return 0;
}
