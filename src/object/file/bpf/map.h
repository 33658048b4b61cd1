/* SPDX-License-Identifier: GPL-2.0-only */
/* BPF maps as objects: what they are, what is in them, and making them again. Descriptors, names in a BPF file system
 * and other maps may refer to the same one. */
#pragma once

#include <linux/bpf.h>

#include "bpfmap-file.pb-c.h"
#include "session/session.h"

/* --- dump --- */
int bpf_map_read_info(int fd, struct bpf_map_info *info);
/* Fills what the record says of the map; refuses what cannot be saved. Any descriptor of it will do. */
int bpf_map_describe(const struct dump *d, int fd, BpfmapFileEntry *record);
/* One that no descriptor of a task refers to: it gets a record of its own. */
int bpf_map_note(const struct dump *d, int fd, uint32_t *ret_id);
/* Its content, once, and that of the maps in it. */
int bpf_map_drain(struct dump *d, uint32_t id);
/* The records of all that were noted. */
BpfmapFileEntry *const *bpf_maps_noted(const struct dump *d, size_t *ret_n);
int bpf_maps_write(struct dump *d);

/* --- restore --- */
int bpf_maps_prepare(const struct restore *r);
/* One more record of a map: its sizes must fit its content. */
int bpf_map_load(const struct restore *r, const BpfmapFileEntry *record);
/* Makes it, with its content, if it is not there yet. A descriptor of ours, not to be closed. */
int bpf_map_make(struct restore *r, uint32_t id, int *ret_fd);
void bpf_maps_done(struct restore *r);
