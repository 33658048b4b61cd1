/* SPDX-License-Identifier: GPL-2.0-only */
/* What every open file has: flags that may be changed later, the owner of its signals (SIGIO). */
#include "object/file/flags.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fail.h"
#include "object/file/file.h"
#include "session/ids.h"
#include "session/kernel-view.h"
#include "session/pids.h"

#define FLAGS_OF_SETFL (O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME)

/* <linux/fcntl.h>, which does not get along with <fcntl.h> */
#ifndef F_GETOWNER_UIDS
#define F_GETOWNER_UIDS 17
#endif

int file_apply_flags(int fd, uint32_t flags, const FownEntry *owner)
{
	int old = fcntl(fd, F_GETFL);

	return old < 0 ? fail_errno("reading the flags of a new file") : file_change_flags(fd, old, flags, owner);
}

int file_change_flags(int fd, int old, uint32_t flags, const FownEntry *owner)
{
	const int new = (old & ~FLAGS_OF_SETFL) | ((int)flags & FLAGS_OF_SETFL);

	if (new != old && fcntl(fd, F_SETFL, new) < 0)
		return fail_errno("setting the flags 0%o of a file", flags);
	if (owner && owner->signum && fcntl(fd, F_SETSIG, (int)owner->signum) < 0)
		return fail_errno("setting the signal %u of a file", owner->signum);
	return 0;
}

int file_read_owner(const struct dump *d, int fd, FownEntry *owner)
{
	struct f_owner_ex who;
	uint32_t ids[2];
	int signal = fcntl(fd, F_GETSIG);

	if (signal < 0 || fcntl(fd, F_GETOWN_EX, &who) < 0)
		return fail_errno("reading the signal owner of a file");
	owner->signum = (uint32_t)signal;
	who.pid = dump_inner_pid(d, who.pid);
	if (!who.pid)
		return 0;
	if (fcntl(fd, F_GETOWNER_UIDS, ids) < 0)
		return fail_errno("reading the user of the signal owner of a file");
	owner->uid = dump_inner_uid(d, ids[0]);
	owner->euid = dump_inner_uid(d, ids[1]);
	owner->pid_type = (uint32_t)who.type;
	owner->pid = (uint32_t)who.pid;
	return 0;
}

/* The kernel's struct fown_struct: within struct file, since Linux 6.12 by an address, if anything of it was ever set.
 */
static bool read_owner(struct kernel_view *view, uint64_t file, struct f_owner_ex *who, FownEntry *owner)
{
	uint64_t at = 0, pid = 0;
	int32_t type = 0;

	if (!kernel_view_read(view, file, "file", "f_owner", &at, sizeof(at)))
		at = kernel_view_place(view, file, "file", "f_owner");
	else if (!at)
		return true;
	if (!kernel_view_read(view, at, "fown_struct", "pid", &pid, sizeof(pid)) ||
	    !kernel_view_read(view, at, "fown_struct", "pid_type", &type, sizeof(type)) ||
	    !kernel_view_read(view, at, "fown_struct", "uid", &owner->uid, sizeof(owner->uid)) ||
	    !kernel_view_read(view, at, "fown_struct", "euid", &owner->euid, sizeof(owner->euid)) ||
	    !kernel_view_read(view, at, "fown_struct", "signum", &owner->signum, sizeof(owner->signum)))
		return false;
	who->type = type;
	who->pid = pid ? kernel_view_pid(view, pid) : 0;
	return true;
}

int file_view_owner(const struct dump *d, const struct open_file *of, FownEntry *owner)
{
	struct f_owner_ex who = { 0 };
	const char *why;
	struct kernel_view *view = kernel_view_get(d, &why);

	if (!view)
		return refuse(EOPNOTSUPP, "who gets the signals of a file cannot be told: %s", why);
	if (!read_owner(view, kernel_view_file_of(view, of->task->dump->proc, of->task_fd), &who, owner))
		return refuse(EOPNOTSUPP,
			      "who gets the signals of a file cannot be told: this kernel has it elsewhere");
	who.pid = dump_inner_pid(d, who.pid);
	owner->uid = who.pid ? dump_inner_uid(d, owner->uid) : 0;
	owner->euid = who.pid ? dump_inner_uid(d, owner->euid) : 0;
	owner->pid_type = who.pid ? (uint32_t)who.type : 0;
	owner->pid = (uint32_t)who.pid;
	return 0;
}

int file_apply_owner(const struct restore *r, int fd, const FownEntry *owner)
{
	struct f_owner_ex who = { (int)owner->pid_type, restore_outer_pid(r, (pid_t)owner->pid) };
	uid_t wanted = restore_outer_uid(r, owner->uid), wanted_effective = restore_outer_uid(r, owner->euid);
	uid_t uid = getuid(), euid = geteuid(), saved = euid;
	bool other = wanted != uid || wanted_effective != euid;
	int result, error;

	/*
	 * The kernel remembers who sets the owner: signals are sent with his rights. The plain system call changes this
	 * thread only; the saved id keeps the way back.
	 */
	if (other && syscall(SYS_setresuid, wanted, wanted_effective, saved) < 0)
		return fail_errno("becoming user %u to set the signal owner of a file", owner->euid);
	result = fcntl(fd, F_SETOWN_EX, &who);
	error = errno;
	if (other && syscall(SYS_setresuid, uid, euid, saved) < 0)
		return fail_errno("becoming user %u again", euid);
	if (other)
		restore_make_files_begin(r);
	if (result < 0)
		return fail(error, "setting process %u as signal owner of a file", owner->pid);
	return 0;
}

int file_make_as_user(const struct restore *r, const struct file *f, int (*make)(const struct file *f))
{
	const ThreadCoreEntry *core = f->owner ? f->owner->leader->core->thread_core : NULL;
	uid_t user = core && core->creds ? restore_outer_uid(r, core->creds->euid) : 0, old = geteuid();
	int result;

	/* The plain system call changes this thread only; the saved id keeps the way back. */
	if (old != 0 || user == 0 || syscall(SYS_setresuid, user, user, old) < 0)
		return make(f);
	result = make(f);
	if (syscall(SYS_setresuid, old, old, old) < 0)
		return fail_errno("becoming user %u again", old);
	restore_make_files_begin(r);
	return result;
}
