/* SPDX-License-Identifier: GPL-2.0-only */
/* Sysctls of a network namespace and its devices. */
#include "object/net/settings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "base/vector.h"
#include "session/sysctl.h"

#define ROOT	  "/proc/sys/net"
#define VALUE_MAX 1024
#define DEPTH_MAX 6

/* The places in the lists of the format. Names that a kernel does not have keep their place. */
static const char *const conf4[] = { "accept_local",
				     "accept_redirects",
				     "accept_source_route",
				     "arp_accept",
				     "arp_announce",
				     "arp_filter",
				     "arp_ignore",
				     "arp_notify",
				     "bootp_relay",
				     "disable_policy",
				     "disable_xfrm",
				     "force_igmp_version",
				     "forwarding",
				     "igmpv2_unsolicited_report_interval",
				     "igmpv3_unsolicited_report_interval",
				     "log_martians",
				     "medium_id",
				     "promote_secondaries",
				     "proxy_arp",
				     "proxy_arp_pvlan",
				     "route_localnet",
				     "rp_filter",
				     "secure_redirects",
				     "send_redirects",
				     "shared_media",
				     "src_valid_mark",
				     "tag",
				     "ignore_routes_with_linkdown",
				     "drop_gratuitous_arp",
				     "drop_unicast_in_l2_multicast",
				     NULL };

static const char *const conf6[] = { "accept_dad",
				     "accept_ra",
				     "accept_ra_defrtr",
				     "accept_ra_from_local",
				     "accept_ra_min_hop_limit",
				     "accept_ra_mtu",
				     "accept_ra_pinfo",
				     "accept_ra_rt_info_max_plen",
				     "accept_ra_rtr_pref",
				     "accept_redirects",
				     "accept_source_route",
				     "autoconf",
				     "dad_transmits",
				     "disable_ipv6",
				     "drop_unicast_in_l2_multicast",
				     "drop_unsolicited_na",
				     "force_mld_version",
				     "force_tllao",
				     "forwarding",
				     "hop_limit",
				     "ignore_routes_with_linkdown",
				     "keep_addr_on_down",
				     "max_addresses",
				     "max_desync_factor",
				     "mldv1_unsolicited_report_interval",
				     "mldv2_unsolicited_report_interval",
				     "mtu",
				     "ndisc_notify",
				     "optimistic_dad",
				     "proxy_ndp",
				     "regen_max_retry",
				     "router_probe_interval",
				     "router_solicitation_delay",
				     "router_solicitation_interval",
				     "router_solicitations",
				     "stable_secret",
				     "suppress_frag_ndisc",
				     "temp_prefered_lft",
				     "temp_valid_lft",
				     "use_oif_addrs_only",
				     "use_optimistic",
				     "use_tempaddr",
				     NULL };

static const char *const unix_names[] = { "max_dgram_qlen", NULL };
static const char *const ipv4_names[] = { "ping_group_range", NULL };

/* Setting "forwarding" changes this one. */
static const char *const written_last = "accept_redirects";

/* Which lists have text in them. */
static bool is_text(const char *name)
{
	return !strcmp(name, "stable_secret") || !strcmp(name, "ping_group_range");
}

static bool has_name(const char *const *names, const char *name)
{
	for (; *names; names++)
		if (!strcmp(*names, name))
			return true;
	return false;
}

/* The value without the newline at its end; -errno if it cannot be read (stable_secret before it is set: EIO). */
static int read_value(const char *path, char *to, size_t capacity)
{
	ssize_t size = file_read_text(AT_FDCWD, path, to, capacity);

	if (size < 0)
		return (int)size;
	while (size && to[size - 1] == '\n')
		to[--size] = '\0';
	return 0;
}

/* Nothing is written where the kernel has that value already: some writes have effects of their own. */
static int write_value(const struct restore *r, const char *path, const char *value)
{
	char now[VALUE_MAX];
	int error;

	if (!read_value(path, now, sizeof(now)) && !strcmp(now, value))
		return 0;
	error = file_write_text(AT_FDCWD, path, value);
	if (error == -EINVAL && text_ends(path, "/mtu")) {
		/* A device may have become smaller after it began: the kernel keeps the old number and uses the lesser.
		 */
		log_info("%s is not set to %s, more than the device takes", path, value);
		return 0;
	}
	return error == -ENOENT ? restore_missing_sysctl(r, path, value)
	       : error < 0	? fail(-error, "setting %s to %s", path, value)
				: 0;
}

