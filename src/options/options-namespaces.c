/* SPDX-License-Identifier: GPL-2.0-only */
/* The values of options that are about namespaces. */
#include "options/options-namespaces.h"

#include <sched.h>
#include <string.h>

#include "base/fail.h"
#include "base/pool.h"
#include "base/text.h"
#include "base/vector.h"
#include "kern/namespaces.h"
#include "options/options.h"
#include "options/row.h"

/* UID,GID */
static bool parse_ids(char *text, struct opt_join_ns *to)
{
	char *gid = strchr(text, ',');

	if (!gid)
		return false;
	*gid++ = 0;
	to->has_ids = true;
	return text_to_u32(text, 10, &to->uid) == 0 && text_to_u32(gid, 10, &to->gid) == 0 && to->uid != UINT32_MAX &&
	       to->gid != UINT32_MAX;
}

OPTION_SET(join_ns)
{
	char *kind = pool_string(options->pool, value), *file = strchr(kind, ':'), *ids;
	struct opt_join_ns join = { 0 };

	if (!file || !file[1])
		return option_refuse_value(row, value, "NS:PID or NS:FILE");
	*file++ = 0;
	join.flag = namespace_flag(kind);
	if (!join.flag)
		return option_refuse_value(row, value, "a kind of namespace, such as net, and a pid or file");
	ids = strchr(file, ',');
	if (ids && join.flag != CLONE_NEWUSER)
		return option_refuse_value(row, value, "without UID,GID unless the namespace is user");
	if (ids)
		*ids++ = 0;
	if (ids && !parse_ids(ids, &join))
		return option_refuse_value(row, value, "user:PID,UID,GID or user:FILE,UID,GID with two numbers");
	if (!text_to_int(file, &join.pid)) {
		if (join.pid <= 0)
			return option_refuse_value(row, value, "NS:PID with a pid greater than 0");
		file = pool_printf(options->pool, "/proc/%d/ns/%s", join.pid, kind);
	} else {
		join.pid = 0;
	}
	join.file = file;
	*vector_push(&options->join_ns) = join;
	return 0;
}

OPTION_SET(empty_ns)
{
	if (namespace_flag(value) != CLONE_NEWNET)
		return option_refuse_value(row, value, "net");
	options->empty_ns |= CLONE_NEWNET;
	return 0;
}
