/* SPDX-License-Identifier: LGPL-2.1-only */
/* A list of steps to be run by the blob inside another process, with the data that they point to. Built in normal C. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>

#include "blob/abi/steps.h"

struct plan;

struct plan *plan_create(void);
void plan_destroy(struct plan **plan);
void plan_reset(struct plan *plan); /* empty again, memory kept */

/* An argument of a step. */
struct plan_arg {
	int64_t value;
	enum { PLAN_VALUE, PLAN_DATA, PLAN_SLOT } kind;
};

#define V(x)	  ((struct plan_arg){ (int64_t)(x), PLAN_VALUE })	     /* a number */
#define P(x)	  ((struct plan_arg){ (int64_t)(uintptr_t)(x), PLAN_VALUE }) /* an address over there */
#define D(offset) ((struct plan_arg){ (int64_t)(offset), PLAN_DATA })	     /* the address of data of this plan */
#define S(slot)	  ((struct plan_arg){ (slot), PLAN_SLOT }) /* the value of a slot (1 .. STEP_SLOTS - 1) */

/*
 * Appends a system call: plan_syscall(p, "set the umask", __NR_umask, V(022)). why must live as long as the plan (a
 * literal, or plan_why()). The step may be changed (flags, to_slot) until the next call on this plan.
 */
#define plan_syscall(plan, why, nr, ...)                                                        \
	plan_add_syscall((plan), (why), (nr), (const struct plan_arg[]){ V(0), ##__VA_ARGS__ }, \
			 sizeof((const struct plan_arg[]){ V(0), ##__VA_ARGS__ }) / sizeof(struct plan_arg) - 1)

struct step *plan_add_syscall(struct plan *plan, const char *why, int nr, const struct plan_arg *args, unsigned n);
/* A system call as 32-bit programs make it, with a number of theirs (arch_compat_abi.h); at most five arguments. */
#define plan_compat_syscall(plan, why, number, ...)                                            \
	(plan_step((plan), (why), STEP_COMPAT, (const struct plan_arg[]){ __VA_ARGS__ },       \
		   sizeof((const struct plan_arg[]){ __VA_ARGS__ }) / sizeof(struct plan_arg)) \
		 ->nr = (number))
/* Appends a step of another kind, args as its struct step comment says. */
struct step *plan_step(struct plan *plan, const char *why, enum step_kind kind, const struct plan_arg *args,
		       unsigned n);

/* Copies data in, aligned to 16; returns its offset, for D(). */
size_t plan_data(struct plan *plan, const void *data, size_t size);
/* Zeroed room for a result; read it with remote_result() after the run. */
size_t plan_space(struct plan *plan, size_t size);
/* The data at an offset, to be changed before the plan is posted. Valid until the next call on this plan. */
void *plan_at(struct plan *plan, size_t offset);
/* Stores the result of the step in the plan; returns the offset of an int64_t. */
size_t plan_keep_result(struct plan *plan, struct step *step);
/* A formatted text for "why" that lives as long as the plan. */
const char *plan_why(struct plan *plan, const char *format, ...) __attribute__((format(printf, 2, 3)));

size_t plan_count(const struct plan *plan);
/* Bytes that plan_write() needs; the text of the reasons stays here. */
size_t plan_size(const struct plan *plan);
void plan_write(const struct plan *plan, void *to);
/* Where data with this offset lies in the written plan. */
size_t plan_place(const struct plan *plan, size_t offset);
const struct step *plan_step_at(const struct plan *plan, size_t i); /* NULL behind the end */
/* The reason of step i, with the address range if it is a call on memory, for failure reports. */
void plan_describe_step(const struct plan *plan, size_t i, char *to, size_t capacity);
/* Reason and name of step i, for failure reports. */
const char *plan_step_why(const struct plan *plan, size_t i);