/* --- lists of the format --- */

static SysctlEntry *dump_one(struct pool *pool, const char *path, bool text)
{
	SysctlEntry *entry = pool_new(pool, SysctlEntry);
	char value[VALUE_MAX];

	sysctl_entry__init(entry);
	entry->type = text ? SYSCTL_TYPE__CTL_STR : SYSCTL_TYPE__CTL_32;
	if (read_value(path, value, sizeof(value)) < 0)
		return entry;
	if (text)
		entry->sarg = pool_string(pool, value);
	else
		entry->has_iarg = text_to_int(value, &entry->iarg) == 0;
	return entry;
}

static size_t dump_list(struct pool *pool, const char *folder, const char *const *names, SysctlEntry ***ret)
{
	char path[256];
	size_t n = 0;

	while (names[n])
		n++;
	*ret = pool_array(pool, SysctlEntry *, n);
	for (size_t i = 0; i < n; i++) {
		snprintf(path, sizeof(path), ROOT "/%s/%s", folder, names[i]);
		(*ret)[i] = dump_one(pool, path, is_text(names[i]));
	}
	return n;
}

static int restore_one(const struct restore *r, const char *folder, const char *name, const SysctlEntry *entry)
{
	char path[256], number[16];

	snprintf(path, sizeof(path), ROOT "/%s/%s", folder, name);
	if (entry->sarg)
		return write_value(r, path, entry->sarg);
	if (!entry->has_iarg)
		return 0;
	snprintf(number, sizeof(number), "%d", entry->iarg);
	return write_value(r, path, number);
}

static int restore_list(const struct restore *r, const char *folder, const char *const *names, SysctlEntry *const *list,
			size_t n)
{
	const SysctlEntry *last = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!names[i]) {
			log_warn("The image has %zu more values for " ROOT "/%s: newer ones, they are left alone",
				 n - i, folder);
			break;
		}
		if (!strcmp(names[i], written_last))
			last = list[i];
		else
			TRY(restore_one(r, folder, names[i], list[i]));
	}
	return last ? restore_one(r, folder, written_last, last) : 0;
}

/* Of older images: plain numbers, all bits set: none. */
static int restore_numbers(const struct restore *r, const char *folder, const int32_t *numbers, size_t n)
{
	for (size_t i = 0; i < n && conf4[i]; i++) {
		const SysctlEntry entry = { .has_iarg = numbers[i] != -1, .iarg = numbers[i] };

		TRY(restore_one(r, folder, conf4[i], &entry));
	}
	return 0;
}

static int check_list(const char *what, const char *const *names, SysctlEntry *const *list, size_t n, bool exactly)
{
	size_t known = 0;

	while (names[known])
		known++;
	if (exactly && n && n != known)
		return refuse(EINVAL, "it has %zu values for %s where %zu are known", n, what, known);
	for (size_t i = 0; i < n && names[i]; i++)
		if ((list[i]->type == SYSCTL_TYPE__CTL_STR) != is_text(names[i]) ||
		    (list[i]->sarg && strlen(list[i]->sarg) >= VALUE_MAX))
			return refuse(EINVAL, "the value of %s/%s is of the wrong type", what, names[i]);
	return 0;
}

/* --- all others --- */

struct settings_walk {
	struct pool *pool;
	VECTOR(NetSysctl *) found;
};

/* conf/DEVICE/NAME below ipv4 and ipv6: those that the lists have, and the one that the device's own record keeps. */
static bool is_listed(const char *path)
{
	const char *name = strrchr(path, '/');

	if (!name)
		return false;
	name++;
	if (text_starts(path, "ipv4/conf/"))
		return has_name(conf4, name);
	if (text_starts(path, "ipv6/conf/"))
		return has_name(conf6, name) || !strcmp(name, "addr_gen_mode");
	return !strcmp(path, "unix/max_dgram_qlen") || !strcmp(path, "ipv4/ping_group_range");
}

