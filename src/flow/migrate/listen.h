/* SPDX-License-Identifier: GPL-2.0-only */
/* criu migrate --listen: programs come from other machines. */
#pragma once

struct options;

/* 0 or -errno. With fd:N one program comes, else any number, one after the other or at once. */
int migrate_listen(const struct options *options);
