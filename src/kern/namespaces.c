/* SPDX-License-Identifier: LGPL-2.1-only */
/* The kinds of namespaces that Linux has. */
#include "kern/namespaces.h"

#include <sched.h>
#include <string.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80 /* Linux 5.6 */
#endif

const struct kernel_namespace kernel_namespaces[N_KERNEL_NAMESPACES] = {
	{ "user", CLONE_NEWUSER }, { "mnt", CLONE_NEWNS },  { "pid", CLONE_NEWPID },	   { "net", CLONE_NEWNET },
	{ "ipc", CLONE_NEWIPC },   { "uts", CLONE_NEWUTS }, { "cgroup", CLONE_NEWCGROUP }, { "time", CLONE_NEWTIME },
};

uint32_t namespace_flag(const char *name)
{
	for (size_t i = 0; i < N_KERNEL_NAMESPACES; i++)
		if (!strcmp(kernel_namespaces[i].name, name))
			return kernel_namespaces[i].flag;
	return 0;
}

const char *namespace_name(uint32_t flag)
{
	for (size_t i = 0; i < N_KERNEL_NAMESPACES; i++)
		if (kernel_namespaces[i].flag == flag)
			return kernel_namespaces[i].name;
	return NULL;
}
