/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside of the message queues. */
#pragma once

#include <mqueue.h>

#include "object/file/file.h"

/* Dump: the messages of a queue that has no name any more, into the record. They stay in it. */
int messages_dump(const struct dump *d, const struct open_file *of, const struct mq_attr *attr, MqueueEntry *record);
