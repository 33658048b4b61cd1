/* SPDX-License-Identifier: GPL-2.0-only */
/* What waits in a BPF ring buffer, and where its reader and writer are. */
#pragma once

#include "bpfmap-data.pb-c.h"
#include "bpfmap-file.pb-c.h"

struct bpf_map_info;
struct pool;

/* Whether the dump can save it: 0, or refused. */
int bpf_ring_check(int fd, const struct bpf_map_info *info);
/* The bytes live in the pool. */
int bpf_ring_read(int fd, const struct bpf_map_info *info, struct pool *pool, BpfmapDataEntry *to);
/* What the images say makes sense. */
int bpf_ring_load(const BpfmapFileEntry *record, const BpfmapDataEntry *data);
int bpf_ring_fill(int fd, const BpfmapFileEntry *record, const BpfmapDataEntry *data);
