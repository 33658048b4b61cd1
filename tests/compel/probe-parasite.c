/* SPDX-License-Identifier: GPL-2.0-only */
/* Tries inside of another process what parasites have. */
#include <compel/plugins/std.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "probe.h"

static int plugins;
static const char *const words[] = { "zero", "one", "two" }; /* addresses: the blob must be relocated */
int in_the_got = 3;
static int *volatile nowhere;

static int start_plugin(void)
{
	plugins++;
	return 0;
}

static void end_plugin(void)
{
	print_on_level(COMPEL_LOG_WARN, "plugin ends\n");
}

PLUGIN_REGISTER(probe, "probe", start_plugin, end_plugin)
PLUGIN_REGISTER_DUMMY(dummy)

#define WANT(condition)                  \
	do {                             \
		if (!(condition))        \
			return __LINE__; \
	} while (0)

static int check_text(void)
{
	char text[256], number[12], *start, *end;

	std_sprintf(text, "%s %d %x %p %u %ld %lx %llu %zu%%|", words[2], -5, 255, (void *)0x10, 7u, -6l, 0xabcul,
		    1ull << 40, (size_t)9);
	WANT(std_strcmp(text, "two -5 ff 0x10 7 -6 abc 1099511627776 9%|") == 0);
	WANT(std_strtoul("0x1fz", &end, 0) == 31 && *end == 'z');
	WANT(std_strtoul(" 077", &end, 0) == 63 && !*end);
	WANT(std_strtoul("-1", 0, 10) == -1ul);
	WANT(std_strtoul("q", &end, 10) == 0 && *end == 'q');
	WANT(std_vprint_num(number, sizeof(number), -2147483647 - 1, &start) == 11 &&
	     std_strcmp(start, "-2147483648") == 0);
	WANT(std_strncmp("abcd", "abce", 3) == 0 && std_strncmp("abcd", "abce", 4) < 0 && std_strcmp("b", "a") > 0);
	return 0;
}

static int check_memory(void)
{
	char a[40], b[40];

	memset(a, 'x', sizeof(a));
	memcpy(b, a, sizeof(b));
	WANT(memcmp(a, b, sizeof(a)) == 0);
	b[39] = 'y';
	WANT(memcmp(a, b, sizeof(a)) < 0 && memcmp(a, b, 39) == 0);
	for (int i = 0; i < 40; i++)
		a[i] = (char)i;
	memmove(a + 1, a, 39);
	WANT(a[1] == 0 && a[39] == 38);
	memmove(a, a + 1, 39);
	WANT(a[0] == 0 && a[38] == 38);
	WANT(words[1][0] == 'o' && in_the_got == 3);
	return 0;
}

static int check_output(void)
{
	char text[64] = "";
	int fds[2];
	long fd = sys_memfd_create("probe", 0);

	WANT(fd >= 0);
	std_dprintf((int)fd, "%s %d %x %u%p%c|%ld %llx", "a", -12, 0xbeef, 1u, (void *)0, 'c', -3l, 0x123456789all);
	WANT(sys_lseek((int)fd, 0, 0) == 0 && sys_read((int)fd, text, sizeof(text)) > 0);
	WANT(std_strcmp(text, "a -12 beef |-3 123456789a") == 0);
	WANT(sys_close((int)fd) == 0 && sys_close((int)fd) == -EBADF);
	fds[0] = (int)sys_openat(AT_FDCWD, "/dev/null", O_RDWR, 0);
	WANT(fds[0] >= 0 && sys_fcntl(fds[0], F_GETFD, 0) == 0);
	return (int)sys_close(fds[0]);
}

static int check_calls(void)
{
	struct timeval before, after;
	struct timespec phase = { .tv_nsec = 2000000 };
	char *page = (char *)sys_mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1ul, 0);

	WANT((unsigned long)page < -4095ul); /* all six arguments arrive */
	page[8191] = 'x';
	WANT(sys_munmap(page, 8192) == 0);
	WANT(std_gettimeofday(&before, 0) == 0 && sys_nanosleep(&phase, 0) == 0 && std_gettimeofday(&after, 0) == 0);
	WANT((after.tv_sec - before.tv_sec) * 1000000 + after.tv_usec - before.tv_usec >= 2000);
	WANT(sys_getpid() == sys_gettid() && sys_getpgid(0) >= 0 && sys_getsid() >= 0);
	return 0;
}

static int check_all(void)
{
	int line = check_text();

	if (!line)
		line = check_memory();
	if (!line)
		line = check_output();
	return line ? line : check_calls();
}

#if defined(__aarch64__)
static void clobber(void)
{
	__asm__ volatile("movi v0.16b, #255\n\t mov v7.16b, v0.16b\n\t mov v15.16b, v0.16b\n\t mov v31.16b, v0.16b\n\t"
			 "mov x7, #-1\n\t mov x19, x7\n\t mov x20, x7\n\t mov x27, x7\n\t mov x28, x7\n\t"
			 "msr fpcr, xzr\n\t msr fpsr, x7\n\t subs xzr, x7, x7"
			 :
			 :
			 : "v0", "v7", "v15", "v31", "x7", "x19", "x20", "x27", "x28", "cc", "memory");
}
#else
static void clobber(void)
{
	unsigned int mxcsr = 0x7f80;

	__asm__ volatile("pcmpeqd %%xmm0, %%xmm0\n\t movdqa %%xmm0, %%xmm6\n\t movdqa %%xmm0, %%xmm7\n\t movdqa "
			 "%%xmm0, %%xmm14\n\t"
			 "movdqa %%xmm0, %%xmm15\n\t ldmxcsr %0\n\t fninit\n\t fldpi\n\t"
			 "mov $-1, %%r12\n\t mov %%r12, %%r13\n\t mov %%r12, %%r14\n\t mov %%r12, %%r15"
			 :
			 : "m"(mxcsr)
			 : "xmm0", "xmm6", "xmm7", "xmm14", "xmm15", "r12", "r13", "r14", "r15", "memory");
}
#endif

static int echo_fd(void)
{
	int fd = fds_recv_fd(), error;

	if (fd < 0)
		return fd;
	error = fds_send_fd(fd);
	sys_close(fd);
	return error;
}

static int run(int cmd, struct probe_args *args)
{
	struct timespec second = { .tv_sec = 1 };

	switch (cmd) {
	case CMD_STD:
		args->line = check_all();
		args->plugins = plugins;
		return 0;
	case CMD_CRASH:
		*nowhere = 1;
		return 0;
	case CMD_CLOBBER:
		clobber();
		return 0;
	case CMD_INVERT:
		for (int i = 0; i < PROBE_BYTES; i++)
			args->bytes[i] = (unsigned char)~args->bytes[i];
		return 0;
	case CMD_ECHO_FD:
		return echo_fd();
	case CMD_SLEEP:
		sys_nanosleep(&second, 0);
		return 0;
	case CMD_SELF:
		args->tid = (int)sys_gettid();
		args->address = (unsigned long)&plugins;
		return 0;
	}
	return 3;
}

int parasite_daemon_cmd(int cmd, void *args)
{
	return run(cmd, args);
}

int parasite_trap_cmd(int cmd, void *args)
{
	int result = run(cmd, args);

	return result ? result : 7;
}

void parasite_cleanup(void)
{
	print_on_level(COMPEL_LOG_WARN, "cleanup %s %d %x\n", words[0], -1, 16);
}
