/* SPDX-License-Identifier: GPL-2.0-only */
/* Opening a plugin: is it a whole library, which version has it, what does it offer. */
#include "plugin/library.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/symbols.h"
#include "base/log.h"
#include "base/pool.h"
#include "criu-plugin.h"

/* Functions of libraries from before there was a descriptor, in the order of the hooks. */
static const char *const old_names[CR_PLUGIN_HOOK__MAX] = {
	"cr_plugin_dump_unix_sk",	 "cr_plugin_restore_unix_sk",	"cr_plugin_dump_file",
	"cr_plugin_restore_file",	 "cr_plugin_dump_ext_mount",	"cr_plugin_restore_ext_mount",
	"cr_plugin_dump_ext_link",	 "cr_plugin_handle_device_vma", "cr_plugin_update_vma_map",
	"cr_plugin_resume_devices_late", "cr_plugin_pause_devices",	"cr_plugin_checkpoint_devices",
	"cr_plugin_post_forking",	 "cr_plugin_restore_init",	"cr_plugin_dump_devices_late",
};

static int check_segments(int fd, const Elf64_Ehdr *header, off_t size)
{
	for (unsigned i = 0; i < header->e_phnum; i++) {
		Elf64_Phdr segment;

		if (pread(fd, &segment, sizeof(segment), (off_t)(header->e_phoff + i * sizeof(segment))) !=
		    sizeof(segment))
			return refuse(ENOEXEC, "it is damaged: the table of its segments is cut off");
		if (segment.p_type == PT_LOAD &&
		    (segment.p_offset > (uint64_t)size || segment.p_filesz > (uint64_t)size - segment.p_offset))
			return refuse(ENOEXEC, "it is damaged: segment %u ends behind the end of the file", i);
	}
	return 0;
}

/* The loader maps what the headers say; touching what lies behind the end of a cut-off file would kill us by SIGBUS. */
static int check_whole(const char *path)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf64_Ehdr header;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fail_errno("it cannot be opened");
	if (!S_ISREG(st.st_mode))
		return refuse(ENOEXEC, "it is no file");
	if (pread(fd, &header, sizeof(header), 0) != sizeof(header) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof(Elf64_Phdr))
		return refuse(ENOEXEC, "it is damaged, or no shared library of this machine");
	return check_segments(fd, &header, st.st_size);
}

static int check_descriptor(const cr_plugin_desc_t *desc)
{
	if (desc->version > CRIU_PLUGIN_VERSION)
		return refuse(EPROTO,
			      "it is made for version %u.%u.%u of the plugin interface, this criu knows up to %d.%d.%d",
			      desc->version >> 16, desc->version >> 8 & 255, desc->version & 255,
			      CRIU_PLUGIN_VERSION >> 16, CRIU_PLUGIN_VERSION >> 8 & 255, CRIU_PLUGIN_VERSION & 255);
	if (desc->max_hooks > CR_PLUGIN_HOOK__MAX)
		return refuse(EPROTO, "it is made for a criu with %u hooks, this one has %d", desc->max_hooks,
			      CR_PLUGIN_HOOK__MAX);
	if (!desc->name)
		return refuse(EPROTO, "its descriptor has no name");
	return 0;
}

static void make_descriptor(void *library, const char *path, struct pool *pool, struct plugin *ret)
{
	void **hooks = pool_array(pool, void *, CR_PLUGIN_HOOK__MAX);

	log_warn("it has no descriptor CR_PLUGIN_DESC: a plugin of the old form");
	for (unsigned i = 0; i < CR_PLUGIN_HOOK__MAX; i++)
		hooks[i] = dlsym(library, old_names[i]);
	*ret = (struct plugin){
		.name = path,
		.init = (int (*)(int))dlsym(library, "cr_plugin_init"),
		.exit = (void (*)(int, int))dlsym(library, "cr_plugin_fini"),
		.hooks = hooks,
		.n_hooks = CR_PLUGIN_HOOK__MAX,
	};
}

int library_load(const char *path, struct pool *pool, struct plugin *ret)
{
	const cr_plugin_desc_t *desc;
	void *library;

	TRY(check_whole(path));
	if (IS_STATIC_BUILD)
		return refuse(ENOSYS, "this criu is built as a single file (-Dstatic=true), which has no plugins");
	library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
	if (!library)
		return refuse(ENOEXEC, "it cannot be loaded: %s", dlerror());
	desc = dlsym(library, "CR_PLUGIN_DESC");
	if (!desc) {
		make_descriptor(library, path, pool, ret);
		return 0;
	}
	TRY(check_descriptor(desc));
	*ret = (struct plugin){ desc->name, desc->init, desc->exit, desc->hooks, desc->max_hooks };
	return 0;
}
