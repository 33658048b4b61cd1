/* SPDX-License-Identifier: GPL-2.0-only */
/* The loads of make bench: load.c makes one to be checkpointed, floor.c makes the same to measure plain calls on it. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* size bytes of private memory, one page of every `step` bytes written. */
uint8_t *load_memory(size_t size, size_t step);
void load_shared(size_t size); /* the same of anonymous shared memory, each page */
void load_areas(unsigned n);
void load_threads(unsigned n);
void load_processes(unsigned n);
/* n descriptors: half are ends of pipes, half of unix socket pairs. */
void load_descriptors(unsigned n);
/* n pairs of unix sockets; n TCP connections, both ends. */
void load_mixed(unsigned n);
void load_pairs(unsigned n);
void load_connections(unsigned n);
