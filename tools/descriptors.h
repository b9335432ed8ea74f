/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * descriptors.h - how many files the tool may have open.
 *
 * A device of 2048 vectors takes about two descriptors each, which the usual soft limit does not allow. The library
 * leaves limits alone; the tool is a program and may raise its own.
 */
#ifndef TOOLS_DESCRIPTORS_H
#define TOOLS_DESCRIPTORS_H

/* Raises the soft limit of open files to the hard one; what cannot be raised stays. */
void descriptors_allow_all(void);

/* No program that is started later inherits one but 0, 1 and 2. */
void descriptors_keep_from_children(void);

/* The soft limit, for a text. */
unsigned long long descriptors_limit(void);

#endif
