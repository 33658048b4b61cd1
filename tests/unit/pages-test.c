/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages out of a process and into another one: sparse, hidden, huge, of private files, shared with a creator. */
#include "pages-test.h"

#include <linux/userfaultfd.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kern/pidfd.h"
#include "kern/proc/pagemap.h"
#include "kern/proc/proc.h"
#include "pages/sink-store.h"

#define AREA   ((char *)0x200000000000)
#define REGION (2u << 20)

/* --- children: processes with some memory that wait to be killed --- */

struct child {
	pid_t pid;
	int mem, pidfd, uffd;
	struct page_tables tables;
};

/* In the child: at least one page at AREA. Returns a userfaultfd or -1. */
typedef int (*child_setup)(void *arg);

static struct child start_child(child_setup setup, void *arg)
{
	struct child child = { .uffd = -1 };
	int ready[2], uffd = -1;
	char path[64];
	AUTO_CLOSE int proc = -1;

	assert_int_equal(pipe(ready), 0);
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (child.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		uffd = setup(arg);
		if (write(ready[1], &uffd, sizeof(uffd)) == sizeof(uffd))
			pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &uffd, sizeof(uffd)), sizeof(uffd));
	close(ready[0]);
	child.pidfd = pidfd_of_process(child.pid);
	assert_true(child.pidfd >= 0);
	if (uffd >= 0)
		assert_true((child.uffd = pidfd_take_fd(child.pidfd, uffd)) >= 0);
	snprintf(path, sizeof(path), "/proc/%d/mem", child.pid);
	assert_true((child.mem = open(path, O_RDWR)) >= 0);
	assert_true((proc = proc_open(child.pid)) >= 0);
	assert_int_equal(pagemap_open(&child.tables, proc), 0);
	return child;
}

static void end_child(struct child *child)
{
	kill(child->pid, SIGKILL);
	waitpid(child->pid, NULL, 0);
	close(child->mem);
	close(child->pidfd);
	if (child->uffd >= 0)
		close(child->uffd);
	pagemap_close(&child->tables);
}

