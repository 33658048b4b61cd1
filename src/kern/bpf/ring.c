/* SPDX-License-Identifier: LGPL-2.1-only */
/* A ring buffer into which BPF programs write; its layout is told in the kernel's bpf/ringbuf.rst. */
#include "kern/bpf/ring.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kern/bpf.h"

int bpf_ring_open(struct bpf_ring *ring, size_t size)
{
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_RINGBUF, .max_entries = (uint32_t)size };

	*ring = BPF_RING_NONE;
	ring->size = size;
	ring->page = (size_t)sysconf(_SC_PAGESIZE);
	ring->map = bpf_call(BPF_MAP_CREATE, &attr);
	if (ring->map < 0)
		return ring->map;
	/* Behind the page of the reader. */
	ring->pages = mmap(NULL, ring->page + size, PROT_READ, MAP_SHARED, ring->map, (off_t)ring->page);
	if (ring->pages != MAP_FAILED)
		return 0;
	ring->pages = NULL;
	return -errno;
}

void bpf_ring_close(struct bpf_ring *ring)
{
	if (ring->pages)
		munmap(ring->pages, ring->page + ring->size);
	if (ring->map >= 0)
		close(ring->map);
	*ring = BPF_RING_NONE;
}

const void *bpf_ring_next(struct bpf_ring *ring, size_t *ret_size)
{
	const uint64_t written = __atomic_load_n((uint64_t *)(void *)ring->pages, __ATOMIC_ACQUIRE);
	const uint8_t *record = ring->pages + ring->page + ring->at;

	if (ring->at >= written)
		return NULL;
	*ret_size = *(const uint32_t *)(const void *)record & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
	ring->at += BPF_RINGBUF_HDR_SZ + (*ret_size + 7) / 8 * 8;
	return record + BPF_RINGBUF_HDR_SZ;
}
