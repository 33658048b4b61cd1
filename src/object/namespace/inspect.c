/* SPDX-License-Identifier: GPL-2.0-only */
/* criu inspect: the namespaces of a task, and with the root task all namespaces of the tree. */
#include "object/namespace/inspect.h"

#include "base/fail.h"
#include "base/outline.h"
#include "object/namespace/namespace.h"
#include "session/inspection.h"

static void inspect_all(const struct restore *r)
{
	struct outline *list = outline_add_list(r->inspection->all, "namespaces");
	const struct namespace *ns;

	for_each_namespace(ns, restore_namespaces(r)) {
		struct outline *one;

		if (ns->own)
			continue;
		one = outline_add_group(list, NULL);
		outline_add_text(one, "kind", "%s", ns->kind->name);
		outline_add_number(one, "number", ns->id);
		if (ns->kind->inspect && !ns->joined)
			ns->kind->inspect(ns, one);
	}
}

int namespaces_restore_inspect(const struct restore *r, struct task *task)
{
	struct outline *list;

	if (task->is_root)
		inspect_all(r);
	if (!task_is_live(task))
		return 0;
	list = outline_add_group(r->inspection->task, "namespaces");
	for (unsigned i = 0; namespace_kinds[i]; i++) {
		const struct namespace *ns = namespace_of(restore_namespaces(r), task, namespace_kinds[i]);

		if (ns && ns->own)
			outline_add_text(list, ns->kind->name, "host");
		else if (ns)
			outline_add_number(list, ns->kind->name, ns->id);
	}
	return 0;
}
