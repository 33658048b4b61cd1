/* SPDX-License-Identifier: LGPL-2.1-only */
/* The kinds of namespaces that Linux has. */
#pragma once

#include <sched.h>
#include <stddef.h>
#include <stdint.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80 /* Linux 5.6 */
#endif

struct kernel_namespace {
	const char *name; /* in /proc/PID/ns */
	uint32_t flag;	  /* CLONE_NEW* */
};

extern const struct kernel_namespace kernel_namespaces[];
extern const size_t n_kernel_namespaces;

/* 0: there is none of that name. */
uint32_t namespace_flag(const char *name);
/* The flag is one of these. */
const char *namespace_name(uint32_t flag);
