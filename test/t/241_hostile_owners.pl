# Whoever owns a published table can have functions called in the shipper, by the
# planner that reads the table's rows again.  They run with his rights, and nothing
# that they do there is left behind for statements that run with other rights.

use strict;
use warnings;

use Test::More;

use dbmazz::Compare;
use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE ROLE app;
		CREATE SCHEMA app AUTHORIZATION app;
		SET ROLE app;
		CREATE FUNCTION app.large(i int) RETURNS text LANGUAGE sql
			AS $$SELECT string_agg(md5(i::text || k), '') FROM generate_series(1, 100) k$$;
		CREATE TABLE app.owned (id int PRIMARY KEY, note text DEFAULT 'none', body text);
		ALTER TABLE app.owned ALTER body SET STORAGE EXTERNAL;
		RESET ROLE;
		CREATE TABLE plain (id int PRIMARY KEY, note text);
		SQL
	tables => [ 'app.owned', 'plain' ],
	conf => "synchronous_commit = on\n",
	settings => ['flush_interval=0']);

my $shipper = $node->worker_pid('shipper');

# ---- the trap ------------------------------------------------------------------------

# Operators that note who calls them, and an index whose expression calls a function
# that puts them in front of the server's own, and changes what else it can.
query($node, <<~'SQL');
	SET ROLE app;
	CREATE TABLE app.calls (pid int, what text, role name);
	GRANT INSERT ON app.calls TO PUBLIC;
	GRANT USAGE ON SCHEMA app TO PUBLIC;
	CREATE FUNCTION app.note(what text) RETURNS void LANGUAGE sql
		AS 'INSERT INTO app.calls VALUES (pg_catalog.pg_backend_pid(), what, current_user)';
	CREATE FUNCTION app.same(a int, b int) RETURNS boolean LANGUAGE plpgsql
		AS 'BEGIN PERFORM app.note(''operator''); RETURN pg_catalog.int4eq(a, b); END';
	CREATE FUNCTION app.same(a text, b text) RETURNS boolean LANGUAGE plpgsql
		AS 'BEGIN PERFORM app.note(''operator''); RETURN pg_catalog.texteq(a, b); END';
	CREATE OPERATOR app.= (LEFTARG = int, RIGHTARG = int, FUNCTION = app.same);
	CREATE OPERATOR app.= (LEFTARG = text, RIGHTARG = text, FUNCTION = app.same);
	CREATE FUNCTION app.trap(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql
		AS $$
		BEGIN
			PERFORM app.note('expression');
			IF current_user = 'app' THEN
				PERFORM pg_catalog.set_config('search_path', 'app, pg_catalog', false);
				PERFORM pg_catalog.set_config('synchronous_commit', 'off', false);
				PERFORM pg_catalog.set_config('default_transaction_read_only', 'on', false);
				PERFORM pg_catalog.set_config('DateStyle', 'German', false);
				BEGIN
					PERFORM pg_catalog.set_config('role', 'none', false);
					PERFORM app.note('role');
				EXCEPTION WHEN insufficient_privilege THEN NULL;
				END;
			END IF;
			RETURN i;
		END $$;
	SQL

# What fires for a statement, and policies for others, have no part in reading a row.
query($node, <<~'SQL');
	SET ROLE app;
	INSERT INTO app.owned SELECT i, 'a', app.large(i) FROM generate_series(1, 20) i;
	CREATE INDEX owned_trap ON app.owned ((id + app.trap(1)));
	CREATE FUNCTION app.fire() RETURNS trigger LANGUAGE plpgsql
		AS 'BEGIN PERFORM app.note(''trigger''); RETURN new; END';
	CREATE TRIGGER fire BEFORE INSERT OR UPDATE ON app.owned FOR EACH ROW EXECUTE FUNCTION app.fire();
	CREATE RULE fire AS ON INSERT TO app.owned DO ALSO SELECT app.note('rule');
	CREATE FUNCTION app.default_note() RETURNS text LANGUAGE sql
		AS $$SELECT app.note('default'); SELECT 'none'$$;
	ALTER TABLE app.owned ALTER note SET DEFAULT app.default_note();
	CREATE POLICY fire ON app.owned USING (app.trap(1) = 1);
	ALTER TABLE app.owned ENABLE ROW LEVEL SECURITY;
	SQL
query($node, 'ALTER ROLE app NOSUPERUSER; TRUNCATE app.calls');

# ---- it is sprung --------------------------------------------------------------------

query($node, 'UPDATE app.owned SET id = id + 100 WHERE id <= 5');
rows_arrived('owned');
is(query($node, "SELECT string_agg(DISTINCT what || ' ' || role, ', ') FROM app.calls WHERE pid = $shipper"),
	'expression app', 'the shipper calls the expression as the owner, and nothing else');

# What comes now is written with the rights of the server.
query($node, "INSERT INTO plain SELECT i, 'b' FROM generate_series(1, 50) i");
query($node, q(UPDATE app.owned SET id = id + 100 WHERE id BETWEEN 6 AND 9));
rows_arrived('owned', 'plain');
query($node, 'SELECT pg_switch_wal(); CHECKPOINT');
query($node, q(INSERT INTO plain VALUES (51, 'c')));
rows_arrived('plain');
is(query($node, q(SELECT count(*) FROM app.calls WHERE what = 'operator')), 0,
	'no statement of the server meets the operators');
is(query($node, q(SELECT coalesce(string_agg(DISTINCT role, ' '), '') FROM app.calls WHERE role <> 'app' AND pid = )
	. $shipper), '', 'nothing of the owner ran with other rights');
is($node->worker_pid('shipper'), $shipper, 'the shipper has gone on');

# The rows of another table, which are read again behind those.
query($node, <<~'SQL');
	CREATE TABLE dates (id int PRIMARY KEY, at timestamptz, body text);
	ALTER TABLE dates ALTER body SET STORAGE EXTERNAL;
	SQL
$node->create_target('postgres', 'dates', $target, 'shop');
query($node, <<~'SQL');
	ALTER PUBLICATION dbmazz_pub ADD TABLE dates;
	INSERT INTO dates SELECT 1, '2024-02-03 04:05:06+00', app.large(1);
	UPDATE dates SET id = 2;
	SQL
arrived($node);
is($target->sql('SELECT id, at FROM dates', 'shop'), '2|2024-02-03 04:05:06',
	'values of another table have the form that they should have');

# ---- operators in front of the server's, in schemas that everybody uses -----------------

query($node, <<~'SQL');
	CREATE FUNCTION public.same(a name, b text) RETURNS boolean LANGUAGE plpgsql
		AS 'BEGIN PERFORM app.note(''public''); RETURN a::text OPERATOR(pg_catalog.=) b; END';
	CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = text, FUNCTION = public.same);
	CREATE FUNCTION public.same(a oid, b int) RETURNS boolean LANGUAGE plpgsql
		AS 'BEGIN PERFORM app.note(''public''); RETURN true; END';
	CREATE OPERATOR public.= (LEFTARG = oid, RIGHTARG = int, FUNCTION = public.same);
	CREATE FUNCTION public.same(a regrole, b oid) RETURNS boolean LANGUAGE plpgsql
		AS 'BEGIN PERFORM app.note(''public''); RETURN true; END';
	CREATE OPERATOR public.= (LEFTARG = regrole, RIGHTARG = oid, FUNCTION = public.same);
	CREATE FUNCTION public.pg_has_role(regrole, text) RETURNS boolean LANGUAGE plpgsql
		AS 'BEGIN PERFORM app.note(''public''); RETURN true; END';
	CREATE FUNCTION public.count(name) RETURNS bigint LANGUAGE plpgsql
		AS 'BEGIN PERFORM app.note(''public''); RETURN 1; END';
	ALTER DATABASE postgres SET search_path = public, pg_catalog;
	TRUNCATE app.calls;
	SQL
restart_stream($node, sub { query($node, "SELECT dbmazz.alter_pipeline('shop', settings => '{flush_interval=10ms}')") });
query($node, q(SELECT count(*) FROM dbmazz.stat_pipeline; SELECT count(*) FROM dbmazz.stat_table;
	SELECT count(*) FROM dbmazz.dead_letters; SELECT count(*) FROM dbmazz.skipped_rows));
query($node, q(UPDATE app.owned SET id = id + 100 WHERE id BETWEEN 10 AND 12; INSERT INTO plain VALUES (60, 'd')));
rows_arrived('owned', 'plain');
is(query($node, q(SELECT count(*) FROM app.calls WHERE what = 'public')), 0,
	'neither functions, views nor workers use what is in public');

$node->stop;
done_testing();

# "owned" has policies for everybody but its owner, so it is compared as a superuser.
sub rows_arrived
{
	my (@tables) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	arrived($node);
	for my $table (@tables)
	{
		my $source = $table eq 'owned' ? 'app.owned' : $table;
		rows_equal($node, 'postgres', $source, $target, "shop.$table");
	}
	return;
}
