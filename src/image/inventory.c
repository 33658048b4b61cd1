/* SPDX-License-Identifier: GPL-2.0-only */
/* The inventory image, in both directions. */
#include "image/inventory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/pool.h"
#include "image/image.h"
#include "image/record.h"
#include "image/store-streamer.h"
#include "image/store.h"

#define VERSION_1_0	    1
#define VERSION_1_1	    2
#define VERSION_EQUAL_PAGES 3 /* 1.1, and pagemaps name pages of others: CRIU 4.2 refuses it */

int inventory_make_run_id(char ret[RUN_ID_SIZE])
{
	char text[64];
	ssize_t length = file_read_text(AT_FDCWD, "/proc/sys/kernel/random/uuid", text, sizeof(text));

	if (length < 0)
		return fail((int)-length, "cannot read a uuid from /proc/sys/kernel/random/uuid");
	if (length < RUN_ID_SIZE - 1)
		return refuse(EIO, "/proc/sys/kernel/random/uuid gives only %zd characters", length);
	memcpy(ret, text, RUN_ID_SIZE - 1);
	ret[RUN_ID_SIZE - 1] = '\0';
	return 0;
}

int inventory_write(struct store *store, const struct inventory *inventory)
{
	InventoryEntry entry = INVENTORY_ENTRY__INIT;
	PluginsEntry plugins = PLUGINS_ENTRY__INIT;

	entry.img_version = inventory->equal_pages ? VERSION_EQUAL_PAGES : VERSION_1_1;
	entry.has_fdinfo_per_id = entry.fdinfo_per_id = true;
	entry.root_ids = inventory->root_ids;
	entry.has_ns_per_id = entry.ns_per_id = true;
	entry.has_root_cg_set = inventory->has_root_cg_set;
	entry.root_cg_set = inventory->root_cg_set;
	entry.has_lsmtype = inventory->has_lsm;
	entry.lsmtype = inventory->lsm;
	entry.has_dump_uptime = inventory->dump_uptime != 0;
	entry.dump_uptime = inventory->dump_uptime;
	entry.has_pre_dump_mode = inventory->pre_dump_mode != 0;
	entry.pre_dump_mode = inventory->pre_dump_mode;
	entry.has_tcp_close = entry.tcp_close = inventory->tcp_close;
	entry.has_allow_uprobes = entry.allow_uprobes = inventory->allow_uprobes;
	entry.has_network_lock_method = true;
	entry.network_lock_method = inventory->lock;
	plugins.n_plugins = inventory->n_plugins;
	plugins.plugins = inventory->plugins;
	entry.plugins_entry = &plugins;
	if (inventory->run_id[0])
		entry.dump_criu_run_id = (char *)inventory->run_id;
	entry.n_tracked = inventory->n_tracked;
	entry.tracked = inventory->tracked;
	entry.tracked_boot = inventory->tracked_boot;
	entry.n_lost = inventory->n_lost;
	entry.lost = inventory->lost;
	entry.n_user_ns_ids = inventory->n_user_ns_ids;
	entry.user_ns_ids = inventory->user_ns_ids;
	entry.n_kept_ns = inventory->n_kept_ns;
	entry.kept_ns = inventory->kept_ns;
	entry.has_root_pid = inventory->root_pid != 0;
	entry.root_pid = inventory->root_pid;
	return image_write_one(store, IMAGE_INVENTORY, &entry);
}

/* The run id becomes part of the name of an nftables table: only what a uuid is made of may be in it. */
static bool is_run_id(const char *text)
{
	return strlen(text) == RUN_ID_SIZE - 1 && strspn(text, "0123456789abcdef-") == RUN_ID_SIZE - 1;
}

static int check_entry(const InventoryEntry *entry)
{
	if (entry->img_version < VERSION_1_0 || entry->img_version > VERSION_EQUAL_PAGES)
		return refuse(EINVAL, "inventory.img: images of version %u, this criu knows 1 to 3",
			      entry->img_version);
	if (!entry->has_fdinfo_per_id || !entry->fdinfo_per_id)
		return refuse(
			EINVAL,
			"inventory.img: images from before descriptor tables had ids of their own (fdinfo_per_id)");
	if (entry->has_network_lock_method && entry->network_lock_method > INVENTORY_LOCK_SKIP)
		return refuse(EINVAL, "inventory.img: unknown network lock method %u", entry->network_lock_method);
	if (entry->dump_criu_run_id && !is_run_id(entry->dump_criu_run_id))
		return refuse(EINVAL, "inventory.img: the run id '%.64s' is not a uuid", entry->dump_criu_run_id);
	return 0;
}

