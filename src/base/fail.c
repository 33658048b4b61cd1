/* SPDX-License-Identifier: LGPL-2.1-only */
/* Failures: the scopes of each thread, the first cause of a run, fault injection. */
#include "base/fail.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/findings.h"
#include "base/interrupt.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"

enum record_state { RECORD_EMPTY, RECORD_BUSY, RECORD_SET };

struct failure {
	atomic_int state;
	int error;
	char place[96], text[2048];
};

static struct failure private_record; /* when the shared one cannot be had */
static struct failure *record = &private_record;
static void (*explain_failure)(char *text, size_t capacity);
static _Thread_local struct log_scope *innermost;
static _Thread_local bool last_was_refusal;

static struct failure *create_record(void)
{
	void *p = mmap(NULL, sizeof(struct failure), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

__attribute__((constructor)) static void prepare_record(void)
{
	struct failure *shared = create_record();

	if (shared)
		record = shared;
}

static void keep_failure(const char *file, int line, int error, char *text, size_t capacity)
{
	int empty = RECORD_EMPTY;
	size_t n;

	if (!atomic_compare_exchange_strong(&record->state, &empty, RECORD_BUSY))
		return;
	if (explain_failure)
		explain_failure(text, capacity);
	n = log_scope_text(record->text, sizeof(record->text));
	text_mask_controls(record->text, n);
	snprintf(record->text + n, sizeof(record->text) - n, "%s", text);
	snprintf(record->place, sizeof(record->place), "%s:%d", log_short_name(file), line);
	record->error = error;
	atomic_store(&record->state, RECORD_SET);
}

int failure_error(void)
{
	return atomic_load(&record->state) == RECORD_SET ? record->error : 0;
}

const char *failure_text(void)
{
	return atomic_load(&record->state) == RECORD_SET ? record->text : "";
}

void failure_explain(void (*explain)(char *text, size_t capacity))
{
	explain_failure = explain;
}

bool failure_was_refusal(void)
{
	return last_was_refusal;
}

void failure_line(char *to, size_t capacity)
{
	int n = snprintf(to, capacity, "Error (%s): %s", record->place, failure_text());

	if (n < 0 || (size_t)n + 2 > capacity)
		n = (int)capacity - 2;
	if (n && to[n - 1] != '\n')
		to[n++] = '\n';
	to[n] = '\0';
}

void failure_reset(void)
{
	struct failure *old = record, *shared = create_record();

	if (shared)
		record = shared;
	else
		atomic_store(&record->state, RECORD_EMPTY);
	if (shared && old != &private_record)
		munmap(old, sizeof(*old));
}

/* A message that names the task may be told in its scope or outside of it. */
static const char *without_scope(const char *text)
{
	for (const struct log_scope *scope = innermost; scope; scope = scope->outer) {
		const char *rest = text_after(text, scope->text);

		if (rest && text_starts(rest, ": "))
			return rest + 2;
	}
	return text;
}

/* Logs and keeps; the caller's errno survives, so that it can still be looked at. */
static int report_failure(const char *file, int line, int error, bool with_errno, const char *format, va_list args)
{
	int saved_errno = errno;
	char text[1536], reason[128];
	const char *rest;
	int n = vsnprintf(text, sizeof(text), format, args);

	if (n < 0)
		n = snprintf(text, sizeof(text), "%s", format);
	if (with_errno) {
		if ((size_t)n > sizeof(text) - sizeof(reason))
			n = (int)(sizeof(text) - sizeof(reason));
		snprintf(text + n, sizeof(text) - (size_t)n, ": %s", strerror_r(error, reason, sizeof(reason)));
	}
	text_mask_controls(text, strlen(text));
	rest = without_scope(text);
	memmove(text, rest, strlen(rest) + 1);
	last_was_refusal = !with_errno;
	keep_failure(file, line, error, text, sizeof(text));
	log_write((enum log_level)findings_note(file, line, error, !with_errno, text), file, line, "%s", text);
	errno = saved_errno;
	return -error;
}

int fail_at(const char *file, int line, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report_failure(file, line, error, true, format, args);
	va_end(args);
	return -error;
}

int refuse_at(const char *file, int line, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report_failure(file, line, error, false, format, args);
	va_end(args);
	return -error;
}

void log_scope_enter(struct log_scope *scope, const char *format, ...)
{
	int saved_errno = errno;
	va_list args;

	va_start(args, format);
	vsnprintf(scope->text, sizeof(scope->text), format, args);
	va_end(args);
	scope->outer = innermost;
	innermost = scope;
	errno = saved_errno;
}

void log_scope_leave(struct log_scope *scope)
{
	innermost = scope->outer;
}

struct log_scope *log_scope_current(void)
{
	return innermost;
}

void log_scope_adopt(struct log_scope *scope)
{
	innermost = scope;
}

static size_t append_scope(const struct log_scope *scope, char *to, size_t capacity)
{
	size_t n = scope->outer ? append_scope(scope->outer, to, capacity) : 0;
	const char *text = scope->text, *rest = scope->outer ? text_after(text, scope->outer->text) : NULL;

	if (rest && !*rest)
		return n;
	if (rest && text_starts(rest, ": "))
		text = rest + 2;
	for (const char *c = text; *c && n + 1 < capacity; c++)
		to[n++] = *c;
	for (const char *c = ": "; *c && n + 1 < capacity; c++)
		to[n++] = *c;
	to[n] = '\0';
	return n;
}

size_t log_scope_text(char *to, size_t capacity)
{
	to[0] = '\0';
	return innermost ? append_scope(innermost, to, capacity) : 0;
}

int log_scope_task(void)
{
	int pid = 0;

	for (const struct log_scope *scope = innermost; scope; scope = scope->outer)
		(void)sscanf(scope->text, "task %d", &pid);
	return pid;
}

/* One write per line: with O_APPEND lines of several processes stay whole. */
static void list_point(const char *path, const char *name)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	char line[256];
	int n = snprintf(line, sizeof(line), "%s\n", name);

	if (fd < 0 || n < 0 || (size_t)n >= sizeof(line) || io_write(fd, line, (size_t)n) < 0)
		log_warn("cannot list the fault point %s in %s", name, path);
}

int fail_point(const char *name)
{
	const char *at = secure_getenv("CRIU_FAIL_AT"), *list = secure_getenv("CRIU_FAIL_LIST");

	log_debug("Phase %s", name);
	if (list && *list)
		list_point(list, name);
	if (at && strcmp(at, name) == 0)
		return fail(EIO, "fault injected at %s", name);
	return interrupt_check();
}
