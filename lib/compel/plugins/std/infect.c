/* SPDX-License-Identifier: LGPL-2.1-only */
/* The parasite's main function: one command of a thread, or a daemon that takes commands over a socket. */
#include <compel/common/scm.h>
#include <compel/infect-rpc.h>
#include <compel/plugins/std.h>
#include <errno.h>
#include <linux/futex.h>
#include <sys/socket.h>

#include "lib/compel/plugins/abi.h"

/* By the arch: rt_sigreturn(2) from a struct rt_sigframe, and the address of that instruction. */
void compel_leave(uint64_t sigframe) __attribute__((noreturn));
extern const char compel_leave_call[];
/* By the arch: munmap(2) at that code of the program, with that stack, which returns to back. */
void compel_vanish(uint64_t stack, uint64_t call, uint64_t start, uint64_t length, uint64_t back)
	__attribute__((noreturn));

/* Set by the library. */
unsigned int __export_parasite_service_cmd;
void *__export_parasite_service_args_ptr;

/* By the linker script: what PLUGIN_REGISTER() has put there. */
extern const plugin_init_t *const __compel_plugins_start[], *const __compel_plugins_end[];

/* Set by system calls after which a sleep of the program must be begun anew. */
unsigned char compel_has_slept;

static int control = -1;
static int log_fd = -1;
static uint64_t frame;
static struct compel_last_exit last_exit;

int parasite_get_rpc_sock(void)
{
	return control;
}

static int start_plugins(void)
{
	for (const plugin_init_t *const *p = __compel_plugins_start; p < __compel_plugins_end; p++) {
		int error = (*p)->init ? (*p)->init() : 0;

		if (error) {
			print_on_level(COMPEL_LOG_ERROR, "plugin %s does not start: %d\n", (*p)->name, error);
			return error;
		}
	}
	return 0;
}

static void end_plugins(void)
{
	for (const plugin_init_t *const *p = __compel_plugins_end; p > __compel_plugins_start; p--)
		if (p[-1]->exit)
			p[-1]->exit();
}

/* A message in full; 0 or -errno, -ECONNRESET when the library is not there any more. */
static int receive_message(struct compel_message *message)
{
	long got;

	do
		got = sys_recvfrom(control, message, sizeof(*message), MSG_WAITALL, 0, 0);
	while (got == -EINTR);
	if (got < 0)
		return (int)got;
	return got == sizeof(*message) ? 0 : -ECONNRESET;
}

static int send_answer(unsigned int cmd, int err)
{
	struct compel_message message = { .cmd = cmd, .ack = cmd, .err = err };
	long sent;

	do
		sent = sys_sendto(control, &message, sizeof(message), MSG_NOSIGNAL, 0, 0);
	while (sent == -EINTR);
	return sent == sizeof(message) ? 0 : -ECONNRESET;
}

static void close_all(void)
{
	std_log_set_fd(-1);
	if (log_fd >= 0)
		sys_close(log_fd);
	if (control >= 0)
		sys_close(control);
	log_fd = control = -1;
}

/* Nobody is there any more who could take the memory away. Returns if that is not possible. */
static void unmap_self(void)
{
	if (!last_exit.call || __atomic_load_n((uint32_t *)last_exit.busy, __ATOMIC_SEQ_CST))
		return;
	memcpy((void *)last_exit.to, (const void *)last_exit.from, last_exit.size);
	compel_vanish(last_exit.stack, last_exit.call, last_exit.start, last_exit.length, last_exit.back);
}

/* The end comes by command or by the end of the library: then the thread goes where it was all the same. */
static void __attribute__((noreturn)) serve(void *args)
{
	struct compel_message message;
	int failed = 0, lost;

	while ((lost = receive_message(&message)) == 0 && message.cmd != PARASITE_CMD_FINI) {
		int err = failed ? -1 : parasite_daemon_cmd((int)message.cmd, args);

		failed |= err != 0;
		lost = send_answer(message.cmd, err);
		if (lost)
			break;
	}
	parasite_cleanup();
	end_plugins();
	close_all();
	if (lost)
		unmap_self();
	*(uint64_t *)frame = compel_has_slept;
	compel_leave(frame);
}

static int connect_to_library(struct compel_init_args *args)
{
	int error;

	control = (int)sys_socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (control < 0)
		return control;
	args->control_fd = control + 1;
	error = (int)sys_connect(control, (struct sockaddr *)&args->addr, args->addr_len);
	if (error < 0)
		return error;
	args->daemon_connected = 1;
	sys_futex(&args->daemon_connected, FUTEX_WAKE, 1, 0, 0, 0);
	error = __recv_fds(control, &log_fd, 1, 0, 0, MSG_CMSG_CLOEXEC);
	if (error < 0)
		log_fd = -1;
	args->log_fd = log_fd + 1;
	return error;
}

static int start_daemon(struct compel_init_args *args)
{
	int error;

	frame = args->sigframe;
	last_exit = args->last_exit;
	args->sigreturn_addr = (uint64_t)compel_leave_call;
	error = connect_to_library(args);
	if (!error) {
		std_log_set_fd(log_fd);
		std_log_set_loglevel((enum __compel_log_levels)args->log_level);
		error = start_plugins();
	}
	if (!error)
		error = send_answer(PARASITE_CMD_INIT_DAEMON, 0);
	if (error) {
		args->control_fd = args->log_fd = 0;
		close_all();
		return error;
	}
	serve(args);
}

unsigned long parasite_service(void)
{
	compel_has_slept = 0;
	if (__export_parasite_service_cmd == PARASITE_CMD_INIT_DAEMON)
		return (unsigned long)(long)start_daemon(__export_parasite_service_args_ptr);
	unsigned int result =
		(unsigned int)parasite_trap_cmd((int)__export_parasite_service_cmd, __export_parasite_service_args_ptr);

	return result | (compel_has_slept ? COMPEL_HAS_SLEPT : 0);
}
