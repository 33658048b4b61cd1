/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The log. Info and debug lines for a file are collected in a page range that a forked child sees empty
 * (MADV_WIPEONFORK, also for raw clone(2)), so nothing is written twice; a fatal signal writes them before it kills.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/deadline.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/findings.h"
#include "base/io.h"
#include "base/pool.h"
#include "base/text.h"

#define EARLY_SIZE   4096
#define COLLECT_SIZE (64 * 1024)
#define COLLECT_NS   100000000ull

struct collected {
	pthread_mutex_t lock; /* zeroed = free, so a child that was cloned in the middle of a line can go on */
	uint64_t oldest;
	size_t size;
	char text[COLLECT_SIZE];
};

static struct {
	atomic_int level;
	atomic_bool is_open;
	bool can_collect, collect, own_fd;
	bool shows_status; /* log_status() */
	bool keeps_messages;
	int fd;
	uint64_t start;
	struct collected *collected;
	char *split;	 /* NAME of the files NAME.PID */
	int *split_pids; /* those that were begun */
	size_t n_split;
	char early[EARLY_SIZE]; /* before the log opens: level, line, NUL, ... */
	size_t early_size;
} the_log = { .level = LOG_WARN, .fd = STDERR_FILENO };

static void lock_log(void)
{
	pthread_mutex_lock(&the_log.collected->lock);
}

static void unlock_log(void)
{
	pthread_mutex_unlock(&the_log.collected->lock);
}

/* Also runs in the handler of a fatal signal: nothing but write(2). */
static void write_collected(void)
{
	struct collected *c = the_log.collected;

	if (!c->size)
		return;
	(void)io_write(the_log.fd, c->text, c->size); /* where could we say that the log cannot be written? */
	c->size = 0;
}

void log_flush(void)
{
	lock_log();
	write_collected();
	unlock_log();
}

static void handle_fatal_signal(int sig)
{
	write_collected();
	raise(sig); /* SA_RESETHAND: kills now */
}

