/*
 * catalog_rows.c
 *		SQL that reads rows of a published table by their key.
 *
 * NOTES
 *	  Whoever owns a table can have functions called by those who read it, and
 *	  be it by the planner, for the expressions of its indexes.  So all that
 *	  has to do with it runs as its owner, in an operation that is restricted
 *	  as those of autovacuum are.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/stratnum.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "catalog_rows.h"
#include "compat.h"
#include "core/keyrow.h"
#include "core/typemap.h"
#include "encoding.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/syscache.h"

#define LOCK_TIMEOUT_MS "100"	/* of locks other than that of the table */

typedef struct KeyColumn
{
	Oid			type;			/* without domains: it was checked when written */
	int32		typmod;
	Oid			ioparam;
	FmgrInfo	input;
	Oid			equal;			/* operator */
} KeyColumn;

struct DbmazzRowReader
{
	const DbmazzTableDesc *desc;
	Relation	rel;
	Oid			user;			/* before the table's owner */
	int			security_context;
	int			settings_level;
	SPIPlanPtr	plan;
	KeyColumn  *keys;
	Datum	   *values;
	int			nread;
	int		   *read;			/* columns of the description in the result */
	bool		asks_filter;	/* the result ends with what the row filter says */
	FmgrInfo   *output;
};

/* ---- has the table changed? ---------------------------------------------- */

static DbmazzReaderState
changed(const DbmazzTableDesc *desc, const char *what, DbmazzError *err)
{
	dbmazz_error_set(err, DBMAZZ_ERR_UNSUPPORTED, 0,
					 "table \"%s.%s\" was altered before a row could be read "
					 "again", dbmazz_desc_text(desc, desc->schema),
					 dbmazz_desc_text(desc, desc->table));
	dbmazz_error_detail(err, "An update of the key came without the value of an "
						"unchanged large column. Since then %s.", what);
	dbmazz_error_hint(err, "This pipeline cannot get past the row. Drop the "
					  "pipeline, create it again, and load the table anew. With "
					  "REPLICA IDENTITY FULL no row needs to be read again.");
	return DBMAZZ_READER_CHANGED;
}

/*
 * May the table's owner read it, as we do in his name?  He may not if somebody has
 * taken that away from him, or if policies apply to him too.
 */
static DbmazzReaderState
check_owner(const DbmazzTableDesc *desc, Relation rel, DbmazzError *err)
{
	Oid			owner = rel->rd_rel->relowner;

	if (dbmazz_schema_usage_compat(RelationGetNamespace(rel), owner) &&
		pg_class_aclcheck(desc->relid, owner, ACL_SELECT) == ACLCHECK_OK &&
		check_enable_rls(desc->relid, owner, true) != RLS_ENABLED)
		return DBMAZZ_READER_READY;
	dbmazz_error_set(err, DBMAZZ_ERR_UNSUPPORTED, 0,
					 "the owner of table \"%s.%s\" may not read a row again",
					 dbmazz_desc_text(desc, desc->schema),
					 dbmazz_desc_text(desc, desc->table));
	dbmazz_error_detail(err, "An update of the key came without the value of an "
						"unchanged large column. The row is read in the table "
						"with the rights of the table's owner.");
	dbmazz_error_hint(err, "Grant the table's owner SELECT on it and USAGE on its "
					  "schema, and use ALTER TABLE ... NO FORCE ROW LEVEL "
					  "SECURITY; then stop and start the pipeline.");
	return DBMAZZ_READER_CHANGED;
}

/*
 * A column's values must have the form that they had: the same class, and of a
 * key the same type, for the old text is read as the new type.
 */
static bool
same_form(const DbmazzColumnDesc *column, Form_pg_attribute att)
{
	int32		typmod = att->atttypmod;
	Oid			base = getBaseTypeAndTypmod(att->atttypid, &typmod);

	if (dbmazz_type_class(base, typmod, column->flags & DBMAZZ_COLUMN_KEY) !=
		column->value_class)
		return false;
	return (column->flags & DBMAZZ_COLUMN_KEY) == 0 ||
		base == column->basetypid ||
		column->value_class == DBMAZZ_VALUE_INTEGER;
}

