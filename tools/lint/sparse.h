/* SPDX-License-Identifier: BSD-3-Clause */
/* Compiler built-ins that sparse does not know; for tools/lint/sparse-core only. */
unsigned long long __builtin_ia32_crc32di(unsigned long long crc, unsigned long long v);
unsigned int __builtin_ia32_crc32si(unsigned int crc, unsigned int v);
unsigned int __builtin_ia32_crc32qi(unsigned int crc, unsigned char v);
int __builtin_cpu_supports(const char *feature);
void __builtin_cpu_init(void);
