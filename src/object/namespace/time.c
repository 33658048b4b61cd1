/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Time namespaces (time_namespaces(7)): the monotonic clock and that since boot. A tree that lived in criu's own gets
 * one as well (timens-0.img), so that its clocks go on where they stood, on another machine or after a reboot too.
 * Where that is not possible, its clocks are left alone.
 */
#include "object/namespace/time.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "image/record.h"
#include "kern/namespaces.h"
#include "kern/proc/proc.h"
#include "object/namespace/namespace.h"
#include "timens.pb-c.h"

#define NS_PER_S 1000000000ll
#define LONGEST	 (INT64_MAX / NS_PER_S / 2) /* seconds; the kernel takes no more */

int time_offsets_for_children(int proc, struct time_offsets *ret)
{
	long long seconds[2], ns[2];
	char text[256];
	ssize_t size = file_read_text(proc, "timens_offsets", text, sizeof(text));

	if (size < 0)
		return fail((int)-size, "reading timens_offsets");
	if (sscanf(text, "monotonic %lld %lld boottime %lld %lld", &seconds[0], &ns[0], &seconds[1], &ns[1]) != 4)
		return refuse(EINVAL, "timens_offsets is \"%s\"", text);
	ret->monotonic = seconds[0] * NS_PER_S + ns[0];
	ret->boottime = seconds[1] * NS_PER_S + ns[1];
	return 0;
}

static int read_own_offsets(struct time_offsets *ret)
{
	AUTO_CLOSE int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return self < 0 ? fail_errno("opening /proc/self") : time_offsets_for_children(self, ret);
}

static int read_there(int ns, struct time_offsets *ret)
{
	return setns(ns, CLONE_NEWTIME) < 0 ? -errno : read_own_offsets(ret);
}

