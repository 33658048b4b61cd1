/* SPDX-License-Identifier: GPL-2.0-only */
/* Tries one thing after the other in a process, which must not notice: probe PID WHAT [ARGUMENT]. Exit code 0 = as it
 * should be. */
#define _GNU_SOURCE
#include <compel/common/scm.h>
#include <compel/cpu.h>
#include <compel/infect.h>
#include <compel/plugins/std/syscall-codes.h>
#include <compel/ptrace.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "probe-parasite.h"
#include "probe.h"

#define WANT(condition)                                                                                   \
	do {                                                                                              \
		if (!(condition)) {                                                                       \
			fprintf(stderr, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #condition, errno); \
			return -1;                                                                        \
		}                                                                                         \
	} while (0)

static int pid;
static const char *argument;

static void print_line(unsigned level, const char *format, va_list args)
{
	vfprintf(stderr, format, args);
}

static int infect(struct parasite_ctl *ctl)
{
	compel_infect_ctx(ctl)->log_fd = STDERR_FILENO;
	probe_parasite_setup_c_header(ctl);
	return compel_infect(ctl, 2, sizeof(struct probe_args));
}

static struct probe_args *args_of(struct parasite_ctl *ctl)
{
	return compel_parasite_args(ctl, struct probe_args);
}

static int try_std(struct parasite_ctl *ctl)
{
	WANT(infect(ctl) == 0);
	WANT(compel_rpc_call_sync(CMD_STD, ctl) == 0);
	if (args_of(ctl)->line)
		fprintf(stderr, "probe-parasite.c:%d\n", args_of(ctl)->line);
	WANT(args_of(ctl)->line == 0 && args_of(ctl)->plugins == 1);
	memset(args_of(ctl)->bytes, 0x5a, PROBE_BYTES);
	WANT(compel_rpc_call_sync(CMD_INVERT, ctl) == 0);
	WANT(args_of(ctl)->bytes[0] == 0xa5 && args_of(ctl)->bytes[PROBE_BYTES - 1] == 0xa5);
	WANT(compel_parasite_args_s(ctl, sizeof(struct probe_args) + 1) == NULL);
	return 0;
}

static int try_registers(struct parasite_ctl *ctl)
{
	WANT(infect(ctl) == 0);
	for (int i = 0; i < 20; i++)
		WANT(compel_rpc_call_sync(CMD_CLOBBER, ctl) == 0);
	return 0;
}

static int try_crash(struct parasite_ctl *ctl)
{
	WANT(infect(ctl) == 0);
	WANT(compel_rpc_call(CMD_CRASH, ctl) == 0);
	WANT(compel_rpc_sync(CMD_CRASH, ctl) == -1 && errno == EIO);
	WANT(compel_rpc_call_sync(CMD_STD, ctl) == -1);
	WANT(compel_stop_daemon(ctl) == -1);
	WANT(compel_rpc_call_sync(CMD_STD, ctl) == -1 && errno == ENOTCONN);
	return 0;
}

/* Whoever injects dies. */
static int try_abandon(struct parasite_ctl *ctl)
{
	WANT(infect(ctl) == 0 && compel_rpc_call_sync(CMD_CLOBBER, ctl) == 0);
	return kill(getpid(), SIGKILL);
}

/* The daemon is cut off, goes home by itself, and is then looked for. */
static int try_cut(struct parasite_ctl *ctl)
{
	WANT(infect(ctl) == 0 && shutdown(compel_rpc_sock(ctl), SHUT_RDWR) == 0);
	usleep(200000);
	WANT(compel_rpc_call_sync(CMD_STD, ctl) == -1);
	return 0;
}

/* Somebody else ends it while it works. */
static int try_busy(struct parasite_ctl *ctl)
{
	WANT(infect(ctl) == 0);
	WANT(compel_rpc_call(CMD_SLEEP, ctl) == 0);
	return 0;
}

static int try_fail(struct parasite_ctl *ctl)
{
	WANT(infect(ctl) == 0);
	WANT(compel_rpc_call_sync(CMD_FAIL, ctl) == -1 && errno == EREMOTEIO);
	WANT(compel_rpc_call_sync(CMD_STD, ctl) == -1);
	return 0;
}

static int try_fds(struct parasite_ctl *ctl)
{
	char text[8] = "";
	int fds[2], back = -1;

	WANT(infect(ctl) == 0 && compel_rpc_sock(ctl) >= 0);
	WANT(pipe(fds) == 0);
	for (int i = 0; i < 50; i++) {
		WANT(compel_rpc_call(CMD_ECHO_FD, ctl) == 0);
		WANT(compel_util_send_fd(ctl, fds[1]) == 0 && compel_util_recv_fd(ctl, &back) == 0);
		WANT(compel_rpc_sync(CMD_ECHO_FD, ctl) == 0);
		WANT(back > 2 && back != fds[1] && (fcntl(back, F_GETFD) & FD_CLOEXEC));
		WANT(write(back, "x", 1) == 1 && read(fds[0], text, 1) == 1 && text[0] == 'x');
		close(back);
	}
	return 0;
}

/* Many descriptors at once, with data, over a socket of ours. */
static int try_scm(struct parasite_ctl *ctl)
{
	enum { N = 300 };
	int pair[2], fds[N], got[N];
	long data[N], back[N];

	WANT(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
	for (int i = 0; i < N; i++) {
		fds[i] = i & 1 ? 0 : 1;
		data[i] = i * 3;
	}
	WANT(send_fds(pair[0], NULL, 0, fds, N, data, sizeof(long)) == 0);
	WANT(__recv_fds(pair[1], got, N, back, sizeof(long), MSG_CMSG_CLOEXEC) == 0);
	WANT(memcmp(data, back, sizeof(data)) == 0 && got[N - 1] > got[0]);
	WANT(send_fd(pair[0], NULL, 0, 0) == 0 && recv_fd(pair[1]) > 2);
	close(pair[0]);
	WANT(recv_fd(pair[1]) < 0);
	return 0;
}

static int other_thread(void)
{
	char path[64];
	struct dirent *entry;
	int tid = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (atoi(entry->d_name) > 0 && atoi(entry->d_name) != pid)
			tid = atoi(entry->d_name);
	if (dir)
		closedir(dir);
	return tid;
}

static bool is_thread_area(const tls_t *tls)
{
#if defined(__aarch64__)
	return *tls > 4096;
#else
	return tls->desc[0].seg_not_present;
#endif
}

static int run_in(struct parasite_ctl *ctl, int tid)
{
	struct parasite_thread_ctl *tctl = compel_prepare_thread(ctl, tid);
	tls_t tls;

	WANT(tctl);
	WANT(compel_get_thread_sp(tctl) > 4096 && compel_get_thread_ip(tctl) > 4096 &&
	     compel_thread_sigmask(tctl)->sig[0] == 0);
	for (int i = 0; i < 20; i++) {
		WANT(compel_run_in_thread(tctl, CMD_SELF) == 7 && args_of(ctl)->tid == tid);
		WANT(compel_run_in_thread(tctl, CMD_FAIL) == 3);
		WANT(compel_run_in_thread(tctl, CMD_CLOBBER) == 7);
	}
	WANT(compel_run_in_thread(tctl, CMD_CRASH) == -1 && errno == EIO);
	WANT(compel_run_in_thread(tctl, CMD_SELF) == 7);
	WANT(compel_arch_fetch_thread_area(tctl) == 0);
	compel_arch_get_tls_thread(tctl, &tls);
	WANT(is_thread_area(&tls));
	compel_release_thread(tctl);
	return 0;
}

static int try_threads(struct parasite_ctl *ctl)
{
	int tid = other_thread(), result;

	WANT(tid && compel_stop_task(tid) == COMPEL_TASK_ALIVE);
	WANT(infect(ctl) == 0);
	result = run_in(ctl, tid);
	WANT(compel_rpc_call_sync(CMD_SELF, ctl) == 0 && args_of(ctl)->tid == pid);
	WANT(compel_resume_task(tid, COMPEL_TASK_ALIVE, COMPEL_TASK_ALIVE) == 0);
	return result;
}

/* The daemon may be started again; where it lies may be chosen. */
static int try_again(struct parasite_ctl *ctl)
{
	void *stack, *thread_stack;
	long result;

	compel_infect_ctx(ctl)->log_fd = STDERR_FILENO;
	compel_infect_ctx(ctl)->remote_map_addr = 0x10000000000;
	probe_parasite_setup_c_header(ctl);
	WANT(compel_infect_no_daemon(ctl, 1, sizeof(struct probe_args)) == 0);
	WANT(compel_infect_no_daemon(ctl, 1, 0) == -1 && errno == EEXIST);
	compel_get_stack(ctl, &stack, &thread_stack);
	WANT((unsigned long)stack > 0x10000000000 && (unsigned long)stack < 0x10000100000 && !thread_stack);
	for (int i = 0; i < 3; i++) {
		WANT(compel_start_daemon(ctl) == 0 && compel_start_daemon(ctl) == -1);
		WANT(compel_rpc_call_sync(CMD_SELF, ctl) == 0 && args_of(ctl)->address >> 20 == 0x10000000000 >> 20);
		WANT(compel_syscall(ctl, __NR_getpid, &result, 0, 0, 0, 0, 0, 0) == -1 && errno == EBUSY);
		WANT(compel_stop_daemon(ctl) == 0 && compel_stop_daemon(ctl) == 0);
		WANT(compel_syscall(ctl, __NR_getpid, &result, 0, 0, 0, 0, 0, 0) == 0 && result == pid);
	}
	return 0;
}

static int try_refused(struct parasite_ctl *ctl)
{
	WANT(compel_infect(ctl, 1, 0) == -1 && errno == EBADF);
	compel_infect_ctx(ctl)->log_fd = STDERR_FILENO;
	WANT(compel_infect(ctl, 1, 0) == -1 && errno == EINVAL);
	probe_parasite_setup_c_header(ctl);
	compel_parasite_blob_desc(ctl)->hdr.cmd_off = ~0ul;
	WANT(compel_infect(ctl, 1, 0) == -1 && errno == EINVAL);
	probe_parasite_setup_c_header(ctl);
	compel_infect_ctx(ctl)->flags = INFECT_FAIL_CONNECT;
	WANT(compel_infect(ctl, 1, 0) == -1 && errno == ECONNREFUSED);
	compel_infect_ctx(ctl)->flags = 0;
	compel_infect_ctx(ctl)->remote_map_addr = (compel_get_leader_sp(ctl) & ~4095ul);
	WANT(compel_infect(ctl, 1, 0) == -1 && errno == EEXIST);
	WANT(compel_rpc_call_sync(CMD_STD, ctl) == -1 && compel_rpc_sock(ctl) == -1);
	return 0;
}

static int try_flags(struct parasite_ctl *ctl)
{
	compel_infect_ctx(ctl)->flags = strtoul(argument, NULL, 0);
	WANT(infect(ctl) == 0);
	return compel_rpc_call_sync(CMD_STD, ctl);
}

static int try_memory(struct parasite_ctl *ctl)
{
	char here[16] = "0123456789abcde", there[16];
	char *page = NULL;
	long result;

	WANT(compel_syscall(ctl, __NR_mmap, &result, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1ul,
			    0) == 0);
	page = (char *)result;
	WANT(ptrace_poke_area(pid, here, page, 16) == 0 && ptrace_peek_area(pid, there, page, 16) == 0);
	WANT(memcmp(here, there, 16) == 0);
	memset(here, 'z', 16);
	WANT(ptrace_swap_area(pid, page, here, 16) == 0 && memcmp(here, there, 16) == 0);
	WANT(ptrace_peek_area(pid, there, page, 16) == 0 && there[15] == 'z');
	WANT(ptrace_peek_area(pid, there, page, 15) == -1 && ptrace_poke_area(pid, there, page, 1) == -1);
	WANT(ptrace_peek_area(pid, there, (void *)4096, 8) < 0);
	WANT(compel_syscall(ctl, __NR_munmap, &result, (unsigned long)page, 4096, 0, 0, 0, 0) == 0 && result == 0);
	WANT(compel_syscall(ctl, __NR_munmap, &result, 1, 4096, 0, 0, 0, 0) == 0 && result == -EINVAL);
	return 0;
}

#if defined(__aarch64__)
#define TRAP_LENGTH 4 /* where it stands then */
/* mov x0, #42; brk #0 */
static const unsigned int trap[2] = { 0xd2800540, 0xd4200000 };

/* mov x8, #215 (munmap); adr x0, page - 4 (the next page); mov x1, #1; svc #0; udf #0 */
static void write_unmap(long page, void *to)
{
	const unsigned int code[6] = { 0xd2801ae8, 0x10000000 | (unsigned int)(page - 4) / 4 << 5, 0xd2800021,
				       0xd4000001, 0 };

	memcpy(to, code, sizeof(code));
}
#else
#define TRAP_LENGTH 6
/* mov $42, %eax; int3 */
static const unsigned char trap[8] = { 0xb8, 42, 0, 0, 0, 0xcc };

/* mov $11 (munmap), %eax; lea page - 12(%rip), %rdi (the next page); mov $1, %esi; syscall; ud2 */
static void write_unmap(long page, void *to)
{
	const unsigned char code[24] = { 0xb8, 11,   0, 0, 0, 0x48, 0x8d, 0x3d, 0,    0,   0,
					 0,    0xbe, 1, 0, 0, 0,    0x0f, 0x05, 0x0f, 0x0b };
	const int distance = (int)page - 12;

	memcpy(to, code, sizeof(code));
	memcpy((char *)to + 8, &distance, sizeof(distance));
}
#endif

static int try_code(struct parasite_ctl *ctl)
{
	const long page_size = sysconf(_SC_PAGESIZE);
	user_regs_struct_t regs;
	long page, word, unmap[3];

	write_unmap(page_size, unmap);
	WANT(compel_syscall(ctl, __NR_mmap, &page, 0, 2 * page_size, PROT_READ | PROT_WRITE | PROT_EXEC,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1ul, 0) == 0);
	WANT(ptrace_poke_area(pid, (void *)trap, (void *)page, sizeof(trap)) == 0);
	WANT(compel_run_at(ctl, (unsigned long)page, &regs) == 0);
	WANT(user_regs_native(&regs) && REG_RES(regs) == 42 && REG_IP(regs) == (unsigned long)page + TRAP_LENGTH);
	WANT(compel_run_at(ctl, 4096, NULL) == -1 && errno == EIO); /* nothing is there */
	WANT(ptrace_poke_area(pid, unmap, (void *)page, sizeof(unmap)) == 0);
	WANT(compel_unmap(ctl, (unsigned long)page) == 0);
	WANT(ptrace_peek_area(pid, &word, (void *)(page + page_size), 8) < 0 &&
	     ptrace_peek_area(pid, &word, (void *)page, 8) == 0);
	WANT(compel_syscall(ctl, __NR_munmap, &word, (unsigned long)page, page_size, 0, 0, 0, 0) == 0 && word == 0);
	return 0;
}

/* The process opens a file again and again: it can be caught at that call, with and without a breakpoint on the way. */
static int try_trace(struct parasite_ctl *ctl)
{
	uint64_t ip = compel_get_leader_ip(ctl);

	for (int no_bp = 0; no_bp < 2; no_bp++) {
		WANT(compel_stop_pie(pid, (void *)ip, no_bp) == 0);
		WANT(compel_stop_on_syscall(1, __NR(openat, false), __NR(openat, true)) == 0);
		WANT(compel_parse_stop_signo(pid) == SIGTRAP);
	}
	return 1; /* its registers are not those of ctl any more */
}

static int keep_registers(pid_t tid, void *arg, user_regs_struct_t *regs, user_fpregs_struct_t *fpregs)
{
	*(user_regs_struct_t *)arg = *regs;
#if defined(__aarch64__)
	return fpregs->vregs[7][0] || regs->sp ? 0 : -1;
#else
	return fpregs->i387.mxcsr ? 0 : -1;
#endif
}

static int try_context(struct parasite_ctl *ctl)
{
	user_regs_struct_t regs = { 0 };
	struct infect_ctx *ctx = compel_infect_ctx(ctl);

	WANT(ctx->task_size == compel_task_size() && ctx->syscall_ip && ctx->sock >= 0 && ctx->log_fd == -1 &&
	     ctx->open_proc);
	WANT(compel_mode_native(ctl) == 1 && compel_task_sigmask(ctl));
	ctx->save_regs = keep_registers;
	ctx->regs_arg = &regs;
	WANT(infect(ctl) == 0);
	WANT(REG_IP(regs) == compel_get_leader_ip(ctl) && REG_SP(regs) == compel_get_leader_sp(ctl));
	return 0;
}

static int try_cpu(struct parasite_ctl *ctl)
{
	compel_cpuinfo_t info, copy;

	WANT(compel_cpuid(&info) == 0);
	compel_cpu_copy_cpuinfo(&copy);
	WANT(memcmp(&info, &copy, sizeof(info)) == 0);
#if defined(__aarch64__)
	WANT(compel_cpu_has_feature(AARCH64_FEATURE_ASIMD) && !compel_cpu_has_feature(NCAPINTS_BITS));
	compel_cpu_clear_feature(AARCH64_FEATURE_ASIMD);
	WANT(!compel_cpu_has_feature(AARCH64_FEATURE_ASIMD));
	printf("%lx %lx\n", info.hwcap[0], info.hwcap[1]);
#else
	printf("%s|%s|%d|%d\n", info.x86_vendor_id, info.x86_model_id, info.x86_family, info.x86_model);
	printf("avx %d avx2 %d fsgsbase %d\n", compel_cpu_has_feature(X86_FEATURE_AVX),
	       compel_cpu_has_feature(X86_FEATURE_AVX2), compel_cpu_has_feature(X86_FEATURE_FSGSBASE));
	WANT(compel_cpu_has_feature(X86_FEATURE_XMM2) && compel_fpu_has_feature(XFEATURE_SSE));
	WANT(compel_fpu_feature_offset(XFEATURE_SSE) == 160 && compel_fpu_feature_size(XFEATURE_SSE) == 256);
	WANT(!compel_fpu_has_feature(XFEATURE_YMM) ||
	     (compel_fpu_feature_offset(XFEATURE_YMM) == 576 && compel_fpu_feature_size(XFEATURE_YMM) == 256));
	compel_cpu_clear_feature(X86_FEATURE_XMM2);
	WANT(!compel_cpu_has_feature(X86_FEATURE_XMM2));
#endif
	return 0;
}

static const struct {
	const char *name;
	int (*try)(struct parasite_ctl *ctl); /* 1: ctl must not be cured */
} things[] = {
	{ "std", try_std },	    { "registers", try_registers },
	{ "crash", try_crash },	    { "busy", try_busy },
	{ "abandon", try_abandon }, { "cut", try_cut },
	{ "fail", try_fail },	    { "fds", try_fds },
	{ "scm", try_scm },	    { "threads", try_threads },
	{ "again", try_again },	    { "refused", try_refused },
	{ "flags", try_flags },	    { "memory", try_memory },
	{ "code", try_code },	    { "trace", try_trace },
	{ "context", try_context }, { "cpu", try_cpu },
};

static int read_state(int tid, struct seize_task_status *st, void *data)
{
	char path[64], line[256];
	FILE *file;

	++*(int *)data;
	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	file = fopen(path, "r");
	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file)) {
		sscanf(line, "State: %c", &st->state);
		sscanf(line, "PPid: %d", &st->ppid);
		sscanf(line, "Seccomp: %d", &st->seccomp_mode);
	}
	fclose(file);
	return 0;
}

