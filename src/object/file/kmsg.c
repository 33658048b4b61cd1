/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /dev/kmsg: the messages of the kernel. Whoever reads them has a place in the row, which no call tells: the next
 * message has its number. It is read once, and then read up to there again.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "object/file/needs.h"
#include "object/file/regular/open.h"
#include "object/file/regular/regular.h"

#define MEM_MAJOR    1
#define KMSG_MINOR   11
#define MESSAGE_MAX  16384 /* the kernel's PRINTK_MESSAGE_MAX is smaller */
#define MESSAGES_MAX 10000000
#define BOOT_SIZE    64

static bool is_kmsg(const struct open_file *of)
{
	return !(of->flags & O_PATH) && S_ISCHR(of->stat.st_mode) && of->stat.st_rdev == makedev(MEM_MAJOR, KMSG_MINOR);
}

static bool claims_kmsg(const FileEntry *entry)
{
	return entry->reg->kmsg;
}

static int read_boot_id(char to[BOOT_SIZE])
{
	ssize_t size = file_read_text(AT_FDCWD, "/proc/sys/kernel/random/boot_id", to, BOOT_SIZE);

	if (size < 0)
		return fail((int)-size, "reading the id of this boot");
	to[strcspn(to, "\n")] = '\0';
	return 0;
}

/* "6,1234,5000000,-;text". 1; 0: there is no message yet. */
static int read_number(int fd, uint64_t *ret)
{
	AUTO_FREE char *text = xmalloc(MESSAGE_MAX);
	struct pollfd state = { .fd = fd, .events = POLLIN };
	const char *comma;
	ssize_t size;

	do { /* EPIPE: those that were next have been overwritten */
		if (poll(&state, 1, 0) <= 0)
			return 0;
		size = read(fd, text, MESSAGE_MAX - 1);
	} while (size < 0 && (errno == EPIPE || errno == EINTR));
	if (size < 0 && errno == EAGAIN)
		return 0;
	if (size < 0)
		return fail_errno("reading a message of the kernel");
	text[size] = '\0';
	comma = strchr(text, ',');
	if (!comma)
		return fail(EINVAL, "a message of the kernel has no number");
	*ret = strtoull(comma + 1, NULL, 10);
	return 1;
}

/* The next one that is read will be that of this number, or the first one that there is after it. */
static int go_to(int fd, uint64_t number)
{
	uint64_t last;
	int more = 1;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return fail_errno("going to the first message of the kernel");
	for (unsigned i = 0; i < MESSAGES_MAX && more > 0; i++) {
		more = read_number(fd, &last);
		TRY(more);
		if (more && last + 1 == number)
			return 0;
		if (more && last >= number) /* what was before it is gone by now */
			return lseek(fd, 0, SEEK_SET) < 0 ? fail_errno("going to the first message of the kernel") : 0;
	}
	return 0;
}

/* Nothing is waiting: the next will be the next that the kernel writes. */
static int find_end(uint64_t *ret)
{
	AUTO_CLOSE int own = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	uint64_t last = 0;
	int more = 1;

	if (own < 0)
		return fail_errno("opening /dev/kmsg");
	*ret = 0;
	for (unsigned i = 0; i < MESSAGES_MAX && more > 0; i++) {
		more = read_number(own, &last);
		TRY(more);
		*ret = more ? last + 1 : *ret;
	}
	return 0;
}

static int save_place(struct dump *d, const struct open_file *of, void *arg)
{
	KmsgEntry *entry = arg;
	int more = read_number(of->fd, &entry->next);

	TRY(more);
	entry->has_next = true;
	return more ? go_to(of->fd, entry->next) : find_end(&entry->next);
}

static int dump_kmsg(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	RegFileEntry *record = out->reg;
	char boot[BOOT_SIZE];

	record->id = of->id;
	TRY(regular_dump(d, of, record));
	TRY(read_boot_id(boot));
	record->kmsg = pool_new(d->pool, KmsgEntry);
	kmsg_entry__init(record->kmsg);
	record->kmsg->boot = pool_string(d->pool, boot);
	if ((of->flags & O_ACCMODE) != O_WRONLY)
		file_dump_save(d, save_place, record->kmsg);
	return 0;
}

/* --- restore --- */

static int load_kmsg(const struct restore *r, struct file *f)
{
	return f->entry->reg->name[0] == '/'
		       ? 0
		       : refuse(EINVAL, "files.img: its name \"%s\" is not absolute", f->entry->reg->name);
}

static int need_kmsg(const struct restore *r, struct file *f)
{
	return regular_need(r, f->entry->reg);
}

/* Messages of another kernel have other numbers; what it has said before is none of the program's. */
static int create_kmsg(struct restore *r, struct file *f)
{
	const RegFileEntry *record = f->entry->reg;
	char boot[BOOT_SIZE];

	TRY(regular_open(r, record, 0, &f->fd));
	TRY(file_apply_flags(f->fd, record->flags, record->fown));
	if ((record->flags & O_ACCMODE) == O_WRONLY)
		return 0;
	TRY(read_boot_id(boot));
	if (strcmp(boot, record->kmsg->boot) == 0)
		return go_to(f->fd, record->kmsg->next);
	log_warn("%s: this is another run of a kernel: its messages are read from now on", record->name);
	return lseek(f->fd, 0, SEEK_END) < 0 ? fail_errno("going to the last message of the kernel") : 0;
}

const struct file_kind kmsg_kind = {
	.name = "kmsg",
	.type = FD_TYPES__REG,
	.entry = offsetof(FileEntry, reg),
	.is = is_kmsg,
	.claims = claims_kmsg,
	.dump = dump_kmsg,
	.load = load_kmsg,
	.needs = need_kmsg,
	.create = create_kmsg,
};
