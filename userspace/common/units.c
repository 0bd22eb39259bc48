// SPDX-License-Identifier: GPL-2.0-or-later
/* Sizes, rates and durations as people write and read them. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "units.h"

static const char suffixes[] = "KMGTP";

int hearth_parse_size(const char *text, uint64_t *ret_bytes)
{
	char *end;
	double value;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	value = strtod(text, &end);
	if (errno || !isfinite(value))
		return -EINVAL;
	if (*end) {
		const char *s = strchr(suffixes, toupper((unsigned char)*end));

		if (!s)
			return -EINVAL;
		value = ldexp(value, 10 * (int)(s - suffixes + 1));
		end++;
		if (!strcmp(end, "iB") || !strcmp(end, "B"))
			end += strlen(end);
	}
	if (*end || value >= 9.2e18)
		return -EINVAL;
	*ret_bytes = (uint64_t)value;
	return 0;
}

int hearth_parse_count(const char *text, uint64_t max, uint64_t *ret)
{
	char *end;
	unsigned long long value;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end || value > max)
		return -EINVAL;
	*ret = value;
	return 0;
}

char *hearth_format_size(char *buf, size_t len, uint64_t bytes)
{
	double value = (double)bytes;
	int i = -1;

	while (value >= 1024 && i < (int)sizeof(suffixes) - 2) {
		value /= 1024;
		i++;
	}
	if (i < 0)
		snprintf(buf, len, "%llu B", (unsigned long long)bytes);
	else
		snprintf(buf, len, "%.*f %ciB", value < 100, value, suffixes[i]);
	return buf;
}

char *hearth_format_duration(char *buf, size_t len, uint64_t seconds)
{
	unsigned long long h = seconds / 3600, m = seconds / 60 % 60, s = seconds % 60;

	if (h)
		snprintf(buf, len, "%llu:%02llu:%02llu", h, m, s);
	else
		snprintf(buf, len, "%llu:%02llu", m, s);
	return buf;
}

/* As the first byte of a UTF-8 sequence announces it; 0 if none starts so. */
static size_t sequence_length(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if ((first & 0xe0) == 0xc0)
		return 2;
	if ((first & 0xf0) == 0xe0)
		return 3;
	return (first & 0xf8) == 0xf0 ? 4 : 0;
}

/* Length of the valid UTF-8 sequence at @p, or 0; ASCII controls are 0 too. */
static size_t printable_length(const unsigned char *p)
{
	static const unsigned int least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = sequence_length(*p);
	unsigned int code;

	if (!len)
		return 0;
	if (len == 1)
		return *p >= 0x20 && *p != 0x7f && *p != '\\';
	code = *p & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	if (code < least[len] || code < 0xa0 || (code >= 0xd800 && code < 0xe000) ||
	    code > 0x10ffff)
		return 0;
	return len;
}

char *hearth_format_name(char *buf, size_t len, const char *name)
{
	const unsigned char *p = (const unsigned char *)name;
	size_t used = 0;

	while (*p) {
		size_t n = printable_length(p);

		if (used + 8 > len) {
			snprintf(buf + used, len - used, "...");
			return buf;
		}
		if (n) {
			memcpy(buf + used, p, n);
			used += n;
			p += n;
		} else {
			used += (size_t)snprintf(buf + used, len - used, "\\%03o", *p++);
		}
	}
	buf[used] = '\0';
	return buf;
}
