/*
 * catalog_progress.c
 *		SQL on the tables that hold how far a pipeline has come.
 *
 * NOTES
 *	  Called by the shipper in short transactions of its own, and by
 *	  start_pipeline().  Every statement names all objects with their schema.
 */
#include "postgres.h"

#include "catalog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/pg_lsn.h"

#define MAX_ARGS 12

typedef struct Args
{
	int			n;
	Oid			types[MAX_ARGS];
	Datum		values[MAX_ARGS];
	char		nulls[MAX_ARGS];
} Args;

static const char *const slot_states[] = {"none", "creating", "created"};

static void
add_arg(Args *args, Oid type, Datum value, bool isnull)
{
	Assert(args->n < MAX_ARGS);
	args->types[args->n] = type;
	args->values[args->n] = value;
	args->nulls[args->n] = isnull ? 'n' : ' ';
	args->n++;
}

static void
add_int(Args *args, int32 value)
{
	add_arg(args, INT4OID, Int32GetDatum(value), false);
}

static void
add_bigint(Args *args, uint64 value)
{
	add_arg(args, INT8OID, Int64GetDatum((int64) value), false);
}

static void
add_text(Args *args, const char *value)
{
	add_arg(args, TEXTOID,
			value ? CStringGetTextDatum(value) : (Datum) 0, value == NULL);
}

static void
add_lsn(Args *args, XLogRecPtr value)
{
	add_arg(args, PG_LSNOID, LSNGetDatum(value), XLogRecPtrIsInvalid(value));
}

/* Run a statement that must end with 'expected'. */
static void
run(const char *sql, Args *args, int expected)
{
	int			rc = SPI_execute_with_args(sql, args->n, args->types,
										   args->values, args->nulls,
										   false, 0);

	if (rc != expected)
		elog(ERROR, "unexpected result %s of a statement on the catalogs",
			 SPI_result_code_string(rc));
}

/* Connect, run, disconnect: for statements without a result. */
static void
run_alone(const char *sql, Args *args, int expected)
{
	SPI_connect();
	run(sql, args, expected);
	SPI_finish();
}

/* The text of a column, in the caller's context; NULL for a null. */
static char *
get_text(MemoryContext cxt, uint64 row, int column)
{
	char	   *value = SPI_getvalue(SPI_tuptable->vals[row],
									 SPI_tuptable->tupdesc, column);

	return value ? MemoryContextStrdup(cxt, value) : NULL;
}

static Datum
get_datum(uint64 row, int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc,
						 column, isnull);
}

static uint64
get_bigint(uint64 row, int column)
{
	bool		isnull;
	Datum		value = get_datum(row, column, &isnull);

	return isnull ? 0 : (uint64) DatumGetInt64(value);
}

static XLogRecPtr
get_lsn(uint64 row, int column)
{
	bool		isnull;
	Datum		value = get_datum(row, column, &isnull);

	return isnull ? InvalidXLogRecPtr : DatumGetLSN(value);
}

static DbmazzSlotState
slot_state_from_text(const char *text)
{
	int			i;

	for (i = 0; i < (int) lengthof(slot_states); i++)
	{
		if (strcmp(slot_states[i], text) == 0)
			return (DbmazzSlotState) i;
	}
	elog(ERROR, "unknown slot state \"%s\"", text);
	return DBMAZZ_SLOT_NONE;	/* keep the compiler quiet */
}

DbmazzCheckpoint *
dbmazz_catalog_begin_epoch(const DbmazzPipelineRow *row,
						   const char *destination, uint64 system_identifier,
						   uint32 timeline)
{
	MemoryContext cxt = CurrentMemoryContext;
	DbmazzCheckpoint *result = palloc0(sizeof(DbmazzCheckpoint));
	Args		args = {0};
	char	   *state;

	add_int(&args, row->id);
	add_text(&args, row->uid);
	add_text(&args, row->slot);
	add_text(&args, destination);
	add_bigint(&args, system_identifier);
	add_int(&args, (int32) timeline);
	SPI_connect();
	run("INSERT INTO dbmazz.checkpoints AS c (pipeline, uid, slot, epoch, "
		"destination, system_identifier, timeline) "
		"VALUES ($1, $2, $3::pg_catalog.name, 1, $4, $5, $6) "
		"ON CONFLICT (pipeline) DO UPDATE SET epoch = c.epoch + 1, "
		"destination = CASE WHEN c.start_lsn IS NULL "
		"THEN excluded.destination ELSE c.destination END, "
		"updated_at = pg_catalog.now() "
		"RETURNING slot, slot_state, epoch, start_lsn, lsn, destination, "
		"system_identifier, timeline::pg_catalog.int8, rows, bytes, batches",
		&args, SPI_OK_INSERT_RETURNING);
	result->slot = get_text(cxt, 0, 1);
	state = get_text(cxt, 0, 2);
	result->slot_state = slot_state_from_text(state);
	result->epoch = get_bigint(0, 3);
	result->start_lsn = get_lsn(0, 4);
	result->lsn = get_lsn(0, 5);
	result->destination = get_text(cxt, 0, 6);
	result->system_identifier = get_bigint(0, 7);
	result->timeline = (uint32) get_bigint(0, 8);
	result->rows = get_bigint(0, 9);
	result->bytes = get_bigint(0, 10);
	result->batches = get_bigint(0, 11);
	SPI_finish();
	return result;
}

