/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Landlock, landlock(7): the kernel tells nobody of the rules of a thread, or whether it has any. But who has some may
 * not look at processes outside of its domain (ptrace(2), and so kcmp(2)), whoever it is. So a process of ours, the
 * witness, takes the ids of the thread and lets everybody with these ids look at it; another one of ours tries that. If
 * only the thread may not, it has rules, and a restored thread would be without: it is refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <sched.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "kern/capability.h"
#include "kern/proc/proc.h"
#include "kern/proc/status.h"
#include "object/namespace/namespace.h"
#include "object/task/host.h"
#include "object/task/part.h"
#include "plan/plan.h"
#include "session/ids.h"
#include "session/loss.h"

#define ABI_VERSION 1 /* LANDLOCK_CREATE_RULESET_VERSION */

extern const struct task_part landlock_part;

enum offset { RESULT, LOOKS_AT_US, OFFSETS };

/* Tells a prover to end. */
#define END_SIGNAL SIGTERM

struct witness {
	struct witness *next;
	uint32_t uid, gid;
	ino_t pids, users; /* its namespaces; 0: ours */
	const char *profile;
	pid_t prover; /* our child, which ends the witness with itself */
	pid_t number; /* of the witness, as the thread sees it; 0: others with its ids may not look either */
	int answer;   /* the prover tells it here; -1: it has */
};

struct landlock_dump {
	bool is_known; /* this kernel has it */
	struct witness *witnesses;
	struct credentials_of_us {
		uid_t uid[3];
		gid_t gid[3];
		uint64_t permitted;
		bool dumpable;
	} us;
	const struct task *last; /* whose profile is known */
	const char *last_profile;
	bool unknown_told;
};

static void end_witnesses(void *state)
{
	const struct landlock_dump *landlock = state;

	for (const struct witness *w = landlock->witnesses; w; w = w->next) {
		if (w->answer >= 0)
			close(w->answer);
		if (w->prover <= 0)
			continue;
		kill(w->prover, END_SIGNAL); /* it ends when the witness is gone */
		waitpid(w->prover, NULL, 0);
	}
}

static const struct state_type landlock_state = { sizeof(struct landlock_dump), end_witnesses };

/* NULL: this kernel has no Landlock. */
static struct landlock_dump *landlock_of(struct dump *d)
{
	struct landlock_dump *landlock = state_find(d->states, &landlock_state);

	if (landlock)
		return landlock->is_known ? landlock : NULL;
	landlock = state_make(d->states, &landlock_state);
	landlock->is_known = syscall(__NR_landlock_create_ruleset, NULL, 0, ABI_VERSION) > 0;
	landlock->us.permitted = capability_permitted();
	landlock->us.dumpable = prctl(PR_GET_DUMPABLE) == 1 &&
				getresuid(&landlock->us.uid[0], &landlock->us.uid[1], &landlock->us.uid[2]) == 0 &&
				getresgid(&landlock->us.gid[0], &landlock->us.gid[1], &landlock->us.gid[2]) == 0;
	return landlock->is_known ? landlock : NULL;
}

/* What a witness is made of. */
struct person {
	uint32_t uid, gid;   /* as they are in the user namespace */
	int pids, users;     /* namespaces to enter, or -1 */
	const char *profile; /* of AppArmor: who has another one may not look at it either; NULL: ours */
	int to_us;
	pid_t parent; /* we */
	sigset_t end; /* END_SIGNAL, which the prover waits for, and so has blocked */
};

static int take_profile(const char *profile)
{
	AUTO_CLOSE int fd = open("/proc/self/attr/current", O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, profile, strlen(profile)) == (ssize_t)strlen(profile) ? 0 : -errno;
}

/* In a new process: plain system calls only. Ids first, as they take the other settings away. */
static int become_person(const struct person *person)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[2] = { 0 };

	if (person->profile)
		TRY(take_profile(person->profile));
	if (syscall(__NR_setresgid, person->gid, person->gid, person->gid) < 0 ||
	    syscall(__NR_setresuid, person->uid, person->uid, person->uid) < 0 ||
	    syscall(__NR_capset, &head, none) < 0 || prctl(PR_SET_DUMPABLE, 1) < 0)
		return -errno;
	return prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ? -errno : 0;
}

static _Noreturn void run_witness(const struct person *person, int ready)
{
	char word = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && become_person(person) == 0;

	(void)!write(ready, &word, 1);
	if (!word)
		_exit(1);
	/* Its parent may have died before it asked for a signal: then the pipe has hung up. */
	(void)poll(&(struct pollfd){ .fd = ready }, 1, -1);
	_exit(0);
}