static DbmazzReaderState
check_columns(const DbmazzTableDesc *desc, TupleDesc tupdesc, bool *has,
			  DbmazzError *err)
{
	int			i;

	for (i = 0; i < desc->ncolumns; i++)
	{
		const DbmazzColumnDesc *column = &desc->columns[i];
		Form_pg_attribute att;

		has[i] = false;
		if (column->attnum <= 0 || column->attnum > tupdesc->natts)
			continue;
		att = TupleDescAttr(tupdesc, column->attnum - 1);
		has[i] = !att->attisdropped;
		if (!has[i] && i < desc->nkeys)
			return changed(desc, "a column of the key was dropped", err);
		if (has[i] && !same_form(column, att))
			return changed(desc, "the type of a column was changed", err);
	}
	return DBMAZZ_READER_READY;
}

/* Does the index hold exactly the key's columns, each row once? */
static bool
is_key_index(const DbmazzTableDesc *desc, HeapTuple tuple)
{
	Form_pg_index index = (Form_pg_index) GETSTRUCT(tuple);
	int			i;

	if (!index->indisunique || !index->indisvalid || !index->indimmediate ||
		index->indnkeyatts != desc->nkeys ||
		!heap_attisnull(tuple, Anum_pg_index_indpred, NULL))
		return false;
	for (i = 0; i < desc->nkeys; i++)
	{
		int			k;

		for (k = 0; k < desc->nkeys; k++)
		{
			if (index->indkey.values[k] == desc->columns[i].attnum)
				break;
		}
		if (k == desc->nkeys)
			return false;
	}
	return true;
}

/* The operators by which the index tells keys apart. */
static void
take_operators(DbmazzRowReader *r, HeapTuple tuple)
{
	Form_pg_index index = (Form_pg_index) GETSTRUCT(tuple);
	bool		isnull;
	Datum		classes = SysCacheGetAttr(INDEXRELID, tuple,
										  Anum_pg_index_indclass, &isnull);
	oidvector  *opclass = (oidvector *) DatumGetPointer(classes);
	int			i;

	for (i = 0; i < r->desc->nkeys; i++)
	{
		int			k = 0;
		Oid			type;

		while (index->indkey.values[k] != r->desc->columns[i].attnum)
			k++;
		type = get_opclass_input_type(opclass->values[k]);
		r->keys[i].equal = get_opfamily_member(get_opclass_family(opclass->values[k]),
											   type, type,
											   BTEqualStrategyNumber);
		if (!OidIsValid(r->keys[i].equal))
			elog(ERROR, "operator class %u has no equality",
				 opclass->values[k]);
	}
}

/* Find the index of the key; without one a row might be found twice. */
static bool
find_operators(DbmazzRowReader *r)
{
	List	   *indexes = RelationGetIndexList(r->rel);
	bool		found = false;
	ListCell   *lc;

	foreach(lc, indexes)
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID,
											ObjectIdGetDatum(lfirst_oid(lc)));

		if (!HeapTupleIsValid(tuple))
			continue;
		found = is_key_index(r->desc, tuple);
		if (found)
			take_operators(r, tuple);
		ReleaseSysCache(tuple);
		if (found)
			break;
	}
	list_free(indexes);
	return found;
}

/* ---- the statement -------------------------------------------------------- */

static const char *
column_name(const DbmazzRowReader *r, int i)
{
	TupleDesc	tupdesc = RelationGetDescr(r->rel);
	int			attnum = r->desc->columns[i].attnum;

	return quote_identifier(NameStr(TupleDescAttr(tupdesc, attnum - 1)->attname));
}

/* "name OPERATOR(schema.=) $n" */
static void
add_condition(DbmazzRowReader *r, StringInfo sql, int i)
{
	HeapTuple	tuple = SearchSysCache1(OPEROID,
										ObjectIdGetDatum(r->keys[i].equal));
	Form_pg_operator op;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator %u", r->keys[i].equal);
	op = (Form_pg_operator) GETSTRUCT(tuple);
	appendStringInfo(sql, "%s%s OPERATOR(%s.%s) $%d", i > 0 ? " AND " : "",
					 column_name(r, i),
					 quote_identifier(get_namespace_name(op->oprnamespace)),
					 NameStr(op->oprname), i + 1);
	ReleaseSysCache(tuple);
}

/*
 * The publication's condition on rows of the table, or NULL; and the entry that
 * has it.
 */