static void *map_area(size_t size, int prot)
{
	return mmap(AREA, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

/* Different in each page and each run, never zero. */
static void paint(char *page, unsigned number)
{
	for (unsigned i = 0; i < PAGE; i += 8)
		*(uint64_t *)(page + i) = number * 0x9e3779b97f4a7c15u + i + 1;
}

static void read_page(const struct child *child, size_t number, char *to)
{
	assert_int_equal(pread(child->mem, to, PAGE, (off_t)(uintptr_t)(AREA + number * PAGE)), PAGE);
}

static void check_page(const struct child *child, size_t number, unsigned paint_number)
{
	char page[PAGE], wanted[PAGE];

	paint(wanted, paint_number);
	read_page(child, number, page);
	if (memcmp(page, wanted, PAGE) != 0)
		fail_with("page %zu differs: %#lx, wanted %#lx", number, *(long *)page, *(long *)wanted);
}

static uint64_t word_of(const struct child *child, size_t number)
{
	uint64_t word;

	assert_int_equal(pagemap_read_words(&child->tables, (uintptr_t)AREA + number * PAGE, 1, &word), 0);
	return word;
}

static size_t scan(const struct child *child, size_t n_pages, struct page_range **ret)
{
	const struct pagemap_filter filter = { .any = PAGE_IS_PRESENT | PAGE_IS_SWAPPED };
	uint64_t at = (uintptr_t)AREA, end = at + n_pages * PAGE;
	struct page_range *ranges = xmalloc((n_pages + 1) * sizeof(*ranges));
	struct page_region region[16];
	size_t n = 0;

	while (at < end) {
		ssize_t got = pagemap_scan(&child->tables, &at, end, &filter, region, 16);

		assert_true(got >= 0);
		for (ssize_t i = 0; i < got; i++)
			ranges[n++] = (struct page_range){ .start = region[i].start,
							   .nr_pages = (region[i].end - region[i].start) / PAGE,
							   .flags = PE_PRESENT };
	}
	*ret = ranges;
	return n;
}

/* To pagemap-ID.img and pages-ID.img. */
static void save_images(struct scratch *scratch, unsigned id, const struct page_source *source,
			struct page_range *ranges, size_t n)
{
	AUTO(page_sink_destroy) struct page_sink *sink = page_sink_to_store(scratch->store, id);

	assert_int_equal(pages_save(scratch->mover, source, sink, IMAGE_PAGEMAP, id, ranges, n), 0);
	assert_int_equal(sink->ops->finish(sink), 0);
}

static unsigned save(struct scratch *scratch, const struct child *child, size_t n_pages)
{
	const struct page_source source = { child->pid, child->mem };
	struct page_range *ranges;
	size_t n = scan(child, n_pages, &ranges);
	unsigned id = ++scratch->next_id;

	save_images(scratch, id, &source, ranges, n);
	free(ranges);
	return id;
}

static struct page_reader *open_reader(struct scratch *scratch, unsigned id)
{
	struct page_reader *reader = NULL;

	assert_int_equal(page_reader_open(scratch->store, IMAGE_PAGEMAP, id, &reader), 0);
	return reader;
}

static void fill_in(struct scratch *scratch, const struct child *child, unsigned id, uint32_t how)
{
	const struct page_target target = { child->pid, child->mem, child->uffd };
	AUTO(page_reader_close) struct page_reader *reader = open_reader(scratch, id);

	for (size_t i = 0; i < reader->n; i++)
		reader->ranges[i].how = how;
	assert_int_equal(pages_fill(scratch->mover, &target, reader->ranges, reader->n, NULL), 0);
}

static struct stat stat_pages(struct scratch *scratch, unsigned id)
{
	char name[64];
	struct stat stat;

	snprintf(name, sizeof(name), "pages-%u.img", id);
	assert_int_equal(fstatat(scratch->dir, name, &stat, 0), 0);
	return stat;
}

/* --- what children do --- */

struct layout {
	size_t n_pages, step; /* every step-th page is painted */
	int prot;	      /* in the end */
	bool uffd, huge;
	unsigned zeros; /* all but every zeros-th of the painted pages is made zero again; 0: none */
};

static int set_up_painted(void *arg)
{
	const struct layout *layout = arg;
	char *area = map_area(layout->n_pages * PAGE, PROT_READ | PROT_WRITE);

	if (layout->huge)
		madvise(area, layout->n_pages * PAGE, MADV_HUGEPAGE);
	for (size_t i = 0; i < layout->n_pages; i += layout->step) {
		paint(area + i * PAGE, (unsigned)i);
		if (layout->zeros && (i / layout->step) % layout->zeros != 0)
			memset(area + i * PAGE, 0, PAGE);
	}
	mprotect(area, layout->n_pages * PAGE, layout->prot);
	return -1;
}

static int set_up_empty(void *arg)
{
	const struct layout *layout = arg;
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .range = { (uintptr_t)AREA, layout->n_pages * PAGE },
				       .mode = UFFDIO_REGISTER_MODE_MISSING };
	int uffd;

	map_area(layout->n_pages * PAGE, layout->prot);
	if (layout->huge)
		madvise(AREA, layout->n_pages * PAGE, MADV_HUGEPAGE);
	if (!layout->uffd)
		return -1;
	uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	return ioctl(uffd, UFFDIO_API, &api) == 0 && ioctl(uffd, UFFDIO_REGISTER, &reg) == 0 ? uffd : -2;
}

static void check_painted(const struct child *child, const struct layout *layout)
{
	char page[PAGE];

	for (size_t i = 0; i < layout->n_pages; i++) {
		bool painted = i % layout->step == 0 && (!layout->zeros || (i / layout->step) % layout->zeros == 0);

		if (painted) {
			check_page(child, i, (unsigned)i);
			continue;
		}
		if (i % 7 && i % layout->step) /* most of them without touching them */
			continue;
		read_page(child, i, page);
		assert_true(page_is_zero(page, PAGE));
	}
}

static void stop_faults(const struct child *child, const struct layout *layout)
{
	struct uffdio_range range = { (uintptr_t)AREA, layout->n_pages * PAGE };

	if (child->uffd >= 0)
		assert_int_equal(ioctl(child->uffd, UFFDIO_UNREGISTER, &range), 0);
}

static void round_trip(struct scratch *scratch, struct layout *layout, struct layout *to, uint32_t how)
{
	struct child child = start_child(set_up_painted, layout);
	unsigned id = save(scratch, &child, layout->n_pages);

	check_painted(&child, layout);
	end_child(&child);
	child = start_child(set_up_empty, to);
	assert_int_equal(child.uffd >= 0, to->uffd);
	fill_in(scratch, &child, id, how);
	stop_faults(&child, to);
	check_painted(&child, layout);
	end_child(&child);
}

#define RW (PROT_READ | PROT_WRITE)

static void test_dense(void **state)
{
	struct layout from = { 3000, 1, RW }, to = { 3000, 1, RW };

	round_trip(*state, &from, &to, PAGE_FRESH);
	round_trip(*state, &from, &to, 0);
	to.uffd = true;
	round_trip(*state, &from, &to, PAGE_FRESH | PAGE_COPY);
}

static void test_small(void **state)
{
	struct layout from = { 40, 3, RW }, to = { 40, 3, RW };

	round_trip(*state, &from, &to, PAGE_FRESH);
}

static void test_fragmented(void **state)
{
	struct layout from = { 6000, 2, RW }, to = { 6000, 2, RW };

	round_trip(*state, &from, &to, PAGE_FRESH);
	to.uffd = true;
	round_trip(*state, &from, &to, PAGE_FRESH | PAGE_COPY);
}

static void test_no_access(void **state)
{
	struct layout from = { 1500, 1, PROT_NONE }, to = { 1500, 1, PROT_NONE };

	round_trip(*state, &from, &to, PAGE_FRESH);
	from.step = to.step = 5;
	round_trip(*state, &from, &to, PAGE_FRESH);
	to.prot = PROT_READ;
	round_trip(*state, &from, &to, PAGE_FRESH);
	to.prot = PROT_NONE;
	to.uffd = true;
	round_trip(*state, &from, &to, PAGE_FRESH | PAGE_COPY);
}

static void test_huge(void **state)
{
	struct layout from = { 8 * 512, 1, RW, .huge = true }, to = from;
	struct child child = start_child(set_up_painted, &from);
	const struct pagemap_filter filter = { .all = PAGE_IS_HUGE, .ret = PAGE_IS_HUGE };
	uint64_t at = (uintptr_t)AREA, end = at + 8 * REGION;
	struct page_region region[4];
	bool huge = pagemap_scan(&child.tables, &at, end, &filter, region, 4) == 1;
	unsigned id = save(*state, &child, from.n_pages);

	end_child(&child);
	child = start_child(set_up_empty, &to);
	fill_in(*state, &child, id, PAGE_FRESH);
	check_painted(&child, &from);
	if (huge) {
		at = (uintptr_t)AREA;
		assert_int_equal(pagemap_scan(&child.tables, &at, end, &filter, region, 4), 1);
		assert_int_equal(region[0].end - region[0].start, 8 * REGION);
	}
	end_child(&child);
}

/* What the file has of data, holes left out. Its st_blocks won't do: ext4 counts blocks twice, or not at all, for a
 * moment while it finds them a place. */
static off_t data_in_pages(struct scratch *scratch, unsigned id)
{
	char name[64];
	off_t data = 0, hole = 0, sum = 0;
	AUTO_CLOSE int fd = -1;

	snprintf(name, sizeof(name), "pages-%u.img", id);
	assert_true((fd = openat(scratch->dir, name, O_RDONLY)) >= 0);
	while ((data = lseek(fd, hole, SEEK_DATA)) >= 0) {
		hole = lseek(fd, data, SEEK_HOLE);
		sum += hole - data;
	}
	assert_int_equal(errno, ENXIO);
	return sum;
}

/* Pages of zeros that the process has written are not stored, and not made again. */
static void test_zeros(void **state)
{
	struct layout from = { 4096, 1, RW, .zeros = 16 }, to = { 4096, 1, RW };
	struct child child = start_child(set_up_painted, &from);
	unsigned id = save(*state, &child, from.n_pages);

	end_child(&child);
	assert_int_equal(stat_pages(*state, id).st_size, 4096 * PAGE);
	assert_in_range(data_in_pages(*state, id), 4096 / 16 * PAGE, 4096 / 8 * PAGE);
	for (int uffd = 0; uffd < 2; uffd++) {
		to.uffd = uffd;
		child = start_child(set_up_empty, &to);
		fill_in(*state, &child, id, uffd ? PAGE_FRESH | PAGE_COPY : PAGE_FRESH);
		for (size_t i = 0; i < 64; i++)
			assert_int_equal(!!(word_of(&child, i) & PAGEMAP_PRESENT), i % 16 == 0);
		stop_faults(&child, &to);
		check_painted(&child, &from);
		end_child(&child);
	}
}

/* All of it zero: the file has the full length and no data. */
static void test_only_zeros(void **state)
{
	struct layout from = { 1024, 1, RW, .zeros = 4096 };
	struct child child = start_child(set_up_painted, &from);
	unsigned id;

	assert_int_equal(pwrite(child.mem, "\0\0\0\0\0\0\0\0", 8, (off_t)(uintptr_t)AREA), 8);
	for (unsigned i = 8; i < PAGE; i += 8)
		assert_int_equal(pwrite(child.mem, "\0\0\0\0\0\0\0\0", 8, (off_t)(uintptr_t)AREA + i), 8);
	id = save(*state, &child, from.n_pages);
	end_child(&child);
	assert_int_equal(stat_pages(*state, id).st_size, 1024 * PAGE);
	assert_int_equal(data_in_pages(*state, id), 0);
}

/* --- private file mappings --- */

static int set_up_file(void *arg)
{
	int fd = open(arg, O_RDONLY);

	mmap(AREA, 64 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
	return -1;
}

static void test_private_file(void **state)
{
	struct scratch *scratch = *state;
	const struct pagemap_filter filter = { .inverted = PAGE_IS_FILE, .all = PAGE_IS_FILE, .any = PAGE_IS_PRESENT };
	char path[128], page[PAGE];
	struct page_range range = { .start = (uintptr_t)AREA + 5 * PAGE, .nr_pages = 3, .flags = PE_PRESENT };
	struct page_region region[4];
	uint64_t at = (uintptr_t)AREA;
	struct child child;

	snprintf(path, sizeof(path), "%s/file", scratch->path);
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	for (unsigned i = 0; i < 64; i++) {
		paint(page, 1000 + i);
		assert_int_equal(write(fd, page, PAGE), PAGE);
	}
	close(fd);
	child = start_child(set_up_file, path);
	read_page(&child, 2, page); /* not a copy */
	for (unsigned i = 5; i < 8; i++) {
		paint(page, i);
		if (i == 6)
			memset(page, 0, PAGE);
		assert_int_equal(pwrite(child.mem, page, PAGE, (off_t)(uintptr_t)(AREA + i * PAGE)), PAGE);
	}
	/* The filter for copies: present, not of the file. */
	assert_int_equal(pagemap_scan(&child.tables, &at, at + 64 * PAGE, &filter, region, 4), 1);
	assert_int_equal(region[0].start, range.start);
	assert_int_equal(region[0].end, range.start + 3 * PAGE);
	const struct page_source source = { child.pid, child.mem };
	save_images(scratch, 1, &source, &range, 1);
	end_child(&child);

	child = start_child(set_up_file, path);
	fill_in(scratch, &child, 1, 0);
	check_page(&child, 4, 1004);
	check_page(&child, 5, 5);
	read_page(&child, 6, page);
	assert_true(page_is_zero(page, PAGE));
	check_page(&child, 7, 7);
	check_page(&child, 8, 1008);
	end_child(&child);
}

/* --- inherited memory --- */

/* Forks: the one that goes on is a copy whose memory is shared with this process, which stays asleep. */
static int set_up_copy(void *arg)
{
	struct layout *layout = arg;
	pid_t self = getpid();

	set_up_painted(layout);
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (getppid() == self) /* it may have died before the prctl */
			pause();
		_exit(0);
	}
	return -1;
}

static void test_compare(void **state)
{
	struct scratch *scratch = *state;
	struct layout parent = { 1000, 1, RW };
	struct child child = start_child(set_up_painted, &parent);
	struct pages_filled filled;
	struct page_reader *reader;
	struct page_range *present;
	size_t n_present;
	char page[PAGE];
	unsigned id;

	/* The image: like the creator, but page 10 differs, pages 20 to 29 are not there. */
	paint(page, 7777);
	pwrite(child.mem, page, PAGE, (off_t)(uintptr_t)(AREA + 10 * PAGE));
	struct page_range ranges[] = { { (uintptr_t)AREA, 20, 0, PE_PRESENT },
				       { (uintptr_t)AREA + 30 * PAGE, 970, 0, PE_PRESENT } };
	const struct page_source source = { child.pid, child.mem };
	id = ++scratch->next_id;
	save_images(scratch, id, &source, ranges, 2);
	end_child(&child);

	child = start_child(set_up_copy, &parent);
	n_present = scan(&child, 1000, &present);
	reader = open_reader(scratch, id);
	struct page_inheritance result = { 0 };
	pages_inherit(reader->ranges, reader->n, present, n_present, 0, &result);
	assert_int_equal(result.gone.n, 1);
	assert_int_equal(result.gone.items[0].start, (uintptr_t)AREA + 20 * PAGE);
	assert_int_equal(result.gone.items[0].end, (uintptr_t)AREA + 30 * PAGE);
	assert_int_equal(pages_fill(scratch->mover, &(struct page_target){ child.pid, child.mem, -1 },
				    result.ranges.items, result.ranges.n, &filled),
			 0);
	assert_int_equal(filled.compared, 990);
	assert_int_equal(filled.equal, 989);
	check_page(&child, 10, 7777);
	for (size_t i = 0; i < 1000; i++) {
		bool mine = !!(word_of(&child, i) & PAGEMAP_EXCLUSIVE);

		if (mine != (i == 10))
			fail_with("page %zu (%#lx) is %s", i, word_of(&child, i), mine ? "not shared" : "shared");
	}
	pages_inherit_done(&result);
	page_reader_close(&reader);
	free(present);
	end_child(&child);
}

/* Saving leaves pages shared that are so marked. */
static void test_save_shared(void **state)
{
	struct scratch *scratch = *state;
	struct layout layout = { 600, 1, RW };
	struct child child = start_child(set_up_copy, &layout);
	struct page_range ranges[] = { { (uintptr_t)AREA, 10, 0, PE_PRESENT },
				       { (uintptr_t)AREA + 10 * PAGE, 290, 0, PE_PRESENT | PAGE_SHARED },
				       { (uintptr_t)AREA + 300 * PAGE, 300, 0, PE_PRESENT } };
	const struct page_source source = { child.pid, child.mem };
	struct layout to = { 600, 1, RW };

	save_images(scratch, 1, &source, ranges, 3);
	for (size_t i = 10; i < 300; i++)
		assert_false(word_of(&child, i) & PAGEMAP_EXCLUSIVE);
	end_child(&child);
	child = start_child(set_up_empty, &to);
	fill_in(scratch, &child, 1, PAGE_FRESH);
	check_painted(&child, &layout);
	end_child(&child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_dense),   TEST(test_small),	    TEST(test_fragmented), TEST(test_no_access),
		TEST(test_huge),    TEST(test_zeros),	    TEST(test_only_zeros), TEST(test_private_file),
		TEST(test_compare), TEST(test_save_shared),
	};

	silence_log(NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
