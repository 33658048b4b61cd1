/* SPDX-License-Identifier: LGPL-2.1-only */
/* The four functions that compilers expect everywhere. */
#include <compel/plugins/std/string.h>

void *memcpy(void *to, const void *from, size_t n)
{
	char *t = to;
	const char *f = from;

	while (n--)
		*t++ = *f++;
	return to;
}

void *memmove(void *to, const void *from, size_t n)
{
	char *t = to;
	const char *f = from;

	if (t <= f)
		return memcpy(to, from, n);
	while (n--)
		t[n] = f[n];
	return to;
}

int memcmp(const void *cs, const void *ct, size_t n)
{
	const unsigned char *a = cs, *b = ct;

	for (; n; n--, a++, b++)
		if (*a != *b)
			return *a - *b;
	return 0;
}

void *memset(void *s, int c, size_t n)
{
	char *to = s;

	while (n--)
		*to++ = (char)c;
	return s;
}
