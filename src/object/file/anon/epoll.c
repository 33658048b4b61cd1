/* SPDX-License-Identifier: GPL-2.0-only */
/* epoll(7): a set of watched files. A target is a file together with the number it was added by; the number may be
 * reused since. */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/vector.h"
#include "kern/kcmp.h"
#include "kern/syscalls.h"
#include "object/file/descriptors-restore.h"
#include "object/file/file.h"
#include "plan/plan.h"
#include "session/needs.h"

#define SLOT_ASIDE 1

const struct file_kind epoll_kind;

/* An epoll file whose targets are looked up when all descriptors are known. */
struct epoll_dump {
	struct epoll_dump *next;
	struct task *task;
	pid_t pid; /* who has fd: the task, or we if it was found in a message */
	int fd;
	EventpollFileEntry *record;
};

/* "21 events: 80000019 data: 123456789abcdef  pos:0 ino:40e sdev:10" */
static int parse_target(const char *value, EventpollTfdEntry *target)
{
	uint64_t events, dev;
	char *end;

	eventpoll_tfd_entry__init(target);
	target->tfd = (uint32_t)strtoul(value, &end, 10);
	if (end == value || fdinfo_field_u64(value, "events", 16, &events) < 0 ||
	    fdinfo_field_u64(value, "data", 16, &target->data) < 0)
		return refuse(EINVAL, "fdinfo of an epoll file cannot be understood: \"%s\"", value);
	target->events = (uint32_t)events;
	target->has_pos = fdinfo_field_u64(value, "pos", 10, &target->pos) == 0;
	target->has_inode = fdinfo_field_u64(value, "ino", 16, &target->inode) == 0;
	target->has_dev = fdinfo_field_u64(value, "sdev", 16, &dev) == 0;
	target->dev = (uint32_t)dev;
	return 0;
}

/* Targets of one number stay in the order of the kernel, which kcmp counts by; id holds it for the moment. */
static int compare_targets(const void *a, const void *b)
{
	const EventpollTfdEntry *left = *(EventpollTfdEntry *const *)a, *right = *(EventpollTfdEntry *const *)b;

	if (left->tfd != right->tfd)
		return left->tfd < right->tfd ? -1 : 1;
	return left->id < right->id ? -1 : 1;
}

/* A kernel without it has nothing to tell. */
static void dump_busy_poll(int fd, EventpollFileEntry *record)
{
	struct busy_poll poll = { 0 };

	if (ioctl(fd, GET_BUSY_POLL, &poll) < 0 || (!poll.usecs && !poll.budget && !poll.prefer))
		return;
	record->has_busy_poll_usecs = record->has_busy_poll_budget = record->has_prefer_busy_poll = true;
	record->busy_poll_usecs = poll.usecs;
	record->busy_poll_budget = poll.budget;
	record->prefer_busy_poll = poll.prefer;
}

static int apply_busy_poll(int fd, const EventpollFileEntry *record)
{
	struct busy_poll poll = { record->busy_poll_usecs, (uint16_t)record->busy_poll_budget,
				  record->prefer_busy_poll };

	if (!record->has_busy_poll_usecs || ioctl(fd, SET_BUSY_POLL, &poll) == 0)
		return 0;
	return fail_errno("setting how an epoll file polls devices (Linux 6.9)");
}

/* The files that were dumped, the last first. */
static const struct state_type epoll_dump_state = { sizeof(struct epoll_dump *), NULL };

