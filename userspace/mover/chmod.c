// SPDX-License-Identifier: GPL-2.0-or-later
/* --chmod: changes to modes. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "chmod.h"

static uint32_t who_mask(char c)
{
	switch (c) {
	case 'u':
		return 04700;
	case 'g':
		return 02070;
	case 'o':
		return 01007;
	default:
		return c == 'a' ? 07777 : 0;
	}
}

static uint32_t permission_bits(char c)
{
	switch (c) {
	case 'r':
		return 0444;
	case 'w':
		return 0222;
	case 'x':
	case 'X':
		return 0111;
	case 's':
		return 06000;
	default:
		return c == 't' ? 01000 : 0;
	}
}

static const char *parse_octal(const char *p, struct hearth_chmod_change *c)
{
	const char *start = p;

	c->op = '=';
	c->mask = 07777;
	for (; *p >= '0' && *p <= '7'; p++)
		c->bits = c->bits << 3 | (uint32_t)(*p - '0');
	return p - start <= 4 ? p : NULL;
}

/* Returns what follows the change, or NULL. */
static const char *parse_one(const char *p, struct hearth_chmod_change *c)
{
	memset(c, 0, sizeof(*c));
	if (*p == 'D' || *p == 'F')
		c->who = *p++;
	if (*p >= '0' && *p <= '7')
		return parse_octal(p, c);
	for (; who_mask(*p); p++)
		c->mask |= who_mask(*p);
	if (!c->mask)
		c->mask = 07777;
	if (!*p || !strchr("+-=", *p))
		return NULL;
	c->op = *p++;
	for (; permission_bits(*p); p++) {
		if (*p == 'X')
			c->is_x_if_any = true;
		else
			c->bits |= permission_bits(*p);
	}
	c->bits &= c->mask;
	return p;
}

int hearth_chmod_parse(const char *text, struct hearth_chmod *ret)
{
	const char *p = text;

	ret->nr = 0;
	while (p && *p) {
		if (ret->nr == HEARTH_MAX_CHMODS)
			return -EINVAL;
		p = parse_one(p, &ret->v[ret->nr++]);
		if (!p || (*p && *p != ',') || (*p == ',' && !p[1]))
			return -EINVAL;
		p += *p == ',';
	}
	return text && !ret->nr ? -EINVAL : 0;
}

/* X asks about the mode that the file had, as with rsync, not what earlier changes made of it. */
static uint32_t apply_one(const struct hearth_chmod_change *c, uint32_t mode, uint32_t original)
{
	uint32_t bits = c->bits;

	if (c->is_x_if_any && (S_ISDIR(original) || original & 0111))
		bits |= 0111 & c->mask;
	if (c->op == '+')
		return mode | bits;
	if (c->op == '-')
		return mode & ~bits;
	return (mode & ~c->mask) | bits;
}

uint32_t hearth_chmod_apply(const struct hearth_chmod *c, uint32_t mode)
{
	uint32_t original = mode;

	if (S_ISLNK(mode))
		return mode;
	for (uint32_t i = 0; i < c->nr; i++)
		if (!c->v[i].who || (c->v[i].who == 'D') == !!S_ISDIR(mode))
			mode = (mode & S_IFMT) | (apply_one(&c->v[i], mode, original) & 07777);
	return mode;
}
