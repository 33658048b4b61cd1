/* SPDX-License-Identifier: LGPL-2.1-only */
/* Capabilities of the calling thread. */
#include "kern/capability.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HEADER (&(struct __user_cap_header_struct){ .version = _LINUX_CAPABILITY_VERSION_3 })

bool capability_effective(unsigned capability)
{
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return syscall(SYS_capget, HEADER, data) == 0 &&
	       data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability);
}

uint64_t capability_permitted(void)
{
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, HEADER, data) < 0)
		return 0;
	return data[0].permitted | (uint64_t)data[1].permitted << 32;
}

uint64_t capability_all(void)
{
	uint64_t all = 0;

	for (int cap = 0; cap < 64 && prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		all |= 1ull << cap;
	return all;
}

int capability_keep(uint64_t capabilities)
{
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, HEADER, data) < 0)
		return -errno;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		/* A change of ids may have cleared the effective ones. */
		data[i].effective = data[i].permitted &= (uint32_t)(capabilities >> 32 * i);
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, HEADER, data) < 0 ? -errno : 0;
}
