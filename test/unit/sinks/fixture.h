/*
 * fixture.h
 *		Table descriptions by hand.
 */
#ifndef DBMAZZ_FIXTURE_H
#define DBMAZZ_FIXTURE_H

#include "core/tabledesc.h"

typedef struct FixtureColumn
{
	const char *name;
	uint32_t	typid;
	uint8_t		value_class;
	uint8_t		flags;			/* DBMAZZ_COLUMN_* */
} FixtureColumn;

/* malloc'ed; each has another generation. */
extern DbmazzTableDesc *fixture_desc(const char *target, bool partial,
									 const FixtureColumn *columns, int n);

#endif							/* DBMAZZ_FIXTURE_H */
