/* SPDX-License-Identifier: LGPL-2.1-only */
/* The daemon that a parasite becomes: its start, its commands, its end. */
#include <compel/common/scm.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/grace.h"
#include "base/pool.h"
#include "lib/compel/plugins/abi.h"
#include "lib/compel/public/ctl.h"
#include "lib/compel/arena.h"
#include "lib/compel/remote.h"
#include "lib/compel/tracee.h"

#define TICK_MS 20 /* how often we look whether the daemon is alive */

static bool has_returned(const struct caller *caller)
{
	return __atomic_load_n(&caller->remote->slot->state, __ATOMIC_SEQ_CST) >= SLOT_DONE;
}

/* Waits until there is something to read. The daemon may die meanwhile, or get a signal. */
static int wait_readable(struct parasite_ctl *ctl, int fd)
{
	for (;;) {
		struct pollfd pollfd = { .fd = fd, .events = POLLIN };
		int n = poll(&pollfd, 1, TICK_MS);

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return fail_errno("waiting for the parasite");
		TRY(parasite_check(ctl->leader.remote));
		if (has_returned(&ctl->leader))
			return refuse(ECONNREFUSED, "the parasite of task %d did not become a daemon: %s", ctl->pid,
				      strerror(-(int)remote_value(ctl->leader.remote, ctl->leader.result)));
	}
}

static int receive_message(struct parasite_ctl *ctl, struct compel_message *message)
{
	ssize_t got;

	TRY(wait_readable(ctl, ctl->control));
	got = recv(ctl->control, message, sizeof(*message), 0);
	if (got < 0)
		return fail_errno("hearing from the parasite of task %d", ctl->pid);
	return got == sizeof(*message) ? 0
				       : refuse(ECONNRESET, "the parasite of task %d has closed its socket", ctl->pid);
}

/* The name of the socket; one that the caller has bound already is taken as it is. */
static int listen_here(struct parasite_ctl *ctl, struct sockaddr_un *addr, socklen_t *len)
{
	for (int tries = 0; tries < 10; tries++) {
		uint64_t key;

		if (getrandom(&key, sizeof(key), 0) != sizeof(key))
			return fail_errno("getting a random number");
		*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
		*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1);
		*len += (socklen_t)snprintf(addr->sun_path + 1, sizeof(addr->sun_path) - 1,
					    "/crtools-pr-%" PRIu64 "-%.36s", key, compel_run_id);
		if (bind(ctl->ictx.sock, (struct sockaddr *)addr, *len) == 0)
			break;
		if (errno == EADDRINUSE)
			continue;
		*len = sizeof(*addr);
		if (errno != EINVAL || getsockname(ctl->ictx.sock, (struct sockaddr *)addr, len) < 0)
			return fail_errno("giving infect_ctx.sock a name");
		break;
	}
	if (listen(ctl->ictx.sock, 8) < 0)
		return fail_errno("listening on infect_ctx.sock");
	return 0;
}

/* The name is no secret: only the process itself is listened to. */
static int accept_daemon(struct parasite_ctl *ctl)
{
	for (;;) {
		struct ucred peer = { 0 };
		socklen_t size = sizeof(peer);
		int fd;

		TRY(wait_readable(ctl, ctl->ictx.sock));
		fd = accept4(ctl->ictx.sock, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0)
			return fail_errno("accepting the connection of the parasite");
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid == ctl->tgid)
			return fd;
		close(fd);
	}
}

static int greet_daemon(struct parasite_ctl *ctl)
{
	struct compel_message message;

	if (send_fd(ctl->control, NULL, 0, ctl->ictx.log_fd) < 0)
		return fail_errno("giving the log to the parasite");
	TRY(receive_message(ctl, &message));
	if (message.ack != PARASITE_CMD_INIT_DAEMON || message.err)
		return refuse(EPROTO, "the parasite of task %d answers %d to command %u", ctl->pid, message.err,
			      message.ack);
	return 0;
}

static void set_child_handler(struct parasite_ctl *ctl)
{
	struct sigaction action = { .sa_sigaction = ctl->ictx.child_handler, .sa_flags = SA_SIGINFO | SA_RESTART };

	ctl->handles_children = ctl->ictx.child_handler && sigaction(SIGCHLD, &action, &ctl->ictx.orig_handler) == 0;
}

static void reset_child_handler(struct parasite_ctl *ctl)
{
	if (ctl->handles_children)
		sigaction(SIGCHLD, &ctl->ictx.orig_handler, NULL);
	ctl->handles_children = false;
}

static void note_descriptors(struct parasite_ctl *ctl, const struct compel_init_args *args)
{
	ctl->their_fds[0] = args->control_fd;
	ctl->their_fds[1] = args->log_fd;
}