static void catch_fatal_signals(void)
{
	static const int fatal[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
	struct sigaction action = { .sa_handler = handle_fatal_signal, .sa_flags = (int)SA_RESETHAND }, old;

	for (size_t i = 0; i < ARRAY_SIZE(fatal); i++) {
		if (sigaction(fatal[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
			sigaction(fatal[i], &action, NULL);
	}
}

__attribute__((constructor)) static void prepare_log(void)
{
	void *p = mmap(NULL, sizeof(struct collected), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		out_of_memory();
	the_log.collected = p;
	the_log.can_collect = madvise(p, sizeof(struct collected), MADV_WIPEONFORK) == 0; /* since 4.14 */
	pthread_atfork(log_flush, NULL, NULL);
}

/* A program that ends before it opened its log says what it has to say on stderr. */
__attribute__((destructor)) static void finish_log(void)
{
	if (!the_log.is_open && the_log.early_size)
		log_open(NULL);
	log_flush();
}

bool log_enabled(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&the_log.level, memory_order_relaxed) ||
	       !atomic_load_explicit(&the_log.is_open, memory_order_relaxed);
}

void log_set_level(int verbosity)
{
	the_log.level = verbosity;
}

int log_level(void)
{
	return the_log.level;
}

int log_fd(void)
{
	return the_log.fd;
}

/* Source files are named as in the includes: "base/log.c". */
const char *log_short_name(const char *file)
{
	const char *src = strstr(file, "src/");

	if (src && (src == file || src[-1] == '/'))
		return src + 4;
	while (text_starts(file, "../"))
		file += 3;
	return file;
}

static size_t format_stamp(char *to, size_t capacity, uint64_t us)
{
	if (the_log.level < LOG_INFO)
		return 0;
	return (size_t)snprintf(to, capacity, "(%02u.%06u) ", (unsigned)(us / 1000000), (unsigned)(us % 1000000));
}

/* Also of a message on stdout: both may be the same terminal. The lock is held. */
static void clear_status(void)
{
	if (the_log.shows_status)
		(void)io_write(STDERR_FILENO, "\r\x1b[K", 4);
	the_log.shows_status = false;
}

void log_status(const char *line)
{
	lock_log();
	clear_status();
	if (line)
		(void)io_write(STDERR_FILENO, line, strlen(line)); /* nobody misses it */
	the_log.shows_status = line;
	unlock_log();
}

/* Puts out one whole line with its stamp; the lock is held. */
static void put_line(enum log_level level, const char *line, size_t size, uint64_t now)
{
	struct collected *c = the_log.collected;

	if (c->size && (size > COLLECT_SIZE - c->size || now - c->oldest > COLLECT_NS))
		write_collected();
	if (!the_log.collect || size > COLLECT_SIZE) {
		clear_status();
		(void)io_write(the_log.fd, line, size); /* as in write_collected() */
		return;
	}
	if (!c->size)
		c->oldest = now;
	memcpy(c->text + c->size, line, size);
	c->size += size;
	if (level <= LOG_WARN)
		write_collected();
}

/* Keeps the line for log_open(); an error that finds no room is said at once. */
static void keep_early(enum log_level level, const char *line, size_t size)
{
	if (size + 2 <= EARLY_SIZE - the_log.early_size) {
		char *to = the_log.early + the_log.early_size;

		*to = (char)level;
		memcpy(to + 1, line, size);
		to[size + 1] = '\0';
		the_log.early_size += size + 2;
	} else if (level == LOG_ERROR) {
		(void)io_write(STDERR_FILENO, line, size);
	}
}

static void put_early_lines(void)
{
	size_t at = 0;

	while (at < the_log.early_size) {
		enum log_level level = (enum log_level)the_log.early[at];
		const char *text = the_log.early + at + 1;
		char line[EARLY_SIZE + 32];
		size_t size = format_stamp(line, sizeof(line), 0), n = strlen(text);

		memcpy(line + size, text, n);
		if ((int)level <= the_log.level)
			put_line(level, line, size + n, the_log.start);
		at += n + 2;
	}
	the_log.early_size = 0;
}

static size_t format_place(char *to, size_t capacity, enum log_level level, const char *file, int line)
{
	int n = 0;

	if (level == LOG_ERROR || level == LOG_WARN)
		n = snprintf(to, capacity, "%s (%s:%d): ", level == LOG_ERROR ? "Error" : "Warn ", log_short_name(file),
			     line);
	return (size_t)n < capacity ? (size_t)n : capacity - 1;
}

/* Appends the text and a newline at *at; moves to a malloc'ed line, which is returned, if the room does not suffice. */
static char *append_text(char *line, size_t capacity, size_t *at, const char *format, va_list args)
{
	va_list again;
	char *longer = NULL;
	int n;

	va_copy(again, args);
	n = vsnprintf(line + *at, capacity - *at, format, args);
	if (n < 0)
		n = 0;
	if ((size_t)n + 2 > capacity - *at) {
		longer = xmalloc(*at + (size_t)n + 2);
		memcpy(longer, line, *at);
		vsnprintf(longer + *at, (size_t)n + 1, format, again);
		line = longer;
	}
	va_end(again);
	*at += (size_t)n;
	if (!n || line[*at - 1] != '\n')
		line[(*at)++] = '\n';
	return longer;
}

/* Opened for each line: there may be more tasks than descriptors. The lock is held. */
static void put_split(int pid, const char *line, size_t size)
{
	int flags = O_APPEND, fd;
	char path[PATH_MAX];
	size_t i = 0;

	while (i < the_log.n_split && the_log.split_pids[i] != pid)
		i++;
	if (i == the_log.n_split) {
		the_log.split_pids = xrealloc(the_log.split_pids, ++the_log.n_split * sizeof(*the_log.split_pids));
		the_log.split_pids[i] = pid;
		flags |= O_TRUNC;
	}
	snprintf(path, sizeof(path), "%s.%d", the_log.split, pid);
	fd = file_open_output(path, flags);
	if (fd < 0)
		return; /* the line is in the common log */
	(void)io_write(fd, line, size);
	close(fd);
}

static void write_line(enum log_level level, const char *file, int line_number, const char *format, va_list args)
{
	bool early = !the_log.is_open && level != LOG_MESSAGE;
	uint64_t now = clock_now_ns();
	char line[2048], *longer;
	size_t size = 0;
	int task = the_log.split && level != LOG_MESSAGE ? log_scope_task() : 0;

	if (level != LOG_MESSAGE) {
		if (!early)
			size = format_stamp(line, sizeof(line), (now - the_log.start) / 1000);
		size += format_place(line + size, sizeof(line) - size, level, file, line_number);
		size += log_scope_text(line + size, sizeof(line) - size);
	}
	longer = append_text(line, sizeof(line), &size, format, args);
	if (level != LOG_MESSAGE)
		text_mask_controls(longer ? longer : line, size - 1);

	lock_log();
	if (level == LOG_MESSAGE)
		clear_status();
	if (level == LOG_MESSAGE)
		(void)io_write(STDOUT_FILENO, longer ? longer : line, size); /* a closed stdout is the user's choice */
	else if (early)
		keep_early(level, longer ? longer : line, size);
	else
		put_line(level, longer ? longer : line, size, now);
	if (the_log.split && task)
		put_split(task, longer ? longer : line, size);
	unlock_log();
	free(longer);
}

void log_keep_messages(void)
{
	the_log.keeps_messages = true;
}

void log_write(enum log_level level, const char *file, int line, const char *format, ...)
{
	int saved_errno = errno;
	va_list args;

	if (level == LOG_WARN && findings_want_warnings()) {
		char text[1024];

		va_start(args, format);
		vsnprintf(text, sizeof(text), format, args);
		va_end(args);
		findings_note_warning(file, line, text);
		level = LOG_INFO;
	}
	if (level == LOG_MESSAGE && the_log.keeps_messages)
		level = LOG_INFO;
	if (!log_enabled(level))
		return;
	va_start(args, format);
	write_line(level, file, line, format, args);
	va_end(args);
	errno = saved_errno;
}

int log_open(const char *path)
{
	int fd = STDERR_FILENO;
	struct stat st;

	if (path && strcmp(path, "-") == 0) {
		fd = STDOUT_FILENO;
	} else if (path) {
		fd = file_open_output(path, O_TRUNC | O_APPEND);
		if (fd < 0)
			return fd;
	}
	log_close();
	the_log.own_fd = path && fd != STDOUT_FILENO;
	the_log.fd = fd;
	the_log.start = clock_now_ns();
	the_log.collect = the_log.can_collect && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	if (the_log.collect)
		catch_fatal_signals();

	lock_log();
	put_early_lines();
	write_collected();
	the_log.is_open = true;
	unlock_log();
	return 0;
}

int log_refuse_file(const char *path, int error)
{
	if (error == -ELOOP)
		return refuse(
			EBADRQC,
			"log file %s is a symbolic link that somebody else may have made: it is not followed; remove "
			"it, or name another file",
			path);
	(void)fail(-error, "log file %s cannot be opened in the work directory", path);
	return -EBADRQC;
}

void log_split(const char *path)
{
	char *copy = xmalloc(strlen(path) + 1);

	strcpy(copy, path);
	lock_log();
	free(the_log.split);
	the_log.split = copy;
	unlock_log();
}

void log_close(void)
{
	lock_log();
	write_collected();
	if (the_log.own_fd)
		close(the_log.fd);
	the_log.own_fd = false;
	the_log.fd = STDERR_FILENO;
	the_log.is_open = false;
	free(TAKE_PTR(the_log.split));
	free(TAKE_PTR(the_log.split_pids));
	the_log.n_split = 0;
	unlock_log();
}
