/* SPDX-License-Identifier: GPL-2.0-only */
/* Peers outside of the tree: what --unix-peer says of them, and how a restore finds them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "options/options.h"
#include "sk-unix.pb-c.h"

struct restore;
struct unix_socket;

/* What the last --unix-peer says that fits a peer of this name, between sockets of these numbers. False: nothing. */
bool unix_peer_mode(const struct options *options, const ProtobufCBinaryData *name, uint32_t ours, uint32_t theirs,
		    enum opt_unix_peer_mode *ret);

/*
 * What becomes of a socket whose peer is outside of the tree, or was: by --inherit-fd, --unix-peer, or what the dump
 * was told. peer: the one of the images, may become NULL (closed) or one that only has a name. Others stay as they are.
 */
int unix_link_outside(const struct restore *r, struct unix_socket *socket, struct unix_socket **peer);
/* Connects fd to the name of a peer outside, as the task that has the socket. */
int unix_connect_outside(struct restore *r, const struct unix_socket *socket, int fd);
