/* SPDX-License-Identifier: GPL-2.0-only */
/* Options of a request as words of a command line, for a program that travels to another machine. */
#include "options/rpc-words.h"

#include <string.h>

#include "base/array.h"
#include "base/pool.h"
#include "base/vector.h"
#include "options/options.h"

void rpc_keep_word(struct options *options, const char *name, const char *value)
{
	*vector_push(&options->words) = pool_printf(options->pool, "--%s%s%s", name, value ? "=" : "", value ?: "");
}

static void keep_external(struct options *options, const CriuOpts *opts)
{
	for (size_t i = 0; i < opts->n_external; i++)
		rpc_keep_word(options, "external", opts->external[i]);
}

static void keep_mounts(struct options *options, const CriuOpts *opts)
{
	if (opts->auto_ext_mnt)
		rpc_keep_word(options, "ext-mount-map", "auto");
	for (size_t i = 0; i < opts->n_ext_mnt; i++)
		rpc_keep_word(options, "external",
			      pool_printf(options->pool, "mnt[%s]:%s", opts->ext_mnt[i]->key, opts->ext_mnt[i]->val));
}

static void keep_veths(struct options *options, const CriuOpts *opts)
{
	for (size_t i = 0; i < opts->n_veths; i++)
		rpc_keep_word(options, "external",
			      pool_printf(options->pool, "veth[%s]:%s", opts->veths[i]->if_in, opts->veths[i]->if_out));
}

static void keep_unix_sockets(struct options *options, const CriuOpts *opts)
{
	rpc_keep_word(options, "ext-unix-sk", NULL);
	for (size_t i = 0; i < opts->n_unix_sk_ino; i++)
		rpc_keep_word(options, "ext-unix-sk", pool_printf(options->pool, "%u", opts->unix_sk_ino[i]->inode));
}

static void keep_cgroup_roots(struct options *options, const CriuOpts *opts)
{
	for (size_t i = 0; i < opts->n_cg_root; i++) {
		const CgroupRoot *one = opts->cg_root[i];
		bool all = !one->ctrl || !one->ctrl[0];

		rpc_keep_word(options, "cgroup-root",
			      pool_printf(options->pool, "%s%s%s", all ? "" : one->ctrl, all ? "" : ":", one->path));
	}
}

static void keep_cgroups(struct options *options, const CriuOpts *opts)
{
	static const char *const modes[] = {
		[OPT_CGROUPS_IGNORE] = "ignore", [OPT_CGROUPS_NONE] = "none", [OPT_CGROUPS_PROPS] = "props",
		[OPT_CGROUPS_SOFT] = "soft",	 [OPT_CGROUPS_FULL] = "full", [OPT_CGROUPS_STRICT] = "strict",
	};

	(void)opts;
	rpc_keep_word(options, "manage-cgroups", modes[options->manage_cgroups]);
}

static void keep_cpu(struct options *options, const CriuOpts *opts)
{
	(void)opts;
	rpc_keep_word(options, "cpu-cap",
		      pool_printf(options->pool, "none,^none%s%s%s", options->cpu_cap & OPT_CPU_FPU ? "" : ",^fpu",
				  options->cpu_cap & OPT_CPU_CPU ? "" : ",^cpu",
				  options->cpu_cap & OPT_CPU_INS ? "" : ",^ins"));
}

static void keep_empty(struct options *options, const CriuOpts *opts)
{
	(void)opts;
	rpc_keep_word(options, "empty-ns", "net");
}

void rpc_keep_own_words(struct options *options, const char *name, const CriuOpts *opts)
{
	static const struct {
		const char *name;
		void (*keep)(struct options *options, const CriuOpts *opts);
	} rows[] = {
		{ "external", keep_external },
		{ "ext-mount-map", keep_mounts },
		{ "veth-pair", keep_veths },
		{ "ext-unix-sk", keep_unix_sockets },
		{ "cgroup-root", keep_cgroup_roots },
		{ "manage-cgroups", keep_cgroups },
		{ "cpu-cap", keep_cpu },
		{ "empty-ns", keep_empty },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (!strcmp(rows[i].name, name))
			rows[i].keep(options, opts);
}
