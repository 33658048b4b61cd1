/* SPDX-License-Identifier: GPL-2.0-only */
/* What has become of a migration: a line in a file, whose first byte is locked by the process that it belongs to, the
 * second one by whoever changes it, the third one by the process that brings memory afterwards. */
#include "flow/migrate/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/deadline.h"
#include "base/fail.h"
#include "base/grace.h"
#include "base/io.h"
#include "base/log.h"
#include "kern/proc/proc.h"
#include "kern/proc/stat.h"

#define LINE 64

enum lock_byte { BYTE_OWNER, BYTE_CHANGE, BYTE_MEMORY };

static const char *const names[] = {
	[RECORD_READY] = "ready",     [RECORD_COMMITTED] = "committed", [RECORD_RELEASING] = "releasing",
	[RECORD_PARTIAL] = "partial", [RECORD_RESUMED] = "resumed",	[RECORD_NEVER] = "never",
	[RECORD_LOST] = "lost",
};

struct line {
	enum record_state state;
	int root;
	unsigned long long start; /* of the root, clock ticks since the boot */
};

bool record_is_id(const char *id)
{
	return strlen(id) == MIGRATION_ID_SIZE - 1 && strspn(id, "0123456789abcdef-") == MIGRATION_ID_SIZE - 1;
}

static void path_of(const char *id, const char *more, char *to, size_t capacity)
{
	snprintf(to, capacity, RECORD_FOLDER "/%s%s", id, more);
}

static int lock_byte(int fd, enum lock_byte byte, short type, int command)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
	int result;

	while ((result = fcntl(fd, command, &lock)) < 0 && errno == EINTR)
		;
	return result < 0 ? -errno : lock.l_type;
}

static bool has_owner(int fd, enum lock_byte byte)
{
	return lock_byte(fd, byte, F_WRLCK, F_GETLK) != F_UNLCK;
}

static unsigned long long start_of(pid_t pid)
{
	AUTO_CLOSE int proc = pid > 0 ? proc_open(pid) : -1;
	struct proc_stat stat;

	return proc >= 0 && proc_stat_read(proc, &stat) == 0 ? stat.start_time : 0;
}

static int write_line(int fd, enum record_state state, pid_t root)
{
	char text[LINE + 1];

	snprintf(text, sizeof(text), "%-9s %10d %20llu%*s\n", names[state], root, start_of(root), LINE - 43, "");
	return io_pwrite(fd, text, LINE, 0);
}

static int read_line(int fd, struct line *ret)
{
	char text[LINE + 1] = "", name[16] = "";

	if (io_pread(fd, text, LINE, 0) < 0 || sscanf(text, "%15s %d %llu", name, &ret->root, &ret->start) != 3)
		return -EBADMSG;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(names[i], name)) {
			ret->state = (enum record_state)i;
			return 0;
		}
	return -EBADMSG;
}

static int open_new(const char *path)
{
	if (mkdir(RECORD_FOLDER, 0700) < 0 && errno != EEXIST)
		return fail_errno("the folder " RECORD_FOLDER " cannot be made");
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return fd < 0 ? fail_errno("%s cannot be made", path) : fd;
}

int record_create(const char *id)
{
	char path[96];
	AUTO_CLOSE int fd = -1;
	int error;

	path_of(id, "", path, sizeof(path));
	fd = open_new(path);
	TRY(fd);
	error = lock_byte(fd, BYTE_OWNER, F_WRLCK, F_SETLK);
	if (error >= 0)
		error = write_line(fd, RECORD_READY, 0);
	if (error < 0) {
		unlink(path);
		return fail(-error, "%s", path);
	}
	return TAKE_FD(fd);
}

int record_move(int record, enum record_state from, enum record_state to, pid_t root)
{
	struct line line = { 0 };
	int error = lock_byte(record, BYTE_CHANGE, F_WRLCK, F_SETLKW);

	if (error >= 0)
		error = read_line(record, &line);
	if (error >= 0 && line.state != from)
		error = -ECANCELED;
	if (error >= 0)
		error = write_line(record, to, root);
	(void)lock_byte(record, BYTE_CHANGE, F_UNLCK, F_SETLK);
	if (error == -ECANCELED)
		return refuse(ECANCELED, "the other side has lost the connection, and goes on: here nothing is to run");
	return error < 0 ? fail(-error, "the record of this migration in " RECORD_FOLDER) : 0;
}

bool record_give_up(int record)
{
	struct line line;
	bool given_up = false;

	if (lock_byte(record, BYTE_CHANGE, F_WRLCK, F_SETLKW) < 0)
		return false;
	if (read_line(record, &line) == 0 && (line.state < RECORD_RELEASING || line.state == RECORD_NEVER))
		given_up = write_line(record, RECORD_NEVER, 0) == 0;
	(void)lock_byte(record, BYTE_CHANGE, F_UNLCK, F_SETLK);
	return given_up;
}