static void walk_file(struct settings_walk *walk, const char *path)
{
	char full[512], value[VALUE_MAX];
	struct stat st;
	NetSysctl *entry;

	snprintf(full, sizeof(full), ROOT "/%.256s", path);
	if (is_listed(path) || stat(full, &st) < 0 || (st.st_mode & 0600) != 0600)
		return;
	if (read_value(full, value, sizeof(value)) < 0)
		return;
	entry = *vector_push(&walk->found) = pool_new(walk->pool, NetSysctl);
	net_sysctl__init(entry);
	entry->path = pool_string(walk->pool, path);
	entry->value = pool_string(walk->pool, value);
}

static int by_path(const void *a, const void *b)
{
	return strcmp((*(NetSysctl *const *)a)->path, (*(NetSysctl *const *)b)->path);
}

static void walk_folder(struct settings_walk *walk, const char *folder, int depth)
{
	AUTO_CLOSEDIR DIR *dir = NULL;
	struct dirent *entry;
	char path[512];

	snprintf(path, sizeof(path), ROOT "/%.256s", folder);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		if (snprintf(path, sizeof(path), "%s%s%s", folder, *folder ? "/" : "", entry->d_name) >= 256)
			continue;
		if (entry->d_type == DT_DIR && depth < DEPTH_MAX)
			walk_folder(walk, path, depth + 1);
		else if (entry->d_type == DT_REG)
			walk_file(walk, path);
	}
}

static void dump_others(struct pool *pool, NetnsEntry *entry)
{
	struct settings_walk walk = { .pool = pool };

	walk_folder(&walk, "", 0);
	if (walk.found.n)
		qsort(walk.found.items, walk.found.n, sizeof(walk.found.items[0]), by_path);
	entry->n_sysctls = walk.found.n;
	entry->sysctls = pool_copy(pool, walk.found.items, walk.found.n * sizeof(walk.found.items[0]));
	vector_done(&walk.found);
}

/* No way out of the folder. */
static bool is_sound_path(const char *path)
{
	return path[0] && path[0] != '/' && path[0] != '.' && !strstr(path, "/.") && strlen(path) < 256;
}

/* What cannot be set here is not worth the whole restore: the tasks came along without us knowing that name. */
static void restore_other(const NetSysctl *entry)
{
	char path[512], now[VALUE_MAX];
	int error;

	snprintf(path, sizeof(path), ROOT "/%s", entry->path);
	if (!read_value(path, now, sizeof(now)) && !strcmp(now, entry->value))
		return;
	error = file_write_text(AT_FDCWD, path, entry->value);
	if (error < 0)
		log_warn("%s cannot be set to %s: %s", path, entry->value, strerror(-error));
}

static bool is_folder(const char *text, size_t size, const char *name)
{
	return strlen(name) == size && !strncmp(text, name, size);
}

/* "ipv4/conf/eth0/...", "ipv6/neigh/eth0/...": of a device that is not here. */
static bool is_of_another(const char *path, NetDeviceEntry *const *devices, size_t n)
{
	const char *device = path + strlen("ipv4/");
	size_t size;

	if (!text_starts(path, "ipv4/") && !text_starts(path, "ipv6/"))
		return false;
	if (!text_starts(device, "conf/") && !text_starts(device, "neigh/"))
		return false;
	device = strchr(device, '/') + 1;
	size = strcspn(device, "/");
	for (size_t i = 0; i < n; i++)
		if (is_folder(device, size, devices[i]->name))
			return false;
	return !is_folder(device, size, "all") && !is_folder(device, size, "default");
}

int net_settings_restore_others(const NetnsEntry *entry, NetDeviceEntry *const *devices, size_t n)
{
	for (size_t i = 0; i < entry->n_sysctls; i++)
		if (!is_of_another(entry->sysctls[i]->path, devices, n))
			restore_other(entry->sysctls[i]);
	return 0;
}

/* --- a namespace --- */

