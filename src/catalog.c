/*
 * catalog.c
 *		SQL on the tables that hold what users ask for, and on publications.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog_private.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/guc.h"

#define PIPELINE_COLUMNS \
	"SELECT p.id, p.name, p.owner::pg_catalog.oid, p.publication, p.slot," \
	" p.sink, p.server, p.encoding, p.settings, r.uid," \
	" coalesce(r.enabled, false)" \
	" FROM dbmazz.pipeline p" \
	" LEFT JOIN dbmazz.run_state r ON r.pipeline = p.id"

/* ---- plumbing ----------------------------------------------------------- */

void
dbmazz_catalog_enter(DbmazzCatalogScope *scope)
{
	GetUserIdAndSecContext(&scope->user, &scope->security_context);
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, scope->security_context |
						   SECURITY_LOCAL_USERID_CHANGE);
	scope->settings_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
}

void
dbmazz_catalog_leave(const DbmazzCatalogScope *scope)
{
	AtEOXact_GUC(true, scope->settings_level);
	SetUserIdAndSecContext(scope->user, scope->security_context);
}

static void
add_text_array(Statement *q, List *items)
{
	int			n = list_length(items);
	Datum	   *elements = palloc(sizeof(Datum) * Max(n, 1));
	ArrayType  *array;

	for (int i = 0; i < n; i++)
		elements[i] = CStringGetTextDatum(list_nth(items, i));
	array = construct_array(elements, n, TEXTOID, -1, false, TYPALIGN_INT);
	add_arg(q, TEXTARRAYOID, PointerGetDatum(array), false);
}

/* A text[] without nulls, as a List of char * in the query's context. */
static List *
get_text_list(Statement *q, uint64 row, int column)
{
	bool		isnull;
	Datum		value = get_datum(row, column, &isnull);
	MemoryContext old;
	Datum	   *elements;
	bool	   *nulls;
	int			n;
	List	   *result = NIL;

	if (isnull)
		return NIL;
	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false,
					  TYPALIGN_INT, &elements, &nulls, &n);
	old = MemoryContextSwitchTo(q->cxt);
	for (int i = 0; i < n; i++)
	{
		if (!nulls[i])
			result = lappend(result, TextDatumGetCString(elements[i]));
	}
	MemoryContextSwitchTo(old);
	return result;
}

/* ---- reading pipelines -------------------------------------------------- */

/*
 * The lock keeps DROP EXTENSION out until the end of the transaction: what is
 * read next must not disappear in between.
 */
bool
dbmazz_catalog_exists(void)
{
	Oid			extension = get_extension_oid("dbmazz", true);

	if (!OidIsValid(extension))
		return false;
	LockDatabaseObject(ExtensionRelationId, extension, 0, AccessShareLock);
	return get_extension_oid("dbmazz", true) == extension;
}

static DbmazzPipelineRow *
get_pipeline(Statement *q, uint64 i)
{
	DbmazzPipelineRow *row = MemoryContextAllocZero(q->cxt, sizeof(*row));
	bool		isnull;

	row->id = get_int(i, 1);
	row->name = get_text(q, i, 2);
	row->owner = DatumGetObjectId(get_datum(i, 3, &isnull));
	row->publication = get_text(q, i, 4);
	row->slot = get_text(q, i, 5);
	row->sink = get_text(q, i, 6);
	row->server = get_text(q, i, 7);
	row->encoding = get_text(q, i, 8);
	row->settings = get_text_list(q, i, 9);
	row->uid = get_text(q, i, 10);
	row->enabled = DatumGetBool(get_datum(i, 11, &isnull));
	return row;
}

static DbmazzPipelineRow *
read_one(Statement *q, const char *sql)
{
	DbmazzPipelineRow *row = NULL;

	if (run(q, sql, SPI_OK_SELECT) > 0)
		row = get_pipeline(q, 0);
	query_end(q);
	return row;
}

DbmazzPipelineRow *
dbmazz_catalog_pipeline(int32 id)
{
	Statement	q;

	query_begin(&q);
	add_int(&q, id);
	return read_one(&q, PIPELINE_COLUMNS " WHERE p.id = $1");
}

