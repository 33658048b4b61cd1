/* SPDX-License-Identifier: GPL-2.0-only */
/* The first words of both sides of a migration: who they are, and which version of the protocol they speak. */
#include "flow/migrate/hello.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/text.h"

static int say_hello(struct wire *wire)
{
	struct utsname name;
	char text[512];

	uname(&name);
	snprintf(text, sizeof(text), "%s, %s %s, %s", name.nodename, name.sysname, name.release, name.machine);
	return wire_say(wire, MIGRATE_HELLO, MIGRATE_VERSION, text);
}

static int check_hello(struct wire *wire)
{
	if (wire->head.number != MIGRATE_VERSION)
		return refuse(EPROTO,
			      "the other side speaks version %u of the protocol of criu migrate, this one version %u: "
			      "use the same criu on both",
			      wire->head.number, MIGRATE_VERSION);
	text_mask_controls(wire->payload.data, wire->payload.size);
	log_info("The other side is %s", wire->payload.data);
	return 0;
}

int hello_as_client(struct wire *wire)
{
	TRY(say_hello(wire));
	TRY(wire_expect(wire, MIGRATE_HELLO, WIRE_GRACE_S));
	return check_hello(wire);
}

int hello_as_server(struct wire *wire)
{
	TRY(wire_expect(wire, MIGRATE_HELLO, WIRE_GRACE_S));
	TRY(say_hello(wire));
	return check_hello(wire);
}
