// SPDX-License-Identifier: GPL-2.0-only
/* BPF ring buffers: what waits in them, also over the end of the ring, what was thrown away, where reader and writer
 * are. */
#include <linux/bpf.h>
#include <stddef.h>

#include "subject.h"

SUBJECT()

#define PAGE getpagesize()
#define SIZE 8192

#define INSN(op, to, from, offset, number) \
	((struct bpf_insn){ .code = (op), .dst_reg = (to), .src_reg = (from), .off = (offset), .imm = (int)(number) })
#define SET(to, number)		INSN(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, number)
#define COPY(to, from)		INSN(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0)
#define CALL(function)		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, function)
#define LOAD_MAP(to, kind, map) INSN(BPF_LD | BPF_DW | BPF_IMM, to, kind, 0, map), INSN(0, 0, 0, 0, 0)

struct ring {
	int fd;
	uint64_t *reader, *writer;
	uint8_t *records;
};

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int create(unsigned type, unsigned key, unsigned value, unsigned entries)
{
	union bpf_attr attr = { .map_type = type, .key_size = key, .value_size = value, .max_entries = entries };
	int fd = bpf(BPF_MAP_CREATE, &attr);

	if (fd < 0)
		skip("bpf: %s", strerror(errno));
	return fd;
}

static struct ring make_ring(void)
{
	struct ring ring = { .fd = create(BPF_MAP_TYPE_RINGBUF, 0, 0, SIZE) };
	void *reader = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, 0);
	void *writer = mmap(NULL, PAGE + 2 * SIZE, PROT_READ, MAP_SHARED, ring.fd, PAGE);

	must(reader == MAP_FAILED || writer == MAP_FAILED ? -1 : 0);
	ring.reader = reader;
	ring.writer = writer;
	ring.records = (uint8_t *)writer + PAGE;
	return ring;
}

static void run(const struct bpf_insn *program, size_t n)
{
	union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_SYSCALL,
				.insn_cnt = (uint32_t)n,
				.prog_flags = BPF_F_SLEEPABLE };
	union bpf_attr test = { 0 };
	int fd;

	attr.insns = (uint64_t)(uintptr_t)program;
	attr.license = (uint64_t)(uintptr_t) "GPL";
	fd = bpf(BPF_PROG_LOAD, &attr);
	if (fd < 0)
		skip("a program of BPF: %s", strerror(errno));
	test.test.prog_fd = (uint32_t)fd;
	must(bpf(BPF_PROG_TEST_RUN, &test));
	must(test.test.retval ? -1 : 0);
	close(fd);
}

/* A record of so many bytes of this value; discard: one that nobody shall see. */
static void put(const struct ring *ring, unsigned size, uint8_t value, bool discard)
{
	static uint8_t bytes[SIZE];
	int array = create(BPF_MAP_TYPE_ARRAY, 4, SIZE, 1);
	uint32_t key = 0;
	union bpf_attr attr = { .map_fd = (uint32_t)array };

	memset(bytes, value, SIZE);
	attr.key = (uint64_t)(uintptr_t)&key;
	attr.value = (uint64_t)(uintptr_t)bytes;
	must(bpf(BPF_MAP_UPDATE_ELEM, &attr));

	const struct bpf_insn output[] = {
		LOAD_MAP(1, BPF_PSEUDO_MAP_FD, ring->fd),
		LOAD_MAP(2, BPF_PSEUDO_MAP_VALUE, array),
		SET(3, size),
		SET(4, 0),
		CALL(BPF_FUNC_ringbuf_output),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	const struct bpf_insn thrown[] = {
		LOAD_MAP(1, BPF_PSEUDO_MAP_FD, ring->fd),
		SET(2, size),
		SET(3, 0),
		CALL(BPF_FUNC_ringbuf_reserve),
		INSN(BPF_JMP | BPF_JNE | BPF_K, 0, 0, 2, 0),
		SET(0, 1),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
		COPY(1, 0),
		SET(2, 0),
		CALL(BPF_FUNC_ringbuf_discard),
		SET(0, 0),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};

	run(discard ? thrown : output, discard ? sizeof(thrown) / sizeof(*thrown) : sizeof(output) / sizeof(*output));
	close(array);
}

/* The next one that is to be seen: its size, -1: there is none. */
static int take(const struct ring *ring, uint8_t *ret_value)
{
	while (*ring->reader < *ring->writer) {
		const uint8_t *record = ring->records + *ring->reader % SIZE;
		uint32_t header, size;

		memcpy(&header, record, sizeof(header));
		size = header & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
		*ret_value = record[BPF_RINGBUF_HDR_SZ];
		for (uint32_t i = 0; i < size; i++)
			*ret_value = record[BPF_RINGBUF_HDR_SZ + i] == *ret_value ? *ret_value : 0;
		__atomic_store_n(ring->reader, *ring->reader + BPF_RINGBUF_HDR_SZ + (size + 7) / 8 * 8,
				 __ATOMIC_RELEASE);
		if (!(header & BPF_RINGBUF_DISCARD_BIT))
			return (int)size;
	}
	return -1;
}

int main(void)
{
	struct ring used = make_ring(), full = make_ring(), empty = make_ring(), fresh = make_ring();
	uint64_t reader, writer;
	uint8_t value;

	for (unsigned i = 0; i < 50; i++) {
		put(&used, 1000 + i, 3, false);
		CHECK_EQUAL(take(&used, &value), (int)(1000 + i));
	}
	for (uint8_t i = 1; i < 6; i++)
		put(&used, 1200 + i, i, i == 2);
	put(&used, 0, 0, false);
	reader = *used.reader;
	writer = *used.writer;
	CHECK(reader % SIZE > writer % SIZE); /* over the end */
	put(&full, SIZE - 16, 9, false);
	put(&empty, 100, 1, false);
	CHECK_EQUAL(take(&empty, &value), 100);

	checkpoint();

	CHECK_EQUAL(*used.reader, reader);
	CHECK_EQUAL(*used.writer, writer);
	for (uint8_t i = 1; i < 6; i++) {
		if (i == 2)
			continue;
		CHECK_EQUAL(take(&used, &value), 1200 + i);
		CHECK_EQUAL(value, i);
	}
	CHECK_EQUAL(take(&used, &value), 0);
	CHECK_EQUAL(take(&used, &value), -1);
	CHECK_EQUAL(take(&full, &value), SIZE - 16);
	CHECK_EQUAL(value, 9);
	CHECK_EQUAL(*empty.writer, 112);
	CHECK_EQUAL(take(&empty, &value), -1);
	CHECK_EQUAL(*fresh.writer, 0);
	put(&fresh, 20, 4, false);
	CHECK_EQUAL(take(&fresh, &value), 20);
	put(&full, 500, 5, false);
	CHECK_EQUAL(take(&full, &value), 500);
	CHECK_EQUAL(value, 5);
	return 0;
}
