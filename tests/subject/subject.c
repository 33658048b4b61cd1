// SPDX-License-Identifier: GPL-2.0-only
/* The handshake of a subject with the runner, by files in the control directory which is its first argument. */
#include <sys/utsname.h>
#include "subject.h"

#include <dirent.h>
#include <stdarg.h>
#include <time.h>

#define EXIT_SKIPPED 77

static char control[256]; /* absolute path of the control directory */
static __thread char path_buffer[512];

/* Runs before main and learns the directory, so that main needs no arguments. */
__attribute__((constructor)) static void start_subject(int argc, char **argv)
{
	if (argc < 2 || argv[1][0] != '/' || strlen(argv[1]) >= sizeof(control)) {
		fprintf(stderr, "usage: %s CONTROL-DIRECTORY (absolute)\n", argc ? argv[0] : "subject");
		exit(2);
	}
	strcpy(control, argv[1]);
}

const char *control_path(const char *name)
{
	snprintf(path_buffer, sizeof(path_buffer), "%s/%s", control, name);
	return path_buffer;
}

void sleep_ms(unsigned ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

/* Others may have the same tid in another pid namespace. Not by the vDSO, whose counter a subject may have forbidden.
 */
static unsigned long long unlike_others(void)
{
	struct timespec now;

	syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
	return (unsigned long long)now.tv_sec * 1000000000 + (unsigned long long)now.tv_nsec;
}

/* Creates a file of the control directory with a text; no descriptor stays open. */
static void announce(const char *name, const char *text)
{
	char temporary[300];
	int fd;

	/* Other processes look for the name, so it must appear together with what is in it. */
	snprintf(temporary, sizeof(temporary), "%s/.%s.%ld.%llu", control, name, syscall(SYS_gettid), unlike_others());
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || close(fd) < 0 ||
	    rename(temporary, control_path(name)) < 0) {
		dprintf(2, "subject: cannot announce %s: %s\n", name, strerror(errno));
		_exit(1);
	}
}

bool is_restored(void)
{
	return access(control_path("go"), F_OK) == 0;
}

static void wait_for_go(void)
{
	int saved = errno;

	/* A hundred threads that all look every other moment leave nothing of an emulated machine. */
	for (unsigned ms = 2; !is_restored(); ms = ms < 50 ? ms + 2 : ms)
		sleep_ms(ms);
	errno = saved;
}

void announce_waiter(void)
{
	char name[64];

	snprintf(name, sizeof(name), "waits.%ld.%llu", syscall(SYS_gettid), unlike_others());
	announce(name, "");
}

void wait_for_restore(void)
{
	announce_waiter();
	wait_for_go();
}

void await_call(pid_t tid, long number)
{
	char path[64], text[256];

	snprintf(path, sizeof(path), "/proc/%d/syscall", tid);
	for (;; sleep_ms(1)) {
		int fd = must(open(path, O_RDONLY | O_CLOEXEC));
		ssize_t size = must(read(fd, text, sizeof(text) - 1));

		must(close(fd));
		text[size] = 0;
		/* "running" as long as it does not sleep; -1: not in a call, as on a page fault. */
		if (*text >= '0' && *text <= '9' && atol(text) == number)
			return;
	}
}

static unsigned count_waiters(void)
{
	DIR *dir = opendir(control);
	struct dirent *entry;
	unsigned n = 0;

	while (dir && (entry = readdir(dir)))
		n += strncmp(entry->d_name, "waits.", 6) == 0;
	if (dir)
		closedir(dir);
	return n;
}

void checkpoint_with(unsigned waiters)
{
	while (count_waiters() < waiters)
		sleep_ms(1);
	announce("ready", "");
	wait_for_go();
}

void checkpoint(void)
{
	checkpoint_with(0);
}

/* Leaves a line for the runner; the first of all processes of the subject wins. */
static void tell(const char *text)
{
	int fd = open(control_path("result"), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	if (fd >= 0) {
		dprintf(fd, "%s\n", text);
		close(fd);
	}
	dprintf(2, "%s\n", text);
}

void subject_fail(const char *file, int line, const char *what, int error)
{
	char text[400];

	snprintf(text, sizeof(text), "%s:%d: %s (process %d, errno %d: %s)", file, line, what, getpid(), error,
		 strerror(error));
	tell(text);
	_exit(1);
}

void subject_unequal(const char *file, int line, const char *what, long long got, long long wanted)
{
	char text[400];

	snprintf(text, sizeof(text), "%s:%d: %s is %lld (0x%llx), should be %lld (0x%llx) (process %d)", file, line,
		 what, got, got, wanted, wanted, getpid());
	tell(text);
	_exit(1);
}

bool has_linux(int major, int minor)
{
	struct utsname name;
	int has_major = 0, has_minor = 0;

	must(uname(&name));
	return sscanf(name.release, "%d.%d", &has_major, &has_minor) == 2 &&
	       (has_major > major || (has_major == major && has_minor >= minor));
}

void need_linux(int major, int minor, const char *what)
{
	if (!has_linux(major, minor))
		skip("it takes Linux %d.%d to save %s", major, minor, what);
}

void subject_skip(const char *format, ...)
{
	char text[300];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	tell(text);
	_exit(EXIT_SKIPPED);
}

pid_t start_child(int (*work)(void *arg), void *arg)
{
	pid_t pid = must(fork());

	if (!pid)
		exit(work(arg));
	return pid;
}

void join_child(pid_t pid, int status)
{
	int got;

	CHECK_EQUAL(waitpid(pid, &got, 0), pid);
	CHECK(WIFEXITED(got));
	CHECK_EQUAL(WEXITSTATUS(got), status);
}

/* A cheap generator; every byte depends on all before it, so moved or lost pages show. */
static uint64_t next(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 29;
}

void fill(void *memory, size_t size, unsigned seed)
{
	uint8_t *bytes = memory;
	uint64_t state = seed;

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)next(&state);
}

void check_filled(const void *memory, size_t size, unsigned seed)
{
	const uint8_t *bytes = memory;
	uint64_t state = seed;

	for (size_t i = 0; i < size; i++) {
		uint8_t wanted = (uint8_t)next(&state);

		if (bytes[i] != wanted) {
			dprintf(2, "byte %zu of %zu at %p\n", i, size, (const void *)(bytes + i));
			CHECK_EQUAL(bytes[i], wanted);
		}
	}
}

void check_zero(const void *memory, size_t size)
{
	const uint8_t *bytes = memory;

	for (size_t i = 0; i < size; i++)
		CHECK_EQUAL(bytes[i], 0);
}
