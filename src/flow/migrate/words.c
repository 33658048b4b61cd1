/* SPDX-License-Identifier: GPL-2.0-only */
/* Options of the restore that travel with the program: what it is, never what the other machine shall run or write. */
#include "flow/migrate/words.h"

#include <string.h>

#include "base/array.h"
#include "base/fail.h"
#include "base/text.h"
#include "options/options.h"

static const char *const travelling[] = {
	"allow-uprobes",
	"cgroup-root",
	"cgroup-yard",
	"cpu-cap",
	"empty-ns",
	"enable-external-masters",
	"enable-fs",
	"enable-external-sharing",
	"evasive-devices",
	"ext-mount-map",
	"ext-unix-sk",
	"external",
	"file-locks",
	"file-validation",
	"lsm-profile",
	"lsm-mount-context",
	"manage-cgroups",
	"map-path",
	"max-downtime",
	"new-pidns",
	"mntns-compat-mode",
	"root",
	"shell-job",
	"skip-in-flight",
	"skip-file-rwx-check",
	"strict-rlimits",
	"tcp-close",
	"tcp-established",
	"tcp-map",
	"tell-timeout",
	"unix-peer",
	"timeout",
	"veth-pair",
	"weak-sysctls",
};

static bool is_travelling(const char *word)
{
	const char *name = text_after(word, "--no-") ?: text_after(word, "--");
	size_t length = name ? strcspn(name, "=") : 0;

	for (size_t i = 0; length && i < ARRAY_SIZE(travelling); i++)
		if (strlen(travelling[i]) == length && !strncmp(travelling[i], name, length))
			return true;
	return false;
}

void words_collect(const struct options *options, struct buffer *to)
{
	for (size_t i = 0; i < options->words.n; i++)
		if (is_travelling(options->words.items[i]))
			buffer_append(to, options->words.items[i], strlen(options->words.items[i]) + 1);
}

int words_apply(struct options *options, char *text, size_t size)
{
	for (size_t at = 0; at < size; at += strlen(text + at) + 1) {
		if (!is_travelling(text + at)) {
			text_mask_controls(text + at, strlen(text + at));
			return refuse(EPERM, "the option %s does not travel with a program", text + at);
		}
		if (options_apply_word(options, text + at) < 0)
			return -EBADRQC;
	}
	return 0;
}