/* What is shown is that for children, so a process of ours enters it: one with memory of its own, as setns(2) wants. */
static int ask_clocks(int ns, struct time_offsets *ret)
{
	struct {
		int error;
		struct time_offsets offsets;
	} answer;
	int ends[2];
	pid_t pid;
	bool got;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail_errno("making a pipe");
	pid = fork();
	if (pid == 0) {
		answer.error = read_there(ns, &answer.offsets);
		_exit(write(ends[1], &answer, sizeof(answer)) != sizeof(answer));
	}
	close(ends[1]);
	got = pid > 0 && read(ends[0], &answer, sizeof(answer)) == sizeof(answer);
	close(ends[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	if (!got || answer.error < 0)
		return fail(got ? -answer.error : EIO, "entering a time namespace");
	*ret = answer.offsets;
	return 0;
}

/* False also for a kernel without time namespaces. */
static bool has_other_for_children(int proc)
{
	ino_t own, children;

	return proc_namespace(proc, "ns/time", &own) == 0 &&
	       proc_namespace(proc, "ns/time_for_children", &children) == 0 && own != children;
}

int time_offsets_inside(int proc, struct time_offsets *ret)
{
	AUTO_CLOSE int ns = has_other_for_children(proc) ? openat(proc, "ns/time", O_RDONLY | O_CLOEXEC) : -1;

	return ns < 0 ? time_offsets_for_children(proc, ret) : ask_clocks(ns, ret);
}

/* --- dump --- */

static Timespec *clock_there(struct dump *d, clockid_t clock, int64_t shift)
{
	Timespec *record = pool_new(d->pool, Timespec);
	struct timespec now;
	int64_t value;

	clock_gettime(clock, &now);
	value = (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec + shift;
	timespec__init(record);
	record->tv_sec = (uint64_t)(value / NS_PER_S);
	record->tv_nsec = (uint64_t)(value % NS_PER_S);
	return record;
}

static int dump_time(struct dump *d, struct namespace *ns)
{
	TimensEntry entry = TIMENS_ENTRY__INIT;
	struct time_offsets theirs, ours;

	TRY(ns->task ? time_offsets_inside(ns->task->dump->proc, &theirs) : ask_clocks(ns->fd, &theirs));
	TRY(read_own_offsets(&ours));
	entry.monotonic = clock_there(d, CLOCK_MONOTONIC, theirs.monotonic - ours.monotonic);
	entry.boottime = clock_there(d, CLOCK_BOOTTIME, theirs.boottime - ours.boottime);
	return image_write_one(dump_store(d), IMAGE_TIMENS, &entry, ns->id);
}

/* --- restore --- */

struct clocks {
	const TimensEntry *entry;
	bool wanted;		     /* by the images; else it would only be better */
	struct time_offsets offsets; /* of the namespace, as soon as it is made */
	struct time_offsets shift;   /* from our clocks to those there */
};

static int check_time(const Timespec *time, uint32_t number)
{
	if (time->tv_sec > LONGEST || time->tv_nsec >= NS_PER_S)
		return refuse(EINVAL,
			      "timens-%u.img: a clock stood at %" PRIu64 " s %" PRIu64 " ns: the image is damaged",
			      number, time->tv_sec, time->tv_nsec);
	return 0;
}

/* -ENOENT, unlogged. */
static int load_clocks(const struct restore *r, struct namespace *ns, uint32_t number, bool wanted)
{
	struct clocks *clocks = pool_new(r->pool, struct clocks);
	TimensEntry *entry;

	TRY(image_read_one(r->store, IMAGE_TIMENS, &entry, number));
	TRY(check_time(entry->monotonic, number));
	TRY(check_time(entry->boottime, number));
	clocks->entry = entry;
	clocks->wanted = wanted;
	ns->data = clocks;
	return 0;
}

static int load_time(const struct restore *r, struct namespace *ns)
{
	int error = load_clocks(r, ns, ns->id, true);

	if (error == -ENOENT)
		return refuse(ENOENT, "timens-%u.img is missing: the checkpoint is not complete", ns->id);
	return error;
}

/* Number 0 stands for the clocks of the host. */
static int adopt_time(const struct restore *r, struct namespace *ns)
{
	int error = load_clocks(r, ns, 0, false);

	if (error == -ENOENT)
		log_warn("timens-0.img is missing: the clocks are left alone");
	if (error < 0)
		return error == -ENOENT ? 0 : error;
	return !r->options->unprivileged && geteuid() == 0 && access("/proc/self/timens_offsets", F_OK) == 0;
}

static int64_t find_shift(clockid_t clock, const Timespec *wanted)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return ((int64_t)wanted->tv_sec - now.tv_sec) * NS_PER_S + (int64_t)wanted->tv_nsec - now.tv_nsec;
}

/* The kernel wants nanoseconds that are not negative. */
static void print_offset(char *to, size_t capacity, const char *clock, int64_t offset)
{
	int64_t ns = (offset % NS_PER_S + NS_PER_S) % NS_PER_S;

	snprintf(to, capacity, "%s %" PRId64 " %" PRId64, clock, (int64_t)((offset - ns) / NS_PER_S), ns);
}

static int write_offsets(int proc, const char *name, const struct time_offsets *offsets)
{
	char text[2][64], both[130];

	print_offset(text[0], sizeof(text[0]), "monotonic", offsets->monotonic);
	print_offset(text[1], sizeof(text[1]), "boottime", offsets->boottime);
	snprintf(both, sizeof(both), "%s\n%s\n", text[0], text[1]);
	return file_write_text(proc, name, both);
}

int time_offsets_write(int proc, const struct time_offsets *offsets)
{
	int error = write_offsets(proc, "timens_offsets", offsets);

	return error < 0 ? fail(-error, "setting the clocks of its children") : 0;
}

static int make_there(void *arg)
{
	struct namespace *ns = arg;
	struct clocks *clocks = ns->data;
	int error;

	if (unshare(CLONE_NEWTIME) < 0)
		return -errno;
	error = write_offsets(AT_FDCWD, "/proc/self/timens_offsets", &clocks->offsets);
	if (error < 0)
		return error;
	ns->fd = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
	return ns->fd < 0 ? -errno : 0;
}

static int make_time(struct restore *r, struct namespace *ns)
{
	struct clocks *clocks = ns->data;
	struct time_offsets ours;
	AUTO_CLOSE int user = -1;
	uint32_t flag = 0;
	int error;

	TRY(read_own_offsets(&ours));
	clocks->shift.monotonic = find_shift(CLOCK_MONOTONIC, clocks->entry->monotonic);
	clocks->shift.boottime = find_shift(CLOCK_BOOTTIME, clocks->entry->boottime);
	clocks->offsets = (struct time_offsets){ ours.monotonic + clocks->shift.monotonic,
						 ours.boottime + clocks->shift.boottime };
	user = r->facts->ids || ns->owner ? namespace_open_owner(r, ns, &flag) : -1;
	if (flag)
		TRY(user);
	error = namespace_run(user, flag, make_there, ns);
	if (error == 0)
		return 0;
	if (clocks->wanted)
		return fail(-error, "making a time namespace");
	log_warn("a time namespace cannot be made (%s): the clocks are left alone", strerror(-error));
	ns->own = true;
	return 0;
}

int64_t time_shift(const struct restore *r, const struct task *task, clockid_t clock)
{
	const struct namespace *ns =
		restore_namespaces(r) ? namespace_of(restore_namespaces(r), task, namespace_kind_find(CLONE_NEWTIME))
				      : NULL;
	const struct clocks *clocks = ns && !ns->own ? ns->data : NULL;

	if (!clocks)
		return 0;
	return clock == CLOCK_MONOTONIC	 ? clocks->shift.monotonic
	       : clock == CLOCK_BOOTTIME ? clocks->shift.boottime
					 : 0;
}

static void read_clock(clockid_t clock, Timespec *ret)
{
	struct timespec time;

	clock_gettime(clock, &time);
	timespec__init(ret);
	ret->tv_sec = (uint64_t)time.tv_sec;
	ret->tv_nsec = (uint64_t)time.tv_nsec;
}

int time_dump_host(struct dump *d)
{
	TimensEntry entry = TIMENS_ENTRY__INIT;
	Timespec monotonic, boottime;

	if (namespace_of_root(dump_namespaces(d), d->tree, CLONE_NEWTIME, NULL))
		return 0; /* it has clocks of its own */
	read_clock(CLOCK_MONOTONIC, &monotonic);
	read_clock(CLOCK_BOOTTIME, &boottime);
	entry.monotonic = &monotonic;
	entry.boottime = &boottime;
	/* Number 0 stands for the clocks of the host. */
	return image_write_one(dump_store(d), IMAGE_TIMENS, &entry, 0);
}

const struct namespace_kind time_kind = {
	NAMESPACE_KIND("time", CLONE_NEWTIME, time_ns_id),
	.joinable = true,
	.implied = true,
	.nested = true,
	.keepable = true,
	.dump = dump_time,
	.adopt = adopt_time,
	.load = load_time,
	.make = make_time,
	.made_inside = true,
};