int net_settings_dump(struct pool *pool, NetnsEntry *entry)
{
	entry->n_def_conf4 = dump_list(pool, "ipv4/conf/default", conf4, &entry->def_conf4);
	entry->n_all_conf4 = dump_list(pool, "ipv4/conf/all", conf4, &entry->all_conf4);
	entry->n_def_conf6 = dump_list(pool, "ipv6/conf/default", conf6, &entry->def_conf6);
	entry->n_all_conf6 = dump_list(pool, "ipv6/conf/all", conf6, &entry->all_conf6);
	entry->n_unix_conf = dump_list(pool, "unix", unix_names, &entry->unix_conf);
	entry->n_ipv4_sysctl = dump_list(pool, "ipv4", ipv4_names, &entry->ipv4_sysctl);
	dump_others(pool, entry);
	return 0;
}

int net_settings_check(const NetnsEntry *entry)
{
	TRY(check_list("net/ipv4/conf/default", conf4, entry->def_conf4, entry->n_def_conf4, false));
	TRY(check_list("net/ipv4/conf/all", conf4, entry->all_conf4, entry->n_all_conf4, false));
	TRY(check_list("net/ipv6/conf/default", conf6, entry->def_conf6, entry->n_def_conf6, false));
	TRY(check_list("net/ipv6/conf/all", conf6, entry->all_conf6, entry->n_all_conf6, false));
	TRY(check_list("net/unix", unix_names, entry->unix_conf, entry->n_unix_conf, true));
	TRY(check_list("net/ipv4", ipv4_names, entry->ipv4_sysctl, entry->n_ipv4_sysctl, true));
	for (size_t i = 0; i < entry->n_sysctls; i++)
		if (!is_sound_path(entry->sysctls[i]->path) || strlen(entry->sysctls[i]->value) >= VALUE_MAX)
			return refuse(EINVAL, "the sysctl \"%s\" makes no sense", entry->sysctls[i]->path);
	return 0;
}

int net_settings_restore(const struct restore *r, const NetnsEntry *entry)
{
	/* "all" first: some of its values are passed on to "default" and to every device. */
	TRY(restore_numbers(r, "ipv4/conf/all", entry->all_conf, entry->n_all_conf));
	TRY(restore_list(r, "ipv4/conf/all", conf4, entry->all_conf4, entry->n_all_conf4));
	TRY(restore_numbers(r, "ipv4/conf/default", entry->def_conf, entry->n_def_conf));
	TRY(restore_list(r, "ipv4/conf/default", conf4, entry->def_conf4, entry->n_def_conf4));
	TRY(restore_list(r, "ipv6/conf/all", conf6, entry->all_conf6, entry->n_all_conf6));
	TRY(restore_list(r, "ipv6/conf/default", conf6, entry->def_conf6, entry->n_def_conf6));
	TRY(restore_list(r, "unix", unix_names, entry->unix_conf, entry->n_unix_conf));
	return restore_list(r, "ipv4", ipv4_names, entry->ipv4_sysctl, entry->n_ipv4_sysctl);
}

/* --- a device --- */

int net_settings_dump_device(struct pool *pool, NetDeviceEntry *entry)
{
	char folder[64];

	snprintf(folder, sizeof(folder), "ipv4/conf/%s", entry->name);
	entry->n_conf4 = dump_list(pool, folder, conf4, &entry->conf4);
	snprintf(folder, sizeof(folder), "ipv6/conf/%s", entry->name);
	entry->n_conf6 = dump_list(pool, folder, conf6, &entry->conf6);
	return 0;
}

int net_settings_check_device(const NetDeviceEntry *entry)
{
	TRY(check_list(entry->name, conf4, entry->conf4, entry->n_conf4, false));
	return check_list(entry->name, conf6, entry->conf6, entry->n_conf6, false);
}

int net_settings_restore_device(const struct restore *r, const NetDeviceEntry *entry)
{
	char folder[64];

	snprintf(folder, sizeof(folder), "ipv4/conf/%s", entry->name);
	TRY(restore_numbers(r, folder, entry->conf, entry->n_conf));
	TRY(restore_list(r, folder, conf4, entry->conf4, entry->n_conf4));
	snprintf(folder, sizeof(folder), "ipv6/conf/%s", entry->name);
	return restore_list(r, folder, conf6, entry->conf6, entry->n_conf6);
}
