/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * File locks (proc_locks(5)):
 *	1: POSIX  ADVISORY  WRITE 1234 fd:01:5678 0 EOF
 *	1: -> POSIX  ADVISORY  WRITE 1235 fd:01:5678 0 EOF
 *	2: LEASE  BREAKING  READ 1234 fd:01:5679 0 EOF
 */
#include "kern/proc/locks.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/text.h"
#include "base/vector.h"
#include "kern/proc/proc.h"
#include "kern/proc/scan.h"

/* Takes the next word; true if it is this one. */
static bool scan_word(const char **cursor, const char *word)
{
	size_t size = strlen(word);

	if (strncmp(*cursor, word, size) != 0 || ((*cursor)[size] && (*cursor)[size] != ' '))
		return false;
	*cursor += size;
	scan_blanks(cursor);
	return true;
}

static void skip_word(const char **cursor)
{
	*cursor += strcspn(*cursor, " ");
	scan_blanks(cursor);
}

static enum proc_lock_kind scan_kind(const char **cursor)
{
	static const char *const kinds[] = {
		[PROC_LOCK_POSIX] = "POSIX", [PROC_LOCK_FLOCK] = "FLOCK",      [PROC_LOCK_OFD] = "OFDLCK",
		[PROC_LOCK_LEASE] = "LEASE", [PROC_LOCK_DELEGATION] = "DELEG",
	};

	for (int i = 0; i < PROC_LOCK_OTHER; i++) {
		if (scan_word(cursor, kinds[i]))
			return (enum proc_lock_kind)i;
	}
	skip_word(cursor);
	return PROC_LOCK_OTHER;
}

/* "fd:01:5678", or "<none>:0" for a lock without a file. */
static bool scan_inode(const char **cursor, struct proc_lock *lock)
{
	uint64_t major, minor, inode;

	if (text_starts(*cursor, "<none>:0")) {
		skip_word(cursor);
		return true;
	}
	if (!scan_hex(cursor, &major) || !scan_char(cursor, ':') || !scan_hex(cursor, &minor) ||
	    !scan_char(cursor, ':') || !scan_dec(cursor, &inode))
		return false;
	lock->dev = makedev((unsigned)major, (unsigned)minor);
	lock->inode = inode;
	scan_blanks(cursor);
	return true;
}

static bool scan_type(const char **cursor, int *ret)
{
	if (scan_word(cursor, "READ"))
		*ret = F_RDLCK;
	else if (scan_word(cursor, "WRITE") || scan_word(cursor, "RW"))
		*ret = F_WRLCK;
	else if (scan_word(cursor, "UNLCK"))
		*ret = F_UNLCK;
	else
		return false;
	return true;
}

int proc_lock_parse(const char *line, struct proc_lock *ret)
{
	const char *p = line;
	uint64_t number;
	bool negative;

	*ret = (struct proc_lock){ 0 };
	if (!scan_dec(&p, &number) || !scan_char(&p, ':'))
		return -EINVAL;
	ret->id = (int64_t)number;
	scan_blanks(&p);
	ret->waiting = scan_word(&p, "->");
	ret->kind = scan_kind(&p);
	ret->mandatory = text_starts(p, "MANDATORY");
	ret->breaking = text_starts(p, "BREAK");
	skip_word(&p);
	if (!scan_type(&p, &ret->type))
		return -EINVAL;
	negative = scan_char(&p, '-');
	if (!scan_dec(&p, &number) || number > INT32_MAX)
		return -EINVAL;
	ret->pid = negative ? -(pid_t)number : (pid_t)number;
	scan_blanks(&p);
	if (!scan_inode(&p, ret) || !scan_dec(&p, &ret->start))
		return -EINVAL;
	scan_blanks(&p);
	ret->end = PROC_LOCK_EOF;
	return scan_word(&p, "EOF") || scan_dec(&p, &ret->end) ? 0 : -EINVAL;
}

int proc_locks_parse(char *text, struct proc_locks *ret)
{
	char *line;

	ret->n = 0;
	while ((line = text_line(&text))) {
		if (proc_lock_parse(line, vector_push(ret)) < 0)
			return refuse(EINVAL, "cannot understand the line \"%s\" of /proc/locks", line);
	}
	return 0;
}

int proc_locks_read(struct proc_locks *ret)
{
	AUTO(buffer_done) struct buffer text = { 0 };

	TRY(proc_read(AT_FDCWD, "/proc/locks", &text));
	return proc_locks_parse(text.data, ret);
}

void proc_locks_done(struct proc_locks *locks)
{
	vector_done(locks);
}
