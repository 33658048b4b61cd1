// SPDX-License-Identifier: GPL-2.0-only
/* A program that does nothing, in C and in C++: for headers that are included from the command line. */
int main(void)
{
	return 0;
}
