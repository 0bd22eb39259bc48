// SPDX-License-Identifier: GPL-2.0-or-later
/* The configuration of a daemon. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/units.h"
#include "adapt.h"
#include "config.h"

#define BLANKS " \t\r\n"

struct parser {
	struct hearth_config *config;
	struct hearth_module *module; /* NULL: before the first */
	const char *path;
	unsigned int line;
	char *text;
	size_t size;
};

static int refuse(struct parser *p, const char *what, const char *value)
{
	snprintf(p->text, p->size, "%s:%u: %s: %s", p->path, p->line, value, what);
	return -EINVAL;
}

static char *trim(char *s)
{
	size_t len;

	s += strspn(s, BLANKS);
	len = strlen(s);
	while (len && strchr(BLANKS, s[len - 1]))
		s[--len] = '\0';
	return s;
}

static int take_text(char **to, const char *value)
{
	free(*to);
	*to = strdup(value);
	return *to ? 0 : -ENOMEM;
}

static int take_number(struct parser *p, const char *value, uint64_t max, uint64_t *ret)
{
	if (hearth_parse_count(value, max, ret) || !*ret)
		return refuse(p, "a number is needed here", value);
	return 0;
}

static int take_range(struct parser *p, const char *value)
{
	unsigned int low, high;
	char tail;
	int nr = sscanf(value, "%5u-%5u%c", &low, &high, &tail);

	p->config->shares_port = !strcmp(value, "same");
	if (p->config->shares_port)
		return 0;
	if (nr == 1)
		high = low;
	if (nr < 1 || nr > 2 || !low || low > high || high > 65535)
		return refuse(p, "give a port, a range like 5000-5010, or same", value);
	p->config->data_low = (uint16_t)low;
	p->config->data_high = (uint16_t)high;
	return 0;
}

static int take_bool(struct parser *p, const char *value, bool *ret)
{
	*ret = !strcmp(value, "yes");
	return *ret || !strcmp(value, "no") ? 0 : refuse(p, "give yes or no", value);
}

static int take_limit(struct parser *p, const char *value, uint32_t *ret)
{
	uint64_t number = 0;
	int err = take_number(p, value, HEARTH_MAX_CONNECTIONS, &number);

	*ret = (uint32_t)number;
	return err;
}

static int take_global(struct parser *p, const char *key, const char *value)
{
	uint64_t number = 0;
	int ret;

	if (!strcmp(key, "keys"))
		return take_text(&p->config->keys, value);
	if (!strcmp(key, "certificate"))
		return take_text(&p->config->certs.cert, value);
	if (!strcmp(key, "certificate-key"))
		return take_text(&p->config->certs.key, value);
	if (!strcmp(key, "client-ca"))
		return take_text(&p->config->certs.ca, value);
	if (!strcmp(key, "crl"))
		return take_text(&p->config->certs.crl, value);
	if (!strcmp(key, "third-party"))
		return take_bool(p, value, &p->config->may_connect);
	if (!strcmp(key, "data-ports"))
		return take_range(p, value);
	if (!strcmp(key, "memory"))
		return hearth_parse_size(value, &p->config->memory_bytes)
			       ? refuse(p, "give a size like 64M", value)
			       : 0;
	if (!strcmp(key, "port")) {
		ret = take_number(p, value, 65535, &number);
		p->config->port = (uint16_t)number;
		return ret;
	}
	if (!strcmp(key, "max-connections"))
		return take_limit(p, value, &p->config->max_connections);
	if (!strcmp(key, "max-per-peer"))
		return take_limit(p, value, &p->config->max_per_peer);
	return refuse(p, "there is no such setting; see hearthd(8)", key);
}

static int take_user(struct parser *p, const char *value)
{
	const struct passwd *user = getpwnam(value);

	if (!user)
		return refuse(p, "there is no such user", value);
	p->module->uid = user->pw_uid;
	if (p->module->gid == (gid_t)-1)
		p->module->gid = user->pw_gid;
	return 0;
}

static int take_group(struct parser *p, const char *value)
{
	const struct group *group = getgrnam(value);

	if (!group)
		return refuse(p, "there is no such group", value);
	p->module->gid = group->gr_gid;
	return 0;
}

static int take_for_module(struct parser *p, const char *key, const char *value)
{
	struct hearth_module *m = p->module;

	if (!strcmp(key, "path"))
		return *value == '/' ? take_text(&m->path, value)
				     : refuse(p, "a path must begin with /", value);
	if (!strcmp(key, "lun"))
		return take_text(&m->luns, value);
	if (!strcmp(key, "write"))
		return take_bool(p, value, &m->is_writable);
	if (!strcmp(key, "users"))
		return take_text(&m->users, value);
	if (!strcmp(key, "max-connections"))
		return take_limit(p, value, &m->max_connections);
	if (!strcmp(key, "bwlimit"))
		return hearth_parse_size(value, &m->bytes_per_s) || !m->bytes_per_s
			       ? refuse(p, "give bytes a second, like 10M", value)
			       : 0;
	if (!strcmp(key, "user"))
		return take_user(p, value);
	if (!strcmp(key, "group"))
		return take_group(p, value);
	return refuse(p, "a module has no such setting; see hearthd(8)", key);
}

