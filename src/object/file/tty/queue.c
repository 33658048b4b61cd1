/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What waits inside a pty: bytes that the slave wrote and the master has not read, and the other way round. A terminal
 * lets nobody peek, so bytes are read and put back at once; the settings are changed for that moment only.
 */
#include "object/file/tty/queue.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/buffer.h"
#include "base/fail.h"
#include "base/grace.h"
#include "base/log.h"
#include "image/record.h"
#include "object/file/tty/tty.h"

#define READ_SIZE   4096
#define COMFORTABLE 8192 /* bytes that any pty takes in */
#define READ_MAX    (1u << 20)

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

/*
 * Bytes go into a pty in buffers whose sizes depend on how much is written at once, and a limit counts the buffers, not
 * the bytes: these sizes let as much in as was inside, however it was written (about 20 KiB, measured).
 */
static const size_t pieces[] = { 1024, 16 };

/* One write(2) as large as possible; 0: nothing fits. */
static ssize_t write_piece(int fd, const char *bytes, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		ssize_t put = write(fd, bytes, size < pieces[i] ? size : pieces[i]);

		if (put > 0)
			return put;
		if (put < 0 && errno != EAGAIN)
			return fail_errno("writing what waits in the terminal");
	}
	return 0;
}

/*
 * Into one of the sides of a pty whose queue is empty; fd does not block. The program or its user may have stopped the
 * output (TCOOFF, Ctrl-S), which nothing tells but that it takes no bytes.
 */
static int write_all(int fd, int slave, const char *bytes, size_t size)
{
	bool stopped = false;
	unsigned waited = 0;
	ssize_t put = 0;

	while (size && (put = write_piece(fd, bytes, size)) >= 0) {
		bytes += put;
		size -= (size_t)put;
		if (put)
			waited = 0;
		else if (waited++ < GRACE_TTY_MS)
			pause_ms(1); /* until the kernel has moved them on */
		else if (stopped || tcflow(slave, TCOON) < 0)
			break;
		else
			stopped = true;
	}
	if (stopped && tcflow(slave, TCOOFF) < 0)
		log_warn("The output of the terminal cannot be stopped again");
	if (put < 0)
		return (int)put;
	return size ? refuse(EAGAIN, "the terminal does not take back %zu bytes that were waiting in it", size) : 0;
}

static int set_termios(int fd, const struct termios *t)
{
	return tcsetattr(fd, TCSANOW, t) < 0 ? fail_errno("changing the settings of the terminal for a moment") : 0;
}

/*
 * The smallest buffers of a pty are kept for use when they were read, and that does not count for its limit: one that
 * was used for long takes more in than a new one. Writes and reads until there are as many as there can be. Both queues
 * are empty, nothing is made of the bytes.
 */
static int stretch_queue(int in, int out)
{
	AUTO(buffer_done) struct buffer nothing = { 0 };
	static const char bytes[16];
	ssize_t put;

	while ((put = write(in, bytes, sizeof(bytes))) > 0)
		;
	if (put < 0 && errno != EAGAIN)
		return fail_errno("writing to the terminal");
	for (int quiet = 0; quiet < 3; quiet++) { /* the kernel's worker may still be moving them */
		size_t before = nothing.size;

		TRY(read_all(out, &nothing));
		if (nothing.size != before)
			quiet = 0;
		pause_ms(1);
	}
	return 0;
}

int tty_fill_master(int master, int slave, const void *data, size_t size)
{
	struct termios old, plain;
	int result;

	if (tcgetattr(slave, &old) < 0)
		return fail_errno("reading the settings of the terminal");
	plain = old;
	plain.c_oflag &= ~(tcflag_t)OPOST;
	TRY(set_termios(slave, &plain));
	result = size > COMFORTABLE ? stretch_queue(slave, master) : 0;
	if (result == 0)
		result = write_all(slave, slave, data, size);
	TRY(set_termios(slave, &old));
	return result;
}

static bool is_set(cc_t character)
{
	return character != _POSIX_VDISABLE;
}

static bool is_end_of_file(const struct termios *t, char byte)
{
	return is_set(t->c_cc[VEOF]) && (cc_t)byte == t->c_cc[VEOF];
}

/* What ends a line and is part of it. */
static bool is_end_of_line(const struct termios *t, char byte)
{
	return byte == '\n' || (is_set(t->c_cc[VEOL]) && (cc_t)byte == t->c_cc[VEOL]) ||
	       (t->c_lflag & IEXTEN && is_set(t->c_cc[VEOL2]) && (cc_t)byte == t->c_cc[VEOL2]);
}

