/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What waits in a BPF ring buffer, and where its reader and writer are (the kernel's bpf/ringbuf.rst). Everybody may
 * look into one, but only BPF programs write: so a program of ours puts in what the images have. Positions count from
 * the beginning of the map on, and whoever has mapped it knows them: records that are thrown away move a new one there.
 */
#include "object/file/bpf/ring.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/page.h"
#include "base/pool.h"
#include "kern/bpf.h"

#define FLAGS	   (BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT)
#define ROUNDS_MAX (1u << 20) /* a second or two */

/* Mapped: the page of the reader, that of the writer, and the records twice in a row. */
struct ring_view {
	uint64_t *reader;
	const uint64_t *writer;
	const uint8_t *records;
	size_t size; /* of the records */
};

static void unmap_pages(const void *at, size_t size)
{
	if (at && at != MAP_FAILED)
		munmap((void *)(uintptr_t)at, size);
}

static void ring_view_close(struct ring_view *view)
{
	unmap_pages(view->reader, page_size());
	unmap_pages(view->writer, page_size() + 2 * view->size);
}

static int ring_view_open(struct ring_view *view, int fd, size_t size, int prot)
{
	view->size = size;
	view->reader = mmap(NULL, page_size(), prot, MAP_SHARED, fd, 0);
	view->writer = mmap(NULL, page_size() + 2 * size, PROT_READ, MAP_SHARED, fd, (off_t)page_size());
	if (view->reader == MAP_FAILED || view->writer == MAP_FAILED)
		return fail_errno("looking into the ring buffer");
	view->records = (const uint8_t *)view->writer + page_size();
	return 0;
}

static size_t space_of(uint32_t size)
{
	return BPF_RINGBUF_HDR_SZ + ((size & ~FLAGS) + 7) / 8 * 8;
}

/* The size and the flags of a record. */
static uint32_t header_at(const uint8_t *record)
{
	uint32_t header;

	memcpy(&header, record, sizeof(header));
	return header;
}

/* --- dump --- */

static int check_records(const struct ring_view *view, const struct bpf_map_info *info)
{
	const uint64_t end = __atomic_load_n(view->writer, __ATOMIC_ACQUIRE);
	uint64_t at = *view->reader;

	if (end - at > view->size)
		return refuse(EOPNOTSUPP,
			      "the reader of BPF map \"%s\", a ring buffer, has left a position that cannot be right",
			      info->name);
	while (at < end) {
		uint32_t header = header_at(view->records + at % view->size);

		if (header & BPF_RINGBUF_BUSY_BIT)
			return refuse(EBUSY,
				      "a BPF program is just writing into map \"%s\", a ring buffer: try again, or "
				      "detach it",
				      info->name);
		at += space_of(header);
	}
	return 0;
}

int bpf_ring_check(int fd, const struct bpf_map_info *info)
{
	AUTO(ring_view_close) struct ring_view view = { 0 };

	TRY(ring_view_open(&view, fd, info->max_entries, PROT_READ));
	return check_records(&view, info);
}

int bpf_ring_read(int fd, const struct bpf_map_info *info, struct pool *pool, BpfmapDataEntry *to)
{
	AUTO(ring_view_close) struct ring_view view = { 0 };

	TRY(ring_view_open(&view, fd, info->max_entries, PROT_READ));
	TRY(check_records(&view, info));
	to->has_reader = to->has_writer = to->has_records = true;
	to->reader = *view.reader;
	to->writer = __atomic_load_n(view.writer, __ATOMIC_ACQUIRE);
	to->records.len = to->writer - to->reader;
	to->records.data = pool_copy(pool, view.records + to->reader % view.size, to->records.len);
	return 0;
}

/* --- restore --- */

int bpf_ring_load(const BpfmapFileEntry *record, const BpfmapDataEntry *data)
{
	size_t at = 0;

	if (!data->has_reader)
		return 0; /* images of others: an empty one */
	while (at + BPF_RINGBUF_HDR_SZ <= data->records.len)
		at += space_of(header_at(data->records.data + at));
	if (data->reader % 8 || data->writer - data->reader != data->records.len || at != data->records.len ||
	    at > record->max_entries)
		return refuse(EINVAL, "bpfmap-data.img: the ring buffer of map %u cannot be right", record->map_id);
	return 0;
}

static int load_program(const struct bpf_insn *program, size_t n)
{
	union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_SYSCALL, .prog_flags = BPF_F_SLEEPABLE };
	int fd = bpf_load(&attr, program, n);

	return fd < 0 ? fail(-fd, "loading a program that fills a ring buffer (Linux 5.14, CAP_BPF, CAP_PERFMON)") : fd;
}

static int run_program(int program, uint32_t argument)
{
	union bpf_attr attr = { 0 };
	int error;

	attr.test.prog_fd = (uint32_t)program;
	attr.test.ctx_in = (uint64_t)(uintptr_t)&argument;
	attr.test.ctx_size_in = sizeof(argument);
	error = bpf_call(BPF_PROG_TEST_RUN, &attr);
	if (error >= 0)
		error = (int)attr.test.retval;
	return error < 0 ? fail(-error, "filling a ring buffer") : 0;
}

