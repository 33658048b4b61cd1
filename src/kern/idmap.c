/* SPDX-License-Identifier: LGPL-2.1-only */
/* The map of owners of a mount: statmount(2), listmount(2), mount_setattr(2). */
#include "kern/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/pool.h"
#include "base/text.h"
#include "kern/syscalls.h"

#ifndef __NR_statmount
#define __NR_statmount 457 /* Linux 6.8 */
#define __NR_listmount 458
#endif

#define IDS_AT_ONCE 512
#define TEXT_SIZE   16384   /* 340 lines of 32 characters each, twice */
#define OF_ROOT	    (~0ull) /* LSMT_ROOT */

#define WANT_BASIC  0x2u
#define WANT_USERS  0x2000u
#define WANT_GROUPS 0x4000u

struct mount_request {
	uint32_t size, spare;
	uint64_t id, param;
};

/* struct statmount of linux/mount.h, as of 6.15. */
struct mount_answer {
	uint32_t size, options;
	uint64_t mask;
	uint32_t dev_major, dev_minor;
	uint64_t magic;
	uint32_t sb_flags, fs_type;
	uint64_t id, parent;
	uint32_t old_id, old_parent;
	uint64_t attributes, propagation, peer_group, master, propagate_from;
	uint32_t root, point;
	uint64_t namespace;
	uint32_t subtype, source, n_options, all_options, n_security, security;
	uint64_t supported;
	uint32_t n_users, users, n_groups, groups;
	uint64_t spare[43];
	char text[TEXT_SIZE];
};

static int ask_mount(uint64_t id, uint64_t want, struct mount_answer *answer)
{
	struct mount_request request = { sizeof(request), 0, id, want };

	return syscall(__NR_statmount, &request, answer, sizeof(*answer), 0) < 0 ? -errno : 0;
}

/* In older interfaces a mount has another number. */
static int find_new_id(int old, struct mount_answer *answer, uint64_t *ret)
{
	uint64_t ids[IDS_AT_ONCE], last = 0;
	long n;

	do {
		struct mount_request request = { sizeof(request), 0, OF_ROOT, last };

		n = syscall(__NR_listmount, &request, ids, IDS_AT_ONCE, 0);
		if (n < 0)
			return errno == ENOSYS ? -EOPNOTSUPP : -errno;
		for (long i = 0; i < n; i++) {
			*ret = last = ids[i];
			if (ask_mount(ids[i], WANT_BASIC, answer) == 0 && answer->old_id == (uint32_t)old)
				return 0;
		}
	} while (n == IDS_AT_ONCE);
	return -ENODEV;
}

/* The kernel ends each line by a NUL. */
static char *join_lines(struct pool *pool, const char *text, uint32_t n)
{
	char *all = pool_string(pool, "");

	for (uint32_t i = 0; i < n; i++, text += strlen(text) + 1)
		all = pool_printf(pool, "%s%s\n", all, text);
	return all;
}

int idmap_read(int mnt_id, struct pool *pool, char **ret_users, char **ret_groups)
{
	AUTO_FREE struct mount_answer *answer = xzalloc(sizeof(*answer));
	uint64_t id = 0;
	int error = find_new_id(mnt_id, answer, &id);

	if (error == 0)
		error = ask_mount(id, WANT_USERS | WANT_GROUPS, answer);
	if (error < 0)
		return error;
	if (!(answer->mask & WANT_USERS) || !(answer->mask & WANT_GROUPS))
		return -EOPNOTSUPP;
	if (!answer->n_users && !answer->n_groups)
		return -ENOENT;
	*ret_users = join_lines(pool, answer->text + answer->users, answer->n_users);
	*ret_groups = join_lines(pool, answer->text + answer->groups, answer->n_groups);
	return 0;
}

int idmap_write(int mount, int user_ns)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)user_ns };

	return mount_setattr(mount, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 ? -errno : 0;
}