/* Tells us the pid of the witness, and 0 if it may not look at it itself. */
static _Noreturn void run_prover(const struct person *person)
{
	pid_t pids[2] = { 0 };
	char word = 0;
	int ready[2];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != person->parent)
		_exit(1);
	/* Nothing of ours but the way back stays open. */
	if ((person->pids >= 0 && setns(person->pids, CLONE_NEWPID) < 0) ||
	    (person->users >= 0 && setns(person->users, CLONE_NEWUSER) < 0) || dup2(person->to_us, 0) < 0 ||
	    syscall(__NR_close_range, 1, UINT_MAX, 0) < 0 || pipe2(ready, O_CLOEXEC) < 0)
		_exit(1);
	pids[0] = fork();
	if (pids[0] == 0 && close(ready[0]) == 0)
		run_witness(person, ready[1]);
	/* It ends with its pid namespace, whose first process waits until it is reaped. */
	signal(SIGCHLD, SIG_IGN);
	if (pids[0] > 0 && read(ready[0], &word, 1) == 1 && word && become_person(person) == 0 &&
	    syscall(__NR_kcmp, pids[0], pids[0], KCMP_FS, 0, 0) == 0)
		pids[1] = pids[0];
	(void)!write(0, pids, sizeof(pids));
	/* Who becomes another person loses the signal at the death of its parent for a moment. */
	while (getppid() == person->parent && sigtimedwait(&person->end, NULL, &(struct timespec){ .tv_sec = 1 }) < 0)
		;
	if (pids[0] > 0 && (kill(pids[0], SIGKILL) == 0 || errno == ESRCH))
		waitpid(pids[0], NULL, 0);
	_exit(0);
}

static pid_t innermost_number(pid_t pid)
{
	AUTO(proc_status_done) struct proc_status status = { 0 };
	AUTO_CLOSE int proc = proc_open(pid);

	if (proc < 0 || proc_status_read(proc, &status) < 0)
		return 0;
	return status.ns_pid[status.n_levels - 1];
}

static void send_witness(struct witness *made, struct person *person)
{
	sigset_t before;
	int ends[2];

	made->answer = -1;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	person->to_us = ends[1];
	person->parent = getpid();
	sigemptyset(&person->end);
	sigaddset(&person->end, END_SIGNAL);
	pthread_sigmask(SIG_BLOCK, &person->end, &before);
	made->prover = fork();
	if (made->prover == 0)
		run_prover(person);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(ends[1]);
	made->answer = ends[0];
}

static pid_t find_number(struct witness *witness)
{
	pid_t pids[2] = { 0 };

	if (witness->answer < 0)
		return witness->number;
	if (witness->prover > 0 && read(witness->answer, pids, sizeof(pids)) == sizeof(pids) && pids[1] > 0)
		witness->number = innermost_number(pids[1]);
	close(witness->answer);
	witness->answer = -1;
	return witness->number;
}

static bool has_profile(const struct witness *witness, const char *profile)
{
	return profile && witness->profile ? !strcmp(profile, witness->profile) : profile == witness->profile;
}

static bool is_ours(struct dump *d, uint32_t flag, ino_t inode)
{
	const struct namespace *ns;

	for_each_namespace(ns, dump_namespaces(d))
		if (ns->own && ns->kind->flag == flag)
			return ns->inode == inode;
	return false;
}

/* The inode; 0: it is ours. Before the freeze nothing is known of any task: then proc is that of the root. */
static ino_t other_namespace(struct dump *d, const struct task *task, uint32_t flag, const char *file, int proc)
{
	const struct namespace *ns;
	ino_t inode = 0;

	if (!task)
		return proc_namespace(proc, file, &inode) == 0 && !is_ours(d, flag, inode) ? inode : 0;
	ns = namespace_of(dump_namespaces(d), task, namespace_kind_find(flag));
	return ns && !ns->own ? ns->inode : 0;
}

/* What is to be written to get the one that it has; NULL if that is ours. */
static const char *find_profile(struct dump *d, int proc)
{
	const char *own = task_host_of_dump(d)->label;
	char theirs[LABEL_SIZE], *mode;

	if (!*own || host_read_label(proc, "attr/current", theirs) < 0 || !strcmp(theirs, own))
		return NULL;
	mode = strstr(theirs, " (");
	if (mode)
		*mode = 0;
	return pool_printf(d->pool, "changeprofile %s", theirs);
}

/* Threads of one task follow each other. */
static const char *profile_of(struct dump *d, const struct task *task)
{
	struct landlock_dump *landlock = landlock_of(d);

	if (landlock->last != task)
		landlock->last_profile = find_profile(d, task->dump->proc);
	landlock->last = task;
	return landlock->last_profile;
}

/* Whether it could look at criu itself, had it no rules: ptrace(2), "Ptrace access mode checking", real credentials. */
static bool may_look_at_us(const struct landlock_dump *landlock, const struct witness *key,
			   const struct proc_status *status)
{
	const struct credentials_of_us *us = &landlock->us;

	if (key->pids || key->users || key->profile || !us->dumpable)
		return false;
	for (int i = 0; i < 3; i++)
		if (us->uid[i] != key->uid || us->gid[i] != key->gid)
			return false;
	return (us->permitted & ~status->cap_permitted) == 0;
}