static int dump_epoll(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	struct epoll_dump **last = state_get(d->states, &epoll_dump_state);
	EventpollFileEntry *record = out->epfd;
	struct epoll_dump *epoll = pool_new(d->pool, struct epoll_dump);
	VECTOR(EventpollTfdEntry *) targets = { 0 };
	const char *value;
	size_t at = 0;
	int error = 0;

	record->id = of->id;
	record->flags = of->flags;
	record->fown = of->owner;
	dump_busy_poll(of->fd, record);
	while (error == 0 && (value = fdinfo_next(of->fdinfo, "tfd", &at))) {
		EventpollTfdEntry *target = pool_new(d->pool, EventpollTfdEntry);

		error = parse_target(value, target);
		target->id = (uint32_t)targets.n;
		*vector_push(&targets) = target;
	}
	if (targets.n)
		qsort(targets.items, targets.n, sizeof(*targets.items), compare_targets);
	for (size_t i = 0; i < targets.n; i++)
		targets.items[i]->id = 0;
	record->n_tfd = targets.n;
	record->tfd = pool_copy(d->pool, targets.items, targets.n * sizeof(*targets.items));
	vector_done(&targets);
	*epoll = (struct epoll_dump){ *last, of->task, of->task->pid, of->task_fd, record };
	*last = epoll;
	if (epoll->fd >= 0)
		return error;
	epoll->pid = getpid();
	epoll->fd = fcntl(of->fd, F_DUPFD_CLOEXEC, 3);
	return epoll->fd < 0 ? fail_errno("duplicating a descriptor") : error;
}

/*
 * The number in an epoll file says what it was when the target was added. 1 = descriptor fd of the task is that target.
 * toff tells apart targets of one number: the file behind the number may have been exchanged.
 */
static int is_target(const struct epoll_dump *epoll, const struct task *task, int fd, uint32_t tfd, unsigned toff)
{
	int same = kcmp_epoll_target(task->pid, fd, epoll->pid, epoll->fd, (int)tfd, toff);

	if (same == -EBADF)
		return 0;
	return same < 0 ? fail(-same, "asking what an epoll file watches (kcmp)") : same;
}

/* Among the descriptors of the epoll file's own table, or else of the others. */
static int find_known(const struct dump *d, const struct epoll_dump *epoll, EventpollTfdEntry *target, unsigned toff,
		      bool own)
{
	size_t n;
	const struct known_descriptor *known = file_known_descriptors(d, &n);

	for (size_t i = 0; i < n; i++) {
		int same;

		if ((epoll->pid != getpid() && known[i].task->ids->files_id == epoll->task->ids->files_id) != own)
			continue;
		if (target->has_inode && known[i].ino != target->inode)
			continue;
		same = is_target(epoll, known[i].task, known[i].fd, target->tfd, toff);
		TRY(same);
		if (!same)
			continue;
		/*
		 * Others add the target by the number in tfd, which must exist. The number that it was added by is kept
		 * in id, plus 1; for the others that member has no meaning, and is 0.
		 */
		if ((uint32_t)known[i].fd != target->tfd || !own)
			target->id = target->tfd + 1;
		target->tfd = (uint32_t)known[i].fd;
		return 1;
	}
	return 0;
}

static int resolve_targets(const struct dump *d, struct epoll_dump *epoll)
{
	EventpollFileEntry *record = epoll->record;
	size_t kept = 0;
	unsigned toff = 0;
	uint32_t last = UINT32_MAX;

	for (size_t i = 0; i < record->n_tfd; i++) {
		EventpollTfdEntry *target = record->tfd[i];
		uint32_t tfd = target->tfd;
		int found;

		toff = tfd == last ? toff + 1 : 0;
		last = tfd;
		found = epoll->pid == getpid() ? 0 : is_target(epoll, epoll->task, (int)tfd, tfd, toff);
		if (found == 0)
			found = find_known(d, epoll, target, toff, true);
		if (found == 0)
			found = find_known(d, epoll, target, toff, false);
		TRY(found);
		if (found)
			record->tfd[kept++] = target;
		else
			log_warn("target %u of an epoll file is open nowhere in the tree: its events will be missing",
				 tfd);
	}
	record->n_tfd = kept;
	return 0;
}

static int finish_epolls(const struct dump *d)
{
	struct epoll_dump **last = state_get(d->states, &epoll_dump_state);

	for (struct epoll_dump *epoll = *last; epoll; epoll = epoll->next) {
		LOG_SCOPE("task %d (%s): descriptor %d", epoll->task->vpid, epoll->task->comm, epoll->fd);
		TRY(resolve_targets(d, epoll));
		if (epoll->pid == getpid())
			close(epoll->fd);
	}
	return 0;
}

/* --- restore --- */

