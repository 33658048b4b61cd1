/* SPDX-License-Identifier: GPL-2.0-only */
/* Capabilities of the calling thread. */
#include "kern/capability.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

struct sets {
	uint64_t effective, permitted, inheritable;
};

static int get(struct sets *ret)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	ret->effective = data[0].effective | (uint64_t)data[1].effective << 32;
	ret->permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	ret->inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
	return 0;
}

static int set(const struct sets *sets)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
		{ (uint32_t)sets->effective, (uint32_t)sets->permitted, (uint32_t)sets->inheritable },
		{ (uint32_t)(sets->effective >> 32), (uint32_t)(sets->permitted >> 32), (uint32_t)(sets->inheritable >> 32) },
	};

	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

bool capability_effective(unsigned capability)
{
	struct sets sets = { 0 };

	return get(&sets) == 0 && sets.effective >> capability & 1;
}

bool capability_permitted(unsigned capability)
{
	struct sets sets = { 0 };

	return get(&sets) == 0 && sets.permitted >> capability & 1;
}

int capability_raise(unsigned capability)
{
	struct sets sets = { 0 };

	if (get(&sets) < 0 || sets.effective >> capability & 1 || !(sets.permitted >> capability & 1))
		return -1;
	sets.effective |= 1ull << capability;
	return set(&sets) < 0 ? -1 : (int)capability;
}

void capability_lower(int *raised)
{
	struct sets sets = { 0 };

	/* What was raised can be lowered. */
	if (*raised < 0 || get(&sets) < 0)
		return;
	sets.effective &= ~(1ull << *raised);
	(void)set(&sets);
}

int capability_keep(uint64_t effective, uint64_t permitted)
{
	struct sets sets = { 0 };
	int error = get(&sets);

	if (error < 0)
		return error;
	sets.permitted &= permitted;
	sets.effective = sets.permitted & effective; /* not of what was effective: a change of ids may have cleared that */
	sets.inheritable = 0;
	return set(&sets);
}
