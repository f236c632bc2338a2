/*
 * check.h
 *		A small harness: checks, and the count of tests that passed.
 *
 * NOTES
 *	  A test is a function; it fails if one of its checks does.  A check that
 *	  fails is printed and the test goes on.
 */
#ifndef DBMAZZ_CHECK_H
#define DBMAZZ_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Run one test function. */
#define RUN(test)	check_run(#test, test)

#define CHECK(condition) \
	check_true((condition), #condition, __FILE__, __LINE__)
#define CHECK_INT(got, expected) \
	check_int((int64_t) (got), (int64_t) (expected), #got, __FILE__, __LINE__)
#define CHECK_STR(got, expected) \
	check_text((got), strlen(got), (expected), strlen(expected), #got, \
			   __FILE__, __LINE__)
#define CHECK_TEXT(got, len, expected) \
	check_text((got), (len), (expected), strlen(expected), #got, \
			   __FILE__, __LINE__)
#define CHECK_BYTES(got, len, expected, expected_len) \
	check_text((got), (len), (expected), (expected_len), #got, \
			   __FILE__, __LINE__)

extern void check_run(const char *name, void (*test) (void));
extern bool check_true(bool ok, const char *what, const char *file, int line);
extern bool check_int(int64_t got, int64_t expected, const char *what,
					  const char *file, int line);
extern bool check_text(const char *got, size_t got_len, const char *expected,
					   size_t expected_len, const char *what,
					   const char *file, int line);

/* Has a check of the running test failed? */
extern bool check_has_failed(void);

/* One for each file of tests. */
extern void test_audit(void);
extern void test_backoff(void);
extern void test_batch(void);
extern void test_body(void);
extern void test_budget(void);
extern void test_bytes(void);
extern void test_csv(void);
extern void test_dedup(void);
extern void test_encode(void);
extern void test_encode_random(void);
extern void test_error(void);
extern void test_fit(void);
extern void test_json_check(void);
extern void test_keyrow(void);
extern void test_label(void);
extern void test_pgjsonb(void);
extern void test_pgoutput(void);
extern void test_pgtext(void);
extern void test_relmap(void);
extern void test_rowtext(void);
extern void test_scan(void);
extern void test_tabledesc(void);
extern void test_texts(void);
extern void test_typemap(void);
extern void test_utf8(void);
extern void test_values(void);
extern void test_watermark(void);

#endif							/* DBMAZZ_CHECK_H */