/* A new one, which is listed. */
static struct witness *send_person(struct dump *d, int proc, const struct witness *key)
{
	struct witness *made = pool_copy(d->pool, key, sizeof(*key));
	AUTO_CLOSE int pids = -1, users = -1;
	struct person person = { key->uid, key->gid, -1, -1, key->profile, -1 };

	made->next = landlock_of(d)->witnesses;
	landlock_of(d)->witnesses = made;
	made->answer = -1;
	if (key->pids)
		pids = person.pids = openat(proc, "ns/pid", O_RDONLY | O_CLOEXEC);
	if (key->users) {
		users = person.users = openat(proc, "ns/user", O_RDONLY | O_CLOEXEC);
		person.uid = dump_inner_uid(d, key->uid);
		person.gid = dump_inner_gid(d, key->gid);
	}
	/* Nobody can take ids there that have no number. */
	if (person.uid != NO_ID && person.gid != NO_ID)
		send_witness(made, &person);
	return made;
}

static struct witness *find_witness(struct dump *d, const struct witness *key)
{
	struct witness *w = landlock_of(d)->witnesses;

	while (w && !(w->uid == key->uid && w->gid == key->gid && w->pids == key->pids && w->users == key->users &&
		      has_profile(w, key->profile)))
		w = w->next;
	return w;
}

/* Whom the thread would need to look at. */
static struct witness describe_witness(struct dump *d, const struct task *task, int proc,
				       const struct proc_status *status)
{
	return (struct witness){
		.uid = status->uid[0],
		.gid = status->gid[0],
		.pids = other_namespace(d, task, CLONE_NEWPID, "ns/pid", proc),
		.users = other_namespace(d, task, CLONE_NEWUSER, "ns/user", proc),
		.profile = task ? profile_of(d, task) : find_profile(d, proc),
	};
}

/* Most trees need but one, and it gets ready while nothing stands still yet. */
static int send_first(struct dump *d)
{
	AUTO(proc_status_done) struct proc_status status = { 0 };
	AUTO_CLOSE int proc = !landlock_of(d) ? -1 : proc_open(d->options->pid);
	struct witness key;

	if (proc < 0 || proc_status_read(proc, &status) < 0)
		return 0;
	key = describe_witness(d, NULL, proc, &status);
	if (!key.users && !may_look_at_us(landlock_of(d), &key, &status)) /* else its ids are not known yet */
		(void)send_person(d, proc, &key);
	return 0;
}

static int ask_witness(struct dump *d, struct thread *thread, struct plan *plan)
{
	size_t *offset = part_offsets(d, thread, &landlock_part, OFFSETS);
	struct witness key;
	struct step *step;
	pid_t number;

	if (!landlock_of(d))
		return 0;
	key = describe_witness(d, thread->task, thread->task->dump->proc, &thread->dump->status);
	offset[LOOKS_AT_US] = may_look_at_us(landlock_of(d), &key, &thread->dump->status);
	number = offset[LOOKS_AT_US]
			 ? getpid()
			 : find_number(find_witness(d, &key) ?: send_person(d, thread->task->dump->proc, &key));
	if (!number)
		return 0;
	step = plan_syscall(plan, "look at a process of ours", __NR_kcmp, V(number), V(number), V(KCMP_FS), V(0), V(0));
	step->flags |= STEP_MAY_FAIL;
	offset[RESULT] = plan_keep_result(plan, step);
	return 0;
}

/* It may not look at us, against what we thought: a security module may be the reason, too. */
static bool others_may_look(struct dump *d, const struct thread *thread)
{
	const int proc = thread->task->dump->proc;
	struct witness key = describe_witness(d, thread->task, proc, &thread->dump->status);

	return find_number(find_witness(d, &key) ?: send_person(d, proc, &key)) > 0;
}

static int answer_witness(struct dump *d, struct thread *thread)
{
	const size_t *offset = part_offsets(d, thread, &landlock_part, OFFSETS);
	struct landlock_dump *landlock = landlock_of(d);
	bool is_known = landlock && offset[RESULT];

	if (is_known && remote_value(thread->remote, offset[RESULT]) == -EPERM) {
		is_known = !offset[LOOKS_AT_US] || others_may_look(d, thread);
		if (is_known)
			return refuse(EOPNOTSUPP,
				      "is restricted by rules of Landlock, which the kernel tells nobody: it would be "
				      "restored without them");
	}
	if (landlock && !is_known && !landlock->unknown_told) {
		landlock->unknown_told = true;
		dump_report_loss(d, "rules of Landlock, if it has any: criu cannot look at it as others would");
	}
	return 0;
}

const struct task_part landlock_part = {
	.name = "landlock",
	.begin = send_first,
	.ask = ask_witness,
	.answer = answer_witness,
};
