/* SPDX-License-Identifier: LGPL-2.1-only */
/* The action of a signal as the kernel has it, for CPUs with SA_RESTORER. */
#ifndef COMPEL_PLUGIN_STD_SIGACTION_TYPES_H
#define COMPEL_PLUGIN_STD_SIGACTION_TYPES_H

#include <compel/ksigset.h>

typedef void rt_signalfn_t(int);
typedef rt_signalfn_t *rt_sighandler_t;
typedef void rt_restorefn_t(void);
typedef rt_restorefn_t *rt_sigrestore_t;

#ifndef SA_RESTORER
#define SA_RESTORER 0x04000000
#endif

/* The kernel's struct sigaction. */
typedef struct {
	rt_sighandler_t rt_sa_handler;
	unsigned long rt_sa_flags;
	rt_sigrestore_t rt_sa_restorer;
	k_rtsigset_t rt_sa_mask;
} rt_sigaction_t;

#endif