/* A record of this size that no reader sees. */
static int load_thrower(int fd, uint32_t size)
{
	const struct bpf_insn program[] = {
		BPF_LD_MAP(BPF_REG_1, fd),
		BPF_SET(BPF_REG_2, (int32_t)size),
		BPF_SET(BPF_REG_3, 0),
		BPF_CALL_HELPER(BPF_FUNC_ringbuf_reserve),
		BPF_INSN(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_0, 0, 2, 0),
		BPF_SET(BPF_REG_0, -ENOSPC),
		BPF_INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
		BPF_COPY(BPF_REG_1, BPF_REG_0),
		BPF_SET(BPF_REG_2, BPF_RB_NO_WAKEUP),
		BPF_CALL_HELPER(BPF_FUNC_ringbuf_discard),
		BPF_SET(BPF_REG_0, 0),
		BPF_INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};

	return load_program(program, ARRAY_SIZE(program));
}

/* As many bytes of the only element of an array as it is told. */
static int load_writer(int fd, int array, uint32_t size)
{
	const struct bpf_insn program[] = {
		BPF_LOAD(BPF_W, BPF_REG_3, BPF_REG_1, 0),
		BPF_SET(BPF_REG_0, -E2BIG),
		BPF_INSN(BPF_JMP | BPF_JGT | BPF_K, BPF_REG_3, 0, 6, size),
		BPF_LD_MAP(BPF_REG_1, fd),
		BPF_INSN(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_2, BPF_PSEUDO_MAP_VALUE, 0, array),
		BPF_INSN(0, 0, 0, 0, 0),
		BPF_SET(BPF_REG_4, BPF_RB_NO_WAKEUP),
		BPF_CALL_HELPER(BPF_FUNC_ringbuf_output),
		BPF_INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};

	return load_program(program, ARRAY_SIZE(program));
}

static int throw_once(int fd, size_t space)
{
	AUTO_CLOSE int program = load_thrower(fd, (uint32_t)(space - BPF_RINGBUF_HDR_SZ));

	TRY(program);
	return run_program(program, 0);
}

/* An empty one. */
static int move_to(int fd, struct ring_view *view, uint64_t to)
{
	const size_t step = view->size - 8;
	AUTO_CLOSE int program = to >= step ? load_thrower(fd, (uint32_t)(step - BPF_RINGBUF_HDR_SZ)) : -1;

	if (to >= step)
		TRY(program);
	for (; to - *view->reader >= step; __atomic_store_n(view->reader, *view->writer, __ATOMIC_RELEASE))
		TRY(run_program(program, 0));
	if (to > *view->reader)
		TRY(throw_once(fd, to - *view->reader));
	__atomic_store_n(view->reader, *view->writer, __ATOMIC_RELEASE);
	return 0;
}

static int make_array(size_t size)
{
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_ARRAY,
				.key_size = sizeof(uint32_t),
				.value_size = (uint32_t)size,
				.max_entries = 1 };
	int fd = bpf_call(BPF_MAP_CREATE, &attr);

	return fd < 0 ? fail(-fd, "making a BPF array for what waits in a ring buffer") : fd;
}

static int set_array(int array, void *value, const uint8_t *from, size_t size)
{
	const uint32_t key = 0;
	union bpf_attr attr = { .map_fd = (uint32_t)array };
	int error;

	memcpy(value, from, size);
	attr.key = (uint64_t)(uintptr_t)&key;
	attr.value = (uint64_t)(uintptr_t)value;
	error = bpf_call(BPF_MAP_UPDATE_ELEM, &attr);
	return error < 0 ? fail(-error, "filling a BPF array") : 0;
}

static int put_records(int fd, const BpfmapDataEntry *data)
{
	const size_t size = data->records.len ?: 8;
	AUTO_CLOSE int array = make_array(size), program = -1;
	AUTO_FREE uint8_t *value = xzalloc(size);

	TRY(array);
	program = load_writer(fd, array, (uint32_t)size);
	TRY(program);
	for (size_t at = 0; at < data->records.len;) {
		const uint8_t *record = data->records.data + at;
		const uint32_t header = header_at(record), n = header & ~FLAGS;

		at += space_of(header);
		if (header & BPF_RINGBUF_DISCARD_BIT) {
			TRY(throw_once(fd, space_of(header)));
			continue;
		}
		TRY(set_array(array, value, record + BPF_RINGBUF_HDR_SZ, n));
		TRY(run_program(program, n));
	}
	return 0;
}

int bpf_ring_fill(int fd, const BpfmapFileEntry *record, const BpfmapDataEntry *data)
{
	AUTO(ring_view_close) struct ring_view view = { 0 };
	uint64_t reader = data->reader;

	if (!data->has_reader || !data->writer)
		return 0;
	TRY(ring_view_open(&view, fd, record->max_entries, PROT_READ | PROT_WRITE));
	if (reader / view.size > ROUNDS_MAX) {
		log_warn("BPF map \"%s\", a ring buffer, has been written round %" PRIu64 " times, and is only once in "
			 "the restored one: its positions are other ones",
			 record->map_name, reader / view.size);
		reader = reader % view.size + view.size;
	}
	TRY(move_to(fd, &view, reader));
	return data->records.len ? put_records(fd, data) : 0;
}
