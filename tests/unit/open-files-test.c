/* SPDX-License-Identifier: GPL-2.0-only */
/* Open files: records of a real checkpoint linked, damaged ones refused, flags and owners, build ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch_cpu.h"
#include "base/array.h"
#include "base/fail.h"
#include "base/table.h"
#include "flow/restore/load.h"
#include "engine/engine.h"
#include "image/inventory.h"
#include "image/record.h"
#include "image/store-memory.h"
#include "image/store.h"
#include "object/file/descriptors-restore.h"
#include "object/file/file-restore.h"
#include "object/file/file.h"
#include "object/file/flags.h"
#include "object/file/validate.h"
#include "options/options.h"
#include "session/session.h"

struct zoo {
	struct options options;
	struct restore r;
	int dir;
};

static int open_zoo(void **state)
{
	struct zoo *zoo = *state = xzalloc(sizeof(*zoo));

	failure_reset();
	options_init(&zoo->options);
	zoo->options.file_locks = true;
	zoo->dir = open(COMPAT "/zoo/images", O_RDONLY | O_DIRECTORY);
	assert_true(zoo->dir >= 0);
	restore_session_begin(&zoo->r, &zoo->options);
	zoo->r.inventory = pool_new(zoo->r.pool, struct inventory);
	return store_open_dir(zoo->dir, false, &zoo->r.store);
}

static int close_zoo(void **state)
{
	struct zoo *zoo = *state;

	phase_restore_clean(&zoo->r);
	phase_restore_end(&zoo->r);
	restore_session_end(&zoo->r);
	options_done(&zoo->options);
	close(zoo->dir);
	free(zoo);
	return 0;
}

#define AVX_512 0xe0 /* parts of the extended state, Intel SDM volume 1, chapter 13.1 */

/* Whether a restore on this CPU could give the threads of the zoo their registers. */
static bool cpu_fits(struct pool *pool)
{
	CpuinfoEntry *cpu;

	arch_cpu_describe(pool, &cpu);
	return cpu->n_x86_entry && (cpu->x86_entry[0]->xfeatures_mask & AVX_512) == AVX_512;
}

/* In how many tables it is, and who else needs it for a while. */
static void check_kind(struct restore *r, uint32_t id, const char *name, unsigned users)
{
	const struct file *f = file_find(r, id);

	assert_non_null(f);
	assert_string_equal(f->kind->name, name);
	assert_int_equal(f->users, users);
	assert_int_equal(f->fd, -1); /* nothing is made yet */
}

static void test_zoo(void **state)
{
	struct restore *r = &((struct zoo *)*state)->r;
	const struct task *root;
	struct file *f;

	if (!cpu_fits(r->pool))
		skip();
	assert_int_equal(restore_load(r), 0);
	root = r->tree->root;
	assert_int_equal(root->vpid, 8021);
	check_kind(r, 11, "regular", 0); /* tells the path of a fifo */
	check_kind(r, 10, "fifo", 5);
	check_kind(r, 26, "eventfd", 6); /* 5 tables, an epoll file */
	check_kind(r, 27, "epoll", 5);
	check_kind(r, 28, "signalfd", 5);
	check_kind(r, 30, "inotify", 6); /* until its watches are set */
	assert_null(file_find(r, 43));
	assert_int_equal(file_use(r, 43, &f), -EINVAL);

	f = file_find(r, 6);
	assert_ptr_equal(f->owner, root);
	assert_ptr_equal(file_at_number(r, root, (uint32_t)f->owner_fd), f);
	assert_null(file_at_number(r, root, 1000));
	assert_int_equal(file_restore_choose_numbers(r), 0);
	assert_null(file_at_number(r, root, (uint32_t)root->restore->coordinator_fd));
	file_reserve_number(r, root, 500);
	assert_int_equal(file_restore_choose_numbers(r), 0);
	assert_int_equal(root->restore->coordinator_fd, 501);
}

