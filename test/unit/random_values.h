/*
 * random_values.h
 *		Values of every class, made from bytes that a fuzzer chooses.
 */
#ifndef DBMAZZ_RANDOM_VALUES_H
#define DBMAZZ_RANDOM_VALUES_H

#include "helpers.h"

/* The bytes that decide; zeros when they are used up. */
typedef struct Choices
{
	const uint8_t *data;
	size_t		left;
} Choices;

/* A value that does not fit, and what "clamp" makes of it. */
typedef struct Unfit
{
	uint8_t		value_class;
	const char *text;
	const char *clamped;		/* NULL: null */
} Unfit;

/* From 0 to below 'bound'. */
extern uint32_t choose(Choices *choices, uint32_t bound);

/* Append a value that is right for its class. */
extern void make_good(Choices *choices, uint8_t value_class, Buffer *value);

/* Append one that does not fit, if the class has such; NULL if not. */
extern const Unfit *make_unfit(Choices *choices, uint8_t value_class,
							   Buffer *value);

#endif							/* DBMAZZ_RANDOM_VALUES_H */
