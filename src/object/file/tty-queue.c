/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What waits inside a pty: bytes that the slave wrote and the master has not read, and the other way round. A terminal lets
 * nobody peek, so bytes are read and put back at once; the settings are changed for that moment only.
 */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buffer.h"
#include "base/fail.h"
#include "base/log.h"
#include "image/image.h"
#include "object/file/tty.h"

#define READ_SIZE  4096
#define READ_MAX   (1u << 20)
#define SETTLE_MS  200 /* for the kernel's worker that moves bytes from one side to the other */

/* poll(2) makes the kernel finish what is on the way, unless something is there already. */
static int count_inside(int fd)
{
	struct pollfd ask = { .fd = fd, .events = POLLIN };
	int inside;

	if (poll(&ask, 1, 0) < 0 || ioctl(fd, FIONREAD, &inside) < 0)
		return fail_errno("asking what waits in the terminal");
	return inside;
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000 }, NULL);
}

static int read_all(int fd, struct buffer *bytes)
{
	int inside;

	while ((inside = count_inside(fd)) > 0 && bytes->size < READ_MAX) {
		size_t size = inside < READ_SIZE ? (size_t)inside : READ_SIZE;
		char block[READ_SIZE];
		ssize_t got = read(fd, block, size);

		if (got < 0 && errno == EIO)
			break; /* the slave is closed and all was read */
		if (got <= 0)
			return got < 0 ? fail_errno("reading what waits in the terminal") : 0;
		buffer_append(bytes, block, (size_t)got);
	}
	return inside < 0 ? inside : 0;
}

static int write_all(int fd, const char *bytes, size_t size)
{
	while (size) {
		struct pollfd ask = { .fd = fd, .events = POLLOUT };
		ssize_t put;

		if (poll(&ask, 1, SETTLE_MS) == 0)
			return refuse(EAGAIN, "%zu bytes that wait in the terminal can't be written: its output is stopped", size);
		put = write(fd, bytes, size);
		if (put < 0)
			return fail_errno("writing what waits in the terminal");
		bytes += put;
		size -= (size_t)put;
	}
	return 0;
}

static int set(int fd, const struct termios *t)
{
	return tcsetattr(fd, TCSANOW, t) < 0 ? fail_errno("changing the settings of the terminal for a moment") : 0;
}

int tty_fill_master(int master, int slave, const void *data, size_t size)
{
	struct termios old, plain;
	int result;

	if (tcgetattr(slave, &old) < 0)
		return fail_errno("reading the settings of the terminal");
	plain = old;
	plain.c_oflag &= ~(tcflag_t)OPOST;
	TRY(set(slave, &plain));
	result = write_all(slave, data, size);
	TRY(set(slave, &old));
	return result;
}

/* How many of the bytes a reader of the slave is shown: in canonical mode only whole lines. */
static size_t count_visible(const struct termios *t, const char *data, size_t size)
{
	if (t->c_lflag & ICANON)
		while (size && data[size - 1] != '\n')
			size--;
	return size;
}

static int wait_visible(int slave, size_t visible)
{
	for (int ms = 0; ms < SETTLE_MS; ms++) {
		int inside = count_inside(slave);

		if (inside < 0 || (size_t)inside >= visible)
			return inside;
		pause_ms(1);
	}
	return 0;
}

/*
 * The mode (ICANON) must stay as it is: the kernel forgets where lines end when it changes (n_tty_set_termios). Everything that
 * would make something else of the bytes is off.
 */
int tty_fill_slave(int master, int slave, const void *data, size_t size)
{
	struct termios old, quiet;
	size_t visible;
	int result;

	if (tcgetattr(slave, &old) < 0)
		return fail_errno("reading the settings of the terminal");
	quiet = old;
	quiet.c_iflag &= IUTF8;
	quiet.c_lflag &= ICANON | EXTPROC;
	memset(quiet.c_cc, _POSIX_VDISABLE, sizeof(quiet.c_cc));
	quiet.c_cc[VMIN] = old.c_cc[VMIN];
	quiet.c_cc[VTIME] = old.c_cc[VTIME];
	TRY(set(slave, &quiet));
	result = write_all(master, data, size);
	visible = count_visible(&old, data, size);
	if (result >= 0)
		result = wait_visible(slave, visible < READ_SIZE ? visible : READ_SIZE - 1);
	if (visible < size)
		pause_ms(5); /* nothing tells when the start of a line has arrived */
	TRY(set(slave, &old));
	return result < 0 ? result : 0;
}

/* --- dump --- */

static int write_record(struct image *image, uint32_t id, const struct buffer *bytes)
{
	TtyDataEntry record = TTY_DATA_ENTRY__INIT;

	record.tty_id = id;
	record.data.len = bytes->size;
	record.data.data = (uint8_t *)bytes->data;
	return image_write(image, &record);
}

/* In packet mode every read begins with a byte that tells what happened (ioctl_tty(2)): off for the moment. */
static int read_master(const struct tty_dump *master, struct buffer *bytes)
{
	bool packets = master->info->packet_mode;
	int off = 0, on = 1, result;

	if (packets && ioctl(master->fd, TIOCPKT, &off) < 0)
		return fail_errno("switching off packet mode");
	result = read_all(master->fd, bytes);
	if (packets && ioctl(master->fd, TIOCPKT, &on) < 0)
		return fail_errno("switching on packet mode");
	return result;
}

static int dump_master(const struct tty_dump *master, int slave, struct image *image)
{
	AUTO(buffer_done) struct buffer bytes = { 0 };
	int result;

	TRY(read_master(master, &bytes));
	if (!bytes.size)
		return 0;
	result = write_record(image, master->info->id, &bytes);
	TRY(tty_fill_master(master->fd, slave, bytes.data, bytes.size));
	return result;
}

static int dump_slave(const struct tty_dump *master, int slave, struct image *image)
{
	AUTO(buffer_done) struct buffer bytes = { 0 };
	struct termios old, raw;
	int result;

	if (tcgetattr(slave, &old) < 0)
		return fail_errno("reading the settings of the terminal");
	raw = old;
	raw.c_lflag &= ~(tcflag_t)ICANON; /* shows the start of a line as well */
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	TRY(set(slave, &raw));
	result = read_all(slave, &bytes);
	TRY(set(slave, &old));
	TRY(result);
	if (!bytes.size)
		return 0;
	result = write_record(image, master->info->id & ~TTY_MASTER, &bytes);
	TRY(tty_fill_slave(master->fd, slave, bytes.data, bytes.size));
	return result;
}

int tty_dump_queues(struct dump *d, const struct tty_dump *master, const struct tty_dump *slave, struct image *image)
{
	AUTO_CLOSE int peer = -1;

	if (!slave && count_inside(master->fd) <= 0)
		return 0;
	/* An opening of our own, as its flags are ours to choose. */
	peer = ioctl(master->fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (peer < 0)
		return fail_errno("opening the slave side");
	TRY(dump_master(master, peer, image));
	return slave ? dump_slave(master, peer, image) : 0;
}
