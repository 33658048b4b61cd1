/* SPDX-License-Identifier: LGPL-2.1-only */
/* Memory of a tracee, word by word. */
#include <compel/ptrace.h>
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>

static int check_size(long bytes)
{
	return bytes < 0 || bytes & (long)(sizeof(long) - 1) ? -1 : 0;
}

int ptrace_peek_area(pid_t pid, void *dst, void *addr, long bytes)
{
	if (check_size(bytes) < 0)
		return -1;
	for (long at = 0; at < bytes; at += (long)sizeof(long)) {
		long word;

		errno = 0;
		word = ptrace(PTRACE_PEEKDATA, pid, (char *)addr + at, NULL);
		if (errno)
			return -errno;
		memcpy((char *)dst + at, &word, sizeof(word));
	}
	return 0;
}

int ptrace_poke_area(pid_t pid, void *src, void *addr, long bytes)
{
	if (check_size(bytes) < 0)
		return -1;
	for (long at = 0; at < bytes; at += (long)sizeof(long)) {
		long word;

		memcpy(&word, (char *)src + at, sizeof(word));
		if (ptrace(PTRACE_POKEDATA, pid, (char *)addr + at, (void *)word) < 0)
			return -errno;
	}
	return 0;
}

int ptrace_swap_area(pid_t pid, void *dst, void *src, long bytes)
{
	if (check_size(bytes) < 0)
		return -1;
	for (long at = 0; at < bytes; at += (long)sizeof(long)) {
		char word[sizeof(long)];
		int error = ptrace_peek_area(pid, word, (char *)dst + at, sizeof(word));

		if (!error)
			error = ptrace_poke_area(pid, (char *)src + at, (char *)dst + at, sizeof(word));
		if (error) {
			/* What was exchanged so far is exchanged back. */
			if (at)
				(void)ptrace_swap_area(pid, dst, src, at);
			return error;
		}
		memcpy((char *)src + at, word, sizeof(word));
	}
	return 0;
}
