/* SPDX-License-Identifier: LGPL-2.1-only */
/* Control objects: what is known of a stopped process and its threads. */
#include "lib/compel/public/ctl.h"

#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/grace.h"
#include "base/pool.h"
#include "kern/proc/maps.h"
#include "kern/proc/proc.h"
#include "kern/proc/status.h"
#include "lib/compel/leftover.h"
#include "lib/compel/tracee.h"

_Static_assert(sizeof(struct seize_task_status) == 40 && offsetof(struct seize_task_status, vpid) == 28, "");
_Static_assert(sizeof(struct infect_ctx) == 240 && offsetof(struct infect_ctx, orig_handler) == 64 &&
		       offsetof(struct infect_ctx, open_proc) == 216 &&
		       offsetof(struct infect_ctx, remote_map_addr) == 232,
	       "");
_Static_assert(sizeof(struct parasite_blob_desc) == 88 && offsetof(struct parasite_blob_desc, hdr.relocs) == 72, "");
_Static_assert(sizeof(compel_reloc_t) == 24 && sizeof(k_rtsigset_t) == 8, "");

struct parasite_state ctl_parasite_state(const struct thread_home *home)
{
	return (struct parasite_state){ home->state, home->alone, home->sigmask.sig[0] };
}

/* The area of a dead injector in which the thread is, on its way home; NULL if there is none. */
static const struct mapping *find_leftover(pid_t tid, const struct mappings *mappings, uint64_t ip)
{
	const struct mapping *m = mappings_find(mappings, ip);

	return m && m->shared && m->deleted && parasite_is_leftover(tid, m->start) ? m : NULL;
}

/* Somebody who injected before us may have been killed a moment ago. */
static int see_home(pid_t tid, struct pool *pool)
{
	struct deadline soon = deadline_in_seconds(GRACE_HOME_S);
	AUTO(mappings_done) struct mappings mappings = { 0 };
	AUTO_CLOSE int proc = proc_open(tid);
	struct arch_thread_state *state;
	const struct mapping *m;

	TRY(arch_state_get(tid, pool, &state));
	if (proc < 0 || mappings_read(proc, MAPPINGS_PLAIN, &mappings) < 0)
		return 0; /* a caller that opens files of /proc by itself */
	m = find_leftover(tid, &mappings, arch_state_ip(state));
	return m ? parasite_run_out(tid, m->start, m->end, &soon) : 0;
}

int ctl_read_home(pid_t tid, struct pool *pool, struct thread_home *home)
{
	struct parasite_state state;

	TRY(parasite_read_state(tid, pool, &state));
	if (arch_state_is_compat(state.home))
		return refuse(EOPNOTSUPP, "thread %d is in 32-bit mode: 32-bit processes cannot be infected", tid);
	*home = (struct thread_home){ .tid = tid, .state = state.home, .alone = state.alone };
	home->sigmask.sig[0] = state.sigmask;
	return 0;
}

