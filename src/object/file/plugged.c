/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files that only a plugin knows: device nodes with state behind them, anonymous inodes without a kind. The record has
 * nothing but the number of the file, by which the plugin finds what it has saved itself. Without a plugin such a file
 * is refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/array.h"
#include "base/deadline.h"
#include "base/fail.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/text.h"
#include "object/file/file-restore.h"
#include "object/file/file-state.h"
#include "object/file/path.h"
#include "object/file/regular/regular.h"
#include "plugin/plugin.h"

/* The last kind of the list: whatever is left. */
static bool is_left(const struct open_file *of)
{
	return true;
}

static int refuse_file(const struct open_file *of)
{
	static const struct {
		const char *link, *advice;
	} known[] = {
		{ "anon_inode:[perf_event]", "stop perf" },
		{ "anon_inode:bpf-prog", "end the tracer or close it before the dump; systemd has one for each service "
					 "with IPAddressDeny= or IPAddressAllow=: both empty in a drop-in of "
					 "/etc/systemd/system/service.d, it has none" },
		{ "anon_inode:bpf", "end the tracer or close it before the dump" },
		{ "anon_inode:[userfaultfd]", "let the program close it" },
		{ "anon_inode:kvm", "a virtual machine has means of its own to be saved" },
	};
	const mode_t mode = of->stat.st_mode;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (text_starts(of->link, known[i].link))
			return refuse(EOPNOTSUPP, "%s cannot be saved: %s", text_after(of->link, "anon_inode:"),
				      known[i].advice);
	if (S_ISCHR(mode) || S_ISBLK(mode))
		return refuse(EOPNOTSUPP,
			      "%s device %u:%u: nothing is known about what its driver keeps for the program; let the "
			      "program close it before the dump, or use a plugin for it",
			      S_ISCHR(mode) ? "character" : "block", major(of->stat.st_rdev), minor(of->stat.st_rdev));
	return refuse(EOPNOTSUPP,
		      "a file of this kind (mode 0%o, file system 0x%lx) cannot be saved; close it before the dump",
		      mode, of->fs_magic);
}

struct question {
	int (*refuse_it)(const struct open_file *of);
};

static int save_plugged(struct dump *d, const struct open_file *of, void *arg)
{
	const struct question *question = arg;
	int answer = plugins_ask(d->plugins, DUMP_EXT_FILE, of->fd, (int)of->id);

	if (answer == -EOPNOTSUPP)
		return question->refuse_it(of);
	return answer < 0 ? plugins_fail(d->plugins, answer) : 0;
}

/* A plugin that is asked saves it. */
int file_dump_plugged(const struct dump *d, const struct open_file *of, FileEntry *out,
		      int (*refuse_it)(const struct open_file *of))
{
	struct question *question = pool_new(d->pool, struct question);

	out->ext->id = of->id;
	out->ext->fown = of->owner;
	question->refuse_it = refuse_it;
	if (!plugins_have(d->plugins, CR_PLUGIN_HOOK__DUMP_EXT_FILE))
		return refuse_it(of);
	file_dump_save(d, save_plugged, question);
	return 0;
}

static int dump_plugged(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	return file_dump_plugged(d, of, out, refuse_file);
}

/* 1: it is there; 0: the plugin wants to be asked again. */
static int ask_for(struct restore *r, struct file *f)
{
	bool again = false;
	int fd;

	LOG_SCOPE("file %u (%s)", f->id, f->kind->name);
	fd = plugins_ask(r->plugins, RESTORE_EXT_FILE, (int)f->id, &again);
	if (again)
		return 0;
	if (fd == -EOPNOTSUPP)
		return refuse(EOPNOTSUPP,
			      "it was saved by a plugin, and no plugin here wants to restore it: give their "
			      "directory with --libdir");
	if (fd < 0)
		return plugins_fail(r->plugins, fd);
	f->fd = fd;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return fail_errno("descriptor %d that the plugin gave", fd);
	return 1;
}

/* All others that are not there yet: one of them may be what the plugin waits for. Returns how many could be made. */
static int ask_for_others(struct restore *r, const struct file *but)
{
	struct file_set *files = file_set_of(r);
	int made = 0;

	for (size_t i = 0; i < files->files.n; i++) {
		struct file *f = files->files.items[i];
		int result;

		if (f == but || f->kind != but->kind || f->fd >= 0)
			continue;
		result = ask_for(r, f);
		TRY(result);
		made += result;
	}
	return made;
}

/* A plugin may also wait for something that takes time. */
static int create_plugged(struct restore *r, struct file *f)
{
	int made;

	for (;;) {
		int result = ask_for(r, f);

		if (result)
			return result < 0 ? result : 0;
		made = ask_for_others(r, f);
		TRY(made);
		TRY(interrupt_check());
		if (deadline_passed(&r->progress->deadline))
			return refuse(ETIMEDOUT,
				      "the plugin %s wants to be asked for it later, and the time for that is over: "
				      "raise --timeout",
				      plugins_asked(r->plugins));
		if (!made)
			usleep(10000);
	}
}

const struct file_kind plugged_kind = {
	.name = "plugin file",
	.type = FD_TYPES__EXT,
	.entry = offsetof(FileEntry, ext),
	.is = is_left,
	.dump = dump_plugged,
	.create = create_plugged,
};

int file_restore_plugged(struct restore *r)
{
	int fd;

	for (size_t i = 0; i < file_set_of(r)->files.n; i++)
		if (file_set_of(r)->files.items[i]->kind == &plugged_kind)
			TRY(file_get_fd(r, file_set_of(r)->files.items[i], &fd));
	return 0;
}

int file_dump_device_path(const struct dump *d, struct task *task, int fd, const char *link, uint32_t flags,
			  uint32_t *ret_id)
{
	struct open_file of = {
		.task = task, .task_fd = -1, .fd = fd, .link = pool_string(d->pool, link), .flags = flags
	};

	TRY(file_describe_path(d, &of));
	of.owner = pool_new(d->pool, FownEntry);
	fown_entry__init(of.owner);
	return regular_dump_extra(d, &of, ret_id);
}