void
dbmazz_catalog_set_slot_state(int32 id, DbmazzSlotState state,
							  XLogRecPtr start_lsn)
{
	Args		args = {0};

	add_int(&args, id);
	add_text(&args, slot_states[state]);
	add_lsn(&args, start_lsn);
	run_alone("UPDATE dbmazz.checkpoints SET slot_state = $2, "
			  "start_lsn = $3, lsn = $3, updated_at = pg_catalog.now() "
			  "WHERE pipeline = $1", &args, SPI_OK_UPDATE);
}

void
dbmazz_catalog_set_checkpoint(int32 id, XLogRecPtr lsn, uint64 rows,
							  uint64 bytes, uint64 batches)
{
	Args		args = {0};

	add_int(&args, id);
	add_lsn(&args, lsn);
	add_bigint(&args, rows);
	add_bigint(&args, bytes);
	add_bigint(&args, batches);
	run_alone("UPDATE dbmazz.checkpoints SET lsn = $2, rows = $3, "
			  "bytes = $4, batches = $5, updated_at = pg_catalog.now() "
			  "WHERE pipeline = $1", &args, SPI_OK_UPDATE);
}

List *
dbmazz_catalog_tables(int32 id)
{
	MemoryContext cxt = CurrentMemoryContext;
	MemoryContext old;
	List	   *result = NIL;
	Args		args = {0};
	uint64		i;

	add_int(&args, id);
	SPI_connect();
	run("SELECT target, relation::pg_catalog.int8, epoch, sequence, "
		"(state = 'stopped')::pg_catalog.int4::pg_catalog.int8, lsn "
		"FROM dbmazz.pipeline_tables WHERE pipeline = $1", &args,
		SPI_OK_SELECT);
	old = MemoryContextSwitchTo(cxt);
	for (i = 0; i < SPI_processed; i++)
	{
		DbmazzTableRow *table = palloc(sizeof(DbmazzTableRow));

		table->target = get_text(cxt, i, 1);
		table->relid = (Oid) get_bigint(i, 2);
		table->epoch = get_bigint(i, 3);
		table->sequence = get_bigint(i, 4);
		table->stopped = get_bigint(i, 5) != 0;
		table->lsn = get_lsn(i, 6);
		result = lappend(result, table);
	}
	MemoryContextSwitchTo(old);
	SPI_finish();
	return result;
}

void
dbmazz_catalog_set_lane(int32 id, const char *target, Oid relid,
						const char *source, uint64 epoch, uint64 sequence)
{
	Args		args = {0};

	add_int(&args, id);
	add_text(&args, target);
	add_bigint(&args, relid);
	add_text(&args, source);
	add_bigint(&args, epoch);
	add_bigint(&args, sequence);
	run_alone("INSERT INTO dbmazz.pipeline_tables AS t (pipeline, target, "
			  "relation, source, epoch, sequence) "
			  "VALUES ($1, $2, $3::pg_catalog.oid, $4, $5, $6) "
			  "ON CONFLICT (pipeline, target) DO UPDATE SET "
			  "relation = excluded.relation, source = excluded.source, "
			  "epoch = excluded.epoch, sequence = excluded.sequence, "
			  "updated_at = pg_catalog.now()", &args, SPI_OK_INSERT);
}

void
dbmazz_catalog_stop_table(int32 id, const char *target, Oid relid,
						  const char *source, XLogRecPtr lsn,
						  const DbmazzError *error)
{
	Args		args = {0};

	add_int(&args, id);
	add_text(&args, target);
	add_bigint(&args, relid);
	add_text(&args, source);
	add_lsn(&args, lsn);
	add_text(&args, error->message);
	add_text(&args, error->detail[0] ? error->detail : NULL);
	add_text(&args, error->hint[0] ? error->hint : NULL);

	run_alone("INSERT INTO dbmazz.pipeline_tables AS t (pipeline, target, "
			  "relation, source, epoch, sequence, state, lsn, error, detail, "
			  "hint) VALUES ($1, $2, $3::pg_catalog.oid, $4, 0, 0, 'stopped', "
			  "$5, $6, $7, $8) "
			  "ON CONFLICT (pipeline, target) DO UPDATE SET "
			  "state = 'stopped', lsn = excluded.lsn, error = excluded.error, "
			  "detail = excluded.detail, hint = excluded.hint, "
			  "updated_at = pg_catalog.now()", &args, SPI_OK_INSERT);
}

void
dbmazz_catalog_resume_tables(int32 id)
{
	Args		args = {0};

	add_int(&args, id);
	run_alone("UPDATE dbmazz.pipeline_tables SET state = 'streaming', "
			  "error = NULL, detail = NULL, hint = NULL, "
			  "updated_at = pg_catalog.now() "
			  "WHERE pipeline = $1 AND state = 'stopped'", &args,
			  SPI_OK_UPDATE);
}

void
dbmazz_catalog_table_caught_up(int32 id, const char *target)
{
	Args		args = {0};

	add_int(&args, id);
	add_text(&args, target);
	run_alone("UPDATE dbmazz.pipeline_tables SET lsn = NULL, "
			  "updated_at = pg_catalog.now() "
			  "WHERE pipeline = $1 AND target = $2", &args, SPI_OK_UPDATE);
}
