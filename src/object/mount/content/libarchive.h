/* SPDX-License-Identifier: GPL-2.0-only */
/* The functions of libarchive, which is loaded for the content of mounts. */
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include "base/symbols.h"

/* clang-format off */
#define LIBARCHIVE(X) \
	X(archive_entry_atime) X(archive_entry_atime_is_set) X(archive_entry_atime_nsec) \
	X(archive_entry_copy_hardlink) X(archive_entry_copy_pathname) X(archive_entry_copy_stat) \
	X(archive_entry_copy_symlink) X(archive_entry_fflags) X(archive_entry_filetype) X(archive_entry_free) X(archive_entry_gid) \
	X(archive_entry_hardlink) X(archive_entry_mtime) X(archive_entry_mtime_nsec) X(archive_entry_new2) \
	X(archive_entry_pathname) X(archive_entry_perm) X(archive_entry_rdev) X(archive_entry_set_fflags) X(archive_entry_set_gid) \
	X(archive_entry_set_uid) X(archive_entry_size) X(archive_entry_sparse_add_entry) \
	X(archive_entry_sparse_count) X(archive_entry_symlink) X(archive_entry_uid) \
	X(archive_entry_unset_size) X(archive_entry_xattr_add_entry) X(archive_entry_xattr_next) \
	X(archive_entry_xattr_reset) X(archive_errno) X(archive_error_string) X(archive_read_data_block) \
	X(archive_read_free) X(archive_read_new) X(archive_read_next_header) X(archive_read_open_fd) \
	X(archive_read_support_filter_all) X(archive_read_support_format_tar) \
	X(archive_write_add_filter_gzip) X(archive_write_close) X(archive_write_data) \
	X(archive_write_free) X(archive_write_header) X(archive_write_new) X(archive_write_open_fd) \
	X(archive_write_set_bytes_in_last_block) X(archive_write_set_filter_option) \
	X(archive_write_set_format_pax)
/* clang-format on */

extern struct libarchive {
	LIBARCHIVE(LIBRARY_MEMBER)
} libarchive;

int libarchive_load(void);
