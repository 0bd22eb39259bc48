/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers of the EROFS on-disk format; all integers there are little-endian. */
#ifndef HEARTH_EROFS_FORMAT_H
#define HEARTH_EROFS_FORMAT_H

#define EROFS_MAGIC 0xe0f5e1e2u
#define EROFS_SUPER_OFFSET 1024
#define EROFS_SUPER_BYTES 128
#define EROFS_SUPER_CHECKSUM_OFFSET 4

/* Features that readers need not know. */
#define EROFS_COMPAT_CHECKSUM 0x1u
#define EROFS_COMPAT_MTIME 0x2u /* times are those of modification */
/* Features that they must. */
#define EROFS_INCOMPAT_CHUNKS 0x4u

/* Inodes are counted in slots, from the first block of metadata on. */
#define EROFS_SLOT_BYTES 32u
#define EROFS_INODE_BYTES 64u /* of the extended form */
#define EROFS_INODE_EXTENDED 1u
#define EROFS_LAYOUT_SHIFT 1

enum hearth_erofs_layout {
	EROFS_FLAT_PLAIN = 0,
	EROFS_FLAT_INLINE = 2, /* the end of it follows the inode */
	EROFS_CHUNK_BASED = 4, /* a map follows: 4 bytes for each chunk */
};

#define EROFS_NO_BLOCK 0xffffffffu

#define EROFS_DIRENT_BYTES 12u

enum hearth_erofs_file_type {
	EROFS_FT_FILE = 1,
	EROFS_FT_DIR,
	EROFS_FT_CHAR,
	EROFS_FT_BLOCK,
	EROFS_FT_FIFO,
	EROFS_FT_SOCKET,
	EROFS_FT_SYMLINK,
};

/* Attributes that follow an inode: this header, numbers of shared ones, then others in full. */
#define EROFS_ATTR_HEADER_BYTES 12u
#define EROFS_ATTR_ENTRY_BYTES 4u
#define EROFS_ATTR_MAX_SHARED 255u
#define EROFS_ATTR_MAX_UNITS 65535u /* of 4 bytes, the header counting as one */
#define EROFS_ATTR_NAME_MAX 255u /* without its prefix */
#define EROFS_ATTR_VALUE_MAX 65535u

enum hearth_erofs_attr_prefix {
	EROFS_ATTR_USER = 1,
	EROFS_ATTR_ACL_ACCESS = 2,
	EROFS_ATTR_ACL_DEFAULT = 3,
	EROFS_ATTR_TRUSTED = 4,
	EROFS_ATTR_SECURITY = 6,
};

#endif