int record_watch(const char *id)
{
	char path[96];
	AUTO_CLOSE int fd = -1;
	int error;

	path_of(id, "", path, sizeof(path));
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fail_errno("%s", path);
	error = lock_byte(fd, BYTE_MEMORY, F_WRLCK, F_SETLK);
	return error < 0 ? fail(-error, "%s", path) : TAKE_FD(fd);
}

void record_door(const char *id, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	path_of(id, ".door", ret->sun_path, sizeof(ret->sun_path));
}

void record_remove(const char *id)
{
	char path[96];

	path_of(id, "", path, sizeof(path));
	(void)unlink(path);
}

/* Of a process that is dead, or before anything was decided. -EAGAIN: it is about to. */
static int decide_outcome(int fd, pid_t *ret_root)
{
	struct line line;
	bool is_first, owned = has_owner(fd, BYTE_OWNER);

	if (read_line(fd, &line) < 0)
		return MIGRATE_NEVER; /* killed before it was ready */
	*ret_root = line.root;
	is_first = line.start && start_of(line.root) == line.start;
	switch (line.state) {
	case RECORD_COMMITTED:
		if (owned)
			return -EAGAIN;
		break;
	case RECORD_RELEASING:
		if (owned)
			return -EAGAIN;
		/* The tasks are let go all together or die: the first of them tells. */
		return is_first ? MIGRATE_RUNS_THERE : MIGRATE_UNKNOWN;
	case RECORD_PARTIAL:
		if (has_owner(fd, BYTE_MEMORY))
			return MIGRATE_PARTIAL;
		/* It was killed: then those that lack memory die as well, which takes a moment. */
		return is_first ? -EAGAIN : line.start ? MIGRATE_LOST : MIGRATE_UNKNOWN;
	case RECORD_RESUMED:
		return MIGRATE_RUNS_THERE;
	case RECORD_NEVER:
		return MIGRATE_NEVER;
	case RECORD_LOST:
		return MIGRATE_LOST;
	case RECORD_READY:
		break;
	}
	return write_line(fd, RECORD_NEVER, 0) < 0 ? MIGRATE_UNKNOWN : MIGRATE_NEVER;
}

enum migrate_outcome record_ask(const char *id, pid_t *ret_root)
{
	const struct deadline deadline = deadline_in_seconds(GRACE_SILENCE_S / 2);
	char path[96];
	AUTO_CLOSE int fd = -1;
	int result;

	*ret_root = 0;
	path_of(id, "", path, sizeof(path));
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) /* it never came so far, or the machine has begun anew since */
		return errno == ENOENT ? MIGRATE_NEVER : MIGRATE_UNKNOWN;
	do {
		if (lock_byte(fd, BYTE_CHANGE, F_WRLCK, F_SETLKW) < 0)
			return MIGRATE_UNKNOWN;
		result = decide_outcome(fd, ret_root);
		(void)lock_byte(fd, BYTE_CHANGE, F_UNLCK, F_SETLK);
		if (result == -EAGAIN)
			usleep(2000);
	} while (result == -EAGAIN && !deadline_passed(&deadline));
	return result < 0 ? MIGRATE_UNKNOWN : (enum migrate_outcome)result;
}

enum record_use record_judge(const char *id)
{
	char path[96];
	AUTO_CLOSE int fd = -1;
	struct line line;

	path_of(id, "", path, sizeof(path));
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || has_owner(fd, BYTE_OWNER) || has_owner(fd, BYTE_MEMORY))
		return RECORD_IN_USE;
	if (read_line(fd, &line) < 0 || line.state < RECORD_RELEASING || line.state == RECORD_NEVER)
		return RECORD_WORTHLESS;
	return RECORD_NEEDED;
}

/* --- on the other side --- */

static unsigned long own_pidns(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) == 0 ? st.st_ino : 0;
}

void record_note_left(const struct left_note *note)
{
	char path[96], text[512];
	AUTO_CLOSE int fd = -1;

	path_of(note->id, ".left", path, sizeof(path));
	snprintf(text, sizeof(text), "%d %llu %lu %d %s %s\n", note->root, start_of(note->root), own_pidns(),
		 note->lock, note->run_id, note->destination);
	fd = open_new(path);
	if (fd >= 0)
		(void)io_write(fd, text, strlen(text));
}

bool record_read_left(const char *id, struct left_note *ret)
{
	char path[96], text[512] = "";
	AUTO_CLOSE int fd = -1;

	*ret = (struct left_note){ 0 };
	snprintf(ret->id, sizeof(ret->id), "%s", id);
	path_of(id, ".left", path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && io_pread(fd, text, sizeof(text) - 1, 0) > 0 &&
	       sscanf(text, "%d %llu %lu %d %36s %255s", &ret->root, &ret->start, &ret->pidns, &ret->lock, ret->run_id,
		      ret->destination) == 6;
}

bool record_is_ours(const struct left_note *note)
{
	return note->pidns == own_pidns();
}

bool record_is_left(const struct left_note *note)
{
	return record_is_ours(note) && note->start && start_of(note->root) == note->start;
}

void record_forget_left(const char *id)
{
	char path[96];

	path_of(id, ".left", path, sizeof(path));
	(void)unlink(path);
}
