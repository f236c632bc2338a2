/* dbmazz--1.0.sql: objects of the extension */

\echo Use "CREATE EXTENSION dbmazz" to load this file. \quit

/* ---- catalogs ---------------------------------------------------------- */

/* What a user asked for.  Dumped by pg_dump. */
CREATE TABLE dbmazz.pipeline (
	id			integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name		name NOT NULL UNIQUE,
	owner		regrole NOT NULL,
	publication	name NOT NULL,
	slot		name NOT NULL,
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
	system_identifier bigint NOT NULL,
	timeline	integer NOT NULL,
	rows		bigint NOT NULL DEFAULT 0,
	bytes		bigint NOT NULL DEFAULT 0,
	batches		bigint NOT NULL DEFAULT 0,
	updated_at	timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

/*
 * Target tables (lanes) with the labels they may have used, and the position
 * of a table that has stopped.  Written by the shipper; never dumped.
 */
CREATE TABLE dbmazz.pipeline_tables (
	pipeline	integer NOT NULL REFERENCES dbmazz.pipeline ON DELETE CASCADE,
	target		text NOT NULL,
	relation	oid NOT NULL,
	source		text NOT NULL,
	epoch		bigint NOT NULL,
	sequence	bigint NOT NULL,
	state		text NOT NULL DEFAULT 'streaming'
				CHECK (state IN ('streaming', 'stopped')),
	lsn			pg_lsn,
	error		text,
	detail		text,
	hint		text,
	updated_at	timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (pipeline, target)
) WITH (fillfactor = 50);

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

CREATE FUNCTION dbmazz.alter_pipeline(
	name		name,
	publication	name DEFAULT NULL,
	server		name DEFAULT NULL,
	settings	text[] DEFAULT NULL)
RETURNS void
AS 'MODULE_PATHNAME', 'dbmazz_alter_pipeline' LANGUAGE C VOLATILE;

CREATE FUNCTION dbmazz.drop_pipeline(name name)
RETURNS void
AS 'MODULE_PATHNAME', 'dbmazz_drop_pipeline' LANGUAGE C VOLATILE STRICT;

CREATE FUNCTION dbmazz.start_pipeline(name name)
RETURNS void
AS 'MODULE_PATHNAME', 'dbmazz_start_pipeline' LANGUAGE C VOLATILE STRICT;

CREATE FUNCTION dbmazz.stop_pipeline(name name)
RETURNS void
AS 'MODULE_PATHNAME', 'dbmazz_stop_pipeline' LANGUAGE C VOLATILE STRICT;

CREATE FUNCTION dbmazz.wait_for(
	name		name,
	lsn			pg_lsn,
	timeout		interval DEFAULT NULL)
RETURNS boolean
AS 'MODULE_PATHNAME', 'dbmazz_wait_for' LANGUAGE C VOLATILE;

CREATE FUNCTION dbmazz.target_ddl(
	relation	regclass,
	sink		name DEFAULT 'starrocks')
RETURNS text
AS 'MODULE_PATHNAME', 'dbmazz_target_ddl' LANGUAGE C STABLE STRICT;