/* The same images but for one that is missing. */
static void load_without(struct restore *r, const char *missing)
{
	struct store *whole = r->store;
	static const char *const names[] = { "inventory.img", "pstree.img",	 "files.img",	 "fdinfo-2.img",
					     "fdinfo-3.img",  "fdinfo-4.img",	 "fdinfo-5.img", "fdinfo-6.img",
					     "memfd.img",     "remap-fpath.img", "filelocks.img" };
	char path[512];
	struct store *part = store_create_memory();

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char *data = xmalloc(65536);
		int fd, size;

		snprintf(path, sizeof(path), COMPAT "/zoo/images/%s", names[i]);
		fd = open(path, O_RDONLY);
		assert_true(fd >= 0);
		size = (int)read(fd, data, 65536);
		close(fd);
		if (strcmp(names[i], missing) != 0)
			store_add_file(part, names[i], data, (size_t)size);
		free(data);
	}
	r->store = part;
	assert_true(file_restore_load(r) < 0);
	assert_non_null(strstr(failure_text(), missing));
	r->store = whole;
	store_close(&part);
}

static void test_missing(void **state)
{
	load_without(&((struct zoo *)*state)->r, "files.img");
}

/* files.img with a fifo and its path, in either order, under one id or two. */
static int load_fifo(struct restore *r, bool path_first, uint32_t path_id)
{
	FileEntry fifo = FILE_ENTRY__INIT, path = FILE_ENTRY__INIT;
	FifoEntry fifo_record = FIFO_ENTRY__INIT;
	RegFileEntry path_record = REG_FILE_ENTRY__INIT;
	FownEntry owner = FOWN_ENTRY__INIT;
	struct store *whole = r->store;
	struct image *image;
	int result;

	fifo.type = FD_TYPES__FIFO;
	path.type = FD_TYPES__REG;
	fifo.id = fifo_record.id = 7;
	path.id = path_record.id = path_id;
	fifo.fifo = &fifo_record;
	path.reg = &path_record;
	path_record.name = (char *)"/some/fifo";
	path_record.fown = &owner;
	r->store = store_create_memory();
	assert_int_equal(image_create(r->store, &image, IMAGE_FILES), 0);
	assert_int_equal(image_write(image, path_first ? &path : &fifo), 0);
	assert_int_equal(image_write(image, path_first ? &fifo : &path), 0);
	assert_int_equal(image_finish(&image), 0);
	result = file_restore_load(r) ?: file_restore_link(r);
	if (result == 0) {
		assert_string_equal(file_find(r, 7)->kind->name, "fifo");
		assert_string_equal(file_find(r, 7)->entry->reg->name, "/some/fifo");
	}
	file_restore_clean(r);
	store_close(&r->store);
	r->store = whole;
	return result;
}

static void test_shared_id(void **state)
{
	struct restore *r = &((struct zoo *)*state)->r;

	assert_int_equal(load_fifo(r, true, 7), 0);
	assert_int_equal(load_fifo(r, false, 7), 0);
	assert_int_equal(load_fifo(r, true, 8), -EINVAL); /* then it has no path */
	assert_non_null(strstr(failure_text(), "path"));
}

static void test_flags(void **state)
{
	FownEntry owner = FOWN_ENTRY__INIT, back = FOWN_ENTRY__INIT;
	struct facts facts = { 0 };
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	owner.signum = 42;
	assert_int_equal(file_apply_flags(ends[0], O_RDONLY | O_NONBLOCK | O_CREAT | O_TRUNC, &owner), 0);
	assert_int_equal(fcntl(ends[0], F_GETFL), O_NONBLOCK);
	assert_int_equal(file_apply_flags(ends[0], O_RDONLY, NULL), 0);
	assert_int_equal(fcntl(ends[0], F_GETFL), 0);

	owner.pid = (uint32_t)getpid();
	owner.pid_type = F_OWNER_PID;
	owner.uid = getuid();
	owner.euid = geteuid() == 0 ? 1234 : geteuid(); /* somebody else, if we may */
	assert_int_equal(file_apply_owner(&(struct restore){ .facts = &facts }, ends[0], &owner), 0);
	assert_int_equal(file_read_owner(&(struct dump){ .facts = &facts }, ends[0], &back), 0);
	assert_int_equal(back.pid, getpid());
	assert_int_equal(back.uid, owner.uid);
	assert_int_equal(back.euid, owner.euid);
	assert_int_equal(back.signum, 42);
	assert_int_equal(back.pid_type, F_OWNER_PID);
	close(ends[0]);
	close(ends[1]);
}

