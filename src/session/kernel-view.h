/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What no call tells of an object, read from the kernel's memory (kern/peek.h): where its members lie the kernel says
 * itself (kern/btf.h). Opened at the first question, which takes some milliseconds: ask only where there is a reason.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dump;
struct kernel_view;

/* NULL if that memory cannot be read; why says what stands against it. */
struct kernel_view *kernel_view_get(const struct dump *d, const char **ret_why);
/* The struct file behind a descriptor of ours, 0: it cannot be found. */
uint64_t kernel_view_file(struct kernel_view *view, int fd);
/* The same behind a number of a process; proc is /proc/PID. Of one that runs it may be another by now. */
uint64_t kernel_view_file_of(struct kernel_view *view, int proc, int number);
/* The number of a struct pid in our own pid namespace, 0: it has none there. */
int32_t kernel_view_pid(struct kernel_view *view, uint64_t pid);
/* A member of the structure at base. False: there is none of this size, or base is no address. */
bool kernel_view_read(struct kernel_view *view, uint64_t base, const char *type, const char *member, void *to,
		      size_t size);
/* What lies at an address. */
bool kernel_view_read_at(struct kernel_view *view, uint64_t address, void *to, size_t size);
/* Where a member lies, 0: nowhere. */
uint64_t kernel_view_place(struct kernel_view *view, uint64_t base, const char *type, const char *member);