static int create_epoll(struct restore *r, struct file *f)
{
	AUTO_CLOSE int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return fail_errno("making an epoll file");
	TRY(file_apply_flags(fd, f->entry->epfd->flags, f->entry->epfd->fown));
	TRY(apply_busy_poll(fd, f->entry->epfd));
	f->fd = TAKE_FD(fd);
	return 0;
}

/* The number that a target is added by: see find_known(). */
static uint32_t number_of(const EventpollTfdEntry *target)
{
	return target->id ? target->id - 1 : target->tfd;
}

/* The task that adds the targets must have them: the first that has the epoll file may have closed some. */
static int link_epoll(const struct restore *r, struct file *f)
{
	const EventpollFileEntry *record = f->entry->epfd;
	struct file **targets = pool_array(r->pool, struct file *, record->n_tfd + 1);

	if (record->has_busy_poll_usecs)
		TRY(need_kernel(r, FEATURE_ID_epoll_busy_poll));
	f->data = targets;
	if (!f->owner)
		f->users++; /* until settle_loose() */
	for (size_t i = 0; i < record->n_tfd; i++) {
		uint32_t number = record->tfd[i]->tfd;
		struct task *task;

		targets[i] = f->owner ? file_at_number(r, f->owner, number) : NULL;
		for_each_task(task, r->tree)
			if (!targets[i] && task_is_live(task))
				targets[i] = file_at_number(r, task, number);
		if (!targets[i])
			return refuse(EINVAL, "files.img: it watches descriptor %u, which no task has", number);
		TRY(file_use(r, targets[i]->id, NULL)); /* until settle */
		if (f->owner)
			file_reserve_number(r, f->owner, number_of(record->tfd[i]));
	}
	return 0;
}

/* Puts the target for a moment at the number that it was added by, and what is there now aside. */
static int plan_borrow(struct restore *r, struct file *f, struct file *target, const EventpollTfdEntry *record,
		       uint32_t number, struct plan *p)
{
	int fd;

	if (file_at_number(r, f->owner, number))
		plan_syscall(p, "put a descriptor aside", __NR_fcntl, V(number), V(F_DUPFD_CLOEXEC), V(0))->to_slot =
			SLOT_ASIDE;
	if (file_at_number(r, f->owner, record->tfd) == target) {
		plan_syscall(p, "borrow its number", __NR_dup3, V(record->tfd), V(number), V(O_CLOEXEC));
		return 0;
	}
	TRY(file_get_fd(r, target, &fd));
	plan_step(p, plan_why(p, "fetch descriptor %u for an epoll file", number), STEP_GETFD,
		  (const struct plan_arg[]){ V(f->owner->restore->coordinator_fd), V(fd), V(number), V(O_CLOEXEC) }, 4);
	return 0;
}

static void plan_give_back(struct restore *r, struct file *f, uint32_t number, struct plan *p)
{
	int cloexec = file_cloexec_at(r, f->owner, number) ? O_CLOEXEC : 0;

	if (!file_at_number(r, f->owner, number)) {
		plan_syscall(p, "close it again", __NR_close, V(number));
		return;
	}
	plan_syscall(p, "put it back", __NR_dup3, S(SLOT_ASIDE), V(number), V(cloexec));
	plan_syscall(p, "close the copy", __NR_close, S(SLOT_ASIDE));
}

/* A one-shot target that has fired: of its mask only these are left (fs/eventpoll.c). */
#define PRIVATE_BITS (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)

static bool has_fired(const EventpollTfdEntry *target)
{
	return target->events & EPOLLONESHOT && !(target->events & ~(uint32_t)PRIVATE_BITS);
}

/*
 * Adding a target always adds errors to its mask. The mask gets empty only by an event: one that the target has just
 * now. Without any, the errors stay in the mask.
 */
static int find_event(struct restore *r, struct file *target, uint32_t *ret)
{
	struct pollfd ask = { .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP };

	TRY(file_get_fd(r, target, &ask.fd));
	*ret = poll(&ask, 1, 0) == 1 ? (uint32_t)ask.revents & ~(uint32_t)POLLNVAL : 0;
	return 0;
}

