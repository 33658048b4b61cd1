/* SPDX-License-Identifier: LGPL-2.1-only */
/* /proc/PID/fdinfo/N as keys and values. What they mean is the business of the kinds of files. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

struct fdinfo_line {
	const char *key;   /* "pos", "settime flags", "inotify" */
	const char *value; /* without blanks in front: "0100002", "wd:3 ino:9e7e ..." */
};

/* One reader for all descriptors of a process; its room is used again. Lines live until the next read. */
struct fdinfo {
	int dir;
	int own_file, own_number; /* the last one of ours, still open; own_number is what it shows + 1, 0: none */
	struct buffer text;
	struct fdinfo_line *items;
	size_t n, capacity;
};

int fdinfo_open(struct fdinfo *info, int proc);
void fdinfo_done(struct fdinfo *info);
int fdinfo_read(struct fdinfo *info, int fd);
/*
 * The same of a descriptor of ours. The file of its number stays open, which shows whatever has this number: the next
 * descriptor that is looked at mostly has it again.
 */
int fdinfo_read_own(struct fdinfo *info, int fd);
/*
 * Cuts a text into lines. The key ends at the first colon that blanks or the end of the line follow; a line without
 * such a colon ("inotify wd:3 ino:1") has its first word as key.
 */
void fdinfo_parse(struct fdinfo *info, const char *text, size_t size);

/* The value of the first line with the key, or NULL. */
const char *fdinfo_get(const struct fdinfo *info, const char *key);
/* The next line with the key: size_t at = 0; while ((value = fdinfo_next(info, "tfd", &at))) ... */
const char *fdinfo_next(const struct fdinfo *info, const char *key, size_t *at);
/* A value that is one number. -ENOENT (not reported) without such a line, -EINVAL (reported) if it is no number. */
int fdinfo_get_u64(const struct fdinfo *info, const char *key, int base, uint64_t *ret);
/* The same for numbers with a sign, like pos of /proc/PID/mem and friends. */
int fdinfo_get_s64(const struct fdinfo *info, const char *key, int64_t *ret);

/* What follows "name:" and blanks within a value like "5 events: 1d data: 7 pos:0", or NULL; it ends at a blank. */
const char *fdinfo_field(const char *value, const char *name);
/* That as a number. -ENOENT or -EINVAL, neither reported. */
int fdinfo_field_u64(const char *value, const char *name, int base, uint64_t *ret);