struct note {
	const uint8_t *bytes;
	size_t size;
};

/* The build id of this program, as it lies in memory. */
static int find_note(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct note *note = arg;

	for (int i = 0; i < info->dlpi_phnum; i++) {
		const uint8_t *at = (const uint8_t *)info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
		const uint8_t *end = at + info->dlpi_phdr[i].p_memsz;

		while (info->dlpi_phdr[i].p_type == PT_NOTE && at + sizeof(ElfW(Nhdr)) < end) {
			const ElfW(Nhdr) *head = (const void *)at;
			const uint8_t *name = at + sizeof(*head), *content = name + (head->n_namesz + 3) / 4 * 4;

			if (head->n_type == NT_GNU_BUILD_ID && head->n_namesz == 4 && !memcmp(name, "GNU", 4)) {
				*note = (struct note){ content, head->n_descsz };
				return 1;
			}
			at = content + (head->n_descsz + 3) / 4 * 4;
		}
	}
	return 1; /* only this program, not its libraries */
}

static void test_build_id(void **state)
{
	int fd = open("/proc/self/exe", O_RDONLY), path = open("/proc/self/exe", O_PATH),
	    text = open("/proc/self/status", O_RDONLY);
	uint8_t id[BUILD_ID_MAX] = { 0 };
	struct note note = { 0 };

	dl_iterate_phdr(find_note, &note);
	assert_int_equal(validate_read_build_id(fd, id), note.size);
	assert_memory_equal(id, note.bytes, note.size);
	memset(id, 0, sizeof(id));
	assert_int_equal(validate_read_build_id(path, id), note.size);
	assert_memory_equal(id, note.bytes, note.size);
	assert_int_equal(validate_read_build_id(text, id), 0);
	close(fd);
	close(path);
	close(text);
}

static void check_file(const struct options *options, RegFileEntry *record, int fd, int wanted, const char *word)
{
	failure_reset();
	assert_int_equal(validate_file(options, record, fd), wanted);
	if (word)
		assert_non_null(strstr(failure_text(), word));
}

static void test_validate(void **state)
{
	struct options options = { .file_validation = OPT_FILE_BUILD_ID };
	RegFileEntry record = REG_FILE_ENTRY__INIT;
	char name[] = "/tmp/validate-test.XXXXXX";
	int fd = mkstemp(name);

	record.name = name;
	assert_int_equal(write(fd, "12345", 5), 5);
	record.has_size = record.has_mode = true;
	record.size = 5;
	record.mode = S_IFREG | 0600;
	check_file(&options, &record, fd, 0, NULL);
	record.size = 6;
	check_file(&options, &record, fd, -EINVAL, "size");
	record.has_size = false;
	check_file(&options, &record, fd, 0, NULL);
	record.mode = S_IFREG | 0644;
	check_file(&options, &record, fd, -EINVAL, "--skip-file-rwx-check");
	options.skip_file_rwx_check = true;
	check_file(&options, &record, fd, 0, NULL);
	record.mode = S_IFDIR | 0600;
	check_file(&options, &record, fd, -EINVAL, "type");
	unlink(name);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_zoo, open_zoo, close_zoo),
		cmocka_unit_test_setup_teardown(test_missing, open_zoo, close_zoo),
		cmocka_unit_test_setup_teardown(test_shared_id, open_zoo, close_zoo),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_build_id),
		cmocka_unit_test(test_validate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