static char *
row_filter(Oid relid, const char *publication, Oid *member)
{
	Oid			types[2] = {TEXTOID, OIDOID};
	Datum		values[2];
	char	   *filter = NULL;
	bool		isnull;

	values[0] = CStringGetTextDatum(publication);
	values[1] = ObjectIdGetDatum(relid);
	if (SPI_execute_with_args("SELECT pg_catalog.pg_get_expr(r.prqual, r.prrelid), r.oid "
							  "FROM pg_catalog.pg_publication_rel r "
							  "JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid "
							  "WHERE p.pubname = $1 AND r.prrelid = $2",
							  2, types, values, NULL, true,
							  1) != SPI_OK_SELECT)
		elog(ERROR, "could not read the publication");
	if (SPI_processed == 1)
	{
		filter = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
		*member = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[0],
												 SPI_tuptable->tupdesc, 2,
												 &isnull));
	}
	return filter;
}

/*
 * With the filter that the change came through, a row that does not pass was moved
 * out of it since, and its deletion follows.  With another filter nobody knows.
 */
static void
make_plan(DbmazzRowReader *r, const char *publication)
{
	Oid			member = InvalidOid;
	char	   *filter = row_filter(RelationGetRelid(r->rel), publication,
									&member);
	Oid		   *types = palloc(sizeof(Oid) * r->desc->nkeys);
	StringInfoData sql;
	int			i;

	r->asks_filter = filter != NULL && member != r->desc->member;
	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	for (i = 0; i < r->nread; i++)
		appendStringInfo(&sql, "%s%s", i > 0 ? ", " : "",
						 column_name(r, r->read[i]));
	if (r->asks_filter)
		appendStringInfo(&sql, ", (%s) IS TRUE", filter);
	appendStringInfo(&sql, " FROM %s%s WHERE ",
					 r->rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ?
					 "" : "ONLY ",
					 quote_qualified_identifier(get_namespace_name(RelationGetNamespace(r->rel)),
												RelationGetRelationName(r->rel)));
	for (i = 0; i < r->desc->nkeys; i++)
	{
		add_condition(r, &sql, i);
		types[i] = r->keys[i].type;
	}
	if (filter != NULL && !r->asks_filter)
		appendStringInfo(&sql, " AND (%s)", filter);
	r->plan = SPI_prepare(sql.data, r->desc->nkeys, types);
	if (r->plan == NULL)
		elog(ERROR, "could not prepare \"%s\": %s", sql.data,
			 SPI_result_code_string(SPI_result));
}

/* Functions that turn the key into values, and values into texts. */
static void
find_functions(DbmazzRowReader *r)
{
	TupleDesc	tupdesc = RelationGetDescr(r->rel);
	int			i;

	for (i = 0; i < r->desc->nkeys; i++)
	{
		KeyColumn  *key = &r->keys[i];
		Form_pg_attribute att = TupleDescAttr(tupdesc,
											  r->desc->columns[i].attnum - 1);
		Oid			function;

		key->typmod = att->atttypmod;
		key->type = getBaseTypeAndTypmod(att->atttypid, &key->typmod);
		getTypeInputInfo(key->type, &function, &key->ioparam);
		fmgr_info(function, &key->input);
	}
	for (i = 0; i < r->nread; i++)
	{
		Form_pg_attribute att = TupleDescAttr(tupdesc,
											  r->desc->columns[r->read[i]].attnum - 1);
		Oid			function;
		bool		is_varlena;

		getTypeOutputInfo(att->atttypid, &function, &is_varlena);
		fmgr_info(function, &r->output[i]);
	}
}