static int start_daemon(struct parasite_ctl *ctl)
{
	struct compel_init_args *args = compel_parasite_args_p(ctl);
	socklen_t len;

	memset(args, 0, sizeof(*args));
	TRY(listen_here(ctl, &args->addr, &len));
	args->addr_len = (int32_t)len;
	if (ctl->ictx.flags & INFECT_FAIL_CONNECT)
		args->addr.sun_path[1] = '!';
	args->log_level = (int32_t)compel_log_get_loglevel();
	args->sigframe = ctl->sigframe;
	args->last_exit = ctl->last_exit;
	TRY(ctl_call_parasite(ctl, &ctl->leader, PARASITE_CMD_INIT_DAEMON, ctl_args_address(ctl)));
	ctl->control = accept_daemon(ctl);
	TRY(ctl->control);
	TRY(greet_daemon(ctl));
	note_descriptors(ctl, args);
	memset(args, 0, sizeof(*args));
	return 0;
}

/* The thread stands. If it has gone on by itself (its socket was closed) it stands somewhere else now, and nothing may
 * be put back. */
static int take_as_it_is(struct parasite_ctl *ctl)
{
	struct remote *remote = ctl->leader.remote;

	remote->away = remote->stopped = false;
	TRY(ctl_read_home(ctl->pid, ctl->pool, &ctl->home));
	ctl->process.state = ctl_parasite_state(&ctl->home);
	if (remote->lost_stop)
		syscall(__NR_tkill, ctl->pid, remote->lost_stop);
	remote->lost_stop = 0;
	return 0;
}

/* 1: it runs our code. */
static int is_inside(struct parasite_ctl *ctl)
{
	AUTO(pool_destroy) struct pool *pool = pool_create();
	struct arch_thread_state *now;
	uint64_t ip;

	TRY(arch_state_get(ctl->pid, pool, &now));
	ip = arch_state_ip(now);
	return ip >= ctl->arena->address && ip < ctl->arena->address + ctl->arena->size;
}

static int bring_home(struct parasite_ctl *ctl, bool slept)
{
	TRY(ctl_bring_home(&ctl->leader, &ctl->home, true, slept));
	ctl->process.state = ctl_parasite_state(&ctl->home);
	return 0;
}

/* The daemon that has just left says so in its frame. */
static bool has_slept(const struct parasite_ctl *ctl)
{
	uint64_t told;

	memcpy(&told, (char *)ctl->sigframe_local + (ctl->sigframe - arena_address(ctl->arena, ctl->sigframe_local)),
	       sizeof(told));
	return told;
}

/* What a daemon that did not end by itself has left open. */
static int close_descriptors(struct parasite_ctl *ctl)
{
	const struct deadline soon = deadline_in_seconds(GRACE_HOME_S);
	int64_t result;

	for (int i = 0; i < 2; i++) {
		if (ctl->their_fds[i] > 0)
			TRY(parasite_call(ctl->pid, ctl->process.mem, &ctl->process.place, &ctl->process.state,
					  __NR_close, (const uint64_t[6]){ (uint64_t)ctl->their_fds[i] - 1 }, &soon,
					  &result));
		ctl->their_fds[i] = 0;
	}
	return 0;
}

/* Takes the thread out of the parasite, wherever it is in it. */
static int pull_out(struct parasite_ctl *ctl)
{
	struct deadline soon = deadline_in_seconds(GRACE_HOME_S);
	int inside;

	TRY(parasite_halt(ctl->leader.remote, &soon));
	inside = is_inside(ctl);
	TRY(inside);
	if (!inside)
		return take_as_it_is(ctl);
	TRY(bring_home(ctl, true));
	return close_descriptors(ctl);
}

static void hang_up(struct parasite_ctl *ctl)
{
	if (ctl->control >= 0)
		close(ctl->control);
	ctl->control = -1;
	ctl->their_fds[0] = ctl->their_fds[1] = 0;
	reset_child_handler(ctl);
}

int compel_start_daemon(struct parasite_ctl *ctl)
{
	int error;

	if (!ctl->arena || ctl->control >= 0)
		return ctl_result(
			refuse(EINVAL, "task %d %s", ctl->pid, ctl->arena ? "has a daemon" : "has no parasite"));
	if (ctl->ictx.sock < 0 || ctl->ictx.log_fd < 0)
		return ctl_result(refuse(EBADF, "infect_ctx.%s is not set", ctl->ictx.sock < 0 ? "sock" : "log_fd"));
	set_child_handler(ctl);
	error = start_daemon(ctl);
	if (error < 0) {
		note_descriptors(ctl, compel_parasite_args_p(ctl));
		/* In this order: a daemon goes home by itself when its socket is closed. */
		(void)pull_out(ctl);
		hang_up(ctl);
	}
	return ctl_result(error);
}

/* From a stop at a system call to one behind it: on some CPUs not all registers can be read or set at a call. */
static int leave_call(struct remote *remote, const struct deadline *deadline)
{
	TRY(tracee_interrupt(remote->tid));
	remote->asked = true;
	TRY(tracee_continue(remote->tid));
	return parasite_halt(remote, deadline);
}

