/*
 * unit.h
 *		Checks, and one function for each file of unit tests.
 */
#ifndef DBMAZZ_SINK_UNIT_H
#define DBMAZZ_SINK_UNIT_H

#include <stdbool.h>
#include <stdint.h>

#define CHECK(condition) \
	unit_true((condition), #condition, __FILE__, __LINE__)
#define CHECK_INT(got, expected) \
	unit_int((int64_t) (got), (int64_t) (expected), #got, __FILE__, __LINE__)
#define CHECK_STR(got, expected) \
	unit_str((got), (expected), #got, __FILE__, __LINE__)

/* Does 'got' have 'part' in it? */
#define CHECK_HAS(got, part) \
	unit_has((got), (part), #got, __FILE__, __LINE__)

extern bool unit_true(bool ok, const char *what, const char *file, int line);
extern bool unit_int(int64_t got, int64_t expected, const char *what,
					 const char *file, int line);
extern bool unit_str(const char *got, const char *expected, const char *what,
					 const char *file, int line);
extern bool unit_has(const char *got, const char *part, const char *what,
					 const char *file, int line);

extern void unit_answer(void);
extern void unit_cache(void);
extern void unit_compress(void);
extern void unit_ddl(void);
extern void unit_loss(void);
extern void unit_options(void);
extern void unit_plan(void);
extern void unit_schema(void);
extern void unit_starrocks(void);
extern void unit_text(void);
extern void unit_url(void);

#endif							/* DBMAZZ_SINK_UNIT_H */