DbmazzPipelineRow *
dbmazz_catalog_pipeline_by_name(const char *name)
{
	Statement	q;

	query_begin(&q);
	add_text(&q, name);
	return read_one(&q, PIPELINE_COLUMNS " WHERE p.name = $1::name");
}

/*
 * NO KEY UPDATE: a lane that the shipper adds refers to the row, and must not
 * wait for a user who has an open transaction.
 */
DbmazzPipelineRow *
dbmazz_catalog_lock_pipeline(const char *name)
{
	Statement	q;

	query_begin(&q);
	add_text(&q, name);
	if (run(&q, "SELECT FROM dbmazz.pipeline p WHERE p.name = $1::name"
			" FOR NO KEY UPDATE", SPI_OK_SELECT) == 0)
	{
		query_end(&q);
		return NULL;
	}
	/* only now: whoever had the lock may have changed run_state */
	return read_one(&q, PIPELINE_COLUMNS " WHERE p.name = $1::name");
}

List *
dbmazz_catalog_pipelines(void)
{
	Statement	q;
	List	   *result = NIL;
	uint64		n;

	query_begin(&q);
	n = run(&q, PIPELINE_COLUMNS " ORDER BY p.id", SPI_OK_SELECT);
	for (uint64 i = 0; i < n; i++)
		result = list_row(&q, result, get_pipeline(&q, i));
	query_end(&q);
	return result;
}

char *
dbmazz_catalog_slot_user(const char *slot)
{
	Statement	q;
	char	   *result = NULL;

	query_begin(&q);
	add_text(&q, slot);
	if (run(&q, "SELECT p.name FROM dbmazz.pipeline p"
			" WHERE p.slot = $1::name", SPI_OK_SELECT) > 0)
		result = get_text(&q, 0, 1);
	query_end(&q);
	return result;
}

bool
dbmazz_catalog_has_slot(int32 id)
{
	Statement	q;
	bool		result;

	query_begin(&q);
	add_int(&q, id);
	result = run(&q, "SELECT FROM dbmazz.checkpoints c"
				 " WHERE c.pipeline = $1 AND c.slot_state = 'created'",
				 SPI_OK_SELECT) > 0;
	query_end(&q);
	return result;
}

/* The only value of a statement about one pipeline; NULL if there is no row. */
static char *
read_text(int32 id, const char *sql)
{
	Statement	q;
	char	   *result = NULL;

	query_begin(&q);
	add_int(&q, id);
	if (run(&q, sql, SPI_OK_SELECT) > 0)
		result = get_text(&q, 0, 1);
	query_end(&q);
	return result;
}

char *
dbmazz_catalog_destination(int32 id)
{
	return read_text(id, "SELECT c.destination FROM dbmazz.checkpoints c"
					 " WHERE c.pipeline = $1");
}

char *
dbmazz_catalog_name_template(int32 id)
{
	return read_text(id, "SELECT c.name_template FROM dbmazz.checkpoints c"
					 " WHERE c.pipeline = $1");
}

/* ---- writing pipelines -------------------------------------------------- */

/* A lock that conflicts with itself, but not with reads and updates. */
void
dbmazz_catalog_lock_additions(void)
{
	Statement	q;

	query_begin(&q);
	run_alone(&q, "LOCK TABLE dbmazz.pipeline"
			  " IN SHARE UPDATE EXCLUSIVE MODE", SPI_OK_UTILITY);
}

int32
dbmazz_catalog_add_pipeline(const DbmazzPipelineRow *row)
{
	Statement	q;
	int32		id;

	query_begin(&q);
	add_text(&q, row->name);
	add_arg(&q, OIDOID, ObjectIdGetDatum(row->owner), false);
	add_text(&q, row->publication);
	add_text(&q, row->slot);
	add_text(&q, row->sink);
	add_text(&q, row->server);
	add_text(&q, row->encoding);
	add_text_array(&q, row->settings);
	add_text(&q, row->uid);
	(void) run(&q, "WITH p AS (INSERT INTO dbmazz.pipeline"
			   " (name, owner, publication, slot, sink, server, encoding,"
			   " settings) VALUES ($1::name, $2, $3::name, $4::name,"
			   " $5::name, $6::name, $7, $8) RETURNING id)"
			   " INSERT INTO dbmazz.run_state (pipeline, uid)"
			   " SELECT p.id, $9 FROM p RETURNING pipeline",
			   SPI_OK_INSERT_RETURNING);
	id = get_int(0, 1);
	query_end(&q);
	return id;
}