/* How many of the bytes are of whole lines, in canonical mode. */
static size_t count_whole(const struct termios *t, const char *data, size_t size)
{
	if (t->c_lflag & ICANON)
		while (size && !is_end_of_line(t, data[size - 1]) && !is_end_of_file(t, data[size - 1]))
			size--;
	return size;
}

/* How many of these FIONREAD will count: ends of file are no bytes. */
static size_t count_visible(const struct termios *t, const char *data, size_t whole)
{
	size_t visible = whole;

	for (size_t i = 0; t->c_lflag & ICANON && i < whole; i++)
		visible -= is_end_of_file(t, data[i]);
	return visible;
}

static int wait_visible(int slave, size_t visible)
{
	for (int ms = 0; ms < GRACE_TTY_MS; ms++) {
		int inside = count_inside(slave);

		if (inside < 0 || (size_t)inside >= visible)
			return inside;
		pause_ms(1);
	}
	return 0;
}

static int stretch_raw(int master, int slave, const struct termios *old)
{
	struct termios raw = *old;

	cfmakeraw(&raw);
	TRY(set_termios(slave, &raw));
	return stretch_queue(master, slave);
}

/*
 * The mode (ICANON) must stay as it is: the kernel forgets where lines end when it changes (n_tty_set_termios).
 * Everything that would make something else of the bytes is off, but for the ends of lines, and that of the file:
 * read_lines() has put it there.
 */
int tty_fill_slave(int master, int slave, const void *data, size_t size)
{
	struct termios old, quiet;
	size_t whole, visible;
	int flags, result;

	if (tcgetattr(slave, &old) < 0)
		return fail_errno("reading the settings of the terminal");
	quiet = old;
	quiet.c_iflag &= IUTF8;
	quiet.c_lflag &= ICANON | EXTPROC;
	memset(quiet.c_cc, _POSIX_VDISABLE, sizeof(quiet.c_cc));
	quiet.c_cc[VMIN] = old.c_cc[VMIN];
	quiet.c_cc[VTIME] = old.c_cc[VTIME];
	if (old.c_lflag & ICANON) {
		quiet.c_lflag |= old.c_lflag & IEXTEN; /* without it there is no VEOL2 */
		quiet.c_cc[VEOF] = old.c_cc[VEOF];
		quiet.c_cc[VEOL] = old.c_cc[VEOL];
		quiet.c_cc[VEOL2] = old.c_cc[VEOL2];
	}
	/* Its other descriptors do not block for this moment either: the tasks stand still. */
	flags = fcntl(master, F_GETFL);
	if (flags < 0 || fcntl(master, F_SETFL, flags | O_NONBLOCK) < 0)
		return fail_errno("setting the flags of the master");
	result = size > COMFORTABLE ? stretch_raw(master, slave, &old) : 0;
	if (result == 0)
		result = set_termios(slave, &quiet);
	if (result == 0)
		result = write_all(master, slave, data, size);
	if (fcntl(master, F_SETFL, flags) < 0 && result == 0)
		result = fail_errno("setting the flags of the master back");
	whole = count_whole(&old, data, size);
	visible = count_visible(&old, data, whole);
	if (result >= 0)
		result = wait_visible(slave, visible < READ_SIZE ? visible : READ_SIZE - 1);
	if (whole < size || visible < whole)
		pause_ms(5); /* nothing tells when the start of a line has arrived */
	TRY(set_termios(slave, &old));
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

/* Line by line, which tells the ends of file: the lines without an end. A terminal that is read in another mode does
 * not know any more. */
static int read_lines(int slave, const struct termios *t, struct buffer *bytes)
{
	char block[READ_SIZE];
	ssize_t got = 0;

	while (count_inside(slave) >= 0 && bytes->size < READ_MAX && (got = read(slave, block, sizeof(block))) >= 0) {
		buffer_append(bytes, block, (size_t)got);
		if (!got || !is_end_of_line(t, block[got - 1]))
			buffer_append(bytes, &t->c_cc[VEOF], 1);
	}
	return got < 0 && errno != EAGAIN ? fail_errno("reading what waits in the terminal") : 0;
}

static int dump_slave(const struct tty_dump *master, int slave, struct image *image)
{
	AUTO(buffer_done) struct buffer bytes = { 0 };
	struct termios old, raw;
	int result;

	if (tcgetattr(slave, &old) < 0)
		return fail_errno("reading the settings of the terminal");
	result = old.c_lflag & ICANON ? read_lines(slave, &old, &bytes) : 0;
	raw = old;
	raw.c_lflag &= ~(tcflag_t)ICANON; /* shows the start of a line as well */
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	TRY(set_termios(slave, &raw));
	if (result == 0)
		result = read_all(slave, &bytes);
	TRY(set_termios(slave, &old));
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