/* Lets the standing daemon clean up and leave. */
static int see_off(struct parasite_ctl *ctl)
{
	struct deadline soon = deadline_in_seconds(GRACE_CALL_S);
	struct compel_message message = { .cmd = PARASITE_CMD_FINI };
	struct remote *remote = ctl->leader.remote;
	int error;

	if (send(ctl->control, &message, sizeof(message), MSG_NOSIGNAL) < 0 && errno != EPIPE)
		return fail_errno("ending the parasite of task %d", ctl->pid);
	remote->stopped = false;
	if (ctl->ictx.make_sigframe) {
		error = tracee_run_to_exit(ctl->pid, __NR_rt_sigreturn, &soon, &remote->lost_stop);
	} else {
		/* The call itself would make a sleep that we have interrupted end with EINTR: ptrace knows how to go on
		 * with it. */
		error = tracee_run_to_entry(ctl->pid, __NR_rt_sigreturn, &soon, &remote->lost_stop);
		if (error == 0)
			error = arch_skip_syscall(ctl->pid);
		if (error == 0)
			error = tracee_run_to_call(ctl->pid, &soon);
	}
	remote->stopped = error == -EIO;
	return error ? error : leave_call(remote, &soon);
}

static int stop_daemon(struct parasite_ctl *ctl)
{
	struct deadline soon = deadline_in_seconds(GRACE_HOME_S);
	struct remote *remote = ctl->leader.remote;
	int error, inside;

	error = parasite_check(remote);
	if (error < 0) { /* dead, or it has got a signal */
		(void)pull_out(ctl);
		return error;
	}
	TRY(parasite_halt(remote, &soon));
	inside = is_inside(ctl);
	TRY(inside);
	if (!inside)
		return take_as_it_is(ctl);
	error = see_off(ctl);
	if (error == -ESRCH)
		return refuse(ESRCH, "task %d has died while its parasite ended", ctl->pid);
	if (error < 0) {
		(void)pull_out(ctl);
		return error;
	}
	/* A frame of the caller's making says how it goes on. */
	return ctl->ictx.make_sigframe ? take_as_it_is(ctl) : bring_home(ctl, has_slept(ctl));
}

int compel_stop_daemon(struct parasite_ctl *ctl)
{
	int error;

	if (ctl->control < 0)
		return 0;
	error = stop_daemon(ctl);
	hang_up(ctl);
	return ctl_result(error);
}

static int check_daemon(struct parasite_ctl *ctl)
{
	if (ctl->control < 0)
		return refuse(ENOTCONN, "task %d has no parasite daemon", ctl->pid);
	return 0;
}

static int call_daemon(unsigned cmd, struct parasite_ctl *ctl)
{
	struct compel_message message = { .cmd = cmd };

	TRY(check_daemon(ctl));
	TRY(parasite_check(ctl->leader.remote));
	if (send(ctl->control, &message, sizeof(message), MSG_NOSIGNAL) < 0)
		return fail_errno("sending command %u to the parasite of task %d", cmd, ctl->pid);
	return 0;
}

static int sync_with(unsigned cmd, struct parasite_ctl *ctl)
{
	struct compel_message message;

	TRY(check_daemon(ctl));
	TRY(receive_message(ctl, &message));
	if (message.ack != cmd)
		return refuse(EPROTO, "the parasite of task %d answers command %u, not %u", ctl->pid, message.ack, cmd);
	if (message.err)
		return refuse(EREMOTEIO, "command %u of the parasite in task %d failed: %d", cmd, ctl->pid,
			      message.err);
	return 0;
}

int compel_rpc_call(unsigned int cmd, struct parasite_ctl *ctl)
{
	return ctl_result(call_daemon(cmd, ctl));
}

int compel_rpc_sync(unsigned int cmd, struct parasite_ctl *ctl)
{
	return ctl_result(sync_with(cmd, ctl));
}

int compel_rpc_call_sync(unsigned int cmd, struct parasite_ctl *ctl)
{
	int error = call_daemon(cmd, ctl);

	return ctl_result(error < 0 ? error : sync_with(cmd, ctl));
}

int compel_rpc_sock(struct parasite_ctl *ctl)
{
	return ctl->control;
}

int compel_util_send_fd(struct parasite_ctl *ctl, int fd)
{
	int error = check_daemon(ctl);

	return error < 0 ? ctl_result(error) : send_fd(ctl->control, NULL, 0, fd);
}

int compel_util_recv_fd(struct parasite_ctl *ctl, int *pfd)
{
	int error = check_daemon(ctl);

	if (error == 0)
		error = wait_readable(ctl, ctl->control);
	return error < 0 ? ctl_result(error) : __recv_fds(ctl->control, pfd, 1, NULL, 0, MSG_CMSG_CLOEXEC);
}