static int plan_target(struct restore *r, struct file *f, size_t i, struct plan *p)
{
	const EventpollTfdEntry *target = f->entry->epfd->tfd[i];
	struct file *file = ((struct file **)f->data)[i];
	struct epoll_event event = { .events = target->events, .data.u64 = target->data };
	uint32_t number = number_of(target), now = 0;
	bool borrowed = file_at_number(r, f->owner, number) != file;

	if (has_fired(target))
		TRY(find_event(r, file, &now));
	event.events |= now;
	if (borrowed)
		TRY(plan_borrow(r, f, file, target, number, p));
	plan_syscall(p, plan_why(p, "watch descriptor %u by epoll", number), __NR_epoll_ctl, V(f->owner_fd),
		     V(EPOLL_CTL_ADD), V(number), D(plan_data(p, &event, sizeof(event))));
	if (now)
		plan_syscall(p, "let it fire", __NR_epoll_pwait, V(f->owner_fd), D(plan_space(p, sizeof(event))), V(1),
			     V(0), V(0), V(0));
	if (borrowed)
		plan_give_back(r, f, number, p);
	return 0;
}

static int plan_epoll(struct restore *r, struct file *f, struct plan *p)
{
	const EventpollFileEntry *record = f->entry->epfd;

	/* Those that must fire come first: then no other can. */
	for (int fired = 1; fired >= 0; fired--)
		for (size_t i = 0; i < record->n_tfd; i++)
			if (has_fired(record->tfd[i]) == fired)
				TRY(plan_target(r, f, i, p));
	return 0;
}

/* --- an epoll file that is nowhere but in a message --- */

#define STACK_SIZE 16384

struct adding {
	int epoll, target;
	uint32_t number;
	struct epoll_event event;
	int error;
};

/* In a copy of our descriptor table, where any number may be used. Memory is shared with us, who wait: plain system
 * calls only. */
static int run_adding(void *arg)
{
	struct adding *adding = arg;
	int epoll = fcntl(adding->epoll, F_DUPFD_CLOEXEC, (int)adding->number + 1);

	if (epoll < 0 ||
	    (adding->target != (int)adding->number && dup3(adding->target, (int)adding->number, O_CLOEXEC) < 0) ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, (int)adding->number, &adding->event) < 0)
		adding->error = errno;
	return 0;
}

static int add_loose(int epoll, int target, const EventpollTfdEntry *record)
{
	struct adding adding = { epoll, target, number_of(record), { record->events, { .u64 = record->data } }, 0 };
	char *stack = xmalloc(STACK_SIZE);
	pid_t pid = clone(run_adding, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | SIGCHLD, &adding);
	int error = errno;

	free(stack);
	if (pid < 0)
		return fail(error, "making a helper for an epoll file");
	if (waitpid(pid, NULL, 0) < 0)
		return fail_errno("waiting for the helper for an epoll file");
	return adding.error ? fail(adding.error, "watching descriptor %u by an epoll file", adding.number) : 0;
}

/* No task could do it: we do. */
static int settle_loose(struct restore *r, struct file *f)
{
	const EventpollFileEntry *record = f->entry->epfd;
	struct file **targets = f->data;
	int epoll, target;

	TRY(file_get_fd(r, f, &epoll));
	for (size_t i = 0; i < record->n_tfd; i++) {
		TRY(file_get_fd(r, targets[i], &target));
		TRY(add_loose(epoll, target, record->tfd[i]));
	}
	file_put(r, f);
	return 0;
}

static int settle_epoll(struct restore *r, struct file *f)
{
	struct file **targets = f->data;

	if (!f->owner)
		TRY(settle_loose(r, f));

	for (size_t i = 0; i < f->entry->epfd->n_tfd; i++)
		file_put(r, targets[i]);
	return 0;
}

const struct file_kind epoll_kind = {
	.name = "epoll",
	.type = FD_TYPES__EVENTPOLL,
	.entry = offsetof(FileEntry, epfd),
	.anon_inode = "[eventpoll]",
	.dump = dump_epoll,
	.finish = finish_epolls,
	.link = link_epoll,
	.create = create_epoll,
	.plan = plan_epoll,
	.settle = settle_epoll,
};
