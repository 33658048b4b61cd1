/* SPDX-License-Identifier: LGPL-2.1-only */
/* The kinds of namespaces that Linux has. */
#include "kern/namespaces.h"

#include <string.h>

#include "base/array.h"

const struct kernel_namespace kernel_namespaces[] = {
	{ "user", CLONE_NEWUSER }, { "mnt", CLONE_NEWNS },  { "pid", CLONE_NEWPID },	   { "net", CLONE_NEWNET },
	{ "ipc", CLONE_NEWIPC },   { "uts", CLONE_NEWUTS }, { "cgroup", CLONE_NEWCGROUP }, { "time", CLONE_NEWTIME },
};

const size_t n_kernel_namespaces = ARRAY_SIZE(kernel_namespaces);

uint32_t namespace_flag(const char *name)
{
	for (size_t i = 0; i < n_kernel_namespaces; i++)
		if (!strcmp(kernel_namespaces[i].name, name))
			return kernel_namespaces[i].flag;
	return 0;
}

const char *namespace_name(uint32_t flag)
{
	for (size_t i = 0; i < n_kernel_namespaces; i++)
		if (kernel_namespaces[i].flag == flag)
			return kernel_namespaces[i].name;
	return NULL;
}
