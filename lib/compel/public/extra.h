/* SPDX-License-Identifier: LGPL-2.1-only */
/* Exported by libcompel, but in no public header: for programs that declare them themselves. */
#pragma once

#include <compel/cpu.h>
#include <compel/infect.h>

void compel_print_on_level(unsigned level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Registers of a stopped tracee, without the extended ones. 0, or -1 with errno. */
int ptrace_get_regs(pid_t pid, user_regs_struct_t *regs);
int ptrace_set_regs(pid_t pid, user_regs_struct_t *regs);

/* mmap(2) and mprotect(2) in the process. The address, or NULL with errno; 0, or -1 with errno. */
void *remote_mmap(struct parasite_ctl *ctl, void *addr, size_t length, int prot, int flags, int fd, off_t offset);
int remote_mprotect(struct parasite_ctl *ctl, void *addr, size_t length, int prot);

/* A bit of the description of a CPU; compel_test_fpu_cap() takes an XFEATURE_*. */
void compel_set_cpu_cap(compel_cpuinfo_t *info, unsigned int feature);
void compel_clear_cpu_cap(compel_cpuinfo_t *info, unsigned int feature);
int compel_test_cpu_cap(compel_cpuinfo_t *info, unsigned int feature);
int compel_test_fpu_cap(compel_cpuinfo_t *info, unsigned int feature);
