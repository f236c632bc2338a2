/*
 * unit_ddl.c
 *		Tests of sinks/starrocks/ddl.c.
 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "core/typemap.h"
#include "fixture.h"
#include "sinks/starrocks/ddl.h"

static void
create(void)
{
	static const DbmazzDdlColumn columns[] = {
		{"v", 1043, 14, false, false},	/* varchar(10) */
		{"id", 1700, -1, true, false},
		{"n", 1700, ((10 << 16) | 2) + 4, false, true},
		{"a`b", 16, -1, true, true}
	};
	char		out[1024];
	char		small[16];
	DbmazzError err;
	size_t		len;

	len = dbmazz_sr_ddl("o`t", columns, 4, false, out, sizeof(out), &err);
	CHECK_INT(len, strlen(out));
	CHECK_STR(out, "CREATE TABLE `o``t` (\n"
			  "\t`id` VARCHAR(128) NOT NULL,\n"
			  "\t`a``b` BOOLEAN NOT NULL,\n"
			  "\t`v` VARCHAR(40) NULL,\n"
			  "\t`n` DECIMAL(10,2) NOT NULL\n)\n"
			  "PRIMARY KEY (`id`, `a``b`)\n"
			  "DISTRIBUTED BY HASH (`id`, `a``b`);");
	CHECK_INT(dbmazz_sr_ddl("o`t", columns, 4, false, small, sizeof(small),
							&err), len);
	CHECK_STR(small, "CREATE TABLE `o");
	CHECK_INT(dbmazz_sr_ddl("o`t", columns, 4, false, NULL, 0, &err), len);
}

static void
create_log(void)
{
	static const DbmazzDdlColumn columns[] = {
		{"v", 114, -1, false, false},
		{"op", DBMAZZ_TYPE_TINYINT, -1, false, false},
		{"at", 20, -1, true, true}
	};
	char		out[1024];
	DbmazzError err;

	dbmazz_sr_ddl("t", columns, 3, true, out, sizeof(out), &err);
	CHECK_STR(out, "CREATE TABLE `t` (\n"
			  "\t`at` BIGINT NOT NULL,\n"
			  "\t`v` JSON NULL,\n"
			  "\t`op` TINYINT NULL\n)\n"
			  "DUPLICATE KEY (`at`)\n"
			  "DISTRIBUTED BY HASH (`at`);");
}

static void
impossible(void)
{
	static const DbmazzDdlColumn json_key[] = {
		{"id", 3802, -1, true, true}
	};
	static const DbmazzDdlColumn no_key[] = {
		{"id", 20, -1, false, true}
	};
	char		out[1024];
	DbmazzError err;

	CHECK_INT(dbmazz_sr_ddl("t", json_key, 1, false, out, sizeof(out), &err), 0);
	CHECK_HAS(err.message, "cannot be a key");
	CHECK_INT(dbmazz_sr_ddl("t", no_key, 1, false, out, sizeof(out), &err), 0);
	CHECK_HAS(err.message, "has no key column");
	CHECK_STR(out, "");
}

static void
hints(void)
{
	static const FixtureColumn columns[] = {
		{"id", 20, DBMAZZ_VALUE_INTEGER, DBMAZZ_COLUMN_KEY}
	};
	DbmazzTableDesc *desc = fixture_desc("t", false, columns, 1);
	DbmazzTableDesc *part = fixture_desc("t", true, columns, 1);
	DbmazzError err;

	dbmazz_error_set(&err, DBMAZZ_ERR_UNSUPPORTED, 0, "x");
	dbmazz_sr_hint_reason(&err, DBMAZZ_SR_NO_TABLE, "d", desc);
	CHECK_HAS(err.hint, "CREATE TABLE `d`.`t`");
	dbmazz_error_set(&err, DBMAZZ_ERR_UNSUPPORTED, 0, "x");
	dbmazz_sr_hint_reason(&err, DBMAZZ_SR_NO_TABLE, "d", part);
	CHECK_HAS(err.hint, "dbmazz.target_ddl('\"public\".\"t\"'::regclass)");
	dbmazz_error_set(&err, DBMAZZ_ERR_UNSUPPORTED, 0, "x");
	dbmazz_sr_hint_reason(&err, DBMAZZ_SR_NO_DATABASE, "d`b", desc);
	CHECK_HAS(err.hint, "CREATE DATABASE `d``b`;");
	dbmazz_error_set(&err, DBMAZZ_ERR_UNSUPPORTED, 0, "x");
	dbmazz_sr_hint_reason(&err, DBMAZZ_SR_ACCESS, "d", NULL);
	CHECK_HAS(err.hint, "password");
	free(desc);
	free(part);
}

void
unit_ddl(void)
{
	create();
	create_log();
	impossible();
	hints();
}
