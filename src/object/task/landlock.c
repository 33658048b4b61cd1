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
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "kern/proc/proc.h"
#include "kern/proc/status.h"
#include "object/task/host.h"
#include "object/task/part.h"
#include "session/ids.h"
#include "session/loss.h"

#define ABI_VERSION 1 /* LANDLOCK_CREATE_RULESET_VERSION */

extern const struct task_part landlock_part;

/* Tells a prover to end. */
#define END_SIGNAL SIGTERM

struct witness {
	struct witness *next;
	uint32_t uid, gid;
	ino_t pids, users; /* its namespaces */
	const char *profile;
	pid_t prover; /* our child, which ends the witness with itself */
	pid_t number; /* of the witness, as the thread sees it; 0: others with its ids may not look either */
	int answer;   /* the prover tells it here; -1: it has */
};

struct landlock_dump {
	struct witness *witnesses;
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

static struct landlock_dump *landlock_of(struct dump *d)
{
	return state_find(d->states, &landlock_state) ?: state_make(d->states, &landlock_state);
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

static bool is_known_here(void)
{
	return syscall(__NR_landlock_create_ruleset, NULL, 0, ABI_VERSION) > 0;
}

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

static int open_other(int proc, const char *name, ino_t *ret_ino)
{
	AUTO_CLOSE int own = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC),
		       fd = openat(proc, name, O_RDONLY | O_CLOEXEC);
	struct stat theirs, ours;

	if (own < 0 || fd < 0 || fstat(fd, &theirs) < 0 || fstatat(own, name, &ours, 0) < 0)
		return -1;
	*ret_ino = theirs.st_ino;
	return theirs.st_ino == ours.st_ino ? -1 : TAKE_FD(fd);
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

static struct witness *find_witness(struct dump *d, int proc, const struct proc_status *status)
{
	struct landlock_dump *landlock = landlock_of(d);
	struct witness key = { .uid = status->uid[0], .gid = status->gid[0] }, *made;
	AUTO_CLOSE int pids = open_other(proc, "ns/pid", &key.pids), users = open_other(proc, "ns/user", &key.users);
	struct person person = { key.uid, key.gid, pids, users, find_profile(d, proc), -1 };

	key.profile = person.profile;
	for (made = landlock->witnesses; made; made = made->next)
		if (made->uid == key.uid && made->gid == key.gid && made->pids == key.pids &&
		    made->users == key.users && has_profile(made, key.profile))
			return made;
	if (users >= 0) {
		person.uid = dump_inner_uid(d, key.uid);
		person.gid = dump_inner_gid(d, key.gid);
	}
	made = pool_copy(d->pool, &key, sizeof(key));
	made->next = landlock->witnesses;
	landlock->witnesses = made;
	/* Nobody can take ids there that have no number. */
	if (person.uid != NO_ID && person.gid != NO_ID)
		send_witness(made, &person);
	return made;
}

/* Most trees need but one, and it gets ready while nothing stands still yet. */
static int send_first(struct dump *d)
{
	AUTO(proc_status_done) struct proc_status status = { 0 };
	AUTO_CLOSE int proc = !is_known_here() ? -1 : proc_open(d->options->pid);
	AUTO_CLOSE int users = -1;
	ino_t ino;

	if (proc < 0 || proc_status_read(proc, &status) < 0)
		return 0;
	users = open_other(proc, "ns/user", &ino);
	if (users < 0) /* else its ids are not known yet */
		(void)find_witness(d, proc, &status);
	return 0;
}

static int ask_witness(struct dump *d, struct thread *thread, struct plan *plan)
{
	size_t *offset = part_offsets(d, thread, &landlock_part, 1);
	struct step *step;
	pid_t number;

	if (!is_known_here())
		return 0;
	number = find_number(find_witness(d, thread->task->dump->proc, &thread->dump->status));
	if (!number)
		return 0;
	step = plan_syscall(plan, "look at a process of ours", __NR_kcmp, V(number), V(number), V(KCMP_FS), V(0), V(0));
	step->flags |= STEP_MAY_FAIL;
	*offset = plan_keep_result(plan, step);
	return 0;
}

static int answer_witness(struct dump *d, struct thread *thread)
{
	size_t offset = *part_offsets(d, thread, &landlock_part, 1);
	struct landlock_dump *landlock = landlock_of(d);

	if (offset && remote_value(thread->remote, offset) == -EPERM)
		return refuse(EOPNOTSUPP,
			      "is restricted by rules of Landlock, which the kernel tells nobody: it would be "
			      "restored without them");
	if (!offset && landlock->witnesses && !landlock->unknown_told) {
		landlock->unknown_told = true;
		dump_report_loss(d, "rules of Landlock, if it has any: criu can't look at it as others would");
	}
	return 0;
}

const struct task_part landlock_part = {
	.name = "landlock",
	.begin = send_first,
	.ask = ask_witness,
	.answer = answer_witness,
};
