/* SPDX-License-Identifier: LGPL-2.1-only */
/* The loop of the blob. */
#pragma once

#include "blob/abi/steps.h"

/* Runs on the stack of the slot and never returns. Called from arch_start.S and, for a new task, from arch_clone_to().
 */
void blob_run(struct slot *slot) __attribute__((noreturn, visibility("hidden")));
