/* SPDX-License-Identifier: GPL-2.0-only */
/* Sysctls of namespaces that the kernel of the restore does not have. */
#pragma once

struct restore;

/* The image has value for the file at path, which is not there: an error, or with --weak-sysctls a warning. */
int restore_missing_sysctl(const struct restore *r, const char *path, const char *value);
