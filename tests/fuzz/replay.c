// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Replays the corpus without the fuzzer: replay FILE.
 *
 * Each line of the file that is no comment is one input, in hexadecimal.
 */
#include "model.h"

#define MAX_STEPS	4000
#define MAX_BYTES	8192

static int digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? at - digits : -1;
}

/* Returns how many bytes a line stands for, or -1. */
static int decode(const char *line, u8 *bytes)
{
	int nr = 0;

	for (; *line && *line != '\n'; line += 2, nr++) {
		if (nr == MAX_BYTES || digit(line[0]) < 0 || digit(line[1]) < 0)
			return -1;
		bytes[nr] = digit(line[0]) << 4 | digit(line[1]);
	}
	return nr;
}

static void replay(const u8 *bytes, size_t len)
{
	struct choice choice = { .bytes = bytes, .nr_left = len };

	model_run(&choice, MAX_STEPS);
}

int main(int argc, char **argv)
{
	FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
	static char line[2 * MAX_BYTES + 2];
	static u8 bytes[MAX_BYTES];
	unsigned int nr_lines = 0, nr_inputs = 0;
	int len = 0;

	if (!file) {
		fprintf(stderr, "replay: give the name of a corpus\n");
		return 2;
	}
	while (fgets(line, sizeof(line), file)) {
		nr_lines++;
		if (line[0] == '#')
			continue;
		len = decode(line, bytes);
		if (len < 0) {
			fprintf(stderr, "%s:%u: not a line of hexadecimal bytes\n",
				argv[1], nr_lines);
			break;
		}
		fprintf(stderr, "%s:%u\n", argv[1], nr_lines);
		replay(bytes, len);
		nr_inputs++;
	}
	fclose(file);
	return !nr_inputs || len < 0;
}
