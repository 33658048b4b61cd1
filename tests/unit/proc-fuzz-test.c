/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The readers of /proc get golden files with bytes cut off, changed, doubled: they may refuse, they may not read or
 * write where they must not (build with -Db_sanitize=address,undefined to see it all). Texts lie at the end of a
 * malloc.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/array.h"
#include "base/log.h"
#include "kern/proc/cgroup.h"
#include "kern/proc/children.h"
#include "kern/proc/fdinfo.h"
#include "kern/proc/limits.h"
#include "kern/proc/locks.h"
#include "kern/proc/maps.h"
#include "kern/proc/mountinfo.h"
#include "kern/proc/stat.h"
#include "kern/proc/status.h"
#include "kern/proc/timers.h"
#include "golden.h"

#define ROUNDS 3000

static void feed_maps(char *text, size_t size)
{
	struct mappings mappings = { 0 };

	if (mappings_parse(&mappings, text, size) >= 0) {
		for (size_t i = 0; i < mappings.n; i++)
			assert_true(mappings.items[i].start < mappings.items[i].end);
		(void)mappings_find(&mappings, 0x100000000);
	}
	mappings_done(&mappings);
}

static void feed_status(char *text, size_t size)
{
	struct proc_status status;

	if (proc_status_parse(text, &status) == 0) {
		assert_true(status.n_levels <= PROC_MAX_PID_LEVELS && memchr(status.name, 0, sizeof(status.name)));
		proc_status_done(&status);
	}
}

static void feed_stat(char *text, size_t size)
{
	struct proc_stat stat;

	if (proc_stat_parse(text, &stat) == 0)
		assert_non_null(memchr(stat.comm, 0, sizeof(stat.comm)));
}

static void feed_timers(char *text, size_t size)
{
	struct proc_timers timers = { 0 };

	(void)proc_timers_parse(text, &timers);
	proc_timers_done(&timers);
}

static void feed_limits(char *text, size_t size)
{
	struct proc_limits limits;

	(void)proc_limits_parse(text, &limits);
}

static void feed_cgroups(char *text, size_t size)
{
	struct proc_cgroups cgroups = { 0 };
	struct pool *pool = pool_create();

	(void)proc_cgroups_parse(text, pool, &cgroups);
	proc_cgroups_done(&cgroups);
	pool_destroy(&pool);
}

static void feed_locks(char *text, size_t size)
{
	struct proc_locks locks = { 0 };

	(void)proc_locks_parse(text, &locks);
	proc_locks_done(&locks);
}

static void feed_mounts(char *text, size_t size)
{
	struct proc_mounts mounts = { 0 };
	struct pool *pool = pool_create();

	if (proc_mounts_parse(text, pool, &mounts) == 0) {
		for (size_t i = 0; i < mounts.n; i++)
			assert_true(mounts.items[i].mountpoint && mounts.items[i].super_options);
	}
	proc_mounts_done(&mounts);
	pool_destroy(&pool);
}

static void feed_children(char *text, size_t size)
{
	struct proc_pids pids = { 0 };

	(void)proc_pids_parse(text, &pids);
	proc_pids_done(&pids);
}

static void feed_fdinfo(char *text, size_t size)
{
	struct fdinfo info = { .dir = -1 };
	uint64_t number;
	int64_t position;

	fdinfo_parse(&info, text, size);
	for (size_t i = 0; i < info.n; i++) {
		(void)fdinfo_get_u64(&info, info.items[i].key, 10, &number);
		(void)fdinfo_get_s64(&info, info.items[i].key, &position);
		(void)fdinfo_field_u64(info.items[i].value, "ino", 16, &number);
	}
	fdinfo_done(&info);
}

static const struct subject {
	const char *golden;
	void (*feed)(char *text, size_t size);
} subjects[] = {
	{ "proc/maps", feed_maps },
	{ "proc/smaps", feed_maps },
	{ "proc/status", feed_status },
	{ "proc/stat", feed_stat },
	{ "proc/timers", feed_timers },
	{ "proc/limits", feed_limits },
	{ "proc/cgroup", feed_cgroups },
	{ "proc/locks", feed_locks },
	{ "proc/mountinfo", feed_mounts },
	{ "proc/stat", feed_children },
	{ "proc/fdinfo-file", feed_fdinfo },
	{ "proc/fdinfo-epoll", feed_fdinfo },
	{ "proc/fdinfo-inotify", feed_fdinfo },
	{ "proc/fdinfo-timerfd", feed_fdinfo },
};

/* Bytes that steer the readers come more often than others. */
static char pick_byte(void)
{
	static const char steering[] = " \t\n:/-()\\0179afrwx,.\xff";

	return random() % 4 ? steering[(size_t)random() % sizeof(steering)] : (char)random();
}

/* Changes a malloc of size + 1 bytes; returns the new size. */
static size_t mutate(char *text, size_t size)
{
	for (long n = 1 + random() % 4; n > 0 && size > 1; n--) {
		size_t at = (size_t)random() % size, length = 1 + (size_t)random() % 8;

		switch (random() % 4) {
		case 0:
			size = at; /* cut off the rest */
			break;
		case 1:
			text[at] = pick_byte();
			break;
		case 2: /* take out some bytes */
			if (length > size - at)
				length = size - at;
			memmove(text + at, text + at + length, size - at - length);
			size -= length;
			break;
		case 3: /* repeat one */
			if (length > size - at)
				length = size - at;
			memset(text + at, text[at], length);
			break;
		}
	}
	text[size] = 0;
	return size;
}

static void test_mutations(void **state)
{
	const struct subject *subject = *state;
	size_t size;
	char *golden = read_golden(subject->golden, &size);

	srandom(20);
	for (int i = 0; i < ROUNDS; i++) {
		char *text = malloc(size + 1), *exact;
		size_t new_size;

		memcpy(text, golden, size + 1);
		new_size = mutate(text, size);
		exact = malloc(new_size + 1); /* nothing behind it but the end of the block */
		memcpy(exact, text, new_size + 1);
		subject->feed(exact, new_size);
		free(exact);
		free(text);
	}
	free(golden);
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(subjects)] = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
		tests[i] = (struct CMUnitTest)cmocka_unit_test_prestate(test_mutations, (void *)&subjects[i]);
		tests[i].name = subjects[i].golden;
	}
	/* Thousands of refusals are no news. */
	log_set_level(LOG_MESSAGE);
	if (log_open("/dev/null") < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