void
dbmazz_catalog_change_pipeline(const DbmazzPipelineRow *row)
{
	Statement	q;

	query_begin(&q);
	add_int(&q, row->id);
	add_text(&q, row->publication);
	add_text(&q, row->server);
	add_text_array(&q, row->settings);
	add_text(&q, row->encoding);
	run_alone(&q, "UPDATE dbmazz.pipeline SET publication = $2::name,"
			  " server = $3::name, settings = $4, encoding = $5 WHERE id = $1",
			  SPI_OK_UPDATE);
}

void
dbmazz_catalog_enable_pipeline(int32 id, const char *uid, bool enabled)
{
	Statement	q;

	query_begin(&q);
	add_int(&q, id);
	add_text(&q, uid);
	add_arg(&q, BOOLOID, BoolGetDatum(enabled), false);
	run_alone(&q, "INSERT INTO dbmazz.run_state AS r (pipeline, uid, enabled)"
			  " VALUES ($1, $2, $3) ON CONFLICT (pipeline)"
			  " DO UPDATE SET enabled = $3, changed_at = now()",
			  SPI_OK_INSERT);
}

void
dbmazz_catalog_remove_pipeline(int32 id)
{
	Statement	q;

	query_begin(&q);
	add_int(&q, id);
	run_alone(&q, "DELETE FROM dbmazz.pipeline WHERE id = $1",
			  SPI_OK_DELETE);
}

void
dbmazz_catalog_set_destination(int32 id, const char *destination)
{
	Statement	q;

	query_begin(&q);
	add_int(&q, id);
	add_text(&q, destination);
	run_alone(&q, "UPDATE dbmazz.checkpoints SET destination = $2,"
			  " updated_at = now() WHERE pipeline = $1", SPI_OK_UPDATE);
}

void
dbmazz_catalog_set_name_template(int32 id, const char *name_template)
{
	Statement	q;

	query_begin(&q);
	add_int(&q, id);
	add_text(&q, name_template);
	run_alone(&q, "UPDATE dbmazz.checkpoints SET name_template = $2,"
			  " updated_at = now() WHERE pipeline = $1", SPI_OK_UPDATE);
}

/* ---- publications ------------------------------------------------------- */

/* Attribute numbers from an int2vector; all columns if it is null. */
static void
get_columns(Statement *q, uint64 row, int column, DbmazzPublishedTable *table)
{
	bool		isnull;
	Datum		value = get_datum(row, column, &isnull);
	int2vector *vector;

	table->ncolumns = -1;
	if (isnull)
		return;
	vector = (int2vector *) PG_DETOAST_DATUM(value);
	table->ncolumns = vector->dim1;
	table->columns = MemoryContextAlloc(q->cxt,
										sizeof(int16) * Max(vector->dim1, 1));
	memcpy(table->columns, vector->values, sizeof(int16) * vector->dim1);
}

/*
 * The server's function is what its own subscriptions see: partitions or their
 * root, column lists, FOR ALL TABLES and FOR TABLES IN SCHEMA are resolved.
 */
List *
dbmazz_catalog_published_tables(const char *publication)
{
	Statement	q;
	List	   *result = NIL;
	uint64		n;

	query_begin(&q);
	add_text(&q, publication);
	n = run(&q, "SELECT c.oid, n.nspname, c.relname, t.attrs"
			" FROM pg_get_publication_tables($1) t"
			" JOIN pg_class c ON c.oid = t.relid"
			" JOIN pg_namespace n ON n.oid = c.relnamespace"
			" WHERE n.nspname <> 'dbmazz' ORDER BY n.nspname, c.relname",
			SPI_OK_SELECT);
	for (uint64 i = 0; i < n; i++)
	{
		DbmazzPublishedTable *table = MemoryContextAllocZero(q.cxt,
															 sizeof(*table));
		bool		isnull;

		table->relid = DatumGetObjectId(get_datum(i, 1, &isnull));
		table->schema = get_text(&q, i, 2);
		table->name = get_text(&q, i, 3);
		get_columns(&q, i, 4, table);
		result = list_row(&q, result, table);
	}
	query_end(&q);
	return result;
}