DbmazzReaderState
dbmazz_catalog_rows_begin(const DbmazzTableDesc *desc,
						  const char *publication, bool *has,
						  DbmazzRowReader **reader, DbmazzError *err)
{
	DbmazzRowReader *r;
	DbmazzReaderState state;
	int			i;

	if (!ConditionalLockRelationOid(desc->relid, AccessShareLock))
		return DBMAZZ_READER_LOCKED;
	r = palloc0(sizeof(*r));
	r->desc = desc;
	r->rel = try_relation_open(desc->relid, NoLock);
	if (r->rel == NULL)
		return DBMAZZ_READER_GONE;
	r->keys = palloc0(sizeof(*r->keys) * Max(desc->nkeys, 1));
	state = check_columns(desc, RelationGetDescr(r->rel), has, err);
	if (state == DBMAZZ_READER_READY && !find_operators(r))
		state = changed(desc, "the index of the key was dropped", err);
	if (state == DBMAZZ_READER_READY)
		state = check_owner(desc, r->rel, err);
	if (state != DBMAZZ_READER_READY)
	{
		relation_close(r->rel, NoLock);
		return state;
	}

	r->settings_level = NewGUCNestLevel();
	(void) set_config_option("lock_timeout", LOCK_TIMEOUT_MS, PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	r->values = palloc(sizeof(Datum) * desc->nkeys);
	r->read = palloc(sizeof(int) * desc->ncolumns);
	for (i = 0; i < desc->ncolumns; i++)
	{
		if (has[i])
			r->read[r->nread++] = i;
	}
	r->output = palloc(sizeof(FmgrInfo) * r->nread);
	GetUserIdAndSecContext(&r->user, &r->security_context);
	SetUserIdAndSecContext(r->rel->rd_rel->relowner, r->security_context |
						   SECURITY_RESTRICTED_OPERATION);
	find_functions(r);
	SPI_connect();
	make_plan(r, publication);
	*reader = r;
	return DBMAZZ_READER_READY;
}

/* ---- rows ----------------------------------------------------------------- */

/* The key's texts as values. */
static void
parse_key(DbmazzRowReader *r, const DbmazzTuple *tuple)
{
	int			i;

	for (i = 0; i < r->desc->nkeys; i++)
	{
		const DbmazzValue *value = &tuple->values[r->desc->columns[i].source];
		KeyColumn  *key = &r->keys[i];

		r->values[i] = InputFunctionCall(&key->input,
										 dbmazz_from_utf8(pnstrdup(value->data,
																   value->len)),
										 key->ioparam, key->typmod);
	}
}

static bool
is_text(const DbmazzValue *value, const char *text)
{
	const char *utf8 = text != NULL ? dbmazz_to_utf8(text) : NULL;

	return utf8 != NULL && strlen(utf8) == value->len &&
		memcmp(utf8, value->data, value->len) == 0;
}

/*
 * Put the row's values into 'tuple'.  False if the key has another text: equal
 * is not the same, as in 1.0 and 1.00, and at the target they are two keys.
 */
static bool
take_values(DbmazzRowReader *r, DbmazzTuple *tuple)
{
	HeapTuple	row = SPI_tuptable->vals[0];
	int			i;

	for (i = 0; i < r->nread; i++)
	{
		DbmazzValue *value = &tuple->values[r->desc->columns[r->read[i]].source];
		bool		isnull;
		Datum		datum = SPI_getbinval(row, SPI_tuptable->tupdesc, i + 1,
										  &isnull);
		char	   *text = isnull ? NULL : OutputFunctionCall(&r->output[i],
															  datum);

		if (r->read[i] < r->desc->nkeys && !is_text(value, text))
			return false;
		value->kind = isnull ? DBMAZZ_VALUE_NULL : DBMAZZ_VALUE_TEXT;
		value->data = text;
		value->len = isnull ? 0 : strlen(text);
	}
	return true;
}

/* Is the row one that a new row filter hides? */
static bool
is_hidden(const DbmazzRowReader *r)
{
	bool		isnull;

	return r->asks_filter &&
		!DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0],
									SPI_tuptable->tupdesc, r->nread + 1,
									&isnull));
}

DbmazzRowState
dbmazz_catalog_rows_read(DbmazzRowReader *reader, DbmazzTuple *tuple,
						 DbmazzError *err)
{
	MemoryContext cxt = CurrentMemoryContext;
	DbmazzRowState state = DBMAZZ_ROW_GONE;

	parse_key(reader, tuple);
	if (SPI_execute_plan(reader->plan, reader->values, NULL, true,
						 2) != SPI_OK_SELECT)
		elog(ERROR, "could not read a row again");
	MemoryContextSwitchTo(cxt); /* SPI leaves us in its own */
	if (SPI_processed == 1 && take_values(reader, tuple))
		state = is_hidden(reader) ? DBMAZZ_ROW_HIDDEN : DBMAZZ_ROW_READ;
	SPI_freetuptable(SPI_tuptable);
	if (state == DBMAZZ_ROW_HIDDEN)
		(void) changed(reader->desc, "the row filter was changed, and hides the "
					   "row", err);
	return state;
}

void
dbmazz_catalog_rows_end(DbmazzRowReader *reader)
{
	SPI_finish();

	/*
	 * As if it had failed: else what a function of the owner has set would stay,
	 * such as another form of dates, and count for the rows of others.
	 */
	AtEOXact_GUC(false, reader->settings_level);
	SetUserIdAndSecContext(reader->user, reader->security_context);
	relation_close(reader->rel, NoLock);
}
