/* SPDX-License-Identifier: GPL-2.0-only */
/* criu check: whether the kernel has what is needed. Scripts read "Looks good." and exit code 0,
 * or 1 when something is missing. */
#include "command/command.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"
#include "kern/capability.h"
#include "kern/probe.h"
#include "options/options.h"

static const char *say_why(int result)
{
	return result < 0 ? strerror(-result) : "this kernel does not have it";
}

/* Whether an ordinary user, --unprivileged, cannot tell. Tasks that need it are refused then. */
static bool takes_root(enum feature_id id)
{
	if (geteuid() == 0)
		return false;
	return (id == FEATURE_ID_tcp_repair && !capability_effective(CAP_NET_ADMIN)) ||
	       (id == FEATURE_ID_sysv_ipc && !capability_effective(CAP_SYS_ADMIN));
}

/* It could not be tried because something has run out: that tells nothing about the kernel. */
static bool is_busy(int result)
{
	return result == -EAGAIN || result == -ENOMEM || result == -EMFILE || result == -ENFILE || result == -ENOSPC ||
	       result == -EUSERS || result == -ENOBUFS || result == -ETIMEDOUT;
}

/* 1 = there, or without meaning here. Says what is missing, at this level. */
static bool check_feature(struct probes *probes, enum feature_id id, enum log_level level)
{
	int result = probe_result(probes, id);

	if (result > 0 || result == -ENOENT)
		return true;
	if (takes_root(id)) {
		log_info("%s: not without being root; needed for %s", features[id].name, features[id].needed_for);
		return true;
	}
	if (is_busy(result)) {
		log_warn("%s: could not be tried now: %s (limits of this machine or user); needed for %s",
			 features[id].name, strerror(-result), features[id].needed_for);
		return true;
	}
	log_write(level, __FILE__, __LINE__, "%s: missing (%s); since Linux %s, needed for %s\n", features[id].name,
		  say_why(result), features[id].since, features[id].needed_for);
	return false;
}

static bool check_group(struct probes *probes, enum feature_group group, enum log_level level, bool stop_early)
{
	bool good = true;

	for (int id = 0; id < FEATURE_COUNT; id++) {
		if (features[id].group != group)
			continue;
		good &= check_feature(probes, (enum feature_id)id, level);
		if (!good && stop_early)
			break;
	}
	return good;
}

static int list_features(void)
{
	for (int id = 0; id < FEATURE_COUNT; id++)
		log_message("%s\n", features[id].name);
	return 0;
}

static int check_one(struct probes *probes, const char *name)
{
	const struct feature *feature = feature_find(name);

	if (!strcmp(name, "list"))
		return list_features();
	if (!feature) {
		refuse(EINVAL, "unknown feature \"%s\"; criu check --feature list names all", name);
		return 1;
	}
	if (!check_feature(probes, (enum feature_id)(feature - features), LOG_WARN))
		return 1;
	if (probe_result(probes, (enum feature_id)(feature - features)) <= 0) {
		log_warn("%s: %s", name,
			 probe_result(probes, (enum feature_id)(feature - features)) == -ENOENT
				 ? "has no meaning on this machine"
			 : is_busy(probe_result(probes, (enum feature_id)(feature - features)))
				 ? "could not be tried now"
				 : "cannot be tried without being root");
		return 1;
	}
	log_message("%s is supported\n", name);
	return 0;
}

int command_check(const struct options *options)
{
	struct probes probes = { 0 };
	bool good = true;

	if (options->check_feature)
		return check_one(&probes, options->check_feature);
	if (options->pid)
		return command_check_tree(options);
	if (!check_group(&probes, FEATURE_REQUIRED, LOG_ERROR, true)) {
		log_warn("Does not look good.");
		return 1;
	}
	if (options->check_extra)
		good &= check_group(&probes, FEATURE_EXTRA, LOG_WARN, false);
	if (options->check_experimental)
		good &= check_group(&probes, FEATURE_EXPERIMENTAL, LOG_WARN, false);
	(void)check_group(&probes, FEATURE_INFO, LOG_INFO, false);
	if (!good) {
		log_message("Looks good but some kernel features are missing\n"
			    "which, depending on your process tree, may cause\n"
			    "dump or restore failure.\n");
		return 1;
	}
	log_message("Looks good.\n");
	return 0;
}