/* Whether a thread comes into one of these states; it may be on its way for long. */
static bool comes_to(int tid, const char *states)
{
	for (int i = 0; i < 6000; i++) {
		struct seize_task_status st = { 0 };
		int asked = 0;

		usleep(10000);
		if (read_state(tid, &st, &asked) == 0 && strchr(states, st.state))
			return true;
	}
	return false;
}

/* The process is stopped and let go in all ways, and dies at the end. It is a child of our parent. */
static int try_states(void)
{
	struct seize_task_status st;
	int asked = 0;

	WANT(compel_interrupt_task(pid) == 0);
	WANT(compel_wait_task(pid, getppid(), read_state, NULL, &st, &asked) == COMPEL_TASK_ALIVE && asked == 1 &&
	     st.ppid == getppid());
	WANT(compel_interrupt_task(pid) == -1 && errno == EPERM); /* it is ours already */
	WANT(compel_resume_task(pid, COMPEL_TASK_ALIVE, COMPEL_TASK_ALIVE) == 0 && comes_to(pid, "SRD"));
	WANT(compel_interrupt_task(pid) == 0);
	WANT(compel_wait_task(pid, getpid(), read_state, NULL, &st, &asked) == -1 && errno == EINVAL &&
	     comes_to(pid, "SRD"));
	WANT(compel_stop_task(pid) == COMPEL_TASK_ALIVE && comes_to(pid, "t"));
	WANT(compel_resume_task(pid, COMPEL_TASK_ALIVE, COMPEL_TASK_STOPPED) == 0 && comes_to(pid, "T"));
	WANT(compel_stop_task(pid) == COMPEL_TASK_STOPPED && compel_parse_stop_signo(pid) == SIGSTOP);
	WANT(compel_resume_task_sig(pid, COMPEL_TASK_STOPPED, COMPEL_TASK_ALIVE, SIGTSTP) == 0 && comes_to(pid, "T"));
	WANT(kill(pid, SIGCONT) == 0 && comes_to(pid, "SRD"));
	WANT(compel_stop_task(pid) == COMPEL_TASK_ALIVE && compel_resume_task(pid, COMPEL_TASK_ALIVE, 99) == -1);
	WANT(compel_resume_task(pid, COMPEL_TASK_ALIVE, COMPEL_TASK_DEAD) == 0 && comes_to(pid, "Z"));
	WANT(compel_stop_task(pid) == COMPEL_TASK_ZOMBIE &&
	     compel_resume_task(pid, COMPEL_TASK_ZOMBIE, COMPEL_TASK_ZOMBIE) == 0);
	return 0;
}

static int try_one(const char *name)
{
	struct parasite_ctl *ctl = compel_prepare(pid);
	int result = -1;

	WANT(ctl);
	for (size_t i = 0; i < sizeof(things) / sizeof(*things); i++)
		if (strcmp(things[i].name, name) == 0)
			result = things[i].try(ctl);
	WANT((result == 1 ? compel_cure_local(ctl) : compel_cure(ctl)) == 0);
	return result < 0 ? -1 : 0;
}

int main(int argc, char *argv[])
{
	int state, result;

	if (argc < 3)
		return 2;
	pid = atoi(argv[1]);
	argument = argc > 3 ? argv[3] : "";
	compel_log_init(print_line, COMPEL_LOG_INFO);
	strcpy(compel_run_id, "probe");
	if (strcmp(argv[2], "states") == 0)
		return try_states() < 0 ? 1 : 0;
	state = compel_stop_task(pid);
	if (state != COMPEL_TASK_ALIVE) {
		fprintf(stderr, "state %d, errno %d\n", state, errno);
		return 1;
	}
	result = try_one(argv[2]);
	return compel_resume_task(pid, state, state) < 0 || result < 0 ? 1 : 0;
}
