/* SPDX-License-Identifier: GPL-2.0-only */
/* UTS namespaces: the names of the host and of its NIS domain. */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/outline.h"
#include "image/record.h"
#include "object/namespace/namespace.h"
#include "session/copy.h"
#include "utsns.pb-c.h"

static int ask_names(void *arg)
{
	return uname(arg) < 0 ? fail_errno("asking for host and domain name (uname)") : 0;
}

static int dump_uts(struct dump *d, struct namespace *ns)
{
	UtsnsEntry entry = UTSNS_ENTRY__INIT;
	struct utsname names;

	TRY(namespace_run_on(ns, 0, ask_names, &names));
	entry.nodename = names.nodename;
	entry.domainname = names.domainname;
	return image_write_one(dump_store(d), IMAGE_UTSNS, &entry, ns->id);
}

/* __NEW_UTS_LEN of the kernel. */
#define LONGEST 64

static int load_uts(const struct restore *r, struct namespace *ns)
{
	UtsnsEntry *entry;
	int error = image_read_one(r->store, IMAGE_UTSNS, &entry, ns->id);

	if (error == -ENOENT)
		return refuse(ENOENT, "utsns-%u.img is missing: the checkpoint is not complete", ns->id);
	TRY(error);
	if (strlen(entry->nodename) > LONGEST || strlen(entry->domainname) > LONGEST)
		return refuse(EINVAL, "utsns-%u.img: a name is longer than %d bytes: the image is damaged", ns->id,
			      LONGEST);
	ns->data = entry;
	return 0;
}

static int set_names(void *arg)
{
	const UtsnsEntry *entry = arg;

	if (sethostname(entry->nodename, strlen(entry->nodename)) < 0)
		return fail_errno("setting the host name %s", entry->nodename);
	if (setdomainname(entry->domainname, strlen(entry->domainname)) < 0)
		return fail_errno("setting the domain name %s", entry->domainname);
	return 0;
}

static int fill_uts(struct restore *r, struct namespace *ns)
{
	UtsnsEntry *entry = ns->data;

	if (ns->of_root && r->copy && r->copy->hostname)
		entry->nodename = (char *)r->copy->hostname;
	return namespace_run_in(r, ns, set_names, entry);
}

static void inspect_uts(const struct namespace *ns, struct outline *to)
{
	const UtsnsEntry *entry = ns->data;

	outline_add_text(to, "host name", "%s", entry->nodename);
}

const struct namespace_kind uts_kind = {
	NAMESPACE_KIND("uts", CLONE_NEWUTS, uts_ns_id),
	.joinable = true,
	.nested = true,
	.keepable = true,
	.dump = dump_uts,
	.load = load_uts,
	.inspect = inspect_uts,
	.fill = fill_uts,
};
