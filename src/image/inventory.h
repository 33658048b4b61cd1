/* SPDX-License-Identifier: GPL-2.0-only */
/* The inventory: what is true of a whole checkpoint. Read first, written last. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inventory.pb-c.h"

struct store;
struct pool;

#define RUN_ID_SIZE 37 /* 36 characters and the NUL */

/* The numbers of inventory_entry.network_lock_method; the RPC counts differently. */
enum inventory_lock { INVENTORY_LOCK_IPTABLES, INVENTORY_LOCK_NFTABLES, INVENTORY_LOCK_SKIP };

struct inventory {
	int version;		    /* 1 = 1.0, 2 = 1.1; written is always 2 */
	bool equal_pages;	    /* pagemaps may name pages of other tasks: the image then says version 3 */
	bool ns_per_id;		    /* namespace images are named by ns id, else by pid (older) */
	TaskKobjIdsEntry *root_ids; /* of the dumping process; NULL in older images */
	bool has_root_cg_set;
	uint32_t root_cg_set;
	bool has_lsm;
	Lsmtype lsm;
	uint64_t dump_uptime;	       /* us since boot, 0 = not tracked */
	uint32_t pre_dump_mode;	       /* 0 = a full dump, 1 = splice, 2 = read */
	bool tcp_close, allow_uprobes; /* the dump had this option */
	enum inventory_lock lock;
	bool has_plugins; /* false in older images: then all plugins are active */
	char **plugins;	  /* names of plugins with data in the images */
	size_t n_plugins;
	char run_id[RUN_ID_SIZE]; /* of the dumping process; "" in older images */
	TrackedEntry **tracked;	  /* tasks whose writes are tracked since this dump */
	size_t n_tracked;
	char *tracked_boot; /* boot id; NULL if there are none */
	char **lost;	    /* what was not saved, a text each */
	size_t n_lost;
	uint32_t *user_ns_ids; /* user namespaces in which no task lives */
	size_t n_user_ns_ids;
	KeptNsEntry **kept_ns; /* other namespaces in which no task lives */
	size_t n_kept_ns;
	uint32_t root_pid; /* of the root task, as seen from outside of its pid namespace; 0: it has none of its own */
};

/* Writes the image. Version, fdinfo_per_id and ns_per_id are set to what is written today. */
int inventory_write(struct store *store, const struct inventory *inventory);
/* What is left is no checkpoint. */
void inventory_remove(struct store *store);
/* Before a dump into a directory that may hold an older one: its inventory goes, and the images that are only made when
 * they are needed; they would be taken for those of the new one. */
void inventory_forget_older(struct store *store);
/* Reads and checks it and tells the store its version; all in it lives in the store's pool. A missing one fails. */
int inventory_read(struct store *store, struct inventory *ret);
/* A restore must be given the options that change what the dump meant: says which one is missing. */
int inventory_check_options(const struct inventory *inventory, bool tcp_close, bool allow_uprobes);

/* A new run id: random uuid text of the kernel. */
int inventory_make_run_id(char ret[RUN_ID_SIZE]);
