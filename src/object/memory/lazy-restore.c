/* SPDX-License-Identifier: GPL-2.0-only */
/* Restore with --lazy-pages or --on-demand: mappings are registered with a userfaultfd of their task, which the
 * lazy-pages daemon or a process of ours gets. */
#include "object/memory/lazy-restore.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "kern/pidfd.h"
#include "lib/compel/remote.h"
#include "lib/compel/restorer.h"
#include "object/memory/mappings-restore.h"
#include "object/memory/memory.h"
#include "object/memory/on-demand.h"
#include "pages/lazy/lazy.h"
#include "plan/plan.h"
#include "session/session.h"
#include "session/state.h"
#include "vma.pb-c.h"

struct lazy_restore {
	int daemon; /* connection to it */
	int server; /* pidfd of the process of --on-demand, else -1 */
	bool finished;
};

#define END_MS 10000

/* If memory_lazy_finish() was not called, the daemon takes it for a failure. A server of ours is not left behind. */
static void leave_daemon(void *state)
{
	struct lazy_restore *lazy = state;

	if (lazy->daemon >= 0)
		close(lazy->daemon);
	if (lazy->server >= 0 && !lazy->finished)
		(void)pidfd_wait_exit(lazy->server, END_MS);
	if (lazy->server >= 0)
		close(lazy->server);
}

static const struct state_type lazy_restore_state = { sizeof(struct lazy_restore), leave_daemon };

/* NULL if memory is not lazy. */
static struct lazy_restore *lazy_restore_of(const struct restore *r)
{
	return state_find(r->states, &lazy_restore_state);
}

bool memory_can_be_lazy(const struct memory_mapping *mapping)
{
	const VmaEntry *vma = mapping->vma;

	return vma->status & VMA_ANON_PRIVATE && !vma->watched && !(vma->madv & 1ull << MADV_WIPEONFORK) &&
	       !(vma->flags & (MAP_HUGETLB | MAP_LOCKED)) &&
	       !(vma->status & (VMA_VDSO | VMA_VVAR | VMA_VSYSCALL | VMA_AIORING | VMA_SHSTK | VMA_EXT_PLUGIN));
}

bool memory_is_lazy(const struct restore *r)
{
	return r->options->lazy_pages || r->options->on_demand;
}

