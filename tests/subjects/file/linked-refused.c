// SPDX-License-Identifier: GPL-2.0-only
/* Without --link-remap such a file is refused, with the name of the option. */
#include "subject.h"

SUBJECT(.refused = "link-remap")

int main(void)
{
	must(open("first", O_RDWR | O_CREAT, 0600));
	must(link("first", "second"));
	must(unlink("first"));
	checkpoint();
	return 0;
}
