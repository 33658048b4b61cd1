/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * How failures travel: functions return 0 or more on success and -errno on failure. Whoever detects a
 * failure calls fail(), which logs one line with the open scopes in front and keeps the first cause; whoever
 * passes it on writes TRY(). "Not there" (-ENOENT) is returned without fail() where a header says so.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

/* Logs "SCOPES: MESSAGE: strerror(error)" at error level, keeps it if it is the first, returns -error. */
#undef fail /* cmocka.h has a macro of this name; include it before this file */
#define fail(error, ...) fail_at(__FILE__, __LINE__, (error), __VA_ARGS__)

/* The same, but without the errno text: for refusals whose message says it all. */
#define refuse(error, ...) refuse_at(__FILE__, __LINE__, (error), __VA_ARGS__)

#define fail_errno(...) fail(errno, __VA_ARGS__)

int fail_at(const char *file, int line, int error, const char *format, ...) __attribute__((format(printf, 4, 5)));
int refuse_at(const char *file, int line, int error, const char *format, ...) __attribute__((format(printf, 4, 5)));

#define TRY(call)                       \
	do {                            \
		int try_ = (int)(call); \
		if (try_ < 0)           \
			return try_;    \
	} while (0)

/* Prefixes every line that this thread logs until the block ends: LOG_SCOPE("task %d (%s)", pid, comm); */
struct log_scope {
	struct log_scope *outer;
	char text[96];
};

#define LOG_SCOPE_NAME2(line) log_scope_##line
#define LOG_SCOPE_NAME(line)  LOG_SCOPE_NAME2(line)
#define LOG_SCOPE(...)                                                                                       \
	struct log_scope LOG_SCOPE_NAME(__LINE__) __attribute__((cleanup(log_scope_leave), unused)) = { 0 }; \
	log_scope_enter(&LOG_SCOPE_NAME(__LINE__), __VA_ARGS__)

void log_scope_enter(struct log_scope *scope, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_scope_leave(struct log_scope *scope);
/* The open scopes of this thread as "outer: inner: ", cut if it does not fit; returns the length. */
size_t log_scope_text(char *to, size_t capacity);
/* The task of the outermost scope "task PID ...", 0 if there is none. */
int log_scope_task(void);
/* For a thread that works for another one: show the scopes of that one, which must stay open until
 * log_scope_adopt(NULL). */
struct log_scope *log_scope_current(void);
void log_scope_adopt(struct log_scope *scope);

/*
 * The first failure of this run: its errno (0 if none) and its line "SCOPES: MESSAGE: strerror". Both live until
 * failure_reset(). Processes forked by this one share the record, so a child's cause reaches its parent; whoever starts
 * a run of its own in a forked process (the service) begins with failure_reset(), which leaves the parent's record
 * alone.
 */
int failure_error(void);
const char *failure_text(void);
void failure_reset(void);
/* What this thread reported last was refuse()d: nothing went wrong, but some object cannot be handled. */
bool failure_was_refusal(void);
/* Each first failure of a run is given to it before it is logged and kept: it may add to the text, what the user can
 * do. NULL: nobody. */
void failure_explain(void (*explain)(char *text, size_t capacity));
/* The line as the log shows it: "Error (PLACE): TEXT" and a newline, cut if there is not room enough. */
void failure_line(char *to, size_t capacity);

/*
 * Fault injection for tests: "dump/freeze", "restore/create", ... When the environment variable CRIU_FAIL_AT names this
 * point, it fails with EIO. It also fails after a signal, see interrupt.h. Every phase of a dump and of a restore
 * passes one. The list of all points that a run passed is written, one a line, to the file that CRIU_FAIL_LIST names.
 */
int fail_point(const char *name);
