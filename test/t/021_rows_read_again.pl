# Changes without the value of a large column that the target cannot have either:
# updates of the key, and updates that move a row into the row filter.  The shipper
# reads these rows in the table, which may have changed since.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Compare;
use dbmazz::Stream;

my $conf = "dbmazz.debug_point = ''\nrestart_after_crash = off\n";
my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE FUNCTION large(i int) RETURNS text LANGUAGE sql
			AS $$SELECT string_agg(md5(i::text || k), '') FROM generate_series(1, 100) k$$;
		CREATE TABLE docs (id int PRIMARY KEY, title text, body text, n numeric(10, 2));
		ALTER TABLE docs ALTER body SET STORAGE EXTERNAL;
		CREATE TABLE shown (id int, title text, body text, n numeric(10, 2), is_public boolean,
			PRIMARY KEY (id, is_public));
		ALTER TABLE shown ALTER body SET STORAGE EXTERNAL;
		CREATE DOMAIN code AS varchar(40) CHECK (VALUE <> '');
		CREATE TABLE "Odd Names" ("Key 1" code, "key'2" timestamptz, body text,
			long int GENERATED ALWAYS AS (length(body)) STORED, "n'3" float8, at interval,
			PRIMARY KEY ("key'2", "Key 1"));
		ALTER TABLE "Odd Names" ALTER body SET STORAGE EXTERNAL;
		CREATE TABLE parts (id int PRIMARY KEY, body text, n int) PARTITION BY RANGE (id);
		CREATE TABLE part_low PARTITION OF parts FOR VALUES FROM (0) TO (100);
		CREATE TABLE part_high (n int, body text, id int PRIMARY KEY);
		ALTER TABLE parts ATTACH PARTITION part_high FOR VALUES FROM (100) TO (1000);
		ALTER TABLE part_low ALTER body SET STORAGE EXTERNAL;
		ALTER TABLE part_high ALTER body SET STORAGE EXTERNAL;
		CREATE TABLE altered (LIKE docs INCLUDING ALL);
		CREATE TABLE owned (LIKE docs INCLUDING ALL);
		CREATE TABLE by_index (id int NOT NULL UNIQUE, title text, body text, n int);
		ALTER TABLE by_index ALTER body SET STORAGE EXTERNAL;
		ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_id_key;
		SQL
	tables => [ qw(docs shown parts altered owned by_index), '"Odd Names"' ],
	publication => 'TABLE docs, shown WHERE (is_public), parts, altered, owned, by_index, '
	  . '"Odd Names" ("Key 1", "key\'2", body, "n\'3", at)',
	with => 'publish_via_partition_root = true',
	conf => $conf,
	settings => ['flush_interval=0']);

