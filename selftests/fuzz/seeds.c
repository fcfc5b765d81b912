// SPDX-License-Identifier: BSD-3-Clause
/* Write the images to begin with as inputs: usage: seeds DIR */
#include <stdio.h>

#include "selftests/fuzz/image.h"
#include "selftests/fuzz/input.h"

int main(int argc, char **argv)
{
	u8 head[INPUT_HEAD] = { 0 };
	char path[4096];
	u64 bytes;
	FILE *f;
	u32 nr;

	if (argc != 2)
		return fprintf(stderr, "usage: seeds DIR\n"), 2;
	memcpy(head, use_all, sizeof(use_all));
	for (nr = 0; image_make(nr); nr++) {
		bytes = house_media(false)->size;
		snprintf(path, sizeof(path), "%s/seed-%02u", argv[1], nr);
		f = fopen(path, "we");
		if (!f || fwrite(head, sizeof(head), 1, f) != 1 ||
		    fwrite(house_image, bytes, 1, f) != 1 || fclose(f))
			return perror(path), 1;
	}
	printf("%u seeds\n", nr);
	return 0;
}
