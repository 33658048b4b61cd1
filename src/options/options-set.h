/* SPDX-License-Identifier: GPL-2.0-only */
/* The values of options: text to members of struct options. */
#pragma once

struct option_row;
struct options;

#define OPTION_SET(name) int set_##name(struct options *options, const struct option_row *row, const char *value)

/* -EBADRQC, logged: what the value must be. */
int option_refuse_value(const struct option_row *row, const char *value, const char *what);

/* The first ones use the row's member, which must have the type named here. */
OPTION_SET(switch);	    /* bool */
OPTION_SET(text);	    /* const char * */
OPTION_SET(texts);	    /* struct opt_list, one more item */
OPTION_SET(words);	    /* struct opt_list, items separated by commas */
OPTION_SET(absolute_paths); /* struct opt_list */
OPTION_SET(file);	    /* const char *, made absolute */
OPTION_SET(files);	    /* struct opt_list, the same */
OPTION_SET(number);	    /* uint32_t */
OPTION_SET(size);	    /* uint64_t */
OPTION_SET(bandwidth);	    /* uint64_t */
OPTION_SET(fd);		    /* int, an open descriptor */
OPTION_SET(port);
OPTION_SET(pid);
OPTION_SET(end_stop);
OPTION_SET(end_run);
OPTION_SET(cpu_cap);
OPTION_SET(network_lock);
OPTION_SET(post_copy);
OPTION_SET(close);
OPTION_SET(gone);
OPTION_SET(help);
OPTION_SET(version);
OPTION_SET(external);
OPTION_SET(ext_mount_map);
OPTION_SET(veth_pair);
OPTION_SET(ext_unix_sk);
OPTION_SET(unix_peer);
OPTION_SET(joined);
OPTION_SET(inherit_fd);
OPTION_SET(map_path);
OPTION_SET(tcp_map);
OPTION_SET(manage_cgroups);
OPTION_SET(cgroup_root);
OPTION_SET(lsm_profile);
OPTION_SET(file_validation);
OPTION_SET(check_all);
OPTION_SET(verbosity);
OPTION_SET(pre_dump_mode);
OPTION_SET(compress);
OPTION_SET(stream);
