/* SPDX-License-Identifier: LGPL-2.1-only */
/* /proc/PID/status. One row for each line we want; other lines are skipped. */
#include "kern/proc/status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/text.h"
#include "base/vector.h"
#include "kern/proc/proc.h"

enum form {
	FORM_NAME,
	FORM_STATE,
	FORM_U32,
	FORM_OCTAL,
	FORM_PID,
	FORM_BOOL,
	FORM_HEX64,
	FORM_KB,
	FORM_IDS,
	FORM_LEVELS,
	FORM_GROUPS
};

struct status_row {
	const char *key;
	enum form form;
	size_t offset;
};

#define ROW(key, form, member)                                         \
	{                                                              \
		key, FORM_##form, offsetof(struct proc_status, member) \
	}

static const struct status_row rows[] = {
	ROW("Name", NAME, name),
	ROW("Umask", OCTAL, umask),
	ROW("State", STATE, state),
	ROW("Tgid", PID, tgid),
	ROW("Pid", PID, pid),
	ROW("PPid", PID, ppid),
	ROW("TracerPid", PID, tracer_pid),
	ROW("Uid", IDS, uid),
	ROW("Gid", IDS, gid),
	ROW("FDSize", U32, fd_size),
	ROW("Groups", GROUPS, groups),
	ROW("NStgid", LEVELS, ns_tgid),
	ROW("NSpid", LEVELS, ns_pid),
	ROW("NSpgid", LEVELS, ns_pgid),
	ROW("NSsid", LEVELS, ns_sid),
	ROW("Kthread", BOOL, kthread),
	ROW("VmSize", KB, vm_size_kb),
	ROW("VmLck", KB, vm_lck_kb),
	ROW("VmRSS", KB, vm_rss_kb),
	ROW("THP_enabled", U32, thp_enabled),
	ROW("Threads", U32, threads),
	ROW("SigPnd", HEX64, sig_pending),
	ROW("ShdPnd", HEX64, shared_pending),
	ROW("SigBlk", HEX64, sig_blocked),
	ROW("SigIgn", HEX64, sig_ignored),
	ROW("SigCgt", HEX64, sig_caught),
	ROW("CapInh", HEX64, cap_inheritable),
	ROW("CapPrm", HEX64, cap_permitted),
	ROW("CapEff", HEX64, cap_effective),
	ROW("CapBnd", HEX64, cap_bounding),
	ROW("CapAmb", HEX64, cap_ambient),
	ROW("NoNewPrivs", U32, no_new_privs),
	ROW("Seccomp", U32, seccomp),
	ROW("Seccomp_filters", U32, seccomp_filters),
};

/* The kernel writes a newline as \n and a backslash as \\ here. */
static int parse_name(char *to, size_t capacity, const char *from)
{
	size_t n = 0;

	for (; *from && n + 1 < capacity; from++) {
		if (from[0] == '\\' && (from[1] == 'n' || from[1] == '\\'))
			to[n++] = *++from == 'n' ? '\n' : '\\';
		else
			to[n++] = *from;
	}
	to[n] = '\0';
	return *from ? -ERANGE : 0;
}

static int parse_ids(uint32_t *ids, char *value)
{
	for (int i = 0; i < PROC_IDS; i++) {
		char *field = text_field(&value);

		if (!field)
			return -EINVAL;
		TRY(text_to_u32(field, 10, &ids[i]));
	}
	return 0;
}

static int parse_levels(struct proc_status *status, pid_t *pids, char *value)
{
	char *field;
	size_t n = 0;

	while ((field = text_field(&value))) {
		if (n == PROC_MAX_PID_LEVELS)
			return -ERANGE;
		TRY(text_to_int(field, &pids[n++]));
	}
	if (n == 0 || (status->n_levels && n != status->n_levels))
		return -EINVAL;
	status->n_levels = n;
	return 0;
}

static int parse_groups(struct proc_status *status, char *value)
{
	VECTOR(uint32_t) groups = { 0 };
	char *field;
	int error = 0;

	while (error == 0 && (field = text_field(&value)))
		error = text_to_u32(field, 10, vector_push(&groups));
	free(status->groups);
	status->groups = groups.items;
	status->n_groups = groups.n;
	return error;
}

static int parse_value(struct proc_status *status, const struct status_row *row, char *value)
{
	void *to = (char *)status + row->offset;
	uint32_t u32;

	switch (row->form) {
	case FORM_NAME:
		return parse_name(to, sizeof(status->name), value);
	case FORM_STATE:
		*(char *)to = *value;
		return *value ? 0 : -EINVAL;
	case FORM_U32:
		return text_to_u32(value, 10, to);
	case FORM_OCTAL:
		return text_to_u32(value, 8, to);
	case FORM_PID:
		return text_to_int(value, to);
	case FORM_BOOL:
		TRY(text_to_u32(value, 10, &u32));
		*(bool *)to = u32;
		return 0;
	case FORM_HEX64:
		return text_to_u64(value, 16, to);
	case FORM_KB:
		value += strspn(value, " ");
		value[strcspn(value, " ")] = '\0';
		return text_to_u64(value, 10, to);
	case FORM_IDS:
		return parse_ids(to, value);
	case FORM_LEVELS:
		return parse_levels(status, to, value);
	case FORM_GROUPS:
		return parse_groups(status, value);
	}
	return -EINVAL;
}

static const struct status_row *find_row(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].key[0] == key[0] && strcmp(rows[i].key, key) == 0)
			return &rows[i];
	}
	return NULL;
}

static int parse_lines(char *text, struct proc_status *status)
{
	char *line;

	while ((line = text_line(&text))) {
		char *value = strchr(line, ':');
		const struct status_row *row;

		if (!value)
			return refuse(EINVAL, "cannot understand the line \"%s\" of /proc/PID/status", line);
		*value++ = '\0';
		row = find_row(line);
		if (!row)
			continue;
		value += *value == '\t';
		if (parse_value(status, row, value) < 0)
			return refuse(EINVAL, "cannot understand %s of /proc/PID/status", line);
	}
	if (!status->state || !status->tgid || !status->pid)
		return refuse(EINVAL, "/proc/PID/status lacks State, Tgid or Pid");
	return 0;
}

int proc_status_parse(char *text, struct proc_status *ret)
{
	int error;

	*ret = (struct proc_status){ .umask = UINT32_MAX, .thp_enabled = 1 };
	error = parse_lines(text, ret);
	if (error < 0)
		proc_status_done(ret);
	return error;
}

int proc_status_read(int proc, struct proc_status *ret)
{
	AUTO(buffer_done) struct buffer text = { 0 };

	TRY(proc_read_record(proc, "status", &text));
	return proc_status_parse(text.data, ret);
}

int proc_status_read_thread(int proc, pid_t tid, struct proc_status *ret)
{
	AUTO(buffer_done) struct buffer text = { 0 };

	TRY(proc_read_thread_record(proc, tid, "status", &text));
	return proc_status_parse(text.data, ret);
}

void proc_status_done(struct proc_status *status)
{
	free(status->groups);
	*status = (struct proc_status){ 0 };
}
