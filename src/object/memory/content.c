/* SPDX-License-Identifier: GPL-2.0-only */
/* Content of private memory, page by page; the engine in pages/ takes its place. */
#include <fcntl.h>
#include <sys/uio.h>
#include <string.h>
#include <sys/mman.h>
#include "base/fail.h"
#include "base/auto.h"
#include "kern/proc/pagemap.h"
#include "object/memory/memory.h"
#include "image/image.h"
#include "base/io.h"
#include "pagemap.pb-c.h"
int memory_dump_content(struct dump *d, struct task *task)
{
	AUTO(image_close) struct image *pm = NULL, *pg = NULL;
	PagemapHead head = PAGEMAP_HEAD__INIT;
	static uint32_t next = 1;
	struct page_tables map;
	static uint8_t buf[1 << 20];
	int mem = openat(task->dump->proc, "mem", O_RDONLY);
	head.pages_id = next++;
	TRY(image_create(d->store, &pm, IMAGE_PAGEMAP, (uint64_t)task->vpid));
	TRY(image_create(d->store, &pg, IMAGE_PAGES, head.pages_id));
	TRY(image_write(pm, &head));
	TRY(pagemap_open(&map, task->dump->proc));
	for (size_t i = 0; i < task->mm->n_vmas; i++) {
		VmaEntry *v = task->mm->vmas[i];
		uint64_t at = v->start;
		if (!(v->status & (VMA_ANON_PRIVATE | VMA_FILE_PRIVATE)) || v->status & (VMA_VVAR | VMA_VSYSCALL)) continue;
		while (at < v->end) {
			uint64_t w;
			TRY(pagemap_read_words(&map, at, 1, &w));
			if ((w >> 62) && !(w & PAGEMAP_FILE)) {
				PagemapEntry e = PAGEMAP_ENTRY__INIT;
				e.vaddr = at; e.has_flags = 1; e.flags = 4; e.has_nr_pages = 1; e.nr_pages = 1;
				TRY(image_write(pm, &e));
				if (io_pread(mem, buf, 4096, (off_t)at) != 4096) return fail_errno("pread %lx", at);
				TRY(image_write_bytes(pg, buf, 4096));
			}
			at += 4096;
		}
	}
	pagemap_close(&map);
	close(mem);
	TRY(image_finish(&pm));
	return image_finish(&pg);
}
int memory_dump_shared(struct dump *d, struct task *task, const struct mapping *mapping, uint32_t *ret_file_id) { return refuse(95, "shared"); }
int memory_dump_finish(struct dump *d) { return 0; }
int memory_load_content(struct restore *r, struct task *task) { return 0; }
int memory_fill(struct restore *r, struct task *task)
{
	AUTO(image_close) struct image *pm = NULL, *pg = NULL;
	PagemapHead *head; PagemapEntry *e; int more;
	uint8_t buf[4096];
	int mem = openat(task->restore->proc, "mem", O_RDWR);
	TRY(image_open(r->store, &pm, IMAGE_PAGEMAP, (uint64_t)task->vpid));
	TRY(image_read(pm, &head));
	TRY(image_open(r->store, &pg, IMAGE_PAGES, head->pages_id));
	int fd = image_fd(pg); off_t off = 0;
	while ((more = image_read(pm, &e)) > 0) {
		for (uint64_t i = 0; i < e->nr_pages; i++, off += 4096) {
			uint64_t at = e->vaddr + i * 4096;
			if (io_pread(fd, buf, 4096, off) != 4096) return fail_errno("pages");
			if (pwrite(mem, buf, 4096, (off_t)at) != 4096 && errno != EIO) return fail_errno("write %lx", at);
		}
	}
	close(mem);
	return 0;
}