static int open_proc_file(int pid, int mode, const char *format, ...)
{
	char path[256];
	int n = snprintf(path, sizeof(path), "/proc/%d/", pid), fd;
	va_list args;

	va_start(args, format);
	vsnprintf(path + n, sizeof(path) - (size_t)n, format, args);
	va_end(args);
	fd = open(path, mode | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* What a dead injector has left may vanish under our feet. */
static void forget_leftovers(pid_t pid, struct mappings *mappings)
{
	size_t kept = 0;

	for (size_t i = 0; i < mappings->n; i++) {
		const struct mapping *m = &mappings->items[i];

		if (!m->shared || !m->deleted || !parasite_is_leftover(pid, m->start))
			mappings->items[kept++] = *m;
	}
	mappings->n = kept;
}

static int open_process(struct parasite_ctl *ctl)
{
	open_proc_fn open_proc = ctl->ictx.open_proc ?: open_proc_file;
	AUTO(mappings_done) struct mappings mappings = { 0 };
	AUTO_CLOSE int proc = open_proc(ctl->pid, O_PATH | O_DIRECTORY, "."), mem = open_proc(ctl->pid, O_RDWR, "mem");

	if (proc < 0 || mem < 0)
		return refuse(EACCES, "task %d: its files in /proc cannot be opened", ctl->pid);
	TRY(mappings_read(proc, MAPPINGS_PLAIN, &mappings));
	forget_leftovers(ctl->pid, &mappings);
	ctl->process.tid = ctl->pid;
	ctl->process.state = ctl_parasite_state(&ctl->home);
	TRY(parasite_find_place(mem, ctl->pid, &mappings, ctl->home.state, NULL, &ctl->process.place));
	ctl->process.mem = TAKE_FD(mem);
	ctl->process.proc = TAKE_FD(proc);
	return 0;
}

int ctl_open_process(struct parasite_ctl *ctl)
{
	return ctl->process.proc < 0 ? open_process(ctl) : 0;
}

static pid_t read_tgid(pid_t pid)
{
	AUTO_CLOSE int proc = proc_open(pid);
	AUTO(proc_status_done) struct proc_status status = { 0 };

	return proc >= 0 && proc_status_read(proc, &status) == 0 ? status.tgid : pid;
}

/* Names of unix sockets belong to a network namespace: the socket must be made in that of the process. */
static int make_socket(pid_t pid)
{
	AUTO_CLOSE int ours = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC),
		       theirs = open_proc_file(pid, O_RDONLY, "ns/net");
	struct stat st, st2;
	int sock, error;
	bool other;

	if (ours < 0 || theirs < 0 || fstat(ours, &st) < 0 || fstat(theirs, &st2) < 0)
		return fail_errno("task %d: opening its network namespace", pid);
	other = st.st_dev != st2.st_dev || st.st_ino != st2.st_ino;
	if (other && setns(theirs, CLONE_NEWNET) < 0)
		return fail_errno("task %d: entering its network namespace", pid);
	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	error = sock < 0 ? fail_errno("making a socket") : 0;
	if (other && setns(ours, CLONE_NEWNET) < 0) {
		error = fail_errno("coming back from the network namespace of task %d", pid);
		if (sock >= 0)
			close(sock);
	}
	return error ? error : sock;
}

static struct parasite_ctl *create_ctl(int pid)
{
	struct parasite_ctl *ctl = xzalloc(sizeof(*ctl));
	int error;

	ctl->pid = pid;
	ctl->tgid = read_tgid(pid);
	ctl->pool = pool_create();
	ctl->process.proc = ctl->process.mem = ctl->control = -1;
	ctl->ictx.sock = ctl->ictx.log_fd = -1;
	error = see_home(pid, ctl->pool);
	if (error == 0)
		error = ctl_read_home(pid, ctl->pool, &ctl->home);
	if (error == 0)
		return ctl;
	(void)compel_cure_local(ctl);
	errno = -error;
	return NULL;
}

struct parasite_ctl *compel_prepare_noctx(int pid)
{
	return create_ctl(pid);
}

struct parasite_ctl *compel_prepare(int pid)
{
	struct parasite_ctl *ctl = create_ctl(pid);
	int error;

	if (!ctl)
		return NULL;
	ctl->ictx.task_size = compel_task_size();
	ctl->ictx.open_proc = open_proc_file;
	error = ctl_open_process(ctl);
	if (error == 0) {
		ctl->ictx.syscall_ip = ctl->process.place.syscall_ret;
		ctl->ictx.sock = error = make_socket(pid);
	}
	if (error >= 0) {
		ctl->own_sock = true;
		return ctl;
	}
	(void)compel_cure_local(ctl);
	errno = -error;
	return NULL;
}

struct infect_ctx *compel_infect_ctx(struct parasite_ctl *ctl)
{
	return &ctl->ictx;
}

struct parasite_blob_desc *compel_parasite_blob_desc(struct parasite_ctl *ctl)
{
	return &ctl->pbd;
}

/* Threads in 32-bit mode have been refused when their registers were read. */
int compel_mode_native(struct parasite_ctl *ctl)
{
	return 1;
}

struct parasite_thread_ctl *compel_prepare_thread(struct parasite_ctl *ctl, int pid)
{
	struct parasite_thread_ctl *tctl = xzalloc(sizeof(*tctl));
	int error;

	tctl->ctl = ctl;
	tctl->pool = pool_create();
	error = see_home(pid, tctl->pool);
	if (error == 0)
		error = ctl_read_home(pid, tctl->pool, &tctl->home);
	if (error == 0)
		return tctl;
	compel_release_thread(tctl);
	errno = -error;
	return NULL;
}

void compel_release_thread(struct parasite_thread_ctl *tctl)
{
	if (!tctl)
		return;
	pool_destroy(&tctl->pool);
	free(tctl);
}

k_rtsigset_t *compel_task_sigmask(struct parasite_ctl *ctl)
{
	return &ctl->home.sigmask;
}

k_rtsigset_t *compel_thread_sigmask(struct parasite_thread_ctl *tctl)
{
	return &tctl->home.sigmask;
}

int compel_get_thread_regs(struct parasite_thread_ctl *tctl, save_regs_t save, void *arg)
{
	user_fpregs_struct_t fpregs;
	user_regs_struct_t regs;

	ctl_arch_get_regs(tctl->home.state, &regs, &fpregs);
	return save(tctl->home.tid, arg, &regs, &fpregs);
}

uint64_t compel_get_leader_sp(struct parasite_ctl *ctl)
{
	return arch_state_sp(ctl->home.state);
}

uint64_t compel_get_leader_ip(struct parasite_ctl *ctl)
{
	return arch_state_ip(ctl->home.state);
}

static void set_ip(struct thread_home *home, uint64_t ip)
{
	arch_state_set_ip(home->state, ip);
	arch_state_set_ip(home->alone, ip);
}

void compel_set_leader_ip(struct parasite_ctl *ctl, uint64_t v)
{
	set_ip(&ctl->home, v);
}

uint64_t compel_get_thread_sp(struct parasite_thread_ctl *tctl)
{
	return arch_state_sp(tctl->home.state);
}

uint64_t compel_get_thread_ip(struct parasite_thread_ctl *tctl)
{
	return arch_state_ip(tctl->home.state);
}

void compel_set_thread_ip(struct parasite_thread_ctl *tctl, uint64_t v)
{
	set_ip(&tctl->home, v);
}

void compel_arch_get_tls_task(struct parasite_ctl *ctl, tls_t *out)
{
	if (ctl_arch_read_tls(ctl->pid, out) < 0)
		memset(out, 0, sizeof(*out));
}

void compel_arch_get_tls_thread(struct parasite_thread_ctl *tctl, tls_t *out)
{
	*out = tctl->tls;
}

int compel_arch_fetch_thread_area(struct parasite_thread_ctl *tctl)
{
	return ctl_result(ctl_arch_read_tls(tctl->home.tid, &tctl->tls));
}
