// SPDX-License-Identifier: GPL-2.0-only
/* A process that lives in a UTS namespace of its own keeps the names of host and domain. */
#include <sched.h>
#include <sys/utsname.h>

#include "subject.h"

SUBJECT()

int main(void)
{
	struct utsname names;

	must(unshare(CLONE_NEWUTS));
	must(sethostname("subject.example", 15));
	must(setdomainname("a domain", 8));

	checkpoint();

	CHECK(uname(&names) == 0);
	CHECK(!strcmp(names.nodename, "subject.example"));
	CHECK(!strcmp(names.domainname, "a domain"));
	/* It is not the one that criu lives in. */
	CHECK(sethostname("other", 5) == 0);
	return 0;
}