static int connect_daemon(struct lazy_restore *lazy)
{
	const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = LAZY_SOCKET };

	lazy->daemon = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (lazy->daemon < 0)
		return fail_errno("making a socket");
	if (connect(lazy->daemon, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return fail_errno(
			"--lazy-pages: cannot connect to %s in the work directory: start criu lazy-pages there first",
			LAZY_SOCKET);
	return 0;
}

static int start_server(const struct restore *r, struct lazy_restore *lazy)
{
	pid_t server;

	TRY(memory_on_demand_start(r, &lazy->daemon, &server));
	lazy->server = pidfd_of_process(server);
	return lazy->server < 0 ? fail(-lazy->server, "the process that gives memory to the tasks has ended") : 0;
}

int memory_lazy_begin(struct restore *r)
{
	struct lazy_restore *lazy;

	if (!memory_is_lazy(r))
		return 0;
	lazy = state_make(r->states, &lazy_restore_state);
	lazy->daemon = lazy->server = -1;
	return r->options->on_demand ? start_server(r, lazy) : connect_daemon(lazy);
}

static int tell_pid(struct restore *r, int32_t pid)
{
	int error = io_write(lazy_restore_of(r)->daemon, &pid, sizeof(pid));

	return error < 0 ? fail(-error, "the lazy-pages daemon is gone: its log tells why") : 0;
}

/* The pidfd that comes with the userfaultfd lets the daemon end the task if its memory is lost. */
static int pass_fds(struct restore *r, int uffd, int pidfd)
{
	const int fds[] = { uffd, pidfd };
	int error = fd_send(lazy_restore_of(r)->daemon, fds, 2);

	return error < 0 ? fail(-error, "the lazy-pages daemon is gone: its log tells why") : 0;
}

#define DEVICE "/dev/userfaultfd" /* since Linux 6.1 */

#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif

#define SLOT_US	    1
#define SLOT_DEVICE 2

/*
 * userfaultfd(2) for system calls wants a right over the whole machine, which nobody has in a user namespace. Who has
 * the device may ask it, so we open it for them. -1: it is not needed.
 */
static int open_device(const struct restore *r, const struct task *task)
{
	int device;

	if (!r->facts->ids && !task->restore->inner_users)
		return -1;
	device = open(DEVICE, O_RDWR | O_CLOEXEC);
	return device < 0 ? fail_errno("--lazy-pages in a user namespace needs " DEVICE ", of Linux 6.1") : device;
}

/* Not UFFD_USER_MODE_ONLY: also what a system call finds missing is brought. */
static size_t plan_uffd(const struct restore *r, struct plan *plan, int device)
{
	const char *why = "make a userfaultfd for system calls too (needs CAP_SYS_PTRACE)";
	size_t at;

	if (device < 0)
		return plan_keep_result(plan, plan_syscall(plan, why, __NR_userfaultfd, V(O_CLOEXEC | O_NONBLOCK)));
	restorer_plan_find_us(plan, r->us, SLOT_US);
	plan_syscall(plan, "fetch " DEVICE, __NR_pidfd_getfd, S(SLOT_US), V(device), V(0))->to_slot = SLOT_DEVICE;
	at = plan_keep_result(plan, plan_syscall(plan, "make a userfaultfd", __NR_ioctl, S(SLOT_DEVICE),
						 V(USERFAULTFD_IOC_NEW), V(O_CLOEXEC | O_NONBLOCK)));
	plan_syscall(plan, "close " DEVICE, __NR_close, S(SLOT_DEVICE));
	plan_syscall(plan, "close criu's pidfd", __NR_close, S(SLOT_US));
	return at;
}

/* Makes it in the task, whose memory it belongs to from then on, and takes it over. */
static int take_uffd(struct restore *r, struct task *task, int *ret)
{
	struct remote *remote = task->leader->remote;
	AUTO_CLOSE int device = open_device(r, task);
	struct plan *plan;
	int result, theirs = -1;
	size_t at;

	if (device < -1)
		return device;
	plan = plan_create();
	at = plan_uffd(r, plan, device);
	result = remote_run(remote, plan, &r->progress->deadline);
	if (result == 0)
		theirs = (int)remote_value(remote, at);
	plan_destroy(&plan);
	TRY(result);
	*ret = pidfd_take_fd(task->restore->pidfd, theirs);
	if (*ret < 0)
		return fail(-*ret, "cannot take its userfaultfd");
	plan = plan_create();
	plan_syscall(plan, "close the userfaultfd", __NR_close, V(theirs));
	result = remote_run(remote, plan, &r->progress->deadline);
	plan_destroy(&plan);
	return result;
}

/* --- no huge pages until all is registered: one that is made by a write nearby covers pages that are still to come ---
 */

static struct step *plan_huge_pages(struct plan *plan, bool on)
{
	return plan_syscall(plan, on ? "allow huge pages" : "forbid huge pages", __NR_prctl, V(PR_SET_THP_DISABLE),
			    V(!on), V(0), V(0), V(0));
}

/* Will a userfaultfd of the program wait for pages that are missing? It is made when the memory is filled. */
static bool is_watched(const struct memory_restore *memory)
{
	for (size_t i = 0; i < memory->n; i++)
		if (memory->mappings[i].vma->watched & UFFDIO_REGISTER_MODE_MISSING)
			return true;
	return false;
}

void memory_lazy_plan(const struct restore *r, const struct memory_restore *memory, struct plan *plan)
{
	if (memory_is_lazy(r) || is_watched(memory))
		plan_huge_pages(plan, false);
}

/* What the task itself had set is set at the end. */
static int allow_huge_pages(struct restore *r, struct task *task)
{
	struct plan *plan = plan_create();
	int result;

	plan_huge_pages(plan, true);
	result = remote_run(task->leader->remote, plan, &r->progress->deadline);
	plan_destroy(&plan);
	return result;
}

static int register_mappings(const struct memory_restore *memory, int uffd)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_REMOVE |
			    UFFD_FEATURE_EVENT_UNMAP,
	};

	if (ioctl(uffd, UFFDIO_API, &api) < 0)
		return fail_errno("this kernel does not tell what lazy tasks do (criu check --feature uffd-noncoop)");
	for (size_t i = 0; i < memory->n; i++) {
		const VmaEntry *vma = memory->mappings[i].vma;
		struct uffdio_register reg = {
			.range = { vma->start, vma->end - vma->start },
			.mode = UFFDIO_REGISTER_MODE_MISSING,
		};

		if (memory->mappings[i].lazy && ioctl(uffd, UFFDIO_REGISTER, &reg) < 0)
			return fail_errno("cannot register %#llx-%#llx with a userfaultfd", reg.range.start,
					  reg.range.start + reg.range.len);
	}
	return 0;
}

static bool has_lazy_mappings(const struct task *task)
{
	const struct memory_restore *memory = memory_restore_of(task);

	for (size_t i = 0; memory && i < memory->n; i++)
		if (memory->mappings[i].lazy)
			return true;
	return false;
}

static int hand_over(struct restore *r, struct task *task)
{
	AUTO_CLOSE int uffd = -1;

	if (!has_lazy_mappings(task))
		return tell_pid(r, -task->vpid); /* nothing will follow */
	TRY(take_uffd(r, task, &uffd));
	TRY(register_mappings(memory_restore_of(task), uffd));
	TRY(tell_pid(r, task->vpid));
	return pass_fds(r, uffd, task->restore->pidfd);
}

int memory_lazy_register(struct restore *r, struct task *task)
{

	if (!lazy_restore_of(r) || task->state == TASK_HELPER)
		return 0;
	LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
	if (!task_is_live(task) || task->restore->memory_from)
		return tell_pid(r, -task->vpid);
	TRY(hand_over(r, task));
	return is_watched(memory_restore_of(task)) ? 0 : allow_huge_pages(r, task);
}

void memory_lazy_finish(struct restore *r)
{
	const uint32_t finished = LAZY_FINISHED;
	struct lazy_restore *lazy = lazy_restore_of(r);

	if (!lazy)
		return;
	lazy->finished = true;
	if (io_write(lazy->daemon, &finished, sizeof(finished)) < 0)
		log_error("The lazy-pages daemon is gone, and the tasks with it: its log tells why");
}
