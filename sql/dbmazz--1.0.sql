/* dbmazz--1.0.sql: objects of the extension */

\echo Use "CREATE EXTENSION dbmazz" to load this file. \quit

/*
 * Whoever owns the schema could put a table of his own in the place of one of ours,
 * and whoever may create there a function that is a better match for a call than
 * ours.  So it is a superuser's, and nobody else's.
 */
DO $$
BEGIN
	IF EXISTS (SELECT FROM pg_catalog.pg_namespace n,
			   LATERAL (SELECT n.nspowner AS role
						UNION ALL
						SELECT a.grantee
						FROM pg_catalog.aclexplode(n.nspacl) a
						WHERE a.privilege_type = 'CREATE') w
			   WHERE n.nspname = 'dbmazz' AND NOT EXISTS
			   (SELECT FROM pg_catalog.pg_roles r
				WHERE r.oid = w.role AND r.rolsuper))
	THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = 'schema "dbmazz" belongs to somebody who is not a superuser, or lets others create objects',
			HINT = 'Drop the schema, or give it to a superuser and revoke CREATE on it, and look at what is in it.';
	END IF;
END $$;

/*
 * What others have made there while they could is still theirs.  Who owns an object
 * is not in pg_shdepend where it is the superuser of initdb.  An operator of theirs
 * must not be a better match than the server's until we know that there is none: the
 * schema is in the search path here.  So both sides are of one type.
 */
DO $$
DECLARE
	other	record;
BEGIN
	SELECT INTO other pg_catalog.pg_describe_object(d.classid, d.objid, 0) AS what, r.rolname
	FROM pg_catalog.pg_depend d
		JOIN pg_catalog.pg_namespace n ON n.oid = d.refobjid AND n.nspname = 'dbmazz'
		JOIN pg_catalog.pg_shdepend s ON s.classid = d.classid AND s.objid = d.objid AND s.deptype = 'o'
			AND s.dbid = (SELECT b.oid FROM pg_catalog.pg_database b
						  WHERE b.datname = pg_catalog.current_database())
		JOIN pg_catalog.pg_roles r ON r.oid = s.refobjid
	WHERE d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass::pg_catalog.oid AND NOT r.rolsuper
	ORDER BY 1 LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = 'schema "dbmazz" has objects of somebody who is not a superuser',
			DETAIL = pg_catalog.format('The %s belongs to %I.', other.what, other.rolname),
			HINT = 'Drop such objects, or the schema with all that is in it.';
	END IF;
END $$;

/* ---- catalogs ---------------------------------------------------------- */

/* What a user asked for.  Dumped by pg_dump. */
CREATE TABLE dbmazz.pipeline (
	id			integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name		name NOT NULL UNIQUE,
	owner		regrole NOT NULL,
	publication	name NOT NULL,
	slot		name NOT NULL UNIQUE,
	sink		name NOT NULL,
	server		name,
	encoding	text NOT NULL,
	settings	text[] NOT NULL DEFAULT '{}',
	created_at	timestamptz NOT NULL DEFAULT now()
);
SELECT pg_catalog.pg_extension_config_dump('dbmazz.pipeline', '');
SELECT pg_catalog.pg_extension_config_dump('dbmazz.pipeline_id_seq', '');

/*
 * Whether it should run, and its identity at the target.  Not dumped: a copy
 * restored elsewhere must neither start by itself nor use the same labels.
 */
CREATE TABLE dbmazz.run_state (
	pipeline	integer PRIMARY KEY REFERENCES dbmazz.pipeline ON DELETE CASCADE,
	uid			text NOT NULL UNIQUE,
	enabled		boolean NOT NULL DEFAULT false,
	changed_at	timestamptz NOT NULL DEFAULT now()
);

