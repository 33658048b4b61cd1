/* SPDX-License-Identifier: GPL-2.0-only */
/* Names of BPF maps in mounted BPF file systems (BPF_OBJ_PIN); the hooks of mounts are mount_pins. */
#pragma once

struct dump;
struct restore;

/* All names, and the maps that no descriptor refers to, when content of mounts has been saved. */
int bpf_pins_write(struct dump *d);
/* When the contents of maps are known. */
int bpf_pins_prepare(const struct restore *r);
