# SPDX-License-Identifier: GPL-2.0-only
"""Prints the netfilter rules of its network namespace, with the library: nft itself may be missing.

usage: list-nft-rules.py
"""
import ctypes

nft = ctypes.CDLL("libnftables.so.1")
nft.nft_ctx_new.restype = ctypes.c_void_p
nft.nft_run_cmd_from_buffer(ctypes.c_void_p(nft.nft_ctx_new(0)), b"list ruleset")
