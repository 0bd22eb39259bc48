// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A LUN's mapping as memory that an RDMA device reads and writes.
 *
 *     rdma-map DEVICE NODE OFFSET MIB
 *
 * Registers the mapping, unmaps and closes it, and then has another queue pair write a pattern into
 * the memory region and read it back. Prints "alive", waits for a line, reads once more, prints the
 * first byte, and ends.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rdma-pair.h"

int main(int argc, char **argv)
{
	size_t len = argc == 5 ? strtoull(argv[4], NULL, 0) << 20 : 0;
	uint8_t *window, *memory;
	struct ibv_mr *mr, *own;
	uint64_t address;
	char line[16];
	int fd;

	if (!len)
		errx(2, "give DEVICE NODE OFFSET MIB");
	pair_open(argv[1]);
	fd = open(argv[2], O_RDWR);
	if (fd < 0)
		err(1, "%s", argv[2]);
	window = mmap(NULL, len + SPARE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		      (off_t)strtoull(argv[3], NULL, 0));
	if (window == MAP_FAILED)
		err(1, "mmap");
	memory = pair_memory(len + SPARE);
	mr = pair_register(window, len + SPARE);
	own = pair_register(memory, len + SPARE);
	address = (uintptr_t)window;
	/* the region outlives both */
	munmap(window, len + SPARE);
	close(fd);
	pair_connect();
	for (size_t i = 0; i < len; i++)
		memory[i] = (uint8_t)(i * 7 + i / 4096);
	pair_transfer(IBV_WR_RDMA_WRITE, own, mr, address, (uint32_t)len);
	memset(memory, 0, len);
	pair_transfer(IBV_WR_RDMA_READ, own, mr, address, (uint32_t)len);
	for (size_t i = 0; i < len; i++) {
		if (memory[i] != (uint8_t)(i * 7 + i / 4096))
			errx(1, "byte %zu came back as %u", i, memory[i]);
	}
	puts("alive");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		errx(1, "nobody said anything");
	/* what is there now, whoever wrote it */
	pair_transfer(IBV_WR_RDMA_READ, own, mr, address, (uint32_t)len);
	printf("%02x\n", memory[0]);
	return 0; /* the kernel deregisters */
}
