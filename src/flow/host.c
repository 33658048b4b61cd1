/* SPDX-License-Identifier: GPL-2.0-only */
/* What is true of the host: its security module. */
#include "flow/host.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "image/inventory.h"

/* Security modules keep labels of tasks that a restore under another module could not give back. */
static Lsmtype find_lsm(void)
{
	char text[8] = "";

	if (access("/sys/fs/selinux/enforce", F_OK) == 0)
		return LSMTYPE__SELINUX;
	if (file_read_text(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", text, sizeof(text)) > 0 &&
	    text[0] == 'Y')
		return LSMTYPE__APPARMOR;
	return LSMTYPE__NO_LSM;
}

void host_note_security(struct dump *d)
{
	d->inventory->has_lsm = true;
	d->inventory->lsm = find_lsm();
}
