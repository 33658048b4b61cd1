/* SPDX-License-Identifier: GPL-2.0-only */
/* criu inspect: what is mounted in a namespace. */
#pragma once

struct namespace;
struct outline;

void mount_restore_inspect(const struct namespace *ns, struct outline *to);