# source = target, row by row
sub same
{
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my %options = (
		by_index => [ key => ['id'] ],
		odd => [ key => [ q(key'2), 'Key 1' ], columns => [ 'Key 1', q(key'2), 'body', q(n'3), 'at' ] ]);

	arrived($node);
	for my $name (@_)
	{
		my $source = $name eq 'odd' ? '"Odd Names"' : $name;
		my $table = $name eq 'odd' ? 'Odd Names' : $name;
		rows_equal($node, 'postgres', $source, $target, "shop.$table", @{ $options{$name} // [] });
	}
	return;
}

sub settings
{
	my (@settings) = @_;
	my $list = join ', ', map { "'$_'" } @settings;
	query($node, "SELECT dbmazz.alter_pipeline('shop', settings => ARRAY[$list])");
	return;
}

# Hold the shipper where it is about to read rows; returns when it is there.
my $breaks = 0;

sub set_break
{
	my ($point) = @_;
	$breaks++;
	$node->adjust_conf('postgresql.conf', 'dbmazz.debug_point', $point ? "'$point:$breaks'" : "''");
	$node->reload;
	return;
}

sub held_at
{
	my ($point, $start) = @_;
	$target->wait_until("the shipper at $point",
		sub { slurp_file($node->logfile, $start) =~ /debug point "$point" was reached/ });
	return;
}

# Run statements while the rows of those before wait to be read.
sub while_waiting
{
	my ($before, $meanwhile) = @_;
	my $start = -s $node->logfile;
	set_break('before_reread:wait');
	arrived_reload();
	query($node, $before);
	held_at('before_reread', $start);
	query($node, $_) for @$meanwhile;
	set_break('');
	return;
}

# Both workers have read the settings again.
sub arrived_reload
{
	query($node, q(SELECT pg_logical_emit_message(false, 'test', 'reload')));
	arrived($node);
	return;
}

sub loads_of
{
	my ($table) = @_;
	return scalar $target->loads(table => $table);
}

my $full = q(SELECT i, 'title ' || i, large(i), i FROM generate_series);

# ---- updates of keys ------------------------------------------------------------

query($node, "INSERT INTO docs $full(1, 40) i");
query($node, "INSERT INTO by_index $full(1, 5) i");
same('docs');
query($node, q(UPDATE docs SET id = 1001 WHERE id = 1));
query($node, q(UPDATE docs SET id = id + 1000, title = 'new', n = n + 0.5 WHERE id BETWEEN 2 AND 5));
query($node, q(UPDATE by_index SET id = id + 10 WHERE id < 3));
same(qw(docs by_index));
query($node, q(UPDATE docs SET id = id - 1000 WHERE id > 1000));
query($node, <<~'SQL');
	BEGIN;
	UPDATE docs SET id = 2000 WHERE id = 10;
	UPDATE docs SET title = 'and then partial' WHERE id = 2000;
	UPDATE docs SET id = 10 WHERE id = 11;
	DELETE FROM docs WHERE id = 12;
	UPDATE docs SET id = 12 WHERE id = 13;
	UPDATE docs SET id = 13 WHERE id = 12;
	UPDATE docs SET id = 2001 WHERE id = 14;
	DELETE FROM docs WHERE id = 2001;
	SAVEPOINT s;
	UPDATE docs SET id = 2002 WHERE id = 15;
	RELEASE s;
	SAVEPOINT s;
	UPDATE docs SET id = 2003 WHERE id = 16;
	ROLLBACK TO s;
	COMMIT;
	SQL
same('docs');

# neighbours, one after the other, each to the place that the last one left
query($node, <<~'SQL');
	DO $$ BEGIN
		FOR k IN REVERSE 40..17 LOOP
			UPDATE docs SET id = id + 1 WHERE id = k;
		END LOOP;
	END $$;
	SQL
same('docs');

# ---- the row changes before it is read --------------------------------------------

while_waiting(q(UPDATE docs SET id = 3001 WHERE id = 18),
	[ q(UPDATE docs SET title = 'changed', n = 7 WHERE id = 3001), q(UPDATE docs SET body = large(-1) WHERE id = 3001) ]);
same('docs');
while_waiting(q(UPDATE docs SET id = 3002 WHERE id = 19), [q(DELETE FROM docs WHERE id = 3002)]);
same('docs');
while_waiting(q(UPDATE docs SET id = id + 4000 WHERE id BETWEEN 20 AND 22),
	[ q(UPDATE docs SET id = id + 100 WHERE id = 4020), q(UPDATE docs SET id = 4020, n = 8 WHERE id = 4021),
	  q(UPDATE docs SET title = 'once more' WHERE id = 4020), q(DELETE FROM docs WHERE id = 4022),
	  q(INSERT INTO docs VALUES (4022, 'another', large(9), 9)) ]);
same('docs');
while_waiting(q(UPDATE docs SET id = id + 5000 WHERE id BETWEEN 23 AND 25),
	[ q(INSERT INTO docs VALUES (23, 'takes the old key', large(3), 3)) ]);
same('docs');

# a lock on the table holds up its own lane only
{
	my $session = $node->background_psql('postgres');
	my $start = -s $node->logfile;
	set_break('before_reread:wait');
	arrived_reload();
	query($node, q(UPDATE docs SET id = 6001 WHERE id = 26));
	held_at('before_reread', $start);
	$session->query_safe('BEGIN; LOCK TABLE docs IN ACCESS EXCLUSIVE MODE');
	set_break('');
	query($node, q(UPDATE by_index SET title = 'goes on' WHERE id = 4));
	$target->wait_until('a change of another table', sub {
		$target->sql(q(SELECT title FROM by_index WHERE id = 4), 'shop') eq 'goes on' });
	is($target->sql('SELECT count(*) FROM docs WHERE id = 6001', 'shop'), 0, 'the row waits for the lock');
	$session->query_safe('COMMIT');
	$session->quit;
	same(qw(docs by_index));
}

# an index that somebody has for himself
{
	my $session = $node->background_psql('postgres');
	my $start = -s $node->logfile;
	query($node, q(INSERT INTO docs VALUES (6003, 'moves', large(6003), 1)));
	arrived($node);
	set_break('before_reread:wait');
	arrived_reload();
	query($node, q(UPDATE docs SET id = 6004 WHERE id = 6003));
	held_at('before_reread', $start);
	$session->query_safe('BEGIN; REINDEX INDEX docs_pkey');
	set_break('');
	query($node, q(UPDATE by_index SET title = 'goes on again' WHERE id = 4));
	$target->wait_until('a change of another table', sub {
		$target->sql(q(SELECT title FROM by_index WHERE id = 4), 'shop') eq 'goes on again' });
	$session->query_safe('COMMIT');
	$session->quit;
	same(qw(docs by_index));
}

# ---- row filters --------------------------------------------------------------------

query($node, "INSERT INTO shown SELECT i, 't', large(i), i, i % 2 = 0 FROM generate_series(1, 20) i");
query($node, q(DELETE FROM shown WHERE id = 20));
sub same_shown
{
	my ($when) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	arrived($node);
	my $sql = 'SELECT id, title, body, n FROM shown';
	is($target->sql("$sql ORDER BY id", 'shop'), query($node, "$sql WHERE is_public ORDER BY id"),
		"shown: source = target $when");
	return;
}
same_shown('to begin with');
query($node, q(UPDATE shown SET is_public = true WHERE id IN (1, 3, 5)));
query($node, q(UPDATE shown SET id = id + 100 WHERE id IN (2, 7)));
query($node, q(UPDATE shown SET id = id + 100, is_public = NOT is_public WHERE id IN (4, 9)));
same_shown('after rows moved in and out');
while_waiting(q(UPDATE shown SET is_public = true WHERE id IN (11, 13, 15, 17)),
	[ q(UPDATE shown SET is_public = false WHERE id = 11), q(UPDATE shown SET title = 'later' WHERE id = 13),
	  q(DELETE FROM shown WHERE id = 15), q(UPDATE shown SET id = 117 WHERE id = 17) ]);
same_shown('when they changed before they were read');

# ---- kinds of tables -------------------------------------------------------------------

query($node, <<~'SQL');
	INSERT INTO "Odd Names" ("Key 1", "key'2", body, "n'3", at) SELECT 'c' || i, '2024-01-01 00:00:00.25+02'::timestamptz + i * '1 day'::interval,
		large(i), i / 7.0, i * '1 month 3 hours'::interval FROM generate_series(1, 6) i;
	INSERT INTO parts SELECT i, large(i), i FROM generate_series(1, 6) i;
	INSERT INTO parts SELECT i, large(i), i FROM generate_series(101, 106) i;
	SQL
arrived($node);
query($node, <<~'SQL');
	UPDATE "Odd Names" SET "Key 1" = 'x''"\' || "Key 1" WHERE "Key 1" IN ('c1', 'c2');
	UPDATE "Odd Names" SET "key'2" = "key'2" + '1 us' WHERE "Key 1" = 'c3';
	UPDATE parts SET id = id + 10 WHERE id IN (1, 102);
	UPDATE parts SET id = id + 200, n = 0 WHERE id = 3;
	UPDATE parts SET id = 50 WHERE id = 104;
	SQL
same(qw(parts odd));

# ---- many at once ------------------------------------------------------------------------

query($node, "INSERT INTO docs $full(100001, 102000) i");
arrived($node);
restart_stream($node, sub { settings('flush_interval=200ms', 'batch_max_rows=100000') });
$target->clear_loads;
query($node, 'UPDATE docs SET id = id + 1000000 WHERE id > 100000');
same('docs');
my $loads = loads_of('docs');
cmp_ok($loads, '<', 40, "2000 rows in $loads loads");

# In small portions, and larger than a segment.
$target->clear_loads;
restart_stream($node, sub { settings('flush_interval=200ms', 'batch_max_bytes=256kB') });
query($node, 'UPDATE docs SET id = id + 10000000 WHERE id BETWEEN 1100001 AND 1101000');
query($node, q(UPDATE docs SET body = repeat('x', 1000000) WHERE id = 1101999));
query($node, 'UPDATE docs SET id = 2000000 WHERE id = 1101999');
same('docs');

# ---- crashes ------------------------------------------------------------------------------

settings('flush_interval=0');
my $from = 7000;
for my $point (qw(before_reread rows_read request_started answer_received))
{
	$from += 1000;
	query($node, "INSERT INTO docs SELECT i, 't', large(i), i FROM generate_series($from, $from + 20) i");
	arrived($node);
	my $pid = $node->{_pid};
	set_break("$point:kill");
	$node->psql('postgres', <<~"SQL");
		UPDATE docs SET id = id + 100000, n = 1 WHERE id BETWEEN $from AND $from + 15;
		UPDATE docs SET title = 'behind it' WHERE id = $from + 100003;
		DELETE FROM docs WHERE id = $from + 100004;
		UPDATE docs SET id = id + 500 WHERE id = $from + 100005;
		SQL
	$target->wait_until("a crash at $point", sub { !kill 0, $pid });
	$node->{_pid} = undef;
	$node->adjust_conf('postgresql.conf', 'dbmazz.debug_point', "''");
	$node->start;
	$node->wait_for_state('postgres', 'shop', 'streaming');
	same('docs');
}

# ---- with whose rights rows are read -----------------------------------------------------

# The planner calls functions in the expressions of indexes, which are the owner's.
query($node, $_) for <<~'SQL', "INSERT INTO owned $full(1, 20) i";
	CREATE ROLE app;
	CREATE TABLE calls (pid int, role name);
	GRANT INSERT ON calls TO app;
	CREATE FUNCTION note_call() RETURNS void LANGUAGE sql
		AS 'INSERT INTO public.calls VALUES (pg_backend_pid(), current_user)';
	CREATE FUNCTION spy(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql
		AS 'BEGIN PERFORM public.note_call(); RETURN i; END';
	CREATE INDEX ON owned ((id + spy(1)));
	ALTER TABLE owned OWNER TO app;
	SQL
query($node, 'UPDATE owned SET id = id + 100 WHERE id < 5');
same('owned');
is(query($node, q(SELECT string_agg(DISTINCT role, ' ') FROM calls JOIN pg_stat_activity USING (pid)
	WHERE backend_type = 'dbmazz shipper')), 'app', 'what the table calls runs as its owner');

query($node, 'ALTER TABLE owned ENABLE ROW LEVEL SECURITY; ALTER TABLE owned FORCE ROW LEVEL SECURITY');
query($node, 'UPDATE owned SET id = id + 100 WHERE id BETWEEN 5 AND 8');
my $forbidden = wait_for_stop($node, 'owned');
like($forbidden, qr/owner of table "public\.owned" may not read a row again/, 'policies for the owner are not passed by');
like($forbidden, qr/NO FORCE ROW LEVEL SECURITY/, '... with a hint');
restart_stream($node, sub { query($node, 'ALTER TABLE owned NO FORCE ROW LEVEL SECURITY') });
same('owned');

# An error of theirs stops the table, and no other.
query($node, $_) for <<~'SQL', 'UPDATE owned SET id = id + 100 WHERE id BETWEEN 9 AND 12';
	CREATE OR REPLACE FUNCTION spy(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql
		AS 'BEGIN IF current_user = ''app'' THEN RAISE ''not you''; END IF; RETURN i; END';
	ALTER INDEX owned_expr_idx SET (fillfactor = 80);
	SQL
like(wait_for_stop($node, 'owned'), qr/not you.*could not be read.*Remove the cause/s, 'an error of a function');
query($node, 'UPDATE docs SET id = -id WHERE id < 5');
same('docs');
restart_stream($node, sub { query($node, 'DROP INDEX owned_expr_idx') });
same('owned');

# ---- tables that were altered before the row was read ---------------------------------------

query($node, "INSERT INTO altered $full(1, 20) i");
arrived($node);
while_waiting(q(UPDATE altered SET id = 101 WHERE id = 1),
	[ 'ALTER TABLE altered RENAME title TO heading', q(UPDATE altered SET heading = 'renamed' WHERE id = 2),
	  'ALTER TABLE altered RENAME heading TO title' ]);
like(wait_for_stop($node, 'altered'), qr/heading/, 'only the row behind it stops the table');
is($target->sql('SELECT title FROM altered WHERE id = 101', 'shop'), 'title 1',
	'a column that was renamed is found');
$target->sql('ALTER TABLE altered ADD COLUMN heading STRING', 'shop');
restart_stream($node);
query($node, q(UPDATE altered SET title = 'renamed' WHERE id = 2));
same('altered');

while_waiting(q(UPDATE altered SET id = 102 WHERE id = 2), [ 'ALTER TABLE altered ADD extra int DEFAULT 7' ]);
arrived($node);
is($target->sql('SELECT title FROM altered WHERE id = 102', 'shop'), 'renamed', 'a column that was added since');
$target->sql('ALTER TABLE altered ADD COLUMN extra INT DEFAULT "7"', 'shop');
while_waiting(q(UPDATE altered SET id = 103 WHERE id = 3), [ 'ALTER TABLE altered DROP extra' ]);
same('altered');
while_waiting(q(UPDATE altered SET id = 104 WHERE id = 4), [ 'ALTER TABLE altered ALTER id TYPE bigint' ]);
same('altered');
while_waiting(q(UPDATE altered SET id = 105 WHERE id = 5),
	[ 'ALTER TABLE altered DROP CONSTRAINT altered_pkey; ALTER TABLE altered ADD PRIMARY KEY (id)' ]);
same('altered');
while_waiting(q(UPDATE altered SET id = 107 WHERE id = 7),
	[ 'ALTER TABLE altered ALTER n TYPE text' ]);
my $why = wait_for_stop($node, 'altered');
like($why, qr/"public\.altered" was altered before a row could be read again/, 'another type stops the table');
like($why, qr/type of a column was changed.*REPLICA IDENTITY FULL/s, 'with detail and hint');
same(qw(docs by_index));

while_waiting(q(UPDATE by_index SET id = 103 WHERE id = 3), [ 'DROP TABLE by_index' ]);
arrived($node);
is($target->sql('SELECT count(*) FROM by_index WHERE id IN (3, 103)', 'shop'), 0,
	'of a table that was dropped the row is left out');
is(stopped_tables($node), 'altered', 'and it has not stopped');
unlike(slurp_file($node->logfile), qr/TRAP|PANIC/, 'no assertion failed');
same(qw(docs parts odd));

# ---- another row filter ---------------------------------------------------------------------

# An UPDATE behind the one whose row is read again is a partial one: without the row it would make half of one.
sub filtered_anew
{
	my ($from, $to, $filter) = @_;
	return while_waiting("UPDATE shown SET id = $to WHERE id = $from", [
		"UPDATE shown SET title = 'partial' WHERE id = $to",
		"ALTER PUBLICATION dbmazz_pub DROP TABLE shown; ALTER PUBLICATION dbmazz_pub ADD TABLE shown $filter" ]);
}
query($node, q(DELETE FROM shown; INSERT INTO shown SELECT i, 't', large(i), i, true FROM generate_series(1, 6) i));
same_shown('before');
filtered_anew(1, 301, 'WHERE (is_public AND id < 1000)');
same_shown('when another filter shows the row');
filtered_anew(2, 302, '');
same_shown('when there is no filter any more');
query($node, q(ALTER PUBLICATION dbmazz_pub DROP TABLE shown; ALTER PUBLICATION dbmazz_pub ADD TABLE shown WHERE (is_public)));
filtered_anew(3, 303, 'WHERE (is_public AND id <> 303)');
like(wait_for_stop($node, 'shown'), qr/"public\.shown" was altered .*the row filter was changed, and hides the row/s,
	'a row that another filter hides stops the table');
is($target->sql('SELECT count(*) FROM shown WHERE id = 303', 'shop'), 0, 'and nothing of it is sent');
query($node, q(UPDATE docs SET title = 'on'));
same('docs');

$node->stop;
done_testing();
