/* SPDX-License-Identifier: LGPL-2.1-only */
/* The log. A line begins with the seconds since the start, "(00.001234) "; errors and warnings name their place,
 * "Error (flow/dump.c:12): ", which engines grep for. Thread-safe. */
#pragma once

#include <stdbool.h>

enum log_level {
	LOG_MESSAGE, /* always, to stdout, not into the log */
	LOG_ERROR,
	LOG_WARN,
	LOG_INFO,
	LOG_DEBUG,
};

/*
 * Writes one line; a newline at the end of the text may be left out. Into a file, info and debug lines are collected
 * and written together: when an error or a warning comes, when the oldest is 100 ms old and another comes, before
 * fork(2), at exit and on a fatal signal. log_flush() before waiting long and before _exit(2).
 */
void log_write(enum log_level level, const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#define log_message(...) log_write(LOG_MESSAGE, __FILE__, __LINE__, __VA_ARGS__)
#define log_error(...)	 log_write(LOG_ERROR, __FILE__, __LINE__, __VA_ARGS__)
#define log_warn(...)	 log_write(LOG_WARN, __FILE__, __LINE__, __VA_ARGS__)
#define log_info(...)                                                         \
	do {                                                                  \
		if (log_enabled(LOG_INFO))                                    \
			log_write(LOG_INFO, __FILE__, __LINE__, __VA_ARGS__); \
	} while (0)
#define log_debug(...)                                                         \
	do {                                                                   \
		if (log_enabled(LOG_DEBUG))                                    \
			log_write(LOG_DEBUG, __FILE__, __LINE__, __VA_ARGS__); \
	} while (0)

/* Who asked is not at stdout: from now on messages go into the log, at level info. */
void log_keep_messages(void);

/* Until the log is open every line counts as enabled: it is kept, and filtered when the log opens. */
bool log_enabled(enum log_level level);
void log_set_level(int verbosity);
int log_level(void);

/* Opens the log: NULL = stderr, "-" = stdout, else a file in the current directory. Writes what was kept until now.
 * Returns 0 or -errno. */
int log_open(const char *path);
/* After log_open() failed: says so, with the way out. Returns -EBADRQC. */
int log_refuse_file(const char *path, int error);
void log_close(void);
void log_flush(void);

/*
 * From now on each line about a task (LOG_SCOPE("task PID")) also goes to the file PATH.PID, which is made anew. Until
 * log_close().
 */
void log_split(const char *path);

/*
 * Shows a line on stderr, a terminal, in the place of the one before; NULL: none any more. It goes away before anything
 * else is written to a terminal.
 */
void log_status(const char *line);

/* The descriptor that lines go to, for children whose output belongs into the log. */
int log_fd(void);

/* A source file as the log names it: as in the includes. */
const char *log_short_name(const char *file);