static int start_module(struct parser *p, char *name)
{
	size_t len = strlen(name);
	struct hearth_config *c = p->config;
	struct hearth_module *grown;

	if (len < 2 || name[len - 1] != ']')
		return refuse(p, "a module's name stands between [ and ]", name);
	name[len - 1] = '\0';
	name++;
	if (!*name || strchr(name, '/') || !strcmp(name, "lun:") ||
	    hearth_config_find(c, name, strlen(name)))
		return refuse(p, "a module's name has no slash and is there once", name);
	if (c->nr_modules == HEARTH_MAX_MODULES)
		return refuse(p, "there are too many modules", name);
	grown = realloc(c->modules, (c->nr_modules + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	c->modules = grown;
	p->module = &grown[c->nr_modules++];
	*p->module =
		(struct hearth_module){ .name = strdup(name), .uid = (uid_t)-1, .gid = (gid_t)-1 };
	return p->module->name ? 0 : -ENOMEM;
}

static int take_line(struct parser *p, char *line)
{
	char *equals;

	line = trim(line);
	if (!*line || *line == '#' || *line == ';')
		return 0;
	if (*line == '[')
		return start_module(p, line);
	equals = strchr(line, '=');
	if (!equals)
		return refuse(p, "give SETTING = VALUE or [MODULE]", line);
	*equals = '\0';
	return p->module ? take_for_module(p, trim(line), trim(equals + 1))
			 : take_global(p, trim(line), trim(equals + 1));
}

static int check(struct parser *p)
{
	struct hearth_config *c = p->config;

	p->line = 0;
	if (!c->keys && !c->certs.cert)
		return refuse(p, "say where the keys are, or give a certificate", "keys");
	if (!c->certs.cert != !c->certs.key || !c->certs.cert != !c->certs.ca)
		return refuse(p, "certificate, certificate-key and client-ca belong together",
			      "certificate");
	if (c->certs.crl && !c->certs.cert)
		return refuse(p, "it needs certificate, certificate-key and client-ca", "crl");
	if (!c->nr_modules)
		return refuse(p, "there is no [module]", p->path);
	for (uint32_t i = 0; i < c->nr_modules; i++) {
		if (!c->modules[i].path == !c->modules[i].luns)
			return refuse(p, "give the module a path, or LUNs (lun = NAME, ...)",
				      c->modules[i].name);
		if (!geteuid() && c->modules[i].uid == (uid_t)-1)
			return refuse(p, "say as which user it is served: user = NAME",
				      c->modules[i].name);
	}
	return 0;
}

int hearth_config_load(struct hearth_config *c, const char *path, char *text, size_t size)
{
	struct parser p = { .config = c, .path = path, .text = text, .size = size };
	FILE *f = fopen(path, "re");
	char line[4096];
	int ret = 0;

	*c = (struct hearth_config){ .port = HEARTH_DEFAULT_PORT,
				     .max_connections = 32,
				     .max_per_peer = 16,
				     .memory_bytes = HEARTH_ADAPT_LEAST_CAP };
	if (!f) {
		ret = -errno;
		snprintf(text, size, "%s: cannot be read: %s", path, strerror(-ret));
		return ret;
	}
	while (!ret && fgets(line, sizeof(line), f)) {
		p.line++;
		ret = take_line(&p, line);
	}
	fclose(f);
	if (!ret)
		ret = check(&p);
	if (ret)
		hearth_config_exit(c);
	return ret;
}

void hearth_config_exit(struct hearth_config *c)
{
	for (uint32_t i = 0; i < c->nr_modules; i++) {
		free(c->modules[i].name);
		free(c->modules[i].path);
		free(c->modules[i].luns);
		free(c->modules[i].users);
	}
	free(c->modules);
	free(c->keys);
	hearth_certs_exit(&c->certs);
	memset(c, 0, sizeof(*c));
}

const struct hearth_module *hearth_config_find(const struct hearth_config *c, const char *name,
					       size_t len)
{
	for (uint32_t i = 0; i < c->nr_modules; i++)
		if (strlen(c->modules[i].name) == len && !memcmp(c->modules[i].name, name, len))
			return &c->modules[i];
	return NULL;
}

static bool lists(const char *list, const char *wanted)
{
	size_t len = strlen(wanted);

	for (const char *at = list; *at; at += strspn(at, BLANKS ",")) {
		size_t word = strcspn(at, BLANKS ",");

		if (word == len && !memcmp(at, wanted, len))
			return true;
		at += word;
	}
	return false;
}

bool hearth_module_admits(const struct hearth_module *m, const char *user)
{
	return !m->users || lists(m->users, user);
}

const struct hearth_module *hearth_config_find_lun(const struct hearth_config *c, const char *lun,
						   const char *user, bool writes,
						   const char **why)
{
	*why = "there is no such LUN for this user";
	for (uint32_t i = 0; i < c->nr_modules; i++) {
		const struct hearth_module *m = &c->modules[i];

		if (!m->luns || !lists(m->luns, lun) || !hearth_module_admits(m, user))
			continue;
		if (!writes || m->is_writable)
			return m;
		*why = "this LUN is read-only for this user";
	}
	return NULL;
}
