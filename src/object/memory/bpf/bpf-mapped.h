/* SPDX-License-Identifier: GPL-2.0-only */
/* Mapped BPF maps: arrays (BPF_F_MMAPABLE) and ring buffers. */
#pragma once

#include <stdbool.h>

#include "kern/proc/maps.h"
#include "vma.pb-c.h"

struct dump;
struct task;

bool bpf_is_mapped(const struct mapping *mapping);
/* The mapping is one of the file of the map, which must be open in the tree; what is in it is the map's content. */
int bpf_dump_mapping(const struct dump *d, const struct task *task, const struct mapping *mapping, VmaEntry *vma);
