/* SPDX-License-Identifier: GPL-2.0-only */
/* criu receive: what dump --stream=FD has sent becomes a directory of images. */
#include "command/command.h"

#include "base/interrupt.h"
#include "base/log.h"
#include "flow/stream.h"

int command_receive(const struct options *options)
{
	int error;

	interrupt_catch("what has come is no checkpoint");
	error = stream_receive(options);
	if (error == 0)
		error = interrupt_check_last();
	if (error < 0)
		log_error("Receiving FAILED.");
	return error < 0 ? 1 : 0;
}