/* How far it has come.  Written by the shipper alone; never dumped. */
CREATE TABLE dbmazz.checkpoints (
	pipeline	integer PRIMARY KEY REFERENCES dbmazz.pipeline ON DELETE CASCADE,
	uid			text NOT NULL,
	slot		name NOT NULL,
	slot_state	text NOT NULL DEFAULT 'none'
				CHECK (slot_state IN ('none', 'creating', 'created')),
	epoch		bigint NOT NULL DEFAULT 0,
	start_lsn	pg_lsn,
	lsn			pg_lsn,
	destination	text NOT NULL,
	name_template text NOT NULL,
	system_identifier bigint NOT NULL,
	timeline	integer NOT NULL,
	rows		bigint NOT NULL DEFAULT 0,
	bytes		bigint NOT NULL DEFAULT 0,
	batches		bigint NOT NULL DEFAULT 0,
	updated_at	timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

/*
 * Target tables (lanes) with the labels they may have used (so many of the epoch,
 * from the sequence on), where a TRUNCATE under one of these may be at work, and the
 * position of a table that has stopped.
 * Written by the shipper; never dumped.
 *
 * Where each row is sent once, its rows up to and including done_* are in the
 * target.  With prepared_*, those up to there are in the load with the label of
 * this epoch and sequence, which the target has prepared, and which is committed or
 * will be; its first row is of the transaction that committed at prepared_from.
 *
 * The row with an empty target has the labels of groups (atomic = transaction), and
 * in done_lsn where the last one ends that may be in the target; with prepared_lsn,
 * that is where the one ends that is sent under labels of this epoch, from this
 * sequence on, and done_lsn is where the one before it does.
 */
CREATE TABLE dbmazz.pipeline_tables (
	pipeline	integer NOT NULL REFERENCES dbmazz.pipeline ON DELETE CASCADE,
	target		text NOT NULL,
	relation	oid NOT NULL,
	source		text NOT NULL,
	epoch		bigint NOT NULL,
	sequence	bigint NOT NULL,
	labels		integer NOT NULL DEFAULT 0,
	truncate_place text,
	done_lsn	pg_lsn,
	done_row	bigint,
	prepared_lsn pg_lsn,
	prepared_row bigint,
	prepared_from pg_lsn,
	prepared_at	timestamptz,
	state		text NOT NULL DEFAULT 'streaming'
				CHECK (state IN ('streaming', 'stopped')),
	lsn			pg_lsn,
	error		text,
	detail		text,
	hint		text,
	row_lsn		pg_lsn,
	row_sequence bigint,
	updated_at	timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (pipeline, target)
) WITH (fillfactor = 50);

/*
 * Target tables that lack changes, or may have rows of a history that is gone,
 * because the pipeline went on with a new slot: what committed between the two
 * positions was not sent.  gap_to is null until the slot is made.  Written by
 * repair_pipeline(), table_reloaded() and the shipper; never dumped.
 */
CREATE TABLE dbmazz.gaps (
	pipeline	integer NOT NULL REFERENCES dbmazz.pipeline ON DELETE CASCADE,
	target		text NOT NULL,
	relation	oid NOT NULL,
	source		text NOT NULL,
	gap_from	pg_lsn NOT NULL,
	gap_to		pg_lsn,
	since		timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (pipeline, target)
);

/*
 * Rows that the target did not take, and later changes of their keys.  Written by
 * the shipper; never dumped, for a copy of the pipeline has no place in the stream
 * that they would belong to.  The key is json, which keeps its text.
 */
CREATE TABLE dbmazz.dead_letter (
	id			bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	pipeline	integer NOT NULL REFERENCES dbmazz.pipeline ON DELETE CASCADE,
	target		text NOT NULL,
	relation	oid NOT NULL,
	source		text NOT NULL,
	lsn			pg_lsn NOT NULL,
	sequence	bigint NOT NULL,
	op			text NOT NULL,
	key			json,
	"row"		jsonb,
	error		text,
	detail		text,
	created_at	timestamptz NOT NULL DEFAULT now(),
	old_wal		boolean NOT NULL DEFAULT false
);

/* Those from before a repair have their places in another WAL. */
CREATE UNIQUE INDEX dead_letter_place ON dbmazz.dead_letter
	(pipeline, target, lsn, sequence) WHERE NOT old_wal;

/*
 * Labels that pipelines which are gone, or went on elsewhere, may have used at a
 * destination.  The next pipeline that sends to the target makes sure that none
 * of these loads can still commit, and takes the row away.  Never dumped.
 */
CREATE TABLE dbmazz.dropped_lanes (
	destination	text NOT NULL,
	target		text NOT NULL,
	uid			text NOT NULL,
	epoch		bigint NOT NULL,
	sequence	bigint NOT NULL,
	labels		integer NOT NULL,
	truncate_place text,
	dropped_at	timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (destination, target, uid, epoch)
);

/* Letters that are to be sent again.  Taken away by the shipper; never dumped. */
CREATE TABLE dbmazz.replay_request (
	id			bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	pipeline	integer NOT NULL REFERENCES dbmazz.pipeline ON DELETE CASCADE,
	target		text NOT NULL,
	requested_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	waits_for	text
);

/* Rows that somebody has given up, for ever; never dumped. */
CREATE TABLE dbmazz.skipped_row (
	pipeline	integer NOT NULL REFERENCES dbmazz.pipeline ON DELETE CASCADE,
	target		text NOT NULL,
	lsn			pg_lsn NOT NULL,
	sequence	bigint NOT NULL,
	detail		text,
	skipped_by	name NOT NULL,
	skipped_at	timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (pipeline, target, lsn, sequence)
);

/* ---- functions --------------------------------------------------------- */

CREATE FUNCTION dbmazz.create_pipeline(
	name		name,
	publication	name DEFAULT 'dbmazz_pub',
	slot		name DEFAULT 'dbmazz_slot',
	sink		name DEFAULT 'starrocks',
	server		name DEFAULT NULL,
	copy		boolean DEFAULT true,
	settings	text[] DEFAULT '{}')
RETURNS void
AS 'MODULE_PATHNAME', 'dbmazz_create_pipeline' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION dbmazz.create_pipeline(name, name, name, name, name, boolean, text[])
IS 'define a pipeline that sends the tables of a publication to a destination';

CREATE FUNCTION dbmazz.alter_pipeline(
	name		name,
	publication	name DEFAULT NULL,
	server		name DEFAULT NULL,
	settings	text[] DEFAULT NULL)
RETURNS void
AS 'MODULE_PATHNAME', 'dbmazz_alter_pipeline' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION dbmazz.alter_pipeline(name, name, name, text[])
IS 'change the publication, the destination or settings of a pipeline';

CREATE FUNCTION dbmazz.drop_pipeline(name name)
RETURNS void
AS 'MODULE_PATHNAME', 'dbmazz_drop_pipeline' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION dbmazz.drop_pipeline(name)
IS 'remove a stopped pipeline and its replication slot';

CREATE FUNCTION dbmazz.start_pipeline(name name)
RETURNS void
AS 'MODULE_PATHNAME', 'dbmazz_start_pipeline' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION dbmazz.start_pipeline(name)
IS 'start a pipeline when the transaction commits';

CREATE FUNCTION dbmazz.stop_pipeline(name name)
RETURNS void
AS 'MODULE_PATHNAME', 'dbmazz_stop_pipeline' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION dbmazz.stop_pipeline(name)
IS 'stop a pipeline when the transaction commits';

CREATE FUNCTION dbmazz.accept_identity(name name)
RETURNS void
AS 'MODULE_PATHNAME', 'dbmazz_accept_identity' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION dbmazz.accept_identity(name)
IS 'let a stopped pipeline go on, with its slot, on a server that was upgraded or promoted';

CREATE FUNCTION dbmazz.repair_pipeline(
	name		name,
	reload		boolean DEFAULT true)
RETURNS void
AS 'MODULE_PATHNAME', 'dbmazz_repair_pipeline' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION dbmazz.repair_pipeline(name, boolean)
IS 'let a stopped pipeline begin anew with another slot, and mark its tables for a reload';

CREATE FUNCTION dbmazz.table_reloaded(
	name		name,
	target		text)
RETURNS void
AS 'MODULE_PATHNAME', 'dbmazz_table_reloaded' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION dbmazz.table_reloaded(name, text)
IS 'take the mark of repair_pipeline() away from a target table';

CREATE FUNCTION dbmazz.wait_for(
	name		name,
	lsn			pg_lsn,
	timeout		interval DEFAULT NULL)
RETURNS boolean
AS 'MODULE_PATHNAME', 'dbmazz_wait_for' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION dbmazz.wait_for(name, pg_lsn, interval)
IS 'wait until the target holds all changes up to an LSN';

CREATE FUNCTION dbmazz.retry_batch(
	name		name,
	target		text DEFAULT NULL)
RETURNS void
AS 'MODULE_PATHNAME', 'dbmazz_retry_batch' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION dbmazz.retry_batch(name, text)
IS 'let tables that have stopped go on where they stopped';

CREATE FUNCTION dbmazz.skip_batch(
	name		name,
	target		text,
	confirm		text DEFAULT NULL)
RETURNS void
AS 'MODULE_PATHNAME', 'dbmazz_skip_batch' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION dbmazz.skip_batch(name, text, text)
IS 'leave out the row at which a table has stopped, for ever';

CREATE FUNCTION dbmazz.replay_dead_letters(
	name		name,
	target		text DEFAULT NULL)
RETURNS bigint
AS 'MODULE_PATHNAME', 'dbmazz_replay_dead_letters' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION dbmazz.replay_dead_letters(name, text)
IS 'send the rows of dead letters again, as they are now';

CREATE FUNCTION dbmazz.target_ddl(
	relation	regclass,
	sink		name DEFAULT 'starrocks',
	pipeline	name DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'dbmazz_target_ddl' LANGUAGE C STABLE;
COMMENT ON FUNCTION dbmazz.target_ddl(regclass, name, name)
IS 'the statement that makes a target table';

/* What shared memory knows of this database's pipelines; for the views. */
CREATE FUNCTION dbmazz.stat_get_pipelines(
	OUT id integer,
	OUT state text,
	OUT decoder_pid integer,
	OUT shipper_pid integer,
	OUT epoch bigint,
	OUT position_lsn pg_lsn,
	OUT decoded_lsn pg_lsn,
	OUT oldest_commit_time timestamptz,
	OUT rows bigint,
	OUT changes bigint,
	OUT bytes bigint,
	OUT batches bigint,
	OUT retries bigint,
	OUT buffered_batches bigint,
	OUT buffered_bytes bigint,
	OUT tables_stopped bigint,
	OUT last_error text,
	OUT last_error_detail text,
	OUT last_error_hint text,
	OUT last_error_time timestamptz,
	OUT state_since timestamptz,
	OUT preloaded boolean)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'dbmazz_stat_get_pipelines' LANGUAGE C VOLATILE STRICT;

CREATE FUNCTION dbmazz.stat_get_budget_waits(
	OUT pipeline integer,
	OUT relid oid,
	OUT until timestamptz)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'dbmazz_stat_get_budget_waits' LANGUAGE C VOLATILE STRICT;

CREATE FUNCTION dbmazz.stat_get_wal_warning(pipeline integer)
RETURNS text
AS 'MODULE_PATHNAME', 'dbmazz_stat_get_wal_warning' LANGUAGE C VOLATILE STRICT;

/* ---- destinations ------------------------------------------------------- */

CREATE FUNCTION dbmazz.fdw_validator(text[], oid)
RETURNS void
AS 'MODULE_PATHNAME', 'dbmazz_fdw_validator' LANGUAGE C STRICT;

CREATE FOREIGN DATA WRAPPER dbmazz NO HANDLER
	VALIDATOR dbmazz.fdw_validator;

/* ---- views -------------------------------------------------------------- */

CREATE VIEW dbmazz.pipelines AS
SELECT p.id,
	p.name,
	p.owner,
	p.publication,
	p.slot AS slot_name,
	p.sink,
	p.server,
	p.encoding,
	p.settings,
	coalesce(r.enabled, false) AS enabled,
	r.uid,
	p.created_at,
	r.changed_at AS enabled_changed_at
FROM dbmazz.pipeline p
LEFT JOIN dbmazz.run_state r ON r.pipeline = p.id;

/*
 * A pipeline that runs is in shared memory.  Of one that does not, the
 * checkpoint tells how far it came.
 */
CREATE VIEW dbmazz.stat_pipeline AS
SELECT p.id,
	p.name,
	coalesce(s.state,
			 CASE WHEN r.enabled THEN 'starting' ELSE 'stopped' END) AS state,
	s.decoder_pid,
	s.shipper_pid,
	coalesce(nullif(s.epoch, 0), c.epoch) AS epoch,
	p.slot AS slot_name,
	c.start_lsn,
	c.lsn AS checkpoint_lsn,
	l.confirmed_flush_lsn,
	coalesce(s.position_lsn, c.lsn) AS position_lsn,
	s.decoded_lsn,
	pg_catalog.pg_wal_lsn_diff(w.lsn, coalesce(s.position_lsn, c.lsn))
		::bigint AS lag_bytes,
	CASE WHEN s.position_lsn IS NOT NULL THEN
		greatest(coalesce(pg_catalog.clock_timestamp() - s.oldest_commit_time,
						  '0'::interval), '0'::interval)
	END AS lag,
	greatest(s.rows, c.rows, 0) AS rows,
	coalesce(s.changes, 0) AS changes,
	greatest(s.bytes, c.bytes, 0) AS bytes,
	greatest(s.batches, c.batches, 0) AS batches,
	coalesce(s.retries, 0) AS retries,
	pg_catalog.pg_wal_lsn_diff(w.lsn, l.restart_lsn)::bigint AS retained_bytes,
	l.safe_wal_size,
	l.wal_status,
	dbmazz.stat_get_wal_warning(p.id) AS wal_warning,
	coalesce(s.buffered_batches, 0) AS buffered_batches,
	coalesce(s.buffered_bytes, 0) AS buffered_bytes,
	s.last_error,
	s.last_error_detail,
	s.last_error_hint,
	s.last_error_time,
	coalesce(s.state_since, r.changed_at) AS state_since
FROM dbmazz.pipeline p
LEFT JOIN dbmazz.run_state r ON r.pipeline = p.id
LEFT JOIN dbmazz.checkpoints c ON c.pipeline = p.id
LEFT JOIN dbmazz.stat_get_pipelines() s ON s.id = p.id
LEFT JOIN pg_catalog.pg_replication_slots l ON l.slot_name = p.slot
CROSS JOIN (SELECT CASE WHEN pg_catalog.pg_is_in_recovery()
				THEN pg_catalog.pg_last_wal_replay_lsn()
				ELSE pg_catalog.pg_current_wal_flush_lsn() END) w (lsn);

/*
 * The detail of an error about a row has values of the row: see below.  Of a table
 * whose first rows wait nothing is written yet.
 */
CREATE VIEW dbmazz.stat_table AS
SELECT p.id AS pipeline_id,
	p.name AS pipeline,
	coalesce(t.relation, g.relation, b.relid) AS relid,
	coalesce(t.source, g.source,
			 (n.nspname || '.' || k.relname) COLLATE "default") AS relation,
	coalesce(t.target, g.target) AS target,
	coalesce(t.state, 'streaming') AS state,
	b.rows_wait_until,
	t.lsn,
	pg_catalog.pg_wal_lsn_diff(w.lsn, t.lsn)::bigint AS retained_bytes,
	g.gap_from,
	g.gap_to,
	t.error,
	CASE WHEN t.row_lsn IS NULL OR pg_catalog.pg_has_role(p.owner, 'USAGE')
		THEN t.detail
	END AS detail,
	t.hint,
	t.row_lsn,
	(SELECT count(*) FROM dbmazz.dead_letter d
	 WHERE d.pipeline = p.id AND d.target = coalesce(t.target, g.target))
		AS dead_letters,
	r.replay_requested_at,
	r.replay_waits_for,
	coalesce(t.updated_at, g.since) AS updated_at
FROM dbmazz.pipeline_tables t
FULL JOIN dbmazz.gaps g ON g.pipeline = t.pipeline AND g.target = t.target
FULL JOIN (SELECT pipeline, relid, min(until) AS rows_wait_until
		   FROM dbmazz.stat_get_budget_waits() GROUP BY pipeline, relid) b
	ON b.pipeline = coalesce(t.pipeline, g.pipeline)
	AND b.relid = coalesce(t.relation, g.relation)
LEFT JOIN pg_catalog.pg_class k ON k.oid = b.relid
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = k.relnamespace
JOIN dbmazz.pipeline p ON p.id = coalesce(t.pipeline, g.pipeline, b.pipeline)
LEFT JOIN (SELECT pipeline, target, min(requested_at) AS replay_requested_at,
				max(waits_for) AS replay_waits_for
		   FROM dbmazz.replay_request GROUP BY pipeline, target) r
	ON r.pipeline = p.id AND r.target = coalesce(t.target, g.target)
CROSS JOIN (SELECT CASE WHEN pg_catalog.pg_is_in_recovery()
				THEN pg_catalog.pg_last_wal_replay_lsn()
				ELSE pg_catalog.pg_current_wal_flush_lsn() END) w (lsn)
WHERE coalesce(t.target, g.target) IS DISTINCT FROM '';

/*
 * Values of users' rows.  Whoever is granted SELECT sees those of pipelines that
 * he has the rights of the owner of; so a monitoring role sees none.
 */
CREATE VIEW dbmazz.dead_letters WITH (security_barrier) AS
SELECT d.id,
	p.name AS pipeline,
	d.source AS relation,
	d.target,
	d.op,
	d.key,
	d."row",
	d.lsn,
	d.sequence,
	d.error,
	d.detail,
	d.created_at,
	d.old_wal
FROM dbmazz.dead_letter d
JOIN dbmazz.pipeline p ON p.id = d.pipeline
WHERE pg_catalog.pg_has_role(p.owner, 'USAGE');

CREATE VIEW dbmazz.skipped_rows WITH (security_barrier) AS
SELECT p.name AS pipeline,
	s.target,
	s.lsn,
	s.sequence,
	s.detail,
	s.skipped_by,
	s.skipped_at
FROM dbmazz.skipped_row s
JOIN dbmazz.pipeline p ON p.id = s.pipeline
WHERE pg_catalog.pg_has_role(p.owner, 'USAGE');

/* ---- privileges --------------------------------------------------------- */

/*
 * Functions are granted one by one; the tables are for nobody.  FDW and
 * validator have no PUBLIC privileges that matter: a server needs USAGE on the
 * wrapper, which only its owner has.
 */
REVOKE ALL ON ALL TABLES IN SCHEMA dbmazz FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA dbmazz FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA dbmazz FROM PUBLIC;

/* Default privileges are meant for users' own tables. */
DO $$
DECLARE
	who	regrole;
BEGIN
	FOR who IN
		SELECT DISTINCT a.grantee
		FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) a
		WHERE c.relnamespace = 'dbmazz'::regnamespace
			AND a.grantee NOT IN (0, c.relowner)
		UNION
		SELECT DISTINCT a.grantee
		FROM pg_catalog.pg_proc p, pg_catalog.aclexplode(p.proacl) a
		WHERE p.pronamespace = 'dbmazz'::regnamespace
			AND a.grantee NOT IN (0, p.proowner)
	LOOP
		EXECUTE pg_catalog.format('REVOKE ALL ON ALL TABLES IN SCHEMA dbmazz FROM %s CASCADE', who);
		EXECUTE pg_catalog.format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA dbmazz FROM %s CASCADE', who);
		EXECUTE pg_catalog.format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA dbmazz FROM %s CASCADE', who);
	END LOOP;
END $$;

GRANT USAGE ON SCHEMA dbmazz TO pg_monitor;
GRANT SELECT ON dbmazz.pipelines, dbmazz.stat_pipeline, dbmazz.stat_table
	TO pg_monitor;
GRANT EXECUTE ON FUNCTION dbmazz.stat_get_pipelines(),
	dbmazz.stat_get_budget_waits(), dbmazz.stat_get_wal_warning(integer)
	TO pg_monitor;