int inventory_read(struct store *store, struct inventory *ret)
{
	InventoryEntry *entry;
	int error = image_read_one(store, IMAGE_INVENTORY, &entry);

	if (error == -ENOENT)
		return refuse(ENOENT,
			      "there is no inventory.img: not an images directory, or a dump that did not finish");
	TRY(error);
	TRY(check_entry(entry));
	*ret = (struct inventory){
		.version = entry->img_version == VERSION_1_0 ? VERSION_1_0 : VERSION_1_1,
		.equal_pages = entry->img_version == VERSION_EQUAL_PAGES,
		.ns_per_id = entry->has_ns_per_id && entry->ns_per_id,
		.root_ids = entry->root_ids,
		.has_root_cg_set = entry->has_root_cg_set,
		.root_cg_set = entry->root_cg_set,
		.has_lsm = entry->has_lsmtype,
		.lsm = entry->lsmtype,
		.dump_uptime = entry->dump_uptime,
		.pre_dump_mode = entry->pre_dump_mode,
		.tcp_close = entry->has_tcp_close && entry->tcp_close,
		.allow_uprobes = entry->has_allow_uprobes && entry->allow_uprobes,
		.lock = entry->has_network_lock_method ? entry->network_lock_method : INVENTORY_LOCK_IPTABLES,
		.has_plugins = entry->plugins_entry,
		.n_tracked = entry->n_tracked,
		.tracked = entry->tracked,
		.tracked_boot = entry->tracked_boot,
		.lost = entry->lost,
		.n_lost = entry->n_lost,
		.user_ns_ids = entry->user_ns_ids,
		.n_user_ns_ids = entry->n_user_ns_ids,
		.kept_ns = entry->kept_ns,
		.n_kept_ns = entry->n_kept_ns,
		.root_pid = entry->root_pid,
	};
	if (entry->plugins_entry) {
		ret->plugins = entry->plugins_entry->plugins;
		ret->n_plugins = entry->plugins_entry->n_plugins;
	}
	if (entry->dump_criu_run_id)
		memcpy(ret->run_id, entry->dump_criu_run_id, RUN_ID_SIZE);
	store_set_version(store, ret->version);
	return 0;
}

int inventory_check_options(const struct inventory *inventory, bool tcp_close, bool allow_uprobes)
{
	if (inventory->tcp_close && !tcp_close)
		return refuse(EINVAL, "the dump was made with --tcp-close, so the restore needs --tcp-close too");
	if (inventory->allow_uprobes && !allow_uprobes)
		return refuse(EINVAL,
			      "the dump was made with --allow-uprobes, so the restore needs --allow-uprobes too");
	return 0;
}

/* One that nothing was written to is removed. */
static void remove_image(struct store *store, enum image_id id)
{
	AUTO(image_close) struct image *image = NULL;

	if (image_create(store, &image, id) == 0)
		(void)image_finish(&image); /* logged */
}

void inventory_remove(struct store *store)
{
	remove_image(store, IMAGE_INVENTORY);
}

void inventory_forget_older(struct store *store)
{
	static const enum image_id made_when_needed[] = {
		IMAGE_REMAP_FPATH, IMAGE_PIPES_DATA,  IMAGE_FIFO_DATA, IMAGE_SK_QUEUES,
		IMAGE_TTY_INFO,	   IMAGE_TTY_DATA,    IMAGE_FILELOCKS, IMAGE_SECCOMP,
		IMAGE_APPARMOR,	   IMAGE_BPFMAP_DATA, IMAGE_CGROUP,    IMAGE_MEMFD_INODE,
	};

	inventory_remove(store);
	if (store_is_streamed(store))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(made_when_needed); i++)
		remove_image(store, made_when_needed[i]);
}
