/* SPDX-License-Identifier: LGPL-2.1-only */
/* A ring buffer into which BPF programs write (Linux 5.8). */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct bpf_ring {
	int map; /* for BPF_LD_MAP() */
	size_t size, page;
	uint8_t *pages; /* how far it was written, in a page, and what was written */
	size_t at;
};

#define BPF_RING_NONE ((struct bpf_ring){ .map = -1 })

/* size: bytes, a power of two, pages; each record takes 8 bytes more, and is rounded up to 8. -errno, not logged. */
int bpf_ring_open(struct bpf_ring *ring, size_t size);
void bpf_ring_close(struct bpf_ring *ring);
/* The next record that was written, until the ring is closed; NULL: there is no other. It never gets room again. */
const void *bpf_ring_next(struct bpf_ring *ring, size_t *ret_size);
