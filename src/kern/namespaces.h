/* SPDX-License-Identifier: LGPL-2.1-only */
/* The kinds of namespaces that Linux has. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct kernel_namespace {
	const char *name; /* in /proc/PID/ns */
	uint32_t flag;	  /* CLONE_NEW* */
};

#define N_KERNEL_NAMESPACES 8
extern const struct kernel_namespace kernel_namespaces[N_KERNEL_NAMESPACES];

/* 0: there is none of that name. */
uint32_t namespace_flag(const char *name);
/* The flag is one of these. */
const char *namespace_name(uint32_t flag);
