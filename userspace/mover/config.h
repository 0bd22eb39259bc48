/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration of a daemon; hearthd(8) has its form. */
#ifndef HEARTH_CONFIG_H
#define HEARTH_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "certs.h"

#define HEARTH_DEFAULT_PORT 7350
#define HEARTH_MAX_MODULES 256
#define HEARTH_MAX_CONNECTIONS 10000

struct hearth_module {
	char *name;
	char *path;
	char *luns; /* instead of a path: separated by blanks and commas */
	char *users; /* separated by blanks; NULL: everybody who has a key */
	bool is_writable;
	uint32_t max_connections; /* at a time; 0: any number */
	uint64_t bytes_per_s; /* that a connection may read; 0: no limit */
	uid_t uid; /* (uid_t)-1: as the daemon */
	gid_t gid;
};

struct hearth_config {
	uint16_t port;
	uint16_t data_low; /* 0: any port */
	uint16_t data_high;
	bool shares_port; /* data connections come to @port, too */
	uint32_t max_connections;
	uint32_t max_per_peer; /* of these, from one address */
	uint64_t memory_bytes; /* the most that a connection's blocks may take */
	char *keys; /* either this or certificates, or both */
	struct hearth_certs certs;
	bool may_connect; /* to another server, for a copy between the two */
	uint32_t nr_modules;
	struct hearth_module *modules;
};

/* 0, or -errno with what is wrong, and where, in @text. */
int hearth_config_load(struct hearth_config *c, const char *path, char *text, size_t size);
void hearth_config_exit(struct hearth_config *c);

const struct hearth_module *hearth_config_find(const struct hearth_config *c, const char *name,
					       size_t len);
bool hearth_module_admits(const struct hearth_module *m, const char *user);

/*
 * The first module that has the LUN and admits the user, for writing if need be; NULL, with what
 * speaks against it in @why.
 */
const struct hearth_module *hearth_config_find_lun(const struct hearth_config *c, const char *lun,
						   const char *user, bool writes,
						   const char **why);

#endif
