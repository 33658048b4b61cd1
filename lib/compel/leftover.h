/* SPDX-License-Identifier: LGPL-2.1-only */
/* Memory and threads of parasites whose coordinator was killed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct deadline;
struct parasite_process;

/*
 * What is left when we were killed in between, and nobody watched over us: the memory stays in the process, and for a
 * moment threads may still be on their way home in it. The next dump waits for them and takes the memory away.
 */
bool parasite_is_leftover(pid_t pid, uint64_t address);
/* Runs a stopped thread until it has left [start, end); it has not executed an instruction of its own program then. */
int parasite_run_out(pid_t tid, uint64_t start, uint64_t end, const struct deadline *deadline);
int parasite_unmap(const struct parasite_process *process, uint64_t address, uint64_t size);
