/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages in a POSIX message queue. */
#pragma once

#include "regfile.pb-c.h"

struct dump;
struct mq_attr;
struct open_file;

/* Dump: the messages of a queue that has no name any more, into the record. They stay in it. */
int messages_dump(const struct dump *d, const struct open_file *of, const struct mq_attr *attr, MqueueEntry *record);
