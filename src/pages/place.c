/* SPDX-License-Identifier: GPL-2.0-only */
/* The last step of a page on its way in: from a buffer of ours to its address. */
#include "pages/place.h"

#include <errno.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "base/fail.h"
#include "base/io.h"

#define MAX_VECTORS 1024u /* IOV_MAX of the kernel */
/* Old pages are looked at in ranges of this size. */
#define COMPARE_SIZE (64u << 10)

/* Writes that are collected to be made by one call. */
struct page_batch {
	const struct page_target *target;
	struct iovec local[MAX_VECTORS], remote[MAX_VECTORS];
	unsigned n;
};

static int write_through_mem(const struct page_target *target, const struct iovec *local, const struct iovec *remote)
{
	int result = io_pwrite(target->mem, local->iov_base, local->iov_len, (off_t)(uintptr_t)remote->iov_base);

	if (result < 0)
		return fail(-result, "cannot write %zu bytes at %#lx", local->iov_len, (unsigned long)remote->iov_base);
	return 0;
}

/* local and remote have the same lengths. Where a call stops, that vector goes through /proc/PID/mem. */
static int flush_batch(struct page_batch *batch)
{
	struct iovec *local = batch->local, *remote = batch->remote;
	unsigned n = batch->n;

	batch->n = 0;
	while (n) {
		ssize_t done = -1;

		if (batch->target->pid) {
			done = process_vm_writev(batch->target->pid, local, n, remote, n, 0);
			if (done < 0 && errno != EFAULT)
				return fail_errno("cannot write memory of process %d", batch->target->pid);
		}
		for (; n && done >= (ssize_t)local->iov_len; local++, remote++, n--)
			done -= (ssize_t)local->iov_len;
		if (n == 0)
			break;
		/* A vector that was written half is written again as a whole. */
		TRY(write_through_mem(batch->target, local, remote));
		local++;
		remote++;
		n--;
	}
	return 0;
}

static int add_write(struct page_batch *batch, uint64_t address, char *data, size_t size)
{
	if (batch->n) {
		struct iovec *local = &batch->local[batch->n - 1], *remote = &batch->remote[batch->n - 1];

		if ((char *)local->iov_base + local->iov_len == data &&
		    (char *)remote->iov_base + remote->iov_len == (char *)(uintptr_t)address) {
			local->iov_len += size;
			remote->iov_len += size;
			return 0;
		}
	}
	if (batch->n == MAX_VECTORS)
		TRY(flush_batch(batch));
	batch->local[batch->n] = (struct iovec){ data, size };
	batch->remote[batch->n++] = (struct iovec){ (void *)(uintptr_t)address, size };
	return 0;
}

static int copy_in(const struct page_target *target, uint64_t address, const char *data, size_t size)
{
	while (size) {
		struct uffdio_copy copy = {
			.dst = address,
			.src = (uintptr_t)data,
			.len = size,
			.mode = UFFDIO_COPY_MODE_DONTWAKE,
		};

		if (ioctl(target->uffd, UFFDIO_COPY, &copy) == 0)
			return 0;
		/* Part of it was done, or the map of the process just changed. */
		if (copy.copy <= 0 && errno != EAGAIN)
			return fail_errno("cannot copy %zu bytes to %#lx", size, (unsigned long)address);
		if (copy.copy > 0) {
			address += (uint64_t)copy.copy;
			data += copy.copy;
			size -= (size_t)copy.copy;
		}
	}
	return 0;
}

static int put_range(struct page_batch *batch, const struct buffered_range *range, size_t at, size_t size)
{
	if (range->how & PAGE_COPY)
		return copy_in(batch->target, range->address + at, range->data + at, size);
	if (range->how & PAGE_READ_ONLY) {
		struct iovec local = { range->data + at, size };
		struct iovec remote = { (void *)(uintptr_t)(range->address + at), size };

		return write_through_mem(batch->target, &local, &remote);
	}
	return add_write(batch, range->address + at, range->data + at, size);
}

/* Leaves out pages of zeros. */
static int put_fresh(struct page_batch *batch, const struct buffered_range *range)
{
	size_t page = page_size(), start = 0, at;

	for (at = 0; at < range->size; at += page) {
		if (!page_is_zero(range->data + at, page))
			continue;
		if (at > start)
			TRY(put_range(batch, range, start, at - start));
		start = at + page;
	}
	return at > start ? put_range(batch, range, start, at - start) : 0;
}

/* Leaves out pages that have this content already. */
static int put_different(struct page_batch *batch, const struct buffered_range *range, struct page_count *count)
{
	char old[COMPARE_SIZE];
	size_t page = page_size();

	for (size_t at = 0; at < range->size; at += COMPARE_SIZE) {
		size_t size = range->size - at < COMPARE_SIZE ? range->size - at : COMPARE_SIZE;
		/* Not process_vm_readv(2): see PAGE_SHARED. */
		ssize_t got = io_pread(batch->target->mem, old, size, (off_t)(range->address + at));

		if (got != (ssize_t)size)
			return fail(got < 0 ? (int)-got : ESRCH, "cannot read %zu bytes at %#lx", size,
				    (unsigned long)range->address + at);
		count->compared += size / page;
		for (size_t i = 0; i < size; i += page) {
			if (memcmp(old + i, range->data + at + i, page) == 0)
				count->equal++;
			else
				TRY(put_range(batch, range, at + i, page));
		}
	}
	return 0;
}

int pages_put(const struct page_target *target, const struct buffered_range *ranges, unsigned n,
	      struct page_count *count)
{
	struct page_batch batch;

	batch.target = target;
	batch.n = 0;
	for (unsigned i = 0; i < n; i++) {
		const struct buffered_range *range = &ranges[i];

		if (range->how & PAGE_COMPARE)
			TRY(put_different(&batch, range, count));
		else if (range->how & PAGE_FRESH)
			TRY(put_fresh(&batch, range));
		else
			TRY(put_range(&batch, range, 0, range->size));
	}
	return flush_batch(&batch);
}
